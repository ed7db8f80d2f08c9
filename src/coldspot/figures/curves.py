"""Lines: results of a sweep along one parameter, cumulants, fronts, and trajectories."""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import InputError, unknown_name, worded
from ..show import number
from ..style import COLOURS, DASHES, GREY, HEIGHT, WIDTH, WORKS, bath_colours, house_style, new_figure
from ..trajectories import Ensemble
from .borders import by_ratios
from .units import labelled, typeset, unit_of
from .unknown import say_nothing_known

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

MOST_PATHS = 6
"""Sample paths in one picture."""
BINS = 40
FEW = 5
"""Trajectories that share a value, on average, where amounts come in steps."""


@worded
def curves(dataset: "xarray.Dataset", names: str | Sequence[str], axes: "Axes | None" = None) -> "Axes":
    """Results along the one swept parameter of a sweep: a line for each, for each bath or drive.

    **Arguments:** `dataset`, of `coldspot.sweep` over one parameter (further ones selected, as by
    `dataset.isel(level=0)`); `names`, of its variables; `axes`, Matplotlib axes to draw on, or None for a new figure,
    which is `axes.figure` of what is returned. A new figure has a panel for each unit, below each other in the order of
    `names`; the first one is returned, and all are `axes.figure.axes`.

    The band around a line is its error; there are gaps where points cannot be trusted.

    >>> import coldspot as cs, numpy as np
    >>> ds = cs.sweep(cs.machines.QuantumDot(), {"level": np.linspace(-15, 5, 21)})
    >>> axes = cs.figures.curves(ds, ["heat", "power"])
    >>> [line.get_label() for line in axes.get_lines()]
    ['heat left', 'heat right', 'power']
    """
    owner = "figures.curves"
    if not hasattr(dataset, "data_vars") or "status" not in dataset:
        raise InputError(f"{owner}: `dataset` must be the Dataset of a sweep, with `status`.")
    wanted = [names] if isinstance(names, str) else list(names)
    found = dataset.squeeze([name for name in dataset.status.dims if dataset.sizes[name] == 1], drop=True)
    swept = found.status.dims
    if len(swept) != 1:
        raise InputError(
            f"{owner}: `dataset` must have one swept parameter, but has {', '.join(map(str, swept)) or 'none'}; "
            "select points along the others, as by `dataset.isel(level=0)`."
        )
    for name in wanted:
        if name not in found.data_vars:
            raise unknown_name(owner, "variable", name, map(str, found.data_vars))
    (parameter,) = swept
    x = np.asarray(found[parameter], float)
    units = {name: unit_of(found[name]) for name in wanted}
    with house_style():
        panels = [axes] if axes is not None else _panels(len(set(units.values())))
        place = {unit: panels[min(k, len(panels) - 1)] for k, unit in enumerate(dict.fromkeys(units.values()))}
        colours = _colours(found)
        rest = cycle([c for c in COLOURS if c not in colours.values()])
        dashes = cycle(DASHES)  # every line has its own: a print without colour tells them apart
        for name in wanted:
            values, error, panel = found[name], found.get(f"{name}_error"), place[units[name]]
            axis = next((str(dim) for dim in values.dims if dim in ("bath", "drive")), "")
            for label, at in _lines(values, str(parameter)):
                y = np.asarray(values.isel(at), float)
                colour = next((colours[axis, of] for of in label if (axis, of) in colours), "") or next(rest)
                label_of_line = " ".join([name.replace("_", " "), *label])
                panel.plot(x, y, label=label_of_line, color=colour, linestyle=next(dashes))
                if error is not None:
                    doubt = np.asarray(error.isel(at), float)
                    panel.fill_between(x, y - doubt, y + doubt, color=colour, alpha=0.25, linewidth=0)
        for panel in panels:
            drawn = [name for name in wanted if place[units[name]] is panel]
            (unit, *others) = dict.fromkeys(units[name] for name in drawn)
            said = labelled(found[drawn[0]], drawn[0].replace("_", " ")) if len(drawn) == 1 else unit
            panel.set_ylabel("" if others else said)
            if by_ratios(x):
                panel.set_xscale("log")
            panel.set_xlim(x.min(), x.max())
            if len(panel.get_lines()) > 1 or len(panels) > 1:
                panel.legend()
        say_nothing_known(panels[0], found)
        panels[-1].set_xlabel(labelled(found[parameter], str(parameter).replace("_", " ")))
    return panels[0]


def _panels(count: int) -> list["Axes"]:
    """Axes of a new figure below each other, which share the axis to the right."""
    height = HEIGHT * (1 + 0.7 * (count - 1))
    return list(new_figure(WIDTH, height).subplots(count, squeeze=False, sharex=True)[:, 0])


@worded
def cumulants(dataset: "xarray.Dataset", axes: "Axes | None" = None) -> "Axes":
    """All cumulants that a sweep over one parameter has counted, as `curves`.

    `dataset`: of `coldspot.sweep(machine, {path: values}, also=[coldspot.Counting(…)])`.
    """
    names = [str(n) for n in getattr(dataset, "data_vars", ()) if str(n).startswith("cumulant_")]
    names = [name for name in names if not name.endswith(("_error", "_status"))]
    if not names:
        raise InputError(
            "figures.cumulants: `dataset` must be the Dataset of a sweep that has counted: "
            'sweep(machine, …, also=[Counting("heat", "left")]).'
        )
    return curves(dataset, names, axes)


