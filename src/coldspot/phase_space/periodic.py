"""Periodic states of a moved potential: harmonics of the density, coupled by those of the force.

With V = V₀ + U, V₀ the mean over the period, f = Σ_k f_k e^{ikΩt} obeys

(ikΩ − L₀) f_k = Σ_h G_h f_{k−h},   G = −(∂_xU/ms) ∂†,

with L₀ and ∂† of `operator`. All harmonics are found together by GMRES, after multiplication with (ikΩ−L₀)⁻¹ by sparse
factors, one for each k. What a moved potential does to the mean is left to the heat, work and flux of the state f₀,
to which alone what comes in at open ends is added.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg

from .pieces import Pieced, most_unknowns
from .space import Space
from .stationary import (
    MOST_UNKNOWNS,
    PIVOT,
    ROUNDING,
    SURE,
    TINY,
    Discrete,
    Ledger,
    excess,
    hopeless,
    ladder,
    left_over,
    mesh_of,
    rounding_of,
    scales_of,
    velocity_of,
)
from .terrain import Terrain
from .tide import PHASES, Pieces, Tide
from .velocity import Velocity
from .whole import inverse_of

HARMONICS = (5, 8, 11, 14, 18, 22)
"""Of the density, on each mesh of the ladder."""
MOST_NUMBERS = 500_000
"""Unknowns × harmonics, at most."""
NEGLIGIBLE = 1e-14
"""Harmonics of the potential below this part of the largest are rounding."""
RESTART, ROUNDS = 60, 4
LOOKED_AT = 8
"""Phases at which the density is looked at, whether it is positive."""
GMRES = 1e-11


class Wave(NamedTuple):
    """Harmonics 0, 1, … of what moves beside the mean: `heights` (harmonic, …), `powers` (harmonic, drive, …)."""

    heights: np.ndarray
    powers: np.ndarray
    frequency: float

    @classmethod
    def of(cls, tide: Tide) -> "Wave":
        heights = np.fft.rfft(np.asarray(tide.heights), axis=0)[: PHASES // 2] / PHASES
        powers = np.moveaxis(np.fft.rfft(np.asarray(tide.powers), axis=1)[:, : PHASES // 2], 1, 0) / PHASES
        return cls(heights, powers, float(tide.frequency))

    def roughness(self, terrain: Terrain) -> tuple[float, float]:
        """How far the sums may be from the potential, relative to T, and the place where it is worst; see `Terrain`.

        In time it is judged by the last two harmonics.
        """
        in_space, place = terrain.tail(self.heights)
        last, other = terrain.largest(self.heights[-2:])
        return (last, other) if last > in_space else (in_space, place)


class Tidal:
    """The periodic state on one mesh: `mean`, as a steady state, and the work of each drive."""

    def __init__(self, space: Space, velocity: Velocity, wave: Wave, harmonics: int):
        self.space, self.velocity, self.wave = space, velocity, wave
        still = inverse_of(space, velocity)
        self._still, self.unknowns = still, still.unknowns
        mass = sp.block_diag([sp.kron(v, x) for v, x in zip(velocity.mass, space.mass, strict=True)], format="csc")
        self._factors = [
            linalg.splu(
                (1j * k * wave.frequency * mass - still.operator).tocsc(),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=PIVOT,
                options={"SymmetricMode": True},
            )
            for k in range(1, harmonics + 1)
        ]
        self._pushes = self._forces()
        self.states = self._found(harmonics)
        size = still.size
        shape = len(velocity.number), space.size
        self._even = [state[:size].reshape(shape) for state in self.states]
        self.mean = Discrete.of(space, velocity, self._even[0].real, self.states[0][size:].real)
        self.doubt = np.zeros(())

    def _forces(self) -> dict[int, sp.csr_array]:
        """The part of G_h in the position, ⟨o, −(∂_xU_h/ms) e⟩, by h = 0, 1, …, of those that are not zero."""
        space, terrain = self.space, self.space.terrain
        scale = -1 / (terrain.mass * np.sqrt(terrain.reference / terrain.mass))
        sizes = np.abs(self.wave.heights).max(axis=(1, 2, 3))
        return {
            int(h): space.crossed(scale * terrain.field(self.wave.heights[h], space.x, slope=True))
            for h in np.flatnonzero(sizes > NEGLIGIBLE * sizes.max())
        }

    def _pushed(self, states: np.ndarray) -> np.ndarray:
        """Σ_h G_h f_{k−h} (harmonic, unknown) for k ≥ 0, of the real signal with these harmonics.

        Velocity and position one after the other: their product as one matrix would have a hundred times the entries.
        """
        count, size, velocity = len(states), self._still.size, self.velocity
        # (x, velocity and harmonic)
        even, odd = states[:, :size], states[:, size:]
        raised = _along(velocity.raising, even, self.space.size)
        lowered = _along(velocity.lowering.T, odd, self.space.odd_size)
        found = np.zeros_like(states)

        def push(cross: sp.csr_array) -> np.ndarray:
            fast, slow = (
                part.reshape(part.shape[0], -1, count).transpose(2, 1, 0).reshape(count, -1)
                for part in (cross @ raised, cross.T @ lowered)
            )
            return np.concatenate([slow, fast], axis=-1)

        for h, cross in self._pushes.items():
            own, back = push(cross), push(cross.conj())
            for k in range(count):
                if k - h >= 0:
                    found[k] += own[k - h]
                elif h - k < count:
                    # f of a negative harmonic is the conjugate of the positive one's.
                    found[k] += back[h - k].conj()
                if h and k + h < count:
                    found[k] += back[k + h]
        return found

    def _solved(self, right: np.ndarray) -> np.ndarray:
        """(ikΩ−L₀)⁻¹ for each k."""
        found = np.empty_like(right)
        found[0] = -self._still.solved(right[0].real)
        for k, factors in enumerate(self._factors, 1):
            found[k] = factors.solve(right[k])
        return found

    def _found(self, harmonics: int) -> np.ndarray:
        shape = harmonics + 1, self.unknowns

        def complex_(flat: np.ndarray) -> np.ndarray:
            parts = flat.reshape(2, *shape)
            return parts[0] + 1j * parts[1]

        def flat(states: np.ndarray) -> np.ndarray:
            return np.concatenate([states.real.ravel(), states.imag.ravel()])

        start = np.zeros(shape, complex)
        start[0] = self._still.steady
        operator = linalg.LinearOperator(
            (2 * shape[0] * shape[1],) * 2,
            matvec=lambda z: z - flat(self._solved(self._pushed(complex_(z)))),
            dtype=float,
        )
        first = flat(self._solved(self._pushed(start)))
        change, wrong = linalg.gmres(operator, first, rtol=GMRES, restart=RESTART, maxiter=ROUNDS)
        if wrong:
            raise RuntimeError("GMRES did not converge")
        return start + complex_(change)

    def smallest(self) -> float:
        """The smallest value of the density over its largest of the moment, at `LOOKED_AT` phases."""
        size, found = self._still.size, []
        for phase in 2 * np.pi * np.arange(LOOKED_AT) / LOOKED_AT:
            turns = np.exp(1j * phase * np.arange(len(self.states)))
            turns[1:] *= 2
            now = (turns @ self.states).real
            found.append(Discrete.of(self.space, self.velocity, now[:size].reshape(self._even[0].shape), now[size:]))
        return min(state.smallest() for state in found)

    def works(self) -> np.ndarray:
        """⟨∂V/∂λ_d dλ_d/dt⟩ of each drive, averaged over the period."""
        space = self.space
        total = np.zeros(self.wave.powers.shape[1])
        for k, (even, powers) in enumerate(zip(self._even, self.wave.powers, strict=False)):
            number = space.weight * space.at_points(self.velocity.number @ even)
            for d, power in enumerate(powers):
                own = (number * np.conj(space.terrain.field(power, space.x))).sum().real
                total[d] += own if k == 0 else 2 * own
        return total


def _along(matrix: sp.sparray, states: np.ndarray, width: int) -> np.ndarray:
    """A matrix of velocities applied to (harmonic, velocity and x): (x, velocity and harmonic)."""
    count = len(states)
    found = matrix @ states.reshape(count, -1, width).transpose(1, 2, 0).reshape(matrix.shape[1], -1)
    return found.reshape(-1, width, count).transpose(1, 0, 2).reshape(width, -1)


class Found(NamedTuple):
    """The finest periodic state, its ledger and works with their errors, and whether these are as small as asked."""

    state: Tidal | Pieced
    ledger: Ledger
    works: np.ndarray
    errors: np.ndarray
    work_errors: np.ndarray
    unknowns: int
    rungs: int
    converged: bool


def periodic(terrain: Terrain, tide: Tide | Pieces, tolerance: float) -> Found | None:
    """The periodic state; None if not even one mesh could be solved."""
    best: Found | None = None
    change: np.ndarray | None = None
    wave = tide if isinstance(tide, Pieces) else Wave.of(tide)
    excesses: list[float] = []
    rungs = tuple(zip(ladder(terrain), HARMONICS, strict=False))
    for number, (rung, harmonics) in enumerate(rungs):
        mesh = None if hopeless(excesses, len(rungs) - number) else mesh_of(terrain, rung, number)
        if mesh is None:
            break
        velocity = velocity_of(terrain, rung, number)
        unknowns = len(velocity.number) * mesh.count(False) * 2
        if isinstance(wave, Pieces):
            numbers, most = unknowns, most_unknowns(wave, MOST_UNKNOWNS)
        else:
            numbers, most = unknowns * harmonics, MOST_NUMBERS
        if unknowns > MOST_UNKNOWNS or numbers > most:
            break
        try:
            space = Space(terrain, mesh)
            state: Tidal | Pieced
            if isinstance(wave, Pieces):
                state = Pieced(space, velocity, wave, tolerance, number)
            else:
                state = Tidal(space, velocity, wave, harmonics)
        except (RuntimeError, np.linalg.LinAlgError):
            break
        ledger, works = state.mean.ledger(), state.works()
        entries = np.concatenate([ledger.entries(), works])
        rounding = np.concatenate([rounding_of(ledger), np.full(len(works), ROUNDING / 2 * ledger.exchanged)])
        energy = max(float(np.abs(np.concatenate([ledger.heats, works])).max()), 1e-3 * ledger.exchanged)
        scales = np.concatenate([scales_of(ledger, terrain), np.full(len(works), energy)])
        if best is None:
            errors = np.full_like(entries, np.inf)
        else:
            previous, change = change, np.abs(entries - np.concatenate([best.ledger.entries(), best.works]))
            errors = left_over(change, previous, scales, rounding, mesh.narrow, True) + state.doubt
        own = errors[len(entries) - len(works) :]
        rest = errors[: len(entries) - len(works)]
        largest = float(np.abs(np.concatenate([ledger.heats, works])).max())
        allowed = max(SURE * tolerance * largest, ROUNDING * ledger.exchanged)
        excesses.append(float(np.maximum(excess(rest, ledger, terrain, tolerance), own.max() / max(allowed, TINY))))
        converged = excesses[-1] <= 1
        best = Found(state, ledger, works, rest, own, numbers, number + 1, converged)
        if converged:
            break
    return best
