"""`python -m benchmarks.chains`: long chains between two baths, each in a process of its own.

Heat at a difference of temperature of 1 against the closed form of Rieder, Lebowitz and Lieb; seconds and the largest
memory of the whole process (imports and compilation included); and how both grow with the number of masses. A hundred
masses in disorder against the Lyapunov equation, solved by SciPy and corrected once in long floats.
"""

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

CASES = tuple((1000, friction, mass) for mass in (1.0, 2.0) for friction in (0.1, 1.0, 10.0))
SIZES = (500, 1000, 2000)
ERROR, SECONDS, MEMORY = 1e-12, 15.0, 0.6
"""Asked of a thousand masses: relative error, seconds of wall time, GiB."""


def exact(n: int, friction: float, mass: float) -> float:
    """(k/2λ) sinh((n−1)α)/sinh(nα), cosh α = 1 + km/2λ², k = 1."""
    import mpmath

    with mpmath.workdps(40):
        alpha = mpmath.acosh(1 + mpmath.mpf(mass) / mpmath.mpf(friction) ** 2 / 2)
        return float(mpmath.sinh((n - 1) * alpha) / mpmath.sinh(n * alpha) / (2 * mpmath.mpf(friction)))


def one(n: int, friction: float, mass: float) -> None:
    """In the process of its own: heat, error stated, seconds, GiB."""
    start = time.perf_counter()
    import coldspot as cs

    found = cs.steady_state(cs.OscillatorNetwork.chain(n, friction=friction, mass=mass))
    heat, error = float(found.heat["left"]), float(found.error.heat["left"])
    status = Path("/proc/self/status")
    if status.exists():
        peak = int(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0]) / 2**20
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30
    print(json.dumps([heat, error, time.perf_counter() - start, time.process_time(), peak]))


def measured(n: int, friction: float, mass: float) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.chains", str(n), str(friction), str(mass)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(x) for x in json.loads(found.stdout.splitlines()[-1])]


def disordered(n: int = 100) -> None:
    """Heat of chains with random masses and springs; the second route is right to some 12 digits."""
    from scipy.linalg import solve_continuous_lyapunov

    import coldspot as cs

    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        masses, between = rng.uniform(0.7, 1.4, n), rng.uniform(0.7, 1.4, n + 1)
        found = cs.steady_state(cs.OscillatorNetwork.chain(n, spring=between, mass=masses))
        springs = np.diag(between[:-1] + between[1:]) - np.diag(between[1:-1], 1) - np.diag(between[1:-1], -1)
        friction = np.diag([1.0, *[0.0] * (n - 2), 1.0])
        drift = np.block([[np.zeros((n, n)), np.eye(n)], [-springs / masses[:, None], -friction / masses[:, None]]])
        noise = np.zeros(2 * n)
        noise[[n, -1]] = 2 * np.array([2.0, 1.0]) / masses[[0, -1]] ** 2
        covariance = solve_continuous_lyapunov(drift, -np.diag(noise))
        a, x = drift.astype(np.longdouble), covariance.astype(np.longdouble)
        left = (a @ x + x @ a.T + np.diag(noise)).astype(float)
        covariance = covariance + solve_continuous_lyapunov(drift, -left)
        heat = 2.0 / masses[0] - covariance[n, n]
        error = abs(float(found.heat["left"]) / heat - 1)
        print(f"{n} masses in disorder, heat {heat:.12f}: error {error:.1e}  {'met' if error <= 1e-10 else 'MISSED'}")


def main() -> None:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{os.cpu_count()} cores{load}")
    sizes = {}
    for n, friction, mass in (*CASES, *((n, 1.0, 1.0) for n in SIZES)):
        heat, stated, wall, cpu, peak = measured(n, friction, mass)
        error = abs(heat / exact(n, friction, mass) - 1)
        good = n != 1000 or (error <= ERROR and wall <= SECONDS and peak <= MEMORY)
        print(
            f"{n} masses of {mass:g}, friction {friction:4g}: error {error:.1e} (stated {stated / heat:.1e}), "
            f"{wall:.1f} s, cpu {cpu:.1f} s, {peak:.3f} GiB  {'' if n != 1000 else 'met' if good else 'MISSED'}",
            flush=True,
        )
        if (friction, mass) == (1.0, 1.0):
            sizes[n] = cpu, peak
    disordered()
    # What does not grow: the process with the smallest chain, less its own part.
    masses = np.array(sorted(sizes))
    for k, (name, unit) in enumerate((("processor time", "s"), ("memory", "GiB"))):
        values = np.array([sizes[n][k] for n in masses])
        for power in (2, 3):
            slope, base = np.polyfit((masses / 1000.0) ** power, values, 1)
            miss = np.max(np.abs(np.polyval([slope, base], (masses / 1000.0) ** power) - values))
            print(f"{name}: {base:.2f} {unit} + {slope:.3f} {unit} (n/1000)^{power}, off by at most {miss:.2g} {unit}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        one(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
    elif sys.argv[1:] == ["disorder"]:
        disordered()
    else:
        main()
