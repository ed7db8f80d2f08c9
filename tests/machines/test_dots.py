"""Machines of dots with published results: two in series, and two that feel each other's charge."""

import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.dynamics import solve_points
from coldspot.machines import CoulombCoupledDots, DoubleDot
from tests.tolerance import assert_close

BATCH = 48


def solved(build, columns):
    """Steady states of `build` at each row of the columns; status unchecked."""
    return solve_points(lambda build, point: build(*point), build, jnp.asarray(columns), jnp.asarray(1e-8))


def test_two_dots_in_series():
    """QmeQ's Pauli kernel with repulsion (the first point); without it each level by itself."""
    rng = np.random.default_rng(3)
    count = 8
    levels, hopping = rng.uniform(-1, 1, (2, count)), rng.uniform(0.2, 1, count)
    gammas, mu, t = rng.uniform(0.01, 0.1, (2, count)), rng.uniform(-1, 1, (2, count)), rng.uniform(0.4, 1, (2, count))
    u = np.zeros(count)
    levels[:, 0], hopping[0], u[0] = (0.3, -0.4), 0.35, 2.0
    gammas[:, 0] = 2 * np.pi * np.square([0.08920620580763855, 0.11283791670955126])
    mu[:, 0], t[:, 0] = (1.5, -1.0), (0.7, 0.5)
    s = solved(
        lambda a, b, h, u, ga, gb, ma, mb, ta, tb: DoubleDot(
            a, b, h, u, ga, gb, cs.ElectronBath(ta, ma), cs.ElectronBath(tb, mb)
        ),
        np.column_stack([*levels, hopping, u, *gammas, *mu, *t]),
    )
    assert np.all(np.asarray(s.status) == 0)
    assert_close(s.particles["left"][0], 0.009892214211657844, 1e-13)
    assert_close(s.ledger.heats[0], [-0.00980253962789468, -0.01492799590124992], 1e-13)
    for k in range(1, count):
        energies, states = np.linalg.eigh([[levels[0, k], -hopping[k]], [-hopping[k], levels[1, k]]])
        rates = gammas[:, k, None] * states**2
        filling = 1 / (1 + np.exp((energies - mu[:, k, None]) / t[:, k, None]))
        currents = rates[0] * rates[1] / (rates[0] + rates[1]) * (filling[0] - filling[1])
        heats = [np.sum((energies - mu[0, k]) * currents), -np.sum((energies - mu[1, k]) * currents)]
        assert_close(s.ledger.heats[k], heats, 1e-12)


def harvester(level, gate_level, u, le, lf, re, rf, gate, bias, cold, hot):
    left, right = cs.ElectronBath(cold, -bias / 2), cs.ElectronBath(cold, bias / 2)
    return CoulombCoupledDots(level, gate_level, u, le, lf, re, rf, gate, left, right, cs.ElectronBath(hot))


def test_heat_of_a_gate_drives_a_current():
    """Sánchez and Büttiker: quanta per electron, efficiency V/U, Carnot at stall, half of it at maximum power."""
    rng = np.random.default_rng(4)
    rows = np.zeros((BATCH, 11))
    rows[:, :3] = np.column_stack([rng.uniform(-1, 1, BATCH), rng.uniform(-2, 0, BATCH), rng.uniform(0.5, 3, BATCH)])
    rows[:, 3:8] = rng.uniform(0.01, 0.1, (BATCH, 5))
    rows[:, 9], rows[:, 10] = 1.0, rng.uniform(1.1, 2, BATCH)
    # From point 8 on tightly coupled, with a bias; of these, point 8 at stall.
    rows[8:, [4, 5]] = 0
    rows[8:, 8] = rng.uniform(0, 1, BATCH - 8) * rows[8:, 2]
    rows[8, 8] = rows[8, 2] * (1 - 1 / rows[8, 10])
    # From point 16 on one machine at a small difference of temperatures, on the way to stall.
    carnot = 1e-3
    rows[16:] = rows[16]
    rows[16:, 10] = 1 / (1 - carnot)
    stall = rows[16, 2] * carnot
    rows[16:, 8] = stall * (0.25 + 0.5 * np.arange(BATCH - 16) / (BATCH - 17))
    s = solved(harvester, rows)
    assert np.all(np.asarray(s.status) == 0)
    current, heat = np.asarray(s.particles["left"]), np.asarray(s.heat["gate"])
    u, (le, lf, re, rf) = rows[:, 2], rows[:, 3:7].T
    quotient = (le * rf - lf * re) / ((le + re) * (lf + rf)) / u
    assert_close(current[:8], quotient[:8] * heat[:8], 1e-12)
    assert_close(current[9:], heat[9:] / u[9:], 1e-12, scale=np.abs(current[9:]))
    size = rows[8, 3:8].max()
    assert abs(current[8]) < 1e-14 * size
    working = np.flatnonzero(np.asarray(s.regime) == "engine")
    working = working[working > 8]
    assert working.size > BATCH - 20
    assert_close(s.efficiency[working], rows[working, 8] / u[working], 1e-11)
    # The vertex of the power through three neighbours, against half of Carnot's.
    bias, power = rows[16:, 8], -np.asarray(s.work_in)[16:]
    best = int(np.argmax(power))
    a, b, _ = np.polyfit(bias[best - 1 : best + 2] / stall, power[best - 1 : best + 2] / power[best], 2)
    assert abs(-b / (2 * a) - 0.5) < carnot
