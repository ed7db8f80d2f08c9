"""Where there is no number, there is no derivative either."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array


def lacking(where: Array, values: Any, of: Any = None) -> Any:
    """The arrays `values`, NaN with all their derivatives `where` (an array that goes with each of them) says so.

    A choice between a number and NaN has the derivative 0 there. What a later choice leaves out stays out, backwards
    too: NaN times the 0 that comes back would be NaN in all parameters, also for the other points of a batch. Choices
    made before would leave out the NaN: `of`, any number that moves with all parameters, takes it past them.

    >>> def root(x):
    ...     return lacking(x < 0, jnp.sqrt(jnp.where(x < 0, 1.0, x)), x)
    >>> float(jax.grad(root)(4.0)), float(jax.grad(root)(-4.0))
    (0.25, nan)
    >>> float(jax.grad(lambda x: jnp.where(x < 0, 0.0, root(x)))(-4.0))
    0.0
    """

    def chosen(x: Array) -> Array:
        return jnp.where(where, jnp.nan, x)

    def each(x: Array) -> Array:
        # A linear map with a transpose of its own, which derivatives of any order and batches keep.
        return jax.lax.custom_linear_solve(
            lambda x: jnp.where(where, jnp.nan * x, x),
            x if of is None else jnp.where(where, of, x),
            lambda _, x: chosen(x),
            lambda _, x: jnp.where(where & (x != 0), jnp.nan, x),
        )

    derived = any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves((where, values, of)))
    return jax.tree.map(each if derived else chosen, values)


def summed(batch: Any) -> Array:
    """The sum of all numbers of each point of a batch (point), which moves when any of them does."""
    numbers = [x.real.reshape(x.shape[0], -1) for x in jax.tree.leaves(eqx.filter(batch, eqx.is_inexact_array))]
    return jnp.asarray(sum(jnp.sum(x, 1) for x in numbers))
