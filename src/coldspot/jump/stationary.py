"""Stationary state of an undriven network: populations, net currents and the ledger."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS, positive_or_one
from ..solution import Status
from .balance import balance
from .graph import Snapshot, reduce

if TYPE_CHECKING:
    from .network import JumpNetwork


def snapshots(network: "JumpNetwork", phase: Any) -> Snapshot:
    """Snapshots of a batch of networks (leading axis) at one phase per point; batch axis last."""
    arrays, static = eqx.partition(network, eqx.is_array)
    return jax.vmap(lambda a, t: eqx.combine(a, static).snapshot(t), out_axes=-1)(arrays, phase)


NUMBERS = 2**17
"""Numbers that the elimination of a block keeps, about (one matrix per state), so that they stay in a cache."""


def solve_stationary(network: "JumpNetwork") -> Outcome:
    """Stationary state of a batch of undriven networks (leading axis in, leading axis out), block by block."""
    arrays, static = eqx.partition(network, eqx.is_array)
    points = jax.tree.leaves(arrays)[0].shape[0]
    blocks = -(-points // max(NUMBERS // network.states**3, 64))
    if blocks == 1:
        return _solve(network)
    lanes = -(-points // blocks)

    def cut(x: Array) -> Array:
        return jnp.pad(x, [(0, blocks * lanes - points)] + [(0, 0)] * (x.ndim - 1), mode="edge").reshape(
            blocks, lanes, *x.shape[1:]
        )

    # Within a block the batch axis is the last one; it stays there until all blocks are done.
    def one(part: Any) -> Outcome:
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), _solve(eqx.combine(part, static)))

    def join(x: Array) -> Array:
        return jnp.moveaxis(x, -1, 1).reshape(blocks * lanes, *x.shape[1:-1])[:points]

    return jax.tree.map(join, jax.lax.map(one, jax.tree.map(cut, arrays)))


def _solve(network: "JumpNetwork") -> Outcome:
    g = network.graph()
    points = jax.tree.leaves(eqx.filter(network, eqx.is_array))[0].shape[0]
    s = snapshots(network, jnp.zeros(points))
    result = balance(g, s.log_forward, s.log_backward, s.deviation, s.reference, s.deviation_size)
    rates, errors = book(s, result.current), bound(s, result.current, result.error)
    # σ once more, from the jump process itself (Schnakenberg), as a check of the ledger.
    affinity = -s.exponent + result.log_p[g.initial.array] - result.log_p[g.final.array]
    schnakenberg = reduce(jnp.add, result.current * affinity)
    flows = rates.heats / s.temperature.T
    return Outcome(
        rates,
        errors,
        faults={Status.INVALID: ~s.valid, Status.NOT_UNIQUE: jnp.full(points, len(network.components()) > 1)},
        floor=jnp.max(errors.heats, axis=-1),
        residuals={
            "balance": result.imbalance / positive_or_one(reduce(jnp.maximum, jnp.abs(result.current))),
            "entropy": jnp.abs(schnakenberg + reduce(jnp.add, flows, -1))
            / positive_or_one(reduce(jnp.add, jnp.abs(flows), -1)),
        },
        populations=jnp.exp(result.log_p).T,
    )


def book(s: Snapshot, current: Array) -> Rates:
    """The rates of net currents (transition, point): per bath, what its own channels exchange; batch first."""
    particles = reduce(jnp.add, s.particles * current, 1)
    heats = reduce(jnp.add, (s.energy - s.potential[:, None] * s.particles) * current, 1)
    return Rates(heats.T, particles.T)


def bound(s: Snapshot, current: Array, error: Array) -> Rates:
    """Error bounds of the rates, from those of the currents and from the rounding of products and sums."""
    error = error + EPS * current.shape[0] * jnp.abs(current)
    particles = reduce(jnp.add, jnp.abs(s.particles) * error, 1)
    amount = s.potential[:, None] * s.particles
    rounding = 2 * EPS * (jnp.abs(s.energy) + jnp.abs(amount)) * jnp.abs(current)
    heats = reduce(jnp.add, jnp.abs(s.energy - amount) * error + rounding, 1)
    return Rates(heats.T, particles.T)
