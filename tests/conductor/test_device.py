"""Devices of any matrix: Green and spectral functions, and the ledger of a junction of devices by quadrature."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from coldspot.dynamics import solve_batch
from coldspot.machines import BosonJunction
from tests.conductor.junctions import check_laws, device_junction, fermi, random_device
from tests.tolerance import assert_close


@pytest.mark.parametrize("sites", [1, 2, 5])
def test_green_and_spectral_functions(sites):
    rng = np.random.default_rng(sites)
    h, widths = random_device(rng, sites)
    device = cs.conductor.Device(h, widths)
    energies = rng.normal(size=7)
    green = np.asarray(device.green(energies))
    total = sum(widths.values())
    for e, g in zip(energies, green, strict=True):
        assert_close(g, np.linalg.inv(e * np.eye(sites) - h + 0.5j * total), 1e-13)
    a = {name: np.asarray(device.spectral(name, energies)) for name in widths}
    # Σ_α A_α = i(G^r − G^a), and each is Hermitian and positive.
    dagger = green.conj().swapaxes(-1, -2)
    assert_close(sum(a.values()), 1j * (green - dagger), 1e-13)
    for one in a.values():
        values = np.linalg.eigvalsh(one)
        assert values.min() > -1e-14 * values.max()


def test_levels_are_the_device_with_a_diagonal_matrix():
    levels = cs.conductor.Levels([0.5, -0.2, 1.0], [1.0, 0.3, 0.7], ["left", "right", "left"])
    device = cs.conductor.Device(np.diag([0.5, -0.2, 1.0]), {"left": np.diag([1.0, 0.0, 0.7]), "right": (1, 0.3)})
    energies = np.linspace(-2, 2, 9)
    assert_close(levels.green(energies), device.green(energies), 4e-15)
    for lead in ("left", "right"):
        assert_close(levels.spectral(lead, energies), device.spectral(lead, energies), 4e-15)


def test_device_of_levels_gives_the_currents_of_levels():
    s = cs.steady_state(
        device_junction(np.diag([0.5, -0.4]), {"left": (0, 0.6), "right": (1, 1.4)}, [[0, 0.3], [0.3, 0]], (0.7, 0.4))
    )
    levels = cs.steady_state(
        BosonJunction(
            0.5, -0.4, 0.3, 0.7, 0.3, 0.9,
            left=cs.ElectronBath(0.7, 0.4), right=cs.ElectronBath(0.4, -0.3), phonons=cs.BosonBath(0.5),
        )
    )  # fmt: skip
    np.testing.assert_allclose(s.heat.array, levels.heat.array, rtol=1e-12)
    np.testing.assert_allclose(s.particles.array, levels.particles.array, rtol=1e-12)


@pytest.mark.parametrize("t", [(0.7, 0.7), (0.7, 0.2)])
def test_ledger_of_a_device_by_quadrature(t):
    """Three sites, complex hopping, full width matrices and a complex coupling: all four kinds of pairs."""
    rng = np.random.default_rng(12)
    h, widths = random_device(rng, 3)
    m, _ = random_device(rng, 3)
    mu, tp, omega = (0.4, -0.3), 0.5, 0.9
    s = cs.steady_state(device_junction(h, widths, m, t, mu, tp, omega))
    names, total = ("left", "right"), sum(widths.values())
    n = 1 / math.expm1(omega / tp)

    def spectral(lead, e):
        g = np.linalg.inv(e * np.eye(3) - h + 0.5j * total)
        return g @ widths[lead] @ g.conj().T

    heat, particles = dict.fromkeys((*names, "phonons"), 0.0), 0.0
    for i, j in itertools.product((0, 1), repeat=2):
        a, b = names[i], names[j]

        def net(x, i=i, j=j, a=a, b=b):
            one, other = (x - mu[i]) / t[i], (x - omega - mu[j]) / t[j]
            weight = np.trace(m @ spectral(a, x) @ m @ spectral(b, x - omega)).real / (2 * math.pi)
            flow = fermi(one) * fermi(-other) * (1 + n) - fermi(-one) * fermi(other) * n
            return weight * flow / (2 * omega)

        low, high = min(mu) - 25, max(mu) + omega + 25
        marks = [low, -3, -1, 0, 0.5, 1, 2, 4, high]

        def moment(power, net=net, marks=marks):
            return sum(
                quad(lambda x: x**power * net(x), p, q, epsabs=1e-13, epsrel=1e-10)[0]
                for p, q in itertools.pairwise(marks)
            )

        rate, energy = moment(0), moment(1)
        heat[a] += energy - mu[i] * rate
        heat[b] -= energy - (omega + mu[j]) * rate
        heat["phonons"] -= omega * rate
        particles += rate * (i == 0) - rate * (j == 0)
    top = max(map(abs, heat.values()))
    for name, value in heat.items():
        assert abs(float(s.heat[name]) - value) < 1e-9 * top
    assert_close(s.particles["left"], particles, 1e-9, top / omega)


def test_laws_of_random_devices():
    rng = np.random.default_rng(13)
    made = []
    for _ in range(64):
        h, widths = random_device(rng, 2)
        m, _ = random_device(rng, 2)
        t = 10 ** rng.uniform(-1.5, 0.5, 3)
        made.append(device_junction(h, widths, m, t[:2], rng.normal(size=2), t[2], 10 ** rng.uniform(-1, 0.5)))
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)
    s = jax.tree.map(np.asarray, eqx.filter_jit(lambda b: solve_batch(b, 1e-8))(batch))
    assert np.all(s.status == 0)
    check_laws(s)


def test_an_exceptional_point_of_the_device_is_an_ordinary_point():
    """Two sites whose resonances coalesce: no eigenvectors are needed."""
    gamma = 1.0
    hop = gamma / 4  # H − iΓ/2 = [[−iγ/2, h], [h, 0]] has a double eigenvalue at h = γ/4
    around = [
        cs.steady_state(device_junction([[0, x], [x, 0]], {"left": (0, gamma), "right": (1, 1e-9)}, [[0.3, 0], [0, 0]]))
        for x in (hop * (1 - 1e-6), hop, hop * (1 + 1e-6))
    ]
    j = [float(s.heat["phonons"]) for s in around]
    assert abs(j[1] - (j[0] + j[2]) / 2) < 1e-10 * abs(j[1])


def test_more_than_two_leads():
    levels = cs.conductor.Levels([0.5, -0.5, 0.1], [1.0, 0.5, 0.7], ["left", "right", "probe"])
    baths = {name: cs.ElectronBath(0.5, mu) for name, mu in (("left", 0.1), ("right", 0.0), ("probe", -0.2))}
    s = cs.steady_state(
        cs.conductor.PairJunction(
            levels, {(0, 1): 0.4, (0, 2): 0.2, (1, 1): 0.1}, baths | {"light": cs.BosonBath(0.3)}, frequency=0.8
        )
    )
    assert abs(s.first_law_residual) < 1e-15 * np.max(np.abs(s.energy.array))
    assert abs(np.sum(s.particles.array)) < 1e-15 * np.max(np.abs(s.particles.array))
    assert s.entropy_production > 0
