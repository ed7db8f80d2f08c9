"""Stochastic oscillators: masses on springs, with baths that push and damp them and forces that drive them."""

from .breathing import BreathingTrap
from .growth import Until
from .network import OscillatorNetwork
from .shapes import atoms, lattice, ring
from .stiffness import chain_springs

__all__ = ["BreathingTrap", "OscillatorNetwork", "Until", "atoms", "chain_springs", "lattice", "ring"]
