"""Markov jump networks, static or periodically driven: their parts, dissipation, times, and what slow cycles pump."""

from .._attributes import told as _told
from .contacts import BosonCoupling
from .dissipation import Dissipation, dissipation
from .energies import LinearEnergies
from .geometric import Curvature, curvature
from .passages import Times, first_passage, waiting_time

__all__ = [
    "BosonCoupling",
    "Curvature",
    "Dissipation",
    "LinearEnergies",
    "Times",
    "curvature",
    "dissipation",
    "first_passage",
    "waiting_time",
]


def __dir__() -> list[str]:
    return list(__all__)


__getattr__ = _told("coldspot.jump", __dir__())
