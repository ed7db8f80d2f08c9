"""Where modes coalesce: exceptional points in two real parameters."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, worded
from ..pytrees import compiled, opened
from ..solution import Status
from .eigenvalues import check_size, discriminant, nearest_pair, orders, trace

CELLS = 15
"""Cells per parameter into which the box of a search is divided."""
BENDS = (0.13, -0.17, 0.29)
"""How uneven the grid is, tried one after the other in case a point lies on one of its lines."""
SAMPLES = (8, 32, 128)
"""Points per edge of a cell, tried one after the other until the phase between neighbours is known beyond doubt."""
CLEAR = 1.5
"""Largest phase between neighbours (radians) that is taken to be known."""
NEWTON_STEPS = 60
LEAST = 1e-12
"""Smallest curvature in a step, relative to the largest."""
SMALL = 1e-10
"""A discriminant below this counts as zero; see `_Search.residuals`."""
MERGE = 1e-5
"""Zeros nearer than this share of the box are one."""
LOOP = 3 * MERGE
"""Radius of the loop that counts turns round a zero, as a share of the box."""
EVERYWHERE = 1e-13
"""A discriminant that is as small at half of the cells, relative to the matrix, is 0 all over the box."""
SIZES = tuple(256 * 4**k for k in range(5))
"""Numbers of points in a call of compiled code: few, so that programs are shared."""
MODES = 3
"""Most modes in a search: the discriminant has the degree n(n−1), and rounding leaves few digits at higher ones."""


class ExceptionalPoints(NamedTuple):
    """Zeros of the discriminant in a box of two parameters, in the order of the first.

    - `parameters` (point, 2); `eigenvalues` (point): the double eigenvalue ω²;
    - `overlaps` (point): |⟨u_i|u_j⟩| of the two modes: 1 at an exceptional point. If it is far from 1, the eigenvalues
      meet and the eigenvectors do not (a diabolic point);
    - `orders` (point): the order of the point, how many modes coalesce in it: 2, or 3 of three modes; 1 at a diabolic
      point;
    - `residuals` (point): |discriminant|, relative to the larger of its median in the box and ‖K‖^{n(n−1)} (traceless
      part) at the point;
    - `charges` (point): how often the discriminant turns round zero on a small loop: ±1, and 0 or ±2 where zeros merge;
    - `winding`: how often it turns round zero along the border of the box, which must equal the sum of the charges;
    - `status`: `OK` if the charges add up in every cell of the search; `NOT_CONVERGED` if points are missing or lie on
      the border; `NOT_FINITE` if the matrix is not finite everywhere.
    """

    parameters: np.ndarray
    eigenvalues: np.ndarray
    overlaps: np.ndarray
    orders: np.ndarray
    residuals: np.ndarray
    charges: np.ndarray
    winding: int
    status: Status


@worded
def exceptional_points(
    matrix: Callable[[Any, Any], Any], first: tuple[float, float], second: tuple[float, float]
) -> ExceptionalPoints:
    """All points of a box of two real parameters where two eigenvalues of a complex matrix coincide.

    **Arguments:** `matrix(p, q)`, made of JAX operations, returns the complex matrix (n, n), n = 2 or 3; `first` and
    `second`: the ranges (from, to) of p and q.

    **Method.** Newton's steps on both parts of the complex discriminant, from every cell of a 15 × 15 grid. The phase
    of the discriminant is then followed round every cell; its turns count the zeros inside, with signs. Cells whose
    zeros are not all there are searched again, more densely.

    **What is guaranteed.** With status `OK`, the charges of the points found equal the turns in each cell. Only points
    whose charges cancel within one cell (two of opposite sign, or a diabolic point of charge 0) may have been missed,
    unless a start happened to lead there: search a smaller box to exclude them. On a line of points (of a matrix with
    a symmetry that both parameters keep) nothing can be counted: the status is `NOT_CONVERGED`.

    >>> import coldspot as cs
    >>> found = exceptional_points(lambda p, q: jnp.array([[p + 1j * q, 1.0], [1.0, -p - 1j * q]]), (-1, 1), (-2, 2))
    >>> found.parameters.round(9).tolist(), found.charges.tolist(), found.status.name
    ([[0.0, -1.0], [0.0, 1.0]], [1, 1], 'OK')
    """
    low, high = (
        np.array(ends, dtype=float) for ends in zip(_range("first", first), _range("second", second), strict=True)
    )
    _check_matrix(matrix, low)
    search = _Search(opened(matrix), jnp.asarray(low), jnp.asarray(high - low))
    nodes = _nodes(BENDS[0])
    middle = (nodes[1:] + nodes[:-1]) / 2
    starts = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2)
    values = search.values(starts)
    if not np.all(np.isfinite(values)):
        return _result(search, np.zeros((0, 2)), 1.0, 0, Status.NOT_FINITE)
    if np.median(search.residuals(starts, 0.0)) <= EVERYWHERE:
        raise InputError(
            "exceptional_points: two eigenvalues of `matrix` coincide all over the box, so that there are no single "
            "points where they do; leave out a mode that is there twice, or search in other parameters."
        )
    scale = float(np.median(np.abs(values)))
    points = _zeros(search, starts, scale, np.zeros((0, 2)))
    for bend in BENDS:
        # Beside a point where the discriminant turns twice a step of the phase may look short and be none: on another
        # grid the point is elsewhere in its cell.
        nodes, turns, clear = _turns(search, bend)
        points, complete = _completed(search, nodes, turns, scale, points)
        if clear and complete:
            break
    return _result(search, points, scale, int(turns.sum()), Status.OK if clear and complete else Status.NOT_CONVERGED)


def _completed(
    search: "_Search", nodes: np.ndarray, turns: np.ndarray, scale: float, points: np.ndarray
) -> tuple[np.ndarray, bool]:
    """The points, with those found by more starts in cells whose points are not all there, and whether that is all."""
    for density in (4, 16):
        missing = np.argwhere(_sums(search, points, nodes) != turns)
        if missing.size == 0:
            return points, True
        inner = (np.arange(density) + 0.5) / density
        grid = np.stack(np.meshgrid(inner, inner, indexing="ij"), axis=-1).reshape(-1, 2)
        corners, sizes = nodes[missing], nodes[missing + 1] - nodes[missing]
        points = _zeros(search, (corners[:, None] + sizes[:, None] * grid).reshape(-1, 2), scale, points)
    return points, np.array_equal(_sums(search, points, nodes), turns)


class _Search(eqx.Module):
    """The discriminant over the unit square onto which the box is mapped."""

    matrix: Callable[[Any, Any], Any]
    low: Array
    size: Array

    def at(self, point: Array) -> Array:
        p, q = self.low + self.size * point
        return jnp.asarray(self.matrix(p, q), dtype=complex)

    def parts(self, point: Array) -> Array:
        value = discriminant(self.at(point))
        return jnp.stack([value.real, value.imag])

    def values(self, points: np.ndarray) -> np.ndarray:
        return _filled(self._values, points)

    def residuals(self, points: np.ndarray, scale: float) -> np.ndarray:
        return _filled(self._residuals, points, scale)

    def newton(self, points: np.ndarray) -> np.ndarray:
        return _filled(self._newton, points)

    def matrices(self, points: np.ndarray) -> np.ndarray:
        return _filled(self._matrices, points)

    @compiled
    def _matrices(self, points: Array) -> Array:
        return jax.vmap(self.at)(points)

    @compiled
    def _values(self, points: Array) -> Array:
        return jax.vmap(lambda point: discriminant(self.at(point)))(points)

    @compiled
    def _residuals(self, points: Array, scale: Array) -> Array:
        """|discriminant| relative to its size if no eigenvalues were near each other."""

        def one(point: Array) -> Array:
            matrix = self.at(point)
            n = matrix.shape[-1]
            k = matrix - trace(matrix) / n * jnp.eye(n)
            norm = jnp.sqrt(jnp.sum(jnp.real(k) ** 2 + jnp.imag(k) ** 2))
            size = jnp.maximum(norm ** (n * (n - 1)), scale)
            return jnp.abs(discriminant(matrix)) / jnp.where(size > 0, size, 1.0)

        return jax.vmap(one)(points)

    @compiled
    def _newton(self, points: Array) -> Array:
        longest = 1.0 / CELLS

        def step(_: Any, point: Array) -> Array:
            value, slope = self.parts(point), jax.jacfwd(self.parts)(point)
            # (JᵀJ + μ)⁻¹Jᵀ value: Newton's step, and the shortest one where the slopes are not independent.
            normal, target = slope.T @ slope, slope.T @ value
            normal = normal + LEAST * jnp.trace(normal) * jnp.eye(2)
            determinant = normal[0, 0] * normal[1, 1] - normal[0, 1] ** 2
            move = jnp.stack(
                [
                    normal[1, 1] * target[0] - normal[0, 1] * target[1],
                    normal[0, 0] * target[1] - normal[0, 1] * target[0],
                ]
            )
            move = move / determinant
            length = jnp.sqrt(jnp.sum(move**2))
            moved = point - move * jnp.minimum(1.0, longest / jnp.where(length > 0, length, 1.0))
            # Where the slope vanishes there is no step: stay, and be judged by the residual.
            return jnp.where(jnp.all(jnp.isfinite(moved)), moved, point)

        return jax.vmap(lambda point: jax.lax.fori_loop(0, NEWTON_STEPS, step, point))(points)


def _filled(function: Callable[..., Any], points: np.ndarray, *more: Any) -> np.ndarray:
    """A compiled function of many points (point, 2), filled up with the last one to one of few sizes."""
    size = next((size for size in SIZES if size >= len(points)), len(points))
    index = np.minimum(np.arange(size), len(points) - 1)
    # As arrays: for other numbers the program is the same.
    return np.asarray(function(*map(jnp.asarray, (points[index], *more))))[: len(points)]


def _range(name: str, ends: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        raise InputError(f"exceptional_points: `{name}` must be two numbers (from, to), but is {ends!r}.") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"exceptional_points: `{name}` must be finite and rise (from < to), but is {ends!r}.")
    return low, high


def _check_matrix(matrix: Any, low: np.ndarray) -> None:
    if not callable(matrix):
        raise InputError(
            "exceptional_points: `matrix` must be a function of two numbers that returns a complex matrix, "
            f"but is {type(matrix).__name__}."
        )
    check_size("exceptional_points", jax.eval_shape(lambda: jnp.asarray(matrix(*low))).shape, MODES)


def _nodes(bend: float) -> np.ndarray:
    """Borders of cells in (0, 1), slightly uneven: points of symmetric boxes often lie at simple fractions."""
    t = np.linspace(0.0, 1.0, CELLS + 1)
    return t + bend / CELLS * np.sin(np.pi * t)


def _turns(search: _Search, bend: float) -> tuple[np.ndarray, np.ndarray, bool]:
    """A grid, how often the discriminant turns round zero on the border of each cell, and whether that is certain."""
    nodes = _nodes(bend)
    for samples in SAMPLES:
        fine = np.interp(np.arange(CELLS * samples + 1) / samples, np.arange(CELLS + 1), nodes)
        lines = np.stack(np.meshgrid(nodes, fine, indexing="ij"), axis=-1)  # the first parameter is fixed on each line
        steps = []
        for points in (lines, lines[..., ::-1]):
            phase = np.angle(search.values(points.reshape(-1, 2))).reshape(CELLS + 1, -1)
            steps.append(np.angle(np.exp(1j * np.diff(phase, axis=1))))
        clear = all(bool(np.all(np.abs(step) < CLEAR)) for step in steps)
        if clear:
            break
    # Summed over each edge, along the second parameter and across it.
    along, across = (step.reshape(CELLS + 1, CELLS, samples).sum(axis=-1) for step in steps)
    across = across.T
    # Counter-clockwise: along the first at the lower second, up, back, down.
    total = across[:, :-1] + along[1:, :] - across[:, 1:] - along[:-1, :]
    return nodes, np.round(total / (2 * np.pi)).astype(int), clear


def _zeros(search: _Search, starts: np.ndarray, scale: float, known: np.ndarray) -> np.ndarray:
    """The zeros that Newton's steps reach from the starts, added to those known."""
    ends = search.newton(starts)
    sizes = search.residuals(ends, scale)
    good = np.all(np.isfinite(ends), axis=-1) & (sizes <= SMALL)
    good &= np.all((ends >= 0) & (ends <= 1), axis=-1)
    found = list(known)
    for point in ends[good][np.argsort(sizes[good])]:
        if all(np.max(np.abs(point - other)) > MERGE for other in found):
            found.append(point)
    return np.array(found).reshape(-1, 2)


