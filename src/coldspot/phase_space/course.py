"""A potential that drives move from time 0 on, once through: sampled in JAX at any times, for the time evolution.

The potential that densities are divided by is −T ln⟨e^{−V/T}⟩ with the mean over the times of the run, low wherever V
is low at some of them; what differs from it at a time pushes.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..drives import Steps
from ..pytrees import compiled
from .terrain import BETWEEN, INTERPOLATE
from .tide import Moved

LOOKED_AT = 64
"""Phases of a run that the reference potential is made of."""
GOLDEN = (math.sqrt(5) - 1) / 2
SEEN = 1 << 14
"""Moments of a run at which drives are looked at."""
EARLY = 1e-12
"""Part of a period by which a time lies before, or after, a jump."""


def phases_of(last: float) -> np.ndarray:
    """Phases from 0 to `last` that no period repeats."""
    k = np.arange(LOOKED_AT)
    return last * k / (LOOKED_AT - 1) if last <= 2 * math.pi else last * np.mod(GOLDEN * k, 1.0)


class Lowest(eqx.Module):
    """−T ln⟨e^{−V/T}⟩ over some phases; T is a number, or a function of x."""

    moved: Moved
    phases: Array
    temperature: Any

    def __call__(self, x: Array) -> Array:
        t = jnp.asarray(self.temperature(x) if callable(self.temperature) else self.temperature, float)
        heights = jax.vmap(lambda phase: self.moved.at(x, self.moved.values(phase)))(self.phases)
        return -t * (jax.nn.logsumexp(-heights / t) - math.log(self.phases.shape[0]))


def warmth(temperature: Any) -> Any:
    """A temperature without steps: the highest."""
    return jnp.max(temperature.values) if isinstance(temperature, Steps) else temperature


class Course:
    """One run of a potential over the `places` (region, panel, node) of samples.

    `borders`: times between 0 and the end at which a drive jumps or has a kink, as its `borders()` say.
    """

    def __init__(self, moved: Moved, base: Any, places: Array, last: float):
        self._moved, self._places, self.last = moved, places, last
        self.frequency = float(moved.frequency)
        self.count, self.switched = len(moved.drives), moved.switched
        self._base = np.asarray(_base(base, places))
        period = 2 * math.pi / self.frequency
        self.early = EARLY * period
        turns = np.arange(math.ceil(last / period) + 1)
        inside = np.unique((turns[:, None] + moved.borders()) * period)
        self.borders = inside[(inside > self.early) & (inside < last - self.early)]
        # Values of the drives between borders, to see what steps must follow.
        self._moments = np.linspace(0.0, last, SEEN + 1)
        self._seen = self.values(self._moments)
        self.span = np.maximum(np.ptp(self._seen, axis=0), 1e-300)

    def values(self, times: np.ndarray) -> np.ndarray:
        """λ (time, drive)."""
        return np.asarray(_values(self._moved, jnp.asarray(self.frequency * times)))

    def between(self, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """The moments of `SEEN` within a step, and the drives' values there."""
        low, high = np.searchsorted(self._moments, [start + self.early, stop - self.early])
        return self._moments[low:high], self._seen[low:high]

    def heights(self, times: np.ndarray) -> np.ndarray:
        """V less the reference potential (time, region, panel, node)."""
        return np.asarray(_heights(self._moved, self._places, jnp.asarray(self.frequency * times))) - self._base

    def powers(self, times: np.ndarray) -> np.ndarray:
        """∂V/∂λ_d dλ_d/dt (time, drive, region, panel, node)."""
        return np.asarray(_powers(self._moved, self._places, jnp.asarray(self.frequency * times)))

    def jumps(self, time: float) -> np.ndarray:
        """What V changes by at a time, one drive after another (drive, region, panel, node)."""
        phases = self.frequency * np.array([time - self.early, time + self.early])
        return np.asarray(_jumps(self._moved, self._places, jnp.asarray(phases)))

    def missed(self, times: np.ndarray) -> float:
        """How far V is from the polynomials through its samples, between them, at some times; the largest change."""
        places = np.asarray(self._places)
        return max(
            float(jnp.max(missed(self._moved, jnp.asarray(places), jnp.asarray(self.frequency * time))))
            for time in times
        )


def _edges(places: Array) -> tuple[Array, Array]:
    """Start and width (region, panel) of panels, from the places of their Chebyshev nodes."""
    first, last = places[..., -1], places[..., 0]
    half = (last - first) / 2 / math.cos(math.pi / 2 / places.shape[-1])
    return (first + last) / 2 - half, 2 * half


@compiled
def _base(base: Any, places: Array) -> Array:
    return jax.vmap(base)(places.ravel()).reshape(places.shape)


@compiled
def _values(moved: Moved, phases: Array) -> Array:
    return jax.vmap(lambda phase: jnp.stack(list(moved.values(phase).values())))(phases)


@compiled
def _heights(moved: Moved, places: Array, phases: Array) -> Array:
    def one(phase: Array) -> Array:
        values = moved.values(phase)
        return jax.vmap(lambda x: moved.at(x, values))(places.ravel()).reshape(places.shape)

    return jax.vmap(one)(phases)


@compiled
def _powers(moved: Moved, places: Array, phases: Array) -> Array:
    def one(phase: Array) -> Array:
        found = jax.vmap(lambda x: moved.powers(x, phase), out_axes=-1)(places.ravel())
        return found.reshape(-1, *places.shape)

    return jax.vmap(one)(phases)


@compiled
def _jumps(moved: Moved, places: Array, phases: Array) -> Array:
    found = jax.vmap(lambda x: moved.jumps(x, *phases), out_axes=-1)(places.ravel())
    return found.reshape(-1, *places.shape)


@compiled
def missed(moved: Moved, places: Array, phase: Array) -> Array:
    """How far V at a phase is from the polynomials through its samples, between them (region, panel)."""
    values = moved.values(phase)
    known = jax.vmap(lambda x: moved.at(x, values))(places.ravel()).reshape(-1, places.shape[-1])
    begins, widths = _edges(places)

    def one(panel: tuple[Array, Array, Array]) -> Array:
        begin, width, samples = panel
        at = jax.vmap(lambda x: moved.at(x, values))(begin + width * jnp.asarray(BETWEEN))
        off = jnp.abs(at - jnp.asarray(INTERPOLATE) @ samples)
        return jnp.max(jnp.where(jnp.isfinite(off), off, jnp.inf))

    return jax.lax.map(one, (begins.ravel(), widths.ravel(), known)).reshape(begins.shape)
