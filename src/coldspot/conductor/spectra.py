"""Electron–hole pairs as baths of several modes: emission, absorption and density as matrices between the modes."""

import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._attributes import Spoken
from .._checks import (
    InputError,
    as_complex,
    as_float,
    check_finite,
    check_positive,
    check_type,
    concrete,
    valid,
    worded,
)
from ..baths import ElectronBath
from ..ledger import Named
from ..numerics.lacking import lacking
from .pair_rates import Pair, rates
from .spectral_functions import SpectralFunctions, hermitian, is_hermitian, of_padded


class Spectra(Spoken, eqx.Module):
    """Emission and absorption (…, pair) of each kind of pair αβ, named "α-β": e_α + h_β ⇌ boson.

    Of several modes (`pair_spectra`) they are complex matrices: (…, mode, mode, pair).

    The element of a unit-mass displacement is not divided by 2Ω here. `density` Λ = absorption − emission is the
    coupling-weighted pair density, `power` [n_B((ω−μ_αβ)/T_e) + ½]Λ = (emission + absorption)/2, finite at ω = μ_αβ.
    """

    pairs: tuple[str, ...] = eqx.field(static=True)
    emissions: Array
    absorptions: Array

    @property
    def emission(self) -> Named:
        return Named(self.pairs, self.emissions)

    @property
    def absorption(self) -> Named:
        return Named(self.pairs, self.absorptions)

    @property
    def density(self) -> Named:
        return Named(self.pairs, self.absorptions - self.emissions)

    @property
    def power(self) -> Named:
        return Named(self.pairs, (self.emissions + self.absorptions) / 2)


@worded
def pair_spectra(
    conductor: SpectralFunctions, couplings: Any, baths: Mapping[str, ElectronBath], omega: Any
) -> Spectra:
    """Emission, absorption and density of every kind of pair αβ between several modes m, n (ħ = 1, one spin):

    E_mn = ∫dε/2π tr[M^m A_α(ε) M^n A_β(ε−ω)] f_α(ε)(1−f_β(ε−ω)), A_mn the same with f and 1−f exchanged,

    Λ_mn(ω) = A_mn − E_mn = −∫dε/2π tr[M^m A_α(ε) M^n A_β(ε−ω)] (f_α(ε) − f_β(ε−ω)).

    They are Hermitian, E and A have no negative eigenvalue, and their diagonals are `PairJunction.spectra` of one mode.
    −(i/2)Σ_αβ Λ is the anti-Hermitian part of the modes' retarded self-energy; `flat_band` is its limit where A_α does
    not depend on energy.

    **Arguments:**

    - `conductor`: `Levels` or `Device`;
    - `couplings` (mode, site, site): the Hermitian matrices M^m that multiply the displacements u_m;
    - `baths`: an `ElectronBath` for each of the conductor's leads; others are not looked at;
    - `omega` (…): frequencies ω > 0.

    Returns `Spectra` with arrays (…, mode, mode, pair), complex: `density["left-right"]` is (…, mode, mode). All kinds
    of pairs are there, in the order of the leads, with zeros where no coupling allows them. All are finite at ω = μ_αβ,
    and `power`, [n_B((ω−μ_αβ)/T_e) + ½]Λ, is too. Levels between leads of one temperature have a closed form, and
    everything else is integrated. InputError: `couplings` are not Hermitian matrices of the conductor's size, a
    lead has no `ElectronBath`, ω ≤ 0; of traced numbers, which cannot be looked at, the result is not a number then.

    ("Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport", Hu, Nian and
    Lü, eq. 7, with the coupling matrices of two modes.)

    >>> import coldspot as cs
    >>> levels = cs.conductor.Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"])
    >>> baths = {"left": cs.ElectronBath(0.5, 0.8), "right": cs.ElectronBath(0.5)}
    >>> density = cs.conductor.pair_spectra(levels, [[[0, 1], [1, 0]], [[0, -1j], [1j, 0]]], baths, [0.8, 1.0]).density
    >>> list(density), density["left-right"].shape
    (['left-left', 'left-right', 'right-left', 'right-right'], (2, 2, 2))
    >>> print(density["left-right"].take(1, axis=0).round(6))  # at ω = 1; at ω = μ_LR all are 0
    [[0.155923+0.j       0.      -0.155923j]
     [0.      +0.155923j 0.155923+0.j      ]]
    """
    owner = "pair_spectra"
    check_type(owner, "conductor", conductor, SpectralFunctions)
    couplings, omega = as_complex(couplings), as_float(omega)
    sites = conductor.sites
    if couplings.ndim != 3 or couplings.shape[1:] != (sites, sites) or len(couplings) == 0:
        raise InputError(
            f"{owner}: `couplings` must have shape (mode, {sites}, {sites}), a matrix for each mode, "
            f"but has shape {couplings.shape}."
        )
    check_finite(owner, "couplings", couplings)
    numbers = concrete(couplings)
    for m, matrix in enumerate(() if numbers is None else numbers):
        if not is_hermitian(matrix):
            raise InputError(f"{owner}: `couplings[{m}]` must be Hermitian, but is {matrix.tolist()}.")
    check_lead_baths(owner, baths, conductor)
    check_positive(owner, "omega", omega)
    leads = {name: baths[name] for name in conductor.leads}
    kinds = tuple(f"{a}-{b}" for a in conductor.leads for b in conductor.leads)
    both = of_padded(_matrices, omega, conductor, couplings, leads)
    # Of traced numbers nothing is known yet: what would be refused has no numbers.
    good = functools.reduce(jnp.logical_and, map(valid, (conductor, *leads.values())), jnp.all(is_hermitian(couplings)))
    good &= (omega > 0) & jnp.isfinite(omega)
    both = lacking(~good.reshape(*omega.shape, 1, 1, 1, 1), both)
    return Spectra(kinds, both[..., 0], both[..., 1])


