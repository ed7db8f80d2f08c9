"""Relaxation rates of a closed problem: eigenvalues of the Klein–Kramers operator near zero.

With one temperature the operator is antisymmetric but for friction, which is diagonal in Hermite polynomials: see
`reduced`. Of a potential that is symmetric about its barrier the slowest density is odd, and half a mesh does. With
several temperatures, or steps, the equations of the steady state are taken as they are.

The steady state is eigenvalue 0. It is taken out of each right-hand side; then one unknown can be pinned.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg

from .nodes import gauss
from .operator import assembled
from .reduced import Reduced
from .space import Space, meshed
from .stationary import CUT, EPS, PIVOT, SMOOTH, left_over, mesh_of, velocity_of
from .terrain import Terrain
from .velocity import Velocity

STEPS = 60
"""Inverse iteration converges by the ratio of the two slowest rates in a step."""
MOST_NUMBERS = 100_000_000
"""Inverses of blocks hold no more numbers than this: 800 MB."""
DEGREE = 16
"""Of polynomials in elements, at most: e^{−V/T} must not vary too much in one."""
EVEN = 1e-11
"""A potential (in T) and a friction (relative) are symmetric if no more than this is missing."""


class Rung(NamedTuple):
    """One mesh of the ladder: `functions` of x per temperature by which V rises and falls, pairs of polynomials."""

    functions: float
    pairs: int


LADDER = (
    Rung(1.8, 12),
    Rung(2.1, 20),
    Rung(2.5, 33),
    Rung(2.9, 55),
    Rung(3.4, 90),
    Rung(4.0, 150),
    Rung(4.8, 250),
    Rung(6.2, 400),
    Rung(7.4, 640),
    Rung(8.4, 1000),
    Rung(9.3, 1600),
    Rung(9.6, 2500),
)


class Whole:
    """L⁻¹ on densities that hold no particles in all, for the L of one mesh of elements in x and v."""

    symmetric = False
    odd = False

    def __init__(self, space: Space, velocity: Velocity):
        self.space, self._number = space, velocity.number
        self._operator = assembled(space, velocity).matrix().tocsr()
        self.even_mass = sp.kron(velocity.mass[0], space.mass[0]).tocsr()
        self.odd_mass = sp.kron(velocity.mass[1], space.mass[1]).tocsr()
        self.size = self.even_mass.shape[0]
        self.unknowns = self.size + self.odd_mass.shape[0]
        one = np.kron(velocity.one, space.one)
        self._counted = self.even_mass @ one
        pin = int(np.argmax(one))
        self._kept = np.delete(np.arange(self.unknowns), pin)
        self._factors = linalg.splu(
            self._operator[self._kept][:, self._kept].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=PIVOT,
            options={"SymmetricMode": True},
        )
        column = self._operator[:, [pin]].toarray()[self._kept, 0]
        steady = np.zeros(self.unknowns)
        steady[pin] = 1.0
        steady[self._kept] = self._factors.solve(-column)
        self.steady = steady / (self._counted @ steady[: self.size])

    def mass(self, z: np.ndarray) -> np.ndarray:
        return np.concatenate([self.even_mass @ z[: self.size], self.odd_mass @ z[self.size :]])

    def emptied(self, z: np.ndarray) -> np.ndarray:
        """z without its part in the steady state."""
        return z - self.steady * (self._counted @ z[: self.size])

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """y with L y = z (as densities), both without particles in all; one correction."""
        right = self.mass(self.emptied(z))
        y = self._solved(right)
        return self.emptied(y + self._solved(right - self._operator @ y))

    def _solved(self, right: np.ndarray) -> np.ndarray:
        y = np.zeros(self.unknowns)
        y[self._kept] = self._factors.solve(right[self._kept])
        return y

    def on_one_side(self, middle: float) -> np.ndarray:
        """A first guess of the slowest density: the particles on one side of `middle`."""
        space = self.space
        width = (space.mesh.edges[-1] - space.mesh.edges[0]) / 4
        side = np.zeros(space.size)
        side[space.even_of] = np.tanh(3 * (space.nodes - middle) / width)
        even = self.steady[: self.size].reshape(-1, space.size) * side
        return self.emptied(np.concatenate([even.ravel(), np.zeros(self.unknowns - self.size)]))

    def steady_number(self) -> np.ndarray:
        """∫ P dv of the steady state as coefficients in x."""
        return self._number @ self.steady[: self.size].reshape(-1, self.space.size)


class Slowest(NamedTuple):
    """The smallest relaxation rate: λ₁, its error, whether that is as small as asked, and what it was found with."""

    rate: float
    error: float
    converged: bool
    inverse: Reduced | Whole
    rungs: int


def symmetric_about(terrain: Terrain, middle: float) -> float | None:
    """The place near `middle` about which potential and friction are symmetric, if there is one."""
    start, stop = terrain.ends(CUT + 2 * len(LADDER))
    ends = float(terrain.edges[0]), float(terrain.edges[-1])
    centre = sum(ends) / 2
    if abs(centre - middle) > 1e-6 * (ends[1] - ends[0]):
        return None
    reach = np.linspace(0, min(stop - centre, centre - start), 401)
    right, left = terrain.read(centre + reach), terrain.read(centre - reach)
    same = np.max(np.abs(right[0] - left[0]) / (terrain.reference * (1 + right[0] / terrain.reference))) < EVEN
    return centre if same and np.max(np.abs(right[1] / left[1] - 1)) < EVEN else None


def _inverse(terrain: Terrain, number: int, centre: float | None = None) -> Reduced | Whole | None:
    """The inverse on one mesh of the ladder that fits the problem; None beyond its end.

    `centre`: the place about which the problem and the density that is looked for are symmetric.
    """
    if terrain.uniform and len(terrain.steps) == 2:
        if number >= len(LADDER):
            return None
        rung = LADDER[number]
        functions = rung.functions * (6.0 + terrain.variation(12.0)) / (1 if centre is None else 2)
        if functions**2 * rung.pairs > MOST_NUMBERS:
            return None
        count = math.ceil(functions / DEGREE)
        mesh = meshed(terrain, CUT + 2 * number, count, round(functions / count), 0, 0.5, centre)
        return Reduced(Space(terrain, mesh), rung.pairs, centre is not None)
    if number >= len(SMOOTH):
        return None
    general = mesh_of(terrain, SMOOTH[number], number)
    return None if general is None else Whole(Space(terrain, general), velocity_of(terrain, SMOOTH[number]))


def _slowest(inverse: Reduced | Whole, middle: float) -> tuple[float, float]:
    """λ₁ by inverse iteration, and what rounding leaves of it."""
    z = inverse.on_one_side(middle)
    rate, change = 0.0, math.inf
    for _ in range(STEPS):
        y = inverse(z)
        weighted = inverse.mass(z)
        if inverse.symmetric:
            # Turning odd functions round turns the operator into its transpose: errors enter squared.
            weighted[inverse.size :] *= -1
        new = -float((weighted * z).sum() / (weighted * y).sum())
        z = y / math.sqrt((y * inverse.mass(y)).sum())
        last, change = change, abs(new - rate)
        rate = new
        if change <= 4 * EPS * abs(new) or (change <= 1e-9 * abs(new) and change >= last / 2):
            break
    return rate, max(change, 1e-13 * abs(rate))


def slowest(terrain: Terrain, tolerance: float, middle: float, pairs: float = 0.0) -> Slowest | None:
    """The smallest nonzero relaxation rate; None if not even one mesh could be solved.

    `middle`: the top of the barrier; `pairs`: of polynomials in the velocity, fewer of which need not be tried.
    """
    best: Slowest | None = None
    change: np.ndarray | None = None
    centre = symmetric_about(terrain, middle)
    number = sum(rung.pairs < pairs for rung in LADDER[:-4]) if terrain.uniform and len(terrain.steps) == 2 else 0
    while (inverse := _inverse(terrain, number, centre)) is not None:
        rate, rest = _slowest(inverse, middle)
        found, rounding = np.array([rate]), np.array([rest])
        error = np.array([np.inf])
        if best is not None:
            previous, change = change, np.abs(found - best.rate)
            # Position and velocity converge each in its own way: a small change may be one of both signs.
            error = np.maximum(left_over(change, previous, np.abs(found), rounding), change / 4)
        number += 1
        converged = bool(error[0] <= tolerance * abs(found[0]))
        best = Slowest(rate, float(error[0]), converged, inverse, number)
        if converged:
            break
    return best


def shares(found: Slowest, top: float) -> np.ndarray:
    """The parts of the particles left and right of a place, in the steady state."""
    inverse = found.inverse
    if inverse.odd:
        return np.array([0.5, 0.5])
    space = inverse.space
    number = inverse.steady_number()
    edges = space.mesh.edges
    nodes, weights = gauss(40)
    parts = []
    for start, stop in ((edges[0], top), (top, edges[-1])):
        panels = np.unique(np.concatenate([[start], edges[(edges > start) & (edges < stop)], [stop]]))
        half = np.diff(panels)[:, None] / 2
        x = ((panels[1:, None] + panels[:-1, None]) / 2 + half * nodes).ravel()
        values, _, weight = space.values(x)
        parts.append(float(((half * weights).ravel() * weight * (values @ number)).sum()))
    return np.array(parts) / sum(parts)


def spectrum(terrain: Terrain, count: int, tolerance: float) -> tuple[np.ndarray, float]:
    """The `count` smallest nonzero relaxation rates (complex), by their real parts, and the largest of their errors."""
    found = np.full(count, np.inf + 0j)
    error, number = math.inf, 0
    while (inverse := _inverse(terrain, number)) is not None:
        number += 1
        if inverse.unknowns < 4 * count + 40:
            continue
        operator = linalg.LinearOperator((inverse.unknowns, inverse.unknowns), matvec=inverse.__call__, dtype=float)
        start = inverse.emptied(np.random.default_rng(0).normal(size=inverse.unknowns))
        rates = -1 / linalg.eigs(operator, k=count + 2, which="LM", v0=start, return_eigenvectors=False)
        rates = rates[np.lexsort((rates.imag, np.round(rates.real, 9)))][:count]
        error = float(np.max(np.abs(rates - found))) if np.isfinite(found).all() else math.inf
        found = rates
        if error <= tolerance * abs(found[-1]):
            break
    return found, error
