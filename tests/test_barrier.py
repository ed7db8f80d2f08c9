"""Kramers' barrier: the printed solution solves its equation, and coldspot's numbers are its moments.

The second route is written here from the paper's formulas in multiple precision: the distribution itself, whose
stationarity is checked by differentiation, and its moments by quadrature over the velocity.
"""

import dataclasses
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import coldspot as cs
from coldspot.dynamics import solve_batch
from coldspot.numerics.error_functions import erfcx, log_mixture, log_scaled_mixture, logit

NAMES = ("friction", "frequency", "mass", "temperature", "population", "height")
CASES = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 10.0),
    (0.1, 1.0, 1.0, 1.0, 0.75, 10.0),
    (2.5, 0.7, 3.0, 0.4, 0.35, 5.0),
    (1e-3, 1.3, 0.2, 2.0, 0.9, 20.0),
    (40.0, 0.5, 1.7, 0.9, 0.6, 8.0),
)


def barrier(values):
    return cs.Barrier(**dict(zip(NAMES, values, strict=True)))


# --------------------------------------------------------------------------- the second route


class Exact:
    """The paper's solution at mpmath's working precision, from the parameters alone."""

    def __init__(self, values):
        self.g, self.w, self.m, self.t, self.share, self.height = map(mp.mpf, values)
        self.a = self.g / 2 + mp.sqrt(self.g**2 / 4 + self.w**2)
        self.c = self.m * (self.a - self.g) / (2 * self.g * self.t)
        # One particle in two wells of the barrier's curvature: a Gaussian integral per well.
        self.top = self.m * self.w / (4 * mp.pi * self.t) * mp.exp(-self.height / self.t)

    def equilibrium(self, x, v):
        return self.top * mp.exp((self.m * self.w**2 * x**2 - self.m * v**2) / (2 * self.t))

    def distribution(self, x, v):
        forward = mp.erfc(-mp.sqrt(self.c) * (v - self.a * x)) / 2
        backward = mp.erfc(mp.sqrt(self.c) * (v - self.a * x)) / 2
        return 2 * self.equilibrium(x, v) * (self.share * forward + (1 - self.share) * backward)

    def rate_of_change(self, x, v):
        """∂_tP, the right-hand side of the Fokker–Planck equation."""
        p = self.distribution
        slope = -self.m * self.w**2 * x  # V′

        def flux(u):
            return u * p(x, u) + self.t / self.m * mp.diff(lambda y: p(x, y), u)

        drift = -v * mp.diff(lambda y: p(y, v), x) + slope / self.m * mp.diff(lambda y: p(x, y), v)
        return drift + self.g * mp.diff(flux, v), abs(v * mp.diff(lambda y: p(y, v), x))

    def moment(self, x, weight):
        width = mp.sqrt(self.t / self.m)
        edges = sorted({*(k * width for k in range(-16, 17, 8)), self.a * mp.mpf(x)})
        edges = [e for e in edges if abs(e) <= 16 * width]
        return mp.quad(lambda v: weight(v) * self.distribution(mp.mpf(x), v), edges)

    def ledger(self):
        """J, Δμ and Q from the flux through the top and the paper's formulas for heat."""
        difference = self.t * mp.log(self.share / (1 - self.share))
        s = mp.sqrt((self.a - self.g) / self.a)
        current = 2 * (2 * self.share - 1) * self.top * self.t / self.m * s
        edge2 = 2 * self.height / (self.m * self.w**2)
        heat = (2 * self.share - 1) * self.g * self.t * self.top * s * (self.a - self.g) * edge2
        return current, difference, heat


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
            density = exact.moment(x, lambda v: 1)
            square = exact.moment(x, lambda v: v**2)
            absorbed = exact.moment(x, lambda v: exact.g * (exact.t - exact.m * v**2))
            flux = exact.moment(x, lambda v: v)
            assert float(b.reduced(x)) == pytest.approx(xi, rel=1e-15)
            assert float(jnp.exp(b.log_density(x))) == pytest.approx(float(density), rel=3e-14)
            assert float(b.current) == pytest.approx(float(flux), rel=3e-14)
            assert float(b.effective_temperature(x)) == pytest.approx(float(exact.m * square / density), rel=1e-14)
            assert float(b.energy_exchange(x)) == pytest.approx(float(absorbed), rel=3e-14)
            assert float(b.energy_per_particle(x)) == pytest.approx(float(absorbed / density), rel=3e-14)


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
        assert float(b.energy_exchange(float(x))) == pytest.approx(float(slope), rel=1e-12)


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


