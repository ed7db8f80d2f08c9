"""Inverses of small matrices."""

import jax.numpy as jnp
import numpy as np

from coldspot.numerics.small_matrices import inverse


def test_inverse_needs_pivots():
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(4, 4, 50)) + 1j * rng.normal(size=(4, 4, 50))
    matrices[0, 0] = 0.0
    matrices[1, :2, ::2] = 1e-14
    exact = np.moveaxis(np.linalg.inv(np.moveaxis(matrices, -1, 0)), 0, -1)
    assert np.max(np.abs(inverse(jnp.asarray(matrices)) - exact) / np.max(np.abs(exact), axis=(0, 1))) < 1e-12
