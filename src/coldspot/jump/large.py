"""Stationary states of networks too large to keep a matrix for each state: with one per point, or none; see `sparse`.

Point by point: memory is what limits them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.blocks import one_by_one
from ..numerics.dense import EPS, positive_or_one
from ..solution import Status
from .graph import Graph, Snapshot
from .half_edges import HalfEdges, Listed, doubled
from .kinetics import faint
from .sparse import DOUBTFUL, Stationary, Weights, stationary
from .stationary import solve_stationary
from .validity import cautions
from .window import ORDERS

SMALL = 24
"""States up to which elimination alone is used: bounds of its error grow with each state that is removed."""
KEPT = 200
"""States up to which it is asked where numbers leave plain arithmetic: it keeps a matrix for each state."""
CERTAIN = 1e-9
"""Relative error of heats up to which it need not be asked."""
FAR = 100.0
"""A difference of the two entropy productions beyond their errors by this factor contradicts the ledger."""


def solve_large(g: Graph, batch: Any, look: Callable[[Any], Snapshot], unique: bool, sure: bool) -> Outcome:
    """Stationary states of a batch of undriven networks; arguments as for `stationary.solve_stationary`.

    Up to `KEPT` states, points that have no digits in plain numbers get them by elimination if `sure`, or are left
    undecided.
    """

    def one(point: Any) -> Outcome:
        found = _solve(g, look(point), unique)
        if not sure or g.states > KEPT:
            return found

        def eliminated() -> Outcome:
            batch = jax.tree.map(lambda x: x[None], point)
            return jax.tree.map(lambda x: x[0], solve_stationary(g, batch, look, unique))

        return jax.lax.cond(found.undecided, eliminated, lambda: found)

    return one_by_one(one, batch)


def weights(s: Snapshot) -> Weights:
    """The numbers of one network about its reference equilibrium: rows are heats, particles, works."""
    rows = jnp.concatenate([s.heat, s.particles, s.work])
    return Weights(
        log_out=doubled(s.log_forward, s.log_backward),
        affinity=doubled(s.deviation, -s.deviation),
        blur=8 * EPS * doubled(s.deviation_size, s.deviation_size),
        reference=s.reference,
        amounts=doubled(rows, -rows),
    )


def _sway(g: Graph, s: Snapshot, found: Stationary, blur: Array) -> Array:
    """What each row changes by, with relative errors `blur` (transition) of the rates, alike for both ways.

    That changes each net current by its part; what then does not balance goes back along other transitions. Net
    currents follow from affinities, as in `sparse`: in equilibrium there are none.
    """
    affinity = s.deviation + (g.initial.of(found.shift) - g.final.of(found.shift))
    out, back = g.initial.of(found.log_p) + s.log_forward, g.final.of(found.log_p) + s.log_backward
    current = blur * jnp.exp(jnp.where(affinity >= 0, out, back)) * -jnp.expm1(-jnp.abs(affinity))
    amounts = jnp.abs(jnp.concatenate([s.heat, s.particles, s.work]))
    return amounts @ current + 2 * jnp.max(amounts, axis=1) * jnp.sum(current)


def _lost(leak: Array, found: Stationary, baths: int) -> Array:
    """What each row may change by with states that have been left out, by first order; see `window`."""
    jumps, energy, rate, stay = leak @ jax.lax.stop_gradient(jnp.exp(found.log_p))
    span = jnp.max(found.duals, axis=1) - jnp.min(found.duals, axis=1)
    own = jnp.where(jnp.arange(len(span)) < baths, energy, jumps)
    return jax.lax.stop_gradient(ORDERS * (own + rate * span + stay * jnp.abs(found.rows)))


def reached(edges: HalfEdges, open_: Array) -> Array:
    """Whether open transitions connect all states, given that all transitions together do."""
    both = doubled(open_ * 1.0, open_ * 1.0)

    def spread(state: tuple[Array, Array]) -> tuple[Array, Array]:
        known, _ = state
        near = edges.summed(lambda s, goes: goes * s.other(known), both)
        more = jnp.where(near > 0, 1.0, known)
        return more, jnp.any(more != known)

    def look() -> Array:
        start = jnp.zeros(edges.states).at[0].set(1.0)
        return jnp.all(jax.lax.while_loop(lambda s: s[1], spread, (start, jnp.asarray(True)))[0] > 0)

    return jax.lax.cond(jnp.all(open_), lambda: jnp.asarray(True), look)


class Seen(NamedTuple):
    """What of a network, beside its stationary state, says how far that can be trusted.

    `least` (row): what transitions of rate zero may do; `sway` (row): errors by what the rates themselves lack;
    `temperature` (bath); `valid`; `unique`; `balanced`, whether all rates obey local detailed balance.
    """

    least: Array
    sway: Array | float
    temperature: Array
    valid: Array
    unique: Array
    balanced: Array


def outcome(found: Stationary, seen: Seen, flags: dict[str, Array], few: bool = False) -> Outcome:
    """The outcome of one network whose rows are heats, particles and works; if `few`, it may ask for elimination."""
    baths = len(seen.temperature)

    def split(rows: Array) -> Rates:
        return Rates(
            rows[:baths], rows[baths : 2 * baths], rows[2 * baths :] if len(rows) > 2 * baths else jnp.zeros(0)
        )

    rates, rounding = split(found.rows), found.rounding + 2 * seen.least
    errors = split(found.errors + seen.least + seen.sway)
    flows = rates.heats / seen.temperature
    sizes = jnp.sum(jnp.abs(flows))
    differ = jnp.abs(found.entropy + jnp.sum(flows))
    allowed = found.entropy_error + jnp.sum(errors.heats / seen.temperature) + EPS * sizes
    doubtful = ~(found.dual_residual < DOUBTFUL)
    largest = jnp.max(jnp.abs(found.rows[:baths]))
    return Outcome(
        rates,
        errors,
        faults={
            Status.INVALID: ~seen.valid,
            Status.NOT_UNIQUE: ~seen.unique,
            Status.NOT_CONVERGED: doubtful | (seen.balanced & (differ > FAR * allowed)),
        },
        floor=jnp.max(jnp.concatenate([rounding[:baths], rounding[2 * baths :]])),
        residuals={"balance": found.residual, "entropy": differ / positive_or_one(sizes)},
        populations=jnp.exp(found.log_p),
        flags=flags,
        undecided=few & (doubtful | ~(jnp.max(found.errors[:baths]) <= CERTAIN * largest)),
    )


def _solve(g: Graph, s: Snapshot, unique: bool) -> Outcome:
    edges = Listed(g)
    found = stationary(edges, weights(s))
    sway = jnp.zeros(()) if s.blur is None else _sway(g, s, found, s.blur)
    if s.leak is not None:
        sway = sway + _lost(s.leak, found, s.heat.shape[0])
    seen = Seen(
        least=faint(s.open) * jnp.max(jnp.abs(jnp.concatenate([s.heat, s.particles, s.work])), axis=1),
        sway=sway,
        temperature=s.temperature,
        valid=s.valid,
        unique=reached(edges, s.open) & unique,
        balanced=s.balanced,
    )
    one = jax.tree.map(lambda x: x[..., None], s)
    flags = {words: mark[0] for words, mark in cautions(g, one).items()}
    return outcome(found, seen, flags, g.states <= KEPT)
