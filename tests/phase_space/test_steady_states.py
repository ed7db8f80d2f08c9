"""Steady states of the Klein–Kramers equation against closed forms, Fourier × Hermite sums, and laws."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.phase_space import stationary
from coldspot.phase_space.barrier import Barrier
from tests.tolerance import assert_close

PI = math.pi


def hill(height):
    return lambda x: height / 2 * (1 + jnp.cos(x))


def fourier_hermite(slope, friction, temperature, load, waves, orders):
    """Flux (turns per time) and entropy production on a ring of length 2π, by Risken's matrix equations: m = 1.

    P = Σ_n Σ_k c_nk ψ_n(v) e^{ikx}; functions of x are given by their Fourier coefficients {k: c}.
    """
    k = np.arange(-waves, waves + 1)

    def times(coefficients):
        return sum(c * np.eye(len(k), k=-shift) for shift, c in coefficients.items())

    derivative = np.diag(1j * k)
    force = times({s: -c for s, c in slope.items()} | {0: -slope.get(0, 0) + load})
    g, t = times(friction), times(temperature)
    size = len(k)
    matrix = np.zeros((orders, size, orders, size), complex)
    for n in range(orders):
        matrix[n, :, n] -= n * g
        if n + 1 < orders:
            matrix[n, :, n + 1] -= math.sqrt(n + 1) * derivative
            matrix[n + 1, :, n] += math.sqrt(n + 1) * (force - derivative)
        if n + 2 < orders:
            matrix[n + 2, :, n] += math.sqrt((n + 1) * (n + 2)) * g @ (t - np.eye(size))
    flat = matrix.reshape(orders * size, -1)
    flat[waves] = 0
    flat[waves, waves] = 1
    right = np.zeros(orders * size)
    right[waves] = 1 / (2 * PI)
    c = np.linalg.solve(flat, right).reshape(orders, size)
    # n⟨v²⟩ = c_0 + √2 c_2.
    power = g @ (t @ c[0] - c[0] - math.sqrt(2) * c[2])
    return c[1, waves].real, 2 * PI * power[waves].real, power


def test_a_ring_with_a_load_and_a_smooth_temperature():
    """V = 1+cos x, T = 1+.3 sin x, γ = 1+.2 cos x: Fourier modes × Hermite functions, converged to 1e-11."""
    ring = cs.KleinKramers(
        hill(2.0),
        friction=lambda x: 1 + 0.2 * jnp.cos(x),
        temperature=lambda x: 1 + 0.3 * jnp.sin(x),
        boundary=cs.Periodic(2 * PI, load=0.3, start=-PI),
    )
    s = cs.steady_state(ring)
    slope = {1: 0.5j, -1: -0.5j}
    flux, heat, power = fourier_hermite(slope, {0: 1, 1: 0.1, -1: 0.1}, {0: 1, 1: -0.15j, -1: 0.15j}, 0.3, 14, 44)
    assert_close(s.observables["flux"], flux, 1e-9)
    assert_close(s.heat["bath"], heat, 1e-9)
    assert_close(s.work["load"], 0.3 * 2 * PI * flux, 1e-9)
    x = 2 * PI * np.arange(64) / 64
    profile = sum(power[k + 14] * np.exp(1j * k * x) for k in range(-14, 15)).real
    assert_close(s.entropy_production, -np.mean(profile / (1 + 0.3 * np.sin(x))) * 2 * PI, 1e-9)
    state = ring.state(tolerance=1e-10)
    places = np.where(x > PI, x - 2 * PI, x)
    assert_close(state.power_density(places), profile, 1e-8)  # single points converge more slowly
    assert abs(float(s.first_law_residual)) < 1e-11


@pytest.mark.parametrize(("friction", "close"), [(1.0, 1e-10), (0.1, 1e-7)])
def test_the_parabolic_barrier(friction, close):
    """Kramers' closed form, between ends that are far from where profiles are compared."""
    exact = Barrier(friction=friction, frequency=1, mass=1, temperature=1, population=1.0, height=1.0)
    density = 4 * PI * math.e / math.sqrt(2 * PI)
    reach = 4.5
    incoming = 2 * math.exp(reach**2 / 2)
    problem = cs.KleinKramers(
        lambda x: -(x**2) / 2,
        friction=friction,
        temperature=1.0,
        boundary=cs.Open(-reach, reach, left=incoming, right=0.0),
    )
    state = problem.state()
    x = np.array([-1.0, -0.3, 0.0, 1.0])
    expected = np.exp(np.asarray(exact.log_density(x))) * density
    assert np.all(np.abs(state.density(x) / expected - 1) < close)
    assert np.all(np.abs(state.effective_temperature(x) / np.asarray(exact.effective_temperature(x)) - 1) < close)
    assert abs(state.flux / (float(exact.current) * density) - 1) < close


def test_the_ring_that_cools():
    """Steps of the temperature: figures that Hermite functions × elements and trajectories gave."""
    ring = cs.machines.ButtikerLandauerRing(load=0.5, hot=cs.HeatBath(1.02))
    s = cs.steady_state(ring, tolerance=1e-7)
    assert_close(s.observables["mean velocity"], 0.0714324, 1e-6)
    assert abs(float(s.heat["cold"]) - 0.0057722) < 2e-7
    assert abs(float(s.heat["hot"]) + 0.0414884) < 2e-7
    assert s.regime == "refrigerator"


HOT = [1.0, 1.1, 1.2]


