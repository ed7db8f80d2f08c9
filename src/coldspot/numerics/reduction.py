"""Sums and maxima over short axes, in a form that compilers fuse."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
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


def halved(combine: Callable[[Array, Array], Array], x: Array) -> Array:
    """`reduce` over the first axis of any length, by halves: vector units work along the last axis."""
    while (length := x.shape[0]) > SHORT:
        half = length // 2
        both = combine(x[:half], x[half : 2 * half])
        x = jnp.concatenate([both, x[2 * half :]]) if length % 2 else both
    return reduce(combine, x)


def every(x: Array | np.ndarray) -> Array | np.bool_:
    """Whether all of a list are true, which is not empty."""
    return x.all() if isinstance(x, np.ndarray) else reduce(jnp.logical_and, x)
