"""Steps of trajectories of any classical network: driven springs, friction matrices, coordinates without mass, forces

that have no energy, and a potential.

One step of length h, at the phases of its start, middle and end:

- coordinates with a mass: a kick by all forces, half a drift, the exact part of each bath (friction and noise), half a
  drift, as in `integrator`. Heat is the change of mv²/2 in the bath's part. Baths that share a coordinate take turns,
  there and back;
- coordinates without one: γẋ = F + η by Heun's method. Heat is −F∘dx and the work of forces without an energy f∘dx
  (Stratonovich), by Simpson's rule along the chord of a step. Chords miss the area between them and the path; the means
  of it and of its place, of first order in h, are added (see `_bent` and `_curved`). Its fluctuations, which are left
  out, are of first order in the variance;
- springs: work ½xᵀ(∂Φ/∂t)x, and ½xᵀΔΦx where they jump, which is where steps end: half of the kick there is by the
  forces before, half by those after;
- forces that are fed back, functions of x and v: those in the middle of a kick, so that their work f∘dx balances.

All of it is of second order in h.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.random_numbers import normals
from ..numerics.timeline import Timeline
from .instant import Instant
from .simulation import BLOCK, DYNAMICS, START
from .told import Network


class Course(eqx.Module):
    """One network along a row of P steps (1 if nothing is driven), which begins anew at its end, or is long enough.

    Kicks stand between two steps: half of each belongs to the forces before, and half to those after.

    - `kicks` (P,): how long each is; `springs` Φ (P, n, n) and `pushes` f (P, drive, n): their average over it;
    - `works` C (P, drive, n, n): springs do the work ½xᵀCx there, by their slope and by their jump;
    - `lapses` (P,), `held` Φ (P, n, n), `pressed` f (P, drive, n): the step before each kick, and what was at its end;
    - `lengths` (P,) of steps, `pieces` (P,) with one length each; `inside`: springs and forces at the start, middle and
      end of each step, where there are light coordinates;
    - `pulls` N (drive, n, n), `masses`, `potential`; `massless`, `heavy`: coordinates without and with a mass;
    - `turns`: (bath, its coordinates among the heavy ones), one after another in a step, with the exact motion of
      √m v in each: `decays` D and `strengths` S (piece, …), v → Dv + Sξ;
    - `mobility` Γ⁻¹ of the light coordinates, `spread` (piece, …): the factor of their noise in a step; `owners`: their
      baths;
    - `laws` f(x, v) of forces that are fed back, and `fed`: which of the drives they are.
    """

    kicks: Array
    springs: Array
    pushes: Array
    works: Array
    lapses: Array
    held: Array
    pressed: Array
    lengths: Array
    pieces: Array
    inside: tuple[Array, Array]
    pulls: Array
    masses: Array
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
    def count(self) -> int:
        """Of kicks."""
        return int(self.kicks.shape[0])

    @property
    def noises(self) -> int:
        """Normal numbers in a step."""
        return sum(len(at) for _, at in self.turns) + len(self.massless)

    def energy(self, x: Array, k: Array) -> Array:
        """The potential energy of each lane, x (n, lane), just before kick k."""
        springs = jnp.einsum("il,ij,jl->l", x, self.held[k], x) / 2
        return springs if self.potential is None else springs + jax.vmap(self.potential, in_axes=-1)(x)

    def whole(self, v: Array) -> Array:
        """Velocities (n, lane) from those of the heavy coordinates; the others have none."""
        return jnp.full((self.masses.shape[0], v.shape[-1]), jnp.nan).at[np.array(self.heavy, int)].set(v)

    def forces(self, x: Array, v: Array, springs: Array, pushes: Array) -> tuple[Array, Array]:
        """All forces (n, lane), and those without an energy of each drive (drive, n, lane), at x (n, lane), v (heavy,

        lane)."""
        pull = -(springs @ x)
        if self.potential is not None:
            pull = pull - jax.vmap(jax.grad(self.potential), in_axes=-1, out_axes=-1)(x)
        own = jnp.einsum("dij,jl->dil", self.pulls, x) + pushes[:, :, None]
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


def step(course: Course, now: Walkers, k: Array, noise: Array) -> Walkers:
    """Kick k and the step after it; books all but what light coordinates exchange."""
    light, heavy = np.array(course.massless, int), np.array(course.heavy, int)
    h, kick, piece = course.lengths[k], course.kicks[k], course.pieces[k]
    x, v, heat = now.x, now.v, now.heat
    work = now.work + jnp.einsum("il,dij,jl->dl", x, course.works[k], x) / 2
    squares, speeds = now.squares + kick * x * x, now.speeds
    used = 0
    if heavy.size:
        mass = course.masses[heavy][:, None]
        u, done = kicked(course, x, v, kick, course.springs[k], course.pushes[k])
        work, w = work + done, u
        for (bath, at), decay, strength in zip(course.turns, course.decays, course.strengths, strict=True):
            places = np.array(at)
            root = jnp.sqrt(mass[places])
            before = root * w[places]
            after = decay[piece] @ before + strength[piece] @ noise[used : used + len(at)]
            used += len(at)
            heat = heat.at[bath].add(jnp.sum((after - before) * (after + before), 0) / 2)
            w = w.at[places].set(after / root)
        x = x.at[heavy].add(h / 2 * (u + w))
        speeds, v = speeds + h / 2 * (u * u + w * w), w
    if light.size:
        rattled = course.spread[piece] @ noise[used:]
        first = course.mobility @ course.forces(now.x, now.v, *_inside(course, k, 0))[0][light]
        guess = x.at[light].add(h * first + rattled)
        second = course.mobility @ course.forces(guess, v, *_inside(course, k, 2))[0][light]
        x = x.at[light].add(h / 2 * (first + second) + rattled)
    return Walkers(x, v, heat, work, squares, speeds, now.failed)


def kicked(course: Course, x: Array, v: Array, time: Array, springs: Array, pushes: Array) -> tuple[Array, Array]:
    """Velocities after a kick of that `time`, and the work of each drive."""
    heavy = np.array(course.heavy, int)
    mass = course.masses[heavy][:, None]
    force, own = course.forces(x, v, springs, pushes)
    u = v + time / mass * force[heavy]
    if course.laws:
        # Velocities change during the kick: the middle of it.
        force, own = course.forces(x, (v + u) / 2, springs, pushes)
        u = v + time / mass * force[heavy]
    return u, time / 2 * jnp.einsum("dil,il->dl", own[:, heavy], v + u)


def _inside(course: Course, k: Array, part: int) -> tuple[Array, Array]:
    """Springs and forces at the start, middle or end (0, 1, 2) of step k."""
    springs, pushes = course.inside
    return springs[k, part], pushes[k, part]


def _chord(course: Course, now: Walkers, end: Walkers, k: Array) -> tuple[Array, Array]:
    """Heat (bath, lane) and work (drive, lane) of light coordinates along a straight line, at one moment's forces."""
    x, y, v, w = now.x, end.x, now.v, end.v
    light, then = np.array(course.massless, int), _inside(course, k, 1)
    parts = [course.forces(*at, *then) for at in ((x, v), ((x + y) / 2, (v + w) / 2), (y, w))]
    force, own = (
        (a[..., light, :] + 4 * b[..., light, :] + c[..., light, :]) / 6 for a, b, c in zip(*parts, strict=True)
    )
    along = (y - x)[light]
    owners = (np.arange(course.baths)[:, None] == np.array(course.owners)).astype(float)
    return -(owners @ (force * along)), jnp.einsum("dil,il->dl", own, along)


