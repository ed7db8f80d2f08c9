"""Net currents as in `net_currents`, where flows leave the range of floating-point numbers.

Logarithms keep the flows. Instead of the drive N = F − B of a connection, its affinity ln F/B in the reference
distribution is carried along; what circulates is then F_d B_v (1−e^{−A})/F with the affinity A of the loop.

A logarithm of 1e9 is known to 1e-7 only, but most of such numbers do not matter: beside a rate of order one, one of
e^{−1e9} may have any error. So each number carries a bound of its own error: of a sum, the average of the terms' errors
by their shares; of a share, the errors by what the others have. States are taken out from the rarest to the most
populated, so that logarithms of populations are small where populations are not.

Arrays have the batch axis last.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ..numerics.dense import EPS
from .graph import Graph, ranked
from .gth import eliminate_logarithms
from .net_currents import Divided, padded

LARGEST_RATE = 745.0
"""Bound of |ln γ| of a number γ that floating point holds: what a rate's logarithm may have been the difference of."""
NONE = -jnp.inf


class Connections(NamedTuple):
    """Connections j → i of all pairs of states (i, j, point).

    `rate`: ln of the rate, `doubt` its error; `affinity`: ln of forward over backward flow in a reference
    distribution, `blur` its error.
    """

    rate: Array
    doubt: Array
    affinity: Array
    blur: Array


def net(log_out: Array, log_back: Array, affinity: Array) -> Array:
    """Difference of two flows whose ratio is e^affinity, to the relative accuracy of `affinity`; 0 if that is 0."""
    larger = jnp.where(affinity > 0, log_out, log_back)
    flow = jnp.exp(jnp.where(affinity == 0, NONE, larger))
    return -jnp.sign(affinity) * flow * jnp.expm1(-jnp.abs(affinity))


def _rounding(x: Array) -> Array:
    """Rounding error of a logarithm that was put together from terms of its size and from ones of order one."""
    return jnp.where(jnp.isfinite(x), EPS * (2 * jnp.abs(x) + 4), 0.0)


def _averaged(share: Array, doubt: Array, axis: int = 0) -> tuple[Array, Array]:
    """Error of ln Σ eˣ, and the largest error of its terms; each term has a share and an error of x."""
    largest = jnp.max(jnp.where(share > 0, doubt, 0.0), axis=axis)
    average = jnp.sum(jnp.where(share > 0, share * doubt, 0.0), axis=axis)
    # ln Σ s e^δ ≤ Σ s(e^δ−1); beyond small errors the largest one is a bound.
    return jnp.minimum(average * (1 + largest), largest), largest


def _shares(x: Array, doubt: Array, axis: int = 0) -> tuple[Array, Array, Array, Array]:
    """ln Σ eˣ over an axis and its error; ln of the terms' shares and their errors."""
    top = jnp.max(x, axis=axis, keepdims=True)
    some = jnp.isfinite(top)
    safe = jnp.where(some, top, 0.0)
    rest = jnp.log(jnp.sum(jnp.exp(x - safe), axis=axis, keepdims=True))
    # From the largest term on, whose share would be lost beside a large logarithm.
    log_share = jnp.where(some, x - safe - jnp.where(some, rest, 0.0), NONE)
    share = jnp.exp(log_share)
    own, largest = _averaged(share, doubt, axis)
    total, own, largest = jnp.where(some, safe + rest, NONE), jnp.expand_dims(own, axis), jnp.expand_dims(largest, axis)
    others = jnp.maximum(own - share * doubt, 0.0) + (1 - share) * doubt * (1 + largest)
    others = jnp.where(jnp.isfinite(log_share), jnp.minimum(others, doubt + largest), 0.0)
    count = x.shape[axis]
    return (
        jnp.squeeze(total, axis),
        jnp.squeeze(own + _rounding(total) + EPS * count, axis),
        log_share,
        others + jnp.where(share < 1, _rounding(log_share) + EPS * count, 0.0),
    )


