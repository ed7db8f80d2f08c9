"""What a conductor does at given energies: transmission, spectral functions of leads, density of states."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_type, concrete, unknown_name, worded
from ..dynamics import Machine
from ..numerics.dense import EPS, adjoint
from ..numerics.lacking import lacking
from ..pytrees import compiled
from ..show import array as show
from .coherent import Conductor
from .green_functions import contacts, inverse_green, resolvent, transmission_between
from .leads import SelfEnergyLead, acausal_words, causal
from .long_devices import MOST, sliced_and_growth

TOGETHER = 1024
"""Energies that are worked on together, to stay in the processor's cache."""
WIDE, TOGETHER_WIDE = 4, 64
"""The same of long conductors from this width of a slice on."""

NEXT = 1e-3
"""How far from an energy without a value derivatives are taken, which nobody sees."""
DOUBTFUL, UNSURE = 1e-11, 1e-8
"""Rounding, relative to a transmission, from which on another elimination is tried, and at which it is no number."""


@worded
def transmission(conductor: Conductor, energies: Any, source: str, drain: str) -> Array:
    """T(ε) = tr[Γ_drain G^r Γ_source G^a] (…) from one lead to another at energies (…): dimensionless, one spin.

    It is the number of open channels at most; with a magnetic flux it differs from that of the way back if there are
    three leads or more; Kwant's `smatrix.transmission(drain, source)` names them in the other order. Differentiable
    with respect to the conductor and to the energies. (D. S. Fisher and
    P. A. Lee, "Relation between conductivity and transmission matrix".)

    At an energy where a level without width lies exactly it is NaN, and a `RuntimeWarning` says so (under `jax.jit` it
    is NaN without words).

    InputError: there is no such lead, source and drain are the same, a self-energy is not causal at an energy, or no
    energy has a value.

    >>> import coldspot as cs
    >>> bath = cs.ElectronBath(0.1)
    >>> dot = cs.Conductor([[0.2]], {"left": cs.WideBandLead(0, 0.5, bath), "right": cs.WideBandLead(0, 0.5, bath)})
    >>> print(transmission(dot, [0.2, 0.7], "left", "right").round(12))
    [1.  0.5]
    """
    _check("transmission", conductor, source=source, drain=drain)
    if source == drain:
        others = ", ".join(name for name in conductor.leads if name != source) or "none"
        raise InputError(
            f"transmission: `source` and `drain` must be two leads, but are the same lead, `{source}`; others are "
            f"{others}."
        )
    names = list(conductor.leads)
    energies = _energies("transmission", energies)
    which = names.index(drain), names.index(source)
    found = _at(_transmission, conductor, energies, which)
    if concrete(found) is None:
        return lacking(~(found[..., 1] <= UNSURE), found[..., 0])
    values, doubts = np.moveaxis(np.asarray(found), -1, 0)
    poor = ~(doubts <= DOUBTFUL) | ~np.isfinite(values)
    if poor.any() and conductor.cut is not None and conductor.sites <= MOST:
        # One energy at a time: each takes a matrix of all sites.
        at = np.flatnonzero(poor)
        again = _at(_whole, conductor, np.asarray(energies).reshape(-1)[at], which, together=1)
        values = np.array(values)
        np.put(values, at, again)
        doubts = np.where(poor, 0.0, doubts)
    return _looked_at("transmission", conductor, energies, np.where(doubts <= UNSURE, values, np.nan))


@worded
def spectral_function(conductor: Conductor, energies: Any, lead: str) -> Array:
    """A_α(ε) = G^r Γ_α G^a (…, site, site): the states that a lead fills, in units of 2π × states per energy.

    Where there is no finite value it does as `transmission` does.

    >>> import coldspot as cs
    >>> dot = cs.Conductor([[0.2]], {"left": cs.WideBandLead(0, 0.5, cs.ElectronBath(0.1))})
    >>> spectral_function(dot, 0.2, "left").real.item()  # 4/Γ
    8.0
    """
    _check("spectral_function", conductor, lead=lead)
    energies = _energies("spectral_function", energies)
    found = _at(_spectral, conductor, energies, list(conductor.leads).index(lead))
    return _looked_at("spectral_function", conductor, energies, found)


