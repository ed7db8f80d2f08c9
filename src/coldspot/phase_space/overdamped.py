"""The limit of large friction: density and flux by quadrature, without velocities.

With y = T n the flux is J = −[(V′−F) n + y′]/(mγ), so that y = e^{−φ}(y₀ − J∫mγe^φ), φ(x) = ∫(V′−F)/T dx. This is the
limit of the Klein–Kramers equation, with noise that is hotter where T is, wherever the particle came from. What the
velocities carry is lost in it: heat and entropy production only follow where there is one temperature (their kinetic
part along gradients of T stays finite: "Anomalous thermodynamics at the microscale", Celani, Bo, Eichhorn and Aurell).
"""

from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from .terrain import ABSCISSAE, NODES, OPEN, PERIODIC, Terrain

STILL = 1e-13
"""A circulation ∮(V′−F)/T below this is none."""

_SLOPE = chebyshev.chebvander(ABSCISSAE, NODES - 2) @ chebyshev.chebder(np.eye(NODES))
_TO_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(ABSCISSAE, NODES - 1))
_PRIMITIVE = chebyshev.chebint(_TO_COEFFICIENTS, lbnd=-1)


class Overdamped:
    """Density n(x) and `flux` of a problem whose friction is so large that velocities are thermal everywhere."""

    def __init__(self, terrain: Terrain):
        self._terrain = terrain
        self._half = np.diff(terrain.edges) / 2
        middle = (terrain.edges[1:] + terrain.edges[:-1]) / 2
        x = middle[:, None] + self._half[:, None] * ABSCISSAE
        height, friction, temperature = terrain.read(x)
        slope = (height @ _TO_COEFFICIENTS.T) @ _SLOPE.T / self._half[:, None]
        phi, self._phi, turn = self._cumulative((slope - terrain.load) / temperature)
        # e^{±φ} of what is far up must not overflow before it is multiplied.
        top = float(phi.max())
        resisted, self._resisted, whole = self._cumulative(terrain.mass * friction * np.exp(phi - top))
        if terrain.kind == OPEN:
            ends = terrain.read(terrain.edges[[0, -1]])[2] * terrain.densities
            start = float(ends[0])
            flux = (ends[0] * np.exp(-top) - ends[1] * np.exp(turn - top)) / whole
        elif terrain.kind == PERIODIC and abs(turn) > STILL * np.abs(phi).max(initial=1.0):
            # y returns to itself after a turn.
            start, flux = 1.0, -float(np.expm1(turn)) * np.exp(-top) / whole
        else:
            start, flux = 1.0, 0.0
        self._numbers = start, float(flux), top
        if terrain.kind != OPEN:
            density = self._scaled(phi, resisted) / temperature
            total = self._cumulative(density)[2]
            self._numbers = start / total, float(flux) / total, top
        self.flux = self._numbers[1]

    def __repr__(self) -> str:
        return f"Overdamped(flux={self.flux:g})"

    def _cumulative(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """∫ from the start at the nodes, as sums in each panel (coefficients), and the whole."""
        coefficients = values @ _PRIMITIVE.T * self._half[:, None]
        parts = coefficients.sum(-1)
        coefficients[:, 0] += np.concatenate([[0.0], np.cumsum(parts)[:-1]])
        return coefficients @ chebyshev.chebvander(ABSCISSAE, NODES).T, coefficients, float(parts.sum())

    def _scaled(self, phi: np.ndarray, resisted: np.ndarray) -> np.ndarray:
        """y = T n."""
        start, flux, top = self._numbers
        return start * np.exp(-phi) - flux * resisted * np.exp(top - phi)

    def density(self, x: Any) -> np.ndarray:
        """n(x), particles per length; NaN outside of the domain."""
        at = np.asarray(x, float)
        edges = self._terrain.edges
        flat = np.clip(at.ravel(), edges[0], edges[-1])
        panel = np.clip(np.searchsorted(edges, flat, side="right") - 1, 0, len(edges) - 2)
        basis = chebyshev.chebvander((2 * flat - edges[panel] - edges[panel + 1]) / (2 * self._half[panel]), NODES)
        phi, resisted = ((basis * c[panel]).sum(-1) for c in (self._phi, self._resisted))
        found = self._scaled(phi, resisted) / self._terrain.read(flat)[2]
        return np.where((at >= edges[0]) & (at <= edges[-1]), found.reshape(at.shape), np.nan)
