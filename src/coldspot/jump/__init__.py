"""Markov jump networks, static or periodically driven: dissipation, times, and what slow cycles pump."""

from .dissipation import Dissipation, dissipation
from .geometric import Curvature, curvature
from .passages import Times, first_passage, waiting_time

__all__ = [
    "Curvature",
    "Dissipation",
    "Times",
    "curvature",
    "dissipation",
    "first_passage",
    "waiting_time",
]
