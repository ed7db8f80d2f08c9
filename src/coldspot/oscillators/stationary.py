"""Linear networks with constant springs, of any kind: overdamped coordinates, friction matrices, several baths on one
coordinate, forces that no energy belongs to, periodic forces of any shape.

The noise of each bath alone, at T_b = 1, makes the covariance X_b (A X_b + X_b Aᵀ + W_b = 0). Heats and works are
linear in the temperatures. Where all forces but those of the baths and of periodic drives have an energy, equal
temperatures are an equilibrium: heat[b] = Σ_b′ K_bb′ (T_b − T_b′) vanishes exactly there, with K_bb′ = −(heat[b]
that b′ causes). Forces without an energy add T_b e_b, the heat at one temperature T_b everywhere: it follows from the
deviation D of the covariance from the equilibrium X_0 that there is without them, A D + D Aᵀ + ΔA X_0 + X_0 ΔAᵀ = 0, so
that it is as exact as it is small. The mean motion adds its own heat and work, harmonic by harmonic.

A residual R of the equation changes tr(QX) by tr(QY), A Y + Y Aᵀ + R = 0, and |yᵀY y| ≤ yᵀB y if B belongs to the sums
of |R| over each row: that, with R's own rounding, is the error bound.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS, cholesky, inverse
from ..numerics.double_double import add, matmul, plain
from ..numerics.lacking import lacking
from ..numerics.lyapunov import NEGLIGIBLE, cayley, covariances
from ..regimes import UNDAMPED
from ..solution import Status
from .instant import APART, Instant, Moments, moments
from .undamped import Undamped, none_of, undamped_now, unknown_currents, unknown_products

ABSENT = 1e-15
"""Errors below this part of the heat that goes back and forth between coordinates and baths are no error: the rounding
of temperatures and frictions alone causes them."""

Pushes = tuple[Array, Array | None]
"""Amplitudes (harmonic, drive, n) of periodic forces; if their harmonics have no end, also some that are known less."""


class Conduction(NamedTuple):
    """What noise does in one network, whose modes that no friction reaches stand still.

    `rates` per unit of each temperature (rate, bath) and their `errors`; `excess`, the heats at one temperature
    everywhere, per unit of it (bath), with `excess_errors`; covariances X_b of (x, v) (bath, k, k); whether the motion
    is `damped`, and whether it is `stable`; the modes that no friction reaches (`undamped`).
    """

    rates: Array
    errors: Array
    excess: Array
    excess_errors: Array
    covariances: Array
    damped: Array
    stable: Array
    undamped: Undamped


class Motion(NamedTuple):
    """Heat and work of the mean motion (rate,) with their errors."""

    rates: Array
    errors: Array


def steady(
    points: Any, look: Callable[[Any], tuple[Instant, Array, Pushes]], reciprocal: bool, all_damped: bool = False
) -> Outcome:
    """Steady or periodic states of a batch; `look(point)` gives an instant without pushes, the frequency, and the
    complex amplitudes (harmonic, drive, n) of the pushes, which are Re Σ_h f_h e^{ihΩt}, h = 1, 2, …; if they have no
    end, also some that are known less well. `all_damped`: modes that no friction reaches are not looked for, and leave
    a point undecided.
    """

    def one(point: Any) -> tuple[Array, ...]:
        instant, frequency, (pushes, rough) = look(point)
        m = moments(instant)
        found = conduction(instant, m, reciprocal, all_damped)
        driven = response(instant, m, frequency, pushes, rough is not None)
        if rough is not None:
            other = response(instant, m, frequency, rough, True)
            apart = jax.lax.stop_gradient(jnp.abs(driven.rates - other.rates))
            driven = driven._replace(errors=driven.errors + APART * apart)
        rates, errors = _at_temperatures(found, instant.temperatures)
        whole = rates + driven.rates
        errors = errors + driven.errors + EPS * (jnp.abs(rates) + jnp.abs(driven.rates))
        gross = jnp.abs(m.constants) @ instant.temperatures
        still = found.undamped
        unique = found.damped & ~jnp.any(still.moving & jnp.any(pushes != 0, (0, 1)))
        return whole, errors, found.stable, unique, still.present, jnp.max(gross, initial=0.0)

    rates, errors, stable, unique, resting, gross = jax.lax.map(one, points)
    left = stable & ~unique
    baths = jax.eval_shape(lambda p: look(jax.tree.map(lambda a: a[0], p))[0].temperatures, points).shape[0]
    return Outcome(
        rates=Rates(heats=rates[:, :baths], works=rates[:, baths:]),
        errors=Rates(heats=errors[:, :baths], works=errors[:, baths:]),
        faults={Status.UNSTABLE: ~stable, Status.NOT_UNIQUE: left & (not all_damped)},
        floor=ABSENT * gross,
        flags={UNDAMPED: resting},
        undecided=left if all_damped else None,
    )


def _at_temperatures(found: Conduction, t: Array) -> tuple[Array, Array]:
    """Rates and errors at temperatures: heats from the temperatures' differences and from the excess."""
    baths = t.shape[0]
    apart = t[:, None] - t[None, :]
    flows = -found.rates[:baths] * apart
    heats = jnp.sum(flows, 1) + found.excess * t
    errors = jnp.sum(found.errors[:baths] * jnp.abs(apart) + 2 * EPS * jnp.abs(flows), 1)
    errors += (found.excess_errors + 2 * EPS * jnp.abs(found.excess)) * t
    works = found.rates[baths:] @ t
    of_works = found.errors[baths:] @ t + 2 * EPS * jnp.abs(found.rates[baths:]) @ t
    return jnp.concatenate([heats, works]), jnp.concatenate([errors, of_works])


