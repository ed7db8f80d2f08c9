"""Whether a potential is continuous where the motion goes: forces are slopes, and a jump or a pole has none to feel."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import EPS

HALVINGS = 50
"""Of a segment, towards its steepest point: 2⁻⁵⁰ of its length is left."""
SLIGHT = 1e-8
"""A change over that length by this part of the potential's range is a jump."""


class Jump(NamedTuple):
    """Whether a potential `jumps` along a line, by how much, and at which position (n,)."""

    jumps: Array
    height: Array
    place: Array


def steepest(potential: Any, points: Array) -> Jump:
    """Follow U(x) from each of the `points` (n, k) to the next, and halve each segment towards its larger change.

    Where U is continuous nothing is left of the change in the end but rounding; a step stays what it is, and at a pole
    it grows.
    """
    value = jax.vmap(potential, in_axes=-1)
    start, end = points[:, :-1], points[:, 1:]

    def halve(_: Any, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        start, end, low, high = state
        middle = (start + end) / 2
        half = value(middle)
        first = ~(jnp.abs(half - low) < jnp.abs(high - half))
        return (
            jnp.where(first, start, middle),
            jnp.where(first, middle, end),
            jnp.where(first, low, half),
            jnp.where(first, half, high),
        )

    values = value(points)
    state = (start, end, values[:-1], values[1:])
    start, _, low, high = jax.lax.fori_loop(0, HALVINGS, halve, state)
    change = jnp.abs(high - low)
    allowed = SLIGHT * (jnp.max(values) - jnp.min(values)) + 64 * EPS * jnp.max(jnp.abs(values))
    excess = jnp.where(jnp.isnan(change), jnp.inf, change)
    worst = jnp.argmax(excess)
    # Where it is no number at all, trajectories say when they got there.
    known = jnp.all(jnp.isfinite(values))
    return Jump(known & ~(change[worst] <= allowed), change[worst], start[:, worst])
