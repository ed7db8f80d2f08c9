"""Modes on leads of any kind, with the electrons' self-energy in their propagator: quadrature and conservation."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from coldspot.conductor.boson_currents import Bosons, at_frequency, dressed
from coldspot.pytrees import Table
from tests.conductor.scattering import chain_sigma, fermi, green
from tests.tolerance import assert_close

LEVELS = np.array([[0.4, 0.2 * np.exp(1.1j)], [0.2 * np.exp(-1.1j), -0.4]])
MATRICES = 0.3 * np.array([[[0.3, 1.0], [1.0, 0.0]], [[1.0, 0.2j], [-0.2j, 0.5]]])
BATHS = {"left": cs.ElectronBath(0.3, -0.25), "right": cs.ElectronBath(0.2, 0.4)}
DAMPINGS = np.array([0.1, 0.05])
FREQUENCIES = np.array([0.8, 0.5])


def junction(dampings=DAMPINGS, back_action=True, leads=None, levels=LEVELS):
    chains = {name: cs.ChainLead(k, 1.0, 0.4, bath) for k, (name, bath) in enumerate(BATHS.items())}
    modes = cs.Modes(FREQUENCIES, MATRICES, {"phonons": cs.BosonBath(0.5)}, dampings, back_action=back_action)
    return cs.Conductor(levels, leads or chains, modes)


OMEGAS = [0.3, 0.8]


@pytest.fixture(scope="module")
def found():
    return cs.conductor.mode_spectra(junction(), OMEGAS)


def spectral(energy):
    sigma = chain_sigma(energy, 1.0, 0.4)
    g = green(LEVELS, [(0, sigma), (1, sigma)], energy)
    return [max(-2 * sigma.imag, 0.0) * np.outer(g[:, k], g[:, k].conj()) for k in (0, 1)]


def filled(energy, lead):
    bath = list(BATHS.values())[lead]
    return fermi((energy - float(bath.chemical_potential)) / float(bath.temperature))


def test_energy_is_conserved_at_each_frequency(found):
    power = np.asarray(found.power.array)
    assert_close(power.sum(-1), np.zeros(2), 1e-13, np.abs(power).max(-1))
    assert np.all(np.abs(power[:, -1]) > 1e-3)


def test_the_propagator_and_the_power_are_those_of_plain_quadrature(found):
    """Emission of every kind of pair, written down with NumPy, and the propagator with the library's Π."""
    omega, kinds = 0.8, [(a, b) for a in (0, 1) for b in (0, 1)]
    edges = sorted({-2.0, 2.0, -2.0 + omega, 2.0 + omega, -0.25, 0.4, 0.55, 1.2, -0.4, 1.0})

    def matrices(a, b, filling):
        def entry(m, n, part):
            def value(energy):
                inner = MATRICES[m] @ spectral(energy)[a] @ MATRICES[n] @ spectral(energy - omega)[b]
                return getattr(np.trace(inner), part) * filling(energy, a, b) / (2 * np.pi)

            pieces = itertools.pairwise(edges)
            return sum(quad(value, low, high, epsabs=1e-10, epsrel=1e-8)[0] for low, high in pieces)

        own = {(m, n): entry(m, n, "real") + 1j * entry(m, n, "imag") for m, n in ((0, 0), (0, 1), (1, 1))}
        return np.array([[own[0, 0], own[0, 1]], [own[0, 1].conjugate(), own[1, 1]]])

    emitted = [matrices(a, b, lambda e, a, b: filled(e, a) * (1 - filled(e - omega, b))) for a, b in kinds]
    absorbed = [matrices(a, b, lambda e, a, b: (1 - filled(e, a)) * filled(e - omega, b)) for a, b in kinds]
    pi = np.asarray(found.self_energy)[1]
    assert_close(1j * (pi - pi.conj().T), sum(absorbed) - sum(emitted), 1e-7)
    lost, n = DAMPINGS * omega, 1 / np.expm1(omega / 0.5)
    d = np.linalg.inv(np.diag(omega**2 - FREQUENCIES**2 + 1j * lost) - pi)
    less = d @ (sum(emitted) + np.diag(2 * lost * n)) @ d.conj().T
    more = d @ (sum(absorbed) + np.diag(2 * lost * (1 + n))) @ d.conj().T
    assert_close(found.propagator[1], d, 1e-12)
    assert_close(found.emission[1], less, 1e-7)
    for k, (e, a) in enumerate(zip(emitted, absorbed, strict=True)):
        power = omega * np.trace(e @ more - a @ less).real
        assert_close(found.power.array[1, k], power, 1e-6)


