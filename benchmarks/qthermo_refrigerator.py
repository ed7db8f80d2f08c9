"""The absorption refrigerator of three levels beside qthermo, whose baths are bosons: all heats, the same machine.

    python -m benchmarks.qthermo_refrigerator

with an interpreter that has both (`pip install qthermo`); else it says "not installed". qthermo solves one point after
the other (`analyze` of the Hamiltonian with one `davies_bath` for each pair of levels); its baths have no chemical
potential, so that no machine with leads can be compared. Prints processor times per point and the largest difference.
"""

import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

import coldspot as cs
from coldspot.dynamics import TOLERANCE, checked_tolerance, solve_points
from coldspot.sweep import solve_columns

from .measure import relative_error

POINTS, PEER_POINTS, REPEATS = 100_000, 50, 5
PAIRS = {"cold": (0, 1), "room": (0, 2), "hot": (1, 2)}
GAMMA = 0.1


def columns(points: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    cold = random.uniform(0.5, 2, points)
    room = cold * random.uniform(1.1, 2, points)
    return {
        "cold_frequency": random.uniform(0.5, 2, points),
        "hot_frequency": random.uniform(2, 5, points),
        "cold": cold,
        "room": room,
        "hot": room * random.uniform(1.5, 4, points),
    }


def build(shared: None, point: Mapping[str, Any]) -> cs.machines.AbsorptionRefrigerator:
    baths = {name: cs.BosonBath(point[name]) for name in PAIRS}
    frequencies = {name: point[name] for name in ("cold_frequency", "hot_frequency")}
    return cs.machines.AbsorptionRefrigerator(**frequencies, **baths)


def solve(c: Mapping[str, np.ndarray]) -> np.ndarray:
    """Heats (point, bath) in the order of `PAIRS`."""
    found = solve_columns(solve_points, build, None, c, checked_tolerance(TOLERANCE), progress=False)
    return np.stack([np.asarray(found.heat[name]) for name in PAIRS], axis=-1)


def by_qthermo(c: Mapping[str, np.ndarray]) -> np.ndarray:
    from qthermo.baths import davies_bath
    from qthermo.steady import analyze

    couplings = {}
    for name, (low, high) in PAIRS.items():
        couplings[name] = np.zeros((3, 3))
        couplings[name][low, high] = couplings[name][high, low] = 1.0
    heats = []
    for k, cold in enumerate(c["cold_frequency"]):
        matrix = np.diag([0.0, cold, cold + c["hot_frequency"][k]])
        baths = [davies_bath(matrix, couplings[name], c[name][k], gamma=GAMMA, name=name) for name in PAIRS]
        currents = analyze(matrix, baths).currents
        heats.append([currents[name] for name in PAIRS])
    return np.array(heats)


def main() -> None:
    many = columns(POINTS)
    few = {name: values[:PEER_POINTS] for name, values in many.items()}
    runs: dict[str, tuple[Callable[[], np.ndarray], int]] = {"coldspot": (lambda: solve(many), POINTS)}
    if find_spec("qthermo") is not None:
        runs["qthermo"] = (lambda: by_qthermo(few), PEER_POINTS)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(1 + REPEATS):
        for name, (run, points) in runs.items():
            start = time.process_time()
            run()
            if turn:  # the first one compiles
                seconds[name].append((time.process_time() - start) / points)
    times = {name: float(np.median(s)) for name, s in seconds.items()}
    print(f"coldspot: {times['coldspot'] * 1e6:.3g} µs of processor per point")
    if "qthermo" not in times:
        print("qthermo: not installed")
        return
    difference = relative_error(by_qthermo(few), solve(many)[:PEER_POINTS])
    ratio = times["qthermo"] / times["coldspot"]
    print(f"qthermo: {times['qthermo'] * 1e6:.3g} µs, {ratio:.3g} × coldspot; largest difference {difference:.1e}")


if __name__ == "__main__":
    main()
