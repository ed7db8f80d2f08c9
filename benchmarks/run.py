"""`python -m benchmarks.run [ROW …] [--repeats N] [--json FILE]`: run rows and print their table."""

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

from .measure import Contender, Row, Task, Timing, interleave

PACKAGES = ("coldspot", "jax", "jaxlib", "equinox", "numpy", "scipy", "qutip", "numba")
HEADER = ("row", "tool", "µs per point", "spread", "points", "target", "times coldspot", "target", "error", "met")


def rows() -> dict[str, tuple[Callable[[int], Row], Callable[[], Task]]]:
    """Name → (measure the row with that many repeats, coldspot's own task)."""
    from . import boson_junction, driven_dots, jump_trajectories, langevin, random_networks, single_dot, spin_pair

    found: dict[str, tuple[Callable[[int], Row], Callable[[], Task]]] = {}
    for module in (single_dot, random_networks, langevin, jump_trajectories, boson_junction):
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
        "cores": str(os.cpu_count()),
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


def table(found: list[Row], single: dict[str, Timing | None]) -> str:
    lines = [HEADER]
    for row in found:
        ours = row.coldspot.timing
        assert ours is not None
        goal = "" if row.target is None else f"≤ {row.target * 1e6:g}"
        met = None if row.target is None else ours.median <= row.target
        lines.append((row.name, *_cells(row.coldspot), goal, "", "", *_verdict(row.coldspot, met)))
        core = single[row.name]
        if core is not None:
            lines.append(("", *_cells(Contender("coldspot, one core", core)), *[""] * 5))
        for peer in row.peers:
            if peer.timing is None:
                lines.append(("", peer.name, "not installed", *[""] * 7))
                continue
            ratio, wanted = peer.timing.median / ours.median, peer.target_ratio
            goal = "" if wanted is None else f"≥ {wanted:g}"
            reached = None if wanted is None else ratio >= wanted
            lines.append(("", *_cells(peer), "", f"{ratio:.3g}", goal, *_verdict(peer, reached)))
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEADER))]
    drawn = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    drawn.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(drawn)


def _cells(c: Contender) -> tuple[str, str, str, str]:
    assert c.timing is not None
    return c.name, f"{c.timing.median * 1e6:.3g}", f"{100 * c.timing.spread:.0f} %", str(c.timing.points)


def _verdict(c: Contender, met: bool | None) -> tuple[str, str]:
    return "" if c.error is None else f"{c.error:.1e}", "" if met is None else "yes" if met else "no"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to run (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repetitions (default: 5)")
    parser.add_argument("--json", metavar="FILE", help="write the results to FILE")
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
    found, single = [], {}
    for name in arguments.rows or known:
        print(f"{name} …", file=sys.stderr, flush=True)
        found.append(known[name][0](arguments.repeats))
        single[name] = one_core(name, arguments.repeats)
    print("\n".join(f"{k}: {v}" for k, v in about.items()), end="\n\n")
    print(table(found, single), end="\n\n")
    for row in found:
        for note in (f"compiling takes {row.compile:.2g} s (not in the figures).", *row.notes):
            print(f"- {row.name}: {note}")
    if arguments.json:
        one = {name: None if timing is None else asdict(timing) for name, timing in single.items()}
        content = {"machine": about, "rows": [asdict(row) | {"one_core": one[row.name]} for row in found]}
        Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
