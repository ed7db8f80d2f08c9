"""Thermal baths: temperatures and chemical potentials; and reservoirs of work, which have neither.

Units: k_B = ħ = e = 1, so temperatures and chemical potentials are energies.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from ._checks import Checked, InputError, Scalar, parameter

ELECTRON, PARTICLE = "electron", "particle"
"""Species of particles that nobody has to name."""


class Bath(Checked):
    """A reservoir with a temperature and a chemical potential (zero where it has none)."""

    kind: eqx.AbstractClassVar[str]
    exchanges_particles: eqx.AbstractClassVar[bool]
    temperature: eqx.AbstractVar[Scalar]

    @property
    @abc.abstractmethod
    def potential(self) -> Any:
        """Chemical potential that enters the rates; zero for baths that exchange heat only."""

    @property
    def kept(self) -> str:
        """The species of particles that the bath exchanges; empty for baths that exchange heat only."""
        return ""


class HeatBath(Bath):
    """A heat bath of unspecified nature (for Glauber or Arrhenius rates): temperature only.

    >>> HeatBath(0.5)
    HeatBath(temperature=0.5)
    """

    kind: ClassVar[str] = "heat"
    exchanges_particles: ClassVar[bool] = False
    temperature: Scalar = parameter(dimension="temperature", positive=True)

    @property
    def potential(self) -> Any:
        return jnp.zeros_like(self.temperature)


class BosonBath(Bath):
    """A bath of bosons without chemical potential (phonons, photons).

    >>> BosonBath(0.5)
    BosonBath(temperature=0.5)
    """

    kind: ClassVar[str] = "boson"
    exchanges_particles: ClassVar[bool] = False
    temperature: Scalar = parameter(dimension="temperature", positive=True)

    @property
    def potential(self) -> Any:
        return jnp.zeros_like(self.temperature)


class ElectronBath(Bath):
    """A lead: electrons at a temperature and a chemical potential (both energies).

    >>> ElectronBath(10, chemical_potential=2.5)
    ElectronBath(temperature=10, chemical_potential=2.5)
    """

    kind: ClassVar[str] = "electron"
    exchanges_particles: ClassVar[bool] = True
    temperature: Scalar = parameter(dimension="temperature", positive=True)
    chemical_potential: Scalar = parameter(0.0, dimension="potential")

    @property
    def potential(self) -> Any:
        return self.chemical_potential

    @property
    def kept(self) -> str:
        return ELECTRON


class ParticleBath(Bath):
    """A reservoir of particles that are no electrons (molecules, colloids): temperature and chemical potential.

    The ledger's electric `current` has no meaning for it. `species` names the particles where a network has several
    kinds; a bath that alone holds one is a chemostat, whose particles are consumed or made where states hold none.

    >>> ParticleBath(1.0, chemical_potential=0.5).chemical_potential.item()
    0.5
    """

    kind: ClassVar[str] = "particle"
    exchanges_particles: ClassVar[bool] = True
    temperature: Scalar = parameter(dimension="temperature", positive=True)
    chemical_potential: Scalar = parameter(0.0, dimension="energy")
    species: str = eqx.field(static=True, default=PARTICLE)

    def __check_init__(self) -> None:
        if not isinstance(self.species, str) or not self.species:
            raise InputError(f"ParticleBath: `species` must be a name, but is {self.species!r}.")

    @property
    def potential(self) -> Any:
        return self.chemical_potential

    @property
    def kept(self) -> str:
        return self.species


class WorkReservoir(Checked):
    """What exchanges energy but no entropy: a load, a spring, a classical field (the limit T → ∞ of a bath).

    It stands among the `baths` of a jump network and causes transitions as they do, but has no part in detailed
    balance: backward/forward = exp(Σ_b q_b/T_b) over the baths alone, 1 for transitions that it causes by itself. The
    energy that it gives is booked as work, under its name beside those of the drives.

    >>> WorkReservoir()
    WorkReservoir()
    """

    def __init__(self, *numbers: Any, **named: Any) -> None:
        if numbers or named:
            given = ", ".join([*map(repr, numbers), *(f"{name}={value!r}" for name, value in named.items())])
            raise InputError(
                f"WorkReservoir: it has no temperature and no other number, but was given {given}; for a bath at a "
                "temperature use HeatBath, and give the energy of a transition by the states or by Share(energy)."
            )
