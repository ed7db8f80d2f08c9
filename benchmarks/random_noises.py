"""Rows `random-8-noise` and `random-16-noise`: the networks of `random_networks` with all heats and their noises.

The peer is a loop over points in NumPy, with `numpy.linalg.solve` for populations and once more, with one right-hand
side for each bath, for the covariances of the three heats. Errors are those of the covariances, relative to each
point's largest, of either against the other: both are right or neither is.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

import coldspot as cs

from .measure import Contender, Row, Task, compile_seconds, interleave, relative_error
from .random_networks import BATHS, POINTS, build, columns, occupations, transitions

DOTS = {"random-8-noise": 3, "random-16-noise": 4}
NAMES = tuple(DOTS)
LOOP = 200
"""Points of the loop."""


def solve(dots: int, c: Mapping[str, np.ndarray]) -> np.ndarray:
    """Covariances (point, bath·bath) by `coldspot.sweep`, which finds states, heats and regimes beside them."""
    table = {name: jnp.asarray(values) for name, values in c.items()}

    def network(index: Any) -> cs.JumpNetwork:
        return build(dots, {name: values[index.astype(int)] for name, values in table.items()})

    places = [("heat", name) for name in BATHS]
    found = cs.sweep(
        network, {"index": np.arange(float(len(c["energies"])))}, also=[cs.Counting(places)], progress=False
    )
    names = [f"covariance_heat_{a}_heat_{b}" for a in BATHS for b in BATHS]
    # Of two baths there is one, by whichever comes first.
    turned = [f"covariance_heat_{b}_heat_{a}" for a in BATHS for b in BATHS]
    return np.stack([found[n if n in found else t].values for n, t in zip(names, turned, strict=True)], axis=-1)


def task(name: str) -> Task:
    c = columns(DOTS[name], POINTS)
    return Task(lambda: solve(DOTS[name], c), POINTS)


def by_numpy(dots: int, c: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same by a loop: with gains g_a = Σ out of a state, C_ab = Σ q_a q_b (F + B) + g_a·x_b + g_b·x_a, L x = R."""
    bath, i, f = np.array(transitions(dots)).T
    number, n = occupations(dots), 1 << dots
    found = []
    for k in range(len(c["energies"])):
        energies, potentials, temperatures = c["energies"][k], c["potentials"][k], c["temperatures"][k]
        heat = energies[f] - energies[i] - potentials[bath] * (number[f] - number[i])
        forward = c["scales"][k] / (1 + np.exp(heat / temperatures[bath]))
        backward = c["scales"][k] - forward
        matrix = np.zeros((n, n))
        np.add.at(matrix, (f, i), forward)
        np.add.at(matrix, (i, f), backward)
        matrix -= np.diag(matrix.sum(axis=0))
        matrix[-1] = 1.0
        p = np.linalg.solve(matrix, np.eye(n)[-1])
        out, back = forward * p[i], backward * p[f]
        amounts = heat * (bath == np.arange(len(BATHS))[:, None])
        heats = amounts @ (out - back)
        gains, right = np.zeros((len(BATHS), n)), heats[:, None] * p
        for b, own in enumerate(amounts):
            np.add.at(gains[b], i, own * forward)
            np.add.at(gains[b], f, -own * backward)
            np.add.at(right[b], f, -own * out)
            np.add.at(right[b], i, own * back)
        right[:, -1] = 0.0
        mixed = gains @ np.linalg.solve(matrix, right.T)
        found.append(((amounts * (out + back)) @ amounts.T + mixed + mixed.T).ravel())
    return np.array(found)


def measure(name: str, repeats: int) -> Row:
    dots = DOTS[name]
    c = columns(dots, POINTS)
    few = {k: v[:LOOP] for k, v in c.items()}
    compiled = compile_seconds(lambda: solve(dots, c))
    times = interleave({"coldspot": task(name), "numpy": Task(lambda: by_numpy(dots, few), LOOP)}, repeats)
    difference = relative_error(solve(dots, c)[:LOOP], by_numpy(dots, few))
    return Row(
        name,
        Contender("coldspot", times["coldspot"], difference),
        None,
        compiled,
        [Contender("NumPy loop of linalg.solve", times["numpy"], difference, 15)],
        ["The error is the difference of the two."],
    )
