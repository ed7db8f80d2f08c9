"""Forces, self-energies and pair densities of modes on a conductor: reference values and quadrature."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from tests.conductor.scattering import fermi
from tests.tolerance import assert_close

MATRICES = np.array([[[0.2, 0.05], [0.05, -0.1]], [[0.05, 0.2], [0.2, 0.1]]])
WIDTHS = np.diag([0.6, 0.1]), np.diag([0.1, 0.8])
LEVELS = np.array([[0.1, 0.3], [0.3, -0.2]])


def junction(bias=1.0, frequencies=(0.3, 0.31), temperatures=(0.2, 0.2), strength=1.0, levels=LEVELS, widths=WIDTHS):
    baths = [cs.ElectronBath(t, sign * bias / 2) for t, sign in zip(temperatures, (1, -1), strict=True)]
    leads = {
        name: cs.WideBandLead([0, 1], np.diag(width), bath)
        for name, width, bath in zip(("left", "right"), widths, baths, strict=True)
    }
    modes = cs.Modes(frequencies, strength * MATRICES, {"phonons": cs.BosonBath(0.2)})
    return cs.Conductor(levels, leads, modes)


def test_forces_are_the_reference_values():
    found = cs.conductor.forces(junction())
    still = np.asarray(found.renormalisation + found.nonconservative)
    assert_close(still, np.array([[-0.0207932056, -0.0340911503], [0.0060093202, -0.0315880537]]), 3e-9)
    moving = np.asarray(found.friction + found.berry)
    assert_close(moving, np.array([[0.0282649724, 0.0569482483], [0.0105714283, 0.051538877]]), 2e-6)
    column = cs.conductor.mode_self_energy(junction(), 0.3)[:, 1]
    assert_close(column, np.array([-0.02786615165 - 0.01478719996j, -0.02589426903 - 0.01288277778j]), 2e-8)


COALESCED = np.array([[0.0, 0.1], [0.1, 0.0]]), (np.diag([0.25, 0.05]),) * 2
"""Levels and widths of a conductor at its exceptional point."""
BESIDE = np.array([[0.0, 0.1], [0.1, 1e-9]]), COALESCED[1]
FAR = np.array([[30.0, 0.01], [0.01, 30.1]]), (np.diag([0.01, 0.001]), np.diag([0.002, 0.02]))


@pytest.mark.parametrize(("levels", "widths"), [(LEVELS, WIDTHS), COALESCED, BESIDE, FAR])
def test_pair_densities_are_those_of_plain_quadrature_and_sum_up_to_the_self_energy(levels, widths):
    temperatures, omega, bias = (0.2, 0.07), 0.4, 0.9
    made = junction(bias, temperatures=temperatures, levels=levels, widths=widths)
    found = cs.conductor.pair_densities(made, omega)

    def spectral(energy, width):
        g = np.linalg.inv(energy * np.eye(2) - levels + 0.5j * sum(widths))
        return g @ width @ g.conj().T

    def filled(energy, lead):
        return fermi((energy - (bias / 2, -bias / 2)[lead]) / temperatures[lead])

    total = 0
    for a, one in enumerate(("left", "right")):
        for b, other in enumerate(("left", "right")):

            def weight(energy, part, a=a, b=b):
                inner = MATRICES[0] @ spectral(energy, widths[a]) @ MATRICES[1] @ spectral(energy - omega, widths[b])
                gap = filled(energy, a) - filled(energy - omega, b)
                return -getattr(np.trace(inner), part) * gap / (2 * np.pi)

            marks = [-0.45, -0.05, 0.0, 0.45, 0.85]
            floor = 1e-13 * float(np.max(np.abs(found[f"{one}-{other}"])))
            real, imaginary = (
                quad(weight, -9, 9, (part,), points=marks, epsabs=floor, epsrel=2e-12, limit=300)[0]
                for part in ("real", "imag")
            )
            matrix = np.asarray(found[f"{one}-{other}"])
            assert_close(matrix[0, 1], real + 1j * imaginary, 1e-11)
            total = total + matrix
    retarded = np.asarray(cs.conductor.mode_self_energy(made, omega))
    assert_close(total, 1j * (retarded - retarded.conj().T), 1e-13, np.max(np.abs(retarded)))


def test_normal_modes_solve_the_equation_of_motion_and_a_bias_makes_one_grow():
    quiet, driven = (junction(bias, (0.2, 0.2002), strength=0.3) for bias in (0.0, 2.0))
    still, moving = cs.conductor.normal_modes(quiet), cs.conductor.normal_modes(driven)
    assert np.all(still.dampings > 0)
    assert moving.dampings.min() < 0
    for omega in moving.frequencies - 1j * moving.dampings:
        matrix = np.asarray(cs.conductor.dynamical_matrix(driven, omega))
        assert np.abs(np.linalg.eigvals(matrix) - omega**2).min() < 1e-11 * abs(omega) ** 2


def test_dampings_in_the_far_tails_of_levels_are_those_of_quadrature():
    """Levels 40 above the leads: electrons take out 1e-16 of what is in Π."""
    levels, widths = np.array([[40.0, 0.1], [0.1, 41.0]]), (np.diag([1e-3, 0.0]), np.diag([0.0, 2e-3]))
    made = junction(0.6, (0.5, 0.7), levels=levels, widths=widths)
    found = cs.conductor.normal_modes(made)
    energies = np.linspace(-12, 12, 4001)

    def parts(energy):
        green = np.linalg.inv(energy[:, None, None] * np.eye(2) - levels + 0.5j * sum(widths))
        filled = [fermi((energy - mu) / 0.2) for mu in (0.3, -0.3)]
        return [green @ width @ green.conj().swapaxes(-1, -2) for width in widths], filled

    for omega, damping in zip(np.asarray(found.frequencies), np.asarray(found.dampings), strict=True):
        (one, f), (other, g) = parts(energies), parts(energies - omega)
        density = sum(
            np.einsum("mij,ejk,nkl,eli,e->mn", MATRICES, a, MATRICES, b, y - x)
            for a, x in zip(one, f, strict=True)
            for b, y in zip(other, g, strict=True)
        ) * ((energies[1] - energies[0]) / (2 * np.pi))
        still, up, down = (np.asarray(cs.conductor.mode_self_energy(made, omega + d)) for d in (0.0, 0.01, -0.01))
        values, vectors = np.linalg.eigh(np.diag([0.25, 0.49]) + (still + still.conj().T) / 2)
        u = vectors[:, np.abs(values - omega**2).argmin()]
        shift = (u.conj() @ (up - down) @ u).real / 0.02
        assert_close(damping, (u.conj() @ density @ u).real / 2 / (2 * omega - shift), 1e-9)


def test_weak_and_strong_dampings_are_one_number(monkeypatch):
    """Poles and integrals agree where both have digits."""
    made = junction(0.5, strength=1e-3)
    by_integrals = cs.conductor.normal_modes(made).dampings
    monkeypatch.setattr(importlib.import_module("coldspot.conductor.forces"), "SLOW", 0.0)
    assert 1e-9 < np.min(by_integrals) < np.max(by_integrals) < 1e-6 * 0.3
    assert_close(by_integrals, cs.conductor.normal_modes(made).dampings, 1e-7)


def test_the_dynamical_matrix_has_derivatives_so_that_exceptional_points_are_found_by_newton_steps():
    def matrix(bias):
        return cs.conductor.dynamical_matrix(junction(bias), 0.2)

    slope = jax.vmap(jax.jacfwd(matrix))(jnp.array([0.8, 1.0]))[1]
    step = 1e-4
    assert_close(slope, (matrix(1 + step) - matrix(1 - step)) / (2 * step), 1e-7)


def test_what_has_no_modes_or_coalescing_states_is_refused_in_words():
    bare = cs.Conductor([[0.0]], {"left": cs.WideBandLead(0, 0.2, cs.ElectronBath(0.1))})
    with pytest.raises(cs.InputError, match="forces: the conductor has no `modes`"):
        cs.conductor.forces(bare)
    for levels, widths in (COALESCED, BESIDE):
        with pytest.raises(cs.InputError, match="states nearly coalesce"):
            cs.conductor.mode_self_energy(junction(levels=levels, widths=widths), 0.3 + 0.01j)
