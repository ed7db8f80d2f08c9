"""How coldspot's figures look, and the picture of a ledger.

Matplotlib is an extra and is imported only when something is drawn. Figures are made as objects, without pyplot:
nothing global is changed, and no window is needed.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .ledger import Solution

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"
AMBER, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#6B6B6B"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
"""Colours of curves, in order; told apart with any common colour vision (after Okabe and Ito)."""
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.6)),
    (0, (5, 1.4, 1, 1.4)),
    (0, (1.2, 1.2)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
"""Line styles of curves, in order, so that a print without colour still tells them apart."""
TINTS = {"engine": "#D6E6F4", "refrigerator": "#FBE3CF", "heater": "#E9E9E9", "accelerator": "#D8EFE4"}
"""Backgrounds of the regimes."""

WIDTH, HEIGHT = 5.6, 3.7
"""Size of a figure with one panel, in inches."""


def require_matplotlib() -> None:
    """Raise an error that says how to install Matplotlib, if it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError(
            'Drawing needs Matplotlib, which is not installed; install it with: pip install "coldspot[figures]"',
            name="matplotlib",
        ) from None


@contextmanager
def house_style() -> Iterator[None]:
    """Within this context Matplotlib draws and saves figures in coldspot's style; afterwards all is as before."""
    require_matplotlib()
    import matplotlib
    from cycler import cycler

    style: dict[Any, Any] = {
        "axes.axisbelow": False,
        "axes.formatter.limits": (-3, 4),
        "axes.formatter.use_mathtext": True,
        "axes.labelsize": 11,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=DASHES),
        "axes.titlesize": 11,
        "figure.constrained_layout.use": True,
        "figure.facecolor": "white",
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "lines.linewidth": 1.7,
        "mathtext.fontset": "dejavusans",
        "savefig.dpi": 200,
        "svg.fonttype": "path",
        "svg.hashsalt": "coldspot",
        "xtick.direction": "in",
        "xtick.labelsize": 9.5,
        "xtick.top": True,
        "ytick.direction": "in",
        "ytick.labelsize": 9.5,
        "ytick.right": True,
    }
    with matplotlib.rc_context(style):
        yield


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> "Figure":
    """An empty figure (sizes in inches) that belongs to no window."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def image(figure: "Figure", format: str) -> bytes:
    """The figure as PNG or SVG (`format`); equal figures give equal bytes.

    A date or the name of a program would make them differ, and so neither is written.
    """
    stream = io.BytesIO()
    with house_style():
        figure.savefig(stream, format=format, metadata={"Software": None} if format == "png" else {"Date": None})
    return stream.getvalue()


def draw_ledger(solution: "Solution", axes: "Axes | None" = None) -> "Axes":
    """Bars for the heat absorbed from each bath and the work put in, positive into the machine.

    **Arguments:** `solution`, of one machine (not a batch); `axes`, Matplotlib axes to draw on, or None for a new
    figure, which is `axes.figure` of what is returned.

    By the first law the bars add up to zero. The hottest bath is orange, the coldest blue.
    """
    if np.ndim(solution.status) != 0:
        raise InputError(
            f"draw_ledger: `solution` must be of one machine, but is a batch of shape {np.shape(solution.status)}; "
            "take one point, or draw the Dataset of a sweep."
        )
    with house_style():
        if axes is None:
            axes = new_figure(1.6 + 1.25 * (len(solution.baths) + 1), HEIGHT).subplots()
        temperatures = np.asarray(solution.temperatures)
        names = [f"heat from\n{bath}\n$T$ = {t:.4g}" for bath, t in zip(solution.baths, temperatures, strict=True)]
        heights = [*map(float, solution.heat.array), float(solution.work_in)]
        bars = axes.bar(
            [*names, "work in\n"], heights, width=0.62, color=[*map(_by_heat(temperatures), temperatures), GREEN]
        )
        axes.bar_label(bars, labels=[f"{value:.4g}".replace("-", "−") for value in heights], padding=3, fontsize=9.5)
        axes.axhline(0.0, color=BLACK, linewidth=0.8)
        axes.margins(x=0.08, y=0.16)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel("rate into the machine  ($E^2/\\hbar$)")
        axes.set_title(_headline(solution))
    return axes


def _by_heat(temperatures: np.ndarray) -> Any:
    low, high = temperatures.min(), temperatures.max()

    def colour(temperature: float) -> str:
        if temperature == low:
            return BLUE
        return ORANGE if temperature == high else AMBER

    return colour


def _headline(solution: "Solution") -> str:
    for label, value in (("COP", float(solution.cop)), ("efficiency", float(solution.efficiency))):
        if not np.isnan(value):
            return f"{solution.regime}, {label} {value:.4g}"
    return str(solution.regime)
