"""Populations, instantaneous rates and amounts since the start of a network from a given state, driven or not."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._attributes import Spoken
from .._checks import InputError, as_float, concrete, valid, worded
from ..dataset import Variable, provenance, to_dataset
from ..dynamics import TOLERANCE, as_dynamics, checked_tolerance, is_traced
from ..ledger import Ledger, LedgerError, about
from ..numerics.dense import EPS
from ..numerics.lacking import lacking, summed
from ..pytrees import batch_of_one, compiled, refreshed
from ..solution import SolveError, Status, plain, status_variable
from .graph import Graph, Snapshot
from .meshes import mesh_of
from .periodic import FEW, believed, bent, spread
from .pieces import Element, Pieces, element_at, find_piece, last_of, looks, phases, pieces_of
from .propagation import (
    Carry,
    across,
    advance,
    blocks_of,
    functionals,
    generator,
    plain_start,
    rows_of,
    stages,
    sudden_changes,
)
from .system import System

if TYPE_CHECKING:
    import xarray

NEAR = 64 * EPS
"""A time that is so near to a border, relative to its number of periods, stands at it."""
LEAST = 1e-8
"""Smallest tolerance that is asked of amounts, relative to all that flows to and fro."""
FURTHER = 8
"""Between two times there may be so many times as many elements as in a period: kinks (`bent`) need them."""
FAR = 10.0
"""A first-law residual of the amounts that exceeds their errors by this factor contradicts them."""

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""Of baths and of what does work."""


class Evolution(Spoken, eqx.Module):
    """What a network does from a given start: at each time, populations, the instantaneous ledger, and amounts so far.

    - `times` (time), `populations` (time, state);
    - `ledger`: rates at each time (…, named axis last); its `storage` is d⟨E⟩/dt;
    - `amounts`: heat and particles that came in from each bath, and work that each drive did, from time 0 to each time;
      its `storage` is ⟨E⟩ now less ⟨E⟩ at time 0. `amounts_error`: error estimates of its entries;
    - `error`: estimated error of the populations, the largest over times and states; `status`.

    At a time at which a drive changes suddenly, rates are those after the change and amounts hold its work; a change at
    time 0 belongs to what was before.
    """

    times: Array
    populations: Array
    ledger: Ledger
    amounts: Ledger
    amounts_error: LedgerError
    error: Array
    status: Array

    @property
    def heat(self) -> Any:
        return self.ledger.heat

    @property
    def work(self) -> Any:
        return self.ledger.work

    @property
    def particles(self) -> Any:
        return self.ledger.particles

    def __repr__(self) -> str:
        times, states = self.populations.shape
        return f"Evolution({times} times, {states} states, baths {', '.join(self.ledger.baths)})"

    def labels(self) -> dict[str, tuple[Any, ...]]:
        named = {"time": tuple(np.asarray(self.times).tolist()), "bath": self.ledger.baths, "drive": self.ledger.drives}
        return {axis: names for axis, names in named.items() if names}

    def variables(self) -> dict[str, Variable]:
        """Rates and populations at each time, and the status of all."""
        found = {
            name: Variable(getattr(self.ledger, name).array, ("time", "bath"), *about(name))
            for name in ("energy", "heat", "particles", "chemical_work", "entropy_flow")
        }
        if self.ledger.drives:
            found["work"] = Variable(self.ledger.works, ("time", "drive"), *about("work"))
        for name, unit in (("heat", "E"), ("particles", "1"), ("work", "E")):
            axes = ("time", "drive" if name == "work" else "bath")
            if name != "work" or self.ledger.drives:
                meaning = f"{about(name)[1]}, since time 0"
                found[f"{name}_amount"] = Variable(getattr(self.amounts, name).array, axes, unit, meaning)
                error = getattr(self.amounts_error, name).array
                found[f"{name}_amount_error"] = Variable(error, axes, unit, meaning + ", error estimate")
        found["storage"] = Variable(self.ledger.storage, ("time",), about("energy")[0], "rise of the mean energy")
        found["population"] = Variable(self.populations, ("time", "state"), "1", "probability of the state")
        found["population_error"] = Variable(self.error, (), "1", "error estimate of the populations")
        return found | {"status": status_variable(self.status)}

    def record(self) -> dict[str, Any]:
        """Everything as plain Python values, for JSON: what is not finite is None."""
        own = ("storage", "population", "population_error")
        numbers = {name: v.values for name, v in self.variables().items() if name in own}
        entries = ("heat", "particles", "chemical_work", "energy", "entropy_flow", "work")
        return {
            "status": Status(int(self.status)).name,
            "time": plain(self.times),
            **{name: plain(getattr(self.ledger, name)) for name in entries},
            **{name: plain(values) for name, values in numbers.items()},
            "amounts": {name: plain(getattr(self.amounts, name)) for name in entries},
            "amounts_error": {name: plain(getattr(self.amounts_error, name)) for name in entries},
        }

    def to_dataset(self, unit: str | None = None) -> "xarray.Dataset":
        """The evolution along the dimension `time`; `unit` as for `Solution.to_dataset`."""
        return to_dataset(self, {}, {}, provenance(unit=unit), unit)


