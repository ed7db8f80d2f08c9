"""Where regimes change between the points of a grid: pixels finer than the grid, by the signs of heats and works."""

from typing import Any, NamedTuple

import numpy as np

from .. import regimes
from .._checks import InputError

PIXELS = 600
"""Pixels of a map along each axis, at least."""
UNKNOWN = regimes.code("unknown")


class Grid(NamedTuple):
    """A sweep over two parameters: values along y and x, codes (y, x), signed quantities (quantity, y, x)."""

    y_name: str
    x_name: str
    y: np.ndarray
    x: np.ndarray
    codes: np.ndarray
    quantities: np.ndarray


def grid_of(dataset: Any) -> Grid:
    if not hasattr(dataset, "data_vars") or "regime" not in dataset or "status" not in dataset:
        raise InputError("figures.regime_map: `dataset` must be the Dataset of a sweep, with `regime` and `status`.")
    found = dataset.squeeze([name for name in dataset.regime.dims if dataset.sizes[name] == 1], drop=True)
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
    return Grid(str(dims[0]), str(dims[1]), y, x, codes, values)


def pixels(values: np.ndarray, least: int = PIXELS) -> np.ndarray:
    """Places of pixels in units of the grid's index: many within each cell, none on a line of the grid."""
    cells = len(values) - 1
    if cells < 1:
        raise InputError("figures.regime_map: a parameter needs two values or more.")
    count = cells * max(1, -(-least // cells))
    return (np.arange(count) + 0.5) * cells / count


def by_ratios(values: np.ndarray) -> bool:
    """Whether values stand at equal ratios rather than at equal steps."""
    if not np.all(values > 0) or len(values) < 3:
        return False
    steps, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.ptp(ratios) < 1e-6 * np.abs(ratios).max() and np.ptp(steps) > 1e-6 * np.abs(steps).max())


def values_at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    index = np.arange(len(values))
    if by_ratios(values):
        return np.exp(np.interp(places, index, np.log(values)))
    return np.interp(places, index, values)


def refined(grid: Grid, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The code of each pixel: that of the corner of its cell with most signs in common, of equal ones the nearest."""
    low_y, low_x = (
        np.minimum(places.astype(int), len(values) - 2) for places, values in ((rows, grid.y), (columns, grid.x))
    )
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
    size_y, size_x = grid.codes.shape
    cells = [grid.codes[i : size_y - 1 + i, j : size_x - 1 + j] for i, j in corners]
    mixed = np.any([cell != cells[0] for cell in cells[1:]], axis=0)
    codes = grid.codes[np.ix_(low_y, low_x)]
    # All that follows is for the pixels of mixed cells alone, which are few.
    row, column = np.nonzero(mixed[np.ix_(low_y, low_x)])
    y, x = low_y[row], low_x[column]
    a, b = rows[row] - y, columns[column] - x
    weights = [(a if i else 1 - a) * (b if j else 1 - b) for i, j in corners]
    picks = [(y + i, x + j) for i, j in corners]
    known = np.array([grid.codes[pick] for pick in picks])
    bad = np.any(known == UNKNOWN, axis=0)
    alike = np.zeros(known.shape)
    for quantity in grid.quantities:
        at = [quantity[pick] for pick in picks]
        sign = np.sign(sum(weight * value for weight, value in zip(weights, at, strict=True)))
        alike += np.sign(at) == sign
    best = np.argmax(np.where(bad, 0.0, alike) + 0.5 * np.array(weights), axis=0)
    codes[row, column] = np.choose(best, known)
    return codes
