"""Densities between several modes against quadrature, in the flat band, and their derivatives."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from tests.conductor.junctions import hermitian, random_device
from tests.tolerance import assert_close

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def panels(low, high, features):
    """Gauss–Legendre nodes and weights between the ends: panels double in length away from each (place, width)."""
    reach = high - low
    edges = {low, high}
    for place, width in features:
        steps = width / 2 * 2.0 ** np.arange(max(1, math.ceil(math.log2(2 * reach / width))) + 1)
        edges |= {x for x in (place, *(place + steps), *(place - steps)) if low < x < high}
    edges = np.array(sorted(edges))
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    return (middle[:, None] + half[:, None] * NODES).reshape(-1), (half[:, None] * WEIGHTS).reshape(-1)


def densities_by_quadrature(h, widths, couplings, baths, omega):
    """Λ_mn of every kind of pair, by Gauss–Legendre panels from the definition."""
    total, sites = sum(widths.values()), len(h)

    def spectral(name, energies):
        g = np.linalg.inv(energies[:, None, None] * np.eye(sites) - h + 0.5j * total)
        return g @ widths[name] @ g.conj().swapaxes(-1, -2)

    def filled(x):
        return 0.5 * (1 - np.tanh(x / 2))

    found = {}
    poles = np.linalg.eigvals(h - 0.5j * total)
    for a, b in itertools.product(widths, repeat=2):
        (t1, mu1), (t2, mu2) = baths[a], baths[b]
        low, high = min(mu1, mu2 + omega) - 40 * max(t1, t2), max(mu1, mu2 + omega) + 40 * max(t1, t2)
        features = [(mu1, math.pi * t1), (mu2 + omega, math.pi * t2)]
        features += [(pole.real + up, abs(pole.imag)) for pole in poles for up in (0.0, omega)]
        x, weights = panels(low, high, features)
        left, right = (couplings[:, None] @ part for part in (spectral(a, x), spectral(b, x - omega)))
        occupied = filled((x - mu1) / t1) - filled((x - omega - mu2) / t2)
        each = np.einsum("mxij,nxji->mnx", left, right)
        found[f"{a}-{b}"] = -(each * (occupied * weights)).sum(-1) / (2 * math.pi)
    return found


def test_densities_between_modes_by_quadrature():
    check_densities(2)  # and a hundred in `tests.campaign.pair_densities`


def check_densities(count):
    """Complex Hermitian devices of three sites with three modes, leads of different temperatures and of one in turn."""
    rng = np.random.default_rng(20)
    for k in range(count):
        h, widths = random_device(rng, 3)
        couplings, omega = hermitian(rng, 3, 3), 10 ** rng.uniform(-1, 0.5)
        numbers = dict(zip(widths, zip(10 ** rng.uniform(-1, 0.3, 2), rng.normal(size=2), strict=True), strict=True))
        if k % 2:
            numbers["right"] = (numbers["left"][0], numbers["right"][1])
        baths = {name: cs.ElectronBath(*values) for name, values in numbers.items()}
        found = cs.conductor.pair_spectra(cs.conductor.Device(h, widths), couplings, baths, omega)
        for name, exact in densities_by_quadrature(h, widths, couplings, numbers, omega).items():
            scale = np.abs(np.diag(found.power[name]).real)
            scale = np.sqrt(np.outer(scale, scale))
            assert np.all(np.abs(found.density[name] - exact) <= 1e-12 * scale), (k, name)
            for part in (found.emission[name], found.absorption[name]):
                np.testing.assert_array_equal(part, np.asarray(part).conj().T)
                values = np.linalg.eigvalsh(part)
                assert values[0] >= -1e-11 * values[-1]


def test_densities_between_modes_of_levels_by_quadrature():
    """Closed form, and two temperatures; four levels on two leads: every coupling between levels contributes."""
    rng = np.random.default_rng(21)
    leads = ["left", "right", "right", "left"]
    for k in range(2):
        energies, gammas = rng.normal(size=4), rng.uniform(0.2, 1.5, 4)
        widths = {n: np.diag(np.where(np.array(leads) == n, gammas, 0.0)) for n in ("left", "right")}
        couplings, omega = hermitian(rng, 2, 4), rng.uniform(0.2, 2)
        t = rng.uniform(0.2, 1, 2)
        numbers = {"left": (t[0], 0.3), "right": (t[k % 2], -0.4)}
        baths = {name: cs.ElectronBath(*values) for name, values in numbers.items()}
        found = cs.conductor.pair_spectra(cs.conductor.Levels(energies, gammas, leads), couplings, baths, omega)
        for name, exact in densities_by_quadrature(np.diag(energies), widths, couplings, numbers, omega).items():
            scale = np.abs(np.diag(found.power[name]).real)
            scale = np.sqrt(np.outer(scale, scale))
            assert np.all(np.abs(found.density[name] - exact) <= 1e-12 * scale), (k, name)
            assert_close(found.density[name], np.asarray(found.density[name]).conj().T, 1e-15, scale)


@pytest.mark.parametrize("kind", ["device", "levels"])
def test_one_mode_of_several_is_the_spectrum_of_one(kind):
    """The diagonal; and off it, polarisation: Λ(M¹+M²) − Λ(M¹−M²) = 4 Re Λ_12."""
    rng = np.random.default_rng(22)
    levels = cs.conductor.Levels([0.4, -0.2, 0.9], [0.5, 1.2, 0.3], ["left", "right", "left"])
    conductor = levels if kind == "levels" else cs.conductor.Device(*random_device(rng, 2))
    baths = {"left": cs.ElectronBath(0.4, 0.5), "right": cs.ElectronBath(0.4, -0.2), "phonons": cs.BosonBath(1.0)}
    first, second = hermitian(rng, 2, conductor.sites)
    omega = np.array([[0.3, 0.7], [0.7 + 1e-12, 9.0]])
    several = cs.conductor.pair_spectra(conductor, [first, second], baths, omega)
    assert several.density.array.shape == (2, 2, 2, 2, 4)
    assert np.all(np.isfinite(several.power.array))

    def alone(coupling):
        return cs.conductor.PairJunction(conductor, coupling, baths, 1.0).spectra(omega)

    one, other, both, less = map(alone, (first, second, first + second, first - second))
    for name in several.pairs:
        for part in ("emission", "absorption", "density", "power"):
            matrix = np.asarray(getattr(several, part)[name])
            size = np.asarray(both.power[name] + less.power[name])
            assert np.all(np.abs(matrix[..., 0, 0] - getattr(one, part)[name]) <= 1e-13 * size)
            assert np.all(np.abs(matrix[..., 1, 1] - getattr(other, part)[name]) <= 1e-13 * size)
            cross = (getattr(both, part)[name] - getattr(less, part)[name]) / 4
            assert np.all(np.abs(matrix[..., 0, 1].real - cross) <= 1e-12 * size)
    # At ω = μ_LR, with leads of one temperature, electrons emit as often as they absorb.
    middle = np.abs(several.density["left-right"][0, 1])
    assert np.all(middle <= 1e-14 * np.abs(several.power["left-right"][0, 1]).max())
    assert np.abs(several.power["left-right"][0, 1]).min() > 0


def test_densities_between_modes_in_the_flat_band():
    """−iΣΛ/2 = −iωC + VB with `flat_band`, whose spectral functions are formed here; any temperatures."""
    rng = np.random.default_rng(23)
    _, widths = random_device(rng, 3)
    wide, omega, bias = 1e8, 0.8, 0.6
    widths = {name: wide * width for name, width in widths.items()}
    h = hermitian(rng, 1, 3)[0]
    inner = np.linalg.inv(0.5j * sum(widths.values()))
    left, right = (inner @ widths[name] @ inner.conj().T for name in ("left", "right"))
    couplings = wide * hermitian(rng, 2, 3)
    baths = {"left": cs.ElectronBath(0.5, bias / 2), "right": cs.ElectronBath(0.2, -bias / 2)}
    total = -0.5j * np.sum(
        cs.conductor.pair_spectra(cs.conductor.Device(h, widths), couplings, baths, omega).density.array, -1
    )
    band = cs.modes.flat_band(couplings, left, right)
    expected = bias * np.asarray(band.nonconservative) - 1j * omega * np.asarray(band.dissipative)
    assert np.max(np.abs(total - expected)) < 1e-5 * np.max(np.abs(expected))
    a, c = total[0, 1].real / bias, -total[0, 1].imag / omega
    assert abs(a - np.trace(couplings[0] @ right @ couplings[1] @ left).imag / (2 * math.pi)) < 1e-5 * abs(c)
    both = left + right
    assert abs(c - np.trace(couplings[0] @ both @ couplings[1] @ both).real / (4 * math.pi)) < 1e-5 * abs(c)
    assert abs(a) > 1e-2 * abs(c)


@pytest.mark.parametrize("kind", ["device", "levels"])
def test_derivatives_of_densities_between_modes(kind):
    rng = np.random.default_rng(24)
    h, widths = random_device(rng, 2)
    couplings = hermitian(rng, 2, 2)

    def parts(v):
        """Frequency (ω = μ_LR at the start), both temperatures, a potential, an energy, a coupling's strength."""
        if kind == "levels":
            conductor = cs.conductor.Levels(jnp.stack([v[4], -0.3]), [0.8, 0.5], ["left", "right"])
        else:
            conductor = cs.conductor.Device(jnp.asarray(h).at[0, 0].set(v[4]), widths)
        baths = {"left": cs.ElectronBath(v[1], v[3]), "right": cs.ElectronBath(v[2], -0.2)}
        matrices = jnp.stack([v[5] * couplings[0], jnp.asarray(couplings[1])])
        density = cs.conductor.pair_spectra(conductor, matrices, baths, v[0]).density.array
        return jnp.stack([density.real, density.imag])

    base, step = np.array([0.7, 0.6, 0.6, 0.5, 0.2, 1.1]), 1e-5
    slopes = np.asarray(eqx.filter_jit(jax.jacfwd(parts))(base))
    assert np.all(np.isfinite(slopes))
    values = eqx.filter_jit(parts)
    for k in range(6):
        move = step * np.eye(6)[k]
        numeric = (np.asarray(values(base + move)) - np.asarray(values(base - move))) / (2 * step)
        assert_close(numeric, slopes[..., k], 1e-8, np.max(np.abs(slopes)))


def test_bad_numbers_that_are_traced_have_no_spectra():
    """What is refused of known numbers: a frequency below 0, a matrix that is not Hermitian."""
    levels = cs.conductor.Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"])
    baths = {"left": cs.ElectronBath(0.5, 0.8), "right": cs.ElectronBath(0.5)}

    @jax.jit
    def emissions(element, omega):
        matrix = jnp.array([[[0.0, 1.0], [0.0, 0.0]]]).at[0, 1, 0].set(element)
        return cs.conductor.pair_spectra(levels, matrix, baths, omega).emissions

    for element, omega, good in ((1.0, [0.8, -1.0], [True, False]), (0.5, [0.8, 1.0], [False, False])):
        found = np.isfinite(np.asarray(emissions(element, jnp.array(omega)))).all((1, 2, 3))
        assert found.tolist() == good
