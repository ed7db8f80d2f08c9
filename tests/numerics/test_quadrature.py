"""Integrals by panels: narrow features, and errors that are known."""

import math

import jax.numpy as jnp
import numpy as np

from coldspot.numerics.quadrature import cells, integrate, mesh


def test_panels_integrate_narrow_features_and_know_their_error():
    rng = np.random.default_rng(0)
    points, features = 300, 4
    c, w = rng.uniform(-1.5, 1.5, (features, points)), 10 ** rng.uniform(-5, 1, (features, points))
    c[1, :50] = c[0, :50] + 1e-7
    low, high = np.full(points, -1.0), np.full(points, 1.0)
    m = mesh(cells(*map(jnp.asarray, (c, w, low, high))))
    values = sum(1 / ((m.nodes - c[k]) ** 2 + w[k] ** 2) for k in range(features))
    exact = sum(np.arctan2(2 * w[k], w[k] ** 2 + c[k] ** 2 - 1) / w[k] for k in range(features))
    found, error = integrate(values, m, jnp.zeros_like(m.middle))
    assert np.all(np.abs(found - exact) <= error + 4e-15 * exact)
    assert np.median(error / exact) < 1e-12
    assert np.max(np.abs(found / exact - 1)) < 1e-9


def test_an_unresolved_feature_shows_in_the_error():
    """A resonance that the mesh is not told about: the estimate must say so."""
    centre, low, high = jnp.zeros((1, 1)), jnp.full(1, -1.0), jnp.full(1, 1.0)
    m = mesh(cells(centre, jnp.ones((1, 1)), low, high))
    found, error = integrate(1 / ((m.nodes - 0.3) ** 2 + 1e-4), m, jnp.zeros_like(m.middle))
    exact = 100 * (math.atan(70) + math.atan(130))
    assert 1e-6 * exact < abs(found[0] - exact) <= error[0]
