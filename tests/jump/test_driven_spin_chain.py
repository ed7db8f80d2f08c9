"""A driven spin chain against its master equation, integrated with SciPy."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import coldspot as cs

SPINS, PERIOD = 5, 20.0
J, RATE, LEFT, RIGHT = 1.0, 0.5, 1.5, 1.0


def field(phase):
    return 0.1 + 0.5 * np.cos(phase + 0.3)


def by_integration():
    """Heats of both baths, the work of the field, and p at phase 0: the period's propagator by DOP853."""
    n = 1 << SPINS
    state = np.arange(n)
    sigma = 1 - 2 * ((state >> np.arange(SPINS)[:, None]) & 1)

    def slope(t, x):
        columns = x.reshape(n + 3, n)[:n]
        phase = 2 * np.pi * t / PERIOD
        change, rows = np.zeros_like(columns), np.zeros((3, n))
        for k in range(SPINS):
            around = field(phase) + J * sum(sigma[j] for j in (k - 1, k + 1) if 0 <= j < SPINS)
            gap = 2 * sigma[k] * around
            out = RATE * (1 - np.tanh(gap / (2 * (LEFT if k < SPINS / 2 else RIGHT))))
            flow = out[:, None] * columns
            change += flow[state ^ (1 << k)] - flow
            rows[0 if k < SPINS / 2 else 1] += gap @ flow
        rows[2] = 0.5 * np.sin(phase + 0.3) * 2 * np.pi / PERIOD * (sigma.sum(axis=0) @ columns)
        return np.concatenate([change, rows]).ravel()

    start = np.concatenate([np.eye(n), np.zeros((3, n))]).ravel()
    end = solve_ivp(slope, (0, PERIOD), start, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1].reshape(n + 3, n)
    matrix = np.concatenate([end[:n] - np.eye(n), np.ones((1, n))])
    p = np.linalg.lstsq(matrix, np.eye(n + 1)[n], rcond=None)[0]
    return end[n:] @ p / PERIOD, p


def test_the_whole_period_at_once_is_the_integrated_one():
    (left, right, work), p = by_integration()
    baths = cs.HeatBath(LEFT), cs.HeatBath(RIGHT)
    s = cs.steady_state(cs.SpinChain(SPINS, J, cs.Cosine(0.5, 0.3, 0.1), RATE, *baths, period=PERIOD))
    for found, exact in ((s.heat["left"], left), (s.heat["right"], right), (s.work["field"], work)):
        assert abs(float(found) - exact) < 1e-10 * abs(work)
    np.testing.assert_allclose(s.populations, p, atol=1e-8 * p.max())
    assert float(s.error.heat["left"]) < 1e-8 * abs(work)


def test_a_drive_with_jumps_is_refused_for_long_chains():
    gate = cs.Steps([0.0, 1.0], [0.5, 0.5])
    with pytest.raises(cs.InputError, match=r"the drive `field` jumps or has kinks.* up to 4 spins"):
        cs.SpinChain(SPINS, J, gate, RATE, cs.HeatBath(LEFT), cs.HeatBath(RIGHT), period=PERIOD)
