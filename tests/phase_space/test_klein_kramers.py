"""The printed solution solves its equation, and coldspot's profiles and the paper's numbers are its moments."""

import itertools

import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import coldspot as cs
from tests.phase_space.printed import CASES, Exact, barrier


@pytest.mark.parametrize("values", CASES)
def test_the_distribution_is_stationary(values):
    with mp.workdps(40):
        exact = Exact(values)
        # Points about the line v = ax, on which both currents meet.
        points = [(x, exact.a * x + y / mp.sqrt(exact.c)) for x in (-0.7, 0.1, 1.2) for y in (-0.8, 0.0, 0.5)]
        for x, v in points:
            change, size = exact.rate_of_change(mp.mpf(x), v)
            assert abs(change) < mp.mpf(10) ** -15 * size
        # The equation notices a wrong slope of that line.
        exact.a *= mp.mpf("1.0001")
        change, size = exact.rate_of_change(mp.mpf(points[0][0]), points[0][1])
        assert abs(change) > mp.mpf(10) ** -8 * size


@pytest.mark.parametrize("values", CASES)
def test_both_ends_are_populated_as_asked(values):
    with mp.workdps(30):
        exact = Exact(values)
        thermal = mp.sqrt(exact.t / exact.m)
        far = 30 * thermal / exact.w * (1 + 1 / mp.sqrt(exact.c * exact.t / exact.m))
        for end, weight in ((-far, 2 * exact.share), (far, 2 * (1 - exact.share))):
            for v in (-thermal, thermal):
                assert abs(exact.distribution(end, v) / exact.equilibrium(end, v) - weight) < 1e-12


@pytest.mark.parametrize("values", CASES)
def test_profiles_are_moments_of_the_distribution(values):
    b = barrier(values)
    with mp.workdps(30):
        exact = Exact(values)
        for xi in (-2.5, -1e-3, 0.9):
            x = float(b.position(xi))
            density, flux, square, absorbed = exact.moments(
                x, lambda v: 1, lambda v: v, lambda v: v**2, lambda v: exact.g * (exact.t - exact.m * v**2)
            )
            assert float(b.reduced(x)) == pytest.approx(xi, rel=1e-15)
            assert float(jnp.exp(b.log_density(x))) == pytest.approx(float(density), rel=3e-14, abs=0)
            assert float(b.current) == pytest.approx(float(flux), rel=3e-14, abs=0)
            assert float(b.effective_temperature(x)) == pytest.approx(
                float(exact.m * square / density), rel=1e-14, abs=0
            )
            assert float(b.energy_exchange(x)) == pytest.approx(float(absorbed), rel=3e-14, abs=0)
            assert float(b.energy_per_particle(x)) == pytest.approx(float(absorbed / density), rel=3e-14, abs=0)


@pytest.mark.parametrize("values", CASES)
def test_energy_exchange_is_what_the_energy_flux_gains(values):
    """∂_x ∫ v(mv²/2 + V) P dv = e(x): energy is conserved locally."""
    b = barrier(values)
    with mp.workdps(30):
        exact = Exact(values)
        x = mp.mpf(float(b.position(-0.8)))

        def flux(y):
            return exact.moment(y, lambda v: v * exact.m * (v**2 - exact.w**2 * y**2) / 2)

        step = mp.mpf("1e-6")
        slope = (flux(x - 2 * step) - 8 * flux(x - step) + 8 * flux(x + step) - flux(x + 2 * step)) / (12 * step)
        assert float(b.energy_exchange(float(x))) == pytest.approx(float(slope), rel=1e-12, abs=0)


def test_heat_is_the_energy_exchange_of_the_uphill_side():
    for values in CASES:
        b = barrier(values)
        # e is linear in x: the trapezoidal rule over −x_B … 0 is exact.
        uphill = float(b.energy_exchange(-b.edge)) * float(b.edge) / 2
        assert float(b.heat) == pytest.approx(uphill, rel=1e-13)
        assert float(b.mass * b.frequency**2 * b.edge**2 / 2) == pytest.approx(float(b.height), rel=1e-14)


def test_the_distribution_far_from_the_top_and_at_any_friction():
    rng = np.random.default_rng(1)
    with mp.workdps(50):
        for friction, xi, share in itertools.product((1e-6, 1.0, 1e6), (-40.0, -3.0, 0.0, 25.0, 40.0), (0.0, 0.3, 1.0)):
            values = (friction, 0.8, 1.6, 0.7, share, 4.0)
            b, exact = barrier(values), Exact(values)
            x = float(b.position(xi))
            for v in (0.0, float(b.growth_rate) * x * (1 + 1e-3 * rng.normal())):
                logarithm = mp.log(exact.distribution(mp.mpf(x), mp.mpf(v)))
                # Rounding of the exponents, mv²/2T, mω²x²/2T and c(v−ax)², is all that may differ.
                fall = exact.a * mp.mpf(x)
                scale = 1600 + exact.m * mp.mpf(v) ** 2 / exact.t + exact.c * abs(v - fall) * (abs(v) + abs(fall))
                assert abs(mp.mpf(float(b.log_distribution(x, v))) - logarithm) < 20 * 2.0**-52 * scale


