"""Steady states: one mesh solved, and meshes that become finer until the ledger is as exact as asked.

Each mesh of a ladder is finer in position and in velocity than the one before, and covers a little more of the
potential: the change from one to the next shows resolution and walls together. Where the changes fall by a factor ρ,
what is left is about ρ times the last change; four times that is stated.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg

from .operator import assembled, end_temperature
from .space import Mesh, Space, meshed
from .terrain import OPEN, PERIODIC, Terrain
from .velocity import Velocity, elements, graded

EPS = float(np.finfo(float).eps)
ROUNDING = 2048 * EPS
"""Rounding of heats, relative to the heat that friction exchanges to and fro."""
PIVOT = 1e-3
"""Diagonal entries below this part of their column's largest are no pivots."""
MOST_UNKNOWNS = 110_000
"""Larger systems are not tried: their factors would take gigabytes."""
MOST_ELEMENTS = 2000
"""The same for elements in x."""
HIGHEST = 1400.0
"""Potentials above so many temperatures have densities that are no numbers."""
RISE = 1.3
"""Elements of the first mesh are so long that the potential rises by this many temperatures in one."""
CUT = 34.0
"""Closed problems reach at least to where the potential is this many temperatures high; a finer mesh a little more."""
FALLS = 1e-3
"""What is left of a change from one mesh to the next, at least, where functions are narrow."""
PUSHED = 4.0
"""What is left over the change, where walls that move outwards from mesh to mesh take away a fifth of it."""
SURE = 0.8
"""A ladder ends where the error stated is this part of what is allowed."""
STILL = 1e-11
"""A mean velocity below this part of the thermal one is as good as none."""
FAST, FASTER = 8.3, 0.04
"""Velocities reach to this many thermal ones, on each finer mesh by this part farther."""
TINY = 1e-300
"""Instead of zero, to divide by."""
EXPECTED, BETTER = 0.1, 3
"""A finer mesh is expected to have this part of the error at least, and the best fall so far to this power."""
RATIO = 0.15
"""Elements beside a singularity become shorter by this factor."""
VELOCITY_RATIO = 0.37
"""The same in velocity; x ~ v³ there, so that fewer of them reach as far."""


class Rung(NamedTuple):
    """One mesh of a ladder: `density` of elements against the first mesh, their degree, divisions at singularities.

    In velocity, `bulk` elements from one thermal velocity outwards, of a degree, and `levels` of them towards u = 0.
    """

    density: float
    degree: int
    divisions: int
    bulk: int
    velocity_degree: int
    levels: int


SMOOTH = (
    Rung(0.4, 6, 0, 3, 4, 0),
    Rung(0.4, 8, 0, 3, 6, 0),
    Rung(0.5, 10, 0, 4, 8, 0),
    Rung(0.7, 12, 0, 6, 10, 0),
    Rung(1.0, 14, 0, 10, 12, 0),
)
SINGULAR = (
    Rung(0.8, 5, 1, 2, 5, 1),
    Rung(1.0, 6, 2, 2, 7, 2),
    Rung(1.2, 8, 3, 3, 8, 3),
    Rung(1.2, 9, 4, 3, 9, 4),
    Rung(1.5, 11, 5, 4, 10, 4),
    Rung(2.0, 13, 6, 5, 12, 5),
)


class Ledger(NamedTuple):
    """What one mesh gives.

    - `heats`, `entropy_flows` (bath); `end_heats` (end): what open ends bring, kinetic energy less (μ−V) per particle;
    - `flux`: particles per time; `mean_velocity` ∫ vP; `mean_temperature` ⟨T⟩;
    - `leaks` (bath − 1): kinetic energy that particles carry to the right from each bath to the next, ∫ ½mv³P dv;
    - `exchanged`: the heat that friction takes and noise gives, without regard to sign; `hurry`: ∫ n √(T_max/m) dx.
    """

    heats: np.ndarray
    entropy_flows: np.ndarray
    end_heats: np.ndarray
    flux: float
    mean_velocity: float
    mean_temperature: float
    leaks: np.ndarray
    exchanged: float
    hurry: float

    def entries(self) -> np.ndarray:
        """All numbers whose errors are stated, in one row."""
        rest = [self.flux, self.mean_velocity, self.mean_temperature]
        return np.concatenate([self.heats, self.entropy_flows, self.end_heats, rest, self.leaks])