def conduction(instant: Instant, m: Moments, reciprocal: bool, all_damped: bool = False) -> Conduction:
    """Covariances of the noise of each bath, and the rates that they cause."""
    n, k = instant.size, m.drift.shape[0] - 1
    heavy = instant.heavy
    # Coordinates in which the energy is ½ of the square, as far as there is one: A + Aᵀ ≤ 0 there.
    springs = jax.lax.stop_gradient((instant.springs + instant.springs.T) / 2)
    factor, definite = cholesky(springs)
    factor = jnp.where(definite, factor, jnp.sqrt(jnp.max(jnp.abs(springs), initial=1e-300)) * jnp.eye(n))
    to = jnp.zeros((k, k)).at[:n, :n].set(factor.T)
    root = jnp.sqrt(jax.lax.stop_gradient(instant.masses[heavy]))
    to = to.at[jnp.arange(n, k), jnp.arange(n, k)].set(root)
    back = inverse(to)
    # Of Φ C⁻ᵀ = C only what rounding, or a derivative, leaves is a product: a stiff spring would hide a weak one.
    beside = add(plain(instant.springs), -matmul(factor, plain(factor.T))).value @ back[:n, :n]
    there = factor + jnp.where(definite, beside, (instant.springs - factor @ factor.T) @ back[:n, :n])
    y = moments(eqx.tree_at(lambda o: (o.springs, o.pulls), instant, (there, instant.pulls @ back[:n, :n])))
    scale = jnp.ones(k).at[n:].set(1 / root)
    drift = y.drift[:k, :k] * scale
    still = none_of(n) if all_damped else undamped_now(instant)
    a = (to @ drift).at[n:, n:].add(-still.damping[heavy[:, None], heavy])
    w = to @ m.noise[:, :k, :k] @ to.T
    solver = cayley(a[None])
    x, left, _ = covariances(a[None], w[None], solver)
    x = (x[0] + jnp.swapaxes(x[0], -1, -2)) / 2
    quiet = jax.lax.stop_gradient((a, w, x))
    rough = 2 * k * EPS * (jnp.abs(to) @ jnp.abs(jax.lax.stop_gradient(drift))) @ jnp.abs(quiet[2])
    bound = _bound(*quiet, solver, rough + jnp.swapaxes(rough, -1, -2))
    baths = instant.temperatures.shape[0]
    excess = excess_errors = jnp.zeros(baths)
    forms = y.forms[:, :k, :k] * scale * scale[:, None]
    rates = jnp.einsum("qij,bij->qb", forms, x) + m.constants
    wide = jnp.sqrt(jnp.maximum(jnp.diagonal(bound, axis1=-2, axis2=-1), 0.0))
    sizes = jnp.abs(jax.lax.stop_gradient(forms))
    errors = jnp.einsum("qij,bi,bj->qb", sizes, wide, wide)
    errors += 4 * k * EPS * (jnp.einsum("qij,bij->qb", sizes, jnp.abs(quiet[2])) + jnp.abs(m.constants)) + still.loss
    stable = jnp.all(left < 10 * k)
    if not reciprocal:
        excess, excess_errors = _excess(instant, a, (to, back), forms[:baths], solver)
        # Without an equilibrium to deviate from, as a difference.
        whole, doubt = jnp.sum(rates[:baths], 1), jnp.sum(errors[:baths] + EPS * jnp.abs(rates[:baths]), 1)
        excess, excess_errors = jnp.where(definite, excess, whole), jnp.where(definite, excess_errors, doubt)
    damped = left[0] <= NEGLIGIBLE
    return Conduction(rates, errors, excess, excess_errors, back @ x @ back.T, damped, stable, still)


