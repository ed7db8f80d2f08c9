"""The motion of trajectories: steps in blocks, books of heat and work, and what they are summed to.

Each trajectory is a lane of an array, all of them take the same steps (see `integrator`), and the random numbers of a
lane depend on the key, the lane and the step alone (see `random_numbers`), so that lanes may be cut into chunks of any
size, and time into stretches.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..growth import Result
from ..numerics.random_numbers import normals
from .integrator import decay
from .model import System

BLOCK = 16
"""Steps for which random numbers are made at once. All counts of steps are multiples of it."""
TOGETHER = 4
"""Steps between which the state of a lane stays in the processor's registers."""
DYNAMICS, START = 0, 1
"""Streams of random numbers: of the motion, and of the initial state."""


class Plan(NamedTuple):
    """Time step, steps per period (BLOCK if nothing drives), and how many blocks are discarded, then averaged twice."""

    step: Array
    period: Array
    transient: Array
    half: Array


class Start(NamedTuple):
    """The distribution from which trajectories start, at phase 0: a mean and a factor of the covariance, of (x, v)."""

    mean: Array
    factor: Array


class State(NamedTuple):
    """Positions and velocities (n, lane) at the end of a step, and what has been summed since the sums were cleared:

    heat per coordinate, work per drive (lane), Σx² and Σv².
    """

    x: Array
    v: Array
    heat: Array
    work: tuple[Array, ...]
    squares: Array
    speeds: Array


class Lanes(NamedTuple):
    """The state of many trajectories, and the block in which each failed (−1 if in none): it stays where it was."""

    state: State
    failed: Array


