"""A hundred parameter values compile once; gradients agree with differences and closed forms, to second order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot import regimes
from coldspot.dynamics import _solve_one
from coldspot.machines import QuantumDot, SpinPair
from coldspot.sweep import solve_chunk, solve_few
from tests.ledgers import random_ledgers, view
from tests.tolerance import assert_close

# --------------------------------------------------------------------------- compiled once


def test_steady_state_compiles_once_for_a_hundred_dots():
    compiled = _solve_one.attempts[0].program()._cached
    cs.steady_state(QuantumDot())
    before = compiled._cache_size()
    for k in range(100):
        cs.steady_state(
            QuantumDot(level=-20 + 0.37 * k, left=cs.ElectronBath(8 + k, 1), gamma_left=1 + k), tolerance=1e-8
        )
    assert compiled._cache_size() == before


def test_int_float_and_array_parameters_share_the_program():
    compiled = _solve_one.attempts[0].program()._cached
    cs.steady_state(QuantumDot(level=-5.0))
    before = compiled._cache_size()
    for level in (-5, np.float32(-5), np.float64(-5), jnp.asarray(-5.0), jnp.asarray(-5, jnp.int32), [-5.0][0]):
        cs.steady_state(QuantumDot(level=level))
    assert compiled._cache_size() == before


def test_a_network_rebuilt_each_time_compiles_once():
    compiled = _solve_one.attempts[0].program()._cached

    def network(k):
        return cs.JumpNetwork(
            energies=[0.0, 1.0 + k, 2.0],
            baths={"hot": cs.BosonBath(2.0 + k), "cold": cs.HeatBath(1.0)},
            channels=[
                cs.Channel("hot", [0, 0], [1, 2], cs.Bosonic(0.1)),
                cs.Channel("cold", 1, 2, cs.Glauber(1.0 + k)),
            ],
        )

    cs.steady_state(network(0))
    before = compiled._cache_size()
    for k in range(1, 50):
        cs.steady_state(network(0.1 * k + 1.0 * (k == 10) * 0.01))
    assert compiled._cache_size() == before


def test_a_sweep_compiles_its_build_function_once_per_shape_and_tier():
    def build(level, warm):
        return QuantumDot(level=level, left=cs.ElectronBath(warm, 2.5))

    def programs():
        return solve_chunk.count() + solve_few.count()

    before = programs()
    sizes = []
    for shift in range(5):
        cs.sweep(build, {"level": np.linspace(-20, 20, 100) + shift, "warm": [8.0, 9.0]})
        sizes.append(programs() - before)
    assert sizes == [sizes[0]] * 5
    assert 1 <= sizes[0] <= len(_solve_one.attempts)


def test_driven_machines_compile_once():
    compiled = _solve_one.attempts[0].program()._cached
    cs.steady_state(SpinPair(period=10.0))
    before = compiled._cache_size()
    for k in range(20):
        cs.steady_state(
            SpinPair(period=5.0 + k, phase=0.1 * k, amplitude=0.1 + 0.01 * k, left=cs.HeatBath(0.5 + 0.01 * k))
        )
    assert compiled._cache_size() == before


# --------------------------------------------------------------------------- gradients, static


def fermi(x):
    return 1 / (1 + np.exp(x))


def current(p):
    """p = level, T_L, T_R, μ_L, μ_R, γ_L, γ_R."""
    dot = QuantumDot(p[0], cs.ElectronBath(p[1], p[3]), cs.ElectronBath(p[2], p[4]), p[5], p[6])
    return cs.steady_state(dot).particles["left"]


def gradient_by_hand(p):
    level, t_l, t_r, m_l, m_r, g_l, g_r = p
    f_l, f_r = fermi((level - m_l) / t_l), fermi((level - m_r) / t_r)
    d_l, d_r = f_l * (1 - f_l), f_r * (1 - f_r)
    g = g_l * g_r / (g_l + g_r)
    return np.array([
        g * (-d_l / t_l + d_r / t_r),
        g * d_l * (level - m_l) / t_l**2,
        -g * d_r * (level - m_r) / t_r**2,
        g * d_l / t_l,
        -g * d_r / t_r,
        (g / g_l) ** 2 * (f_l - f_r),
        (g / g_r) ** 2 * (f_l - f_r),
    ])  # fmt: skip


POINTS = {
    "ordinary": [-5.0, 10.0, 5.0, 2.5, -2.5, 2.0, 2.0],
    "equilibrium": [0.7, 1.0, 1.0, 0.2, 0.2, 0.5, 3.0],
    "at resonance": [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0],
    "wide ratio": [0.3, 1.0, 2.0, 0.1, -0.1, 1.0, 1e9],
}


LEVELS = np.linspace(-10.0, 10.0, 11)
"""Of the ordinary point, for derivatives of a batch."""
BATCH = np.array([*POINTS.values(), *([level, *POINTS["ordinary"][1:]] for level in LEVELS)])


@jax.jit
@jax.vmap
def derivatives_of_current(p):
    """Gradients forwards and backwards, and second derivatives, of a batch: one program."""

    def backwards(p):
        value, slope = jax.value_and_grad(current)(p)
        return (value, slope), slope

    (forward, hessian), backward = jax.jacfwd(backwards, has_aux=True)(p)
    return forward, backward, hessian


def test_gradient_of_the_dot():
    forward, backward, _ = map(np.asarray, derivatives_of_current(BATCH))
    for found in (forward, backward):
        for slope, p in zip(found, BATCH, strict=True):
            assert_close(slope, gradient_by_hand(p), 2e-14)
        expected = [gradient_by_hand(p)[0] for p in BATCH[len(POINTS) :]]
        assert_close(found[len(POINTS) :, 0], expected, 1e-13)


def test_hessian_of_the_dot():
    *_, hessians = map(np.asarray, derivatives_of_current(BATCH))
    for p, hessian in zip(BATCH, hessians, strict=True):
        assert np.all(np.isfinite(hessian))
        steps = 1e-6 * np.maximum(np.abs(p), 1e-2)
        for k, h in enumerate(steps):
            e = np.eye(7)[k] * h
            by_difference = (gradient_by_hand(p + e) - gradient_by_hand(p - e)) / (2 * h)
            size = np.max(np.abs(by_difference)) + 1e-4 * np.max(np.abs(hessian))
            assert np.allclose(hessian[k], by_difference, rtol=1e-6, atol=1e-8 * size), (p, k)


def ring(e, t):
    """Four levels in a ring with a chord, three baths; degenerate at e = 0."""
    return cs.JumpNetwork(
        energies=e,
        baths={"a": cs.HeatBath(t[0]), "b": cs.BosonBath(t[1]), "c": cs.HeatBath(t[2])},
        channels=[
            cs.Channel("a", [0, 2], [1, 3], cs.Glauber(1.0)),
            cs.Channel("b", [1, 3], [2, 0], cs.Bosonic(cs.Ohmic(0.7))),
            cs.Channel("c", 0, 2, cs.Arrhenius(1.5, 0.4)),
        ],
    )


def everything(x):
    s = cs.steady_state(ring(x[:4], x[4:]))
    return jnp.concatenate([s.heat.array, s.entropy_production[None], s.populations])


def derivatives(function):
    """Of a sum of all that a function gives: values, gradients backwards and forwards, and second derivatives.

    One program of one direction, from which the derivatives forwards of value and gradient are made: none is of its own
    for each result, whose share in the sum no other has.
    """

    def summed(x):
        every = function(x)
        return every @ np.cos(np.arange(every.size))

    program = jax.jit(lambda x, direction: jax.jvp(jax.value_and_grad(summed), (x,), (direction,)))

    def found(x):
        primals, tangents = zip(*(program(x, direction) for direction in np.eye(x.size)), strict=True)
        value, backward = map(np.asarray, primals[0])
        forward, second = (np.array(t) for t in zip(*tangents, strict=True))
        return value, backward, forward, second

    def value_and_gradient(x):
        return tuple(map(np.asarray, program(x, np.zeros(x.size))[0]))

    return found, value_and_gradient


NETWORKS = {
    "ordinary": [0.0, 0.5, -0.3, 1.1, 1.0, 2.0, 0.6],
    "equilibrium": [0.0, 0.5, -0.3, 1.1, 1.0, 1.0, 1.0],
    "degenerate": [0.2, 0.2, 0.2, 0.2, 1.0, 2.0, 0.6],
}
OF_NETWORK, AT_NETWORK = derivatives(everything)


@pytest.mark.parametrize("name", NETWORKS)
def test_first_and_second_derivatives_of_a_network(name):
    x = np.array(NETWORKS[name])
    _, backward, forward, second = OF_NETWORK(x)
    assert_close(forward, backward, 1e-13)
    h = 1e-5
    for k in range(7):
        e = np.eye(7)[k] * h
        (value, slopes), (less, less_slopes) = AT_NETWORK(x + e), AT_NETWORK(x - e)
        assert_close(forward[k], (value - less) / (2 * h), 3e-9, np.max(np.abs(forward)))
        assert_close(second[k], (slopes - less_slopes) / (2 * h), 3e-9, np.max(np.abs(second)))


# --------------------------------------------------------------------------- gradients, driven


def periodic(x):
    """Heats, work and entropy production of a driven level; x = h_0, φ, τ, T_L, T_R, μ_R."""
    network = cs.JumpNetwork(
        energies=_gate,
        occupations=[0, 1],
        baths={"left": cs.ElectronBath(x[3]), "right": cs.ElectronBath(x[4], x[5])},
        channels=[cs.Channel("left", 0, 1, cs.Tunnelling(1.0)), cs.Channel("right", 0, 1, cs.Tunnelling(0.3))],
        drives={"gate": cs.Cosine(x[0], 0.0, x[1])},
        period=x[2],
    )
    s = cs.steady_state(network, tolerance=1e-11)
    return jnp.concatenate([s.heat.array, s.work.array, s.entropy_production[None]])


def _gate(values):
    return jnp.stack([jnp.zeros(()), values["gate"]])


OF_PERIODIC, AT_PERIODIC = derivatives(periodic)


@pytest.mark.parametrize(("amplitude", "mean", "first"), [(0.5, 0.2, 0), (0.0, 0.0, 1)])
def test_first_and_second_derivatives_of_a_periodic_state(amplitude, mean, first):
    """Also of a level that stands at a lead's potential all along, where formulas of rates change sides.

    There the amplitude is left out: a mesh on which a state at rest is exact has its second derivative to 1e-7.
    """
    x = np.array([amplitude, mean, 7.0, 1.0, 0.7, 0.1])
    _, backward, forward, second = OF_PERIODIC(x)
    assert_close(forward, backward, 1e-12)
    for k in range(first, 6):
        h = 1e-3 * max(x[k], 1.0)
        e = np.eye(6)[k] * h
        one, two, minus_one, minus_two = (AT_PERIODIC(x + n * e) for n in (1, 2, -1, -2))
        for found, a, b, c, d in zip((forward, second), one, minus_one, two, minus_two, strict=True):
            # Fourth order: error of order h⁴ beside 1e-11 of the state's own.
            by_difference = (8 * (a - b) - (c - d)) / (12 * h)
            assert_close(found[k], by_difference, 1e-8, np.max(np.abs(found)))


def test_gradient_at_vanishing_drive_is_zero():
    """Flows are even in the amplitude: the first derivative vanishes at h_0 = 0, without NaN."""
    _, slopes = AT_PERIODIC(np.array([0.0, 0.2, 7.0, 1.0, 0.7, 0.1]))
    assert_close(slopes[0], 0.0, 1e-12, np.max(np.abs(slopes)))


@pytest.mark.parametrize("baths", [2, 3])
def test_regimes_inside_a_program_are_those_outside(baths):
    *numbers, temperatures = random_ledgers(baths, baths, (1.0, 2.0, 3.0))
    looks = (regimes.codes, regimes.cop, regimes.efficiency, regimes.cop_ratio, regimes.efficiency_ratio)

    def looked(heat, work, chemical, temperatures, xp):
        seen = view(heat, work, temperatures, chemical=chemical, xp=xp)
        return [look(seen) for look in looks]

    found = jax.jit(looked, static_argnums=4)(*numbers, temperatures, jnp)
    for inside, outside in zip(found, looked(*numbers, temperatures, np), strict=True):
        np.testing.assert_allclose(inside, outside, rtol=1e-13)