# --------------------------------------------------------------------------- published values


@pytest.mark.parametrize(("friction", "expected"), [(1.0, 0.8901465863), (0.1, 0.7397579539)])
def test_effective_temperature_one_thermal_length_uphill(friction, expected):
    assert float(barrier((friction, 1, 1, 1, 1, 10)).effective_temperature(-1.0)) == pytest.approx(expected, abs=1e-10)


def test_the_coldest_place():
    for share, expected in ((1.0, -0.593916), (0.75, -0.6395)):
        places = [
            float(b.reduced(b.coldest_position())) for b in (barrier((g, 2, 3, 4, share, 1)) for g in (1e-3, 1, 50))
        ]
        assert np.ptp(places) < 1e-14
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
        assert kinetic(float(b.coldest_position()) / scale) <= found.fun + 1e-15
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


# --------------------------------------------------------------------------- the ledger


def draw(size, rng):
    """Parameters from ordinary to extreme."""
    near = rng.choice([0, 1, 2, 3], size)
    anywhere = rng.uniform(0.01, 0.99, size)
    beside_half = 0.5 + rng.choice([-1, 1], size) * 10.0 ** rng.uniform(-16, -3, size)
    small = 10.0 ** rng.uniform(-15, -3, size)
    population = np.choose(near, [anywhere, beside_half, small, 1 - small])
    frequency, temperature = 10.0 ** rng.uniform(-2, 2, (2, size))
    return {
        "friction": frequency * 10.0 ** rng.uniform(-6, 6, size),
        "frequency": frequency,
        "mass": 10.0 ** rng.uniform(-2, 2, size),
        "temperature": temperature,
        "population": population,
        "height": temperature * 10.0 ** rng.uniform(-1, 2.6, size),
    }


@pytest.fixture(scope="module")
def batch():
    columns = draw(3000, np.random.default_rng(0))
    columns["population"][:50] = 0.5
    arrays = {name: jnp.asarray(column) for name, column in columns.items()}
    return columns, eqx.filter_jit(lambda b: solve_batch(b, 1e-8))(
        eqx.filter_vmap(lambda point: cs.Barrier(**point))(arrays)
    )


def test_all_points_are_solved_and_the_laws_hold(batch):
    columns, s = batch
    assert np.all(np.asarray(s.status) == 0)
    assert np.all(np.sum(s.energy.array, axis=-1) == 0)
    assert np.all(np.sum(s.particles.array, axis=-1) == 0)
    assert np.all(np.asarray(s.entropy_production) >= -np.asarray(s.error.entropy_production))
    work = np.asarray(s.work_in)
    # σ is a sum with the two large heats, which leave their rounding where it is small.
    off = np.abs(np.asarray(s.entropy_production) * columns["temperature"] - work)
    assert np.all(off <= np.asarray(s.error.entropy_production) * columns["temperature"])
    moving = columns["population"] != 0.5
    assert np.all(work[moving] > 0)
    assert set(s.regime[moving]) == {"heat pump"}
    current, difference = np.asarray(s.particles["left"]), 2 * np.asarray(s.chemical_potentials)[:, 2]
    np.testing.assert_allclose(work, current * difference, rtol=1e-15)


def test_equilibrium_is_exactly_still(batch):
    _, s = batch
    assert np.all(np.asarray(s.energy.array)[:50] == 0)
    assert np.all(np.asarray(s.heat.array)[:50] == 0)
    assert np.all(np.asarray(s.particles.array)[:50] == 0)
    assert set(s.regime[:50]) == {"passive"}
    assert np.all(np.isnan(np.asarray(s.cop)[:50]))


def test_the_ledger_agrees_with_multiple_precision_and_its_errors_are_honest(batch):
    columns, s = batch
    worst = 0.0
    with mp.workdps(60):
        for k in range(50, 450):
            current, difference, heat = Exact([columns[name][k] for name in NAMES]).ledger()
            pairs = (
                (s.particles["left"][k], current, s.error.particles["left"][k]),
                (s.heat["cold"][k], heat, s.error.heat["cold"][k]),
                (s.chemical_work["right"][k], difference * current / 2, s.error.chemical_work["right"][k]),
                (s.entropy_production[k], difference * current / exact_temperature(columns, k), None),
            )
            for found, expected, bound in pairs:
                off = abs(mp.mpf(float(found)) - expected)
                limit = float(s.error.entropy_production[k]) if bound is None else float(bound)
                assert off <= limit
                worst = worst if bound is None else max(worst, float(limit / abs(expected)))
            assert abs(mp.mpf(float(s.chemical_potentials[k, 2])) * 2 - difference) <= 1e-15 * abs(difference)
    # Not silly large: e^{−E_B/T} with E_B = 400 T has lost this much.
    assert worst < 450 * 2.0**-52 * 1.1


