"""A weak spring beside a steep potential: springs may be wrong by ten orders of magnitude before they are found."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from coldspot._checks import as_float
from coldspot.oscillators.likeness import equivalent


class Power(eqx.Module):
    """U(x) = u|x − c|ᵖ of one coordinate: one program for all powers."""

    strength: jax.Array
    centre: jax.Array
    power: jax.Array

    def __call__(self, x):
        return self.strength * ((x[0] - self.centre) ** 2) ** (self.power / 2)


def well(strength, power, spring, centre=0.0, temperature=1.0):
    potential = Power(*map(as_float, (strength, centre, power)))
    return cs.OscillatorNetwork(
        [1.0],
        jnp.asarray(spring)[None, None],
        [1.0],
        {"bath": cs.HeatBath(temperature)},
        {"bath": 0},
        potential=potential,
    )


def mean_square(strength, power, spring):
    """⟨x²⟩ by quadrature with the weight e^{−V}."""
    width = min((1 / strength) ** (1 / power), 1 / np.sqrt(spring) if spring else np.inf)

    def weighted(y, order):
        x = y * width
        return x**order * np.exp(-strength * x**power - spring * x**2 / 2)

    return quad(weighted, 0, 8, args=(2,))[0] / quad(weighted, 0, 8, args=(0,))[0]


@pytest.mark.parametrize(("strength", "power"), [(2000.0, 6), (1e5, 4)])
def test_a_weak_spring_changes_nothing(strength, power):
    for spring in (1e-3, 0.0):
        t = cs.trajectories(well(strength, power, spring), jax.random.key(3), n=512, time=3.0)
        found, error = float(t.observables["x_squared 0"]), float(t.solution.observable_errors["x_squared 0"])
        assert abs(found - mean_square(strength, power, spring)) < 4 * error
        assert error < 0.02 * found
    s = cs.steady_state(well(strength, power, 1e-3))
    assert abs(float(s.observables["x_squared 0"]) / mean_square(strength, power, 1e-3) - 1) < 0.02


alike = eqx.filter_jit(lambda network: equivalent(network.system()))


def fixed_point(strength, power, spring):
    """Spring k with k = k₀ + ⟨U″⟩ at ⟨x²⟩ = T/k, T = 1, by bisection: ⟨x^{p−2}⟩ = (p−3)!! k^{−(p−2)/2}."""
    double = float(np.prod(np.arange(1, power - 2, 2)))
    low, high = -30.0, 80.0
    for _ in range(200):
        middle = (low + high) / 2
        k = np.exp(middle)
        above = k > spring + strength * power * (power - 1) * double * k ** (-(power - 2) / 2)
        low, high = (low, middle) if above else (middle, high)
    return np.exp(low)


@pytest.mark.parametrize("power", [4, 6, 8])
def test_the_search_finds_the_fixed_point(power):
    """From springs and strengths over many decades; 128 positions give mean curvatures to some per cent."""
    for strength, spring in ((1e5, 1e-3), (1e-4, 1e3), (1.0, 1e-9), (1e6, 1e-6), (1e-3, 0.0)):
        found = alike(well(strength, power, spring))
        assert bool(found.held)
        expected = fixed_point(strength, power, spring)
        assert abs(float(found.springs[0, 0]) / expected - 1) < 0.15, (strength, spring)


def test_steep_walls_far_from_the_origin():
    for power in (4, 6):
        found = alike(well(2000.0, power, 1e-3, centre=3.0))
        assert bool(found.held)
        centre = float(found.force[0] / found.springs[0, 0])
        assert abs(centre - 3.0) < 0.05


def test_other_directions_keep_their_springs():
    """One coordinate in a steep well, one on a soft spring: their springs differ by seven orders of magnitude."""
    network = cs.OscillatorNetwork(
        [1.0, 1.0],
        [[1e-3, 0.0], [0.0, 1e-3]],
        [1.0, 1.0],
        {"a": cs.HeatBath(1.0), "b": cs.HeatBath(1.0)},
        {"a": 0, "b": 1},
        potential=lambda x: 1e8 * x[0] ** 4,
    )
    springs = np.asarray(alike(network).springs)
    assert abs(springs[1, 1] / 1e-3 - 1) < 0.01
    assert abs(springs[0, 0] / fixed_point(1e8, 4, 1e-3) - 1) < 0.15
