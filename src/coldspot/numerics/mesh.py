"""Meshes of the unit interval for batches of points: elements of different lengths and numbers.

Arrays have the batch axis last.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int


class Mesh(NamedTuple):
    """Elements between neighbouring `borders` (border, point), which rise from 0 to 1; their `count` (point).

    Beyond the count borders are 1: elements of no length, which change nothing.
    """

    borders: Float[Array, "border point"]
    count: Int[Array, " point"]


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
