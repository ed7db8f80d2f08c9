"""Trajectories of any classical network: their steps, start and transient, and what their averages are worth.

The steps are those of `walk`. Their bias is measured, not computed: a second ensemble takes steps twice as long, and
what changes is three times the bias of second order.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import growth
from .._checks import InputError, valid
from ..dynamics import Dynamics, Outcome, Rates, conclude
from ..numerics.timeline import LEAST, Timeline, edges_of, timeline
from ..parallel import spread
from ..pytrees import batch_of_one, compiled, first_point
from ..regimes import INFORMATION_NEGLECTED
from ..solution import Solution, SolveError, Status
from ..trajectories import Trajectories, check_ensemble
from . import walk
from .continuity import steepest
from .ensemble import BIAS, CLOSED, DRIFT, FORGET, Summary, summarise
from .feedback import returned
from .instant import Instant, moments
from .likeness import SAMPLES, equivalent
from .model import System
from .sampling import QUANTITIES
from .simulation import BLOCK, Result
from .told import Network
from .words import UNHELD, jump_words, shown_rate

OWNER = "trajectories"
CHUNK = 1024
STRETCH = 1 << 22
"""Steps × trajectories × coordinates of one call: Ctrl-C waits for no more."""
FINE = 0.05
"""Default step, over the shortest time of the motion."""
OTHERS = 1 << 40
"""Number of the first trajectory of the second ensemble."""
LOOKED_AT = 64
"""Phases at which driven springs are averaged."""


class Outset(NamedTuple):
    """Mean and factor of the covariance of the first positions; the shortest and the longest time of the motion."""

    mean: Array
    factor: Array
    warmth: Array
    shortest: float
    longest: float


class Bias(NamedTuple):
    """Of heat per bath and work per drive, with its standard error; and what is allowed, relative to the largest."""

    size: Array
    error: Array
    allowed: Array


def sample(
    dynamics: Dynamics,
    network: Network,
    key: Array,
    n: int,
    time: Any,
    *,
    time_step: Any,
    transient: Any,
    keep: int,
    stride: int,
    throw: bool,
    progress: bool | None,
    until: growth.Until | None,
) -> Trajectories:
    """Trajectories of a network; see `OscillatorNetwork.trajectories`."""
    check_ensemble(OWNER, n, time, time_step, transient, keep, stride, QUANTITIES)
    looks = _looks(network)
    looked = network.instants(jnp.asarray(looks.phases))
    system, outset = _outset(network, looked, looks)
    step = FINE * outset.shortest if time_step is None else float(time_step)
    if not step < 2 * outset.shortest:
        raise InputError(
            f"{OWNER}: `time_step` is {step:g}, but the network's motion, or that of the linear network that is most "
            f"alike, is stable only below {2 * outset.shortest:.4g}."
        )
    line = Timeline(np.array([0.0, 2 * BLOCK * step]), np.array([2 * BLOCK]), True)
    if network.frequency:
        line = timeline(edges_of(network.borders, network.duration, None), step, block=BLOCK)
        words = network.hidden(int(network.duration / line.longest), None)
        if words:
            raise InputError(f"{OWNER}: {words}.")
    step = line.longest
    transient = FORGET * outset.longest if transient is None else float(transient)
    spans = _spans(line, transient, float(time), bool(network.frequency))
    course = walk.course_of(network, line)
    drives = looked.pulls.shape[1]
    none = jnp.zeros(drives)
    # Only how many drives there are matters to averages.
    system = dataclasses.replace(system, sites=(0,) * drives, amplitudes=none, phases=none, means=none)
    flows = system.baths + system.drives

    def label() -> str:
        now, energies = _start(course, outset, key, jnp.arange(8))
        forces = course.forces(now.x, now.v, course.springs[0], course.pushes[0])
        places = repr((course.turns, course.owners, course.massless, course.fed, course.baths))
        return growth.identity(course, outset, key, spans, energies, forces, places)

    def portion(first: int, show: bool | None) -> Result:
        return _run(course, line, outset, key, np.arange(first, first + n), spans, show)

    result = growth.grown(portion, n, growth.of_rates(flows), until, progress, label)
    if throw and np.any(result.failed >= 0):
        lane = int(np.argmax(result.failed >= 0))
        when = line.after(int(result.failed[lane]) * BLOCK)
        raise SolveError(
            f"{OWNER}: trajectory {lane} left the range of numbers at time {when:.6g} (from the start of the "
            f"transient). The potential does not hold it, or the time step ({step:.3g}) is too long where it is steep.",
            Status.UNSTABLE,
        )
    half = line.halved()
    halved = tuple(-(-count // 2) for count in spans)
    others = OTHERS + np.arange(result.failed.shape[-1])
    check = _run(walk.course_of(network, half, course.count), half, outset, key, others, halved, progress)
    found, other = (averages(system, one) for one in (result, check))
    means, errors = (np.stack(pair)[:, :flows] for pair in ((found.mean, other.mean), (found.error, other.error)))
    bias = Bias(jnp.asarray(np.abs(means[0] - means[1]) / 3), jnp.asarray(np.hypot(*errors) / 3), jnp.asarray(BIAS))
    counts = jnp.asarray(sum(spans) * BLOCK), jnp.asarray(result.failed.shape[-1])
    numbers = jnp.asarray(step), *counts, jnp.zeros(())
    solution = concluded(dynamics, found, bias, numbers, system.baths, looked.massless, bool(network.feedbacks))
    if throw:
        solution.raise_unless_ok(lambda status: explain(status, solution, step))
    followed = line.after((spans[1] + spans[2]) * BLOCK)
    heats, works, storages = amounts(result, system, followed)
    times, x, v = _paths(course, line, outset, key, keep, stride, spans)
    return Trajectories(solution, heats, works, storages, times, x, v, jnp.asarray(followed))


def amounts(result: Result, system: System, time: float) -> tuple[Array, Array, Array]:
    """Heats (lane, bath), works (lane, drive) and storages (lane,) over a time."""
    sums = time * result.rates.mean(axis=0)
    heats, works, storages, _ = np.split(sums, np.cumsum([system.baths, system.drives, 1]))
    return jax.device_put((heats.T, works.T, storages[0]))


class Looks(NamedTuple):
    """Phases at which springs are looked at, and the time that each stands for, as a share of the period."""

    phases: np.ndarray
    shares: np.ndarray


def _looks(network: Network) -> Looks:
    """Evenly over the period; over each piece of it where drives jump."""
    if not network.borders.size:
        return Looks(2 * np.pi * np.arange(LOOKED_AT) / LOOKED_AT, np.full(LOOKED_AT, 1 / LOOKED_AT))
    edges = edges_of(network.borders, 2 * np.pi, None)
    counts = np.maximum(np.ceil(LOOKED_AT * np.diff(edges) / (2 * np.pi)), LEAST).astype(int)
    spaces = np.repeat(np.diff(edges) / counts, counts)
    return Looks(np.cumsum(spaces) - spaces / 2, spaces / (2 * np.pi))


def _spans(line: Timeline, transient: float, time: float, driven: bool) -> tuple[int, int, int]:
    """Blocks that are discarded, and averaged twice; whole periods in a driven network."""
    cycle = line.steps // BLOCK if driven else 1
    block = line.duration * BLOCK / line.steps
    half = cycle * max(1, math.ceil(time / (2 * cycle * block) * (1 - 1e-12)))
    return 2 * math.ceil(transient / (2 * block)), half, half


_equivalent, _steepest = compiled(equivalent), compiled(steepest)


def _outset(network: Network, looked: Instant, looks: Looks) -> tuple[System, Outset]:
    """Where trajectories start: the distribution of the linear network most alike, with the springs' mean."""
    now = jax.tree.map(lambda a: np.asarray(a)[0], looked)
    n, frictions = now.masses.size, now.frictions.sum(0)
    light = np.isin(np.arange(n), looked.massless)
    springs = average = np.tensordot(looks.shares, np.asarray(looked.springs), 1)
    owner = [next((b for b, at in enumerate(network.places) if i in at), -1) for i in range(n)]
    none = jnp.zeros(0)
    # Energies know nothing of masses and frictions: those that are missing may be anything.
    system = System(
        masses=jnp.asarray(np.where(light, 1.0, now.masses)),
        springs=jnp.asarray(springs),
        frictions=jnp.asarray(np.diag(frictions)),
        temperatures=jnp.asarray(now.temperatures),
        amplitudes=none,
        phases=none,
        means=none,
        frequency=jnp.zeros(()),
        potential=network.potential,
        bath_of=tuple(owner),
        sites=(),
    )
    mean = np.zeros(n)
    steepest = 0.0
    if network.potential is not None:
        alike = _equivalent(system)
        if not bool(alike.held):
            raise SolveError(f"{OWNER}: {UNHELD}.", Status.UNSTABLE)
        springs = np.asarray(alike.springs)
        mean = np.linalg.solve(springs, np.asarray(alike.force))
        soft = np.linalg.cholesky(np.linalg.inv(springs) * float(now.temperatures.max()))
        jump = _steepest(
            network.potential, mean[:, None] + soft @ np.random.RandomState(1).standard_normal((n, SAMPLES))
        )
        if bool(jump.jumps):
            raise InputError(f"{OWNER}: {jump_words(jump)}")
        steepest = float(4 / alike.longest**2)
    whole = eqx.tree_at(lambda one: one.springs, now, springs)
    fed = returned(network.feedbacks, now, mean)
    rates = _rates(whole, fed.slope)
    resonant = 0.0
    if network.potential is None and fed.straight:
        if network.frequency:
            resonant = _check_period(looked, looks.shares, fed.slope, network.frequency)
        elif not rates.real.max() < -1e-13 * np.abs(rates).max():
            which = "look at springs and feedback" if network.feedbacks else "`steady_state` says which"
            raise SolveError(
                f"{OWNER}: the network has no steady state: a motion with the rate "
                f"{shown_rate(rates[rates.real.argmax()])} grows or is not damped; {which}.",
                Status.UNSTABLE,
            )
    elif (
        network.potential is None and np.linalg.eigvalsh((springs + springs.T) / 2)[0] <= 1e-12 * np.abs(springs).max()
    ):
        raise SolveError(f"{OWNER}: without its feedback {UNHELD}.", Status.UNSTABLE)
    fastest = float(np.abs(rates).max())
    if network.borders.size:
        # Springs that jump may be stiff for a short while.
        moved = eqx.tree_at(lambda one: one.springs, looked, looked.springs + (springs - average))
        drifts = np.asarray(_drifts(moved))[:, :-1, :-1] + fed.slope
        fastest = max(fastest, float(np.abs(np.linalg.eigvals(drifts)).max()))
    if steepest:
        # Root mean square of the curvature, where that is larger than its mean.
        root = np.sqrt(np.asarray(system.masses))
        stiff = float(np.linalg.eigvalsh(springs / np.outer(root, root))[-1])
        fastest *= max(1.0, steepest / stiff)
    alone = rates if fed.straight else np.append(rates, _rates(whole, 0 * fed.slope))
    decaying = -alone.real[alone.real < 0]
    warm = float(now.temperatures.max())
    held = springs + fed.springs if fed.straight else springs
    values, vectors = np.linalg.eigh((held + held.T) / 2)
    spread_ = vectors * np.sqrt(warm / np.maximum(np.abs(values), 1e-12 * np.abs(values).max()))
    heavy = np.flatnonzero(~light)
    warmth = np.array([now.temperatures[owner[i]] if owner[i] >= 0 else warm for i in heavy])
    # Of driven springs the period tells; their mean may hold nothing.
    longest = resonant or (1 / decaying.min() if decaying.size else math.inf)
    return system, Outset(jnp.asarray(mean), jnp.asarray(spread_), jnp.asarray(warmth), 1 / fastest, longest)


