"""Stochastic oscillators: masses on springs, with baths that push and damp them and forces that drive them."""

from .._attributes import told as _told
from ..growth import Until
from .breathing import BreathingTrap
from .frequencies import heat_spectrum, transmission
from .network import OscillatorNetwork
from .passages import Passages, first_passage
from .shapes import atoms, lattice, ring
from .stiffness import chain_springs

__all__ = [
    "BreathingTrap",
    "OscillatorNetwork",
    "Passages",
    "Until",
    "atoms",
    "chain_springs",
    "first_passage",
    "heat_spectrum",
    "lattice",
    "ring",
    "transmission",
]


__getattr__ = _told("coldspot.oscillators", __all__)
