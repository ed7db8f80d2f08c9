"""Densities that change in time, against Gaussians in a trap, a steady state, and the slowest rate."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

import coldspot as cs

SPRING, FRICTION, MASS, TEMPERATURE = 2.0, 0.9, 1.3, 0.7


def gaussian(mean, spread):
    def density(x, v):
        x, v = (x - mean[0]) / spread[0], (v - mean[1]) / spread[1]
        return np.exp(-(x * x + v * v) / 2) / (2 * math.pi * spread[0] * spread[1])

    return density


def test_a_gaussian_in_a_trap():
    """Its mean and covariance obey linear equations, and it stays a Gaussian."""
    trap = cs.KleinKramers(
        lambda x: SPRING / 2 * x * x, friction=FRICTION, temperature=TEMPERATURE, mass=MASS, boundary=cs.Closed()
    )
    start, spread = np.array([0.5, -0.2]), np.array([0.45, 0.6])
    times = np.array([0.0, 0.4, 2.5])
    found = cs.evolve(trap, gaussian(start, spread), times, tolerance=1e-6)
    assert found.status == cs.Status.OK
    drift = np.array([[0.0, 1.0], [-SPRING / MASS, -FRICTION]])
    final = np.diag([TEMPERATURE / SPRING, TEMPERATURE / MASS])
    x = np.linspace(-1.5, 1.5, 13)
    for k, time in enumerate(times):
        turned = expm(drift * time)
        mean = turned @ start
        covariance = final + turned @ (np.diag(spread**2) - final) @ turned.T
        squares = covariance + np.outer(mean, mean)
        assert abs(found.particles[k] - 1) < 1e-6
        energy = SPRING / 2 * squares[0, 0] + MASS / 2 * squares[1, 1]
        assert abs(found.energy[k] - energy) < 2e-6
        assert abs(found.heat["bath"][k] - FRICTION * (TEMPERATURE - MASS * squares[1, 1])) < 2e-6
        width = covariance[0, 0]
        density = np.exp(-((x - mean[0]) ** 2) / (2 * width)) / math.sqrt(2 * math.pi * width)
        assert np.max(np.abs(found.profiles[k].density(x) - density)) < 1e-5


def test_a_ring_comes_to_its_steady_state():
    """With a load, from particles in one place."""
    ring = cs.KleinKramers(
        lambda x: 0.5 * jnp.cos(x),
        friction=1.0,
        temperature=1.0,
        boundary=cs.Periodic(2 * math.pi, load=0.7, start=-math.pi),
    )
    found = cs.evolve(ring, gaussian((0.3, 0.0), (0.5, 1.0)), [0.1, 40.0], tolerance=1e-5)
    steady = cs.steady_state(ring, tolerance=1e-6)
    assert found.particles[-1] == pytest.approx(found.particles[0], rel=1e-6)
    assert float(found.heat["bath"][-1]) == pytest.approx(float(steady.heat["bath"]), rel=1e-4)
    assert abs(found.heat["bath"][0] - steady.heat["bath"]) > 0.01


def test_bad_input():
    trap = cs.KleinKramers(lambda x: x * x, friction=1.0, temperature=1.0, boundary=cs.Closed())
    with pytest.raises(cs.InputError, match=r"`initial` must be a function P\(x, v\)"):
        cs.evolve(trap, 0, [1.0])
    with pytest.raises(cs.InputError, match="must be jumps, linear oscillators or a KleinKramers, but is Barrier"):
        cs.evolve(cs.machines.KramersBarrier(), 0, [1.0])
    with pytest.raises(cs.InputError, match="`times` must be finite"):
        cs.evolve(trap, gaussian((0.0, 0.0), (1.0, 1.0)), [1.0, 0.5])
