"""Long chains, disorder and localised modes, by the modes of the springs, against other routes."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from scipy.linalg import solve_continuous_lyapunov

import coldspot as cs
from coldspot.oscillators import linear
from coldspot.oscillators.noise import noise
from coldspot.pytrees import batch_of_one
from tests.oscillators.networks import draw
from tests.tolerance import assert_close

COUNT = 100
SECULAR, DOUBLING = jax.jit(linear.conductance), jax.jit(noise)


def finite_chain(n, k, m, friction):
    """J = (k/2λ) sinh((n−1)α)/sinh(nα), cosh α = 1 + km/2λ² (Rieder, Lebowitz and Lieb), in forty digits."""
    with mpmath.workdps(40):
        alpha = mpmath.acosh(1 + mpmath.mpf(k) * m / mpmath.mpf(friction) ** 2 / 2)
        return float(mpmath.mpf(k) / (2 * mpmath.mpf(friction)) * mpmath.sinh((n - 1) * alpha) / mpmath.sinh(n * alpha))


def transmitted(masses, friction=1.0):
    """∫dω/2π 4λ²ω²|G_1n|² of a chain with unit springs, by a three-term recursion, on panels around each mode."""
    n = len(masses)
    springs = np.asarray(cs.oscillators.chain_springs(n, 1.0, 1.0))
    loss = np.zeros(n)
    loss[[0, -1]] = friction
    a = np.block([[np.zeros((n, n)), np.eye(n)], [-springs / masses[:, None], -np.diag(loss / masses)]])
    values = np.linalg.eigvals(a)
    values = values[values.imag > 0]
    away = np.concatenate([[0.0], 2.0 ** np.arange(-3, 44)])
    edges = [values.imag[:, None] + side * np.maximum(-values.real, 1e-13)[:, None] * away for side in (-1, 1)]
    edges = np.unique(np.concatenate([np.ravel(edges), [0.0, 1e4]]))
    edges = edges[(edges >= 0) & (edges <= 1e4)]
    x, w = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2
    omega, weight = (edges[:-1, None] + half + half * x).ravel(), (half * w).ravel()
    before, now, log = np.ones_like(omega) + 0j, 2 - masses[0] * omega**2 - 1j * omega * friction, np.zeros_like(omega)
    for i in range(1, n):
        new = (2 - masses[i] * omega**2 - 1j * omega * loss[i]) * now - before
        size = np.abs(new)
        before, now, log = now / size, new / size, log + np.log(size)
    return float(np.sum(weight * 4 * friction**2 * omega**2 * np.exp(-2 * log)) / (2 * math.pi))


def test_chains_and_disorder():
    """Twelve digits of the closed form, ten of the integral over frequencies; one compiled program for all."""
    rng = np.random.default_rng(5)
    cases = [(m, friction, None) for m in (1.0, 2.0) for friction in (0.1, 1.0, 10.0)]
    cases += [(rng.uniform(0.5, 2.0, COUNT), 1.0, None), (rng.uniform(0.2, 5.0, COUNT), 1.0, None)]
    for m, friction, _ in cases:
        s = cs.steady_state(cs.OscillatorNetwork.chain(COUNT, mass=np.full(COUNT, m), friction=friction))
        even = np.ndim(m) == 0
        true = finite_chain(COUNT, 1.0, m, friction) if even else transmitted(np.asarray(m), friction)
        assert abs(float(s.heat["left"]) - true) <= (1e-12 if even else 1e-10) * true
        if even:
            assert abs(float(s.heat["left"]) - true) <= float(s.error.heat["left"])


def test_localised_modes():
    """Modes that friction reaches with less than rounding: the heats of the others."""
    # The light mass swings so fast that its mode falls by 2.5e-3 per neighbour, to 1e-13 at the ends.
    masses = np.array([*[1.0] * 5, 5e-3, *[1.3] * 5])
    s = cs.steady_state(cs.OscillatorNetwork.chain(11, mass=masses))
    assert_close(s.heat["left"], transmitted(masses), 1e-9)
    weak = DOUBLING(batch_of_one(cs.OscillatorNetwork.chain(11, mass=masses).system()))
    assert jnp.any(weak.undamped.moving)
    assert_close(weak.conductance[0, 0, 1], transmitted(masses), 1e-9)


def test_ends_of_a_chain():
    """One mass between both baths, springs and frictions of their own, against SciPy."""
    one = cs.steady_state(cs.OscillatorNetwork.chain(1, mass=2.0, friction=(0.3, 0.6), temperatures=(3.0, 1.0)))
    assert_close(one.heat["left"], 0.3 * 0.6 / 0.9 / 2.0 * 2.0, 1e-14)
    spring, mass = np.array([0.5, 1.0, 2.0, 0.7]), np.array([1.0, 2.0, 0.4])
    net = cs.OscillatorNetwork.chain(3, spring, mass, (0.3, 0.6), (3.0, 1.0))
    k = np.diag(spring[:-1] + spring[1:]) - np.diag(spring[1:-1], 1) - np.diag(spring[1:-1], -1)
    a = np.block([[np.zeros((3, 3)), np.eye(3)], [-k / mass[:, None], -np.diag([0.3, 0.0, 0.6]) / mass[:, None]]])
    w = np.diag([0, 0, 0, 2 * 0.3 * 3.0 / mass[0] ** 2, 0, 2 * 0.6 / mass[2] ** 2])
    x = solve_continuous_lyapunov(a, -w)
    assert_close(cs.steady_state(net).heat["left"], 0.3 * (3.0 / mass[0] - x[3, 3]), 1e-12)


def test_random_networks_by_both_methods():
    """Networks of twelve coordinates, three baths: the modes of the springs against the doubling."""
    owner, _, columns = draw(np.random.default_rng(3), 12, 4, 3, 1.0)
    for k in range(4):
        net = cs.OscillatorNetwork(
            columns["masses"][k],
            columns["springs"][k],
            columns["frictions"][k],
            {f"b{b}": cs.HeatBath(columns["temperatures"][k, b]) for b in range(3)},
            {f"b{b}": np.flatnonzero(owner == b).tolist() for b in range(3)},
        )
        found, known = SECULAR(net.system()), DOUBLING(batch_of_one(net.system()))
        off = np.abs(found.conductance - known.conductance[0])
        assert np.all(off <= found.error + known.error[0] + 1e-15)
        assert np.max(off) <= 1e-12 * np.max(known.conductance)


def test_derivatives():
    """By the residual alone, against differences; there is no second derivative, and none is made up."""
    mass = jnp.asarray(np.random.default_rng(2).uniform(0.5, 2.0, 24))

    def heat(mass):
        return cs.steady_state(cs.OscillatorNetwork.chain(24, mass=mass)).heat["left"]

    slope, twice = jax.jit(lambda m: (jax.grad(heat)(m), jax.grad(lambda m: jnp.sum(jax.grad(heat)(m)))(m)))(mass)
    quick = jax.jit(heat)
    for k in (0, 11, 23):
        ahead, behind = ([float(quick(mass.at[k].add(sign * h))) for h in (1e-3, 2e-3)] for sign in (1, -1))
        difference = (8 * (ahead[0] - behind[0]) - (ahead[1] - behind[1])) / 12e-3
        assert_close(slope[k], difference, 1e-8, np.max(np.abs(slope)))
    assert np.all(np.isnan(twice))
