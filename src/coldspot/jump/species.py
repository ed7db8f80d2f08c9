"""Species of particles: which baths exchange which, and how many of each the states hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_shape, unknown_name
from ..baths import ELECTRON, PARTICLE
from ..compiler import looked_up, placed, stacked
from ..pytrees import Table

OWNER = "JumpNetwork"


def rows_of(occupations: Any, kept: Sequence[str], states: int) -> tuple[Array | Table, tuple[int | None, ...]]:
    """Occupations as arrays, and for each bath (of the `kept` species) the row of its particles among them.

    A plain list counts the particles of all baths that name no species, or of the one species that there is.
    """
    if isinstance(occupations, Mapping):
        for species in occupations:
            if species not in kept:
                raise _unheld(str(species), kept)
        table = {name: as_float(numbers, f"{OWNER}: `occupations`") for name, numbers in occupations.items()}
        for name, numbers in table.items():
            check_shape(OWNER, f"occupations[{name!r}]", numbers, (states,), "one number per state")
        rows = {name: row for row, name in enumerate(table)}
        return Table(table), tuple(rows.get(species) for species in kept)
    named = {species for species in kept if species not in ("", ELECTRON, PARTICLE)}
    default = {species for species in kept if species in (ELECTRON, PARTICLE)}
    if occupations is not None and not default and len(named) > 1:
        raise InputError(
            f"{OWNER}: baths exchange particles of the species {', '.join(sorted(named))}; give `occupations` as "
            "{species: one number per state}."
        )
    plain = default or (named if occupations is not None else set())
    numbers = as_float(np.zeros(states) if occupations is None else occupations, f"{OWNER}: `occupations`")
    check_shape(OWNER, "occupations", numbers, (states,), "one number per state")
    return numbers, tuple(0 if species in plain else None for species in kept)


def table_of(occupations: Array | Table) -> Array:
    """The occupations (species, state) of one point."""
    if not isinstance(occupations, Table):
        return looked_up(lambda numbers: numbers[None], occupations)
    return stacked(occupations.values()) if len(occupations) else placed(np.zeros((0, 0)))


def _unheld(species: str, kept: Sequence[str]) -> InputError:
    error = unknown_name(OWNER, "bath of the species", species, sorted({s for s in kept if s}))
    return InputError(f"{error} `occupations` counts particles that some bath holds; see ParticleBath(…, species=…).")
