"""What the chord of a step of coordinates without mass misses of heat and work, in the mean over the paths above it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.numerics.timeline import Timeline
from coldspot.oscillators import walk
from coldspot.oscillators.told import told

WARM, FRICTION, STEP = (1.0, 0.3), (1.0, 2.0), 0.2


def potential(x):
    return 0.3 * x[0] ** 2 * x[1] - 0.2 * x[1] ** 3


def law(x, v):
    return jnp.stack([0.7 * x[1] ** 2 - x[0] * x[1], 0.5 * x[0] ** 2])


@pytest.fixture(scope="module")
def network():
    return cs.OscillatorNetwork(
        masses=[0.0, 0.0],
        springs=np.eye(2),
        frictions=FRICTION,
        baths={"warm": cs.HeatBath(WARM[0]), "cool": cs.HeatBath(WARM[1])},
        sites={"warm": 0, "cool": 1},
        potential=potential,
        forces={"law": law},
    )


def along(path):
    """∫ F_j dx_j of all forces and of the law (2, coordinate) along a path (point, 2), by the trapezoidal rule."""
    x, y = path.T
    fed = np.stack([0.7 * y**2 - x * y, 0.5 * x**2])
    pull = -np.stack([x + 0.6 * x * y, y + 0.3 * x**2 - 0.6 * y**2])
    forces = np.stack([pull + fed, fed])
    return ((forces[..., 1:] + forces[..., :-1]) / 2 * np.diff(path.T)).sum(-1)


def missed(start, stop, modes):
    """The mean over Brownian bridges, of which each is a sum of sines with random weights, less the chord's own.

    Along a path the integral of quadratic forces is of third order in those weights: the mean needs one at a time.
    """
    s = np.linspace(0.0, 1.0, 4001)[:, None]
    chord = np.asarray(start) + s * (np.asarray(stop) - start)
    spread = np.sqrt(2 * np.array(WARM) / FRICTION * STEP)
    total = np.zeros((2, 2))
    for n in range(1, modes + 1):
        for way in np.diag(spread):
            bow = np.sqrt(2) * np.sin(n * np.pi * s) / (n * np.pi) * way
            total += (along(chord + bow) + along(chord - bow)) / 2 - along(chord)
    return total


def test_the_mean_of_what_chords_miss_of_curved_forces_is_that_of_all_bridges(network):
    course = walk.course_of(told(network), Timeline(np.array([0.0, 2 * STEP]), np.array([2]), True))
    start, stop = np.array([0.4, -0.7]), np.array([1.1, 0.2])
    now, end = (walk.cleared(course, jnp.asarray(x)[:, None], jnp.zeros((0, 1)), jnp.zeros(1)) for x in (start, stop))
    heat, work = jax.jit(walk._curved)(course, now, end, jnp.asarray(0))
    rough, fine = missed(start, stop, 20), missed(start, stop, 40)
    # What is left of the sum falls as one over the number of sines.
    left, fine = np.abs(fine - rough), 2 * fine - rough
    assert np.all(np.abs(np.asarray(heat)[:, 0] + fine[0]) < left[0] / 10 + 1e-6)
    assert abs(work[0, 0] - fine[1].sum()) < left[1].sum() / 10 + 1e-6
    assert np.abs(fine).min() > 1e-3
