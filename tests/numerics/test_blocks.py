"""Batches in blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coldspot.numerics.blocks import blockwise, packed, unpacked


@pytest.mark.parametrize("filled", [False, True])
def test_blocks_of_one_point_again_are_not_worked_on_and_have_its_results(filled):
    """Two blocks of unlike points, one of both, and three of the last point alone; NaN equals nothing."""
    worked = []

    @jax.jit
    def run(x, k):
        def solve(part):
            jax.debug.callback(lambda: worked.append(1))
            y, j = part
            return {"square": y**2, "odd": j % 2 == 1}

        return blockwise((x, k), solve, 4, filled)

    for last, calls in ((7.0, 4), (np.nan, 6)):
        x = np.append(np.arange(9.0), np.full(15, last))
        worked.clear()
        found = run(jnp.array(x), jnp.arange(24) * (jnp.arange(24) < 9))
        jax.effects_barrier()
        np.testing.assert_array_equal(found["square"], x**2)
        np.testing.assert_array_equal(found["odd"], (np.arange(24) < 9) & (np.arange(24) % 2 == 1))
        assert len(worked) == (calls if filled else 6)


@pytest.mark.parametrize("apart", [False, True])
def test_packed_arrays_come_out_as_they_were(apart):
    """Kinds of numbers in turn, no rows at all, and several axes before that of the points."""
    numbers = np.arange(120.0)
    tree = {
        "matrix": numbers[:30].reshape(2, 3, 5),
        "mark": numbers[:5] > 2,
        "nothing": np.zeros((0, 5)),
        "count": np.arange(5),
        "row": numbers[40:45],
        "complex": 1j * numbers[:10].reshape(2, 5),
    }
    whole = packed(tree, np, apart=apart)
    assert len(whole.arrays) == (6 if apart else 4)
    found = unpacked(whole)
    assert list(found) == sorted(tree)
    for name, array in tree.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
