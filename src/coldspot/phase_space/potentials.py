"""Potentials that machines share."""

import jax.numpy as jnp
from jax import Array

from .._checks import Checked, Scalar, parameter


class Hill(Checked):
    """V(x) = (E_B/2)(1 + cos x): a barrier of height E_B at x = 0, bottoms at ±π.

    >>> float(Hill(4.0)(0.0))
    4.0
    """

    height: Scalar = parameter(dimension="energy", positive=True)

    def __call__(self, x: Array | float) -> Array:
        return self.height / 2 * (1 + jnp.cos(x))
