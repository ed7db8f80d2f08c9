"""Eigenvalues of small complex matrices: where two coincide, and which are nearest."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError
from ..numerics.dense import positive_or_one

PARALLEL = 0.9
"""Overlap from which two eigenvectors whose eigenvalues meet are one."""
TOGETHER = 0.02
"""Spread of three eigenvalues, relative to the norm of the traceless part, that a discriminant of 1e-10 leaves."""
ROUGH = 3e-5
"""What rounding makes of three eigenvalues that are one, relative to that norm."""
ALIKE = 10.0
"""How unlike the gaps of three eigenvalues may be that rounding alone keeps apart."""


def discriminant(matrix: Array) -> Array:
    """Π_{i<j}(λ_i−λ_j)² of the eigenvalues of matrices (…, n, n): a polynomial in the entries, zero where two coincide.

    It is the determinant of the matrix of power sums, tr K^{i+j} (i, j = 0 … n−1), of the traceless part.

    >>> float(discriminant(jnp.array([[1.0, 0.0], [0.0, 3.0]])))
    4.0
    """
    n = matrix.shape[-1]
    identity = jnp.eye(n, dtype=matrix.dtype)
    k = matrix - trace(matrix)[..., None, None] / n * identity
    if n == 2:
        return 4 * (k[..., 0, 0] ** 2 + k[..., 0, 1] * k[..., 1, 0])
    if n == 3:
        square = k @ k
        square, cube = trace(square), jnp.sum(square * jnp.swapaxes(k, -1, -2), axis=(-2, -1))
        return square**3 / 2 - 3 * cube**2
    # Of a small matrix the power sums would have sizes that are far apart, and their determinant no digits.
    size = jax.lax.stop_gradient(positive_or_one(jnp.max(jnp.abs(k), axis=(-2, -1))))
    k = k / size[..., None, None]
    powers = [identity + 0 * k, k]
    while len(powers) < n:
        powers.append(powers[-1] @ k)
    sums = [trace(power) for power in powers]
    sums += [jnp.sum(powers[n - 1] * jnp.swapaxes(power, -1, -2), axis=(-2, -1)) for power in powers[1:]]
    scaled = _determinant(jnp.stack([jnp.stack(sums[i : i + n], axis=-1) for i in range(n)], axis=-2))
    return scaled * size ** (n * (n - 1))


def trace(matrix: Array) -> Array:
    return jnp.trace(matrix, axis1=-2, axis2=-1)


def _determinant(matrix: Array) -> Array:
    """By Faddeev and LeVerrier's recursion, which divides by integers only: smooth, also where the result is zero."""
    n = matrix.shape[-1]
    identity = jnp.eye(n, dtype=matrix.dtype)
    product, coefficient = matrix, -trace(matrix)
    for k in range(2, n + 1):
        product = matrix @ (product + coefficient[..., None, None] * identity)
        coefficient = -trace(product) / k
    return (-1) ** n * coefficient


def nearest_pair(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and overlap of the two nearest eigenvalues of each matrix (…, n, n)."""
    values, vectors = np.linalg.eig(matrices)
    i, j = np.triu_indices(matrices.shape[-1], 1)
    nearest = np.argmin(np.abs(values[..., i] - values[..., j]), axis=-1)[..., None]
    inner = np.abs(np.sum(np.conj(vectors[..., i]) * vectors[..., j], axis=-2))
    means = (values[..., i] + values[..., j]) / 2
    return np.take_along_axis(means, nearest, -1)[..., 0], np.take_along_axis(inner, nearest, -1)[..., 0]


def orders(matrices: np.ndarray) -> np.ndarray:
    """How many eigenvalues of each matrix (…, n, n), n ≤ 3, coalesce where two meet, with their vectors; 1: none do.

    A triple point is only found to a cube root of its rounding: three are one if they are `TOGETHER` and no two of them
    are much nearer to each other than to the third.
    """
    n = matrices.shape[-1]
    values, vectors = np.linalg.eig(matrices)
    i, j = np.triu_indices(n, 1)
    gaps = np.abs(values[..., i] - values[..., j])
    parallel = np.abs(np.sum(np.conj(vectors[..., i]) * vectors[..., j], axis=-2)) > PARALLEL
    traceless = matrices - np.trace(matrices, axis1=-2, axis2=-1)[..., None, None] / n * np.eye(n)
    size = np.linalg.norm(traceless, axis=(-2, -1))[..., None]
    near = gaps <= np.maximum(ALIKE * gaps.min(axis=-1, keepdims=True), ROUGH * size)
    pair = np.where(np.any(near & parallel, axis=-1), 2, 1)
    if n == 2:
        return pair
    return np.where(np.all(near & parallel & (gaps <= TOGETHER * size), axis=-1), 3, pair)


def check_size(owner: str, shape: tuple[int, ...], most: int) -> None:
    if len(shape) != 2 or shape[0] != shape[1] or not 2 <= shape[0] <= most:
        raise InputError(
            f"{owner}: `matrix` must return an array (n, n), n from 2 to {most}, but its shape is {shape}."
        )
