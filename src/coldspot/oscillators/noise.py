"""What the noise of each bath does to a linear network: covariances, and heat conductances between the baths.

In the coordinates y = Cᵀx (C Cᵀ = Φ) and v the energy is ½y² + ½vᵀMv, and y′ = Cᵀv, M v′ = −C y − Γv + noise.
Let X_b be the covariance that the noise of bath b alone, at T_b = 1, makes. Their sum is the equilibrium
distribution, so that

    heat[b] = Σ_b′ K_bb′ (T_b − T_b′),   K_bb′ = Σ_{i at b} γ_i ⟨v_i²⟩ in X_b′  (≥ 0, symmetric),

which vanishes exactly in equilibrium. A residual R of the equation for X_b′ changes K_bb′ by ½ tr(S X_b S R), S the
reversal of velocities: by time reversal X_b also tells what each noise contributes to bath b. This is added, with R
from sums of twice the digits, so that the error that remains is of second order in the solver's.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import EPS, cholesky, inverse
from ..numerics.double_double import UNIT, add, matmul, plain, times
from ..numerics.lyapunov import NEGLIGIBLE, Cayley, cayley, covariances, doubled
from .model import System
from .undamped import Undamped, undamped_in_each

ROUNDING = EPS / 2
"""Relative error of one operation, at most."""
SHARP = 1e-13
"""Conductances are refined where more than this part of the largest between two baths may be missing."""


class Noise(NamedTuple):
    """What the baths' noise does, for a batch (point first).

    `conductance` K (bath, bath) and its `error`; `factor` C (n, n) and its inverse; `second` (bath, 2n, 2n): the
    covariances X_b in (y, v); whether the springs are `positive` definite and the motion `damped`; `doublings`; the
    modes that no friction reaches (`undamped`), which stand still in X_b.
    """

    conductance: Array
    error: Array
    factor: Array
    inverse_factor: Array
    second: Array
    positive: Array
    damped: Array
    doublings: Array
    undamped: Undamped


def swap(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2)


def _trace(a: Array, b: Array) -> Array:
    """tr(aᵀb) of the last two axes."""
    return jnp.sum(a * b, axis=(-2, -1))


def _norm(a: Array) -> Array:
    return jnp.sqrt(_trace(a, a))


def noise(system: System, all_damped: bool = False) -> Noise:
    """Covariances of the noise of each bath, and the heat conductances between the baths."""
    n = system.size
    mass, gamma = system.masses, system.frictions
    members = jnp.asarray(system.members)
    share = members * gamma[:, None]  # (point, bath, n): γ_i where coordinate i is the bath's
    springs = 0.5 * (system.springs + swap(system.springs))

    # Coordinates y = Cᵀx and √m v are fixed; parameters move A in them, which is all that derivatives see.
    factor, positive = cholesky(jax.lax.stop_gradient(springs))
    springs = jnp.where(positive[:, None, None], springs, jnp.eye(n))
    factor = jnp.where(positive[:, None, None], factor, jnp.eye(n))
    root = jnp.sqrt(jax.lax.stop_gradient(mass))
    back = inverse(factor)
    # Φ − C Cᵀ, which rounding leaves.
    excess = add(plain(springs), -matmul(factor, plain(swap(factor)))).value @ swap(back)

    zero = jnp.zeros_like(springs)
    eye = jnp.eye(n)
    upper = swap(factor) / root[:, None, :]
    lower = -(root / mass)[..., None] * (factor + excess)
    still = undamped_in_each(mass, springs, gamma, all_damped or system.thermal.size == n)
    damping = -(gamma / mass)[..., None] * eye - still.damping
    a = blocks(zero, upper, lower, damping)
    kicks = (root / mass)[:, None, :] ** 2 * 2 * share
    sources = jnp.concatenate([jnp.zeros_like(kicks), kicks], -1)[..., None] * jnp.eye(2 * n)
    # Rounding leaves residuals between ± their size × this much noise, so that its covariance bounds what they do.
    rough = jnp.sum(jnp.abs(jax.lax.stop_gradient(a)), -1)
    sides = jnp.concatenate([sources, (rough[:, :, None] * jnp.eye(2 * n))[:, None]], 1)
    solver = cayley(a)
    x, left, doublings = covariances(a, sides, solver)
    known = jax.lax.stop_gradient((a, sides, x, solver, rough, members * (gamma / mass)[:, None]))
    x = x + _refinement(*known)
    scale = jnp.concatenate([jnp.ones_like(root), 1 / root], -1)
    second = x[:, :-1] * scale[:, None, :, None] * scale[:, None, None, :]
    second = 0.5 * (second + swap(second))

    own = jnp.einsum("pbi,pci->pbc", share, jnp.diagonal(second[..., n:, n:], axis1=-2, axis2=-1))
    residual = _residual(system, factor, excess, second, share)
    reversal = jnp.concatenate([jnp.ones(n), -jnp.ones(n)])
    correction = jnp.einsum("pbij,pcij->pbc", 0.5 * second * jnp.outer(reversal, reversal), residual)
    conductance = own + correction
    error = _missing(*jax.lax.stop_gradient((conductance, second, residual, x, excess, back, springs, mass, rough)))
    error += still.loss[:, None, None]
    return Noise(conductance, error, factor, back, second, positive, left <= NEGLIGIBLE, doublings, still)


def _missing(
    conductance: Array,
    second: Array,
    residual: Array,
    x: Array,
    excess: Array,
    back: Array,
    springs: Array,
    mass: Array,
    rough: Array,
) -> Array:
    """Error bound of the conductances."""
    n = mass.shape[-1]
    even = jnp.concatenate([jnp.ones_like(mass), 1 / jnp.sqrt(mass)], -1) / jnp.sqrt(rough)
    # What is missing: the second order, ½ ∫ tr(S e^{At}R_b e^{Aᵀt} S R_b′) dt; what C leaves out of A; rounding of R.
    size = _norm(residual * even[:, None, :, None] * even[:, None, None, :])
    content = jnp.sum(rough[:, None] * jnp.diagonal(x, axis1=-2, axis2=-1), -1)
    slack = 2 * _norm(back @ excess) + 4 * n * n * ROUNDING
    error = size[:, :, None] * size[:, None, :] * content[:, -1, None, None]
    error += content[:, :-1, None] * (slack[:, None, None] * size[:, None, :] + n * UNIT)
    # What the rounding of the springs' constants, as sums of others, may change.
    p, q, v = (jnp.abs(part) for part in (second[..., :n, :n], second[..., :n, n:], second[..., n:, n:]))
    loose = ROUNDING * jnp.abs(springs) @ jnp.abs(swap(back))
    force = loose[:, None] @ (q * mass[:, None, None, :])
    error += jnp.einsum("pbij,pcij->pbc", q, p @ swap(loose)[:, None]) + jnp.einsum("pbij,pcij->pbc", v, force)
    return error + 5 * ROUNDING * jnp.abs(conductance)


def _refinement(a: Array, sides: Array, x: Array, solver: Cayley, rough: Array, rates: Array) -> Array:
    """What to add to X where motion is so weakly damped that the residual spoils the conductances; elsewhere zero."""
    n = a.shape[-1] // 2
    residual = a[:, None] @ x + x @ swap(a)[:, None] + sides
    even = 1 / jnp.sqrt(rough)
    size = _norm(residual * even[:, None, :, None] * even[:, None, None, :])[:, :-1]
    missing = jnp.max(size, -1) ** 2 * jnp.sum(rough * jnp.diagonal(x[:, -1], axis1=-2, axis2=-1), -1)
    own = jnp.einsum("pbi,pci->pbc", rates, jnp.diagonal(x[:, :-1, n:, n:], axis1=-2, axis2=-1))
    between = jnp.max(jnp.where(jnp.eye(own.shape[-1], dtype=bool), 0.0, own), (-2, -1))
    poor = missing > SHARP * between
    rest = jnp.where(poor[:, None, None, None], residual, 0.0)
    return jax.lax.cond(jnp.any(poor), lambda: doubled(solver, rest)[0], lambda: jnp.zeros_like(x))


def _residual(system: System, factor: Array, excess: Array, second: Array, share: Array) -> Array:
    """d/dt of ⟨yyᵀ⟩, ⟨yvᵀ⟩M and M⟨vvᵀ⟩M (point, bath, 2n, 2n) that the covariances leave, to twice the digits."""
    n = system.size
    eye, zero = jnp.eye(n), jnp.zeros_like(factor)
    motion = blocks(zero, swap(factor), -factor, -system.frictions[..., None] * eye)
    weight = jnp.concatenate([jnp.ones_like(system.masses), system.masses], -1)
    moved = times(plain(second), weight[:, None, None, :])
    half = matmul(motion[:, None], moved)
    beside = blocks(zero, zero, -excess, zero)[:, None] @ moved.value
    force = 2 * jnp.concatenate([jnp.zeros_like(share), share], -1)[..., None] * jnp.eye(2 * n)
    return add(add(half, half.transpose), plain(force)).value + beside + swap(beside)


def blocks(a: Array, b: Array, c: Array, d: Array) -> Array:
    """[[a, b], [c, d]] in the last two axes."""
    return jnp.concatenate([jnp.concatenate([a, b], -1), jnp.concatenate([c, d], -1)], -2)