class Motion(NamedTuple):
    """One system's steps."""

    system: System
    plan: Plan
    decays: Array
    strengths: Array

    @classmethod
    def of(cls, system: System, plan: Plan) -> "Motion":
        c, s = decay(system, plan.step)
        return cls(system, plan, c[:, None], s[:, None])

    def drives(self, block: Array) -> Array:
        """The forces (step, drive) of a block of steps."""
        index = (block * BLOCK + jnp.arange(BLOCK)) % self.plan.period
        phase = 2 * jnp.pi * index / self.plan.period
        return self.system.means + self.system.amplitudes * jnp.cos(phase[:, None] + self.system.phases)

    def noise(self, key: Array, lanes: Array, block: Array) -> tuple[Array, Array]:
        """Normal numbers (step, half of the coordinates with a bath, lane), twice."""
        pairs = -(-self.system.thermal.size // 2)
        first, second = normals(key, DYNAMICS, lanes, block, BLOCK // 2 * pairs)
        return first.reshape(BLOCK, pairs, -1), second.reshape(BLOCK, pairs, -1)

    def advance(self, state: State, drives: Array, first: Array, second: Array) -> State:
        """One step; `drives` (drive,), `first` and `second` as from `noise`."""
        n, step = self.system.size, self.plan.step
        mass = self.system.masses[:, None]
        thermal = self.system.thermal
        random = jnp.concatenate([first, second])[: thermal.size]
        if thermal.size < n:
            random = jnp.asarray(np.eye(n)[:, thermal]) @ random
        u = state.v + step / mass * (self.system.force(state.x) + (self.system.pushes @ drives)[:, None])
        w = self.decays * u + self.strengths * random
        return State(
            x=state.x + step / 2 * (u + w),
            v=w,
            heat=state.heat + mass / 2 * (w - u) * (w + u),
            work=tuple(
                total + step / 2 * drives[d] * (state.v[i] + u[i])
                for d, (total, i) in enumerate(zip(state.work, self.system.sites, strict=True))
            ),
            squares=state.squares + state.x * state.x,
            speeds=state.speeds + (u * u + w * w) / 2,
        )

    def block(self, state: State, key: Array, lanes: Array, block: Array) -> State:
        """All steps of a block."""

        def one(state: State, given: Any) -> tuple[State, None]:
            return self.advance(state, *given), None

        given = self.drives(block), *self.noise(key, lanes, block)
        return jax.lax.scan(one, state, given, unroll=TOGETHER)[0]


def cleared(x: Array, v: Array, drives: int) -> State:
    """A state whose sums are zero."""
    still = jnp.zeros(x.shape)
    return State(x, v, still, (still[0],) * drives, still, still)


def begin(system: System, start: Start, key: Array, lanes: Array) -> Lanes:
    """Where the trajectories `lanes` start."""
    n = system.size
    random = jnp.concatenate(normals(key, START, lanes, 0, -(-n // 2)))[: 2 * n]
    z = start.mean[:, None] + start.factor @ random
    return Lanes(cleared(z[:n], z[n:], system.drives), jnp.full(lanes.shape, -1, lanes.dtype))


def stretch(system: System, plan: Plan, key: Array, lanes: Array, now: Lanes, first: Array, last: Array) -> Lanes:
    """The trajectories from block `first` up to block `last`."""
    motion = Motion.of(system, plan)

    def one(block: Array, now: Lanes) -> Lanes:
        new = motion.block(now.state, key, lanes, block)
        # What is not finite stays where it was, to be looked at; a slope may be a number where the energy is none.
        fine = jnp.all(jnp.isfinite(new.x), axis=0) & (now.failed < 0)
        if system.potential is not None:
            fine &= jnp.isfinite(jax.vmap(system.potential, in_axes=-1)(new.x))
        kept = jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, now.state)
        return Lanes(kept, jnp.where(fine | (now.failed >= 0), now.failed, block))

    return jax.lax.fori_loop(first, last, one, now)


def energies(system: System, state: State) -> Array:
    """Kinetic and potential energy of each lane."""
    kinetic = jnp.sum(system.masses[:, None] * state.v**2, axis=0) / 2
    return kinetic + jax.vmap(system.energy, in_axes=-1)(state.x)


def settle(
    system: System, plan: Plan, now: Lanes, before: Array, after: Array, blocks: Array, last: Array
) -> tuple[Lanes, Array]:
    """Close the books of `blocks` blocks that end with block `last`, with the energies `before` and `after` them: the

    lanes with their sums cleared, and their rates (quantity, lane) in the order of `Result`.
    """
    state, steps = now.state, blocks * BLOCK
    failed = jnp.where(jnp.isfinite(after) | (now.failed >= 0), now.failed, last)
    flows = [jnp.asarray(system.members) @ state.heat, jnp.stack([*state.work, after - before])]
    sums = [a / (steps * plan.step) for a in flows] + [a / steps for a in (state.squares, state.speeds)]
    return Lanes(cleared(state.x, state.v, system.drives), failed), jnp.concatenate(sums)


def simulate(system: System, plan: Plan, start: Start, key: Array, lanes: Array) -> Result:
    """Run the trajectories `lanes` of one system: the transient, then two halves that are averaged apart."""

    def part(now: Lanes, span: tuple[Array, Array]) -> tuple[Lanes, Array]:
        before = energies(system, now.state)
        now = stretch(system, plan, key, lanes, now, *span)
        return settle(system, plan, now, before, energies(system, now.state), span[1] - span[0], span[1])

    marks = jnp.cumsum(jnp.stack([jnp.zeros_like(plan.half), plan.transient, plan.half, plan.half]))
    now, rates = jax.lax.scan(part, begin(system, start, key, lanes), (marks[:-1], marks[1:]))
    return Result(rates[1:], now.failed, jnp.concatenate([now.state.x, now.state.v]))


def record(system: System, plan: Plan, start: Start, key: Array, lanes: Array, blocks: int) -> tuple[Array, Array]:
    """Positions and velocities (step, n, lane) at the end of the transient and of each step that follows."""
    motion = Motion.of(system, plan)
    state = begin(system, start, key, lanes).state

    def step(state: State, given: Any) -> tuple[State, tuple[Array, Array]]:
        state = motion.advance(state, *given)
        return state, (state.x, state.v)

    def block(state: State, index: Array) -> tuple[State, tuple[Array, Array]]:
        return jax.lax.scan(step, state, (motion.drives(index), *motion.noise(key, lanes, index)))

    state = jax.lax.fori_loop(0, plan.transient, lambda k, s: motion.block(s, key, lanes, k), state)
    _, paths = jax.lax.scan(block, state, plan.transient + jnp.arange(blocks))
    first = (state.x[None], state.v[None])
    x, v = (jnp.concatenate([a, path.reshape(-1, *a.shape[1:])]) for a, path in zip(first, paths, strict=True))
    return x, v
