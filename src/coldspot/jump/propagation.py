"""Propagation of a driven network through time, with the integrals of the ledger's rates along the way.

Two forms of the same discrete equations. The plain one propagates probabilities p; net currents J_c = w_f p_i − w_b p_f
come out as differences of flows. The other one propagates the deviation q = p − π from the reference equilibrium
π(t) of the snapshot,

    dq/dt = M q + div N − dπ/dt,      J_c = N_c + w_f q_i − w_b q_f,      N_c = F_c (1 − e^{−A_c}),

with the flow F_c in the reference and its affinity A_c, which is known without cancellation. Where the state follows
its reference closely, net currents keep the digits that their gross flows would cost. dπ/dt is the derivative of the
collocation polynomial through π at the stages, so that both forms have the same discretisation error, whatever it is.

Where the period has pieces (see `pieces`), π and the energies may change suddenly from one to the next; probabilities
do not, so that q changes by what π does, and a sudden change does the work Σ_i p_i ΔE_i.

Time is counted in periods. Arrays have the batch axis last.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.collocation import STAGES, element, tableau
from ..numerics.held import added, held
from ..numerics.loops import bounded, free
from ..numerics.mesh import Mesh
from .graph import Graph, Snapshot, divergence, matrix, ranked
from .gth import log_sum
from .pieces import Element, Pieces, beginning, element_at, phases, pieces_of
from .system import System


class Rows(NamedTuple):
    """Which functionals of the state are integrated over the period, at one stage.

    Rates are Σ_i values_i p_i, with `values` (row, state, point); or, of net currents J, Σ_c amounts_c J_c + Σ_i rest_i
    p_i, with `amounts` (row, transition, point) and `rest` (row, state, point). `blocks_of` says which rows are what.
    """

    values: Array
    amounts: Array
    rest: Array


GROSS = {
    "gross_energy": ("heats", "works"),
    "gross_particles": ("particles",),
    "gross_chemical": ("chemical_works",),
    "gross_entropy": ("entropy_flows",),
}
"""Sums of the sizes of all flows, whatever their direction: one for each unit, and the rows that have that unit."""


def blocks_of(system: System) -> dict[str, slice]:
    """Where each kind of functional stands among the rows: net ones, then gross ones of the units that occur."""
    baths = len(system.steady_baths())
    sizes = {"heats": baths}
    if system.has_particles:
        sizes["particles"] = baths
    if not all(system.steady_baths()):
        sizes |= {"chemical_works": baths, "entropy_flows": baths}
    sizes["works"] = len(system.workers())
    sizes |= {gross: 1 for gross, names in GROSS.items() if names[0] in sizes}
    ends = np.cumsum(list(sizes.values())).tolist()
    return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}


def rows_of(system: System) -> int:
    return max(block.stop for block in blocks_of(system).values())


def stages(system: System, phases: Array) -> Snapshot:
    """Snapshots (…, stage first, point last) of a batch of networks (leading axis) at phases (stage) or (stage, point).

    Phases without a point axis are common to all points.
    """
    arrays, static = eqx.partition(system, eqx.is_array)
    axis = 0 if phases.ndim > 1 else None

    def one(phase: Array) -> Snapshot:
        return jax.vmap(lambda a, t: eqx.combine(a, static).snapshot(t), in_axes=(0, axis), out_axes=-1)(arrays, phase)

    return jax.vmap(one)(phases)


def generator(g: Graph, s: Snapshot) -> Array:
    """M (stage, i, j, point), columns sum to zero."""

    def one(forward: Array, backward: Array) -> Array:
        w = matrix(g, forward, backward, jnp.add, 0.0)
        return w - jnp.eye(g.states)[..., None] * added(w)[None]

    return jax.vmap(one)(s.forward, s.backward)


def functionals(system: System, g: Graph, s: Snapshot) -> Rows:
    """Rows for one stage: heat per bath, particles, …, work per drive, gross flows.

    Work ⟨Σ_i p_i ∂E_i/∂λ_d dλ_d/dt⟩ would cancel over a period to what p changes. For the part of the energies that
    depends on drive d alone it is integrated by parts: −⟨Σ_c (gain_f − gain_i) J_c⟩, with the net currents J_c, which
    counts sudden changes, too. Work reservoirs give what the net currents take from them.
    """
    blocks = blocks_of(system)
    chemical = s.potential[:, None] * s.particles
    every = {
        "heats": s.energy - chemical,
        "particles": s.particles,
        "chemical_works": chemical,
        "entropy_flows": (s.energy - chemical) / s.temperature[:, None],
        "works": jnp.concatenate([s.gains[:, g.initial.array] - s.gains[:, g.final.array], s.work]),
    }
    drives = s.gains.shape[0]
    parts = {name: every[name] for name in blocks if name not in GROSS}
    sizes = [sum(added(jnp.abs(parts[name])) for name in names) for unit, names in GROSS.items() if unit in blocks]
    start, net = rows_of(system), blocks["gross_energy"].start
    amounts = jnp.concatenate([*parts.values(), jnp.stack(sizes)])
    sign = jnp.where(jnp.arange(start) < net, -1.0, 1.0)[:, None, None]
    rest = jnp.zeros((start, g.states, amounts.shape[-1]))
    speed = 2 * jnp.pi / system.period if system.period is not None else 1.0
    rest = rest.at[blocks["works"].start : blocks["works"].start + drives].set(speed * s.rest)
    rest = rest.at[net].set(jnp.sum(jnp.abs(speed * s.rest), axis=0))
    out, back = amounts * s.forward, sign * amounts * s.backward

    edges, states = amounts.shape[1], np.concatenate([g.initial.array, g.final.array])
    # Line m of the table names the m-th end of a transition at each state, or the nothing at the end.
    table = ranked(states, np.arange(2 * edges), g.states, 2 * edges)
    ends = jnp.concatenate([out, back, jnp.zeros_like(out[:, :1])], axis=1)
    values = sum([ends[:, line] for line in table], rest)
    return Rows(values, amounts, rest)


class Drift(NamedTuple):
    """The reference equilibrium along one element: what deviations are measured from.

    `source` (stage, state, point): h(div N) − Δπ as the collocation polynomial sees it; `net` N, and `smaller`, the
    smaller of the two flows of each transition in the reference (stage, transition, point); `pi` (stage, state, point);
    `moved` (point): Σ_i |π_i(end) − π_i(start)|.
    """

    source: Array
    net: Array
    smaller: Array
    pi: Array
    moved: Array


def drift(g: Graph, s: Snapshot, before: Array, scale: Array) -> Drift:
    """For the stages' snapshots and the reference (state, point) where the element starts; `scale`: its time."""
    _, derivative, _, _ = tableau(STAGES)
    log_pi = s.reference - jax.vmap(log_sum)(s.reference)[:, None]
    out = jnp.exp(s.log_forward + log_pi[:, g.initial.array])
    back = jnp.exp(s.log_backward + log_pi[:, g.final.array])
    # Both flows from the larger one and the affinity, so that rounding leaves the affinity as it is.
    larger = jnp.where(s.deviation >= 0, out, back)
    net = -larger * jnp.expm1(-jnp.abs(s.deviation)) * jnp.sign(s.deviation)
    start = jnp.exp(before - log_sum(before))
    grown = jnp.expm1(s.reference - before)
    mean = jnp.sum(start * grown, axis=1, keepdims=True)
    change = start * (grown - mean) / (1 + mean)
    speed = jnp.einsum("ij,jkp->ikp", jnp.asarray(derivative), change)
    source = jax.vmap(lambda n: divergence(g, n))(net) * scale - speed
    moved = jnp.sum(jnp.max(jnp.abs(change), axis=0), axis=0)
    return Drift(source, net, larger * jnp.exp(-jnp.abs(s.deviation)), jnp.exp(log_pi), moved)