def _bent(course: Course, x: Array, v: Array, k: Array) -> tuple[Array, Array]:
    """The mean of what chords miss of heat (bath, lane) and work (drive, lane) in a step.

    ∫f∘dx less its value along the chord is Σ ∂_i f_j L_ij, with the area L_ij = ½∫(δx_i dx_j − δx_j dx_i) between path
    and chord. With noise of the variance Σ per time and the slopes J of the velocities ⟨L⟩ = h²(ΣJᵀ − JΣ)/4.
    """
    light = np.array(course.massless, int)
    among, h, spread = (light[:, None], light), course.lengths[k], course.spread[course.pieces[k]]
    pulls = course.slopes(x, v)[:, *among]
    slopes = jnp.sum(pulls, 0) - _inside(course, k, 1)[0][among][:, :, None]
    if course.potential is not None:
        slopes = slopes - jax.vmap(jax.hessian(course.potential), in_axes=-1, out_axes=-1)(x)[among]
    moved = jnp.einsum("ij,jkl,km->iml", course.mobility, slopes, spread @ spread.T)
    area = h / 4 * (jnp.swapaxes(moved, 0, 1) - moved)
    owners = (np.arange(course.baths)[:, None] == np.array(course.owners)).astype(float)
    return -(owners @ jnp.einsum("jil,ijl->jl", slopes, area)), jnp.einsum("djil,ijl->dl", pulls, area)


