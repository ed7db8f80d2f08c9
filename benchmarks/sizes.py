"""Cost against size: processor time, memory, and the exponent that fits the time.

    python -m benchmarks.sizes [--write]

Each size runs in a process of its own, on one core: the least of three calls that are compiled, and by how much calls
raise the largest memory of the process beyond that of the smallest size. `--write` keeps the figures in sizes.json, of
which `benchmarks.results` draws the README.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import results
from .results import SIZES_FILE as FILE
from .run import facts

SIZES = {"states": (8, 32, 128, 512), "masses": (64, 256, 1000), "points": (4096, 65536, 1048576)}
LAST = 3
"""The largest sizes, of which the exponent is that of the straight line through their logarithms."""


def network(states: int) -> Callable[[], Any]:
    import coldspot as cs

    random = np.random.default_rng(0)
    start, end = np.triu_indices(states, 1)
    rates = 10 ** random.uniform(-1, 1, (2, start.size))
    baths = {"hot": cs.HeatBath(2.0), "cold": cs.HeatBath(1.0)}
    channels = [cs.Channel(name, start, end, cs.Glauber(rates[k])) for k, name in enumerate(baths)]
    net = cs.JumpNetwork(energies=random.normal(size=states), baths=baths, channels=channels)
    return lambda: cs.steady_state(net)


def chain(masses: int) -> Callable[[], Any]:
    import coldspot as cs

    made = cs.OscillatorNetwork.chain(masses)
    return lambda: cs.steady_state(made)


def grid(points: int) -> Callable[[], Any]:
    import coldspot as cs

    values = {"level": np.linspace(-15, 15, points // 64), "right.chemical_potential": np.linspace(-5, 0, 64)}
    return lambda: cs.sweep(cs.machines.QuantumDot(), values, progress=False)


MAKE: dict[str, Callable[[int], Callable[[], Any]]] = {"states": network, "masses": chain, "points": grid}


def one(name: str, size: int) -> None:
    """In a process of its own: processor seconds of a call that is compiled, and how much memory calls add (bytes)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run = MAKE[name](min(SIZES[name]))
    run()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run, seconds = MAKE[name](size), []
    run()
    for _ in range(3):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    print(json.dumps([min(seconds), 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)]))


def measured() -> dict[str, Any]:
    """Of each kind: sizes, seconds, bytes and the exponent of the time."""
    found: dict[str, Any] = {"machine": facts(), "rows": []}
    for name, sizes in SIZES.items():
        rows = []
        for size in sizes:
            command = [sys.executable, "-m", "benchmarks.sizes", "--one", name, str(size)]
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(answer.stdout.splitlines()[-1]))
            print(name, size, *rows[-1], file=sys.stderr, flush=True)
        seconds = [row[0] for row in rows]
        slope = np.polyfit(np.log(sizes[-LAST:]), np.log(seconds[-LAST:]), 1)[0]
        found["rows"].append(
            {"kind": name, "sizes": sizes, "seconds": seconds, "bytes": [row[1] for row in rows], "exponent": slope}
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="keep the figures in sizes.json and draw README.md anew")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], int(options.one[1]))
        return
    found = measured()
    print(results.sizes_drawn(found))
    if options.write:
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        results.write([])


if __name__ == "__main__":
    main()
