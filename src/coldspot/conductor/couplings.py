"""The elements of a Hermitian coupling, from a matrix or from a mapping."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jax import Array

from .._checks import InputError, as_complex, check_shape, concrete
from ..compiler import looked_up, placed, plainly
from .spectral_functions import Place


def coupling_elements(owner: str, coupling: Any, sites: int) -> tuple[tuple[Place, ...], Array, Array]:
    """Places i ≤ j with the elements M_ij, and the conjugates of M_ji, which must be the same.

    `coupling` is a matrix (site, site), or {(i, j): M_ij} with the conjugate M_ji understood.
    """
    if isinstance(coupling, Mapping):
        found: dict[Place, Any] = {}
        for place, value in coupling.items():
            if not (isinstance(place, tuple) and len(place) == 2 and all(isinstance(k, int) for k in place)):
                raise InputError(f"{owner}: `coupling` must have pairs of sites (i, j) as keys, but has {place!r}.")
            for k in place:
                if not 0 <= k < sites:
                    raise InputError(f"{owner}: `coupling` names site {k}, but the sites are 0 to {sites - 1}.")
            i, j = sorted(place)
            if (i, j) in found:
                raise InputError(f"{owner}: `coupling` gives the element ({i}, {j}) twice.")
            check_shape(owner, f"coupling[{place}]", value, (), "one number")
            value = as_complex(value)
            found[i, j] = value if place == (i, j) else looked_up(np.conj, value)
        if not found:
            raise InputError(f"{owner}: `coupling` is empty; nothing connects the electrons to the bosons.")
        xp, *values = plainly(*found.values())
        elements = xp.stack(values)
        on_diagonal = np.array([i == j for i, j in found])
        return tuple(found), *_real_if_possible(elements, xp.where(on_diagonal, xp.conj(elements), elements))
    matrix = as_complex(coupling)
    check_shape(owner, "coupling", matrix, (sites, sites), "an element between each two sites")
    numbers = concrete(matrix)
    places = [(i, j) for i in range(sites) for j in range(i, sites)]
    if numbers is not None:
        # What is not a number is an element too, to be refused.
        places = [(i, j) for i, j in places if numbers[i, j] != 0 or numbers[j, i] != 0]
        if not places:
            raise InputError(f"{owner}: `coupling` is zero; nothing connects the electrons to the bosons.")
    xp, matrix = plainly(matrix)
    elements = xp.stack([matrix[place] for place in places])
    mirrored = xp.stack([xp.conj(matrix[j, i]) for i, j in places])
    return tuple(places), *_real_if_possible(elements, mirrored)


def _real_if_possible(elements: Any, mirrored: Any) -> tuple[Array, Array]:
    """Real elements as float64, so that derivatives with respect to them are real."""
    known = [concrete(part) for part in (elements, mirrored)]
    real = all(numbers is not None and not numbers.imag.any() for numbers in known)
    if real:
        elements, mirrored = elements.real, mirrored.real
    return placed(elements), placed(mirrored)