def _merge(one: Connections, other: Connections) -> Connections:
    """Two parallel connections as one."""
    rate, doubt, log_share, _ = _shares(jnp.stack([one.rate, other.rate]), jnp.stack([one.doubt, other.doubt]))
    first, second = log_share
    both = (first > NONE) & (second > NONE)
    a1, a2 = one.affinity, other.affinity
    small = (jnp.abs(a1) < 1) & (jnp.abs(a2) < 1)
    a, b = jnp.where(small, a1, 0.0), jnp.where(small, a2, 0.0)
    mild = -jnp.log1p(jnp.exp(first) * jnp.expm1(-a) + jnp.exp(second) * jnp.expm1(-b))
    strong = -jnp.logaddexp(first - a1, second - a2)
    merged = jnp.where(small, mild, strong)
    affinity = jnp.where(both, merged, jnp.where(first > NONE, a1, jnp.where(second > NONE, a2, 0.0)))
    # Errors of the shares matter as far as the two affinities differ: by the one with more, whose share of the flow
    # back is less than that of the flow out.
    share = jnp.exp(jnp.where(a1 > a2, first, second))
    turned = share * -jnp.expm1(-jnp.abs(jnp.maximum(a1, a2) - merged))
    # What an error of its affinity does to the whole's is a connection's part of the flow, out or back.
    blurs = jnp.stack([one.blur, other.blur])
    behind = jnp.where(log_share > NONE, jnp.exp(log_share + merged - jnp.stack([a1, a2])), 0.0)
    blur = jnp.maximum(_averaged(jnp.exp(log_share), blurs)[0], _averaged(behind, blurs)[0])
    rounding = 8 * EPS * jnp.maximum(jnp.abs(a1), jnp.abs(a2)) + turned * (one.doubt + other.doubt)
    return Connections(rate, jnp.where(both, doubt, jnp.where(first > NONE, one.doubt, other.doubt)),
                       affinity, blur + jnp.where(both, rounding, 0.0))  # fmt: skip


class Removed(NamedTuple):
    """What leaves state k, when it is taken out: ln and error of the sum; paths j → k → i."""

    total: Array
    total_doubt: Array
    path: Connections


def _through(k: Array, c: Connections) -> Removed:
    """Paths j → k → i among the states below k."""
    below = (jnp.arange(c.rate.shape[0]) < k)[:, None]

    def line(x: Array, axis: int) -> Array:
        return jax.lax.dynamic_index_in_dim(x, k, axis, keepdims=False)

    out, into = jnp.where(below, line(c.rate, 1), NONE), jnp.where(below, line(c.rate, 0), NONE)
    total, total_doubt, leave, leave_doubt = _shares(out, jnp.where(below, line(c.doubt, 1), 0.0))
    rate = leave[:, None] + into[None]
    distinct = ~jnp.eye(c.rate.shape[0], dtype=bool)[..., None]
    some = distinct & (rate > NONE)
    affinity = line(c.affinity, 0)[None] + line(c.affinity, 1)[:, None]
    blur = line(c.blur, 0)[None] + line(c.blur, 1)[:, None] + 2 * EPS * jnp.abs(affinity)
    doubt = leave_doubt[:, None] + line(c.doubt, 0)[None] + _rounding(rate)
    path = Connections(
        jnp.where(distinct, rate, NONE),
        jnp.where(some, doubt, 0.0),
        jnp.where(some, affinity, 0.0),
        jnp.where(some, blur, 0.0),
    )
    return Removed(total, total_doubt, path)


def _population(k: Array, c: Connections, removed: Removed, log_p: Array, doubt: Array) -> tuple[Array, Array]:
    """ln p of state k and its error, from those of the states below."""
    below = (jnp.arange(c.rate.shape[0]) < k)[:, None]
    row = jax.lax.dynamic_index_in_dim(c.rate, k, 0, keepdims=False) + log_p
    row_doubt = jax.lax.dynamic_index_in_dim(c.doubt, k, 0, keepdims=False) + doubt + _rounding(row)
    come, come_doubt, _, _ = _shares(jnp.where(below, row, NONE), jnp.where(below, row_doubt, 0.0))
    value = come - removed.total
    return value, come_doubt + removed.total_doubt + _rounding(value)