def test_the_open_cooler():
    """In a sweep over the hot temperature, whose reservoirs keep Δμ = 1 at the bottoms of the wells."""

    def cooler(hot):
        return cs.KleinKramers(
            hill(4.0),
            friction=0.5,
            temperature=cs.Steps(jnp.stack([jnp.ones_like(hot), hot]), [0.5, 0.5]),
            boundary=cs.Open(-PI, PI, left=math.exp(0.5), right=jnp.exp(-0.5 / hot)),
            baths=("cold", "hot"),
        )

    ds = cs.sweep(cooler, {"hot": HOT}, tolerance=1e-6)
    assert set(ds.status.values.tolist()) == {0}
    cold = ds.heat.sel(bath="cold").values
    assert np.all(np.abs(cold - [0.013697, 0.008466, 0.001523]) < 1e-6)
    assert np.all(np.abs(ds.heat.sum("bath") + ds.chemical_work.sum("bath")) < 1e-7)
    assert np.all(ds.entropy_production > 0)
    # At one temperature μ differs by 1, and the second law is Δμ J.
    assert_close(ds.entropy_production.values[0], ds.particles.sel(bath="left").values[0], 1e-6)


def test_an_error_that_is_no_number_is_too_large():
    ring = cs.KleinKramers(
        hill(1.0),
        friction=1.0,
        temperature=cs.Steps([1.0, 0.8], [0.5, 0.5]),
        boundary=cs.Periodic(2 * PI, load=0.3),
        baths=("hot", "cold"),
    )
    terrain = ring.terrain()
    found = stationary.steady(terrain, 1e-2)
    assert found.converged
    assert stationary.excess(found.errors, found.ledger, terrain, 1e-2) <= 1
    baths = len(found.ledger.heats)
    unasked = {2 * baths + 2, 2 * baths + 4}  # the flux itself goes with the mean velocity
    for k in range(len(found.errors)):
        errors = np.where(np.arange(len(found.errors)) == k, np.nan, found.errors)
        assert np.isnan(stationary.excess(errors, found.ledger, terrain, 1e-2)) == (k not in unasked)
    assert not stationary.hopeless([1.0, 5.0, math.nan], 1)
    assert not stationary.hopeless([1.0, math.nan, 5.0], 1)
    assert stationary.hopeless([1.0, 1e9, 9e8], 1)


def test_equilibrium_of_a_trap_is_exact():
    trap = cs.KleinKramers(lambda x: x**2, friction=0.7, temperature=0.5, mass=2.0, boundary=cs.Closed(), baths="room")
    s = cs.steady_state(trap)
    assert abs(float(s.heat["room"])) < 1e-12
    assert s.regime == "passive"
    state = trap.state()
    x, v = np.array([-0.7, 0.0, 1.3]), np.array([-1.0, 0.2])
    expected = np.exp(-(x[:, None] ** 2 + v**2) / 0.5) / (PI * 0.5)
    assert_close(state.distribution(x, v), expected, 1e-9)


def test_a_harmonic_trap_in_a_linear_temperature():
    """T = 1 + a x in a stiff trap is no Gaussian, but the virial relation ⟨xV′⟩ = m⟨v²⟩ holds, and heat adds to 0."""
    trap = cs.KleinKramers(
        lambda x: 2 * x**2, friction=0.5, temperature=lambda x: 1 + 0.4 * jnp.tanh(x), boundary=cs.Closed()
    )
    s = cs.steady_state(trap)
    state = trap.state()
    x = np.linspace(state.start, state.stop, 4001)
    step = x[1] - x[0]
    n, kinetic = state.density(x), state.density(x) * state.effective_temperature(x)
    assert_close((n * 4 * x**2).sum() * step, kinetic.sum() * step, 1e-9)
    assert_close(state.power_density(x).sum() * step, 0.0, 1e-10, scale=1.0)
    entropy = -(state.power_density(x) / (1 + 0.4 * np.tanh(x))).sum() * step
    assert_close(s.entropy_production, entropy, 1e-7)
    assert s.entropy_production > 0


def test_kinetic_flux_across_the_step():
    """Energy conservation left of the step: kinetic energy that comes in, heat of the cold bath, less what V takes."""
    cooler = cs.machines.KramersCooler(hot=cs.HeatBath(1.1))
    s = cs.steady_state(cooler, tolerance=1e-5)
    mu = cooler.dynamics().baths["left"].chemical_potential
    flux = s.particles["left"]
    expected = s.heat["left"] + mu * flux + s.heat["cold"] - 4.0 * flux
    assert abs(s.observables["kinetic flux 1"] - expected) < 1e-9 * abs(s.heat["cold"])
    assert s.observable_errors["kinetic flux 1"] < 1e-7 * abs(expected)


@pytest.mark.parametrize(("friction", "far"), [(1.0, 6.0), (0.1, 12.0)])
def test_profiles_say_how_exact_their_flux_is(friction, far):
    """Kramers' barrier between places 72 T below its top: the flux, e^{−72} of what goes to and fro, is rounding."""
    top = cs.KleinKramers(lambda x: -x * x / 2, friction, 1.0, boundary=cs.Open(-far, far, left=1.0, right=0.0))
    state = top.state(tolerance=1e-6)
    exact = Barrier(friction=friction, frequency=1, mass=1, temperature=1, population=1.0, height=10)
    expected = float(state.density(0.0)) * float(exact.current) / math.exp(exact.log_density(0.0))
    assert abs(state.flux - expected) <= state.flux_error
    assert (state.flux_error < 1e-6 * state.flux) == (far < 10)
    assert f"± {state.flux_error:.0e}" in repr(state)
