"""A finalised Kwant system as arrays and leads, by the methods that Kwant documents; Kwant is not imported."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._checks import InputError
from ..baths import ElectronBath
from ..pytrees import Table
from .leads import Lead
from .long_devices import MOST, fits
from .stacks import StackLead


def of_kwant(
    system: Any, baths: Mapping[str, ElectronBath] | None, params: Mapping[str, Any] | None
) -> tuple[Any, dict[str, Lead]]:
    """The Hamiltonian (orbital, orbital), sparse if it is long, and the leads of a finalised system."""
    for name in ("hamiltonian_submatrix", "leads", "lead_interfaces"):
        if not hasattr(system, name):
            raise InputError(
                f"Conductor.from_kwant: `system` must be a finalised Kwant system (`builder.finalized()`), but has no "
                f"`{name}`: {type(system).__name__}."
            )
    given = {} if params is None else {"params": dict(params)}
    matrix, orbitals, _ = system.hamiltonian_submatrix(sparse=True, return_norb=True, **given)
    ends = np.concatenate([[0], np.cumsum(np.asarray(orbitals, int))])
    if baths is None:
        baths = {f"lead{k}": ElectronBath(1.0) for k in range(len(system.leads))}
    if len(baths) != len(system.leads):
        raise InputError(
            f"Conductor.from_kwant: `baths` must have one bath for each of the {len(system.leads)} lead(s), but has "
            f"{len(baths)}: {', '.join(baths)}."
        )
    leads: dict[str, Lead] = {}
    for (name, bath), lead, interface in zip(baths.items(), system.leads, system.lead_interfaces, strict=True):
        if not hasattr(lead, "cell_hamiltonian"):
            raise InputError(
                f"Conductor.from_kwant: lead `{name}` has no cells ({type(lead).__name__}); write it as a "
                "`SelfEnergyLead`."
            )
        block = np.asarray(lead.cell_hamiltonian(**given), complex)
        # ⟨cell|H|interface⟩ to the cell that is nearer to the conductor, whose first orbitals the interface is.
        inward = np.asarray(lead.inter_cell_hopping(**given), complex)
        sites = np.concatenate([np.arange(ends[site], ends[site + 1]) for site in np.asarray(interface, int)])
        hopping = np.zeros_like(block)
        hopping[: inward.shape[1]] = inward.conj().T
        leads[name] = StackLead(sites.tolist(), block, hopping, inward.conj().T, bath)
    return _dense_or_sliced(matrix, leads), leads


def _dense_or_sliced(matrix: Any, leads: Mapping[str, Lead]) -> Any:
    """A sparse matrix as it is where only transmission is known and slices will do, which takes no square of memory."""
    if matrix.shape[0] > MOST:
        entries = matrix.tocoo()
        if fits(Table(leads), max(int(np.max(np.abs(entries.row - entries.col), initial=0)), 1)):
            return matrix
    return np.asarray(matrix.toarray(), complex)
