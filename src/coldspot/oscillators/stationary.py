"""Linear networks with constant springs, of any kind: overdamped coordinates, friction matrices, several baths on one
coordinate, forces that no energy belongs to, periodic forces of any shape.

The noise of each bath alone, at T_b = 1, makes the covariance X_b (A X_b + X_b Aᵀ + W_b = 0). Heats and works are
linear in the temperatures. Where all forces but those of the baths and of periodic drives have an energy, equal
temperatures are an equilibrium, so that heat[b] = Σ_b′ K_bb′ (T_b − T_b′), with K_bb′ = −(heat[b] that b′ causes),
vanishes exactly there. The mean motion adds its own heat and work, harmonic by harmonic.

A residual R of the equation changes tr(QX) by tr(QY), A Y + Y Aᵀ + R = 0, and |yᵀY y| ≤ yᵀB y if B belongs to the sums
of |R| over each row: that, with R's own rounding, is the error bound.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS, cholesky, inverse
from ..numerics.lyapunov import NEGLIGIBLE, cayley, covariances
from ..solution import Status
from .instant import Instant, Moments, moments

ABSENT, LOST = 1e-15, 1e-12
"""Errors below this part of the heat that goes back and forth between coordinates and baths are no error; the second,

where forces have no energy, so that equilibrium is a difference of large flows.
"""


class Conduction(NamedTuple):
    """What noise does in one network: `rates` per unit of each temperature (rate, bath) and their `errors`; covariances

    X_b of (x, v) (bath, k, k); whether the motion is `damped`, and whether it is `stable`.
    """

    rates: Array
    errors: Array
    covariances: Array
    damped: Array
    stable: Array


class Motion(NamedTuple):
    """Heat and work of the mean motion (rate,) with their errors."""

    rates: Array
    errors: Array


def steady(points: Any, look: Callable[[Any], tuple[Instant, Array, Array]], reciprocal: bool) -> Outcome:
    """Steady or periodic states of a batch; `look(point)` gives an instant without pushes, the frequency, and the
    complex amplitudes (harmonic, drive, n) of the pushes, which are Re Σ_h f_h e^{ihΩt}, h = 1, 2, ….
    """

    def one(point: Any) -> tuple[Array, Array, Array, Array, Array]:
        instant, frequency, pushes = look(point)
        m = moments(instant)
        found = conduction(instant, m)
        baths = instant.temperatures.shape[0]
        driven = response(instant, m, frequency, pushes)
        rates, errors = _at_temperatures(found, instant.temperatures, baths, reciprocal)
        whole = rates + driven.rates
        errors = errors + driven.errors + EPS * (jnp.abs(rates) + jnp.abs(driven.rates))
        gross = jnp.abs(m.constants) @ instant.temperatures
        return whole, errors, found.stable, found.damped, jnp.max(gross, initial=0.0)

    rates, errors, stable, damped, gross = jax.lax.map(one, points)
    baths = jax.eval_shape(lambda p: look(jax.tree.map(lambda a: a[0], p))[0].temperatures, points).shape[0]
    return Outcome(
        rates=Rates(heats=rates[:, :baths], works=rates[:, baths:]),
        errors=Rates(heats=errors[:, :baths], works=errors[:, baths:]),
        faults={Status.UNSTABLE: ~stable, Status.NOT_UNIQUE: stable & ~damped},
        floor=(ABSENT if reciprocal else LOST) * gross,
    )


def _at_temperatures(found: Conduction, t: Array, baths: int, reciprocal: bool) -> tuple[Array, Array]:
    """Rates and errors at temperatures; without forces that no energy belongs to, from their differences."""
    if not reciprocal:
        return found.rates @ t, found.errors @ t + 2 * EPS * jnp.abs(found.rates) @ t
    apart = t[:, None] - t[None, :]
    flows = -found.rates[:baths] * apart
    errors = found.errors[:baths] * jnp.abs(apart) + 2 * EPS * jnp.abs(flows)
    nothing = jnp.zeros(found.rates.shape[0] - baths)
    return jnp.concatenate([jnp.sum(flows, 1), nothing]), jnp.concatenate([jnp.sum(errors, 1), nothing])


def conduction(instant: Instant, m: Moments) -> Conduction:
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
    a = to @ m.drift[:k, :k] @ back
    w = to @ m.noise[:, :k, :k] @ to.T
    solver = cayley(a[None])
    x, left, _ = covariances(a[None], w[None], solver)
    x = (x[0] + jnp.swapaxes(x[0], -1, -2)) / 2
    quiet = jax.lax.stop_gradient((a, w, x))
    bound = _bound(*quiet, solver)
    forms = back.T @ m.forms[:, :k, :k] @ back
    rates = jnp.einsum("qij,bij->qb", forms, x) + m.constants
    wide = jnp.sqrt(jnp.maximum(jnp.diagonal(bound, axis1=-2, axis2=-1), 0.0))
    sizes = jnp.abs(jax.lax.stop_gradient(forms))
    errors = jnp.einsum("qij,bi,bj->qb", sizes, wide, wide)
    errors += 4 * k * EPS * (jnp.einsum("qij,bij->qb", sizes, jnp.abs(quiet[2])) + jnp.abs(m.constants))
    stable = jnp.all(left < 10 * k)
    return Conduction(rates, errors, back @ x @ back.T, left[0] <= NEGLIGIBLE, stable)


@eqx.filter_jit
def covariance(instant: Instant) -> Array:
    """Covariance of (x, v) of one network about its mean motion, v of the coordinates that have a mass."""
    found = conduction(instant, moments(instant))
    return jnp.einsum("b,bij->ij", instant.temperatures, found.covariances)


def _bound(a: Array, w: Array, x: Array, solver: Any) -> Array:
    """Covariances B that bound what the residual of X, with the rounding in it, may change."""
    k = a.shape[0]
    half = a @ x
    residual = half + jnp.swapaxes(half, -1, -2) + w
    rough = (k + 4) * EPS * (2 * jnp.abs(a) @ jnp.abs(x) + jnp.abs(w))
    rows = jnp.sum(jnp.abs(residual) + (rough + jnp.swapaxes(rough, -1, -2)) / 2, -1)
    return covariances(a[None], (rows[..., None] * jnp.eye(k))[None], solver)[0][0]


def response(instant: Instant, m: Moments, frequency: Array, pushes: Array) -> Motion:
    """Heat and work of the mean motion under periodic pushes: −½ẋ†Γẋ per bath, ½Re f†ẋ per drive, each harmonic."""
    n, k = instant.size, m.drift.shape[0] - 1
    baths, (count, drives) = instant.temperatures.shape[0], pushes.shape[:2]
    if not drives or not count:
        return Motion(*(jnp.zeros(baths + drives),) * 2)
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
    y = y + jnp.einsum("hij,hj->hi", known, source - jnp.einsum("hij,hj->hi", z, y))
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
    # Harmonics of the upper half stand for those that were left out: none, but for pushes that are not smooth.
    tail = jnp.sum(jnp.abs(rates[count // 2 + 1 :]), 0) if count > 8 else jnp.zeros(baths + drives)
    return Motion(jnp.sum(rates, 0), jax.lax.stop_gradient(jnp.sum(errors, 0) + tail))
