"""The scheme's exact averages on linear networks: order, bias, the longest step."""

import itertools
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.oscillators import ensemble
from tests.oscillators.sampled import by_hand, chain, closed_form, exact, flat, longest, pair, random_pairs
from tests.tolerance import assert_close


def test_exact_averages_of_the_scheme():
    for network, step in ((pair(), 0.05), (pair(), 0.3), (chain(), 0.2)):
        found = by_hand(network, step)
        if network.size == 3:  # the constant force displaces, it does no work
            found[5:8] += np.linalg.solve(np.asarray(network.springs), [0, 0.6, 0]) ** 2
        assert_close(flat(exact(network, step)), found, 1e-12)


def test_errors_are_of_second_order():
    network, reference = pair(), closed_form((1.0, 0.5), 0.3)
    errors = np.abs(np.stack([flat(exact(network, h)) for h in (0.1, 0.05, 0.025, 0.0125)]) - reference)
    orders = np.log2(errors[:-1] / errors[1:])
    assert np.all(np.abs(orders - 2) < 0.1), orders


def test_equilibrium_has_no_bias():
    """In a harmonic well at one temperature: no heat, ⟨x²⟩ = TΦ⁻¹, ⟨v²⟩ = T/m, at any step."""
    found = exact(pair(temperatures=(0.7, 0.7), amplitude=None), 0.5)
    # Each friction takes and gives about 2γT.
    assert np.max(np.abs(found.heats)) < 1e-14 * 2 * 0.7
    assert np.allclose(found.squares, 0.7 * np.diag(np.linalg.inv([[5, -3], [-3, 5]])), rtol=1e-13)
    assert np.allclose(found.speeds, 0.7, rtol=1e-13)


def test_default_time_step_has_the_bias_that_was_asked_for():
    choose = eqx.filter_jit(lambda network, bias: ensemble.prepare(network.system(), bias, 1.0).plan)
    for network, bias in zip(random_pairs(40), itertools.cycle([1e-2, 1e-3, 1e-5]), strict=False):
        plan = choose(network, jnp.asarray(bias))
        truth = cs.steady_state(network)
        largest = max(np.max(np.abs(truth.heat.array)), np.max(np.abs(truth.work.array)))
        found, longer = exact(network, plan.step), exact(network, plan.step * 2)
        change = max(np.max(np.abs(found.heats - truth.heat.array)), np.max(np.abs(found.works - truth.work.array)))
        assert change < 1.1 * bias * largest
        # Not needlessly short: two steps of the row longer would be too long, for some reason.
        change = max(np.max(np.abs(longer.heats - truth.heat.array)), np.max(np.abs(longer.works - truth.work.array)))
        limit = float(longest(network)) / 10
        assert change > bias * largest or 2 * float(plan.step) > 0.7 * limit or int(plan.period) <= 32


def test_longest_step():
    """Below it the step contracts, above it grows, whatever the friction; it is 2 over the highest frequency."""
    for network in random_pairs(10):
        limit = float(longest(network))
        assert abs(limit * math.sqrt(np.linalg.eigvalsh(network.springs)[-1]) / 2 - 1) < 3e-3
        assert np.all(np.isfinite(exact(network, 0.995 * limit).heats))
        assert not np.any(np.isfinite(exact(network, 1.003 * limit).heats))
