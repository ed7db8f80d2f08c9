"""The verb `trajectories` for oscillator networks: an ensemble in chunks on all cores; words for what goes wrong."""

import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import growth
from .._checks import InputError, as_float, check_positive, check_shape, valid
from ..dynamics import Dynamics, conclude
from ..parallel import spread, workers
from ..pytrees import batch_of_one, compiled, first_point
from ..solution import Solution, SolveError, Status
from ..trajectories import Trajectories, check_ensemble
from .ensemble import BIAS, CLOSED, DRIFT, Prepared, assess, prepare, summarise
from .model import System
from .simulation import BLOCK, Lanes, Motion, Plan, Result, State, begin, cleared, energies, record, settle, stretch
from .words import UNHELD, jump_words, start_words

OWNER = "trajectories"
QUANTITIES = 24
"""Numbers that are kept of each trajectory, at least."""
CHUNK = 1024
"""Trajectories that run together on a processor: their numbers stay in its cache."""
WIDEST = {"xla_cpu_prefer_vector_width": 512}
"""Options of the compiler for processors: the longest vectors, if there are any."""
STRETCH = 1 << 24
"""Steps × trajectories × coordinates of one call, a fraction of a second: Ctrl-C waits for no more."""


def sample(
    dynamics: Dynamics,
    system: System,
    key: Array,
    n: int,
    time: Any,
    *,
    time_step: Any,
    bias: Any,
    transient: Any,
    keep: int,
    stride: int,
    throw: bool,
    progress: bool | None,
    until: growth.Until | None,
) -> Trajectories:
    """Trajectories of a system, the numbers of `dynamics`; see `OscillatorNetwork.trajectories`."""
    check_ensemble(OWNER, n, time, time_step, transient, keep, stride, QUANTITIES)
    if bias is not None:
        check_shape(OWNER, "bias", bias, (), "one number")
        check_positive(OWNER, "bias", bias)
    if time_step is not None and bias is not None:
        raise InputError(f"{OWNER}: give `time_step` or `bias`, not both; the bias is what sets the time step.")
    # Arrays, so that other values do not have to be compiled again.
    bias = as_float(BIAS if bias is None else bias)
    steps = None if time_step is None else as_float(time_step)
    prepared = _prepare(system, bias, as_float(time), steps, None if transient is None else as_float(transient))
    _check(system, prepared, time_step)
    result = growth.grown(
        lambda first, show: _run(system, prepared, key, first, n, show),
        n,
        growth.of_rates(system.baths + system.drives),
        until,
        progress,
        lambda: _identity(system, prepared, key),
    )
    n = result.failed.shape[-1]
    if throw and np.any(result.failed >= 0):
        raise SolveError(_blame(system, prepared, key, result), Status.UNSTABLE)
    solution = _conclude(dynamics, system, result, prepared, n, bias)
    if throw:
        solution.raise_unless_ok(lambda status: _explain(status, solution, prepared))
    followed = 2 * int(prepared.plan.half) * BLOCK * float(prepared.plan.step)
    amounts = followed * result.rates.mean(axis=0)
    heats, works, storages, _ = np.split(amounts, np.cumsum([system.baths, system.drives, 1]))
    times, x, v = _paths(system, prepared, key, keep, stride)
    heat, work, storage = jax.device_put((heats.T, works.T, storages[0]))
    return Trajectories(solution, heat, work, storage, times, x, v, jnp.asarray(followed))


_prepare = compiled(prepare)


@compiled
def _conclude(dynamics: Dynamics, system: System, result: Result, prepared: Prepared, n: int, bias: Array) -> Solution:
    batch, good = batch_of_one((dynamics, valid(dynamics)))
    one = batch_of_one((system, summarise(system, result), prepared))
    return first_point(conclude(batch, assess(*one, count=n, bias=bias), bias, good))


