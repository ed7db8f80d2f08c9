"""Noise of charge and heat against closed forms, plain quadrature and the theorems of equilibrium."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from coldspot.compiler import LIGHT
from coldspot.conductor.higher_cumulants import higher
from coldspot.conductor.noise import Weighed
from tests.conductor.scattering import fermi
from tests.tolerance import assert_close

TARGETS = [("particles", "left"), ("heat", "left"), ("particles", "right"), ("heat", "right")]


def dot(level=0.2, left=0.5, right=0.3, t1=0.1, m1=0.3, t2=0.2, m2=-0.4):
    return cs.Conductor(
        [[level]],
        {
            "left": cs.WideBandLead(0, left, cs.ElectronBath(t1, m1)),
            "right": cs.WideBandLead(0, right, cs.ElectronBath(t2, m2)),
        },
    )


def covariance(conductor):
    return np.asarray(cs.counting(conductor, TARGETS).covariance())


def test_noise_of_one_level_against_plain_quadrature():
    found = covariance(dot())

    def spectrum(energy, power_left, power_right):
        t = 0.15 / ((energy - 0.2) ** 2 + 0.16)
        a, b = fermi((energy - 0.3) / 0.1), fermi((energy + 0.4) / 0.2)
        s = t * (a * (1 - a) + b * (1 - b)) + t * (1 - t) * (a - b) ** 2
        return s * (energy - 0.3) ** power_left * (energy + 0.4) ** power_right / (2 * np.pi)

    def value(i, j):
        return quad(spectrum, -12, 12, (i, j), points=[0.2, 0.3, -0.4], epsabs=1e-15, epsrel=1e-13, limit=500)[0]

    sign = np.array([1, 1, -1, -1])
    powers = [(0, 0), (1, 0), (0, 0), (0, 1)]
    expected = [[sign[i] * sign[j] * value(*np.add(powers[i], powers[j])) for j in range(4)] for i in range(4)]
    assert_close(found, expected, 1e-12)


def moments(level, left, right, t, mu):
    """∫dε/2π T (ε−μ)ⁿ (−f′) for n = 0, 1, 2."""
    gamma = left + right

    def value(x, n):
        energy = mu + t * x
        return left * right / ((energy - level) ** 2 + gamma**2 / 4) * (t * x) ** n / (4 * np.cosh(x / 2) ** 2)

    point = (level - mu) / t
    return [
        quad(value, -45, 45, (n,), points=[point, 0.0], epsabs=1e-18, epsrel=1e-13, limit=800)[0] / (2 * np.pi)
        for n in range(3)
    ]


def test_linear_response_is_that_of_the_integrals_and_of_the_noise_in_equilibrium():
    """G, S, Π, κ, ZT from moments of the transmission; Johnson and Nyquist: cov = 2L."""
    t, mu = 0.15, 0.1
    conductor = dot(t1=t, m1=mu, t2=t, m2=mu)
    response = cs.linear_response(conductor)
    k0, k1, k2 = moments(0.2, 0.5, 0.3, t, mu)
    assert_close(response.conductance, k0, 1e-12)
    assert_close(response.seebeck, -k1 / (t * k0), 1e-12)
    assert_close(response.peltier, -k1 / k0, 1e-12)
    assert_close(response.thermal_conductance, (k2 - k1**2 / k0) / t, 1e-12)
    assert_close(response.figure_of_merit, k1**2 / (k0 * k2 - k1**2), 1e-11)
    found = covariance(conductor)
    for i, one in enumerate(TARGETS):
        for j, other in enumerate(TARGETS):
            assert_close(found[i, j], 2 * response.coefficient(one, other), 1e-10, scale=found.max())


def test_linear_response_sees_what_a_self_energy_hides():
    """In equilibrium nothing flows: panels that follow the flow would be left as they were at the start."""
    t = 0.1
    widths = (lambda e: 0.2 + 3.2e-5 / ((e - 0.23) ** 2 + 1e-4), lambda e: 0.4 + 0.2 * np.cos(40 * e))
    leads = {
        "left": cs.SelfEnergyLead(lambda e: -0.1j + 16e-4 / (e - 0.23 + 0.01j), 0, cs.ElectronBath(t)),
        "right": cs.SelfEnergyLead(lambda e: -0.2j - 0.1j * jnp.cos(40 * e), 0, cs.ElectronBath(t)),
    }
    response = cs.linear_response(cs.Conductor([[0.1]], leads))

    def value(e, n):
        left, right = (width(e) for width in widths)
        shift = 16e-4 * (e - 0.23) / ((e - 0.23) ** 2 + 1e-4)
        passed = left * right / ((e - 0.1 - shift) ** 2 + (left + right) ** 2 / 4)
        return passed * e**n / (4 * t * np.cosh(e / (2 * t)) ** 2) / (2 * np.pi)

    edges = np.unique(np.concatenate([np.linspace(-4, 4, 161), np.linspace(0.13, 0.33, 41)]))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    e, w = (middle[:, None] + half[:, None] * nodes), half[:, None] * weights
    k0, k1, k2 = (np.sum(w * value(e, n)) for n in range(3))
    assert_close(response.conductance, k0, 1e-12)
    assert_close(response.seebeck, -k1 / (t * k0), 1e-12)
    assert_close(response.thermal_conductance, (k2 - k1**2 / k0) / t, 1e-12)


def test_a_needle_in_a_self_energy_is_found_in_the_tail_of_the_window():
    """Between nodes it leaves less than the root of a panel's error, and is up to 10⁻⁹ of the current."""
    places, width, strength, bias = np.linspace(6.4, 8.4, 60), 1e-5, 2.6e-7, 0.01

    def build(place):
        needle = cs.SelfEnergyLead(lambda e: -0.05j + strength / (e - place + 1j * width), 0, cs.ElectronBath(1.0))
        return cs.Conductor([[-3.0]], {"left": cs.WideBandLead(0, 0.6, cs.ElectronBath(1.0, bias)), "right": needle})

    found = cs.sweep(build, {"place": places})
    nodes, weights = np.polynomial.legendre.leggauss(20)
    steps = 2.0 ** np.arange(-22, 4)
    for k, place in enumerate(places):
        edges = np.unique(np.concatenate([np.linspace(-45, 45, 361), place + steps, place - steps, [place]]))
        e = (edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * nodes
        sigma = -0.05j + strength / (e - place + 1j * width)
        passed = -2 * 0.6 * sigma.imag / np.abs(e + 3.0 - sigma + 0.3j) ** 2
        flow = np.diff(edges)[:, None] / 2 * weights * passed * fermi(e - bias) * fermi(-e) * -np.expm1(-bias)
        expected = np.array([flow.sum(), (flow * (e - bias)).sum()]) / (2 * np.pi)
        assert_close(found["particles"].sel(bath="left")[k], expected[0], 1e-13)
        assert_close(found["heat"].sel(bath="left")[k], expected[1], 1e-13)


def test_wiedemann_and_franz_and_the_best_thermoelectric_of_mahan_and_sofo():
    # A band that is wide against the temperature: κ = (π²/3) G T up to (T/Γ)².
    t = 1e-6
    wide = cs.linear_response(dot(level=0.0, t1=t, m1=0.0, t2=t, m2=0.0))
    assert_close(wide.thermal_conductance, np.pi**2 / 3 * t * wide.conductance, 1e-10)
    # A level that is narrow against it carries heat and charge in one proportion: ZT grows as T/Γ.
    narrow = [dot(level=0.24, left=g, right=g, t1=0.1, m1=0.0, t2=0.1, m2=0.0) for g in (1e-6, 1e-7)]
    merits = [float(cs.linear_response(one).figure_of_merit) for one in narrow]
    assert merits[0] > 1e4
    assert_close(merits[1] / merits[0], 10.0, 1e-3)


def test_shot_noise_at_low_temperature_and_wide_bias():
    """Fano factor (Γ_L² + Γ_R²)/(Γ_L+Γ_R)² of a level in the middle of a wide bias; Schottky's 1 of a weak contact."""
    found = covariance(dot(left=5e-6, right=3e-6, t1=1e-9, m1=5e6, t2=1e-9, m2=-5e6))
    assert_close(found[0, 0], 15e-6 / 8 * (25 + 9) / 64, 1e-10)
    weak = covariance(dot(left=5e-6, right=5e-17, t1=1e-9, m1=5e6, t2=1e-9, m2=-5e6))
    assert_close(weak[0, 0], 5e-17, 1e-10)


def by_determinant(h, widths, baths, own, power, radius):
    """Cumulants 1 to 4 of (ε−μ)^power: χ(λ) = ∫dε/2π ln det[1 + F(e^{λxP} S† e^{−λxP} S − 1)] on a circle of λ."""
    leads = range(len(baths))
    x, w = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(-12.5, 12.5, 126)
    energies = ((edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * x).reshape(-1)
    weights = (np.diff(edges)[:, None] / 2 * w).reshape(-1) / (2 * np.pi)
    values, vectors = np.linalg.eigh(widths)
    roots = np.einsum("aij,aj,akj->aik", vectors, np.sqrt(np.maximum(values, 0)), vectors.conj())
    g = np.linalg.inv(energies[:, None, None] * np.eye(2) - h + 0.5j * sum(widths))
    blocks = [[(a == b) * np.eye(2) - 1j * roots[a] @ g @ roots[b] for b in leads] for a in leads]
    s = np.concatenate([np.concatenate([part + np.zeros_like(g) for part in row], -1) for row in blocks], -2)
    f = np.repeat([fermi((energies - mu) / t) for t, mu in baths], 2, axis=0).T[:, :, None]
    many, channels = 32, 2 * len(baths)
    carried = (energies - baths[own][1]) ** power
    logarithms = []
    for turn in np.exp(2j * np.pi * np.arange(many) / many) * radius:
        grown = np.where(np.arange(channels) // 2 == own, np.exp(turn * carried)[:, None], 1.0)[:, :, None]
        turned = grown * s.conj().swapaxes(-1, -2) @ (s / grown)
        logarithms.append(weights @ np.log(np.linalg.det(np.eye(channels) + f * (turned - np.eye(channels)))))
    orders = np.arange(1, 5)
    return (np.fft.fft(logarithms)[orders] / many / radius**orders).real * [1, 2, 6, 24]


def test_cumulants_of_two_channels_are_derivatives_of_the_determinant_of_levitov_and_lesovik():
    h = np.array([[0.3, 0.25 + 0.1j], [0.25 - 0.1j, -0.2]])
    widths = [np.array([[0.5, 0.2j], [-0.2j, 0.3]]), np.array([[0.2, 0.1], [0.1, 0.6]])]
    baths = [(0.3, 0.4), (0.2, -0.5)]
    leads = {
        name: cs.WideBandLead([0, 1], width, cs.ElectronBath(*bath))
        for name, width, bath in zip(("left", "right"), widths, baths, strict=True)
    }
    targets = [("particles", "left"), ("heat", "right")]
    found = cs.counting(cs.Conductor(h, leads), targets).cumulants(4)
    for k, (own, power, radius) in enumerate(((0, 0, 1.0), (1, 1, 0.15))):
        exact = by_determinant(h, widths, baths, own, power, radius)
        assert_close(found.values[k], exact, 1e-10, np.abs(exact))
        assert np.all(found.errors[k] < 1e-11 * np.abs(exact).max())


def noise_of_two_narrow_states(level, link, width, t, mu):
    """cov of particles on the left and of heat on the right of two sites that are alike, each state about its pole."""
    squares = np.zeros(2)
    for side in (-1, 1):
        # Offsets from the pole keep their digits, at panels whose lengths double from the width on.
        steps = np.concatenate([[0.0], width * 2.0 ** np.arange(-2, 60)])
        ends = np.concatenate([steps[steps < link], [link]])
        outer = np.concatenate([steps[steps < 30.0], [30.0]])
        for cuts, way in ((ends, -side), (outer, side)):
            x, w = np.polynomial.legendre.leggauss(24)
            half = np.diff(cuts)[:, None] / 2
            y = way * ((cuts[:-1, None] + half) + half * x)
            energy = level + side * link + y
            passed = (width * link) ** 2 / ((y**2 + width**2 / 4) * ((y + 2 * side * link) ** 2 + width**2 / 4))
            a, b = (fermi((energy - m) / k) for m, k in zip(mu, t, strict=True))
            density = passed * (a * (1 - a) + b * (1 - b)) + passed * (1 - passed) * (a - b) ** 2
            squares += [np.sum(half * w * density), np.sum(half * w * density * (energy - mu[1]) ** 2)]
    return squares / (2 * np.pi)


@pytest.mark.parametrize("width", [1e-5, 1e-9])
def test_noise_of_states_that_contacts_hardly_touch_is_known_to_rounding(width):
    """Elimination alone loses |H|/Γ roundings of each Green's function: 1e-7 of the narrower one."""
    h = np.array([[0.1, 0.25 + 0.0j], [0.25, 0.1]])
    widths = [np.diag([width, 0.0j]), np.diag([0.0, width])]
    leads = {
        name: cs.WideBandLead([0, 1], gamma, cs.ElectronBath(*bath))
        for name, gamma, bath in zip(("left", "right"), widths, [(0.3, 0.4), (0.2, -0.5)], strict=True)
    }
    found = cs.counting(cs.Conductor(h, leads), [("particles", "left"), ("heat", "right")]).cumulants(4)
    assert found.status == 0
    exact = noise_of_two_narrow_states(0.1, 0.25, width, (0.3, 0.2), (0.4, -0.5))
    assert_close(found.values[:, 1], exact, 1e-13, exact)
    assert np.all(found.errors[:, 1] < 1e-11 * exact)


def test_third_and_fourth_cumulants_between_three_leads_are_those_of_the_determinant_too():
    h = np.array([[0.3, 0.25 + 0.1j], [0.25 - 0.1j, -0.2]])
    widths = [np.diag([0.5, 0.0]), np.array([[0.2, 0.1j], [-0.1j, 0.3]]), np.diag([0.0, 0.4])]
    baths = [(0.3, 0.4), (0.2, -0.5), (0.25, 0.1)]
    leads = {
        name: cs.WideBandLead([0, 1], width, cs.ElectronBath(*bath))
        for name, width, bath in zip("abc", widths, baths, strict=True)
    }
    conductor = cs.Conductor(h, leads)
    counted = (Weighed(0, 0, False), Weighed(1, 1, False))
    compiled = jax.jit(lambda one: higher(one.matrix, one.leads, counted, 4), compiler_options=dict(LIGHT))
    found = compiled(conductor)
    for k, (own, power, radius) in enumerate(((0, 0, 1.0), (1, 1, 0.15))):
        exact = by_determinant(h, widths, baths, own, power, radius)[2:]
        assert np.all(np.abs(found.value[k] - exact) < found.error[k] + 1e-10 * np.abs(exact))
        assert np.all(found.error[k] < 1e-10 * np.asarray(found.scale[k]))
    # In equilibrium what goes one way comes back as often.
    alike = eqx.tree_at(
        lambda one: [lead.bath for lead in one.leads.values()], conductor, [cs.ElectronBath(0.2, 0.1)] * 3
    )
    found = compiled(alike)
    assert np.all(np.abs(found.value[:, 0]) <= found.error[:, 0])
    assert np.all(found.error < 1e-10 * np.asarray(found.scale))
    # Where a lead holds sites fast, almost all is reflected: rounding errors are not multiplied by what cancels.
    broad = eqx.tree_at(lambda one: one.leads["b"].gamma, conductor, 40.0 * np.array(widths[1]))
    found = compiled(broad)
    for k, (own, power, radius) in enumerate(((0, 0, 1.0), (1, 1, 0.15))):
        exact = by_determinant(h, [widths[0], 40.0 * widths[1], widths[2]], baths, own, power, radius)[2:]
        assert np.all(np.abs(found.value[k] - exact) < found.error[k] + 1e-10 * np.abs(exact))
        assert np.all(found.error[k] < 1e-11 * np.asarray(found.scale[k]))


def test_cumulants_of_narrow_levels_are_those_of_a_jump_network():
    """Γ/T = 1e-6: what the width changes is of its order."""
    gammas, baths = (2e-6, 1e-6), (cs.ElectronBath(1.0, 1.5), cs.ElectronBath(0.7, -0.3))
    # A second level, which is too high for electrons, makes this one of the programs above.
    widths = [np.diag([gammas[0] + 0j, gammas[0]]), np.diag([gammas[1] + 0.0, gammas[1]])]
    leads = {
        name: cs.WideBandLead([0, 1], width, bath)
        for name, width, bath in zip(("left", "right"), widths, baths, strict=True)
    }
    conductor = cs.Conductor(np.diag([0.4 + 0j, 60.0]), leads)
    found = cs.counting(conductor, [("particles", "left"), ("heat", "right")]).cumulants(4).values[0]
    network = cs.JumpNetwork(
        energies=jnp.array([0.0, 0.4]),
        occupations=[0, 1],
        baths=dict(zip(("left", "right"), baths, strict=True)),
        channels=[cs.Channel(name, 0, 1, cs.Tunnelling(g)) for name, g in zip(("left", "right"), gammas, strict=True)],
    )
    expected = cs.counting(network, "particles", "left").cumulants(4).values
    assert_close(found, expected, 1e-5, np.abs(expected))


def test_orders_that_are_not_known_are_refused_in_words():
    with pytest.raises(cs.InputError, match="cumulants 1 to 4, but order 5"):
        cs.counting(dot(), "heat", "left").cumulants(5)
