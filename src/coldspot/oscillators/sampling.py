"""The verb `trajectories` for oscillator networks: an ensemble in chunks on all cores; words for what goes wrong."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_positive, check_shape, valid
from ..dynamics import conclude
from ..progress import track
from ..pytrees import batch_of_one, compiled, first_point
from ..solution import Solution, SolveError, Status
from ..trajectories import Trajectories
from .ensemble import BLOCK, Motion, Prepared, Result, State, assess, energy, prepare, record, simulate, summarise

if TYPE_CHECKING:
    from .network import OscillatorNetwork

OWNER = "trajectories"
LEAST = 16
"""Fewest trajectories whose spread says something."""
CHUNK = 1024
"""Trajectories that run together on a processor: their numbers stay in its cache."""
WIDEST = {"xla_cpu_prefer_vector_width": 512}
"""Options of the compiler for processors: the longest vectors, if there are any."""
BIAS = 1e-3
"""Relative bias of the heats that the default time step aims at."""


def sample(
    network: "OscillatorNetwork",
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
) -> Trajectories:
    """See `OscillatorNetwork.trajectories`."""
    for name, value in {"time": time, "time_step": time_step, "bias": bias}.items():
        if value is not None:
            check_shape(OWNER, name, value, (), "one number")
            check_positive(OWNER, name, value)
    if transient is not None and not (np.ndim(transient) == 0 and np.isfinite(transient) and transient >= 0):
        raise InputError(f"{OWNER}: `transient` must be a time, zero or positive, but is {transient!r}.")
    if time_step is not None and bias is not None:
        raise InputError(f"{OWNER}: give `time_step` or `bias`, not both; the bias is what sets the time step.")
    if n < LEAST:
        raise InputError(f"{OWNER}: `n` must be at least {LEAST}, but is {n}; their spread gives the standard errors.")
    if not isinstance(keep, int) or not 0 <= keep <= n:
        raise InputError(f"{OWNER}: `keep` must be an integer from 0 to `n` = {n}, but is {keep!r}.")
    if not isinstance(stride, int) or stride < 1:
        raise InputError(f"{OWNER}: `stride` must be a positive integer, but is {stride!r}.")
    # Arrays, so that other values do not have to be compiled again.
    bias = as_float(BIAS if bias is None else bias)
    steps = None if time_step is None else as_float(time_step)
    prepared = _prepare(network, bias, as_float(time), steps, None if transient is None else as_float(transient))
    _check(network, prepared, time_step)
    result = _run(network, prepared, key, n, progress)
    if throw and np.any(result.failed >= 0):
        raise SolveError(_blame(network, prepared, key, result), Status.UNSTABLE)
    solution = _conclude(network, result, prepared, n, bias)
    if throw:
        solution.raise_unless_ok(lambda status: _explain(status, solution))
    baths, drives = len(network.baths), len(network.drives)
    rates = result.rates.mean(axis=0)
    heats, works, storages, _ = np.split(rates, np.cumsum([baths, drives, 1]))
    times, x, v = _paths(network, prepared, key, keep, stride)
    heat, work, storage = (jnp.asarray(a) for a in (heats.T, works.T, storages[0]))
    return Trajectories(solution, heat, work, storage, times, x, v)


_prepare = compiled(prepare)


@compiled
def _conclude(network: Any, result: Result, prepared: Prepared, n: int, bias: Array) -> Solution:
    batch, good = batch_of_one((network, valid(network)))
    one = batch_of_one((summarise(network, result), prepared))
    return first_point(conclude(batch, assess(batch, *one, count=n, bias=bias), bias, good))


def _check(network: "OscillatorNetwork", prepared: Prepared, time_step: Any) -> None:
    """Refuse networks without a steady state, and time steps that are too long."""
    limit = float(prepared.limit)
    if time_step is not None and not float(prepared.plan.step) < limit:
        what = "the linear network that moves most alike" if network.potential is not None else "this network"
        raise InputError(
            f"{OWNER}: `time_step` is {float(time_step):g}, but {what} is stable only below {limit:.4g} "
            "(2 over its highest frequency)."
        )
    if not all(np.all(np.isfinite(a)) for a in (*prepared.start, prepared.relaxation)) or limit == 0:
        raise SolveError(
            f"{OWNER}: the network has no steady state: a mode of its motion grows or is not damped, or its potential "
            "is not a number; check the springs, frictions and the potential.",
            Status.UNSTABLE,
        )


@functools.cache
def _compiled(backend: str) -> Any:
    return compiled(simulate, compiler_options=WIDEST if backend == "cpu" else None)


def _run(network: "OscillatorNetwork", prepared: Prepared, key: Array, n: int, progress: bool | None) -> Result:
    """All trajectories, in chunks of equal size on all cores."""
    cpu = jax.default_backend() == "cpu"
    workers = os.cpu_count() or 1 if cpu else 1
    pieces = -(-n // (CHUNK if cpu else 1 << 18))
    if pieces > 1:
        pieces = -(-pieces // workers) * workers
    chunk = -(-n // (8 * pieces)) * 8
    function = _compiled(jax.default_backend())

    def piece(first: int) -> Result:
        lanes = jnp.arange(first, first + chunk)
        return jax.tree.map(np.asarray, function(network, prepared.plan, prepared.start, key, lanes))

    starts = range(0, n, chunk)
    if len(starts) > 1:
        # Compile once, before the threads ask for it: without a step to take.
        zero = jnp.zeros_like(prepared.plan.half)
        nothing = prepared.plan._replace(transient=zero, half=zero)
        jax.block_until_ready(function(network, nothing, prepared.start, key, jnp.arange(chunk)))
    with ThreadPoolExecutor(workers) as pool:
        done = list(track(pool.map(piece, starts), total=len(starts), label="trajectories", show=progress))
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=-1)[..., :n], *done)


@compiled
def _record(network: Any, prepared: Prepared, key: Array, lanes: Array, blocks: int) -> tuple[Array, Array]:
    return record(network, prepared.plan, prepared.start, key, lanes, blocks)


def _paths(
    network: "OscillatorNetwork", prepared: Prepared, key: Array, keep: int, stride: int
) -> tuple[Array, Array, Array]:
    """Times (k,), positions and velocities (keep, k, n) of the first trajectories, simulated again."""
    if not keep:
        nothing = jnp.zeros((0, 0, network.size))
        return jnp.zeros(0), nothing, nothing
    x, v = _record(network, prepared, key, jnp.arange(keep), 2 * int(prepared.plan.half))
    steps = np.arange(0, x.shape[0], stride)
    return prepared.plan.step * steps, jnp.moveaxis(x[steps], -1, 0), jnp.moveaxis(v[steps], -1, 0)


# --------------------------------------------------------------------------- what went wrong


@compiled
def _again(
    network: Any, prepared: Prepared, key: Array, lane: Array, block: Array, before: Array
) -> tuple[Array, Array, Array]:
    """Positions (step, n), forces and energies (step,) of one lane at the start of each step of a block."""
    motion, n = Motion.of(network, prepared.plan), network.size
    still = jnp.zeros((n, 1))
    state = State(before[:n, None], before[n:, None], still, (still[0],) * len(network.drives), still, still)

    def step(state: State, given: Any) -> tuple[State, tuple[Array, Array, Array]]:
        seen = (state.x[:, 0], motion.force(state.x)[:, 0], energy(network, state.x[:, 0]))
        return motion.advance(state, *given), seen

    return jax.lax.scan(step, state, (motion.drives(block), *motion.noise(key, lane[None], block)))[1]


def _blame(network: "OscillatorNetwork", prepared: Prepared, key: Array, result: Result) -> str:
    """Which trajectory failed first, when and in which coordinate: its last block once more, step by step."""
    failed = np.asarray(result.failed)
    lane = int(np.argmin(np.where(failed >= 0, failed, np.iinfo(failed.dtype).max)))
    block, n = int(failed[lane]), network.size
    numbers = jnp.asarray(lane), jnp.asarray(block), jnp.asarray(result.last[:, lane])
    path, forces, energies = (np.asarray(a) for a in _again(network, prepared, key, *numbers))
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
            return (
                f"{OWNER}: the potential or its slope is not a number at time {time:.6g} ({since}): trajectory {lane} "
                f"is at x = {x.tolist()}, where the force on coordinate {bad} is {force[bad]:.3g}."
            )
    return f"{OWNER}: trajectory {lane} left the range of floating-point numbers at time {time:.6g} ({since})."


def _explain(status: Status, solution: Any) -> str:
    if status is not Status.NOT_CONVERGED:
        return ""
    drift = float(solution.residuals["drift"])
    return (
        f"the first and the second half of the time differ by {drift:.3g} standard errors, or the energy balance is "
        f"off by {float(solution.residuals['first law']):.2g} of the largest rate; give a longer `transient`, or a "
        "smaller `time_step`."
    )
