"""Papers computed again: figures, data, and one report that shows each number beside the published one."""

import os
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import parallel, style
from ..files import remove_abandoned, whole
from ..interrupts import is_program
from ..progress import track
from .helpers import spread
from .page import Section, page
from .paper import Paper
from .parts import Done, parts_of

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
    rows = [parts_of(paper, folder) for paper in chosen]
    # A program may start others; in somebody's own program everything happens in the one process that there is.
    processes = min(parallel.workers(), len(rows)) if is_program() else 1
    found: dict[tuple[int, int], Done] = {}
    steps = sum(map(len, rows))
    for row, place, done in track(spread(rows, processes), total=steps, label="reproduce", show=progress):
        found[row, place] = done
    sections = [_section(paper, [found[k, j] for j in range(len(rows[k]))]) for k, paper in enumerate(chosen)]
    with whole(folder / REPORT) as part:
        part.write_text(page(sections, version("coldspot")), encoding="utf-8")
    return [row for section in sections for row in _rows(section)]


def _section(paper: Paper, done: list[Done]) -> Section:
    numbers, *figures = done
    return Section(paper, numbers.numbers, [one.shown for one in figures if one.shown is not None])


def _rows(section: Section) -> Iterator[dict[str, Any]]:
    name = section.paper.name
    yield from (number.row(name) for number in section.numbers)
    for one in section.shown:
        yield from (number.row(name, one.figure.label) for number in one.numbers)
