"""Relaxation rates of a closed problem: eigenvalues of the Klein–Kramers operator near zero.

With one temperature the operator is antisymmetric but for friction, which is diagonal in Hermite polynomials: odd
functions are eliminated element by element, and what remains is symmetric and definite, sparse as a diffusion in
(degree, x). With several temperatures the equations of the steady state are taken as they are.

The steady state is eigenvalue 0. It is taken out of each right-hand side; then one unknown can be pinned.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg

from .nodes import gauss
from .operator import Operator, assembled
from .space import Space, meshed
from .stationary import CUT, EPS, PIVOT, RISE, SMOOTH, left_over, mesh_of, velocity_of
from .terrain import Terrain
from .velocity import Velocity, hermite

STEPS = 60
"""Inverse iteration converges by the ratio of the two slowest rates in a step."""
MOST_UNKNOWNS = 220_000
"""Larger systems are not tried: their factors would take gigabytes."""


class Rung(NamedTuple):
    """One mesh of the ladder: `density` of elements against the first mesh, their degree, pairs of polynomials."""

    density: float
    degree: int
    pairs: int


LADDER = (
    Rung(0.35, 10, 10),
    Rung(0.35, 12, 24),
    Rung(0.40, 14, 56),
    Rung(0.50, 16, 140),
    Rung(0.60, 18, 280),
    Rung(0.70, 20, 460),
)


class Inverse:
    """L⁻¹ on densities that hold no particles in all, for the L of one mesh."""

    def __init__(self, space: Space, velocity: Velocity):
        self.space, self.number = space, velocity.number
        operator = assembled(space, velocity)
        self._operator = operator.matrix().tocsr()
        self.even_mass = sp.kron(velocity.mass[0], space.mass[0]).tocsr()
        self.odd_mass = sp.kron(velocity.mass[1], space.mass[1]).tocsr()
        self.size = self.even_mass.shape[0]
        self.unknowns = self.size + self.odd_mass.shape[0]
        self._one = np.kron(velocity.one, space.one)
        self._counted = self.even_mass @ self._one
        self._pin = int(np.argmax(self._one))
        self._kept = np.delete(np.arange(self.size), self._pin)
        # Hermite polynomials make friction diagonal.
        self.reduced = velocity.half is None
        if self.reduced:
            self._prepare_reduced(operator, velocity)
            steady = np.concatenate([self._one, np.zeros(self.odd_mass.shape[0])])
        else:
            self._prepare_whole()
            steady = self._whole_steady
        self.steady = steady / (self._counted @ steady[: self.size])

    def _prepare_reduced(self, operator: Operator, velocity: Velocity) -> None:
        loss = 1 / velocity.loss[1].diagonal()
        blocks = self.space.friction[1].tocsc()
        inverse = linalg.inv(blocks) if blocks.nnz > blocks.shape[0] else sp.diags_array(1 / blocks.diagonal())
        self._odd_inverse = -sp.kron(sp.diags_array(loss), inverse).tocsr()
        self._even_odd, self._odd_even = operator.even_odd.tocsr(), operator.odd_even.tocsr()
        schur = self._even_odd @ (self._odd_inverse @ self._odd_even) - operator.even_even
        pinned = schur.tocsr()[self._kept][:, self._kept].tocsc()
        self._factors = linalg.splu(
            pinned, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )

    def _prepare_whole(self) -> None:
        matrix = self._operator
        self._kept = np.delete(np.arange(self.unknowns), self._pin)
        self._factors = linalg.splu(
            matrix[self._kept][:, self._kept].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=PIVOT,
            options={"SymmetricMode": True},
        )
        column = matrix[:, [self._pin]].toarray()[self._kept, 0]
        self._whole_steady = np.zeros(self.unknowns)
        self._whole_steady[self._pin] = 1.0
        self._whole_steady[self._kept] = self._factors.solve(-column)

    def mass(self, z: np.ndarray) -> np.ndarray:
        return np.concatenate([self.even_mass @ z[: self.size], self.odd_mass @ z[self.size :]])

    def emptied(self, z: np.ndarray) -> np.ndarray:
        """z without its part in the steady state."""
        return z - self.steady * (self._counted @ z[: self.size])

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """y with L y = z (as densities), both without particles in all; one correction with the whole operator."""
        right = self.mass(self.emptied(z))
        y = self._solved(right)
        return self.emptied(y + self._solved(right - self._operator @ y))

    def _solved(self, right: np.ndarray) -> np.ndarray:
        y = np.zeros(self.unknowns)
        if self.reduced:
            even, odd = right[: self.size], right[self.size :]
            rest = even - self._even_odd @ (self._odd_inverse @ odd)
            y[self._kept] = self._factors.solve(-rest[self._kept])
            y[self.size :] = self._odd_inverse @ (odd - self._odd_even @ y[: self.size])
        else:
            y[self._kept] = self._factors.solve(right[self._kept])
        return y


class Slowest(NamedTuple):
    """The smallest relaxation rate: λ₁, its error, whether that is as small as asked, and what it was found with."""

    rate: float
    error: float
    converged: bool
    inverse: Inverse
    rungs: int


def _inverse(terrain: Terrain, number: int) -> Inverse | None:
    """The inverse on one mesh of the ladder that fits the problem; None beyond its end."""
    if terrain.uniform and len(terrain.steps) == 2:
        if number >= len(LADDER):
            return None
        rung = LADDER[number]
        count = rung.density * max(4.0, terrain.variation(12.0) / RISE)
        if count * rung.degree * rung.pairs > MOST_UNKNOWNS:
            return None
        mesh = meshed(terrain, CUT + 2 * number, count, rung.degree, 0, 0.5)
        return Inverse(Space(terrain, mesh), hermite(rung.pairs))
    if number >= len(SMOOTH):
        return None
    general = mesh_of(terrain, SMOOTH[number], number)
    return None if general is None else Inverse(Space(terrain, general), velocity_of(terrain, SMOOTH[number]))


def _slowest(inverse: Inverse, middle: float) -> float:
    """λ₁ by inverse iteration; a first guess has the particles on one side of `middle`."""
    space = inverse.space
    width = (space.mesh.edges[-1] - space.mesh.edges[0]) / 4
    side = np.zeros(space.size)
    side[space.even_of] = np.tanh(3 * (space.nodes - middle) / width)
    even = inverse.steady[: inverse.size].reshape(-1, space.size) * side
    z = np.concatenate([even.ravel(), np.zeros(inverse.unknowns - inverse.size)])
    z = inverse.emptied(z)
    rate = 0.0
    for _ in range(STEPS):
        y = inverse(z)
        weighted = inverse.mass(z)
        if inverse.reduced:
            # Turning odd functions round turns the operator into its transpose: errors enter squared.
            weighted[inverse.size :] *= -1
        new = -float((weighted * z).sum() / (weighted * y).sum())
        z = y / math.sqrt((y * inverse.mass(y)).sum())
        if abs(new - rate) <= 4 * EPS * abs(new):
            return new
        rate = new
    return rate


def slowest(terrain: Terrain, tolerance: float, middle: float) -> Slowest | None:
    """The smallest nonzero relaxation rate; None if not even one mesh could be solved."""
    best: Slowest | None = None
    change: np.ndarray | None = None
    number = 0
    while (inverse := _inverse(terrain, number)) is not None:
        found = np.array([_slowest(inverse, middle)])
        rounding = 1e-13 * np.abs(found)
        error = np.array([np.inf])
        if best is not None:
            previous, change = change, np.abs(found - best.rate)
            error = left_over(change, previous, np.abs(found), rounding)
        number += 1
        converged = bool(error[0] <= tolerance * abs(found[0]))
        best = Slowest(float(found[0]), float(error[0]), converged, inverse, number)
        if converged:
            break
    return best


def shares(found: Slowest, top: float) -> np.ndarray:
    """The parts of the particles left and right of a place, in the steady state."""
    inverse = found.inverse
    space = inverse.space
    even = inverse.steady[: inverse.size].reshape(-1, space.size)
    number = inverse.number @ even
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
