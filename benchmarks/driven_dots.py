"""Row `driven-dots`: two dots with gates that oscillate with a lag, leads, Coulomb repulsion, hopping with phonons."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

import coldspot as cs

from .driven import Plain
from .periodic import Case, Ratios

REPULSION = 1.0
HOPPING = 0.2
FILLING = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
"""Electrons on the left and right dot in the states empty, left, right, both."""
TRANSITIONS = [(0, 0, 1), (0, 2, 3), (1, 0, 2), (1, 1, 3), (2, 1, 2)]
"""(bath, initial, final); baths are the leads left and right, and phonons."""


def columns(points: int, seed: int = 0) -> dict[str, np.ndarray]:
    u = np.random.default_rng(seed).uniform
    return {
        "left_temperature": u(0.3, 0.6, points),
        "right_temperature": u(0.3, 0.6, points),
        "phonon_temperature": u(0.3, 0.6, points),
        "bias": u(-0.5, 0.5, points),
        "level": u(-1.0, 0.5, points),
        "amplitude": u(0.2, 0.6, points),
        "period": u(5, 100, points),
        "phase": u(0, 2 * np.pi, points),
    }


class Levels(eqx.Module):
    """Energies of the four states for gate-driven levels."""

    level: Array

    def __call__(self, gates: Mapping[str, Array]) -> Array:
        left, right = self.level + gates["left"], self.level + gates["right"]
        return jnp.stack([jnp.zeros_like(left), left, right, left + right + REPULSION])


def build(shared: None, point: Mapping[str, Any]) -> cs.JumpNetwork:
    return cs.JumpNetwork(
        energies=Levels(point["level"]),
        occupations=[0, 1, 1, 2],
        baths={
            "left": cs.ElectronBath(point["left_temperature"], point["bias"] / 2),
            "right": cs.ElectronBath(point["right_temperature"], -point["bias"] / 2),
            "phonons": cs.HeatBath(point["phonon_temperature"]),
        },
        channels=[
            cs.Channel("left", [0, 2], [1, 3], cs.Tunnelling(1.0)),
            cs.Channel("right", [0, 1], [2, 3], cs.Tunnelling(1.0)),
            cs.Channel("phonons", 1, 2, cs.Glauber(HOPPING)),
        ],
        drives={"left": cs.Cosine(point["amplitude"]), "right": cs.Cosine(point["amplitude"], point["phase"])},
        period=point["period"],
    )


def plain(point: Mapping[str, float]) -> Plain:
    both = TRANSITIONS + [(b, f, i) for b, i, f in TRANSITIONS]
    bath, start, end = np.array(both).T
    temperature = np.array([point["left_temperature"], point["right_temperature"], point["phonon_temperature"]])[bath]
    potential = np.array([point["bias"] / 2, -point["bias"] / 2, 0.0])[bath]
    moved = FILLING[end] - FILLING[start]
    fixed = FILLING * point["level"]
    energies = fixed.sum(axis=1) + REPULSION * FILLING.prod(axis=1)
    heat0 = energies[end] - energies[start] - potential * moved.sum(axis=1)
    heat1 = moved.astype(float)
    return Plain(
        states=4,
        baths=3,
        period=float(point["period"]),
        mean=np.zeros(2),
        amplitude=np.full(2, float(point["amplitude"])),
        phase=np.array([0.0, float(point["phase"])]),
        bath=bath,
        start=start,
        end=end,
        scale=np.array([1.0, 1.0, 2 * HOPPING])[bath],
        x0=heat0 / temperature,
        x1=heat1 / temperature[:, None],
        heat0=heat0,
        heat1=heat1,
    )


CASES = (Case("driven-dots", columns, build, plain, target=60e-6, peers=True, ratios=Ratios(150.0, 300.0)),)
