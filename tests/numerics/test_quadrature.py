"""Integrals by panels: narrow features, and errors that are known."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from coldspot.numerics import quadrature
from coldspot.numerics.quadrature import NODES

# Each in one program instead of one for each operation.
cells, integrate = jax.jit(quadrature.cells), jax.jit(quadrature.integrate)
mesh, panel_node = (
    jax.jit(function, static_argnums=k) for function, k in ((quadrature.mesh, 1), (quadrature.panel_node, 3))
)


def plain(tree):
    """In NumPy."""
    return jax.tree.map(np.asarray, tree)


def test_panels_integrate_narrow_features_and_know_their_error():
    """Half widths from 10 down to 1e-13 of the window; some resonances nearly coincide."""
    rng = np.random.default_rng(0)
    points, features = 300, 4
    c, w = rng.uniform(-1.5, 1.5, (features, points)), 10 ** rng.uniform(-13, 1, (features, points))
    c[1, :50] = c[0, :50] + 1e-7
    low, high = np.full(points, -1.0), np.full(points, 1.0)
    m = plain(mesh(cells(c, w, low, high)))
    # Each resonance has the weight of its own area, so that none hides behind another.
    values = sum(w[k] / (((m.centre - c[k]) + m.offset) ** 2 + w[k] ** 2) for k in range(features))
    exact = sum(np.arctan2(2 * w[k], w[k] ** 2 + (c[k] - 1) * (c[k] + 1)) for k in range(features))
    found, error = plain(integrate(values, np.zeros_like(values), m, np.zeros_like(m.middle)))
    assert np.all(np.abs(found - exact) <= error + 4e-15 * exact)
    assert np.median(error / exact) < 1e-13
    assert np.max(np.abs(found / exact - 1)) < 1e-10
    assert np.max(error / exact) < 1e-8


def test_one_node_at_a_time_is_the_same_mesh():
    c = cells(np.array([[0.0], [0.3]]), np.array([[1e-6], [0.1]]), np.array([-1.0]), np.array([2.0]))
    m = plain(mesh(c, 3))
    each = [[panel_node(c, jnp.asarray(k), jnp.asarray(j), 3) for j in range(NODES)] for k in range(12)]
    centre, offset, stretch = (np.array([[node[part] for node in one] for one in each]) for part in range(3))
    assert np.max(np.abs(centre[:, :1] - m.centre)) == 0
    np.testing.assert_allclose(offset, m.offset, rtol=1e-12, atol=1e-20)
    np.testing.assert_allclose(stretch, m.stretch, rtol=1e-12)


def test_an_unresolved_feature_shows_in_the_error():
    """A resonance that the mesh is not told about: the estimate must say so."""
    centre, low, high = np.zeros((1, 1)), np.full(1, -1.0), np.full(1, 1.0)
    m = mesh(cells(centre, np.ones((1, 1)), low, high))
    values = 1 / ((np.asarray(m.nodes) - 0.3) ** 2 + 1e-4)
    found, error = plain(integrate(values, np.zeros_like(values), m, np.zeros_like(m.middle)))
    exact = 100 * (math.atan(70) + math.atan(130))
    assert 1e-6 * exact < abs(found[0] - exact) <= error[0]
