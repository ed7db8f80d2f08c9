"""`python -m benchmarks.run [ROW …] [--repeats N] [--write]`: run rows, print their table, and keep it."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from coldspot import parallel

from . import results
from .measure import Row, Task, Timing, interleave

PACKAGES = ("coldspot", "jax", "jaxlib", "equinox", "numpy", "scipy", "qutip", "numba")


def rows() -> dict[str, tuple[Callable[[int], Row], Callable[[], Task]]]:
    """Name → (measure the row with that many repeats, coldspot's own task)."""
    from . import (
        boson_junction,
        driven_dots,
        jump_trajectories,
        langevin,
        random_networks,
        random_noises,
        single_dot,
        spin_pair,
    )

    found: dict[str, tuple[Callable[[int], Row], Callable[[], Task]]] = {}
    for module in (single_dot, random_networks, random_noises, langevin, jump_trajectories, boson_junction):
        for name in module.NAMES:
            found[name] = (
                (lambda repeats, m=module, n=name: m.measure(n, repeats)),
                (lambda m=module, n=name: m.task(n)),
            )
    for case in (*spin_pair.CASES, *driven_dots.CASES):
        found[case.name] = case.measure, case.task
    return found


def facts() -> dict[str, str]:
    """The machine and the versions."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(
            (line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), model
        )
    installed = {d.metadata["Name"].lower() for d in metadata.distributions() if d.metadata["Name"]}
    versions = {p: metadata.version(p) if p in installed else "not installed" for p in PACKAGES}
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": model,
        "cores": str(parallel.workers()),
        "load at start": load,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    } | versions


def one_core(name: str, repeats: int) -> Timing | None:
    """coldspot alone in a process that may use one core; None where the system cannot pin processes."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    command = [sys.executable, "-m", "benchmarks.run", name, "--repeats", str(repeats), "--pinned"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return Timing(**json.loads(result.stdout))


def pinned(name: str, repeats: int) -> None:
    """The other end of `one_core`; the core is chosen before JAX starts its threads."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    _without_cache()
    timing = interleave({name: rows()[name][1]()}, repeats)[name]
    assert timing is not None
    print(json.dumps(asdict(timing)))


def _without_cache() -> None:
    import jax

    jax.config.update("jax_enable_compilation_cache", False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to run (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repetitions (default: 5)")
    parser.add_argument("--write", action="store_true", help="keep the results in results.json and draw README.md anew")
    parser.add_argument("--pinned", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats must be at least 1, but is {arguments.repeats}")
    if arguments.pinned:
        pinned(arguments.rows[0], arguments.repeats)
        return 0
    about = facts()
    _without_cache()
    known = rows()
    for name in arguments.rows:
        if name not in known:
            parser.error(f"there is no row `{name}`; rows are {', '.join(known)}")
    found = []
    for name in arguments.rows or known:
        print(f"{name} …", file=sys.stderr, flush=True)
        found.append(results.content(known[name][0](arguments.repeats), one_core(name, arguments.repeats), about))
    print(results.drawn(found))
    if arguments.write:
        results.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
