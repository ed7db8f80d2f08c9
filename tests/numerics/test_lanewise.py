"""Formulas number by number against `jax.vmap` of them."""

import jax
import jax.numpy as jnp
import numpy as np

from coldspot.numerics.lanewise import lanewise, numbers_in
from coldspot.numerics.random_numbers import xoroshiro

TABLE = np.array([[1.0, -2.0, 0.5], [0.3, 4.0, -1.0]])
PLACES = np.array([2, 0, 1])


def formulas(x, y):
    """Costly and cheap steps, known and unknown places, and what has no form of its own: products, sorts, branches."""
    v = jnp.stack([jnp.cos(x), jnp.exp(-y), x * y, jnp.float64(0.5)])
    known = v[PLACES].at[1].set(jnp.tanh(x))
    unknown = jnp.asarray(TABLE)[0, jnp.searchsorted(jnp.array([0.3, 0.6]), x)]
    # Whole numbers and truth values move, too.
    marks = jnp.concatenate([v > 0.4, jnp.array([True])])
    counts = jnp.concatenate([jnp.array([7, 9]), jnp.floor(3 * x)[None].astype(int)])
    branch = jax.lax.cond(x > 0.5, jnp.sin, jnp.cos, y)
    return {
        "known": known,
        "unknown": unknown,
        "product": jnp.asarray(TABLE) @ known,
        "sorted": jnp.sort(v),
        "sums": (jnp.cumsum(v), jnp.sum(v.reshape(2, 2), axis=0), jnp.max(v), jnp.any(marks)),
        "chosen": jnp.where(marks[:4], v, counts[1]),
        "counts": counts,
        "branch": branch,
        "shared": jnp.asarray(TABLE),
        "none": jnp.zeros((0, 2)),
        "filled": (x * jnp.arange(5.0)).at[jnp.array([1, 20])].get(mode="fill", fill_value=3.0),
        "empty": jnp.sum(x * jnp.zeros(0)),
    }


def test_numbers_are_those_of_vmap():
    x, y = np.random.default_rng(1).uniform(0, 1, (2, 64))

    def both(x, y):
        flat = [
            jnp.broadcast_to(n, x.shape)
            for t in jax.tree.leaves(lanewise(formulas, x, y, certain=x[0] < 2))
            for n in t.ravel()
        ]
        return flat, jax.vmap(formulas, out_axes=-1)(x, y)

    flat, expected = jax.jit(both)(x, y)
    expected = [row for t in jax.tree.leaves(expected) for row in np.asarray(t).reshape(-1, 64)]
    assert len(flat) == len(expected)
    for found, row in zip(flat, expected, strict=True):
        np.testing.assert_allclose(found, row, rtol=1e-14, atol=1e-15)


def test_numbers_of_a_formula_are_those_that_depend_on_the_point():
    shared = jnp.arange(100.0)
    assert numbers_in(lambda x: jnp.sum(jnp.sin(shared)), jnp.zeros(())) == 0
    assert 200 <= numbers_in(lambda x: jnp.sum(jax.jit(jnp.sin)(x * shared)), jnp.zeros(())) <= 400


def test_xoroshiro_begins_as_its_authors_program_does():
    """Integers of any size, as in the authors' C, from the same state; 393217 = rotl(1 + 2, 17) + 1 by hand."""
    mask = 2**64 - 1

    def turned(word, bits):
        return (word << bits | word >> (64 - bits)) & mask

    a, b, state = 1, 2, (jnp.uint64(1), jnp.uint64(2))
    for turn in range(100):
        expected = (turned((a + b) & mask, 17) + a) & mask
        b ^= a
        a, b = turned(a, 49) ^ b ^ (b << 21 & mask), turned(b, 28)
        word, state = xoroshiro(state)
        assert int(word) == expected
        assert turn or expected == 393217
