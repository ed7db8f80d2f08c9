"""Steps of trajectories of any classical network: driven springs, friction matrices, coordinates without mass, forces

that have no energy, and a potential.

One step of length h, at the phases of its start, middle and end:

- coordinates with a mass: a kick by all forces, half a drift, the exact part of each bath (friction and noise), half a
  drift, as in `integrator`. Heat is the change of mv²/2 in the bath's part. Baths that share a coordinate take turns,
  there and back;
- coordinates without one: γẋ = F + η by Heun's method. Heat is −F∘dx and the work of forces without an energy f∘dx
  (Stratonovich), by Simpson's rule along the chord of a step. Chords miss the area between them and the path; its mean,
  of first order in h, is added (see `_bent`). Its fluctuations, which are left out, are of first order in the variance;
- springs: work ½xᵀ(∂Φ/∂t)x;
- forces that are fed back, functions of x and v: those in the middle of a kick, so that their work f∘dx balances.

All of it is of second order in h.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.random_numbers import normals
from .simulation import BLOCK, DYNAMICS, START


class Course(eqx.Module):
    """One network along a period of P steps (2 if nothing is driven); time runs in half steps, 2P of them.

    - `springs` Φ (2P, n, n), `pushes` f (2P, drive, n), `changes` (∂Φ/∂t)_d (2P, drive, n, n), `pulls` N (drive, n, n);
    - `masses`, `potential`; `massless`, `heavy`: coordinates without and with a mass;
    - `turns`: (bath, its coordinates among the heavy ones), one after another in a step, with the exact motion of
      √m v in each: `decays` D and `strengths` S, v → Dv + Sξ;
    - `mobility` Γ⁻¹ of the light coordinates, `spread`: the factor of their noise in a step; `owners`: their baths;
    - `laws` f(x, v) of forces that are fed back, and `fed`: which of the drives they are.
    """

    springs: Array
    pushes: Array
    changes: Array
    pulls: Array
    masses: Array
    step: Array
    decays: tuple[Array, ...]
    strengths: tuple[Array, ...]
    mobility: Array
    spread: Array
    potential: Callable[[Array], Array] | None
    laws: tuple[Callable[[Array, Array], Array], ...]
    fed: tuple[int, ...] = eqx.field(static=True)
    turns: tuple[tuple[int, tuple[int, ...]], ...] = eqx.field(static=True)
    owners: tuple[int, ...] = eqx.field(static=True)
    massless: tuple[int, ...] = eqx.field(static=True)
    heavy: tuple[int, ...] = eqx.field(static=True)
    baths: int = eqx.field(static=True)

    @property
    def noises(self) -> int:
        """Normal numbers in a step."""
        return sum(len(at) for _, at in self.turns) + len(self.massless)

    def energy(self, x: Array, half: Array) -> Array:
        """The potential energy of each lane, x (n, lane)."""
        springs = jnp.einsum("il,ij,jl->l", x, self.springs[half], x) / 2
        return springs if self.potential is None else springs + jax.vmap(self.potential, in_axes=-1)(x)

    def whole(self, v: Array) -> Array:
        """Velocities (n, lane) from those of the heavy coordinates; the others have none."""
        return jnp.full((self.masses.shape[0], v.shape[-1]), jnp.nan).at[np.array(self.heavy, int)].set(v)

    def forces(self, x: Array, v: Array, half: Array) -> tuple[Array, Array]:
        """All forces (n, lane), and those without an energy of each drive (drive, n, lane), at x (n, lane), v (heavy,

        lane)."""
        pull = -(self.springs[half] @ x)
        if self.potential is not None:
            pull = pull - jax.vmap(jax.grad(self.potential), in_axes=-1, out_axes=-1)(x)
        own = jnp.einsum("dij,jl->dil", self.pulls, x) + self.pushes[half][:, :, None]
        for d, law in zip(self.fed, self.laws, strict=True):
            own = own.at[d].set(jax.vmap(law, in_axes=-1, out_axes=-1)(x, self.whole(v)))
        return pull + jnp.sum(own, 0), own

    def slopes(self, x: Array, v: Array) -> Array:
        """∂f_i/∂x_j of the forces without an energy of each drive (drive, n, n, lane)."""
        found = jnp.broadcast_to(self.pulls[..., None], (*self.pulls.shape, x.shape[-1]))
        for d, law in zip(self.fed, self.laws, strict=True):
            found = found.at[d].set(jax.vmap(jax.jacfwd(law), in_axes=-1, out_axes=-1)(x, self.whole(v)))
        return found


class Walkers(NamedTuple):
    """Positions (n, lane), velocities (heavy, lane); sums: heat per bath, work per drive, Σx², Σv²; where it failed."""

    x: Array
    v: Array
    heat: Array
    work: Array
    squares: Array
    speeds: Array
    failed: Array


def start(course: Course, mean: Array, factor: Array, warmth: Array, key: Array, lanes: Array) -> Walkers:
    """Positions normal about `mean` (n,) with the covariance `factor`·`factor`ᵀ, velocities of the `warmth` T."""
    n, heavy = mean.shape[0], len(course.heavy)
    random = jnp.concatenate(normals(key, START, lanes, 0, -(-(n + heavy) // 4)))[: n + heavy]
    v = jnp.sqrt(warmth / course.masses[np.array(course.heavy, int)])[:, None] * random[n:]
    return cleared(course, mean[:, None] + factor @ random[:n], v, jnp.full(lanes.shape, -1))


def cleared(course: Course, x: Array, v: Array, failed: Array) -> Walkers:
    """Lanes whose sums are zero."""
    none = jnp.zeros((course.baths, x.shape[-1]))
    return Walkers(x, v, none, jnp.zeros((course.pulls.shape[0], x.shape[-1])), 0 * x, 0 * v, failed)


def step(course: Course, now: Walkers, half: Array, noise: Array) -> Walkers:
    """One step from the half step `half`; books all but what light coordinates exchange."""
    h, light, heavy = course.step, np.array(course.massless, int), np.array(course.heavy, int)
    count = course.springs.shape[0]
    x, v, heat, work = now.x, now.v, now.heat, now.work
    work = work + h / 2 * jnp.einsum("il,dij,jl->dl", x, course.changes[half], x)
    squares, speeds = now.squares + x * x, now.speeds
    used = 0
    if heavy.size:
        mass = course.masses[heavy][:, None]
        force, own = course.forces(x, v, half)
        u = v + h / mass * force[heavy]
        if course.laws:
            # Velocities change during the kick: the middle of it.
            force, own = course.forces(x, (v + u) / 2, half)
            u = v + h / mass * force[heavy]
        work = work + h / 2 * jnp.einsum("dil,il->dl", own[:, heavy], v + u)
        w = u
        for (bath, at), decay, strength in zip(course.turns, course.decays, course.strengths, strict=True):
            places = np.array(at)
            root = jnp.sqrt(mass[places])
            before = root * w[places]
            after = decay @ before + strength @ noise[used : used + len(at)]
            used += len(at)
            heat = heat.at[bath].add(jnp.sum((after - before) * (after + before), 0) / 2)
            w = w.at[places].set(after / root)
        x = x.at[heavy].add(h / 2 * (u + w))
        speeds, v = speeds + (u * u + w * w) / 2, w
    if light.size:
        kick = course.spread @ noise[used:]
        first = course.mobility @ course.forces(now.x, now.v, half)[0][light]
        guess = x.at[light].add(h * first + kick)
        second = course.mobility @ course.forces(guess, v, (half + 2) % count)[0][light]
        x = x.at[light].add(h / 2 * (first + second) + kick)
    return Walkers(x, v, heat, work, squares, speeds, now.failed)


def _chord(course: Course, now: Walkers, end: Walkers, half: Array) -> tuple[Array, Array]:
    """Heat (bath, lane) and work (drive, lane) of light coordinates along a straight line, at one moment's forces."""
    x, y, v, w = now.x, end.x, now.v, end.v
    light = np.array(course.massless, int)
    parts = [course.forces(*at, half) for at in ((x, v), ((x + y) / 2, (v + w) / 2), (y, w))]
    force, own = (
        (a[..., light, :] + 4 * b[..., light, :] + c[..., light, :]) / 6 for a, b, c in zip(*parts, strict=True)
    )
    along = (y - x)[light]
    owners = (np.arange(course.baths)[:, None] == np.array(course.owners)).astype(float)
    return -(owners @ (force * along)), jnp.einsum("dil,il->dl", own, along)


