"""Ensembles of histories of a jump network: averages with standard errors, and the amounts of each."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import parallel
from .._checks import InputError, Values, as_float, check_memory
from ..dynamics import Outcome, Rates, conclude, steady_state
from ..pytrees import batch_of_one, compiled, first_point
from ..solution import Solution, SolveError, Status
from ..trajectories import Ensemble
from .graph import marked
from .histories import Histories, run
from .system import System
from .thinning import LANES, adds_up, cells_of

MOST = 1e8
"""Candidates of one trajectory that are simulated at most, about."""


class JumpTrajectories(Ensemble):
    """An ensemble of independent histories of a jump network over a time.

    - `solution`: averages over histories and time, a `Solution` whose `error` holds standard errors;
    - `heats`, `particle_numbers` (n, bath), `works` (n, drive), `storages` (n,): of each history, what it took from
      each bath and drive and what its energy changed, over the `time`; heat + chemical work + work = storage for each;
    - `entropy_flows` (n, bath): Σ heat/T at the bath's temperature of the moment;
    - `starts`, `ends` (n,): first and last state; `jumps` (n,): how many; `durations` (n,): `time`, or less where
      `until` has ended them: first passage times.
    """

    solution: Solution
    heats: Values
    particle_numbers: Values
    works: Values
    storages: Values
    entropy_flows: Values
    starts: Values
    ends: Values
    jumps: Values
    durations: Values
    time: Values

    particles = property(lambda self: self.solution.particles)

    def own(self) -> dict[str, Any]:
        return super().own() | {"particles": self.particle_numbers}

    def unit_of(self, rate: str) -> str:
        # Amounts over the time, not rates.
        return rate.replace("E**2/hbar", "E").replace("E/hbar", "1")


@compiled
def _run(system: System, start: Array, stops: Array, time: Array, key: Array, first: Array) -> Histories:
    return run(system, start, stops, time, key, first)


@compiled
def _looked(system: System) -> tuple[Array, Array]:
    """Whether works can be told apart, and the bounds of the rates, averaged over the cells (state)."""
    return adds_up(system), jnp.mean(cells_of(system).bound, axis=0)


def _start(system: System, start: Any) -> np.ndarray:
    """The distribution of the first state."""
    if isinstance(start, int | np.integer) and not isinstance(start, bool):
        if not 0 <= start < system.states:
            raise InputError(f"trajectories: `start` is state {start}, but states are 0 to {system.states - 1}.")
        return np.eye(system.states)[start]
    p = np.asarray(as_float(start, "trajectories: `start`"))
    if p.shape != (system.states,) or np.any(~(p >= 0)) or not abs(p.sum() - 1) < 1e-9:
        raise InputError(
            f"trajectories: `start` must be a state, or {system.states} probabilities that add up to 1, "
            f"but is {start!r}."
        )
    return p


def sample(
    system: System,
    key: Array,
    n: int,
    time: Any,
    *,
    start: Any = None,
    until: Any = None,
    throw: bool = True,
    progress: bool | None = None,
) -> JumpTrajectories:
    """`n` histories over `time` from phase 0; called by `coldspot.trajectories`."""
    if n < 2:
        raise InputError(f"trajectories: `n` must be at least 2, for standard errors, but is {n}.")
    check_memory(
        f"trajectories: `n` = {n} histories",
        2 * 8 * float(n) * (8 + 4 * len(system.steady_baths()) + len(system.workers())),
        "take fewer, one ensemble after the other with keys of their own.",
    )
    span = np.asarray(as_float(time, "trajectories: `time`"))
    if span.ndim or not (np.isfinite(span) and span > 0):
        raise InputError(f"trajectories: `time` must be a positive number, but is {time!r}.")
    steady = steady_state(system) if start is None else None
    if steady is not None:
        first = np.asarray(steady.populations)
        if system.period is not None:
            # Averages over whole periods are those of the periodic state.
            span = np.ceil(span / np.asarray(system.period) * (1 - 1e-12)) * np.asarray(system.period)
    else:
        first = _start(system, start)
    alone, bounds = _looked(system)
    if not alone:
        raise InputError(
            "trajectories: the drives' parts of the energies do not add up, so that a jump does not tell the work of "
            "each; give `energies` as a function of the phase, without `drives`."
        )
    rate = float(np.max(bounds) if system.period is not None else np.sum(first * np.asarray(bounds)))
    if not rate * float(span) <= MOST:
        raise InputError(
            f"trajectories: one trajectory has some {rate * float(span):.0e} jumps, more than {MOST:.0e}; "
            "shorten `time`, or use `steady_state` and `counting`."
        )

    stops = np.zeros(system.states, bool) if until is None else marked(system.states, until, "trajectories: `until`")

    def piece(k: int) -> Histories:
        where = (jnp.asarray(first), jnp.asarray(stops), jnp.asarray(span))
        return jax.tree.map(np.asarray, _run(system, *where, key, jnp.asarray(k)))

    parts = list(parallel.spread(piece, range(0, n, LANES), label="trajectories", progress=progress))
    found = jax.tree.map(lambda *x: np.moveaxis(np.concatenate(x, axis=-1)[..., :n], -1, 0), *parts)
    solution = _averaged(system, found, steady)
    if throw and not bool(solution.ok):
        status = Status(int(solution.status))
        above = int(found.exceeded.sum())
        words = f"{above} candidates had a rate above its bound: rates change within 1/10000 of the period"
        words = words if above else status.advice
        raise SolveError(f"trajectories: the averages cannot be trusted ({status.name}): {words}.", status, solution)
    return JumpTrajectories(
        solution=solution,
        heats=found.heats,
        particle_numbers=found.particles,
        works=found.works,
        storages=found.storage,
        entropy_flows=found.entropies,
        starts=found.start,
        ends=found.end,
        jumps=found.jumps,
        durations=found.durations,
        time=jnp.asarray(span),
    )


def _averaged(system: System, found: Histories, steady: Solution | None) -> Solution:
    """The averages over histories and time, with standard errors."""
    span = float(np.mean(found.durations)) or 1.0

    def rates(reduce: Any) -> Rates:
        rows = (found.heats, found.particles, found.works, found.storage, found.chemical_works, found.entropies)
        return Rates(*(jnp.asarray(reduce(x))[None] for x in rows))

    def mean(x: np.ndarray) -> Any:
        return np.mean(x, axis=0) / span

    def error(x: np.ndarray) -> Any:
        # Of a quotient of two means, where durations differ.
        rest = x - mean(x) * found.durations.reshape(-1, *(1,) * (x.ndim - 1))
        return np.std(rest, axis=0, ddof=1) / (np.sqrt(len(x)) * span)

    closed = found.heats.sum(-1) + found.chemical_works.sum(-1) + found.works.sum(-1) - found.storage
    scale = float(np.max(np.abs(found.heats), initial=0.0) + np.max(np.abs(found.works), initial=0.0))
    outcome = Outcome(
        rates(mean),
        rates(error),
        faults={Status.NOT_CONVERGED: jnp.asarray([found.exceeded.any()])},
        residuals={"first law of each": jnp.asarray([np.max(np.abs(closed)) / (scale or 1.0)])},
        statistics={
            "trajectories": jnp.asarray([len(found.start)]),
            "jumps": jnp.asarray([found.jumps.sum()]),
            "candidates_per_jump": jnp.asarray([found.candidates.sum() / (int(found.jumps.sum()) or 1)]),
        },
        temperatures=None if steady is None else steady.temperatures[None],
        potentials=None if steady is None else steady.chemical_potentials[None],
        stochastic=True,
    )
    return first_point(conclude(batch_of_one(system), outcome, jnp.asarray(1e-8), jnp.ones(1, bool)))