class Totals(NamedTuple):
    """Integrals of the functionals along the way, per unit of time.

    `sums` (row, column, point). Of a deviation alone also what rounding left out of the sums, `lost`; the `largest`
    amounts (row, point) so far, and `moved` (row, point), what the motion of the reference carries with the largest of
    each element.
    """

    sums: Array
    lost: Array
    largest: Array
    moved: Array


class Carry(NamedTuple):
    """What goes from element to element.

    `columns` (state, column, point): probabilities; in the form of deviations the last column is a deviation, to which
    alone `totals` belong, and `reference` (state, point) is ln of the reference equilibrium here.
    """

    columns: Array
    totals: Totals | None = None
    reference: Array | None = None

    @property
    def counted(self) -> Totals:
        """The totals, which there are if the march was given rows."""
        assert self.totals is not None
        return self.totals


def advance(system: System, pieces: Pieces | None, e: Element, carry: Carry) -> Carry:
    """One element (in periods; in time units if nothing is driven)."""
    g = system.graph()
    nodes, _, _, weights = tableau(STAGES)
    columns, totals = carry.columns, carry.totals
    period = system.period if system.period is not None else jnp.ones(columns.shape[-1])
    s = stages(system, phases(pieces, e.piece, e.first + nodes[:, None] * e.span))
    d = None
    if carry.reference is not None and pieces is not None:
        carry = moved_to(system, phases(pieces, e.piece, e.first), carry)
        columns, totals = carry.columns, carry.counted
    if carry.reference is not None:
        d = drift(g, s, carry.reference, period * e.span)
    values = element(generator(g, s) * (period * e.span), columns, None if d is None else d.source)
    if totals is not None and d is None:
        rows = jax.vmap(lambda s: functionals(system, g, s).values)(s)
        parts, values = held(jnp.asarray(weights)[:, None, None, None] * e.span * rows), held(values)
        mean = added(added(parts[:, :, :, None] * values[:, None], 2))
        totals = totals._replace(sums=totals.sums + mean)
    elif totals is not None and d is not None:
        each = functools.partial(_of_deviation, system, g)
        by_stage: Any = Drift(*(0, 0, 0, 0), None)  # type: ignore[arg-type]
        rates, sizes = jax.vmap(each, in_axes=(0, by_stage, 0))(s, d, values[:, :, -1])
        largest = jnp.max(sizes, axis=0)
        sums, lost = _added(totals.sums, jnp.tensordot(jnp.asarray(weights), rates, 1)[:, None] * e.span)
        moved = totals.moved + largest * d.moved
        totals = Totals(sums, totals.lost + lost, jnp.maximum(totals.largest, largest), moved)
    return Carry(values[-1], totals, None if d is None else s.reference[-1])


