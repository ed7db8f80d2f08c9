"""Cumulants of a periodic state against those of a million sampled histories, within four standard errors.

    python -m tests.campaign.driven_noise --count 100000

Over whole periods from the periodic state the cumulants of heat, particles and work are κ_k t and a constant, that of
how states are correlated, which no longer changes after a few periods: the difference between two times tells κ_k. The
spread over a hundred batches tells the standard error. At least a million histories are taken at each time.
"""

import argparse
import time

import jax
import numpy as np
from scipy.stats import kstat

import coldspot as cs
from tests.jump.test_counting import gated

PERIOD = 8.0
TIMES = (3 * PERIOD, 6 * PERIOD)
BATCHES = 100
SIGMAS = 4.0
ORDERS = (1, 2, 3)
COUNTED = {"heat": ("heat", "cold"), "particles": ("particles", "cold"), "work": ("work", "level")}


def amounts(seed: int, count: int, span: float) -> dict[str, np.ndarray]:
    """What each history took, by quantity."""
    t = cs.trajectories(gated(PERIOD), jax.random.key(seed), n=count, time=span, progress=False)
    drives = t.solution.ledger.drives
    return {
        "heat": np.asarray(t.heats)[:, 0],
        "particles": np.asarray(t.particle_numbers)[:, 0],
        "work": np.asarray(t.works)[:, drives.index("level")],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="histories at each time, at least a million")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    count, begin = max(options.count, 1_000_000), time.perf_counter()
    exact = cs.counting(gated(PERIOD), list(COUNTED.values())).cumulants(max(ORDERS))
    found = [amounts(2 * options.seed + k, count, span) for k, span in enumerate(TIMES)]
    worst = 0.0
    for row, quantity in enumerate(COUNTED):
        for order in ORDERS:
            each = [[kstat(part, order) for part in np.array_split(x[quantity], BATCHES)] for x in found]
            slopes = (np.array(each[1]) - np.array(each[0])) / (TIMES[1] - TIMES[0])
            mean, error = slopes.mean(), slopes.std(ddof=1) / np.sqrt(BATCHES)
            value = float(exact.values[row, order - 1])
            off = (mean - value) / error
            worst = max(worst, abs(off))
            print(f"cumulant {order} of {quantity}: {mean:.6f} ± {error:.6f}, {value:.6f}: {off:+.2f}", flush=True)
    print(f"{count} histories at each of two times, {time.perf_counter() - begin:.0f} s; largest deviation {worst:.2f}")
    if worst > SIGMAS:
        raise SystemExit(f"a deviation of {worst:.2f} standard errors")


if __name__ == "__main__":
    main()
