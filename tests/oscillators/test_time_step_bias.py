"""A time step of one's own biases heat: it is estimated, stated, and too large a bias is no OK."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot._checks import as_float
from coldspot.oscillators import ensemble
from tests.oscillators.sampled import Quartic, exact, pair, random_pairs

EXACT = 9 * 0.5 / (2 * (9 + 5))
"""Heat between the undriven pair's baths, .1607143: γk_c²ΔT/(2(k_c² + (k+k_c)γ²))."""


def heat(step, **options):
    network = pair(amplitude=None)
    return cs.trajectories(network, jax.random.key(2), time_step=step, **({"n": 1024, "time": 150.0} | options))


def test_a_coarse_step_is_not_ok():
    t = heat(0.6, throw=False)
    # The energy balances, the halves agree, and the heat is wrong by many standard errors.
    assert t.solution.residuals["drift"] < 5
    assert abs(float(t.heat["left"]) - EXACT) > 10 * float(t.error.heat["left"])
    assert t.status == cs.Status.NOT_CONVERGED
    assert float(t.solution.statistics["time_step_bias"]) == pytest.approx(0.1727, abs=1e-3)
    with pytest.raises(cs.SolveError, match=r"the time step 0\.6 biases heat or work by 0\.17 of the largest"):
        heat(0.6)


def test_ok_means_within_standard_errors_and_the_stated_bias():
    for step in (0.1, 0.03, None):
        t = heat(step, n=512)
        bias = float(t.solution.statistics["time_step_bias"])
        assert 1e-4 < bias < 5e-3
        assert abs(float(t.heat["left"]) - EXACT) < 3 * float(t.error.heat["left"]) + bias * EXACT


def test_the_estimate_is_the_bias():
    """Against the scheme's exact averages and the exact steady state, with .1 to .7 of the longest step."""
    given = eqx.filter_jit(
        lambda network, step: ensemble.prepare(network.system(), jnp.asarray(1e-3), 1.0, time_step=step)
    )
    for network, part in zip(random_pairs(12), np.tile([0.1, 0.3, 0.7], 4), strict=False):
        longest = float(given(network, jnp.asarray(1e-3)).limit)
        prepared = given(network, jnp.asarray(part * longest))
        truth, found = cs.steady_state(network), exact(network, prepared.plan.step)
        values = np.concatenate([truth.heat.array, truth.work.array])
        off = np.abs(np.concatenate([found.heats, found.works]) - values) / np.max(np.abs(values))
        assert np.allclose(prepared.bias, off, rtol=0.02, atol=1e-7)


def test_a_nonlinear_network_is_judged_by_the_linear_one_that_moves_most_alike():
    """Its bias is that of the likeness within a factor of two: .3 against a much shorter step."""
    network = pair(Quartic(as_float(0.4)), amplitude=None)
    coarse, fine = (
        cs.trajectories(network, jax.random.key(4), n=2048, time=100.0, time_step=step, throw=False)
        for step in (0.3, 0.03)
    )
    assert coarse.status == cs.Status.NOT_CONVERGED
    assert fine.status == cs.Status.OK
    bias = float(coarse.heat["left"] / fine.heat["left"]) - 1
    assert 0.5 < bias / float(coarse.solution.statistics["time_step_bias"]) < 2


def test_steady_states_state_it_too():
    s = cs.steady_state(cs.machines.NonlinearOscillatorPair())
    assert 0 < float(s.statistics["time_step_bias"]) < 1e-3
