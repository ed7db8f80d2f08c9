"""Derivatives of interacting dots, against differences of a dense master equation written in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.pytrees import batch_of_one
from tests.jump.dots_by_hand import Contact, flows
from tests.tolerance import assert_close


def test_derivatives_at_degenerate_spins():
    """By the level, of one spin alone, by U, a rate and a potential: against differences of the dense equation."""
    level, u, mu = -0.5, 2.0, 0.3
    contacts = [np.diag([0.02, 0.01]), np.diag([0.01, 0.02])]

    def exactly(x):
        h = np.diag([level + x[0], level + x[0] + x[1]])
        leads = [Contact(1.0, mu + x[4], contacts[0] * (1 + x[3])), Contact(0.5, -0.25, contacts[1])]
        return flows(h, {(0, 1): u + x[2]}, leads, split=[0, 1]).heats[0]

    def heat(x):
        h = jnp.diag(jnp.stack([level + x[0], level + x[0] + x[1]]))
        leads = {
            "left": cs.Lead(cs.ElectronBath(1.0, mu + x[4]), np.diag(contacts[0]) * (1 + x[3])),
            "right": cs.Lead(cs.ElectronBath(0.5, -0.25), np.diag(contacts[1])),
        }
        return batch_of_one(cs.Dots(h, leads, {(0, 1): u + x[2]})).attempt(jnp.asarray(1e-8), 0).rates.heats[0, 0]

    found = jax.jit(jax.jacfwd(heat))(jnp.zeros(5))
    step = 1e-3
    unit = np.eye(5) * step
    exact = np.array([(8 * (exactly(e) - exactly(-e)) - exactly(2 * e) + exactly(-2 * e)) / (12 * step) for e in unit])
    assert_close(found, exact, 1e-9)


def test_derivatives_where_levels_mix():
    """By a level and the hopping, which turn the eigenvectors: against differences of the dense equation."""
    contacts = [np.array([[0.03, 0.01], [0.01, 0.01]]), np.diag([0.01, 0.02])]

    def matrix(x):
        return [[0.3 + x[0], 0.4 + x[1]], [0.4 + x[1], -0.2]]

    def exactly(x):
        leads = [Contact(1.0, 0.3, contacts[0]), Contact(0.5, -0.25, contacts[1])]
        return flows(np.array(matrix(x)), {(0, 1): 0.7}, leads).heats[0]

    def heat(x):
        baths = cs.ElectronBath(1.0, 0.3), cs.ElectronBath(0.5, -0.25)
        leads = {name: cs.Lead(bath, gamma) for name, bath, gamma in zip("ab", baths, contacts, strict=True)}
        dots = cs.Dots(jnp.array(matrix(x)), leads, {(0, 1): 0.7})
        return batch_of_one(dots).attempt(jnp.asarray(1e-8), 0).rates.heats[0, 0]

    found = jax.jit(jax.jacfwd(heat))(jnp.zeros(2))
    step = 1e-3
    unit = np.eye(2) * step
    exact = np.array([(8 * (exactly(e) - exactly(-e)) - exactly(2 * e) + exactly(-2 * e)) / (12 * step) for e in unit])
    assert_close(found, exact, 1e-9)
