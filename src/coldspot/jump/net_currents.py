"""Net currents of a stationary state to full relative accuracy, by dividing currents over parallel paths.

A net current is the difference of a forward and a backward flow and would lose its digits near equilibrium, or beside
faster transitions. So each connection carries three numbers, measured in a reference distribution: the flow one way,
the flow the other way, and their difference ("drive"), which starts from an affinity that is defined without
cancellation. States are taken out one by one, as in `elimination`; each pair of the remaining states then has two
parallel connections: its own and the path through the removed state. In parallel all three numbers add up; in series,
over a state k with outflow S,

    flow = F_ik F_kj/S,      drive = (F_ki N_kj + N_ik F_kj)/S = (F_ik N_kj + N_ik F_jk)/S.

Two states alone carry no net current. Going back, the net current J between two states divides between parallel
connections d and v with flows F (one way) and B (the other way) in the stationary distribution:

    J_d = (F_d/F) J + (N_d B_v − B_d N_v)/F,      F = F_d + F_v,      N = F − B,

and the same with B for F in the denominators; the larger of the two is taken. So only real currents are added up,
never the flows whose small difference they are. Where numbers could leave floating-point range, `log_division` does
the same with logarithms.

Arrays have the batch axis last.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ..numerics.dense import EPS
from ..numerics.reduction import reduce
from .graph import Graph, ranked
from .gth import log_sum

UNROLLED = 4
"""Networks of up to so many states are eliminated without a loop: arrays shrink, which pays; compile time grows."""


class Connections(NamedTuple):
    """Connections j → i of all pairs of states (i, j, point): flow, drive, and the error of the affinity ln F/B."""

    flow: Array
    drive: Array
    blur: Array


class Divided(NamedTuple):
    """ln p (state, point); net currents, their error bounds, and `rounding` (transition, point).

    `rounding` is what four roundings of the affinity do to a transition's net flow, if each of the n transitions around
    a cycle has that of this one: no method that starts from the same numbers knows better.
    """

    log_p: Float[Array, "state point"]
    current: Float[Array, "transition point"]
    error: Float[Array, "transition point"]
    rounding: Float[Array, "transition point"]


def scaled(x: Array, unit: Array) -> Array:
    """x in another unit, which may be beyond floating-point range; nothing stays nothing."""
    return jnp.where(x == 0, 0.0, x * unit)


def once(*values: Any) -> Any:
    """The same values, computed before what uses them: compilers would repeat their computation in each use."""
    return jax.lax.optimization_barrier(values)


def padded(x: Array, fill: float = 0.0) -> Array:
    """One more line, for entries that are not there."""
    return jnp.concatenate([x, jnp.full((1, *x.shape[1:]), fill)])


def _sum(lines: Array, table: np.ndarray) -> Array:
    """Sums of lines that stand in the columns of a table; `lines` has an empty one at the end."""
    total = lines[table[0]]
    for row in table[1:]:
        total = total + lines[row]
    return total


def _series(column: Connections, row: Connections) -> Connections:
    """Paths j → k → i, from the connections k → i (i, point) in `column` and j → k (j, point) in `row`."""
    outflow = reduce(jnp.add, column.flow)
    share = jnp.where(outflow > 0, 1 / jnp.where(outflow > 0, outflow, 1.0), 0.0)
    ahead = column.flow * share
    # Seen against the direction: i → k is what row k holds for i.
    behind = row.flow * share
    flow = ahead[:, None] * row.flow[None]
    # F_i N_j + N_i B_j is the same as B_i N_j + N_i F_j; of the two, the one whose terms do not cancel.
    outer = (column.drive < 0)[:, None] & (row.drive > 0)[None]
    drive = jnp.where(outer, ahead[:, None], behind[:, None]) * row.drive[None]
    drive = drive + (column.drive * share)[:, None] * jnp.where(outer, column.flow[None], row.flow[None])
    path = Connections(flow, drive, jnp.where(flow > 0, column.blur[:, None] + row.blur[None], 0.0))
    distinct = ~np.eye(ahead.shape[0], dtype=bool)[..., None]
    return Connections(*(jnp.where(distinct, x, 0.0) for x in path))


def _merge(one: Connections, other: Connections) -> Connections:
    """Two parallel connections as one."""
    flow = one.flow + other.flow
    # What an error of its affinity does to the whole's is a connection's part of the flow, out or back.
    blur = jnp.where(flow > 0, (one.flow * one.blur + other.flow * other.blur) / jnp.where(flow > 0, flow, 1.0), 0.0)
    return Connections(flow, one.drive + other.drive, jnp.maximum(blur, jnp.swapaxes(blur, 0, 1)))


class _Share(NamedTuple):
    """How a current divides: fraction of the whole, what circulates besides, and the rounding error of that."""

    fraction: Array
    circulation: Array
    error: Array


def _parts(out: Array, back: Array, all_out: Array, all_back: Array) -> tuple[Array, Array]:
    """What one connection carries of the larger of the two flows, and the inverse of that flow (0 without flow)."""
    whole = jnp.maximum(all_out, all_back)
    inverse = jnp.where(whole > 0, 1 / jnp.where(whole > 0, whole, 1.0), 0.0)
    return jnp.where(all_out >= all_back, out, back) * inverse, inverse


def _circulation(
    own: tuple[Array, ...], other: tuple[Array, ...], inverse: Array, start: Array, end: Array
) -> tuple[Array, Array]:
    """(N B_v − B N_v)/F and its error, from flow, flow back, drive and blur of both connections.

    Drives come as they are in the reference distribution; the stationary one is `start` and `end` times that at the
    two states. The result is F B_v (1−e^{−A}) with the affinity A of the loop, to whose error it is as sensitive as
    the smaller of F B_v and B F_v. Dividing first keeps products in range.
    """
    (out, back, drive, blur), (other_out, other_back, other_drive, other_blur) = own, other
    # N F_v − F N_v is the same; of the two, the one whose terms do not cancel.
    falling = (drive < 0) & (other_drive < 0)
    ratio = jnp.where(falling, end, start)
    one = (jnp.where(falling, other_out, other_back) * inverse) * (drive * ratio)
    two = (jnp.where(falling, out, back) * inverse) * (other_drive * ratio)
    error = (blur + other_blur) * jnp.minimum(out * (other_back * inverse), (back * inverse) * other_out)
    return one - two, error + 4 * EPS * (jnp.abs(one) + jnp.abs(two))


def _restore(
    current: Array, error: Array, own: Connections, path: Connections, ratio: Array, digits: Array
) -> tuple[Array, Array, Array, Array]:
    """Net currents between pairs of states (i, j, point): what goes directly, its error, what goes by k, its error."""
    flow, back = own.flow * ratio[None], jnp.swapaxes(own.flow, 0, 1) * ratio[:, None]
    via, via_back = path.flow * ratio[None], jnp.swapaxes(path.flow, 0, 1) * ratio[:, None]
    fraction, inverse = _parts(flow, back, flow + via, back + via_back)
    around, _ = _parts(via, via_back, flow + via, back + via_back)
    circulation, blur = _circulation(
        (flow, back, own.drive, own.blur),
        (via, via_back, path.drive, path.blur),
        inverse,
        ratio[None],
        ratio[:, None],
    )
    # The smaller part is computed, the larger one is what remains: nothing is lost between them.
    minor = fraction < around
    part = fraction * current + circulation
    detour = jnp.where(minor, current - part, around * current - circulation)
    part = jnp.where(minor, part, current - detour)
    doubt, own_doubt = error + digits * jnp.abs(current), blur + digits * jnp.abs(circulation)
    return part, fraction * doubt + own_doubt, detour, around * doubt + own_doubt


def _antisymmetric(x: Array) -> Array:
    lower = np.tri(x.shape[0], k=-1, dtype=bool)[..., None]
    kept = jnp.where(lower, x, 0.0)
    return kept - jnp.swapaxes(kept, 0, 1)


def _small(c: Connections, digits: Array) -> tuple[Array, Array, Array]:
    """Ratios to the reference (state, point), net currents of pairs and their errors (i, j, point): arrays shrink."""
    n, points = c.flow.shape[0], c.flow.shape[2:]
    levels = []
    for k in range(n - 1, 1, -1):
        own = Connections(*(x[:k, :k] for x in c))
        (path,) = once(_series(Connections(*(x[:k, k] for x in c)), Connections(*(x[k, :k] for x in c))))
        levels.append((own, path, c.flow[k, :k], reduce(jnp.add, c.flow[:k, k])))
        (c,) = once(_merge(own, path))
    ratio = jnp.stack([jnp.ones(points), c.flow[1, 0] / c.flow[0, 1]])
    current = error = jnp.zeros((2, 2, *points))
    for own, path, into, outflow in reversed(levels):
        part, doubt, detour, detour_doubt = once(*_restore(current, error, own, path, ratio, digits))
        current = _bordered(_antisymmetric(part), reduce(jnp.add, _antisymmetric(detour), 1), -1.0)
        error = _bordered(doubt, reduce(jnp.add, detour_doubt, 1), 1.0)
        ratio = jnp.concatenate([ratio, (reduce(jnp.add, into * ratio) / outflow)[None]])
        current, error, ratio = once(current, error, ratio)
    return ratio, current, error


def _bordered(inner: Array, column: Array, sign: float) -> Array:
    """One more state: `column` (i, point) as the last column, and with `sign` as the last row."""
    lower = jnp.concatenate([sign * column, jnp.zeros_like(column[:1])])
    return jnp.concatenate([jnp.concatenate([inner, column[:, None]], axis=1), lower[None]])


def _large(c: Connections, digits: Array) -> tuple[Array, Array, Array]:
    """As `_small`, by loops over arrays of full size."""
    n, points = c.flow.shape[0], c.flow.shape[2:]
    index = jnp.arange(n)[:, None]

    def lines(c: Connections, k: Array, axis: int) -> Connections:
        return Connections(
            *(jnp.where(index < k, jax.lax.dynamic_index_in_dim(x, k, axis, keepdims=False), 0.0) for x in c)
        )

    def remove(c: Connections, k: Array) -> tuple[Connections, tuple[Connections, Array]]:
        column = lines(c, k, 1)
        return _merge(c, _series(column, lines(c, k, 0))), (c, jnp.sum(column.flow, axis=0))

    last, (levels, outflows) = jax.lax.scan(remove, c, jnp.arange(n - 1, 1, -1))

    def restore(state: tuple[Array, Array, Array], level: Any) -> tuple[tuple[Array, Array, Array], None]:
        ratio, current, error = state
        k, own, outflow = level
        row = lines(own, k, 0)
        path = _series(lines(own, k, 1), row)
        inside = ((index < k) & (jnp.arange(n) < k))[..., None]
        parts = _restore(current, error, own, path, ratio, digits)
        part, doubt, detour, detour_doubt = (jnp.where(inside, x, 0.0) for x in parts)
        part, detour = _antisymmetric(part), _antisymmetric(detour)
        touched, touched_doubt = jnp.sum(detour, axis=1), jnp.sum(detour_doubt, axis=1)
        at = index == k
        current = jnp.where(at[None], touched[:, None], jnp.where(at[:, None], -touched[None], part))
        error = jnp.where(at[None], touched_doubt[:, None], jnp.where(at[:, None], touched_doubt[None], doubt))
        own_ratio = jnp.sum(row.flow * ratio, axis=0) / outflow
        return (jnp.where(at, own_ratio, ratio), current, error), None

    zero = jnp.zeros((n, n, *points))
    ratio = jnp.zeros((n, *points)).at[0].set(1.0).at[1].set(last.flow[1, 0] / last.flow[0, 1])
    backwards = jax.tree.map(lambda x: x[::-1], (levels, outflows))
    (ratio, current, error), _ = jax.lax.scan(restore, (ratio, zero, zero), (jnp.arange(2, n), *backwards))
    return ratio, current, error


def divide(
    g: Graph,
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    deviation: Float[Array, "transition point"],
    reference: Float[Array, "state point"],
    deviation_size: Float[Array, "transition point"],
) -> Divided:
    """Populations, net currents of the transitions and their error bounds; see the module's text.

    `deviation` is ln of forward over backward flow in the reference distribution, whose logarithm (not normalised) is
    `reference`; `deviation_size` bounds the terms of which it is made.
    """
    n = g.states
    to, start = g.final.array, g.initial.array
    # Each transition as seen from its lower state (a transition from a state to itself: as it stands).
    low, high = np.minimum(start, to), np.maximum(start, to)
    upward = (to >= start)[:, None]
    out, back = log_forward + reference[start], log_backward + reference[to]
    larger = jnp.maximum(out, back)
    top = reduce(jnp.maximum, larger)
    larger = jnp.exp(larger - top)
    # Both flows and the drive from one number and the affinity, so that rounding leaves the affinity as it is.
    smaller, drive = larger * jnp.exp(-jnp.abs(deviation)), -larger * jnp.expm1(-jnp.abs(deviation))
    larger, smaller, drive = once(larger, smaller, drive)
    rising = upward == (deviation >= 0)
    rise, fall = jnp.where(rising, larger, smaller), jnp.where(rising, smaller, larger)
    drive = jnp.where(rising, drive, -drive)
    blur = 8 * EPS * deviation_size
    moves = np.flatnonzero(low != high)
    pair, place = np.unique(low[moves] * n + high[moves], return_inverse=True)
    table = ranked(place, moves, len(pair), len(low))
    lower, upper = np.divmod(pair, n)
    where = np.full((n, n), 2 * len(pair))
    where[upper, lower] = np.arange(len(pair))
    where[lower, upper] = np.arange(len(pair)) + len(pair)

    def between(upwards: Array, downwards: Array) -> Array:
        return padded(jnp.concatenate([upwards, downwards]))[where]

    rises, falls, drives, blurs = (padded(x) for x in (rise, fall, drive, blur))
    drives = _sum(drives, table)
    # The affinity of parallel transitions lies between theirs.
    blurs = reduce(jnp.maximum, blurs[table])
    pairs = Connections(
        between(_sum(rises, table), _sum(falls, table)), between(drives, -drives), between(blurs, blurs)
    )

    largest = reduce(jnp.maximum, jnp.maximum(jnp.abs(log_forward), jnp.abs(log_backward)))
    digits = EPS * (8.0 * n + 4 * largest + 4 * reduce(jnp.maximum, jnp.abs(reference)))
    ratio, current, error = (_small if n <= UNROLLED else _large)(pairs, digits)
    (ratio,) = once(ratio)
    log_p = reference + jnp.log(ratio)
    size = log_sum(log_p)

    # Last, over the parallel transitions of each pair.
    whole, doubt = (x.reshape(n * n, -1)[high * n + low] for x in (current, error))
    start_ratio, end_ratio = ratio[low], ratio[high]
    flow, fall = rise * start_ratio, fall * end_ratio
    beside = np.full((len(table), len(low)), len(low))
    beside[:, moves] = table[:, place]
    flow, fall = once(flow, fall)
    own = (flow, fall, drive, blur)
    every = tuple(padded(x) for x in own)
    fraction, inverse = _parts(flow, fall, _sum(every[0], beside), _sum(every[1], beside))
    part, doubt = fraction * whole, fraction * doubt
    for row in beside:
        other = (row != np.arange(len(low)))[:, None]
        around, circling = _circulation(own, tuple(x[row] for x in every), inverse, start_ratio, end_ratio)
        part = part + jnp.where(other, around, 0.0)
        doubt = doubt + jnp.where(other, circling + digits * jnp.abs(around), 0.0)
    # A transition from a state to itself moves what its bath share says, and nothing else.
    loop = (low == high)[:, None]
    alone = drive * start_ratio
    part = jnp.where(loop, alone, part)
    doubt = jnp.where(loop, blur * jnp.minimum(flow, fall) + digits * jnp.abs(alone), doubt)
    # What rounding left out of the sum over parallel transitions goes along with the flows.
    if len(table) > 1:
        missing = current.reshape(n * n, -1)[upper * n + lower] - _sum(padded(part), table)
        of_pair = np.full(len(low), len(pair))
        of_pair[moves] = place
        part = part + fraction * padded(missing)[of_pair]
    unit = jnp.exp(top - size)
    rounding = 4 * n * blur * jnp.minimum(flow, fall)
    log_p, part, doubt, rounding, unit = once(log_p - size, part, doubt, rounding, unit)
    part = jnp.where(upward, part, -part)
    return Divided(log_p, *(scaled(x, unit) for x in (part, doubt, rounding)))
