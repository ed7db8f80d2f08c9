"""What dots are made of, as arguments: leads and bosons by name, and the interaction as pairs or as a tensor."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_shape, check_type
from ..show import array as show
from .contacts import real_or_complex

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
        if tensor.shape != (orbitals,) * 4:
            raise InputError(
                f"{OWNER}: `coulomb` must be {{(i, j): U_ij}} or a tensor of shape {(orbitals,) * 4}, but has shape "
                f"{tensor.shape}."
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
    return tuple(seen.values()), jnp.stack(energies) if energies else jnp.zeros(0)


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
