"""Batches of conductors through the solver, and the second route: NumPy Green's functions and `quad`."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad

from coldspot.dynamics import checked_tolerance, solve_points

LANES = 16
"""Points of a batch: one size, so that one program serves."""


def solve(build, columns):
    """A batch through the solver; filled up with its last point."""
    points = len(next(iter(columns.values())))
    index = np.minimum(np.arange(LANES), points - 1)
    full = {name: jnp.asarray(np.asarray(values, float)[index]) for name, values in columns.items()}
    found = solve_points(build, None, full, checked_tolerance(1e-8))
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:points], found)


def fermi(x):
    return 0.5 * (1 - np.tanh(x / 2))


def chain_sigma(energy, hopping, contact, onsite=0.0):
    """|c|²/(ε − e − t²g) solved for g, with the root that falls off and is retarded."""
    x = complex(energy - onsite, 1e-300)
    root = np.sqrt(x * x - 4 * hopping**2 + 0j)
    one, other = (x - root) / (2 * hopping**2), (x + root) / (2 * hopping**2)
    g = one if (one.imag, -abs(one)) < (other.imag, -abs(other)) else other
    return contact**2 * g


def green(hamiltonian, sigmas, energy):
    """G^r with self-energies {site: Σ}."""
    matrix = energy * np.eye(len(hamiltonian)) - np.asarray(hamiltonian, complex)
    for site, sigma in sigmas:
        matrix[site, site] -= sigma
    return np.linalg.inv(matrix)


def transmission(hamiltonian, one, other, energy):
    """Between two leads, each (site, function of the energy that gives Σ)."""
    (a, first), (b, second) = one, other
    s, t = first(energy), second(energy)
    g = green(hamiltonian, [(a, s), (b, t)], energy)
    return (-2 * s.imag) * (-2 * t.imag) * abs(g[a, b]) ** 2


def landauer(hamiltonian, one, other, hot, cold, power=0, breaks=(), bounds=(-30.0, 30.0)):
    """∫dε/2π (ε−μ)^power T (f_1 − f_2) with leads' (T, μ); μ that of the first lead."""

    def value(energy):
        x, y = (energy - hot[1]) / hot[0], (energy - cold[1]) / cold[0]
        gap = fermi(x) - fermi(y)
        return (energy - hot[1]) ** power * transmission(hamiltonian, one, other, energy) * gap / (2 * np.pi)

    points = sorted({*bounds, *(b for b in breaks if bounds[0] < b < bounds[1])})
    total = 0.0
    for low, high in itertools.pairwise(points):
        total += quad(value, low, high, epsabs=1e-15, epsrel=1e-13, limit=400)[0]
    return total
