"""Fermi and Bose functions against multi-precision arithmetic."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import coldspot as cs
from coldspot.occupation import bose, bose_difference, fermi, fermi_difference, fermi_product, log_bose, log_fermi

ULP = 2.0**-52
NORMAL = mpmath.mpf(2) ** -1022


def exact_fermi(x):
    return 1 / (mpmath.exp(x) + 1)


def exact_bose(x):
    return 1 / mpmath.expm1(x)


def arguments(points: int = 600) -> np.ndarray:
    """|x| from 1e-12 to 1e3, both signs, and the corners."""
    rng = np.random.default_rng(1)
    x = np.concatenate([10 ** rng.uniform(-12, 3, points), [1e-12, np.log(2), 1.0, 36.7, 37.5, 708.0, 1e3]])
    return np.concatenate([x, -x])


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Arguments that differ by one part in 1e16 up to ten times themselves, and unrelated ones."""
    rng = np.random.default_rng(2)
    x = arguments()
    y = x * (1 + rng.choice([-1, 1], x.size) * 10 ** rng.uniform(-15.7, 1, x.size))
    y[::5] = rng.permutation(x)[::5]
    return x, y


def ulps(computed, exact, condition=1.0) -> np.ndarray:
    """Relative errors in units of rounding where the exact result is a normal float; `condition` forgives."""
    computed, condition = np.asarray(computed), np.broadcast_to(condition, np.shape(computed))
    found = []
    for value, truth, allowed in zip(computed, exact, condition, strict=True):
        if abs(truth) >= NORMAL:
            found.append(float(abs((mpmath.mpf(float(value)) - truth) / truth) / ULP) / allowed)
    assert len(found) > 0.4 * computed.size
    return np.array(found)


@pytest.fixture(autouse=True)
def _digits():
    # f(−1000) differs from 1 in the 435th digit.
    with mpmath.workdps(920):
        yield


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["plain", "jit"])
@pytest.mark.parametrize(("function", "exact"), [(fermi, exact_fermi), (bose, exact_bose)], ids=["fermi", "bose"])
def test_functions_have_full_relative_accuracy(function, exact, wrap):
    x = arguments()
    assert ulps(wrap(function)(x), [exact(mpmath.mpf(v)) for v in x.tolist()]).max() < 4


def test_holes_are_the_mirror_image():
    x = arguments()
    assert ulps(fermi(-x), [1 - exact_fermi(mpmath.mpf(v)) for v in x.tolist()]).max() < 4
    assert ulps(-bose(-x), [1 + exact_bose(mpmath.mpf(v)) for v in x.tolist()]).max() < 4


def test_logarithms():
    x = arguments()
    assert ulps(log_fermi(x), [mpmath.log(exact_fermi(mpmath.mpf(v))) for v in x.tolist()]).max() < 4
    x = np.abs(x)
    exact = [mpmath.log(exact_bose(mpmath.mpf(v))) for v in x.tolist()]
    # ln n passes through zero at x = ln 2, where a relative error of x counts x(1+n)/|ln n| times.
    condition = np.array(
        [1 + float(v * (1 + exact_bose(v)) / abs(e)) for v, e in zip(map(mpmath.mpf, x), exact, strict=True)]
    )
    assert ulps(log_bose(x), exact, condition).max() < 4


def test_logarithms_where_the_functions_underflow():
    x = np.array([800.0, 1e4, 1e300])
    assert np.array_equal(log_fermi(x), -x)
    assert np.array_equal(log_bose(x), -x)
    assert float(log_fermi(-1e300)) == 0.0


def test_product_of_electron_and_hole():
    x, y = pairs()
    exact = [exact_fermi(a) * exact_fermi(-b) for a, b in zip(map(mpmath.mpf, x), map(mpmath.mpf, y), strict=True)]
    assert ulps(fermi_product(x, y), exact).max() < 4


