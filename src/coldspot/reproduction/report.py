"""Papers computed again: figures, data, and one report that shows each number beside the published one."""

import os
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import style
from ..files import remove_abandoned, whole
from ..progress import track
from .page import Section, Shown, page
from .paper import Figure, Paper

REPORT = "report.html"


def reproduce(
    papers: Iterable[Paper], out: str | os.PathLike[str], progress: bool | None = None
) -> list[dict[str, Any]]:
    """Compute papers again and write figures, data and a report.

    **Arguments:** `papers`, those of `coldspot.papers.PAPERS` or others; `out`, a folder, made if it is missing;
    `progress`, whether to show a bar (default: on a terminal, if it takes long).

    **Writes**, each file completely or not at all: `<paper>-fig<label>.png`, `.svg` and `.nc` for every figure, and
    `report.html`, which needs no other file.

    **Returns:** one row per number, in a fixed order, with the keys `paper`, `quantity`, `published`, `computed`,
    `tolerance` (absolute) and `ok`.

    Raises `ModuleNotFoundError` without Matplotlib, before anything is written.
    """
    style.require_matplotlib()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    chosen = list(papers)
    steps = sum(1 + len(paper.all_figures) for paper in chosen)
    sections: list[Section] = []
    for _ in track(_steps(chosen, folder, sections), total=steps, label="reproduce", show=progress):
        pass
    with whole(folder / REPORT) as part:
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
        for figure in paper.all_figures:
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
        with whole(folder / f"{stem}.{format}") as part:
            part.write_bytes(content)
    title = f"{paper.title}, Fig. {figure.label}: {figure.title}"
    with whole(folder / f"{stem}.nc") as part:
        data.assign_attrs(title=title, authors=paper.authors).to_netcdf(part)
    return Shown(figure, images["svg"], f"{stem}.png, .svg, .nc", list(figure.check(data)))
