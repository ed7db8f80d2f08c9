"""Periodic state of a driven network, found directly, and its period-averaged ledger.

The propagator P over one period is built from Radau IIA elements (`collocation`) on a mesh that resolves the drives
(`meshes`), whose
elements end where drives jump (`pieces`), each cut into more and more parts. The periodic state is the stationary
distribution of P, by subtraction-free elimination of its off-diagonal entries; never from P−1, so slow networks lose no
digits. The ledger's averages are linear functionals of the state at phase 0 that accumulate along the way, as does the
sum of all gross flows, which bounds the rounding error.

The number of parts is doubled for the points of a batch that have not met the tolerance; the last two changes give the
error estimate. Where rounding alone is too large beside the net rates, the same is done once more for the deviation
from the reference equilibrium (see `propagation`). Arrays inside have the batch axis last.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS
from ..numerics.mesh import Mesh
from ..solution import Status
from .gth import Elimination, eliminate_rates, respond
from .kinetics import ANYHOW, BENT, DIVERGING, FAINT
from .meshes import mesh_of, told
from .pieces import last_of, looks, pieces_of, turns_of
from .propagation import GROSS, blocks_of, deviation_start, plain_start, propagate, propagate_bounded, rows_of, stages
from .system import System
from .validity import cautions

MANY = 16
"""Parts of the mesh's elements that resolve a smooth problem."""
LOOSEST = 1e-8
"""Largest tolerance that is used; a looser one would save little and make the error estimate unreliable."""
PIECEWISE = 1e-11
"""Largest tolerance that is used where the period has pieces: more digits cost little, as elements end at borders."""
FEW = 8.0
"""Rounding units of a flow: what its computation from the network's numbers costs."""
LANES, HARD = 64, 32
"""Points that are propagated together: enough to fill vector units, few enough to stay in cache. In the form of
deviations, where one of them may need many elements, so few that the others do not wait for it."""


def estimate(change: Array, ratio: Array) -> Array:
    """Error of the finer of two results, from its change against the coarser one.

    If changes shrink by a factor ρ per doubling, the error is about ρ·change: 1/128 for the order 2s−1 = 7 of smooth
    problems, more for stiff ones and before convergence sets in. Eight times that, but never below an eighth of the
    change (a few changes do not prove an order) nor above the change itself.
    """
    return change * jnp.clip(8 * ratio, 1 / 8, 1.0)


class Period(NamedTuple):
    """One period of a batch at given elements, batch last.

    `p` (state, point) at phase 0, `averages` (row, point), `defect` (point) of probabilities; `joined` (point), whether
    the propagator connects all states; `deviation` q (state,
    point) at phase 0 in the form of deviations, else NaN; `gross` (row, point): the flows whose rounding each average
    carries; `transport` (row, point): the part that the rounding of the drives' own numbers moves in any method.
    """

    p: Array
    averages: Array
    defect: Array
    joined: Array
    deviation: Array
    gross: Array
    transport: Array


def blank(system: System, fill: float) -> Period:
    """A period of a batch in which every number is `fill`."""
    states, rows, points = system.states, rows_of(system), system.period.shape[0]  # type: ignore[union-attr]
    state, row, point = (jnp.full(shape, fill) for shape in ((states, points), (rows, points), (points,)))
    return Period(state, row, point, jnp.ones(points, bool), state, row, row)


def _off_diagonal(propagator: Array) -> Array:
    return jnp.where(jnp.eye(propagator.shape[0], dtype=bool)[..., None], 0.0, propagator)


def state_of(propagator: Array) -> tuple[Array, Elimination, Array]:
    """p and its factors, and the defect of the method: columns of P that do not sum to one, negative probabilities."""
    p, factors = eliminate_rates(_off_diagonal(propagator))
    return p, factors, jnp.max(jnp.abs(jnp.sum(propagator, axis=0) - 1), axis=0) + jnp.maximum(-jnp.min(p, axis=0), 0.0)


