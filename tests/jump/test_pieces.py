"""Pieces between borders: functions with declared breaks and kinked samples; looked at inside pieces alone."""

import itertools

import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

import coldspot as cs
from coldspot.jump.pieces import MARGIN, cut

PERIOD = 7.0


BORDER, DUTY = 0.6 * np.pi, 0.45


class Own(cs.Drive):
    """Jumps at BORDER and at phase 0, bends in between, and has no value at borders nor outside of the period."""

    def __call__(self, phase):
        outside = (phase <= 0) | (phase >= 2 * jnp.pi) | (phase == BORDER)
        share = phase / (2 * jnp.pi)
        return jnp.where(outside, jnp.nan, jnp.where(share < 0.3, 1 + 4 * share**2, 0.2 + jnp.sin(3 * share)))


KINKS, STEPS = np.array([0.0, 0.6, -0.2]), np.array([0.0, 0.5])


def network() -> cs.JumpNetwork:
    """A level that breaks, kinks and steps, between two baths, one of which is disconnected for a moment."""
    return cs.JumpNetwork(
        lambda d: jnp.stack([0.0, d["own"] + d["kinked"] + d["steps"]]),
        {"hot": cs.HeatBath(1.0), "cold": cs.HeatBath(0.6)},
        [
            cs.Channel("hot", 0, 1, lambda d: cs.Glauber(0.4 * (0.5 + 0.5 * d["valve"]))),
            cs.Channel("cold", 0, 1, cs.Glauber(0.7)),
        ],
        drives={
            "own": Own(),
            "kinked": cs.Samples(KINKS, kinked=True),
            "steps": cs.Steps(STEPS, [DUTY, 1 - DUTY]),
            "valve": cs.Cosine(1.0),
        },
        period=PERIOD,
        breaks=[BORDER],
    )


def parts(x):
    """The parts of the level at a share of the period, and their slopes."""
    own = (1 + 4 * x**2, 8 * x) if x < 0.3 else (0.2 + np.sin(3 * x), 3 * np.cos(3 * x))
    closed = [*KINKS, KINKS[0]]
    kinked = (np.interp(3 * x, np.arange(4), closed), 3 * np.diff(closed)[min(int(3 * x), 2)])
    return np.array([own, kinked, (STEPS[int(x >= DUTY)], 0.0)]).T


def by_dop853(end: float) -> np.ndarray:
    """p, both heats and the three works from the lower state at time 0 to `end` periods, border by border."""
    borders = [k + x for k in range(2) for x in sorted([0.0, 0.3, 1 / 3, DUTY, 2 / 3])]
    y = np.zeros(6)
    for start, behind in itertools.pairwise([*(b for b in borders if b < end), end]):

        def motion(time, y, start=start, behind=behind):
            x = np.clip(time / PERIOD, start + 1e-13, behind - 1e-13) % 1
            level, slope = parts(x)
            rates = ((0.4 * (0.5 + 0.5 * np.cos(2 * np.pi * x)), 1.0), (0.7, 0.6))
            flows = [2 * r / (1 + np.exp(level.sum() / t)) - 2 * r * y[0] for r, t in rates]
            return [sum(flows), *(level.sum() * flow for flow in flows), *(slope / PERIOD * y[0])]

        span = (start * PERIOD, behind * PERIOD)
        y = solve_ivp(motion, span, y, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
        if behind < end:
            y[3:] += y[0] * (parts((behind + 1e-13) % 1)[0] - parts((behind - 1e-13) % 1)[0])
    return y


def test_breaks_kinks_and_steps_against_dop853():
    """Populations, heat from each bath and work of each drive through two periods."""
    ends = [0.2, 0.8, 1.9]
    e = cs.evolve(network(), 0, [PERIOD * end for end in ends], tolerance=1e-10)
    for k, end in enumerate(ends):
        exact = by_dop853(end)
        found = np.array([e.populations[k, 1], *e.amounts.heats[k], *e.amounts.works[k]])
        errors = np.array([e.error, *e.amounts_error.heats[k], *e.amounts_error.works[k]])
        assert np.max(np.abs(found[:6] - exact)) < 1e-10
        assert np.all(np.abs(found[:6] - exact) <= errors[:6] + 1e-11)
        assert found[6] == 0.0


def test_borders_that_differ_by_rounding_are_one():
    pieces = cut(jnp.array([2 / 3, 1 / 3, 1 / 3 + 1e-16, 1.0, 0.0]))
    assert np.array_equal(pieces.length > 0, [True] * 3 + [False] * 3)
    assert np.allclose(pieces.length[:3], 1 / 3, rtol=0, atol=1e-15)
    assert np.all(pieces.low[:3] > pieces.start[:3])
    assert np.all(pieces.high[:3] < pieces.start[1:4])
    # What is left of merged ones is looked at where the period ends.
    assert np.all(pieces.low[3:] == pieces.high[2])
    assert float(pieces.high[2]) == 1 - MARGIN
