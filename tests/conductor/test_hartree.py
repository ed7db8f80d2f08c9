"""The static shift of levels by modes against finite differences of the elastic ledger on plain quadrature, and limits.

The second route has Gauss–Legendre panels of its own: of ρ over all filled states, and of Landauer's integrals with the
levels moved a little by what ρ says.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.conductor.hartree import hartree
from coldspot.pytrees import Table
from tests.conductor.scattering import fermi
from tests.tolerance import assert_close

H = np.array([[0.4, 0.2 + 0.15j], [0.2 - 0.15j, -0.3]])
MODES = np.array([[[0.1, 0.3], [0.3, 0.0]], [[0.2, 0.1j], [-0.1j, -0.25]]])
FREQUENCIES = np.array([0.8, 0.5])
BATHS = {"left": (0.2, 0.3), "right": (0.1, -0.2)}


def wide(sites):
    return {
        name: cs.WideBandLead(k % sites, 0.2 + 0.1 * k, cs.ElectronBath(*bath))
        for k, (name, bath) in enumerate(BATHS.items())
    }


def mixed(sites):
    (left, right) = (cs.ElectronBath(*bath) for bath in BATHS.values())
    return {"left": cs.ChainLead(0, 1.0, 0.4, left), "right": cs.WideBandLead(sites - 1, 0.3, right)}


def sigmas(kind, sites, energies):
    """Σ of each lead (lead, energy, site, site)."""
    each = np.zeros((2, energies.size, sites, sites), complex)
    root = np.sqrt(np.abs(4 - energies**2)) * np.where(np.abs(energies) < 2, 1j, np.sign(energies))
    outer = 2 / (energies + root)  # |t| = 1: (ε − root)/2 without cancellation
    each[0, :, 0, 0] = -0.1j if kind is wide else 0.16 * np.where(np.abs(energies) < 2, (energies - root) / 2, outer)
    each[1, :, sites - 1, sites - 1] = -0.15j
    return each


def spectra(kind, h, energies):
    """G (energy, site, site), and Γ and A of each lead."""
    sigma = sigmas(kind, len(h), energies)
    green = np.linalg.inv(energies[:, None, None] * np.eye(len(h)) - h - sigma.sum(0))
    widths = 1j * (sigma - np.conj(np.swapaxes(sigma, -1, -2)))
    return green, widths, green @ widths @ np.conj(np.swapaxes(green, -1, -2))


def rule(kind):
    """Energies and weights: all of the axis as ε = sinh t, or the band as 2 sin t and what is beyond as ∓2 cosh t."""
    x, w = np.polynomial.legendre.leggauss(20)

    def panels(low, high, many):
        ends = np.linspace(low, high, many + 1)
        middle, half = (ends[1:] + ends[:-1]) / 2, (ends[1] - ends[0]) / 2
        return (middle[:, None] + half * x).reshape(-1), np.tile(half * w, many)

    if kind is wide:
        t, weights = panels(-34, 4, 300)
        return np.sinh(t), np.cosh(t) * weights
    (band, inside), (below, far), (above, near) = (
        panels(*ends) for ends in ((-np.pi / 2, np.pi / 2, 60), (0, 34, 100), (0, 3, 20))
    )
    energies = np.concatenate([2 * np.sin(band), -2 * np.cosh(below), 2 * np.cosh(above)])
    slopes = np.concatenate([2 * np.cos(band) * inside, 2 * np.sinh(below) * far, 2 * np.sinh(above) * near])
    return energies, slopes


def filled(energies):
    return [fermi((energies - mu) / t) for t, mu in BATHS.values()]


def pushes(kind, h, couplings):
    """tr[M^mρ] (mode)."""
    energies, weights = rule(kind)
    rho = sum(
        np.einsum("e,eij->ij", weights * f, a)
        for f, a in zip(filled(energies), spectra(kind, h, energies)[2], strict=True)
    )
    return np.einsum("mij,ji->m", couplings, rho).real / (2 * np.pi)


def elastic(kind, h):
    """Particles and heat into the conductor from each lead."""
    energies, weights = rule(kind)
    _, widths, spectral = spectra(kind, h, energies)
    passed = np.einsum("eij,eji->e", widths[0], spectral[1]).real * (filled(energies)[0] - filled(energies)[1])
    above = [energies - mu for _, mu in BATHS.values()]
    flows = [sign * passed * weights / (2 * np.pi) for sign in (1, -1)]
    return np.array([[f.sum() for f in flows], [(f * e).sum() for f, e in zip(flows, above, strict=True)]])


def expected(kind, h, couplings, frequencies, back_action):
    """The change of the elastic ledger by the levels' shift, to first order in that."""
    stiffness = np.diag(frequencies**2)
    if back_action:  # the displacement's own pull on the electrons, one step of Newton's method from rest
        step = 1e-4
        moved = [[pushes(kind, h + s * step * m, couplings) for s in (1, -1)] for m in couplings]
        stiffness = stiffness + np.array([(one - other) / (2 * step) for one, other in moved]).T
    shift = np.einsum("m,mij->ij", -np.linalg.solve(stiffness, pushes(kind, h, couplings)), couplings)
    one, two = ((elastic(kind, h + s * shift) - elastic(kind, h - s * shift)) / (2 * s) for s in (1e-3, 2e-3))
    return (4 * one - two) / 3


