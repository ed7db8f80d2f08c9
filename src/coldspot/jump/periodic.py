"""Periodic state of a driven network, found directly, and its period-averaged ledger.

The propagator P over one period is built from K Radau IIA elements (`collocation`). The periodic state is the
stationary distribution of P, by subtraction-free elimination of its off-diagonal entries; never from P−1, so slow
networks lose no digits. The ledger's averages are linear functionals of the state at phase 0 that
accumulate along the way, as does the sum of all gross flows, which bounds the rounding error.

K is doubled for the points of a batch that have not met the tolerance; the change from K/2 to K gives the error
estimate. Arrays inside have the batch axis last.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..ledger import Ledger, Solution
from .collocation import STAGES, element, tableau
from .elimination import eliminate_rates
from .graph import Graph, Snapshot, matrix
from .stationary import EPS, assess, zero_safe

if TYPE_CHECKING:
    from .network import JumpNetwork

FIRST = 4
"""Elements per period of the first attempt."""
LAST = 4096
"""Elements per period beyond which a point is given up."""
LANES = 64
"""Points that are propagated together: enough to fill vector units, few enough to stay in cache."""
SAFETY = 0.25
"""Error estimate of the finer of two results, per change between them. For smooth problems the order 2s−1 would
allow 2^{1−2s} ≈ 0.008; stiff ones converge more slowly, with stage order s."""


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
    """Rows r with ⟨rate⟩ = Σ_i r_i p_i, for one stage: energy per bath, particles, chemical work, Q̇/T, work, gross flow."""
    forward, backward = jnp.exp(s.log_forward), jnp.exp(s.log_backward)
    steady = network.steady_baths()
    parts = {"energies": s.energy}
    if network.has_particles:
        parts["particle_numbers"] = s.particles
    if not all(steady):
        parts["chemical_works"] = s.potential[:, None] * s.particles
        parts["entropy_flows"] = (s.energy - s.potential[:, None] * s.particles) / s.temperature[:, None]
    amounts = jnp.concatenate(list(parts.values()))
    gross = jnp.sum(jnp.abs(s.energy), axis=0)[None]

    def rows(amount: Array, sign: float) -> Array:
        zero = jnp.zeros((amount.shape[0], g.states, amount.shape[-1]))
        zero = zero.at[:, g.initial.array].add(amount * forward)
        return zero.at[:, g.final.array].add(sign * amount * backward)

    works = s.slopes * 2 * jnp.pi
    values = jnp.concatenate([rows(amounts, -1.0), rows(gross, 1.0), works])
    blocks, start = {}, 0
    sizes = {name: part.shape[0] for name, part in parts.items()} | {"gross": 1, "works": works.shape[0]}
    for name, size in sizes.items():
        blocks[name] = slice(start, start + size)
        start += size
    return Rows(values, blocks)


def blocks_of(network: "JumpNetwork") -> dict[str, slice]:
    """Where each kind of functional stands among the rows (known without numbers)."""
    found: dict[str, slice] = {}

    def look(net: Any) -> Array:
        rows = functionals(net, net.graph(), jax.tree.map(lambda x: x[0], stages(net, jnp.zeros(1))))
        found.update(rows.blocks)
        return rows.values

    eqx.filter_eval_shape(look, network)
    return found


def propagate(network: "JumpNetwork", elements: Array, start: Array, first: Any = 0.0, last: Any = 1.0) -> tuple[Array, Array]:
    """Propagate columns (state, column, point) from time `first` to `last` (in periods), with `elements` elements.

    Returns the propagated columns and the integrals of the functionals (row, column, point) over time/period.
    Work rows are per phase, so their integral is the work in units of energy; others are multiplied by the period.
    """
    g = network.graph()
    nodes, _, _, weights = tableau(STAGES)
    period = network.period if network.period is not None else jnp.ones(start.shape[-1])
    span = (jnp.asarray(last) - first) / elements
    rows = sum((b.stop - b.start for b in blocks_of(network).values()))

    def step(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        p, total = carry
        times = first + (k + nodes) * span
        s = stages(network, 2 * jnp.pi * times)
        values = element(generator(g, s) * (period * span), p)
        for j in range(STAGES):
            r = functionals(network, g, jax.tree.map(lambda x, j=j: x[j], s)).values
            total = total + weights[j] * span * jnp.sum(r[:, :, None] * values[j][None], axis=1)
        return values[-1], total

    zero = jnp.zeros((rows, start.shape[1], start.shape[2]))
    return jax.lax.fori_loop(0, elements, step, (start, zero))


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
    p, _ = eliminate_rates(off)
    averages = jnp.sum(integrals * p[None], axis=1)
    # Columns of P sum to one; what is missing, and any negative probability, is a defect of the method.
    defect = jnp.max(jnp.abs(jnp.sum(propagator, axis=0) - 1), axis=0) + jnp.maximum(-jnp.min(p, axis=0), 0.0)
    works = blocks_of(network)["works"]
    return Period(p, averages.at[works].divide(network.period), defect)


class Found(NamedTuple):
    """Result of the search for K, batch last: averages, their error bounds, p, K, convergence."""

    period: Period
    error: Array
    elements: Array
    converged: Array


def search(network: "JumpNetwork", tolerance: Array) -> Found:
    """Double K until the averages of each point have settled; points that have are not computed again."""
    points = network.period.shape[0]  # type: ignore[union-attr]
    lanes = min(LANES, points)
    arrays, static = eqx.partition(network, eqx.is_array)
    arrays = jax.lax.stop_gradient(arrays)
    where = blocks_of(network)
    gross = where["gross"].start
    shape = eqx.filter_eval_shape(one_period, network, jnp.zeros((), jnp.int32))
    blank = jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan), shape)

    def attempt(elements: Array, active: Array, known: Found) -> tuple[Found, Array]:
        order = jnp.argsort(~active, stable=True)
        batches = (jnp.sum(active) + lanes - 1) // lanes

        def some(c: Array, carry: tuple[Found, Array]) -> tuple[Found, Array]:
            known, active = carry
            # The last batch is filled up with points that are done; they come out the same or better.
            index = jax.lax.dynamic_slice(order, (jnp.minimum(c * lanes, points - lanes),), (lanes,))
            part = eqx.combine(jax.tree.map(lambda a: a[index], arrays), static)
            new = one_period(part, elements)
            old = jax.tree.map(lambda a: a[..., index], known)
            rounding = EPS * (8.0 + jnp.sqrt(1.0 * elements)) * jnp.abs(new.averages[gross])
            change = SAFETY * jnp.abs(new.averages - old.period.averages)
            error = jnp.where(jnp.isfinite(change), change, jnp.inf) + rounding
            settled, hopeless = _judge(where, new, error, rounding, tolerance)
            todo = active[index]
            # A point whose error grows has met its rounding error: keep the better of the two.
            worse = jnp.max(error, axis=0) > jnp.max(old.error, axis=0)
            best = jax.tree.map(lambda a, b: jnp.where(worse & (elements > 4 * FIRST), b, a), new, old.period)
            best_error = jnp.where(worse & (elements > 4 * FIRST), old.error, error)
            fresh = Found(best, best_error, jnp.full(lanes, elements), settled)
            merged = jax.tree.map(lambda a, b: jnp.where(todo, a, b), fresh, old)
            known = jax.tree.map(lambda a, b: a.at[..., index].set(b), known, merged)
            return known, active.at[index].set(todo & ~settled & ~hopeless)

        return jax.lax.fori_loop(0, batches, some, (known, active))

    def body(state: tuple[Array, Array, Found]) -> tuple[Array, Array, Found]:
        elements, active, known = state
        known, active = attempt(elements, active, known)
        return 2 * elements, active, known

    start = Found(
        blank,
        jnp.full(blank.averages.shape, jnp.inf),
        jnp.zeros(points, jnp.int32),
        jnp.zeros(points, bool),
    )
    _, _, found = jax.lax.while_loop(
        lambda state: jnp.any(state[1]) & (state[0] <= LAST),
        body,
        (jnp.asarray(FIRST, jnp.int32), jnp.ones(points, bool), start),
    )
    return found


def _judge(where: dict[str, slice], new: Period, error: Array, rounding: Array, tolerance: Array) -> tuple[Array, Array]:
    """Whether each point has settled, and whether more elements cannot help."""
    names = [n for n in ("energies", "works") if n in where]
    pick = lambda x: jnp.concatenate([x[where[n]] for n in names])  # noqa: E731
    largest = jnp.max(jnp.abs(pick(new.averages)), axis=0)
    worst = jnp.max(pick(error), axis=0)
    # Settled: within tolerance; or nothing but rounding is left of a state without net rates.
    settled = (worst <= tolerance * largest) | ((worst <= 4 * rounding) & (largest <= worst))
    settled &= new.defect < 1e-6
    hopeless = ~jnp.all(jnp.isfinite(new.averages), axis=0) | ((worst <= 1.5 * rounding) & ~settled)
    return settled, hopeless


def solve_periodic(network: "JumpNetwork", tolerance: Array) -> Solution:
    """Periodic states of a batch of driven networks (leading axis in, leading axis out)."""
    points = network.period.shape[0]  # type: ignore[union-attr]
    found = search(network, tolerance)
    where = blocks_of(network)
    averages, error = found.period.averages, found.error
    start = jax.tree.map(lambda x: x[0], stages(network, jnp.zeros(1)))
    nodes = 2 * jnp.pi * jnp.arange(16) / 16
    around = stages(network, nodes)
    temperature, potential = jnp.mean(around.temperature, axis=0), jnp.mean(around.potential, axis=0)

    def ledger(rows: Array, size: Any) -> Ledger:
        zero = jnp.zeros_like(rows[where["energies"]])
        energies = rows[where["energies"]]
        particles = rows[where["particle_numbers"]] if "particle_numbers" in where else zero
        if "chemical_works" in where:
            chemical, entropy = rows[where["chemical_works"]], rows[where["entropy_flows"]]
        else:
            chemical = size(start.potential) * particles
            heat = energies + chemical if size is jnp.abs else energies - chemical
            entropy = heat / start.temperature
        return Ledger(
            baths=tuple(network.baths),
            drives=tuple(network.drives),
            energies=energies.T,
            particle_numbers=particles.T,
            chemical_works=chemical.T,
            entropy_flows=entropy.T,
            works=rows[where["works"]].T,
            storage=jnp.zeros(points),
        )

    values, errors = ledger(averages, lambda x: x), ledger(error, jnp.abs)
    largest = zero_safe(jnp.maximum(jnp.max(jnp.abs(values.energies), -1), jnp.max(jnp.abs(values.works), -1)))
    return assess(
        network,
        values,
        errors,
        valid=jnp.all(around.valid, axis=0),
        temperatures=temperature,
        potentials=potential,
        populations=found.period.p,
        residuals={
            "first law": jnp.abs(values.first_law_residual) / largest,
            "propagator": found.period.defect,
        },
        statistics={"elements": found.elements.astype(jnp.float64)},
        converged=found.converged,
    )
