"""What dots are made of, as arguments: leads and bosons by name, and the interaction as pairs or as a tensor."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_shape, check_type, concrete
from ..compiler import stacked
from ..show import array as show
from .contacts import real_or_complex
from .fock import pairs_of

OWNER = "Dots"
SYMMETRIC = 1e-12
"""How far a two-body tensor may be from its symmetries, relative to its largest entry."""


def parts(argument: str, given: Any, kind: type) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"{OWNER}: `{argument}` must be a mapping from names to {kind.__name__}, but is {given!r}.")
    for name, part in given.items():
        check_type(OWNER, f"{argument}[{name!r}]", part, kind)
    return dict(given)


def interaction(coulomb: Any, orbitals: int) -> tuple[tuple[tuple[int, int], ...] | None, Array]:
    """The pairs of orbitals and their energies; or None and the tensor."""
    if coulomb is None:
        coulomb = {}
    if not isinstance(coulomb, Mapping):
        tensor = real_or_complex(f"{OWNER}: `coulomb`", coulomb)
        if tensor.shape == (orbitals,) * 2:
            return tuple(pairs_of(orbitals)), _above(tensor, orbitals)
        if tensor.shape != (orbitals,) * 4:
            raise InputError(
                f"{OWNER}: `coulomb` must be {{(i, j): U_ij}}, a matrix of shape {(orbitals,) * 2} or a tensor of "
                f"shape {(orbitals,) * 4}, but has shape {tensor.shape}."
            )
        return None, tensor
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    for place in coulomb:
        pair = place if isinstance(place, tuple) else (place,)
        integers = all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in pair)
        if len(pair) != 2 or not integers or not all(0 <= k < orbitals for k in pair):
            raise InputError(
                f"{OWNER}: `coulomb` has the key {place!r}, but keys are pairs (i, j) of spin-orbitals, which are the "
                f"integers 0 to {orbitals - 1}; other two-body terms need the tensor U_ijkl."
            )
        i, j = sorted(int(k) for k in pair)
        if i == j:
            raise InputError(f"{OWNER}: `coulomb[{place}]` pairs a spin-orbital with itself, where n·n = n is no pair.")
        if (i, j) in seen:
            raise InputError(
                f"{OWNER}: `coulomb` has the energy of spin-orbitals {i} and {j} twice, as {seen[i, j]} and {place} "
                f"({_plain_number(coulomb[seen[i, j]])} and {_plain_number(coulomb[place])}); give each pair once."
            )
        seen[i, j] = (int(pair[0]), int(pair[1]))
    energies = []
    for place, energy in coulomb.items():
        number = as_float(energy, f"{OWNER}: `coulomb[{place}]`")
        check_shape(OWNER, f"coulomb[{place}]", number, (), "one energy")
        energies.append(number)
    return tuple(seen.values()), stacked(energies)


def _above(matrix: Array, orbitals: int) -> Array:
    """The energies of pairs i < j from a matrix that has each once, above its diagonal, or twice.

    One that contradicts itself is refused or, where JAX traces it, not a number.
    """
    i, j = np.array(pairs_of(orbitals), int).reshape(-1, 2).T
    known = concrete(matrix)
    entries, xp = (matrix, jnp) if known is None else (known, np)
    above, below, own = entries[i, j], entries[j, i], xp.diagonal(entries)
    alike = xp.abs(below - above) <= SYMMETRIC * xp.max(xp.abs(entries))
    good = ((below == 0).all() | alike.all()) & (own == 0).all()
    if known is None:
        return jnp.where(good & jnp.isrealobj(matrix), above.real, jnp.nan)
    if not np.isfinite(known).all():
        raise InputError(f"{OWNER}: `coulomb` must be finite, but is {known.tolist()}.")
    if np.iscomplexobj(known):
        raise InputError(f"{OWNER}: `coulomb` as a matrix must be real, but is {known.tolist()}.")
    if own.any():
        k = int(np.flatnonzero(own)[0])
        raise InputError(
            f"{OWNER}: `coulomb[{k}][{k}]` is {own[k]:g}, but must be 0: it pairs a spin-orbital with itself, where "
            "n·n = n is no pair."
        )
    if not good:
        k = int(np.flatnonzero(~alike)[0])
        raise InputError(
            f"{OWNER}: `coulomb` as a matrix must be symmetric, or have each pair once, above the diagonal, but its "
            f"entries [{i[k]}, {j[k]}] and [{j[k]}, {i[k]}] are {above[k]:g} and {below[k]:g}."
        )
    return jnp.asarray(above)


def _plain_number(value: Any) -> str:
    return show(as_float(value))


def tensor_words(tensor: Any, turned: Any, name: str) -> str:
    off = np.abs(np.asarray(tensor) - np.asarray(turned))
    i, j, k, m = (int(x) for x in np.unravel_index(np.nanargmax(off), off.shape))
    found, other = (np.asarray(x)[i, j, k, m] for x in (tensor, turned))
    return (
        f"`coulomb` must have U_ijkl = U_jilk = U_klij*, but U[{i}, {j}, {k}, {m}] is {found:g} and the other ({name}) "
        f"is {other:g}."
    )