def moved_to(system: System, phase: Array, carry: Carry) -> Carry:
    """The last column as a deviation from the reference at a phase (point), not from that of the carry."""
    assert carry.reference is not None
    reference = jax.tree.map(lambda x: x[0], stages(system, phase[None])).reference
    rise = reference - carry.reference
    before, after = (jnp.exp(r - log_sum(r)) for r in (carry.reference, reference))
    # A small change without the digits that the difference would cost, a large one without overflow.
    small = jnp.max(jnp.abs(rise), axis=0) < 1
    grown = jnp.expm1(jnp.where(small, rise, 0.0))
    mean = jnp.sum(before * grown, axis=0)
    change = jnp.where(small, before * (grown - mean) / (1 + mean), after - before)
    totals = carry.counted
    size = jnp.sum(jnp.abs(change), axis=0)
    totals = totals._replace(moved=totals.moved + totals.largest * size)
    return Carry(carry.columns.at[:, -1].add(-change), totals, reference)


def sudden_changes(system: System, pieces: Pieces | None) -> Array | None:
    """What sudden changes at the end of each piece (piece, drive, state, point) add to the works; None if nothing."""
    if pieces is None or len(system.drives) < 2:
        return None
    arrays, static = eqx.partition(system, eqx.is_array)
    before, after = 2 * jnp.pi * pieces.high, 2 * jnp.pi * jnp.roll(pieces.low, -1, axis=0)

    def one(a: Any, b: Array, c: Array) -> Array:
        return eqx.combine(a, static).sudden(b, c)

    return jax.vmap(lambda b, c: jax.vmap(one, in_axes=(0, -1, -1), out_axes=-1)(arrays, b, c))(before, after)


