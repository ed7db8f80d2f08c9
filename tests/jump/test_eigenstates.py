"""Eigenstates of many matrices at once."""

import jax
import numpy as np

from coldspot.jump.eigenstates import Eigenstates, by_blocks, eigenstates


def test_eigenstates_of_many_points_are_those_of_each():
    """Solved in step, in the order of blocks and energies; what is not finite is said, and touches no other point."""
    rng, points = np.random.default_rng(6), 40
    for size in (2, 5, 6):
        matrices = rng.normal(size=(points, size, size)) * (rng.random((points, size, size)) < 0.4)
        matrices = matrices + np.swapaxes(matrices, 1, 2)
        matrices[3, 0, 0], matrices[7] = np.nan, 0.0
        found = jax.jit(jax.vmap(eigenstates))(matrices)
        assert np.all(np.isnan(found.energies[3]))
        for k in (k for k in range(points) if k != 3):
            alone = Eigenstates(*by_blocks(matrices[k]))
            np.testing.assert_array_equal(found.labels[k], alone.labels)
            np.testing.assert_allclose(found.energies[k], alone.energies, atol=1e-13)
            again = found.vectors[k] @ np.diag(found.energies[k]) @ found.vectors[k].T
            np.testing.assert_allclose(again, matrices[k], atol=1e-13)
