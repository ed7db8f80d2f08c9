"""Net currents as in `division`, where flows leave the range of floating-point numbers.

Logarithms keep the flows. Instead of the drive N = F − B of a connection, its affinity ln F/B in the reference
distribution is carried along; what circulates is then F_d B_v (1−e^{−A})/F with the affinity A of the loop.

Arrays have the batch axis last.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from .graph import Graph, ranked
from .gth import eliminate, log_sum
from .net_currents import EPS, Divided, padded


class Connections(NamedTuple):
    """Connections j → i of all pairs of states (i, j, point).

    `rate`: ln of the rate; `affinity`: ln of forward over backward flow in a reference distribution; `size`: bound of
    the terms of which the affinity is made, for its rounding error.
    """

    rate: Array
    affinity: Array
    size: Array


def net(log_out: Array, log_back: Array, affinity: Array) -> Array:
    """Difference of two flows whose ratio is e^affinity, to the relative accuracy of `affinity`."""
    return -jnp.sign(affinity) * jnp.exp(jnp.where(affinity > 0, log_out, log_back)) * jnp.expm1(-jnp.abs(affinity))


def _merge(one: Connections, other: Connections) -> Connections:
    """Two parallel connections as one."""
    rate = jnp.logaddexp(one.rate, other.rate)
    some = rate > -jnp.inf
    first = jnp.where(some, one.rate - rate, -jnp.inf)
    second = jnp.where(some, other.rate - rate, -jnp.inf)
    small = (jnp.abs(one.affinity) < 1) & (jnp.abs(other.affinity) < 1)
    a, b = jnp.where(small, one.affinity, 0.0), jnp.where(small, other.affinity, 0.0)
    mild = -jnp.log1p(jnp.exp(first) * jnp.expm1(-a) + jnp.exp(second) * jnp.expm1(-b))
    strong = -jnp.logaddexp(first - one.affinity, second - other.affinity)
    affinity = jnp.where(some, jnp.where(small, mild, strong), 0.0)
    size = jnp.maximum(jnp.where(one.rate > -jnp.inf, one.size, 0.0), jnp.where(other.rate > -jnp.inf, other.size, 0.0))
    return Connections(rate, affinity, size)


def _through(k: Array, c: Connections) -> Connections:
    """Paths j → k → i among the states below k."""
    below = (jnp.arange(c.rate.shape[0]) < k)[:, None]

    def line(x: Array, axis: int) -> Array:
        return jax.lax.dynamic_index_in_dim(x, k, axis, keepdims=False)

    out = jnp.where(below, line(c.rate, 1), -jnp.inf)
    into = jnp.where(below, line(c.rate, 0), -jnp.inf)
    rate = (out - log_sum(out))[:, None] + into[None]
    distinct = ~jnp.eye(c.rate.shape[0], dtype=bool)[..., None]
    return Connections(
        jnp.where(distinct, rate, -jnp.inf),
        line(c.affinity, 0)[None] + line(c.affinity, 1)[:, None],
        line(c.size, 0)[None] + line(c.size, 1)[:, None],
    )


class Share(NamedTuple):
    """How a current divides: factor of the whole, circulation, and the rounding error of the circulation."""

    fraction: Array
    circulation: Array
    error: Array


def _fraction(out: Array, back: Array, all_out: Array, all_back: Array) -> Array:
    """What one connection carries of the larger of the two flows."""
    top = jnp.maximum(all_out, all_back)
    some = top > -jnp.inf
    return jnp.where(some, jnp.exp(jnp.where(all_out >= all_back, out, back) - jnp.where(some, top, 0.0)), 0.0)


def _share(
    out: Array, back: Array, all_out: Array, all_back: Array, others: list[tuple[Array, Array, Array, Array]]
) -> Share:
    """The part of one connection (ln flows `out`, `back`); `others`: their flows, the loop's affinity and its size."""
    top = jnp.maximum(all_out, all_back)
    some = top > -jnp.inf
    top = jnp.where(some, top, 0.0)
    circulation, error = jnp.zeros_like(top), jnp.zeros_like(top)
    for other_out, other_back, affinity, size in others:
        ahead, behind = out + other_back - top, back + other_out - top
        circulation = circulation + net(ahead, behind, affinity)
        error = error + EPS * size * jnp.exp(jnp.minimum(ahead, behind))
    fraction = _fraction(out, back, all_out, all_back)
    return Share(fraction, jnp.where(some, circulation, 0.0), jnp.where(some, error, 0.0))


