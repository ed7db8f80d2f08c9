"""Coherent conductors coupled to bosons: spectral functions, electron–hole pairs as baths, and their ledger."""