def _excess(
    instant: Instant, a: Array, coordinates: tuple[Array, Array], forms: Array, solver: Any
) -> tuple[Array, Array]:
    """Heats at T = 1 everywhere (bath) and their errors, in coordinates in which the equilibrium is X_0 = 1.

    Drift, forms and constants are quadratic in the forces without an energy: what these change of them is exactly the
    derivative at half of them.
    """
    to, back = coordinates
    n, k, baths = instant.size, a.shape[0], forms.shape[0]
    # 1 with the derivatives of X_0, which the coordinates do not follow.
    still = jnp.zeros((k, k)).at[:n, :n].set(inverse((instant.springs + instant.springs.T) / 2))
    still = to @ still.at[jnp.arange(n, k), jnp.arange(n, k)].set(1 / instant.masses[instant.heavy]) @ to.T
    still = jnp.eye(k) + (still - jax.lax.stop_gradient(still))

    def with_pulls(pulls: Array) -> Moments:
        return moments(eqx.tree_at(lambda one: one.pulls, instant, pulls))

    _, change = jax.jvp(with_pulls, (instant.pulls / 2,), (instant.pulls,))
    source = to @ change.drift[:k, :k] @ back @ still
    source = source + source.T
    d = covariances(a[None], source[None, None], solver)[0][0, 0]
    d = (d + d.T) / 2
    of_forms = back.T @ change.forms[:baths, :k, :k] @ back
    own = jnp.einsum("bij,ij->b", of_forms, still)
    excess = jnp.einsum("bij,ij->b", forms, d) + own + jnp.sum(change.constants[:baths], 1)
    quiet = jax.lax.stop_gradient((a, source[None], d[None]))
    sizes, size = jnp.abs(jax.lax.stop_gradient(forms)), jnp.abs(quiet[2][0])
    spread = jnp.abs(to) @ jnp.abs(change.drift[:k, :k]) @ jnp.abs(back)
    rough = jax.lax.stop_gradient(2 * k * EPS * (spread + spread.T))
    wide = jnp.sqrt(jnp.maximum(jnp.diagonal(_bound(*quiet, solver, rough)[0]), 0.0))
    terms = jnp.abs(back).T @ jnp.abs(change.forms[:baths, :k, :k]) @ jnp.abs(back)
    terms = jnp.trace(terms, axis1=-2, axis2=-1) + jnp.sum(jnp.abs(change.constants[:baths]), 1)
    errors = jnp.einsum("bij,i,j->b", sizes, wide, wide)
    errors += 4 * k * EPS * (jnp.einsum("bij,ij->b", sizes, size) + terms)
    return excess, jax.lax.stop_gradient(errors)


@eqx.filter_jit
def covariance(instant: Instant) -> Array:
    """Covariance of (x, v) of one network about its mean motion, v of the coordinates that have a mass.

    NaN between coordinates that take part in modes which no friction reaches, and where there is no steady state.
    """
    found, n, heavy = conduction(instant, moments(instant), reciprocal=True), instant.size, instant.heavy
    every = np.append(np.arange(n), heavy)
    unknown = unknown_products(found.undamped)[every[:, None], every] | ~(found.stable & found.damped)
    return lacking(unknown, jnp.einsum("b,bij->ij", instant.temperatures, found.covariances))


@eqx.filter_jit
def currents(instant: Instant, frequency: Array, pushes: Array, reciprocal: bool) -> Array:
    """−Φ_ij⟨x_j∘ẋ_i⟩ (n, n): energy per time that flows into coordinate i from j through their spring."""
    n, m, t = instant.size, moments(instant), instant.temperatures
    noise = conduction(instant, m, reciprocal=True)
    # In an equilibrium positions and velocities are independent; only forces without an energy prevent that.
    apart = t - jnp.mean(t) if reciprocal else t
    x = jnp.einsum("b,bij->ij", apart, noise.covariances)
    crossed = m.drift[:n, :-1] @ x[:, :n]  # but for the noise of coordinates without mass, which is symmetric
    if pushes.size:
        turn, _, _, _, y = _amplitudes(instant, m, frequency, pushes)
        crossed += jnp.einsum("hi,hj->ij", turn[:, None] * y[:, :n], jnp.conj(y[:, :n])).real / 2
    flow = -instant.springs * (crossed - crossed.T) / 2
    unknown = unknown_currents(noise.undamped) & (instant.springs != 0) | ~(noise.stable & noise.damped)
    return jnp.where(jnp.eye(n, dtype=bool), 0.0, lacking(unknown, flow))


