"""What a method found, and the solution of a point that is made of it."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from .ledger import Ledger, LedgerError, Named
from .numerics.blocks import stored
from .numerics.dense import EPS, positive_or_one
from .numerics.lacking import lacking
from .numerics.reduction import reduce
from .regimes import WITHIN_ROUNDING
from .solution import STATELESS, WORST_FIRST, NormalModes, Solution, Status

FAR = 10.0
"""A first-law residual that exceeds its error bound by this factor contradicts it."""


class Rates(NamedTuple):
    """What a method found, or bounds of its errors, for a batch; what is None is zero, or follows from the rest.

    - `heats` (point, bath), `particles` (point, bath), `works` (point, drive), `storage` (point);
    - `chemical_works`, `entropy_flows` (point, bath): averages of products, if baths are driven; else they are
      μ·particles and heat/T.
    """

    heats: Array
    particles: Array | None = None
    works: Array | None = None
    storage: Array | None = None
    chemical_works: Array | None = None
    entropy_flows: Array | None = None


class Outcome(eqx.Module):
    """All that a form's `solve` has to say of a batch; leading axis = point.

    - `rates` and bounds (or standard errors, if `stochastic`) of their `errors`;
    - `faults`: {status: where that is wrong}; what is not finite, too inaccurate or against the first law is found
      later;
    - `floor` (point): the error that the rounding of the machine's own numbers causes in any method; an error up to it
      is accepted whatever the tolerance, with a flag;
    - `residuals`, `statistics`, `observables`, `observable_errors`: {name: (point)}; `populations` (point, state);
    - `flags`: {words: (point)}, what the theory neglects here (see `regimes.CAUTIONS`);
    - `undecided` (point): of an attempt, where it cannot vouch for its result and `Dynamics.solve` must;
    - `temperatures`, `potentials` (point, bath): means over the period, if baths are driven.
    """

    rates: Rates
    errors: Rates
    faults: Mapping[Status, Array] = eqx.field(default_factory=dict)
    floor: Array | None = None
    residuals: Mapping[str, Array] = eqx.field(default_factory=dict)
    statistics: Mapping[str, Array] = eqx.field(default_factory=dict)
    populations: Array | None = None
    observables: Mapping[str, Array] = eqx.field(default_factory=dict)
    observable_errors: Mapping[str, Array] = eqx.field(default_factory=dict)
    flags: Mapping[str, Array] = eqx.field(default_factory=dict)
    temperatures: Array | None = None
    potentials: Array | None = None
    modes: NormalModes | None = None
    undecided: Array | None = None
    stochastic: bool = eqx.field(static=True, default=False)


NAMED = ("residuals", "statistics", "observables", "observable_errors", "flags")
"""Entries of an outcome that have names."""


def in_order(outcome: Outcome, like: Outcome) -> Outcome:
    """An outcome whose names are in the order of another one: transformations sort them."""
    named: dict[str, Any] = {f: {name: getattr(outcome, f)[name] for name in getattr(like, f)} for f in NAMED}
    return dataclasses.replace(outcome, **named)


def finished_point(
    outcome: Outcome,
    found: Mapping[str, Mapping[str, Array]],
    header: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[bool, ...], str | None],
    temperatures: Array,
    potentials: Array,
    tolerance: Array,
    good: Array,
    moved: Array,
) -> Solution:
    """The solution of one point; `header`: the names of baths and drives, what is said of baths, the cooled one.

    `moved`: a number that moves with each of its own.
    """
    baths, drives, kinds, steady, cooled = header
    result = Ledger(baths, drives, **_complete(outcome.rates, drives, temperatures, potentials))
    # Errors and checks have no derivatives, which would double their program.
    ledger, doubts, *fixed = jax.lax.stop_gradient((result, outcome.errors, temperatures, potentials))
    errors = _complete(doubts, drives, fixed[0], jnp.abs(fixed[1]))
    if doubts.entropy_flows is None:
        errors["entropy_flows"] = errors["entropy_flows"] + EPS * jnp.abs(ledger.entropy_flows)
    error = LedgerError(baths, drives, **errors)

    def largest(entries: Ledger | LedgerError) -> Array:
        return jnp.maximum(_largest(entries.heats), _largest(entries.works))

    top = jnp.maximum(largest(ledger), _largest(ledger.chemical_works))
    worst, residual = largest(error), jnp.abs(_summed(ledger) - ledger.storage)
    flags = dict(found["flags"])
    inexact = jnp.zeros((), bool)
    if not outcome.stochastic:
        floor = jnp.zeros(()) if outcome.floor is None else outcome.floor
        beyond = ~(worst <= tolerance * largest(ledger))
        inexact = beyond & ~(worst <= floor)
        flags[WITHIN_ROUNDING] = beyond & ~inexact
        rounding = EPS * (len(kinds) + len(drives)) * top
        inexact |= residual > FAR * (_summed(error) + error.storage + rounding)
    finite = jnp.ones((), bool)
    for leaf in jax.tree.leaves((ledger, error)):
        if leaf.size:
            finite &= reduce(jnp.logical_and, jnp.isfinite(leaf).reshape(-1))
    faults = dict.fromkeys(WORST_FIRST, jnp.zeros((), bool)) | dict(outcome.faults)
    faults[Status.INVALID] |= ~good
    # A method that says itself that it has not converged need not have numbers.
    faults[Status.NOT_FINITE] |= ~finite & ~faults[Status.NOT_CONVERGED]
    faults[Status.NOT_CONVERGED] |= inexact

    def verdict() -> tuple[Array, Array]:
        status = jnp.asarray(int(Status.OK))
        for kind in reversed(WORST_FIRST):
            status = jnp.where(faults[kind], int(kind), status)
        return status, functools.reduce(jnp.logical_or, [faults[kind] for kind in STATELESS])

    # Once, and not again for each array of results.
    status, stateless = stored(~(tolerance < 0), verdict)
    populations = jnp.zeros(0) if outcome.populations is None else outcome.populations
    result, populations = lacking(stateless, (result, populations), moved)
    error = jax.tree.map(lambda leaf: jnp.where(stateless, jnp.nan, leaf), error)
    first_law = {"first law": residual / positive_or_one(top)} if kinds else {}
    return Solution(
        ledger=result,
        error=error,
        status=status,
        residuals=Named.of(first_law | dict(found["residuals"]), ()),
        statistics=Named.of({name: value * 1.0 for name, value in found["statistics"].items()}, ()),
        temperatures=temperatures if outcome.temperatures is None else outcome.temperatures,
        chemical_potentials=potentials if outcome.potentials is None else outcome.potentials,
        populations=populations,
        observables=Named.of(found["observables"], ()),
        observable_errors=Named.of(found["observable_errors"], ()),
        cautions=Named.of(flags, ()),
        modes=outcome.modes,
        kinds=kinds,
        steady_baths=steady,
        cooled_bath=cooled,
        stochastic=outcome.stochastic,
    )


def _summed(entries: Ledger | LedgerError) -> Array:
    """All energies and works of one point."""
    both = [x for x in (entries.energies, entries.works) if x.size]
    return functools.reduce(jnp.add, [reduce(jnp.add, x) for x in both]) if both else jnp.zeros(())


def _largest(entries: Array) -> Array:
    """The largest size of entries; 0 if there are none."""
    return reduce(jnp.maximum, jnp.abs(entries)) if entries.size else jnp.zeros(())


def _complete(rates: Rates, drives: tuple[str, ...], temperatures: Array, potentials: Array) -> dict[str, Array]:
    """All entries of the ledger of a point (or of its errors, with the sizes of the potentials)."""
    particles = jnp.zeros_like(rates.heats) if rates.particles is None else rates.particles
    chemical = potentials * particles if rates.chemical_works is None else rates.chemical_works
    entropy = rates.heats / temperatures if rates.entropy_flows is None else rates.entropy_flows
    return {
        "heats": rates.heats,
        "particle_numbers": particles,
        "chemical_works": chemical,
        "entropy_flows": entropy,
        "works": jnp.zeros(len(drives)) if rates.works is None else rates.works,
        "storage": jnp.zeros(()) if rates.storage is None else rates.storage,
    }
