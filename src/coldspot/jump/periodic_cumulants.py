"""Cumulants in the periodic state of a driven network.

The vector r_i(t, χ) = ⟨e^{χX} δ_{state i}⟩/⟨e^{χX}⟩ is periodic once the start is forgotten and obeys

    dr/dt = L(t, χ) r − ℓ(t, χ) r,      ℓ = Σ_i (L r)_i,      Σ_i r_i = 1,

with the tilted generator L: rates w_e e^{χa_e}, and χb_i(t) on the diagonal for what the states themselves gain (the
work b_i = ∂E_i/∂λ · dλ/dt of a drive). The mean of ℓ over the period is Σ_k κ_k χ^k/k!. Since r stays normalised,
nothing grows with the length of the period. Order by order, r_k is driven by lower orders; the equations are those of
the Radau elements that also make the periodic state, and the period is closed by the elimination of the propagator's
off-diagonal entries, as there. Each order costs one more march around the period.

The number of parts of each element is doubled until nothing changes any more; changes give the error estimate.
Arrays have the batch axis last.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Counted, Target
from ..numerics.blocks import blockwise
from ..numerics.collocation import STAGES, divide, tableau
from ..numerics.dense import EPS
from ..numerics.loops import bounded, free
from ..numerics.mesh import Mesh
from ..solution import Status
from .cumulants import amounts
from .graph import Graph, Snapshot
from .meshes import mesh_of
from .orders import Index, Orders
from .periodic import FEW, LANES, LOOSEST, PIECEWISE, believed, bent, closed, connected, estimate, state_of
from .pieces import Element, Pieces, element_at, last_of, looks, phases, pieces_of, turns_of
from .propagation import generator, stages, sudden_changes
from .system import System

VALUES = 1e-3
"""A cumulant smaller than this part of the terms that it is a sum of need not be as exact as one that is not."""


def period_of(system: System) -> Array:
    assert system.period is not None
    return system.period


class Tilt(NamedTuple):
    """What counting changes at the stages of an element: `rates` w_e (stage, edge, point) of directed edges, forward
    ones first; amounts (target, stage, edge, point), and gains b per period (target, stage, state, point)."""

    rates: Array
    amount: Array
    gain: Array


def tilt(system: System, g: Graph, s: Snapshot, targets: tuple[Target, ...], smooth: bool) -> Tilt:
    """For snapshots (stage first, point last).

    Where the period has pieces, a drive's work is counted by the jumps, as the energies −ΔE that drives have given the
    states between: so sudden changes are counted, too. Over a long time it is the same.
    """
    forward = jax.vmap(lambda one: amounts(system, one, targets), out_axes=1)(s)
    drives, start, end = tuple(system.drives), g.initial.array, g.final.array
    gain = []
    for k, (quantity, of) in enumerate(targets):
        rate = jnp.zeros_like(s.energies)
        if quantity == "work" and of in drives:
            d = drives.index(of)
            rate = s.slopes[:, d] if smooth else s.rest[:, d]
            if not smooth:
                forward = forward.at[k].set(s.gains[:, d][:, start] - s.gains[:, d][:, end])
        gain.append(2 * jnp.pi * rate)
    rates = jnp.concatenate([s.forward, s.backward], axis=1)
    return Tilt(rates, jnp.concatenate([forward, -forward], axis=2), jnp.stack(gain))


class March(NamedTuple):
    """What goes from element to element: `columns` of the propagator (state, column, point), and for each group of
    fields the orders `r` (group, order, state, point); means so far of `found` and of the sizes of their terms (group,
    order, point)."""

    columns: Array
    r: Array
    found: Array
    sizes: Array


def _step(system: System, plan: "Plan", pieces: Pieces | None, e: Element, m: March) -> March:
    """One element: all orders of all targets."""
    g = system.graph()
    n, orders = system.states, plan.orders
    nodes, derivative, first, weights = tableau(STAGES)
    period, span = period_of(system), e.span
    s = stages(system, phases(pieces, e.piece, e.first + nodes[:, None] * span))
    t = tilt(system, g, s, plan.targets, pieces is None)
    origin = np.concatenate([g.initial.array, g.final.array])
    end = np.concatenate([g.final.array, g.initial.array])

    # The stages' equations Σ_j D_ij Y_j − h M_i Y_i = −d_i start + source_i, solved once for all right sides.
    blocks = jnp.asarray(derivative)[:, None, :, None, None] * jnp.eye(n)[None, :, None, :, None]
    own = jnp.eye(STAGES)[:, None, :, None, None] * (generator(g, s) * (period * span))[:, :, None]
    whole = (blocks - own).reshape(STAGES * n, STAGES * n, -1)
    unit = jnp.broadcast_to(jnp.eye(STAGES * n)[..., None], whole.shape)
    inverse = divide(whole, unit).reshape(STAGES, n, STAGES, n, -1)
    enter = -jnp.sum(inverse * jnp.asarray(first)[:, None, None], axis=2)

    def grouped(rows: Array) -> Array:
        return rows.reshape(-1, orders.fields, *rows.shape[1:])

    def stage_values(before: Array, source: Array | None) -> Array:
        values = jnp.sum(enter * before, axis=2)
        return values if source is None else values + jnp.sum(inverse * source, axis=(2, 3))

    def of_group(amount: Array, gain: Array, before: Array) -> tuple[Array, Array, Array]:
        """Stage values (order below the last degree, stage, state, point), ℓ and sizes (order, stage, point), of
        fields with `amount` (field, stage, edge, point) and `gain` (field, stage, state, point); per period."""
        zero, lower = (0,) * orders.fields, Orders(orders.fields, orders.degree - 1).every
        first = stage_values(before[0], None)
        r = {zero: first / jnp.sum(first, axis=1, keepdims=True)}
        powers = {zero: t.rates * period}
        ell: dict[Index, Array] = {}
        sizes: dict[Index, Array] = {}
        for index in orders.every[1:]:
            field = next(k for k, power in enumerate(index) if power)
            less = tuple(power - (k == field) for k, power in enumerate(index))
            powers[index] = powers[less] * amount[field] / index[field]
            terms = sum(powers[part] * r[rest][:, origin] for part, rest in orders.below(index))
            ones = [(part.index(1), rest) for part, rest in orders.below(index) if sum(part) == 1]
            f = functools.reduce(jnp.add, (gain[k] * r[rest] for k, rest in ones))
            sizes[index] = jnp.sum(jnp.abs(terms), axis=1) + jnp.sum(jnp.abs(f), axis=1)
            ell[index] = jnp.sum(terms, axis=1) + jnp.sum(f, axis=1)
            if sum(index) == orders.degree:
                continue
            f = f.at[:, end].add(terms)
            f = f - sum(ell[part][:, None] * r[rest] for part, rest in orders.below(index))
            value = stage_values(before[len(r)], f * span)
            # Orders add up to nothing. What rounding leaves would grow with the time that an element takes, from one
            # order to the next.
            r[index] = value - r[zero] * jnp.sum(value, axis=1, keepdims=True)
        return tuple(jnp.stack(list(x)) for x in ([r[i] for i in lower], ell.values(), sizes.values()))  # type: ignore

    values, ell, sizes = jax.vmap(of_group)(grouped(t.amount), grouped(t.gain), m.r)
    weight = jnp.asarray(weights)[:, None] * span
    return March(
        jnp.sum(enter[-1][:, :, None] * m.columns, axis=1),
        values[:, :, -1],
        m.found + jnp.sum(weight * ell, axis=-2),
        m.sizes + jnp.sum(weight * sizes, axis=-2),
    )


class Measured(NamedTuple):
    """Derivatives per time by the fields of each group (group, order, point), the sizes of their terms, the `defect`
    (point) of the propagator, and whether it has `joined` (point) all states."""

    values: Array
    sizes: Array
    defect: Array
    joined: Array


def measure(system: System, plan: "Plan", mesh: Mesh, parts: Array, loop: Callable[..., Any]) -> Measured:
    """On the elements of a mesh that are cut into `parts` (point); `loop` goes through the elements."""
    n, points, orders = system.states, parts.shape[0], plan.orders
    groups = len(plan.targets) // orders.fields
    unit = jnp.broadcast_to(jnp.eye(n)[..., None], (n, n, points))
    degrees = np.array([sum(index) for index in orders.every])
    lower = degrees[degrees < orders.degree]
    nothing = jnp.zeros((groups, len(degrees) - 1, points))
    elements = jnp.max(mesh.count * parts)
    pieces = pieces_of(system)

    def around(q: Array, state: tuple[Array, Measured]) -> tuple[Array, Measured]:
        """One march; afterwards the start of all orders of degree q is known, which closes the period."""
        start, _ = state

        def one(k: Array, m: March) -> March:
            return _step(system, plan, pieces, element_at(pieces, mesh, parts, k), m)

        m = loop(one, elements, March(unit, start, nothing, nothing))
        p, factors, defect = state_of(m.columns)
        open_end = m.r - p * jnp.sum(m.r, axis=2, keepdims=True)
        later = jax.vmap(jax.vmap(lambda e: closed(factors, e)))(open_end)
        new = jnp.where(q == 0, p, later)
        start = jnp.where((lower == q)[:, None, None], new, start)
        return start, Measured(m.found, m.sizes, defect, connected(m.columns))

    blank = Measured(nothing, nothing, jnp.zeros(points), jnp.zeros(points, bool))
    begin = jnp.zeros((groups, len(lower), n, points))
    _, found = jax.lax.fori_loop(0, orders.degree + 1, around, (begin, blank))
    factor = np.array([orders.factorial(index) for index in orders.every[1:]], float)
    scale = factor[:, None] / period_of(system)
    return found._replace(values=found.values * scale, sizes=found.sizes * scale)


class Plan(NamedTuple):
    """What to measure: the `orders` in the fields of each group of targets; a group has as many as orders have fields.

    One target in each group: its cumulants. All in one: mixed cumulants.
    """

    targets: tuple[Target, ...]
    orders: Orders


class Search(NamedTuple):
    """Best values so far, their errors, the last change relative to the terms' sizes (point), and the `parts`."""

    best: Measured
    errors: Array
    change: Array
    parts: Array
    done: Array


