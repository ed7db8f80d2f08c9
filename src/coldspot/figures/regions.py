"""Maps of regimes, with borders where the signs of heats and works change between the points of a grid."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import regimes
from .._checks import InputError
from ..style import BLACK, HEIGHT, WIDTH, house_style, new_figure

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

PIXELS = 600
"""Pixels of a map along each axis, at least."""
COLOURS = {
    "passive": "#DDDDDD",
    "refrigerator": "#56B4E9",
    "engine": "#E69F00",
    "heater": "#8C8C8C",
    "accelerator": "#009E73",
    "heat pump": "#CC79A7",
    "absorption refrigerator": "#0072B2",
    "unknown": "#FFFFFF",
    "chemical engine": "#D55E00",
    "chemical pump": "#F0E442",
}
"""Told apart with any common colour vision (after Okabe and Ito), and by their lightness."""
UNKNOWN = regimes.code("unknown")


def regime_map(dataset: "xarray.Dataset", axes: "Axes | None" = None) -> "Axes":
    """The regimes over two parameters of a sweep, in colour.

    **Arguments:** `dataset`, of `coldspot.sweep` over a grid of two parameters (further ones selected, as by
    `dataset.sel(level=0.0, method="nearest")`); the first is drawn upwards, the second to the right; `axes`, Matplotlib
    axes to draw on, or None for a new figure, which is `axes.figure` of what is returned.

    Between the points of the grid, heats, works and differences of temperature are interpolated along straight lines,
    and a pixel has the regime of that corner of its cell whose signs it shares: borders lie where signs change, which
    is exact to second order in the steps of the grid, and not in steps. A point that lies on a border itself has no
    pixels of its own. Where a corner cannot be trusted the pixels near it are white.

    >>> import coldspot as cs, numpy as np
    >>> ds = cs.sweep(
    ...     cs.machines.QuantumDot(), {"level": np.linspace(-20, 20, 9), "left.temperature": np.linspace(6, 20, 9)}
    ... )
    >>> axes = cs.figures.regime_map(ds)
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('left.temperature (E/k_B)', 'level (E)')
    """
    grid = _grid(dataset)
    rows, columns = (_pixels(values) for values in (grid.y, grid.x))
    codes = _codes(grid, rows, columns)
    with house_style():
        import matplotlib
        from matplotlib.colors import BoundaryNorm, ListedColormap
        from matplotlib.patches import Patch

        if axes is None:
            axes = new_figure(WIDTH + 1.4, HEIGHT + 0.6).subplots()
        colours = ListedColormap([COLOURS[name] for name in regimes.NAMES])
        norm = BoundaryNorm(np.arange(len(regimes.NAMES) + 1) - 0.5, len(regimes.NAMES))
        x, y = (_values(values, places) for values, places in ((grid.x, columns), (grid.y, rows)))
        axes.pcolormesh(x, y, codes, cmap=colours, norm=norm, shading="nearest", rasterized=True)
        for name, values in (("x", grid.x), ("y", grid.y)):
            if _by_ratios(values):
                getattr(axes, f"set_{name}scale")("log")
            getattr(axes, f"set_{name}lim")(values.min(), values.max())
        # Thin lines along the borders help where colours are near to each other, or printed without.
        for code in np.unique(codes)[1:]:
            axes.contour(x, y, codes >= code, levels=[0.5], colors=BLACK, linewidths=0.6, linestyles="-")
        axes.set_xlabel(_label(dataset, grid.x_name))
        axes.set_ylabel(_label(dataset, grid.y_name))
        present = [regimes.NAMES[code] for code in np.unique(codes)]
        edge = matplotlib.rcParams["axes.edgecolor"]
        handles = [Patch(facecolor=COLOURS[name], edgecolor=edge, linewidth=0.6, label=name) for name in present]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return axes


class _Grid(NamedTuple):
    """A sweep over two parameters: values along y and x, codes (y, x), signed quantities (quantity, y, x)."""

    y_name: str
    x_name: str
    y: np.ndarray
    x: np.ndarray
    codes: np.ndarray
    quantities: np.ndarray


def _grid(dataset: Any) -> _Grid:
    if not hasattr(dataset, "data_vars") or "regime" not in dataset or "status" not in dataset:
        raise InputError("figures.regime_map: `dataset` must be the Dataset of a sweep, with `regime` and `status`.")
    found = dataset.squeeze(drop=True)
    dims = found.regime.dims
    if len(dims) != 2:
        swept = ", ".join(f"`{name}` ({found.sizes[name]})" for name in dims) or "none"
        raise InputError(
            f"figures.regime_map: `dataset` must have two swept parameters, but has {swept}; select points along "
            "the others, as by `dataset.isel(level=0)`."
        )
    y, x = (np.asarray(found[name], float) for name in dims)
    for name, values in zip(dims, (y, x), strict=True):
        if not (np.all(np.diff(values) > 0) or np.all(np.diff(values) < 0)):
            raise InputError(f"figures.regime_map: the values of `{name}` must rise or fall.")
    signed = [found["work_in"], *(found.heat.isel(bath=k) for k in range(found.sizes["bath"]))]
    errors = [found["work_in_error"], *(found.heat_error.isel(bath=k) for k in range(found.sizes["bath"]))]
    if "work" in found:
        signed.append(found.work.sum("drive"))
        errors.append(found.work_error.sum("drive"))
    signed.append(found.chemical_work.sum("bath"))
    errors.append(found.chemical_work_error.sum("bath"))
    for k in range(found.sizes["bath"]):
        for other in range(k):
            signed.append(found.temperature.isel(bath=k) - found.temperature.isel(bath=other))
            errors.append(0 * signed[-1])
    values = np.array([one.transpose(*dims).values for one in signed])
    bounds = np.array([one.transpose(*dims).values for one in errors])
    values = np.where(np.abs(values) > bounds, values, np.where(np.isnan(values), np.nan, 0.0))
    codes = np.where(found.status.values == 0, found.regime.values, UNKNOWN)
    return _Grid(str(dims[0]), str(dims[1]), y, x, codes, values)


def _pixels(values: np.ndarray) -> np.ndarray:
    """Places of pixels in units of the grid's index: many within each cell, none on a line of the grid."""
    cells = len(values) - 1
    if cells < 1:
        raise InputError("figures.regime_map: a parameter needs two values or more.")
    count = cells * max(1, -(-PIXELS // cells))
    return (np.arange(count) + 0.5) * cells / count


def _by_ratios(values: np.ndarray) -> bool:
    """Whether values stand at equal ratios rather than at equal steps."""
    if not np.all(values > 0) or len(values) < 3:
        return False
    steps, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.ptp(ratios) < 1e-6 * np.abs(ratios).max() and np.ptp(steps) > 1e-6 * np.abs(steps).max())


def _values(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    index = np.arange(len(values))
    if _by_ratios(values):
        return np.exp(np.interp(places, index, np.log(values)))
    return np.interp(places, index, values)


def _codes(grid: _Grid, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The code of each pixel: that of the corner of its cell with most signs in common, of equal ones the nearest."""
    low_y, low_x = (
        np.minimum(places.astype(int), len(values) - 2) for places, values in ((rows, grid.y), (columns, grid.x))
    )
    a, b = (rows - low_y)[:, None], (columns - low_x)[None, :]
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
    weights = [(a if i else 1 - a) * (b if j else 1 - b) for i, j in corners]
    picks = [np.ix_(low_y + i, low_x + j) for i, j in corners]
    mixed = np.zeros((len(rows), len(columns)), bool)
    for pick in picks[1:]:
        mixed |= grid.codes[pick] != grid.codes[picks[0]]
    codes = grid.codes[picks[0]].copy()
    bad = np.any([grid.codes[pick] == UNKNOWN for pick in picks], axis=0)
    score = np.full((4, *mixed.shape), -1.0)
    signs = []
    for quantity in grid.quantities:
        values = sum(weight * quantity[pick] for weight, pick in zip(weights, picks, strict=True))
        signs.append(np.sign(values))
    for k, (weight, pick) in enumerate(zip(weights, picks, strict=True)):
        alike = sum(
            (np.sign(quantity)[pick] == sign).astype(float)
            for quantity, sign in zip(grid.quantities, signs, strict=True)
        )
        score[k] = np.where(bad, 0.0, alike) + 0.5 * weight
    best = np.argmax(score, axis=0)
    chosen = np.choose(best, [grid.codes[pick] for pick in picks])
    codes[mixed] = chosen[mixed]
    return codes


def _label(dataset: Any, name: str) -> str:
    attributes = dataset[name].attrs
    unit = attributes.get("units") or attributes.get("natural_units")
    return f"{name} ({unit})" if unit else name
