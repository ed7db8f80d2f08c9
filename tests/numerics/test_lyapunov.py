"""Lyapunov's equation by doubling."""

import jax.numpy as jnp
import numpy as np

from coldspot.numerics import lyapunov


def test_doubling_counts():
    """The number of doublings grows with the logarithm of the slowest time, and no motion outlives it unnoticed."""
    slow = jnp.array([1e-2, 1e-6, 1e-12])
    a = jnp.stack([-g * jnp.eye(2) + jnp.array([[0.0, 1.0], [-1.0, 0.0]]) for g in slow])
    x, left, doublings = lyapunov.covariances(a, jnp.broadcast_to(jnp.eye(2), (3, 1, 2, 2)), lyapunov.cayley(a))
    assert np.all(left <= lyapunov.NEGLIGIBLE)
    assert int(doublings[0]) <= 48
    assert np.allclose(x[:, 0], np.eye(2) / (2 * np.asarray(slow)[:, None, None]), rtol=1e-3)
    still = jnp.array([[[0.0, 1.0], [-1.0, 0.0]]])
    _, left, _ = lyapunov.covariances(still, jnp.ones((1, 1, 2, 2)), lyapunov.cayley(still))
    assert left[0] > 0.1
