"""Propagation of a driven network through time, with the integrals of the ledger's rates along the way.

Time is counted in periods. Arrays have the batch axis last.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.collocation import STAGES, element, tableau
from .graph import Graph, Snapshot, matrix

if TYPE_CHECKING:
    from .network import JumpNetwork


class Rows(NamedTuple):
    """Which functionals of the state are integrated over the period: (row, state, point) and their blocks."""

    values: Array
    blocks: dict[str, slice]


def stages(network: "JumpNetwork", phases: Array) -> Snapshot:
    """Snapshots (…, stage first, point last) of a batch of networks (leading axis) at the given phases."""
    arrays, static = eqx.partition(network, eqx.is_array)

    def one(phase: Array) -> Snapshot:
        return jax.vmap(lambda a: eqx.combine(a, static).snapshot(phase), out_axes=-1)(arrays)

    return jax.vmap(one)(phases)


def generator(g: Graph, s: Snapshot) -> Array:
    """M (stage, i, j, point), columns sum to zero."""

    def one(forward: Array, backward: Array) -> Array:
        w = matrix(g, forward, backward, jnp.add, 0.0)
        return w - jnp.eye(g.states)[..., None] * jnp.sum(w, axis=0)[None]

    return jax.vmap(one)(jnp.exp(s.log_forward), jnp.exp(s.log_backward))


def functionals(network: "JumpNetwork", g: Graph, s: Snapshot) -> Rows:
    """Rows r with ⟨rate⟩ = Σ_i r_i p_i for one stage: energy per bath, particles, …, work per drive, gross flow.

    Work ⟨Σ_i p_i ∂E_i/∂λ_d dλ_d/dt⟩ would cancel over a period to what p changes. For the part of the energies that
    depends on drive d alone it is integrated by parts: −⟨Σ_c (gain_f − gain_i) J_c⟩, with the net currents J_c.
    """
    forward, backward = jnp.exp(s.log_forward), jnp.exp(s.log_backward)
    steady = network.steady_baths()
    parts = {"energies": s.energy}
    if network.has_particles:
        parts["particle_numbers"] = s.particles
    if not all(steady):
        parts["chemical_works"] = s.potential[:, None] * s.particles
        parts["entropy_flows"] = (s.energy - s.potential[:, None] * s.particles) / s.temperature[:, None]
    parts["works"] = s.gains[:, g.initial.array] - s.gains[:, g.final.array]
    amounts = jnp.concatenate(list(parts.values()))
    # Sums of all flows, whatever their direction, one for each unit that occurs.
    gross = {"gross_energy": jnp.sum(jnp.abs(s.energy), axis=0) + jnp.sum(jnp.abs(parts["works"]), axis=0)}
    if network.has_particles:
        gross["gross_particles"] = jnp.sum(jnp.abs(s.particles), axis=0)
    if "entropy_flows" in parts:
        gross["gross_entropy"] = jnp.sum(jnp.abs(parts["entropy_flows"]), axis=0)

    def rows(amount: Array, sign: float) -> Array:
        zero = jnp.zeros((amount.shape[0], g.states, amount.shape[-1]))
        zero = zero.at[:, g.initial.array].add(amount * forward)
        return zero.at[:, g.final.array].add(sign * amount * backward)

    blocks, start = {}, 0
    for name, part in parts.items():
        blocks[name] = slice(start, start + part.shape[0])
        start += part.shape[0]
    for name in gross:
        blocks[name] = slice(start, start + 1)
        start += 1
    rest = 2 * jnp.pi / network.period * s.rest if network.period is not None else s.rest
    values = rows(amounts, -1.0).at[blocks["works"]].add(rest)
    gross_rows = rows(jnp.stack(list(gross.values())), 1.0)
    gross_rows = gross_rows.at[0].add(jnp.sum(jnp.abs(rest), axis=0))
    return Rows(jnp.concatenate([values, gross_rows]), blocks)


def blocks_of(network: "JumpNetwork") -> dict[str, slice]:
    """Where each kind of functional stands among the rows (known without numbers)."""
    found: dict[str, slice] = {}

    def look(net: Any) -> Array:
        rows = functionals(net, net.graph(), jax.tree.map(lambda x: x[0], stages(net, jnp.zeros(1))))
        found.update(rows.blocks)
        return rows.values

    eqx.filter_eval_shape(look, network)
    return found


def advance(network: "JumpNetwork", span: Any, first: Any, carry: tuple[Array, Array]) -> tuple[Array, Array]:
    """One element, from time `first` over `span` (in periods; in time units if nothing is driven).

    The carry holds the propagated columns (state, column, point) and the integrals of the functionals
    (row, column, point) per unit of time.
    """
    g = network.graph()
    nodes, _, _, weights = tableau(STAGES)
    columns, total = carry
    period = network.period if network.period is not None else jnp.ones(columns.shape[-1])
    s = stages(network, 2 * jnp.pi * (first + nodes * span))
    values = element(generator(g, s) * (period * span), columns)
    for j in range(STAGES):
        r = functionals(network, g, jax.tree.map(lambda x, j=j: x[j], s)).values
        total = total + weights[j] * span * jnp.sum(r[:, :, None] * values[j][None], axis=1)
    return values[-1], total


def propagate(
    network: "JumpNetwork", elements: Array, start: Array, first: Any = 0.0, last: Any = 1.0
) -> tuple[Array, Array]:
    """`advance` from `first` to `last` in equal elements, whose number may be known only at run time."""
    span = (jnp.asarray(last) - first) / elements
    carry = start, jnp.zeros((rows_of(network), *start.shape[1:]))
    return jax.lax.fori_loop(0, elements, lambda k, c: advance(network, span, first + k * span, c), carry)


def propagate_bounded(network: "JumpNetwork", elements: Array, start: Array, blocks: int) -> tuple[Array, Array]:
    """One period in at most blocks² elements, in loops of fixed length: differentiable in both modes.

    What lies beyond `elements` is skipped, not computed.
    """
    span = 1.0 / elements

    def one(k: Array, carry: Any) -> Any:
        return jax.lax.cond(k < elements, lambda c: advance(network, span, k * span, c), lambda c: c, carry)

    def block(m: Array, carry: Any) -> Any:
        def run(c: Any) -> Any:
            return jax.lax.scan(jax.checkpoint(lambda c, i: (one(m * blocks + i, c), None)), c, jnp.arange(blocks))[0]

        return jax.lax.cond(m * blocks < elements, run, lambda c: c, carry)

    carry = start, jnp.zeros((rows_of(network), *start.shape[1:]))
    return jax.lax.scan(jax.checkpoint(lambda c, m: (block(m, c), None)), carry, jnp.arange(blocks))[0]


def rows_of(network: "JumpNetwork") -> int:
    return sum(b.stop - b.start for b in blocks_of(network).values())
