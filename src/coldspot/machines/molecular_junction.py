"""A benzene ring between two leads, with two of its vibrations."""

import math
from typing import ClassVar

import equinox as eqx
import numpy as np

from .._checks import InputError, Scalar, parameter
from ..baths import BosonBath, ElectronBath
from ..compiler import looked_up, stacked
from ..conductor.coherent import Conductor
from ..conductor.leads import WideBandLead
from ..conductor.vibrations import Modes
from ..dynamics import Machine

SITES = 6
CONTACTS = {"ortho": 1, "meta": 2, "para": 3}
"""The carbon of the right lead; that of the left one is 0."""
ANGSTROM = math.sqrt(4.180159286e-3)
"""ħ/(Å√u) in √eV: what a displacement of one √eV⁻¹ is, in ångströms times the root of an atomic mass unit."""
MASS = 13.0189
"""Of CH, in u, which moves as a whole."""


class MolecularJunction(Machine):
    """π electrons of a benzene ring (Hückel) between the carbon 0 and another, with two vibrations; energies in eV.

    H = ε Σc_i†c_i + β Σ(c_i†c_{i+1} + h.c.), one spin, leads with wide bands Γ. The transmission of the ring without
    vibrations is known in closed form, with zeros where its two ways cancel, as at ε if the leads are in `meta`
    (T. Hansen, G. C. Solomon, D. Q. Andrews and M. A. Ratner, "Interfering pathways in benzene: An analytical
    treatment"). The vibrations change bond lengths r, and hoppings by β′ = dβ/dr (W. P. Su, J. R. Schrieffer and
    A. J. Heeger, "Solitons in polyacetylene"): the `breathing` of the ring (A1g, 993 cm⁻¹), all bonds by
    Q/√(6m), and its `kekule` mode (B2u, 1309 cm⁻¹), alternate bonds by ±Q/√(2m), with m the mass of CH and Q the
    mass-weighted coordinate, in units of ħ/√eV here: `Modes` have unit mass.

    - `level` ε, `resonance` β, `slope` β′ (eV/Å), `gamma` Γ of each lead; `breathing`, `kekule`: ħω of the vibrations;
    - `contact`: "ortho", "meta" or "para"; `left`, `right`, `phonons`: baths, k_BT in eV (300 K are 0.02585 eV).

    >>> import coldspot as cs
    >>> ring = MolecularJunction(contact="meta").dynamics()
    >>> f"{cs.transmission(ring, 0.0, 'left', 'right'):.6f}"
    '0.000000'
    """

    name: ClassVar[str] = "molecular-junction"
    summary: ClassVar[str] = "benzene ring between leads with two vibrations, in eV (coherent transport)"
    level: Scalar = parameter(0.0, dimension="energy")
    resonance: Scalar = parameter(-2.5, dimension="energy")
    slope: Scalar = parameter(4.1)
    gamma: Scalar = parameter(0.5, dimension="energy", positive=True)
    breathing: Scalar = parameter(0.1231, dimension="energy", positive=True)
    kekule: Scalar = parameter(0.1623, dimension="energy", positive=True)
    left: ElectronBath = ElectronBath(0.02585, 0.1)
    right: ElectronBath = ElectronBath(0.02585, -0.1)
    phonons: BosonBath = BosonBath(0.02585)
    contact: str = eqx.field(default="ortho", static=True)

    def __check_init__(self) -> None:
        if not isinstance(self.contact, str) or self.contact not in CONTACTS:
            raise InputError(
                f"MolecularJunction: `contact` must be one of {', '.join(CONTACTS)}, but is {self.contact!r}."
            )

    def dynamics(self) -> Conductor:
        here, there = np.arange(SITES), np.roll(np.arange(SITES), -1)

        def hoppings(bonds: np.ndarray) -> np.ndarray:
            matrix = np.zeros((SITES, SITES))
            matrix[here, there] = matrix[there, here] = bonds
            return matrix

        ring, alternate = hoppings(np.ones(SITES)), hoppings((-1.0) ** here)
        shapes = np.stack([ring / math.sqrt(6 * MASS), alternate / math.sqrt(2 * MASS)])
        couplings = looked_up(lambda slope: slope * ANGSTROM * shapes, self.slope)
        return Conductor(
            hamiltonian=looked_up(lambda level, bond: level * np.eye(SITES) + bond * ring, self.level, self.resonance),
            leads={
                "left": WideBandLead(0, self.gamma, self.left),
                "right": WideBandLead(CONTACTS[self.contact], self.gamma, self.right),
            },
            modes=Modes(stacked([self.breathing, self.kekule]), couplings, {"phonons": self.phonons}),
        )
