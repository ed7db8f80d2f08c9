"""Periodic state of a driven network, found directly, and its period-averaged ledger.

The propagator P over one period is built from K Radau IIA elements (`collocation`). The periodic state is the
stationary distribution of P, by subtraction-free elimination of its off-diagonal entries; never from P−1, so slow
networks lose no digits. The ledger's averages are linear functionals of the state at phase 0 that
accumulate along the way, as does the sum of all gross flows, which bounds the rounding error.

K is doubled for the points of a batch that have not met the tolerance; the last two changes give the error
estimate. Arrays inside have the batch axis last.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS
from ..solution import Status
from .graph import PHASES
from .gth import eliminate_rates, respond
from .propagation import blocks_of, propagate, propagate_bounded, stages

if TYPE_CHECKING:
    from .network import JumpNetwork

FIRST = 2
"""Elements per period of the first attempt."""
BLOCKS = 64
LAST = BLOCKS**2
"""Elements per period beyond which a point is given up."""
MANY = 32
"""Elements that resolve a smooth problem."""
LOOSEST = 1e-8
"""Largest tolerance that is used; a looser one would save little and make the error estimate unreliable."""
LANES = 64
"""Points that are propagated together: enough to fill vector units, few enough to stay in cache."""


def estimate(change: Array, ratio: Array) -> Array:
    """Error of the finer of two results, from its change against the coarser one.

    If changes shrink by a factor ρ per doubling, the error is about ρ·change: 1/128 for the order 2s−1 = 7 of smooth
    problems, more for stiff ones and before convergence sets in. Eight times that, but never below an eighth of the
    change (a few changes do not prove an order) nor above the change itself.
    """
    return change * jnp.clip(8 * ratio, 1 / 8, 1.0)


class Period(NamedTuple):
    """One period of a batch at given K: p at phase 0 (state, point), averages (row, point), defects (point)."""

    p: Array
    averages: Array
    defect: Array


def one_period(network: "JumpNetwork", elements: Array) -> Period:
    n = network.states
    points = network.period.shape[0]  # type: ignore[union-attr]
    unit = jnp.broadcast_to(jnp.eye(n)[..., None], (n, n, points))
    propagator, integrals = propagate(network, elements, unit)
    off = jnp.where(jnp.eye(n, dtype=bool)[..., None], 0.0, propagator)
    p = eliminate_rates(off)[0]
    averages = jnp.sum(integrals * p[None], axis=1)
    # Columns of P sum to one; what is missing, and any negative probability, is a defect of the method.
    defect = jnp.max(jnp.abs(jnp.sum(propagator, axis=0) - 1), axis=0) + jnp.maximum(-jnp.min(p, axis=0), 0.0)
    return Period(p, averages, defect)


class Found(NamedTuple):
    """Result of the search for K, batch last: the period, its last change (row) and by what factor changes shrank at

    worst among the rows, the averages' error bounds (row), and K.
    """

    period: Period
    change: Array
    ratio: Array
    error: Array
    elements: Array


def search(network: "JumpNetwork", tolerance: Array) -> Found:
    """Double K until the averages of each point have settled; points that have are not computed again."""
    points = network.period.shape[0]  # type: ignore[union-attr]
    lanes = min(LANES, points)
    arrays, static = eqx.partition(network, eqx.is_array)
    arrays = jax.lax.stop_gradient(arrays)
    where = blocks_of(network)
    shape = eqx.filter_eval_shape(one_period, network, jnp.zeros((), jnp.int32))
    blank = jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan), shape)

    def attempt(elements: Array, active: Array, known: Found) -> tuple[Found, Array]:
        order = jnp.argsort(~active, stable=True)
        batches = (jnp.sum(active) + lanes - 1) // lanes

        def some(c: Array, carry: tuple[Found, Array]) -> tuple[Found, Array]:
            known, active = carry
            # The last batch is filled up with points that have been solved with this K or are done: they stay.
            first = jnp.minimum(c * lanes, points - lanes)
            index = jax.lax.dynamic_slice(order, (first,), (lanes,))
            part = eqx.combine(jax.tree.map(lambda a: a[index], arrays), static)
            new = one_period(part, elements)
            old = jax.tree.map(lambda a: a[..., index], known)
            rounding = _rounding(where, new, elements)
            change = _norms(where, new.averages - old.period.averages, new)
            shrunk = jnp.max(jnp.where(change > rounding, change / old.change, 0.0), axis=0)
            # One small change may be luck: the ratio before counts too, if it was worse. What needs many elements
            # is not smooth (rates with a kink, say) and has no order to rely on.
            ratio = jnp.where(old.ratio > shrunk, jnp.sqrt(shrunk * old.ratio), shrunk)
            expected = old.change * jnp.where(old.ratio > shrunk, old.ratio, shrunk)
            rough = elements > MANY
            change, ratio = jnp.where(rough, jnp.maximum(change, expected), change), jnp.where(rough, 1.0, ratio)
            known_order = jnp.all(jnp.isfinite(old.change), axis=0)
            error = jnp.where(known_order, estimate(change, ratio), jnp.inf) + rounding
            fresh = Found(new, change, jnp.where(known_order, shrunk, jnp.nan), error, jnp.full(lanes, elements))
            settled = trusted(where, fresh, tolerance)
            stuck = _largest(where, change) > _largest(where, old.change) / 4
            hopeless = ~jnp.all(jnp.isfinite(new.averages), axis=0)
            hopeless |= stuck & (_largest(where, error) <= 1e3 * _largest(where, rounding))
            todo = active[index] & (first + jnp.arange(lanes) >= c * lanes)
            merged = jax.tree.map(lambda a, b: jnp.where(todo, a, b), fresh, old)
            known = jax.tree.map(lambda a, b: a.at[..., index].set(b), known, merged)
            return known, active.at[index].set(active[index] & ~(todo & (settled | hopeless)))

        return jax.lax.fori_loop(0, batches, some, (known, active))

    def body(state: tuple[Array, Array, Found]) -> tuple[Array, Array, Found]:
        elements, active, known = state
        known, active = attempt(elements, active, known)
        return 2 * elements, active, known

    start = Found(
        blank,
        jnp.full(blank.averages.shape, jnp.nan),
        jnp.full(points, jnp.nan),
        jnp.full(blank.averages.shape, jnp.inf),
        jnp.zeros(points, jnp.int32),
    )
    _, _, found = jax.lax.while_loop(
        lambda state: jnp.any(state[1]) & (state[0] <= LAST),
        body,
        (jnp.asarray(FIRST, jnp.int32), jnp.ones(points, bool), start),
    )
    return found


GROUPS = {
    "gross_energy": ("energies", "works", "chemical_works"),
    "gross_particles": ("particle_numbers",),
    "gross_entropy": ("entropy_flows",),
}
"""Rows that share a unit, by the row of their gross flow."""


def _gross(where: dict[str, slice], period: Period) -> Array:
    """For each row, the gross flow of its unit (row, point)."""
    scale = jnp.abs(period.averages)
    for gross, names in GROUPS.items():
        for name in names:
            if gross in where and name in where:
                scale = scale.at[where[name]].set(scale[where[gross]])
    return scale


def _norms(where: dict[str, slice], change: Array, period: Period) -> Array:
    """Sizes of changes: relative to the gross flows of their units all rows change as much as the one that does most.

    (One entry may be small by chance.)
    """
    scale = _gross(where, period)
    share = jnp.where(scale > 0, jnp.abs(change) / jnp.where(scale > 0, scale, 1.0), 0.0)
    net = where["gross_energy"].start
    return scale * jnp.max(share[:net], axis=0)


def _largest(where: dict[str, slice], rows: Array) -> Array:
    """The largest entry among energies and works: the scale of a ledger."""
    return jnp.max(jnp.abs(jnp.concatenate([rows[where["energies"]], rows[where["works"]]])), axis=0)


def _rounding(where: dict[str, slice], period: Period, elements: Array) -> Array:
    """Rounding error of the averages (row, point): they are differences of gross flows, summed over the elements."""
    return EPS * (8.0 + jnp.sqrt(1.0 * elements)) * _gross(where, period)


def trusted(where: dict[str, slice], found: Found, tolerance: Array) -> Array:
    """Whether each point is within the tolerance; or nothing but rounding is left of a state without net rates."""
    largest, worst = _largest(where, found.period.averages), _largest(where, found.error)
    rounding = _largest(where, _rounding(where, found.period, found.elements))
    within = (worst <= tolerance * largest) | ((worst <= 4 * rounding) & (largest <= worst))
    return within & (found.period.defect < 1e-6)


def _attach(network: "JumpNetwork", found: Found) -> tuple[Array, Array]:
    """p and the averages that were found, with derivatives (any order, both modes) by the implicit rule p = P p."""
    arrays, static = eqx.partition(network, eqx.is_array)
    elements = jnp.max(found.elements)

    @jax.custom_jvp
    def attach(arrays: Any, p: Array, averages: Array, elements: Array) -> tuple[Array, Array]:
        return p, averages

    @attach.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        arrays, p, averages, elements = primals
        p, averages = attach(arrays, p, averages, elements)
        unit = jnp.broadcast_to(jnp.eye(p.shape[0])[..., None], (p.shape[0], *p.shape))

        def one(arrays: Any) -> tuple[Array, Array]:
            net = eqx.combine(arrays, static)
            return propagate_bounded(net, elements, unit, BLOCKS)

        (propagator, rows), (d_propagator, d_rows) = jax.jvp(one, (arrays,), (tangents[0],))
        source = jnp.sum(d_propagator * p[None], axis=1)
        off = jnp.where(jnp.eye(p.shape[0], dtype=bool)[..., None], 0.0, propagator)
        factors = jax.lax.stop_gradient(eliminate_rates(off)[1])

        unit = jnp.exp(factors.scale)

        def defect(x: Array) -> Array:
            return x - jnp.sum(propagator * x[None], axis=1) + jnp.sum(x, axis=0) * jax.lax.stop_gradient(p)

        def solve(_: Any, r: Array) -> Array:
            # (1−P)x + p Σx = r with columns of P that sum to one: Σx = Σr.
            total = jnp.sum(r, axis=0)
            weight = factors.p
            return weight * (respond(factors, (r - total * weight) / unit) + total)

        def solve_transposed(_: Any, c: Array) -> Array:
            (r,) = jax.linear_transpose(lambda r: solve(None, r), c)(c)
            return r

        dp = jax.lax.custom_linear_solve(defect, source, solve, solve_transposed)
        d_averages = jnp.sum(d_rows * p[None], axis=1) + jnp.sum(rows * dp[None], axis=1)
        return (p, averages), (dp, d_averages)

    return attach(arrays, found.period.p, found.period.averages, jax.lax.stop_gradient(elements * 1.0))


def solve_periodic(network: "JumpNetwork", tolerance: Array) -> Outcome:
    """Periodic states of a batch of driven networks (leading axis in, leading axis out)."""
    points = network.period.shape[0]  # type: ignore[union-attr]
    # Before convergence sets in, changes say little about errors; this close to the limit they do.
    found = jax.lax.stop_gradient(search(network, jnp.minimum(tolerance, LOOSEST)))
    where = blocks_of(network)
    p, averages = _attach(network, found)
    start = jax.tree.map(lambda x: x[0], stages(network, jnp.zeros(1)))
    around = stages(network, jnp.asarray(PHASES))
    crossing = (jnp.min(around.exponent, axis=0) * jnp.max(around.exponent, axis=0) <= 0) & network.diverging()[:, None]
    period: Array = network.period  # type: ignore[assignment]
    steady = np.array(network.steady_baths())[:, None]
    temperature = jnp.where(steady, around.temperature[0], jnp.mean(around.temperature, axis=0))
    potential = jnp.where(steady, around.potential[0], jnp.mean(around.potential, axis=0))
    valid = jnp.all(around.valid, axis=0) & ~jnp.any(crossing, axis=0) & (period > 0) & jnp.isfinite(period)

    def rates(rows: Array, size: Any) -> Rates:
        energies = rows[where["energies"]]
        particles = rows[where["particle_numbers"]] if "particle_numbers" in where else jnp.zeros_like(energies)
        driven = "chemical_works" in where
        chemical = rows[where["chemical_works"]] if driven else size(start.potential) * particles
        heats = energies + chemical if size is jnp.abs else energies - chemical
        return Rates(
            heats.T,
            particles.T,
            rows[where["works"]].T,
            chemical_works=chemical.T if driven else None,
            entropy_flows=rows[where["entropy_flows"]].T if driven else None,
        )

    return Outcome(
        rates(averages, lambda x: x),
        rates(found.error, jnp.abs),
        faults={
            Status.INVALID: ~valid,
            Status.NOT_UNIQUE: jnp.full(points, len(network.components()) > 1),
            Status.NOT_CONVERGED: ~trusted(where, found, tolerance),
        },
        floor=jnp.full(points, jnp.inf),
        residuals={"propagator": found.period.defect},
        statistics={"elements": found.elements},
        populations=p.T,
        temperatures=temperature.T,
        potentials=potential.T,
    )
