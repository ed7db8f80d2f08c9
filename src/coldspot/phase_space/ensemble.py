"""Ensembles of particles: their start and steps, averages with standard errors, and what those are worth.

The bias of the time step is measured: a second ensemble takes steps twice as long. What changes is at least the bias,
of whatever order that is.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import growth
from .._checks import InputError, valid
from ..compiler import placed
from ..drives import Steps
from ..dynamics import Dynamics, Outcome, Rates, conclude
from ..growth import Result
from ..numerics.timeline import edges_of, timeline
from ..parallel import spread
from ..pytrees import batch_of_one, compiled, first_point
from ..regimes import WELLS_UNMIXED
from ..solution import Solution, Status
from ..trajectories import Trajectories, check_ensemble
from .outset import HOPS, Outset, outset
from .particles import BLOCK, Clock, Field, Particles, Sums, clock_along, drawn, energy, stretch
from .sides import MIXED, Sides, sides_of
from .terrain import CLOSED, OPEN, PERIODIC, Terrain
from .tide import Moved

OWNER = "trajectories"
QUANTITIES = 64
"""Numbers that are kept of each trajectory, about."""
FINE = 0.05
"""Default step, over the shortest time of the motion."""
FORGET = 12.0
"""Relaxation times that are discarded; in equilibrium, where all is at first, shortest times of the motion."""
CHUNK = 1024
STRETCH = 1 << 22
"""Steps × trajectories of one call: Ctrl-C waits for no more."""
OTHERS = 1 << 40
"""Number of the first trajectory of the second ensemble."""
ALLOWED, DRIFT = 1e-2, 5.0
"""Bias of heat and work, relative to the largest, and halves and balances in standard errors, that are accepted."""


class Request(NamedTuple):
    """What the caller asked for."""

    n: int
    time: float
    time_step: float | None
    transient: float | None
    keep: int
    stride: int
    throw: bool
    progress: bool | None
    until: growth.Until | None


class Means(NamedTuple):
    """Means (quantity), standard errors, each lane's own values (quantity, lane), and the largest drift in them."""

    mean: np.ndarray
    error: np.ndarray
    lanes: np.ndarray
    drift: float


def checked(
    n: int,
    time: Any,
    time_step: Any,
    transient: Any,
    keep: Any,
    stride: Any,
    throw: bool,
    progress: bool | None,
    until: growth.Until | None,
) -> Request:
    """Refuse, in words, what no ensemble can be asked for."""
    check_ensemble(OWNER, n, time, time_step, transient, keep, stride, QUANTITIES)
    step, discarded = (None if a is None else float(a) for a in (time_step, transient))
    return Request(n, float(time), step, discarded, keep, stride, throw, progress, until)


def in_equilibrium(terrain: Terrain, field: Field) -> bool:
    """Whether e^{−φ}/T is the steady state itself: one temperature, no load or drives, and nothing comes or goes."""
    return terrain.uniform and not terrain.load and terrain.kind != OPEN and not isinstance(field.potential, Moved)


