"""Leads of a conductor: what each does to the sites that it touches, and the bath of electrons behind it."""

import abc
import functools
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import tracing
from .._checks import (
    Checked,
    InputError,
    Numbers,
    Rule,
    Scalar,
    as_complex,
    as_float,
    check_bare,
    check_type,
    concrete,
    parameter,
)
from ..baths import ElectronBath
from ..numerics.dense import EPS, adjoint, cholesky
from ..pytrees import opened
from .spectral_functions import HERMITIAN, is_hermitian

CAUSAL = 1e-10
"""Negative part of a level width that is still rounding, relative to the largest entry of the self-energy."""
PROBED = (-8.0, -2.0, -0.5, 0.0, 0.5, 2.0, 8.0)
"""Distances from the chemical potential, in temperatures, where a function is looked at before it is used."""


class Lead(Checked):
    """A lead on some sites: its retarded self-energy Σ(ε) there, Γ = i(Σ − Σ†), and its bath."""

    sites: eqx.AbstractVar[tuple[int, ...]]
    bath: eqx.AbstractVar[ElectronBath]

    @abc.abstractmethod
    def self_energy(self, centre: Array, offset: Array) -> Array:
        """Σ at ε = centre + offset (node), as (node, site, site) of the lead's own sites."""

    def doubt(self, centre: Array, offset: Array) -> Array | None:
        """By how much rounding of the energy may move Σ (node, site, site), if it is more than rounding of Σ."""
        return None

    def kinks(self) -> list[Array]:
        """Energies at which Σ is not smooth, as far as they are known: band edges."""
        return []


class WideBandLead(Lead):
    """A lead with a wide band: Σ = −iΓ/2 at every energy.

    - `sites`: one site or a list of them;
    - `gamma`: full level width Γ = i(Σ^r − Σ^a): one number for all sites, one per site, or a Hermitian matrix
      (site, site) without negative eigenvalues; 0 is a closed lead;
    - `bath`: an `ElectronBath`.

    >>> import coldspot as cs
    >>> cs.WideBandLead(sites=0, gamma=0.5, bath=cs.ElectronBath(0.1)).width().real.tolist()
    [[0.5]]
    """

    sites: tuple[int, ...] = eqx.field(static=True)
    gamma: Array
    bath: ElectronBath

    def __init__(self, sites: Any, gamma: Any, bath: ElectronBath):
        self.sites = checked_sites("WideBandLead", sites)
        many = len(self.sites)
        self.gamma = _real_or_complex("WideBandLead", "gamma", gamma)
        if self.gamma.shape not in ((), (many,), (many, many)):
            raise InputError(
                f"WideBandLead: `gamma` must be one number, one per site ({many}) or a matrix ({many}, {many}), but "
                f"has shape {self.gamma.shape}."
            )
        self.bath = bath

    def width(self) -> Array:
        """Γ (site, site)."""
        known = concrete(self.gamma)
        if known is not None:  # known numbers need no compiler
            whole = known if known.ndim == 2 else np.diag(np.broadcast_to(known, (len(self.sites),)))
            return jnp.asarray(whole + 0j)
        if self.gamma.ndim == 2:
            return self.gamma + 0j
        return jnp.diag(jnp.broadcast_to(self.gamma, (len(self.sites),))) + 0j

    def self_energy(self, centre: Array, offset: Array) -> Array:
        width = self.width()
        return jnp.broadcast_to(-0.5j * width, (*offset.shape, *width.shape))

    def rules(self) -> Iterable[Rule]:
        width = self.width()
        yield Rule(not_negative(width), functools.partial(_width_words, width))


