"""Stochastic oscillators: masses on springs, with baths that push and damp them and forces that drive them."""