def _curved(course: Course, now: Walkers, end: Walkers, k: Array) -> tuple[Array, Array]:
    """The mean of what forces that are not linear add to `_bent`: heat (bath, lane) and work (drive, lane).

    The path is its chord Δ and a Brownian bridge b of the variance ⟨b_k b_l⟩ = Σ_kl s(1−s), s from 0 to 1, so that
    ⟨∫f_j∘dx_j⟩ less its value along the chord is [Δ_j Σ_kl ∂_k∂_l f_j − Σ_kj Δ_l ∂_k∂_l f_j]/12 (sums over k and l). Of
    the slope of an energy the sum over j vanishes, but not each bath's part.
    """
    light = np.array(course.massless, int)
    x, v, across = (now.x + end.x) / 2, course.whole((now.v + end.v) / 2), course.spread[course.pieces[k]]
    chord = jnp.zeros_like(x).at[light].set((end.x - now.x)[light])
    columns = jnp.zeros((light.size, x.shape[0])).at[:, light].set(across.T)
    variance = across @ across.T

    def missed(force: Callable[[Array, Array], Array]) -> Array:
        def one(x: Array, v: Array, chord: Array) -> Array:
            def turned(way: Array) -> Array:
                """How the slopes ∂_k f_j of light coordinates change along a way."""
                return jax.jvp(jax.jacfwd(lambda y: jnp.asarray(force(y, v), float)[light]), (x,), (way,))[1]

            spread = jnp.einsum("mjk,mk->j", jax.vmap(turned)(columns), columns)
            return (spread * chord[light] - jnp.sum(turned(chord)[:, light] * variance, 1)) / 12

        return jax.vmap(one, in_axes=-1, out_axes=-1)(x, v, chord)

    owners = (np.arange(course.baths)[:, None] == np.array(course.owners)).astype(float)
    work = jnp.zeros((course.pulls.shape[0], x.shape[-1]))
    total = jnp.zeros((light.size, x.shape[-1]))
    if course.potential is not None:
        slope = jax.grad(course.potential)
        total = total - missed(lambda x, v: slope(x))
    for d, law in zip(course.fed, course.laws, strict=True):
        own = missed(law)
        total, work = total + own, work.at[d].add(jnp.sum(own, 0))
    return -(owners @ total), work