class _Division(NamedTuple):
    """How a current divides: fraction of the whole and its error; circulation and its error."""

    fraction: Array
    fraction_error: Array
    circulation: Array
    error: Array


def _share_of(
    own: tuple[Array, ...], others: tuple[Array, ...], start: tuple[Array, Array], end: tuple[Array, Array]
) -> _Division:
    """The part of one connection beside others, between two states with ln p and errors `start` and `end`.

    `own`: ln rate, its error, ln rate back, its error; `others`, with a leading axis of them: the same, and the loop's
    affinity and its error. Shares come from rates alone, in which the populations' errors cancel.
    """
    (p_start, e_start), (p_end, e_end) = start, end
    rate, doubt, rate_back, doubt_back, affinity, blur = others

    def beside(k: int) -> tuple[Array, Array, Array, Array]:
        rates, errors = (jnp.concatenate([own[m][None], others[m]]) for m in (k, k + 1))
        return _shares(rates, errors)

    (out, _, out_share, out_share_doubt), (back, _, back_share, back_share_doubt) = beside(0), beside(2)
    onward = out + p_start >= back + p_end
    some = jnp.maximum(out, back) > NONE
    log_share = jnp.where(onward, out_share, back_share)
    share_doubt = jnp.where(onward, out_share_doubt, back_share_doubt)
    fraction = jnp.where(some, jnp.exp(log_share[0]), 0.0)
    # F_d B_v/F and B_d F_v/F, or the same over B.
    ahead = jnp.where(onward, log_share[0] + (rate_back + p_end), (own[0] + p_start) + log_share[1:])
    behind = jnp.where(onward, (own[2] + p_end) + log_share[1:], log_share[0] + (rate + p_start))
    ahead_doubt = jnp.where(onward, share_doubt[0] + doubt_back + e_end, own[1] + e_start + share_doubt[1:])
    behind_doubt = jnp.where(onward, own[3] + e_end + share_doubt[1:], share_doubt[0] + doubt + e_start)
    there = some & (jnp.maximum(ahead, behind) > NONE)
    part = jnp.where(there, net(ahead, behind, affinity), 0.0)
    larger = jnp.where(affinity > 0, ahead, behind)
    relative = jnp.where(affinity > 0, ahead_doubt, behind_doubt) + _rounding(larger) + 4 * EPS
    error = jnp.where(there, _grown(part, relative) + _blurred(larger - jnp.abs(affinity), blur), 0.0)
    own_error = fraction * (share_doubt[0] + 4 * EPS)
    return _Division(fraction, own_error, jnp.sum(part, axis=0), jnp.sum(error, axis=0))


def _grown(value: Array, relative: Array) -> Array:
    """Error of a value whose logarithm has an error."""
    return jnp.where(value == 0, 0.0, jnp.abs(value) * jnp.expm1(jnp.minimum(relative, LARGEST_RATE)))


def _blurred(log_smaller: Array, blur: Array) -> Array:
    """Error of a net flow by that of its affinity, with the smaller of its two flows."""
    flow = jnp.exp(jnp.where(blur > 0, log_smaller, NONE))
    return jnp.where(blur > 0, flow * jnp.expm1(jnp.minimum(blur, LARGEST_RATE)), 0.0)


def _arranged(x: Array, order: Array) -> Array:
    """Entry (i, j, …, point) of the result is (order_i, order_j, …, point) of x."""
    return jnp.take_along_axis(jnp.take_along_axis(x, order[:, None], axis=0), order[None], axis=1)


def _rows(c: Connections, places: np.ndarray) -> Connections:
    return Connections(*(x[places] for x in c))


