"""Cumulants of networks too large for matrices: the recursion of `cumulants` on half-edges, with Krylov solutions.

The left vectors v of each order obey Kᵀv = c − (Σc)p (see `sparse`), c_j the sum over the edges from j of flow times a
polynomial of lower orders. Errors are those that the rounding of the rates and the residual of each linear solution
cause, both weighted by the derivatives of the cumulants with respect to them (one reverse pass for each cumulant).
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import check_memory
from ..dynamics import Counted, Target
from ..numerics.blocks import one_by_one
from ..numerics.dense import EPS
from ..solution import Status
from .cumulants import amounts, product
from .half_edges import HalfEdges, Listed, doubled
from .large import reached, weights
from .orders import Index, Orders
from .sparse import DOUBTFUL, Weights, attached, solution, stationary
from .system import System

ARRAYS = 8
"""Numbers for each half-edge and order that are kept, about."""
ROUNDING = 16.0
"""Rounding units of a flow, beside those of its logarithm."""


class Found(NamedTuple):
    """Derivatives by the fields of each order from degree one (order), `errors`, the `sizes` of their terms, whether

    the left vector of first order has been found (`settled`), on which all else rests.
    """

    values: Array
    errors: Array
    sizes: Array
    settled: Array


class _Numbers(NamedTuple):
    """What cumulants are made of: ln of the rates and `amounts` (field, half-edge), and what is added to the right side

    of the linear equation for each left vector, `added` (vector, state), which is 0.
    """

    log_out: Array
    amounts: Array
    added: Array


def vectors(orders: Orders) -> int:
    """How many left vectors the orders need."""
    return sum(sum(index) < orders.degree for index in orders.every) - 1


def _left(edges: HalfEdges, out: Array, p: Array, part: Array, added: Array) -> tuple[Array, Array]:
    """part + v_end − v_start of half-edges, and what is left of the equation for v (state)."""
    c = edges.summed(lambda s, out, part: out * part, out, part)
    right = c - jnp.sum(c) * p + (added - jnp.sum(added) * p)
    v = solution(edges, out, right, True)

    def missed(right: Array, v: Array) -> Array:
        leaving = edges.summed(lambda s, out: out * (s.other(v) - s.own(v)), out)
        return right + leaving

    # The residual is solved for once more, and derivatives of what that brings are far below theirs.
    first, still, state = jax.lax.stop_gradient((missed(right, v), out, p))
    v = v + jax.lax.stop_gradient(solution(edges, still, first - jnp.sum(first) * state, True))
    whole = part + edges.each(lambda s, _: s.other(v) - s.own(v), out)
    return whole, jax.lax.stop_gradient(missed(right, v))


def _recursion(edges: HalfEdges, orders: Orders, log_p: Array, numbers: _Numbers) -> tuple[Array, tuple[Array, Array]]:
    """Derivatives of each order (order), the sizes of their terms, and residuals (vector, state)."""
    log_p = attached(edges, numbers.log_out, log_p)
    p = jnp.exp(log_p)
    out = edges.each(lambda s, rate: jnp.exp(rate + s.own(log_p)), numbers.log_out)
    y: dict[Index, Array] = {}
    e = {(0,) * orders.fields: jnp.ones_like(out)}
    found, sizes = [], []
    residuals: list[Array] = []
    for k in range(1, orders.degree + 1):
        for field, index in enumerate(orders.of(k)):
            part = numbers.amounts[field] if k == 1 else product(y, e, index, orders)
            terms = out * part * float(orders.factorial(index))
            found.append(jnp.sum(terms))
            sizes.append(jnp.sum(jnp.abs(terms)))
            if k < orders.degree:
                whole, missed = _left(edges, out, p, part, numbers.added[len(residuals)])
                residuals.append(missed)
                e[index], y[index] = whole, whole if k == 1 else whole - part
    left = jnp.stack(residuals) if residuals else jnp.zeros((0, edges.states))
    return jnp.stack(found), (jnp.stack(sizes), left)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _known(edges: HalfEdges, orders: Orders, log_p: Array, numbers: _Numbers, values: Array) -> Array:
    """The derivatives of each order, which are known, with theirs."""
    return values


@_known.defjvp
def _(edges: HalfEdges, orders: Orders, primals: Any, tangents: Any) -> tuple[Array, Array]:
    log_p, numbers, _ = primals

    def again(numbers: _Numbers) -> Array:
        return _recursion(edges, orders, log_p, numbers)[0]

    return _known(edges, orders, *primals), jax.jvp(again, (numbers,), (tangents[1],))[1]


def cumulants(edges: HalfEdges, w: Weights, orders: Orders, blur: Array | None = None) -> Found:
    """All orders of one network, whose `w.amounts` are those of the fields; differentiable.

    `blur`: the relative errors of the rates (half-edge), if they are more than their rounding.
    """
    state = stationary(edges, w)
    log_p = jax.lax.stop_gradient(state.log_p)
    assert isinstance(w.log_out, Array)
    assert isinstance(w.amounts, Array)
    numbers = _Numbers(w.log_out, w.amounts, jnp.zeros((vectors(orders), edges.states)))
    fixed = jax.lax.stop_gradient(numbers)
    values, pull, (sizes, left) = jax.vjp(functools.partial(_recursion, edges, orders, log_p), fixed, has_aux=True)
    logarithms = edges.each(lambda s, rate: jnp.abs(rate) + jnp.abs(s.own(log_p)), fixed.log_out)
    doubt = EPS * (ROUNDING + logarithms) + state.residual

    def error(unit: Array) -> tuple[Array, Array]:
        (slopes,) = pull(unit)
        rounding = jnp.sum(jnp.abs(slopes.log_out) * doubt) + jnp.sum(jnp.abs(slopes.added * left))
        return rounding, jnp.zeros(()) if blur is None else jnp.sum(blur * jnp.abs(slopes.log_out))

    errors, blurred = jax.lax.map(error, jnp.eye(len(values)))
    errors = errors + EPS * np.sqrt(edges.states) * sizes
    values = _known(edges, orders, log_p, numbers, values)
    # First orders are net currents, which keep their digits near equilibrium.
    values = values.at[: orders.fields].set(state.rows)
    errors = errors.at[: orders.fields].set(state.errors) + blurred
    errors, sizes = jax.lax.stop_gradient((errors, sizes))
    return Found(values, errors, sizes, state.dual_residual < DOUBTFUL)


# --------------------------------------------------------------------------- of a batch of networks


def count_large(system: System, targets: tuple[Target, ...], order: int, mixed: bool) -> Counted:
    """Cumulants of a batch of undriven networks (leading axis) up to an order, or the `mixed` ones of that order.

    Point by point: memory is what limits them.
    """
    arrays, static = eqx.partition(system, eqx.is_array)
    g, unique = system.graph(), len(system.components()) == 1
    edges, orders = Listed(g), Orders(len(targets) if mixed else 1, order)
    check_memory(
        f"counting: a network of {system.states} states with {len(g.initial)} transitions, to order {order},",
        8.0 * (ARRAYS * len(orders.every) * 2 * len(g.initial) + (12 * system.states**2 if edges.dense else 0)),
        "count by `trajectories`, whose memory does not grow like that, or join states that are alike.",
    )

    def one(point: Any) -> Counted:
        s = eqx.combine(point, static).snapshot(jnp.zeros(()))
        rows = jax.tree.map(lambda x: x[..., None], s)
        amount = amounts(system, rows, targets)[..., 0]
        both = doubled(amount, -amount)
        blur = None if s.blur is None else jax.lax.stop_gradient(doubled(s.blur, s.blur))

        def found(fields: Array) -> tuple[Array, Array, Array, Array]:
            c = cumulants(edges, weights(s)._replace(amounts=fields), orders, blur)
            return c.values, c.errors, c.sizes, c.settled

        if mixed:
            place, count = orders.derivatives(), len(orders.of(order))
            values, errors, sizes, settled = found(both)
            values, errors, sizes = (x[-count:][place] for x in (values, errors, sizes))
        else:
            values, errors, sizes, settled = jax.lax.map(found, both[:, None])
        faults = {
            Status.INVALID: ~s.valid,
            Status.NOT_UNIQUE: ~reached(edges, s.open) | (not unique),
            Status.NOT_CONVERGED: ~jnp.all(settled),
        }
        return Counted(values, errors, sizes, faults)

    return one_by_one(one, arrays)
