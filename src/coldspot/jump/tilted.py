"""Large deviations of a stationary network: its scaled generating function, and what that is the Legendre transform of.

    λ(χ) = lim (1/t) ln⟨e^{χ·X(t)}⟩

is the largest eigenvalue of the generator with the rates w_e e^{χ·a_e} (see `cumulants`, where its left eigenvector e^v
is expanded about χ = 0). Here v is found at χ itself (`perron`) and improved by Newton's method on

    Σ_{e from j} w_e [exp(y_e) − 1] = λ,      y_e = χ·a_e + v_i − v_j.

The rates w_e e^{y_e} are those of the process in which the amounts X/t = ∂λ/∂χ are typical (R. Chetrite and
H. Touchette, "Nonequilibrium Markov processes conditioned on large deviations"); with its stationary flows F_e,
λ = Σ_e F_e (1 − e^{−y_e}), whose error is of second order in that of v.

Errors are found by probing, as those of cumulants. Arrays have the batch axis last.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Counted, Target
from ..numerics.dense import EPS
from .cumulants import Flows, Rated, flows_at, judged, probed, recursion, solve_left, undriven
from .graph import Graph, Snapshot, matrix, spanning
from .orders import Orders
from .perron import left_vector
from .system import System

STEPS = 4
"""Newton steps behind the inverse iteration, through which derivatives go; they double the orders that are right."""
SEARCHES = 100
"""Newton steps for the field that belongs to a current."""
CLOSE = 1e-12
"""A current that is so near to the wanted one, relative to the larger or to the root of its noise, is that one."""
SMALL = 1e-6
"""A rate function below this part of the noise (in largest amounts) need not be as exact as a larger one."""


class Tilted(NamedTuple):
    """At one field: `value` λ and the size of its terms, `slopes` ∂λ/∂χ_a (target, point), `curvatures` ∂²λ/∂χ_a² and

    the `defect` of λ that the eigenvector leaves; all in the units of `scale` (point), e^scale.
    """

    value: Array
    size: Array
    slopes: Array
    curvatures: Array
    defect: Array
    scale: Array


def _flows(g: Graph, rates: Rated, tilt: Array, v: Array) -> tuple[Flows, Array]:
    """The flows of the process with the rates w_e e^{y_e}, and y (edge, point)."""
    start, end = rates.start, rates.end
    y = tilt + v[end] - v[start]
    half = len(start) // 2
    tilted = rates.log_rates + y
    return flows_at(g, tilted[:half], tilted[half:]), y


def _improved(g: Graph, rates: Rated, tilt: Array, v: Array) -> Array:
    """One Newton step for v."""
    flows, y = _flows(g, rates, tilt, v)
    part = -jnp.expm1(-y)
    change = solve_left(flows, part) - part
    # Differences along the edges, added up along a tree of them from state 0.
    return v + along(g, change)


def along(g: Graph, change: Array) -> Array:
    """v (state, point) with v₀ = 0 from v_i − v_j of the directed edges j → i."""
    v = jnp.zeros((g.states, *change.shape[1:]))
    for edge, start, end in spanning(g):
        v = v.at[end].set(v[start] + change[edge])
    return v


def tilted(g: Graph, rates: Rated, amount: Array, field: Array) -> Tilted:
    """For amounts (target, edge, point) at a field (target, point)."""
    tilt = jnp.sum(field[:, None] * amount, axis=0)
    half = len(rates.start) // 2
    with_tilt = rates.log_rates + tilt
    log_q = matrix(g, with_tilt[:half], with_tilt[half:], jnp.logaddexp, -jnp.inf)
    exits = jnp.zeros(log_q.shape[1:]).at[rates.start].add(jnp.exp(rates.log_rates))
    v, _ = jax.lax.stop_gradient(left_vector(*jax.lax.stop_gradient((log_q, -exits))))
    v, _ = jax.lax.scan(lambda v, _: (_improved(g, rates, tilt, v), None), v, None, length=STEPS)
    flows, y = _flows(g, rates, tilt, v)
    terms = -flows.flow * jnp.expm1(-y)
    value = jnp.sum(terms, axis=0)
    own = jnp.zeros_like(flows.p).at[flows.start].add(terms)
    defect = jnp.sum(jnp.abs(own - value * flows.p), axis=0)
    found = jax.vmap(lambda a: recursion(flows, a[None], Orders(1, 2))[0])(amount)
    size = jnp.sum(jnp.abs(terms), axis=0)
    return Tilted(value, size, found[:, 0], found[:, 1], jax.lax.stop_gradient(defect), flows.factors.scale)


def _with_errors(g: Graph, s: Snapshot, found: Tilted) -> tuple[Array, Array, Array]:
    """λ and its slopes (1 + target, point), errors, and the sizes of their terms."""
    rows = jnp.concatenate([found.value[None], found.slopes]) * jnp.exp(found.scale)
    values, errors = judged(g, s, rows)
    points = values.shape[-1]
    more, sizes, noise = (
        x[..., :points] * jnp.exp(found.scale[:points]) for x in (found.defect, found.size, found.curvatures)
    )
    errors = errors.at[0].add(more)
    return values, errors, jnp.concatenate([sizes[None], jnp.abs(values[1:]) + jnp.abs(noise)])


def count_generating(system: System, targets: tuple[Target, ...], fields: Array) -> Counted:
    """λ and its slopes of a batch, values (point, field, 1 + target), for fields (field, target)."""

    def solve(g: Graph, s: Snapshot, amount: Array) -> tuple[Array, Array, Array]:
        rates = probed(g, s)

        def one(field: Array) -> tuple[Array, Array, Array]:
            wide = jnp.broadcast_to(field[:, None], (len(targets), amount.shape[-1]))
            return _with_errors(g, s, tilted(g, rates, amount, wide))

        return jax.vmap(one)(fields)

    return undriven(system, targets, "large deviations", solve)


class _Hunt(NamedTuple):
    """The field (1, point) of a current, and the interval in which it lies."""

    field: Array
    low: Array
    high: Array
    open: Array
    turns: Array


def count_rate_function(system: System, target: Target, currents: Array) -> Counted:
    """The rate function I(j) = sup_χ [χj − λ(χ)] and its χ, values (point, current, 2), for currents (current)."""

    def solve(g: Graph, s: Snapshot, amount: Array) -> tuple[Array, Array, Array]:
        rates, points = probed(g, s), s.log_forward.shape[-1]
        largest = jnp.max(jnp.abs(amount[0]), axis=0)
        unit = 1 / jnp.where(largest > 0, largest, 1.0)

        def one(current: Array) -> tuple[Array, Array, Array]:
            fixed, still, wanted = jax.lax.stop_gradient((rates, amount, current))

            def turn(h: _Hunt) -> _Hunt:
                found = tilted(g, fixed, still, h.field[None])
                slope, bend = (x[0] * jnp.exp(found.scale) for x in (found.slopes, found.curvatures))
                below = slope < wanted
                low, high = jnp.where(below, h.field, h.low), jnp.where(below, h.high, h.field)
                step = (wanted - slope) / jnp.where(bend > 0, bend, 1.0)
                step = jnp.clip(step, -2 * unit, 2 * unit)
                new = h.field + step
                new = jnp.where((new <= low) | (new >= high), (low + high) / 2, new)
                goal = CLOSE * jnp.maximum(jnp.abs(wanted), jnp.sqrt(bend * jnp.exp(found.scale)))
                left = h.open & ~(jnp.abs(slope - wanted) <= goal) & (new != h.field)
                return _Hunt(jnp.where(left, new, h.field), low, high, left, h.turns + 1)

            endless = jnp.full(amount.shape[-1], jnp.inf)
            start = _Hunt(jnp.zeros_like(endless), -endless, endless, endless > 0, jnp.asarray(0))
            hunt = jax.lax.while_loop(lambda h: jnp.any(h.open) & (h.turns < SEARCHES), turn, start)
            # What is left is done by Newton's step, through which derivatives go, too: right up to the second of I.
            found = tilted(g, rates, amount, hunt.field[None])
            unit_of = jnp.exp(found.scale)
            missed, bend = current - found.slopes[0] * unit_of, found.curvatures[0] * unit_of
            firm = jnp.where(bend > 0, bend, 1.0)
            field = hunt.field + missed / firm
            value = current * hunt.field - found.value * unit_of + missed**2 / (2 * firm)
            values, errors = judged(g, s, jnp.stack([value, field]))
            fails = jnp.where(hunt.open | ~(bend > 0), jnp.inf, 0.0)
            more = jnp.stack([found.defect * unit_of + missed**2 / firm, jnp.abs(missed) / firm]) + fails
            errors = errors + jax.lax.stop_gradient(more)[:, :points]
            size = jnp.abs(current * field) + found.size * unit_of + SMALL * bend * unit**2
            sizes = jax.lax.stop_gradient(jnp.stack([size, jnp.abs(field) + unit]))[:, :points]
            return values, errors + EPS * sizes, sizes

        return jax.vmap(one)(currents)

    return undriven(system, (target,), "rate functions", solve)