Measure = Callable[[System, Any, Mesh, Array, Callable[..., Any]], Measured]
"""`measure` of something: of a batch, with further numbers, on elements cut into parts, by a loop."""


def _search(system: System, more: Any, measured: Measure, mesh: Mesh, tolerance: Array) -> Search:
    """Double the parts until every point has settled."""
    points, last = mesh.count.shape[0], last_of(pieces_of(system))
    kinked = bent(system, jax.vmap(functools.partial(stages, system))(looks(pieces_of(system), points).phases))
    arrays, static = eqx.partition(system, eqx.is_array)

    @jax.jit  # which is traced once: for the shapes of its results, and in the loop
    def at(arrays: Any, more: Any, mesh: Mesh, cut: Array) -> Measured:
        return measured(eqx.combine(arrays, static), more, mesh, cut, free)

    def attempt(state: tuple[Array, Search]) -> tuple[Array, Search]:
        parts, old = state
        cut = jnp.full(points, parts)
        still = Mesh(mesh.borders, jnp.where(old.done, 0, mesh.count))
        new = at(arrays, more, still, cut)
        gross = (1 + jnp.sqrt(1.0 * mesh.count * parts) / FEW) * new.sizes
        rounding = FEW * EPS * gross
        known = jnp.where(new.sizes > 0, new.sizes, 1.0)
        change = jnp.max(jnp.abs(new.values - old.best.values) / known, axis=(0, 1))
        # Nothing changes where all that is counted is exactly 0, such as the work of a drive that moves no energy.
        ratio = jnp.where(change == 0, 0.0, change / jnp.where(change == 0, 1.0, old.change))
        errors = jnp.where(kinked, believed(change, old.change), estimate(change, ratio)) * new.sizes + rounding
        errors = jnp.where(jnp.isfinite(old.change), errors, jnp.inf)
        enough = tolerance * jnp.maximum(jnp.abs(new.values), VALUES * new.sizes)
        stuck = (change > old.change / 4) & (change < 1e3 * EPS * jnp.max(gross / known, axis=(0, 1)))
        done = jnp.all(errors <= jnp.maximum(enough, 2 * rounding), axis=(0, 1)) | stuck
        done |= ~jnp.all(jnp.isfinite(new.values), axis=(0, 1)) | ~new.joined | (2 * parts * mesh.count > last)
        fresh = Search(new, errors, change, cut, done)
        return 2 * parts, jax.tree.map(lambda a, b: jnp.where(old.done, b, a), fresh, old)

    one = jnp.asarray(1, mesh.count.dtype)
    shape = jax.eval_shape(at, arrays, more, mesh, jnp.full(points, one))
    blank = jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan if x.dtype == float else True), shape)
    start = Search(
        blank,
        jnp.full(blank.values.shape, jnp.inf),
        jnp.full(points, jnp.nan),
        jnp.ones_like(mesh.count),
        mesh.count > last,
    )
    return jax.lax.while_loop(lambda s: ~jnp.all(s[1].done), attempt, (one, start))[1]


