"""Cautions: where rates neglect a level's width or coherences, by formulas written out by hand."""

import numpy as np
import pytest

import coldspot as cs

BROAD, COHERENT = "broadening-neglected", "coherence-neglected"


def test_a_level_wider_than_its_temperature():
    """Γ = γ_L + γ_R against the lower of the two temperatures."""
    ds = cs.sweep(
        cs.machines.QuantumDot(left=cs.ElectronBath(1.0, 0.1), right=cs.ElectronBath(3.0, 0.0), gamma_left=0.4),
        {"gamma_right": [0.1, 0.59, 0.61, 5.0]},
    )
    assert ds[BROAD.replace("-", "_")].values.tolist() == [False, False, True, True]
    assert not ds[COHERENT.replace("-", "_")].values.any()


def double_dot(hopping, gamma=0.1):
    """One electron at most in two dots that hop; both eigenstates ½(|1⟩ ± |2⟩) hang on both leads with γ/2."""
    leads = {"left": cs.ElectronBath(1.0, 0.5), "right": cs.ElectronBath(1.0, -0.5)}
    channels = [cs.Channel(lead, [0, 0], [1, 2], cs.Tunnelling(gamma / 2)) for lead in leads]
    return cs.JumpNetwork([0.0, 0.3 - hopping, 0.3 + hopping], leads, channels, occupations=[0, 1, 1])


@pytest.mark.parametrize(("hopping", "expected"), [(0.0, True), (0.04, True), (0.06, False), (1.0, False)])
def test_levels_nearer_than_the_rates_between_them(hopping, expected):
    """Γ_12 = Σ over leads of √(γ/2·γ/2) = γ against the splitting 2·hopping."""
    flags = cs.steady_state(double_dot(hopping)).flags
    assert bool(flags[COHERENT]) is expected
    assert not flags[BROAD]


def test_degenerate_levels_with_baths_of_their_own_have_no_coherence():
    """Two dots, each with a lead of its own: no bath leads from one state to both."""
    leads = {"left": cs.ElectronBath(1.0, 0.5), "right": cs.ElectronBath(1.0, -0.5), "phonons": cs.BosonBath(1.0)}
    channels = [
        cs.Channel("left", 0, 1, cs.Tunnelling(0.1)),
        cs.Channel("right", 0, 2, cs.Tunnelling(0.1)),
        cs.Channel("phonons", 1, 2, cs.Bosonic(cs.spectral.Ohmic(0.1))),
    ]
    network = cs.JumpNetwork([0.0, 0.3, 0.3], leads, channels, occupations=[0, 1, 1])
    assert not cs.steady_state(network).flags[COHERENT]


def test_states_of_other_charge_have_none():
    leads = {"left": cs.ElectronBath(1.0, 0.0)}
    network = cs.JumpNetwork(
        [0.0, 0.2, 0.0], leads, [cs.Channel("left", [0, 1], [1, 2], cs.Tunnelling(0.1))], occupations=[0, 1, 2]
    )
    assert not cs.steady_state(network).flags[COHERENT]


def test_the_defaults_are_inside():
    flags = cs.steady_state(cs.machines.QuantumDot()).flags
    assert not np.any([flags[BROAD], flags[COHERENT]])
