"""Trajectories of nonlinear networks.

Second routes: an integrated differential equation without noise; quadrature in equilibrium; a loop in NumPy with
another scheme.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

import coldspot as cs
from coldspot.oscillators import ensemble
from tests.oscillators.sampled import OFF, OMEGA, Pair, single, within
from tests.tolerance import assert_close


def test_without_anharmonicity_it_is_the_linear_pair():
    for values in ({}, {"amplitude": 3.0, "phase": 2.0, "friction": 0.3}, {"coupling": 0.5, "mass": 2.0} | OFF):
        s, truth = (
            cs.steady_state(Pair(anharmonicity=0.0, **values)),
            cs.steady_state(cs.machines.OscillatorPair(**values)),
        )
        within(s.heat.array, truth.heat.array, s.error.heat.array + 1e-3 * np.max(np.abs(truth.heat.array)))
        within(s.work.array, truth.work.array, s.error.work.array + 1e-3 * np.max(np.abs(truth.heat.array)))
        assert s.stochastic
        assert not truth.stochastic


def test_equilibrium_averages_by_quadrature():
    """⟨x²⟩ with weight e^{−V/T}, ⟨v²⟩ = T/m; no heat, no work, and the regime says so."""
    temperature, alpha = 0.8, 2.0
    s = cs.steady_state(
        Pair(anharmonicity=alpha, left=cs.HeatBath(temperature), right=cs.HeatBath(temperature), mass=0.5, **OFF)
    )
    x = np.linspace(-5, 5, 801)
    one, two = np.meshgrid(x, x, indexing="ij")
    v = one**2 + two**2 + 1.5 * (one - two) ** 2 + alpha * (one**4 + two**4 + (one - two) ** 4) / 4
    weight = np.exp(-v / temperature)
    square = np.sum(one**2 * weight) / np.sum(weight)
    moments = [s.observables[name] for name in ("x_squared 0", "x_squared 1", "v_squared 0", "v_squared 1")]
    within(moments, [square, square, 1.6, 1.6], s.observable_errors.array)
    within(s.heat.array, 0.0, s.error.heat.array)
    assert s.regime == "passive"
    assert np.all(np.asarray(s.work.array) == 0.0)


def test_heat_between_two_temperatures_by_a_loop_in_numpy():
    """Heun's method with the heat (−γv+η)∘v as it stands, and other random numbers."""
    rng, h, n = np.random.default_rng(1), 0.01, 2500
    alpha, hot, cold = 4.0, 2.0, 0.4
    noise_size = np.sqrt(2 * h * np.array([[hot], [cold]]))

    def force(x):
        d = x - x[::-1]
        return -2 * x - 3 * d - alpha * (x * x * x + d * d * d)  # a power takes NumPy thirty times as long

    x, v, heat = np.zeros((2, n)), np.zeros((2, n)), np.zeros((2, n))
    for step in range(3000):
        kick = noise_size * rng.standard_normal((2, n))
        pull = force(x) - v
        guess_x, guess_v = x + h * v, v + h * pull + kick
        new_v = v + h / 2 * (pull + force(guess_x) - guess_v) + kick
        x = x + h / 2 * (v + guess_v)
        if step >= 1000:
            middle = (v + new_v) / 2
            heat += (kick - h * middle) * middle
        v = new_v
    heat /= 2000 * h
    error = heat.std(axis=1) / math.sqrt(n)
    s = cs.steady_state(Pair(anharmonicity=alpha, left=cs.HeatBath(hot), right=cs.HeatBath(cold), **OFF))
    linear = cs.steady_state(cs.machines.OscillatorPair(left=cs.HeatBath(hot), right=cs.HeatBath(cold), **OFF))
    within(heat.mean(axis=1), s.heat.array, np.hypot(error, s.error.heat.array))
    assert abs(s.heat["left"] - linear.heat["left"]) > 10 * s.error.heat["left"]
    within(np.sum(s.heat.array), 0.0, 0.3 * np.min(s.error.heat.array))