def test_leads_give_at_each_frequency_what_the_baths_of_the_modes_take(found):
    """Their currents are integrals of their own, which know nothing of the pairs' energies."""
    made = junction()

    @jax.jit
    def at(omega):
        d = dressed(made.matrix, made.leads, made.modes, omega)
        return d.power, at_frequency(made.matrix, made.leads, made.modes.couplings, omega, d.bosons)[0]

    power, currents = at(0.8)
    assert_close(power.sum(), found.power["phonons"][1], 1e-12)
    particles, heats = currents[:2], currents[3:5]
    energies = heats + np.array([-0.25, 0.4]) * particles
    assert_close(particles.sum(), 0.0, 1e-11, np.abs(particles).max())
    assert_close(energies.sum(), -power.sum(), 1e-10)


def test_a_state_outside_of_the_bands_that_modes_link_is_refused_in_words():
    made = junction(levels=LEVELS + np.diag([3.0, 0.0]))
    with pytest.raises(cs.InputError, match="link a state without width, outside of the leads' bands"):
        cs.conductor.mode_spectra(made, OMEGAS)


def test_bad_back_action_is_refused_in_words():
    with pytest.raises(cs.InputError, match="`dampings` must say"):
        junction(None)
    with pytest.raises(cs.InputError, match="`back_action` must be True or False, but is 1"):
        junction(DAMPINGS, 1)
    with pytest.raises(cs.InputError, match="narrow modes have no spectrum"):
        cs.conductor.mode_spectra(junction(None, False), 1.0)
    with pytest.raises(cs.InputError, match="normal_modes: growth and decay"):
        cs.conductor.normal_modes(junction())
    with pytest.raises(cs.InputError, match="mode_self_energy: frequencies must be real"):
        cs.conductor.mode_self_energy(junction(), 1.0 + 0.1j)


def test_a_mode_that_electrons_leave_no_rest_is_unstable():
    """Its stiffness Ω² + Π(0) by plain quadrature: Π(0) = ∂tr[Mρ]/∂u is −.131, so that it has none below Ω = .363."""
    h, m, widths, temperatures = [[0.4, 0.3], [0.3, -0.4]], [[0.2, 0.3], [0.3, 0.0]], (0.2, 0.3), (0.3, 0.2)

    def pull(u):
        """tr[Mρ] at a displacement."""
        x = np.linspace(-1, 1, 100_001)
        energies = np.tan(x * np.pi / 2 * 0.9999)
        g = np.linalg.inv(energies[:, None, None] * np.eye(2) - np.array(h) - u * np.array(m) + 0.5j * np.diag(widths))
        filled = [fermi((energies - bias) / t) for bias, t in zip((0.3, 0.0), temperatures, strict=True)]
        rho = np.einsum(
            "nij,jn,nkj,n->ik", g, np.array(filled) * np.array(widths)[:, None], g.conj(), np.gradient(energies)
        )
        return np.trace(np.array(m) @ rho).real / (2 * np.pi)

    softening = (pull(1e-3) - pull(-1e-3)) / 2e-3
    leads = {
        name: cs.WideBandLead(k, widths[k], cs.ElectronBath(temperatures[k], (0.3, 0.0)[k]))
        for k, name in enumerate(("left", "right"))
    }
    modes = cs.Modes([0.5], [m], {"phonons": cs.BosonBath(0.3)}, [0.0], back_action=True)
    ds = cs.sweep(cs.Conductor(h, leads, modes), {"modes.frequencies[0]": [0.5, 0.3]})
    assert 0.3**2 + softening < 0 < 0.5**2 + softening
    assert ds.status.values[1] == int(cs.Status.UNSTABLE) != ds.status.values[0]
    # A point without a state has no numbers, and leaves the others what they are alone.
    alone = cs.sweep(cs.Conductor(h, leads, modes), {"modes.frequencies[0]": [0.5]})
    assert np.all(np.isnan(ds.heat.values[1]))
    assert np.array_equal(ds.heat.values[0], alone.heat.values[0])
    assert np.array_equal(ds.particles.values[0], alone.particles.values[0], equal_nan=True)
    # What is left of the second order breaks the second law here, which is said.
    assert bool(ds.second_order_not_small[0])


