"""Net currents of the stationary state, to full relative accuracy where the affinities allow it.

A net current is the difference of a forward and a backward flow, and would lose its digits near equilibrium. So it is
written F·(1−e^{−A}) with the affinity A of a distribution that is p up to rounding but whose affinities are *defined*
without cancellation: the equilibrium of `Snapshot.deviation` times the exponential of shifts. What rounding leaves of
the imbalance at the states is removed by the linear response of the distribution. Where flows of very different
size meet, `division` takes over.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from .division import EPS, divide, net
from .elimination import eliminate, respond
from .graph import Graph, divergence

GOOD = 1e-12
"""Error bound, relative to a point's largest net current, up to which one linear response will do; see `division`."""
FAIR = 1e-9
"""The same for each current, relative to itself."""
BLOCK = 64
"""Points that `division` works on together, to bound the memory of its intermediate results."""


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
    deviation_size: Float[Array, "transition point"],
) -> Balance:
    """Stationary populations and net currents; see the module's text.

    `deviation` (transition, point) is ln of forward over backward flow in the reference distribution, whose
    logarithm (not normalised) is `reference` (state, point).
    """
    to, start = g.final.array, g.initial.array
    factors = eliminate(g, log_forward, log_backward)
    log_p = factors.log_p
    log_out, log_back = log_forward + log_p[start] - factors.scale, log_backward + log_p[to] - factors.scale
    shift = log_p - reference - (log_p - reference)[:1]
    # What rounding leaves of ln p; differences that small are not known, and set to zero rather than to noise.
    noise = 16 * EPS * (g.states + jnp.max(jnp.abs(log_p) + jnp.abs(reference), axis=0))
    shift = jnp.where(jnp.abs(shift) > noise, shift, 0.0)
    # The difference of shifts comes first: it is small where deviations are.
    drop = shift[start] - shift[to]
    current = net(log_out, log_back, deviation + drop)
    u = respond(factors, divergence(g, current))
    out, back = jnp.exp(log_out) * u[start], jnp.exp(log_back) * u[to]
    affinity = deviation_size + jnp.abs(drop)
    largest = jnp.max(jnp.maximum(jnp.abs(log_forward), jnp.abs(log_backward)), axis=0)
    digits = EPS * (16.0 * g.states + 16 * largest)
    error = digits * (jnp.abs(current) + jnp.abs(out) + jnp.abs(back)) + _felt(affinity, log_out, log_back)
    current = current + out - back
    # The response is rounding itself, unless rounding has leaked from strongly to weakly connected states.
    leak = jnp.max(jnp.abs(u), axis=0)
    imbalance = jnp.max(jnp.abs(divergence(g, current)), axis=0)
    sound = (leak <= 4 * noise) & (imbalance <= GOOD * jnp.max(jnp.abs(current), axis=0))
    error = jnp.where(sound, error + leak * jnp.abs(current), jnp.inf)
    unit = jnp.exp(factors.scale)
    current, error = _refine(
        g, current * unit, error * unit, log_forward, log_backward, deviation, deviation_size, log_p
    )
    return Balance(log_p, current, error, jnp.max(jnp.abs(divergence(g, current)), axis=0))


def _felt(affinity: Array, log_out: Array, log_back: Array) -> Array:
    """Errors of the net currents from the rounding of the affinities.

    A defect δ in one transition's current shifts potentials by at most δ over its flow, so another transition
    feels no more than δ, and no more than its own flow times that shift.
    """
    flow = jnp.exp(jnp.maximum(log_out, log_back))
    own = EPS * 16 * affinity
    return own * flow + jnp.minimum(jnp.sum(own * flow, axis=0), flow * jnp.sum(own, axis=0))


def _refine(g: Graph, current: Array, error: Array, *problem: Array) -> tuple[Array, Array]:
    """Solve the points whose error is not small beside their largest current anew, by `division`, in blocks."""
    points = current.shape[-1]
    lanes = min(BLOCK, points)
    size = jnp.abs(current)
    poor = ~jnp.all((error <= GOOD * jnp.max(size, axis=0)) & (error <= FAIR * size), axis=0)
    (order,) = jnp.nonzero(poor, size=points, fill_value=points - 1)

    def block(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        at = jax.lax.dynamic_slice(order, (jnp.minimum(k * lanes, points - lanes),), (lanes,))
        better = divide(g, *(jnp.asarray(x)[:, at] for x in problem))
        keep = poor[at] & ~(jnp.max(better[1], axis=0) > jnp.max(error[:, at], axis=0))
        return tuple(x.at[:, at].set(jnp.where(keep, new, x[:, at])) for x, new in zip(state, better, strict=True))  # type: ignore[return-value]

    return jax.lax.fori_loop(0, (jnp.sum(poor) + lanes - 1) // lanes, block, (current, error))


@balance.defjvp
def _balance_jvp(g: Graph, primals: Any, tangents: Any) -> tuple[Balance, Balance]:
    """Implicit rule: K u = −div(dJ at fixed p), d ln p = u; exact, linear in the tangents."""
    log_forward, log_backward = primals[:2]
    d_forward, d_backward = tangents[:2]
    result = balance(g, *primals)
    factors = jax.lax.stop_gradient(eliminate(g, log_forward, log_backward))
    to, start = g.final.array, g.initial.array
    log_p = result.log_p
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

    source = divergence(g, out * d_forward - back * d_backward)
    u = jax.lax.custom_linear_solve(imbalance_of, source, solve, solve_transposed)
    d_current = out * (d_forward + u[start]) - back * (d_backward + u[to])
    zero = jnp.zeros_like
    return result, Balance(u, d_current * jnp.exp(factors.scale), zero(result.error), zero(result.imbalance))