def test_cold_driven_pair_by_an_ordinary_differential_equation():
    """Without noise: the periodic motion by DOP853, heat −γ⟨v²⟩; the step's error is of second order."""
    alpha, amplitude = 5.0, 3.0
    network = Pair(
        anharmonicity=alpha, amplitude=amplitude, left=cs.HeatBath(1e-12), right=cs.HeatBath(1e-12), friction=1.5
    ).dynamics()

    def motion(t, z):
        x, v = z[:2], z[2:4]
        d = x - x[::-1]
        f = amplitude * np.cos(OMEGA * t + np.array([0.0, 0.3]))
        return np.concatenate([v, f - 2 * x - 3 * d - alpha * (x**3 + d**3) - 1.5 * v, -1.5 * v**2, f * v])

    tight = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13}
    start = integrate.solve_ivp(motion, (0, 90.0), np.zeros(8), **tight).y[:, -1]
    turn = integrate.solve_ivp(motion, (0, 3.0), np.concatenate([start[:4], np.zeros(4)]), **tight).y[:, -1]
    assert_close(turn[:4], start[:4], 1e-8)
    errors = []
    for step in (3 / 64, 3 / 128):
        t = cs.trajectories(network, jax.random.key(0), n=16, time=3.0, time_step=step, transient=90.0, throw=False)
        errors.append(np.concatenate([t.heat.array, t.work.array]) - turn[4:] / 3)
    assert np.all(np.abs(errors[1]) < 2e-3 * np.max(np.abs(turn[4:] / 3)))
    assert np.all(np.abs(np.log2(np.abs(errors[0]) / np.abs(errors[1])) - 2) < 0.1)


def test_steady_states_that_cannot_be_trusted():
    with pytest.raises(cs.SolveError, match="left the range of numbers") as caught:
        cs.steady_state(Pair(anharmonicity=-0.4))
    assert caught.value.status is cs.Status.UNSTABLE
    # Two periods would need more steps than the documented most.
    with pytest.raises(cs.SolveError, match="more than 131072 steps") as caught:
        cs.steady_state(Pair(frequency=1e-4))
    assert caught.value.status is cs.Status.NOT_CONVERGED
    broken = eqx.tree_at(lambda m: m.left.temperature, Pair(), jnp.asarray(-1.0))
    assert int(cs.steady_state(broken, throw=False).status) == cs.Status.INVALID


def test_sweep_of_nonlinear_pairs_keeps_each_point():
    points = [(0.0, 1.0), (2.0, 0.5), (-0.4, 1.0)]
    data = cs.sweep(Pair(), [{"anharmonicity": a, "left.temperature": t} for a, t in points])
    assert data.status.values.tolist() == [0, 0, 5]
    assert np.all(data.regime.values[:2] == cs.regimes.code("heater"))
    assert np.all(np.isnan(data.heat.values[2]))
    alone = cs.steady_state(Pair(anharmonicity=2.0, left=cs.HeatBath(0.5)))
    assert np.allclose(data.heat.values[1], alone.heat.array, rtol=1e-9)
    assert np.allclose(data.heat_error.values[1], alone.error.heat.array, rtol=1e-9)
    assert np.allclose(data.x_squared_0_error.values[1], alone.observable_errors["x_squared 0"], rtol=1e-9)


def test_gradients_follow_the_trajectories(monkeypatch):
    """Derivatives of the sampled averages, against finite differences with the same random numbers."""
    monkeypatch.setattr(ensemble, "TRAJECTORIES", 48)
    monkeypatch.setattr(ensemble, "MEASURED", 640)

    def heat(p):
        network = single(quartic=p[0], temperature=p[1], spring=p[3], friction=p[2])
        return cs.steady_state(network, throw=False).observables.array

    point = np.array([0.7, 0.9, 0.6, 2.0])

    @jax.jit
    def both(p):
        """All averages, and the gradient of a sum of them in which no two have the same share."""
        value, pull = jax.vjp(heat, p)
        return value, pull(np.cos(np.arange(value.size)))[0]

    slope = np.asarray(both(point)[1])
    # Steps of 1e-5 change neither the time step nor the random numbers; the start is forgotten to e^{−12}.
    direction = np.array([1.0, -0.7, 0.9, 1.2])  # so that no parameter's share is hidden by another's
    ahead, behind = (np.asarray(both(p)[0]) for p in (point + 1e-5 * direction, point - 1e-5 * direction))
    difference = (ahead - behind) @ np.cos(np.arange(ahead.size)) / 2e-5
    assert_close(difference, slope @ direction, 1e-6, np.max(np.abs(slope)))
    # Two wells and little friction: chaotic, and said so.
    assert np.all(np.isnan(both(np.array([1.0, 0.7, 0.15, -4.0]))[1]))
