"""Conductors from sisl: against its own Green's functions where it is installed, and a stand-in everywhere."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

import coldspot as cs


class Chain:
    """What `from_sisl` asks of a Hamiltonian: a ladder of two orbitals per cell along the first axis, t = 1."""

    orthogonal = True

    def __init__(self, cells, periodic, across=0.3):
        many = 2 * cells
        h = np.kron(np.eye(cells), across * np.array([[0, 1], [1, 0]])) + np.kron(np.eye(cells, k=1), np.eye(2))
        h += np.kron(np.eye(cells, k=-1), np.eye(2))
        offsets = [[0, 0, 0]]
        blocks = [h]
        if periodic:
            last = np.zeros((cells, cells))
            last[-1, 0] = 1.0
            offsets += [[1, 0, 0], [-1, 0, 0]]
            blocks += [np.kron(last, np.eye(2)), np.kron(last.T, np.eye(2))]
        self.matrix = scipy.sparse.csr_array(np.hstack(blocks))
        lattice = SimpleNamespace(sc_off=np.array(offsets))
        assert self.matrix.shape == (many, many * len(offsets))
        self.geometry = SimpleNamespace(lattice=lattice, a2o=lambda atoms, all: atoms)

    def tocsr(self, dim):
        return self.matrix


def test_a_ladder_transmits_its_open_channels():
    electrodes = {"l": (Chain(1, True), "-A", [0, 1]), "r": (Chain(1, True), "+A", [8, 9])}
    conductor = cs.Conductor.from_sisl(Chain(5, False), electrodes)
    found = cs.transmission(conductor, [0.0, 2.1, -2.1, 2.4], "l", "r")
    np.testing.assert_allclose(found, [2, 1, 1, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"direction": "-D"}, "direction '-D', but directions are"),
        ({"atoms": [0]}, "has 2 orbitals, but the atoms that are given for it have 1"),
        ({"bulk": object()}, "must be a sisl Hamiltonian, but has no `tocsr`"),
    ],
)
def test_bad_electrodes_are_refused_in_words(change, words):
    given = {"bulk": Chain(1, True), "direction": "-A", "atoms": [0, 1]} | change
    with pytest.raises(cs.InputError, match=words):
        cs.Conductor.from_sisl(Chain(3, False), {"l": tuple(given.values())})


def test_bad_devices_are_refused_in_words():
    overlapping = Chain(3, False)
    overlapping.orthogonal = False
    electrode = {"l": (Chain(1, True), "-A", [0, 1])}
    with pytest.raises(cs.InputError, match="has overlaps between its orbitals"):
        cs.Conductor.from_sisl(overlapping, electrode)
    with pytest.raises(cs.InputError, match="a bath for each of the electrodes"):
        cs.Conductor.from_sisl(Chain(3, False), electrode, {"left": cs.ElectronBath(0.1)})
    with pytest.raises(cs.InputError, match="at least one electrode"):
        cs.Conductor.from_sisl(Chain(3, False), {})


def test_a_graphene_ribbon_with_a_hole_is_that_of_sisl():
    """Zigzag across, periodic sideways with a k-point, an atom with another level in the middle."""
    sisl = pytest.importorskip("sisl")
    cell = sisl.geom.graphene(orthogonal=True)

    def hamiltonian(geometry):
        h = sisl.Hamiltonian(geometry)
        h.construct([(0.1, 1.44), (0.0, -2.7)])
        return h

    bulk = hamiltonian(cell)
    h = hamiltonian(cell.tile(5, 0))
    h[9, 9] = 1.5
    h.set_nsc([1, None, None])
    k = [0.0, 0.2, 0.0]
    first, last = np.arange(4), np.arange(16, 20)
    conductor = cs.Conductor.from_sisl(h, {"l": (bulk, "-A", first), "r": (bulk, "+A", last)}, k=k)
    energies, eta = np.array([0.35, 1.9, 3.3]), 1e-9
    expected = []
    for energy in energies:
        inverse = (energy + 1j * eta) * np.eye(20) - h.Hk(k, gauge="lattice", format="array")
        widths = []
        for direction, atoms in (("-A", first), ("+A", last)):
            sigma = sisl.RecursiveSI(bulk, direction).self_energy(energy + 1j * eta, k, gauge="lattice")
            inverse[np.ix_(atoms, atoms)] -= sigma
            width = np.zeros((20, 20), complex)
            width[np.ix_(atoms, atoms)] = 1j * (sigma - sigma.conj().T)
            widths.append(width)
        green = np.linalg.inv(inverse)
        expected.append(np.trace(widths[1] @ green @ widths[0] @ green.conj().T).real)
    assert max(expected) > 0.5
    np.testing.assert_allclose(cs.transmission(conductor, energies, "l", "r"), expected, rtol=1e-6, atol=1e-7)
