"""Lyapunov's equation by doubling."""

import jax
import numpy as np

from coldspot.numerics import lyapunov


def test_doubling_counts():
    """The number of doublings grows with the logarithm of the slowest time, and no motion outlives it unnoticed."""
    slow = np.array([1e-2, 1e-6, 1e-12])
    a = np.stack([-g * np.eye(2) + np.array([[0.0, 1.0], [-1.0, 0.0]]) for g in slow])
    solve = jax.jit(lambda a, w: lyapunov.covariances(a, w, lyapunov.cayley(a)))
    x, left, doublings = solve(a, np.broadcast_to(np.eye(2), (3, 1, 2, 2)))
    assert np.all(left <= lyapunov.NEGLIGIBLE)
    assert int(doublings[0]) <= 48
    assert np.allclose(x[:, 0], np.eye(2) / (2 * slow[:, None, None]), rtol=1e-3)
    still = np.array([[[0.0, 1.0], [-1.0, 0.0]]])
    _, left, _ = solve(still, np.ones((1, 1, 2, 2)))
    assert left[0] > 0.1
