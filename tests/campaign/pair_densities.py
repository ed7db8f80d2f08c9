"""Densities between modes of random complex devices against quadrature: more of them than the tests have.

    python -m tests.campaign.pair_densities --count 100000

One device in a thousand of `count`; each takes half a second of quadrature. An assertion ends it.
"""

import argparse

from tests.conductor.test_spectra import check_densities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    count = max(parser.parse_args().count // 1000, 1)
    check_densities(count)
    print(f"densities of {count} devices agree", flush=True)


if __name__ == "__main__":
    main()
