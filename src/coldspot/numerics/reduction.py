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
    return formed(combine, lambda rows: x[rows], x.shape[0])


def formed(combine: Callable[[Array, Array], Array], terms: Callable[[slice], Array], length: int) -> Array:
    """The same of terms (term, …) that are formed when they are wanted, as `terms(rows)`.

    A compiler that finds terms in two halves of one array puts this array into memory.
    """
    if length <= SHORT:
        return reduce(combine, terms(slice(0, length)))
    half = length // 2
    x = combine(terms(slice(0, half)), terms(slice(half, 2 * half)))
    odd = [terms(slice(length - 1, length))[0]] if length % 2 else []
    return functools.reduce(combine, odd, halved(combine, x))


def every(x: Array | np.ndarray) -> Array | np.bool_:
    """Whether all of a list are true, which is not empty."""
    return x.all() if isinstance(x, np.ndarray) else reduce(jnp.logical_and, x)
