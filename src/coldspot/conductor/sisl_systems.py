"""A device and its electrodes in sisl as arrays and leads, by the methods that sisl documents; sisl is not imported."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._checks import InputError
from ..baths import ElectronBath
from .leads import Lead
from .stacks import StackLead

DIRECTIONS = {f"{sign}{axis}": (k, int(f"{sign}1")) for k, axis in enumerate("ABC") for sign in "+-"}
"""The axis and the sign of what sisl calls a semi-infinite direction."""


def of_sisl(
    device: Any,
    electrodes: Mapping[str, tuple[Any, str, Any]],
    baths: Mapping[str, ElectronBath] | None,
    k: Sequence[float],
) -> tuple[np.ndarray, dict[str, Lead]]:
    """The Hamiltonian (orbital, orbital) and the leads of a device."""
    matrix = _summed("device", device, k)
    if not isinstance(electrodes, Mapping) or not electrodes:
        raise InputError(
            "Conductor.from_sisl: `electrodes` must be a mapping {name: (hamiltonian, direction, atoms)} with at least "
            f"one electrode, but is {electrodes!r}."
        )
    if baths is None:
        baths = {name: ElectronBath(1.0) for name in electrodes}
    if set(baths) != set(electrodes):
        raise InputError(
            f"Conductor.from_sisl: `baths` must have a bath for each of the electrodes ({', '.join(electrodes)}), but "
            f"has {', '.join(baths)}."
        )
    leads: dict[str, Lead] = {}
    for name, (bulk, direction, atoms) in electrodes.items():
        if direction not in DIRECTIONS:
            raise InputError(
                f"Conductor.from_sisl: electrode `{name}` goes in the direction {direction!r}, but directions are "
                f"{', '.join(DIRECTIONS)}."
            )
        axis, sign = DIRECTIONS[direction]
        block, hopping = (_summed(name, bulk, k, axis, {step}) for step in (0, sign))
        farther = {int(step) for step in np.asarray(bulk.geometry.lattice.sc_off)[:, axis]} - {-1, 0, 1}
        if np.any(_summed(name, bulk, k, axis, farther)):
            raise InputError(
                f"Conductor.from_sisl: electrode `{name}` links cells that are not neighbours along {direction[1]}; "
                "take a larger cell of it."
            )
        sites = np.asarray(device.geometry.a2o(np.asarray(atoms, int), all=True)).tolist()
        if len(sites) != len(block):
            raise InputError(
                f"Conductor.from_sisl: electrode `{name}` has {len(block)} orbitals, but the atoms that are given for "
                f"it have {len(sites)} in the device."
            )
        # The device holds the electrode's last cell, as in sisl: its hopping to the next one is the contact.
        leads[name] = StackLead(sites, block, hopping, hopping, baths[name])
    return matrix, leads


def _summed(name: str, system: Any, k: Sequence[float], axis: int = 0, steps: set[int] | None = None) -> np.ndarray:
    """Σ_R H(0, R) e^{2πik·R} (orbital, orbital) over all cells R, or those so many `steps` away along the axis."""
    for attribute in ("tocsr", "geometry", "orthogonal"):
        if not hasattr(system, attribute):
            raise InputError(
                f"Conductor.from_sisl: `{name}` must be a sisl Hamiltonian, but has no `{attribute}`: "
                f"{type(system).__name__}."
            )
    if not system.orthogonal:
        raise InputError(
            f"Conductor.from_sisl: `{name}` has overlaps between its orbitals; here they are orthogonal (Löwdin's "
            "transformation makes them so)."
        )
    spin = getattr(system, "spin", None)
    if spin is not None and not spin.is_unpolarized:
        raise InputError(f"Conductor.from_sisl: `{name}` has a spin; give the Hamiltonian of one spin component.")
    entries = system.tocsr(0).tocsc()
    many = entries.shape[0]
    total = np.zeros((many, many), complex)
    for at, cell in enumerate(np.asarray(system.geometry.lattice.sc_off)):
        if steps is None or int(cell[axis]) in steps:
            part = entries[:, at * many : (at + 1) * many].toarray()
            total += part * np.exp(2j * np.pi * np.dot(k, cell))
    return total
