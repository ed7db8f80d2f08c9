"""The laws and symmetries of random machines, and their errors against multiple precision, for all graphs.

    python -m tests.campaign.random_graphs --count 100000

The checks of tests/jump/test_random_static.py and test_random_driven.py, which have the smallest graphs of every kind,
and fewer machines of those that take long.
"""

import argparse
import itertools
import time
import traceback

import hypothesis

from tests.jump import test_random_driven as driven
from tests.jump import test_random_static as static


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="machines in all; each graph has a few hundred")
    options = parser.parse_args()
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("campaign", deadline=None, suppress_health_check=slow)
    hypothesis.settings.load_profile("campaign")
    graphs = itertools.groupby([*static.EVERY, *driven.EVERY], key=lambda case: case[0])
    driven.FEW.clear()
    broken, done = 0, 0
    for t, cases in itertools.islice(graphs, -(-options.count // static.POINTS)):
        start = time.perf_counter()
        for _, check in cases:
            done += 1
            try:
                check(t)
            except AssertionError:
                broken += 1
                traceback.print_exc()
                print(f"broken: {check.__name__} of {t.name}")
        print(f"{t.name}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"broken: {broken} of {done}")


if __name__ == "__main__":
    main()
