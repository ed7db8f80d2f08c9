"""Sums and maxima over short axes, in a form that compilers fuse."""

import functools
from collections.abc import Callable

import jax
from jax import Array

SHORT = 8
"""Axes up to this length are reduced by terms written out, which compilers fuse with what surrounds them."""


def reduce(combine: Callable[[Array, Array], Array], x: Array, axis: int = 0) -> Array:
    """`jnp.add`, `jnp.maximum`, … over one axis, which is not empty."""
    length = x.shape[axis]
    if length > SHORT:
        return combine.reduce(x, axis=axis)  # type: ignore[attr-defined]
    parts = (jax.lax.index_in_dim(x, k, axis, keepdims=False) for k in range(length))
    return functools.reduce(combine, parts)
