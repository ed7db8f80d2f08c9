"""Time evolution of a density at rest in its potential: exponentials of the operator in small subspaces.

M ẏ = L y on one mesh. From y at one time a subspace is spanned by (M − shift·L)⁻¹M, one factorisation for all steps of
one length; in it the exponential is that of a small matrix. It is orthonormal in M, in which the operator of one
temperature dissipates. What open ends bring is taken out with the steady state. The subspace grows until the result
stands still; meshes become finer until the energies do.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import expm
from scipy.sparse import linalg

from ..pytrees import Table
from ..solution import Status
from .nodes import gauss
from .operator import assembled
from .profiles import Profiles
from .space import Space
from .stationary import FAST, MOST_UNKNOWNS, PIVOT, Discrete, ladder, mesh_of, velocity_of
from .terrain import OPEN, Terrain
from .velocity import Velocity

SHIFT = 0.1
"""Of a step's length."""
LARGEST = 100
"""Vectors of a subspace; a step that needs more is halved."""
TRIED = 5
"""So many vectors are added before the result is looked at again."""
PANELS, POINTS = 40, 12
"""In the velocity, for the integrals of a density that is given."""
HALVINGS = 12


class Moment(NamedTuple):
    """Particles, energy ⟨V+mv²/2⟩ and the heat that comes in from each bath, at one time."""

    particles: float
    energy: float
    heats: np.ndarray

    def row(self) -> np.ndarray:
        return np.array([self.particles, self.energy, *self.heats])


class Evolution:
    """What a density does from a given start, at each of `times`.

    - `particles` (time): ∫P; `energy` (time): ∫(V+mv²/2)P, of which a load is no part;
    - `heat` {bath: (time)}: heat that is absorbed per time just then; of one bath, without load and ends, dE/dt;
    - `profiles`: of each time, density, distribution, effective temperature and power density (`Profiles`);
    - `error`: the largest error of these numbers, relative to one particle, the energy and the heat that friction
      exchanges to and fro; `status`.
    """

    def __init__(self, times: np.ndarray, found: "Path | None", names: tuple[str, ...]):
        self.times = times
        rows = np.full((len(times), 2 + len(names)), np.nan)
        self.profiles: tuple[Profiles, ...] = ()
        self.error, self.status = math.inf, Status.NOT_CONVERGED
        if found is not None:
            rows = np.array([moment.row() for moment in found.moments])
            self.profiles = tuple(Profiles(state) for state in found.states)
            self.error = float(found.errors.max())
            self.status = Status.OK if found.converged else Status.NOT_CONVERGED
        self.particles, self.energy = rows[:, 0], rows[:, 1]
        bath_names = tuple(dict.fromkeys(names))
        self.heat = Table(
            {name: sum(rows[:, 2 + k] for k, own in enumerate(names) if own == name) for name in bath_names}
        )

    def __repr__(self) -> str:
        return f"Evolution({len(self.times)} times, baths {', '.join(self.heat)}, status {self.status.name})"


class Path(NamedTuple):
    """States at all times on the finest mesh, what they hold, and how far it is off, relative (as in `Moment.row`)."""

    states: list[Discrete]
    moments: list[Moment]
    errors: np.ndarray
    converged: bool


