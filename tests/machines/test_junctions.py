"""Junctions with modes as machines: published closed forms."""

import numpy as np
import pytest

import coldspot as cs
from coldspot.machines import MolecularJunction, PhotonCooler, TwoModeJunction
from tests.tolerance import assert_close


def test_a_reverse_biased_junction_is_a_bath_of_photons_with_a_chemical_potential():
    """Würfel: photons at T and eV; the flow stops where the bath is as cold as T/(1 − eV/Ω), and the COP is Ω/e|V|."""
    narrow, bias = {"halfwidth_n": 1e-4, "halfwidth_p": 1e-4}, -0.5
    photons = np.array([0.18, 0.3 / (1 - bias), 0.22, 0.29])
    found = cs.sweep(lambda t: PhotonCooler(**narrow, photons=cs.BosonBath(t)), {"t": photons})
    heat = found.heat.sel(bath="photons").values
    # The net flow is that of detailed balance with the chemical potential, at any temperature of the photons.
    n, own = 1 / np.expm1(1 / photons), 1 / np.expm1((1 - bias) / 0.3)
    assert_close(heat / heat[3], (n - own) / (n[3] - own), 2e-3, scale=1.0)
    assert heat[0] < 0 < heat[2]
    assert_close(found["cop"].values[2:], np.full(2, 1 / -bias), 2e-3)


@pytest.mark.parametrize("contact", ["ortho", "meta", "para"])
def test_the_transmission_of_benzene_is_that_of_its_closed_form(contact):
    machine = MolecularJunction(contact=contact)
    energies, b, gamma = np.array([-2.2, -0.3, 1.1, 4.0]), -2.5, 0.5
    d = (energies**2 - b**2) * (energies**2 - 4 * b**2)
    own = energies * (energies**2 - 3 * b**2) / d
    between = {"ortho": b * (energies**2 - 2 * b**2), "meta": b**2 * energies, "para": 2 * b**3}[contact] / d
    expected = gamma**2 * between**2 / np.abs((1 + 0.5j * gamma * own) ** 2 + gamma**2 * between**2 / 4) ** 2
    assert_close(cs.transmission(machine.dynamics(), energies, "left", "right"), expected, 1e-12)


def test_the_vibrations_of_benzene_have_the_units_they_say():
    """From constants in SI units: ħ, e and u; and the zero-point change of a bond by the breathing mode."""
    hbar, charge, dalton = 1.054571817e-34, 1.602176634e-19, 1.66053906660e-27
    modes = MolecularJunction().dynamics().modes
    inverse_centimetres = 2 * np.pi * hbar * 299792458e2 / charge
    assert_close(modes.frequencies, np.array([993.0, 1309.0]) * inverse_centimetres, 1e-3)
    length = hbar / np.sqrt(6 * 13.0189 * dalton * charge)  # of a bond, per √eV of Q
    assert_close(modes.couplings[0, 0, 1].real, 4.1e10 * length, 1e-6)
    assert_close(modes.couplings[1, 0, 1].real, np.sqrt(3) * 4.1e10 * length, 1e-6)
    assert_close(np.abs(modes.couplings[1].sum(0)), np.zeros(6), 1e-12, scale=1.0)
    with pytest.raises(cs.InputError, match="`contact` must be one of ortho, meta, para"):
        MolecularJunction(contact="iso")


def test_two_modes_of_a_conductor_are_the_matrix_of_the_paper():
    """Against the whole self-energy of a conductor whose levels are so wide that its bands are flat."""
    couplings, wide, bias = 0.1 * np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]]]) * 400, 1000.0, 0.5
    baths = {"left": cs.ElectronBath(0.1, bias / 2), "right": cs.ElectronBath(0.1, -bias / 2)}
    leads = {name: cs.WideBandLead(k, wide, bath) for k, (name, bath) in enumerate(baths.items())}
    conductor = cs.Conductor(np.zeros((2, 2)), leads, cs.Modes([1.02, 0.98], couplings, {"p": cs.BosonBath(0.1)}))
    left, right = (cs.conductor.spectral_function(conductor, 0.0, name) for name in leads)
    made = TwoModeJunction.of_electrons([1.02, 0.98], couplings, left, right, bias)
    matrix = np.asarray(made.dynamics().matrix)
    whole = np.asarray(cs.conductor.mode_self_energy(conductor, 1.0))
    # What is left is of the order of ω/Γ: the Berry force first.
    assert_close((matrix[0, 1] - matrix[1, 0]).real, (whole[0, 1] - whole[1, 0]).real, 1e-5)
    assert abs((whole[0, 1] - whole[1, 0]).imag) < 4 / wide * abs(matrix[0, 1] - matrix[1, 0])
    assert_close(matrix[0, 0].imag, whole[0, 0].imag * 1.02, 1e-5)
    with pytest.raises(cs.InputError, match="one damping"):
        TwoModeJunction.of_electrons([1.02, 0.98], couplings * np.array([1, 2])[:, None, None], left, right, bias)
