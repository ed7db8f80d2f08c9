"""Laws of thermodynamics as checks of any solution of a jump network."""

import numpy as np

import coldspot as cs
from tests import machines_random as mr
from tests import routes

ROUNDING = 1e-12
"""Allowed violation of a law in a static state, relative to the largest current."""


TINY = 1e-290
"""Below this, products of currents and energies leave the range of normal floats."""


def largest_rate(s: cs.Solution) -> np.ndarray:
    """The largest energy, heat or work rate of each point."""
    parts = [s.energy.array, s.heat.array, s.chemical_work.array, s.work.array]
    return np.max(np.abs(np.concatenate([np.asarray(p) for p in parts], axis=-1)), axis=-1)


def check_first_law(s: cs.Solution, driven: bool) -> None:
    total = np.sum(np.asarray(s.energy.array), axis=-1) + np.sum(np.asarray(s.work.array), axis=-1)
    limit = ROUNDING * largest_rate(s) + TINY
    if driven:
        limit = limit + np.sum(np.asarray(s.error.energies), axis=-1) + np.sum(np.asarray(s.error.works), axis=-1)
    assert np.all(np.abs(total) <= limit), f"first law: {np.max(np.abs(total) / limit)} × allowed"
    assert np.all(np.abs(s.first_law_residual - total) <= 1e-15 * np.sqrt(len(s.baths)) * largest_rate(s) + TINY)


def check_second_law(s: cs.Solution, driven: bool) -> None:
    sigma = -np.sum(np.asarray(s.entropy_flow.array), axis=-1)
    assert np.array_equal(sigma, np.asarray(s.entropy_production)) or np.allclose(
        sigma, s.entropy_production, rtol=1e-12
    )
    limit = ROUNDING * np.max(np.abs(np.asarray(s.entropy_flow.array)), axis=-1) + TINY
    if driven:
        limit = limit + np.sum(np.asarray(s.error.entropy_flows), axis=-1)
    assert np.all(sigma >= -limit), f"second law: σ = {np.min(sigma / limit)} × allowed"


def check_particles(t: mr.Topology, s: cs.Solution) -> None:
    numbers = np.asarray(s.particles.array)
    # Heat baths carry exactly none.
    for k, (_, kind) in enumerate(t.baths):
        if kind != "electron":
            assert np.all(numbers[:, k] == 0.0)
    # A bath's net number may vanish while its channels carry much: its error knows.
    limit = np.sum(np.asarray(s.error.particle_numbers), axis=-1) + TINY
    assert np.all(np.abs(numbers.sum(axis=-1)) <= limit), "particles are not conserved"


def check_bounds(s: cs.Solution) -> None:
    """−work_in ≤ (1−T_min/T_max)·Σ positive heats, for any number of baths; at two temperatures Carnot's bounds."""
    temperature = np.asarray(s.temperatures)
    coldest, hottest = temperature.min(axis=-1), temperature.max(axis=-1)
    heat, power = np.asarray(s.heat.array), -np.asarray(s.work_in)
    slack = (
        ROUNDING * largest_rate(s)
        + TINY
        + np.sum(np.asarray(s.error.energies) + np.asarray(s.error.chemical_works), -1)
    )
    assert np.all(power <= (1 - coldest / hottest) * np.maximum(heat, 0).sum(axis=-1) + slack)


def check_second_law_efficiency(s: cs.Solution) -> None:
    # Where σ drowns in its error (near equilibrium, Carnot's limit) out/in says nothing.
    clear = np.asarray(s.entropy_production) > 1e3 * np.sum(np.asarray(s.error.entropy_flows), axis=-1)
    for k, name in enumerate(s.baths):
        if not s.steady_baths[k]:
            continue
        eta = np.asarray(s.second_law_efficiency(name))
        known = np.isfinite(eta)
        assert np.all(eta[known & clear] <= 1), name
        assert np.all(eta[known] >= 0)


def check_laws(t: mr.Topology, s: cs.Solution) -> None:
    driven = bool(t.driven)
    check_first_law(s, driven)
    check_second_law(s, driven)
    check_particles(t, s)
    if all(s.steady_baths):
        check_bounds(s)
    check_second_law_efficiency(s)


def check_schnakenberg(t: mr.Topology, columns, s: cs.Solution) -> None:
    """σ from the heats equals the sum over channels of (net flow)·ln(flow ratio), from populations and rates.

    The comparison is within the rounding of that sum, which is severe near equilibrium.
    """
    total, noise = routes.schnakenberg(t, routes.parts(t, columns), np.asarray(s.populations))
    sigma = np.asarray(s.entropy_production)
    # Populations below floating-point range have no logarithm here.
    usable = np.isfinite(total) & np.isfinite(noise) & np.all(np.asarray(s.populations) > 1e-290, axis=-1)
    assert usable[:250].all()
    rounding = ROUNDING * np.max(np.abs(np.asarray(s.entropy_flow.array)), axis=-1)
    off = np.abs(sigma - total) / (noise + rounding + TINY)
    assert np.all(off[usable] <= 1), f"Schnakenberg sum: {off[usable].max()} × allowed"
