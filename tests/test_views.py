"""What is looked at to judge solutions: a mark that is the same at all points is asked once."""

import numpy as np

from coldspot import regimes
from tests.ledgers import random_ledgers, view


def test_what_is_alike_at_all_points_is_asked_once():
    """A batch, its parts and each point by itself: marks that hold everywhere or nowhere change nothing."""
    heat, work, chemical, temperatures = random_ledgers(3, 2, (1.0, 2.0), 200)
    particles = np.stack([chemical, -chemical], axis=-1)
    potentials = np.random.default_rng(3).choice([0.0, 0.5], size=(200, 2))
    leads = {"kinds": ("electron",) * 2, "chemical": chemical, "particles": particles, "potentials": potentials}
    batch = view(heat, work, temperatures, **leads)

    def told(v):
        return {name: np.asarray(x) for name, x in (regimes.judged(v) | regimes.flags(v)).items()}

    every = told(batch)
    assert len(np.unique(every["regime"])) >= 7
    assert all(np.any(every[name]) for name in regimes.FLAGS[:3])
    for size in (1, 3):
        parts = [told(batch.part(slice(k, k + size))) for k in range(0, 200, size)]
        for name, values in every.items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), values)
    for k in range(0, 200, 10):
        one = told(batch._replace(**{n: getattr(batch, n)[k] for n in batch._fields[: batch._fields.index("kinds")]}))
        np.testing.assert_equal({name: x.item() for name, x in one.items()}, {n: x[k] for n, x in every.items()})
