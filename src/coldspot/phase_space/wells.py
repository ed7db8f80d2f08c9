"""Two wells and the barrier between them: where they are, and what simpler theories say of the rate across it."""

import math
from typing import NamedTuple

import numpy as np

from .nodes import gauss
from .terrain import Terrain

POINTS = 4001
"""Places at which minima are looked for."""
APART = 3.0
"""By how many T it is easier to leave a third well than either of the two deepest, at least (or half as hard)."""


class Wells(NamedTuple):
    """Bottoms and top; index 0 is the left well.

    - `bottoms` (2), `top`: positions; `depths` (2): barrier heights in T;
    - `shares` (2): of the particles in equilibrium on either side of the top;
    - `transition_state` (2): rates out of the wells without recrossing, ⟨|v|⟩/2 × density at the top / share.
    """

    bottoms: np.ndarray
    top: float
    depths: np.ndarray
    shares: np.ndarray
    transition_state: np.ndarray


def find(terrain: Terrain) -> Wells | str:
    """The two deepest wells, or words on why there are no two."""
    start, stop = terrain.ends(40.0)
    x = np.linspace(start, stop, POINTS)
    v = terrain.read(x)[0]
    # An end counts as a wall.
    padded = np.concatenate([[np.inf], v, [np.inf]])
    minima = np.flatnonzero((padded[1:-1] <= padded[:-2]) & (padded[1:-1] < padded[2:]))
    if len(minima) < 2:
        return f"the potential has one well (at x = {x[minima[0]]:.6g}), and nothing to escape from"
    left, right = sorted(int(k) for k in minima[np.argsort(v[minima])[:2]])
    peak = left + int(np.argmax(v[left : right + 1]))
    top = _turning(terrain, x, peak, -1.0)
    bottoms = np.array([_turning(terrain, x, k, 1.0) for k in (left, right)])
    heights = terrain.read(np.array([*bottoms, top]))[0]
    temperature = terrain.reference
    depths = (heights[2] - heights[:2]) / temperature
    lasting = max(depths.min() - APART, depths.min() / 2)
    for k in minima[(minima != left) & (minima != right)]:
        climb = _climb(v, int(k)) / temperature
        if climb > lasting:
            return (
                f"the potential has a third well, at x = {x[k]:.6g}, {climb:.3g} temperatures deep, beside those at "
                f"{bottoms[0]:.6g} and {bottoms[1]:.6g}, which a particle leaves no faster than these, so that no one "
                "rate tells how long it stays; close two of them off, Closed(start, stop), or see "
                "`problem.relaxation_rates()`"
            )
    parts = np.array([_integral(terrain, start, top), _integral(terrain, top, stop)])
    crossing = math.sqrt(temperature / (2 * math.pi * terrain.mass)) * math.exp(-heights[2] / temperature)
    return Wells(bottoms, top, depths, parts / parts.sum(), crossing / parts)


def _climb(v: np.ndarray, k: int) -> float:
    """How far up it is from a minimum, sample k, to where it goes down to a lower place."""
    ways = []
    for way in (v[k:], v[k::-1]):
        lower = np.flatnonzero(way < v[k])
        ways += [way[: lower[0]].max()] if lower.size else []
    return float(min(ways, default=np.inf) - v[k])


def _turning(terrain: Terrain, x: np.ndarray, k: int, sign: float) -> float:
    """The extremum beside a sample, by the parabola through three close points (twice)."""
    if k in (0, len(x) - 1):
        return float(x[k])
    place, step = float(x[k]), float(x[1] - x[0])
    for width in (step, step / 8):
        a, b, c = terrain.read(np.array([place - width, place, place + width]))[0] * sign
        if a + c > 2 * b:
            place += float(width * np.clip((a - c) / (2 * (a + c - 2 * b)), -1, 1))
    return place


def _integral(terrain: Terrain, start: float, stop: float) -> float:
    """∫ e^{−V/T} dx by Gauss panels."""
    nodes, weights = gauss(20)
    edges = np.linspace(start, stop, 41)
    half = np.diff(edges)[:, None] / 2
    x = (edges[1:, None] + edges[:-1, None]) / 2 + half * nodes
    return float((half * weights * np.exp(-terrain.read(x)[0] / terrain.reference)).sum())


class Theories(NamedTuple):
    """Factors on the transition-state rate: Kramers' (and Grote and Hynes', for friction without memory); and his
    times the depopulation factor of Mel'nikov and Meshkov, which holds for weak friction, too."""

    kramers: float
    melnikov_meshkov: float


def theories(terrain: Terrain, wells: Wells) -> Theories:
    """κ = √(1+(γ/2ω)²) − γ/2ω with the ω of the top, and κ Υ(δ_l)Υ(δ_r)/Υ(δ_l+δ_r).

    δ = γ I/T is the energy lost in one round in a well at the height of the top, I = 2∫√(2m(V_top−V)) dx, and
    Υ(δ) = exp ∫ ln(1−e^{−δ(y²+¼)})/(y²+¼) dy/2π ("Theory of activated rate processes: exact solution of the Kramers
    problem", Mel'nikov and Meshkov).
    """
    step = 1e-3 * abs(wells.bottoms[1] - wells.bottoms[0])
    low, high, low2 = terrain.read(wells.top + np.array([-step, 0.0, step]))[0]
    curvature = math.sqrt(max(2 * high - low - low2, 1e-300) / terrain.mass) / step
    friction = float(terrain.read(np.array([wells.top]))[1][0])
    half = friction / (2 * curvature)
    kappa = 1 / (math.sqrt(1 + half**2) + half)
    losses = [loss(terrain, wells, side) for side in (-1.0, 1.0)]
    return Theories(kappa, kappa * _depopulation(losses[0]) * _depopulation(losses[1]) / _depopulation(sum(losses)))


def loss(terrain: Terrain, wells: Wells, side: float) -> float:
    """δ of one well; the square root at the far turning point is taken out by x = far + (top−far)·sin²."""
    height = float(terrain.read(np.array([wells.top]))[0][0])
    # Beyond the turning point, however high the barrier is.
    end = terrain.ends(max(40.0, height / terrain.hottest + 1))[0 if side < 0 else 1]
    a, b = float(wells.bottoms[0 if side < 0 else 1]), end
    for _ in range(60):
        middle = (a + b) / 2
        if terrain.read(np.array([middle]))[0][0] < height:
            a = middle
        else:
            b = middle
    nodes, weights = gauss(80)
    angle = (nodes + 1) * math.pi / 4
    x = a + (wells.top - a) * np.sin(angle) ** 2
    v, g, _ = terrain.read(x)
    lost = g * np.sqrt(np.maximum(2 * terrain.mass * (height - v), 0)) * np.sin(2 * angle)
    return float(2 * abs(wells.top - a) * (weights * lost).sum() * math.pi / 4 / terrain.reference)


def _depopulation(delta: float) -> float:
    nodes, weights = gauss(200)
    # y = ½ tan(θ): dy/(y²+¼) = 2dθ.
    theta = nodes * math.pi / 2
    rate = delta / 4 / np.cos(theta) ** 2
    return float(np.exp((weights * np.log(-np.expm1(-rate))).sum() * math.pi / 2 * 2 / (2 * math.pi)))
