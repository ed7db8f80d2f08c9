"""Bars for a ledger."""

from typing import TYPE_CHECKING

import numpy as np

from .._checks import InputError, worded
from .._mentions import a_or_an
from ..solution import Solution
from ..style import BLACK, GREEN, HEIGHT, bath_colours, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@worded
def ledger(solution: "Solution", axes: "Axes | None" = None) -> "Axes":
    """Bars for the heat absorbed from each bath and the work put in, positive into the machine.

    **Arguments:** `solution`, of one machine (not a batch); `axes`, Matplotlib axes to draw on, or None for a new
    figure, which is `axes.figure` of what is returned.

    By the first law the bars add up to zero. The hottest bath is orange, the coldest blue.
    """
    if not hasattr(solution, "status"):
        raise InputError(
            f"figures.ledger: `solution` must be a Solution, but is {a_or_an(solution)}; write "
            "`coldspot.steady_state(machine)` for that of a machine."
        )
    if np.ndim(solution.status) != 0:
        raise InputError(
            f"figures.ledger: `solution` must be of one machine, but is a batch of shape {np.shape(solution.status)}; "
            "take one point, or draw the Dataset of a sweep."
        )
    if not solution.baths:
        raise InputError("figures.ledger: `solution` has no baths, so that there is no heat to draw.")
    with house_style():
        if axes is None:
            axes = new_figure(1.6 + 1.25 * (len(solution.baths) + 1), HEIGHT).subplots()
        temperatures = np.asarray(solution.temperatures)
        names = [f"heat from\n{bath}\n$T$ = {t:.4g}" for bath, t in zip(solution.baths, temperatures, strict=True)]
        heights = [*map(float, solution.heat.array), float(solution.work_in)]
        bars = axes.bar([*names, "work in\n"], heights, width=0.62, color=[*bath_colours(temperatures), GREEN])
        axes.bar_label(bars, labels=[f"{value:.4g}".replace("-", "−") for value in heights], padding=3, fontsize=9.5)
        axes.axhline(0.0, color=BLACK, linewidth=0.8)
        axes.margins(x=0.08, y=0.16)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel("rate into the machine  ($E^2/\\hbar$)")
        axes.set_title(_headline(solution))
    return axes


def _headline(solution: "Solution") -> str:
    for label, value in (("COP", float(solution.cop)), ("efficiency", float(solution.efficiency))):
        if not np.isnan(value):
            return f"{solution.regime}, {label} {value:.4g}"
    return str(solution.regime)
