"""Electrons as baths of an oscillator network: against quadrature over energy, and Lyapunov's equation."""

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import coldspot as cs
from tests.conductor.scattering import fermi
from tests.conductor.test_forces import COALESCED, LEVELS, MATRICES, WIDTHS, junction
from tests.tolerance import assert_close

COALESCING = [COALESCED[0] + np.diag([0.0, split]) for split in (0.0, 1e-4, -1e-4)]
"""Levels at the exceptional point, and on both sides, where poles serve still."""


def noise(bias, temperatures):
    """Σ_αβ ∫dε/2π tr[M^m A_α M^n A_β] f_α(1−f_β) (mode, mode): emission, and absorption too, of no energy."""
    energies = np.linspace(-20.0, 20.0, 801)
    green = np.linalg.inv(energies[:, None, None] * np.eye(2) - LEVELS + 0.5j * sum(WIDTHS))
    spectral = [green @ width @ green.conj().swapaxes(-1, -2) for width in WIDTHS]
    f = [fermi((energies - sign * bias / 2) / t) for sign, t in zip((1, -1), temperatures, strict=True)]
    filled, free = (
        sum(w[:, None, None] * a for w, a in zip(part, spectral, strict=True)) for part in (f, [1 - x for x in f])
    )
    traces = np.einsum("mij,ejk,nkl,eli->mne", MATRICES, filled, MATRICES, free).real
    return np.sum(traces, axis=-1) * (energies[1] - energies[0]) / (2 * np.pi)  # analytic, and nothing at the ends


def test_friction_and_noise_are_those_of_the_electrons_at_any_bias():
    for bias, temperatures in ((0.0, (0.2, 0.2)), (0.8, (0.2, 0.2)), (0.5, (0.2, 0.35))):
        made = junction(bias, temperatures=temperatures)
        found, forces = cs.conductor.langevin(made), cs.conductor.forces(made)
        assert_close(sum(found.frictions.values()), forces.friction, 1e-13)
        each = [2 * found.baths[name].temperature * found.frictions[name] for name in found.baths]
        assert_close(sum(each), noise(bias, temperatures), 1e-12)
        assert all(np.linalg.matrix_rank(np.asarray(own), 1e-9) == 1 for own in found.frictions.values())
        if bias == 0:
            assert_close([bath.temperature for bath in found.baths.values()], [0.2, 0.2], 1e-12)
            # Also where levels are far away, and electrons take out little.
            far = cs.conductor.langevin(junction(0.0, levels=np.diag([15.0, 15.1]), widths=[w / 500 for w in WIDTHS]))
            assert_close([bath.temperature for bath in far.baths.values()], [0.2, 0.2], 1e-12)
            # And where states of the conductor coalesce: integrals, and poles on both sides.
            each = [cs.conductor.langevin(junction(0.0, levels=levels, widths=COALESCED[1])) for levels in COALESCING]
            assert_close(each[0].springs, (each[1].springs + each[2].springs) / 2, 1e-7)
            assert_close([bath.temperature for bath in each[0].baths.values()], [0.2, 0.2], 1e-12)
            continue
        assert_close(found.springs, np.diag([0.09, 0.31**2]) + forces.renormalisation, 1e-14)
        assert_close(found.force, -forces.nonconservative, 1e-14)
        assert_close(found.berry, -forces.berry, 1e-14)


def test_a_network_of_atoms_takes_the_electrons_as_its_baths():
    """Two modes and a third atom with phonons of its own, without the Berry force: heat and work of Lyapunov's."""
    electrons = cs.conductor.langevin(junction(0.3))
    springs = np.zeros((3, 3))
    springs[:2, :2] = electrons.springs
    springs += 0.2 * np.array([[0, 0, 0], [0, 1, -1], [0, -1, 2]])
    force = np.zeros((3, 3))
    force[:2, :2] = electrons.force
    s = cs.steady_state(
        cs.OscillatorNetwork(
            [1.0] * 3,
            springs,
            electrons.frictions | {"phonons": 0.1},
            electrons.baths | {"phonons": cs.HeatBath(0.2)},
            {name: [0, 1] for name in electrons.baths} | {"phonons": 2},
            forces={"current": force},
        )
    )
    friction, diffusion = np.diag([0, 0, 0.1]), np.diag([0, 0, 0.02])
    for name, own in electrons.frictions.items():
        friction[:2, :2] += own
        diffusion[:2, :2] += electrons.baths[name].temperature * own
    drift = np.block([[np.zeros((3, 3)), np.eye(3)], [force - springs, -friction]])
    noisy = np.zeros((6, 6))
    noisy[3:, 3:] = 2 * diffusion
    covariance = solve_continuous_lyapunov(drift, -noisy)
    assert_close(s.work["current"], np.sum(force * covariance[3:, :3]), 1e-11)
    assert_close(s.heat["phonons"], 0.1 * (0.2 - covariance[5, 5]), 1e-11)
    assert s.work["current"] > 0  # the current pumps energy into the atoms


def test_electrons_that_push_are_no_bath():
    with pytest.raises(cs.InputError, match=r"(?s)langevin: the electrons do not damp.*eigenvalue -.*normal_modes"):
        cs.conductor.langevin(junction(4.0))
    with pytest.raises(cs.InputError, match=r"`frequency` must be finite and not negative, but is -1"):
        cs.conductor.langevin(junction(), -1.0)