class Discrete:
    """The steady state on one mesh: coefficients of even and odd functions (velocity, position)."""

    def __init__(self, space: Space, velocity: Velocity):
        self.space, self.velocity = space, velocity
        operator = assembled(space, velocity)
        matrix = operator.matrix()
        size = len(velocity.number) * space.size
        if space.terrain.kind == OPEN:
            found = solved(matrix, -np.concatenate(operator.source))
        else:
            # The density is not fixed by the equations, one of which follows from the others: f = 1 at its largest.
            one = np.kron(velocity.one, space.one)
            pin = int(np.argmax(one))
            right = -matrix[:, [pin]].toarray()[:, 0] * one[pin]
            right[pin] = one[pin]
            found = solved(pinned(matrix, pin), right)
        self.even = found[:size].reshape(-1, space.size)
        self.odd = found[size:].reshape(-1, space.odd_size)
        if space.terrain.kind != OPEN:
            total = (space.weight * space.at_points(velocity.number @ self.even)).sum()
            self.even, self.odd = self.even / total, self.odd / total

    @classmethod
    def of(cls, space: Space, velocity: Velocity, even: np.ndarray, odd: np.ndarray) -> "Discrete":
        """A state that another method found."""
        found = cls.__new__(cls)
        found.space, found.velocity = space, velocity
        found.even, found.odd = even, odd.reshape(-1, space.odd_size)
        return found

    @property
    def thermal(self) -> float:
        """s = √(T₀/m)."""
        return math.sqrt(self.space.terrain.reference / self.space.terrain.mass)

    def ledger(self) -> Ledger:
        space, velocity, terrain = self.space, self.velocity, self.space.terrain
        number = space.weight * space.at_points(velocity.number @ self.even)
        square = space.weight * space.at_points(velocity.square @ self.even)
        flow = space.weight * space.odd_at_points(velocity.first @ self.odd)
        power = space.g * (space.t * number - terrain.reference * square)
        baths = len(terrain.bath_borders) - 1
        bath = np.clip(np.searchsorted(terrain.bath_borders, space.x, side="right") - 1, 0, baths - 1)
        heats = np.array([power[bath == k].sum() for k in range(baths)])
        entropy = np.array([(power / space.t)[bath == k].sum() for k in range(baths)])
        # The flux is the same in the mean over each element; where particles are fewest least of it is rounded.
        widths = np.diff(space.mesh.edges)
        flux = float((self.thermal * flow.sum(-1) / widths)[np.argmin(number.sum(-1) / widths)])
        exchanged = float((space.g * (space.t * np.abs(number) + terrain.reference * np.abs(square))).sum())
        ends = np.zeros(2)
        if terrain.kind == OPEN:
            ends = np.array([self._heat_through(0, flux), self._heat_through(1, -flux)])
            exchanged += self.thermal * terrain.hottest * float(terrain.densities.sum())
        return Ledger(
            heats,
            entropy,
            ends,
            flux,
            flux * float(widths.sum()),
            float((space.t * number).sum() / (number.sum() or math.nan)),
            np.array([self._kinetic(border) for border in terrain.bath_borders[1:-1]]),
            exchanged,
            float(np.abs(number).sum()) * math.sqrt(terrain.hottest / terrain.mass),
        )

    def _kinetic(self, x: float) -> float:
        """∫ ½mv³ P dv at the border of elements that is next to x: the mean of both sides, which differ by an error."""
        space, s = self.space, self.thermal
        border = int(np.argmin(np.abs(space.mesh.edges - x)))
        sides = [(k, side) for k, side in ((border - 1, 1), (border, 0)) if 0 <= k < len(space.odd_of)]
        cubes = [
            float(self.velocity.third @ self.odd[:, space.odd_of[k]] @ space.odd_ends[k, side]) for k, side in sides
        ]
        potential = float(space.terrain.read(space.mesh.edges[[border]])[0][0])
        reference = space.terrain.reference
        return s * reference / 2 * math.exp(-potential / reference) * sum(cubes) / len(cubes)

    def _heat_through(self, side: int, particles: float) -> float:
        """Heat (kinetic energy, less μ−V per particle) that comes in at an open end, by the upwind flux."""
        space, velocity, terrain = self.space, self.velocity, self.space.terrain
        e, o, weight = space.end(side)
        sign = 1.0 if side == 0 else -1.0
        even, odd = (self.even @ e.toarray())[:, 0], (self.odd @ o.toarray())[:, 0]
        inner, mixed, _ = velocity.half
        temperature = end_temperature(space, side)
        density = terrain.densities[side]
        s, t0 = self.thermal, terrain.reference
        # ∫_{u>0} u³ g of the Maxwellian that comes in; of those that leave, |u| u².
        theta = temperature / t0
        inward = density * math.sqrt(theta / (2 * math.pi)) * 2 * theta
        row = velocity.parabola
        outward = weight * float(row @ (inner @ even) - sign * (row @ (mixed @ odd)))
        kinetic = s * t0 / 2 * (inward - outward)
        if density == 0:
            return kinetic  # its μ is infinite: only an empty end's energy is known
        reference = math.sqrt(end_temperature(space, 0) * end_temperature(space, 1))
        potential = temperature * (math.log(density) - math.log(temperature / reference) / 2)
        return kinetic - potential * particles

    def smallest(self) -> float:
        """The smallest value of the density over its largest: below zero only by the error of the method."""
        u = np.linspace(-5, 5, 41)
        even, odd = self.velocity.values(u)
        space = self.space
        f = np.einsum("eqi,uei->equ", space.even, (even @ self.even)[:, space.even_of])
        f += np.einsum("eqi,uei->equ", space.odd, (odd @ self.odd)[:, space.odd_of])
        values = f * np.exp(-space.terrain.read(space.x)[0] / space.terrain.reference)[..., None]
        return float(values.min() / values.max())


