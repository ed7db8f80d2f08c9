"""When plain arithmetic is enough: how small the bounds of its errors must be."""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool

from .stationary import SMALLEST

CERTAIN = 1e-12
"""Largest error of heats and works, in units of the largest of them, with which a point is decided."""
COUNTED = 1e-11
"""The same for particles, in units of all that move; of these, as many may come as go."""
SIGNED = 1e-10
"""Largest error of each heat and work in units of itself: its sign and its digits are beyond doubt."""
RANGE = 1e-290
"""Numbers above it have all their digits, and so have what they are multiplied with."""


def known(values: Sequence[Array], errors: Sequence[Array], tolerance: Array) -> Bool[Array, " point"]:
    """Whether the errors of some entries (point) are small beside the largest value, and beside the value itself."""
    largest = functools.reduce(jnp.maximum, [jnp.abs(value) for value in values])
    allowed = jnp.minimum(tolerance, CERTAIN) * largest
    small = [
        # What takes part in nothing has no sign.
        (error <= allowed) & ((error <= SIGNED * jnp.abs(value)) | (error <= SMALLEST))
        for value, error in zip(values, errors, strict=True)
    ]
    return functools.reduce(jnp.logical_and, small)