def _check(system: System, prepared: Prepared, time_step: Any) -> None:
    """Refuse networks without a steady state, and time steps that are too long."""
    limit = float(prepared.limit)
    # That asked for: a drive's period may have shortened it, which nobody who is told nothing counts on.
    if time_step is not None and not float(time_step) < limit:
        what = "the linear network that moves most alike" if system.potential is not None else "this network"
        raise InputError(
            f"{OWNER}: `time_step` is {float(time_step):g}, but {what} is stable only below {limit:.4g} "
            "(2 over its highest frequency)."
        )
    if bool(prepared.jump.jumps):
        raise InputError(f"{OWNER}: {jump_words(prepared.jump)}")
    if system.potential is not None and not np.isfinite(prepared.plan.step):
        raise SolveError(f"{OWNER}: {start_words(system)}", Status.UNSTABLE)
    if not all(np.all(np.isfinite(a)) for a in (*prepared.start, prepared.relaxation, limit)) or limit == 0:
        why = start_words(system)
        raise SolveError(
            f"{OWNER}: the network has no steady state: a mode of its motion grows or is not damped; {why} "
            "From a given `start` trajectories need none.",
            Status.UNSTABLE,
        )


# --------------------------------------------------------------------------- all trajectories


@compiled
def _begin(system: System, prepared: Prepared, key: Array, lanes: Array) -> tuple[Lanes, Array]:
    now = begin(system, prepared.start, key, lanes)
    return now, energies(system, now.state)


def _forward(
    system: System, plan: Plan, key: Array, lanes: Array, now: Lanes, first: Array, last: Array
) -> tuple[Lanes, Array]:
    now = stretch(system, plan, key, lanes, now, first, last)
    return now, energies(system, now.state)


_stretch = compiled(_forward, **WIDEST)
_settle = compiled(settle)


def _identity(system: System, prepared: Prepared, key: Array) -> str:
    """What tells ensembles apart; potentials, by energies and forces where trajectories begin."""
    now, energy = _begin(system, prepared, key, np.arange(8))
    places = repr((system.bath_of, system.sites))
    return growth.identity(system, prepared, key, energy, system.force(now.state.x), places)