def divide_logarithms(
    g: Graph,
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    deviation: Float[Array, "transition point"],
    deviation_size: Float[Array, "transition point"],
) -> Divided:
    """As `division.divide`, with logarithms (which need no logarithm of the reference distribution)."""
    n = g.states
    log_p = eliminate(g, log_forward, log_backward).log_p
    # Each transition as seen from its lower state.
    upward = jnp.asarray(g.final.array > g.initial.array)[:, None]
    low, high = np.minimum(g.initial.array, g.final.array), np.maximum(g.initial.array, g.final.array)
    rise, fall = jnp.where(upward, log_forward, log_backward), jnp.where(upward, log_backward, log_forward)
    slope = jnp.where(upward, deviation, -deviation)
    moves = np.flatnonzero(low != high)
    pair, place = np.unique(low[moves] * n + high[moves], return_inverse=True)
    table = ranked(place, moves, len(pair), len(low))

    sizes = padded(deviation_size)
    rises, falls, slopes = padded(rise, -jnp.inf), padded(fall, -jnp.inf), padded(slope)

    def joined(rate: Array, sign: float) -> Connections:
        total = Connections(rate[table[0]], sign * slopes[table[0]], sizes[table[0]])
        for row in table[1:]:
            total = _merge(total, Connections(rate[row], sign * slopes[row], sizes[row]))
        return total

    ends = np.divmod(pair, n)
    blank = (n, n, log_p.shape[-1])
    up, down = joined(rises, 1.0), joined(falls, -1.0)

    def full(values: tuple[Array, Array], fill: float) -> Array:
        start = jnp.full(blank, fill)
        return start.at[ends[1], ends[0]].set(values[0]).at[ends[0], ends[1]].set(values[1])

    start = Connections(
        full((up.rate, down.rate), -jnp.inf), full((up.affinity, -up.affinity), 0.0), full((up.size, up.size), 0.0)
    )

    def remove(c: Connections, k: Array) -> tuple[Connections, Connections]:
        return _merge(c, _through(k, c)), c

    _, levels = jax.lax.scan(remove, start, jnp.arange(n - 1, 1, -1))
    index = jnp.arange(n)
    largest = jnp.max(jnp.maximum(jnp.abs(log_forward), jnp.abs(log_backward)), axis=0)
    digits = EPS * (8.0 * n + 8 * jnp.max(jnp.abs(log_p), axis=0) + 8 * largest)

    def restore(state: tuple[Array, Array], level: tuple[Array, Connections]) -> tuple[tuple[Array, Array], None]:
        current, error = state
        k, own = level
        path = _through(k, own)

        def flows(c: Connections) -> tuple[Array, Array]:
            out = c.rate + log_p[None]
            return out, jnp.swapaxes(out, 0, 1)

        (out, back), (via_out, via_back) = flows(own), flows(path)
        all_out, all_back = jnp.logaddexp(out, via_out), jnp.logaddexp(back, via_back)
        loop = (via_out, via_back, own.affinity - path.affinity, 8 * (own.size + path.size))
        direct = _share(out, back, all_out, all_back, [loop])
        # What circulates leaves by one connection and comes back by the other.
        around = _fraction(via_out, via_back, all_out, all_back)
        # The smaller part is computed, the larger one is what remains: nothing is lost between them.
        minor = direct.fraction < around
        part = direct.fraction * current + direct.circulation
        detour = jnp.where(minor, current - part, around * current - direct.circulation)
        part = jnp.where(minor, part, current - detour)
        own_doubt = direct.error + digits * jnp.abs(direct.circulation)
        doubt = direct.fraction * (error + digits * jnp.abs(current)) + own_doubt
        detour_doubt = around * (error + digits * jnp.abs(current)) + own_doubt
        lower = (index[:, None] > index[None, :])[..., None]
        part, detour = (jnp.where(lower, x, 0.0) for x in (part, detour))
        detour = detour - jnp.swapaxes(detour, 0, 1)
        part = part - jnp.swapaxes(part, 0, 1)
        touched, touched_doubt = jnp.sum(detour, axis=1), jnp.sum(detour_doubt, axis=1)
        at = (index == k)[:, None]
        current = jnp.where(at[None], touched[:, None], jnp.where(at[:, None], -touched[None], part))
        error = jnp.where(at[None], touched_doubt[:, None], jnp.where(at[:, None], touched_doubt[None], doubt))
        return (current, error), None

    zero = jnp.zeros(blank)
    backwards = jax.tree.map(lambda x: x[::-1], levels)
    (current, error), _ = jax.lax.scan(restore, (zero, zero), (jnp.arange(2, n), backwards))

    # Last, over the parallel transitions of each pair.
    whole, doubt = current[high, low], error[high, low]
    out, back = rise + log_p[low], fall + log_p[high]
    outs, backs = padded(out, -jnp.inf), padded(back, -jnp.inf)
    all_out = jnp.full(out.shape, -jnp.inf)
    all_back = all_out
    beside = np.full((len(table), len(low)), len(low))
    beside[:, moves] = table[:, place]
    others = []
    for row in beside:
        all_out, all_back = jnp.logaddexp(all_out, outs[row]), jnp.logaddexp(all_back, backs[row])
        size = jnp.where((row == np.arange(len(low)))[:, None], 0.0, deviation_size + sizes[row])
        others.append((outs[row], backs[row], slope - slopes[row], 8 * size))
    share = _share(out, back, all_out, all_back, others)
    part = share.fraction * whole + share.circulation
    # What rounding left out of the sum goes along with the flows.
    missing = whole[moves] - jnp.zeros((len(pair), whole.shape[-1])).at[place].add(part[moves])[place]
    part = part.at[moves].add(share.fraction[moves] * missing)
    doubt = share.fraction * doubt + share.error
    doubt = doubt + digits * (share.fraction * jnp.abs(whole) + jnp.abs(share.circulation))
    # A transition from a state to itself moves what its bath share says, and nothing else.
    loop = jnp.asarray(low == high)[:, None]
    alone = net(out, back, slope)
    part = jnp.where(loop, alone, part)
    doubt = jnp.where(loop, 8 * EPS * deviation_size * jnp.exp(jnp.minimum(out, back)) + digits * jnp.abs(alone), doubt)
    return Divided(log_p, jnp.where(upward | loop, part, -part), doubt)
