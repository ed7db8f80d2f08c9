"""Relaxation rates of a closed problem: eigenvalues of the Klein–Kramers operator near zero.

With one temperature the operator is antisymmetric but for friction, which is diagonal in Hermite polynomials: see
`reduced`. Of a potential that is symmetric about its barrier the slowest density is odd, and half a mesh does. With
several temperatures, or steps, the equations of the steady state are taken as they are, and so they are at weak
friction: see `whole`.

The steady state is eigenvalue 0. It is taken out of each right-hand side; then one unknown can be pinned.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import linalg

from . import wells
from .nodes import gauss
from .reduced import Reduced
from .space import Space, meshed
from .stationary import CUT, EPS, SMOOTH, left_over, mesh_of, velocity_of
from .terrain import Terrain
from .velocity import elements
from .whole import Whole

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


MANY = 200.0
"""If more pairs of Hermite polynomials are needed, elements in the velocity are less work."""
WEAK_DEGREE = 8
FINER = 1.3
"""Elements of one mesh against those of the one before, each way."""
SLENDER = 0.65
"""Elements in the velocity for each in x of a half of a double well."""
ABOVE = 12.0
"""Meshes for weak friction reach so many temperatures above the barrier: what is rarer moves as the rest does."""
MOST_WEAK = 170_000
"""Unknowns of elements, at most."""


class Weak(NamedTuple):
    """Where friction is weak: the energy lost in a round at the barrier's height, and that height, both in T."""

    loss: float
    height: float

    def pairs(self, tolerance: float) -> float:
        """Of Hermite polynomials that are needed, roughly: more, the less energy is lost in a round."""
        return 25 * (6 / self.loss) ** 0.9 * -math.log10(tolerance) / 10


class Slowest(NamedTuple):
    """The smallest relaxation rate: λ₁, its error, whether that is as small as asked, and what it was found with.

    `slope`: d ln λ₁/d ln γ if all friction is multiplied by a number; NaN with several temperatures.
    """

    rate: float
    error: float
    converged: bool
    inverse: Reduced | Whole
    rungs: int
    slope: float


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


def _inverse(
    terrain: Terrain, number: int, centre: float | None = None, top: float | None = None, height: float = 0.0
) -> Reduced | Whole | None:
    """The inverse on one mesh of the ladder that fits the problem; None beyond its end.

    `centre`: the place about which the problem and the density that is looked for are symmetric. `top` of the barrier,
    and its `height` in T: meshes reach farther up than that. None, too, where rounding exceeds the rates.
    """
    if terrain.uniform and len(terrain.steps) == 2:
        if number >= len(LADDER):
            return None
        rung = LADDER[number]
        functions = rung.functions * (6.0 + terrain.variation(max(12.0, height))) / (1 if centre is None else 2)
        if functions**2 * rung.pairs > MOST_NUMBERS:
            return None
        count = math.ceil(functions / DEGREE)
        cut = max(CUT, height + ABOVE) + 2 * number
        mesh = meshed(terrain, cut, count, round(functions / count), 0, 0.5, centre)
        try:
            return Reduced(Space(terrain, mesh), rung.pairs, centre is not None, top)
        except np.linalg.LinAlgError:
            # A second barrier that is high: its rate is less than what rounding leaves of the others.
            return None
    if number >= len(SMOOTH):
        return None
    general = mesh_of(terrain, SMOOTH[number], number)
    return None if general is None else Whole(Space(terrain, general), velocity_of(terrain, SMOOTH[number]))


def _counts(terrain: Terrain, number: int, first: float, half: bool) -> tuple[int, int]:
    """Elements in x and in v of a mesh for weak friction. `first`: functions of x of the mesh 0 per rise and fall."""
    functions = first * FINER**number * (6.0 + terrain.variation(12.0)) / (2 if half else 1)
    count = math.ceil(functions / WEAK_DEGREE)
    return count, math.ceil(SLENDER * count / (1 if half else 2))


def _fits(terrain: Terrain, number: int, first: float, half: bool) -> bool:
    return 2 * math.prod(_counts(terrain, number, first, half)) * WEAK_DEGREE**2 <= MOST_WEAK


def _finest(terrain: Terrain, tolerance: float, weak: Weak, centre: float | None) -> tuple[int, float]:
    """The finest mesh, or the one as fine as the tolerance needs by experience: its number, and `first` (`_counts`)."""
    first, number = weak.loss**-0.4 * max(0.75 * -math.log10(tolerance) - 0.7, 1.0), 0
    while not _fits(terrain, number + 1, first, centre is not None):
        number -= 1
    return number, first


