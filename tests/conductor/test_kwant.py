"""Systems of Kwant itself, where it is installed: what `from_kwant` reads transmits what Kwant says."""

import warnings

import numpy as np
import pytest

import coldspot as cs
from tests.tolerance import assert_close

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    kwant = pytest.importorskip("kwant")

SQUARE = kwant.lattice.square(norbs=1)
SPINS = kwant.lattice.square(norbs=2)
GRAPHENE = kwant.lattice.honeycomb(norbs=1)
TURN = np.array([[0.3, 0.2 - 0.1j], [0.2 + 0.1j, -0.3]])


def attached(system, lattice, cells, onsite, hopping, direction=(-1, 0)):
    lead = kwant.Builder(kwant.TranslationalSymmetry(lattice.vec(direction)))
    lead[cells] = onsite
    lead[lattice.neighbors()] = hopping
    system.attach_lead(lead)
    system.attach_lead(lead.reversed())
    return system.finalized()


def with_parameters():
    """A strip with a field as Peierls phases, in its leads too, of a strength that is given later."""
    system = kwant.Builder()

    def onsite(site, shift):
        return shift * np.sin(site.tag[0] ** 2 + 3 * site.tag[1])

    def hopping(one, other, field):
        return -np.exp(1j * field * one.tag[1] * (one.tag[0] - other.tag[0]))

    system[(SQUARE(i, j) for i in range(6) for j in range(4))] = onsite
    system[SQUARE.neighbors()] = hopping
    return attached(system, SQUARE, (SQUARE(0, j) for j in range(4)), 0.0, hopping)


def with_spins():
    """Two orbitals of each site, mixed by its energy and by hopping."""
    system = kwant.Builder()
    hopping = -np.eye(2) + 0.2j * np.array([[0, 1], [1, 0]])
    system[(SPINS(i, j) for i in range(4) for j in range(2))] = TURN
    system[SPINS.neighbors()] = hopping
    return attached(system, SPINS, (SPINS(0, j) for j in range(2)), np.zeros((2, 2)), hopping)


def ribbon():
    """Zigzag: its hopping between cells has half the rank."""
    rng, system = np.random.default_rng(2), kwant.Builder()
    for site in GRAPHENE.shape(lambda p: abs(p[0]) < 2.5 and 0 <= p[1] < 4, (0, 0))():
        system[site] = rng.uniform(-0.3, 0.3)
    system[GRAPHENE.neighbors()] = -1.0
    cells = GRAPHENE.shape(lambda p: 0 <= p[1] < 4, (0, 0))
    return attached(system, GRAPHENE, cells, 0.0, -1.0)


@pytest.mark.parametrize(
    ("make", "params"), [(with_parameters, {"shift": 0.4, "field": 0.3}), (with_spins, None), (ribbon, None)]
)
def test_transmission_is_that_of_kwant(make, params):
    system = make()
    energies = np.array([-1.9, -0.83, 0.37, 1.21, 2.4])
    found = cs.transmission(cs.Conductor.from_kwant(system, params=params), energies, "lead0", "lead1")
    given = {} if params is None else {"params": params}
    expected = [kwant.smatrix(system, energy, **given).transmission(1, 0) for energy in energies]
    assert np.max(expected) > 0.5
    assert_close(found, expected, 1e-11)
