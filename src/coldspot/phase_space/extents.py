"""How far a density that is given reaches in position and velocity, so that a mesh holds all of it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._checks import InputError
from .terrain import CLOSED, REACH, Terrain

PLACES, SPEEDS = 3001, 1201
"""Where the density is looked at."""
FASTEST = 24.0
"""Thermal velocities up to which a mesh can reach."""
LEFT_OUT = 1e-2
"""What may be left out, relative to the tolerance."""


WARMER = (1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""Temperatures T₀ of the weight, relative to the usual one, of which one suits a density best."""
WORSE = 3.0
"""The usual one is kept unless its norm is this many times that of the best."""


class Extent(NamedTuple):
    """Velocities, in √(T₀/m) of the `terrain`, and heights of the potential, in temperatures, up to which there are

    particles; the terrain has the weight in which the density is smallest: one far from equilibrium has a norm so large
    in that of the bath's temperature that nothing is left of its digits."""

    speed: float
    height: float
    terrain: Terrain


def extent_of(terrain: Terrain, density: Callable[[np.ndarray, np.ndarray], np.ndarray], tolerance: float) -> Extent:
    """Of a density P(x, v); what is beyond any mesh, or no density, is refused in words."""
    low, high = float(terrain.edges[0]), float(terrain.edges[-1])
    free = terrain.kind == CLOSED and not terrain.walled
    beyond = (high - low if free else 0.0), 4 * FASTEST
    s = np.sqrt(terrain.reference / terrain.mass)
    x = np.linspace(low - beyond[0], high + beyond[0], PLACES)
    v = s * np.linspace(-beyond[1], beyond[1], SPEEDS)
    # Denser where speeds are thermal.
    v = np.sign(v) * np.abs(v / v[-1]) ** 2 * v[-1]
    values = np.asarray(density(x[:, None], v[None, :]), float)
    if values.shape != (PLACES, SPEEDS):
        raise InputError(
            "evolve: `initial` must be a function P(x, v) of arrays, of a value for each pair, but gives the shape "
            f"{values.shape} for {(PLACES, 1)} and {(1, SPEEDS)}."
        )
    if not np.isfinite(values).all():
        at = np.argwhere(~np.isfinite(values))[0]
        raise InputError(f"evolve: `initial` is {values[tuple(at)]} at x = {x[at[0]]:.6g}, v = {v[at[1]]:.6g}.")
    # Energy weighs what is far more.
    weight = np.abs(values) * np.gradient(v) * (1 + (v / s) ** 2)
    total = weight.sum()
    if not total > 0:
        raise InputError("evolve: `initial` is zero wherever it is looked at; is it too narrow, or far outside?")
    allowed = LEFT_OUT * tolerance * total
    speeds = np.sort(np.abs(v))
    tail = np.cumsum(weight.sum(0)[np.argsort(np.abs(v))][::-1])[::-1]
    speed = float(speeds[min(np.searchsorted(-tail, -allowed), len(speeds) - 1)] / s)
    along = weight.sum(1)
    inside = (x >= low) & (x <= high)
    if speed > FASTEST or along[~inside].sum() > allowed:
        raise InputError(
            f"evolve: {along[~inside].sum() / total:.1e} of `initial` lies outside of x = {low:.4g} to {high:.4g}, "
            f"where the potential is {REACH:g} temperatures high or the domain ends, and it reaches to {speed:.3g} "
            f"thermal velocities, of which {FASTEST:g} can be followed; give a density within."
        )
    best = _suited(terrain, x[inside], v, values[inside])
    speed *= float(np.sqrt(terrain.reference / best.reference))
    if not free:
        return Extent(speed, 0.0, best)
    heights = (terrain.read(x[inside])[0]) / terrain.hottest
    order = np.argsort(heights)
    outer = np.cumsum(along[inside][order][::-1])[::-1]
    place = min(np.searchsorted(-outer, -allowed), len(outer) - 1)
    return Extent(speed, float(heights[order][place]), best)


def _suited(terrain: Terrain, x: np.ndarray, v: np.ndarray, values: np.ndarray) -> Terrain:
    """With the T₀ for which ∫P²/w ∫w is least, w = e^{−(V+mv²/2)/T₀}."""
    potential, width = terrain.read(x)[0], np.gradient(v)
    energies = potential[:, None] + terrain.mass / 2 * v * v
    with np.errstate(divide="ignore"):
        squares = 2 * np.log(np.abs(values)) + np.log(width)
    norms = []
    for factor in WARMER:
        t = factor * terrain.reference
        top = (whole := squares + energies / t).max()
        weight = np.log((np.exp(-energies / t) * width).sum())
        norms.append(top + np.log(np.exp(whole - top).sum()) + weight)
    best = int(np.argmin(norms))
    if norms[0] - norms[best] <= 2 * np.log(WORSE):
        return terrain
    return terrain.divided_by(WARMER[best] * terrain.reference)
