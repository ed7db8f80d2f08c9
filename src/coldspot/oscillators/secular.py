"""Heat conductances of large linear networks with few damped coordinates, and of modes that hardly any friction
reaches.

Coordinates are √m x, and y = Cᵀx with C Cᵀ the springs Φ, so that the energy is ½y² + ½v² and nothing is larger than
the fastest frequency. C = S ω Oᵀ gives the modes of the springs alone. In them friction is Σ_a g_a u_a u_aᵀ,
g_a = γ_a/m_a, one term for each of the r damped coordinates, and u_ak the share of coordinate a in mode k. The
stationary moments P = ⟨ξ̇ξ̇ᵀ⟩, Z = ⟨ξξ̇ᵀ⟩ are

    (ω_l² − ω_k²) Z_kl = [Σ_a g_a(u_a p_aᵀ + p_a u_aᵀ) − 2N]_kl,          p_a = P u_a,
    (ω_l² − ω_k²) P_kl = Σ_a g_a (ω_l² Q_al u_ak − ω_k² Q_ak u_al),        Q_a = Z u_a,

N the noise, with Σ_a g_a u_ak p_ak = N_kk for the diagonal: linear equations of size N r. They are scaled by
s_k = √(Σ_a g_a u_ak²), with which all shares of a mode in the damped coordinates shrink: a mode that is localised far
from every bath then weighs nothing, instead of making the equations singular.

As in `noise`, a residual R of the moments of bath b′ changes its conductance to b by tr(L_b R), L_b from the moments of
b by time reversal. It is added, and its size is the error estimate; derivatives follow from it alone.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS, positive_or_one
from .model import System
from .undamped import NOTHING

LARGEST = 4096
"""Coordinates × damped coordinates: the size of the equations, 128 MB."""
NODE, BESIDE = 1e-12, 1e-6
"""A mode that no friction reaches (shares below the first) has a node there if coordinates beside it move (above the

second): it keeps the energy that it has. If they do not move either, the mode is localised elsewhere.
"""


class Conductance(NamedTuple):
    """K (bath, bath) of one network with its error; whether its springs are positive, and its heats unique.

    `resting`: whether there are modes, localised far from every bath, that no friction reaches.
    """

    conductance: Array
    error: Array
    positive: Array
    unique: Array
    resting: Array


class Moments(NamedTuple):
    """⟨yyᵀ⟩, ⟨yvᵀ⟩ and ⟨vvᵀ⟩ of each bath's noise at T_b = 1, (bath, n, n), and C (n, n)."""

    positions: Array
    mixed: Array
    speeds: Array
    factor: Array


def fits(system: System) -> bool:
    return system.size * system.thermal.size <= LARGEST


def conductance(system: System) -> Conductance:
    """Heat conductances between the baths of one network; first derivatives only (see `first_order`)."""
    quiet = jax.lax.stop_gradient(system)
    found, positive, unique, resting = moments(quiet)
    found = jax.lax.stop_gradient(found)
    own, correction = _by_moments(system, found)
    value = own + correction
    steady = jax.lax.stop_gradient(value)
    held = jnp.sum(jnp.asarray(system.members) * (quiet.frictions / quiet.masses), -1)
    missing = jnp.max(jnp.abs(jnp.sum(steady, -1) - held))
    error = (
        jnp.abs(jax.lax.stop_gradient(correction)) + jnp.abs(steady - steady.T) + missing + 8 * EPS * jnp.abs(steady)
    )
    return Conductance(value, error, positive, unique, resting)


