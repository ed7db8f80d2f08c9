"""Potentials that jump or have poles where the motion goes are refused; steep ones that do not are not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.oscillators.continuity import steepest


def network(potential, spring=1.0):
    return cs.OscillatorNetwork([1.0], [[spring]], [1.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0}, potential=potential)


def step(x):
    return jnp.where(x[0] > 0.3, 1.0, 0.0)


def pole(x):
    return 1 / (x[0] - 0.3)


def wall(x):
    return 2000 * x[0] ** 6


def kink(x):
    return jnp.abs(x[0] - 0.3)


def steep(x):
    return jnp.tanh(1e6 * (x[0] - 0.3))


LINE = np.random.RandomState(3).standard_normal((1, 64))
look = jax.jit(steepest, static_argnums=0)


@pytest.mark.parametrize("potential", [step, pole], ids=["step", "pole"])
def test_jumps_and_poles_are_found_where_they_are(potential):
    found = look(potential, LINE)
    assert bool(found.jumps)
    np.testing.assert_allclose(found.place, 0.3, rtol=1e-12)


@pytest.mark.parametrize("potential", [wall, kink, steep], ids=["wall", "kink", "steep"])
def test_what_is_continuous_is_left_alone(potential):
    assert not bool(look(potential, LINE).jumps)


def test_steps_are_refused_in_words_and_marked_in_sweeps():
    with pytest.raises(cs.InputError, match=r"`potential` jumps by 1, or has a pole, at x = \[0\.(3|29999)"):
        cs.trajectories(network(step), jax.random.key(0), n=16, time=1.0)
    with pytest.raises(cs.SolveError, match=r"INVALID.*`potential` jumps"):
        cs.steady_state(network(step))


def hidden(x):
    return jnp.where(x[0] > 2.2, jnp.nan, 0.0)


def test_a_potential_that_is_no_number_but_whose_slope_is_zero():
    """The force there is 0, and trajectories come back: they must not, wherever they are when their books close."""
    with pytest.raises(cs.SolveError, match=r"not a number at time .* x = \[2\..*energy is nan"):
        cs.trajectories(network(hidden), jax.random.key(0), n=16, time=100.0)
    with pytest.raises(cs.SolveError, match="the potential is no number"):
        cs.oscillators.first_passage(network(hidden), jax.random.key(0), coordinate=0, start=[0.0], above=4.0, n=16)
