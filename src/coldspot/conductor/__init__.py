"""Coherent conductors coupled to bosons: spectral functions, electron–hole pairs as baths, and their ledger."""

from .coherent import Conductor
from .device import Device
from .junction import PairJunction
from .leads import ChainLead, Lead, SelfEnergyLead, WideBandLead
from .levels import Levels
from .mode_populations import ModePopulations, mode_populations
from .population import effective_chemical_potential, effective_temperature, population
from .spectra import Spectra, pair_spectra
from .spectral_functions import SpectralFunctions
from .transmission import density_of_states, spectral_function, transmission
from .vibrations import Modes

__all__ = [
    "ChainLead",
    "Conductor",
    "Device",
    "Lead",
    "Levels",
    "ModePopulations",
    "Modes",
    "PairJunction",
    "SelfEnergyLead",
    "Spectra",
    "SpectralFunctions",
    "WideBandLead",
    "density_of_states",
    "effective_chemical_potential",
    "effective_temperature",
    "mode_populations",
    "pair_spectra",
    "population",
    "spectral_function",
    "transmission",
]
