"""Coherent conductors coupled to bosons: spectral functions, electron–hole pairs as baths, and their ledger."""

from .spectra import pair_spectra

__all__ = ["pair_spectra"]
