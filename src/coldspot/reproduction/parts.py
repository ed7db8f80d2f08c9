"""What there is to do for a paper: its numbers, and each of its figures."""

from pathlib import Path
from typing import NamedTuple

from .. import style
from ..files import whole
from .page import Shown
from .paper import Figure, Number, Paper


class Part(NamedTuple):
    """The numbers of a paper that belong to no figure (`figure` is None), or one of its figures."""

    paper: Paper
    figure: Figure | None
    folder: Path

    @property
    def label(self) -> str:
        return self.paper.name if self.figure is None else f"{self.paper.name} {self.figure.label}"

    @property
    def cost(self) -> float:
        return 1.0 if self.figure is None else self.figure.cost


def parts_of(paper: Paper, folder: Path) -> list[Part]:
    """All parts of a paper, in the order of the report."""
    return [Part(paper, figure, folder) for figure in (None, *paper.all_figures)]


class Done(NamedTuple):
    """The numbers of a part, and what the page shows of it if it is a figure."""

    numbers: list[Number]
    shown: Shown | None


def do(part: Part) -> Done:
    """Compute a part; of a figure also write the files."""
    paper, figure, folder = part
    if figure is None:
        return Done(list(paper.check()), None)
    data = figure.compute()
    with style.house_style():
        drawn = figure.draw(data)
    stem = f"{paper.name}-fig{figure.label}"
    images = {format: style.image(drawn, format) for format in ("png", "svg")}
    for format, content in images.items():
        with whole(folder / f"{stem}.{format}") as file:
            file.write_bytes(content)
    title = f"{paper.title}, Fig. {figure.label}: {figure.title}"
    with whole(folder / f"{stem}.nc") as file:
        data.assign_attrs(title=title, authors=paper.authors).to_netcdf(file)
    numbers = list(figure.check(data))
    return Done(numbers, Shown(figure, images["svg"], f"{stem}.png, .svg, .nc", numbers))
