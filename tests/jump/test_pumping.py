"""Where driving pumps, and where it cannot."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import solve_points
from tests import machines_random as mr
from tests import routes

EDGES = [(0, 1), (1, 2), (2, 0), (0, 2)]
OCCUPATIONS = (0, 1, 3)
POINTS = 50


class Edges(NamedTuple):
    """Period-averaged probability current of each edge, its error (point, edge), and the gross jump rate (point, 1)."""

    current: np.ndarray
    error: np.ndarray
    gross: np.ndarray


@pytest.fixture(scope="module")
def edges() -> dict[str, Edges]:
    """Two loops of three states: energies driven, barriers driven, and both.

    Arrhenius rates with symmetric barriers at one temperature. Each edge has a lead of its own at μ = 0, which
    leaves the rates alone, and the states hold 0, 1, 3 particles: what a lead gives tells its edge's current.
    """
    baths = tuple((f"edge {k}", "electron") for k in range(len(EDGES)))
    channels = tuple(mr.Edge((name,), i, f, "arrhenius") for (name, _), (i, f) in zip(baths, EDGES, strict=True))
    t = mr.Topology("no pumping", OCCUPATIONS, baths, channels, driven=("energy", "barrier"))
    kinds = {"energies": ("sway",), "barriers": ("tilt", "wave"), "both": ()}
    drawn = []
    for still in kinds.values():
        columns = mr.draw(t, np.random.default_rng(1), POINTS)
        for name in still:
            columns[name][:] = 0.0
        drawn.append(columns)
    columns = mr.join(*drawn)
    columns["temperature"][:] = np.clip(columns["temperature"][:, :1], 0.5, None)
    columns["potential"][:] = 0.0
    columns["period"] = np.tile(10 ** np.random.default_rng(2).uniform(-1, 2, POINTS), len(kinds))
    # All in the sure way, which those take in the end whose currents are nothing beside their rounding.
    s = solve_points.solve(t, None, {name: jnp.asarray(x) for name, x in columns.items()}, jnp.asarray(1e-8))
    good = np.asarray(s.ok)
    carried = np.array([OCCUPATIONS[f] - OCCUPATIONS[i] for i, f in EDGES])
    p = routes.parts(dataclasses.replace(t, driven=()), columns)
    gross = np.exp(np.maximum(p.log_forward, p.log_backward)).max(axis=-1, keepdims=True)
    current, error = np.asarray(s.particles.array) / carried, np.asarray(s.error.particle_numbers) / np.abs(carried)
    found = {}
    for k, kind in enumerate(kinds):
        own = np.arange(k * POINTS, (k + 1) * POINTS)
        assert good[own].mean() >= 0.99
        own = own[good[own]]
        found[kind] = Edges(current[own], error[own], gross[own])
    return found


@pytest.mark.parametrize("driven", ["energies", "barriers"])
def test_no_pumping(edges, driven):
    """Driving only the energies, or only the barriers, moves no net probability along any edge."""
    current, error, gross = edges[driven]
    assert np.all(np.abs(current) <= error + 1e-15 * gross)
    assert np.all(error < 1e-7 * gross)


def test_driving_energies_and_barriers_pumps(edges):
    current, error, gross = edges["both"]
    assert np.all(error < 1e-7 * gross)
    assert np.mean(np.max(np.abs(current) / error, axis=-1) > 1e3) > 0.9
    # Stationary in the mean: what enters a state leaves it.
    for state in range(len(OCCUPATIONS)):
        net = sum(current[:, k] * ((f == state) - (i == state)) for k, (i, f) in enumerate(EDGES))
        assert np.all(np.abs(net) <= error.sum(axis=-1) + 1e-15 * gross[:, 0])


def test_glauber_rates_do_pump():
    """Rates that are not of Arrhenius form pump when only the energies are driven: the spin pair at one temperature."""
    s = cs.steady_state(cs.machines.SpinPair(left=cs.HeatBath(0.5), right=cs.HeatBath(0.5)))
    assert s.regime == "heat pump"
    assert s.heat["right"] > 1e4 * s.error.heat["right"]
