"""Coherent conductors coupled to bosons: spectral functions, electron–hole pairs as baths, and their ledger."""

from .device import Device
from .junction import PairJunction
from .levels import Levels
from .population import effective_chemical_potential, effective_temperature, population
from .spectra import Spectra, pair_spectra
from .spectral_functions import Conductor

__all__ = [
    "Conductor",
    "Device",
    "Levels",
    "PairJunction",
    "Spectra",
    "effective_chemical_potential",
    "effective_temperature",
    "pair_spectra",
    "population",
]
