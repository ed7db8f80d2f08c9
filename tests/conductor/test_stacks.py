"""Leads that are stacks of cells: exact chains, ribbons by transverse modes, and Kwant's systems through a stand-in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import coldspot as cs
from coldspot.conductor.long_devices import MOST, Slices
from tests.conductor.scattering import chain_sigma
from tests.tolerance import assert_close

BATH = cs.ElectronBath(0.1)


def strip(width, onsite=0.0, hopping=-1.0):
    """A cell of a square lattice, and the hopping to the next one."""
    inner = np.diag(np.full(width, onsite)) + hopping * (np.eye(width, k=1) + np.eye(width, k=-1))
    return inner, hopping * np.eye(width)


def transverse(width, contact, energy):
    """Σ of a square-lattice lead, by its transverse modes: each is a chain."""
    inner, _ = strip(width)
    values, vectors = np.linalg.eigh(inner)
    return sum(
        contact**2 * chain_sigma(energy, -1.0, 1.0, value) * np.outer(v, v)
        for value, v in zip(values, vectors.T, strict=True)
    )


@pytest.mark.parametrize("width", [3, 10])
def test_a_lattice_is_the_sum_of_its_transverse_modes(width):
    block, hopping = strip(width)
    energies = np.array([-3.8, -0.95, 0.0, 0.5, 3.2, 5.0])

    def lead(block):
        return cs.conductor.StackLead(list(range(width)), block, hopping, 0.6 * np.eye(width), BATH)

    assert lead(block).apart
    exact = jax.jit(lambda at: lead(block).self_energy(at, jnp.zeros(6)))(energies)
    # Of a traced cell nothing is known: this is the other way.
    found = jax.jit(lambda block, at: lead(block).self_energy(at, jnp.zeros(6)))(block, energies)
    for one, other, energy in zip(np.asarray(exact), np.asarray(found), energies, strict=True):
        assert_close(one, transverse(width, 0.6, energy), 1e-13)
        assert_close(other, transverse(width, 0.6, energy), 1e-13)


def test_a_stack_is_right_beside_a_band_edge_and_has_derivatives():
    def chain(onsite):
        lead = cs.conductor.StackLead(0, onsite[None, None], [[1.0]], [[1.0]], BATH)
        return lead.self_energy(jnp.array([1.999]), jnp.zeros(1))[0, 0, 0].imag

    value, slope = jax.jit(jax.value_and_grad(chain))(jnp.zeros(()))
    exact = chain_sigma(1.999, 1.0, 1.0).imag
    assert_close(value, exact, 1e-12)
    assert_close(slope, 1.999 / (4 * exact), 1e-9)  # of −√(4−x²)/2 by the onsite energy


class Cell:
    """A lead as Kwant documents `InfiniteSystem`: a cell, and its hopping to the interface nearer to the conductor."""

    def __init__(self, block, inward):
        self.block, self.inward = block, inward

    def cell_hamiltonian(self):
        return self.block

    def inter_cell_hopping(self):
        return self.inward


class Finalised:
    """A square-lattice strip as Kwant documents a finalised system."""

    def __init__(self, width, length, shift):
        inner, _ = strip(width)
        rows = np.kron(np.eye(length), inner) - np.kron(np.eye(length, k=1) + np.eye(length, k=-1), np.eye(width))
        self.matrix = rows + np.diag(shift * np.sin(np.arange(width * length) ** 2.0))
        self.leads = [Cell(inner, -np.eye(width))] * 2
        self.lead_interfaces = [np.arange(width), np.arange(width * (length - 1), width * length)]

    def hamiltonian_submatrix(self, sparse=False, return_norb=False):
        matrix, norb = scipy.sparse.coo_matrix(self.matrix) if sparse else self.matrix, np.ones(len(self.matrix), int)
        return (matrix, norb, norb) if return_norb else matrix


def test_a_system_of_kwant_transmits_what_transverse_modes_say():
    system, energies = Finalised(3, 4, 0.5), np.array([-1.3, 0.2, 1.9])
    conductor = cs.Conductor.from_kwant(system)
    found = cs.transmission(conductor, energies, "lead0", "lead1")
    for value, energy in zip(np.asarray(found), energies, strict=True):
        sigma, n = transverse(3, 1.0, energy), len(system.matrix)
        matrix = energy * np.eye(n) - system.matrix + 0j
        matrix[:3, :3] -= sigma
        matrix[-3:, -3:] -= sigma
        gamma = 1j * (sigma - sigma.conj().T)
        green = np.linalg.inv(matrix)[:3, -3:]
        assert_close(value, np.trace(gamma @ green @ gamma @ green.conj().T).real, 1e-11)
    clean = cs.Conductor.from_kwant(Finalised(3, 4, 0.0), {"left": BATH, "right": BATH})
    assert_close(cs.transmission(clean, 0.2, "left", "right"), 3.0, 1e-11)  # three open channels


def test_a_long_system_of_kwant_is_never_a_square_matrix():
    system = Finalised(2, MOST // 2 + 1, 0.01)
    conductor, dense = cs.Conductor.from_kwant(system), cs.Conductor.from_kwant(Finalised(2, 40, 0.01))
    assert isinstance(conductor.hamiltonian, Slices)
    assert conductor.hamiltonian.diagonal.size < 8 * MOST
    assert dense.hamiltonian.shape == (80, 80)
    sigma, n, energy = transverse(2, 1.0, 0.3), len(system.matrix), 0.3
    matrix = scipy.sparse.lil_matrix(energy * np.eye(n) - system.matrix + 0j)
    matrix[:2, :2] -= sigma
    matrix[-2:, -2:] -= sigma
    green = scipy.sparse.linalg.splu(matrix.tocsc()).solve(np.eye(n, 2, 2 - n) + 0j)[:2]
    gamma = 1j * (sigma - sigma.conj().T)
    expected = np.trace(gamma @ green @ gamma @ green.conj().T).real
    assert_close(cs.transmission(conductor, energy, "lead0", "lead1"), expected, 1e-11)
    # A lead that mixes sites of several slices, as on a whole side, takes the square.
    system.lead_interfaces[1] = np.array([10, 200])
    assert cs.Conductor.from_kwant(system).hamiltonian.shape == (n, n)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: cs.conductor.StackLead(0, [[0.0]], [[1.0, 0.0]], [[1.0]], BATH),
            r"`hopping` must have shape \(1, 1\)",
        ),
        (
            lambda: cs.conductor.StackLead([0, 1], [[0.0]], [[1.0]], [[1.0]], BATH),
            r"`contact` must have shape \(2, 1\)",
        ),
        (lambda: cs.conductor.StackLead(0, [[1j]], [[1.0]], [[1.0]], BATH), "`block` must be Hermitian"),
        (lambda: cs.conductor.StackLead(0, [[0.0]], [[0.0]], [[1.0]], BATH), "`hopping` must not be 0"),
        (lambda: cs.Conductor.from_kwant(object()), "finalised Kwant system"),
        (lambda: cs.Conductor.from_kwant(Finalised(2, 2, 0.0), {"left": BATH}), "2 lead"),
    ],
)
def test_bad_stacks_are_refused_in_words(make, words):
    with pytest.raises(cs.InputError, match=words):
        make()
