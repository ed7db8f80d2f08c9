"""Scaled error functions, mixtures and the logit against multiple precision."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from coldspot.numerics.error_functions import erfcx, log_mixture, log_scaled_mixture, logit


@pytest.mark.parametrize("function", [log_scaled_mixture, log_mixture])
def test_derivatives_of_mixtures(function):
    def exactly(x, share):
        if function is log_mixture:
            return mp.log(share * mp.ncdf(x) + (1 - share) * mp.ncdf(-x))
        return mp.log(mp.exp(x**2) * (share * mp.erfc(x) + (1 - share) * mp.erfc(-x)))

    slopes = jax.jit(jax.vmap(jax.value_and_grad(function, (0, 1))))
    points = [(x, p) for x in (-30.0, -4.0, -0.3, 0.0, 0.7, 5.0, 30.0) for p in (1e-7, 0.3, 0.5, 0.75, 1 - 1e-7)]
    values, (along, across) = slopes(*map(jnp.asarray, zip(*points, strict=True)))
    with mp.workdps(60):
        for k, (x, p) in enumerate(points):
            # A logarithm is off by the relative error of its argument.
            value = exactly(mp.mpf(x), mp.mpf(p))
            assert abs(float(values[k]) - value) <= 1e-14 * (1 + abs(value))
            dx = mp.diff(lambda y, p=p: exactly(y, mp.mpf(p)), mp.mpf(x))
            dp = mp.diff(lambda y, x=x: exactly(mp.mpf(x), y), mp.mpf(p))
            # So are slopes of a logarithm, each made of two terms that may cancel.
            assert abs(float(along[k]) - dx) <= 1e-12 * (1 + abs(x))
            assert abs(float(across[k]) - dp) <= 1e-12 / min(p, 1 - p)


def test_the_scaled_error_function_and_the_logit():
    y = np.concatenate([np.linspace(0, 6, 61), np.logspace(1, 6, 20)])
    with mp.workdps(50):
        exact = [mp.exp(mp.mpf(v) ** 2) * mp.erfc(mp.mpf(v)) for v in y]
        np.testing.assert_allclose(np.asarray(erfcx(y)), [float(e) for e in exact], rtol=2e-15)
        for p in (1e-300, 1e-10, 0.2, 0.25, 0.3, 0.496, 0.5 - 1e-15, 0.5 + 1e-9, 0.75, 1 - 1e-15):
            p = float(p)
            assert float(logit(p)) == pytest.approx(float(mp.log(mp.mpf(p) / (1 - mp.mpf(p)))), rel=5e-16)
            assert float(jax.grad(logit)(p)) == pytest.approx(float(1 / (mp.mpf(p) * (1 - mp.mpf(p)))), rel=1e-15)
