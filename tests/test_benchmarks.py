"""The figures that the benchmarks' README shows are those of the file that the benchmarks wrote; floors are counted."""

import numpy as np

from benchmarks import floors, random_networks, results


def test_the_tables_are_those_of_the_file():
    text = results.README.read_text(encoding="utf-8")
    assert results.redrawn(text) == text


def test_floors_are_counted_and_measured():
    """Multiplications of an elimination that counts them; a network's own numbers; every operation takes some time."""
    random, n, targets, count = np.random.default_rng(0), 8, 5, 0
    w, gains = random.uniform(size=(n, n)), random.uniform(size=(targets + 1, n))
    for k in range(n - 1, 0, -1):
        share = w[:k, k] / w[:k, k].sum()
        for i in range(k):
            w[:k, i] += share * w[k, i]
            count += k
        for gain in gains:  # of each target, and the time
            gain[:k] += w[k, :k] / w[k, :k].sum() * gain[k]
            count += 2 * k  # and as much when its values are found going back
    assert floors.elimination(n, targets) == count
    moves = random_networks.transitions(3)
    counts = floors.network(8, len(moves), 3, 2, 1 / 1024)
    assert (counts.exponentials, counts.logarithms) == (30, 8)
    price = floors.prices(repeats=5, lanes=512)
    assert price.calls > 0  # the others are differences of times, nothing if others used the processor
    assert min(price) >= 0
    parts = floors.Counts(*[n * p for n, p in zip(counts, price, strict=True)])
    assert sum(parts) > 0
    line = floors.table([floors.Floor("a row", "a peer", 0.5 * sum(parts), 2 * sum(parts), parts)]).splitlines()[-1]
    assert "| no |" in line
    assert "| 2 | the floor itself; at best 0.5" in line
