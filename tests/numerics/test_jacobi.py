"""Eigenvectors of many small matrices in step, beside LAPACK's of each by itself and beside many digits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from coldspot.numerics import jacobi
from coldspot.numerics.dense import EPS
from coldspot.numerics.jacobi import eigenvectors

FOUND = jax.jit(eigenvectors)


def random(size: int, points: int) -> np.ndarray:
    """Full and sparse ones, degenerate ones, and such as are huge or tiny."""
    rng = np.random.default_rng(size)
    x = rng.normal(size=(points, size, size)) * (rng.random((points, size, size)) < rng.random((points, 1, 1)))
    x = x + np.swapaxes(x, 1, 2)
    x[0], x[1], x[2], x[3] = 0.0, 3 * np.eye(size), 1.0, np.round(x[3])
    x[4] *= 1e-200
    x[5] *= 1e150
    return x


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 7, 10])
def test_vectors_solve_their_equation_and_are_orthonormal(size):
    every = random(size, 60)
    vectors = np.moveaxis(np.asarray(FOUND(np.moveaxis(every, 0, -1))), -1, 0)
    for matrix, v in zip(every, vectors, strict=True):
        scale = np.max(np.abs(matrix))
        assert np.max(np.abs(v.T @ v - np.eye(size))) < 4 * EPS * (size + 2)
        image = v.T @ matrix @ v
        assert np.max(np.abs(image - np.diag(np.diagonal(image)))) <= 4 * EPS * (size + 2) * scale
        own = np.linalg.eigvalsh(matrix) if scale > 1e-100 else np.linalg.eigvalsh(matrix * 1e200) / 1e200
        np.testing.assert_allclose(np.sort(np.diagonal(image)), own, rtol=0, atol=4 * EPS * (size + 2) * scale)


def test_places_that_nothing_links_are_not_mixed():
    rng = np.random.default_rng(2)
    matrix = np.zeros((7, 7, 20))
    blocks = [0, 3, 5], [1, 6], [2], [4]
    for places in blocks:
        x = rng.normal(size=(len(places), len(places), 20))
        matrix[np.ix_(places, places)] = x + np.swapaxes(x, 0, 1)
    matrix[4, 4], matrix[2, 2] = matrix[0, 0], matrix[0, 0]  # as near as can be
    vectors = np.asarray(FOUND(matrix))
    for places in blocks:
        others = [k for k in range(7) if k not in places]
        assert np.all(vectors[np.ix_(others, places)] == 0)
        assert np.all(np.any(vectors[np.ix_(places, places)] != 0, axis=0))


def test_near_levels_beside_many_digits():
    """Vectors are off by rounding over the gap, and by no more."""
    matrix = np.array([[1.0, 1e-7, 0.3], [1e-7, 1.0 + 2e-7, 0.3], [0.3, 0.3, -2.0]])
    vectors = np.asarray(FOUND(np.repeat(matrix[..., None], 3, axis=-1)))[..., 1]
    with mpmath.workdps(40):
        levels, exact = mpmath.eigsy(mpmath.matrix(matrix.tolist()))
        gap = float(min(abs(levels[i] - levels[j]) for i in range(3) for j in range(i)))
    exact = np.array(exact.tolist(), float)
    energies = np.diagonal(vectors.T @ matrix @ vectors)
    vectors = vectors[:, np.argsort(energies)]
    vectors = vectors * np.sign(np.sum(vectors * exact, axis=0))
    assert np.max(np.abs(vectors - exact)) < 8 * EPS * 2.0 / gap


def test_what_does_not_settle_is_no_number(monkeypatch):
    monkeypatch.setattr(jacobi, "SWEEPS", 1)
    matrix = np.random.default_rng(5).normal(size=(6, 6, 2))
    assert np.all(np.isnan(jacobi.eigenvectors(jnp.asarray(matrix + np.swapaxes(matrix, 0, 1)))))
