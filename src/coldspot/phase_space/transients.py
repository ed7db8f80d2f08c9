"""Particles from a given start, for a given time: ramps and transients of single trajectories.

Steps are those of `particles`, whose velocities lag half a kick behind: half a kick is taken back at the start and
given at the end, and work is summed by the trapezoidal rule, so that all is of second order between any two times. The
bias is measured by steps twice as long.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import growth
from .._checks import InputError
from ..dynamics import Dynamics
from ..growth import Result
from ..numerics.random_numbers import normals
from ..numerics.timeline import edges_of, timeline
from ..parallel import spread
from ..pytrees import compiled
from ..trajectories import Start, Trajectories, start_of
from .ensemble import (
    CHUNK,
    FINE,
    OTHERS,
    OWNER,
    STRETCH,
    Request,
    amounts,
    assess,
    closed,
    concluded,
    means,
    rows,
    stretched,
)
from .outset import outset as resting
from .particles import BLOCK, START, Clock, Field, Particles, Sums, clock_along, energy, kicked
from .terrain import CLOSED, OPEN, Terrain
from .tide import Moved

FOLLOWED = 32
"""Steps in a period of the drives, at least."""


def followed(
    dynamics: Dynamics, field: Field, terrain: Terrain, start: Any, key: Array, request: Request
) -> Trajectories:
    """Trajectories of `dynamics` from `start`, (x, v), at time 0 and phase 0, for the whole `request.time`."""
    if terrain.kind == OPEN:
        raise InputError(
            f"{OWNER}: `start` is known for closed problems and rings; with Open ends particles come and go, and a "
            "trajectory is that of many. `evolve` follows their density."
        )
    begun = start_of(OWNER, start, 2, request.n, "position and velocity")
    inside = field.start, field.start + field.length
    bounded = field.walled or terrain.kind != CLOSED
    if bounded and not np.all((begun.base[0] >= inside[0]) & (begun.base[0] <= inside[1])):
        raise InputError(f"{OWNER}: `start` must lie within the domain, from {inside[0]:g} to {inside[1]:g}.")
    if request.until is not None and begun.base.shape[1] > 1:
        raise InputError(f"{OWNER}: `until` adds trajectories, but `start` gives that of each; give a mean, or `n`.")
    frequency = float(field.potential.frequency) if isinstance(field.potential, Moved) else 0.0
    step = FINE * resting(terrain).shortest if request.time_step is None else request.time_step
    if frequency and request.time_step is None:
        step = min(step, 2 * math.pi / frequency / FOLLOWED)
    borders = field.potential.borders() if isinstance(field.potential, Moved) else np.zeros(0)
    if borders.size:
        line = timeline(
            edges_of(borders, 2 * math.pi / frequency, request.time), step, turns=False, block=BLOCK
        )  # fmt: skip
        blocks = line.steps // BLOCK
    else:
        blocks = 2 * math.ceil(request.time / (2 * BLOCK * step) * (1 - 1e-12))

    def clock(count: int) -> Clock:
        if borders.size:
            return clock_along(line if count == blocks else line.halved(), frequency, line.steps)
        step = request.time / (count * BLOCK)
        period = 2 * math.pi / (frequency * step) if frequency else 1.0
        return Clock(jnp.asarray(step), jnp.asarray(period), jnp.asarray(math.inf))

    def portion(first: int, bar: bool | None) -> Result:
        return _run(field, begun, clock(blocks), key, first + np.arange(request.n), blocks, bar)

    none = np.zeros(2)

    def worst(done: Result) -> float:
        return float(means(field, done, none).error[: rows(field)["work"].stop].max(initial=0.0))

    def label() -> str:
        now, heights = _begun(field, begun, clock(blocks), key, jnp.arange(8))
        profiles = field.read(field.friction, now.x), field.read(field.temperature, now.x)
        return growth.identity(field, begun, clock(blocks), key, heights, profiles, "start", repr(field.kind))

    result = growth.grown(portion, request.n, worst, request.until, request.progress, label)
    others = OTHERS + np.arange(result.failed.shape[-1])
    rough = _run(field, begun, clock(blocks // 2), key, others, blocks // 2, request.progress)
    # Where a steady state has two halves there is one span of time, repeated.
    found, other = (means(field, one, none)._replace(drift=0.0) for one in (result, rough))
    step = request.time / (blocks * BLOCK)
    outcome, words = assess(field, found, other, result, step, blocks * BLOCK, request)
    solution = concluded(dynamics, outcome)
    if request.throw:
        solution.raise_unless_ok(lambda status: words)
    heats, works, storages = amounts(field, found, request.time)
    times, x, v = _paths(field, begun, clock(blocks), key, blocks, request)
    return Trajectories(solution, heats, works, storages, times, x, v, jnp.asarray(request.time))


@compiled
def _begun(field: Field, begun: Start, clock: Clock, key: Array, lanes: Array) -> tuple[Particles, Array]:
    """Lanes where they start, half a kick earlier, and their energies."""
    random = jnp.stack([numbers[0] for numbers in normals(key, START, lanes, 0, 1)])[:2]
    x, v = jnp.asarray(begun.base)[:, lanes % begun.base.shape[1]] + jnp.asarray(begun.factor) @ random
    now = Particles(x, v, Sums.none(field, lanes.shape[0]), jnp.full(lanes.shape, -1))
    side = clock.ahead(jnp.zeros(()))
    return kicked(field, -side.half, now, side.phase), energy(field, now, side.phase)


@compiled
def _ended(field: Field, clock: Clock, now: Particles, block: Array) -> tuple[Particles, Array]:
    side = clock.behind(block * BLOCK)
    now = kicked(field, side.half, now, side.phase)
    return now, energy(field, now, side.phase)


def _run(field: Field, begun: Start, clock: Clock, key: Array, lanes: np.ndarray, blocks: int, show: Any) -> Result:
    """All trajectories in chunks, each in stretches of time."""
    pieces = -(-len(lanes) // CHUNK)
    chunk = -(-len(lanes) // (8 * pieces)) * 8
    most = max(1, STRETCH // (BLOCK * chunk))

    def piece(first: int) -> Result:
        own = jnp.asarray(lanes[0] + np.arange(first, first + chunk))
        now, before = _begun(field, begun, clock, key, own)
        for block in range(0, blocks, most):
            now, _ = stretched(field, clock, key, own, now, *map(jnp.asarray, (block, min(block + most, blocks))))
        now, after = _ended(field, clock, now, jnp.asarray(blocks))
        now, rates = closed(now, before, after, blocks * BLOCK * float(clock.step))
        return Result(np.stack([rates] * 2), np.asarray(now.failed), np.asarray(now.x))

    done = list(spread(piece, range(0, len(lanes), chunk), label="trajectories", progress=show))
    return Result(*(np.concatenate(parts, axis=-1)[..., : len(lanes)] for parts in zip(*done, strict=True)))


def _paths(
    field: Field, begun: Start, clock: Clock, key: Array, blocks: int, request: Request
) -> tuple[Array, Array, Array]:
    """Times, positions and velocities (kept, time, 1) of the first trajectories, from 0 to the end."""
    if not request.keep:
        return jnp.zeros(0), *(jnp.zeros((0, 0, 1)),) * 2
    lanes, every = jnp.arange(request.keep), math.ceil(request.stride / BLOCK)
    now, _ = _begun(field, begun, clock, key, lanes)
    marks, block, seen = [*range(0, blocks, every), blocks], 0, []
    for mark in marks:
        now, _ = stretched(field, clock, key, lanes, now, jnp.asarray(block), jnp.asarray(mark))
        block = mark
        whole, _ = _ended(field, clock, now, jnp.asarray(mark))
        seen.append((np.asarray(whole.x), np.asarray(whole.v)))
    x, v = (jnp.asarray(np.stack(part, axis=-1)[..., None]) for part in zip(*seen, strict=True))
    return clock.time(BLOCK * jnp.asarray(marks)), x, v
