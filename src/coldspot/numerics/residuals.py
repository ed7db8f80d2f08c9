"""Residuals of inverses with twice the digits of a float: what elimination lost where a matrix is nearly singular.

Sums and dot products with twice the digits: T. Ogita, S. M. Rump and S. Oishi, "Accurate sum and dot product".
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .dense import EPS
from .double_double import Precise, exact_sum, halves


def whole(*terms: Array) -> Precise:
    """The sum of complex matrices (…, n, n) with twice the digits, as (2, …, n, n): real and imaginary part."""
    parts = [jnp.stack([term.real, term.imag]) for term in jnp.broadcast_arrays(*(term + 0j for term in terms))]
    total, rest = parts[0], jnp.zeros_like(parts[0])
    for part in parts[1:]:
        total, lost = exact_sum(total, part)
        rest += lost
    return Precise(*exact_sum(total, rest))


def residual(matrix: Precise, columns: Array, places: np.ndarray) -> tuple[Array, Array]:
    """R = E − M X (…, n, column), and bounds of its errors; X are columns of an inverse and E those of 1 at `places`.

    Without derivatives.
    """
    matrix, columns = jax.lax.stop_gradient((matrix, columns))
    n = columns.shape[-2]
    turned = jnp.swapaxes(columns, -1, -2)
    rows = jnp.concatenate([turned.real, turned.imag], axis=-1)
    high, low = (_blocks(*part) for part in matrix)
    target = jnp.broadcast_to(np.eye(2 * n)[places], rows.shape)

    def step(sums: tuple[Array, Array], item: tuple[Array, ...]) -> tuple[tuple[Array, Array], None]:
        (total, rest), (factor, short, line, small) = sums, item
        for left, right in ((factor, line), (factor, small), (short, line)):
            total, lost = exact_sum(total, left * right)
            rest += lost
        return (total, rest + short * small), None

    lines = [jnp.moveaxis(part, -2, 0)[..., None, :] for part in halves(high)]
    factors = [jnp.moveaxis(part, -1, 0)[..., None] for part in halves(-rows)]
    (total, rest), _ = jax.lax.scan(step, (target, jnp.zeros_like(target)), (*factors, *lines))
    found = total + (rest - rows @ low)
    doubt = EPS * jnp.abs(found) + (2 * (2 * n + 1) * EPS) ** 2 * (target + jnp.abs(rows) @ jnp.abs(high))
    value = jnp.swapaxes(found[..., :n] + 1j * found[..., n:], -1, -2)
    return value, jnp.swapaxes(doubt[..., :n] + doubt[..., n:], -1, -2)


def _blocks(real: Array, imag: Array) -> Array:
    """[[Re Mᵀ, Im Mᵀ], [−Im Mᵀ, Re Mᵀ]], by which rows of real and imaginary parts are multiplied."""
    real, imag = jnp.swapaxes(real, -1, -2), jnp.swapaxes(imag, -1, -2)
    return jnp.concatenate(
        [jnp.concatenate([real, imag], axis=-1), jnp.concatenate([-imag, real], axis=-1)],
        axis=-2,
    )