@pytest.mark.parametrize(
    ("function", "exact", "one_sign"),
    [(fermi_difference, exact_fermi, False), (bose_difference, exact_bose, True)],
    ids=["fermi", "bose"],
)
def test_differences_do_not_cancel(function, exact, one_sign):
    x, y = pairs()
    use = (x != y) & (~one_sign | (x * y > 0))
    x, y = x[use], y[use]
    truth = [exact(a) - exact(b) for a, b in zip(map(mpmath.mpf, x), map(mpmath.mpf, y), strict=True)]
    assert ulps(function(x, y), truth).max() < 8
    assert np.array_equal(function(x, y), -function(y, x))
    assert np.all(np.asarray(function(x, x)) == 0.0)


def slopes(function):
    """The first and the second derivative."""
    return jax.jit(lambda x: (jax.grad(function)(x), jax.grad(jax.grad(function))(x), jax.jacfwd(function)(x)))


OF_FERMI, OF_BOSE, OF_LOG_FERMI, OF_LOG_BOSE = map(slopes, (fermi, bose, log_fermi, log_bose))


@pytest.mark.parametrize("x", [0.0, 1e-12, -1e-3, 1.0, -3.0, 40.0, 700.0, -700.0])
def test_derivatives_of_fermi(x):
    exact = mpmath.mpf(x)
    f, g = exact_fermi(exact), exact_fermi(-exact)
    first, second = -f * g, f * g * (g - f)
    found, curved, forward = OF_FERMI(x)
    assert abs(float(found) / first - 1) < 8 * ULP
    # The second derivative passes through zero at 0: its error is one of f itself.
    assert abs(float(curved) - second) <= 8 * ULP * f * g
    assert forward == found
    found, curved, _ = OF_LOG_FERMI(x)
    assert abs(float(found) / -g - 1) < 8 * ULP
    assert abs(float(curved) / (-f * g) - 1) < 8 * ULP


@pytest.mark.parametrize("x", [1e-12, -1e-3, 1.0, -3.0, 40.0, 700.0])
def test_derivatives_of_bose(x):
    exact = mpmath.mpf(x)
    n = exact_bose(exact)
    assert abs(float(OF_BOSE(x)[0]) / (-n * (1 + n)) - 1) < 8 * ULP
    if x > 0:
        assert abs(float(OF_LOG_BOSE(x)[0]) / (-(1 + n)) - 1) < 8 * ULP


OF_DIFFERENCE = jax.jit(
    lambda x, y: (jax.grad(fermi_difference, (0, 1))(x, y), jax.hessian(fermi_difference, (0, 1))(x, y))
)


@pytest.mark.parametrize("x", [0.0, 0.3, -20.0, 300.0])
@pytest.mark.parametrize("gap", [0.0, 1e-13, 1.0])
def test_derivatives_of_fermi_differences(x, gap):
    y = x + gap
    fx, gx = exact_fermi(mpmath.mpf(x)), exact_fermi(-mpmath.mpf(x))
    fy, gy = exact_fermi(mpmath.mpf(y)), exact_fermi(-mpmath.mpf(y))
    (by_x, by_y), hessian = OF_DIFFERENCE(x, y)
    assert abs(float(by_x) / (-fx * gx) - 1) < 8 * ULP
    assert abs(float(by_y) / (fy * gy) - 1) < 8 * ULP
    hessian = np.array(hessian)
    assert abs(float(hessian[0, 0]) - fx * gx * (gx - fx)) <= 8 * ULP * fx * gx
    assert abs(float(hessian[1, 1]) + fy * gy * (gy - fy)) <= 8 * ULP * fy * gy
    assert hessian[0, 1] == hessian[1, 0] == 0.0


@pytest.mark.parametrize("x", [0.3, 20.0, -2.0])
def test_derivatives_of_bose_differences(x):
    n = exact_bose(mpmath.mpf(x))
    by_x, by_y = jax.grad(bose_difference, (0, 1))(x, x)
    assert abs(float(by_x) / (-n * (1 + n)) - 1) < 8 * ULP
    assert by_y == -by_x


def test_integers_and_lists_are_promoted():
    assert cs.ElectronBath(10, 2).temperature.dtype == jnp.float64
    assert cs.HeatBath(np.float32(0.5)).temperature.dtype == jnp.float64
    assert cs.ElectronBath(1).chemical_potential == 0.0
