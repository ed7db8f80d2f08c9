"""What a conductor is: spectral functions of leads, and the weights of electron–hole pairs that are made of them."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Checked, as_float, concrete, unknown_name
from ..compiler import looked_up, placed, plainly

Place = tuple[int, int]
"""Row and column, i ≤ j, of an element M_ij of a Hermitian coupling; M_ji is its conjugate."""


class Weight(eqx.Module):
    """tr[M A_α(ε) M A_β(ε−ω)], or a part of it, for one kind of pair αβ per point of a batch."""

    @abc.abstractmethod
    def __call__(self, centre: Array, offset: Array, reference: Array, omega: Array) -> tuple[Array, Array]:
        """The weight at ε = reference + centre + offset (…, point), and its rounding error in units of EPS.

        `centre` may be (…, 1, point): distances to it are formed before the offset is added, so that they keep their
        digits at resonances that are much narrower than their distance from the reference.
        """

    @abc.abstractmethod
    def upper(self) -> tuple[Array, Array]:
        """Centres and half widths (point, resonance) of A_α. Without derivatives: they say where to look closely."""

    @abc.abstractmethod
    def lower(self) -> tuple[Array, Array]:
        """The same of A_β."""


class Terms(NamedTuple):
    """tr[M^m A_α(ε) M^n A_β(ε−ω)] = Σ_t c_mnt w_t(ε), over the terms t that belong to the kind αβ.

    `weight` has a point for each term, `kinds` (term) its (α, β), and `coefficients` is c (mode, mode, term), complex.
    """

    weight: Weight
    kinds: tuple[tuple[str, str], ...]
    coefficients: Array


class SpectralFunctions(Checked):
    """A conductor between leads: spectral functions A_α(ε) = G^r Γ_α G^a of each lead α (ħ = 1, one spin)."""

    leads: eqx.AbstractVar[tuple[str, ...]]
    sites: eqx.AbstractVar[int]

    @abc.abstractmethod
    def green(self, energy: Any) -> Array:
        """Retarded Green's function G^r(ε) = (ε − H + iΣ_αΓ_α/2)⁻¹ (…, site, site) at energies (…)."""

    @abc.abstractmethod
    def spectral(self, lead: str, energy: Any) -> Array:
        """Spectral function A_α(ε) = G^r Γ_α G^a (…, site, site) of a lead at energies (…)."""

    @abc.abstractmethod
    def broadening(self, lead: str) -> Array:
        """Sum of the level widths that a lead makes, tr Γ_α: the most electrons per time that its levels can pass."""

    @abc.abstractmethod
    def elastic(self) -> Array:
        """Whether electrons pass from one lead to another without any boson, of one conductor: a boolean."""

    @abc.abstractmethod
    def connects(self, place: Place, upper: str, lower: str) -> bool:
        """Whether M_ij or M_ji can take an electron between these leads' spectral functions at all."""

    @abc.abstractmethod
    def weight(self, elements: Array, places: tuple[Place, ...], kinds: list[tuple[str, str]]) -> Weight:
        """The weights of kinds of pairs (α, β), for a batch of conductors: the points of the first kind come first."""

    @abc.abstractmethod
    def terms(self, couplings: Array) -> Terms:
        """What the weights of several modes, with Hermitian couplings (mode, site, site), are made of; all kinds."""

    def _check_lead(self, lead: str) -> None:
        if lead not in self.leads:
            raise unknown_name(type(self).__name__, "lead", str(lead), self.leads)


def of_padded(function: Callable[..., Array], values: Any, *arguments: Any) -> Array:
    """function(values, *arguments) for one axis of values that is filled up to a power of two, in the shape they had.

    `function` is compiled and returns arrays (value, …): so few lengths are ever compiled.
    """
    xp, values = plainly(as_float(values))
    count, size = values.size, 1 << max(values.size - 1, 0).bit_length()
    found = function(placed(xp.append(values.reshape(-1), np.ones(size - count))), *arguments)
    return looked_up(lambda found: found[:count].reshape(*values.shape, *found.shape[1:]), found)


def matrix_of(elements: Array, places: tuple[Place, ...], sites: int) -> Array:
    """The Hermitian matrix (…, site, site) with the given elements (…, place), zero elsewhere."""
    matrix = jnp.zeros((*elements.shape[:-1], sites, sites), complex)
    for k, (i, j) in enumerate(places):
        matrix = matrix.at[..., j, i].set(jnp.conj(elements[..., k]))
        matrix = matrix.at[..., i, j].set(elements[..., k])
    return matrix


HERMITIAN = 1e-12
"""Largest difference between a matrix and its adjoint, relative to its largest entry."""


def is_hermitian(matrix: Any) -> Any:
    """Whether matrices (…, n, n) are finite and equal to their adjoints up to rounding: a boolean for each."""
    known = concrete(matrix)
    matrix, xp = (matrix, jnp) if known is None else (known, np)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        off = xp.abs(matrix - xp.conj(xp.swapaxes(matrix, -1, -2))).max((-2, -1))
    return xp.isfinite(matrix).all((-2, -1)) & (off <= HERMITIAN * xp.abs(matrix).max((-2, -1)))


def hermitian(matrix: Array) -> Array:
    """The Hermitian part."""
    return (matrix + jnp.conj(jnp.swapaxes(matrix, -1, -2))) / 2
