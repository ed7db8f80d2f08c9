"""Profiles of a steady state: density, distribution, effective temperature and power, anywhere in the domain."""

import math
from typing import Any

import numpy as np

from ..show import measured


class Profiles:
    """One state of a problem, as functions of the position (and velocity); they take numbers or arrays.

    Between the walls of the mesh, `start` and `stop`, outside of which a closed problem has no particles to speak of.
    """

    def __init__(self, state: Any, flux_error: float = math.nan):
        """`state`: a `stationary.Discrete`."""
        self._state = state
        edges = state.space.mesh.edges
        self.start, self.stop = float(edges[0]), float(edges[-1])
        self.flux = state.ledger().flux
        """Particles per time to the right; on a ring, turns per time. Not of states that still change."""
        self.flux_error = float(flux_error)
        """Its bound, larger than a flux far below the traffic to and fro; NaN of states that still change."""

    def __repr__(self) -> str:
        return f"Profiles(start={self.start:g}, stop={self.stop:g}, flux={measured(self.flux, self.flux_error)})"

    def _moments(self, x: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """n, n⟨u²⟩, γ and T at x; NaN outside."""
        at = np.asarray(x, float)
        inside = (at >= self.start) & (at <= self.stop)
        flat = np.where(inside, at, self.start).ravel()
        even, _, weight = self._state.space.values(flat)
        velocity = self._state.velocity
        rows = np.stack([velocity.number, velocity.square]) @ self._state.even
        number, square = (even @ rows.T).T * weight
        _, friction, temperature = self._state.space.terrain.read(flat)

        def shaped(values: np.ndarray) -> np.ndarray:
            return np.where(inside, values.reshape(at.shape), np.nan)

        return shaped(number), shaped(square), shaped(friction), shaped(temperature)

    def density(self, x: Any) -> np.ndarray:
        """n(x) = ∫ P dv, particles per length."""
        return self._moments(x)[0]

    def effective_temperature(self, x: Any) -> np.ndarray:
        """T_eff(x) = m⟨v²⟩; the drift is not subtracted."""
        number, square, _, _ = self._moments(x)
        return self._state.space.terrain.reference * square / number

    def power_density(self, x: Any) -> np.ndarray:
        """γ(T n − m⟨v²⟩n): heat that the particles absorb from the bath per length and time, positive uphill."""
        number, square, friction, temperature = self._moments(x)
        return friction * (temperature * number - self._state.space.terrain.reference * square)

    def distribution(self, x: Any, v: Any) -> np.ndarray:
        """P(x, v), with the shape of x followed by that of v."""
        at, speeds = np.asarray(x, float), np.asarray(v, float)
        inside = (at >= self.start) & (at <= self.stop)
        even, odd, weight = self._state.space.values(np.where(inside, at, self.start).ravel())
        slow, fast = self._state.velocity.values(speeds.ravel() / self._state.thermal)
        found = even @ (slow @ self._state.even).T + odd @ (fast @ self._state.odd).T
        found = found * weight[:, None] / self._state.thermal
        return np.where(inside.ravel()[:, None], found, math.nan).reshape(at.shape + speeds.shape)