def exact_temperature(columns, k):
    return mp.mpf(float(columns["temperature"][k]))


def test_the_mirror_image():
    """λ → 1−λ turns the flux and the heats round."""
    for share in (0.5, 0.6, 0.999):
        one = cs.steady_state(cs.machines.KramersBarrier(population=share))
        other = cs.steady_state(cs.machines.KramersBarrier(population=1 - share))
        np.testing.assert_allclose(one.heat["cold"], other.heat["hot"], rtol=1e-13)
        np.testing.assert_allclose(one.particles["left"], other.particles["right"], rtol=1e-13)
        np.testing.assert_allclose(one.cop, other.cop, rtol=1e-13)


def test_normalisation_is_one_particle():
    """λ of it in a left well with the barrier's curvature, integrated over the well's phase space."""
    values = (0.3, 1.7, 0.6, 0.9, 0.8, 6.0)
    with mp.workdps(20):
        exact = Exact(values)
        bottom = exact.top * mp.exp(exact.height / exact.t)
        well = mp.quad(lambda x: mp.exp(-exact.m * exact.w**2 * x**2 / (2 * exact.t)), [-mp.inf, 0, mp.inf])
        speeds = mp.quad(lambda v: mp.exp(-exact.m * v**2 / (2 * exact.t)), [-mp.inf, 0, mp.inf])
        assert float(2 * exact.share * bottom * well * speeds) == pytest.approx(0.8, rel=1e-14)
        assert float(barrier(values).log_density_at_top) == pytest.approx(float(mp.log(exact.top)), rel=1e-14)


# --------------------------------------------------------------------------- derivatives


def test_derivatives_of_the_ledger():
    def entries(values):
        s = cs.steady_state(barrier(values))
        return jnp.stack([s.heat["cold"], s.work_in, s.particles["left"], s.observables["lowest temperature"]])

    jacobian = jax.jit(jax.jacfwd(entries))
    for values in (CASES[1], CASES[2], (1e-6, 1.0, 1.0, 1.0, 0.999, 30.0), (1e6, 1.0, 2.0, 1.0, 0.5, 3.0)):
        found = np.asarray(jacobian(jnp.asarray(values)))
        assert np.all(np.isfinite(found))
        with mp.workdps(50):

            def exactly(k, y, values=values):
                current, difference, heat = Exact([*values[:k], y, *values[k + 1 :]]).ledger()
                return heat, difference * current, current

            for k in range(6):
                for row in range(3):
                    slope = mp.diff(lambda y, k=k, row=row: exactly(k, y)[row], mp.mpf(values[k]))
                    assert found[row, k] == pytest.approx(float(slope), rel=1e-11, abs=1e-30)
    # Along the population: the coldest place moves, but at a minimum that does not count.
    b = barrier(CASES[1])
    at = [float(barrier((*CASES[1][:4], p, 10.0)).effective_temperature(b.coldest_position())) for p in (0.749, 0.751)]
    assert float(jacobian(jnp.asarray(CASES[1]))[3, 4]) == pytest.approx((at[1] - at[0]) / 0.002, rel=1e-5)


@pytest.mark.parametrize("function", [log_scaled_mixture, log_mixture])
def test_derivatives_of_mixtures(function):
    def exactly(x, share):
        if function is log_mixture:
            return mp.log(share * mp.ncdf(x) + (1 - share) * mp.ncdf(-x))
        return mp.log(mp.exp(x**2) * (share * mp.erfc(x) + (1 - share) * mp.erfc(-x)))

    slopes = jax.jit(jax.vmap(jax.value_and_grad(function, (0, 1))))
    points = [(x, p) for x in (-30.0, -4.0, -0.3, 0.0, 0.7, 5.0, 30.0) for p in (1e-7, 0.3, 0.5, 0.75, 1 - 1e-7)]
    values, (along, across) = slopes(*map(jnp.asarray, zip(*points, strict=True)))
    with mp.workdps(60):
        for k, (x, p) in enumerate(points):
            assert float(values[k]) == pytest.approx(float(exactly(mp.mpf(x), mp.mpf(p))), rel=2e-14, abs=1e-14)
            dx = mp.diff(lambda y, p=p: exactly(y, mp.mpf(p)), mp.mpf(x))
            dp = mp.diff(lambda y, x=x: exactly(mp.mpf(x), y), mp.mpf(p))
            assert float(along[k]) == pytest.approx(float(dx), rel=1e-11, abs=1e-13)
            assert float(across[k]) == pytest.approx(float(dp), rel=1e-11, abs=1e-13)


