"""Escape at the weakest friction: diffusion of the energy, and what the layer at the barrier's height adds to it.

A particle that loses little in a round is at an energy E, in the left well, in the right one, or above both. With the
round's time τ = ∮ dx/v and D = ∮ γmv dx, what relaxes at the rate λ is e^{−E/T} h(E) with

−(T D e^{−E/T} h′)′ = λ τ e^{−E/T} h,

h continuous at the top, and no flux T D e^{−E/T} h′ lost there. λ is found by inverse iteration, u from h by sums of
one sign (flux first, from where it vanishes), so that it keeps its digits however high the barrier is. Within
√δ T of the top, δ = D/T there, a particle goes up and down in one round: in "Theory of activated rate processes: exact
solution of the Kramers problem" (Mel'nikov and Meshkov) that layer multiplies the resistance (T/D_l + T/D_r) of the
top by 1 + c (√δ_l + √δ_r − √(δ_l+δ_r)), c = −ζ(½)/√π. What is left is of the order of δ.
"""

import math
from typing import NamedTuple

import numpy as np

from .nodes import gauss
from .terrain import Terrain
from .wells import Wells

LAYER = 0.8239
"""c."""
WEAK, FAINT = 0.1, 1e-3
"""Losses δ up to the first are looked at; below the second meshes are coarser than the layer at the barrier, and no

better."""
FAR, NEAR = 30.0, 3.0
"""Energies up to so many temperatures above the top count; the potential must rise by the second, at least."""
NEAREST, CLOSER = 14, 0.2
"""Panels in the energy become shorter towards the top, where τ is singular, so often and by this factor."""
ORDER, AROUND = 8, 10
"""Gauss points of a panel in the energy, and in the round."""
TURNS, NARROWER = 12, 0.3
"""Panels in the round, shorter towards the top."""
ROUNDS, STILL = 60, 1e-13
EXACT = 1e-7
"""What sums and their panels leave, relative."""
FLAT = 1e-9
"""A well that rises and falls by less than this (in T) on one side has no second one in it."""


class Slow(NamedTuple):
    """λ₁, its relative error, and d ln λ₁/d ln γ."""

    rate: float
    error: float
    slope: float


class Branch(NamedTuple):
    """Energies E above the top, in T, with e^{−E}τ dE and T dE/(D e^{−E}) at the Gauss points (panel, point)."""

    energy: np.ndarray
    weight: np.ndarray
    resistance: np.ndarray
    half: np.ndarray


def slowest(terrain: Terrain, wells: Wells) -> Slow | None:
    """Of one temperature; None if a well is not one alone, or ends too soon above the barrier."""
    height = float(terrain.read(np.array([wells.top]))[0][0])
    t = terrain.reference
    start, stop = terrain.ends((height + (FAR + 1) * t) / terrain.hottest)
    beyond = FAR if terrain.walled else (float(terrain.read(np.array([start, stop]))[0].min()) - height) / t
    if not _single(terrain, wells, start, stop) or beyond < NEAR:
        return None
    beyond = min(FAR, beyond)
    up = _panels(beyond)
    ends = start, stop
    sides = [_well(terrain, wells, k, height, ends[k]) for k in (0, 1)]
    both = [_round(terrain, wells.top, ends[k], height + t * up[0].ravel(), height) for k in (0, 1)]
    above = _branch(*up, both[0][0] + both[1][0], both[0][1] + both[1][1])
    rate = _relaxation(sides, above)
    # At the top itself.
    losses = np.array([_round(terrain, wells.top, ends[k], np.array([height]), height)[1][0] for k in (0, 1)])
    populations = [side.weight.sum() for side in sides]
    added = LAYER * (np.sqrt(losses).sum() - math.sqrt(losses.sum())) * (1 / losses).sum()
    share = float(added * rate / (1 / populations[0] + 1 / populations[1]))
    rarer = math.exp(-beyond) * above.weight.sum() / min(populations)
    return Slow(rate / (1 + share), share**2 + float(losses.max()) + rarer + EXACT, 1 - share / 2)


def _single(terrain: Terrain, wells: Wells, start: float, stop: float) -> bool:
    """Whether the potential falls and rises once on either side of the top."""
    left, right = wells.bottoms
    for a, b in ((left, start), (left, wells.top), (right, wells.top), (right, stop)):
        v = terrain.read(np.linspace(a, b, 400))[0] / terrain.reference
        if (np.maximum.accumulate(v) - v).max() > FLAT * (1 + v.max()):
            return False
    return True