def connected(propagator: Array) -> Array:
    """Whether a propagator leads from any state to any other in some number of periods.

    One that overflowed says nothing of this: what it gives is not finite, and is told as that.
    """
    ways = (propagator > FAINT) | (jnp.swapaxes(propagator, 0, 1) > FAINT)

    def spread(_: Any, reached: Array) -> Array:
        return reached | jnp.any(ways & reached[None], axis=1)

    start = jnp.zeros(propagator.shape[1:], bool).at[0].set(True)
    reached = jax.lax.fori_loop(1, propagator.shape[0], spread, start)
    return jnp.all(reached, axis=0) | ~jnp.all(jnp.isfinite(propagator), axis=(0, 1))


def closed(factors: Elimination, r: Array) -> Array:
    """x = P x + r (state, point) with columns of P that sum to one, so that Σr = 0; the answer has Σx = Σr."""
    total = jnp.sum(r, axis=0)
    weight = factors.p
    return weight * (respond(factors, (r - total * weight) / jnp.exp(factors.scale)) + total)


def _units(system: System) -> Array:
    n, points = system.states, system.period.shape[0]  # type: ignore[union-attr]
    return jnp.broadcast_to(jnp.eye(n)[..., None], (n, n, points))


def plain_period(system: System, mesh: Mesh, parts: Array) -> Period:
    """By probabilities."""
    ends = propagate(system, mesh, parts, plain_start(_units(system), rows_of(system)))
    p, _, defect = state_of(ends.columns)
    averages = jnp.sum(ends.counted.sums * p[None], axis=1)
    gross = (1 + jnp.sqrt(1.0 * mesh.count * parts) / FEW) * spread(blocks_of(system), averages)
    joined = connected(ends.columns)
    return Period(p, averages, defect, joined, jnp.full(p.shape, jnp.nan), gross, jnp.zeros(gross.shape))


def deviation_period(system: System, mesh: Mesh, parts: Array) -> Period:
    """By deviations from the reference equilibrium.

    Their periodic state is a fixed point of an affine map, found in one step from anywhere; going around once more from
    there gives the averages and shows by how much the period does not close.
    """
    n, where, units = system.states, blocks_of(system), _units(system)
    rows = rows_of(system)
    assert system.period is not None
    period = system.period

    def around(_: Any, state: tuple[Array, Any]) -> tuple[Array, Any]:
        start, _ = state
        columns = jnp.concatenate([units, start[:, None]], axis=1)
        ends = propagate(system, mesh, parts, deviation_start(system, columns, rows))
        p, factors, defect = state_of(ends.columns[:, :n])
        gap = ends.columns[:, n] - start
        gap = gap - p * jnp.sum(gap, axis=0)
        change = closed(factors, gap)
        # What is left open could be felt for as long as the slowest relaxation takes.
        each = jax.vmap(lambda e: closed(factors, e - p), in_axes=1, out_axes=1)(units)
        memory = jnp.max(jnp.sum(jnp.abs(each), axis=0), axis=0)
        left = memory * jnp.sum(jnp.abs(gap) + EPS * jnp.abs(start), axis=0)
        averages = ends.counted.sums[:, 0] + ends.counted.lost[:, 0]
        transport = spread(where, averages) + spread(where, ends.counted.moved / period)
        gross = transport + spread(where, ends.counted.largest * left / period) / (FEW * EPS)
        joined = connected(ends.columns[:, :n])
        return start + change, Period(p, averages, defect, joined, start, gross, transport)

    return jax.lax.fori_loop(0, 2, around, (jnp.zeros_like(units[0]), blank(system, 0.0)))[1]


class Found(NamedTuple):
    """Result of the search, batch last: the period, its last change (row) and by what factor changes shrank at

    worst among the rows, the averages' error bounds (row), and the parts of each element.
    """

    period: Period
    change: Array
    ratio: Array
    error: Array
    parts: Array


Form = Callable[[System, Mesh, Array], Period]
PLAIN, DEVIATION = plain_period, deviation_period


def bent(system: System, around: Any) -> Array:
    """Where there may be kinks that no border marks (point): of rates, or of drives whose formulas do not tell.

    `around`: stages at `looks`.

    There a change may be small by chance: see `believed`.
    """
    how = system.smoothness()
    low, high = jnp.min(around.exponent, axis=1), jnp.max(around.exponent, axis=1)
    crossing = jnp.any((low <= 0) & (high >= 0) & (low < high), axis=0)
    unknown = jnp.any(crossing & (how == BENT)[:, None], axis=0) | np.any(how == ANYHOW)
    return unknown if pieces_of(system) is not None else unknown | ~told(system)


