"""`cs.Dots` beside QmeQ's Pauli kernel: currents of the same devices, and the largest difference of both.

    python -m benchmarks.qmeq_pauli --qmeq PYTHON

PYTHON is an interpreter that has QmeQ (it needs an older NumPy than coldspot); of it nothing else is asked. Rates are
2π|t|² per lead and level. QmeQ's bands end at ±1e4, so that it has the wide band
that coldspot assumes.
Differences are relative to the largest current of their kind.
"""

import argparse
import json
import platform
import subprocess
from typing import Any, NamedTuple

import jax
import numpy as np

import coldspot as cs


class Device(NamedTuple):
    """Levels and hoppings {(i, j): h}, repulsions {(i, j): U}, amplitudes {(lead, level): t}, and the leads' baths."""

    name: str
    levels: int
    hopping: dict[tuple[int, int], float]
    coulomb: dict[tuple[int, int], float]
    amplitudes: dict[tuple[int, int], float]
    potentials: tuple[float, ...]
    temperatures: tuple[float, ...]


WEAK, MIDDLE, STRONG, FULL = 0.08920620580763855, 0.11283791670955126, 0.126156626101008, 0.19947114020071635


def devices() -> list[Device]:
    """A level, a double dot without and with spin, and two more: a triple dot in a ring, and a dot with three leads."""
    single = Device("single level", 1, {(0, 0): -0.5}, {}, {(0, 0): STRONG, (1, 0): FULL}, (0.8, -0.3), (1.0, 0.6))
    levels = {(0, 0): 0.3, (1, 1): -0.4, (0, 1): -0.35}
    double = Device("double dot", 2, levels, {(0, 1): 2.0}, {(0, 0): WEAK, (1, 1): MIDDLE}, (1.5, -1.0), (0.7, 0.5))
    levels = {(0, 0): -0.7, (1, 1): -0.6, (2, 2): -1.0, (3, 3): -0.85, (0, 2): -0.3, (1, 3): -0.3}
    repulsion = {(0, 1): 4.0, (2, 3): 5.0} | dict.fromkeys([(0, 2), (0, 3), (1, 2), (1, 3)], 1.5)
    amplitudes = {(0, 0): WEAK, (1, 2): MIDDLE, (2, 1): WEAK, (3, 3): MIDDLE}
    spinful = Device("spinful double dot", 4, levels, repulsion, amplitudes, (1.5, -1.0) * 2, (0.7, 0.5) * 2)
    levels = {(0, 0): -0.6, (1, 1): 0.1, (2, 2): -0.2, (0, 1): 0.4, (1, 2): -0.5, (0, 2): 0.3}
    repulsion = {(0, 1): 1.7, (1, 2): 1.2, (0, 2): 0.8}
    amplitudes = {(0, 0): WEAK, (1, 1): STRONG, (2, 2): MIDDLE}
    ring = Device("triple dot, ring", 3, levels, repulsion, amplitudes, (0.9, 0.1, -0.8), (0.6, 0.3, 0.45))
    levels = {(0, 0): -0.4, (1, 1): 0.5}
    amplitudes = {(0, 0): WEAK, (0, 1): MIDDLE, (1, 0): MIDDLE, (1, 1): -WEAK, (2, 1): STRONG}
    shared = Device("two levels, three leads", 2, levels, {(0, 1): 1.1}, amplitudes, (0.4, -0.2, 0.0), (0.2, 0.1, 0.5))
    return [single, double, spinful, ring, shared]


PEER = """
import json, sys
import numpy, qmeq, scipy
found = []
for d in json.load(sys.stdin):
    leads = range(len(d["potentials"]))
    builder = qmeq.Builder(
        nsingle=d["levels"], nleads=len(leads), kerntype="Pauli",
        hsingle={(i, j): h for i, j, h in d["hopping"]},
        coulomb={(i, j, j, i): u for i, j, u in d["coulomb"]},
        tleads={(lead, i): t for lead, i, t in d["amplitudes"]},
        mulst=dict(enumerate(d["potentials"])), tlst=dict(enumerate(d["temperatures"])),
        dband={k: 1e4 for k in leads},
    )
    builder.solve()
    found.append({"particles": list(builder.current), "heat": list(builder.heat_current)})
versions = {"QmeQ": qmeq.__version__, "NumPy": numpy.__version__, "SciPy": scipy.__version__}
json.dump({"versions": versions, "found": found}, sys.stdout)
"""


def dots(device: Device) -> cs.Dots:
    """The same device; levels that one lead reaches together have a width matrix 2π t_i t_j*."""
    n, leads = device.levels, {}
    h = np.zeros((n, n))
    for (i, j), value in device.hopping.items():
        h[i, j] = h[j, i] = value
    for lead, bath in enumerate(zip(device.temperatures, device.potentials, strict=True)):
        t = np.array([device.amplitudes.get((lead, i), 0.0) for i in range(n)])
        leads[f"lead {lead}"] = cs.Lead(cs.ElectronBath(*bath), 2 * np.pi * np.outer(t, t))
    return cs.Dots(h, leads, device.coulomb)


def plain(device: Device) -> dict[str, Any]:
    """For JSON: tables in place of mappings."""
    return {
        name: [[*key, x] for key, x in value.items()] if isinstance(value, dict) else value
        for name, value in device._asdict().items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--qmeq", required=True, metavar="PYTHON", help="an interpreter that has QmeQ")
    options = parser.parse_args()
    every = devices()
    asked = json.dumps([plain(device) for device in every])
    answer = subprocess.run([options.qmeq, "-c", PEER], input=asked, capture_output=True, text=True, check=True)
    peer = json.loads(answer.stdout[answer.stdout.index("{") :])
    versions = {"coldspot": cs.__version__, "JAX": jax.__version__, "Python": platform.python_version()}
    print(", ".join(f"{name} {number}" for name, number in (versions | peer["versions"]).items()))
    print()
    print("| device | states | particles from lead 0 | heat from lead 0 | difference |")
    print("|--------|--------|-----------------------|------------------|------------|")
    for device, found in zip(every, peer["found"], strict=True):
        machine = dots(device)
        s = cs.steady_state(machine)
        particles, heats = np.asarray(s.particles.array), np.asarray(s.heat.array)
        off = max(
            np.max(np.abs(own - np.array(other))) / np.max(np.abs(own))
            for own, other in ((particles, found["particles"]), (heats, found["heat"]))
        )
        print(
            f"| {device.name} | {2**device.levels} | {particles[0]:.12f} | {heats[0]:.12f} | {off:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
