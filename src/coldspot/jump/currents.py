"""Net currents of the stationary state, to full relative accuracy where the affinities allow it.

A net current is the difference of a forward and a backward flow, and would lose its digits near equilibrium
or where fast transitions stand beside slow ones. So it is written F·(1−e^{−A}) with the affinity A of a distribution
that is p up to rounding but whose affinities are *defined* without cancellation: a reference with known affinities
times the exponential of offsets. What rounding leaves of the imbalance at the states is removed by the linear
response of the distribution.

The reference is the equilibrium of `Snapshot.deviation`; or, where rates of other baths are fast, local equilibrium
along a spanning tree of the strongest flows (`tree`), whose currents then follow from the others by Kirchhoff's law.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from .elimination import Elimination, eliminate, respond
from .graph import Graph, divergence
from .tree import close, grow

EPS = float(np.finfo(np.float64).eps)
STIFF = 5.0
"""Span ln(F_max/F_min) of the flows beyond which the reference follows the strongest ones."""


class Balance(NamedTuple):
    """ln p (state, point), net currents and error bounds (transition, point), largest imbalance (point)."""

    log_p: Float[Array, "state point"]
    current: Float[Array, "transition point"]
    error: Float[Array, "transition point"]
    imbalance: Float[Array, " point"]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def balance(
    g: Graph,
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    deviation: Float[Array, "transition point"],
    reference: Float[Array, "state point"],
) -> Balance:
    """Stationary populations and net currents; see the module's text.

    `deviation` (transition, point) is ln of forward over backward flow in the reference distribution, whose
    logarithm (not normalised) is `reference` (state, point).
    """
    to, start = g.final.array, g.initial.array
    factors = eliminate(g, log_forward, log_backward)
    log_p = factors.log_p
    log_out, log_back = log_forward + log_p[start], log_backward + log_p[to]
    flow = jnp.maximum(log_out, log_back)
    # Transitions of the first bath have deviation zero; others as fast as these need a reference of their own.
    stiff = jnp.any(jnp.max(jnp.where(deviation == 0, -jnp.inf, flow), axis=0) - jnp.min(flow, axis=0) > STIFF)

    # Differences of offsets come first: they are small where deviations are.
    def ordinary() -> tuple[Array, Array]:
        offset = log_p - reference
        change = deviation + (offset[start] - offset[to])
        current = _with_response(g, factors, log_out, log_back, _net(log_out, log_back, change))
        return current, jnp.abs(deviation) + jnp.abs(offset[start] - offset[to])

    def local() -> tuple[Array, Array]:
        tree = grow(g, flow, deviation)
        rest = jnp.where(tree.chord, deviation + (tree.level[start] - tree.level[to]), 0.0)
        offset = log_p - reference - tree.level
        change = rest + (offset[start] - offset[to])
        current = _with_response(g, factors, log_out, log_back, _net(log_out, log_back, change))
        size = jnp.abs(deviation) + jnp.abs(tree.level[start]) + jnp.abs(tree.level[to])
        return close(g, tree, current), jnp.where(tree.chord, size, 0.0)

    current, affinity = jax.lax.cond(stiff, local, ordinary)
    imbalance = jnp.max(jnp.abs(divergence(g, current)), axis=0)
    return Balance(log_p, current, _bound(g, current, affinity, log_out, log_back), imbalance)


def _net(log_out: Array, log_back: Array, change: Array) -> Array:
    """Net flow whose ratio of forward to backward is e^change, to the relative accuracy of `change`."""
    ahead = change > 0
    return jnp.where(
        ahead, -jnp.exp(log_out) * jnp.expm1(-jnp.abs(change)), jnp.exp(log_back) * jnp.expm1(-jnp.abs(change))
    )


def _with_response(g: Graph, factors: Elimination, log_out: Array, log_back: Array, current: Array) -> Array:
    """Currents of the stationary state, from those of a distribution that is p up to rounding."""
    u = respond(factors, divergence(g, current))
    return current + jnp.exp(log_out) * u[g.initial.array] - jnp.exp(log_back) * u[g.final.array]


def _bound(g: Graph, current: Array, affinity: Array, log_out: Array, log_back: Array) -> Array:
    """Error bound of the net currents, from the rounding of the affinities and of the rates.

    A defect δ in one transition's current shifts potentials by at most δ over its flow, so another transition
    feels no more than δ, and no more than its own flow times that shift.
    """
    digits = EPS * (4.0 * g.states + jnp.maximum(jnp.abs(log_out), jnp.abs(log_back)))
    flow = jnp.exp(jnp.maximum(log_out, log_back))
    own = EPS * 4 * affinity
    felt = jnp.minimum(jnp.sum(own * flow, axis=0), flow * jnp.sum(own, axis=0))
    return digits * jnp.abs(current) + own * flow + felt


@balance.defjvp
def _balance_jvp(g: Graph, primals: Any, tangents: Any) -> tuple[Balance, Balance]:
    """Implicit rule: K u = −div(dJ at fixed p), d ln p = u; exact, linear in the tangents."""
    log_forward, log_backward = primals[:2]
    d_forward, d_backward, _, _ = tangents
    result = balance(g, *primals)
    factors = jax.lax.stop_gradient(eliminate(g, log_forward, log_backward))
    to, start = g.final.array, g.initial.array
    log_p = result.log_p
    out, back = jnp.exp(log_forward + log_p[start]), jnp.exp(log_backward + log_p[to])

    def imbalance_of(u: Array) -> Array:
        weighted = jnp.sum(jnp.exp(log_p) * u, axis=0)
        return -divergence(g, out * u[start] - back * u[to]) + weighted

    def solve(_: Any, r: Array) -> Array:
        mean = jnp.sum(r, axis=0) / g.states
        return respond(factors, r - mean) + mean

    def solve_transposed(_: Any, c: Array) -> Array:
        (r,) = jax.linear_transpose(functools.partial(solve, None), c)(c)
        return r

    source = divergence(g, out * d_forward - back * d_backward)
    u = jax.lax.custom_linear_solve(imbalance_of, source, solve, solve_transposed)
    d_current = out * (d_forward + u[start]) - back * (d_backward + u[to])
    zero = jnp.zeros_like
    return result, Balance(u, d_current, zero(result.error), zero(result.imbalance))
