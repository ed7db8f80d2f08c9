"""What batches of dots share: leads of one channel."""

import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.dynamics import solve_points
from tests.tolerance import assert_close


def test_leads_of_one_channel_and_of_several():
    """Of a Γ of rank 1 only one channel is taken along, unless another point has more: the currents are the same."""
    h = np.array([[0.3, 0.2, 0.0], [0.2, -0.4, 0.1], [0.0, 0.1, 0.2]])
    t = np.array([0.3, 0.0, 0.2])

    def build(_, p):
        left, right = 0.1 * jnp.outer(t, t) + p["more"] * jnp.eye(3), 0.1 * jnp.outer(t[::-1], t[::-1])
        leads = {"left": cs.Lead(cs.ElectronBath(0.3, 0.2), left), "right": cs.Lead(cs.ElectronBath(0.2, 0.0), right)}
        return cs.Dots(h + p["level"] * jnp.eye(3), leads, {(0, 1): 0.7, (1, 2): 0.4})

    levels, tolerance = np.linspace(-0.4, 0.4, 9), jnp.asarray(1e-8)
    attempt = solve_points.attempts[0]
    alike = attempt(build, None, {"level": levels, "more": np.zeros(9)}, tolerance)[0]
    mixed = attempt(build, None, {"level": levels, "more": 0.01 * np.eye(9)[8]}, tolerance)[0]
    assert_close(np.asarray(alike.ledger.heats)[:8], np.asarray(mixed.ledger.heats)[:8], 1e-12)
    several = attempt(build, None, {"level": levels + 0.8, "more": np.full(9, 0.01)}, tolerance)[0]
    assert_close(np.asarray(several.ledger.heats)[0], np.asarray(mixed.ledger.heats)[8], 1e-12)
    assert abs(mixed.ledger.heats[8] - alike.ledger.heats[8]).max() > 1e-6