def pinned(matrix: sp.csc_array, pin: int) -> sp.csc_array:
    """The matrix with row and column `pin` of the identity; entries that become zero stay in its structure."""
    data = np.where(matrix.indices == pin, 0.0, matrix.data)
    column = slice(*matrix.indptr[pin : pin + 2])
    data[column] = matrix.indices[column] == pin
    return sp.csc_array((data, matrix.indices, matrix.indptr), matrix.shape)


def solved(matrix: sp.csc_array, right: np.ndarray) -> np.ndarray:
    """x with matrix·x = right.

    The structure is symmetric, and friction makes the symmetric part definite: pivots stay where few entries fill in,
    unless they are very small. One correction repairs what that costs.
    """
    factors = linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=PIVOT, options={"SymmetricMode": True})
    x = factors.solve(right)
    return x + factors.solve(right - matrix @ x)


class Found(NamedTuple):
    """A steady state with the errors of its ledger's entries; `converged` means that they are as small as asked."""

    state: Discrete
    ledger: Ledger
    errors: np.ndarray
    unknowns: int
    rungs: int
    converged: bool


def velocity_of(terrain: Terrain, rung: Rung, number: int = 0, least: float = 0.0) -> Velocity:
    """The basis in velocity on the mesh of a number, which reaches to `least` thermal velocities if that is more than

    usual, and to a little more on finer meshes: their change shows these walls, too."""
    usual = FAST * math.sqrt(max(1.0, terrain.hottest / terrain.reference))
    count = math.ceil(rung.bulk * max(1.0, least / usual))
    reach = max(usual, least) * (1 + FASTER * number)
    return elements(graded(reach, count, rung.levels, VELOCITY_RATIO), rung.velocity_degree)


def mesh_of(terrain: Terrain, rung: Rung, number: int) -> Mesh | None:
    """The mesh in x; None if a potential rises and falls so much that it needs more elements than can be solved, or

    is so high that e^{V/2T} is no number."""
    first = max(4.0, terrain.variation(math.inf if terrain.kind in (OPEN, PERIODIC) else 12.0) / RISE)
    cut = CUT + 2 * number
    if rung.density * first > MOST_ELEMENTS or terrain.highest(cut) > HIGHEST * terrain.reference:
        return None
    return meshed(terrain, cut, rung.density * first, rung.degree, rung.divisions, RATIO)


def ladder(terrain: Terrain) -> tuple[Rung, ...]:
    return SINGULAR if terrain.kind == OPEN or len(terrain.steps) > 2 else SMOOTH


def left_over(
    change: np.ndarray,
    before: np.ndarray | None,
    scales: np.ndarray,
    rounding: np.ndarray,
    narrow: bool = False,
    pushed: bool = False,
) -> np.ndarray:
    """The errors of the last of three results, from the last change and the one before it, each on its scale.

    Where functions are narrow two meshes may agree by chance: no change is trusted to fall faster than `FALLS`. Where
    particles are `pushed`, by a load or by drives, far from their equilibrium, walls may cut off most of what is left,
    which falls slowly: `PUSHED` times the change is stated, at least.
    """
    if pushed:
        return np.maximum(PUSHED * change + rounding, left_over(change, before, scales, rounding, narrow))
    if before is None:
        return change + rounding
    if narrow:
        change = np.maximum(change, FALLS * before)
        return np.maximum(_extrapolated(change, before, scales, rounding), FALLS * before)
    return _extrapolated(change, before, scales, rounding)


