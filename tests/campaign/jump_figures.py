"""Figures that jump networks are held to, measured anew, each beside the one that it must reach.

    python -m tests.campaign.jump_figures

Second routes are those of the tests: closed forms, 80 digits, the tilted monodromy, products of exponentials. Chains
run in processes of their own with an empty cache: processor time and memory include importing and compiling. `--count`
is that of the random networks, times a thousand.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import jax.numpy as jnp
import mpmath as mp
import numpy as np

import coldspot as cs
from coldspot.dynamics import solve_points
from tests.jump import test_counting as counting
from tests.jump import test_strokes as strokes

CHAIN = """
import json, re, sys, time
from pathlib import Path
import jax
import coldspot as cs

def heat(warm, spins=SPINS):
    s = cs.steady_state(cs.SpinChain(spins, 1.0, FIELD, 0.5, cs.HeatBath(warm), cs.HeatBath(1.0) PERIOD))
    return s.heat["left"], s.error.heat["left"]

value, slope = CALL
peak = int(re.findall(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024
print(json.dumps([float(value[0]), float(value[1]), time.process_time(), peak]))
"""
STATIC = {"FIELD": "0.3", "PERIOD": "", "CALL": "jax.value_and_grad(heat, has_aux=True)(1.5)"}
DRIVEN = {"FIELD": "cs.Cosine(0.5, 0.3, 0.1)", "PERIOD": ", period=20.0", "CALL": "heat(1.5), 0.0"}


def row(what: str, found: float, asked: float) -> bool:
    print(f"{what}: {found:.3g}, asked {asked:g}  {'met' if found <= asked else 'MISSED'}", flush=True)
    return found <= asked


def dot() -> bool:
    found = cs.counting(cs.machines.QuantumDot(level=-5.0), "particles", "left").cumulants(4)
    expected = counting.expected_of_dot(-5.0)
    return row("cumulants 1-4 of a dot", np.max(np.abs(found.values / expected - 1)), 1e-13)


def random_networks(count: int) -> bool:
    rng = np.random.default_rng(11)
    cases = [counting.draw(rng, 20.0, 2.0) for _ in range(count)]
    values, errors, _ = map(np.asarray, counting.four(*(jnp.asarray(np.stack(x)) for x in zip(*cases, strict=True))))
    with mp.workdps(80):
        expected = [counting.eigenvalue_series(counting.N, counting.edges_of(*case), 4) for case in cases]
        off = [
            [float(abs(mp.mpf(v) / e - 1)) for v, e in zip(*x, strict=True)] for x in zip(values, expected, strict=True)
        ]
    worst, honest = np.max(off, axis=0), np.max(np.array(off) * np.abs(np.array(expected, float)) / errors)
    words = f"of {count} random networks of 6 states, rates over e^±20"
    good = [row(f"cumulant {k} {words}", worst[k - 1], asked) for k, asked in ((2, 1e-11), (4, 1e-10))]
    return all([*good, row(f"error over its bound {words}", honest, 1.0)])


def periodic() -> bool:
    names = [("heat", "cold"), ("particles", "cold"), ("work", "level")]
    found = np.asarray(cs.counting(counting.gated(8.0), names).cumulants(4))
    expected = np.array([counting.monodromy(8.0, quantity) for quantity, _ in names], float)
    off = np.abs(found / expected - 1)
    good = [row(f"cumulants 1-4 of {names[k][0]} in a periodic state", off[k].max(), 1e-8) for k in (0, 1)]
    return all([*good, row("cumulant 2 of work in a periodic state", off[2, 1], 1e-6)])


def pieces() -> bool:
    good = []
    for name, c in zip(("a square wave", "a turnstile of thirds", "an Otto cycle"), strokes.cycles(), strict=False):
        exact = strokes.by_exponentials(c)
        batch = strokes.Cycle(*(jnp.asarray(x)[None] for x in c))
        s = solve_points(lambda build, point: build(point), strokes.network, batch, jnp.asarray(1e-8))
        size = np.max(np.abs(exact["heats"]))
        off = max(
            np.max(np.abs(np.asarray(s.ledger.heats)[0] - exact["heats"])),
            np.max(np.abs(np.asarray(s.ledger.works)[0] - exact["works"])),
        )
        good.append(row(f"heats and works of {name}", off / size, 1e-10))
    return all(good)


def covariance() -> bool:
    """Of a sweep of 4,096 points of a harvester of four states, the second time."""
    axes = {"interaction": np.linspace(1.0, 3.0, 4096)}
    also = [cs.Counting([("heat", "left"), ("heat", "gate")])]
    times = []
    for what in ([], also):
        each = []
        for _ in range(6):
            begin = time.process_time()
            cs.sweep(cs.machines.CoulombCoupledDots(), axes, also=what, progress=False)
            each.append(time.process_time() - begin)
        times.append(min(each[1:]))
    return row("processor time of a state with its covariance over that of the state", times[1] / times[0], 2.5)


def chains() -> bool:
    good = []
    for what, spins, words, seconds, memory in (
        ("16 spins with gradient", 16, STATIC, 8.0, 512.0),
        ("10 spins under driving", 10, DRIVEN, 15.0, np.inf),
    ):
        code = CHAIN.replace("SPINS", str(spins))
        for name, text in words.items():
            code = code.replace(name, text)
        with tempfile.TemporaryDirectory() as cache:
            run = subprocess.run(
                [sys.executable, "-c", code],
                env=os.environ | {"XDG_CACHE_HOME": cache},
                capture_output=True,
                text=True,
                check=True,
            )
        value, error, cpu, peak = json.loads(run.stdout.splitlines()[-1])
        good += [row(f"{what}: processor time (s)", cpu, seconds), row(f"{what}: memory (MiB)", peak, memory)]
        good.append(row(f"{what}: error stated", error / abs(value), 1e-8))
    return all(good)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=32_000, help="random networks, times a thousand")
    parser.add_argument("only", nargs="*", help="some of: dot, random_networks, periodic, pieces, covariance, chains")
    options = parser.parse_args()
    every: dict[str, Any] = {f.__name__: f for f in (dot, periodic, pieces, covariance, chains)}
    every["random_networks"] = lambda: random_networks(max(8, options.count // 1000))
    good = [every[name]() for name in options.only or every]
    if hasattr(os, "getloadavg"):
        print(f"{os.cpu_count()} cores, load", *(f"{x:.1f}" for x in os.getloadavg()))
    if not all(good):
        raise SystemExit(f"{len(good) - sum(good)} of {len(good)} were missed")


if __name__ == "__main__":
    main()
