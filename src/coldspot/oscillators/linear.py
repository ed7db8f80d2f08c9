"""Linear oscillator networks: the steady or periodic state, exact to rounding.

Heat between baths at different temperatures (see `noise`) and what driving forces dissipate (see `response`) add up:
in a linear network neither knows of the other.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import positive_or_one
from ..numerics.lacking import lacking
from ..pytrees import batch_of_one
from ..regimes import UNDAMPED
from ..solution import Status
from .model import System
from .noise import ROUNDING, noise, swap
from .response import response
from .secular import conductance, first_order, fits
from .undamped import unknown_currents, unknown_products

BALANCED = 1e-13
"""Errors below this part of heats that cancel each other are rounding."""
ABSENT = 1e-22
"""Errors below this part of the heat that goes back and forth between a coordinate and its bath are no error."""
LARGE, SMALL, WIDE = 24, 8, 400
"""Networks of at least so many coordinates are solved by the modes of their springs, if the equations fit in memory,

those up to the last by the noise where modes have one frequency; smaller ones, down to the second, by modes where some
mode is damped by less than rounding.
"""
POOR = 1e-10
"""Errors above this part of the largest conductance between two baths are worth a second try."""


class Conduction(NamedTuple):
    """Conductances (point, bath, bath) with their errors; whether the springs are positive, and the heats unique.

    `resting`: whether there are modes that no friction reaches; `moving`: of which coordinates (point, n) no average
    motion is known under a force, because of them.
    """

    conductance: Array
    error: Array
    positive: Array
    damped: Array
    doublings: Array
    resting: Array
    moving: Array


def _by_noise(system: System, all_damped: bool = False) -> Conduction:
    found = noise(system, all_damped)
    still = found.undamped
    known = found.conductance, found.error, found.positive, found.damped, found.doublings
    resting = jnp.any(still.moving, -1)
    return Conduction(*known, resting, still.moving)


def _by_modes(system: System) -> Conduction:
    """The same of one network; a force may act on modes that are localised far from every bath."""
    found = conductance(system)
    known = found.conductance, found.error, found.positive, found.unique
    return Conduction(*known, jnp.zeros(()), found.resting, jnp.zeros(system.size, bool))


def _good(one: Conduction) -> Array:
    between = jnp.max(jnp.where(jnp.eye(one.error.shape[-1], dtype=bool), 0.0, one.conductance), (-2, -1))
    return ~one.positive | (one.damped & (jnp.max(one.error, (-2, -1)) <= POOR * between))


def _first(system: System) -> tuple[Conduction, Array]:
    """Conductances of a batch by the method that fits its size, and where the other one may do better."""
    if system.size >= LARGE and fits(system):
        found = jax.lax.map(_by_modes, first_order(system))
        return found, ~_good(found) & (system.size <= WIDE)
    found = _by_noise(system)
    return found, ~_good(found) & (system.size >= SMALL and fits(system))


def conduction(system: System) -> Conduction:
    """Heat conductances of a batch, by the methods that fit its size."""
    first, poor = _first(system)
    small = system.size < LARGE
    if not fits(system) or system.size < SMALL or system.size > WIDE:
        return first

    def other(one: System) -> Conduction:
        if small:
            return _by_modes(one)
        return jax.tree.map(lambda a: a[0], _by_noise(batch_of_one(one)))

    def again(given: tuple[System, Conduction, Array]) -> Conduction:
        one, before, poor = given

        def twice() -> Conduction:
            second = other(one)._replace(doublings=before.doublings)
            better = second.damped & (~before.damped | ~(jnp.max(second.error) > jnp.max(before.error)))
            return jax.tree.map(lambda a, b: jnp.where(better, a, b), second, before)

        return jax.lax.cond(poor, twice, lambda: before)

    return jax.lax.map(again, (first_order(system), first, poor))


def attempt(system: System) -> Outcome | None:
    """The state of a batch by the first method alone, undecided where the other one may do better; None if none may.

    Small networks are taken to be damped, undecided where they are not.
    """
    if system.size < SMALL and system.thermal.size < system.size:
        found = _by_noise(system, all_damped=True)
        return _outcome(system, found._replace(damped=jnp.ones_like(found.damped)), found.positive & ~found.damped)
    if not fits(system) or not SMALL <= system.size <= WIDE:
        return None
    found, poor = _first(system)
    return _outcome(system, found._replace(damped=found.damped | poor), poor)


def steady(system: System) -> Outcome:
    """Steady or periodic state of a batch of linear networks."""
    return _outcome(system, conduction(system), None)


def _outcome(system: System, found: Conduction, undecided: Array | None) -> Outcome:
    temperature = system.temperatures
    points, baths = temperature.shape
    difference = temperature[:, :, None] - temperature[:, None, :]
    flows = found.conductance * difference
    heats = jnp.sum(flows, -1)
    errors = jnp.sum(found.error * jnp.abs(difference) + 2 * (baths + 2) * ROUNDING * jnp.abs(flows), -1)
    gross = jnp.sum(jnp.abs(flows), (-2, -1))
    works = work_errors = jnp.zeros((points, 0))
    held = jnp.sum(jnp.asarray(system.members) * (system.frictions / system.masses)[:, None], -1)
    top = positive_or_one(jnp.max(held, -1))
    residuals = {
        "equipartition": jnp.max(jnp.abs(jnp.sum(found.conductance, -1) - held), -1) / top,
        "reciprocity": jnp.max(jnp.abs(found.conductance - swap(found.conductance)), (-2, -1)) / top,
    }
    unique = found.damped
    if system.drives:
        forced = response(system)
        heats, errors = heats + forced.heats, errors + forced.heat_errors + 2 * ROUNDING * jnp.abs(heats + forced.heats)
        works, work_errors = forced.works, forced.work_errors
        gross += jnp.sum(jnp.abs(forced.heats), -1)
        residuals["dissipation"] = forced.mismatch
        pushed = found.moving[:, np.array(system.sites)] & (system.amplitudes != 0)
        unique &= ~jnp.any(pushed, -1)
    return Outcome(
        rates=Rates(heats=heats, works=works),
        errors=Rates(heats=errors, works=work_errors),
        faults={Status.UNSTABLE: ~found.positive, Status.NOT_UNIQUE: found.positive & ~unique},
        floor=BALANCED * gross + ABSENT * jnp.sum(held * temperature, -1),
        residuals=residuals,
        statistics={"doublings": found.doublings},
        flags={UNDAMPED: found.resting},
        undecided=undecided,
    )


@eqx.filter_jit
def covariance(system: System) -> Array:
    """Covariance (2n, 2n) of positions and velocities of one network; the driven mean motion is not part of it.

    NaN between coordinates that take part in modes which no friction reaches, and where there is no steady state.
    """
    found, temperature, n = noise(batch_of_one(system)), system.temperatures, system.size
    # The equilibrium at the mean temperature, and what the differences add.
    mean = jnp.mean(temperature)
    zero = jnp.zeros((n, n))
    rest = jnp.block([[jnp.eye(n), zero], [zero, jnp.diag(1 / system.masses)]])
    moved = mean * rest + jnp.einsum("b,bij->ij", temperature - mean, found.second[0])
    back = jnp.block([[found.inverse_factor[0].T, zero], [zero, jnp.eye(n)]])
    unknown = unknown_products(jax.tree.map(lambda a: a[0], found.undamped)) | ~(found.positive & found.damped)
    return lacking(jnp.tile(unknown, (2, 2)), back @ moved @ back.T)


@eqx.filter_jit
def currents(system: System) -> Array:
    """Energy per time that flows into coordinate i (row) from j (column) through the spring between them (n, n)."""
    point, temperature, n = batch_of_one(system), system.temperatures, system.size
    found = noise(point)
    # ⟨x_j v_i⟩, which is zero in equilibrium.
    crossed = jnp.einsum("b,bij->ij", temperature - jnp.mean(temperature), found.second[0][:, :n, n:])
    crossed = found.inverse_factor[0].T @ crossed
    if system.drives:
        real, imaginary = response(point).amplitudes[0]
        crossed += 0.5 * system.frequency * (jnp.outer(real, imaginary) - jnp.outer(imaginary, real))
    flow = -0.5 * system.springs * (crossed.T - crossed)
    unknown = unknown_currents(jax.tree.map(lambda a: a[0], found.undamped)) & (system.springs != 0)
    unknown |= ~(found.positive & found.damped)
    return jnp.where(jnp.eye(n, dtype=bool), 0.0, lacking(unknown, flow))