def divide_logarithms(
    g: Graph,
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    deviation: Float[Array, "transition point"],
    deviation_size: Float[Array, "transition point"],
) -> Divided:
    """As `net_currents.divide`, with logarithms (which need no logarithm of the reference distribution)."""
    n = g.states
    # From the most populated state to the rarest.
    order = jnp.argsort(-eliminate_logarithms(g, log_forward, log_backward).log_p, axis=0)
    place_of = jnp.argsort(order, axis=0)
    # Each transition as seen from its lower state.
    upward = jnp.asarray(g.final.array > g.initial.array)[:, None]
    low, high = np.minimum(g.initial.array, g.final.array), np.maximum(g.initial.array, g.final.array)
    rise, fall = jnp.where(upward, log_forward, log_backward), jnp.where(upward, log_backward, log_forward)
    slope = jnp.where(upward, deviation, -deviation)
    blur = 8 * EPS * deviation_size
    moves = np.flatnonzero(low != high)
    pair, place = np.unique(low[moves] * n + high[moves], return_inverse=True)
    table = ranked(place, moves, len(pair), len(low))

    def doubtful(rate: Array) -> Array:
        return EPS * (4 * jnp.abs(rate) + 4 * LARGEST_RATE)

    def ways(up: Array, down: Array, fill: float = 0.0) -> Array:
        """Numbers of each transition upwards and downwards (transition, way, point), and of one that is not there."""
        return padded(jnp.stack([up, down], axis=1), fill)

    lines = Connections(
        ways(rise, fall, NONE), ways(doubtful(rise), doubtful(fall)), ways(slope, -slope), ways(blur, blur)
    )
    total = _rows(lines, table[0])
    for k in table[1:]:
        total = _merge(total, _rows(lines, k))
    ends = np.divmod(pair, n)
    # Places of both ways among those of all pairs of states; what is not there is the last.
    where = np.full((n, n), 2 * len(pair))
    where[ends[1], ends[0]] = 2 * np.arange(len(pair))
    where[ends[0], ends[1]] = 2 * np.arange(len(pair)) + 1
    blank = (n, n, log_forward.shape[-1])

    def full(x: Array, fill: float) -> Array:
        return padded(x.reshape(-1, x.shape[-1]), fill)[where]

    start = Connections(*map(full, total, (NONE, 0.0, 0.0, 0.0)))
    # All four at once.
    start = Connections(*jnp.moveaxis(_arranged(jnp.stack(start, axis=2), order[:, None]), 2, 0))

    def remove(c: Connections, k: Array) -> tuple[Connections, tuple[Connections, Removed]]:
        removed = _through(k, c)
        return _merge(c, removed.path), (c, removed)

    _, levels = jax.lax.scan(remove, start, jnp.arange(n - 1, 0, -1))
    backwards = jax.tree.map(lambda x: x[::-1], levels)
    index = jnp.arange(n)

    def populate(state: tuple[Array, Array], level: Any) -> tuple[tuple[Array, Array], None]:
        k, (own, removed) = level
        value, doubt = _population(k, own, removed, *state)
        at = (index == k)[:, None]
        return (jnp.where(at, value, state[0]), jnp.where(at, doubt, state[1])), None

    zero = jnp.zeros(blank[1:])
    (log_p, p_doubt), _ = jax.lax.scan(populate, (zero.at[1:].set(NONE), zero), (jnp.arange(1, n), backwards))
    _, _, log_p, p_doubt = _shares(log_p, p_doubt)

    def restore(state: tuple[Array, Array], level: Any) -> tuple[tuple[Array, Array], None]:
        current, error = state
        k, (own, removed) = level
        path = removed.path
        start, end = (log_p[None], p_doubt[None]), (log_p[:, None], p_doubt[:, None])

        def both_ways(c: Connections) -> tuple[Array, ...]:
            return c.rate, c.doubt, jnp.swapaxes(c.rate, 0, 1), jnp.swapaxes(c.doubt, 0, 1)

        loop = own.affinity - path.affinity
        loop_blur = own.blur + path.blur + 2 * EPS * (jnp.abs(own.affinity) + jnp.abs(path.affinity))
        # Both at once, one as seen from the other.
        pair = [jnp.stack(parts) for parts in zip(both_ways(own), both_ways(path), strict=True)]
        other = (*(x[::-1] for x in pair), jnp.stack([loop, -loop]), jnp.stack([loop_blur, loop_blur]))
        found = _share_of(tuple(pair), tuple(x[None] for x in other), start, end)
        direct, around = (_Division(*parts) for parts in zip(*found, strict=True))
        # The smaller part is computed, the larger one is what remains: nothing is lost between them.
        minor = direct.fraction < around.fraction
        part = direct.fraction * current + direct.circulation
        detour = jnp.where(minor, current - part, around.fraction * current - direct.circulation)
        part = jnp.where(minor, part, current - detour)
        divided = jnp.minimum(direct.fraction_error, around.fraction_error) * jnp.abs(current) + direct.error
        doubt = direct.fraction * error + divided + 2 * EPS * jnp.abs(part)
        detour_doubt = around.fraction * error + divided + 2 * EPS * jnp.abs(detour)
        lower = (index[:, None] > index[None, :])[..., None]
        part, detour = (jnp.where(lower, x, 0.0) for x in (part, detour))
        doubt, detour_doubt = (jnp.where(lower, x, 0.0) for x in (doubt, detour_doubt))
        detour, part = detour - jnp.swapaxes(detour, 0, 1), part - jnp.swapaxes(part, 0, 1)
        detour_doubt, doubt = detour_doubt + jnp.swapaxes(detour_doubt, 0, 1), doubt + jnp.swapaxes(doubt, 0, 1)
        touched = jnp.sum(detour, axis=1)
        touched_doubt = jnp.sum(detour_doubt + EPS * n * jnp.abs(detour), axis=1)
        at = (index == k)[:, None]
        current = jnp.where(at[None], touched[:, None], jnp.where(at[:, None], -touched[None], part))
        error = jnp.where(at[None], touched_doubt[:, None], jnp.where(at[:, None], touched_doubt[None], doubt))
        return (current, error), None

    above = jax.tree.map(lambda x: x[1:], backwards)
    (current, error), _ = jax.lax.scan(restore, (jnp.zeros(blank), jnp.zeros(blank)), (jnp.arange(2, n), above))
    current, error = _arranged(current, place_of), _arranged(error, place_of)
    log_p, p_doubt = (jnp.take_along_axis(x, place_of, axis=0) for x in (log_p, p_doubt))

    # Last, over the parallel transitions of each pair.
    whole, doubt = current[high, low], error[high, low]
    beside = np.full((len(table), len(low)), len(low))
    beside[:, moves] = table[:, place]
    own = tuple(x[:-1, way] for way in (0, 1) for x in (lines.rate, lines.doubt))
    different = (beside != np.arange(len(low)))[..., None]
    rates, doubts, affinities, blurs = _rows(lines, beside)
    others = (
        jnp.where(different, rates[:, :, 0], NONE), doubts[:, :, 0],
        jnp.where(different, rates[:, :, 1], NONE), doubts[:, :, 1],
        slope - affinities[:, :, 0], jnp.where(different, blur + blurs[:, :, 0], 0.0),
    )  # fmt: skip
    share = _share_of(own, others, (log_p[low], p_doubt[low]), (log_p[high], p_doubt[high]))
    part = share.fraction * whole + share.circulation
    # What rounding left out of the sum goes along with the flows.
    missing = whole[moves] - jnp.zeros((len(pair), whole.shape[-1])).at[place].add(part[moves])[place]
    part = part.at[moves].add(share.fraction[moves] * missing)
    doubt = share.fraction * doubt + share.fraction_error * jnp.abs(whole) + share.error + 4 * EPS * jnp.abs(part)
    # A transition from a state to itself moves what its bath share says, and nothing else.
    loop = jnp.asarray(low == high)[:, None]
    out, back = rise + log_p[low], fall + log_p[high]
    rounding = _blurred(jnp.minimum(out, back), blur)
    alone = net(out, back, slope)
    alone_doubt = _grown(alone, own[1] + own[3] + p_doubt[low] + p_doubt[high] + _rounding(out) + _rounding(back))
    part = jnp.where(loop, alone, part)
    doubt = jnp.where(loop, rounding + alone_doubt, doubt)
    return Divided(log_p, jnp.where(upward | loop, part, -part), doubt, n * rounding)
