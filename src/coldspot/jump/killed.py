"""Linear equations of a process that may end, by elimination without subtractions, batched.

    d_j z_j + Σ_i q_ij (z_j − z_i) = b_j,

with rates q_ij of j → i and d_j of ending in state j. For b = 1, z is the mean time until the end. As in `gth`, only
sums, products and quotients of positive numbers occur, so that solutions for positive b are right to a few roundings
however small d is (A. S. Alfa, J. Xue and Q. Ye, "Accurate computation of the smallest eigenvalue of a diagonally
dominant M-matrix"). d may be imaginary, −iω: no pivot is then smaller than the rates and the d that it is made of.

Arrays have the batch axis last.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Killed(NamedTuple):
    """Factors: `total` (k, point), all rates at which k is left when it is removed; `leave` (i, k, point), the share

    that enters i < k; `come` (k, j, point), rates from j < k into k at that moment.
    """

    total: Array
    leave: Array
    come: Array


def factored(q: Array, d: Array) -> Killed:
    """Factors for rates q (i, j, point), whose diagonal is ignored, and d (j, point)."""
    n = q.shape[0]
    index = jnp.arange(n)[:, None]
    q = q.astype(jnp.result_type(q, d))

    def remove(step: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        w, d, totals = state
        k = n - 1 - step
        out = jnp.where(index < k, jax.lax.dynamic_index_in_dim(w, k, 1, keepdims=False), 0.0)
        into = jnp.where(index < k, jax.lax.dynamic_index_in_dim(w, k, 0, keepdims=False), 0.0)
        own = jax.lax.dynamic_index_in_dim(d, k, 0, keepdims=False)
        total = own + jnp.sum(out, axis=0)
        safe = jnp.where(total == 0, 1.0, total)
        share = out / safe
        # Column k is not used any more, and keeps the shares.
        w = w + share[:, None] * into[None]
        column = jax.lax.dynamic_index_in_dim(w, k, 1, keepdims=False)
        w = jax.lax.dynamic_update_index_in_dim(w, jnp.where(index < k, share, column), k, 1)
        totals = jax.lax.dynamic_update_index_in_dim(totals, total, k, 0)
        return w, d + into * (own / safe), totals

    w, _, totals = jax.lax.fori_loop(0, n, remove, (q, d.astype(q.dtype), jnp.zeros_like(d, q.dtype)))
    above = (index < jnp.arange(n)[None])[..., None]
    return Killed(totals, jnp.where(above, w, 0.0), jnp.where(jnp.swapaxes(above, 0, 1), w, 0.0))


def solved(f: Killed, b: Array) -> Array:
    """z (state, point) for b (state, point); linear in b. z₀ = 0 where nothing ends and z is known up to a constant."""
    n = b.shape[0]
    b = b.astype(f.total.dtype)

    def over(x: Array, k: Array) -> Array:
        total = jax.lax.dynamic_index_in_dim(f.total, k, 0, keepdims=False)
        return jnp.where(total == 0, 0.0, x / jnp.where(total == 0, 1.0, total))

    def push(step: Array, r: Array) -> Array:
        k = n - 1 - step
        row = jax.lax.dynamic_index_in_dim(f.come, k, 0, keepdims=False)
        return r + row * over(jax.lax.dynamic_index_in_dim(r, k, 0, keepdims=False), k)

    def pull(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        r, z = state
        column = jax.lax.dynamic_index_in_dim(f.leave, k, 1, keepdims=False)
        own = over(jax.lax.dynamic_index_in_dim(r, k, 0, keepdims=False), k)
        return r, jax.lax.dynamic_update_index_in_dim(z, own + jnp.sum(column * z, axis=0), k, 0)

    r = jax.lax.fori_loop(0, n - 1, push, b)
    return jax.lax.fori_loop(0, n, pull, (r, jnp.zeros_like(r)))[1]
