"""Populations and net currents of the stationary state, and how they change: the one door to both arithmetics."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from ..numerics.reduction import reduce
from .graph import Graph, divergence
from .gth import SPAN, Elimination, eliminate, respond
from .log_net_currents import divide_logarithms
from .net_currents import Divided, divide


class Balance(NamedTuple):
    """ln p (state, point), net currents, error bounds, rounding (transition, point), largest imbalance (point)."""

    log_p: Float[Array, "state point"]
    current: Float[Array, "transition point"]
    error: Float[Array, "transition point"]
    rounding: Float[Array, "transition point"]
    imbalance: Float[Array, " point"]


def is_wide(
    g: Graph,
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    reference: Float[Array, "state point"],
    open_: Bool[Array, "transition point"],
) -> Bool[Array, " point"]:
    """Whether products of rates may leave the range of floating-point numbers, so that logarithms are needed.

    Closed transitions carry nothing, whatever becomes of their products.
    """
    out, back = log_forward + reference[g.initial.array], log_backward + reference[g.final.array]
    high = reduce(jnp.maximum, jnp.where(open_, jnp.maximum(out, back), -jnp.inf))
    low = reduce(jnp.minimum, jnp.where(open_, jnp.minimum(out, back), jnp.inf))
    # Populations may be off the reference by the flows' ratio once per step, and multiply flows again.
    return g.states * (high - low) >= SPAN


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def balance(
    g: Graph,
    sure: bool,
    wide: Bool[Array, " point"],
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    deviation: Float[Array, "transition point"],
    reference: Float[Array, "state point"],
    deviation_size: Float[Array, "transition point"],
) -> Balance:
    """Stationary populations and net currents; see `net_currents`.

    `deviation` (transition, point) is ln of forward over backward flow in the reference distribution, whose
    logarithm (not normalised) is `reference` (state, point); `deviation_size` bounds the terms of which it is made.
    Logarithms are used for all points of the call if one of them is `wide`; with `sure` False never, and numbers of no
    meaning stand where a point is.
    """

    def numbers() -> Divided:
        return divide(g, log_forward, log_backward, deviation, reference, deviation_size)

    def logarithms() -> Divided:
        return divide_logarithms(g, log_forward, log_backward, deviation, deviation_size)

    def nothing() -> Divided:
        return Divided(*(jnp.full_like(x, jnp.nan) for x in (reference, log_forward, log_forward, log_forward)))

    # A branch, and not only to save work: what stands in one is not computed again in each use of its results.
    found = jax.lax.cond(jnp.any(wide), logarithms, numbers) if sure else jax.lax.cond(jnp.all(wide), nothing, numbers)
    imbalance = reduce(jnp.maximum, jnp.abs(divergence(g, found.current)))
    return Balance(found.log_p, found.current, found.error, found.rounding, imbalance)


@balance.defjvp
def _balance_jvp(g: Graph, sure: bool, primals: Any, tangents: Any) -> tuple[Balance, Balance]:
    """Implicit rule: K u = −div(dJ at fixed p), d ln p = u; exact, linear in the tangents."""
    _, log_forward, log_backward = primals[:3]
    _, d_forward, d_backward = tangents[:3]
    result = balance(g, sure, *primals)
    u, factors, (out, back) = _response(g, log_forward, log_backward, result.log_p, (d_forward, d_backward))
    to, start = g.final.array, g.initial.array
    d_current = out * (d_forward + u[start]) - back * (d_backward + u[to])
    nothing = (jnp.zeros_like(x) for x in (result.error, result.rounding, result.imbalance))
    return result, Balance(u, d_current * jnp.exp(factors.scale), *nothing)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def differentiable(
    g: Graph,
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    log_p: Float[Array, "state point"],
) -> Float[Array, "state point"]:
    """The stationary ln p of these rates, which is known, with its derivatives."""
    return log_p


@differentiable.defjvp
def _differentiable_jvp(g: Graph, primals: Any, tangents: Any) -> tuple[Array, Array]:
    log_forward, log_backward, log_p = primals
    log_p = differentiable(g, *primals)
    return log_p, _response(g, log_forward, log_backward, log_p, tangents[:2])[0]


def _response(
    g: Graph, log_forward: Array, log_backward: Array, log_p: Array, changes: tuple[Array, Array]
) -> tuple[Array, Elimination, tuple[Array, Array]]:
    """d ln p (state, point) under changes of ln rates; the factors, and both flows in their units."""
    factors = jax.lax.stop_gradient(eliminate(g, log_forward, log_backward))
    to, start = g.final.array, g.initial.array
    out = jnp.exp(log_forward + log_p[start] - factors.scale)
    back = jnp.exp(log_backward + log_p[to] - factors.scale)

    def imbalance_of(u: Array) -> Array:
        weighted = jnp.sum(jnp.exp(log_p) * u, axis=0)
        return -divergence(g, out * u[start] - back * u[to]) + weighted

    def solve(_: Any, r: Array) -> Array:
        mean = jnp.sum(r, axis=0) / g.states
        return respond(factors, r - mean) + mean

    def solve_transposed(_: Any, c: Array) -> Array:
        (r,) = jax.linear_transpose(functools.partial(solve, None), c)(c)
        return r

    source = divergence(g, out * changes[0] - back * changes[1])
    return jax.lax.custom_linear_solve(imbalance_of, source, solve, solve_transposed), factors, (out, back)