def count_periodic(system: System, targets: tuple[Target, ...], order: int, mixed: bool, tolerance: Array) -> Counted:
    """Cumulants of a batch of driven networks (leading axis) up to an order, or the `mixed` ones of that order."""
    plan = Plan(targets, Orders(len(targets) if mixed else 1, order))

    def measured(batch: System, _: Any, mesh: Mesh, parts: Array, loop: Callable[..., Any]) -> Measured:
        return measure(batch, plan, mesh, parts, loop)

    found = solve_driven(system, None, measured, targets, tolerance)
    if not mixed:
        return found
    assert found.scale is not None
    place, count = plan.orders.derivatives(), len(plan.orders.of(order))
    values, errors, sizes = (x[:, 0, -count:][:, place] for x in (found.values, found.errors, found.scale))
    return Counted(values, errors, sizes, found.faults)


def solve_driven(
    system: System, more: Any, measured: Measure, targets: tuple[Target, ...], tolerance: Array
) -> Counted:
    """What is `measured` of a batch of driven networks (leading axis, in and out) with `more` numbers."""
    arrays, static = eqx.partition(system, eqx.is_array)
    fixed, known = jax.lax.stop_gradient((arrays, more))

    def solve(part: Any) -> Any:
        one = eqx.combine(part, static)
        mesh, resolved = mesh_of(one)
        loosest = LOOSEST if pieces_of(one) is None else PIECEWISE
        found = _search(one, known, measured, mesh, jnp.minimum(tolerance, loosest))
        return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), (found, mesh, resolved))

    found, mesh, resolved = jax.lax.stop_gradient(blockwise(fixed, solve, LANES))
    found, mesh = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), (found, mesh))
    values = _attach(system, more, measured, mesh, found)
    pieces = pieces_of(eqx.combine(fixed, static))
    seen = looks(pieces, values.shape[-1]).phases
    valid = jnp.all(stages(system, seen.reshape(-1, seen.shape[-1])).valid, axis=0)
    changes = sudden_changes(system, pieces)
    counted = [k for k, name in enumerate(system.drives) if Target("work", name) in targets]
    if changes is not None and counted:
        # Where the drives' parts of the energy do not add up, the jumps do not tell whose a sudden change is.
        valid_work = jnp.all(changes[:, np.array(counted)] == 0, axis=(0, 1, 2))
    else:
        valid_work = jnp.ones_like(valid)
    faults = {
        Status.INVALID: ~valid,
        Status.NOT_UNIQUE: ~found.best.joined | (len(system.components()) > 1),
        Status.NOT_CONVERGED: ~resolved | ~(found.best.defect < 1e-6) | ~valid_work,
    }
    values, errors, sizes = (jnp.moveaxis(x, -1, 0) for x in (values, found.errors, found.best.sizes))
    return Counted(values, errors, sizes, faults)


def _attach(system: System, more: Any, measured: Measure, mesh: Mesh, found: Search) -> Array:
    """The values that were found, with the derivatives (both modes) of the equations on the same elements."""
    arrays, static = eqx.partition(system, eqx.is_array)
    turns = turns_of(pieces_of(system))

    @jax.custom_jvp
    def attach(numbers: Any, values: Array, fixed: Any) -> Array:
        return values

    @attach.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        numbers, _, (borders, count, parts) = primals
        cut = Mesh(borders, count.astype(jnp.int32)), parts.astype(jnp.int32)

        def one(numbers: Any) -> Array:
            loop = functools.partial(bounded, blocks=turns)
            return measured(eqx.combine(numbers[0], static), numbers[1], *cut, loop).values

        return attach(*primals), jax.jvp(one, (numbers,), (tangents[0],))[1]

    fixed = jax.lax.stop_gradient((mesh.borders, mesh.count * 1.0, found.parts * 1.0))
    return attach((arrays, more), found.best.values, fixed)
