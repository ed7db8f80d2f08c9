"""Rows `random-8` and `random-16`: networks of 3 or 4 dots with random energies, rates and baths, all currents.

States are the fillings of the dots; two leads fill and empty each dot, phonons scatter between fillings with equally
many electrons. The peer is batched dense algebra in NumPy on the same generator: rates, `numpy.linalg.solve` with one
row replaced by the normalisation, and the currents, all vectorised over points.
"""

import functools
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

import coldspot as cs
from coldspot.dynamics import TOLERANCE, checked_tolerance, solve_points
from coldspot.sweep import solve_columns

from . import exact
from .measure import Contender, Row, Task, compile_seconds, interleave, relative_error

DOTS = {"random-8": 3, "random-16": 4}
NAMES = tuple(DOTS)
POINTS = 20_000
EXACT_POINTS = 20
BATHS = ("left", "right", "phonons")


@functools.cache
def transitions(dots: int) -> list[tuple[int, int, int]]:
    """(bath, initial, final) for each transition."""
    states = range(1 << dots)
    filled = [(s, s | (1 << d)) for s in states for d in range(dots) if not s >> d & 1]
    level = [(a, b) for a, b in combinations(states, 2) if a.bit_count() == b.bit_count() and (a ^ b).bit_count() == 2]
    return [(lead, a, b) for lead in (0, 1) for a, b in filled] + [(2, a, b) for a, b in level]


def occupations(dots: int) -> np.ndarray:
    return np.array([s.bit_count() for s in range(1 << dots)], dtype=float)


def columns(dots: int, points: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    potentials = random.uniform(-1, 1, (points, 3))
    potentials[:, 2] = 0.0
    return {
        "energies": random.normal(0, 2, (points, 1 << dots)),
        "scales": 10 ** random.uniform(-2, 1, (points, len(transitions(dots)))),
        "temperatures": random.uniform(0.3, 3, (points, 3)),
        "potentials": potentials,
    }


def build(dots: int, point: Mapping[str, Any]) -> cs.JumpNetwork:
    """The network with the numbers of a point of `columns`."""
    moves = np.array(transitions(dots))
    channels = []
    for b, name in enumerate(BATHS):
        own = moves[:, 0] == b
        law = cs.Glauber(point["scales"][own] / 2) if name == "phonons" else cs.Tunnelling(point["scales"][own])
        channels.append(cs.Channel(name, moves[own, 1], moves[own, 2], law))
    t, mu = point["temperatures"], point["potentials"]
    return cs.JumpNetwork(
        energies=point["energies"],
        occupations=occupations(dots),
        baths={
            "left": cs.ElectronBath(t[0], mu[0]),
            "right": cs.ElectronBath(t[1], mu[1]),
            "phonons": cs.HeatBath(t[2]),
        },
        channels=channels,
    )


def solve(dots: int, points: Mapping[str, np.ndarray]) -> np.ndarray:
    """Heats (point, bath) by coldspot."""
    return solve_columns(solve_points, build, dots, points, checked_tolerance(TOLERANCE), progress=False).heat.array


def task(name: str) -> Task:
    c = columns(DOTS[name], POINTS)
    return Task(lambda: solve(DOTS[name], c), POINTS)


def by_numpy(dots: int, c: Mapping[str, np.ndarray]) -> np.ndarray:
    """Heats (point, bath) by batched dense algebra."""
    bath, i, f = np.array(transitions(dots)).T
    n, points = 1 << dots, len(c["energies"])
    number = occupations(dots)
    heat = c["energies"][:, f] - c["energies"][:, i] - c["potentials"][:, bath] * (number[f] - number[i])
    forward = c["scales"] / (1 + np.exp(heat / c["temperatures"][:, bath]))
    backward = c["scales"] - forward
    generator = np.zeros((points, n * n))
    for k in range(len(bath)):
        generator[:, f[k] * n + i[k]] += forward[:, k]
        generator[:, i[k] * n + f[k]] += backward[:, k]
    generator = generator.reshape(points, n, n)
    index = np.arange(n)
    generator[:, index, index] = -generator.sum(axis=1)
    generator[:, -1] = 1.0
    right = np.zeros((n, 1))
    right[-1] = 1.0
    p = np.linalg.solve(generator, np.broadcast_to(right, (points, n, 1)))[..., 0]
    currents = forward * p[:, i] - backward * p[:, f]
    member = (bath[:, None] == np.arange(len(BATHS))).astype(float)
    heats = (heat * currents) @ member
    _particles = ((number[f] - number[i]) * currents) @ member
    _entropy = -np.sum(heats / c["temperatures"], axis=-1)
    return heats


def reference(dots: int, c: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.array([
        exact.heats(transitions(dots), e, occupations(dots), t, mu, s)
        for e, s, t, mu in zip(c["energies"], c["scales"], c["temperatures"], c["potentials"], strict=True)
    ])  # fmt: skip


def measure(name: str, repeats: int) -> Row:
    dots = DOTS[name]
    c = columns(dots, POINTS)
    compiled = compile_seconds(lambda: solve(dots, c))
    times = interleave({"coldspot": task(name), "numpy": Task(lambda: by_numpy(dots, c), POINTS)}, repeats)
    few = {k: v[:EXACT_POINTS] for k, v in c.items()}
    exactly = reference(dots, few)
    return Row(
        name,
        Contender("coldspot", times["coldspot"], relative_error(solve(dots, few), exactly)),
        None,
        compiled,
        [Contender("NumPy batched linalg.solve", times["numpy"], relative_error(by_numpy(dots, few), exactly), 2)],
    )
