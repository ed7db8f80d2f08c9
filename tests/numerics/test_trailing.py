"""A function of one point along the last axis of all arrays, beside `jax.vmap`."""

import jax
import jax.numpy as jnp
import numpy as np

from coldspot.numerics.trailing import trailing


def formulas(point):
    """Of all kinds: entry by entry, over axes, by places that are known and by such as depend on the point."""
    x, table, k = point["x"], point["table"], point["k"]
    picked = table[..., jnp.array([2, 0, 0, 1])]
    joined = jnp.concatenate([picked[0], jnp.zeros(2), x[:2] * 2.0, x[::-1]])
    split = jnp.split(picked, 2)[1]
    inside = jax.nn.relu(joined) + jnp.where(x[0] > 0, joined, -1.0)
    product = table @ x[:3]
    cube = jnp.stack([table, 2 * table, table - 1])
    products = (
        jnp.einsum("lij,jm->lim", cube, table.T),
        jnp.einsum("lij,lkj->lik", cube, cube * x[:3, None, None]),
        jnp.einsum("lij,lij->", cube, cube),
        jnp.eye(2) @ table,
        jnp.transpose(cube, (1, 0, 2)),
    )
    return {
        "joined": joined,
        "sums": (jnp.sum(table, axis=0), jnp.max(table), jnp.argmin(x), jnp.all(table > 0, axis=1)),
        "shapes": (x[None, :, None] * jnp.ones((2, 1, 3)), table.reshape(-1), table.T, jnp.flip(x), x[1:4:2]),
        "inside": inside,
        "looked up": x[k] * jnp.exp(x[0]),
        "product": product,
        "products": products,
        "sorted": jnp.sort(x),
        "same for all": (jnp.arange(3.0), 7.0),
        "split": split,
        "padded": jnp.pad(x, 1),
        "running": jnp.cumsum(x),
    }


def test_a_function_along_the_last_axis_is_vmap():
    random = np.random.default_rng(3)
    x, table, k = random.normal(size=(5, 7)), random.normal(size=(2, 3, 7)), random.integers(0, 5, 7)
    batch = {"x": jnp.asarray(x), "table": jnp.asarray(table), "k": jnp.asarray(k)}
    found, expected = jax.jit(lambda b: (trailing(formulas, b), jax.vmap(formulas, in_axes=-1, out_axes=-1)(b)))(batch)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        # The same operations; a compiler may join a product and a sum in one of them.
        np.testing.assert_allclose(one, other, rtol=1e-15, atol=1e-15)
