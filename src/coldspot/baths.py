"""Thermal baths: temperatures and chemical potentials.

Units: k_B = ħ = e = 1, so temperatures and chemical potentials are energies.
"""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from ._checks import Checked, Scalar, parameter


class Bath(Checked):
    """A reservoir with a temperature and a chemical potential (zero where it has none)."""

    kind: eqx.AbstractClassVar[str]
    exchanges_particles: eqx.AbstractClassVar[bool]
    temperature: eqx.AbstractVar[Scalar]

    @property
    @abc.abstractmethod
    def potential(self) -> Array:
        """Chemical potential that enters the rates; zero for baths that exchange heat only."""


class HeatBath(Bath):
    """A heat bath of unspecified nature (for Glauber or Arrhenius rates): temperature only.

    >>> HeatBath(0.5)
    HeatBath(temperature=0.5)
    """

    kind: ClassVar[str] = "heat"
    exchanges_particles: ClassVar[bool] = False
    temperature: Scalar = parameter(dimension="temperature", positive=True)

    @property
    def potential(self) -> Array:
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
    def potential(self) -> Array:
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
    def potential(self) -> Array:
        return self.chemical_potential


class ParticleBath(Bath):
    """A reservoir of particles that are no electrons (molecules, colloids): temperature and chemical potential.

    The ledger's electric `current` has no meaning for it.

    >>> ParticleBath(1.0, chemical_potential=0.5)
    ParticleBath(temperature=1, chemical_potential=0.5)
    """

    kind: ClassVar[str] = "particle"
    exchanges_particles: ClassVar[bool] = True
    temperature: Scalar = parameter(dimension="temperature", positive=True)
    chemical_potential: Scalar = parameter(0.0, dimension="energy")

    @property
    def potential(self) -> Array:
        return self.chemical_potential
