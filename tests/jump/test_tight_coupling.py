"""Tight coupling reaches Carnot at stall."""

import numpy as np
import pytest
from scipy.optimize import brentq

import coldspot as cs
from tests import machines_random as mr
from tests.tolerance import assert_close


@pytest.mark.parametrize("t_hot", [1.1, 2.0, 50.0])
def test_tight_coupling_reaches_carnot_at_stall(t_hot):
    """A single level: η = 1 − (ε−μ_c)/(ε−μ_h) exactly, Carnot's where the current stops, never more."""
    hot, cold = cs.ElectronBath(t_hot, -0.5), cs.ElectronBath(1.0, 0.5)
    # s = 0 at (ε−μ_h)/T_h = (ε−μ_c)/T_c.
    stall = (0.5 * t_hot + 0.5) / (t_hot - 1.0)
    carnot = 1 - 1 / t_hot
    for above in (1e-2, 1e-4, 1e-6):
        level = stall * (1 + above)
        s = cs.steady_state(cs.machines.QuantumDot(level=level, left=hot, right=cold))
        assert s.regime == "engine"
        assert_close(s.efficiency, 1 - (level - 0.5) / (level + 0.5), 1e-9)
        assert carnot * (1 - 2 * above) < s.efficiency < carnot
        level = stall * (1 - above)
        s = cs.steady_state(cs.machines.QuantumDot(level=level, left=hot, right=cold))
        assert s.regime == "refrigerator"
        assert s.cop < 1 / (t_hot - 1)
        assert_close(s.cop, level - 0.5, 1e-9, level)


def test_single_cycle_exchanges_heats_in_fixed_ratio():
    """Three levels in a ring, each edge with its own bath: heats are in the ratio of the gaps (tight coupling)."""
    (t,) = (t for t in mr.STATIC if t.name == "ring-3")
    columns = mr.join(
        mr.draw(t, np.random.default_rng(8), 250), mr.draw(t, np.random.default_rng(8), 250, "near equilibrium")
    )
    s = mr.solve(t, columns)
    e = columns["energies"]
    turns = np.asarray(s.heat.array) / np.stack([e[:, 1] - e[:, 0], e[:, 2] - e[:, 1], e[:, 0] - e[:, 2]], axis=-1)
    assert np.max(np.abs(turns / turns[:, :1] - 1)) < 1e-11


def test_three_terminal_stall_in_a_network():
    """The bias at which a dot assisted by phonons stops carrying charge still produces entropy ≥ 0 and no work."""

    def solved(bias):
        return cs.steady_state(
            cs.JumpNetwork(
                energies=[0.0, 1.0, 2.5],
                occupations=[0, 1, 1],
                baths={
                    "left": cs.ElectronBath(1.0, bias / 2),
                    "right": cs.ElectronBath(1.0, -bias / 2),
                    "phonons": cs.BosonBath(2.0),
                },
                channels=[
                    cs.Channel("left", 0, 1, cs.Tunnelling(1.0)),
                    cs.Channel("right", 0, 2, cs.Tunnelling(1.0)),
                    cs.Channel("phonons", 1, 2, cs.Bosonic(cs.Ohmic(0.5))),
                ],
            )
        )

    # Tight coupling: each electron takes one phonon, so the stall is at bias = −ω(1 − T_e/T_ph).
    stall = brentq(lambda v: float(solved(v).particles["left"]), -2.0, 0.5, xtol=1e-14)
    assert abs(stall + 1.5 * (1 - 1.0 / 2.0)) < 1e-12
    s = solved(stall + 1e-6)
    assert s.regime == "engine"
    assert abs(s.second_law_efficiency("left") - 1) < 1e-5