def _charges(search: _Search, points: np.ndarray) -> np.ndarray:
    """Turns of the discriminant on a small loop round each point, and round no other."""
    angles = 2 * np.pi * np.arange(65) / 64
    apart = np.linalg.norm(points[:, None] - points, axis=-1) + np.diag(np.full(len(points), np.inf))
    radii = np.minimum(LOOP, np.min(apart, axis=-1) / 2)
    loop = radii[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    phase = np.angle(search.values((points[:, None] + loop).reshape(-1, 2))).reshape(len(points), -1)
    steps = np.angle(np.exp(1j * np.diff(phase, axis=1)))
    return np.round(steps.sum(axis=-1) / (2 * np.pi)).astype(int)


def _sums(search: _Search, points: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The charges found in each cell."""
    sums = np.zeros((CELLS, CELLS), dtype=int)
    if len(points):
        cell = np.clip(np.searchsorted(nodes, points) - 1, 0, CELLS - 1)
        np.add.at(sums, tuple(cell.T), _charges(search, points))
    return sums


def _result(search: _Search, points: np.ndarray, scale: float, winding: int, status: Status) -> ExceptionalPoints:
    points = points[np.lexsort(points.T[::-1])]
    if not len(points):
        none = np.zeros(0)
        return ExceptionalPoints(
            points, none.astype(complex), none, none.astype(int), none, none.astype(int), winding, status
        )
    matrices = search.matrices(points)
    eigenvalues, overlaps = nearest_pair(matrices)
    return ExceptionalPoints(
        parameters=np.asarray(search.low) + np.asarray(search.size) * points,
        eigenvalues=eigenvalues,
        overlaps=overlaps,
        orders=orders(matrices),
        residuals=search.residuals(points, scale),
        charges=_charges(search, points),
        winding=winding,
        status=status,
    )