def _bent(course: Course, x: Array, v: Array, half: Array) -> tuple[Array, Array]:
    """The mean of what chords miss of heat (bath, lane) and work (drive, lane) in a step.

    ∫f∘dx less its value along the chord is Σ ∂_i f_j L_ij, with the area L_ij = ½∫(δx_i dx_j − δx_j dx_i) between path
    and chord. With noise of the variance Σ per time and the slopes J of the velocities ⟨L⟩ = h²(ΣJᵀ − JΣ)/4.
    """
    h, light = course.step, np.array(course.massless, int)
    among = light[:, None], light
    pulls = course.slopes(x, v)[:, *among]
    slopes = jnp.sum(pulls, 0) - course.springs[half][among][:, :, None]
    if course.potential is not None:
        slopes = slopes - jax.vmap(jax.hessian(course.potential), in_axes=-1, out_axes=-1)(x)[among]
    moved = jnp.einsum("ij,jkl,km->iml", course.mobility, slopes, course.spread @ course.spread.T)
    area = h / 4 * (jnp.swapaxes(moved, 0, 1) - moved)
    owners = (np.arange(course.baths)[:, None] == np.array(course.owners)).astype(float)
    return -(owners @ jnp.einsum("jil,ijl->jl", slopes, area)), jnp.einsum("djil,ijl->dl", pulls, area)