@compiled
def _drifts(looked: Instant) -> Array:
    """The drift of the second moments at each of some instants (leading axis)."""
    return jax.vmap(lambda one: moments(one).drift)(looked)


def _rates(one: Instant, slope: np.ndarray) -> np.ndarray:
    drift = np.asarray(_drifts(jax.tree.map(lambda a: np.asarray(a)[None], one)))[0]
    return np.linalg.eigvals(drift[:-1, :-1] + slope)


def _check_period(looked: Instant, shares: np.ndarray, slope: np.ndarray, frequency: float) -> float:
    """The longest time of a linear network, whose motion must have decayed after a period.

    Steps of a 64th of it tell growth from decay. Near a parametric resonance mean springs decay much faster than that.
    """
    # SciPy is loaded where it is used.
    from scipy.linalg import expm

    drifts = np.asarray(_drifts(looked))[:, :-1, :-1] + slope
    total = np.eye(drifts.shape[-1])
    for drift, share in zip(drifts, shares, strict=True):
        total = expm(drift * 2 * math.pi * share / frequency) @ total
    factors = np.abs(np.linalg.eigvals(total))
    largest = factors.max()
    if not largest < 1 + 1e-6:
        raise SolveError(
            f"{OWNER}: the network has no periodic state: a motion grows by the factor {largest:.6g} in a period.",
            Status.UNSTABLE,
        )
    if largest > 1 - 1e-9:
        raise SolveError(
            f"{OWNER}: the network has no periodic state, or none that could be waited for: a motion decays by less "
            "than 1e-9 in a period, as the position of what no wall holds, which spreads or drifts for ever, or a mode "
            "with almost no friction for the frequency of its drives; give it a spring to a wall, however weak, or a "
            "bath.",
            Status.UNSTABLE,
        )
    return -2 * math.pi / (frequency * math.log(max(largest, 1e-300)))