@worded
def evolve(machine: Any, initial: Any, times: Any, *, tolerance: float = TOLERANCE, throw: bool = True) -> Any:
    """Populations, rates and amounts of heat, particles and work at given times, from a distribution at time 0.

    **Arguments:** `machine` (a jump network or a machine that becomes one; a linear classical `OscillatorNetwork`; or a
    `KleinKramers` problem, driven or not); `initial`, probabilities of the states at time 0, or the index of one
    state; or (mean, covariance) of positions and velocities; or the density as a function P(x, v) of arrays; `times`,
    increasing and not negative; `tolerance`, error allowed in
    any probability, and in amounts relative to all that flows to and fro (there at least 1e-8).

    **Returns** an `Evolution`, with `heat`, `work`, … at each time. Of a network, by Radau IIA collocation of order 7
    between neighbouring times, on a mesh that resolves the drives (see `meshes`) and is refined until the tolerance is
    met; derivatives of it are those of `jax.jvp` and `jax.jacfwd`.

    >>> import coldspot as cs
    >>> dot = cs.machines.QuantumDot(level=-5.0)
    >>> e = cs.evolve(dot, 0, [0.0, 1.0, 50.0])
    >>> s = cs.steady_state(dot)
    >>> last = e.heat["left"].take(-1)
    >>> bool(abs(last - s.heat["left"]) < 1e-8)
    True
    """
    network = as_dynamics(machine)
    network.check_complete("evolve")
    start = _distribution(initial, network.states) if isinstance(network, System) else initial
    moments = as_float(times)
    values = concrete(moments)
    if moments.ndim != 1 or moments.shape[0] == 0:
        raise InputError(f"evolve: `times` must be a list of numbers, but has shape {moments.shape}.")
    if values is not None and (not np.all(np.isfinite(values)) or np.any(np.diff(values) <= 0) or values[0] < 0):
        raise InputError("evolve: `times` must be finite, increasing and not negative.")
    if not isinstance(network, System):
        if is_traced((network, initial, moments)):
            raise InputError(
                f"evolve: what becomes of the {type(network).__name__} is not traceable by JAX, so that it has no "
                "derivatives; take differences, with a small `tolerance`."
            )
        return network.evolved(initial, np.asarray(moments), float(checked_tolerance(tolerance)), throw)
    if is_traced((network, start, moments)):
        return _evolve(refreshed(network), start, moments, checked_tolerance(tolerance))
    result = _evolve_jitted(network, start, moments, checked_tolerance(tolerance))
    status = Status(int(result.status))
    if throw and status != Status.OK:
        raise SolveError(f"evolve: no trustworthy solution ({status.name}): {status.advice}", status)
    return result