@worded
def pareto(front: "xarray.Dataset", x: str, y: str, axes: "Axes | None" = None) -> "Axes":
    """A front of machines: two of its objectives against each other, each machine a point.

    **Arguments:** `front`, the Dataset of `coldspot.pareto`; `x`, `y`, the names of objectives; `axes`, Matplotlib axes
    to draw on, or None for a new figure, which is `axes.figure` of what is returned.
    """
    owner = "figures.pareto"
    for name in (x, y):
        if name not in getattr(front, "data_vars", ()):
            raise unknown_name(owner, "variable", name, map(str, getattr(front, "data_vars", ())))
        if front[name].dims != ("point",):
            raise InputError(f"{owner}: `{name}` must be one number for each machine, but has axes {front[name].dims}.")
    with house_style():
        axes = new_figure(WIDTH, HEIGHT).subplots() if axes is None else axes
        order = np.argsort(np.asarray(front[x]))
        places = [np.asarray(front[name], float)[order] for name in (x, y)]
        axes.plot(*places, color=GREY, linestyle="-", linewidth=0.8)
        axes.plot(*places, linestyle="none", marker="o", color=COLOURS[0])
        axes.set_xlabel(labelled(front[x], x.replace("_", " ")))
        axes.set_ylabel(labelled(front[y], y.replace("_", " ")))
    return axes


@worded
def trajectories(ensemble: Any, axes: "Axes | None" = None) -> "Axes":
    """Random histories: the sample paths that were kept, or else how heats and works are distributed.

    **Arguments:** `ensemble`, of `coldspot.trajectories` (with `keep=…` there are paths); `axes`, Matplotlib axes to
    draw on, or None for a new figure, which is `axes.figure` of what is returned.

    Distributions are those of what each trajectory took from each bath and drive (rates of a continuous machine,
    amounts of a jump network): densities, or probabilities where amounts come in steps. Means stand in the legend.
    """
    if not isinstance(ensemble, Ensemble):
        raise InputError(
            f"figures.trajectories: `ensemble` must be what `trajectories` returns, but is {type(ensemble).__name__}."
        )
    paths = np.asarray(getattr(ensemble, "positions", np.zeros((0, 0, 0))))
    with house_style():
        axes = new_figure(WIDTH, HEIGHT).subplots() if axes is None else axes
        if paths.size:
            times = np.asarray(ensemble.times)
            for k, path in enumerate(paths[:MOST_PATHS]):
                for coordinate in range(path.shape[-1]):
                    label = f"coordinate {coordinate}" if k == 0 and path.shape[-1] > 1 else None
                    axes.plot(
                        times,
                        path[:, coordinate],
                        color=COLOURS[coordinate % len(COLOURS)],
                        label=label,
                        linestyle="-",
                        linewidth=0.9,
                        alpha=0.8,
                    )
            axes.set_xlim(times.min(), times.max())
            axes.set_xlabel("time")
            axes.set_ylabel("position")
            if paths.shape[-1] > 1:
                axes.legend()
            return axes
        baths, drives = ensemble.solution.baths, ensemble.solution.drives
        colours = [*bath_colours(np.asarray(ensemble.solution.temperatures)), *islice(cycle(WORKS), len(drives))]
        parts = [(f"heat {name}", np.asarray(ensemble.heats)[:, k]) for k, name in enumerate(baths)]
        parts += [(f"work {name}", np.asarray(ensemble.works)[:, k]) for k, name in enumerate(drives)]
        steps = [np.unique(np.round(values, 9), return_counts=True) for _, values in parts]
        discrete = max(len(places) for places, _ in steps) < len(parts[0][1]) / FEW
        edges = np.histogram_bin_edges(np.concatenate([values for _, values in parts]), BINS)
        for k, (label, values) in enumerate(parts):
            style: Any = {"label": f"{label}, mean {number(values.mean())}".replace("-", "−"), "color": colours[k]}
            if discrete:
                places, counts = steps[k]
                axes.plot(places, counts / len(values), marker="o", markersize=3, linewidth=0.8, **style)
            else:
                axes.stairs(np.histogram(values, edges, density=True)[0], edges, linewidth=1.5, **style)
        axes.set_xlabel(f"heat or work of a trajectory ({typeset(ensemble.unit_of('E**2/hbar'))})")
        axes.set_ylabel("probability" if discrete else "probability density")
        axes.set_ylim(bottom=0.0)
        axes.legend()
    return axes


def _colours(dataset: "xarray.Dataset") -> dict[tuple[str, str], str]:
    """Colours by ("bath" or "drive", its name); baths go by their mean temperatures along the sweep."""
    found: dict[str, Any] = {"drive": cycle(WORKS)}
    if "temperature" in dataset:
        means = dataset.temperature.mean([name for name in dataset.temperature.dims if name != "bath"])
        found["bath"] = bath_colours(np.asarray(means))
    return {
        (axis, str(name)): colour
        for axis, colours in found.items()
        if axis in dataset.coords
        for name, colour in zip(dataset[axis].values, colours, strict=False)
    }


def _lines(values: Any, parameter: str) -> list[tuple[list[str], dict[str, int]]]:
    """The label and the place of each line of a variable, along its axes beside the parameter."""
    others = [str(dim) for dim in values.dims if dim != parameter]
    found = []
    for place in np.ndindex(*(values.sizes[dim] for dim in others)):
        at = dict(zip(others, place, strict=True))
        names = [str(values[dim].values[k]) if dim in values.coords else f"{dim} {k}" for dim, k in at.items()]
        found.append((names, at))
    return found