def moments(system: System) -> tuple[Moments, Array, Array, Array]:
    """Moments of the noise of each bath; whether the springs are positive, the heats unique, and some modes at rest."""
    n, sites = system.size, system.thermal
    springs = _rescaled(system, jnp.sqrt(system.masses))
    factor = jnp.linalg.cholesky(springs)
    squares, shapes = jnp.linalg.eigh(springs)
    positive = jnp.all(jnp.isfinite(factor)) & (squares[0] > 4 * n * EPS * squares[-1])
    factor = jnp.where(positive, factor, jnp.eye(n))
    # Modes from the factor are sharper at low frequency; what they are off is left to the correction.
    turned = shapes.T @ factor
    speed = jnp.sqrt(jnp.sum(turned**2, axis=1))
    turned, squares = turned / speed[:, None], speed**2
    g = (system.frictions / system.masses)[sites]
    u = shapes[sites]  # (damped coordinate, mode)
    apart = (speed - speed[:, None]) * (speed + speed[:, None])
    c = jnp.where(apart == 0, 0.0, 1 / jnp.where(apart == 0, 1.0, apart))
    scale = jnp.sqrt(g @ u**2)
    share = u / positive_or_one(scale)
    close = jnp.einsum("kl,sl,al->sak", c, u, u)  # Σ_l C_kl u_sl u_al
    r, eye = sites.size, jnp.eye(n)
    gain, wide, fast = share * g[:, None], u * scale, u * squares * scale
    # p_a = share_a b + Σ_s G_as q_s in units of the scale, as are Q_a; b, the diagonal of P, is level − Σ_s B_s q_s.
    own = squares * g[:, None, None] * close  # (s, a, k)
    of_b = jnp.einsum("ak,sak->sk", gain, own)

    def to_p(a: Any) -> Array:
        """p_a less share_a·level, as a matrix (n, s n) for Q."""
        mean = jnp.einsum("sk,sl->kl", gain, fast)
        beside = (fast[a] - share[a][:, None] * mean) * c
        diagonal = own[:, a] - share[a] * of_b
        return jnp.concatenate([gain[s][:, None] * beside - diagonal[s][:, None] * eye for s in range(r)], axis=1)

    # One right-hand side per bath, at T_b = 1.
    warm = jnp.asarray(system.members)[:, sites] * g  # (bath, damped coordinate)
    level = jnp.einsum("ba,ak->kb", warm, share**2)

    def rows(a: Array) -> tuple[Array, Array]:
        """The equations for Q_a."""
        left, right = jnp.zeros((n, r * n)), -2 * jnp.einsum("bs,sk,sk->kb", warm, share, close[:, a])

        def add(s: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
            left, right = state
            move = gain[s][:, None] * c * wide[a] + (g[s] * close[s, a])[:, None] * eye
            return left - move @ to_p(s), right + move @ (share[s][:, None] * level)

        return jax.lax.fori_loop(0, r, add, (left, right))

    # One damped coordinate after the other, and one bath after the other below, which takes less memory.
    matrix, source = (part.reshape(r * n, -1) for part in jax.lax.map(rows, jnp.arange(r)))
    q = jax.scipy.linalg.lu_solve(jax.scipy.linalg.lu_factor(matrix + jnp.eye(r * n)), source)
    p = jax.lax.map(lambda a: share[a][:, None] * level + to_p(a) @ q, jnp.arange(r))
    q = q.reshape(r, n, -1)
    mean = jnp.einsum("sk,sl->kl", gain, fast)
    b = level - jnp.einsum("sk,skb->kb", gain, (c * mean) @ q) + jnp.einsum("sk,skb->kb", of_b, q)
    p, q = p * scale[:, None], q * scale[:, None]

    def of_bath(given: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array]:
        p, q, b, warm = given
        lost = jnp.einsum("a,ak,al->kl", g, u, p)
        z = c * (lost + lost.T - 2 * jnp.einsum("a,ak,al->kl", warm, u, u))
        taken = jnp.einsum("a,ak,al->kl", g, q, u)  # Z times friction
        y = c * (taken.T - taken) * speed[:, None] * speed + jnp.diag(b - jnp.diag(taken))
        v = c * (squares * taken.T - squares[:, None] * taken) + jnp.diag(b)
        return turned.T @ y @ turned, turned.T @ (speed[:, None] * z) @ shapes.T, shapes @ v @ shapes.T

    positions, mixed, speeds = jax.lax.map(of_bath, (jnp.moveaxis(p, -1, 0), jnp.moveaxis(q, -1, 0), b.T, warm))
    found = Moments(positions, mixed, speeds, factor)
    return found, positive, _unique(system, shapes, sites), jnp.any(scale**2 <= NOTHING * speed)


def _unique(system: System, shapes: Array, sites: np.ndarray) -> Array:
    """Whether springs connect every coordinate to friction, and no mode has a node in all damped coordinates."""
    damped = jnp.zeros(system.size, bool).at[sites].set(system.frictions[sites] > 0)
    joined = system.springs != 0

    def spread(state: tuple[Array, Array]) -> tuple[Array, Array]:
        reached, _ = state
        more = reached | jnp.any(joined & reached, axis=1)
        return more, jnp.any(more != reached)

    reached = jax.lax.while_loop(lambda s: s[1], spread, (damped, jnp.asarray(True)))[0]
    beside = jnp.any(joined & damped, axis=1) & ~damped
    still = jnp.max(jnp.abs(jnp.where(damped[:, None], shapes, 0.0)), axis=0) < NODE
    moving = jnp.max(jnp.abs(jnp.where(beside[:, None], shapes, 0.0)), axis=0) > BESIDE
    return jnp.all(reached) & jnp.any(damped) & ~jnp.any(still & moving)


def _by_moments(system: System, found: Moments) -> tuple[Array, Array]:
    """Conductances as the moments have them, and what the residual of the equations adds."""
    known = jax.lax.stop_gradient(system)
    light = known.masses / system.masses
    share = jnp.asarray(system.members) * system.frictions  # (bath, n)
    root = jnp.sqrt(known.masses)
    # Coordinates are fixed; parameters move the springs in them, which is all that derivatives see.
    moved = (_rescaled(system, root) - _rescaled(known, root)) @ _upper_inverse(found.factor)
    pull = -light[:, None] * (found.factor + moved)
    loss = system.frictions / system.masses
    kick = 2 * share / known.masses * light**2
    own = jnp.einsum("bi,ci->bc", share / known.masses, jnp.diagonal(found.speeds, axis1=-2, axis2=-1))
    factor = found.factor

    def add(given: tuple[Array, Array, Array, Array]) -> Array:
        """What the residual of one bath's moments adds to its conductance to each bath."""
        y, z, v, kick = given
        first = factor.T @ z.T
        mixed = factor.T @ v + y @ pull.T - z * loss
        last = pull @ z - loss[:, None] * v
        # ½ tr(S X_b S R), S the reversal of velocities; the residuals of y and v are twice the symmetric parts.
        added = jnp.einsum("bij,ij->b", found.positions, first) - jnp.einsum("bij,ij->b", found.mixed, mixed)
        added += jnp.einsum("bij,ij->b", found.speeds, last)
        return added + jnp.einsum("bii,i->b", found.speeds, kick) / 2

    correction = jax.lax.map(add, (found.positions, found.mixed, found.speeds, kick))
    return own, correction.T


def _rescaled(system: System, root: Array) -> Array:
    return (system.springs + system.springs.T) / 2 / (root[:, None] * root)


def _upper_inverse(factor: Array) -> Array:
    """C⁻ᵀ of a lower triangular C."""
    return jax.scipy.linalg.solve_triangular(factor, jnp.eye(factor.shape[0]), lower=True, trans=1)


@jax.custom_jvp
def _one(x: Array) -> Array:
    """1, whose derivative is not a number."""
    return 1 + 0 * x


@_one.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return _one(primals[0]), tangents[0] * jnp.nan


@jax.custom_jvp
def _guarded(x: Array) -> Array:
    """The same, with a first derivative but no second: moments are held fixed, which only the first one allows."""
    return x


@_guarded.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return primals[0], tangents[0] * _one(primals[0])


def first_order(system: System) -> System:
    """A system whose conductances have first derivatives, and no number for the second; outside of loops."""
    return jax.tree.map(_guarded, system)
