"""Kramers' barrier: ledger, laws, honest errors, derivatives, statuses and bad input."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import solve_batch
from tests.phase_space.printed import CASES, NAMES, Exact, barrier

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
                    # Where a slope is zero, `mp.diff` leaves what 50 digits do.
                    none = 1e-30 * np.max(np.abs(found))
                    assert found[row, k] == pytest.approx(float(slope), rel=1e-11, abs=none)
    # Along the population: the coldest place moves, but at a minimum that does not count.
    b = barrier(CASES[1])
    at = [float(barrier((*CASES[1][:4], p, 10.0)).effective_temperature(b.coldest_position())) for p in (0.749, 0.751)]
    assert float(jacobian(jnp.asarray(CASES[1]))[3, 4]) == pytest.approx((at[1] - at[0]) / 0.002, rel=1e-5)


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
    assert s.flags == {"weak friction": True}
    rows = {line.split()[0]: line.split() for line in str(s).splitlines() if line.split()[0] in baths}
    # Heat and particles with their errors: three words each.
    assert len(rows["left"]) == 11
    assert len(rows["cold"]) == 6
    assert dataclasses.replace(machine, population=0.5).dynamics().baths["left"].potential == 0