@worded
def density_of_states(conductor: Conductor, energies: Any) -> Array:
    """−Im tr G^r(ε)/π (…): states of the conductor per energy, of one spin.

    States without width, outside of the bands of all leads or dark in them, are at one energy each, and not in it: its
    integral over all energies falls short of the number of sites by their weight. Where there is no finite value it
    does as `transmission` does.

    >>> import coldspot as cs
    >>> dot = cs.Conductor([[0.2]], {"left": cs.WideBandLead(0, 0.5, cs.ElectronBath(0.1))})
    >>> print(f"{density_of_states(dot, 0.2):.6f}")  # 2/πΓ
    1.273240
    """
    _check("density_of_states", conductor)
    energies = _energies("density_of_states", energies)
    return _looked_at("density_of_states", conductor, energies, _at(_density, conductor, energies, None))


# --------------------------------------------------------------------------- in blocks of energies


def _at(function: Any, conductor: Conductor, energies: Any, which: Any, together: int | None = None) -> Any:
    """function(conductor, energies, which) in the shape of the energies, which are filled up to few lengths.

    What is known is handled by NumPy: each operation of JAX on arrays of a new shape compiles a program.
    """
    if together is None:
        together = TOGETHER if conductor.cut is None or conductor.cut < WIDE else TOGETHER_WIDE
    lanes = min(together, 1 << max(energies.size - 1, 0).bit_length())
    blocks = -(-energies.size // lanes)
    blocks = 1 << max(blocks - 1, 0).bit_length()
    if concrete(energies) is not None:
        energies = np.asarray(energies)
    flat = energies.reshape(-1)
    if not flat.size:
        shape = jax.eval_shape(lambda: function(conductor, jnp.zeros(1), which)).shape[1:]
        return np.zeros((*energies.shape, *shape))
    lane = np.minimum(np.arange(blocks * lanes), flat.size) % flat.size
    found = _valued(conductor, jnp.asarray(flat[lane].reshape(blocks, lanes)), function, which)
    if concrete(found) is not None:
        found = np.asarray(found)
    found = found.reshape(-1, *found.shape[2:])[: flat.size]
    return found.reshape((*energies.shape, *found.shape[1:]))


@eqx.filter_custom_jvp
def _valued(conductor: Conductor, energies: Array, function: Any, which: Any) -> Array:
    """Values (block, energy, …). Where there is none, derivatives are NaN there, and not at the other energies too."""
    return _blocks(function, conductor, energies, which)


@_valued.def_jvp
def _valued_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    conductor, energies, function, which = primals
    found = _valued(conductor, energies, function, which)
    none = ~jnp.all(jnp.isfinite(found.reshape(*energies.shape, -1)), axis=-1)
    # Backwards a derivative that is not finite, times zero, would be NaN in all parameters.
    largest = jnp.max(jnp.abs(jnp.concatenate([x.reshape(-1) for x in jax.tree.leaves(conductor.hamiltonian)])))
    aside = jnp.where(none, energies + NEXT * (largest + jnp.abs(energies) + 1), energies)
    _, moved = eqx.filter_jvp(lambda *at: _blocks(function, *at, which), (conductor, aside), tuple(tangents[:2]))
    return found, jnp.where(none.reshape(*none.shape, *(1,) * (found.ndim - 2)), jnp.nan, moved)


@compiled
def _blocks(function: Any, conductor: Conductor, energies: Array, which: Any) -> Array:
    return jax.lax.map(lambda block: function(conductor, block, which), energies)


def _transmission(conductor: Conductor, energies: Array, which: tuple[int, int]) -> Array:
    """T and the part of it that rounding may be (energy, 2); without numbers where a self-energy is not causal."""
    slices = conductor.slices()
    if slices is None:
        values, doubt = _whole(conductor, energies, which), jnp.zeros_like(energies)
    else:
        c, growth = sliced_and_growth(slices, conductor.leads, energies, jnp.zeros_like(energies))
        values, doubt = transmission_between(c, *which), EPS * growth
    return jnp.stack([_if_causal(conductor, energies, values), doubt], axis=-1)


def _whole(conductor: Conductor, energies: Array, which: tuple[int, int]) -> Array:
    slices = conductor.slices()
    matrix = conductor.matrix if slices is None else slices.dense()
    c = contacts(matrix, conductor.leads, energies, jnp.zeros_like(energies), doubts=False)
    return transmission_between(c, *which)


def _if_causal(conductor: Conductor, energies: Array, values: Array) -> Array:
    """Values (energy, …) where no lead gives more electrons than it takes."""
    good = jnp.ones(energies.shape, bool)
    for lead in conductor.leads.values():
        if isinstance(lead, SelfEnergyLead):
            good &= causal(lead.self_energy(energies, jnp.zeros_like(energies)))
    return jnp.where(good.reshape(-1, *(1,) * (values.ndim - 1)), values, jnp.nan)


def _spectral(conductor: Conductor, energies: Array, which: int) -> Array:
    zero = jnp.zeros_like(energies)
    green = resolvent(inverse_green(conductor.matrix, conductor.leads, energies, zero))
    lead = list(conductor.leads.values())[which]
    sigma = lead.self_energy(energies, zero)
    columns = green[..., :, np.array(lead.sites)]
    return _if_causal(conductor, energies, columns @ (1j * (sigma - adjoint(sigma))) @ adjoint(columns))


def _self_energy(conductor: Conductor, energies: Array, which: int) -> Array:
    return list(conductor.leads.values())[which].self_energy(energies, jnp.zeros_like(energies))


def _density(conductor: Conductor, energies: Array, which: None) -> Array:
    green = resolvent(inverse_green(conductor.matrix, conductor.leads, energies, jnp.zeros_like(energies)))
    return _if_causal(conductor, energies, -jnp.trace(green, axis1=-2, axis2=-1).imag / jnp.pi)


# --------------------------------------------------------------------------- checks


def _check(owner: str, conductor: Any, **leads: Any) -> None:
    if isinstance(conductor, Machine):
        kind = type(conductor).__name__
        raise InputError(
            f"{owner}: `conductor` must be a Conductor, but is the machine {kind}; if that is made of one, give "
            f"`{kind}(…).dynamics()`."
        )
    check_type(owner, "conductor", conductor, Conductor)
    conductor.slices()  # which refuses links that were set after it was made
    for argument, name in leads.items():
        if not isinstance(name, str):
            raise InputError(
                f"{owner}: `{argument}` must be the name of a lead ({', '.join(conductor.leads)}), but is {name!r}."
            )
        if name not in conductor.leads:
            raise unknown_name(owner, f"lead for `{argument}`,", str(name), conductor.leads)


def _energies(owner: str, energies: Any) -> Array:
    energies = as_float(energies, f"{owner}: `energies`")
    numbers = concrete(energies)
    if numbers is not None and not np.isfinite(numbers).all():
        raise InputError(f"{owner}: `energies` must be finite, but are {show(energies)}.")
    return energies


def _looked_at(owner: str, conductor: Conductor, energies: Array, found: Any) -> Array:
    """What was found, without numbers at energies where it has no finite value; refused where none has one."""
    rest = tuple(range(energies.ndim, found.ndim))
    if concrete(found) is None:
        finite = jnp.all(jnp.isfinite(found), axis=rest, keepdims=True)
        return jnp.where(finite, found, jnp.nan)
    found = np.asarray(found)
    known = np.all(np.isfinite(found), axis=rest)
    found = jnp.asarray(np.where(np.expand_dims(known, rest), found, np.nan))
    if known.all():
        return found
    flat = np.asarray(energies).reshape(-1)
    for name, lead in conductor.leads.items():
        if isinstance(lead, SelfEnergyLead):
            sigma = _at(_self_energy, conductor, flat, list(conductor.leads).index(name))
            if not np.all(causal(jnp.asarray(sigma))):
                raise InputError(f"{owner}: `leads[{name!r}]`: {acausal_words(flat, sigma)}")
    bad = ~known.reshape(-1)
    words = (
        f"{owner}: there is no finite value at energy {float(flat[int(bad.argmax())]):g}; a level without width "
        "lies there, or one of a part of a long conductor cut off from the rest, or a self-energy is not finite. Give "
        "a lead a width there, or move that energy by 1e-12 of the levels."
    )
    if bad.all():
        raise InputError(words)
    warnings.warn(f"{words} It is NaN at {bad.sum()} of {bad.size} energies.", RuntimeWarning, stacklevel=4)
    return found
