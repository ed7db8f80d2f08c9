"""Drawings of jump networks: states at their energies, channels between them, net currents."""

from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from .._checks import InputError, worded
from ..dynamics import as_dynamics, steady_state
from ..pytrees import compiled
from ..style import BLACK, GREY, HEIGHT, WIDTH, WORKS, bath_colours, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_STATES = 64
"""A drawing of more states shows nothing any more."""
CROWDED = 12
"""States beyond which a drawing grows, and states of one number of particles stand above each other."""
APART = 0.05
"""States that differ by less than this part of all energies stand side by side."""
WEAK = 0.03
"""Net currents below this part of the largest are drawn faintly where there are many states."""
HALF = 0.3
"""Half the length of the line that stands for a state."""


@worded
def network(machine: Any, axes: "Axes | None" = None) -> "Axes":
    """A jump network: its states at their energies, the transitions that each bath causes, the net currents.

    **Arguments:** `machine`, a jump network or dots, or a machine whose dynamics is one of them; `axes`, Matplotlib
    axes to draw on, or None for a new figure, which is `axes.figure` of what is returned.

    States stand side by side by their number of particles (of many states, those of one number in one column); the size
    of the dot on a state is its probability. An arrow points the way that a transition goes more often, and is as wide
    as its net current, beside the largest one; of many states weak ones are faint.
    Transitions without net current, and those of driven networks (which are drawn at phase 0), are plain lines.
    """
    net: Any = as_dynamics(machine)
    if not all(hasattr(net, name) for name in ("snapshot", "graph")):
        raise InputError(
            f"figures.network: `machine` must be a jump network, but its dynamics is {type(net).__name__}."
        )
    if net.states > MOST_STATES:
        raise InputError(f"figures.network: at most {MOST_STATES} states can be drawn, not {net.states}.")
    snapshot, graph = _at_rest(net), net.graph()
    initial, final = graph.initial.array, graph.final.array
    particles = np.sum(np.asarray(snapshot.occupations), axis=0)
    solution = steady_state(machine, throw=False)
    shares = np.asarray(solution.populations) if bool(solution.ok) else None
    currents = None
    if shares is not None and not len(net.drives):
        forward, backward = (np.asarray(rate) for rate in (snapshot.forward, snapshot.backward))
        currents = shares[initial] * forward - shares[final] * backward
    energies = np.asarray(snapshot.energies)
    crowded = net.states > CROWDED
    x = (_stacks if crowded else _columns)(particles, energies)
    baths = list(net.baths)
    of_baths = dict(zip(solution.baths, bath_colours(np.asarray(solution.temperatures)), strict=True))
    of_others = dict(zip([name for name in baths if name not in of_baths], cycle(WORKS), strict=False))
    colours = [{**of_baths, **of_others}[name] for name in baths]
    with house_style():
        from matplotlib.lines import Line2D

        if axes is None:
            scale = max(1.0, net.states / CROWDED)
            axes = new_figure(WIDTH * scale, HEIGHT * scale).subplots()
        around = {"boxstyle": "round,pad=0.15", "facecolor": axes.get_facecolor(), "edgecolor": "none", "alpha": 0.7}
        for state, (place, energy) in enumerate(zip(x, energies, strict=True)):
            axes.plot([place - HALF, place + HALF], [energy, energy], color=BLACK, linestyle="-", linewidth=2.0)
            where: Any = {"textcoords": "offset points", "va": "center", "zorder": 5, "bbox": around}
            axes.annotate(str(state), (place + HALF, energy), (4, 0), **where)
            if shares is not None:
                axes.scatter(
                    [place], [energy], s=12 + 260 * shares[state], color=GREY, alpha=0.8, zorder=3, linewidths=0
                )
        causes = _causes(net, graph, baths)
        _transitions(axes, x, energies, initial, final, [colours[k] for k in causes], currents, crowded)
        handles = [Line2D([], [], color=c, linestyle="-", label=name) for c, name in zip(colours, baths, strict=True)]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
        axes.set_xlim(x.min() - 0.8, x.max() + 0.8)
        axes.margins(y=0.15)
        axes.set_xticks([])
        axes.set_ylabel("energy ($E$)")
        axes.set_title(
            "at phase 0" if len(net.drives) else "net currents" if currents is not None else "no steady state"
        )
    return axes


@compiled
def _at_rest(net: Any) -> Any:
    """The network at phase 0."""
    return net.snapshot(jnp.zeros(()))


def _causes(net: Any, graph: Any, baths: Sequence[str]) -> list[int]:
    """The number of the (first) bath of each transition."""
    if hasattr(net, "channels"):
        return [baths.index(channel.baths[0]) for channel in net.channels for _ in range(channel.size)]
    return [numbers[0] for numbers in graph.causes]


def _columns(occupations: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Where each state stands: in the order of particle numbers, those of one number side by side."""
    order = np.lexsort((energies, occupations))
    x = np.empty(len(order))
    for place, state in enumerate(order):
        jump = np.sum(np.diff(occupations[order[: place + 1]]) != 0)
        x[state] = place + 0.4 * jump
    return x


def _stacks(occupations: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Where each state stands: one column for each particle number, in lanes where energies lie near to each other."""
    x, left = np.empty(len(energies)), 0.0
    near = APART * np.ptp(energies)
    for number in np.unique(occupations):
        lanes: list[float] = []  # the highest energy in each
        for state in sorted(np.flatnonzero(occupations == number), key=lambda k: energies[k]):
            free = [k for k, highest in enumerate(lanes) if energies[state] - highest > near]
            lane = free[0] if free else len(lanes)
            lanes[lane : lane + 1] = [float(energies[state])]
            x[state] = left + 1.2 * lane
        left += 1.2 * len(lanes) + 1.0
    return x


def _transitions(
    axes: "Axes",
    x: np.ndarray,
    energies: np.ndarray,
    initial: np.ndarray,
    final: np.ndarray,
    colours: Sequence[str],
    currents: np.ndarray | None,
    crowded: bool,
) -> None:
    largest = 0.0 if currents is None or not currents.size else float(np.max(np.abs(currents)))
    drawn: Counter[tuple[int, int]] = Counter()
    for k, (i, f) in enumerate(zip(initial.tolist(), final.tolist(), strict=True)):
        # Transitions between the same states bend apart.
        bend = 0.12 + 0.16 * drawn[min(i, f), max(i, f)]
        drawn[min(i, f), max(i, f)] += 1
        current = 0.0 if currents is None else float(currents[k])
        flows = abs(current) > 1e-9 * largest
        start, end = (i, f) if current >= 0 else (f, i)
        axes.annotate(
            "",
            xy=(x[end], energies[end]),
            xytext=(x[start], energies[start]),
            arrowprops={
                "arrowstyle": "-|>" if flows else "-",
                "color": colours[k],
                "linewidth": (0.4 if crowded else 0.8) + (3.0 * abs(current) / largest if flows else 0.0),
                "alpha": 0.15 if crowded and flows and abs(current) < WEAK * largest else 0.7 if crowded else 1.0,
                "connectionstyle": f"arc3,rad={bend if x[end] >= x[start] else -bend}",
                "shrinkA": 5,
                "shrinkB": 5,
            },
        )
