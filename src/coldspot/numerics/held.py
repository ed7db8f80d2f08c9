"""What programs compute once, and sums of few terms, as processors run them fast.

Compilers join operations into loops, and repeat in each loop what is cheap: products, sums, and cosines too, which
they take for cheap. In the loops of small matrices nearly all of the time can go there. Quotients are never repeated.
"""

import functools

import jax
import jax.numpy as jnp
from jax import Array

FEW = 16
"""Terms that are added one after the other where they are read; a loop of its own for so few is slow."""


def held(x: Array) -> Array:
    """x itself, computed once and kept: as a quotient, of whose divisor no compiler knows that it is 1.

    >>> held(jnp.asarray([0.5, -jnp.inf, jnp.nan]))
    Array([ 0.5, -inf,  nan], dtype=float64)
    """
    return x / jax.lax.stop_gradient(jnp.where(jnp.isnan(x), x, 1.0))


def added(x: Array, axis: int = 0) -> Array:
    """The sum over an axis.

    >>> added(jnp.arange(6.0).reshape(2, 3))
    Array([3., 5., 7.], dtype=float64)
    """
    terms = x.shape[axis]
    if not 0 < terms <= FEW:
        return jnp.sum(x, axis=axis)
    return functools.reduce(jnp.add, [jax.lax.index_in_dim(x, k, axis, keepdims=False) for k in range(terms)])
