"""Populations of modes: golden rule, enhanced emission, instability."""

import math

import jax
import numpy as np
import pytest

import coldspot as cs
from coldspot.conductor.population import effective_chemical_potential, effective_temperature, population
from coldspot.machines import BosonJunction


def ladder(emission, absorption, omega, phonons=None, rate=None, states=60):
    """A ladder of boson numbers, cut off: pairs with E(n+1), A n; a phonon bath at `phonons` with rate·n."""
    n = np.arange(states - 1)
    temperature = omega / math.log(absorption / emission)
    channels = [cs.Channel("pairs", n, n + 1, cs.Explicit(emission * (n + 1), absorption * (n + 1)))]
    baths = {"pairs": cs.HeatBath(temperature)}
    if phonons is not None:
        baths["phonons"] = cs.BosonBath(phonons)
        channels.append(cs.Channel("phonons", n, n + 1, cs.Bosonic(rate * (n + 1.0))))
    return cs.steady_state(cs.JumpNetwork(omega * np.arange(states), baths, channels))


def test_heat_is_that_of_a_jump_network_of_boson_numbers():
    """With rate κ to the phonons, the ladder carries J·κ/(κ + A − E): the ledger's J is its limit."""
    s = cs.steady_state(BosonJunction(left=cs.ElectronBath(0.5, -0.4), right=cs.ElectronBath(0.5, 0.4)))
    emission, absorption = (float(s.observables[name]) for name in ("emission", "absorption"))
    for rate in (0.05, 3.0):
        chain = ladder(emission, absorption, 1.0, 0.8, rate)
        expected = float(s.heat["phonons"]) * rate / (rate + absorption - emission)
        assert abs(float(chain.heat["phonons"]) / expected - 1) < 1e-12


def test_population_is_that_of_a_jump_network_of_boson_numbers():
    omega, t = 1.3, 0.6
    s = cs.steady_state(BosonJunction(frequency=omega, left=cs.ElectronBath(t, 0.3), right=cs.ElectronBath(t, -0.3)))
    emission, absorption = (float(s.observables[name]) for name in ("emission", "absorption"))
    chain = ladder(emission, absorption, omega)
    mean = float(np.arange(60) @ np.asarray(chain.populations))
    number, hot, potential = (
        float(s.observables[name]) for name in ("population", "effective temperature", "effective chemical potential")
    )
    assert abs(number / mean - 1) < 1e-11
    assert abs(number * math.expm1(omega / hot) - 1) < 1e-12
    assert abs(number * math.expm1((omega - potential) / t) - 1) < 1e-12
    assert abs(hot / (t / (1 - potential / omega)) - 1) < 1e-12  # eq. 12


def test_enhanced_emission_heats_and_enhanced_absorption_cools():
    """After eq. 12 the paper says the reverse of its own definitions."""
    hot = cs.steady_state(BosonJunction(left=cs.ElectronBath(0.5, 0.4), right=cs.ElectronBath(0.5, -0.4)))
    cool = cs.steady_state(BosonJunction(left=cs.ElectronBath(0.5, -0.4), right=cs.ElectronBath(0.5, 0.4)))
    assert hot.observables["effective chemical potential"] > 0
    assert hot.observables["effective temperature"] > 0.5
    assert cool.observables["effective chemical potential"] < 0
    assert cool.observables["effective temperature"] < 0.5


def test_population_functions_near_and_beyond_instability():
    assert float(population(1.0, 1.0 + 1e-12)) == pytest.approx(1 / 1.000088900582341e-12)
    for function in (
        population,
        lambda e, a: effective_temperature(e, a, 1.0),
        lambda e, a: effective_chemical_potential(e, a, 1.0, 1.0),
    ):
        assert math.isnan(float(function(1.0, 1.0)))
        assert math.isnan(float(function(2.0, 1.0)))
        slopes = jax.grad(lambda e, a, f=function: f(e, a), argnums=(0, 1))(1.0, 3.0)
        assert np.all(np.isfinite(slopes))
    assert float(population(0.0, 1.0)) == 0.0
    assert float(effective_temperature(0.0, 1.0, 1.0)) == 0.0
