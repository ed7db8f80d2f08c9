"""Vibrations that something couples: their normal modes and where these coalesce."""

from .coupled import CoupledModes, flat_band
from .exceptional import branches, exceptional_points

__all__ = ["CoupledModes", "branches", "exceptional_points", "flat_band"]
