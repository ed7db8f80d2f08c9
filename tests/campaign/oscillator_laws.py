"""Laws of thermodynamics on random linear oscillator networks of more sizes than the tests have.

    python -m tests.campaign.oscillator_laws --count 100000

Each size is compiled once; a twentieth of `count` networks of each, fewer of the large ones. An assertion ends it.
"""

import argparse
import time

from tests.oscillators.test_laws import check_laws

SHARES = {(4, 2): 1.0, (6, 4): 0.5, (9, 2): 0.2, (12, 3): 0.1}
"""Of (number of masses, number of baths)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    for (n, baths), share in SHARES.items():
        start, points = time.process_time(), max(int(share * options.count / 20), 1)
        check_laws(n, baths, points)
        print(
            f"{points} networks of {n} masses, {baths} baths: laws hold, {time.process_time() - start:.0f} cpu s",
            flush=True,
        )


if __name__ == "__main__":
    main()
