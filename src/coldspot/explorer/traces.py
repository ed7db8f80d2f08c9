"""Time traces of driven machines over one period of their periodic state."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._checks import InputError
from ..dynamics import as_dynamics
from ..jump.evolution import evolve
from ..jump.system import System
from ..solution import plain
from . import motion

TIMES = 96
"""Moments of a period; the last one is its end."""
MOST_STATES = 16


def is_traceable(network: Any) -> bool:
    """Whether there are time traces of a machine with these dynamics."""
    return motion.is_traceable(network) or (isinstance(network, System) and network.period is not None)


def trace(machine: Any) -> dict[str, Any]:
    """Heats and powers of drives over one period; of jump networks populations, of oscillators positions."""
    network: Any = as_dynamics(machine)
    if not is_traceable(network):
        raise InputError(
            "explore: time traces are of driven jump networks, and of driven linear oscillators with classical baths; "
            "this machine is neither."
        )
    return motion.trace(network) if motion.is_traceable(network) else _of_network(network)


def _of_network(network: Any) -> dict[str, Any]:
    """The state at the start solves p = Mp, where the columns of M are what becomes of each state in one period."""
    if network.states > MOST_STATES:
        raise InputError(f"explore: time traces are shown up to {MOST_STATES} states, but there are {network.states}.")
    period = float(network.period)
    times = jnp.asarray(period * np.arange(1, TIMES + 1) / TIMES)
    ends = [np.asarray(evolve(network, row, times).populations[-1]) for row in np.eye(network.states)]
    start = periodic(np.stack(ends, axis=1))
    e = jax.tree.map(np.asarray, evolve(network, start, times))
    baths, drives = e.ledger.baths, e.ledger.drives
    return {
        "time": plain(e.times / period),
        "period": period,
        "groups": {
            "heat": {name: plain(e.heat[name]) for name in baths},
            "power of drives": {name: plain(e.work[name]) for name in drives},
            "population": {f"state {k}": plain(e.populations[:, k]) for k in range(network.states)},
        },
        "mean": {
            "heat": {name: float(e.amounts.heat[name][-1]) / period for name in baths},
            "work": {name: float(e.amounts.work[name][-1]) / period for name in drives},
        },
    }


def periodic(transfer: np.ndarray) -> np.ndarray:
    """The probabilities p = Mp of a matrix M (to, from) whose columns add up to 1.

    >>> periodic(np.array([[0.5, 0.25], [0.5, 0.75]])).round(12).tolist()
    [0.333333333333, 0.666666666667]
    """
    n = len(transfer)
    equations = np.vstack([transfer - np.eye(n), np.ones(n)])
    p, *_ = np.linalg.lstsq(equations, np.append(np.zeros(n), 1.0), rcond=None)
    p = np.where(np.abs(p) < 1e-13, 0.0, p)
    return p / p.sum()
