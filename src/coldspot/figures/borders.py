"""Where regimes change between the points of a grid: pixels finer than the grid, by the signs of heats and works."""

import math
from typing import Any, NamedTuple

import numpy as np

from .. import regimes
from .._checks import InputError
from .by_signs import by_definition

PIXELS = 600
"""Pixels of a map along each axis, at least."""
UNKNOWN = regimes.code("unknown")


Terms = list[tuple[np.ndarray, ...]]


class Quantity(NamedTuple):
    """Its `signs` (y, x) at the points of a grid, and what it is between them: a sum of products of arrays (y, x)."""

    signs: np.ndarray
    terms: Terms

    def marks(self) -> list[np.ndarray]:
        """Signs of which one changes across each cell where the quantity may: of a product also those of its factors.

        Two borders may pass between points at which the product itself has one sign.
        """
        factors = self.terms[0] if len(self.terms) == 1 and len(self.terms[0]) > 1 else ()
        return [self.signs, *(np.sign(factor) for factor in factors)]


class Grid(NamedTuple):
    """A sweep over two parameters: values along y and x, codes (y, x), and the quantities whose signs tell regimes."""

    y_name: str
    x_name: str
    y: np.ndarray
    x: np.ndarray
    codes: np.ndarray
    quantities: list[Quantity]
    baths: int
    driven: bool


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

    def plain(name: str, **at: int) -> np.ndarray:
        return np.asarray((found[name].isel(at) if at else found[name]).transpose(*dims))

    def quantity(name: str, terms: Terms | None = None, **at: int) -> Quantity:
        values, bound = plain(name, **at), plain(f"{name}_error", **at)
        known = np.where(np.abs(values) > bound, values, np.where(np.isnan(values), np.nan, 0.0))
        return Quantity(np.sign(known), [(known,)] if terms is None else terms)

    baths = range(found.sizes["bath"])
    found["chemical"], found["chemical_error"] = found.chemical_work.sum("bath"), found.chemical_work_error.sum("bath")
    chemical: Terms = [(plain("chemical"),)]
    products = found.chemical_potential * found.particles
    if np.allclose(products, found.chemical_work, rtol=1e-9, atol=0.0, equal_nan=True):
        # Where potentials meet, the product vanishes on a line of the grid: its factors change their signs elsewhere.
        shifted = found.assign(over=found.chemical_potential - found.chemical_potential.isel(bath=0))
        chemical = [
            tuple(np.asarray(shifted[name].isel(bath=k).transpose(*dims)) for name in ("over", "particles"))
            for k in baths[1:]
        ]
    driven: Terms = []
    if "work" in found:
        found["driven"], found["driven_error"] = found.work.sum("drive"), found.work_error.sum("drive")
        driven = [(plain("driven"),)]
    quantities = [quantity("work_in", driven + chemical), quantity("chemical", chemical)]
    for k in baths:
        heat = quantity("heat", bath=k)
        carried = per_particle(heat.terms[0][0], quantity("particles", bath=k).terms[0][0])
        # The particles and the heat of each change their signs on lines that may cross, as at tight coupling.
        quantities.append(heat if carried is None else heat._replace(terms=[(plain("particles", bath=k), carried)]))
    quantities += [quantity("driven")] if driven else []
    for k in baths:
        for other in range(k):
            difference = plain("temperature", bath=k) - plain("temperature", bath=other)
            quantities.append(Quantity(np.sign(difference), [(difference,)]))
    codes = np.where(plain("status") == 0, plain("regime"), UNKNOWN)
    return Grid(str(dims[0]), str(dims[1]), y, x, codes, quantities, len(baths), bool(driven))