class Flow:
    """y(t) on one mesh."""

    def __init__(self, space: Space, velocity: Velocity, tolerance: float):
        self.space, self.velocity, self._tolerance = space, velocity, tolerance
        self._operator = assembled(space, velocity).matrix()
        masses = [sp.kron(v, x) for v, x in zip(velocity.mass, space.mass, strict=True)]
        self._mass = sp.block_diag(masses, format="csc")
        self.size = masses[0].shape[0]
        self._rest = np.zeros(self._mass.shape[0])
        if space.terrain.kind == OPEN:
            steady = Discrete(space, velocity)
            self._rest = np.concatenate([steady.even.ravel(), steady.odd.ravel()])
        self._inverses: dict[float, linalg.SuperLU] = {}

    def projected(self, density: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """The y whose P is as near to a density as can be, with all its integrals over functions of the basis."""
        space, velocity, terrain = self.space, self.velocity, self.space.terrain
        s = math.sqrt(terrain.reference / terrain.mass)
        nodes, weights = gauss(POINTS)
        reach = FAST * math.sqrt(max(1.0, terrain.hottest / terrain.reference))
        edges = np.linspace(-reach, reach, PANELS + 1)
        half = np.diff(edges)[:, None] / 2
        u = ((edges[1:] + edges[:-1])[:, None] / 2 + half * nodes).ravel()
        plain = (half * weights).ravel() * np.exp(u * u / 2) * math.sqrt(2 * math.pi)
        values = density(space.x.reshape(-1, 1), s * u[None, :]).reshape(*space.x.shape, -1)
        along = s * values * plain * space.plain[:, :, None]
        even, odd = velocity.values(u)
        right = [np.zeros((even.shape[1], space.size)), np.zeros((odd.shape[1], space.odd_size))]
        for found, speeds, own, places in zip(
            right, (even, odd), (space.even, space.odd), (space.even_of, space.odd_of), strict=True
        ):
            blocks = np.einsum("equ,eqi,un->ein", along, own, speeds, optimize=True)
            np.add.at(found.T, places, blocks)
        return linalg.spsolve(self._mass, np.concatenate([part.ravel() for part in right]))

    def after(self, y: np.ndarray, time: float) -> np.ndarray:
        """y a time later."""
        return self._rest + self._decayed(y - self._rest, time, 0)

    def _decayed(self, y: np.ndarray, time: float, halved: int) -> np.ndarray:
        found = self._in_subspace(y, time)
        if found is not None:
            return found
        if halved == HALVINGS:
            raise RuntimeError("no step is short enough")
        return self._decayed(self._decayed(y, time / 2, halved + 1), time / 2, halved + 1)

    def _in_subspace(self, y: np.ndarray, time: float) -> np.ndarray | None:
        if time not in self._inverses:
            matrix = (self._mass - SHIFT * time * self._operator).tocsc()
            self._inverses[time] = linalg.splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=PIVOT, options={"SymmetricMode": True}
            )
        inverse, mass = self._inverses[time], self._mass
        size = math.sqrt(max(float(y @ (mass @ y)), 0.0))
        if size == 0:
            return y
        basis, images = [y / size], [mass @ y / size]
        small = np.zeros((LARGEST + 1, LARGEST))
        last: np.ndarray | None = None
        for k in range(LARGEST):
            new = inverse.solve(images[k])
            for _ in range(2):
                parts = np.array([image @ new for image in images])
                new = new - np.array(basis).T @ parts
                small[: k + 1, k] += parts
            image = mass @ new
            small[k + 1, k] = norm = math.sqrt(max(float(new @ image), 0.0))
            closed = norm < 1e-14
            if closed or (k + 1) % TRIED == 0:
                square = small[: k + 1, : k + 1]
                rates = (np.eye(k + 1) - np.linalg.inv(square)) / SHIFT
                now = size * expm(rates)[:, 0]
                if last is not None or closed:
                    before = np.zeros(k + 1) if last is None else np.pad(last, (0, k + 1 - len(last)))
                    if closed or np.linalg.norm(now - before) <= 0.1 * self._tolerance * size:
                        return np.array(basis).T @ now
                last = now
            basis.append(new / norm)
            images.append(image / norm)
        return None

    def state(self, y: np.ndarray) -> Discrete:
        even = y[: self.size].reshape(len(self.velocity.number), -1)
        return Discrete.of(self.space, self.velocity, even, y[self.size :])

    def moment(self, state: Discrete) -> Moment:
        space, terrain = self.space, self.space.terrain
        number = space.weight * space.at_points(self.velocity.number @ state.even)
        square = space.weight * space.at_points(self.velocity.square @ state.even)
        heights = terrain.read(space.x)[0] + terrain.lowest
        energy = (heights * number + terrain.reference / 2 * square).sum()
        return Moment(float(number.sum()), float(energy), state.ledger().heats)


def path(
    terrain: Terrain, density: Callable[[np.ndarray, np.ndarray], np.ndarray], times: np.ndarray, tolerance: float
) -> Path | None:
    """The density P(x, v) at `times`, from `density(x, v)` at time 0; None if not even one mesh could be solved."""
    best: Path | None = None
    for number, rung in enumerate(ladder(terrain)):
        mesh = mesh_of(terrain, rung, number)
        if mesh is None:
            break
        velocity = velocity_of(terrain, rung)
        if len(velocity.number) * mesh.count(False) * 2 > MOST_UNKNOWNS:
            break
        try:
            flow = Flow(Space(terrain, mesh), velocity, tolerance)
            y, now, states = flow.projected(density), 0.0, []
            for time in times:
                y, now = (flow.after(y, float(time - now)) if time > now else y), float(time)
                states.append(flow.state(y))
        except (RuntimeError, np.linalg.LinAlgError):
            break
        moments = [flow.moment(state) for state in states]
        rows = np.array([moment.row() for moment in moments])
        exchanged = max(state.ledger().exchanged for state in states)
        scale = np.array([1.0, max(np.abs(rows[:, 1]).max(), terrain.hottest)] + [exchanged] * len(moments[0].heats))
        errors = np.full_like(rows, np.inf)
        if best is not None:
            errors = np.abs(rows - [moment.row() for moment in best.moments]) / scale + tolerance / 10
        converged = bool(np.all(errors <= tolerance))
        best = Path(states, moments, errors, converged)
        if converged:
            break
    return best