class ChainLead(Lead):
    """A semi-infinite chain on each of its sites: the band from onsite − 2|hopping| to onsite + 2|hopping|.

    - `sites`: one site or a list of them, each with a chain of its own;
    - `hopping` t inside the chain, `onsite` energy e of its sites; `contact` c, the hopping from a site of the
      conductor to its chain, one number or one per site;
    - `bath`: an `ElectronBath`.

    Σ = |c|²[x − i√(4t²−x²)]/2t² with x = ε − e; outside the band it is real and falls off as |c|²/x.

    >>> import coldspot as cs
    >>> lead = cs.ChainLead(sites=0, hopping=1.0, contact=0.5, bath=cs.ElectronBath(0.1))
    >>> lead.self_energy(jnp.zeros(1), jnp.zeros(1))[0, 0, 0].imag.item()
    -0.25
    """

    sites: tuple[int, ...] = eqx.field(static=True)
    bath: ElectronBath
    contact: Numbers = parameter(dimension="energy", shape=None)
    hopping: Scalar = parameter(dimension="energy")
    onsite: Scalar = parameter(0.0, dimension="energy")

    def __init__(self, sites: Any, hopping: Any, contact: Any, bath: ElectronBath, onsite: Any = 0.0):
        self.sites = checked_sites("ChainLead", sites)
        self.hopping = as_float(hopping, "ChainLead: `hopping`")
        self.contact = as_float(contact, "ChainLead: `contact`")
        self.onsite = as_float(onsite, "ChainLead: `onsite`")
        if self.contact.shape not in ((), (len(self.sites),)):
            raise InputError(
                f"ChainLead: `contact` must be one number or one per site ({len(self.sites)}), but has shape "
                f"{self.contact.shape}."
            )
        self.bath = bath

    def rules(self) -> Iterable[Rule]:
        hopping = self.hopping
        yield Rule(hopping != 0, lambda: "`hopping` must not be 0 (the band then has no width), but is 0.")

    def kinks(self) -> list[Array]:
        half = 2 * jnp.abs(self.hopping)
        return [self.onsite - half, self.onsite + half]

    def doubt(self, centre: Array, offset: Array) -> Array:
        """Band edges are sums: at energies of 1e4 rounding moves them by δ = 1e-12, and √(ab) with them.

        a and b are the distances to the two edges. |√(a+δ) − √a| is at most δ/√a and at most √δ, which counts next to
        the edge. Where the sums are exact there is no δ.
        """
        half = 2 * jnp.abs(self.hopping)
        low, high = self.kinks()
        moved = jnp.maximum(_rounded(self.onsite, -half, low), _rounded(self.onsite, half, high))
        moved = jax.lax.stop_gradient(moved)
        above, below = jnp.abs((centre - low) + offset), jnp.abs((high - centre) - offset)
        near = jnp.minimum(above, below)
        root, other = jnp.sqrt(near), jnp.sqrt(jnp.maximum(above, below) + moved)
        by_near = jnp.minimum(moved / jnp.where(root > 0, root, 1.0), jnp.sqrt(moved))
        by_near = jnp.where(root > 0, by_near, jnp.sqrt(moved))
        change = by_near * other + jnp.sqrt(near + moved) * moved / jnp.where(other > 0, other, 1.0)
        strengths = jnp.broadcast_to(self.contact**2, (len(self.sites),))
        return (change / (2 * self.hopping**2))[..., None, None] * jnp.diag(strengths)

    def self_energy(self, centre: Array, offset: Array) -> Array:
        low, high = self.kinks()
        above, below = (centre - low) + offset, (high - centre) + offset * -1.0
        x = (centre - self.onsite) + offset
        square = above * below
        inside = square > 0
        root = jnp.sqrt(jnp.where(inside, square, 1.0))
        tail = jnp.sqrt(jnp.where(square < 0, -square, 1.0))
        tail = jnp.where(square < 0, tail, 0.0)
        outer = jnp.where(inside, 1.0, x + jnp.sign(x) * tail)
        surface = jnp.where(inside, (x - 1j * root) / (2 * self.hopping**2), 2 / outer)
        strengths = jnp.broadcast_to(self.contact**2, (len(self.sites),))
        return surface[..., None, None] * jnp.diag(strengths)


def _rounded(one: Array, other: Array, total: Array) -> Array:
    """What rounding left out of a sum of two numbers: |(a + b) − total|, exactly."""
    kept = total - one
    return jnp.abs((one - (total - kept)) + (other - kept))


def _array(value: Any) -> Any:
    """Rows as an array; anything else stays as it is."""
    return jnp.asarray(value) if isinstance(value, list | tuple) else value


class SelfEnergyLead(Lead):
    """A lead given by its retarded self-energy: a lattice's surface Green's function, or any other.

    - `function(energy)`: Σ(ε), a matrix (site, site) of the lead's own sites or, on one site, a number; made of JAX
      operations. It must be causal: Γ = i(Σ − Σ†) has no negative eigenvalue;
    - `sites`: one site or a list of them; `bath`: an `ElectronBath`.

    Integrals find band edges and other kinks of the function themselves.

    >>> import coldspot as cs
    >>> lead = cs.SelfEnergyLead(lambda energy: -0.1j, sites=0, bath=cs.ElectronBath(0.1))
    >>> lead.self_energy(jnp.zeros(1), jnp.zeros(1))[0, 0, 0].imag.item()
    -0.1
    """

    sites: tuple[int, ...] = eqx.field(static=True)
    function: Callable[..., Any]
    bath: ElectronBath

    def __init__(self, function: Callable[[Any], Any], sites: Any, bath: ElectronBath):
        self.sites = checked_sites("SelfEnergyLead", sites)
        if not callable(function):
            raise InputError(f"SelfEnergyLead: `function` must be a function of the energy, but is {function!r}.")
        self.function = opened(function)
        check_type("SelfEnergyLead", "bath", bath, ElectronBath)
        self.bath = bath
        what = "SelfEnergyLead: `function` must be a function of the energy"
        tracing.check_takes(what, function, 0.0)
        shape = tracing.shape_of(what, lambda energy: _array(function(energy)), jnp.zeros(()))
        many = len(self.sites)
        if shape != (many, many) and not (shape == () and many == 1):
            raise InputError(
                f"SelfEnergyLead: `function` must return a matrix ({many}, {many}) for its {many} site(s), but returns "
                f"shape {shape}."
            )

    def self_energy(self, centre: Array, offset: Array) -> Array:
        many = len(self.sites)
        energies = (centre + offset).reshape(-1)
        found = jax.vmap(lambda energy: jnp.asarray(self.function(energy), complex).reshape(many, many))(energies)
        return found.reshape(*offset.shape, many, many)

    def doubt(self, centre: Array, offset: Array) -> Array:
        """The function sees one number, however narrow its features are.

        Where it is √max(x, 0) or the like and 0, its slope is no number, but 0.
        """
        _, slope = jax.jvp(lambda x: self.self_energy(centre, x), (offset,), (jnp.ones_like(offset),))
        slope = jnp.where(jnp.isfinite(slope), jnp.abs(slope), 0.0)
        return EPS * jnp.abs(centre + offset)[..., None, None] * slope

    def rules(self) -> Iterable[Rule]:
        probed = self.bath.chemical_potential + self.bath.temperature * jnp.asarray(PROBED)
        sigma = self.self_energy(probed, jnp.zeros_like(probed))
        yield Rule(jnp.all(causal(sigma)), functools.partial(acausal_words, probed, sigma))


