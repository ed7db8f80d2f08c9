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
LEFT = 1e-13
"""The same in units of all that its transitions take one by one: of what these leave of each other no method keeps more
digits, since rates are rounded."""
RANGE = 1e-290
"""Numbers above it have all their digits, and so have what they are multiplied with."""


def known(
    values: Sequence[Array],
    errors: Sequence[Array],
    tolerance: Array,
    terms: Sequence[Array] | None = None,
    most: float = CERTAIN,
) -> Bool[Array, " point"]:
    """Whether the errors of some entries (point) are small beside the largest value, and beside the value itself.

    `terms`: the sizes of what each entry is a sum of, added up; an error that is small beside these is enough, too.
    `most`: what is small beside the largest value, if that is less than the tolerance.
    """
    largest = functools.reduce(jnp.maximum, [jnp.abs(value) for value in values])
    allowed = jnp.minimum(tolerance, most) * largest
    small = []
    for k, (value, error) in enumerate(zip(values, errors, strict=True)):
        # What takes part in nothing has no sign.
        own = (error <= SIGNED * jnp.abs(value)) | (error <= SMALLEST)
        small.append((error <= allowed) & (own if terms is None else own | (error <= LEFT * terms[k])))
    return functools.reduce(jnp.logical_and, small)