def _panels(depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances from the top up to `depth` (panel, point), near the top first, and half the panels' lengths."""
    first = min(1.0, depth / 2)
    edges = np.concatenate(
        [[0.0], first * CLOSER ** np.arange(NEAREST, 0, -1), np.linspace(first, depth, 2 + math.ceil(depth - first))]
    )
    half = np.diff(edges) / 2
    return (edges[1:] + edges[:-1])[:, None] / 2 + half[:, None] * gauss(ORDER)[0], half


def _well(terrain: Terrain, wells: Wells, k: int, height: float, end: float) -> Branch:
    """One well, from the top downwards."""
    below, half = _panels(float(wells.depths[k]))
    time, loss = _round(terrain, float(wells.bottoms[k]), end, height - terrain.reference * below.ravel(), height)
    inner = _round(terrain, float(wells.bottoms[k]), wells.top, height - terrain.reference * below.ravel(), height)
    return _branch(-below, half, time + inner[0], loss + inner[1])


def _branch(energy: np.ndarray, half: np.ndarray, time: np.ndarray, loss: np.ndarray) -> Branch:
    """`loss`: D/T."""
    length = half[:, None] * gauss(ORDER)[1]
    time, loss = time.reshape(energy.shape), loss.reshape(energy.shape)
    return Branch(energy, length * time * np.exp(-energy), length * np.exp(energy) / loss, half)


def _round(
    terrain: Terrain, inner: float, end: float, energies: np.ndarray, height: float
) -> tuple[np.ndarray, np.ndarray]:
    """2∫ dx/v and 2∫ γmv dx/T between `inner` and the turning point on the side of `end`, at energies.

    Both ends are approached as the square of an angle, which takes out their roots; panels become shorter towards the
    end that may be near the top.
    """
    a, b = np.full(energies.shape, float(inner)), np.full(energies.shape, float(end))
    for _ in range(60):
        middle = (a + b) / 2
        low = terrain.read(middle)[0] < energies
        a, b = np.where(low, middle, a), np.where(low, b, middle)
    # A wall turns whatever is faster.
    far = np.where(terrain.read(np.full(energies.shape, end))[0] < energies, end, a)
    steps = np.concatenate([[0.0], NARROWER ** np.arange(TURNS, -1.0, -1)]) * math.pi / 4
    edges = np.concatenate([steps, math.pi / 2 - steps[-2::-1]])
    half = np.diff(edges)[:, None] / 2
    nodes, weights = gauss(AROUND)
    angle = ((edges[1:] + edges[:-1])[:, None] / 2 + half * nodes).ravel()
    x = inner + (far - inner)[:, None] * np.sin(angle) ** 2
    v, g, _ = terrain.read(x)
    left = np.maximum(energies[:, None] - v, 1e-16 * height)
    way = np.abs(far - inner)[:, None] * np.sin(2 * angle) * (half * weights).ravel()
    m = terrain.mass
    time = 2 * (way * np.sqrt(m / (2 * left))).sum(-1)
    return time, 2 * (way * g * np.sqrt(2 * m * left)).sum(-1) / terrain.reference


def _relaxation(sides: list[Branch], above: Branch) -> float:
    """λ₁ by inverse iteration; the functions of the branches, each from the top on."""
    branches = [*sides, above]
    total = sum(branch.weight.sum() for branch in branches)

    def emptied(h: list[np.ndarray]) -> list[np.ndarray]:
        mean = sum((b.weight * one).sum() for b, one in zip(branches, h, strict=True)) / total
        return [one - mean for one in h]

    shares = [side.weight.sum() / total for side in sides]
    h = emptied(
        [np.full(b.weight.shape, value) for b, value in zip(branches, (shares[1], -shares[0], 0.0), strict=True)]
    )
    rate, last = math.nan, math.inf
    for _ in range(ROUNDS):
        if abs(last - rate) <= STILL * rate:
            break
        last = rate
        u = []
        for branch, one in zip(branches, h, strict=True):
            # What lies beyond, as seen from the top, flows towards it; u is 0 at the top.
            flux = _beyond(branch, branch.weight * one)
            u.append(_up_to(branch, branch.resistance * flux))
        u = emptied(u)
        pairs = list(zip(branches, h, u, strict=True))
        rate = sum((b.weight * p * p).sum() for b, p, _ in pairs) / sum((b.weight * p * q).sum() for b, p, q in pairs)
        norm = math.sqrt(sum((b.weight * q * q).sum() for b, _, q in pairs) / total)
        h = [one / norm for one in u]
    return float(rate)


def _integrals() -> np.ndarray:
    """∫ from the start of a panel up to each Gauss point, of values there times Gauss weights, in half lengths."""
    nodes = gauss(ORDER)[0]
    degrees = np.arange(ORDER)
    vander = np.polynomial.legendre.legvander(nodes, ORDER)
    up = np.empty((ORDER, ORDER))
    up[:, 0] = nodes + 1
    up[:, 1:] = (vander[:, 2:] - vander[:, :-2])[:, : ORDER - 1] / (2 * degrees[1:] + 1)
    # Coefficients of the polynomial from Gauss sums.
    return up @ ((degrees[:, None] + 0.5) * vander[:, :ORDER].T)


_INSIDE = _integrals()


def _up_to(branch: Branch, pieces: np.ndarray) -> np.ndarray:
    """∫ from the top, of `pieces` that hold the Gauss weights."""
    whole = pieces.sum(-1)
    return (np.cumsum(whole) - whole)[:, None] + pieces @ _INSIDE.T


def _beyond(branch: Branch, pieces: np.ndarray) -> np.ndarray:
    """∫ from a point on, away from the top."""
    whole = pieces.sum(-1)
    after = np.cumsum(whole[::-1])[::-1] - whole
    return after[:, None] + whole[:, None] - pieces @ _INSIDE.T
