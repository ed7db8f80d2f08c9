"""Sums of products with twice the digits of a float, for residuals: an unevaluated sum high + low of two floats.

Error-free sums and products after Dekker, "A floating-point technique for extending the available precision", and
Knuth, "The Art of Computer Programming", vol. 2. Compilers join a product and a sum to one operation that rounds once,
in one place of a program and not in another; so only products that need no rounding are added here.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .held import held

UNIT = 2.0**-100
"""Relative error of one operation here, at most (2⁻¹⁰⁴ in theory)."""
_TAIL = (1 << 27) - 1
"""The bits of a float's last 27 digits."""


class Precise(NamedTuple):
    """The number high + low, with |low| ≤ 2⁻⁵³ |high|."""

    high: Array
    low: Array

    @property
    def value(self) -> Array:
        return self.high + self.low

    @property
    def transpose(self) -> "Precise":
        return Precise(jnp.swapaxes(self.high, -1, -2), jnp.swapaxes(self.low, -1, -2))

    def __neg__(self) -> "Precise":
        return Precise(-self.high, -self.low)


# The derivatives of the rounding errors are zero: the rules below say so, and keep JAX from differentiating rounding.


def _plain_sum(a: Any, b: Any) -> tuple[Any, Any]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


_sum = jax.custom_jvp(_plain_sum)


@_sum.defjvp
def _sum_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    value = _sum(*primals)
    change = tangents[0] + tangents[1]
    return value, (change, jnp.zeros_like(change))


def _numpys(*arrays: Any) -> bool:
    return all(isinstance(array, np.ndarray | float) for array in arrays)


def exact_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """a + b rounded, and what rounding took from it."""
    return (_plain_sum if _numpys(a, b) else _sum)(a, b)


def exact_difference(a: Any, b: Any) -> tuple[Any, Any]:
    """a − b rounded, and what rounding took from it."""
    return exact_sum(a, -b)


def halves(a: Any) -> tuple[Any, Any]:
    """The leading 26 digits of `a` and the rest, whose products need no rounding."""
    if _numpys(a):
        known = (np.asarray(a).view(np.int64) & ~_TAIL).view(float)
        return known, a - known
    bits = jax.lax.bitcast_convert_type(a, jnp.int64) & ~_TAIL
    high = jax.lax.bitcast_convert_type(bits, a.dtype)
    return high, a - high


def _plain_product(a: Any, b: Any) -> tuple[Any, Any]:
    (a1, a2), (b1, b2) = halves(a), halves(b)
    crossed, last = exact_sum(a1 * b2, a2 * b1)
    total, rest = exact_sum(a1 * b1, crossed)
    return exact_sum(total, rest + (last + a2 * b2))


@jax.custom_jvp
def _product(a: Array, b: Array) -> tuple[Array, Array]:
    return _plain_product(jnp.asarray(a), jnp.asarray(b))


@_product.defjvp
def _product_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (a, b), (da, db) = primals, tangents
    value = _product(a, b)
    change = da * b + a * db
    return value, (change, jnp.zeros_like(change))


def exact_product(a: Any, b: Any) -> tuple[Any, Any]:
    """a·b rounded, and what rounding took from it, to 2⁻¹⁰⁴ of a·b."""
    return (_plain_product if _numpys(a, b) else _product)(a, b)


def plain(a: Any) -> Precise:
    return Precise(jnp.asarray(a), jnp.zeros_like(a))


def add(a: Precise, b: Precise) -> Precise:
    total, rest = _sum(a.high, b.high)
    other, last = _sum(a.low, b.low)
    total, rest = _sum(total, rest + other)
    return Precise(*_sum(total, rest + last))


def times(a: Precise, b: Any) -> Precise:
    """The product with a plain number."""
    total, rest = _product(a.high, b)
    # Of the rest a rounded product does: what that takes is 2⁻¹⁰⁶ of the whole.
    return Precise(*_sum(total, rest + a.low * b))


def matmul(a: Any, b: Precise) -> Precise:
    """Matrix product of plain numbers `a` (…, n, k) with `b` (…, k, m)."""
    shape = (*jnp.broadcast_shapes(a.shape[:-2], b.high.shape[:-2]), a.shape[-2], b.high.shape[-1])
    columns = jnp.moveaxis(a, -1, 0)[..., None]
    rows = Precise(*(jnp.moveaxis(part, -2, 0)[..., None, :] for part in b))

    def step(total: Precise, item: Any) -> tuple[Precise, None]:
        column, row = item
        # Kept, or each of the loops that it takes to add would multiply once more.
        return add(total, Precise(*map(held, times(row, column)))), None

    zero = jnp.zeros(shape)
    return jax.lax.scan(step, Precise(zero, zero), (columns, rows))[0]