def _bound(a: Array, w: Array, x: Array, solver: Any, unsure: Array | float = 0.0) -> Array:
    """Covariances B that bound what the residual of X, with the rounding in it and in W (`unsure`), may change."""
    k = a.shape[0]
    half = a @ x
    residual = half + jnp.swapaxes(half, -1, -2) + w
    rough = (k + 4) * EPS * (2 * jnp.abs(a) @ jnp.abs(x) + jnp.abs(w)) + unsure
    rows = jnp.sum(jnp.abs(residual) + (rough + jnp.swapaxes(rough, -1, -2)) / 2, -1)
    return covariances(a[None], (rows[..., None] * jnp.eye(k))[None], solver)[0][0]


def _amplitudes(instant: Instant, m: Moments, frequency: Array, pushes: Array) -> tuple[Array, ...]:
    """ihΩ, z = ihΩ − A, its inverse, the pushes on y, and the mean motion y (harmonic, …) with z y = pushes."""
    n, k, count = instant.size, m.drift.shape[0] - 1, pushes.shape[0]
    light, heavy = jnp.array(instant.massless, int), instant.heavy
    total = jnp.sum(pushes, 1)
    source = jnp.zeros((count, k), complex).at[:, jnp.arange(n, k)].set(total[:, heavy] / instant.masses[heavy])
    if light.size:
        friction = jnp.sum(instant.frictions, 0)[light[:, None], light]
        source = source.at[:, light].set(total[:, light] @ inverse(friction).T)
    turn = 1j * frequency * jnp.arange(1, count + 1)
    z = turn[:, None, None] * jnp.eye(k) - m.drift[:k, :k]
    known = inverse(z)
    y = jnp.einsum("hij,hj->hi", known, source)
    return turn, z, known, source, y + jnp.einsum("hij,hj->hi", known, source - jnp.einsum("hij,hj->hi", z, y))


def response(instant: Instant, m: Moments, frequency: Array, pushes: Array, endless: bool) -> Motion:
    """Heat and work of the mean motion under periodic pushes: −½ẋ†Γẋ per bath, ½Re f†ẋ per drive, each harmonic.

    If the pushes are `endless`, the upper half of the harmonics stands for all that follow.
    """
    n, k = instant.size, m.drift.shape[0] - 1
    baths, (count, drives) = instant.temperatures.shape[0], pushes.shape[:2]
    if not drives or not count:
        return Motion(*(jnp.zeros(baths + drives),) * 2)
    turn, z, known, source, y = _amplitudes(instant, m, frequency, pushes)
    x = y[:, :n]
    v = turn[:, None] * x
    heats = -0.5 * jnp.einsum("hi,bij,hj->hb", jnp.conj(v), instant.frictions, v).real
    works = 0.5 * (jnp.conj(pushes) * v[:, None]).sum(-1).real
    works += 0.5 * jnp.einsum("hi,dij,hj->hd", jnp.conj(v), instant.pulls, x).real
    # What rounding may have changed of y, and of the sums.
    missed = jnp.abs(source - jnp.einsum("hij,hj->hi", z, y))
    missed += (k + 8) * EPS * (jnp.einsum("hij,hj->hi", jnp.abs(z), jnp.abs(y)) + jnp.abs(source))
    off = jnp.einsum("hij,hj->hi", jnp.abs(known), missed)[:, :n]
    dv, size = jnp.abs(turn)[:, None] * off, jnp.abs(v)
    rough = jnp.abs(instant.frictions)
    of_heat = jnp.einsum("hi,bij,hj->hb", size, rough, dv + (n + 4) * EPS * size)
    of_work = 0.5 * jnp.sum(jnp.abs(pushes) * (dv + (n + 4) * EPS * size)[:, None], -1)
    pulled = jnp.abs(instant.pulls)
    of_work += jnp.einsum("hi,dij,hj->hd", dv + n * EPS * size, pulled, jnp.abs(x)) / 2
    of_work += jnp.einsum("hi,dij,hj->hd", size, pulled, off) / 2
    rates, errors = jnp.concatenate([heats, works], -1), jnp.concatenate([of_heat, of_work], -1)
    tail = jnp.sum(jnp.abs(rates[count // 2 :]), 0) if endless else jnp.zeros(baths + drives)
    return Motion(jnp.sum(rates, 0), jax.lax.stop_gradient(jnp.sum(errors, 0) + tail))
