"""Time traces of driven linear oscillators over one period of their periodic state.

Second moments X = ⟨yyᵀ⟩ of y = (x, v, 1) obey Ẋ = AX + XAᵀ + Σ_b T_b W_b (see `oscillators.instant`). A step of that is
the exponential of one matrix, [[A, ΣTW], [0, −Aᵀ]], whose mean over the step is taken to fourth order (Magnus).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.linalg import expm

from .._checks import InputError
from ..oscillators.instant import moments
from ..oscillators.network import OscillatorNetwork
from ..pytrees import compiled
from ..solution import plain

TIMES = 96
"""Moments of a period; the last one is its end."""
TURN = 0.05
"""How far the fastest motion may go in a step: the error of a step is of the fifth power of it."""
MOST_STEPS = 64 * TIMES
MOST_COORDINATES = 16
DOUBLINGS = 60
"""The number of periods until the state repeats itself is doubled at most this often."""


def is_traceable(network: Any) -> bool:
    """Whether moments tell all: the springs are linear, and the noise is white."""
    if not isinstance(network, OscillatorNetwork) or network.frequency is None:
        return False
    return network.potential is None and not network.quantum and not network.remembers


def trace(network: OscillatorNetwork) -> dict[str, Any]:
    """Mean positions, their spread, heats and powers of drives over one period."""
    n = network.size
    if n > MOST_COORDINATES:
        raise InputError(f"explore: time traces are shown up to {MOST_COORDINATES} coordinates, but there are {n}.")
    assert network.frequency is not None
    period = 2 * math.pi / float(network.frequency)
    fast = np.max(np.abs(np.linalg.eigvals(_at(network, np.arange(TIMES) / TIMES)[0])))
    each = math.ceil(period * fast / (TURN * TIMES))
    steps = TIMES * max(each, 4)
    if steps > MOST_STEPS:
        raise InputError(
            f"explore: a period is {period * fast:.3g} times as long as the fastest motion, too many for time traces."
        )
    forward, gained = _steps(network, steps, period / steps)
    x = _repeating(forward, gained)
    states = []
    for f, g in zip(forward, gained, strict=True):
        x = f @ x @ f.T + g
        states.append(x)
    seen = np.array(states)
    shares = np.arange(1, steps + 1) / steps
    _, _, forms, constants = _at(network, shares)
    rates = np.einsum("trij,tij->tr", forms, seen) + constants
    coarse = slice(steps // TIMES - 1, None, steps // TIMES)
    place = seen[coarse, :n, -1]
    spread = np.sqrt(np.maximum(np.diagonal(seen[coarse], axis1=1, axis2=2)[:, :n] - place**2, 0.0))
    named = [("heat", tuple(network.baths)), ("work", tuple(network.drives))]
    columns = iter(rates.T)
    found = {group: {name: next(columns) for name in names} for group, names in named}
    return {
        "time": plain(shares[coarse]),
        "period": period,
        "groups": {
            "heat": {name: plain(rate[coarse]) for name, rate in found["heat"].items()},
            "power of drives": {name: plain(rate[coarse]) for name, rate in found["work"].items()},
            "mean position": {f"coordinate {k}": plain(place[:, k]) for k in range(n)},
            "spread of position": {f"coordinate {k}": plain(spread[:, k]) for k in range(n)},
        },
        "mean": {group: {name: float(np.mean(rate)) for name, rate in own.items()} for group, own in found.items()},
    }


@compiled
def _looked(network: OscillatorNetwork, phases: Array) -> tuple[Array, ...]:
    def one(phase: Array) -> tuple[Array, ...]:
        now = network.instant(phase)
        m = moments(now)
        warm = now.temperatures
        return m.drift, jnp.einsum("b,bij->ij", warm, m.noise), m.forms, m.constants @ warm

    return jax.vmap(one)(phases)


def _at(network: OscillatorNetwork, shares: np.ndarray) -> tuple[np.ndarray, ...]:
    """Drift, noise, forms and constants at shares of the period, of any number by one program."""
    parts = []
    for start in range(0, len(shares), TIMES):
        some = shares[start : start + TIMES]
        padded = np.resize(some, TIMES)
        parts.append([np.asarray(a)[: len(some)] for a in _looked(network, jnp.asarray(2 * np.pi * padded))])
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _steps(network: OscillatorNetwork, steps: int, length: float) -> tuple[np.ndarray, np.ndarray]:
    """F and G of each step, X → F X Fᵀ + G."""
    begins = np.arange(steps) / steps
    first, second = (_generator(*_at(network, begins + (0.5 + s) / steps)[:2]) for s in (-(3**-0.5) / 2, 3**-0.5 / 2))
    turned = second @ first - first @ second
    whole = expm(length / 2 * (first + second) + math.sqrt(3) / 12 * length**2 * turned)
    k = whole.shape[-1] // 2
    forward = whole[:, :k, :k]
    return forward, whole[:, :k, k:] @ np.swapaxes(forward, 1, 2)


def _generator(drift: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return np.block([[drift, noise], [np.zeros_like(drift), -np.swapaxes(drift, 1, 2)]])


def _repeating(forward: np.ndarray, gained: np.ndarray) -> np.ndarray:
    """The state that is the same after all steps: that after 1, 2, 4, … periods, from rest."""
    k = forward.shape[-1]
    f, g = np.eye(k), np.zeros((k, k))
    for one, more in zip(forward, gained, strict=True):
        f, g = one @ f, one @ g @ one.T + more
    rest = np.zeros((k, k))
    rest[-1, -1] = 1.0
    x = f @ rest @ f.T + g
    for _ in range(DOUBLINGS):
        f, g = f @ f, f @ g @ f.T + g
        before, x = x, f @ rest @ f.T + g
        if not np.all(np.isfinite(x)):
            break
        if np.max(np.abs(x - before)) <= 1e-13 * np.max(np.abs(x)):
            return x
    raise InputError("explore: the motion does not settle into a period; there is no periodic state to trace.")
