"""A hundred sudden steps, each far longer than the states take to relax, against closed forms of two states."""

import importlib

import jax.numpy as jnp
import mpmath as mp
import numpy as np

import coldspot as cs
from tests.optimised import optimised

STEPS, PERIOD = 100, 1e7
LEVELS = np.random.default_rng(0).uniform(0.2, 2.0, STEPS)
BATHS = ((1.0, 1.0), (2.0, 0.3))
"""Temperature and rate of each."""


def network():
    return cs.JumpNetwork(
        energies=lambda drives: jnp.array([0.0, 1.0]) * drives["level"],
        baths={"a": cs.HeatBath(BATHS[0][0]), "b": cs.HeatBath(BATHS[1][0])},
        channels=[cs.Channel(name, 0, 1, cs.Glauber(r)) for name, (_, r) in zip("ab", BATHS, strict=True)],
        drives={"level": cs.Steps(LEVELS, np.full(STEPS, 1 / STEPS))},
        period=PERIOD,
    )


def rates(level, temperature, rate):
    x = mp.mpf(level) / temperature
    return 2 * rate / (1 + mp.exp(x)), 2 * rate / (1 + mp.exp(-x))


def growth(chi, counted):
    """λ(χ) of the tilted evolution, from a product of exponentials of 2 × 2 matrices in closed form."""
    whole, span = mp.eye(2), mp.mpf(PERIOD) / STEPS
    for level, following in zip(LEVELS.tolist(), np.roll(LEVELS, -1).tolist(), strict=True):
        ups, downs = zip(*(rates(level, *bath) for bath in BATHS), strict=True)
        factor = mp.exp(chi * mp.mpf(level)) if counted == "heat" else mp.mpf(1)
        up, down = ups[0] * factor + ups[1], downs[0] / factor + downs[1]
        half, lift = -(sum(ups) + sum(downs)) / 2, (sum(downs) - sum(ups)) / 2
        q = mp.sqrt(lift**2 + up * down)
        # exp(At) = e^{half t} [cosh(qt) + sinh(qt)/q (A − half)].
        grown, shrunk = mp.exp((half + q) * span) / 2, mp.exp((half - q) * span) / 2
        even, odd = grown + shrunk, (grown - shrunk) / q
        whole = mp.matrix([[even + odd * lift, odd * down], [odd * up, even - odd * lift]]) * whole
        jump = chi * (mp.mpf(following) - mp.mpf(level)) if counted == "work" else mp.mpf(0)
        whole = mp.matrix([[1, 0], [0, mp.exp(jump)]]) * whole
    trace, det = whole[0, 0] + whole[1, 1], whole[0, 0] * whole[1, 1] - whole[0, 1] * whole[1, 0]
    return mp.log((trace + mp.sqrt(trace**2 - 4 * det)) / 2) / mp.mpf(PERIOD)


def test_cumulants_over_a_hundred_long_steps(monkeypatch):
    module = importlib.import_module("coldspot.counting")  # beside the function of that name
    monkeypatch.setattr(module, "_solve_one", optimised(module._solve_one))
    c = cs.counting(network(), [("heat", "a"), ("work", "level")]).cumulants(3)
    with mp.workdps(60):
        expected = np.array(
            [[mp.diff(lambda x, q=q: growth(x, q), 0, k) for k in (1, 2, 3)] for q in ("heat", "work")], float
        )
    np.testing.assert_allclose(c.values, expected, rtol=1e-8)
    assert np.all(np.abs(c.values - expected) <= c.errors)
