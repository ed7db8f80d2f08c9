"""Spectral densities of baths: how strongly a bath couples at each frequency."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ._checks import Checked, Scalar, parameter


class Ohmic(Checked):
    """Coupling spectrum γ(ω) = strength·ω·exp(−ω/cutoff); without cut-off for an infinite one.

    >>> float(Ohmic(0.1)(2.0))
    0.2
    """

    strength: Scalar = parameter(positive=True)
    cutoff: Scalar = parameter(jnp.inf, dimension="energy", positive=True, finite=False)

    def __call__(self, frequency: Any) -> Array:
        return self.strength * frequency * jnp.exp(-frequency / self.cutoff)