def _run(system: System, prepared: Prepared, key: Array, origin: int, n: int, progress: bool | None) -> Result:
    """`n` trajectories from `origin` on, in chunks of equal size on all cores, and each in stretches of time."""
    cpu = jax.default_backend() == "cpu"
    pieces = -(-n // (CHUNK if cpu else 1 << 18))
    if pieces > 1:
        pieces = -(-pieces // workers()) * workers()
    chunk = -(-n // (8 * pieces)) * 8
    plan = prepared.plan
    most = max(1, STRETCH // (BLOCK * chunk * system.size)) if cpu else np.iinfo(np.int64).max
    parts = [int(blocks) for blocks in (plan.transient, plan.half, plan.half)]
    given_up = threading.Event()

    def piece(first: int, parts: list[int] = parts) -> Result:
        lanes = np.arange(first, first + chunk)
        now, before = _begin(system, prepared, key, lanes)
        rates, block = [], 0
        for blocks in parts:
            after, end = before, block + blocks
            while block < end and not given_up.is_set():
                start, block = block, min(block + most, end)
                now, after = _stretch(system, plan, key, lanes, now, np.asarray(start), np.asarray(block))
            now, rate = _settle(system, plan, now, before, after, np.asarray(blocks), np.asarray(end))
            before = after
            rates.append(rate)
        # NumPy, here and above: an operation of JAX outside compiled code costs as much as hundreds of steps.
        state, failed = jax.tree.map(np.asarray, (now.state, now.failed))
        return Result(np.stack(rates[1:]), failed, np.concatenate([state.x, state.v]))

    starts = range(origin, origin + n, chunk)
    if len(starts) > 1:
        # Compile once, before the threads ask for it: one block.
        piece(origin, [0, 1, 0])
    try:
        done = list(spread(piece, starts, label="trajectories", progress=progress))
    finally:
        given_up.set()
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=-1)[..., :n], *done)


@compiled
def _record(system: System, prepared: Prepared, key: Array, lanes: Array, blocks: int) -> tuple[Array, Array]:
    return record(system, prepared.plan, prepared.start, key, lanes, blocks)


def _paths(system: System, prepared: Prepared, key: Array, keep: int, stride: int) -> tuple[Array, Array, Array]:
    """Times (k,), positions and velocities (keep, k, n) of the first trajectories, simulated again."""
    if not keep:
        nothing = jnp.zeros((0, 0, system.size))
        return jnp.zeros(0), nothing, nothing
    x, v = map(np.asarray, _record(system, prepared, key, jnp.arange(keep), 2 * int(prepared.plan.half)))
    steps = np.arange(0, x.shape[0], stride)
    times = np.asarray(prepared.plan.step) * steps
    return jax.device_put((times, np.moveaxis(x[steps], -1, 0), np.moveaxis(v[steps], -1, 0)))


# --------------------------------------------------------------------------- what went wrong


@compiled
def _again(
    system: System, prepared: Prepared, key: Array, lane: Array, block: Array, before: Array
) -> tuple[Array, Array, Array]:
    """Positions (step, n), forces and energies (step,) of one lane at the start of each step of a block."""
    motion, n = Motion.of(system, prepared.plan), system.size
    state = cleared(before[:n, None], before[n:, None], system.drives)

    def seen(state: State) -> tuple[Array, Array, Array]:
        return state.x[:, 0], system.force(state.x)[:, 0], system.energy(state.x[:, 0])

    def step(state: State, given: Any) -> tuple[State, tuple[Array, Array, Array]]:
        return motion.advance(state, *given), seen(state)

    given = motion.drives(block), *motion.noise(key, lane[None], block)
    last, path = jax.lax.scan(step, state, given)
    # Where the block ends, too: books may close there.
    return jax.tree.map(lambda steps, end: jnp.concatenate([steps, end[None]]), path, seen(last))


def _blame(system: System, prepared: Prepared, key: Array, result: Result) -> str:
    """Which trajectory failed first, when and in which coordinate: its last block once more, step by step."""
    failed = np.asarray(result.failed)
    lane = int(np.argmin(np.where(failed >= 0, failed, np.iinfo(failed.dtype).max)))
    block, n = int(failed[lane]), system.size
    numbers = jnp.asarray(lane), jnp.asarray(block), jnp.asarray(result.last[:, lane])
    path, forces, energies = (np.asarray(a) for a in _again(system, prepared, key, *numbers))
    spread = np.sqrt(np.sum(np.asarray(prepared.start.factor) ** 2, axis=1))[:n] + np.abs(prepared.start.mean[:n])
    since = "from the start of the transient"
    for step, (x, force) in enumerate(zip(path, forces, strict=True)):
        time = (block * BLOCK + step) * float(prepared.plan.step)
        far = np.abs(x) / np.where(spread > 0, spread, 1.0)
        worst = int(np.argmax(far))
        if far[worst] > 1e3:
            return (
                f"{OWNER}: coordinate {worst} runs away: in trajectory {lane} it is {x[worst]:.3g} at time {time:.6g} "
                f"({since}). The potential does not hold it, or the time step ({float(prepared.plan.step):.3g}) is too "
                "long where it is steep."
            )
        if not (np.all(np.isfinite(force)) and np.isfinite(energies[step])):
            bad = int(np.argmin(np.isfinite(force)))
            found = f"force on coordinate {bad} is {force[bad]:.3g}"
            if np.isfinite(force).all():
                found = f"energy is {energies[step]:.3g}"
            return (
                f"{OWNER}: the potential or its slope is not a number at time {time:.6g} ({since}): trajectory {lane} "
                f"is at x = {x.tolist()}, where the {found}."
            )
    return f"{OWNER}: trajectory {lane} left the range of floating-point numbers at time {time:.6g} ({since})."


def _explain(status: Status, solution: Solution, prepared: Prepared) -> str:
    """Words on averages that cannot be trusted."""
    if status is Status.UNSTABLE and not bool(prepared.held):
        return f"{UNHELD}. `throw=False` returns what was found."
    if status is not Status.NOT_CONVERGED:
        return ""
    bias, step = float(solution.statistics["time_step_bias"]), float(prepared.plan.step)
    if bias > CLOSED * BIAS and float(solution.residuals["drift"]) < DRIFT:
        advice = (
            f"the time step {step:.3g} biases heat or work by {bias:.2g} of the largest, by the linear network that "
            "moves most alike; leave `time_step` out, or give a shorter one"
        )
        return f"{advice}. The energy balance is off by {float(solution.residuals['first law']):.2g}."
    return (
        f"the first and the second half of the time differ by {float(solution.residuals['drift']):.3g} standard "
        f"errors, or the energy balance is off by {float(solution.residuals['first law']):.2g} of the largest rate; "
        "give a longer `transient`, or a smaller `time_step`."
    )
