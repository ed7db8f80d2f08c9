"""A network of more states than a matrix is made for, against sparse linear algebra of SciPy."""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

import coldspot as cs
from tests.optimised import optimise

STATES = 2100


def test_a_long_ladder_is_solved_without_a_matrix(monkeypatch):
    optimise(monkeypatch)
    rng = np.random.default_rng(0)
    levels = 0.3 * np.sin(0.7 * np.arange(STATES)) + 0.2 * rng.normal(size=STATES)
    low = np.arange(STATES - 1)
    strength = {"hot": np.full(STATES - 1, 0.5), "cold": rng.uniform(0.1, 1, STATES - 1)}
    temperature = {"hot": 1.3, "cold": 1.0}
    net = cs.JumpNetwork(
        energies=levels,
        baths={name: cs.HeatBath(t) for name, t in temperature.items()},
        channels=[cs.Channel(name, low, low + 1, cs.Glauber(rate)) for name, rate in strength.items()],
    )
    s = cs.steady_state(net)
    gap = np.diff(levels)
    up = {name: 2 * strength[name] / (1 + np.exp(gap / t)) for name, t in temperature.items()}
    down = {name: 2 * strength[name] / (1 + np.exp(-gap / t)) for name, t in temperature.items()}
    rise, fall = sum(up.values()), sum(down.values())
    leave = np.concatenate([rise, [0.0]]) + np.concatenate([[0.0], fall])
    matrix = sp.diags([rise, -leave, fall], [-1, 0, 1]).tocsc()
    p = np.concatenate([[1.0], sla.spsolve(matrix[1:, 1:], -matrix[1:, 0].toarray().ravel())])
    p /= p.sum()
    heat = gap @ (up["hot"] * p[:-1] - down["hot"] * p[1:])
    assert abs(float(s.heat["hot"]) - heat) < 1e-10 * heat
    assert float(s.error.heat["hot"]) < 1e-10 * heat
    np.testing.assert_allclose(s.populations, p, rtol=1e-8)
