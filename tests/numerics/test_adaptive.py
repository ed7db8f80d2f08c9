"""Adaptive integrals with features and kinks, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coldspot.numerics import adaptive
from tests.tolerance import assert_close

EDGE = 0.3


def window(centre, width):
    return adaptive.sides(
        jnp.array([centre, EDGE]), jnp.array([width, 0.0]), jnp.array([False, True]), jnp.array(-2.0), jnp.array(2.0)
    )


@jax.jit
def found(centre, width, kink):
    """A narrow peak, a square root above a known edge, the same above an edge nobody knows, and a step."""

    def integrand(middle, offset):
        peak = (width / jnp.pi) / (((middle - centre) + offset) ** 2 + width**2)
        above = (middle - EDGE) + offset
        x = middle + offset
        root = jnp.sqrt(jnp.where(above > 0, above, 1.0)) * (above > 0)
        hidden = jnp.sqrt(jnp.where(x > kink, x - kink, 1.0)) * (x > kink)
        return jnp.stack([peak, root, hidden, 1.0 * (x > kink)]), jnp.zeros((4, x.size))

    return adaptive.integral(integrand, window(centre, width), 4)


def exact(centre, width, kink):
    peak = (np.arctan((2 - centre) / width) + np.arctan((2 + centre) / width)) / np.pi
    return np.array([peak, 2 / 3 * (2 - EDGE) ** 1.5, 2 / 3 * (2 - kink) ** 1.5, 2 - kink])


@pytest.mark.parametrize("width", [0.5, 1e-4, 1e-9])
@pytest.mark.parametrize("centre", [-1.7, 0.3, 0.7123456, 0.3000001])
def test_peaks_and_edges_are_found_wherever_they_lie(centre, width):
    kink = -0.123456
    integral = found(centre, width, kink)
    off = np.abs(np.asarray(integral.value) - exact(centre, width, kink))
    assert integral.converged
    assert np.all(off <= 1e-13)
    assert np.all(off <= np.asarray(integral.error) + 1e-15)


def test_derivatives_are_those_of_the_integral():
    kink = -0.3

    def peak(w):
        return found(0.2, w, kink).value[0]

    forward, backward = jax.jit(lambda w: (jax.jacfwd(peak)(w), jax.grad(peak)(w)))(0.4)
    step = 1e-5
    expected = (exact(0.2, 0.4 + step, kink)[0] - exact(0.2, 0.4 - step, kink)[0]) / (2 * step)
    assert abs(forward - expected) < 1e-9
    assert abs(backward - forward) < 1e-14


def test_what_no_room_suffices_for_is_said():
    def wild(middle, offset):
        return jnp.sin(1e6 * (middle + offset))[None], jnp.zeros((1, offset.size))

    assert not jax.jit(lambda: adaptive.integral(wild, window(0.0, 0.1), 1))().converged


def test_features_that_hide_are_found_by_what_they_leave_between_nodes():
    """Tails of 10⁻⁸ of what is there: less than the root of a panel's error, but they belong to a peak that is more."""
    place, width = 1.3 + 10.0 ** np.linspace(-6, -1, 12), 1e-6

    def values(at):
        def integrand(middle, offset):
            x = middle + offset
            peak = 1e-9 * (width / jnp.pi) / ((x - at) ** 2 + width**2)
            return (jnp.cos(x) + peak)[None], jnp.zeros((1, x.size))

        found = adaptive.integral(integrand, window(0.0, 1.0), 1, adaptive.Effort(hidden=True))
        return found.value[0], found.converged

    peak = (np.arctan((2 - place) / width) + np.arctan((2 + place) / width)) / np.pi
    found, converged = jax.jit(lambda at: jax.lax.map(values, at))(place)
    assert np.all(converged)
    assert_close(found, 2 * np.sin(2) + 1e-9 * peak, 1e-15, scale=2)