def stretch(course: Course, key: Array, lanes: Array, now: Walkers, first: Array, last: Array) -> Walkers:
    """The trajectories from block `first` up to block `last`."""
    count = course.springs.shape[0]

    def one(now: Walkers, given: tuple[Array, Array]) -> tuple[Walkers, None]:
        half, noise = given
        end = step(course, now, half % count, noise)
        if course.massless:
            middle = (half + 1) % count
            bent = _bent(course, (now.x + end.x) / 2, (now.v + end.v) / 2, middle)
            parts = _chord(course, now, end, middle), bent
            heat, work = (a + b for a, b in zip(*parts, strict=True))
            end = end._replace(heat=end.heat + heat, work=end.work + work)
        return end, None

    def block(index: Array, now: Walkers) -> Walkers:
        m = course.noises
        noise = jnp.concatenate(normals(key, DYNAMICS, lanes, index, BLOCK // 4 * m)).reshape(BLOCK, m, -1)
        halves = 2 * (index * BLOCK + jnp.arange(BLOCK))
        new = jax.lax.scan(one, now, (halves, noise))[0]
        fine = jnp.all(jnp.isfinite(new.x), 0) & jnp.all(jnp.isfinite(new.heat), 0) & (now.failed < 0)
        if course.potential is not None:
            # A slope may be a number where the energy is none.
            fine &= jnp.isfinite(jax.vmap(course.potential, in_axes=-1)(new.x))
        kept = jax.tree.map(lambda a, b: jnp.where(fine, a, b), new._replace(failed=now.failed), now)
        return kept._replace(failed=jnp.where(fine | (now.failed >= 0), now.failed, index))

    return jax.lax.fori_loop(first, last, block, now)


def total(course: Course, now: Walkers, half: Array) -> Array:
    """Kinetic and potential energy of each lane."""
    mass = course.masses[np.array(course.heavy, int)][:, None]
    return jnp.sum(mass * now.v**2, 0) / 2 + course.energy(now.x, half % course.springs.shape[0])


def closed(course: Course, now: Walkers, before: Array, after: Array, steps: Array) -> tuple[Walkers, Array]:
    """The books of `steps` steps: lanes with their sums cleared, and rates (quantity, lane) in the order of `Result`.

    Of coordinates without a mass ⟨v²⟩ is infinite; 0 stands for it.
    """
    time = steps * course.step
    speeds = jnp.zeros_like(now.x).at[np.array(course.heavy, int)].set(now.speeds / steps)
    rates = [now.heat / time, now.work / time, ((after - before) / time)[None], now.squares / steps, speeds]
    return cleared(course, now.x, now.v, now.failed), jnp.concatenate(rates)


def course_of(
    instants: Any,
    potential: Any,
    places: tuple[tuple[int, ...], ...],
    massless: tuple[int, ...],
    step: float,
    feedbacks: Mapping[int, Callable[[Array, Array], Array]],
) -> Course:
    """A course from `Instant`s at all half steps of a period (leading axis); `feedbacks` by the number of the drive."""
    masses, frictions, warm, pulls = (
        np.asarray(part)[0] for part in (instants.masses, instants.frictions, instants.temperatures, instants.pulls)
    )
    n = masses.size
    light, heavy = np.array(massless, int), np.setdiff1d(np.arange(n), massless)
    own = [tuple(int(k) for k in np.flatnonzero(np.isin(heavy, at))) for at in places]
    shared = sum(map(len, own)) > len(set().union(*own))
    turns, decays, strengths = [], [], []
    order = [b for b in range(len(places)) if own[b]]
    for b in order + order[::-1] if shared else order:
        at = heavy[list(own[b])]
        root = np.sqrt(masses[at])
        values, vectors = np.linalg.eigh(frictions[b][np.ix_(at, at)] / np.outer(root, root))
        rates = np.maximum(values, 0) * step * (0.5 if shared else 1.0)
        turns.append((b, own[b]))
        decays.append((vectors * np.exp(-rates)) @ vectors.T)
        strengths.append((vectors * np.sqrt(-np.expm1(-2 * rates) * warm[b])) @ vectors.T)
    owners = tuple(next((b for b, at in enumerate(places) if i in at), 0) for i in light)
    block = frictions.sum(0)[np.ix_(light, light)]
    mobility = np.linalg.inv(block) if light.size else np.zeros((0, 0))
    noise = np.tensordot(warm, frictions, 1)[np.ix_(light, light)]
    spread = np.linalg.cholesky(2 * step * mobility @ noise @ mobility) if light.size else mobility
    return Course(
        springs=instants.springs,
        pushes=instants.pushes,
        changes=instants.changes,
        pulls=jnp.asarray(pulls),
        masses=jnp.asarray(masses),
        step=jnp.asarray(step),
        decays=tuple(map(jnp.asarray, decays)),
        strengths=tuple(map(jnp.asarray, strengths)),
        mobility=jnp.asarray(mobility),
        spread=jnp.asarray(spread),
        potential=potential,
        laws=tuple(feedbacks.values()),
        fed=tuple(feedbacks),
        turns=tuple(turns),
        owners=owners,
        massless=tuple(massless),
        heavy=tuple(int(k) for k in heavy),
        baths=len(places),
    )
