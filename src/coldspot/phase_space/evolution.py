"""Time evolution of a density, in a potential at rest or one that drives move: heat, work and storage in time.

On each mesh `flow` and `moving` follow the density; meshes, and steps in time, become finer until the numbers stay. A
finer mesh reaches farther, too, so that the change shows resolution, walls and steps together.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..progress import track
from ..pytrees import Table
from ..solution import Status
from .course import LOOKED_AT, Course
from .extents import extent_of
from .flow import Flow
from .moving import Moving
from .profiles import Profiles
from .space import Mesh, Space, meshed
from .stationary import (
    CUT,
    HIGHEST,
    MOST_ELEMENTS,
    MOST_UNKNOWNS,
    RATIO,
    RISE,
    Discrete,
    Rung,
    hopeless,
    ladder,
    velocity_of,
)
from .terrain import CLOSED, OPEN, Terrain

ROUNDED = 1e-11
"""No tolerance below this one is reached."""
LESS = 0.3
"""By what factor steps in time are more exact on the next mesh."""
DEPTH = 12.0
"""Temperatures up to which a potential sets the length of elements."""


class Moment(NamedTuple):
    """Particles, energy ⟨V+mv²/2⟩; heat from each region, work of the load and of each drive per time, and since 0."""

    particles: float
    energy: float
    rates: np.ndarray
    amounts: np.ndarray

    def row(self) -> np.ndarray:
        return np.array([self.particles, self.energy, *self.rates, *self.amounts])


class Evolution:
    """What a density does from a given start, at each of `times`.

    - `particles` (time): ∫P; `energy` (time): ∫(V+mv²/2)P, of which a load is no part;
    - `heat` {bath: (time)}, `work` {load or drive: (time)}: heat that is absorbed and work that is done per time just
      then; `heat_amount`, `work_amount`: from time 0 on, jumps of the drives among them;
    - `first_law` (time): Σ heat + Σ work since the first of the times, less the change of the energy (an error of the
      method; but with open ends what particles bring);
    - `profiles`: of each time, density, distribution, effective temperature and power density (`Profiles`);
    - `error`: the largest error of these numbers, relative to one particle, the energy and the heat that friction
      exchanges to and fro (amounts: in all the time); `negative`: how far densities fall below zero, relative to their
      largest; `status`.
    """

    def __init__(self, times: np.ndarray, found: "Path | None", names: tuple[str, ...], drives: tuple[str, ...]):
        self.times = times
        parts = len(names)
        rates = np.full((len(times), 2, parts + 1 + len(drives)), np.nan)
        self.particles, self.energy = np.full((2, len(times)), np.nan)
        self.profiles: tuple[Profiles, ...] = ()
        self.error, self.negative, self.status = math.inf, math.nan, Status.NOT_CONVERGED
        if found is not None:
            rates = np.array([(moment.rates, moment.amounts) for moment in found.moments])
            self.particles = np.array([moment.particles for moment in found.moments])
            self.energy = np.array([moment.energy for moment in found.moments])
            self.profiles = tuple(Profiles(state) for state in found.states)
            self.negative = max(max(0.0, -state.smallest()) for state in found.states)
            self.error = float(found.errors.max())
            self.status = Status.OK if found.converged else Status.NOT_CONVERGED
        bath_names = tuple(dict.fromkeys(names))

        def heats(columns: np.ndarray) -> Table:
            own = {b: [columns[:, k] for k, name in enumerate(names) if name == b] for b in bath_names}
            return Table({name: sum(parts[1:], parts[0]) for name, parts in own.items()})

        def works(columns: np.ndarray) -> Table:
            shown = columns[:, parts:] if "load" in drives else columns[:, parts + 1 :]
            return Table({name: shown[:, k] for k, name in enumerate(drives)})

        (self.heat, self.heat_amount), (self.work, self.work_amount) = (
            tuple(f(rates[:, k]) for k in (0, 1)) for f in (heats, works)
        )
        total = rates[:, 1].sum(-1)
        self.first_law = (total - total[0]) - (self.energy - self.energy[0])

    def __repr__(self) -> str:
        names = ", ".join([f"baths {', '.join(self.heat)}"] + [f"work {', '.join(self.work)}"] * bool(self.work))
        return f"Evolution({len(self.times)} times, {names}, status {self.status.name})"


class Path(NamedTuple):
    """States at all times on the finest mesh, what they hold, and how far it is off, relative (as in `Moment.row`)."""

    states: list[Discrete]
    moments: list[Moment]
    errors: np.ndarray
    converged: bool


def path(
    terrain: Terrain,
    density: Callable[[np.ndarray, np.ndarray], np.ndarray],
    times: np.ndarray,
    tolerance: float,
    course: Course | None = None,
) -> Path | None:
    """The density P(x, v) at `times`, from `density(x, v)` at time 0; None if not even one mesh could be solved."""
    best: Path | None = None
    extent = extent_of(terrain, density, tolerance)
    terrain = extent.terrain
    excesses: list[float] = []
    rungs = ladder(terrain)
    for number, rung in enumerate(track(rungs, total=len(rungs), label="meshes")):
        if hopeless(excesses, len(rungs) - number):
            break
        mesh = _mesh(terrain, rung, max(CUT, extent.height) + 2 * number, course)
        if mesh is None:
            break
        velocity = velocity_of(terrain, rung, number, extent.speed)
        if len(velocity.number) * mesh.count(False) * 2 > MOST_UNKNOWNS:
            break
        try:
            flow = Flow(Space(terrain, mesh), velocity, tolerance)
            moving = None
            if course is not None:
                # Work is what a drive leaves of much that it gives and takes: it is followed as closely as asked.
                less = LESS**number
                moving = Moving(flow, course, tolerance, math.sqrt(tolerance) * less, tolerance * less)
            states, moments = _followed(flow, density, times, moving)
        except (RuntimeError, np.linalg.LinAlgError):
            break
        rows = np.array([moment.row() for moment in moments])
        exchanged = max(state.ledger().exchanged for state in states)
        flows = len(moments[0].rates)
        energy = max(np.abs(rows[:, 1]).max(), terrain.hottest)
        # Work changes the energy as heat does.
        scale = np.concatenate(
            [[1.0, energy], np.full(flows, exchanged), np.full(flows, max(exchanged * times[-1], energy))]
        )
        errors = np.full_like(rows, np.inf)
        if best is not None and np.isfinite(rows).all() and scale.all():
            errors = np.abs(rows - [moment.row() for moment in best.moments]) / scale + tolerance / 10
            if terrain.kind != OPEN:
                amounts = rows[:, 2 + flows :].sum(-1)
                missing = np.abs((amounts - amounts[0]) - (rows[:, 1] - rows[0, 1])) / scale[-1]
                errors[:, 1] = np.maximum(errors[:, 1], missing)
        excesses.append(float(errors.max()) / tolerance)
        converged = bool(np.all(errors <= tolerance))
        best = Path(states, moments, errors, converged)
        if converged:
            break
    return best


def _mesh(terrain: Terrain, rung: Rung, cut: float, course: Course | None) -> Mesh | None:
    """The mesh in x, as for a steady state; with drives, fine enough for the potential at all times."""
    limit = DEPTH if terrain.kind == CLOSED else math.inf
    first = max(4.0, terrain.variation(limit) / RISE)
    if course is not None:
        start, stop = terrain.ends(cut)
        x = np.linspace(start, stop, 400)
        base = terrain.read(x)[0]
        for heights in course.heights(np.linspace(0.0, course.last, LOOKED_AT)):
            v = base + terrain.field(heights, x)
            v = (v - v.min()) / terrain.coldest
            share = np.mean(v < CUT) if terrain.kind == CLOSED and not terrain.walled else 1.0
            first = max(first, np.abs(np.diff(np.minimum(v, limit))).sum() / RISE / share)
    if rung.density * first > MOST_ELEMENTS or terrain.highest(cut) > HIGHEST * terrain.reference:
        return None
    return meshed(terrain, cut, rung.density * first, rung.degree, rung.divisions, RATIO)


def _followed(
    flow: Flow,
    density: Callable[[np.ndarray, np.ndarray], np.ndarray],
    times: np.ndarray,
    moving: Moving | None,
) -> tuple[list[Discrete], list[Moment]]:
    """States and moments at all times on one mesh."""
    y, now, total = flow.projected(density), 0.0, np.zeros(())
    space, terrain = flow.space, flow.space.terrain
    heights = terrain.read(space.x)[0] + terrain.lowest
    states, moments = [], []
    for time in map(float, times):
        if time > now:
            y, amounts = (flow if moving is None else moving).after(y, now, time)
            total, now = total + amounts, time
        state = flow.state(y)
        number = space.weight * space.at_points(flow.velocity.number @ state.even)
        square = space.weight * space.at_points(flow.velocity.square @ state.even)
        energy, rates = float((heights * number + terrain.reference / 2 * square).sum()), flow.rates(y)
        if moving is not None:
            energy += moving.energy(y, time)
            rates = np.concatenate([rates, moving.power(y, time)])
        states.append(state)
        moments.append(Moment(float(number.sum()), energy, rates, total + np.zeros_like(rates)))
    return states, moments
