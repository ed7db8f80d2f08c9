"""Batches of junctions, solved once for all tests of conductors."""

import numpy as np
import pytest

from tests.conductor.junctions import draw, join, solve


@pytest.fixture(scope="session")
def ordinary():
    columns = join(draw(np.random.default_rng(1), 500, "one temperature"), draw(np.random.default_rng(2), 500))
    return columns, solve(columns)


@pytest.fixture(scope="session")
def many(ordinary):
    rng = np.random.default_rng(4)
    extreme = draw(rng, 500, "extreme")
    still = draw(rng, 100, "one temperature")
    still["t1"] = still["t2"] = 10 ** rng.uniform(-1, 1, 100)
    still["mu2"], still["tp"] = still["mu1"].copy(), still["t1"].copy()
    near = {name: values.copy() for name, values in still.items()}
    near["tp"] *= 1 + 1e-11 * rng.normal(size=100)
    near["mu2"] += 1e-13 * rng.normal(size=100)
    columns = join(ordinary[0], extreme, still, near)
    return columns, solve(columns)
