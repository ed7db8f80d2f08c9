"""Differences of the digamma function against multiple precision."""

import jax
import mpmath as mp
import numpy as np
import pytest

from coldspot.numerics.digamma import digamma, first_difference, mixed_difference, thermal_difference
from tests.tolerance import assert_close


def arguments(points, seed=0):
    rng = np.random.default_rng(seed)

    def spread():
        return (
            0.5 + 10 ** rng.uniform(-3, 6, points) + 1j * rng.choice([-1, 1], points) * 10 ** rng.uniform(-3, 6, points)
        )

    x = spread()
    # From the same number to another one of any size.
    z = x + 10 ** rng.uniform(-16, 3, points) * np.abs(x) * np.exp(2j * np.pi * rng.random(points))
    z = np.maximum(z.real, 0.5) + 1j * z.imag
    d = 1j * rng.choice([-1, 1], points) * 10 ** rng.uniform(-12, 6, points)
    d[:10], z[5:15] = 0, x[5:15]
    return x, z, d


def test_digamma_differences_to_rounding():
    x, z, d = arguments(200)
    first, mixed = np.asarray(jax.jit(first_difference)(x, d)), np.asarray(jax.jit(mixed_difference)(x, z, d))
    with mp.workdps(80):
        for k in range(200):
            a, b, s = (mp.mpmathify(complex(v[k])) for v in (x, z, d))
            slope = [mp.psi(1, v) if s == 0 else (mp.digamma(v + s) - mp.digamma(v)) / s for v in (a, b)]
            if a != b:
                both = (slope[0] - slope[1]) / (a - b)
            else:
                both = mp.psi(2, a) if s == 0 else (mp.psi(1, a + s) - mp.psi(1, a)) / s
            assert abs(complex(first[k]) / slope[0] - 1) < 2e-15
            assert abs(complex(mixed[k]) / both - 1) < 2e-15


def test_digamma_and_its_slope_to_rounding():
    """The slope is a formula of its own."""
    x = np.concatenate([arguments(40)[0], [0.5, 0.5 + 1e-9j, 1.0]])
    found = jax.jit(lambda x: jax.jvp(digamma, (x,), (1j * jax.numpy.ones_like(x),)))(x)
    for k, at in enumerate(x):
        for order, part in enumerate((found[0][k], found[1][k] / 1j)):
            assert abs(complex(part) / complex(mp.psi(order, complex(at))) - 1) < 2e-15


def test_digamma_differences_have_derivatives_at_zero():
    """d/dd of the first difference at d = 0 is ψ″/2."""
    slope = jax.jit(jax.jacfwd(lambda d: first_difference(0.7 + 0.2j, 1j * d)))(0.0) / 1j
    assert_close(slope, complex(mp.psi(2, 0.7 + 0.2j)) / 2, 1e-13)
    slope = jax.jit(jax.jacfwd(lambda h: mixed_difference(0.7 + h, 0.7, 0.0)))(0.0)
    assert_close(slope, complex(mp.psi(3, 0.7)) / 2, 1e-13)


THERMAL = [
    (0.3 - 0.2j, 0.2, -0.1, 0.1, 0.05),
    (0.3 - 0.2j, 0.2, 0.2 - 1e-10, 0.1, 0.1),
    (0.3 - 0.2j, 0.2, 0.2, 0.1, 0.1 * (1 + 1e-11)),
    (1 - 1e-9j, 0.2, -0.1, 1e-12, 3e-12),
    (1 - 0.5j, 0.2, 0.2, 1e-12, 1.1e-12),
    (1 - 0.5j, 0.2, -0.1, 1e3, 1e3 + 1e-3),
    (1 - 0.5j, 0.2, -0.1, 1e-12, 1e3),
    (1e-3 - 1e-9j, 5.0, -3.0, 1e-3, 10.0),
    (-12.0 - 0.9j, 0.1, 0.1, 0.159, 0.16),
]


@pytest.mark.parametrize("case", THERMAL)
def test_differences_of_fermi_integrals_keep_their_digits_however_close_the_leads_are(case):
    pole, one, other, hot, cold = case
    with mp.workdps(60):

        def whole(mu, t):
            z = mp.mpf(1) / 2 + 1j * (mp.mpc(pole) - mp.mpf(mu)) / (2 * mp.pi * mp.mpf(t))
            return mp.digamma(z) + mp.log(mp.mpf(t))

        expected = complex(whole(one, hot) - whole(other, cold))
    assert abs(complex(thermal_difference(*case)[0]) - expected) <= 5e-15 * abs(expected)


OFF_RESONANCE = [
    (0.86 - 0.03j, 0.0, 0.0, 5e-10, 0.0187),
    (0.86 - 0.03j, -2e-5, -3.8e-4, 5e-10, 0.0187),
    (0.9 - 0.1j, 0.0, 0.0, 0.0125, 0.0124),
    (-0.7 - 1e-6j, 0.01, -0.01, 0.02, 0.0095),
]


def test_what_cancels_between_a_cold_and_a_warm_lead_far_from_the_level_is_in_the_size():
    for pole, one, other, hot, cold in OFF_RESONANCE:
        with mp.workdps(60):
            z, x = (1j * (mp.mpc(pole) - mp.mpf(m)) / (2 * mp.pi * mp.mpf(t)) for m, t in ((one, hot), (other, cold)))
            half = mp.mpf(1) / 2
            expected = complex(mp.digamma(half + z) + mp.log(mp.mpf(hot)) - mp.digamma(half + x) - mp.log(mp.mpf(cold)))
        value, size = (complex(part) for part in thermal_difference(pole, one, other, hot, cold))
        assert abs(value - expected) <= 16 * np.finfo(float).eps * size.real
