"""Papers computed again: figures, data, and one report that shows each number beside the published one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import style
from .._checks import unknown_name
from ..papers import PAPERS
from ..progress import track
from .page import Section, Shown, page
from .paper import Figure, Paper

REPORT = "report.html"


def reproduce(names: Iterable[str], out: str | os.PathLike[str], progress: bool | None = None) -> list[dict[str, Any]]:
    """Compute papers again and write figures, data and a report.

    **Arguments:** `names` of papers (keys of `PAPERS`; none at all means all of them); `out`, a folder, made if it is
    missing; `progress`, whether to show a bar (default: on a terminal, if it takes long).

    **Writes**, each file completely or not at all: `<paper>-fig<label>.png`, `.svg` and `.nc` for every figure, and
    `report.html`, which needs no other file.

    **Returns:** one row per number, in a fixed order, with the keys `paper`, `quantity`, `published`, `computed`,
    `tolerance` (absolute) and `ok`.

    Raises `InputError` for an unknown name and `ModuleNotFoundError` without Matplotlib, before anything is written.
    """
    chosen = list(dict.fromkeys(names)) or list(PAPERS)
    for name in chosen:
        if name not in PAPERS:
            raise unknown_name("reproduce", "paper", name, PAPERS)
    style.require_matplotlib()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    papers = [PAPERS[name] for name in chosen]
    steps = sum(1 + len(paper.figures) for paper in papers)
    sections: list[Section] = []
    for _ in track(_steps(papers, folder, sections), total=steps, label="reproduce", show=progress):
        pass
    with _replacing(folder / REPORT) as part:
        part.write_text(page(sections, version("coldspot")), encoding="utf-8")
    return [row for section in sections for row in _rows(section)]


def _rows(section: Section) -> Iterator[dict[str, Any]]:
    name = section.paper.name
    yield from (number.row(name) for number in section.numbers)
    for one in section.shown:
        yield from (number.row(name, one.figure.label) for number in one.numbers)


def _steps(papers: Iterable[Paper], folder: Path, sections: list[Section]) -> Iterator[str]:
    """Do the work, yielding the name of each part when it is done."""
    for paper in papers:
        numbers = list(paper.check())
        yield paper.name
        shown = []
        for figure in paper.figures:
            shown.append(_show(paper, figure, folder))
            yield f"{paper.name} {figure.label}"
        sections.append(Section(paper, numbers, shown))


def _show(paper: Paper, figure: Figure, folder: Path) -> Shown:
    data = figure.compute()
    with style.house_style():
        drawn = figure.draw(data)
    stem = f"{paper.name}-fig{figure.label}"
    images = {format: style.image(drawn, format) for format in ("png", "svg")}
    for format, content in images.items():
        with _replacing(folder / f"{stem}.{format}") as part:
            part.write_bytes(content)
    title = f"{paper.title}, Fig. {figure.label}: {figure.title}"
    with _replacing(folder / f"{stem}.nc") as part:
        data.assign_attrs(title=title, authors=paper.authors).to_netcdf(part)
    return Shown(figure, images["svg"], f"{stem}.png, .svg, .nc", list(figure.check(data)))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, renamed to it at the end: readers never see half a file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