def per_particle(heat: np.ndarray, particles: np.ndarray) -> np.ndarray | None:
    """Heat per particle at the points of a grid, zeros for what is within its error; None unless it has no pole.

    It has none where no heat flows without particles (tight coupling). Where neither flows it is that of the points
    beside, along straight lines. At a pole it changes its sign with the divisor, and turns back on both sides.
    """
    if not np.any(particles) or np.any((particles == 0) & (heat != 0)):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(particles == 0, np.nan, heat / particles)
    for quotient, divisor in ((found, particles), (found.T, particles.T)):
        steps = np.diff(quotient)
        turned = [part[:, 1:-2] * part[:, 2:-1] < 0 for part in (divisor, quotient)]
        back = [steps[:, 1:-1] * beside < 0 for beside in (steps[:, :-2], steps[:, 2:])]
        if np.any(np.all([*turned, *back], axis=0)):
            return None
    padded = np.pad(found, 2, constant_values=np.nan)
    rows, columns = found.shape
    guesses = []
    for y, x in ((0, 1), (1, 0)):
        near = {k: padded[2 + k * y : 2 + k * y + rows, 2 + k * x : 2 + k * x + columns] for k in (-2, -1, 1, 2)}
        middle = (near[-1] + near[1]) / 2
        ends = [2 * near[k] - near[2 * k] for k in (-1, 1)]
        outside = np.where(np.isnan(ends[0]), ends[1], ends[0])
        guesses.append(np.where(np.isnan(middle), outside, middle))
    first, second = guesses
    guess = np.where(np.isnan(first), second, np.where(np.isnan(second), first, (first + second) / 2))
    filled = np.where((particles == 0) & (heat == 0), guess, found)
    return None if np.any(np.isnan(filled) & ~np.isnan(particles)) else filled


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
    """The code of each pixel, by the signs of the quantities there.

    It is that of the points of the grid with the same signs, wherever they are; if no point has them, that by the
    definition of regimes; where that leaves it open, that of the corner of the pixel's cell with most signs in common,
    of equal ones the nearest.
    """
    low_y, low_x = (
        np.minimum(places.astype(int), len(values) - 2) for places, values in ((rows, grid.y), (columns, grid.x))
    )
    size_y, size_x = grid.codes.shape
    signs = np.array([quantity.signs for quantity in grid.quantities])
    marks = [grid.codes, *(mark for quantity in grid.quantities for mark in quantity.marks())]
    cells = [[mark[i : size_y - 1 + i, j : size_x - 1 + j] for mark in marks] for i, j in CORNERS]
    mixed = np.any([one != first for cell in cells[1:] for one, first in zip(cell, cells[0], strict=True)], axis=0)
    codes = grid.codes[np.ix_(low_y, low_x)]
    # All that follows is for the pixels of mixed cells alone, which are few.
    row, column = np.nonzero(mixed[np.ix_(low_y, low_x)])
    y, x = low_y[row], low_x[column]
    a, b = rows[row] - y, columns[column] - x
    picks = [(y + i, x + j) for i, j in CORNERS]
    weights = np.array([(a if i else 1 - a) * (b if j else 1 - b) for i, j in CORNERS])
    known = np.array([grid.codes[pick] for pick in picks])
    bad = np.any(known == UNKNOWN, axis=0)
    alike, here = np.zeros(known.shape), []
    for quantity in grid.quantities:
        corners = np.array([quantity.signs[pick] for pick in picks])
        own = [np.array([mark[pick] for pick in picks]) for mark in quantity.marks()]
        left = np.any([np.any(mark != mark[0], axis=0) for mark in own], axis=0)
        found = corners[0].copy()
        place = y[left], x[left], a[left], b[left]
        value = sum(math.prod(between(factor, *place) for factor in factors) for factors in quantity.terms)
        found[left] = np.sign(value)
        # A point on a border has no pixels of its own.
        alike += np.where((corners == 0) & (found != 0), -len(grid.quantities), corners == found)
        here.append(found)
    best = np.argmax(np.where(bad, 0.0, alike) + 0.5 * weights, axis=0)
    meanings = _meanings(grid.codes, signs)
    fallback = np.choose(best, known)
    patterns, first, of_pixel = np.unique(_keys(np.array(here)), return_index=True, return_inverse=True)
    trusted = grid.codes.ravel() != UNKNOWN
    every = signs.reshape(len(signs), -1).T[trusted]
    defined = by_definition(np.array(here).T[first], every, grid.codes.ravel()[trusted], grid.baths, grid.driven)
    told = np.array([meanings.get(key, code) for key, code in zip(patterns.tolist(), defined, strict=True)], int)
    told = told[of_pixel.ravel()]
    codes[row, column] = np.where(bad | (told == UNKNOWN), fallback, told)
    return _without_specks(codes)


def _without_specks(codes: np.ndarray) -> np.ndarray:
    """Pixels that no neighbour resembles, as where two borders meet between pixels, have the code to their left."""
    rows, columns = codes.shape
    framed = np.pad(codes, 1, mode="edge")
    around = [framed[i : i + rows, j : j + columns] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    lonely = np.all([neighbour != codes for neighbour in around], axis=0)
    return np.where(lonely, framed[1:-1, :-2], codes)


CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def _keys(signs: np.ndarray) -> np.ndarray:
    """A number for each combination of signs (quantity, …)."""
    return np.tensordot(3 ** np.arange(len(signs)), np.nan_to_num(signs).astype(int) + 1, axes=1)


def _meanings(codes: np.ndarray, signs: np.ndarray) -> dict[int, int]:
    """The code that each combination of signs has at all points with it; those with several codes are left out."""
    keys, trusted = _keys(signs).ravel(), codes.ravel() != UNKNOWN
    pairs = np.unique(np.stack([keys[trusted], codes.ravel()[trusted]]), axis=1)
    values, counts = np.unique(pairs[0], return_counts=True)
    unique = set(values[counts == 1].tolist())
    return {int(key): int(code) for key, code in pairs.T if int(key) in unique}


def between(values: np.ndarray, y: np.ndarray, x: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Values (y, x) of a grid at the places (y + a, x + b), 0 ≤ a, b ≤ 1: cubic, and monotonic along each axis.

    So no sign changes twice along a line between two points. (F. N. Fritsch and R. E. Carlson, "Monotone piecewise
    cubic interpolation"; slopes are harmonic means.)
    """
    padded = np.pad(values, 1, constant_values=np.nan)
    lines = [_cubic([padded[y + i, x + j] for j in range(4)], b) for i in range(4)]
    return _cubic(lines, a)


def _cubic(four: list[np.ndarray], t: np.ndarray) -> np.ndarray:
    """Between the second and the third of four equally spaced values; those outside may be missing (NaN)."""
    before, step, after = four[1] - four[0], four[2] - four[1], four[3] - four[2]

    def slope(other: np.ndarray) -> np.ndarray:
        product = other * step
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(product > 0, 2 * product / (other + step), 0.0)
        return np.where(np.isnan(other), step, mean)

    start, end = slope(before), slope(after)
    curve = (3 - 2 * t) * step - (2 * start + end) + (start + end) * t
    return four[1] + t * (start + t * curve)
