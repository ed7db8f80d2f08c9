"""Noise of charge and heat against closed forms, plain quadrature and the theorems of equilibrium."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from tests.conductor.scattering import fermi
from tests.tolerance import assert_close

TARGETS = [("particles", "left"), ("heat", "left"), ("particles", "right"), ("heat", "right")]


def dot(level=0.2, left=0.5, right=0.3, t1=0.1, m1=0.3, t2=0.2, m2=-0.4):
    return cs.Conductor(
        [[level]],
        {
            "left": cs.WideBandLead(0, left, cs.ElectronBath(t1, m1)),
            "right": cs.WideBandLead(0, right, cs.ElectronBath(t2, m2)),
        },
    )


def covariance(conductor):
    return np.asarray(cs.counting(conductor, TARGETS).covariance())


def test_noise_of_one_level_against_plain_quadrature():
    found = covariance(dot())

    def spectrum(energy, power_left, power_right):
        t = 0.15 / ((energy - 0.2) ** 2 + 0.16)
        a, b = fermi((energy - 0.3) / 0.1), fermi((energy + 0.4) / 0.2)
        s = t * (a * (1 - a) + b * (1 - b)) + t * (1 - t) * (a - b) ** 2
        return s * (energy - 0.3) ** power_left * (energy + 0.4) ** power_right / (2 * np.pi)

    def value(i, j):
        return quad(spectrum, -12, 12, (i, j), points=[0.2, 0.3, -0.4], epsabs=1e-15, epsrel=1e-13, limit=500)[0]

    sign = np.array([1, 1, -1, -1])
    powers = [(0, 0), (1, 0), (0, 0), (0, 1)]
    expected = [[sign[i] * sign[j] * value(*np.add(powers[i], powers[j])) for j in range(4)] for i in range(4)]
    assert_close(found, expected, 1e-12)


def test_noise_in_equilibrium_is_that_of_johnson_and_nyquist():
    """cov = ∂I_a/∂A_b + ∂I_b/∂A_a with the affinities μ/T and −1/T: derivatives of currents by JAX."""
    t, mu = 0.15, 0.1
    found = covariance(dot(t1=t, m1=mu, t2=t, m2=mu))

    def currents(x):
        s = cs.steady_state(dot(t1=t + x[0], m1=mu + x[1], t2=t, m2=mu))
        return jnp.stack([s.particles["left"], s.heat["left"]])

    by = jax.jacfwd(currents)(jnp.zeros(2))
    assert_close(found[0, 0], 2 * t * by[0, 1], 1e-10)
    assert_close(found[1, 1], 2 * t**2 * by[1, 0], 1e-10)
    assert_close([found[0, 1]] * 2, [2 * t * by[1, 1], 2 * t**2 * by[0, 0]], 1e-10)


def test_shot_noise_at_low_temperature_and_wide_bias():
    """Fano factor (Γ_L² + Γ_R²)/(Γ_L+Γ_R)² of a level in the middle of a wide bias."""
    found = covariance(dot(left=5e-6, right=3e-6, t1=1e-9, m1=5e3, t2=1e-9, m2=-5e3))
    assert_close(found[0, 0], 15e-6 / 8 * (25 + 9) / 64, 1e-8)


def test_higher_orders_are_refused_in_words():
    with pytest.raises(cs.InputError, match="cumulants 1 and 2"):
        cs.counting(dot(), "heat", "left").cumulants(3)
