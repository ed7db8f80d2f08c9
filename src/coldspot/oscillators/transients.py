"""Trajectories of any classical network from a given start, for a given time: ramps, quenches and transients.

Steps are those of `walk`, whose velocities lag half a kick behind. Here half a kick is taken back at the start and
given at the end, and the work of springs is summed by the trapezoidal rule, so that all is of second order in the step
between any two times, and not only over whole periods. The bias is measured by steps twice as long.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import growth
from .._checks import InputError, check_memory
from ..dynamics import Dynamics
from ..growth import Result
from ..numerics.random_numbers import normals
from ..numerics.timeline import Timeline, edges_of, timeline
from ..parallel import spread
from ..pytrees import compiled
from ..solution import Solution, SolveError, Status
from ..trajectories import Start, Trajectories, check_ensemble, start_of
from . import walk
from .ensemble import BIAS, Summary
from .feedback import returned
from .instant import Instant, moments
from .journey import CHUNK, FINE, OTHERS, STRETCH, Bias, amounts, averages, concluded, stretched
from .model import System
from .sampling import QUANTITIES
from .simulation import BLOCK, START
from .told import Network

OWNER = "trajectories"
LOOKED_AT = 64
"""Moments, and starts, at which the fastest motion is looked for."""
FOLLOWED = 32
"""Steps in a period of the drives, at least."""


class Grid(NamedTuple):
    """The steps, and the network along them."""

    line: Timeline
    course: walk.Course

    @property
    def blocks(self) -> int:
        return self.line.steps // BLOCK


def follow(
    dynamics: Dynamics,
    network: Network,
    key: Array,
    n: int,
    time: Any,
    *,
    start: Any,
    time_step: Any,
    keep: int,
    stride: int,
    throw: bool,
    progress: bool | None,
    until: growth.Until | None,
) -> Trajectories:
    """Trajectories from `start` at time 0 and phase 0; see `OscillatorNetwork.trajectories`."""
    check_ensemble(OWNER, n, time, time_step, None, keep, stride, QUANTITIES)
    time = float(time)
    edges = edges_of(network.borders, network.duration, time)
    looked = network.instants(jnp.asarray(network.frequency * _moments(edges)))
    size, heavy = looked.masses.shape[-1], looked.masses.shape[-1] - len(looked.massless)
    what = f"the {size} positions and then the {heavy} velocities of coordinates with a mass"
    begun = start_of(OWNER, start, size + heavy, n, what)
    if until is not None and begun.base.shape[1] > 1:
        raise InputError(f"{OWNER}: `until` adds trajectories, but `start` gives that of each; give a mean, or `n`.")
    step = FINE * _shortest(network, looked, begun, n) if time_step is None else float(time_step)
    if network.frequency and time_step is None:
        step = min(step, 2 * math.pi / network.frequency / FOLLOWED)
    line = timeline(edges, step, turns=False, block=BLOCK)
    fine = _grid(network, line, looked)
    system = _books(looked)

    def portion(first: int, show: bool | None) -> Result:
        return _run(fine, begun, key, np.arange(first, first + n), show)

    def label() -> str:
        now, energies = _begun(fine.course, begun, key, jnp.arange(8))
        forces = fine.course.forces(now.x, now.v, fine.course.springs[0], fine.course.pushes[0])
        return growth.identity(fine.course, begun, key, fine.blocks, energies, forces, "start", repr(network.places))

    flows = system.baths + system.drives
    result = growth.grown(portion, n, growth.of_rates(flows), until, progress, label)
    count = result.failed.shape[-1]
    if throw and np.any(result.failed >= 0):
        lane = int(np.argmax(result.failed >= 0))
        raise SolveError(
            f"{OWNER}: trajectory {lane} left the range of numbers at time "
            f"{line.after(int(result.failed[lane]) * BLOCK):.6g}. The potential does not hold it, or is no number "
            f"there, or the time step ({line.longest:.3g}) is too long where it is steep.",
            Status.UNSTABLE,
        )
    check = _run(
        _grid(network, line.halved(), looked, fine.course.count), begun, key, OTHERS + np.arange(count), progress
    )
    found, other = (_mean(system, one) for one in (result, check))
    means, errors = (np.stack(pair)[:, :flows] for pair in ((found.mean, other.mean), (found.error, other.error)))
    bias = Bias(jnp.asarray(np.abs(means[0] - means[1]) / 3), jnp.asarray(np.hypot(*errors) / 3), jnp.asarray(BIAS))
    # Without friction and drives nothing flows: twice the kinetic energy is what the balance is judged by.
    moving = np.sum(np.asarray(looked.masses)[0] * np.asarray(found.mean)[flows + 1 + size :])
    counts = jnp.asarray(line.steps), jnp.asarray(count)
    numbers = jnp.asarray(line.longest), *counts, jnp.asarray(moving / time)
    solution = concluded(dynamics, found, bias, numbers, system.baths, looked.massless, bool(network.feedbacks))
    if throw:
        solution.raise_unless_ok(lambda status: _explain(status, solution, line.longest))
    heats, works, storages = amounts(result, system, time)
    times, x, v = _paths(fine, begun, key, keep, stride)
    return Trajectories(solution, heats, works, storages, times, x, v, jnp.asarray(time))


def _shortest(network: Network, looked: Instant, begun: Start, n: int) -> float:
    """The shortest time of the motion where trajectories start, and at any moment of the drives."""
    size = looked.masses.shape[-1]
    random = np.random.RandomState(3).standard_normal((len(begun.factor), LOOKED_AT))
    lanes = np.arange(LOOKED_AT) * max(n // LOOKED_AT, 1)
    places = (begun.base[:, lanes % begun.base.shape[1]] + begun.factor @ random)[:size]
    curvatures = np.zeros((1, size, size))
    if network.potential is not None:
        curvatures = np.asarray(_curvatures(network.potential, jnp.asarray(places)))
        if not np.isfinite(curvatures).all():
            lane = int(np.argmin(np.isfinite(curvatures).all((1, 2))))
            raise InputError(
                f"{OWNER}: the curvature of `potential` is not a number at x = {places[:, lane].tolist()}, where "
                "trajectories start."
            )
    first = jax.tree.map(lambda a: np.asarray(a)[0], looked)
    slope = returned(network.feedbacks, first, places.mean(1)).slope
    # The springs of all moments with the mean curvature, and those of the first moment with each one.
    stiff = [(k, curvatures.mean(0)) for k in range(looked.springs.shape[0])] + [(0, one) for one in curvatures]
    drifts = _drifts(looked, jnp.asarray([k for k, _ in stiff]), jnp.asarray(np.array([more for _, more in stiff])))
    fastest = float(np.abs(np.linalg.eigvals(np.asarray(drifts) + slope)).max())
    if not np.isfinite(fastest):
        raise InputError(f"{OWNER}: springs, frictions or drives are not numbers at some time of the run.")
    return 1 / fastest if fastest > 0 else math.inf


@compiled
def _curvatures(potential: Any, places: Array) -> Array:
    """Second derivatives (lane, n, n) at places (n, lane)."""
    return jax.vmap(jax.hessian(potential), in_axes=-1)(places)


@compiled
def _drifts(looked: Instant, moment: Array, stiffer: Array) -> Array:
    """The drift of (x, v) at the numbers of some moments, with springs that are stiffer."""

    def one(k: Array, more: Array) -> Array:
        now = jax.tree.map(lambda a: a[k], looked)
        return moments(eqx.tree_at(lambda i: i.springs, now, now.springs + more)).drift[:-1, :-1]

    return jax.vmap(one)(moment, stiffer)


def _moments(edges: np.ndarray) -> np.ndarray:
    """Moments at which the fastest motion is looked for: over the whole time, and in pieces of it."""
    if edges.size == 2:
        return edges[-1] / LOOKED_AT * np.arange(LOOKED_AT + 1)
    # The first pieces, and some of the others.
    count = edges.size - 1
    some = np.concatenate([np.arange(LOOKED_AT), np.linspace(0, count - 1, LOOKED_AT).astype(int)]) % count
    starts, spaces = edges[:-1][some], np.diff(edges)[some]
    return np.sort((starts[:, None] + spaces[:, None] * np.array([1e-3, 0.5, 0.999])).ravel())


def _grid(network: Network, line: Timeline, looked: Instant, room: int = 1) -> Grid:
    if network.frequency:
        words = network.hidden(max(int(network.duration / line.longest), 1), network.frequency * line.duration)
        if words:
            raise InputError(f"{OWNER}: {words}.")
        entries = sum(a[0].size for a in jax.tree.leaves(looked))
        size = 1 << (line.steps + 1).bit_length()
        check_memory(f"{OWNER}: {size:,} steps of a driven network", 24.0 * size * entries, "give a longer step.")
    return Grid(line, walk.course_of(network, line, room))


def _books(looked: Instant) -> System:
    """Of averages: how many baths and drives there are, and no more."""
    n, drives = looked.masses.shape[-1], looked.pushes.shape[1]
    none = jnp.zeros(drives)
    return System(
        masses=jnp.ones(n),
        springs=jnp.eye(n),
        frictions=jnp.ones(n),
        temperatures=looked.temperatures[0],
        amplitudes=none,
        phases=none,
        means=none,
        frequency=jnp.zeros(()),
        potential=None,
        bath_of=(0,) * n,
        sites=(0,) * drives,
    )


# --------------------------------------------------------------------------- all trajectories


@compiled
def _begun(course: walk.Course, begun: Start, key: Array, lanes: Array) -> tuple[walk.Walkers, Array]:
    """Lanes where they start, half a kick earlier, and their energies."""
    k, n = begun.factor.shape[0], course.masses.shape[0]
    random = jnp.concatenate(normals(key, START, lanes, 0, -(-k // 4)))[:k]
    y = jnp.asarray(begun.base)[:, lanes % begun.base.shape[1]] + jnp.asarray(begun.factor) @ random
    now = walk.cleared(course, y[:n], y[n:], jnp.full(lanes.shape, -1))
    first = jnp.zeros((), int)
    return _half(course, now, first, -1.0), walk.total(course, now, first)


@compiled
def _ended(course: walk.Course, now: walk.Walkers, k: Array) -> tuple[walk.Walkers, Array]:
    now = _half(course, now, k % course.count, 1.0)
    return now, walk.total(course, now, k)


def _half(course: walk.Course, now: walk.Walkers, k: Array, sign: float) -> walk.Walkers:
    """The half of kick k before its moment, forwards or back, with its work, and half a step's work of the springs.

    The works of kick k are those of the springs' slope alone at the first and the last moment.
    """
    x, time = now.x, sign * course.lapses[k] / 2
    v, done = walk.kicked(course, x, now.v, time, course.held[k], course.pressed[k])
    work = now.work + done + sign / 4 * jnp.einsum("il,dij,jl->dl", x, course.works[k], x)
    return now._replace(v=v, work=work, squares=now.squares + time * x * x)


_closed = compiled(walk.closed)


def _run(grid: Grid, begun: Start, key: Array, lanes: np.ndarray, progress: bool | None) -> Result:
    """All trajectories in chunks, each in stretches of time."""
    pieces = -(-len(lanes) // CHUNK)
    chunk = -(-len(lanes) // (8 * pieces)) * 8
    course, most = grid.course, max(1, STRETCH // (BLOCK * chunk * grid.course.masses.shape[0]))

    def piece(first: int) -> Result:
        own = jnp.asarray(lanes[0] + np.arange(first, first + chunk))
        now, before = _begun(course, begun, key, own)
        for block in range(0, grid.blocks, most):
            last = min(block + most, grid.blocks)
            now, _ = stretched(course, key, own, now, jnp.asarray(block), jnp.asarray(last))
        now, after = _ended(course, now, jnp.asarray(grid.line.steps))
        now, rates = _closed(course, now, before, after, jnp.asarray(grid.line.duration))
        # One span of time, where a steady state has two halves.
        return Result(np.stack([np.asarray(rates)] * 2), np.asarray(now.failed), np.asarray(now.x))

    done = list(spread(piece, range(0, len(lanes), chunk), label="trajectories", progress=progress))
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=-1)[..., : len(lanes)], *done)


def _mean(system: System, result: Result) -> Summary:
    return averages(system, result)._replace(blocks=jnp.ones(()))


def _paths(grid: Grid, begun: Start, key: Array, keep: int, stride: int) -> tuple[Array, Array, Array]:
    """Times, positions and velocities (NaN without a mass) of the first trajectories, from 0 to the end."""
    course = grid.course
    n, heavy = course.masses.shape[0], np.array(course.heavy, int)
    if not keep:
        return jnp.zeros(0), *(jnp.zeros((0, 0, n)),) * 2
    every, lanes = math.ceil(stride / BLOCK), jnp.arange(keep)
    now, _ = _begun(course, begun, key, lanes)
    marks = [*range(0, grid.blocks, every), grid.blocks]
    block, seen = 0, []
    for mark in marks:
        if mark > block:
            now, _ = stretched(course, key, lanes, now, jnp.asarray(block), jnp.asarray(mark))
        block = mark
        whole, _ = _ended(course, now, jnp.asarray(mark * BLOCK))
        speeds = np.full((n, keep), np.nan)
        speeds[heavy] = np.asarray(whole.v)
        seen.append((np.asarray(whole.x), speeds))
    x, v = (jnp.moveaxis(jnp.asarray(np.stack(part)), -1, 0) for part in zip(*seen, strict=True))
    return jnp.asarray([grid.line.after(mark * BLOCK) for mark in marks]), x, v


def _explain(status: Status, solution: Solution, step: float) -> str:
    if status is not Status.NOT_CONVERGED:
        return ""
    seen = solution.statistics
    return (
        f"with the time step {step:.3g} heat or work is biased by {float(seen['time_step_bias']):.2g} ± "
        f"{float(seen['time_step_bias_error']):.1g} of the largest (by comparison with steps twice as long), or the "
        f"energy balance is off by {float(solution.residuals['first law']):.2g}; give a shorter `time_step`."
    )