def test_the_scaled_error_function_and_the_logit():
    y = np.concatenate([np.linspace(0, 6, 61), np.logspace(1, 6, 20)])
    with mp.workdps(50):
        exact = [mp.exp(mp.mpf(v) ** 2) * mp.erfc(mp.mpf(v)) for v in y]
        np.testing.assert_allclose(np.asarray(erfcx(y)), [float(e) for e in exact], rtol=2e-15)
        for p in (1e-300, 1e-10, 0.2, 0.25, 0.3, 0.496, 0.5 - 1e-15, 0.5 + 1e-9, 0.75, 1 - 1e-15):
            p = float(p)
            assert float(logit(p)) == pytest.approx(float(mp.log(mp.mpf(p) / (1 - mp.mpf(p)))), rel=5e-16)
            assert float(jax.grad(logit)(p)) == pytest.approx(float(1 / (mp.mpf(p) * (1 - mp.mpf(p)))), rel=1e-15)


# --------------------------------------------------------------------------- status, input, output


def test_what_cannot_be_solved_has_a_status():
    for share in (0.0, 1.0):
        with pytest.raises(cs.SolveError, match=r"INVALID.*`population` is 0 or 1"):
            cs.steady_state(barrier((1, 1, 1, 1, share, 10)))
    with pytest.raises(cs.SolveError, match=r"NOT_FINITE.*1000 times"):
        cs.steady_state(barrier((1, 1, 1, 1, 0.6, 1000)))
    ds = cs.sweep(
        cs.machines.KramersBarrier(), {"population": [-0.1, 0.0, 0.5, 0.9, 1.0, 1.1], "friction": [-1.0, 0.0, 1.0]}
    )
    assert ds.status.values[:, 2].tolist() == [1, 1, 0, 0, 1, 1]
    assert np.all(ds.status.values[:, :2] == 1)
    assert np.isnan(ds.cop.values[ds.status.values == 1]).all()
    assert np.isfinite(ds.lowest_temperature.values[[2, 3], 2]).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"population": 0.0}, r"`population` must lie strictly between 0 and 1, but is 0\."),
        ({"population": 1.0}, r"`population` must lie strictly between 0 and 1, but is 1\."),
        ({"population": 1.5}, "`population`"),
        ({"friction": 0.0}, "`friction` must be positive"),
        ({"frequency": -1.0}, "`frequency` must be positive"),
        ({"mass": float("inf")}, "`mass` must be finite"),
        ({"temperature": 0.0}, "`temperature` must be positive"),
        ({"barrier": -1.0}, "`barrier` must be positive"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(cs.InputError, match=message):
        cs.machines.KramersBarrier(**parameters)


def test_a_barrier_names_its_population_too():
    with pytest.raises(cs.InputError, match=r"`population` must lie from 0 to 1, but is -0\.1"):
        barrier((1, 1, 1, 1, -0.1, 10))


def test_the_baths_and_the_printed_table():
    machine = cs.machines.KramersBarrier()
    baths = machine.dynamics().baths
    assert list(baths) == ["cold", "hot", "left", "right"]
    s = cs.steady_state(machine)
    assert s.baths == tuple(baths)
    for k, bath in enumerate(baths.values()):
        assert s.kinds[k] == bath.kind
        assert float(s.chemical_potentials[k]) == float(bath.potential)
        assert bath.exchanges_particles == (bath.kind == "particle")
        # Only baths that exchange particles have a number of them.
        assert bool(s.particles.array[k] != 0) == bath.exchanges_particles
    assert s.flags == {}
    rows = {line.split()[0]: line.split() for line in str(s).splitlines() if line.split()[0] in baths}
    assert len(rows["left"]) == 7
    assert len(rows["cold"]) == 4
    assert dataclasses.replace(machine, population=0.5).dynamics().baths["left"].potential == 0
