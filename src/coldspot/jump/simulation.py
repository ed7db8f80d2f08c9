"""Ensembles of histories of a jump network: averages with standard errors, and the amounts of each."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import growth, parallel
from .._checks import InputError, Values, as_float, check_memory
from ..dynamics import Outcome, Rates, conclude, steady_state
from ..pytrees import batch_of_one, compiled, first_point
from ..solution import Solution, SolveError, Status
from ..trajectories import FEWEST, Ensemble
from .graph import marked
from .histories import Amounts, Histories, run
from .system import System
from .thinning import LANES, adds_up, cells_of, edges_of, look_at

MOST = 1e8
"""Candidates of one trajectory that are simulated at most, about."""


class JumpTrajectories(Ensemble):
    """An ensemble of independent histories of a jump network over a time.

    - `solution`: averages over histories and time, a `Solution` whose `error` holds standard errors; where all
      histories have the same, no jump among them, say, what one jump more in one of them could change;
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


@compiled
def _run(system: System, start: Array, stops: Array, time: Array, key: Array, first: Array) -> Histories:
    return run(system, start, stops, time, key, first)


class Single(NamedTuple):
    """What one jump changes at most at any time: `heats`, `particles`, `chemical_works`, `entropies` (bath,

    transition), `works` (drive and reservoir, transition); `rates` (edge): the largest.
    """

    heats: Array
    particles: Array
    works: Array
    chemical_works: Array
    entropies: Array
    rates: Array


@compiled
def _looked(system: System) -> tuple[Array, Array, Single]:
    """Whether works can be told apart, and the bounds of the rates, averaged over the cells (state)."""
    cells = cells_of(system)
    return adds_up(system), jnp.mean(cells.bound, axis=0), _single(system, (cells.low + cells.high) / 2)


def _single(system: System, places: Array) -> Single:
    edges, amounts = edges_of(system), Amounts(system)
    half, baths = len(edges.start) // 2, range(amounts.baths)
    look = jax.vmap(lambda t: look_at(system, 2 * jnp.pi * t))(places)

    def most(rows: Any, parts: Any) -> Array:
        """The largest sizes (place, transition of a part), at all transitions."""
        pairs = zip(rows, parts, strict=True)
        tops = [jnp.zeros(half).at[np.asarray(p, int)].max(jnp.max(jnp.abs(x), axis=0)) for x, p in pairs]
        return jnp.stack(tops) if tops else jnp.zeros((0, half))

    parts, reservoirs = amounts.parts[: amounts.baths], amounts.parts[amounts.baths :]
    # Work is given between two jumps, and is none while what drives give the states stays the same.
    steps = look.gains[:, :, edges.start[:half]] - look.gains[:, :, edges.end[:half]]
    given = jnp.max(steps, axis=0) - jnp.min(steps, axis=0)
    particles = [look.particles[k] if k in amounts.counted else jnp.zeros_like(look.taken[k]) for k in baths]
    return Single(
        heats=most(look.taken[: amounts.baths], parts),
        particles=most(particles, parts),
        works=jnp.concatenate([given, most(look.taken[amounts.baths :], reservoirs)]),
        chemical_works=most([look.potential[:, k, None] * particles[k] for k in baths], parts),
        entropies=most([look.taken[k] / look.temperature[:, k, None] for k in baths], parts),
        rates=jnp.max(look.rates, axis=0),
    )


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
    more = until if isinstance(until, growth.Until) else None
    if more is not None and n < FEWEST:
        raise InputError(f"trajectories: `n` must be at least {FEWEST} with an `Until`, but is {n}.")
    whole = more is not None or until is None
    stops = np.zeros(system.states, bool) if whole else marked(system.states, until, "trajectories: `until`")
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
    alone, bounds, single = _looked(system)
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

    single = jax.tree.map(np.asarray, single)
    found = _many(system, (first, stops, span), key, n, single, more, progress)
    solution = _averaged(system, found, steady, single, stops)
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


