"""Linear oscillator networks: against closed forms, multiple precision, SciPy and time integration; derivatives."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov

import coldspot as cs
from coldspot.machines import OscillatorPair
from tests.oscillators.networks import (
    OMEGA,
    PAIR,
    Build,
    build_pair,
    chain,
    draw,
    drift,
    exactly,
    pair_in_mpmath,
    solved,
)
from tests.tolerance import assert_close


def test_values_of_the_pair():
    s = cs.steady_state(OscillatorPair())
    expected = {"left": -0.10109248, "right": -0.32989559}
    for side, value in expected.items():
        assert abs(float(s.heat[side]) - value) < 5e-9
    for side, value in {"left": 0.28417458, "right": 0.14681350}.items():
        assert abs(float(s.work[side]) - value) < 5e-9
    assert s.regime == "heater"
    assert np.max(s.error.energies) < 2e-14 * np.max(np.abs(s.energy.array))


def test_pair_against_the_closed_form():
    """Parameters over many decades: every entry within its error bound of eq. 7, and that within 1e-12 of the flows."""
    rng = np.random.default_rng(1)
    points = 120
    columns = {name: 10 ** rng.uniform(-2, 2, points) for name in PAIR}
    columns["friction"] = 10 ** rng.uniform(-3, 3, points)
    columns["coupling"] = 10 ** rng.uniform(-6, 2, points)
    columns["phase"] = rng.uniform(-7, 7, points)
    columns = {name: jnp.asarray(v) for name, v in columns.items()}
    s = eqx.filter_jit(lambda c: eqx.filter_vmap(lambda p: cs.steady_state(build_pair(p)))(c))(columns)
    assert np.all(np.asarray(s.status) == 0)
    assert np.all(np.abs(s.first_law_residual) <= s.error.first_law_residual)
    with mpmath.workdps(40):
        for k in range(points):
            exact = pair_in_mpmath({name: v[k] for name, v in columns.items()})
            found = [*s.heat.array[k], *s.work.array[k]]
            bounds = [*s.error.energies[k], *s.error.works[k]]
            for value, true, bound in zip(found, exact, bounds, strict=True):
                assert abs(mpmath.mpf(float(value)) - true) <= mpmath.mpf(float(bound))
            assert max(float(b) for b in bounds) <= 1e-12 * max(abs(float(x)) for x in exact)


@pytest.mark.parametrize(("n", "baths", "decades"), [(3, 2, 5.0), (4, 3, 3.0)])
def test_errors_are_honest(n, baths, decades):
    """Against 50 digits: no entry is off by more than its bound, and the bounds are a few rounding units."""
    owner, driven, columns = draw(np.random.default_rng(n), n, 1000, baths, decades)
    s = solved(owner, driven, columns)
    assert np.all(np.asarray(s.status) == 0)
    bounds = np.concatenate([np.asarray(s.error.energies), np.asarray(s.error.works)], -1)
    found = np.concatenate([np.asarray(s.energy.array), np.asarray(s.work.array)], -1)
    loose = bounds.max(-1) / np.abs(found).max(-1)
    assert np.median(loose) < 1e-14
    assert loose.max() < 1e-8
    # The worst points and the first ones.
    with mpmath.workdps(50):
        for k in [*np.argsort(-loose)[:5], *range(5)]:
            heats, works = exactly(owner, driven, columns, k)
            for value, true, bound in zip(found[k], [*heats, *works], bounds[k], strict=True):
                assert abs(mpmath.mpf(float(value)) - true) <= mpmath.mpf(float(bound)), (k, value, true, bound)


EXTREMES = {
    "coupling 1e-9": ([1.0, 1.2], cs.oscillators.chain_springs(2, 1e-9, 2.0), [1.0, 1.0]),
    "frictions 1e-9": ([1.0, 1.2], cs.oscillators.chain_springs(2, 1.0, 2.0), [1e-9, 2e-9]),
    "frictions 1e8": ([1.0, 1.2], cs.oscillators.chain_springs(2, 1.0, 2.0), [1e8, 2e8]),
    "frictions 1e6 and 1e-6": ([1.0, 1.2], cs.oscillators.chain_springs(2, 1.0, 2.0), [1e6, 1e-6]),
    "walls 1e-12": ([1.0, 1.2], cs.oscillators.chain_springs(2, 1.0, 1e-12), [1.0, 1.0]),
    "masses 1e-6 and 1e6": ([1e-6, 1e6], cs.oscillators.chain_springs(2, 1.0, 1.0), [1.0, 1.0]),
    "exceptional point": ([1.0, 1.0], cs.oscillators.chain_springs(2, 1e-3, 1.0), [2.0, 2.0]),
}


def test_extreme_networks():
    """A weak link, hardly any friction, hardly any inertia, hardly any wall: heats right to 1e-14 all the same."""
    columns = {
        "masses": np.array([m for m, _, _ in EXTREMES.values()]),
        "springs": np.array([np.asarray(s) for _, s, _ in EXTREMES.values()]),
        "frictions": np.array([g for _, _, g in EXTREMES.values()]),
        "temperatures": np.tile([1.0, 0.5], (len(EXTREMES), 1)),
        "amplitudes": np.zeros((len(EXTREMES), 0)),
        "phases": np.zeros((len(EXTREMES), 0)),
        "frequency": np.ones(len(EXTREMES)),
    }
    s = solved((0, 1), (), columns)
    assert np.all(np.asarray(s.status) == 0), np.asarray(s.status)
    with mpmath.workdps(80):
        for k, name in enumerate(EXTREMES):
            heats, _ = exactly((0, 1), (), columns, k)
            for value, true, bound in zip(s.energy.array[k], heats, s.error.energies[k], strict=True):
                off = abs(mpmath.mpf(float(value)) - true)
                assert off <= float(bound), name
                assert off <= 1e-14 * abs(true), name


def test_covariance_against_scipy():
    n = 9
    owner, _, columns = draw(np.random.default_rng(20 + n), n, 1, 2, 0.5)
    network = Build(tuple(owner.tolist()), ())({name: v[0] for name, v in columns.items()})
    a, w, source, gamma = drift(network)
    x = solve_continuous_lyapunov(a, -w)
    assert np.allclose(network.covariance(), x, rtol=1e-9, atol=1e-9 * np.abs(x).max())
    heats = source - gamma * np.diag(x)[n:]
    s = cs.steady_state(network)
    for k in range(2):
        own = heats[np.array(network.bath_of) == k].sum()
        assert abs(own - s.energy.array[k]) < 1e-10 * np.abs(source).max()
    bond = -np.asarray(network.springs) * x[n:, :n]
    assert_close(network.currents(), bond - np.diag(np.diag(bond)), 1e-10, np.abs(source).max())


def test_covariance_against_time_integration():
    """dX/dt = A X + X Aᵀ + W from X = 0, by DOP853 until nothing moves any more."""
    network = chain(3, mass=1.3, spring=2.0, friction=0.7, hot=2.0)
    a, w, source, gamma = drift(network)
    end = solve_ivp(
        lambda _, x: (a @ x.reshape(6, 6) + x.reshape(6, 6) @ a.T + w).ravel(), (0, 200), np.zeros(36),
        method="DOP853", rtol=1e-11, atol=1e-13,
    )  # fmt: skip
    x = end.y[:, -1].reshape(6, 6)
    assert_close(network.covariance(), x, 1e-9)
    heats = (source - gamma * np.diag(x)[3:])[[0, 2]]
    assert_close(cs.steady_state(network).energy.array, heats, 1e-9, np.max(source))


def test_driven_motion_against_time_integration():
    """Newton's equations of the mean motion over ten periods of the periodic state: heats and works."""
    machine = OscillatorPair(phase=1.1)
    network = machine.dynamics()
    a, *_ = drift(network)

    def slope(t, z):
        force = np.array([math.cos(OMEGA * t), math.cos(OMEGA * t + 1.1)])
        moved = a @ z[:4] + np.concatenate([np.zeros(2), force])
        return np.concatenate([moved, z[2:4] ** 2, force * z[2:4]])

    period = 2 * math.pi / OMEGA
    start = solve_ivp(slope, (0, 30 * period), np.zeros(8), method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    start[4:] = 0
    end = solve_ivp(slope, (0, period), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1] / period
    s = cs.steady_state(eqx.tree_at(lambda m: m.right, machine, cs.HeatBath(1.0)))
    assert_close(s.heat.array, -end[4:6], 2e-9)
    assert_close(s.work.array, end[6:], 2e-9)


@pytest.mark.parametrize(("k", "m", "friction"), [(1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (3.0, 0.5, 0.2)])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_harmonic_chain(n, k, m, friction):
    """J = (k ΔT/2λ) sinh((n−1)α)/sinh(nα), cosh α = 1 + ν/2, ν = km/λ² (Rieder, Lebowitz and Lieb)."""
    alpha = math.acosh(1 + k * m / friction**2 / 2)
    expected = k / (2 * friction) * math.sinh((n - 1) * alpha) / math.sinh(n * alpha)
    s = cs.steady_state(chain(n, m, k, friction))
    assert abs(float(s.heat["hot"]) / expected - 1) < 1e-13


def test_long_chain():
    """The limit of long chains, and the same current through every spring."""
    network = chain(24)
    s = cs.steady_state(network)
    assert_close(s.heat["hot"], (3 - math.sqrt(5)) / 4, 5e-14)
    j = np.asarray(network.currents())
    assert np.allclose(np.diag(j, -1), float(s.heat["hot"]), rtol=1e-9)
    assert abs(float(cs.steady_state(chain(24, mass=2.0)).heat["hot"]) - 0.133975) < 5e-7


def test_energy_is_conserved_at_every_coordinate():
    """With a bath and a force at each of three coordinates: what springs, bath and force bring adds up to zero."""
    network = cs.OscillatorNetwork(
        masses=[1.0, 2.0, 0.5],
        springs=[[3.0, -1.0, -0.5], [-1.0, 2.0, -0.3], [-0.5, -0.3, 4.0]],
        frictions=[0.3, 1.0, 2.0],
        baths={"a": cs.HeatBath(1.0), "b": cs.HeatBath(3.0), "c": cs.HeatBath(0.2)},
        sites={"a": 0, "b": 1, "c": 2},
        forces={"x": (0, cs.Cosine(1.0)), "y": (1, cs.Cosine(0.7, 0.4)), "z": (2, cs.Cosine(1.1, 2.0, mean=5.0))},
        frequency=1.3,
    )
    s, j = cs.steady_state(network), np.asarray(network.currents())
    assert np.array_equal(j, -j.T)
    assert_close(j.sum(-1), -(s.heat.array + s.work.array), 1e-14, np.max(np.abs(j)))


def test_equilibrium_covariance():
    network = chain(4, mass=2.0, spring=3.0, friction=0.1, hot=1.0)
    expected = np.block([[np.linalg.inv(network.springs), np.zeros((4, 4))], [np.zeros((4, 4)), np.eye(4) / 2]])
    assert_close(network.covariance(), expected, 1e-14)
    assert np.all(np.asarray(network.currents()) == 0)


def ledger_of(theta):
    network = cs.OscillatorNetwork(
        masses=jnp.stack([theta[0], 1.5, 1.0]),
        springs=cs.oscillators.chain_springs(3, theta[1], theta[2]),
        frictions=jnp.stack([theta[3], jnp.zeros(()), theta[4]]),
        baths={"left": cs.HeatBath(theta[5]), "right": cs.HeatBath(theta[6])},
        sites={"left": 0, "right": 2},
        forces={"one": (0, cs.Cosine(theta[7])), "two": (1, cs.Cosine(0.8, theta[8]))},
        frequency=theta[9],
    )
    s = cs.steady_state(network)
    return jnp.concatenate([s.heat.array, s.work.array])


@jax.jit
def along(theta, weights, direction):
    """(value, gradient) of a sum of the ledger's entries, and the slopes of both along a direction."""
    return jax.jvp(jax.value_and_grad(lambda x: weights @ ledger_of(x)), (theta,), (direction,))


def test_derivatives():
    theta = np.array([1.2, 0.9, 0.4, 0.7, 0.3, 1.0, 1.0, 0.6, 0.5, 1.1])
    step, units = 3e-4, np.eye(10)
    for weights in (*np.eye(4), np.cos(np.arange(4))):
        found = [along(theta, weights, unit) for unit in units]
        reverse = np.asarray(found[0][0][1])
        forward, second = (np.array(part) for part in zip(*(slopes for _, slopes in found), strict=True))
        assert_close(forward, reverse, 1e-13)
        for k, unit in enumerate(units):
            (one, slope), (two, other), (less, back), (least, last) = (
                map(np.asarray, along(theta + h * unit, weights, unit)[0]) for h in (step, 2 * step, -step, -2 * step)
            )
            difference = (8 * (one - less) - (two - least)) / (12 * step)
            assert_close(forward[k], difference, 1e-9, np.max(np.abs(forward)))
            difference = (8 * (slope - back) - (other - last)) / (12 * step)
            assert_close(second[k], difference, 1e-8, np.max(np.abs(second)))


def test_derivatives_at_special_points():
    """Equal temperatures, no force, no friction at one end, coalescing modes: finite and right."""
    zero = jnp.array([1.0, 0.5, 1.0, 2.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0])
    jacobian = np.array([[along(zero, weights, unit)[1][0] for unit in np.eye(10)] for weights in np.eye(4)])
    assert np.all(np.isfinite(jacobian))
    # A bath without friction exchanges nothing; heat per temperature of the other one neither.
    assert np.all(jacobian[:2, 5:7] == 0)

    def heat(kc):
        machine = OscillatorPair(spring=1.0, coupling=kc, friction=2.0, amplitude=0.0)
        return cs.steady_state(machine).heat["left"]

    # c = γ k_c² ΔT/(2(k_c² + (1+k_c)γ²)): 0.25 k_c² − … at small coupling, where the modes coalesce.
    first, second = jax.jit(jax.value_and_grad(jax.grad(heat)))(0.0)
    assert_close(second, 0.25, 4e-12)
    assert_close(first, 0.0, 1e-15, second)
