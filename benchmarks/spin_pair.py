"""Rows `spin-pair` (near the paper's case) and `spin-pair-wide` (stiff and slow, cold and hot): driven spin pairs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import coldspot as cs

from .driven import Plain
from .periodic import Case

SPINS = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])


def near(points: int, seed: int = 0) -> dict[str, np.ndarray]:
    u = np.random.default_rng(seed).uniform
    return {
        "left_temperature": u(0.4, 0.6, points),
        "right_temperature": u(0.4, 0.6, points),
        "amplitude": u(0.2, 0.3, points),
        "period": u(150, 300, points),
        "phase": u(0, 2 * np.pi, points),
    }


def wide(points: int, seed: int = 0) -> dict[str, np.ndarray]:
    u = np.random.default_rng(seed).uniform
    return {
        "left_temperature": np.exp(u(np.log(0.05), np.log(2), points)),
        "right_temperature": np.exp(u(np.log(0.05), np.log(2), points)),
        "amplitude": u(0.2, 0.3, points),
        "period": 10 ** u(-1, 4, points),
        "phase": u(0, 2 * np.pi, points),
    }


def build(shared: None, point: Mapping[str, Any]) -> cs.machines.SpinPair:
    return cs.machines.SpinPair(
        amplitude=point["amplitude"],
        period=point["period"],
        phase=point["phase"],
        left=cs.HeatBath(point["left_temperature"]),
        right=cs.HeatBath(point["right_temperature"]),
    )


def plain(point: Mapping[str, float], rate: float = 0.5, coupling: float = 1.0) -> Plain:
    """r(1−tanh(J/T_b)σ_1σ_2)(1−tanh(h_b/T_b)σ_b) for a flip of spin b, with ΔE = 2(Jσ_1σ_2 + h_bσ_b)."""
    temperature = np.array([point["left_temperature"], point["right_temperature"]])
    start, bath = (a.ravel() for a in np.meshgrid(np.arange(4), np.arange(2), indexing="ij"))
    flipped = SPINS[start].copy()
    flipped[np.arange(8), bath] *= -1
    end = np.array([int(np.flatnonzero((row == SPINS).all(axis=1))[0]) for row in flipped])
    product, own, t = SPINS[start].prod(axis=1), SPINS[start, bath], temperature[bath]
    field = np.eye(2)[bath]
    return Plain(
        states=4,
        baths=2,
        period=float(point["period"]),
        mean=np.zeros(2),
        amplitude=np.full(2, float(point["amplitude"])),
        phase=np.array([0.0, float(point["phase"])]),
        bath=bath,
        start=start,
        end=end,
        scale=4 * rate / (1 + np.exp(2 * coupling * product / t)),
        x0=np.zeros(8),
        x1=field * (2 * own / t)[:, None],
        heat0=2.0 * coupling * product,
        heat1=field * (2.0 * own)[:, None],
    )


CASES = (
    Case("spin-pair", near, build, plain, target=60e-6, peers=True),
    Case("spin-pair-wide", wide, build, plain, target=120e-6, peers=False),
)