def _distribution(initial: Any, states: int) -> Array:
    if isinstance(initial, (int, np.integer)):
        if not 0 <= initial < states:
            raise InputError(
                f"evolve: `initial` is state {initial}, which does not exist; states are 0 to {states - 1}."
            )
        return jnp.zeros(states).at[int(initial)].set(1.0)
    p = as_float(initial)
    if p.shape != (states,):
        raise InputError(f"evolve: `initial` must have shape {(states,)}, but has shape {p.shape}.")
    numbers = concrete(p)
    if numbers is not None and not (np.all(numbers >= 0) and abs(float(numbers.sum()) - 1) < 1e-9):
        wrong = f"sums to {numbers.sum():g}" if np.all(numbers >= 0) else f"has the entry {numbers.min():g}"
        raise InputError(f"evolve: `initial` must be probabilities that sum to 1, none negative, but {wrong}.")
    return p


class _Course(eqx.Module):
    """A period as elements in time: where they start and the period ends, and the piece of each, for one point.

    `closing` (element): whether an element ends at the border behind its piece; `slack`: by how much of the number of
    periods a moment may stand before a border and belong behind it.
    """

    borders: Array
    piece: Array
    closing: Array
    count: Array
    slack: float = eqx.field(static=True)

    def index(self, moment: Array) -> Array:
        """The element, counted through all periods, in which a moment lies; at a border that behind it."""
        cycle = jnp.floor(moment)
        inside = jnp.searchsorted(self.borders, moment - cycle + self.slack * jnp.maximum(moment, 1), side="right") - 1
        return cycle.astype(int) * self.count + jnp.minimum(inside, self.count - 1)


def _course(batch: System, pieces: Pieces | None) -> tuple[_Course, Array]:
    """The elements that resolve a driven network, and whether they do."""
    mesh, known = jax.lax.stop_gradient(mesh_of(batch))
    index = jnp.arange(mesh.borders.shape[0] - 1)
    each = jax.vmap(lambda k: element_at(pieces, mesh, jnp.ones(1, int), k))(index)
    borders = jnp.concatenate([each.first[:, 0], jnp.ones(1)])
    return _Course(borders, each.piece[:, 0], each.ends[:, 0], mesh.count[0], 0.0 if pieces is None else NEAR), known[0]


def _at_borders(pieces: Pieces | None, moments: Array) -> Array:
    """Moments, put onto the borders from which rounding parts them."""
    if pieces is None:
        return moments
    starts = jnp.concatenate([pieces.start[:, 0], jnp.ones(1)])
    cycle = jnp.floor(moments)[:, None]
    places = cycle + starts
    off = jnp.abs(places - moments[:, None])
    nearest = jnp.take_along_axis(places, jnp.argmin(off, axis=1)[:, None], axis=1)[:, 0]
    return jnp.where(jnp.min(off, axis=1) <= NEAR * jnp.maximum(moments, 1.0), nearest, moments)


