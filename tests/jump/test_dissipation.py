"""Entropy production by cycle, times, what slow cycles pump, uncertainty: against NumPy and published numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize

import coldspot as cs
from coldspot.solution import Status
from tests.jump.test_counting import gated, monodromy

SIGMAS = 4.5
RNG = np.random.default_rng(11)
STRENGTHS = np.exp(RNG.normal(0, 1, (2, 4)))


def ring():
    """Four states in a ring with a bridge; each bath causes four transitions."""
    return cs.JumpNetwork(
        energies=[0.0, 0.7, 0.2, 1.1],
        occupations=[0, 1, 1, 2],
        baths={"left": cs.ElectronBath(1.0, 0.5), "right": cs.ElectronBath(0.7, -0.4)},
        channels=[
            cs.Channel(name, [0, 0, 1, 2], [1, 2, 3, 3], cs.Tunnelling(rate))
            for name, rate in zip(("left", "right"), STRENGTHS, strict=True)
        ],
    )


def rates_of_ring():
    """(to, from, rate, bath) of `ring` from Fermi functions alone."""
    energy, number, found = np.array([0.0, 0.7, 0.2, 1.1]), np.array([0, 1, 1, 2]), []
    for bath, (t, mu) in enumerate(((1.0, 0.5), (0.7, -0.4))):
        for k, (i, j) in enumerate(((0, 1), (0, 2), (1, 3), (2, 3))):
            x = (energy[j] - energy[i] - mu * (number[j] - number[i])) / t
            found.append((j, i, STRENGTHS[bath, k] / (1 + np.exp(x)), bath))
            found.append((i, j, STRENGTHS[bath, k] / (1 + np.exp(-x)), bath))
    return found


def generator(edges, n=4):
    w = np.zeros((n, n))
    for to, start, rate, _ in edges:
        w[to, start] += rate
        w[start, start] -= rate
    return w


def stationary(w):
    p = np.linalg.svd(w)[2][-1]
    return p / p.sum()


def test_the_entropy_production_is_that_of_the_cycles():
    net = ring()
    d, s = cs.jump.dissipation(net), cs.steady_state(net)
    edges = rates_of_ring()
    p = stationary(generator(edges))
    flows = np.array([rate * p[start] for _, start, rate, _ in edges]).reshape(-1, 2)
    sigma = (flows[:, 0] - flows[:, 1]) * np.log(flows[:, 0] / flows[:, 1])
    np.testing.assert_allclose(d.currents, flows[:, 0] - flows[:, 1], rtol=1e-12)
    np.testing.assert_allclose(d.productions, sigma, rtol=1e-11)
    np.testing.assert_allclose(d.channels, sigma.reshape(2, 4).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(d.entropy_production, s.entropy_production, rtol=1e-13)
    # Eight transitions, a tree of three: five cycles. Their affinities are products of rates around them.
    assert len(d.cycles) == 5
    np.testing.assert_allclose(d.cycle_fluxes @ d.cycle_affinities, s.entropy_production, rtol=1e-12)
    # Two leads at one transition: the cycle takes one electron across.
    pair = d.cycles.index((0, 1))
    across = 0.7 * (1 / 1.0 - 1 / 0.7) - (0.5 / 1.0 + 0.4 / 0.7)
    np.testing.assert_allclose(abs(d.cycle_affinities[pair]), abs(across), rtol=1e-13)


def test_times_by_inverse_matrices():
    net, edges = ring(), rates_of_ring()
    found = cs.jump.first_passage(net, to=3, start=0)
    kept = generator(edges)[:3, :3]
    inverse = np.linalg.inv(-kept)
    mean, second = inverse[:, 0].sum(), 2 * (inverse @ inverse)[:, 0].sum()
    np.testing.assert_allclose(found.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(found.variance, second - mean**2, rtol=1e-12)
    assert abs(float(found.mean) - mean) <= found.mean_error
    # From an electron that comes in from left to the next that leaves to the right.
    waiting = cs.jump.waiting_time(net, ("left", "in"), ("right", "out"))
    p, numbers = stationary(generator(edges)), np.array([0, 1, 1, 2])
    after, without = np.zeros(4), generator(edges)
    for to, start, rate, bath in edges:
        if bath == 0 and numbers[to] > numbers[start]:
            after[to] += rate * p[start]
        if bath == 1 and numbers[to] < numbers[start]:
            without[to, start] -= rate
    inverse = np.linalg.inv(-without)
    mean = (inverse @ after).sum() / after.sum()
    np.testing.assert_allclose(waiting.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(
        waiting.variance, 2 * (inverse @ inverse @ after).sum() / after.sum() - mean**2, rtol=1e-12
    )
    t = cs.trajectories(net, jax.random.key(2), n=4096, time=1e3, start=0, until=3)
    assert np.all(t.ends == 3)
    error = t.durations.std() / np.sqrt(len(t.durations))
    assert abs(t.durations.mean() - found.mean) <= SIGMAS * error
    # Energy is conserved up to the moment at which each ends.
    np.testing.assert_allclose(t.heats.sum(axis=1) + t.particle_numbers @ [0.5, -0.4], t.storages, atol=1e-12)
    with pytest.raises(cs.InputError, match="`to` names state 9"):
        cs.jump.first_passage(net, to=9, start=0)
    with pytest.raises(cs.InputError, match="no way `up`"):
        cs.jump.waiting_time(net, ("left", "up"), ("left", "in"))


def two_levels(first, second, **drive):
    return cs.JumpNetwork(
        energies=[0.0, 1.0],
        baths={"left": cs.BosonBath(first), "right": cs.BosonBath(second)},
        channels=[cs.Channel(name, 0, 1, cs.Bosonic(0.1)) for name in ("left", "right")],
    )


def test_slow_cycles_pump_what_the_curvature_encircles():
    """J. Ren, P. Hänggi and B. Li, "Berry-phase-induced heat pumping and its impact on the fluctuation theorem"."""
    places = ("baths.left.temperature", "baths.right.temperature")

    def formula(left, right):
        n = [1 / np.expm1(1 / t) for t in (left, right)]
        slope = [x * (x + 1) / t**2 for x, t in zip(n, (left, right), strict=True)]
        return slope[0] * slope[1] / (2 * (1 + n[0] + n[1]) ** 3)

    for left, right in ((1.0, 1.0), (2.0, 1.0), (0.2, 0.3)):
        found = cs.jump.curvature(two_levels(left, right), places, "heat", "left")
        np.testing.assert_allclose(found.value, formula(left, right), rtol=1e-11)
        assert abs(found.value - formula(left, right)) <= found.error
    with pytest.raises(cs.InputError, match="two paths"):
        cs.jump.curvature(two_levels(1.0, 1.0), places[:1], "heat", "left")


def test_a_slow_drive_goes_the_way_of_the_curvature():
    """What reverses with the direction of a slow cycle is the integral of the curvature over what it encircles."""
    radius = 0.3

    def heat(period, sign):
        temperatures = {
            "left": cs.Cosine(radius, mean=1.0),
            "right": cs.Cosine(radius, mean=1.0, phase=-sign * jnp.pi / 2),
        }
        net = cs.JumpNetwork(
            energies=[0.0, 1.0],
            baths={
                "left": lambda drives: cs.BosonBath(drives["left"]),
                "right": lambda drives: cs.BosonBath(drives["right"]),
            },
            channels=[cs.Channel(name, 0, 1, cs.Bosonic(0.1)) for name in ("left", "right")],
            drives=temperatures,
            period=period,
        )
        return cs.steady_state(net).heat["left"] * period

    reverses = [(heat(period, 1.0) - heat(period, -1.0)) / 2 for period in (1e3, 2e3)]
    r, weights = np.polynomial.legendre.leggauss(12)
    r, weights = radius * (1 + r) / 2, weights * radius / 2
    angles = 2 * np.pi * np.arange(16) / 16

    def curvature(left, right):
        n = [1 / np.expm1(1 / t) for t in (left, right)]
        slope = [x * (x + 1) / t**2 for x, t in zip(n, (left, right), strict=True)]
        return slope[0] * slope[1] / (2 * (1 + n[0] + n[1]) ** 3)

    area = sum(
        w * x * curvature(1 + x * np.cos(a), 1 + x * np.sin(a)) * 2 * np.pi / 16
        for x, w in zip(r, weights, strict=True)
        for a in angles
    )
    # What is left falls with the square of the frequency.
    assert abs(reverses[1] - area) < abs(reverses[0] - area) / 3
    np.testing.assert_allclose((4 * reverses[1] - reverses[0]) / 3, area, rtol=1e-5)


def test_the_uncertainty_relation_under_driving():
    """T. Koyuk and U. Seifert, "Operationally accessible bounds on fluctuations and entropy production in periodically

    driven systems": κ₁, its slope and κ₂ once more from the tilted monodromy.
    """
    period, step = 2.0, 1e-2
    found = cs.counting(gated(period), "particles", "cold").uncertainty()
    here = monodromy(period, "particles")
    first, second = (
        float(monodromy(period * (1 + s), "particles")[0] - monodromy(period * (1 - s), "particles")[0]) / (2 * s)
        for s in (step, 2 * step)
    )
    slope = (4 * first - second) / 3
    heat, work = (float(monodromy(period, name)[0]) for name in ("heat", "work"))
    sigma = -heat / 0.8 + (heat + work) / 1.0
    expected = sigma * float(here[1]) / (2 * (float(here[0]) + slope) ** 2)
    np.testing.assert_allclose(found.values, expected, rtol=1e-7)
    assert found.values >= 1
    assert found.status == Status.OK


def test_efficiency_at_maximum_power():
    """M. Esposito, K. Lindenberg and C. Van den Broeck, "Thermoelectric efficiency at maximum power in a quantum dot":

    η = η_C/2 + η_C²/8 + (7 + csch²(a/2))/96 η_C³ with (a/2) tanh(a/2) = 1.
    """
    cold, carnot = 1.0, 0.02
    hot = cold / (1 - carnot)

    def power(x):
        level, bias = x
        flow = 1 / (np.exp(level / hot) + 1) - 1 / (np.exp((level - bias) / cold) + 1)
        return bias * flow

    half = brentq(lambda h: h * np.tanh(h) - 1, 1, 2)
    start = 2 * half * np.array([1.0, carnot / 2])
    x = minimize(lambda x: -power(x) / carnot**2, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 0.0}).x
    dot = cs.machines.QuantumDot(level=x[0], left=cs.ElectronBath(hot, 0.0), right=cs.ElectronBath(cold, x[1]))
    s = cs.steady_state(dot)
    assert s.regime == "engine"
    np.testing.assert_allclose(s.power, power(x), rtol=1e-10)
    series = carnot / 2 + carnot**2 / 8 + (7 + 1 / np.sinh(half) ** 2) / 96 * carnot**3
    np.testing.assert_allclose(s.efficiency, series, rtol=0, atol=0.3 * carnot**4)