def across(system: System, changes: Array | None, e: Element, carry: Carry) -> Carry:
    """The works of the sudden change at the end of an element, if it ends at a border."""
    if changes is None or carry.totals is None:
        return carry
    assert system.period is not None
    change = jnp.take_along_axis(changes, e.piece[None, None, None], axis=0)[0] / system.period
    change = jnp.where(e.ends, change, 0.0)
    where = blocks_of(system)
    works = slice(where["works"].start, where["works"].start + change.shape[0])
    columns = carry.columns
    if carry.reference is not None:
        columns = columns[:, -1:] + jnp.exp(carry.reference - log_sum(carry.reference))[:, None]
    sums = carry.totals.sums.at[works].add(jnp.sum(change[:, :, None] * columns[None], axis=1))
    gross = jnp.sum(jnp.sum(jnp.abs(change), axis=0)[:, None] * jnp.abs(columns), axis=0)
    return carry._replace(totals=carry.totals._replace(sums=sums.at[where["gross_energy"].start].add(gross)))


def _added(total: Array, term: Array) -> tuple[Array, Array]:
    """A sum, and what rounding left out of it."""
    new = total + term
    part = new - total
    return new, (total - (new - part)) + (term - part)


def _of_deviation(system: System, g: Graph, s: Snapshot, d: Drift, q: Array) -> tuple[Array, Array]:
    """Rates of a deviation q (state, point) and the largest amounts (row, point) at one stage.

    Gross rows add up sizes, also of what N may be off: an affinity made of terms of some size is known to its rounding.
    """
    r = functionals(system, g, s)
    gross = jnp.arange(r.values.shape[0])[:, None] >= blocks_of(system)["gross_energy"].start
    net = jnp.where(gross[..., None], jnp.abs(d.net) + s.deviation_size * d.smaller, d.net)
    own = jnp.where(gross[..., None], jnp.abs(q), q)
    rates = jnp.sum(r.values * own, axis=1) + jnp.sum(r.amounts * net, axis=1) + jnp.sum(r.rest * d.pi, axis=1)
    return rates, jnp.max(jnp.abs(r.amounts), axis=1)


def plain_start(columns: Array, rows: int) -> Carry:
    """Probabilities (state, column, point), and integrals of so many functionals."""
    nothing = jnp.zeros((0, columns.shape[-1]))
    return Carry(columns, Totals(jnp.zeros((rows, *columns.shape[1:])), nothing, nothing, nothing))


def deviation_start(system: System, columns: Array, rows: int) -> Carry:
    """As `plain_start` at the beginning of a period; the last column is a deviation, and integrals are its."""
    first = beginning(pieces_of(system), columns.shape[-1])
    reference = jax.tree.map(lambda x: x[0], stages(system, first[None])).reference
    sums, zero = jnp.zeros((rows, 1, columns.shape[-1])), jnp.zeros((rows, columns.shape[-1]))
    return Carry(columns, Totals(sums, sums, zero, zero), reference)


def _marching(system: System, mesh: Mesh, parts: Array) -> tuple[Callable[..., Carry], Callable[[Carry], Carry]]:
    """What goes through element k, and what ends the period."""
    pieces = pieces_of(system)
    changes = sudden_changes(system, pieces)

    def one(k: Array, carry: Carry) -> Carry:
        e = element_at(pieces, mesh, parts, k)
        return across(system, changes, e, advance(system, pieces, e, carry))

    def close(carry: Carry) -> Carry:
        if pieces is None or carry.reference is None:
            return carry
        return moved_to(system, beginning(pieces, parts.shape[0]), carry)

    return one, close


def propagate(system: System, mesh: Mesh, parts: Array, start: Carry) -> Carry:
    """Over one period, in the elements of a mesh that are cut into `parts` (point)."""
    one, close = _marching(system, mesh, parts)
    return close(free(one, jnp.max(mesh.count * parts), start))


def propagate_bounded(system: System, mesh: Mesh, parts: Array, start: Carry, blocks: int) -> Carry:
    """As `propagate`, in at most blocks² elements, in loops of fixed length: differentiable in both modes.

    What lies beyond the last element is skipped, not computed.
    """
    one, close = _marching(system, mesh, parts)
    return close(bounded(one, jnp.max(mesh.count * parts), start, blocks))
