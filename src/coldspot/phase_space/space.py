"""Functions of the position, in which densities over e^{−V/T₀} are expanded.

What is even in the velocity is continuous in x (polynomials of a degree p between the edges of elements), what is odd
may jump (degree p−1): a derivative of the first kind is of the second kind. Conservation of particles, the equilibrium
of uniform temperature and walls that reflect particles are then exact in any mesh.
"""

import itertools
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.polynomial import legendre

from .nodes import legendre_slopes, lobatto, nodal
from .terrain import CLOSED, OPEN, PERIODIC, Terrain

FOLLOWED, CLOSELY = 3.0, 2.0
"""Functions may be off by a power of ten for so many degrees: to see what is narrow, and beside it."""
HALVINGS, SHORTEST = 12, 1e-4
"""Of elements, at most, and their least length as a part of the whole."""
INSIDE = 1 - 1e-9
"""Of an element, what is looked at."""
DEEP = 12.0
"""Temperatures up to which a potential that confines is followed."""


class Mesh(NamedTuple):
    """Edges of elements in x, and the degree p of the polynomials."""

    edges: np.ndarray
    degree: int
    narrow: bool = False
    """Whether elements were halved where a function is narrow."""

    def count(self, periodic: bool) -> int:
        """How many even functions there are."""
        return (len(self.edges) - 1) * self.degree + (not periodic)


def meshed(
    terrain: Terrain, cut: float, count: float, degree: int, levels: int, ratio: float, first: float | None = None
) -> Mesh:
    """About `count` equal elements, divided further towards steps of the temperature or friction and open ends, and

    where potential, friction or temperature are narrow. `first`: where the mesh starts, if not at the left end.
    """
    start, stop = terrain.ends(cut)
    start = start if first is None else first
    inner = terrain.steps[(terrain.steps > start) & (terrain.steps < stop)]
    borders = np.concatenate([[start], inner, [stop]])
    ends = terrain.kind == OPEN or (terrain.kind == PERIODIC and inner.size > 0)
    singular = np.concatenate([[ends], np.ones(len(inner), bool), [ends]])
    edges = []
    for k, (a, b) in enumerate(itertools.pairwise(borders)):
        parts = max(1 + (levels > 0), round(count * (b - a) / (stop - start)))
        width = (b - a) / parts
        near = width * ratio ** np.arange(1, levels + 1)
        extra = [a + near] * bool(singular[k]) + [b - near] * bool(singular[k + 1])
        edges.append(np.concatenate([np.linspace(a, b, parts + 1)[:-1], *extra]))
    whole = np.append(np.sort(np.concatenate(edges)), stop)
    halved = _halved(terrain, whole, degree)
    return Mesh(halved, degree, len(halved) > len(whole))