def stretch(course: Course, key: Array, lanes: Array, now: Walkers, first: Array, last: Array) -> Walkers:
    """The trajectories from block `first` up to block `last`."""

    def one(now: Walkers, given: tuple[Array, Array]) -> tuple[Walkers, None]:
        k, noise = given
        end = step(course, now, k, noise)
        if course.massless:
            parts = [_chord(course, now, end, k)]
            if len(course.massless) > 1:
                # A line has no area beside it.
                parts.append(_bent(course, (now.x + end.x) / 2, (now.v + end.v) / 2, k))
                if course.potential is not None or course.laws:
                    parts.append(_curved(course, now, end, k))
            heat, work = (sum(each[1:], each[0]) for each in zip(*parts, strict=True))
            end = end._replace(heat=end.heat + heat, work=end.work + work)
        return end, None

    def block(index: Array, now: Walkers) -> Walkers:
        m = course.noises
        noise = jnp.concatenate(normals(key, DYNAMICS, lanes, index, BLOCK // 4 * m)).reshape(BLOCK, m, -1)
        steps = (index * BLOCK + jnp.arange(BLOCK)) % course.count
        new = jax.lax.scan(one, now, (steps, noise))[0]
        fine = jnp.all(jnp.isfinite(new.x), 0) & jnp.all(jnp.isfinite(new.heat), 0) & (now.failed < 0)
        if course.potential is not None:
            # A slope may be a number where the energy is none.
            fine &= jnp.isfinite(jax.vmap(course.potential, in_axes=-1)(new.x))
        kept = jax.tree.map(lambda a, b: jnp.where(fine, a, b), new._replace(failed=now.failed), now)
        return kept._replace(failed=jnp.where(fine | (now.failed >= 0), now.failed, index))

    return jax.lax.fori_loop(first, last, block, now)


def total(course: Course, now: Walkers, k: Array) -> Array:
    """Kinetic and potential energy of each lane, just before kick k."""
    mass = course.masses[np.array(course.heavy, int)][:, None]
    return jnp.sum(mass * now.v**2, 0) / 2 + course.energy(now.x, k % course.count)


def closed(course: Course, now: Walkers, before: Array, after: Array, time: Array) -> tuple[Walkers, Array]:
    """The books of a `time`: lanes with their sums cleared, and rates (quantity, lane) in the order of `Result`.

    Of coordinates without a mass ⟨v²⟩ is infinite; 0 stands for it.
    """
    speeds = jnp.zeros_like(now.x).at[np.array(course.heavy, int)].set(now.speeds / time)
    rates = [now.heat / time, now.work / time, ((after - before) / time)[None], now.squares / time, speeds]
    return cleared(course, now.x, now.v, now.failed), jnp.concatenate(rates)


def course_of(network: Network, line: Timeline, room: int = 1) -> Course:
    """The course of a network along a row of steps; with `room` for so many, that of longer ones has its programs."""
    driven, count = bool(network.frequency), line.steps
    # A row that turns is there several times, one that does not is padded to few lengths.
    least = -(-room // count) * count if line.turns else max(room, 1 << (count + 1).bit_length())
    padded = least if driven else 1

    def row(values: np.ndarray, after: Any) -> np.ndarray:
        return values[np.arange(padded) % count] if line.turns else _padded(np.append(values, after), padded)

    times = _padded(line.nodes(), padded + line.counts.size) if driven else np.zeros(1)
    nodes = network.frequency * times
    seen = jax.tree.map(np.asarray, network.instants(jnp.asarray(nodes)))
    # Which node each step starts and ends with, and which one was last before its kick.
    begin = np.arange(count) + line.pieces if driven else np.zeros(count, int)
    end = begin + 1 if driven else begin
    last, lengths = np.roll(end, 1), line.lengths
    lapses = np.roll(lengths, 1)
    if not line.turns:
        last[0], lapses[0] = begin[0], lengths[0]
    # After the last step half a kick may follow.
    here, last, ends = (row(a, end[-1]) for a in (begin, last, end))
    lengths, lapses = (row(a, lengths[-1]) for a in (lengths, lapses))
    pieces = row(line.pieces, line.pieces[-1])
    kicks = (lengths + lapses) / 2

    def mean(values: np.ndarray) -> np.ndarray:
        after, before = (a.reshape(-1, *(1,) * (values.ndim - 1)) for a in (lengths, lapses))
        return (after * values[here] + before * values[last]) / (after + before)

    works = kicks[:, None, None, None] * mean(seen.changes)
    if line.counts.size > 1:
        first = np.flatnonzero(np.diff(pieces, prepend=-1))[0 if line.turns else 1 :]
        works[first] += network.jumps(jnp.asarray(nodes[last[first]]), jnp.asarray(nodes[here[first]]))
    one = jax.tree.map(lambda a: a[0], seen)
    inside = [seen.springs[:0, None], seen.pushes[:0, None]]
    if one.massless:
        middles = jax.tree.map(np.asarray, network.instants(jnp.asarray((nodes[here] + nodes[ends]) / 2)))
        parts = (seen.springs, middles.springs), (seen.pushes, middles.pushes)
        inside = [np.stack([a[here], b, a[ends]], 1) for a, b in parts]
    numbers = {
        "kicks": kicks,
        "springs": mean(seen.springs),
        "pushes": mean(seen.pushes),
        "works": works,
        "lapses": lapses,
        "held": seen.springs[last],
        "pressed": seen.pushes[last],
        "lengths": lengths,
        "pieces": pieces,
        "inside": tuple(inside),
        "pulls": one.pulls,
        "masses": one.masses,
        **_thermal(one, network.places, np.diff(line.edges) / line.counts),
    }
    return Course(
        **jax.device_put(numbers),  # where `asarray` compiles a program for each shape
        potential=network.potential,
        laws=tuple(network.feedbacks.values()),
        fed=tuple(network.feedbacks),
        turns=tuple((b, tuple(at)) for b, at in _turns(one, network.places)),
        owners=tuple(next((b for b, at in enumerate(network.places) if i in at), 0) for i in one.massless),
        massless=tuple(one.massless),
        heavy=tuple(int(k) for k in one.heavy),
        baths=len(network.places),
    )


def _padded(values: np.ndarray, count: int) -> np.ndarray:
    """So many of them, the last again and again."""
    return values[np.minimum(np.arange(count), values.shape[0] - 1)]


def _turns(one: Instant, places: tuple[tuple[int, ...], ...]) -> list[tuple[int, list[int]]]:
    """Which bath acts on which of the heavy coordinates, one after another; there and back if they share some."""
    own = [np.flatnonzero(np.isin(one.heavy, at)).tolist() for at in places]
    turns = [(b, at) for b, at in enumerate(own) if at]
    shared = sum(map(len, own)) > len(set().union(*own))
    return turns + turns[::-1] if shared else turns


def _thermal(one: Instant, places: tuple[tuple[int, ...], ...], lengths: np.ndarray) -> dict[str, Any]:
    """What the baths do in a step of each of some `lengths` (piece,)."""
    masses, frictions, warm = one.masses, one.frictions, one.temperatures
    turns, decays, strengths = _turns(one, places), [], []
    share = len({b for b, _ in turns}) / max(len(turns), 1)
    for b, own in turns:
        at = one.heavy[own]
        root = np.sqrt(masses[at])
        values, vectors = np.linalg.eigh(frictions[b][np.ix_(at, at)] / np.outer(root, root))
        rates = np.maximum(values, 0) * share * lengths[:, None, None]
        decays.append((vectors * np.exp(-rates)) @ vectors.T)
        strengths.append((vectors * np.sqrt(-np.expm1(-2 * rates) * warm[b])) @ vectors.T)
    light = np.array(one.massless, int)
    among = np.ix_(light, light)
    block, noise = frictions.sum(0)[among], np.tensordot(warm, frictions, 1)[among]
    mobility = np.linalg.inv(block) if light.size else block
    spread = 2 * lengths[:, None, None] * (mobility @ noise @ mobility)
    spread = np.linalg.cholesky(spread) if light.size else spread
    return {"decays": tuple(decays), "strengths": tuple(strengths), "mobility": mobility, "spread": spread}
