"""Forces f(x, v) that are fed back: how they bend the motion where trajectories start, and what is no feedback.

Such a force is no part of the energy and brings no noise: a cold damping −gv cools below the temperature of the bath
("Entropy production of Brownian macromolecules with inertia", Kim and Qian). Its work ∫f∘dx is that of whoever
measures; the ledger's entropy does not know of the information, so that its σ may be negative.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError
from ..pytrees import compiled
from .instant import Instant

OWNER = "trajectories"
LOOKS = 8
"""Places at which feedback is looked at, up to `FAR` away from where trajectories start."""
FAR = 100.0
STRAIGHT = 1e-9
"""Feedback that differs from a linear law by no larger part is one."""

Law = Callable[[Array, Array], Array]


class Returned(NamedTuple):
    """What feedback adds to A in ẏ = Ay, y = (x, v), v of coordinates with a mass, where trajectories start: `slope`

    (k, k); to the `springs` (n, n), its even part; and whether it is a linear law, `straight`."""

    slope: np.ndarray
    springs: np.ndarray
    straight: bool


def returned(laws: Mapping[int, Law], one: Instant, mean: np.ndarray) -> Returned:
    """All feedback of a network together, about the place `mean` (n,) at rest."""
    n, heavy, light = mean.size, one.heavy, np.array(one.massless, int)
    slope = np.zeros((n + heavy.size,) * 2)
    if not laws:
        return Returned(slope, np.zeros((n, n)), True)
    apart = np.random.RandomState(2).standard_normal((2, LOOKS + 1, n)) * np.geomspace(1e-2, FAR, LOOKS + 1)[:, None]
    apart[:, 0] = 0.0
    # What has no mass has no velocity: whoever reads it gets what is no number.
    apart[1][:, light] = np.nan
    seen = _seen(tuple(laws.values()), jnp.asarray(mean + apart[0]), jnp.asarray(apart[1]))
    forces, along_x, along_v = (np.asarray(a) for a in seen)
    if not np.isfinite(forces).all():
        where = np.argwhere(~np.isfinite(forces))[0]
        words = f"; coordinates {light.tolist()} have no mass, and so no velocity" if light.size else ""
        raise InputError(
            f"{OWNER}: the force that is fed back to coordinate {where[1]} is {forces[tuple(where)]} at "
            f"x = {(mean + apart[0][where[0]]).tolist()}{words}."
        )
    if np.any(along_v[:, light] != 0):
        i = light[int(np.argmax(np.abs(along_v[:, light]).max(axis=(0, 2))))]
        raise InputError(
            f"{OWNER}: the force that is fed back to coordinate {i}, which has no mass, reads velocities; the work of "
            "such a force is not known. Give the coordinate a small mass, or let the force read positions."
        )
    both = np.concatenate([along_x, along_v[:, :, heavy]], axis=2)
    way = np.concatenate([apart[0], apart[1][:, heavy]], axis=1)
    bent = np.abs(forces - forces[0] - way @ both[0].T).max()
    slope[n:] = both[0][heavy] / one.masses[heavy][:, None]
    if light.size:
        slope[light] = np.linalg.solve(one.frictions.sum(0)[np.ix_(light, light)], both[0][light])
    springs = -(along_x[0] + along_x[0].T) / 2
    return Returned(slope, springs, bool(bent <= STRAIGHT * np.abs(forces).max()))


@compiled
def _seen(laws: tuple[Law, ...], x: Array, v: Array) -> tuple[Array, Any, Any]:
    """All feedback (place, n), and its slopes in x and in v (place, n, n)."""

    def force(x: Array, v: Array) -> Array:
        return sum((jnp.asarray(law(x, v), float) for law in laws), jnp.zeros(x.shape))

    return jax.vmap(force)(x, v), *jax.vmap(jax.jacfwd(force, (0, 1)))(x, v)
