"""Every campaign of random machines, one after the other: `python -m tests.campaign --count 100000`.

A campaign is a module of this folder that takes `--count`. It is too long for the tests; `make campaign` runs it.
"""

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> None:
    names = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="machines in each campaign")
    parser.add_argument("names", nargs="*", default=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in names]
    if unknown:
        parser.error(f"no campaign is called {unknown[0]}; there are {', '.join(names)}")
    for name in options.names:
        print(f"== {name}", flush=True)
        sys.argv = [name, "--count", str(options.count)]
        # Under its own name: processes that it starts must find its functions again.
        importlib.import_module(f"tests.campaign.{name}").main()


if __name__ == "__main__":
    main()
