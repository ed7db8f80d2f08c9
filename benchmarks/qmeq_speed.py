"""Sweeps of interacting dots beside QmeQ's Pauli kernel: time per point of the same devices at the same points.

    python -m benchmarks.qmeq_speed --qmeq PYTHON [--repeats N]

PYTHON is an interpreter that has QmeQ. Its matrices are small, and threads for them make it slower: it has one. It is
asked as its users do for speed: one builder, of which potentials are changed and solved without diagonalising again
(`change(mulst=…)`, `solve(qdq=False)`), or levels (`change(hsingle=…)`, `solve()`). coldspot solves all points in one
call, on all cores, with error bounds, residuals and statuses. Both are measured in turn; figures are medians,
"difference" is the largest of all leads' particles and heats relative to the largest current of its kind; "cpu" is
processor time (user and system, of all threads), the least of the repetitions, which other programs change less.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import numpy as np

import coldspot as cs
from coldspot.dynamics import TOLERANCE, checked_tolerance, solve_points
from coldspot.sweep import solve_columns

from .measure import Task, interleave
from .qmeq_pauli import Device, devices, dots, plain
from .run import facts

POINTS = {"single level": 65536, "spinful double dot": 4096}
PEER_POINTS = 1000
ASKED = {
    ("single level", "leads"): 80,
    ("single level", "levels"): 400,
    ("spinful double dot", "leads"): 3,
    ("spinful double dot", "levels"): 20,
}

PEER = """
import json, sys, time
import numpy, qmeq, scipy
cases = json.loads(sys.stdin.readline())
builders = []
for d in cases:
    leads = range(len(d["potentials"]))
    builders.append(qmeq.Builder(
        nsingle=d["levels"], nleads=len(leads), kerntype="Pauli",
        hsingle={(i, j): h for i, j, h in d["hopping"]},
        coulomb={(i, j, j, i): u for i, j, u in d["coulomb"]},
        tleads={(lead, i): t for lead, i, t in d["amplitudes"]},
        mulst=dict(enumerate(d["potentials"])), tlst=dict(enumerate(d["temperatures"])),
        dband={k: 1e4 for k in leads},
    ))
print(json.dumps({"QmeQ": qmeq.__version__, "NumPy": numpy.__version__, "SciPy": scipy.__version__}), flush=True)
for line in sys.stdin:
    k, what, points = json.loads(line)
    b, d, found = builders[k], cases[k], []
    b.change(hsingle={(i, j): h for i, j, h in d["hopping"]}, mulst=dict(enumerate(d["potentials"])))
    b.solve()
    start, cpu = time.perf_counter(), time.process_time()
    if what == "leads":
        for row in points:
            b.change(mulst=dict(enumerate(row)))
            b.solve(qdq=False)
            found.append((list(b.current), list(b.heat_current)))
    else:
        for row in points:
            b.change(hsingle={(i, i): e for i, e in enumerate(row)})
            b.solve()
            found.append((list(b.current), list(b.heat_current)))
    print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, found]), flush=True)
"""


class Peer:
    """A process of the other interpreter."""

    def __init__(self, python: str, cases: list[Device]):
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-c", PEER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self.versions = self._ask([plain(device) for device in cases])

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith(("[", "{")):
            if not line:
                raise RuntimeError("the interpreter that has QmeQ ended")
        return json.loads(line)

    def sweep(self, case: int, what: str, points: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Seconds, those of processors, and currents (point, kind, lead)."""
        seconds, cpu, found = self._ask([case, what, points.tolist()])
        return seconds, cpu, np.array(found)

    def close(self) -> None:
        self._process.communicate()


class With(eqx.Module):
    """Puts the numbers of a point into a device."""

    what: str = eqx.field(static=True)

    def __call__(self, machine: cs.Dots, point: Mapping[str, Any]) -> cs.Dots:
        values = point[self.what]
        if self.what == "levels":
            h = machine.hamiltonian
            index = np.arange(h.shape[0])
            return eqx.tree_at(lambda m: m.hamiltonian, machine, h.at[index, index].set(values))
        potentials = [values[k] for k in range(len(machine.leads))]
        return eqx.tree_at(lambda m: [lead.bath.chemical_potential for lead in m.leads.values()], machine, potentials)


def points_of(device: Device, what: str, count: int) -> np.ndarray:
    """Values near those of the device (point, lead or level)."""
    middle = device.potentials if what == "leads" else [device.hopping[k, k] for k in range(device.levels)]
    random = np.random.default_rng(0)
    return np.array(middle) + random.uniform(-0.5, 0.5, (count, len(middle)))


def by_coldspot(device: Device, what: str, points: np.ndarray) -> Callable[[], np.ndarray]:
    """Currents (point, kind, lead) by coldspot, when called."""
    build, machine = With(what), dots(device)
    tolerance = checked_tolerance(TOLERANCE)

    def run() -> np.ndarray:
        s = solve_columns(solve_points, build, machine, {what: points}, tolerance, progress=False)
        assert not np.any(s.status)
        return np.stack([s.particles.array, s.heat.array], 1)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--qmeq", required=True, metavar="PYTHON", help="an interpreter that has QmeQ")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    cases = [device for device in devices() if device.name in POINTS]
    peer = Peer(options.qmeq, cases)
    print(", ".join(f"{name} {value}" for name, value in (facts() | peer.versions).items()))
    print()
    names = "device", "states", "what changes", "QmeQ, µs (cpu)", "coldspot, µs (cpu)", "times coldspot (cpu)"
    columns = (*names, "asked", "difference")
    print(f"| {' | '.join(columns)} |")
    print(f"|{'|'.join('-' * (len(name) + 2) for name in columns)}|")
    for k, device in enumerate(cases):
        for what in ("leads", "levels"):
            points = points_of(device, what, POINTS[device.name])
            few = points[:PEER_POINTS]
            run = by_coldspot(device, what, points)
            seconds: list[float] = []
            cpu: dict[str, list[float]] = {"QmeQ": [], "coldspot": []}

            def asked(
                k: int = k, what: str = what, few: np.ndarray = few, seconds: list[float] = seconds, cpu: Any = cpu
            ) -> np.ndarray:
                taken, busy, found = peer.sweep(k, what, few)
                seconds.append(taken / len(few))
                cpu["QmeQ"].append(busy / len(few))
                return found

            def own(run: Callable[[], np.ndarray] = run, count: int = len(points), cpu: Any = cpu) -> None:
                start = time.process_time()
                run()
                cpu["coldspot"].append((time.process_time() - start) / count)

            times = interleave({"coldspot": Task(own, len(points)), "QmeQ": Task(asked, len(few))}, options.repeats)
            ours = times["coldspot"]
            assert ours is not None
            found, other = run()[: len(few)], asked()
            off = float(np.max(np.abs(found - other) / np.max(np.abs(other), axis=(0, 2))[:, None]))
            theirs = float(np.median(seconds))
            busy = {name: min(each) for name, each in cpu.items()}
            print(
                f"| {device.name} | {2**device.levels} | {what} | {theirs * 1e6:.3g} ({busy['QmeQ'] * 1e6:.3g}) | "
                f"{ours.median * 1e6:.3g} ({busy['coldspot'] * 1e6:.3g}) | "
                f"{theirs / ours.median:.3g} ({busy['QmeQ'] / busy['coldspot']:.3g}) | "
                f"≥ {ASKED[device.name, what]} | {off:.1e} |",
                flush=True,
            )
    peer.close()


if __name__ == "__main__":
    main()
