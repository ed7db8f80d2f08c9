"""Mixed cumulants, spectra, generating and rate functions of stationary networks, by eigenvalues and by quadrature."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.linalg import expm

import coldspot as cs
from tests.jump.test_counting import N, draw, edges_of, gated, network

TARGETS = [("entropy", "a"), ("entropy", "b")]
FIELDS = np.array([[0.3, -0.2], [-1.0, 0.5], [2.5, 1.5], [-0.05, 0.0]])
CHI = np.array([0.3, -1.2])
# The entropy that is produced is minus what enters, so that its field χ is −χ for both, and −1 − χ is 1 + χ.
SYMMETRIC = np.repeat(np.concatenate([-CHI, 1 + CHI])[:, None], 2, axis=1)


def counted_edges(case):
    """(to, from, rate, entropy from a, entropy from b) in multiple precision."""
    found = []
    for i, j, rate, heat in edges_of(*case):
        gap = mp.mpf(float(case[0][i])) - mp.mpf(float(case[0][j]))
        found.append((i, j, rate, heat, mp.mpf(0) if heat else gap / mp.mpf(float(case[3]))))
    return found


def eigenvalue(edges, one, other):
    """λ of the tilted generator."""
    tilted = mp.zeros(N)
    for i, j, rate, a, b in edges:
        tilted[i, j] += rate * mp.exp(one * a + other * b)
        tilted[j, j] -= rate
    return max(mp.re(value) for value in mp.eig(tilted, left=False, right=False))


@pytest.mark.parametrize("span", [1.0, 20.0])
def test_the_generating_function_is_the_largest_eigenvalue(span):
    case = draw(np.random.default_rng(3), span, 2.0)
    found = cs.counting(network(*case), TARGETS).generating_function(np.concatenate([FIELDS, SYMMETRIC]))
    with mp.workdps(60):
        edges = counted_edges(case)
        for k, (one, other) in enumerate(FIELDS.tolist()):
            expected = eigenvalue(edges, mp.mpf(one), mp.mpf(other))
            off = float(abs(mp.mpf(float(found.values[k])) - expected))
            assert off <= float(found.errors[k])
            assert off <= 1e-12 * float(abs(expected))
            step = mp.mpf(10) ** -15
            slope = (eigenvalue(edges, one + step, other) - eigenvalue(edges, one - step, other)) / (2 * step)
            off = float(abs(mp.mpf(float(found.slopes[k, 0])) - slope))
            assert off <= float(found.slope_errors[k, 0])
            assert off <= 1e-11 * float(abs(slope))
    # λ(χ) = λ(−1 − χ) for the entropy that is produced.
    values = np.asarray(found)[len(FIELDS) :]
    np.testing.assert_allclose(values[:2], values[2:], rtol=1e-12)


def test_the_rate_function_is_the_legendre_transform():
    case = draw(np.random.default_rng(3), 1.0, 2.0)
    counted = cs.counting(network(*case), *TARGETS[0])
    with mp.workdps(40):
        tiny = mp.mpf(10) ** -12
        mean = float(
            (eigenvalue(counted_edges(case), tiny, 0) - eigenvalue(counted_edges(case), -tiny, 0)) / (2 * tiny)
        )
    currents = np.array([0.0, mean, 3.0, -2.0])
    found, moved = jax.jvp(counted.rate_function, (jnp.asarray(currents),), (jnp.ones(4),))
    with mp.workdps(40):
        edges, step = counted_edges(case), mp.mpf(10) ** -12
        pairs = zip(currents.tolist(), np.asarray(found.fields).tolist(), strict=True)
        for k, (j, chi) in enumerate([(mp.mpf(j), mp.mpf(chi)) for j, chi in pairs]):
            # The concave function χj − λ(χ) has its maximum there.
            middle, below, above = (
                chi * j - eigenvalue(edges, chi, 0),
                *((chi + s) * j - eigenvalue(edges, chi + s, 0) for s in (-step, step)),
            )
            slope, bend = (above - below) / (2 * step), (2 * middle - below - above) / step**2
            assert abs(slope) <= bend * float(found.field_errors[k]) + mp.mpf(10) ** -20
            assert abs(float(middle) - float(found.values[k])) <= float(found.errors[k])
    np.testing.assert_allclose(moved.values, found.fields, rtol=1e-11, atol=1e-11)
    assert found.errors[2] <= 1e-12 * found.values[2]


def generator_of(case):
    """W, and for both targets the matrices of amounts × rates, in double precision."""
    w, carried = np.zeros((N, N)), np.zeros((2, 2, N, N))
    for i, j, rate, a, b in counted_edges(case):
        w[i, j] += float(rate)
        for k, amount in enumerate((float(a), float(b))):
            carried[k, 0, i, j] += float(rate) * amount
            carried[k, 1, i, j] += float(rate) * amount**2
    return w - np.diag(w.sum(axis=0)), carried


def test_the_spectrum_is_the_integral_of_the_correlation_function():
    case = draw(np.random.default_rng(3), 0.5, 2.0)
    frequencies = np.array([0.0, 0.7, 5.0])
    found = cs.counting(network(*case), TARGETS).spectrum(frequencies)
    w, carried = generator_of(case)
    p = np.linalg.svd(w)[2][-1]
    p = p / p.sum()
    leaving, after = carried[:, 0].sum(axis=1), carried[:, 0] @ p
    mean = after.sum(axis=1)

    def integrand(t):
        moved = expm(w * t)
        return np.array([[leaving[a] @ moved @ after[b] - mean[a] * mean[b] for b in (0, 1)] for a in (0, 1)])

    shot = np.diag((carried[:, 1] @ p).sum(axis=1))
    for k, omega in enumerate(frequencies):
        half = quad_vec(lambda t, o=omega: integrand(t) * np.exp(1j * o * t), 0, 60, epsabs=1e-11)[0]
        expected = shot + half + half.conj().T
        np.testing.assert_allclose(found.values[k], expected, rtol=0, atol=1e-9 * np.abs(shot).max())
    values = np.asarray(found)
    assert np.all(np.linalg.eigvalsh(values) >= 0)


def test_mixed_cumulants_are_mixed_derivatives_of_the_eigenvalue():
    case = draw(np.random.default_rng(3), 1.0, 2.0)
    counted = cs.counting(network(*case), TARGETS)
    found = counted.mixed_cumulants(3)
    with mp.workdps(60):
        edges = counted_edges(case)
        step = mp.mpf(10) ** -8
        for orders, place in (((3, 0), (0, 0, 0)), ((2, 1), (1, 0, 0)), ((1, 2), (1, 0, 1))):
            expected = mp.mpf(0)
            for i in range(orders[0] + 1):
                for j in range(orders[1] + 1):
                    sign = (-1) ** (i + j) * mp.binomial(orders[0], i) * mp.binomial(orders[1], j)
                    places = (mp.mpf(n) / 2 - k for n, k in zip(orders, (i, j), strict=True))
                    expected += sign * eigenvalue(edges, *(step * x for x in places))
            expected = float(expected / step**3)
            assert abs(float(found.values[place]) - expected) <= 1e-12 * abs(expected)
    values = np.asarray(found)
    assert np.array_equal(values, values.transpose(2, 0, 1))
    with pytest.raises(cs.InputError, match="begin with order 2"):
        counted.mixed_cumulants(1)


def test_requests_that_have_no_answer():
    dot = cs.counting(cs.machines.QuantumDot(), "heat", "left")
    both = cs.counting(cs.machines.QuantumDot(), [("heat", "left"), ("heat", "right")])
    with pytest.raises(cs.InputError, match="one number for each of 2"):
        both.generating_function([[0.1, 0.2, 0.3]])
    with pytest.raises(cs.InputError, match="single amount"):
        both.rate_function(0.1)
    with pytest.raises(
        cs.InputError, match=r"10,000,000,000 `frequencies` needs about .* GiB.* ask for a part of them"
    ):
        dot.spectrum(np.broadcast_to(1.0, 10**10))
    with pytest.raises(cs.InputError, match="`frequencies` must be finite"):
        dot.spectrum([np.inf])
    driven = cs.counting(cs.machines.OttoEngine(), "work", "piston")
    with pytest.raises(cs.InputError, match="without drives"):
        driven.spectrum(0.1)
    with pytest.raises(cs.InputError, match="no uncertainty relation is a theorem"):
        cs.counting(cs.machines.OscillatorPair(), "heat", "left").uncertainty()


# --------------------------------------------------------------------------- driven


def test_fluctuations_of_a_driven_state_are_symmetric_to_those_of_the_reversed_drive():
    chi = np.array([0.3, -1.2, -0.5, 0.05, 0.0])
    names = [("entropy", "cold"), ("entropy", "hot")]
    ahead = cs.counting(gated(8.0), names).generating_function(np.repeat(-chi[:, None], 2, axis=1), tolerance=1e-11)
    back = cs.counting(gated(8.0, back=True), names)
    mirrored = back.generating_function(np.repeat(1 + chi[:, None], 2, axis=1), tolerance=1e-11)
    scale = np.abs(ahead.values).max()
    assert np.abs(ahead.values - mirrored.values).max() <= 1e-12 * scale
    own = cs.counting(gated(8.0), names).generating_function(np.repeat(1 + chi[:, None], 2, axis=1))
    assert np.abs(ahead.values - own.values).max() > 1e-5 * scale
    # In all, ⟨e^{−σt}⟩ does not grow at χ = −1.
    assert abs(mirrored.values[-1]) <= 1e-12 * scale


THIRDS, SHARES = [3.0, 1.0, 2.0], [0.25, 0.35, 0.4]


def lifted(levels, shares):
    return cs.JumpNetwork(
        energies=lambda drives: jnp.array([0.0, 1.0]) * drives["level"],
        baths={"bath": cs.HeatBath(1.25)},
        channels=[cs.Channel("bath", 0, 1, cs.Glauber(1.0))],
        drives={"level": cs.Steps(levels, shares)},
        period=3.0,
    )


def three_strokes(chi):
    """λ(χ) of the entropy that the bath gives, and λ'(χ), by the eigenvalue of three exponentials in closed form.

    Each as exp(At) = e^{ht} [cosh(qt) + sinh(qt)/q (A − h)], with h and q of its eigenvalues h ± q.
    """
    whole, slope = mp.eye(2), mp.zeros(2)
    for level, share in zip(THIRDS, SHARES, strict=True):
        x, t = mp.mpf(level) / mp.mpf(1.25), mp.mpf(share) * 3
        up, down = 2 / (1 + mp.exp(x)), 2 / (1 + mp.exp(-x))
        # The tilted generator is the plain one between diag(1, e^{χx}) and its inverse.
        q, turned = (up + down) / 2, mp.matrix([[(down - up) / 2, down], [up, (up - down) / 2]])
        plain = mp.exp(-q * t) * (mp.cosh(q * t) * mp.eye(2) + mp.sinh(q * t) / q * turned)
        grown = mp.exp(chi * x)
        one = mp.matrix([[plain[0, 0], plain[0, 1] / grown], [plain[1, 0] * grown, plain[1, 1]]])
        moved = mp.matrix([[0, -x * one[0, 1]], [x * one[1, 0], 0]])
        whole, slope = one * whole, moved * whole + one * slope
    trace, det = whole[0, 0] + whole[1, 1], whole[0, 0] * whole[1, 1] - whole[0, 1] * whole[1, 0]
    largest = (trace + mp.sqrt(trace**2 - 4 * det)) / 2
    # det does not depend on χ, and Λ² − ΛtrM + det = 0.
    return mp.log(largest) / 3, (slope[0, 0] + slope[1, 1]) / (2 * largest - trace) / 3


def test_the_rate_function_of_a_driven_state_is_the_legendre_transform_and_that_of_the_reversed_drive():
    currents = np.array([-0.3, 0.0, 0.1, -0.05])
    found = cs.counting(lifted(THIRDS, SHARES), "entropy", "bath").rate_function(currents)
    with mp.workdps(40):
        for k, (j, chi) in enumerate(zip(currents.tolist(), np.asarray(found.fields).tolist(), strict=True)):
            field = mp.findroot(lambda x, j=j: three_strokes(x)[1] - mp.mpf(j), mp.mpf(chi))
            assert abs(float(mp.mpf(chi) - field)) <= float(found.field_errors[k])
            off = abs(float(mp.mpf(float(found.values[k])) - field * mp.mpf(j) + three_strokes(field)[0]))
            assert off <= min(float(found.errors[k]), 1e-12)
    # I(σ) + σ = I_reversed(−σ) for the entropy σ that is produced, which is what the bath takes.
    reversed_ = cs.counting(lifted(THIRDS[::-1], SHARES[::-1]), "entropy", "bath")
    back = reversed_.rate_function(-currents)
    np.testing.assert_allclose(found.values - currents, back.values, rtol=0, atol=1e-12)
    # In three strokes the bath can give no more than the largest step of the level.
    with pytest.raises(cs.SolveError, match=r"amounts per time \[0.8\] typical"):
        reversed_.rate_function([0.8, 0.1, 0.0, 0.05])
    others = reversed_.rate_function([0.8, 0.1, 0.0, 0.05], throw=False)
    assert np.isnan(others.values[0])
    np.testing.assert_allclose(others.values[2:], np.asarray(back.values)[[1, 3]], rtol=0, atol=1e-12)
    assert np.all(others.errors[1:] <= 1e-12)