def test_profiles_from_one_end_to_the_other():
    """T_eff and e/n at ξ from −40 to 40, for frictions from 10⁻⁶ to 10⁶, against the closed form with 50 digits."""
    xi = np.array([-40.0, -26.8, -12.0, -5.5, -1.0, -1e-8, 0.0, 1e-8, 0.5, 6.0, 27.0, 40.0])
    for friction, share in itertools.product((1e-6, 1.0, 1e6), (0.0, 1e-9, 0.5 - 1e-12, 0.5, 0.8, 1.0)):
        b = barrier((friction, 1.0, 1.0, 1.0, share, 10.0))
        found = np.asarray(b.energy_per_particle(b.position(xi)))
        density = np.asarray(b.log_density(b.position(xi)) - b.log_density_at_top) - 0.5 * np.log(2 * np.pi)
        with mp.workdps(50):
            g, p = mp.mpf(friction), mp.mpf(share)
            a = g / 2 + mp.sqrt(g**2 / 4 + 1)
            for k, point in enumerate(map(mp.mpf, np.asarray(b.reduced(b.position(xi))))):
                w = mp.exp(point**2) * (p * mp.erfc(point) + (1 - p) * mp.erfc(-point))
                expected = -2 * (2 * p - 1) * g * (a - g) / a * point / (mp.sqrt(mp.pi) * w)
                assert abs(found[k] - expected) <= 1e-13 * abs(expected) * (1 + point**2 / 10) + 1e-300
                assert abs(density[k] - mp.log(w)) <= 1e-14 * (1 + abs(mp.log(w)))


@pytest.mark.parametrize(("friction", "expected"), [(1.0, 0.8901465863), (0.1, 0.7397579539)])
def test_effective_temperature_one_thermal_length_uphill(friction, expected):
    assert float(barrier((friction, 1, 1, 1, 1, 10)).effective_temperature(-1.0)) == pytest.approx(expected, abs=1e-10)


def test_the_coldest_place():
    for share, expected in ((1.0, -0.593916), (0.75, -0.6395)):
        places = [
            float(b.reduced(b.coldest_position())) for b in (barrier((g, 2, 3, 4, share, 1)) for g in (1e-3, 1, 50))
        ]
        assert np.ptp(places) < 1e-14 * abs(places[0])
        assert places[0] == pytest.approx(expected, abs=6e-5 if share < 1 else 5e-7)
    for friction, lowest in ((0.1, 0.733489), (1.0, 0.887500)):
        b = barrier((friction, 1, 1, 1, 1, 10))
        assert float(b.effective_temperature(b.coldest_position())) == pytest.approx(lowest, abs=5e-7)
    # Towards equilibrium the place tends to −1/√2, and there is no minimum left.
    assert float(barrier((1, 1, 1, 1, 0.5 + 1e-12, 1)).coldest_position()) == pytest.approx(-1.0, abs=1e-11)
    assert float(barrier((1, 1, 1, 1, 0.25, 1)).coldest_position()) > 0


def test_the_coldest_place_is_where_a_search_finds_it():
    rng = np.random.default_rng(2)
    for _ in range(8):
        values = np.exp(rng.normal(size=6))
        values[4] = rng.uniform(0.01, 0.99)
        b = barrier(values)
        scale = float(b.position(1.0)) * np.sign(0.5 - values[4])

        def kinetic(y, b=b, scale=scale):
            return float(b.effective_temperature(y * scale))

        found = minimize_scalar(kinetic, bounds=(0.0, 2.0), method="bounded", options={"xatol": 1e-10})
        assert float(b.coldest_position()) == pytest.approx(found.x * scale, rel=1e-6)
        assert kinetic(float(b.coldest_position()) / scale) <= found.fun * (1 + 4e-16)
        per_particle = minimize_scalar(
            lambda y, b=b, scale=scale: -float(b.energy_per_particle(y * scale)), bounds=(0.0, 2.0), method="bounded"
        )
        assert float(b.coldest_position()) == pytest.approx(per_particle.x * scale, rel=1e-4)


def test_cop_of_the_paper():
    machine = cs.machines.KramersBarrier(friction=1.0, population=0.75)
    s = cs.steady_state(machine)
    assert s.regime == "heat pump"
    assert float(s.cop) == pytest.approx(5.625587799, abs=5e-10)
    assert float(s.cop) == pytest.approx(float(s.heat["cold"] / s.work_in), rel=1e-15)


def test_limits_of_the_cop():
    def cop(**parameters):
        return float(cs.steady_state(cs.machines.KramersBarrier(**parameters)).cop)

    # Rises with friction, from 0 to a value that no longer depends on it.
    values = [cop(friction=g) for g in (1e-6, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e6)]
    assert np.all(np.diff(values) > 0)
    assert values[0] < 1e-4
    assert values[-1] == pytest.approx(10 / np.log(3), rel=1e-11)
    assert values[-1] / values[-2] - 1 < 2e-6
    # Falls from infinity at ½ to 0 at 1.
    values = [cop(population=p) for p in (0.5 + 1e-12, 0.5 + 1e-6, 0.7, 0.99, 1 - 1e-12)]
    assert np.all(np.diff(values) < 0)
    assert values[0] > 1e10
