"""Stationary states entry by entry against multi-precision solutions, and the honesty of the reported errors."""

import functools
import math
from fractions import Fraction

import hypothesis
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

import coldspot as cs
from coldspot.jump.balance import balance, is_wide
from coldspot.jump.graph import Graph, States
from tests import routes
from tests.tolerance import assert_close

EPS = 2.0**-52


# --------------------------------------------------------------------------- arbitrary rates


def random_graph(rng: np.random.Generator, states: int, extra: int) -> tuple[np.ndarray, np.ndarray]:
    """A random tree and some more transitions, parallel ones among them."""
    initial = [int(rng.integers(0, k)) for k in range(1, states)]
    final = list(range(1, states))
    for _ in range(extra):
        initial.append(int(rng.integers(0, states)))
        final.append(int((initial[-1] + rng.integers(1, states)) % states))
    return np.array(initial), np.array(final)


@functools.cache
def graphs() -> dict[int, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(11)
    return {n: random_graph(rng, n, extra) for n, extra in ((2, 2), (4, 3), (8, 5))}


@functools.cache
def solver(states: int):
    g = Graph(*(States(a) for a in graphs()[states]), states)
    return jax.jit(lambda f, b, d, r: balance(g, True, is_wide(g, f, b, r, f > -jnp.inf), f, b, d, r, abs(d)))


POINTS = {2: 200, 4: 150, 8: 40}


def against_mpmath(states: int, log_forward: np.ndarray, log_backward: np.ndarray) -> None:
    """ln p to the rounding of the given logarithms; currents within their reported errors."""
    initial, final = graphs()[states]
    points = log_forward.shape[1]
    # As many points in each call: one program for each number of states.
    forward, backward = (
        np.pad(logs, ((0, 0), (0, POINTS[states] - points)), mode="edge") for logs in (log_forward, log_backward)
    )
    found = solver(states)(forward, backward, forward - backward, np.zeros((states, POINTS[states])))
    span = float(np.max(np.abs([log_forward, log_backward])))
    for k in range(points):
        # Enough to hold the largest ratio of rates, and what the smallest logarithm changes in it.
        given = np.abs([log_forward[:, k], log_backward[:, k]])
        digits = 60 + int(2 * states * span / 2.3) - int(np.log10(np.min(given, where=given > 0, initial=1.0)))
        log_p, currents = routes.solve_exactly(
            states, initial, final, map(mpmath.mpf, log_forward[:, k]), map(mpmath.mpf, log_backward[:, k]), digits
        )
        for mine, exact in zip(np.asarray(found.log_p[:, k]).tolist(), log_p, strict=True):
            assert abs(mine - exact) <= 16 * EPS * (states + abs(exact) + 2 * span), (states, k)
        # Below 1e-290 floats lose digits; transitions on no cycle carry nothing but the reference's own rounding.
        slack = mpmath.mpf("1e-290") + max(map(abs, currents)) * mpmath.mpf("1e-30")
        for m in range(len(initial)):
            error = mpmath.mpf(float(found.error[m, k])) + slack
            assert abs(float(found.current[m, k]) - currents[m]) <= error, (states, k, m)


@pytest.mark.parametrize(("states", "points"), POINTS.items())
def test_ordinary_rates_entry_by_entry(states, points):
    rng = np.random.default_rng(states)
    edges = graphs()[states][0].size
    against_mpmath(states, rng.normal(0, 2, (edges, points)), rng.normal(0, 2, (edges, points)))


@pytest.mark.parametrize(("states", "points"), [(2, 60), (4, 30), (8, 8)])
@pytest.mark.parametrize("span", [30.0, 300.0, 700.0])
def test_rates_over_hundreds_of_decades_entry_by_entry(states, points, span):
    rng = np.random.default_rng(states + int(span))
    edges = graphs()[states][0].size
    against_mpmath(states, rng.uniform(-span, span, (edges, points)), rng.uniform(-span, span, (edges, points)))


def test_explicit_rates_over_hundreds_of_decades():
    """The same through the public door: rates as floats from e^−700 to e^700, in `Explicit`."""
    states = 4
    rng = np.random.default_rng(50 + states)
    initial, final = graphs()[states]
    forward, backward = np.exp(rng.uniform(-700, 700, (2, initial.size)))
    network = cs.JumpNetwork(
        energies=np.zeros(states),
        baths={"bath": cs.HeatBath(1.0)},
        channels=[cs.Channel("bath", initial, final, cs.Explicit(forward, backward, check=False))],
    )
    populations = np.asarray(cs.steady_state(network).populations)
    log_p, _ = routes.solve_exactly(
        states, initial, final, [mpmath.log(mpmath.mpf(v)) for v in forward.tolist()],
        [mpmath.log(mpmath.mpf(v)) for v in backward.tolist()], 60 + int(2 * states * 700 / 2.3),
    )  # fmt: skip
    for mine, exact in zip(populations.tolist(), log_p, strict=True):
        if exact > -700:
            assert abs(mine / mpmath.exp(exact) - 1) <= 16 * EPS * (states + abs(exact) + 1400)
        else:
            assert mine < 1e-300


def test_a_long_chain_of_huge_ratios():
    """p_{k+1}/p_k = e^{±600} along a chain: products of ratios leave floating-point range, logarithms do not."""
    g = Graph(States(np.arange(15)), States(np.arange(1, 16)), 16)

    @jax.jit
    def logarithms(up, down):
        return balance(g, True, jnp.ones(1, bool), up, down, up - down, jnp.zeros((16, 1)), abs(up - down)).log_p

    for sign in (1.0, -1.0):
        log_p = np.asarray(logarithms(np.full((15, 1), sign * 300.0), np.full((15, 1), -sign * 300.0)))[:, 0]
        expected = sign * 600.0 * np.arange(16)
        assert_close(log_p, expected - expected.max(), 2 * EPS)


# --------------------------------------------------------------------------- physical networks


def dot_current(level, t_left, t_right, mu_left, mu_right, gamma_left, gamma_right, empty=0):
    with mpmath.workdps(max(60, mpmath.mp.dps)):
        x_left, x_right = (level - empty - mu_left) / t_left, (level - empty - mu_right) / t_right
        # f_L − f_R as 1/(e^x+1) differences: 60 digits hold what 1e-14 of bias leaves; smaller biases ask for more.
        difference = 1 / (mpmath.exp(x_left) + 1) - 1 / (mpmath.exp(x_right) + 1)
        if abs(x_left) > 60 and abs(x_right) > 60:
            with mpmath.workdps(1500):
                difference = 1 / (mpmath.exp(x_left) + 1) - 1 / (mpmath.exp(x_right) + 1)
        return gamma_left * gamma_right / (gamma_left + gamma_right) * difference


@pytest.mark.parametrize("ratio", [1e6, 1e12, 1e16, 1e30])
@pytest.mark.parametrize("fast", ["left", "right"])
def test_wide_ratio_between_parallel_channels(ratio, fast):
    """One lead far faster than the other: both currents are right whichever bath stands first."""
    gammas = {"gamma_left": ratio, "gamma_right": 1.0} if fast == "left" else {"gamma_left": 1.0, "gamma_right": ratio}
    dot = cs.machines.QuantumDot(level=-5.0, **gammas)
    s = cs.steady_state(dot)
    exact = dot_current(*map(mpmath.mpf, (-5, 10, 5, 2.5, -2.5, gammas["gamma_left"], gammas["gamma_right"])))
    assert abs(float(s.particles["left"]) / exact - 1) < 1e-13
    assert abs(float(s.particles["right"]) / -exact - 1) < 1e-13
    assert float(s.error.particles["right"]) < 1e-12 * abs(exact)
    assert abs(s.first_law_residual) <= 1e-12 * abs(s.energy["left"])
    assert s.regime == "refrigerator"


@pytest.mark.parametrize("slow", [1e-6, 1e-12, 1e-20, 1e-40])
@pytest.mark.parametrize("order", [("fast", "hot", "cold"), ("hot", "cold", "fast")])
def test_fast_loop_beside_slow_leads(slow, order):
    """A loop of fast transitions in one bath has no current of its own, however slow the others and however listed."""
    baths = {"fast": cs.BosonBath(1.0), "hot": cs.HeatBath(3.0), "cold": cs.HeatBath(0.5)}
    network = cs.JumpNetwork(
        energies=[0.0, 1.0, 1.3],
        baths={name: baths[name] for name in order},
        channels=[cs.Channel("fast", i, f, cs.Bosonic(1.0)) for i, f in ((0, 1), (1, 2), (0, 2))]
        + [cs.Channel("hot", 0, 1, cs.Glauber(slow)), cs.Channel("cold", 0, 2, cs.Glauber(slow))],
    )
    s = cs.steady_state(network)
    # In the limit the fast bath holds the states at T = 1; corrections are of relative size `slow`.
    p = np.exp(-np.array([0.0, 1.0, 1.3]))
    p /= p.sum()

    def taken(gap, temperature, other):
        up = 2 * slow / (1 + np.exp(gap / temperature))
        down = 2 * slow / (1 + np.exp(-gap / temperature))
        return gap * (up * p[0] - down * p[other])

    expected = {"hot": taken(1.0, 3.0, 1), "cold": taken(1.3, 0.5, 2)}
    expected["fast"] = -sum(expected.values())
    for name, value in expected.items():
        # From 20 decades on what rounding leaves of such a loop's affinity is more, at 20 a little; the error says so.
        off = abs(s.heat[name] / value - 1)
        loop = name == "fast" and off * abs(value) < s.error.heat[name]
        assert off < 1e-12 + 10 * slow or (loop and (slow < 1e-20 or (slow == 1e-20 and off < 4e-12)))
        # A loop within one bath: its affinity vanishes, but only to the rounding of three energy differences, and
        # what such an affinity would drive is some rounding units of the fast flow (of order one).
        assert s.error.heat[name] < 1e-10 * abs(value) + (1e-14 if name == "fast" else 0.0), name
    assert abs(s.first_law_residual) <= 1e-12 * abs(expected["cold"]) + (s.error.heat["fast"] if slow < 1e-20 else 0.0)


# --------------------------------------------------------------------------- near and in equilibrium


@pytest.mark.parametrize("bias", [1e-3, 1e-6, 1e-10, 1e-13])
@pytest.mark.parametrize("what", ["potential", "temperature"])
def test_near_equilibrium_keeps_its_digits(bias, what):
    left = cs.ElectronBath(1.0, bias) if what == "potential" else cs.ElectronBath(1.0 + bias, 0.0)
    dot = cs.machines.QuantumDot(level=0.7, left=left, right=cs.ElectronBath(1.0, 0.0), gamma_left=0.3, gamma_right=2.0)
    s = cs.steady_state(dot)
    exact = dot_current(
        *(mpmath.mpf(float(v)) for v in (0.7, left.temperature, 1.0, left.chemical_potential, 0, 0.3, 2.0))
    )
    assert abs(float(s.particles["left"]) / exact - 1) < 1e-14
    assert abs(float(s.particles["right"]) / -exact - 1) < 1e-14
    assert float(s.error.particles["left"]) < 1e-13 * abs(exact)
    assert float(s.entropy_production) > 0


# --------------------------------------------------------------------------- limits


def test_zero_temperature_limit_blocks_the_dot():
    """A level below both chemical potentials by 1000 T carries e^−1000 of a current, and says so without NaN."""
    dot = cs.machines.QuantumDot(level=-10.0, left=cs.ElectronBath(0.01, 0.1), right=cs.ElectronBath(0.01, -0.1))
    s = cs.steady_state(dot)
    assert float(s.particles["left"]) == 0.0
    assert np.all(np.isfinite(s.heat.array))
    assert np.asarray(s.populations).tolist() == [0.0, 1.0]


def test_zero_temperature_limit_opens_the_dot():
    """A level inside the bias window at T → 0 carries γ_Lγ_R/(γ_L+γ_R)."""
    dot = cs.machines.QuantumDot(
        level=0.0, left=cs.ElectronBath(1e-4, 1.0), right=cs.ElectronBath(1e-4, -1.0), gamma_left=3.0, gamma_right=1.0
    )
    s = cs.steady_state(dot)
    assert_close(s.particles["left"], 0.75, 4 * EPS)
    assert_close(s.heat["left"], -0.75, 4 * EPS)


@pytest.mark.parametrize("bias", [1e3, 1e6, 1e12])
def test_huge_bias(bias):
    dot = cs.machines.QuantumDot(level=0.3, left=cs.ElectronBath(1.0, bias), right=cs.ElectronBath(2.0, -bias))
    s = cs.steady_state(dot)
    assert_close(s.particles["left"], 1.0, 4 * EPS)
    assert abs(s.entropy_production / (bias * 1.5) - 1) < 1 / bias
    assert abs(s.first_law_residual) <= 4 * EPS * np.max(np.abs(s.heat.array))


def test_one_bath_alone_has_no_currents():
    network = cs.JumpNetwork([0.0, 1.0], {"bath": cs.BosonBath(0.4)}, [cs.Channel("bath", 0, 1, cs.Bosonic(0.1))])
    s = cs.steady_state(network)
    assert float(s.heat["bath"]) == 0.0
    assert abs(s.populations[1] / s.populations[0] / np.exp(-1 / 0.4) - 1) < 1e-15


def test_explicit_rates_without_detailed_balance_circulate():
    """Three states driven round at rate 1 with nothing back: p = 1/3, one turn per 3 units of time."""
    network = cs.JumpNetwork(
        energies=[0.0, 1.0, 2.0],
        baths={"bath": cs.HeatBath(1.0)},
        channels=[cs.Channel("bath", [0, 1, 2], [1, 2, 0], cs.Explicit(1.0, 1e-300, check=False))],
    )
    # All heats cancel, which is known to some 1e-12 of them: an error larger than its value, and so not OK.
    s = cs.steady_state(network, throw=False)
    assert np.allclose(s.populations, 1 / 3, rtol=1e-15)
    # Two steps of +1 and one of −2, each with a flow of 1/3.
    assert_close(s.heat["bath"], 0.0, 4 * EPS, 2 / 3)


# --------------------------------------------------------------------------- property tests

_SIZE = st.floats(-300, 300)


@hypothesis.settings(max_examples=40)
@hypothesis.given(st.lists(_SIZE, min_size=14, max_size=14))
def test_any_four_state_rates(numbers):
    """ln p and currents of any four-state network, rates to e^±300, against multi-precision."""
    edges = graphs()[4][0].size
    values = np.array(numbers[: 2 * edges]).reshape(2, edges, 1)
    against_mpmath(4, values[0], values[1])


_temperature = st.floats(-6, 4).map(lambda e: 10.0**e)
_energy = st.one_of(st.floats(-50, 50), st.sampled_from([0.0, 1.0, -1.0, 1e6, 1e-9]))


@hypothesis.settings(max_examples=60)
@hypothesis.given(_energy, _temperature, _temperature, _energy, _energy, st.floats(-30, 30), st.floats(-30, 30))
def test_any_dot(level, t_left, t_right, mu_left, mu_right, log_left, log_right):
    dot = cs.machines.QuantumDot(
        level, cs.ElectronBath(t_left, mu_left), cs.ElectronBath(t_right, mu_right), 10.0**log_left, 10.0**log_right
    )
    s = cs.steady_state(dot)
    left, right = float(s.particles["left"]), float(s.particles["right"])
    if abs(left) > 1e-290:
        with mpmath.workdps(700):
            exact = dot_current(
                *map(mpmath.mpf, (level, t_left, t_right, mu_left, mu_right, 10.0**log_left, 10.0**log_right))
            )
        x = max(abs(level - mu_left), abs(level - mu_right)) / min(t_left, t_right)
        # The arguments of the rates, and the affinity in units of one bath's temperature, round x times; the rates are
        # kept as logarithms.
        limit = 1e-14 * (1 + x) + 2 * EPS * math.log(10) * max(abs(log_left), abs(log_right))
        assert abs(left / exact - 1) < limit
        assert abs(right / -exact - 1) < limit
        assert abs(left - exact) <= float(s.error.particles["left"])
        assert abs(right + exact) <= float(s.error.particles["right"])
    assert float(s.entropy_production) >= -float(np.sum(s.error.entropy_flows))


def test_a_closed_valve_carries_no_sign():
    """What little a rate of zero stands for in logarithms is within the error, so that no regime is read from it."""
    leads = {"left": cs.ElectronBath(2.0, 0.3), "right": cs.ElectronBath(1.0, -0.3)}
    channels = [cs.Channel("left", 0, 1, cs.Tunnelling(0.0)), cs.Channel("right", 0, 1, cs.Tunnelling(1.0))]
    s = cs.steady_state(cs.JumpNetwork([0.0, 1.0], leads, channels, occupations=[0, 1]))
    for name in leads:
        assert abs(float(s.heat[name])) <= float(s.error.heat[name]) < 1e-100
    assert s.regime == "passive"


def test_hopping_at_large_potentials():
    """Three electrons at once from a lead at 1e8: Arrhenius rates keep what the product 3μ loses by rounding."""
    potential, barrier = 1e8 + 0.1, 2.0
    level = 3 * potential + 0.3
    lead = cs.ElectronBath(0.5, potential)
    hop = cs.Channel("lead", 0, 1, cs.Arrhenius(barrier))
    net = cs.JumpNetwork([0.0, level], {"lead": lead}, [hop], occupations=[0, 3])
    s = jax.jit(lambda phase: net.snapshot(phase))(0.0)
    exact = -(Fraction(barrier) - Fraction(level) + 3 * Fraction(potential)) * 2
    assert float(s.log_forward[0]) == -4.0
    assert abs(float(s.log_backward[0]) - float(exact)) < 1e-15 * abs(float(exact))
    assert abs(float(s.exponent[0]) - float(exact) - 4.0) < 2e-15
