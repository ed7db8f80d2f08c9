"""Markov jump networks, static or periodically driven."""