def believed(change: Array, before: Array) -> Array:
    """Error of the finer of two results where there may be kinks, from its change, and that of the coarser one.

    Doubled parts gain a factor of four there, on average: how an element lies over a kink is chance.
    """
    return jnp.maximum(2 * change, before / 2)


def search(system: System, mesh: Mesh, tolerance: Array, form: Form, active: Array, kinked: Array) -> Found:
    """Double the parts until the averages of each `active` point have settled; who has is not computed again.

    `kinked` (point): see `bent`.
    """
    points = active.shape[0]
    lanes = min(LANES if form is PLAIN else HARD, points)
    arrays, static = eqx.partition(system, eqx.is_array)
    arrays = jax.lax.stop_gradient(arrays)
    where, last = blocks_of(system), last_of(pieces_of(system))
    nothing = blank(system, jnp.nan)

    def attempt(parts: Array, active: Array, known: Found) -> tuple[Found, Array]:
        # Points with equally many elements stand together.
        order = jnp.argsort(jnp.where(active, mesh.count, last + 1), stable=True)
        batches = (jnp.sum(active) + lanes - 1) // lanes

        def some(c: Array, carry: tuple[Found, Array]) -> tuple[Found, Array]:
            known, active = carry
            # The last batch is filled up with points that have been solved with these parts or are done: they stay.
            first = jnp.minimum(c * lanes, points - lanes)
            index = jax.lax.dynamic_slice(order, (first,), (lanes,))
            part = eqx.combine(jax.tree.map(lambda a: a[index], arrays), static)
            todo = active[index] & (first + jnp.arange(lanes) >= c * lanes)
            own = Mesh(mesh.borders[:, index], jnp.where(todo, mesh.count[index], 0))
            new = form(part, own, jnp.full(lanes, parts))
            old = jax.tree.map(lambda a: a[..., index], known)
            rounding = _rounding(new)
            change = _norms(where, new.averages - old.period.averages, new, form)
            shrunk = jnp.max(jnp.where(change > rounding, change / old.change, 0.0), axis=0)
            # One small change may be luck: the ratio before counts too, if it was worse. What needs many elements
            # is not smooth (rates with a kink, say) and has no order to rely on.
            ratio = jnp.where(old.ratio > shrunk, jnp.sqrt(shrunk * old.ratio), shrunk)
            expected = old.change * jnp.where(old.ratio > shrunk, old.ratio, shrunk)
            rough = parts > MANY
            change, ratio = jnp.where(rough, jnp.maximum(change, expected), change), jnp.where(rough, 1.0, ratio)
            hopeless = ~jnp.all(jnp.isfinite(new.averages), axis=0) | ~new.joined
            known_order = jnp.all(jnp.isfinite(old.change), axis=0)
            error = jnp.where(kinked[index], believed(change, old.change), estimate(change, ratio))
            error = jnp.where(known_order, error, jnp.inf) + rounding
            fresh = Found(new, change, jnp.where(known_order, shrunk, jnp.nan), error, jnp.full(lanes, parts))
            stuck = _largest(where, change) > _largest(where, old.change) / 4
            # In the plain form the other one is the way out; there, nothing but rounding ends the search.
            hopeless |= stuck & (_largest(where, error) <= (1e3 if form is PLAIN else 4.0) * _largest(where, rounding))
            hopeless |= 2 * parts * own.count > last
            merged = jax.tree.map(lambda a, b: jnp.where(todo, a, b), fresh, old)
            known = jax.tree.map(lambda a, b: a.at[..., index].set(b), known, merged)
            over = todo & (settled(where, fresh, tolerance) | hopeless)
            return known, active.at[index].set(active[index] & ~over)

        return jax.lax.fori_loop(0, batches, some, (known, active))

    def body(state: tuple[Array, Array, Found]) -> tuple[Array, Array, Found]:
        parts, active, known = state
        known, active = attempt(parts, active, known)
        return 2 * parts, active, known

    start = Found(
        nothing,
        jnp.full(nothing.averages.shape, jnp.nan),
        jnp.full(points, jnp.nan),
        jnp.full(nothing.averages.shape, jnp.inf),
        jnp.ones(points, jnp.int32),
    )
    _, _, found = jax.lax.while_loop(
        lambda state: jnp.any(state[1]), body, (jnp.asarray(1, jnp.int32), active & (mesh.count <= last), start)
    )
    return found


