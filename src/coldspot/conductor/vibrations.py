"""Narrow boson modes on a conductor, each held by a bath."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Checked, InputError, Rule, Vector, as_complex, as_float, check_shape, check_type, parameter
from ..baths import Bath
from ..pytrees import Table
from .spectral_functions import HERMITIAN


class Modes(Checked):
    """Boson modes k of unit mass, H_es = Σ_k Σ_ij M^k_ij c_i†c_j u_k, narrow and held at their baths' temperatures.

    - `frequencies` (mode) Ω_k > 0;
    - `couplings` (mode, site, site): the Hermitian matrices M^k that multiply the displacements u_k;
    - `baths`: {name: bath without particles}: one for all modes, or one for each mode in their order.

    `dampings` other than None are refused: a mode of finite width is a `PairJunction` with its `damping`.

    >>> import coldspot as cs
    >>> cs.Modes(frequencies=[0.8], couplings=[[[0, 0.3], [0.3, 0]]], baths={"phonons": cs.BosonBath(0.3)}).names
    ('phonons',)
    """

    couplings: Array
    baths: Table
    names: tuple[str, ...] = eqx.field(static=True)
    frequencies: Vector = parameter(dimension="energy", positive=True, shape=None)

    def __init__(self, frequencies: Any, couplings: Any, baths: Mapping[str, Bath], dampings: Any = None):
        if dampings is not None:
            raise InputError(
                "Modes: `dampings` must be left out (narrow modes): the whole ledger of modes of finite width is not "
                f"known, but they are {dampings!r}. A PairJunction has a `damping`, for the inelastic events alone."
            )
        self.frequencies = as_float(frequencies, "Modes: `frequencies`")
        if self.frequencies.ndim != 1 or self.frequencies.size == 0:
            raise InputError(
                f"Modes: `frequencies` must be a list of one or more, but has shape {self.frequencies.shape}."
            )
        many = self.frequencies.size
        self.couplings = as_complex(couplings)
        shape = self.couplings.shape
        if len(shape) != 3 or shape[0] != many or shape[1] != shape[2]:
            raise InputError(
                f"Modes: `couplings` must have shape (mode, site, site) with {many} mode(s), but has shape {shape}."
            )
        if not isinstance(baths, Mapping) or len(baths) not in (1, many):
            raise InputError(
                f"Modes: `baths` must be a mapping from names to baths with one for all modes or one for each of the "
                f"{many}, but is {baths!r}."
            )
        for name, bath in baths.items():
            check_type("Modes", f"baths[{name!r}]", bath, Bath)
            if bath.exchanges_particles:
                raise InputError(f"Modes: `baths[{name!r}]` must be a bath without particles, but is {bath!r}.")
        self.baths = Table(baths)
        self.names = tuple(baths) if len(baths) == many else tuple(baths) * many
        check_shape("Modes", "frequencies", self.frequencies, (many,), "one number per mode")

    def rules(self) -> Iterable[Rule]:
        off = jnp.abs(self.couplings - jnp.conj(jnp.swapaxes(self.couplings, -1, -2)))
        good = jnp.max(off, initial=0.0) <= HERMITIAN * jnp.max(jnp.abs(self.couplings), initial=0.0)
        yield Rule(good & jnp.all(jnp.isfinite(self.couplings)), self._words)

    def _words(self) -> str:
        numbers = np.asarray(self.couplings)
        if not np.all(np.isfinite(numbers)):
            return "`couplings` must be finite, but are not."
        off = np.abs(numbers - np.conj(np.swapaxes(numbers, -1, -2)))
        k, i, j = np.unravel_index(off.argmax(), off.shape)
        return (
            f"`couplings[{k}]` must be Hermitian, but its entries [{i}, {j}] and [{j}, {i}] are {numbers[k, i, j]:g} "
            f"and {numbers[k, j, i]:g}."
        )

    def temperatures(self) -> Array:
        """Of the bath of each mode (mode)."""
        return jnp.stack([self.baths[name].temperature for name in self.names])
