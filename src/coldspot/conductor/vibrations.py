"""Boson modes on a conductor, each held or damped by a bath."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Checked, InputError, Rule, Vector, as_complex, as_float, check_shape, check_type, parameter
from ..baths import Bath
from ..compiler import plainly
from ..pytrees import Table
from ..show import array as show
from ..spectral import as_density
from .spectral_functions import HERMITIAN


class Modes(Checked):
    """Boson modes k of unit mass, H_es = Σ_k Σ_ij M^k_ij c_i†c_j u_k, each with a bath that holds or damps it.

    - `frequencies` (mode) Ω_k > 0;
    - `couplings` (mode, site, site): the Hermitian matrices M^k that multiply the displacements u_k;
    - `baths`: {name: bath without particles}: one for all modes, or one for each mode in their order;
    - `dampings`: None for narrow modes, or one for each mode: the rate γ_k at which its bath damps the mode's energy,
      D^r = (ω² − Ω² + iγω)⁻¹ (0: this mode is narrow), or densities J_k(ω), D^r = (ω² − Ω² + iJ)⁻¹: a `spectral`
      density or a function;
    - `back_action`: whether the electrons' self-energy Π(ω), a matrix between the modes, is part of their propagator,
      D^r = (ω² − Ω² + iJ − Π)⁻¹. Without, the modes are held by their baths, to lowest order in the couplings;
    - `hartree`: whether ledgers have the static shift of the levels Σ_k M^k⟨u_k⟩, ⟨u_k⟩ = −Σ_ij M^k_ij⟨c_i†c_j⟩/Ω_k²
      (with `back_action` −(Ω² + Π(0))⁻¹ in its place), to second order in the couplings as all of the ledger is. The
      displacements are those from the modes' rest without electrons; leave it out if the levels given are those with
      the electrons in them already.

    >>> import coldspot as cs
    >>> cs.Modes(frequencies=[0.8], couplings=[[[0, 0.3], [0.3, 0]]], baths={"phonons": cs.BosonBath(0.3)}).names
    ('phonons',)
    """

    couplings: Array
    baths: Table
    dampings: Any
    names: tuple[str, ...] = eqx.field(static=True)
    back_action: bool = eqx.field(static=True)
    hartree: bool = eqx.field(static=True)
    frequencies: Vector = parameter(dimension="energy", positive=True, shape=None)

    def __init__(
        self,
        frequencies: Any,
        couplings: Any,
        baths: Mapping[str, Bath],
        dampings: Any = None,
        back_action: bool = False,
        hartree: bool = False,
    ):
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
        self.dampings = _dampings(dampings, many)
        for name, switch in (("back_action", back_action), ("hartree", hartree)):
            if not isinstance(switch, bool):
                raise InputError(f"Modes: `{name}` must be True or False, but is {switch!r}.")
        self.back_action, self.hartree = back_action, hartree
        if back_action and dampings is None:
            raise InputError(
                "Modes: with `back_action` the electrons' pairs and the baths share the modes, so `dampings` must say "
                "how fast each bath damps its mode; 0 leaves a mode to the electrons alone."
            )

    def wide(self, k: Any) -> Array:
        """Whether mode k has a width."""
        if isinstance(self.dampings, tuple):
            return jnp.asarray(True)
        damping = self.dampings[k]
        return (damping > 0) & jnp.isfinite(damping)

    def loss(self, k: Any, omega: Array) -> Array:
        """J(ω) of mode k."""
        if isinstance(self.dampings, tuple):
            return jax.lax.switch(k, self.dampings, omega)
        return self.dampings[k] * omega

    def features(self, k: Any) -> tuple[Array, Array]:
        """Centres and widths (feature) of what is narrow in J(ω) of mode k."""
        if not isinstance(self.dampings, tuple):
            return jnp.zeros(0), jnp.zeros(0)
        each = [list(density.features()) for density in self.dampings]
        most = max(map(len, each))
        filled = [[*own, *[(jnp.zeros(()), jnp.asarray(jnp.inf))] * (most - len(own))] for own in each]
        table = jnp.asarray(filled, float).reshape(len(each), most, 2)[k]
        return table[:, 0], table[:, 1]

    def losses(self, omega: Array) -> Array:
        """J_k(ω) (mode) at one frequency, which may be complex for ohmic damping; 0 of narrow modes."""
        if self.dampings is None:
            return jnp.zeros_like(self.frequencies)
        if isinstance(self.dampings, tuple):
            return jnp.stack([density(omega.real) for density in self.dampings])
        return self.dampings * omega

    def rates(self) -> Array:
        """J(Ω)/Ω of each mode (mode): the rate at which its bath damps its energy, 0 for a narrow one."""
        if self.dampings is None:
            return jnp.zeros_like(self.frequencies)
        each = [jnp.where(self.wide(k), self.loss(k, w) / w, 0.0) for k, w in enumerate(self.frequencies)]
        return jnp.stack(each)

    def rules(self) -> Iterable[Rule]:
        if isinstance(self.dampings, Array):
            xp, dampings = plainly(self.dampings)
            yield Rule(
                xp.all(xp.isfinite(dampings) & (dampings >= 0)),
                lambda: f"`dampings` must be 0 (a narrow mode) or positive, but are {show(dampings)}.",
            )
        xp, couplings = plainly(self.couplings)
        finite = xp.isfinite(couplings)
        # What is infinite is refused anyway; its differences are no numbers.
        couplings = xp.where(finite, couplings, 0.0)
        off = xp.abs(couplings - xp.conj(xp.swapaxes(couplings, -1, -2)))
        good = xp.max(off, initial=0.0) <= HERMITIAN * xp.max(xp.abs(couplings), initial=0.0)
        yield Rule(good & xp.all(finite), self._words)

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


def _dampings(given: Any, many: int) -> Any:
    """None, numbers (mode), or a density for each mode."""
    if given is None:
        return None
    if callable(given) or (isinstance(given, list | tuple) and any(callable(damping) for damping in given)):
        each = tuple(given) if isinstance(given, list | tuple) else (given,)
        if len(each) != many or not all(callable(damping) for damping in each):
            raise InputError(
                f"Modes: `dampings` must be numbers or densities, one for each of the {many} mode(s), but are "
                f"{given!r}."
            )
        return tuple(as_density(damping) for damping in each)
    dampings = as_float(given, "Modes: `dampings`")
    check_shape("Modes", "dampings", dampings, (many,), "one number per mode")
    return dampings
