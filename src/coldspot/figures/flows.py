"""Sankey diagrams: what flows into a machine and out of it, as bands of that width."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .._checks import InputError, worded
from .._mentions import a_or_an
from ..solution import Solution
from ..style import BLACK, GREEN, PURPLE, bath_colours, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL = 1e-9
"""What is smaller than this part of the largest flow is not drawn."""
GAP = 0.08
"""Between bands, as a part of the whole width."""


@worded
def sankey(solution: Solution, axes: "Axes | None" = None) -> "Axes":
    """What flows into a machine from the left, and out of it to the right: heat, work and chemical work.

    **Arguments:** `solution`, of one machine (not a batch); `axes`, Matplotlib axes to draw on, or None for a new
    figure, which is `axes.figure` of what is returned.

    The width of each band is its rate; by the first law the widths on both sides add up to the same. Heat is orange
    from the hottest bath and blue from the coldest, as in all pictures; work is green, chemical work purple. The
    particles that each bath gives (+) or takes (−) stand beside its name.
    """
    if not hasattr(solution, "status"):
        raise InputError(
            f"figures.sankey: `solution` must be a Solution, but is {a_or_an(solution)}; write "
            "`coldspot.steady_state(machine)` for that of a machine."
        )
    if np.ndim(solution.status) != 0:
        raise InputError(
            f"figures.sankey: `solution` must be of one machine, but is a batch of shape {np.shape(solution.status)}; "
            "take one point."
        )
    if not bool(solution.ok) or not solution.baths:
        raise InputError("figures.sankey: `solution` has no flows that can be trusted; look at its status.")
    flows = flows_of(solution)
    size = max((abs(rate) for rate, _ in flows.values()), default=0.0)
    flows = {name: flow for name, flow in flows.items() if abs(flow[0]) > SMALL * size}
    with house_style():
        if axes is None:
            axes = new_figure(6.4, 3.9).subplots()
        axes.set_axis_off()
        axes.set_xlim(-1.75, 1.75)
        axes.set_ylim(-0.75, 0.75)
        axes.set_title(str(solution.regime))
        for side in (-1, 1):
            _draw(axes, {name: flow for name, flow in flows.items() if np.sign(flow[0]) == -side}, side)
        if not flows:
            axes.text(0.0, 0.0, "nothing flows", ha="center", va="center")
    return axes


def flows_of(s: Solution) -> dict[str, tuple[float, str]]:
    """{words: (rate, colour)}, positive into the machine."""
    found = {}
    colours = bath_colours(np.asarray(s.temperatures))
    for k, name in enumerate(s.baths):
        carries = s.kinds[k] in ("electron", "particle")
        # What does not exceed its error is no flow.
        flows = carries and abs(float(s.particles[name])) > float(s.error.particles[name])
        moved = f"\nparticles {_number(float(s.particles[name]), sign=True)}" if flows else ""
        found[f"heat {name}{moved}"] = (float(s.heat[name]), colours[k])
        if carries:
            found[f"chemical work {name}"] = (float(s.chemical_work[name]), PURPLE)
    for name in s.drives:
        found[f"work {name}"] = (float(s.work[name]), GREEN)
    return found


def _draw(axes: "Axes", flows: Mapping[str, tuple[float, str]], side: int) -> None:
    """Bands of one side, which meet without gaps at the machine in the middle."""
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    total = sum(abs(rate) for rate, _ in flows.values())
    if not total:
        return
    spread = 1.0 + GAP * (len(flows) - 1)
    inner, outer = 0.5, spread / 2
    for words, (rate, colour) in sorted(flows.items(), key=lambda item: -abs(item[1][0])):
        width = abs(rate) / total
        x = np.array([0.08, 0.45, 0.55, 0.95]) * side
        top = [(x[0], inner), (x[1], inner), (x[2], outer), (x[3], outer)]
        low = [(x[3], outer - width), (x[2], outer - width), (x[1], inner - width), (x[0], inner - width)]
        moves = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3]
        axes.add_patch(PathPatch(Path([*top, *low], moves), facecolor=colour, alpha=0.75, linewidth=0))
        axes.text(
            side * 1.0,
            outer - width / 2,
            f"{words}\n{_number(abs(rate))}",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize=9,
        )
        inner -= width
        outer -= width + GAP
    axes.add_patch(Rectangle((-0.08, -0.5), 0.16, 1.0, facecolor=BLACK, linewidth=0))


def _number(value: float, sign: bool = False) -> str:
    return f"{value:{'+' if sign else ''}.4g}".replace("-", "−")
