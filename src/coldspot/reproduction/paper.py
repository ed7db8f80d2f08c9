"""What a paper is here: its figures, and numbers that stand beside the published ones."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    import matplotlib.figure
    import xarray


@final
@dataclass(frozen=True)
class Number:
    """A computed value beside the published one; `tolerance` is absolute, in the unit of the quantity.

    Where the paper prints no number, but an equation that gives it, `quantity` says so ("from eq. 10").
    A statement is a 1 (it holds) or a count of exceptions, with tolerance 0.

    >>> Number("Carnot efficiency", published=0.5, computed=0.49, tolerance=0.001).ok
    False
    """

    quantity: str
    published: float
    computed: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether both agree within the tolerance; never if the computed value is not a number."""
        return bool(abs(self.computed - self.published) <= self.tolerance)

    def row(self, paper: str, figure: str | None = None) -> dict[str, Any]:
        """The number as a line of the table, of plain Python values; `figure` is the label of the one it belongs to."""
        return {
            "paper": paper,
            "quantity": self.quantity if figure is None else f"Fig. {figure}: {self.quantity}",
            "published": float(self.published),
            "computed": float(self.computed),
            "tolerance": float(self.tolerance),
            "ok": self.ok,
        }


def holds(statement: str, truth: Any) -> Number:
    """A statement of the paper as a number: 1 if it holds."""
    return Number(statement, 1, int(bool(truth)), 0)


def none_of(what: str, exceptions: Any) -> Number:
    """A statement about all points of a figure as a number: how many points break it."""
    return Number(what, 0, int(exceptions.sum()), 0)


@final
@dataclass(frozen=True)
class Figure:
    """One figure of a paper.

    - `label`: as in the paper ("5a"); `title`: a short one; `caption`: what is shown, with which parameters, and
      which of them the paper prints;
    - `alternative`: what one sees, for readers who do not see it;
    - `compute() -> Dataset`: the data; `draw(data)`: the Matplotlib figure, to be called in the house style;
    - `check(data)`: features of the data beside what the paper says of them;
    - `cost`: about how long all this takes, in units of an ordinary figure: what is long is begun first.
    """

    label: str
    title: str
    caption: str
    alternative: str
    compute: "Callable[[], xarray.Dataset]"
    draw: "Callable[[xarray.Dataset], matplotlib.figure.Figure]"
    check: "Callable[[xarray.Dataset], Iterable[Number]]"
    cost: float = 1.0


@final
@dataclass(frozen=True)
class Paper:
    """A paper: `figures`; `check()`, the numbers that belong to no figure; and `beyond`, figures that it has not."""

    name: str
    title: str
    authors: str
    summary: str
    figures: tuple[Figure, ...]
    check: Callable[[], Iterable[Number]]
    beyond: tuple[Figure, ...] = ()

    @property
    def all_figures(self) -> tuple[Figure, ...]:
        """Its own and those beyond."""
        return self.figures + self.beyond
