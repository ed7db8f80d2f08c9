"""Stationary state of an undriven network: populations, net currents and the ledger."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..ledger import Ledger, LedgerError, Named
from ..solution import Solution, Status
from .balance import balance
from .graph import Snapshot, reduce
from .net_currents import EPS

if TYPE_CHECKING:
    from .network import JumpNetwork


def snapshots(network: "JumpNetwork", phase: Any) -> Snapshot:
    """Snapshots of a batch of networks (leading axis) at one phase per point; batch axis last."""
    arrays, static = eqx.partition(network, eqx.is_array)
    return jax.vmap(lambda a, t: eqx.combine(a, static).snapshot(t), out_axes=-1)(arrays, phase)


NUMBERS = 2**17
"""Numbers that the elimination of a block keeps, about (one matrix per state), so that they stay in a cache."""


def solve_stationary(network: "JumpNetwork") -> Solution:
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
    def one(part: Any) -> Solution:
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), _solve(eqx.combine(part, static)))

    def join(x: Array) -> Array:
        return jnp.moveaxis(x, -1, 1).reshape(blocks * lanes, *x.shape[1:-1])[:points]

    return jax.tree.map(join, jax.lax.map(one, jax.tree.map(cut, arrays)))


def _solve(network: "JumpNetwork") -> Solution:
    g = network.graph()
    points = jax.tree.leaves(eqx.filter(network, eqx.is_array))[0].shape[0]
    s = snapshots(network, jnp.zeros(points))
    result = balance(g, s.log_forward, s.log_backward, s.deviation, s.reference, s.deviation_size)
    ledger = book(network, s, result.current)
    error = bound(network, s, result.current, result.error)
    # σ once more, from the jump process itself (Schnakenberg), as a check of the ledger.
    affinity = -s.exponent + result.log_p[g.initial.array] - result.log_p[g.final.array]
    schnakenberg = reduce(jnp.add, result.current * affinity)
    return assess(
        network,
        ledger,
        error,
        valid=s.valid,
        temperatures=s.temperature,
        potentials=s.potential,
        populations=jnp.exp(result.log_p),
        residuals={
            "first law": jnp.abs(reduce(jnp.add, ledger.energies, -1))
            / zero_safe(reduce(jnp.maximum, jnp.abs(ledger.energies), -1)),
            "balance": result.imbalance / zero_safe(reduce(jnp.maximum, jnp.abs(result.current))),
            "entropy": jnp.abs(schnakenberg + reduce(jnp.add, ledger.entropy_flows, -1))
            / zero_safe(reduce(jnp.add, jnp.abs(ledger.entropy_flows), -1)),
        },
        converged=jnp.ones(points, bool),
    )


def book(network: "JumpNetwork", s: Snapshot, current: Array) -> Ledger:
    """The ledger of net currents (transition, point): per bath, what its own channels exchange; batch first."""
    particles = reduce(jnp.add, s.particles * current, 1)
    heat = reduce(jnp.add, (s.energy - s.potential[:, None] * s.particles) * current, 1)
    energies = reduce(jnp.add, s.energy * current, 1)
    return Ledger(**_entries(network, s, energies, particles, s.potential * particles, heat))


def bound(network: "JumpNetwork", s: Snapshot, current: Array, error: Array) -> LedgerError:
    """Error bounds of the ledger, from those of the currents and from the rounding of products and sums."""
    error = error + EPS * current.shape[0] * jnp.abs(current)
    particles = reduce(jnp.add, jnp.abs(s.particles) * error, 1)
    amount = s.potential[:, None] * s.particles
    rounding = 2 * EPS * (jnp.abs(s.energy) + jnp.abs(amount)) * jnp.abs(current)
    heat = reduce(jnp.add, jnp.abs(s.energy - amount) * error + rounding, 1)
    energies = reduce(jnp.add, jnp.abs(s.energy) * error, 1)
    return LedgerError(**_entries(network, s, energies, particles, jnp.abs(s.potential) * particles, heat))


def _entries(
    network: "JumpNetwork", s: Snapshot, energies: Array, particles: Array, chemical: Array, heat: Array
) -> dict[str, Any]:
    points = energies.shape[-1]
    return {
        "baths": tuple(network.baths),
        "drives": tuple(network.drives),
        "energies": energies.T,
        "particle_numbers": particles.T,
        "chemical_works": chemical.T,
        "entropy_flows": (heat / s.temperature).T,
        "works": jnp.zeros((points, len(network.drives))),
        "storage": jnp.zeros(points),
    }


def assess(
    network: "JumpNetwork",
    ledger: Ledger,
    error: LedgerError,
    *,
    valid: Array,
    temperatures: Array,
    potentials: Array,
    populations: Array,
    residuals: dict[str, Array],
    converged: Array,
    statistics: dict[str, Array] | None = None,
) -> Solution:
    """Put a solution together and decide its status."""
    unique = len(network.components()) == 1
    finite = jnp.all(jnp.isfinite(populations), axis=0)
    for part in (ledger.energies, ledger.particle_numbers, ledger.entropy_flows, ledger.works):
        finite &= jnp.all(jnp.isfinite(part), axis=-1)
    status = jnp.where(
        ~valid,
        int(Status.INVALID),
        jnp.where(
            not unique,
            int(Status.NOT_UNIQUE),
            jnp.where(~finite, int(Status.NOT_FINITE), jnp.where(converged, int(Status.OK), int(Status.NOT_CONVERGED))),
        ),
    )
    return Solution(
        ledger=ledger,
        error=error,
        status=status,
        residuals=Named.of(residuals, status.shape),
        statistics=Named.of(statistics or {}, status.shape),
        temperatures=temperatures.T,
        chemical_potentials=potentials.T,
        populations=populations.T,
        kinds=jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, network).kinds(),
        steady_baths=network.steady_baths(),
        cooled_bath=network.cooled_bath,
    )


def zero_safe(x: Array) -> Array:
    """x, or 1 where it is 0, to divide by."""
    return jnp.where(x > 0, x, 1.0)
