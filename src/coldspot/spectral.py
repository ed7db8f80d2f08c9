"""Spectral densities of baths: how strongly a bath couples at each frequency."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from ._checks import InputError, Scalar, as_float, check_positive, concrete


class Ohmic(eqx.Module):
    """Coupling spectrum γ(ω) = strength·ω·exp(−ω/cutoff); without cut-off for an infinite one.

    >>> float(Ohmic(0.1)(2.0))
    0.2
    """

    strength: Scalar = eqx.field(converter=as_float)
    cutoff: Scalar = eqx.field(converter=as_float, default=jnp.inf, metadata={"dimension": "energy"})

    def __check_init__(self):
        check_positive("Ohmic", "strength", self.strength)
        numbers = concrete(self.cutoff)
        if numbers is not None and not np.all(numbers > 0):
            raise InputError(f"Ohmic: `cutoff` must be positive (infinite for none), but is {numbers:g}.")

    def __call__(self, frequency: Any) -> Array:
        return self.strength * frequency * jnp.exp(-frequency / self.cutoff)
