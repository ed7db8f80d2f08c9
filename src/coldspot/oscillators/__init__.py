"""Stochastic oscillators: masses on springs, with baths that push and damp them and forces that drive them."""

from .network import OscillatorNetwork
from .stiffness import chain_springs

__all__ = ["OscillatorNetwork", "chain_springs"]