@eqx.filter_jit
def _matrices(omega: Array, conductor: SpectralFunctions, couplings: Array, baths: dict[str, ElectronBath]) -> Array:
    """Emission and absorption at frequencies (…, mode, mode, pair, 2)."""
    weight, owners, coefficients = conductor.terms(hermitian(couplings))
    upper, lower = ([baths[kind[side]] for kind in owners] for side in (0, 1))
    hot = jnp.stack([bath.temperature for bath in upper])
    reference = jnp.stack([bath.chemical_potential for bath in upper])
    bias = reference - jnp.stack([bath.chemical_potential for bath in lower])
    # E and A know nothing of the bosons' temperature.
    cold = jnp.stack([bath.temperature for bath in lower])
    pairs = Pair(weight, hot, cold, reference, bias, phonon_temperature=hot, compared=hot, omega=jnp.zeros_like(hot))
    pairs = jax.tree.map(lambda leaf: jnp.repeat(leaf, omega.size, axis=0), pairs)
    found, _ = rates(eqx.tree_at(lambda p: p.omega, pairs, jnp.tile(omega.reshape(-1), len(owners))))
    kinds = [(a, b) for a in conductor.leads for b in conductor.leads]
    terms = [np.array([t for t, owner in enumerate(owners) if owner == kind]) for kind in kinds]

    def matrices(values: Array) -> Array:
        values = values.reshape(-1, *omega.shape)
        each = [jnp.tensordot(jnp.moveaxis(values[t], 0, -1), coefficients[..., t], (-1, -1)) for t in terms]
        return jnp.stack(each, axis=-1)

    return jnp.stack([matrices(found.emission), matrices(found.absorption)], axis=-1)


def check_lead_baths(owner: str, baths: Any, conductor: SpectralFunctions) -> None:
    if not isinstance(baths, Mapping):
        raise InputError(f"{owner}: `baths` must be a mapping from names to baths, but is {baths!r}.")
    for name in conductor.leads:
        if name not in baths:
            raise InputError(f"{owner}: `baths` has no bath for the lead `{name}`; it has {', '.join(baths)}.")
        check_type(owner, f"baths[{name!r}]", baths[name], ElectronBath)
