"""Small dense matrices in batches, without LAPACK: its batched calls can hang on few cores.

Every array has the batch axes first; no step looks at more than one point.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

EPS = float(np.finfo(np.float64).eps)
"""Distance from 1 to the next float, twice the unit of rounding."""


def positive_or_one(x: Array) -> Array:
    """x, or 1 where it is 0, to divide by."""
    return jnp.where(x > 0, x, 1.0)


def inverse(matrix: Array) -> Array:
    """Inverses of real or complex matrices (…, n, n), by Gauss–Jordan elimination with pivots; infinite if singular."""
    n = matrix.shape[-1]
    identity = jnp.broadcast_to(jnp.eye(n), matrix.shape)
    rows = jnp.arange(n)

    def step(k: Array, table: Array) -> Array:
        column = jnp.abs(jax.lax.dynamic_index_in_dim(table, k, -1, keepdims=False))
        pivot = jnp.argmax(jnp.where(rows >= k, column, -1.0), axis=-1)[..., None, None]
        chosen = jnp.take_along_axis(table, pivot, axis=-2)
        replaced = jax.lax.dynamic_index_in_dim(table, k, -2)
        here = (rows == k)[:, None]
        table = jnp.where(here, chosen, jnp.where(rows[:, None] == pivot, replaced, table))
        row = chosen / jax.lax.dynamic_index_in_dim(chosen, k, -1)
        factor = jnp.where(here, 0.0, jax.lax.dynamic_index_in_dim(table, k, -1))
        return jnp.where(here, row, table - factor * row)

    table = jnp.concatenate([matrix, identity], axis=-1)
    return jax.lax.fori_loop(0, n, step, table)[..., n:]


def cholesky(matrix: Array) -> tuple[Array, Array]:
    """C with C Cᵀ = matrix (…, n, n), lower triangular, and whether the matrix is positive definite (…).

    A pivot that is left of its diagonal entry with no more than rounding counts as zero. C is the identity where the
    matrix is not positive definite.
    """
    n = matrix.shape[-1]
    rows = jnp.arange(n)
    diagonal = jnp.diagonal(matrix, axis1=-2, axis2=-1)

    def step(k: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        rest, factor, positive = state
        column = jax.lax.dynamic_index_in_dim(rest, k, -1, keepdims=False)
        pivot = jax.lax.dynamic_index_in_dim(column, k, -1)
        good = pivot > 8 * n * EPS * jax.lax.dynamic_index_in_dim(diagonal, k, -1)
        column = jnp.where(rows >= k, column / jnp.sqrt(jnp.where(good, pivot, 1.0)), 0.0)
        rest = rest - column[..., :, None] * column[..., None, :]
        factor = jnp.where(rows == k, column[..., None], factor)
        return rest, factor, positive & good[..., 0]

    start = (matrix, jnp.zeros_like(matrix), jnp.ones(matrix.shape[:-2], bool))
    _, factor, positive = jax.lax.fori_loop(0, n, step, start)
    return jnp.where(positive[..., None, None], factor, jnp.eye(n)), positive