def spread(where: dict[str, slice], rows: Array) -> Array:
    """For each row, the gross flow of its unit (row, point)."""
    scale = jnp.abs(rows)
    for gross, names in GROSS.items():
        for name in names:
            if gross in where and name in where:
                scale = scale.at[where[name]].set(scale[where[gross]])
    return scale


def _norms(where: dict[str, slice], change: Array, period: Period, form: Form) -> Array:
    """Sizes of changes: relative to the gross flows of their units all rows change as much as the one that does most.

    (One entry may be small by chance.) In the form of deviations only rows of one unit are compared: work and heat may
    be smaller than the particles that are pumped by as many digits as that form keeps.
    """
    scale = spread(where, period.averages)
    share = jnp.where(scale > 0, jnp.abs(change) / jnp.where(scale > 0, scale, 1.0), 0.0)
    own = share
    for gross, names in GROSS.items():
        if gross in where:
            most = jnp.max(jnp.concatenate([share[where[name]] for name in names]), axis=0)
            for name in (*names, gross):
                own = own.at[where[name]].set(most)
    return scale * (own if form is DEVIATION else jnp.max(share[: where["gross_energy"].start], axis=0))


def _largest(where: dict[str, slice], rows: Array) -> Array:
    """The largest entry among heats and works: the scale of a ledger."""
    return jnp.max(jnp.abs(jnp.concatenate([rows[where["heats"]], rows[where["works"]]])), axis=0)


def _rounding(period: Period) -> Array:
    """Rounding error of the averages (row, point): they are differences of flows."""
    return FEW * EPS * period.gross


def inherent(where: dict[str, slice], period: Period) -> Array:
    """The error (point) of heats and works that rounding of the network's own numbers causes in any method."""
    return FEW * EPS * _largest(where, period.transport)


def settled(where: dict[str, slice], found: Found, tolerance: Array) -> Array:
    """Whether each point is within the tolerance, or as exact as the rounding of its own numbers allows."""
    largest, worst = _largest(where, found.period.averages), _largest(where, found.error)
    return (worst <= jnp.maximum(tolerance * largest, inherent(where, found.period))) & (found.period.defect < 1e-6)


def _attach(system: System, mesh: Mesh, found: Found) -> tuple[Array, Array]:
    """p and the averages that were found, with derivatives (any order, both modes) by the implicit rule p = P p."""
    arrays, static = eqx.partition(system, eqx.is_array)
    turns = turns_of(pieces_of(system))

    @jax.custom_jvp
    def attach(arrays: Any, p: Array, averages: Array, fixed: Any) -> tuple[Array, Array]:
        return p, averages

    @attach.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        arrays, p, averages, fixed = primals
        p, averages = attach(arrays, p, averages, fixed)
        borders, count, parts = fixed
        cut = Mesh(borders, count.astype(jnp.int32)), parts.astype(jnp.int32)

        def one(arrays: Any) -> tuple[Array, Array]:
            net = eqx.combine(arrays, static)
            ends = propagate_bounded(net, *cut, plain_start(_units(net), rows_of(net)), turns)
            return ends.columns, ends.counted.sums

        (propagator, rows), (d_propagator, d_rows) = jax.jvp(one, (arrays,), (tangents[0],))
        source = jnp.sum(d_propagator * p[None], axis=1)
        factors = jax.lax.stop_gradient(eliminate_rates(_off_diagonal(propagator))[1])

        def defect(x: Array) -> Array:
            return x - jnp.sum(propagator * x[None], axis=1) + jnp.sum(x, axis=0) * jax.lax.stop_gradient(p)

        def solve(_: Any, r: Array) -> Array:
            return closed(factors, r)

        def solve_transposed(_: Any, c: Array) -> Array:
            (r,) = jax.linear_transpose(functools.partial(solve, None), c)(c)
            return r

        dp = jax.lax.custom_linear_solve(defect, source, solve, solve_transposed)
        d_averages = jnp.sum(d_rows * p[None], axis=1) + jnp.sum(rows * dp[None], axis=1)
        return (p, averages), (dp, d_averages)

    fixed = jax.lax.stop_gradient((mesh.borders, mesh.count * 1.0, found.parts * 1.0))
    return attach(arrays, found.period.p, found.period.averages, fixed)


