"""Where an ensemble of particles starts, and how fast and how slowly it moves."""

import math
from typing import NamedTuple

import numpy as np

from .terrain import OPEN, Terrain

BUSY = 12.0
"""Temperatures above the lowest potential up to which the motion sets the time step."""
CELLS = 400
"""Of the domain, for the start and the relaxation time."""
ROUNDING = 1e-16
"""Of rates, relative to those between cells; what is slower takes longer than is told."""
APART = 10.0
"""A relaxation is hopping between two wells where all others are so many times faster."""
HOPS = 5.0
"""Times of hopping after which the shares of two wells are their own, to a hundredth."""


class Outset(NamedTuple):
    """Where particles begin, and times of the motion.

    - `places`, `shares`: cumulative distribution of the first positions; `speeds`: √(T/m) there;
    - `shortest`, `longest`: times of the motion; `within`: the longest but one, in wells between which particles hop in
      the longest; `top`: the place between these wells.
    """

    places: np.ndarray
    shares: np.ndarray
    speeds: np.ndarray
    shortest: float
    longest: float
    within: float
    top: float

    def hops(self, transient: float) -> bool:
        """Whether the slowest relaxation is that of two wells, and not over after a transient."""
        return APART * self.within < self.longest and transient < HOPS * self.longest

    def sides(self) -> tuple[float, float]:
        """The shares of particles that begin on the left and on the right of `top`."""
        left = float(np.interp(self.top, self.places, self.shares))
        return left, 1 - left

    def positions(self, drawn: np.ndarray) -> np.ndarray:
        """First positions from normal numbers (2, lane), the second of which are for the velocity."""
        # SciPy is loaded where it is used.
        from scipy.special import ndtr

        return np.interp(ndtr(drawn[0]), self.shares, self.places)


def outset(terrain: Terrain) -> Outset:
    """From cells: e^{−φ}/T of the limit of large friction, and its slowest rate.

    Inertia makes motion slower than that limit with γ replaced by γ + ω²/γ says, and velocities forget in 1/γ.
    """
    low, high = terrain.ends(40.0)
    edges = np.linspace(low, high, CELLS + 1)
    x = (edges[1:] + edges[:-1]) / 2
    height, friction, temperature = terrain.read(x)
    width = edges[1] - edges[0]
    phi = np.concatenate([[0.0], np.cumsum(np.diff(height) / ((temperature[1:] + temperature[:-1]) / 2))])
    weight = np.exp(-(phi - phi.min())) / temperature
    shares = np.concatenate([[0.0], np.cumsum(weight)])
    curvature = np.abs(np.gradient(np.gradient(height, width), width))
    busy = height < BUSY * terrain.hottest
    square = float(curvature[busy].max()) / terrain.mass
    short = float(np.diff(terrain.steps).min()) / math.sqrt(terrain.hottest / terrain.mass)
    fastest = max(math.sqrt(square), float(friction[busy].max()), 1 / short)
    # Rates between cells, symmetric in √(y y′).
    slowed = terrain.mass * (friction + square / friction)
    y = weight / weight.max()
    y = np.maximum(y, 1e-30)
    between = np.sqrt(temperature[1:] * temperature[:-1] / (slowed[1:] * slowed[:-1])) / width**2
    out = np.zeros(CELLS)
    out[:-1] += between * np.sqrt(y[1:] / y[:-1])
    out[1:] += between * np.sqrt(y[:-1] / y[1:])
    # Two wells are those of the largest resistance between many particles on one side and on the other.
    left = np.cumsum(weight)[:-1] / weight.sum()
    top = int(np.argmax(np.minimum(left, 1 - left) / np.sqrt(y[1:] * y[:-1])))
    first, crossing = 1, 0.0
    if terrain.kind == OPEN:
        # Particles leave, and none need cross a barrier to forget.
        out[[0, -1]] += 2 * temperature[[0, -1]] / slowed[[0, -1]] / width**2
        first, crossing = 0, (high - low) / math.sqrt(terrain.coldest / terrain.mass)
    # SciPy is loaded where it is used.
    from scipy.linalg import eigh_tridiagonal

    rates = eigh_tridiagonal(out, -between, eigvals_only=True, select="i", select_range=(first, first + 1))
    within, longest = (
        max(1 / max(float(rates[k]), ROUNDING * out.max()), 1 / float(friction.min()), crossing) for k in (1, 0)
    )
    speeds = np.sqrt(terrain.read(edges)[2] / terrain.mass)
    return Outset(edges, shares / shares[-1], speeds, 1 / fastest, longest, within, float(edges[top + 1]))
