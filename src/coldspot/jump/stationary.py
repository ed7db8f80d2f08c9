"""Stationary state of an undriven network: populations, net currents and the ledger."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.blocks import blockwise
from ..numerics.dense import EPS, positive_or_one
from ..numerics.reduction import reduce
from ..solution import Status
from .balance import Balance, balance, is_wide
from .graph import Graph, Snapshot, joined
from .kinetics import faint
from .validity import cautions

Result = TypeVar("Result")

NUMBERS = 2**17
"""Numbers that the elimination of a block keeps, about (one matrix per state), so that they stay in a cache."""
MEMORY = 2**30
"""Bytes that a block of large networks takes, unless one point takes more."""
SMALLEST = 1e-305
"""Currents below it may be lost: what they are made of has left the range of floating-point numbers."""
FAR = 100.0
"""A difference of the two entropy productions beyond their errors by this factor contradicts the ledger."""


def solve_stationary(g: Graph, batch: Any, look: Callable[[Any], Snapshot], unique: bool, sure: bool = True) -> Outcome:
    """Stationary states of a batch of undriven networks, block by block.

    `batch`: arrays with a leading axis of points, of which `look` makes the snapshot of one point; `unique`: whether
    transitions connect all states; `sure`: whether points that need logarithms get them, or are left undecided.
    """
    return in_blocks(g, batch, lambda part: _solve(g, part, look, unique, sure))


def in_blocks(g: Graph, batch: Any, solve: Callable[[Any], Result]) -> Result:
    """`solve` of a batch (arrays with a leading axis of points, in and out), in blocks that stay in a cache."""
    fitting = max(1, MEMORY // memory(g.states))
    return blockwise(batch, solve, max(NUMBERS // g.states**3, min(64, fitting)))


def memory(states: int) -> int:
    """Bytes that the elimination of one point keeps, about: three matrices per state, there and back."""
    return 48 * states**3


def _solve(g: Graph, batch: Any, look: Callable[[Any], Snapshot], unique: bool, sure: bool) -> Outcome:
    moving = jax.vmap(look, out_axes=-1)(batch)
    # What errors and checks are made of has no derivatives, which would double their program.
    s = jax.lax.stop_gradient(moving)
    wide = is_wide(g, s.log_forward, s.log_backward, s.reference, s.open)
    solved = balance(g, sure, wide, moving.log_forward, moving.log_backward, s.deviation, s.reference, s.deviation_size)
    found = jax.lax.stop_gradient(solved)
    # In equilibrium nothing flows, whatever the rounding; elsewhere currents may be below the smallest number.
    still = reduce(jnp.maximum, s.deviation_size) == 0
    rounding = jnp.where(jnp.isfinite(found.rounding), found.rounding, found.error)
    least = SMALLEST + faint(s.open)
    found = found._replace(
        error=jnp.where(still, 0.0, found.error + least), rounding=jnp.where(still, 0.0, rounding + 2 * least)
    )
    if s.blur is not None:
        blurred = reduce(jnp.maximum, s.blur) * reduce(jnp.maximum, jnp.abs(found.current))
        found = found._replace(error=found.error + jnp.where(still, 0.0, blurred))
    slip = EPS * len(g.initial.array) * _cancelled(s) * reduce(jnp.maximum, jnp.abs(found.current))
    found = found._replace(error=found.error + jnp.where(still, 0.0, slip))
    rates, errors = book(moving, solved.current), bound(s, found.current, found.error)
    flows = jax.lax.stop_gradient(rates.heats) / s.temperature.T
    total = reduce(jnp.add, flows, -1)
    other, other_error = schnakenberg(g, s, found)
    differ = jnp.abs(other + total)
    sizes = reduce(jnp.add, jnp.abs(flows), -1)
    allowed = other_error + reduce(jnp.add, errors.heats / s.temperature.T, -1) + EPS * sizes
    return Outcome(
        rates,
        errors,
        faults={
            Status.INVALID: ~s.valid,
            Status.NOT_UNIQUE: ~joined(g, s.open) | (not unique),
            # Without local detailed balance the two are different numbers.
            Status.NOT_CONVERGED: s.balanced & (differ > FAR * allowed),
        },
        floor=_largest(bound(s, found.current, found.rounding)),
        residuals={
            "balance": found.imbalance / positive_or_one(reduce(jnp.maximum, jnp.abs(found.current))),
            "entropy": differ / positive_or_one(sizes),
        },
        populations=jnp.exp(solved.log_p).T,
        flags=cautions(g, s),
        undecided=wide,
    )


def _cancelled(s: Snapshot) -> Array:
    """How much larger than an exponent its terms are, one for each bath that takes part: the most of a point (point).

    A rate is off by the rounding of these, both ways alike, since affinities are computed in another way.
    """
    terms = reduce(jnp.add, jnp.abs(s.heat) / s.temperature[:, None])
    return reduce(jnp.maximum, jnp.maximum(terms - jnp.abs(s.exponent), 0.0))


def _largest(rates: Rates) -> Array:
    """The largest of heats and works (point)."""
    heats = reduce(jnp.maximum, rates.heats, -1)
    return heats if rates.works is None else jnp.maximum(heats, jnp.max(rates.works, axis=-1, initial=0.0))


def schnakenberg(g: Graph, s: Snapshot, found: Balance) -> tuple[Array, Array]:
    """σ once more, from the jump process itself, and its error: a check of the ledger.

    Σ over transitions of (net flow)·ln(forward/backward flow); J. Schnakenberg, "Network theory of microscopic and
    macroscopic behavior of master equation systems".
    """
    start, end = found.log_p[g.initial.array], found.log_p[g.final.array]
    affinity = -s.exponent + start - end
    size = jnp.abs(s.exponent) + jnp.abs(start) + jnp.abs(end)
    rounding = EPS * (8 + 8 * size) * jnp.abs(found.current)
    return reduce(jnp.add, found.current * affinity), reduce(jnp.add, found.error * jnp.abs(affinity) + rounding)


def book(s: Snapshot, current: Array) -> Rates:
    """The rates of net currents (transition, point): per bath, what its own channels exchange; batch first."""
    particles = reduce(jnp.add, s.particles * current, 1)
    heats = reduce(jnp.add, s.heat * current, 1)
    return Rates(heats.T, particles.T, reduce(jnp.add, s.work * current, 1).T)


def bound(s: Snapshot, current: Array, error: Array) -> Rates:
    """Error bounds of the rates, from those of the currents and from the rounding of products and sums."""
    error = error + EPS * (current.shape[0] + 2) * jnp.abs(current)
    particles = reduce(jnp.add, jnp.abs(s.particles) * error, 1)
    heats = reduce(jnp.add, jnp.abs(s.heat) * error, 1)
    return Rates(heats.T, particles.T, reduce(jnp.add, jnp.abs(s.work) * error, 1).T)