def _extrapolated(change: np.ndarray, before: np.ndarray, scales: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    fell = float(np.max(change / scales) / np.max((before + rounding) / scales))
    factor = 4 * fell if fell < 0.25 else 1.0 if fell < 0.5 else 2 * fell / max(1 - fell, 1e-3)
    return change * factor + rounding


def steady(terrain: Terrain, tolerance: float) -> Found | None:
    """The steady state; None if not even one mesh could be solved."""
    best: Found | None = None
    change: np.ndarray | None = None
    excesses: list[float] = []
    rungs = ladder(terrain)
    for number, rung in enumerate(rungs):
        mesh = None if hopeless(excesses, len(rungs) - number) else mesh_of(terrain, rung, number)
        if mesh is None:
            break
        velocity = velocity_of(terrain, rung, number)
        unknowns = len(velocity.number) * mesh.count(False) * 2
        if unknowns > MOST_UNKNOWNS:
            break
        try:
            state = Discrete(Space(terrain, mesh), velocity)
        except (RuntimeError, np.linalg.LinAlgError):
            break
        ledger = state.ledger()
        entries = ledger.entries()
        rounding = rounding_of(ledger)
        if best is None:
            errors = np.full_like(entries, np.inf)
        else:
            previous, change = change, np.abs(entries - best.ledger.entries())
            errors = left_over(change, previous, scales_of(ledger, terrain), rounding, mesh.narrow, terrain.load != 0)
            change = change if previous is None or not mesh.narrow else np.maximum(change, FALLS * previous)
        excesses.append(excess(errors, ledger, terrain, tolerance))
        converged = excesses[-1] <= 1
        best = Found(state, ledger, errors, unknowns, number + 1, converged)
        if converged:
            break
    return best


def excess(errors: np.ndarray, ledger: Ledger, terrain: Terrain, tolerance: float) -> float:
    """How many times too large the errors are; not a number if one of them is none.

    Heats and work, entropy flows, and the flux are each to be as exact as asked, or zero but for rounding.
    """
    baths = len(ledger.heats)
    heats, entropies, ends, flow, leaks = np.split(errors, [baths, 2 * baths, 2 * baths + 2, 2 * baths + 5])
    energies = np.concatenate([ledger.heats, ledger.end_heats, [terrain.load * ledger.mean_velocity]])
    floor = ROUNDING * ledger.exchanged
    wanted = SURE * tolerance
    work = np.array([terrain.load * flow[1] if terrain.load else 0.0])
    parts = (
        (_largest(heats, ends, work), wanted * _largest(energies), floor),
        (_largest(leaks), wanted * _largest(energies, ledger.leaks), floor),
        (_largest(entropies), wanted * _largest(ledger.entropy_flows), floor / terrain.coldest),
        (flow[1], wanted * abs(ledger.mean_velocity), STILL * ledger.hurry),
    )
    return float(np.max([error / np.max([*allowed, TINY]) for error, *allowed in parts]))


def hopeless(excesses: list[float], left: int) -> bool:
    """Whether the `left` meshes cannot be expected to be as exact as asked, after those with these excesses."""
    known = excesses[1:]
    if len(known) < 2 or known[-1] <= 1:
        return False
    fell = np.min([EXPECTED, *(after / before if before > 0 else 0.0 for before, after in itertools.pairwise(known))])
    return bool(known[-1] * fell ** (BETTER * left) > 1)  # of what is no number nothing can be expected


def _largest(*numbers: np.ndarray) -> float:
    return float(np.max(np.abs(np.concatenate(numbers)), initial=0.0))


def scales_of(ledger: Ledger, terrain: Terrain) -> np.ndarray:
    """What changes of the entries are large against; what cancels to zero counts as what it is made of."""
    baths, tiny = len(ledger.heats), 1e-3 * ledger.exchanged
    energy = max(_largest(ledger.heats, ledger.end_heats), tiny)
    entropy = max(_largest(ledger.entropy_flows), tiny / terrain.coldest)
    speed = max(abs(ledger.mean_velocity), STILL * ledger.hurry)
    length = abs(ledger.mean_velocity / ledger.flux) if ledger.flux else 1.0
    return np.array(
        [energy] * baths
        + [entropy] * baths
        + [energy] * 2
        + [speed / length, speed, terrain.hottest]
        + [energy] * (baths - 1)
    )


def rounding_of(ledger: Ledger) -> np.ndarray:
    """What rounding alone does to the entries."""
    heat = np.full(len(ledger.heats), ROUNDING / 2 * ledger.exchanged)
    ends = np.full(2, ROUNDING / 2 * ledger.exchanged)
    length = abs(ledger.mean_velocity / ledger.flux) if ledger.flux else 1.0
    speed = ROUNDING / 2 * ledger.hurry
    rest = np.array([speed / length, speed, 64 * EPS * ledger.mean_temperature])
    return np.concatenate([heat, heat / max(ledger.mean_temperature, 1e-300), ends, rest, heat[1:]])
