"""Rings, lattices and atoms: their springs, by energies and normal modes."""

import numpy as np
import pytest

import coldspot as cs
from coldspot.oscillators import atoms, lattice, ring


def test_energy_of_a_ring():
    """½xᵀΦx is the sum over the bonds."""
    network = ring(5, {"a": (0, 1.0), "b": ([2, 3], 2.0)}, spring=[1.0, 2, 3, 4, 5], on_site=[0.1, 0.2, 0.3, 0.4, 0.5])
    x = np.random.default_rng(0).normal(size=5)
    bonds = np.arange(1.0, 6) @ (x - np.roll(x, -1)) ** 2 / 2 + np.array([0.1, 0.2, 0.3, 0.4, 0.5]) @ x**2 / 2
    assert x @ np.asarray(network.springs) @ x / 2 == pytest.approx(bonds, rel=1e-14)
    assert network.frictions.tolist() == [1.0, 0.0, 1.0, 1.0, 0.0]


def test_a_bar_is_chains_of_its_transverse_modes():
    """Across, free sides have modes 4k sin²(πj/2w); each is a chain of its own with that spring to the ground."""
    length, width, spring = 4, 3, 1.3
    bar = lattice((length, width), spring=spring, temperatures=(1.5, 1.0))
    chain = np.linalg.eigvalsh(cs.oscillators.chain_springs(length, spring, spring))
    across = 4 * spring * np.sin(np.pi * np.arange(width) / (2 * width)) ** 2
    expected = np.sort((chain[:, None] + across).ravel())
    assert np.max(np.abs(np.linalg.eigvalsh(bar.springs) - expected)) < 1e-13 * expected[-1]
    assert bar.places == ((0, 1, 2), (9, 10, 11))
    assert bar.baths["left"].temperature == 1.5


def test_atoms_move_in_three_directions():
    """Force constants that are the same along x, y and z: three times the chain."""
    phi = np.asarray(cs.oscillators.chain_springs(2, 1.0, 1.0))
    constants = np.einsum("ab,cd->acbd", phi, np.eye(3))
    found = atoms(np.ones(2), constants, {"left": (0, 2.0), "right": (1, 1.0)})
    flat = atoms(np.ones(2), constants.reshape(6, 6), {"left": (0, 2.0), "right": (1, 1.0)})
    assert np.array_equal(found.springs, flat.springs)
    assert np.array_equal(found.springs[::3, ::3], phi)
    assert found.places == ((0, 1, 2), (3, 4, 5))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: ring(2, {}), "at least 3"),
        (lambda: ring(4, {"a": (0, 1.0), "b": ([0, 1], 1.0)}), "site 0 a second time, at b"),
        (lambda: ring(4, {"a": (7, 1.0)}), "site 7, beyond the 4"),
        (lambda: lattice((1, 3)), "two layers"),
        (lambda: lattice((2.5, 3)), "`shape` must be a positive integer"),
        (lambda: atoms(np.ones(2), np.eye(5), {"a": (0, 1.0)}), r"\(2, 3, 2, 3\) or \(6, 6\)"),
        (lambda: atoms(np.ones(2), np.eye(6), {"a": 0}), "name: \\(sites, temperature"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(cs.InputError, match=words):
        build()