def _many(
    system: System,
    where: tuple[np.ndarray, np.ndarray, np.ndarray],
    key: Array,
    n: int,
    single: Single,
    until: growth.Until | None,
    progress: bool | None,
) -> Histories:
    """`n` histories, or `n` at a time `until` their errors are small, with the trajectory axis first; `where`: the

    distribution of the first state, the states that end a history, and the time.
    """
    start, stops, span = (jnp.asarray(x) for x in where)

    def piece(k: int) -> Histories:
        return jax.tree.map(np.asarray, _run(system, start, stops, span, key, jnp.asarray(k)))

    def portion(begin: int, bar: bool | None) -> Histories:
        places = range(begin, begin + n, LANES)
        parts = list(parallel.spread(piece, places, label="trajectories", progress=bar))
        return jax.tree.map(lambda *x: np.concatenate(x, axis=-1)[..., :n], *parts)

    if until is None:
        return jax.tree.map(lambda x: np.moveaxis(x, -1, 0), portion(0, progress))
    shapes = jax.eval_shape(lambda: _run(system, start, stops, span, key, jnp.asarray(0)))

    def packed(begin: int, bar: bool | None) -> growth.Result:
        found = portion(begin, bar)
        rows = np.concatenate([np.asarray(x, float).reshape(-1, n) for x in found])
        failed = np.where(found.exceeded > 0, 0, -1)
        return growth.Result(rows[None], failed, failed[None])

    def unpacked(done: growth.Result) -> Histories:
        rows, at = np.asarray(done.rates)[0], 0
        found: list[Any] = []
        for shape in shapes:
            size = int(np.prod(shape.shape[:-1]))
            part = rows[at : at + size].reshape(*shape.shape[:-1], rows.shape[-1]).astype(shape.dtype)
            found.append(np.moveaxis(part, -1, 0))
            at += size
        return Histories(*found)

    def worst(done: growth.Result) -> float:
        found = unpacked(done)
        errors = _averages(system, found, single, np.asarray(stops))[1]
        each = [np.asarray(x) for x in (errors.heats, errors.works) if x is not None]
        return max(float(np.max(x, initial=0.0)) for x in each)

    def label() -> str:
        edges, cells = edges_of(system), cells_of(system)
        phases = 2 * jnp.pi * jnp.concatenate([cells.low, (cells.low + cells.high) / 2, cells.high])
        looks = jax.lax.map(lambda phase: look_at(system, phase), phases)
        names = " ".join([*system.baths, "|", *system.drives])
        return growth.identity(system, edges, cells, looks, names, key, *where)

    return unpacked(growth.grown(packed, n, worst, until, progress, label))


def _possible(system: System, found: Histories, rates: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Transitions that could be made from where histories begin or end, or from where these lead (transition)."""
    edges = edges_of(system)
    leads = (rates > 0) & ~stops[edges.start]
    reached = np.zeros(system.states, bool)
    reached[found.start] = reached[found.end] = True
    more = True
    while more:
        new = edges.end[leads & reached[edges.start]]
        more = not reached[new].all()
        reached[new] = True
    return np.any((leads & reached[edges.start]).reshape(2, -1), axis=0)


def _averages(system: System, found: Histories, single: Single, stops: np.ndarray) -> tuple[Rates, Rates]:
    """The averages over histories and time, and their standard errors, of a batch of one."""
    span = float(np.mean(found.durations)) or 1.0
    possible = _possible(system, found, np.asarray(single.rates), stops)

    def rates(reduce: Any) -> Rates:
        rows = (found.heats, found.particles, found.works, found.storage, found.chemical_works, found.entropies)
        ones = (single.heats, single.particles, single.works, None, single.chemical_works, single.entropies)
        return Rates(*(jax.device_put(np.asarray(reduce(x, one))[None]) for x, one in zip(rows, ones, strict=True)))

    def mean(x: np.ndarray, one: Any = None) -> Any:
        return np.mean(x, axis=0) / span

    def error(x: np.ndarray, one: Any) -> Any:
        # Of a quotient of two means, where durations differ.
        rest = x - mean(x) * found.durations.reshape(-1, *(1,) * (x.ndim - 1))
        spread = np.std(rest, axis=0, ddof=1) / (np.sqrt(len(x)) * span)
        if one is None:
            return spread
        # Rare jumps may have been missed: histories that are all alike do not tell what few of many would do.
        alike = np.ptp(x, axis=0) <= 1e-12 * np.max(np.abs(x), axis=0)
        top = np.max(np.where(possible & np.isfinite(one), one, 0.0), axis=-1, initial=0.0)
        return np.where(alike, np.maximum(spread, top / (len(x) * span)), spread)

    return rates(mean), rates(error)


def _averaged(system: System, found: Histories, steady: Solution | None, single: Single, stops: np.ndarray) -> Solution:
    """The averages over histories and time, with standard errors."""
    closed = found.heats.sum(-1) + found.chemical_works.sum(-1) + found.works.sum(-1) - found.storage
    scale = float(np.max(np.abs(found.heats), initial=0.0) + np.max(np.abs(found.works), initial=0.0))

    def alone(number: Any) -> Array:
        return jax.device_put(np.asarray([number]))

    outcome = Outcome(
        *_averages(system, found, single, stops),
        faults={Status.NOT_CONVERGED: alone(found.exceeded.any())},
        residuals={"first law of each": alone(np.max(np.abs(closed)) / (scale or 1.0))},
        statistics={
            "trajectories": alone(len(found.start)),
            "jumps": alone(found.jumps.sum()),
            "candidates_per_jump": alone(found.candidates.sum() / (int(found.jumps.sum()) or 1)),
        },
        temperatures=None if steady is None else steady.temperatures[None],
        potentials=None if steady is None else steady.chemical_potentials[None],
        stochastic=True,
    )
    return _concluded(system, outcome)


@compiled
def _concluded(system: System, outcome: Outcome) -> Solution:
    return first_point(conclude(batch_of_one(system), outcome, jnp.asarray(1e-8), jnp.ones(1, bool)))
