"""A level of any width as a heat engine."""

import numpy as np

import coldspot as cs
from tests.conductor.scattering import fermi, solve
from tests.tolerance import assert_close


def test_it_becomes_the_dot_of_sequential_tunnelling_as_its_width_goes_to_zero():
    widths = np.array([1e-1, 1e-3, 1e-5, 1e-7])
    found = solve(
        lambda _, p: cs.machines.ResonantThermoelectric(gamma_left=p["width"], gamma_right=3 * p["width"]),
        {"width": widths},
    )
    gap = fermi((2.5 + 0.15) / 1.2) - fermi(2.5 - 0.15)
    sequential = 0.75 * widths * gap
    off = np.abs(found.ledger.particle_numbers[:, 0] / sequential - 1)
    # The first correction is of the order Γ/T.
    assert np.all(off <= 4 * widths)
    assert_close(off[1] / off[2], 100.0, 1e-2)
    assert_close(found.ledger.heats[-1, 0], (2.5 + 0.15) * sequential[-1], 1e-5)
    carnot = 1 - 1 / 1.2
    heat, work = found.ledger.heats[:, 0], -found.ledger.chemical_works.sum(-1)
    efficiency = work / heat
    assert np.all(np.diff(efficiency) > 0)
    assert np.all(efficiency < carnot)
