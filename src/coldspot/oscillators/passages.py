"""First passage and escape: when trajectories of a network first leave an interval of one coordinate.

Steps are those of `walk`. A coordinate without mass crosses to and fro within a step: between two positions on one side
of a border at b it has been beyond with the probability e^{−2(b−x)(b−x′)/σ²}, σ² the variance of its step (Brownian
bridge), so that times are biased at first order of the step and not of its root. How much, a second ensemble with
steps twice as long tells.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._attributes import Spoken
from .._checks import InputError, check_positive, check_shape, worded
from ..dynamics import as_dynamics
from ..numerics.random_numbers import normals
from ..numerics.timeline import Timeline, edges_of, timeline
from ..parallel import spread
from ..pytrees import compiled
from ..solution import SolveError, Status
from ..trajectories import key_words
from . import walk
from .instant import Instant, moments
from .network import OscillatorNetwork
from .simulation import BLOCK, DYNAMICS, START
from .told import Network, told

VERB = "first_passage"
BRIDGE = 2
"""Stream of the random numbers that decide on crossings within steps."""
FINE, NEAR = 0.05, 0.01
"""Default step: part of the shortest time where trajectories start, and of the time to diffuse over the interval."""
CHUNK = 256
"""Trajectories that run together."""
TOGETHER = 64
"""Blocks of steps of one call."""
LONGEST = 1 << 22
"""Steps, at most, unless a time is given."""
BIASED = 0.01
"""A bias above this part of the mean, and above its standard error, is `NOT_CONVERGED`."""
OTHERS = 1 << 40
"""Number of the first trajectory of the second ensemble."""


class Passages(Spoken, eqx.Module):
    """First passage times of independent trajectories.

    - `times` (n,); `upwards` (n,): whether they left at the upper end;
    - `mean` with its standard error `error`, `share` of those that left at the upper end;
    - `bias` of the mean by the time step, as steps twice as long show it, with its standard error `bias_error`;
    - `time_step`, `status`.
    """

    times: np.ndarray
    upwards: np.ndarray
    mean: float
    error: float
    share: float
    bias: float
    bias_error: float
    time_step: float
    status: Status = eqx.field(static=True)

    def __repr__(self) -> str:
        return (
            f"{self.times.size} passages: mean time {self.mean:.4g} ± {self.error:.1g}, at the upper end "
            f"{self.share:.3g}; bias of the time step {self.bias:.1g} ± {self.bias_error:.1g}; {self.status.name}"
        )


class Flight(NamedTuple):
    """Positions (n, lane), velocities (heavy, lane); when each lane left (NaN before), and whether upwards; when it
    left the range of numbers before (NaN if it did not), and by which coordinate."""

    x: Array
    v: Array
    time: Array
    upwards: Array
    lost: Array
    worst: Array


@worded
def first_passage(
    machine: Any,
    key: Any,
    *,
    coordinate: int,
    start: Any,
    below: Any = None,
    above: Any = None,
    n: int = 1000,
    time_step: Any = None,
    longest: Any = None,
    throw: bool = True,
) -> Passages:
    """When `coordinate` first falls to `below` or rises to `above` (one of them, or both: an escape from an interval).

    **Arguments:** `machine`, a classical `OscillatorNetwork`, with or without a `potential`, driven or not (from phase
    0), which need not have a steady state; `start`, the positions (n coordinates) of all trajectories, whose velocities
    are those of the temperature of each coordinate's bath (the warmest one, if it has several, or none); `n`, how many;
    `time_step`; `longest`, the time at which those that have not left are given up; `throw`: whether to raise
    `SolveError` if some have not, or if the time step biases the mean by more than its standard error and a hundredth.

    >>> import coldspot as cs, jax
    >>> free = cs.OscillatorNetwork([0.0], [[0.0]], [1.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0})
    >>> found = cs.oscillators.first_passage(
    ...     free, jax.random.key(1), coordinate=0, start=[0.0], below=-1.0, above=1.0, n=512
    ... )
    >>> bool(abs(found.mean - 0.5) < 4 * found.error + found.bias)
    True
    """
    network = as_dynamics(machine)
    if not isinstance(network, OscillatorNetwork):
        raise InputError(f"{VERB}: `machine` must be an OscillatorNetwork, but is {type(network).__name__}.")
    if network.quantum or network.remembers:
        what = "quantum baths" if network.quantum else "friction with a memory"
        raise InputError(f"{VERB}: an OscillatorNetwork with {what} has no trajectories.")
    places, borders, words = _asked(network, coordinate, start, below, above), _borders(below, above), key_words(key)
    if not isinstance(n, int) or isinstance(n, bool) or n < 16:
        raise InputError(f"{VERB}: `n` must be an integer of at least 16, but is {n!r}.")
    for name, value in {"time_step": time_step, "longest": longest}.items():
        if value is not None:
            check_shape(VERB, name, value, (), "one number")
            check_positive(VERB, name, value)
    now = jax.tree.map(lambda a: np.asarray(a)[0], told(network).instants(jnp.zeros(1)))
    step = _step(network, now, places, coordinate, borders) if time_step is None else float(time_step)
    seen = told(network)
    line = Timeline(np.array([0.0, 2 * step]), np.array([2]), True)
    if seen.frequency:
        line = timeline(edges_of(seen.borders, seen.duration, None), step, block=1)
        step = line.longest
        hidden = seen.hidden(int(seen.duration / step), None)
        if hidden:
            raise InputError(f"{VERB}: {hidden}.")
    time = LONGEST * step if longest is None else float(longest)
    found = _run(seen, line, words, np.arange(n), places, coordinate, borders, time)
    room = line.steps if seen.frequency else 1
    rough = _run(seen, line.halved(), words, OTHERS + np.arange(n), places, coordinate, borders, time, room)
    mean, other = float(found.time.mean()), float(rough.time.mean())
    error, other_error = (float(one.time.std(ddof=1)) / math.sqrt(n) for one in (found, rough))
    bias, doubt = abs(mean - other), math.hypot(error, other_error)
    status = Status.OK
    if not np.isfinite(found.time).all() or bias - 3 * doubt > max(BIASED * mean, error):
        status = Status.NOT_CONVERGED
    result = Passages(
        np.asarray(found.time),
        np.asarray(found.upwards),
        mean,
        error,
        float(found.upwards.mean()),
        bias,
        doubt,
        step,
        status,
    )
    if throw and status != Status.OK:
        missing = int(np.isnan(found.time).sum())
        why = (
            f"{missing} of {n} trajectories have not left at time {time:.6g}; give a larger `longest`, or `throw=False`"
            if missing
            else f"the time step {step:.3g} biases the mean {mean:.4g} by about {bias:.2g}; give a shorter `time_step`"
        )
        raise SolveError(f"{VERB}: no trustworthy times (NOT_CONVERGED): {why}.", status)
    return result


def _borders(below: Any, above: Any) -> tuple[float, float]:
    return (-math.inf if below is None else float(below), math.inf if above is None else float(above))


def _asked(network: OscillatorNetwork, coordinate: Any, start: Any, below: Any, above: Any) -> np.ndarray:
    if not isinstance(coordinate, int) or not 0 <= coordinate < network.size:
        raise InputError(
            f"{VERB}: `coordinate` must be an integer from 0 to {network.size - 1}, but is {coordinate!r}."
        )
    if below is None and above is None:
        raise InputError(f"{VERB}: give `below` or `above`, where the coordinate is to arrive.")
    for name, value in {"below": below, "above": above}.items():
        if value is not None:
            check_shape(VERB, name, value, (), "one number")
    check_shape(VERB, "start", start, (network.size,), "a position for each coordinate")
    places, (low, high) = np.asarray(start, float), _borders(below, above)
    if not (low < places[coordinate] < high and np.isfinite(places).all()):
        raise InputError(
            f"{VERB}: `start` puts coordinate {coordinate} at {places[coordinate]:g}, which is not between "
            f"{low:g} and {high:g}."
        )
    return places


@compiled
def _drift(potential: Any, now: Instant, places: Array) -> Array:
    """The drift of (x, v) with the potential's curvature at these places."""
    if potential is not None:
        now = eqx.tree_at(lambda one: one.springs, now, now.springs + jax.hessian(potential)(places))
    return moments(now).drift[:-1, :-1]