def test_why_there_is_no_rest_is_said_with_rates_where_a_mode_gains_by_itself():
    h, m = [[0.4, 0.3], [0.3, -0.4]], [[0.2, 0.3], [0.3, 0.0]]

    def words(omega, gamma, bias):
        baths = {"left": cs.ElectronBath(0.2, bias / 2), "right": cs.ElectronBath(0.2, -bias / 2)}
        leads = {name: cs.WideBandLead(k, gamma, bath) for k, (name, bath) in enumerate(baths.items())}
        modes = cs.Modes([omega], [m], {"phonons": cs.BosonBath(0.3)}, [0.0], back_action=True)
        return cs.Conductor(h, leads, modes).explain(cs.Status.UNSTABLE)

    assert "leave the modes no rest" in words(0.3, 0.3, 0.0)
    assert re.search(
        r"emit into mode 0 at the rate [\d.]+ and absorb at .*; its bath damps it by 0 only", words(1.0, 0.1, 6.0)
    )


def test_slopes_in_equilibrium_see_what_a_self_energy_hides_where_no_boson_is_exchanged():
    """A real D^r alone, cold against ω: nothing flows, no event is resolved, and the elastic part has a slope."""
    t, omega, m, strength = 0.02, 0.5, 0.3, 1.3

    def sigma(e):
        return -0.15j + 2e-5 / (e - 0.05 + 1e-4j)

    @jax.jit
    def slopes(omega, bosons):
        def of(mu):
            baths = cs.ElectronBath(t, mu), cs.ElectronBath(t)
            own = cs.SelfEnergyLead(sigma, 0, baths[0]), cs.WideBandLead(0, 0.5, baths[1])
            h, table = jnp.asarray([[0.1 + 0j]]), Table(dict(zip("lr", own, strict=True)))
            value, _, converged = at_frequency(h, table, jnp.asarray([[[m + 0j]]]), omega, bosons)
            return value, converged

        return jax.jvp(of, (jnp.zeros(()),), (jnp.ones(()),), has_aux=True)

    nothing = jnp.zeros((1, 1), complex)
    _, found, _ = slopes(jnp.asarray(omega), Bosons(nothing, nothing, nothing + strength))
    # Far above the temperature rounding of exponentials is all that is left, and nothing asks for more.
    value, _, converged = slopes(jnp.asarray(3.0), Bosons(nothing + 1, nothing + np.exp(-3.0 / t), nothing + strength))
    assert bool(converged)
    assert np.all(np.abs(np.delete(value, [2, 5, 7])) < 1e-12 * value[2])
    x, w = np.polynomial.legendre.leggauss(20)
    near = [at + s * 2e-5 * 2.0 ** np.arange(17) for at in (0.05, 0.05 - omega, 0.05 + omega) for s in (1, -1)]
    edges = np.unique(np.concatenate([np.linspace(-1.9, 1.9, 381), *near]))
    edges = edges[np.abs(edges) <= 1.9]
    e, w = (edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * x, np.diff(edges)[:, None] / 2 * w

    def parts(e):
        green = 1 / (e - 0.1 - sigma(e) + 0.25j)
        return green, -2 * sigma(e).imag, np.abs(green) ** 2

    def filled(e):
        return (parts(e)[1] + 0.5) * parts(e)[2] * fermi(e / t)

    green, width, square = parts(e)
    shifted = -(m**2) * strength * (filled(e - omega) + filled(e + omega))
    flow = w * 2 * (width * green * shifted).real * square * 0.5 * fermi(e / t) * fermi(-e / t) / t / (2 * np.pi)
    assert_close(found[0], flow.sum(), 1e-10)
    assert_close(found[3], (flow * e).sum(), 1e-10)
