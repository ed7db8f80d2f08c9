"""Elimination with pivots."""

import jax.numpy as jnp
import numpy as np

from coldspot.numerics import dense as elimination
from tests.tolerance import assert_close


def test_elimination():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 5, 5))
    a[0, 0, 0] = a[1, :2, :2] = 0  # pivots
    for matrix in (a, a + 1j * rng.normal(size=(30, 5, 5))):
        exact = np.linalg.inv(matrix)
        assert np.allclose(elimination.inverse(jnp.asarray(matrix)), exact, rtol=0, atol=1e-11 * np.abs(exact).max())
    assert not np.all(np.isfinite(elimination.inverse(jnp.ones((1, 2, 2)))))
    positive = a @ np.swapaxes(a, 1, 2)
    factor, good = elimination.cholesky(jnp.asarray(positive))
    assert np.all(good)
    assert_close(factor, np.linalg.cholesky(positive), 1e-10)
    for matrix in ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        factor, good = elimination.cholesky(jnp.array([matrix]))
        assert not good[0]
        assert np.array_equal(factor[0], np.eye(2))
