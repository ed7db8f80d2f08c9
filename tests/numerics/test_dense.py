"""Elimination with pivots."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from coldspot.numerics import dense as elimination
from tests.tolerance import assert_close

INVERSE, CHOLESKY = jax.jit(elimination.inverse), jax.jit(elimination.cholesky)


def test_elimination():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 5, 5))
    a[0, 0, 0] = a[1, :2, :2] = 0  # pivots
    for matrix in (a, a + 1j * rng.normal(size=(30, 5, 5))):
        exact = np.linalg.inv(matrix)
        assert np.allclose(INVERSE(matrix), exact, rtol=0, atol=1e-11 * np.abs(exact).max())
    assert not np.all(np.isfinite(INVERSE(np.ones((1, 2, 2)))))
    positive = a @ np.swapaxes(a, 1, 2)
    factor, good = CHOLESKY(positive)
    assert np.all(good)
    assert_close(factor, np.linalg.cholesky(positive), 1e-10)
    for matrix in ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        assert not CHOLESKY(np.array([matrix]))[1][0]


def test_inverse_needs_pivots():
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(50, 4, 4)) + 1j * rng.normal(size=(50, 4, 4))
    matrices[:, 0, 0] = 0.0
    matrices[::2, 1, :2] = 1e-14
    exact = np.linalg.inv(matrices)
    off = np.abs(INVERSE(matrices) - exact)
    assert np.max(off / np.max(np.abs(exact), axis=(1, 2), keepdims=True)) < 1e-12


def test_singular_matrices_have_their_factor():
    """Of every rank, real and complex; the column of a pivot that is zero is zero."""
    rng = np.random.default_rng(2)
    for n, rank in itertools.product((1, 2, 5), (0, 1, 2, 5)):
        root = rng.normal(size=(20, n, min(rank, n))) + 1j * rng.normal(size=(20, n, min(rank, n)))
        for part in (root, root.real):
            matrix = part @ np.swapaxes(part.conj(), 1, 2)
            factor, positive = map(np.asarray, CHOLESKY(matrix))
            scale = np.max(np.abs(matrix), initial=1e-300)
            assert np.max(np.abs(factor @ np.swapaxes(factor.conj(), 1, 2) - matrix)) <= 1e-10 * scale  # no pivoting
            assert np.all(positive == (rank >= n))
    np.testing.assert_array_equal(CHOLESKY(np.ones((2, 2)))[0], [[1.0, 0.0], [1.0, 0.0]])


def test_products_and_adjoints():
    rng = np.random.default_rng(3)
    a = rng.normal(size=(7, 3, 2)) + 1j * rng.normal(size=(7, 3, 2))
    b = rng.normal(size=(4, 7, 2, 5))
    np.testing.assert_allclose(elimination.product(jnp.asarray(a), jnp.asarray(b)), a @ b, rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(elimination.adjoint(jnp.asarray(a)), np.swapaxes(a.conj(), 1, 2))


def test_the_derivative_of_an_inverse_is_the_rule():
    rng = np.random.default_rng(4)
    a, change = rng.normal(size=(2, 6, 3, 3))
    found, slope = jax.jit(lambda a, change: jax.jvp(elimination.inverse, (a,), (change,)))(a, change)
    exact = -np.linalg.inv(a) @ change @ np.linalg.inv(a)
    np.testing.assert_allclose(slope, exact, rtol=0, atol=1e-12 * np.abs(exact).max())
    back = jax.jit(jax.grad(lambda m: jnp.sum(elimination.inverse(m) * change)))(a)
    inner = np.swapaxes(np.linalg.inv(a), 1, 2)
    np.testing.assert_allclose(back, -inner @ change @ inner, rtol=0, atol=1e-12 * np.abs(back).max())
    assert found.shape == (6, 3, 3)
