"""The limit of large friction against closed forms, and the Klein–Kramers equation against it."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from tests.tolerance import assert_close

PI = math.pi


def tilted(friction, load=0.7):
    return cs.KleinKramers(jnp.cos, friction, temperature=0.8, boundary=cs.Periodic(2 * PI, load=load), mass=2.0)


def test_the_tilted_ring_by_stratonovich():
    """J = (1−e^{−2πF/T})/(mγ/T)/∫∫ e^{(V(x)−Fx−V(y)+Fy)/T} over one turn of each."""
    load, t = 0.7, 0.8

    def inner(x):
        return quad(lambda y: math.exp((math.cos(x) - load * x - math.cos(x - y) + load * (x - y)) / t), 0, 2 * PI)[0]

    norm = quad(inner, 0, 2 * PI)[0]
    expected = t / (2.0 * 30.0) * (1 - math.exp(-2 * PI * load / t)) / norm
    limit = tilted(30.0).overdamped()
    assert limit.flux == pytest.approx(expected, rel=1e-8)
    x = np.linspace(0, 2 * PI, 200, endpoint=False)
    assert limit.density(x).mean() * 2 * PI == pytest.approx(1.0, rel=1e-12)


def test_inertia_falls_with_the_square_of_friction():
    """γJ and the density of the whole equation tend to the limit; what is left falls fourfold as γ doubles."""
    left = []
    x = np.linspace(0.1, 6.1, 31)
    for friction in (8.0, 16.0):
        problem = tilted(friction)
        state, limit = problem.state(tolerance=1e-6), problem.overdamped()
        left.append([state.flux / limit.flux - 1, np.abs(state.density(x) - limit.density(x)).max()])
    assert np.all(np.abs(left[0]) < 0.02)
    assert np.all(np.abs(np.divide(left[0], left[1]) - 4) < 0.4)


def test_steps_of_the_temperature():
    """Without a load y = T n is continuous, and V′/T is integrated on either side."""
    ring = cs.KleinKramers(
        lambda x: 1 + jnp.cos(x),
        friction=1.0,
        temperature=cs.Steps([1.0, 1.5], [0.5, 0.5]),
        boundary=cs.Periodic(2 * PI, start=-PI),
        baths=("cold", "hot"),
    )
    limit = ring.overdamped()
    near = limit.density(np.array([-1e-9, 1e-9]))
    assert_close(near[0] * 1.0, near[1] * 1.5, 1e-6)
    # Climbing is easier on the hot side, at x > 0: particles go round to the left.
    assert limit.flux < 0


def test_open_ends():
    """Free diffusion: J = (T/mγ)(n_l−n_r)/L, and a straight line."""
    slab = cs.KleinKramers(
        lambda x: 0 * x, friction=5.0, temperature=2.0, mass=3.0, boundary=cs.Open(1.0, 3.0, left=2.0, right=1.0)
    )
    limit = slab.overdamped()
    assert limit.flux == pytest.approx(2.0 / 15.0 / 2.0, rel=1e-12)
    assert_close(limit.density(np.array([1.0, 2.0, 3.0])), [2.0, 1.5, 1.0], 1e-12)


def test_a_narrow_bump_on_a_ring():
    """Three temperatures high and a sixtieth of the ring wide: elements are shorter about it."""
    ring = cs.KleinKramers(
        lambda x: 0.5 * jnp.cos(x) + 3 * jnp.exp(200 * (jnp.cos(x - 1) - 1)),
        friction=1e4,
        temperature=1.0,
        boundary=cs.Periodic(2 * np.pi, load=0.5, start=-np.pi),
    )
    s = cs.steady_state(ring, tolerance=1e-4)
    # What inertia adds is the square of the bump's own frequency over the friction: 6e-6.
    assert abs(float(s.observables["flux"]) / ring.overdamped().flux - 1) < 1e-5