def _halved(terrain: Terrain, edges: np.ndarray, degree: int) -> np.ndarray:
    """Elements halved where a function is too narrow for polynomials of their degree.

    Densities are less smooth there than the functions are. So if there is such a place, all elements are halved until
    polynomials of half the degree follow, and none is more than twice as long as the next one.
    """
    if not _rough(terrain, edges, degree, 10 ** (-degree / FOLLOWED)).any():
        return edges
    for _ in range(HALVINGS):
        rough = _rough(terrain, edges, degree // 2, 10 ** (-degree / CLOSELY))
        lengths = np.diff(edges)
        before, after = np.roll(lengths, 1), np.roll(lengths, -1)
        if terrain.kind != PERIODIC:
            before[0] = after[-1] = np.inf
        rough |= lengths > 2.001 * np.minimum(before, after)
        rough &= lengths > SHORTEST * (edges[-1] - edges[0])
        if not rough.any():
            break
        edges = np.sort(np.concatenate([edges, (edges[1:] + edges[:-1])[rough] / 2]))
    return edges


def _rough(terrain: Terrain, edges: np.ndarray, degree: int, allowed: float) -> np.ndarray:
    """Elements in which a function is off a polynomial of a degree by more than a part of T, or of itself."""
    at = np.linspace(-1, 1, 2 * degree + 1)
    to_points = nodal(degree, 1, at)[0]
    middle, half = (edges[1:] + edges[:-1])[:, None] / 2, np.diff(edges)[:, None] / 2
    # Not at the ends: at a step either side may be read there.
    points, nodes = (terrain.read(middle + INSIDE * half * places) for places in (at, lobatto(degree)))
    off = [np.abs(a - b @ to_points.T).max(-1) for a, b in zip(points, nodes, strict=True)]
    scales = terrain.coldest, np.abs(points[1]).min(-1), np.abs(points[2]).min(-1)
    rough = np.max([one / scale for one, scale in zip(off, scales, strict=True)], axis=0) > allowed
    # A potential that confines is not looked at far up.
    return rough & (points[0].min(-1) < DEEP * terrain.hottest) if terrain.kind == CLOSED else rough


class Space:
    """The basis on one mesh, and its matrices; (even), (odd) and (odd, even) are their shapes.

    - `up` ⟨o, ∂e⟩ and `down` ⟨o, (∂−V′/T₀)e⟩ with ⟨f, g⟩ = ∫ f g e^{−V/T₀} dx;
    - `mass`, `friction` ⟨f, γf⟩, `excess` ⟨f, γ(T/T₀−1)f⟩: pairs of even and odd ones; `cross` ⟨o, e⟩;
    - `x`, `plain`, `weight` (element, point): Gauss points, dx and e^{−V/T₀}dx there; `g`, `t`: friction, temperature;
    - `one` (even): the coefficients of the function 1.
    """

    def __init__(self, terrain: Terrain, mesh: Mesh):
        self.terrain, self.mesh = terrain, mesh
        edges, p = mesh.edges, mesh.degree
        count, periodic = len(edges) - 1, terrain.kind == PERIODIC
        self._half = np.diff(edges) / 2
        self._middle = (edges[1:] + edges[:-1]) / 2
        half = self._half[:, None]
        value, slope, abscissae, weights = nodal(p, 2 * p + 12)
        self.x = self._middle[:, None] + half * abscissae
        potential, self.g, self.t = terrain.read(self.x)
        t0 = terrain.reference
        self.plain = half * weights
        self.weight = self.plain * np.exp(-potential / t0)
        self.size = mesh.count(periodic)
        self.odd_size = count * p
        self.even_of = (np.arange(count)[:, None] * p + np.arange(p + 1)) % self.size
        self.odd_of = np.arange(count * p).reshape(count, p)

        # Even functions are scaled by e^{V/2T₀} of their node; odd ones are orthonormal in each element.
        self.nodes = self._middle[:, None] + half * lobatto(p)
        self._scale = np.exp(terrain.read(self.nodes)[0] / (2 * t0))
        self.one = np.zeros(self.size)
        self.one[self.even_of] = 1 / self._scale
        self.even = value * self._scale[:, None, :]
        even_slope = slope / half[:, :, None] * self._scale[:, None, :]
        plain = legendre.legvander(abscissae, p - 1)
        triangle = np.linalg.qr(np.sqrt(self.weight)[:, :, None] * plain)[1]
        self._odd = np.linalg.inv(triangle)
        self.odd = plain @ self._odd
        odd_slope = (legendre_slopes(abscissae, p - 1) / half[:, :, None]) @ self._odd
        self.odd_ends = np.stack([(-1.0) ** np.arange(p), np.ones(p)]) @ self._odd

        def inner(left: np.ndarray, right: np.ndarray, factor: np.ndarray | float = 1.0) -> np.ndarray:
            return np.swapaxes(left * (self.weight * factor)[:, :, None], 1, 2) @ right

        self.up = self._sparse(inner(self.odd, even_slope), "odd", "even")
        # By parts, so that the slope of the potential is not needed.
        down = -inner(odd_slope, self.even)
        down[:, :, 0] -= self.odd_ends[:, 0] / self._scale[:, :1]
        down[:, :, -1] += self.odd_ends[:, 1] / self._scale[:, -1:]
        self.down = self._sparse(down, "odd", "even")
        self.cross = self._sparse(inner(self.odd, self.even), "odd", "even")
        self.mass, self.friction, self.excess = (
            (
                self._sparse(inner(self.even, self.even, f), "even", "even"),
                self._sparse(inner(self.odd, self.odd, f), "odd", "odd"),
            )
            for f in (1.0, self.g, self.g * (self.t / t0 - 1))
        )

    def _sparse(self, blocks: np.ndarray, rows: str, columns: str) -> sp.csr_array:
        places = {"even": (self.even_of, self.size), "odd": (self.odd_of, self.odd_size)}
        (row, height), (column, width) = places[rows], places[columns]
        r = np.broadcast_to(row[:, :, None], blocks.shape).ravel()
        c = np.broadcast_to(column[:, None, :], blocks.shape).ravel()
        kept = np.abs(blocks) > 1e-16 * np.abs(blocks).max(axis=(1, 2), keepdims=True)
        return sp.csr_array(
            (np.where(kept, blocks, 0).ravel()[kept.ravel()], (r[kept.ravel()], c[kept.ravel()])), (height, width)
        )

    def crossed(self, factor: np.ndarray) -> sp.csr_array:
        """⟨o, factor·e⟩ with the factor at the Gauss points (element, point)."""
        blocks = np.swapaxes(self.odd * (self.weight * factor)[:, :, None], 1, 2) @ self.even
        return self._sparse(blocks, "odd", "even")

    def at_points(self, even: np.ndarray) -> np.ndarray:
        """An even function's values (element, point) at the Gauss points, from its coefficients."""
        return np.einsum("eqi,ei->eq", self.even, even[self.even_of])

    def odd_at_points(self, odd: np.ndarray) -> np.ndarray:
        return np.einsum("eqi,ei->eq", self.odd, odd[self.odd_of])

    def end(self, side: int) -> tuple[sp.csr_array, sp.csr_array, float]:
        """Even and odd functions' values at an end, as columns, and e^{−V/T₀} there."""
        element, node = (0, 0) if side == 0 else (-1, -1)
        column = np.zeros(self.mesh.degree, int)
        scale = float(self._scale[element, node])
        even = sp.csr_array(([scale], ([self.even_of[element, node]], [0])), (self.size, 1))
        odd = sp.csr_array((self.odd_ends[element, side], (self.odd_of[element], column)), (self.odd_size, 1))
        return even, odd, scale**-2

    def values(self, x: np.ndarray) -> tuple[sp.csr_array, sp.csr_array, np.ndarray]:
        """Even and odd functions (x, function) and e^{−V/T₀} at any places."""
        p, edges = self.mesh.degree, self.mesh.edges
        place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
        local = (x - self._middle[place]) / self._half[place]
        even = nodal(p, 1, local)[0] * self._scale[place]
        odd = np.einsum("xk,xkj->xj", legendre.legvander(local, p - 1), self._odd[place])
        rows = np.arange(len(x))[:, None]

        def sparse(found: np.ndarray, columns: np.ndarray, width: int) -> sp.csr_array:
            r = np.broadcast_to(rows, found.shape).ravel()
            return sp.csr_array((found.ravel(), (r, columns.ravel())), (len(x), width))

        weight = np.exp(-self.terrain.read(x)[0] / self.terrain.reference)
        return (
            sparse(even, self.even_of[place], self.size),
            sparse(odd, self.odd_of[place], self.odd_size),
            weight,
        )