def simulated(
    dynamics: Dynamics, field: Field, terrain: Terrain, potentials: np.ndarray, key: Array, request: Request
) -> Trajectories:
    """Trajectories of `dynamics`, whose particles move in `field`; `potentials` μ (2) of open ends, else none."""
    potentials = potentials if potentials.size else np.zeros(2)
    frequency, show = float(field.potential.frequency) if isinstance(field.potential, Moved) else 0.0, request.progress
    start = outset(terrain)
    step = FINE * start.shortest if request.time_step is None else request.time_step
    if not step < 2 * start.shortest:
        raise InputError(
            f"{OWNER}: `time_step` is {step:g}, but the motion is stable only below {2 * start.shortest:.4g}."
        )
    period = BLOCK
    borders = field.potential.borders() if isinstance(field.potential, Moved) else np.zeros(0)
    if frequency:
        duration = 2 * math.pi / frequency
        line = timeline(edges_of(borders, duration, None), step, block=BLOCK)
        period = line.steps
        step = duration / period
    clock, rough_clock = clock_of(step, period), clock_of(2 * step, max(period // 2, BLOCK))
    if borders.size:
        clock, rough_clock = (clock_along(one, frequency, period) for one in (line, line.halved()))
    rest = in_equilibrium(terrain, field)
    wells, transient = isinstance(field.potential, Moved) and terrain.kind == CLOSED, request.transient
    if transient is None:
        # Hopping that is slower than the run is not waited for: `sides` tells what that leaves open.
        slow = wells and start.hops(request.time / HOPS)
        transient = FORGET * (start.shortest if rest else start.within if slow else start.longest)
    cycle = 2 * period // BLOCK if frequency else 2
    half = cycle * max(1, math.ceil(request.time / (2 * cycle * BLOCK * step) * (1 - 1e-12)))
    spans = 2 * math.ceil(transient / (2 * BLOCK * step)), half, half
    lanes = np.arange(request.n)

    def portion(first: int, bar: bool | None) -> Result:
        """Rates (half, quantity, lane) in the order of `Sums`, and the change of the energy."""
        return _run(field, start, clock, key, first + lanes, spans, bar)

    def worst(done: Result) -> float:
        return float(means(field, done, potentials).error[: rows(field)["work"].stop].max(initial=0.0))

    def label() -> str:
        now, heights = _start(field, start, clock, key, jnp.arange(8))
        profiles = field.read(field.friction, now.x), field.read(field.temperature, now.x)
        kind = repr((field.kind, field.walled))
        return growth.identity(field, start, step, period, key, spans, heights, profiles, kind)

    result = growth.grown(portion, request.n, worst, request.until, show, label)
    others = OTHERS + np.arange(result.failed.shape[-1])
    rough = _run(field, start, rough_clock, key, others, tuple(s // 2 for s in spans), show)
    found, other = (means(field, one, potentials) for one in (result, rough))
    sides = MIXED
    if wells and start.hops(transient):
        begun = start.positions(np.asarray(_drawn(key, jnp.arange(result.failed.shape[-1]))))
        sides = sides_of(start, begun, found.lanes[: rows(field)["work"].stop])
    outcome, words = assess(field, found, other, result, step, sum(spans) * BLOCK, request, sides)
    solution = concluded(dynamics, outcome)
    if request.throw:
        solution.raise_unless_ok(lambda status: words)
    followed = 2 * half * BLOCK * step
    heats, works, storages = amounts(field, found, followed)
    times, x, v = map(jnp.asarray, _paths(field, start, clock, key, request, spans))
    return Trajectories(solution, heats, works, storages, times, x, v, jnp.asarray(followed))


def amounts(field: Field, found: Means, time: float) -> tuple[Array, Array, Array]:
    """Heats (lane, bath), works (lane, drive) and storages (lane,) over a time."""
    at = rows(field)
    heats, works, storages = (jnp.asarray(time * found.lanes[at[name]].T) for name in ("heat", "work", "storage"))
    return heats, works, storages


@compiled
def concluded(dynamics: Dynamics, outcome: Outcome) -> Solution:
    batch, good = batch_of_one((dynamics, valid(dynamics)))
    return first_point(conclude(batch, outcome, jnp.asarray(ALLOWED), good))


def rows(field: Field) -> dict[str, Any]:
    """Where quantities stand in `Means`: heat per bath, work per drive, storage, entropy per bath, particles, …"""
    parts = field.borders.shape[0] + 1
    baths = parts + 2 * (field.kind == OPEN)
    drives = field.drives + (field.kind == PERIODIC)
    sizes = {"heat": baths, "work": drives, "storage": 1, "entropy": baths, "particles": 2, "velocity": 1}
    sizes |= {"leaks": parts - 1, "warmth": 1, "balance": 1}
    ends = np.cumsum([0, *sizes.values()])
    found = {name: slice(int(a), int(b)) for name, a, b in zip(sizes, ends, ends[1:], strict=False)}
    return found | {"storage": int(found["storage"].start)}


# --------------------------------------------------------------------------- all trajectories


_drawn = compiled(drawn)


def clock_of(step: float, period: int) -> Clock:
    return Clock(jnp.asarray(step), jnp.asarray(period), jnp.asarray(period))


def _start(field: Field, start: Outset, clock: Clock, key: Array, lanes: Array) -> Any:
    """Lanes where they start, and their energies; one program for all lanes of a number."""
    drawn = np.asarray(_drawn(key, lanes))
    x = start.positions(drawn)
    v = np.interp(x, start.places, start.speeds) * drawn[1]
    none = jnp.full(lanes.shape, -1)
    now = Particles(jnp.asarray(x), jnp.asarray(v), Sums.none(field, lanes.shape[0]), none)
    return stretched(field, clock, key, lanes, now, jnp.asarray(0), jnp.asarray(0))


@compiled
def stretched(
    field: Field, clock: Clock, key: Array, lanes: Array, now: Particles, first: Array, last: Array
) -> tuple[Particles, Array]:
    now = stretch(field, clock, key, lanes, now, first, last)
    return now, energy(field, now, clock.behind(last * BLOCK).phase)


def closed(now: Particles, before: Array, after: Array, time: float) -> tuple[Particles, np.ndarray]:
    """Lanes with their sums cleared, and rates (quantity, lane): all sums, and the change of the energy."""
    sums = [np.asarray(a) for a in now.sums]
    rates = np.concatenate([np.atleast_2d(a) for a in sums] + [np.asarray(after - before)[None]]) / time
    return now._replace(sums=Sums(*(placed(np.zeros(a.shape)) for a in sums))), rates


def _run(field: Field, start: Outset, clock: Clock, key: Array, lanes: np.ndarray, spans: Any, show: Any) -> Result:
    """All trajectories in chunks, each in stretches of time."""
    pieces = -(-len(lanes) // CHUNK)
    chunk = -(-len(lanes) // (8 * pieces)) * 8
    most = max(1, STRETCH // (BLOCK * chunk))

    def piece(first: int) -> Result:
        own = jnp.asarray(lanes[0] + np.arange(first, first + chunk))
        now, before = _start(field, start, clock, key, own)
        rates, block = [], 0
        for blocks in spans:
            after, end = before, block + blocks
            while block < end:
                begun, block = block, min(block + most, end)
                now, after = stretched(field, clock, key, own, now, jnp.asarray(begun), jnp.asarray(block))
            now, rate = closed(now, before, after, max(blocks, 1) * BLOCK * float(clock.step))
            before = after
            rates.append(rate)
        return Result(np.stack(rates[1:]), np.asarray(now.failed), np.asarray(now.x))

    done = list(spread(piece, range(0, len(lanes), chunk), label="trajectories", progress=show))
    return Result(*(np.concatenate(parts, axis=-1)[..., : len(lanes)] for parts in zip(*done, strict=True)))


def _paths(
    field: Field, start: Outset, clock: Clock, key: Array, request: Request, spans: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, positions and velocities (kept, time, 1) of the first trajectories, a point in a block of steps."""
    if not request.keep:
        return np.zeros(0), *(np.zeros((0, 0, 1)),) * 2
    lanes = jnp.arange(request.keep)
    every = math.ceil(request.stride / BLOCK)
    now, _ = _start(field, start, clock, key, lanes)
    now, _ = stretched(field, clock, key, lanes, now, jnp.asarray(0), jnp.asarray(spans[0]))
    block, marks, seen = spans[0], [], []
    while block <= sum(spans):
        marks.append(block * BLOCK)
        seen.append((np.asarray(now.x), np.asarray(now.v)))
        now, _ = stretched(field, clock, key, lanes, now, jnp.asarray(block), jnp.asarray(block + every))
        block += every
    x, v = (np.stack(part, axis=-1)[..., None] for part in zip(*seen, strict=True))
    times = np.asarray(clock.time(jnp.asarray(marks)))
    return times - times[0], x, v


# --------------------------------------------------------------------------- what they are worth


def means(field: Field, run: Result, potentials: np.ndarray) -> Means:
    """Averages over lanes, which are independent; of open ends scaled to the rate of births that is known."""
    parts = field.borders.shape[0] + 1
    sizes = [parts, parts, 2, 2, 1, 1, parts - 1, field.drives, 1, 1]
    split = np.split(run.rates, np.cumsum(sizes)[:-1], axis=1)
    heat, entropy, ends, entered, births, gone, leaks, work, warmth, storage = split
    if field.kind == OPEN:
        own = ends - potentials[:, None] * entered
        heat = np.concatenate([heat, own], axis=1)
        entropy = np.concatenate([entropy, own / np.asarray(field.warmth)[:, None]], axis=1)
    if field.kind == PERIODIC:
        work = np.concatenate([float(field.load) * gone, work], axis=1)
    balance = heat.sum(1, keepdims=True) + work.sum(1, keepdims=True) - storage
    balance = balance + (potentials[:, None] * entered).sum(1, keepdims=True)
    halves = np.concatenate([heat, work, storage, entropy, entered, gone, leaks, warmth, balance], axis=1)
    # Warmth is a mean over the particles there are, not a sum over them.
    mean, error, lanes = _scaled(field, halves.mean(0), births.mean(0))
    parts_of = [_scaled(field, halves[k], births[k]) for k in (0, 1)]
    change = parts_of[1][2] - parts_of[0][2]
    noise = change.std(-1, ddof=1) / math.sqrt(change.shape[-1]) + 1e-12 * np.abs(mean).max()
    kept = slice(0, rows(field)["work"].stop)
    drift = float(np.max(np.abs(change.mean(-1) / noise)[kept], initial=0.0))
    at = rows(field)["warmth"]
    mean[at], error[at] = halves[:, at].mean(), 0.0
    return Means(mean, error, lanes, drift)


def _scaled(field: Field, values: np.ndarray, births: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, standard errors and each lane's values (quantity, lane) of what one particle does, for all of them.

    Of open ends the means are ratios to the births, whose errors follow from the lanes' deviations from the ratio.
    """
    count = math.sqrt(values.shape[-1])
    if field.kind != OPEN:
        return values.mean(-1), values.std(-1, ddof=1) / count, values
    scale = float(np.sum(field.sources)) / births.mean()
    mean = scale * values.mean(-1)
    lanes = scale * values - mean[:, None] * (births / births.mean() - 1)
    return mean, lanes.std(-1, ddof=1) / count, lanes


def assess(
    field: Field,
    found: Means,
    other: Means,
    run: Result,
    step: float,
    steps: int,
    request: Request,
    sides: Sides = MIXED,
) -> tuple[Outcome, str]:
    at = rows(field)
    flows = slice(0, at["work"].stop)
    largest = np.abs(found.mean[flows]).max(initial=0.0)
    bias = np.abs(found.mean - other.mean)[flows]
    doubt = np.hypot(found.error, other.error)[flows]
    allowed = ALLOWED * largest
    biased = bias - 3 * doubt > np.maximum(allowed, found.error[flows])
    off = float(np.abs(found.mean[at["balance"]])[0])
    balanced = off <= allowed + DRIFT * float(found.error[at["balance"]][0])
    differ = sides.differ(np.maximum(allowed, found.error[flows]))
    failed, finite = bool((run.failed >= 0).any()), bool(np.isfinite(found.mean).all())
    words = ""
    if failed:
        lane = int(np.argmax(run.failed >= 0))
        when = float(run.failed[lane]) * BLOCK * step
        words = (
            f"trajectory {lane} left the range of numbers at time {when:.6g} (from the start of the transient), near "
            f"x = {run.last[lane]:.6g}; the potential is no number there, or the time step ({step:.3g}) is too long."
        )
    elif biased.any() or not balanced or found.drift >= DRIFT:
        words = (
            f"with the time step {step:.3g} heat or work changes by {bias.max():.2g} ± {doubt.max():.1g} from that of "
            f"steps twice as long, the halves of the time differ by {found.drift:.3g} standard errors, or the energy "
            f"balance is off by {off:.2g}; give a shorter `time_step`, or a longer `transient`."
        )

    elif differ:
        words = sides.words

    def rates(values: np.ndarray) -> Rates:
        parts = field.borders.shape[0] + 1
        particles = None
        if field.kind == OPEN:
            particles = jnp.asarray(np.concatenate([np.zeros(parts), values[at["particles"]]]))[None]
        heats, works, entropy = (jnp.asarray(values[at[name]])[None] for name in ("heat", "work", "entropy"))
        storage = jnp.asarray(values[at["storage"]])[None]
        return Rates(heats, particles, works, storage, entropy_flows=entropy)

    def observables(values: np.ndarray) -> dict[str, Array]:
        velocity = values[at["velocity"]][0]
        flux = -values[at["particles"]][1] if field.kind == OPEN else np.zeros(())
        if field.kind == PERIODIC:
            flux = velocity / float(field.length)
        seen = {"flux": flux, "mean velocity": velocity}
        seen |= {f"kinetic flux {k + 1}": leak for k, leak in enumerate(values[at["leaks"]])}
        return {name: jnp.asarray(value)[None] for name, value in seen.items()}

    def flag(value: Any) -> Array:
        return jnp.asarray([bool(value)])

    def number(value: Any) -> Array:
        return jnp.asarray([float(value)])

    scale = largest if largest > 0 else 1.0
    # Of a temperature that is a function of x the ledger has the mean over the particles.
    temperatures = None
    if callable(field.temperature) and not isinstance(field.temperature, Steps):
        ends = np.asarray(field.warmth) if field.kind == OPEN else np.zeros(0)
        temperatures = jnp.asarray(np.concatenate([found.mean[at["warmth"]], ends]))[None]
    outcome = Outcome(
        rates(found.mean),
        rates(found.error),
        faults={
            Status.UNSTABLE: flag(failed),
            Status.NOT_FINITE: flag(not finite),
            Status.NOT_CONVERGED: flag(biased.any() or not balanced or not found.drift < DRIFT or differ),
        },
        residuals={"drift": number(found.drift)},
        flags={WELLS_UNMIXED: flag(sides.unmixed)},
        statistics={
            "trajectories": number(run.failed.shape[-1]),
            "steps": number(steps),
            "time_step": number(step),
            "time_step_bias": number(bias.max(initial=0.0) / scale),
            "time_step_bias_error": number(doubt.max(initial=0.0) / scale),
        },
        observables=observables(found.mean),
        observable_errors={name: jnp.abs(value) for name, value in observables(found.error).items()},
        temperatures=temperatures,
        stochastic=True,
    )
    return outcome, words
