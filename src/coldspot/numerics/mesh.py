"""Meshes of the unit interval for batches of points: elements of different lengths and numbers.

`resolving` makes the mesh of a periodic function from equally spaced samples. Each sample between two of a coarser grid
is held against the polynomial through its six neighbours there; an element is halved where a sample inside it, on
whatever grid, is not what the samples of its quarters let expect. So a feature that is as wide as the distance
of samples is seen wherever it stands, and makes the mesh fine around it alone.

Arrays have the batch axis last.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int


class Mesh(NamedTuple):
    """Elements between neighbouring `borders` (border, point), which rise from 0 to 1; their `count` (point).

    Beyond the count borders are 1: elements of no length, which change nothing.
    """

    borders: Float[Array, "border point"]
    count: Int[Array, " point"]  # type: ignore[assignment]  # hides tuple.count


def uniform(count: Int[Array, " point"], most: int) -> Mesh:
    """Equal elements, at most `most` of them."""
    index = jnp.arange(most + 1)[:, None]
    return Mesh(jnp.minimum(index / count, 1.0), count)


def element_of(
    mesh: Mesh, parts: Int[Array, " point"], k: Int[Array, ""]
) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Start and length (point) of element k when each element is cut into equal `parts`."""
    base = jnp.minimum(k // parts, mesh.borders.shape[0] - 2)
    lower = jnp.take_along_axis(mesh.borders, base[None], axis=0)[0]
    upper = jnp.take_along_axis(mesh.borders, base[None] + 1, axis=0)[0]
    share = (k - base * parts) / parts
    inside = k < mesh.count * parts
    length = jnp.where(inside, (upper - lower) / parts, 0.0)
    return jnp.where(inside, lower + (upper - lower) * share, 1.0), length


MIDDLE = np.array([3.0, -25.0, 150.0, 150.0, -25.0, 3.0]) / 256
"""The polynomial through six equally spaced values, in the middle."""
SHARP = 0.3
"""A sample that is off by this part of its neighbours' range stands at a jump (½ of it), not at a kink (.18)."""
QUARTERS = 4
"""An element is judged by grids of so many intervals in it, and finer ones."""


def resolving(
    samples: Float[Array, "row sample"], allowed: Float[Array, " row"], most: int
) -> tuple[Float[Array, " border"], Int[Array, ""]]:
    """Borders (most+1) and count of elements, two at least, of one point; more than `most` if they do not suffice.

    `samples` of periodic functions at 2^m equal distances; `allowed`: errors of interpolation that do not matter.
    """
    size = samples.shape[1]
    short = size // 2
    # Which elements must be halved, from the shortest (of 8 samples) to the longest (half of all).
    marks = jnp.zeros(size // QUARTERS, bool).at[:: short // QUARTERS].set(True)
    halved = jnp.zeros(size // QUARTERS, bool)
    step = 2
    while step * QUARTERS <= short:
        grid = samples[:, ::step]
        guess = sum(c * near for c, near in zip(MIDDLE, _neighbours(grid), strict=True))
        off = jnp.any(jnp.abs(samples[:, step // 2 :: step] - guess) > allowed[:, None], axis=0)
        halved = jnp.any(halved.reshape(-1, 2), axis=1) | jnp.any(off.reshape(-1, QUARTERS), axis=1)
        # The middle of the element j of length 4·step stands at (j+½)·4·step samples, in units of QUARTERS.
        marks = marks.at[step // 2 :: step].max(halved)
        step *= 2
    places = jnp.nonzero(marks, size=most, fill_value=size // QUARTERS)[0]
    borders = jnp.concatenate([places / (size // QUARTERS), jnp.ones(1)])
    return borders, jnp.sum(marks)


def _neighbours(grid: Array) -> list[Array]:
    """The six samples of a coarser grid around each of its middles."""
    return [jnp.roll(grid, 2 - k, axis=1) for k in range(len(MIDDLE))]


def jumps(samples: Float[Array, "row sample"], allowed: Float[Array, " row"]) -> Bool[Array, ""]:
    """Whether any row changes more abruptly than its samples can follow: nodes see on which side of a jump they stand,

    not where it is, so that no mesh made from samples resolves it.
    """
    around = _neighbours(samples[:, ::2])
    guess = sum(c * near for c, near in zip(MIDDLE, around, strict=True))
    lowest, highest = functools.reduce(jnp.minimum, around), functools.reduce(jnp.maximum, around)
    off = jnp.abs(samples[:, 1::2] - guess)
    return jnp.any((off > SHARP * (highest - lowest)) & (off > allowed[:, None]))