def find(system: System, mesh: Mesh, tolerance: Array, forms: tuple[Form, ...], kinked: Array) -> Found:
    """The first form for all points; then the next for those that it leaves outside the tolerance."""
    where = blocks_of(system)
    # Not a loop over the forms: the CPU compiler of JAX 0.10 gets one with 4096 points wrong.
    best = search(system, mesh, tolerance, forms[0], jnp.ones(mesh.count.shape, bool), kinked)
    for form in forms[1:]:
        left = ~settled(where, best, tolerance)
        new = search(system, mesh, tolerance, form, left, kinked)
        better = (
            left
            & ~(_largest(where, best.error) < _largest(where, new.error))
            & (mesh.count <= last_of(pieces_of(system)))
        )
        best = jax.tree.map(lambda a, b, better=better: jnp.where(better, a, b), new, best)
    return best


def solve_periodic(system: System, tolerance: Array, sure: bool = True) -> Outcome:
    """Periodic states of a batch of driven networks (leading axis in, leading axis out).

    `sure`: whether points that need the form of deviations, or a look at their drives, get it, or are left undecided.
    """
    period: Array = system.period  # type: ignore[assignment]
    points = period.shape[0]
    mesh, resolved = jax.lax.stop_gradient(mesh_of(system, sure))
    pieces = pieces_of(system)
    # Before convergence sets in, changes say little about errors; this close to the limit they do.
    tolerance = jnp.minimum(tolerance, LOOSEST)
    sought = tolerance if pieces is None else jnp.minimum(tolerance, PIECEWISE)
    seen = looks(pieces, points)
    around = jax.vmap(functools.partial(stages, system))(seen.phases)
    kinked = bent(system, around)
    found = jax.lax.stop_gradient(find(system, mesh, sought, (PLAIN, DEVIATION) if sure else (PLAIN,), kinked))
    where = blocks_of(system)
    p, averages = _attach(system, mesh, found)
    low, high = jnp.min(around.exponent, axis=1), jnp.max(around.exponent, axis=1)
    crossing = jnp.any(low * high <= 0, axis=0) & (system.smoothness() == DIVERGING)[:, None]
    steady = np.array(system.steady_baths())[:, None]

    def mean(values: Array) -> Array:
        return jnp.where(steady, values[0, 0], jnp.sum(values * seen.weights[:, :, None], axis=(0, 1)))

    cautioned = jax.vmap(jax.vmap(functools.partial(cautions, system.graph())))(around)
    valid = jnp.all(around.valid, axis=(0, 1)) & ~jnp.any(crossing, axis=0) & (period > 0) & jnp.isfinite(period)

    def rates(rows: Array) -> Rates:
        named = {name: rows[where[name]].T for name in Rates._fields if name in where}
        return Rates(**named)

    return Outcome(
        rates(averages),
        rates(found.error),
        faults={
            Status.INVALID: ~valid,
            Status.NOT_UNIQUE: ~found.period.joined | (len(system.components()) > 1),
            Status.NOT_CONVERGED: ~resolved | ~(found.period.defect < 1e-6) | (_largest(where, found.error) == jnp.inf),
        },
        floor=inherent(where, found.period),
        residuals={"propagator": found.period.defect},
        statistics={"elements": mesh.count * found.parts},
        populations=p.T,
        flags={words: jnp.any(raised, axis=(0, 1)) for words, raised in cautioned.items()},
        temperatures=mean(around.temperature).T,
        potentials=mean(around.potential).T,
        undecided=found.period.joined & ~(resolved & settled(where, found, tolerance)),
    )