def _evolve(network: System, start: Array, times: Array, tolerance: Array) -> Evolution:
    batch = batch_of_one(network)
    unit = jnp.ones(()) if network.period is None else network.period
    pieces = None if network.period is None else pieces_of(batch)
    moments = _at_borders(pieces, jnp.concatenate([jnp.zeros(1), times]) / unit)
    cut: Callable[[Array, tuple[Array, Array]], tuple[Array, ...]]
    if network.period is None:
        # Nothing happens at special times: one element from each time to the next.
        resolved, many = jnp.asarray(True), jnp.ones(times.shape, int)

        def cut(k: Array, ends: tuple[Array, Array]) -> tuple[Array, ...]:
            return *ends, jnp.zeros(()), jnp.asarray(0), jnp.asarray(False)

    else:
        course, resolved = _course(batch, pieces)

        def cut(k: Array, ends: tuple[Array, Array]) -> tuple[Array, ...]:
            cycle, j = jnp.divmod(course.index(ends[0]) + k, course.count)
            lower, upper = cycle + course.borders[j], cycle + course.borders[j + 1]
            whole = course.closing[j] & (upper <= ends[1])
            return jnp.clip(lower, *ends), jnp.clip(upper, *ends), cycle, course.piece[j], whole

        many = course.index(moments[1:]) - course.index(moments[:-1]) + 1
    last = last_of(pieces)
    possible = jnp.max(many) <= last
    changes = sudden_changes(batch, pieces)

    def march(parts: Array) -> tuple[Array, Array]:
        """Populations (time, state) and integrals (time, row)."""

        def interval(carry: Carry, task: tuple[Array, Array, Array]) -> tuple[Carry, tuple[Array, Array]]:
            *ends, number = task

            def one(k: Array, c: Carry) -> Carry:
                lower, upper, cycle, piece, whole = cut(k // parts, (ends[0], ends[1]))
                span, part = (upper - lower) / parts, k % parts
                first = lower + part * span - (0.0 if pieces is None else cycle)
                e = Element(first[None], span[None], piece[None], (whole & (part == parts - 1))[None])
                return across(batch, changes, e, advance(batch, pieces, e, c))

            carry = jax.lax.fori_loop(0, jnp.where(possible, number, 0) * parts, one, carry)
            return carry, (carry.columns[:, 0, 0], carry.counted.sums[:, 0, 0])

        begin = plain_start(start[:, None, None], rows_of(batch))
        return jax.lax.scan(interval, begin, (moments[:-1], moments[1:], many))[1]

    where = blocks_of(batch)
    kinked = jnp.asarray(False)
    if network.period is not None:
        kinked = bent(batch, jax.vmap(functools.partial(stages, batch))(looks(pieces, 1).phases))[0]

    def compared(finer: Any, changes: Any, before: Any) -> tuple[Array, Array, Array]:
        """Errors of populations, of integrals (time, row), and the larger of both beside the tolerance."""
        gross = jax.vmap(lambda rows: spread(where, rows[:, None])[:, 0])(finer[1])

        def shares(change: Array) -> Array:
            # Gross flows have kinks and converge slowly; they only measure the rest.
            part = jnp.where(gross > 0, change / jnp.where(gross > 0, gross, 1.0), 0.0)
            return jnp.max(part[:, : where["gross_energy"].start], initial=0.0)

        (p_change, share), (p_before, share_before) = ((jnp.max(p), shares(rows)) for p, rows in (changes, before))
        p_error = jnp.where(kinked, believed(p_change, p_before), p_change / 4)
        # One entry may be lucky: of kinks all are believed to change as much as the one that does most.
        share = jnp.where(kinked, believed(share, share_before), share / 4)
        error = jnp.where(kinked, share * gross, changes[1] / 4)
        return p_error, error + FEW * EPS * gross, jnp.maximum(p_error, share * jnp.minimum(1.0, tolerance / LEAST))

    def refine(state: Any) -> Any:
        parts, known, before, _ = state
        parts = jnp.maximum(2 * parts, 1)
        finer = march(parts)
        changes = jax.tree.map(lambda a, b: jnp.abs(a - b), finer, known)
        return parts, finer, changes, compared(finer, changes, before)

    # The first march is one of the loop's, from which all that is not known yet is endlessly far.
    endless = jnp.full((len(times), network.states), jnp.inf), jnp.full((len(times), rows_of(batch)), jnp.inf)
    never = jnp.asarray(jnp.inf), endless[1], jnp.asarray(jnp.inf)
    _, (p, sums), _, (error, row_error, worst) = jax.lax.while_loop(
        lambda s: (s[3][2] > tolerance) & (s[0] * jnp.max(many) < FURTHER * last),
        refine,
        (jnp.asarray(0), endless, endless, never),
    )
    s = stages(batch, _phases_at(pieces, moments))
    names = (tuple(network.reservoirs()), network.workers())
    ledger = _instantaneous(batch, names, jax.tree.map(lambda x: x[1:], s), p, unit)
    amounts, amounts_error = _amounts(
        batch, names, s, jnp.concatenate([start[None], p]), sums * unit, row_error * unit, error
    )
    good = jnp.all(s.valid) & valid(network)
    off = jnp.abs(amounts.first_law_residual) > FAR * amounts_error.first_law_residual
    converged = (worst <= tolerance) & resolved & possible & ~jnp.any(off)
    status = jnp.where(~good, int(Status.INVALID), jnp.where(converged, int(Status.OK), int(Status.NOT_CONVERGED)))
    # What is no machine has no numbers.
    found = lacking(~good, (p, ledger, amounts, amounts_error, error), jnp.sum(summed(batch)))
    p, ledger, amounts, amounts_error, error = found
    return Evolution(times, p, ledger, amounts, amounts_error, error, status)


def _phases_at(pieces: Pieces | None, moments: Array) -> Array:
    """Phases (time, point) of moments; at a border behind it."""
    if pieces is None:
        return 2 * jnp.pi * moments[:, None]
    slack = NEAR * jnp.maximum(moments, 1)[:, None]
    inside = (moments - jnp.floor(moments))[:, None]
    return jax.vmap(lambda at, late: phases(pieces, find_piece(pieces, at + late), at))(inside, slack)


def _amounts(
    batch: System, names: Names, s: Snapshot, p: Array, sums: Array, errors: Array, p_error: Array
) -> tuple[Ledger, LedgerError]:
    """What came in since time 0: `s` and `p` (time, state) begin with it, integrals and errors (time, row) after it.

    Integrals hold the drives' works by parts, without p·gain at the ends.
    """
    where = blocks_of(batch)
    temperature, potential = s.temperature[1:, :, 0], s.potential[1:, :, 0]
    ends = jnp.einsum("tdi,ti->td", s.gains[..., 0], p)
    size = jnp.sum(jnp.abs(s.gains[..., 0]), axis=-1)
    rest = where["works"].stop - where["works"].start - ends.shape[1]
    nothing = jnp.zeros((p.shape[0] - 1, rest))
    carried = jnp.concatenate([ends[1:] - ends[:1], nothing], axis=1)
    blur = jnp.concatenate([size[1:] * (p_error + FEW * EPS) + FEW * EPS * size[:1], nothing], axis=1)

    def entries(rows: Array, chemical: Array, works: Array, storage: Array) -> dict[str, Array]:
        heats = rows[:, where["heats"]]
        particles = rows[:, where["particles"]] if "particles" in where else jnp.zeros_like(heats)
        driven = "chemical_works" in where
        return {
            "heats": heats,
            "particle_numbers": particles,
            "chemical_works": rows[:, where["chemical_works"]] if driven else chemical * particles,
            "entropy_flows": rows[:, where["entropy_flows"]] if driven else heats / temperature,
            "works": rows[:, where["works"]] + works,
            "storage": storage,
        }

    level = jnp.sum(s.energies[..., 0] * p, axis=-1)
    spans = jnp.sum(jnp.abs(s.energies[..., 0]), axis=-1)
    doubt = spans[1:] * (p_error + FEW * EPS) + FEW * EPS * spans[:1]
    return (
        Ledger(names[0], names[1], **entries(sums, potential, carried, level[1:] - level[:1])),
        LedgerError(names[0], names[1], **entries(errors, jnp.abs(potential), blur, doubt)),
    )


_evolve_jitted = compiled(_evolve)


def _instantaneous(batch: System, names: Names, s: Snapshot, p: Array, unit: Array) -> Ledger:
    """Rates at each time: `s` has times first and a batch of one last; `p` is (time, state)."""
    g = batch.graph()
    where = blocks_of(batch)
    rows = jax.vmap(lambda one, q: jnp.sum(functionals(batch, g, one).values[..., 0] * q, axis=-1))(s, p)
    motion = jnp.einsum("tij,tj->ti", generator(g, s)[..., 0], p)
    works = 2 * jnp.pi / unit * jnp.einsum("tdi,ti->td", s.slopes[..., 0], p)
    heats = rows[:, where["heats"]]
    taken = jnp.einsum("twc,tc->tw", s.work[..., 0], _currents(g, s, p))
    particles = rows[:, where["particles"]] if "particles" in where else jnp.zeros_like(heats)
    chemical = s.potential[..., 0] * particles
    return Ledger(
        baths=names[0],
        drives=names[1],
        heats=heats,
        particle_numbers=particles,
        chemical_works=chemical,
        entropy_flows=heats / s.temperature[..., 0],
        works=jnp.concatenate([works, taken], axis=1),
        storage=jnp.sum(s.energies[..., 0] * motion, axis=-1) + jnp.sum(works, axis=-1),
    )


def _currents(g: Graph, s: Snapshot, p: Array) -> Array:
    """Net currents (time, transition)."""
    out, back = s.forward[..., 0], s.backward[..., 0]
    return out * p[:, g.initial.array] - back * p[:, g.final.array]