# --------------------------------------------------------------------------- all trajectories


@compiled
def _start(course: walk.Course, outset: Outset, key: Array, lanes: Array) -> tuple[walk.Walkers, Array]:
    now = walk.start(course, outset.mean, outset.factor, outset.warmth, key, lanes)
    return now, walk.total(course, now, jnp.zeros((), int))


@compiled
def stretched(
    course: walk.Course, key: Array, lanes: Array, now: walk.Walkers, first: Array, last: Array
) -> tuple[walk.Walkers, Array]:
    now = walk.stretch(course, key, lanes, now, first, last)
    return now, walk.total(course, now, last * BLOCK)


_closed = compiled(walk.closed)


def _run(
    course: walk.Course,
    line: Timeline,
    outset: Outset,
    key: Array,
    lanes: np.ndarray,
    spans: tuple[int, ...],
    progress: bool | None,
) -> Result:
    """All trajectories in chunks, each in stretches of time."""
    # Longest and shortest time are no arrays: another of them compiles nothing.
    outset = outset._replace(shortest=0.0, longest=0.0)
    pieces = -(-len(lanes) // CHUNK)
    chunk = -(-len(lanes) // (8 * pieces)) * 8
    most = max(1, STRETCH // (BLOCK * chunk * course.masses.shape[0]))

    def piece(begin: int) -> Result:
        own = jnp.asarray(lanes[0] + np.arange(begin, begin + chunk))
        now, before = _start(course, outset, key, own)
        rates, block = [], 0
        for blocks in spans:
            after, end = before, block + blocks
            while block < end:
                first, block = block, min(block + most, end)
                now, after = stretched(course, key, own, now, jnp.asarray(first), jnp.asarray(block))
            span = line.after((block) * BLOCK) - line.after((block - blocks) * BLOCK)
            now, rate = _closed(course, now, before, after, jnp.asarray(span or 1.0))
            before = after
            rates.append(np.asarray(rate))
        return Result(np.stack(rates[1:]), np.asarray(now.failed), np.asarray(now.x))

    done = list(spread(piece, range(0, len(lanes), chunk), label="trajectories", progress=progress))
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=-1)[..., : len(lanes)], *done)


@compiled
def averages(system: System, result: Result) -> Summary:
    return summarise(system, result)


def _paths(
    course: walk.Course, line: Timeline, outset: Outset, key: Array, keep: int, stride: int, spans: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """Times, positions and velocities (NaN without a mass) of the first trajectories, a point in a block of steps."""
    n, heavy = course.masses.shape[0], np.array(course.heavy, int)
    if not keep:
        return jnp.zeros(0), *(jnp.zeros((0, 0, n)),) * 2
    every = math.ceil(stride / BLOCK)
    outset = outset._replace(shortest=0.0, longest=0.0)
    now, _ = _start(course, outset, key, jnp.arange(keep))
    block, seen, times = spans[0], [], []
    if block:
        now, _ = stretched(course, key, jnp.arange(keep), now, jnp.asarray(0), jnp.asarray(block))
    while block <= sum(spans):
        v = np.full((n, keep), np.nan)
        v[heavy] = np.asarray(now.v)
        seen.append((np.asarray(now.x), v))
        times.append(line.after(block * BLOCK) - line.after(spans[0] * BLOCK))
        now, _ = stretched(course, key, jnp.arange(keep), now, jnp.asarray(block), jnp.asarray(block + every))
        block += every
    paths = [jnp.moveaxis(jnp.asarray(np.stack(part)), -1, 0) for part in zip(*seen, strict=True)]
    return jnp.asarray(times), paths[0], paths[1]


# --------------------------------------------------------------------------- what they are worth


@compiled
def concluded(
    dynamics: Dynamics,
    found: Summary,
    bias: Bias,
    numbers: tuple[Array, Array, Array, Array],
    baths: int,
    massless: tuple[int, ...],
    fed: bool,
) -> Solution:
    """`numbers`: time step, steps, trajectories, and the energy per time that the balance is judged by without flows.

    They are arrays: for others the program is the same.
    """
    batch, good = batch_of_one((dynamics, valid(dynamics)))
    found, bias, numbers = batch_of_one((found, bias, numbers))
    outcome = _assess(found, bias, numbers, baths, massless)
    if fed:
        outcome = dataclasses.replace(outcome, flags={INFORMATION_NEGLECTED: jnp.ones(1, bool)})
    return first_point(conclude(batch, outcome, bias.allowed[0], good))


def _assess(
    found: Summary, bias: Bias, numbers: tuple[Array, Array, Array, Array], baths: int, massless: tuple[int, ...]
) -> Outcome:
    """A batch of one. What is surely off by more than `CLOSED` × the allowed bias and a standard error is refused."""
    flows = bias.size.shape[-1]
    size = (found.mean.shape[-1] - flows - 1) // 2
    largest = jnp.max(jnp.abs(found.mean[..., :flows]), axis=-1)
    allowed = CLOSED * bias.allowed * largest
    biased = bias.size - 3 * bias.error > jnp.maximum(allowed[..., None], found.error[..., :flows])
    flowing = largest > 0
    scale = jnp.where(flowing, largest, numbers[3])
    balanced = jnp.abs(found.imbalance) <= CLOSED * bias.allowed * scale + DRIFT * found.imbalance_error
    # Of what exchanges nothing only the energy can be off.
    off = jnp.where(flowing, jnp.max(bias.size, axis=-1), jnp.abs(found.imbalance))

    def rates(values: Array) -> Rates:
        return Rates(values[..., :baths], works=values[..., baths:flows], storage=values[..., flows])

    def squares(values: Array) -> dict[str, Array]:
        names = {f"x_squared {i}": flows + 1 + i for i in range(size)}
        names |= {f"v_squared {i}": flows + 1 + size + i for i in range(size) if i not in massless}
        return {name: values[..., k] for name, k in names.items()}

    finite = jnp.all(jnp.isfinite(found.mean), axis=-1) & jnp.all(jnp.isfinite(found.error), axis=-1)
    return Outcome(
        rates(found.mean),
        rates(found.error),
        faults={
            Status.UNSTABLE: found.failed > 0,
            Status.NOT_FINITE: ~finite,
            Status.NOT_CONVERGED: ~((found.drift < DRIFT) & balanced) | jnp.any(biased, axis=-1),
        },
        residuals={"drift": found.drift},
        statistics={
            "trajectories": numbers[2],
            "steps": numbers[1],
            "time_step": numbers[0],
            "time_step_bias": off / jnp.where(scale > 0, scale, 1.0),
            "time_step_bias_error": jnp.max(bias.error, axis=-1) / jnp.where(scale > 0, scale, 1.0),
            "block_error_ratio": found.blocks,
        },
        observables=squares(found.mean),
        observable_errors=squares(found.error),
        stochastic=True,
    )


def explain(status: Status, solution: Solution, step: float) -> str:
    if status is not Status.NOT_CONVERGED:
        return ""
    seen = solution.statistics
    return (
        f"with the time step {step:.3g} heat or work is biased by {float(seen['time_step_bias']):.2g} ± "
        f"{float(seen['time_step_bias_error']):.1g} of the largest (by comparison with steps twice as long), the "
        f"halves of the time differ by {float(solution.residuals['drift']):.3g} standard errors, or the energy "
        f"balance is off by {float(solution.residuals['first law']):.2g}; give a shorter `time_step`, or a longer "
        "`transient`."
    )