@pytest.mark.parametrize(("kind", "back_action"), [(wide, True), (mixed, False)])
def test_the_shift_changes_the_elastic_ledger_as_finite_differences_of_quadrature_say(kind, back_action):
    @jax.jit
    def run(h, couplings, frequencies, leads):
        baths = {"phonons": cs.BosonBath(0.3)}
        modes = cs.Modes(frequencies, couplings, baths, [0.1, 0.1], back_action=back_action, hartree=True)
        return hartree(h, leads, modes)

    value, error, good = run(H, MODES, FREQUENCIES, Table(kind(2)))
    found = np.stack([value.particles, value.heats])
    exact = expected(kind, H, MODES, FREQUENCIES, back_action)
    assert bool(good)
    assert_close(found, exact, 1e-8, np.abs(exact).max())
    assert np.all(np.stack([error.particles, error.heats]) < (1e-9 if back_action else 1e-12) * np.abs(exact).max())
    heats, numbers = (np.asarray(part) for part in (value.heats, value.particles))
    works = numbers * np.array([mu for _, mu in BATHS.values()])
    assert abs(numbers.sum()) < 1e-14 * np.abs(numbers).max()
    assert abs((heats + works).sum()) < 1e-14 * np.abs(heats).max()


def test_one_level_is_shifted_by_its_filling():
    """δT of one level is −(dT/dε)·(−M²n/Ω²); by parts, what is left is ∫T·d(f_L−f_R)/dε."""
    level, m, omega = 0.15, 0.3, 0.8
    leads = Table(wide(1))
    modes = cs.Modes([omega], [[[m]]], {"phonons": cs.BosonBath(0.3)}, hartree=True)
    value, *_ = jax.jit(hartree)(jnp.array([[level + 0j]]), leads, modes)
    energies, weights = rule(wide)
    gammas = np.array([0.2, 0.3])
    line = gammas.sum() / ((energies - level) ** 2 + gammas.sum() ** 2 / 4)
    f = np.stack(filled(energies))
    n = np.sum(weights * line * (gammas @ f)) / gammas.sum() / (2 * np.pi)
    slopes = [-one * (1 - one) / t for one, (t, _) in zip(f, BATHS.values(), strict=True)]
    passed = gammas.prod() / gammas.sum() * line
    exact = -(m**2) * n / omega**2 * np.sum(weights * passed * (slopes[0] - slopes[1])) / (2 * np.pi)
    assert_close(value.particles, [exact, -exact], 1e-12)
    with pytest.raises(cs.InputError, match="`hartree` must be True or False, but is 1"):
        cs.Modes([omega], [[[m]]], {"phonons": cs.BosonBath(0.3)}, hartree=1)


def test_the_shift_has_its_slopes_in_equilibrium_where_nothing_flows():
    """Panels must follow what passes both ways, or what a self-energy hides is not in the slopes."""
    level, t, omega, m = 0.1, 0.05, 0.6, 0.2

    def sigma(e):
        return -0.15j + 2e-5 / (e - 0.07 + 1e-4j)

    @jax.jit
    def slopes(mu):
        def of(mu):
            baths = cs.ElectronBath(t, mu), cs.ElectronBath(t)
            own = cs.WideBandLead(0, 0.5, baths[0]), cs.SelfEnergyLead(sigma, 0, baths[1])
            modes = cs.Modes([omega], [[[m]]], {"phonons": cs.BosonBath(0.3)}, hartree=True)
            value, *_ = hartree(jnp.asarray([[level + 0j]]), Table(dict(zip("lr", own, strict=True))), modes)
            return jnp.stack([value.particles, value.heats])

        return jax.jvp(of, (mu,), (jnp.ones(()),))

    still, found = slopes(jnp.zeros(()))
    x, w = np.polynomial.legendre.leggauss(20)
    steps = 2e-5 * 2.0 ** np.arange(17)
    edges = np.concatenate([-(2.0 ** np.arange(1, 60)), np.linspace(-2, 3, 251), 0.07 + steps, 0.07 - steps])
    edges = np.unique(edges)
    e, w = (edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * x, np.diff(edges)[:, None] / 2 * w
    green, width = 1 / (e - level - sigma(e) + 0.25j), -2 * sigma(e).imag
    size = np.abs(green) ** 2 * w / (2 * np.pi)
    shift = -(m**2) / omega**2 * ((0.5 + width) * size * fermi(e / t)).sum()
    slope = shift * 2 * green.real * 0.5 * width * size * fermi(e / t) * fermi(-e / t) / t
    assert np.all(np.asarray(still) == 0)
    assert_close(found[:, 0], [slope.sum(), (slope * e).sum()], 1e-11)
