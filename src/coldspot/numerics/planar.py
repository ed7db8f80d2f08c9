"""Roots, quotients, sizes and logarithms of complex numbers that vector units work out many at once.

Those of the compiler guard against overflow and underflow of squares, at several times the cost; these do not.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

ARCTANGENT = (
    1.0,
    -0.3333333333332844,
    0.1999999999885511,
    -0.14285714180976467,
    0.11111106180455946,
    -0.09090773074808414,
    0.07689953496306857,
    -0.06640233930429408,
    0.056883492268090106,
    -0.04348052215716462,
    0.021135373157693246,
)
"""arctan(t)/t as a polynomial of t², |t| ≤ tan(π/8): through the zeros of a Chebyshev polynomial, right to 2e-16."""


def inverse(z: Array) -> Array:
    """1/z, as conj(z)/|z|² with one division."""
    return scaled(jnp.conj(z), 1 / squared(z))


def squared(z: Array) -> Array:
    """|z|²."""
    return z.real * z.real + z.imag * z.imag


def size(z: Array) -> Array:
    """|z|."""
    return jnp.sqrt(squared(z))


def scaled(z: Array, factor: Array | float) -> Array:
    """A real multiple of z."""
    return jax.lax.complex(z.real * factor, z.imag * factor)


def root(z: Array) -> Array:
    """The square root whose real part is not negative: both of its parts to rounding of theirs."""
    half = jnp.sqrt((size(z) + jnp.abs(z.real)) / 2)
    rest = jnp.abs(z.imag) / jnp.where(half > 0, 2 * half, 1.0)
    right = z.real >= 0
    imaginary = jnp.where(right, rest, half)
    return jax.lax.complex(jnp.where(right, half, rest), jnp.where(z.imag < 0, -imaginary, imaginary))


def angle(y: Array, x: Array) -> Array:
    """`arctan2(y, x)` to 5e-16 of itself, for numbers that are not both 0."""
    across, along = jnp.abs(y), jnp.abs(x)
    short, long = jnp.minimum(across, along), jnp.maximum(across, along)
    turned = short > np.tan(np.pi / 8) * long
    # arctan(s/l) = π/4 + arctan((s−l)/(s+l)).
    t = jnp.where(turned, short - long, short) / jnp.where(turned, short + long, long)
    square, series = t * t, jnp.zeros_like(t)
    for coefficient in reversed(ARCTANGENT):
        series = series * square + coefficient
    found = series * t + jnp.where(turned, np.pi / 4, 0.0)
    found = jnp.where(across > along, np.pi / 2 - found, found)
    found = jnp.where(x < 0, np.pi - found, found)
    return jnp.where(y < 0, -found, found)


def log_over(z: Array, one_plus: Array) -> Array:
    """ln(1+z)/z, given both z and 1+z to full relative accuracy; 1 at z = 0. Without derivatives there."""
    square = squared(z)
    small = square < 0.25
    near = 2 * z.real + square
    whole = jnp.where(small, 1 + near, squared(one_plus))
    # ln(1+u) as the logarithm of the rounded sum and what rounding took from it.
    rounded = jnp.where(small, (near - (whole - 1)) / whole, 0.0)
    imaginary = angle(jnp.where(small, z.imag, one_plus.imag), jnp.where(small, 1 + z.real, one_plus.real))
    logarithm = jax.lax.complex(0.5 * (jnp.log(whole) + rounded), imaginary)
    nothing = square < 1e-40
    return jnp.where(nothing, 1.0, logarithm * scaled(jnp.conj(z), 1 / jnp.where(nothing, 1.0, square)))
