"""Timing by interleaved repetitions, and what a row of the table holds."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from coldspot import parallel

PAUSE = 0.1
"""Seconds before each measurement: threads of OpenBLAS and XLA wait for more work with all of a core for a while (30 ms
after a product of matrices in NumPy), which whoever comes next would lack."""


@dataclass(frozen=True)
class Timing:
    """Seconds per point: median, smallest and largest of the repetitions; and how many points were solved in each."""

    median: float
    low: float
    high: float
    points: int

    @property
    def spread(self) -> float:
        """(largest − smallest)/median."""
        return (self.high - self.low) / self.median


@dataclass(frozen=True)
class Task:
    """Something to time: a function without arguments that solves `points` points."""

    run: Callable[[], Any]
    points: int


@dataclass(frozen=True)
class Contender:
    """One tool's result in a row: what was called, how long it takes, how accurate it is.

    `timing` is None if the tool is not installed. `target_ratio` is the factor by which coldspot is meant to be faster.
    """

    name: str
    timing: Timing | None
    error: float | None = None
    target_ratio: float | None = None


@dataclass(frozen=True)
class Row:
    """One row: coldspot, its target (seconds per point, if it has one), what it is compared with, and notes.

    `compile` is the time of the first call less that of a later one. Errors are the largest over a random subset of
    points, relative to each point's largest heat.
    """

    name: str
    coldspot: Contender
    target: float | None
    compile: float
    peers: list[Contender] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def interleave(tasks: Mapping[str, Task | None], repeats: int) -> dict[str, Timing | None]:
    """Time the tasks in turn, A B C A B C …, after one warm-up of each and with pauses; None for no task."""
    present = {name: task for name, task in tasks.items() if task is not None}
    for task in present.values():
        task.run()
    seconds: dict[str, list[float]] = {name: [] for name in present}
    for _ in range(repeats):
        for name, task in present.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            task.run()
            seconds[name].append((time.perf_counter() - start) / task.points)
    found = {n: Timing(float(np.median(s)), min(s), max(s), present[n].points) for n, s in seconds.items()}
    return {name: found.get(name) for name in tasks}


def compile_seconds(run: Callable[[], Any]) -> float:
    """Time of the first call less that of the second, which no longer compiles; nothing compiled before is reused."""
    jax.clear_caches()
    moments = [time.perf_counter()]
    for _ in range(2):
        run()
        moments.append(time.perf_counter())
    return max(0.0, (moments[1] - moments[0]) - (moments[2] - moments[1]))


def relative_error(heats: np.ndarray, reference: np.ndarray) -> float:
    """Largest |heat − reference| over points and baths, relative to the point's largest |reference|."""
    return float(np.max(np.abs(heats - reference) / np.max(np.abs(reference), axis=-1, keepdims=True)))


def on_all_cores(run: Callable[[np.random.Generator, int], np.ndarray], trajectories: int, seed: int) -> np.ndarray:
    """The sum of `run(generator, trajectories)` over threads, one for each core, each with its own random numbers."""
    workers = parallel.workers()
    generators = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(workers)]
    counts = [len(part) for part in np.array_split(np.arange(trajectories), workers)]
    with ThreadPoolExecutor(workers) as pool:
        return np.sum(list(pool.map(run, generators, counts)), axis=0)
