"""Vibrations that something couples: their normal modes and where these coalesce."""

from .._attributes import told as _told
from .branches import Branches, branches
from .coupled import CoupledModes, overlap
from .dynamical_matrices import FlatBand, flat_band, two_mode_matrix
from .eigenvalues import discriminant
from .exceptional import ExceptionalPoints, exceptional_points

__all__ = [
    "Branches",
    "CoupledModes",
    "ExceptionalPoints",
    "FlatBand",
    "branches",
    "discriminant",
    "exceptional_points",
    "flat_band",
    "overlap",
    "two_mode_matrix",
]


def __dir__() -> list[str]:
    return list(__all__)


__getattr__ = _told("coldspot.modes", __dir__())
