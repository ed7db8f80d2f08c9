"""Row `single-dot`: one level between two leads, all currents.

coldspot solves it with the same compiled function as every other static network. The peers are the closed form in
vectorised NumPy (particle current, heats, chemical work, entropy production) and QuTiP's `steadystate`,
followed by the formulas for the currents, which QuTiP does not have.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import coldspot as cs
from coldspot import parallel
from coldspot.dynamics import TOLERANCE, checked_tolerance, solve_points
from coldspot.sweep import solve_chunk, solve_columns
from coldspot.tiers import SIZES

from . import exact
from .measure import Contender, Row, Task, compile_seconds, interleave, relative_error

NAMES = ("single-dot",)
TARGET = 0.1e-6
QMEQ = 24e-6
"""Seconds per point that QmeQ's own notes give for this dot with a reused builder; not measured here."""
CHUNK = SIZES[-1]
POINTS = 6 * CHUNK
PASSES = 10
"""Times that these are solved in one measurement, which would be too short to be steady otherwise."""
QUTIP_POINTS = 200


def columns(points: int, seed: int = 0) -> dict[str, np.ndarray]:
    u = np.random.default_rng(seed).uniform
    return {
        "level": u(-15, 15, points),
        "left_temperature": u(5, 10, points),
        "right_temperature": u(2, 5, points),
        "left_potential": u(0, 5, points),
        "right_potential": u(-5, 0, points),
    }


def build(shared: None, point: Mapping[str, Any]) -> cs.machines.QuantumDot:
    return cs.machines.QuantumDot(
        level=point["level"],
        left=cs.ElectronBath(point["left_temperature"], point["left_potential"]),
        right=cs.ElectronBath(point["right_temperature"], point["right_potential"]),
    )


def solve(points: Mapping[str, np.ndarray]) -> np.ndarray:
    """Heats (point, bath) by coldspot."""
    return solve_columns(solve_points, build, None, points, checked_tolerance(TOLERANCE), progress=False).heat.array


def by_calls(c: Mapping[str, np.ndarray]) -> np.ndarray:
    """Heats (point, bath) by the compiled function alone, on all cores; what else a call returns is let go."""
    solved = solve_chunk.partial(solve_points.attempts[0], build, None, (checked_tolerance(TOLERANCE),))

    def call(start: int) -> np.ndarray:
        found = solved({name: values[start : start + CHUNK] for name, values in c.items()})
        kind, start, shape = found.parts[0]  # heats are the first of all results
        return np.asarray(found.arrays[kind])[start : start + shape[0]].copy()

    with ThreadPoolExecutor(parallel.workers()) as pool:
        return np.concatenate(list(pool.map(call, range(0, len(c["level"]), CHUNK))), axis=-1).T


def task(name: str) -> Task:
    c = columns(POINTS)
    return Task(lambda: [by_calls(c) for _ in range(PASSES)], PASSES * POINTS)


def closed_form(c: Mapping[str, np.ndarray], gamma: float = 1.0) -> dict[str, np.ndarray]:
    """All currents by the closed form; γ = γ_Lγ_R/(γ_L+γ_R)."""
    left = c["level"] - c["left_potential"]
    right = c["level"] - c["right_potential"]
    current = gamma * (
        1 / (1 + np.exp(left / c["left_temperature"])) - 1 / (1 + np.exp(right / c["right_temperature"]))
    )
    heat_left, heat_right = left * current, -right * current
    return {
        "particles": current,
        "heat": np.stack([heat_left, heat_right], axis=-1),
        "work": (c["left_potential"] - c["right_potential"]) * current,
        "entropy": -heat_left / c["left_temperature"] - heat_right / c["right_temperature"],
    }


def by_qutip(c: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Heats (point, bath) by `steadystate(method="svd")` and the currents' formulas; None if it is not installed."""
    try:
        import qutip
    except ImportError:
        return None
    lower = qutip.destroy(2)
    hamiltonian = qutip.qzero(2)  # the level enters through the rates; populations do not see H
    found = []
    for level, tl, tr, ml, mr in zip(*(c[k].tolist() for k in c), strict=True):
        filling = [2.0 / (1 + np.exp((level - m) / t)) for t, m in ((tl, ml), (tr, mr))]
        jumps = [np.sqrt(f) * lower.dag() for f in filling] + [np.sqrt(2.0 - f) * lower for f in filling]
        state = qutip.steadystate(hamiltonian, jumps, method="svd")
        empty, full = state.diag().real
        currents = [f * empty - (2.0 - f) * full for f in filling]
        heats = [(level - m) * j for m, j in zip((ml, mr), currents, strict=True)]
        _entropy = -heats[0] / tl - heats[1] / tr
        found.append(heats)
    return np.array(found)


def reference(c: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.array([
        exact.heats([(0, 0, 1), (1, 0, 1)], [0, level], [0, 1], [tl, tr], [ml, mr], [2, 2])
        for level, tl, tr, ml, mr in zip(*(c[k].tolist() for k in c), strict=True)
    ])  # fmt: skip


def measure(name: str, repeats: int) -> Row:
    c = columns(POINTS)
    few = {k: v[:QUTIP_POINTS] for k, v in c.items()}
    compiled = compile_seconds(lambda: solve(c))
    levels, potentials = np.linspace(-15, 15, POINTS // 96), np.linspace(-5, 0, 96)
    grid = {"level": levels, "right.chemical_potential": potentials}
    dot = cs.machines.QuantumDot()
    tried = by_qutip(few)
    times = interleave(
        {
            "coldspot": task(name),
            "joined": Task(lambda: [solve(c) for _ in range(PASSES)], PASSES * POINTS),
            "sweep": Task(lambda: cs.sweep(dot, grid, progress=False), POINTS),
            "numpy": Task(lambda: closed_form(c), POINTS),
            "qutip": None if tried is None else Task(lambda: by_qutip(few), QUTIP_POINTS),
        },
        repeats,
    )
    exactly = reference(few)
    ours = times["coldspot"]
    assert ours is not None
    assert times["joined"] is not None
    assert times["sweep"] is not None
    return Row(
        name,
        Contender("coldspot", ours, relative_error(by_calls(few), exactly)),
        TARGET,
        compiled,
        [
            Contender("NumPy closed form", times["numpy"], relative_error(closed_form(few)["heat"], exactly)),
            Contender(
                'QuTiP steadystate(method="svd")',
                times["qutip"],
                None if tried is None else relative_error(tried, exactly),
            ),
        ],
        [
            f"The row is the compiled function called on all cores, {CHUNK} points a call, of whose results the heats "
            f"are kept. All results joined in one array each: {times['joined'].median * 1e6:.3g} µs per point; "
            f"`coldspot.sweep`, with regimes and flags: {times['sweep'].median * 1e6:.3g} µs per point.",
            f"Literature, not measured here: QmeQ 1.1 takes 24 µs per point, {QMEQ / ours.median:.3g} times as long.",
        ],
    )
