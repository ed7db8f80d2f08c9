"""Where there is no state there are no numbers, and no derivatives that could pass for some."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.conductor.population import effective_temperature, population


def unheld(spring, bath=cs.HeatBath):
    """One mass on a spring, between two baths; without a steady state if the spring pushes."""
    return cs.OscillatorNetwork(
        [1.0, 1.0],
        spring * jnp.eye(2) + jnp.array([[1.0, -1.0], [-1.0, 1.0]]),
        [1.0, 1.0],
        {"h": bath(2.0), "c": bath(1.0)},
        {"h": 0, "c": 1},
    )


def dot(gamma):
    return cs.machines.QuantumDot(gamma_left=gamma, left=cs.ElectronBath(10.0, 2.5))


def barrier(height):
    return cs.machines.KramersBarrier(barrier=height)


FAILING = {
    "jumps": (lambda x: cs.steady_state(dot(x), throw=False).heat["left"], 1.0, -1.0),
    "oscillators": (lambda x: cs.steady_state(unheld(x), throw=False).heat["h"], 1.0, -1.0),
    "quanta": (lambda x: cs.steady_state(unheld(x, cs.BosonBath), throw=False).heat["h"], 1.0, -1.0),
    "barrier": (lambda x: cs.steady_state(barrier(x), throw=False).heat["hot"], 5.0, 0.0),
    "noise": (lambda x: cs.counting(dot(x), "heat", "left").cumulants(2).values[1], 1.0, -1.0),
    "entropy": (lambda x: cs.steady_state(dot(x), throw=False).entropy_production, 1.0, -1.0),
    "population": (lambda x: population(1.0, x), 2.0, 0.5),
    "temperature of a mode": (lambda x: effective_temperature(1.0, x, 1.0), 2.0, 0.5),
}


def test_what_is_no_machine_does_not_evolve():
    """Numbers of a time evolution, and their derivatives forward, which are those it has."""

    def heat(gamma):
        found = cs.evolve(dot(gamma), 0, [0.5, 2.0], throw=False)
        return jnp.stack([found.heat["left"][1], found.amounts.heat["left"][1], found.populations[1, 0]])

    there, nowhere = jax.jit(lambda x: jax.lax.map(lambda g: jax.jvp(heat, (g,), (1.0,)), x))(jnp.array([1.0, -1.0]))
    for found in (there, nowhere):
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()


@pytest.mark.parametrize("which", FAILING)
def test_nothing_has_no_derivative(which):
    function, good, bad = FAILING[which]

    def both(x):
        value, slope = jax.jvp(function, (x,), (1.0,))
        return jnp.stack([value, slope, jax.grad(function)(x)])

    there, nowhere = jax.jit(lambda x: jax.lax.map(both, x))(jnp.array([good, bad]))
    assert np.isfinite(there).all()
    assert np.isnan(nowhere).all()


def test_points_without_a_state_are_left_out():
    """Of a sum over those that have one, derivatives are as if the others were not there."""

    def total(gammas):
        def heat(gamma):
            s = cs.steady_state(dot(gamma), throw=False)
            return jnp.where(s.ok, s.heat["left"], 0.0)

        return jnp.sum(jax.vmap(heat)(gammas))

    slopes = jax.jit(jax.grad(total))
    all_of, one = slopes(jnp.array([1.0, -1.0])), slopes(jnp.array([1.0, 1.0]))
    assert all_of[0] == one[0]
