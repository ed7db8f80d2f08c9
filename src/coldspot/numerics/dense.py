"""Small dense matrices in batches, without LAPACK: its batched calls can hang on few cores.

Every array has the batch axes first; no step looks at more than one point. Inside, the points are put last, so that
vector units work on many of them at once.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

EPS = float(np.finfo(np.float64).eps)
"""Distance from 1 to the next float, twice the unit of rounding."""


def positive_or_one(x: Array) -> Array:
    """x, or 1 where it is 0, to divide by."""
    return jnp.where(x > 0, x, 1.0)


@jax.custom_jvp
def inverse(matrix: Array) -> Array:
    """Inverses of real or complex matrices (…, n, n), by Gauss–Jordan elimination with pivots; infinite if singular."""
    n = matrix.shape[-1]
    turned = jnp.moveaxis(matrix, (-2, -1), (0, 1))
    identity = jnp.eye(n, dtype=matrix.dtype).reshape(n, n, *(1,) * (matrix.ndim - 2))
    rows = jnp.arange(n).reshape(n, *(1,) * (matrix.ndim - 2))

    def eliminate(k: Array, table: Array) -> Array:
        column = table[:, k]
        chosen = jnp.argmax(jnp.where(rows < k, -1.0, jnp.abs(column)), axis=0)
        pivot_row = jnp.take_along_axis(table, chosen[None, None], axis=0)[0]
        table = jnp.where((rows == chosen)[:, None], table[k], table)
        pivot_row = pivot_row / pivot_row[k]
        return jnp.where(
            (rows == k)[:, None], pivot_row, table - jnp.where(rows == chosen, column[k], column)[:, None] * pivot_row
        )

    table = jnp.concatenate([turned, jnp.broadcast_to(identity, turned.shape)], axis=1)
    table = jax.lax.fori_loop(0, n, eliminate, table)
    return jnp.moveaxis(table[:, n:], (0, 1), (-2, -1))


@inverse.defjvp
def _inverse_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (matrix,), (change,) = primals, tangents
    found = inverse(matrix)
    return found, -product(product(found, change), found)


def product(left: Array, right: Array) -> Array:
    """Products of matrices (…, i, k) and (…, k, j), written out: many small ones are quicker so than by `@`."""
    axes = max(left.ndim, right.ndim)
    one, other = (
        jnp.moveaxis(matrix.reshape((1,) * (axes - matrix.ndim) + matrix.shape), (-2, -1), (0, 1))
        for matrix in (left, right)
    )
    total = sum(one[:, k, None] * other[None, k] for k in range(left.shape[-1]))
    return jnp.moveaxis(jnp.asarray(total), (0, 1), (-2, -1))


def adjoint(matrix: Array) -> Array:
    """Conjugate transposes of matrices (…, i, j)."""
    return jnp.conj(jnp.swapaxes(matrix, -1, -2))


@jax.jit
def cholesky(matrix: Array) -> tuple[Array, Array]:
    """C with C C† = matrix (…, n, n), lower triangular, and whether the matrix is positive definite (…).

    A pivot that is left of its diagonal entry with no more than rounding counts as zero, and its column of C is zero:
    matrices that are singular and have no negative eigenvalue have their factor too.
    """
    n = matrix.shape[-1]
    rows = jnp.arange(n)
    diagonal = jnp.diagonal(matrix, axis1=-2, axis2=-1).real

    def step(k: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        rest, factor, positive = state
        column = jax.lax.dynamic_index_in_dim(rest, k, -1, keepdims=False)
        pivot = jax.lax.dynamic_index_in_dim(column, k, -1).real
        good = pivot > 8 * n * EPS * jax.lax.dynamic_index_in_dim(diagonal, k, -1)
        column = jnp.where((rows >= k) & good, column / jnp.sqrt(jnp.where(good, pivot, 1.0)), 0.0)
        rest = rest - column[..., :, None] * jnp.conj(column)[..., None, :]
        factor = jnp.where(rows == k, column[..., None], factor)
        return rest, factor, positive & good[..., 0]

    start = (matrix, jnp.zeros_like(matrix), jnp.ones(matrix.shape[:-2], bool))
    _, factor, positive = jax.lax.fori_loop(0, n, step, start)
    return factor, positive
