"""Steps of single particles whose density obeys the Klein–Kramers equation: noise, steps of T, and ends.

    dx = v dt,   m dv = (F − V′(x)) dt − mγ(x) v dt + √(2mγ(x)T(x)) dW

γ and T are read where the particle is, and noise acts on v alone, so that Itô and Stratonovich mean the same; for large
γ this becomes the limit of `overdamped`, with the flux −((V′−F) n + (Tn)′)/(mγ).

One step of length h from t: a kick of all forces at t (where the potential jumps, half of it before, half after, and
the work of the jump between), half a flight, the exact part of the bath at that place, half a flight (the scheme of
"Rational construction of stochastic numerical methods for molecular sampling", Leimkuhler and Matthews, in another
rotation). Flights are straight, so that walls reflect and borders are crossed exactly. Heat is the
change of mv²/2 in the bath's part, booked to the region where that happens.

Open ends: a particle that leaves is followed by another one at once, for what is left of the flight. It comes from the
left with the probability r_l/(r_l+r_r), r = n√(T/2πm) the rate at which particles enter there, and with the speeds of
the flux of a Maxwellian. In the steady state one such particle has the density of the open problem but for a factor N,
the mean number of particles: both obey the same equation, with sources of the same shape. N is (r_l+r_r) over the rate
of births.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..compiler import placed
from ..numerics.random_numbers import normals
from ..numerics.timeline import Timeline
from .boundaries import Boundary, Periodic
from .landscape import value_at
from .terrain import OPEN, PERIODIC, Terrain
from .tide import Moved

BLOCK = 16
"""Steps for which random numbers are made at once."""
DYNAMICS, START = 0, 1
"""Streams of random numbers."""


class Field(eqx.Module):
    """What one particle moves in.

    - `potential`: V(x), or a `Moved` one; `friction`, `temperature`: numbers, `Steps` or functions of x; `mass`;
    - `start`, `length` of the domain (any, if the potential confines alone), `load`;
    - `borders` (part − 1) between the baths;
    - `warmth`, `sources` (2): of open ends, the temperature there and the rate at which particles enter.
    """

    potential: Callable[..., Array]
    friction: Any
    temperature: Any
    mass: Array
    start: Array
    length: Array
    load: Array
    borders: Array
    warmth: Array
    sources: Array
    kind: str = eqx.field(static=True)
    walled: bool = eqx.field(static=True)

    def height(self, x: Array, phase: Array) -> Array:
        """V of one place."""
        moved = self.potential
        return moved.at(x, moved.values(phase)) if isinstance(moved, Moved) else moved(x)

    def powers(self, x: Array, phase: Array) -> Array:
        """∂V/∂λ_d dλ_d/dt (drive) of one place."""
        return self.potential.powers(x, phase) if isinstance(self.potential, Moved) else jnp.zeros(0)

    def jumps(self, x: Array, before: Array, after: Array) -> Array:
        """What V changes by between two phases (drive), at one place."""
        return self.potential.jumps(x, before, after) if isinstance(self.potential, Moved) else jnp.zeros(0)

    def read(self, profile: Any, x: Array) -> Array:
        """Friction or temperature (lane)."""
        return jnp.broadcast_to(jax.vmap(lambda y: value_at(profile, y, self.start, self.length))(x), x.shape)

    @property
    def drives(self) -> int:
        return len(self.potential.drives) if isinstance(self.potential, Moved) else 0

    @property
    def noises(self) -> int:
        """Normal numbers of a step."""
        return 5 if self.kind == OPEN else 1


def field_of(
    potential: Any,
    friction: Any,
    temperature: Any,
    mass: Array,
    boundary: Boundary,
    terrain: Terrain,
    warmth: list[Array],
) -> Field:
    """The field of one known machine; `warmth`: the temperatures at open ends."""
    kind, low, high = terrain.kind, terrain.edges[0], terrain.edges[-1]
    hot = jnp.stack(warmth) if warmth else jnp.ones(2)
    densities = jnp.asarray(terrain.densities)
    return Field(
        potential=potential,
        friction=friction,
        temperature=temperature,
        mass=mass,
        start=jnp.asarray(low),
        length=jnp.asarray(high - low),
        load=boundary.load if isinstance(boundary, Periodic) else jnp.zeros(()),
        borders=jnp.asarray(terrain.bath_borders[1:-1]),
        warmth=hot,
        sources=densities * jnp.sqrt(hot / (2 * jnp.pi * mass)),
        kind=kind,
        walled=terrain.walled,
    )


class Sums(NamedTuple):
    """What is summed along each lane: heat and heat/T per part (part, lane), energy that comes in at each end and

    particles that do (2, lane), `births`, the way `gone`, kinetic energy across each border (part − 1, lane), work of
    the drives (drive, lane), and T·h.
    """

    heat: Array
    entropy: Array
    ends: Array
    entered: Array
    births: Array
    gone: Array
    leaks: Array
    work: Array
    warmth: Array

    @classmethod
    def none(cls, field: Field, lanes: int) -> "Sums":
        parts = field.borders.shape[0] + 1
        rows = parts, parts, 2, 2, None, None, parts - 1, field.drives, None
        return cls(*(placed(np.zeros((lanes,) if k is None else (k, lanes))) for k in rows))


class Particles(NamedTuple):
    """Positions and velocities (lane), sums, and the block in which each lane failed (−1 if in none)."""

    x: Array
    v: Array
    sums: Sums
    failed: Array


def drawn(key: Array, lanes: Array) -> Array:
    """Two normal numbers (2, lane) for where and how fast each trajectory starts."""
    return jnp.stack([numbers[0] for numbers in normals(key, START, lanes, 0, 1)])


def _side(field: Field, x: Array) -> Array:
    """On which side of each border (part − 1, lane); on a ring, of which copy of it."""
    apart = x - field.borders[:, None]
    return jnp.floor(apart / field.length) if field.kind == PERIODIC else 1.0 * (apart >= 0)


def _flight(field: Field, now: Particles, time: Array, phase: Array, births: Array) -> Particles:
    """Straight on for `time`; `births` (2, lane) normal numbers of those who come after."""
    x, v, sums = now.x, now.v, now.sums
    there = x + v * time
    kinetic = field.mass * v * v / 2
    last = field.start + field.length
    if field.kind == OPEN:
        left, right = there < field.start, there > last
        out = left | right
        end = jnp.where(left, field.start, jnp.where(right, last, there))
        leaks = kinetic * (_side(field, end) - _side(field, x))
        edges = jnp.stack([field.start, last])
        heights = jax.vmap(field.height, in_axes=(0, None))(edges, phase)
        # Radius and angle of two normal numbers are independent: a speed, and an end.
        begun = jnp.arctan2(births[1], births[0]) / (2 * jnp.pi) + 0.5 < field.sources[0] / jnp.sum(field.sources)
        origin, way = jnp.where(begun, field.start, last), jnp.where(begun, 1.0, -1.0)
        energy = jnp.where(begun, field.warmth[0], field.warmth[1]) * (births[0] ** 2 + births[1] ** 2) / 2
        speed = way * jnp.sqrt(2 * energy / field.mass)
        rest = jnp.where(out, (there - end) / jnp.where(out, v, 1.0), 0.0)
        fresh = origin + speed * rest
        leaks = leaks + jnp.where(out, energy * (_side(field, fresh) - _side(field, origin)), 0.0)
        born = jnp.stack([out & begun, out & ~begun])
        died = jnp.stack([left, right])
        booked = born * (energy + heights[:, None]) - died * (kinetic + heights[:, None])
        gone = end - x + jnp.where(out, speed * rest, 0.0)
        sums = sums._replace(
            ends=sums.ends + booked,
            entered=sums.entered + born - 1.0 * died,
            births=sums.births + out,
            gone=sums.gone + gone,
            leaks=sums.leaks + leaks,
        )
        return now._replace(x=jnp.where(out, fresh, there), v=jnp.where(out, speed, v), sums=sums)
    if field.walled:
        turned = jnp.mod(there - field.start, 2 * field.length)
        back = turned > field.length
        there, v = field.start + jnp.where(back, 2 * field.length - turned, turned), jnp.where(back, -v, v)
    leaks = kinetic * (_side(field, there) - _side(field, x))
    sums = sums._replace(gone=sums.gone + there - x, leaks=sums.leaks + leaks)
    if field.kind == PERIODIC:
        there = field.start + jnp.mod(there - field.start, field.length)
    return now._replace(x=there, v=v, sums=sums)


def step(field: Field, clock: "Clock", now: Particles, index: Array, noise: Array) -> Particles:
    """The step of this number; `noise` (noises, lane)."""
    behind, ahead = clock.behind(index), clock.ahead(index)
    if clock.track is None:
        now = kicked(field, 2 * ahead.half, now, ahead.phase)
    else:
        sudden = jax.vmap(field.jumps, in_axes=(0, None, None), out_axes=-1)(now.x, behind.phase, ahead.phase)
        now = kicked(field, behind.half, now, behind.phase)
        now = kicked(field, ahead.half, now, ahead.phase)
        now = now._replace(sums=now.sums._replace(work=now.sums.work + sudden))
    h, phase = 2 * ahead.half, ahead.phase
    now = _flight(field, now, h / 2, phase, noise[1:3])
    warm = field.read(field.temperature, now.x)
    exponent = field.read(field.friction, now.x) * h
    v = jnp.exp(-exponent) * now.v + jnp.sqrt(-warm / field.mass * jnp.expm1(-2 * exponent)) * noise[0]
    heat = field.mass / 2 * (v - now.v) * (v + now.v)
    part = jnp.sum(now.x >= field.borders[:, None], 0)
    own = jnp.where(jnp.arange(field.borders.shape[0] + 1)[:, None] == part, heat, 0.0)
    sums = now.sums
    sums = sums._replace(heat=sums.heat + own, entropy=sums.entropy + own / warm, warmth=sums.warmth + warm * h)
    return _flight(field, now._replace(v=v, sums=sums), h / 2, phase, noise[3:5])


class Side(NamedTuple):
    """Half the length of a step, and the phase of the drives at that end of it."""

    half: Array
    phase: Array


class Track(NamedTuple):
    """Steps of unequal lengths, which end where drives jump: what is behind and ahead of the start of each (step)."""

    behind: Side
    ahead: Side


class Clock(NamedTuple):
    """The mean length of a step, how many of them a period of the drives has, and after how many the phase begins anew;

    `track`: where each stands, if they are not all alike.
    """

    step: Array
    period: Array
    fold: Array
    track: Track | None = None

    def _side(self, index: Array, which: str) -> Side:
        folded = jnp.mod(index, self.fold)
        if self.track is None:
            return Side(self.step / 2, 2 * jnp.pi * folded / self.period)
        side = getattr(self.track, which)
        return Side(*(numbers[folded.astype(int)] for numbers in side))

    def time(self, index: Any) -> Array:
        """When the step of this number starts."""
        if self.track is None:
            return self.step * index
        starts = jnp.cumsum(2 * self.track.ahead.half) - 2 * self.track.ahead.half
        folded = jnp.mod(index, self.fold)
        return starts[folded.astype(int)] + self.step * (index - folded)

    def behind(self, index: Array) -> Side:
        """Of the step that ends where that of this number starts, before any jump."""
        return self._side(index, "behind")

    def ahead(self, index: Array) -> Side:
        """Of the step of this number, after any jump."""
        return self._side(index, "ahead")


def clock_along(line: Timeline, frequency: float, room: int) -> Clock:
    """The clock of steps along a line; its arrays have room for so many of them, whichever line it is."""
    parts = np.split(line.nodes(), np.cumsum(line.counts + 1)[:-1])
    ends, halves = [part[-1] for part in parts], line.lengths / 2
    # A run begins with half a step taken back, and a period where it ends.
    first, last = (ends[-1], parts[0][0]) if line.turns else (parts[0][0], ends[-1])
    ahead = np.append(np.concatenate([part[:-1] for part in parts]), last)
    behind = ahead.copy()
    behind[np.append(0, np.cumsum(line.counts))] = [first, *ends]

    def side(half: np.ndarray, times: np.ndarray) -> Side:
        return Side(*(jnp.asarray(np.resize(a, room + 1)) for a in (half, frequency * times)))

    track = Track(
        side(np.append(halves[-1] if line.turns else halves[0], halves), behind),
        side(np.append(halves, halves[0]), ahead),
    )
    step = line.duration / line.steps
    fold = float(line.steps) if line.turns else np.inf
    return Clock(jnp.asarray(step), jnp.asarray(2 * np.pi / frequency / step), jnp.asarray(fold), track)


def stretch(
    field: Field, clock: Clock, key: Array, lanes: Array, now: Particles, first: Array, last: Array
) -> Particles:
    """From block `first` up to block `last`."""

    def one(now: Particles, given: tuple[Array, Array]) -> tuple[Particles, None]:
        index, noise = given
        return step(field, clock, now, index, noise), None

    def block(index: Array, now: Particles) -> Particles:
        m = field.noises
        noise = jnp.concatenate(normals(key, DYNAMICS, lanes, index, BLOCK // 4 * m)).reshape(BLOCK, m, -1)
        new = jax.lax.scan(one, now, (index * BLOCK + jnp.arange(BLOCK), noise))[0]
        # A slope may be a number where the energy is none.
        fine = jnp.isfinite(energy(field, new, clock.behind((index + 1) * BLOCK).phase)) & (now.failed < 0)
        kept = jax.tree.map(lambda a, b: jnp.where(fine, a, b), new._replace(failed=now.failed), now)
        return kept._replace(failed=jnp.where(fine | (now.failed >= 0), now.failed, index))

    return jax.lax.fori_loop(first, last, block, now)


def kicked(field: Field, time: Array, now: Particles, phase: Array) -> Particles:
    """A kick by all forces for a time, negative if it is taken back, and the work of so long."""
    slope = jax.vmap(jax.grad(field.height), in_axes=(0, None))(now.x, phase)
    work = time * jax.vmap(field.powers, in_axes=(0, None), out_axes=-1)(now.x, phase)
    v = now.v + time / field.mass * (field.load - slope)
    return now._replace(v=v, sums=now.sums._replace(work=now.sums.work + work))


def energy(field: Field, now: Particles, phase: Array) -> Array:
    """Kinetic and potential energy of each lane."""
    return field.mass * now.v**2 / 2 + jax.vmap(field.height, in_axes=(0, None))(now.x, phase)
