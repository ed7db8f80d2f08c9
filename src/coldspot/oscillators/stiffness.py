"""Stiffness matrices."""

from typing import Any

import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_shape, worded


@worded
def chain_springs(count: int, spring: Any, wall: Any = 0.0) -> Array:
    """Stiffness matrix (count, count) of a chain: `spring` between neighbours, `wall` from each end to a fixed wall.

    >>> chain_springs(3, spring=1.0, wall=2.0).tolist()
    [[3.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 3.0]]
    """
    if not isinstance(count, int) or count < 1:
        raise InputError(f"chain_springs: `count` must be a positive integer, but is {count!r}.")
    bonds = np.zeros((count, count))
    for i in range(count - 1):
        bonds[[i, i + 1], [i, i + 1]] += 1
        bonds[[i, i + 1], [i + 1, i]] -= 1
    ends = np.zeros((count, count))
    ends[0, 0] += 1
    ends[-1, -1] += 1
    each = {name: as_float(value, f"chain_springs: `{name}`") for name, value in (("spring", spring), ("wall", wall))}
    for name, value in each.items():
        check_shape("chain_springs", name, value, (), "one number for all")
    return each["spring"] * bonds + each["wall"] * ends
