"""Linear oscillator networks: the steady or periodic state, exact to rounding.

Heat between baths at different temperatures (see `noise`) and what driving forces dissipate (see `response`) add up:
in a linear network neither knows of the other.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import positive_or_one
from ..pytrees import batch_of_one
from ..solution import Status
from .model import System
from .noise import ROUNDING, noise, swap
from .response import response
from .secular import conductance, first_order, fits

BALANCED = 1e-13
"""Errors below this part of heats that cancel each other are rounding."""
ABSENT = 1e-22
"""Errors below this part of the heat that goes back and forth between a coordinate and its bath are no error."""
LARGE, SMALL = 24, 8
"""Networks of at least so many coordinates are solved by the modes of their springs, if the equations fit in memory;

smaller ones, down to the second, where some mode is damped by less than rounding.
"""
POOR = 1e-10
"""Errors above this part of the largest conductance between two baths are worth a second try."""


class Conduction(NamedTuple):
    """Conductances (point, bath, bath) with their errors; whether the springs are positive, and the state unique."""

    conductance: Array
    error: Array
    positive: Array
    damped: Array
    doublings: Array


def conduction(system: System) -> Conduction:
    """Heat conductances of a batch, by the method that fits its size."""
    points, n = system.masses.shape
    if n >= LARGE and fits(system):
        found: tuple[Array, ...] = jax.lax.map(conductance, first_order(system))
        return Conduction(*found, jnp.zeros(points))  # type: ignore[call-arg]
    first = noise(system)
    known = Conduction(first.conductance, first.error, first.positive, first.damped, first.doublings)
    if n < SMALL or not fits(system):
        return known

    def again(given: tuple[System, Conduction]) -> Conduction:
        one, before = given
        between = jnp.max(jnp.where(jnp.eye(one.baths, dtype=bool), 0.0, before.conductance))
        good = before.damped & (jnp.max(before.error) <= POOR * between)

        def by_modes() -> Conduction:
            second = Conduction(*conductance(one), before.doublings)
            better = ~(jnp.max(second.error) > jnp.max(before.error))
            return jax.tree.map(lambda a, b: jnp.where(better, a, b), second, before)

        return jax.lax.cond(good | ~before.positive, lambda: before, by_modes)

    return jax.lax.map(again, (first_order(system), known))


def steady(system: System) -> Outcome:
    """Steady or periodic state of a batch of linear networks."""
    temperature = system.temperatures
    points, baths = temperature.shape
    found = conduction(system)
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
    if system.drives:
        forced = response(system)
        heats, errors = heats + forced.heats, errors + forced.heat_errors + 2 * ROUNDING * jnp.abs(heats + forced.heats)
        works, work_errors = forced.works, forced.work_errors
        gross += jnp.sum(jnp.abs(forced.heats), -1)
        residuals["dissipation"] = forced.mismatch
    return Outcome(
        rates=Rates(heats=heats, works=works),
        errors=Rates(heats=errors, works=work_errors),
        faults={Status.UNSTABLE: ~found.positive, Status.NOT_UNIQUE: found.positive & ~found.damped},
        floor=BALANCED * gross + ABSENT * jnp.sum(held * temperature, -1),
        residuals=residuals,
        statistics={"doublings": found.doublings},
    )


@eqx.filter_jit
def covariance(system: System) -> Array:
    """Covariance (2n, 2n) of positions and velocities of one network; the driven mean motion is not part of it."""
    found, temperature, n = noise(batch_of_one(system)), system.temperatures, system.size
    # The equilibrium at the mean temperature, and what the differences add.
    mean = jnp.mean(temperature)
    zero = jnp.zeros((n, n))
    rest = jnp.block([[jnp.eye(n), zero], [zero, jnp.diag(1 / system.masses)]])
    moved = mean * rest + jnp.einsum("b,bij->ij", temperature - mean, found.second[0])
    back = jnp.block([[found.inverse_factor[0].T, zero], [zero, jnp.eye(n)]])
    return back @ moved @ back.T


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
    return flow - jnp.diag(jnp.diag(flow))
