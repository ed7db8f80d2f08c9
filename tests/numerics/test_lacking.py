"""A value that is not there has no derivative of any order, in any mode; what is there keeps its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coldspot.numerics.lacking import lacking


def cube(x):
    return lacking(x < 0, (x**3, jnp.stack([x, x**2])))[0]


WAYS = {
    "once": [jax.grad, jax.jacfwd],
    "twice": [lambda f, g=g, h=h: g(h(f)) for g in (jax.jacfwd, jax.jacrev) for h in (jax.jacfwd, jax.jacrev)],
}


@pytest.mark.parametrize(("order", "there"), [("once", 12.0), ("twice", 12.0)])
def test_every_mode(order, there):
    for way in WAYS[order]:
        slope = way(cube)
        for given in (slope, jax.jit(slope), lambda x, slope=slope: jax.vmap(slope)(x[None])[0]):
            assert given(jnp.asarray(2.0)) == there
            assert np.isnan(given(jnp.asarray(-2.0)))


def test_left_out_stays_out():
    slopes = jax.grad(lambda x: jnp.sum(jnp.where(x < 0, 0.0, cube(x))))(jnp.array([2.0, -2.0]))
    assert slopes.tolist() == [12.0, 0.0]


def test_numbers_are_chosen():
    assert np.isnan(cube(jnp.asarray(-1.0)))
    assert cube(jnp.asarray(2.0)) == 8