def _elements(terrain: Terrain, number: int, first: float, weak: Weak, centre: float | None) -> Whole | None:
    """The inverse on elements in x and v; None beyond the largest."""
    half = centre is not None
    if not _fits(terrain, number, first, half):
        return None
    count, bulk = _counts(terrain, number, first, half)
    cut = weak.height + ABOVE + 2 * max(number, 0)
    mesh = meshed(terrain, cut, count, WEAK_DEGREE, 0, 0.5, centre)
    velocity = elements(np.linspace(0, math.sqrt(2 * cut), bulk + 1), WEAK_DEGREE)
    return Whole(Space(terrain, mesh), velocity, half)


def _slowest(inverse: Reduced | Whole, middle: float) -> tuple[float, float, float]:
    """λ₁ by inverse iteration, what rounding leaves of it, and d ln λ₁/d ln γ."""
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
    slope = math.nan
    if inverse.symmetric:
        turned = z.copy()
        turned[inverse.size :] *= -1
        slope = float((turned * inverse.lost(z)).sum() / (turned * inverse.mass(z)).sum()) / rate
    return rate, max(change, 1e-13 * abs(rate)), slope


def slowest(terrain: Terrain, tolerance: float, middle: float, weak: Weak | None = None) -> Slowest | None:
    """The smallest nonzero relaxation rate; None if not even one mesh could be solved.

    `middle`: the top of the barrier; `weak` tells how weak friction is, if there is one temperature.
    """
    best: Slowest | None = None
    change: np.ndarray | None = None
    centre = symmetric_about(terrain, middle)
    number, first, trust = 0, 0.0, 1.0
    height = 0.0 if weak is None else weak.height
    if weak is not None and len(terrain.steps) == 2:
        pairs = weak.pairs(tolerance)
        if pairs > MANY:
            # The next mesh then tells.
            number, first = _finest(terrain, tolerance, weak, centre)
            # Coarser than the thin layer at the barrier needs: changes fall slowly, or hardly yet.
            trust = FINER**-number / (FINER - 1) if number < 0 else 1.0
        else:
            number = sum(rung.pairs < pairs for rung in LADDER[:-4])
    while True:
        if first and weak is not None:
            inverse: Reduced | Whole | None = _elements(terrain, number, first, weak, centre)
        else:
            inverse = _inverse(terrain, number, centre, middle, height)
        if inverse is None:
            return best
        rate, rest, slope = _slowest(inverse, middle)
        found, rounding = np.array([rate]), np.array([rest])
        error = np.array([np.inf])
        if best is not None:
            previous, change = change, np.abs(found - best.rate)
            # Position and velocity converge each in its own way: a small change may be one of both signs.
            error = trust * np.maximum(left_over(change, previous, np.abs(found), rounding), change / 4)
        number += 1
        converged = bool(error[0] <= tolerance * abs(found[0]))
        best = Slowest(rate, float(error[0]), converged, inverse, number, slope)
        if converged:
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
    found_wells = wells.find(terrain)
    top, height = (None, 0.0) if isinstance(found_wells, str) else (found_wells.top, float(found_wells.depths.max()))
    while (inverse := _inverse(terrain, number, None, top, height)) is not None:
        number += 1
        if inverse.unknowns < 4 * count + 40:
            continue
        operator = linalg.LinearOperator((inverse.unknowns, inverse.unknowns), matvec=inverse.__call__, dtype=float)
        start = inverse.emptied(np.random.default_rng(0).normal(size=inverse.unknowns))
        rates = -1 / linalg.eigs(operator, k=count + 2, which="LM", v0=start, return_eigenvectors=False)
        rates = rates[np.lexsort((rates.imag, np.round(rates.real, 9)))][:count]
        error = float(np.max(np.abs(rates - found))) if np.isfinite(found).all() else math.inf
        # Inverses are exact to EPS of the largest of them: of rates far above the slowest nothing may be left.
        rounding = EPS * float(np.max(np.abs(rates)) ** 2 / np.abs(rates).min())
        error = max(error, rounding)
        found = rates
        if error <= tolerance * abs(found[-1]) or rounding > tolerance * abs(found[-1]):
            break
    return found, error
