"""The Pauli master equation of interacting dots once more: Jordan–Wigner matrices, dense NumPy, nothing of coldspot."""

import itertools
from typing import NamedTuple

import numpy as np


class Contact(NamedTuple):
    """A lead: temperature, chemical potential, level width (orbital, orbital)."""

    temperature: float
    potential: float
    width: np.ndarray


class Shaking(NamedTuple):
    """Bosons: temperature, operator (orbital, orbital), γ(ω)."""

    temperature: float
    operator: np.ndarray
    gamma: object


class Flows(NamedTuple):
    """Particles and heats from each lead and then each bath of bosons; the noises of the first lead's particles and

    heat.
    """

    particles: np.ndarray
    heats: np.ndarray
    noise: float
    heat_noise: float


def annihilators(n):
    lower, parity, one = np.array([[0, 1], [0, 0]]), np.diag([1, -1]), np.eye(2)
    found = []
    for i in range(n):
        matrix = np.eye(1)
        for j in range(n):
            matrix = np.kron(matrix, parity if j < i else lower if j == i else one)
        found.append(matrix.astype(complex))
    return found


def hamiltonian(h, coulomb):
    """Σ h_ij d_i†d_j and ½ Σ U_ijkl d_i†d_j†d_l d_k, or Σ U_ij n_i n_j of a mapping."""
    n = len(h)
    d = annihilators(n)
    up = [x.conj().T for x in d]
    full = sum(h[i, j] * up[i] @ d[j] for i in range(n) for j in range(n))
    if isinstance(coulomb, dict):
        return full + sum(u * up[i] @ d[i] @ up[j] @ d[j] for (i, j), u in coulomb.items())
    for i, j, k, m in itertools.product(range(n), repeat=4):
        full = full + coulomb[i, j, k, m] / 2 * up[i] @ up[j] @ d[m] @ d[k]
    return full


def flows(h, coulomb, contacts, shakings=(), split=None):
    """Stationary flows. `split` (diagonal operator of orbitals) tells degenerate states apart by what is conserved."""
    n = len(h)
    d = annihilators(n)
    up = [x.conj().T for x in d]
    number = sum(a @ b for a, b in zip(up, d, strict=True)).real
    full = hamiltonian(h, coulomb)
    # Blocks of the number of electrons, and of what else is conserved.
    label = np.diag(number).copy()
    if split is not None:
        label = label + 1e3 * np.diag(sum(s * a @ b for s, a, b in zip(split, up, d, strict=True))).real
    energies, states = np.zeros(2**n), np.zeros((2**n, 2**n), complex)
    for value in np.unique(label):
        inside = np.flatnonzero(label == value)
        e, v = np.linalg.eigh(full[np.ix_(inside, inside)])
        energies[inside], states[np.ix_(inside, inside)] = e, v
    electrons = np.rint(np.diag(number))
    gained = electrons[:, None] - electrons[None]
    taken = energies[:, None] - energies[None]
    rates = []
    for t, mu, width in contacts:
        made = np.array([states.conj().T @ x @ states for x in up])
        gamma = np.einsum("iab,ij,jab->ab", made, width, made.conj()).real
        filled = 1 / (1 + np.exp((taken - mu) / t))
        rates.append(gamma * filled + (gamma * (1 - filled)).T)
    for t, operator, density in shakings:
        matrix = sum(operator[i, j] * up[i] @ d[j] for i in range(n) for j in range(n))
        strength = np.abs(states.conj().T @ matrix @ states) ** 2
        omega = np.where(np.abs(taken) > 1e-9, np.abs(taken), np.inf)
        bose = 1 / np.expm1(omega / t)
        both = np.where(taken > 0, bose, 1 + bose)
        rates.append(
            np.where(np.isfinite(omega), strength * density(np.where(np.isfinite(omega), omega, 1.0)) * both, 0)
        )
    total = sum(rates)
    generator = total - np.diag(total.sum(0))
    bordered = np.vstack([generator, np.ones(2**n)])
    p = np.linalg.lstsq(bordered, np.append(np.zeros(2**n), 1.0), rcond=None)[0]
    potentials = [c.potential for c in contacts] + [0.0] * len(shakings)
    particles = np.array([np.sum(r * p * gained) for r in rates])
    heats = np.array([np.sum(r * p * (taken - mu * gained)) for r, mu in zip(rates, potentials, strict=True)])
    # Noise of the first lead: Σ F a² + 2 Σ a w u with the response u to the counted current.
    noises = []
    for amount in (gained, taken - potentials[0] * gained):
        counted = rates[0] * amount
        source = counted @ p - p * np.sum(counted @ p)
        response = np.linalg.lstsq(bordered, np.append(-source, 0.0), rcond=None)[0]
        noises.append(float(np.sum(counted * amount * p) + 2 * np.sum(counted @ response)))
    return Flows(particles, heats, *noises)