def _step(
    network: OscillatorNetwork, now: Instant, places: np.ndarray, coordinate: int, borders: tuple[float, float]
) -> float:
    """A part of the shortest time where trajectories start, and of the time to diffuse to the nearer end."""
    drift = np.asarray(_drift(network.potential, jax.tree.map(jnp.asarray, now), jnp.asarray(places)))
    fastest = float(np.abs(np.linalg.eigvals(drift)).max())
    distance = min(abs(border - places[coordinate]) for border in borders)
    hot, friction = float(now.temperatures.max()), float(now.frictions.sum(0)[coordinate, coordinate])
    found = FINE / fastest if fastest > 0 else math.inf
    if coordinate in now.massless:
        found = min(found, NEAR * distance**2 * friction / hot)
    if not (0 < found < math.inf):
        raise InputError(f"{VERB}: no time step follows from the motion at `start`; give `time_step`.")
    return found


@compiled
def _begun(course: walk.Course, places: Array, warmth: Array, key: Array, lanes: Array) -> Flight:
    heavy = np.array(course.heavy, int)
    random = jnp.concatenate(normals(key, START, lanes, 0, -(-len(heavy) // 4) or 1))[: len(heavy)]
    v = jnp.sqrt(warmth / course.masses[heavy])[:, None] * random
    x = jnp.broadcast_to(places[:, None], (places.size, lanes.size))
    none = jnp.full(lanes.shape, jnp.nan)
    return Flight(x, v, none, jnp.zeros(lanes.shape, bool), none, jnp.zeros(lanes.shape, int))


@compiled
def _flown(
    course: walk.Course,
    key: Array,
    lanes: Array,
    now: Flight,
    place: Array,
    borders: Array,
    widths: Array,
    begins: Array,
    duration: Array,
    first: Array,
) -> Flight:
    """`TOGETHER` blocks of steps from block `first`; `widths` (piece,): σ² of the coordinate `place` within a step (0:

    heavy); steps of a period of that `duration` begin at `begins` (step,)."""
    m = course.noises
    low, high = borders
    empty = jnp.zeros(0)

    def one(now: Flight, given: tuple[Array, Array, Array]) -> tuple[Flight, None]:
        index, noise, chance = given
        state = walk.cleared(course, now.x, now.v, empty)
        k = index % course.count
        new, width = walk.step(course, state, k, noise), widths[course.pieces[k]]
        since = index // course.count * duration + begins[k]
        before, after = now.x[place], new.x[place]
        narrow = jnp.where(width > 0, width, 1.0)
        seen = [jnp.exp(-2 * (b - before) * (b - after) / narrow) for b in (low, high)]
        down, up = (jnp.where(width > 0, jnp.minimum(p, 1.0), 0.0) for p in seen)
        down, up = jnp.where(after <= low, 1.0, down), jnp.where(after >= high, 1.0, up)
        leaves, upwards = chance < down + up, chance < up
        border = jnp.where(upwards, high, low)
        apart = jnp.where(after == before, 1.0, after - before)
        share = jnp.where(width > 0, 0.5, jnp.clip((border - before) / apart, 0.0, 1.0))
        fresh = leaves & jnp.isnan(now.time)
        time = jnp.where(fresh, since + share * course.lengths[k], now.time)
        # The largest one of the last positions that are numbers; products carry what is none to all others.
        gone = ~jnp.all(jnp.isfinite(new.x), 0) & jnp.isnan(now.lost) & jnp.isnan(time)
        lost = jnp.where(gone, since, now.lost)
        worst = jnp.where(gone, jnp.argmax(jnp.abs(now.x), 0), now.worst)
        return Flight(new.x, new.v, time, jnp.where(fresh, upwards, now.upwards), lost, worst), None

    def block(k: Array, now: Flight) -> Flight:
        index = first + k
        noise = jnp.concatenate(normals(key, DYNAMICS, lanes, index, BLOCK // 4 * m)).reshape(BLOCK, m, -1)
        a, b = normals(key, BRIDGE, lanes, index, BLOCK // 2)
        # The squared length of two normal numbers is −2 ln of a uniform one.
        new = jax.lax.scan(one, now, (index * BLOCK + jnp.arange(BLOCK), noise, jnp.exp(-(a * a + b * b) / 2)))[0]
        if course.potential is None:
            return new
        # A slope may be a number where the energy is none.
        none = ~jnp.isfinite(jax.vmap(course.potential, in_axes=-1)(new.x)) & jnp.isnan(new.time)
        turns, k = jnp.divmod((index + 1) * BLOCK, course.count)
        return new._replace(lost=jnp.where(none & jnp.isnan(new.lost), turns * duration + begins[k], new.lost))

    return jax.lax.fori_loop(0, TOGETHER, block, now)


def _run(
    network: Network,
    line: Timeline,
    key: Array,
    lanes: np.ndarray,
    places: np.ndarray,
    coordinate: int,
    borders: tuple[float, float],
    longest: float,
    room: int = 1,
) -> Flight:
    """All trajectories until they have left, or the time `longest`; `room` as for `course_of`."""
    course, step = walk.course_of(network, line, room), line.longest
    warm = np.asarray(network.instants(jnp.zeros(1)).temperatures[0])
    own = [[b for b, at in enumerate(network.places) if i in at] for i in course.heavy]
    warmth = jnp.asarray([warm[at].max() if at else warm.max() for at in own])
    widths = np.zeros(line.counts.size)
    if coordinate in course.massless:
        rows = np.asarray(course.spread)[:, course.massless.index(coordinate)]
        widths = (rows * rows).sum(1)
    turns = course.count // line.steps
    lengths = np.tile(line.lengths, turns)
    times = np.cumsum(lengths) - lengths if course.count > 1 else np.zeros(1)
    turn = turns * line.duration if course.count > 1 else step
    numbers = tuple(map(jnp.asarray, (coordinate, borders, widths, times, turn)))
    begins = jnp.asarray(places)

    def piece(begin: int) -> Flight:
        own = jnp.asarray(lanes[0] + np.arange(begin, begin + CHUNK))
        now, block = _begun(course, begins, warmth, key, own), 0
        while True:
            now = _flown(course, key, own, now, *numbers, jnp.asarray(block))
            block += TOGETHER
            time = np.asarray(now.time)
            waiting = np.isnan(time) & np.isnan(np.asarray(now.lost))
            if not waiting.any() or line.after(block * BLOCK) >= longest:
                return jax.tree.map(np.asarray, now._replace(time=np.where(time > longest, np.nan, time)))

    pieces = list(spread(piece, range(0, len(lanes), CHUNK), label="trajectories", progress=False))
    found = jax.tree.map(lambda *parts: np.concatenate(parts, axis=-1)[..., : len(lanes)], *pieces)
    if np.isfinite(found.lost).any():
        lane = int(np.nanargmin(found.lost))
        raise SolveError(
            f"{VERB}: trajectory {lane} escaped to infinity at time {found.lost[lane]:.6g}, in coordinate "
            f"{found.worst[lane]}; nothing holds it there, the potential is no number, or the time step ({step:.3g}) "
            "is too long where it is steep.",
            Status.UNSTABLE,
        )
    return found
