"""Inverses of many small matrices at once, by elimination written out: batched LAPACK can hang on two cores."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


@jax.custom_jvp
def inverse(matrix: Array) -> Array:
    """Inverse of matrices (row, column, …), by Gauss and Jordan with the largest entry of a column as pivot."""
    n = matrix.shape[0]
    identity = jnp.broadcast_to(jnp.eye(n).reshape(n, n, *(1,) * (matrix.ndim - 2)), matrix.shape)
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

    table = jax.lax.fori_loop(0, n, eliminate, jnp.concatenate([matrix, identity.astype(matrix.dtype)], axis=1))
    return table[:, n:]


@inverse.defjvp
def _inverse_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (matrix,), (change,) = primals, tangents
    found = inverse(matrix)
    return found, -product(product(found, change), found)


def product(left: Array, right: Array) -> Array:
    """Products of matrices (row, column, …)."""
    return sum(left[:, k, None] * right[None, k] for k in range(left.shape[1]))  # type: ignore[return-value]


def adjoint(matrix: Array) -> Array:
    """Conjugate transposes of matrices (row, column, …)."""
    return jnp.conj(jnp.swapaxes(matrix, 0, 1))
