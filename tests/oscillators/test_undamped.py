"""Modes that no friction reaches: heats, works and cumulants against the sector in which baths act; what is unknown."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

import coldspot as cs
from coldspot.regimes import UNDAMPED
from tests.tolerance import assert_close

# A chain of three masses whose middle one holds two equal arms: the arms against each other move nothing else.
MASSES = np.array([1.0, 2.0, 1.5, 0.8, 0.8])
WALLS = np.array([1.0, 0.3, 0.5, 0.7, 0.7])
FRICTIONS = np.array([1.0, 0.0, 0.7, 0.0, 0.0])
SPRINGS = np.diag(WALLS)
for one, two, bond in ((0, 1, 1.0), (1, 2, 1.3), (1, 3, 0.9), (1, 4, 0.9)):
    SPRINGS[[one, two], [one, two]] += bond
    SPRINGS[[one, two], [two, one]] -= bond
TOGETHER = np.zeros((5, 4))
TOGETHER[[0, 1, 2], [0, 1, 2]] = 1.0
TOGETHER[[3, 4], 3] = 0.5**0.5
"""The arms' mean motion instead of both."""
K, M, G = TOGETHER.T @ SPRINGS @ TOGETHER, MASSES[:4], FRICTIONS[:4]
HOT, COLD = 2.0, 1.0


def branched(frictions=FRICTIONS, kind=cs.HeatBath, warm=(HOT, COLD), springs=SPRINGS, **keywords):
    baths = {"hot": kind(warm[0]), "cold": kind(warm[1])}
    return cs.OscillatorNetwork(MASSES, springs, frictions, baths, {"hot": 0, "cold": 2}, **keywords)


def motion(k=K):
    """Drift and noise of (x, v) of the masses that baths move."""
    a = np.block([[np.zeros((4, 4)), np.eye(4)], [-k / M[:, None], -np.diag(G / M)]])
    return a, np.diag([0.0] * 4 + list(2 * G * np.array([HOT, 0.0, COLD, 0.0]) / M**2))


def transmitted(w):
    e = np.linalg.inv(K - w**2 * np.diag(M) - 1j * w * np.diag(G))[0, 2]
    return 4 * w**2 * G[0] * G[2] * abs(e) ** 2


def over_frequencies(f):
    edges = np.concatenate([np.linspace(0.0, 4.0, 41), [6.0, 12.0, 50.0]])
    return sum(quad(f, a, b, epsabs=1e-14, epsrel=1e-13)[0] for a, b in itertools.pairwise(edges))


def test_heats_and_what_is_unknown():
    x = solve_continuous_lyapunov(*(sign * part for sign, part in zip((1, -1), motion(), strict=True)))
    expected = G[0] * (HOT / M[0] - x[4, 4])
    plain, table = branched(), branched({"hot": 1.0, "cold": 0.7})
    for network in (plain, table):
        s = cs.steady_state(network)
        assert s.flags[UNDAMPED]
        assert_close(s.heat.array, [expected, -expected], 1e-12)
        found = np.asarray(network.covariance())
        arms = np.isin(np.arange(10) % 5, (3, 4))
        assert np.array_equal(np.isnan(found), arms[:, None] & arms)
        assert_close(found[:3, :3], x[:3, :3], 1e-12)
        assert_close(found[:3, 3] * 2**0.5, x[:3, 3], 1e-12)
        assert_close(network.currents()[1, 0], expected, 1e-12)
    # Three arms in a triangle: two modes of one frequency may go round it, between any two of them.
    arms, wheel = np.array([1, 3, 4]), 1.5 * np.eye(5)
    wheel[0, arms] = wheel[arms, 0] = -0.3
    wheel[arms[:, None], arms] -= 0.2
    found = branched(springs=wheel * np.sqrt(np.outer(MASSES, MASSES))).currents()
    around = np.isin(np.arange(5), arms)
    assert np.array_equal(np.isnan(found), around[:, None] & around & ~np.eye(5, dtype=bool))
    # A little less alike: the same heat, also where damping is too weak for numbers, and no flag where it is not.
    apart = np.array([0.0, 1e-12, 1e-9, 3e-8, 1e-7, 1e-6, 1e-2])
    ds = cs.sweep(plain, {"masses[3]": MASSES[3] * (1 + apart)})
    assert (ds.status == 0).all()
    assert_close(ds.heat.values[:-1, 0], np.full(6, expected), 1e-6)
    assert_close(ds.heat.values[:3, 0], np.full(3, expected), 1e-9)
    # Weak springs to a mode that friction hardly reaches, of the frequency of one that it damps little.
    weak, passed = 1e-5, 8e-7
    k = np.diag([2.0, 1.7, 2.0, 3.0, 2.3])
    k[0, 2] = k[2, 0] = -1.0
    k[0, 3] = k[3, 0] = -passed
    s = cs.steady_state(branched(weak * FRICTIONS, springs=k * np.sqrt(np.outer(MASSES, MASSES))), throw=False)
    g = weak * FRICTIONS / MASSES
    some = np.array([0, 2, 3])
    a = np.block([[np.zeros((3, 3)), np.eye(3)], [-k[some[:, None], some], -np.diag(g[some])]])
    x = solve_continuous_lyapunov(a, -np.diag([0.0, 0.0, 0.0, 2 * g[0] * HOT, 2 * g[2] * COLD, 0.0]))
    expected = g[0] * (HOT - x[3, 3])
    assert abs(s.heat["hot"] - expected) <= s.error.heat["hot"] + 1e-8 * expected


