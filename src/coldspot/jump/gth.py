"""Stationary distribution of a Markov generator by subtraction-free elimination, batched.

States are taken out one by one, from the last to the first; the rates among the others are completed by
the paths through the removed state (Grassmann, Taksar and Heyman, "Regenerative analysis and steady state
distributions for Markov chains"). Only sums, products and quotients of positive numbers occur, so every
entry comes out to a few rounding units. The same factors solve the linear response of the distribution.

Arrays have the batch axis last, so that the innermost loops of the compiled code run over points.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ..numerics.reduction import halved, reduce
from .graph import Graph, matrix

SPAN = 600.0
"""Largest (states−1)·ln(max rate/min rate) for which products of rates surely stay within floating-point range."""


class Elimination(NamedTuple):
    """Factors of the balanced flows K_ij = w_ij p_j (off-diagonal), in units of e^scale (point), the largest.

    `p`, `log_p` (state, point); `leave` (i, k, point): probability that what leaves k enters i < k; `come`
    (k, j, point): share of k's inflow that comes from j < k; `flow` (k, point): flow through k when it is removed.
    `leave` and `come` sum to one over their smaller index.
    """

    p: Float[Array, "state point"]
    log_p: Float[Array, "state point"]
    leave: Float[Array, "state state point"]
    come: Float[Array, "state state point"]
    flow: Float[Array, "state point"]
    scale: Float[Array, " point"]


def eliminate(
    g: Graph, log_forward: Float[Array, "transition point"], log_backward: Float[Array, "transition point"]
) -> Elimination:
    """Factors and ln p for the logarithms of the transitions' rates (transition, point).

    Linear arithmetic where the span of the rates allows it for every point of the batch, else logarithms.
    """
    high = jnp.max(jnp.maximum(log_forward, log_backward), axis=0)
    low = jnp.min(jnp.minimum(log_forward, log_backward), axis=0)
    narrow = jnp.all((g.states - 1) * (high - low) < SPAN)

    def linear() -> Elimination:
        return _linear(matrix(g, jnp.exp(log_forward - high), jnp.exp(log_backward - high), jnp.add, 0.0), high)

    return jax.lax.cond(narrow, linear, lambda: eliminate_logarithms(g, log_forward, log_backward))


def eliminate_logarithms(
    g: Graph, log_forward: Float[Array, "transition point"], log_backward: Float[Array, "transition point"]
) -> Elimination:
    """As `eliminate`, by logarithms whatever the span."""
    return _logarithmic(matrix(g, log_forward, log_backward, jnp.logaddexp, -jnp.inf))


def eliminate_rates(rates: Float[Array, "state state point"]) -> tuple[Float[Array, "state point"], Elimination]:
    """p and the factors for rates (i, j, point), off-diagonal and not negative, in linear arithmetic."""
    factors = _linear(rates, jnp.zeros(rates.shape[-1]))
    return factors.p, factors


UNROLLED, UNROLLED_OF_MANY = 8, 16
"""Matrices up to this size are eliminated without a loop: of a few points, and of so many that compiling pays."""
MANY = 64
"""Points that are many."""


def populate(
    rates: Float[Array, "state state point"], gains: Float[Array, "target state point"], gathered: int = 0
) -> tuple[Float[Array, "state point"], Float[Array, "target state point"]]:
    """p, and what starting in each state adds to the `gains` (per time, in each state) in the long run.

    For rates w (i, j, point) of j → i, off-diagonal, these values v obey Σ_i w_ij (v_i − v_j) + gain_j = Σ_i p_i gain_i
    with v_0 = 0. Of the last gains, so many as are only `gathered`, v is what comes together on the way to state 0: 0
    stands in place of Σ_i p_i gain_i. Linear arithmetic; by halves, so that arrays shrink as states go.
    """
    n, targets = rates.shape[0], gains.shape[0] + 1
    # Gains are taken along as if they were states which nothing leaves; the last of them, 1 in all states, is time.
    w = jnp.concatenate([rates, gains, jnp.ones((1, *rates.shape[1:]))])
    halves = []
    most = UNROLLED_OF_MANY if n <= UNROLLED_OF_MANY and rates.shape[-1] >= MANY else UNROLLED
    while n > most:
        kept = max(n // 2, most)
        w = jax.lax.fori_loop(0, n - kept, functools.partial(_remove, n), w)
        halves.append((w[:n, kept:n], w[n:, kept:n], w[kept:n]))
        w, n = jnp.concatenate([w[:kept, :kept], w[n:, :kept]]), kept
    steps = []
    for k in range(n - 1, 0, -1):
        part, row, above, below = 1 / reduce(jnp.add, w[:k, k]), w[k, :k], w[:k, k], w[k + 1 :, k]
        steps.append((part, row, above, below))
        # Joined once they are added up: compilers put into memory what is joined, and repeat what is added before.
        own, others = above[:, None] * (row * part)[None], below[:, None] * (row * part)[None]
        (w,) = jax.lax.optimization_barrier((jnp.concatenate([w[:k, :k] + own, w[k + 1 :, :k] + others]),))
    mean = w[1 : targets - gathered, 0] / w[-1, 0]
    mean = jnp.concatenate([mean, jnp.zeros((gathered, *mean.shape[1:]))])
    # Of each state p and then the values of the targets, which are joined for the same reason.
    found = [jnp.concatenate([jnp.ones((1, *rates.shape[2:])), jnp.zeros((targets - 1, *rates.shape[2:]))])]
    for part, row, above, below in reversed(steps):
        new = [functools.reduce(jnp.add, [row[j] * part * one[0] for j, one in enumerate(found)])]
        for b in range(targets - 1):
            more = [above[j] * part * one[1 + b] for j, one in enumerate(found)]
            new.append(below[b] * part - mean[b] * (below[-1] * part) + functools.reduce(jnp.add, more))
        found += jax.lax.optimization_barrier((jnp.stack(new),))
    p, v = jnp.stack([one[0] for one in found]), jnp.stack([one[1:] for one in found], 1)
    for leave, gained, come in reversed(halves):
        p, v = _put_back(leave, gained, come, mean, p, v)
    return p / halved(jnp.add, p), v


def _remove(n: int, step: Array, w: Array) -> Array:
    """The matrix without state k = n−1−step, but for its row and its column.

    The row: what k has of each other state's population; the column: where one goes from k, and what one gains there.
    """
    k = n - 1 - step
    index = jnp.arange(w.shape[0])[:, None]
    column = jax.lax.dynamic_index_in_dim(w, k, 1, keepdims=False)
    total = halved(jnp.add, jnp.where(index[:n] < k, column[:n], 0.0))
    row = jax.lax.dynamic_index_in_dim(w, k, 0, keepdims=False)
    share = jnp.where(index[:n] < k, row / total, 0.0)
    there = (index < k) | (index >= n)
    out = jnp.where(there, column, 0.0)
    # Behind k are rows and columns of the states that were taken out before: they stay.
    w = jax.lax.dynamic_update_index_in_dim(w + out[:, None] * share[None], jnp.where(index[:n] < k, share, row), k, 0)
    return jax.lax.dynamic_update_index_in_dim(w, jnp.where(there, column / total, column), k, 1)


def _put_back(leave: Array, gained: Array, come: Array, mean: Array, p: Array, v: Array) -> tuple[Array, Array]:
    """p and v of the states that `_remove` took out, from those of the states before them."""
    kept, n = p.shape[0], leave.shape[0]
    p = jnp.concatenate([p, jnp.zeros((n - kept, *p.shape[1:]))])
    v = jnp.concatenate([v, jnp.zeros((v.shape[0], n - kept, *p.shape[1:]))], 1)
    own = gained[:-1] - mean[:, None] * gained[-1:]

    def add(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        p, v = state
        row = jax.lax.dynamic_index_in_dim(come, k - kept, 0, keepdims=False)
        p = jax.lax.dynamic_update_index_in_dim(p, halved(jnp.add, row * p), k, 0)
        column = jax.lax.dynamic_index_in_dim(leave, k - kept, 1, keepdims=False)
        more = halved(jnp.add, jnp.moveaxis(column[None] * v, 1, 0))
        value = more + jax.lax.dynamic_index_in_dim(own, k - kept, 1, keepdims=False)
        return p, jax.lax.dynamic_update_index_in_dim(v, value, k, 1)

    return jax.lax.fori_loop(kept, n, add, (p, v))


def _lower(n: int) -> Array:
    """(i, j, 1): whether j < i."""
    index = jnp.arange(n)
    return (index[None, :] < index[:, None])[..., None]


def _factors(
    rates: Float[Array, "state state point"],
) -> tuple[Float[Array, "state state point"], Float[Array, "state state point"], Float[Array, "state point"]]:
    n = rates.shape[0]
    index = jnp.arange(n)[:, None]

    def remove(step: Array, w: Array) -> Array:
        k = n - 1 - step
        below = index < k
        out = jnp.where(below, jax.lax.dynamic_index_in_dim(w, k, 1, keepdims=False), 0.0)
        into = jnp.where(below, jax.lax.dynamic_index_in_dim(w, k, 0, keepdims=False), 0.0)
        # Divide before multiplying: out/Σout ≤ 1.
        return w + (out / jnp.sum(out, axis=0))[:, None] * into[None, :]

    w = jax.lax.fori_loop(0, n - 1, remove, rates, unroll=n <= 4)
    lower = _lower(n)
    exits = jnp.where(jnp.swapaxes(lower, 0, 1), w, 0.0)
    total = jnp.sum(exits, axis=0).at[0].set(1.0)
    return exits / total, jnp.where(lower, w / total[:, None], 0.0), total


def _unfold(come: Float[Array, "state state point"]) -> Float[Array, "state point"]:
    n = come.shape[0]

    def add(k: Array, p: Array) -> Array:
        row = jax.lax.dynamic_index_in_dim(come, k, 0, keepdims=False)
        return jax.lax.dynamic_update_index_in_dim(p, jnp.sum(row * p, axis=0), k, 0)

    p = jnp.zeros(come.shape[1:]).at[0].set(1.0)
    p = jax.lax.fori_loop(1, n, add, p, unroll=n <= 4)
    return p / jnp.sum(p, axis=0)


def _linear(rates: Array, high: Array) -> Elimination:
    leave, come, total = _factors(rates)
    p = _unfold(come)
    ratio = jnp.where(_lower(p.shape[0]), p[None, :] / p[:, None], 0.0)
    flow = total * p
    top = jnp.max(flow[1:], axis=0)
    return Elimination(p, jnp.log(p), leave, come * ratio, flow / top, high + jnp.log(top))


def _logarithmic(log_rates: Array) -> Elimination:
    n = log_rates.shape[0]
    index = jnp.arange(n)[:, None]
    none = -jnp.inf

    def remove(step: Array, w: Array) -> Array:
        k = n - 1 - step
        below = index < k
        out = jnp.where(below, jax.lax.dynamic_index_in_dim(w, k, 1, keepdims=False), none)
        into = jnp.where(below, jax.lax.dynamic_index_in_dim(w, k, 0, keepdims=False), none)
        return jnp.logaddexp(w, (out - log_sum(out))[:, None] + into[None, :])

    w = jax.lax.fori_loop(0, n - 1, remove, log_rates)
    lower = _lower(n)
    exits = jnp.where(jnp.swapaxes(lower, 0, 1), w, none)
    total = log_sum(exits).at[0].set(0.0)
    come = jnp.where(lower, w - total[:, None], none)

    def add(k: Array, log_p: Array) -> Array:
        row = jax.lax.dynamic_index_in_dim(come, k, 0, keepdims=False)
        return jax.lax.dynamic_update_index_in_dim(log_p, log_sum(row + log_p), k, 0)

    log_p = jnp.full(come.shape[1:], none).at[0].set(0.0)
    log_p = jax.lax.fori_loop(1, n, add, log_p)
    log_p = log_p - log_sum(log_p)
    come = jnp.where(lower, jnp.exp(come + log_p[None, :] - log_p[:, None]), 0.0)
    scale = jnp.max((total + log_p)[1:], axis=0)
    return Elimination(jnp.exp(log_p), log_p, jnp.exp(exits - total), come, jnp.exp(total + log_p - scale), scale)


def log_sum(x: Array) -> Array:
    """ln Σ eˣ over the first axis, −inf where nothing is there."""
    top = reduce(jnp.maximum, x)
    safe = jnp.where(jnp.isfinite(top), top, 0.0)
    return jnp.log(reduce(jnp.add, jnp.exp(x - safe))) + safe


def respond(factors: Elimination, source: Float[Array, "state point"]) -> Float[Array, "state point"]:
    """Relative change u of the distribution under sources: Σ_j K_ij u_j − (Σ_j K_ji) u_i = −source_i.

    `source` (state, point), in the units of the flows, must sum to zero; the answer has Σ_i p_i u_i = 0. Linear in
    `source`. States whose flow is below the smallest number beside the largest flow have no sources either.
    """
    n = source.shape[0]

    def push(step: Array, r: Array) -> Array:
        k = n - 1 - step
        column = jax.lax.dynamic_index_in_dim(factors.leave, k, 1, keepdims=False)
        return r + column * jax.lax.dynamic_index_in_dim(r, k, 0, keepdims=False)

    r = jax.lax.fori_loop(0, n - 1, push, source, unroll=n <= 4)
    alive = factors.flow > 0
    own = jnp.where(alive, r / jnp.where(alive, factors.flow, 1.0), 0.0)

    def pull(k: Array, u: Array) -> Array:
        row = jax.lax.dynamic_index_in_dim(factors.come, k, 0, keepdims=False)
        value = jnp.sum(row * u, axis=0) + jax.lax.dynamic_index_in_dim(own, k, 0, keepdims=False)
        return jax.lax.dynamic_update_index_in_dim(u, value, k, 0)

    u = jax.lax.fori_loop(1, n, pull, jnp.zeros_like(source), unroll=n <= 4)
    return u - jnp.sum(factors.p * u, axis=0)
