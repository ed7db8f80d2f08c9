"""Where driving pumps, and where it cannot."""

import dataclasses

import numpy as np
import pytest

import coldspot as cs
from tests import machines_random as mr
from tests import routes

RING = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]


def edge_currents(driven: tuple[str, ...], points: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Period-averaged probability current of each edge of a ring with a chord, its error, and the gross jump rate.

    Arrhenius rates with symmetric barriers at one temperature. Each edge has a lead of its own at μ = 0, which
    leaves the rates alone, and the states hold 0, 1, 3, 7 particles: what a lead gives tells its edge's current.
    """
    occupations = (0, 1, 3, 7)
    baths = tuple((f"edge {i}-{f}", "electron") for i, f in RING)
    edges = tuple(mr.Edge((name,), i, f, "arrhenius") for (name, _), (i, f) in zip(baths, RING, strict=True))
    t = mr.Topology("no pumping", occupations, baths, edges, driven=driven)
    columns = mr.draw(t, np.random.default_rng(1), points)
    columns["temperature"][:] = np.clip(columns["temperature"][:, :1], 0.5, None)
    columns["potential"][:] = 0.0
    columns["period"] = 10 ** np.random.default_rng(2).uniform(-1, 2, points)
    s = mr.solve(t, columns)
    good = np.flatnonzero(np.asarray(s.ok))
    assert good.size >= 0.99 * points
    s, columns = mr.take(s, good), {name: values[good] for name, values in columns.items()}
    carried = np.array([occupations[f] - occupations[i] for i, f in RING])
    p = routes.parts(dataclasses.replace(t, driven=()), columns)
    gross = np.exp(np.maximum(p.log_forward, p.log_backward)).max(axis=-1, keepdims=True)
    errors = np.asarray(s.error.particle_numbers) / np.abs(carried)
    return np.asarray(s.particles.array) / carried, errors, gross


@pytest.mark.parametrize("driven", [("energy",), ("barrier",)], ids=["energies", "barriers"])
def test_no_pumping(driven):
    """Driving only the energies, or only the barriers, moves no net probability along any edge."""
    current, error, gross = edge_currents(driven)
    assert np.all(np.abs(current) <= error + 1e-15 * gross)
    assert np.all(error < 1e-7 * gross)


def test_driving_energies_and_barriers_pumps():
    current, error, gross = edge_currents(("energy", "barrier"))
    assert np.all(error < 1e-7 * gross)
    assert np.mean(np.max(np.abs(current) / error, axis=-1) > 1e3) > 0.9
    # Stationary in the mean: what enters a state leaves it.
    for state in range(4):
        net = sum(current[:, k] * ((f == state) - (i == state)) for k, (i, f) in enumerate(RING))
        assert np.all(np.abs(net) <= error.sum(axis=-1) + 1e-15 * gross[:, 0])


def test_glauber_rates_do_pump():
    """Rates that are not of Arrhenius form pump when only the energies are driven: the spin pair at one temperature."""
    s = cs.steady_state(cs.machines.SpinPair(left=cs.HeatBath(0.5), right=cs.HeatBath(0.5)))
    assert s.regime == "heat pump"
    assert s.heat["right"] > 1e4 * s.error.heat["right"]