def test_quanta_and_fluctuations():
    def bose(w):
        return w * (1 / np.expm1(w / 0.4) - 1 / np.expm1(w / 0.2))

    s = cs.steady_state(branched(kind=cs.BosonBath, warm=(0.4, 0.2)))
    assert s.flags[UNDAMPED]
    assert_close(s.heat["hot"], over_frequencies(lambda w: transmitted(w) * bose(w) if w else 0.0) / (2 * np.pi), 1e-10)
    # ln[1 − T_h T_c T(ω) s (s + 1/T_c − 1/T_h)], Saito and Dhar, "Generating function formula of heat transfer in
    # harmonic networks"
    mean = over_frequencies(transmitted) * (HOT - COLD)
    spread = over_frequencies(lambda w: 2 * HOT * COLD * transmitted(w) + (HOT - COLD) ** 2 * transmitted(w) ** 2)
    found = cs.counting(branched(), "heat", "hot").cumulants(2)
    assert_close(found.values, np.array([mean, spread]) / (2 * np.pi), 1e-9)


def test_forces_and_driven_springs():
    w, site = 1.1, 1
    u = np.linalg.inv(K - w**2 * np.diag(M) - 1j * w * np.diag(G))[:, site]
    x = solve_continuous_lyapunov(motion()[0], -motion()[1])
    expected = G[0] * (HOT / M[0] - x[4, 4] - w**2 * abs(u[0]) ** 2 / 2)
    for frictions in (FRICTIONS, {"hot": 1.0, "cold": 0.7}):
        for amplitude in (0.0, 1e-3):
            forces = {"f": (site, cs.Cosine(1.0)), "g": (3, cs.Cosine(amplitude))}
            forced = branched(frictions, forces=forces, frequency=w)
            if not amplitude:
                s = cs.steady_state(forced)
                assert_close(s.heat["hot"], expected, 1e-12)
                assert_close(s.work["f"], w * u[site].imag / 2, 1e-12)
                continue
            with pytest.raises(cs.SolveError, match=r"no friction damps.*that a .* gives it") as caught:
                cs.steady_state(forced)
            assert caught.value.status == cs.Status.NOT_UNIQUE

    w = 1.3
    trap = np.zeros(4)
    trap[1] = 0.4

    still, noise = motion()
    pull = np.zeros((8, 8))
    pull[4:, :4] = -np.diag(trap) / M[:, None]

    def moved(t, y):
        a, now = still + pull * np.cos(w * t), y[:64].reshape(8, 8)
        rate = a @ now + now @ a.T + noise
        # How the motion turns, and heat and work of the moments.
        turned = a @ y[64:128].reshape(8, 8)
        amounts = [G[0] * (HOT / M[0] - now[4, 4]), -0.2 * w * np.sin(w * t) * now[1, 1]]
        return np.concatenate([rate.ravel(), turned.ravel(), amounts])

    def after_a_period(start):
        start = np.concatenate([start.ravel(), np.eye(8).ravel(), [0.0, 0.0]])
        return solve_ivp(moved, (0, 2 * np.pi / w), start, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]

    # From nothing the noise of a period C, and Φ: X = ΦXΦᵀ + C is there again after it.
    end = after_a_period(np.zeros((8, 8)))
    periodic = solve_discrete_lyapunov(end[64:128].reshape(8, 8), end[:64].reshape(8, 8))
    whole = after_a_period(periodic)
    assert_close(whole[:64].reshape(8, 8), periodic, 1e-10)
    keywords = {"drives": {"k": cs.Cosine(0.4)}, "frequency": w}
    s = cs.steady_state(branched(springs=middle, **keywords))
    assert s.flags[UNDAMPED]
    assert_close([s.heat["hot"], s.work["k"]], whole[128:] * w / (2 * np.pi), 1e-8)
    with pytest.raises(cs.SolveError, match="that a drive gives it") as caught:
        cs.steady_state(branched(springs=both_arms, **keywords))
    assert caught.value.status == cs.Status.NOT_UNIQUE


def middle(drives):
    return SPRINGS + drives["k"] * np.diag([0.0, 1.0, 0.0, 0.0, 0.0])


def both_arms(drives):
    return SPRINGS + drives["k"] * np.diag([0.0, 0.0, 0.0, 1.0, 1.0])


def test_a_ring_of_many():
    """Waves both ways round have one frequency: of two, one has a node at each bath, others are damped alike."""
    n = 24
    s = cs.steady_state(cs.oscillators.ring(n, {"hot": (0, HOT), "cold": (n // 2, COLD)}))
    assert s.flags[UNDAMPED]
    half = n // 2 + 1  # x_k = x_−k
    k = 3.0 * np.eye(half) - np.eye(half, k=1) - np.eye(half, k=-1)
    k[0, 1] = k[1, 0] = k[-1, -2] = k[-2, -1] = -(2**0.5)
    g = np.zeros(half)
    g[[0, -1]] = 1.0
    a = np.block([[np.zeros((half, half)), np.eye(half)], [-k, -np.diag(g)]])
    warm = np.zeros(2 * half)
    warm[[half, -1]] = 2 * HOT, 2 * COLD
    x = solve_continuous_lyapunov(a, -np.diag(warm))
    assert_close(s.heat["hot"], HOT - x[half, half], 1e-11)
