"""Onsager matrices: whether they are known well, and what is left of them while nothing flows into some baths."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from .numerics.dense import EPS, inverse


def exact(alike: np.ndarray, matrix: Array, errors: Array, tolerance: Array | float) -> Array:
    """Whether all errors of a matrix L (…, entry, entry) are within a tolerance, relative to √(L_aa L_bb).

    What does not flow, such as particles of a lead that only gives heat, is known to the rounding of what does;
    `alike` (entry, entry): which entries are of one quantity.
    """
    size = jnp.sqrt(jnp.abs(jnp.diagonal(matrix, axis1=-2, axis2=-1)))
    top = jnp.max(jnp.where(alike, size[..., None, :], 0.0), axis=-1)
    limit = tolerance * _products(size) + 8 * EPS * alike.shape[0] * _products(top)
    return jnp.all(errors <= limit, axis=(-2, -1))


def opened(matrix: Array, errors: Array, kept: np.ndarray, rest: np.ndarray) -> tuple[Array, Array]:
    """Fluxes of the entries `kept` while nothing flows in the `rest`, by the forces of the former, and their errors."""

    def blocks(of: Array) -> list[Array]:
        return [of[..., rows[:, None], columns] for rows in (kept, rest) for columns in (kept, rest)]

    diagonal, doubt = (jnp.diagonal(part, axis1=-2, axis2=-1)[..., rest] for part in (matrix, errors))
    absent = jnp.abs(diagonal) <= doubt
    both = absent[..., :, None] | absent[..., None, :]
    (a, b, c, d), (of_a, of_b, of_c, of_d) = blocks(matrix), blocks(errors)
    b, of_b = (jnp.where(absent[..., None, :], 0.0, part) for part in (b, of_b))
    c, of_c = (jnp.where(absent[..., :, None], 0.0, part) for part in (c, of_c))
    d, of_d = jnp.where(both, np.eye(rest.size), d), jnp.where(both, 0.0, of_d)
    # Heats and particles may be of any sizes.
    size = _products(jnp.where(absent, 1.0, jnp.sqrt(jnp.abs(diagonal))))
    back = inverse(d / size) / size
    left, right = b @ back, back @ c
    into, out_of = jnp.abs(left), jnp.abs(right)
    error = of_a + into @ of_c + of_b @ out_of + into @ of_d @ out_of
    return a - left @ c, error + 8 * EPS * rest.size * (into @ jnp.abs(d) @ out_of)


def _products(x: Array) -> Array:
    return x[..., :, None] * x[..., None, :]
