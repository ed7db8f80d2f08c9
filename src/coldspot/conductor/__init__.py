"""Coherent conductors coupled to bosons: spectral functions, electron–hole pairs as baths, and their ledger."""

from .._attributes import told as _told
from .coherent import Conductor
from .device import Device
from .forces import Forces, dynamical_matrix, forces, mode_self_energy, normal_modes, pair_densities
from .junction import PairJunction
from .langevin import Langevin, langevin
from .leads import ChainLead, Lead, SelfEnergyLead, WideBandLead
from .levels import Levels
from .mode_populations import ModePopulations, mode_populations
from .mode_spectra import ModeSpectra, mode_spectra
from .population import effective_chemical_potential, effective_temperature, population
from .probes import probe
from .spectra import Spectra, pair_spectra
from .spectral_functions import SpectralFunctions
from .stacks import StackLead
from .transmission import density_of_states, spectral_function, transmission
from .vibrations import Modes

__all__ = [
    "ChainLead",
    "Conductor",
    "Device",
    "Forces",
    "Langevin",
    "Lead",
    "Levels",
    "ModePopulations",
    "ModeSpectra",
    "Modes",
    "PairJunction",
    "SelfEnergyLead",
    "Spectra",
    "SpectralFunctions",
    "StackLead",
    "WideBandLead",
    "density_of_states",
    "dynamical_matrix",
    "effective_chemical_potential",
    "effective_temperature",
    "forces",
    "langevin",
    "mode_populations",
    "mode_self_energy",
    "mode_spectra",
    "normal_modes",
    "pair_densities",
    "pair_spectra",
    "population",
    "probe",
    "spectral_function",
    "transmission",
]


def __dir__() -> list[str]:
    return list(__all__)


__getattr__ = _told("coldspot.conductor", __dir__())