# --------------------------------------------------------------------------- checks


def checked_sites(owner: str, sites: Any) -> tuple[int, ...]:
    """Sites as a tuple of different integers."""
    given = (sites,) if np.ndim(sites) == 0 else tuple(sites)
    if not given or not all(isinstance(s, int | np.integer) and not isinstance(s, bool) and s >= 0 for s in given):
        raise InputError(f"{owner}: `sites` must be an integer from 0, or a list of them, but is {sites!r}.")
    if len(set(given)) < len(given):
        raise InputError(f"{owner}: `sites` names a site twice: {sites!r}.")
    return tuple(int(s) for s in given)


def _real_or_complex(owner: str, argument: str, value: Any) -> Array:
    """Real numbers as float64, so that derivatives with respect to them are real; complex ones as they are."""
    check_bare(value, f"{owner}: `{argument}`")
    if np.iscomplexobj(value) or (isinstance(value, jax.Array) and jnp.iscomplexobj(value)):
        return as_complex(value)
    return as_float(value, f"{owner}: `{argument}`")


def not_negative(width: Array) -> Any:
    """Whether a matrix is finite, Hermitian and has no negative eigenvalue, up to rounding."""
    known = concrete(width)
    if known is not None:
        return is_hermitian(known) and np.linalg.eigvalsh(known)[0] >= -HERMITIAN * np.abs(known).max()
    largest = jnp.max(jnp.abs(width))
    eye = jnp.eye(width.shape[-1])
    _, positive = cholesky(width + (HERMITIAN * largest + (largest == 0)) * eye)
    return positive & is_hermitian(width)


def _width_words(width: Array) -> str:
    numbers = np.asarray(width)
    if not np.all(np.isfinite(numbers)):
        return f"`gamma` must be finite, but is {numbers.tolist()}."
    if not is_hermitian(numbers):
        return f"`gamma` must be Hermitian, but is {numbers.tolist()}."
    return f"`gamma` must have eigenvalues ≥ 0 (it is a level width), but has {np.linalg.eigvalsh(numbers)}."


@jax.jit
def causal(sigma: Array) -> Array:
    """Whether i(Σ − Σ†) of self-energies (…, site, site) has no negative eigenvalue, up to rounding."""
    width = 1j * (sigma - adjoint(sigma))
    size = jnp.max(jnp.abs(sigma), axis=(-2, -1), keepdims=True)
    size = jnp.where(size > 0, size, 1.0)
    _, positive = cholesky(width / size + CAUSAL * jnp.eye(sigma.shape[-1]))
    return positive | ~jnp.isfinite(size[..., 0, 0])


def acausal_words(energies: Any, sigma: Any) -> str:
    """Where a self-energy is not causal, with its numbers."""
    energies, sigma = np.asarray(energies), np.asarray(sigma)
    if not np.all(np.isfinite(sigma)):
        at = int(np.argmax(~np.isfinite(sigma).all((-2, -1))))
        return f"`function` must be finite, but is {sigma[at].tolist()} at energy {energies[at]:g}."
    lowest = np.linalg.eigvalsh(1j * (sigma - np.conj(np.swapaxes(sigma, -1, -2))))[:, 0]
    at = int(lowest.argmin())
    return (
        "`function` must be a retarded self-energy, whose width i(Σ − Σ†) has no negative eigenvalue (it takes "
        f"electrons out), but at energy {energies[at]:g} one is {lowest[at]:g}; is it the advanced one?"
    )
