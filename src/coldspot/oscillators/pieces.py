"""A period in pieces between the places at which drives jump or bend, and where to stand in them.

In a piece that starts at b and is L long, instants are b + Lφ(k/M) with φ′ = (16/5) sin⁶πs. Sums weighted with φ′ are
then as exact for what is smooth within the piece as the trapezoidal rule is for what is smooth all around a period: to
the order M⁻¹⁴ (Sidi, "A new variable transformation for numerical integration"). What happens at a border has no
weight. Without borders the period is one piece that closes on itself, φ(s) = s.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

EARLY = 2e-12 * np.pi
"""The phase by which a moment lies before, or after, a border."""
FEWEST = 64
"""Phases of each piece at which numbers are looked at, at least."""


class Pieces(NamedTuple):
    """`starts` and `lengths` (piece,) in phase, rising; `closed`: one piece, smooth all around."""

    starts: Array
    lengths: Array
    closed: bool

    @property
    def number(self) -> int:
        return self.starts.shape[0]

    def phase(self, piece: Any, share: Any) -> Array:
        """The phase at which this share of the instants of a piece lies before."""
        if self.closed:
            return 2 * jnp.pi * share
        turn = 2 * jnp.pi * share
        waves = 45 * jnp.sin(turn) - 9 * jnp.sin(2 * turn) + jnp.sin(3 * turn)
        return self.starts[piece] + self.lengths[piece] * (share - waves / (60 * jnp.pi))

    def weight(self, piece: Any, share: Any) -> Array:
        """What an instant counts in an average over the period, times the number of instants of a piece."""
        if self.closed:
            return jnp.ones(())
        return 16 / 5 * jnp.sin(jnp.pi * share) ** 6 * self.lengths[piece] / (2 * jnp.pi)

    def within(self, piece: Any, phase: Array) -> Array:
        """The same phase, but not at a border: there the value of the piece counts."""
        if self.closed:
            return phase
        start = self.starts[piece]
        return jnp.clip(phase, start + EARLY, start + self.lengths[piece] - EARLY)

    def jumps(self, change: Callable[[Array, Array], Array]) -> Array:
        """`change(before, after)` (piece, …) at the start of each piece; 0 where it starts where the last one did."""
        before = jnp.where(jnp.arange(self.number) == 0, 2 * jnp.pi, self.starts) - EARLY
        found = jax.vmap(change)(before, self.starts + EARLY)
        apart = jnp.diff(self.starts, prepend=-1.0) > 2 * EARLY
        return jnp.where(jnp.expand_dims(apart, tuple(range(1, found.ndim))), found, 0.0)

    def waves(self, numbers: Callable[[Array], Array], samples: int) -> Array:
        """Sizes (piece, order, number) of the harmonics of some numbers; in a piece, of their Chebyshev polynomials.

        Relative to the largest of each number.
        """
        if self.closed:
            found = jax.vmap(numbers)(2 * jnp.pi * jnp.arange(samples) / samples)[None]
        else:
            each = max(samples // self.number, FEWEST)
            share = (1 - np.cos(np.pi * (np.arange(each) + 0.5) / each)) / 2
            at = self.starts[:, None] + self.lengths[:, None] * share
            at = jax.vmap(self.within)(jnp.arange(self.number), at)
            found = jax.vmap(jax.vmap(numbers))(at)
            found = jnp.concatenate([found, found[:, ::-1]], axis=1)
        size = jnp.abs(jnp.fft.rfft(found, axis=1))
        top = jnp.max(size, (0, 1))
        return size / jnp.where(top > 0, top, 1.0)


def pieces_of(borders: Array) -> Pieces:
    """The pieces between `borders` (shares of the period, rising, 0 the first), or one if there are none."""
    if not borders.size:
        return Pieces(jnp.zeros(1), jnp.full(1, 2 * jnp.pi), True)
    edges = 2 * jnp.pi * jnp.append(borders, 1.0)
    return Pieces(edges[:-1], jnp.diff(edges), False)
