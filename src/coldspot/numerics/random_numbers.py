"""Normal random numbers that are a function of (key, trajectory, block of steps): no state, no order.

So a result does not depend on how trajectories are cut into chunks, spread over threads or put on devices, and any one
trajectory can be computed again alone.

The bits are those of Philox4x32 with 10 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
1, 2, 3"): for each 64-bit key a bijection of 128-bit counters, so that nothing repeats before 2¹²⁸ of them, and which
passes the batteries of TestU01. Keys, trajectories, blocks and uses differ in key or counter. (Trajectories from 2⁴⁰
on, those of second ensembles, exceed their word of 32 bits: the first round makes them counters whose fourth word, that
of the use, is 256 or more, as no use is.) Each 64 bits make a pair of normal numbers by Box and Muller's formula, 40
bits for the radius and 24 for the angle: |z| < 7.54, beyond which lie 5·10⁻¹⁴ of a normal distribution.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_ONE = 0x3FF0000000000000
"""Bits of the float 1.0."""
_ROOT_HALF = 0x3FE6A09E667F3BCD
"""Bits of √½."""


def _interpolated(function: Callable[[np.ndarray], np.ndarray], degree: int, low: float, high: float) -> np.ndarray:
    """Coefficients, the constant first, of the polynomial through a function's values at Chebyshev's points."""
    through = np.polynomial.Chebyshev.interpolate(function, degree, domain=[low, high])
    return np.asarray(through.convert(kind=np.polynomial.Polynomial).coef)


_LOG = _interpolated(lambda f: -2 * np.log1p(f) / f, 13, math.sqrt(0.5) - 1, math.sqrt(2) - 1)
"""−2 ln(1+f)/f, relative error 5e-12."""
_SIN = _interpolated(lambda s: np.sin(math.pi / 2 * np.sqrt(s)) / np.sqrt(s), 6, 0.0, 1.0)
_COS = _interpolated(lambda s: np.cos(math.pi / 2 * np.sqrt(s)), 6, 0.0, 1.0)
"""sin(πt/2)/t and cos(πt/2) as polynomials in t², |t| ≤ 1: errors 1e-13 and 8e-13."""


def philox(counter: tuple[Array, Array, Array, Array], key: tuple[Array, Array]) -> tuple[Array, Array, Array, Array]:
    """Philox4x32-10: four random words of 32 bits for each counter; all words are held in uint64 arrays."""
    a, b, c, d = counter
    for turn in range(ROUNDS):
        first, second = ((k + np.uint64(turn * w)) & _LOW for k, w in zip(key, _WEYL, strict=True))
        p, q = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        high = np.uint64(32)
        a, b, c, d = (q >> high) ^ b ^ first, q & _LOW, (p >> high) ^ d ^ second, p & _LOW
    return a, b, c, d


def xoroshiro(state: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
    """xoroshiro128++: 64 random bits from each state of 128, not all 0, and the next state; one after the other.

    D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators": sums, shifts and rotations alone, a
    period of 2¹²⁸−1, and no fault found by BigCrush. For long sequences of one trajectory, begun by `philox`.
    """

    def turned(word: Array, bits: int) -> Array:
        return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))

    a, b = state
    mixed = a ^ b
    return turned(a + b, 17) + a, (turned(a, 49) ^ mixed ^ (mixed << np.uint64(21)), turned(mixed, 28))


def normals(key: Array, stream: int, lanes: Array, block: Any, calls: int) -> tuple[Array, Array]:
    """Independent standard normal numbers: two arrays (2·calls, trajectory), for each trajectory index in `lanes`.

    `key` (2,) uint32; `stream` tells different uses apart; `block` counts the blocks of steps.
    """
    shape = (calls, lanes.shape[0])
    counter = (
        jnp.broadcast_to(lanes.astype(jnp.uint64), shape),
        jnp.broadcast_to(jnp.asarray(block).astype(jnp.uint64), shape),
        jnp.broadcast_to(jnp.arange(calls, dtype=jnp.uint64)[:, None], shape),
        jnp.full(shape, stream, jnp.uint64),
    )
    a, b, c, d = philox(counter, (key[0].astype(jnp.uint64), key[1].astype(jnp.uint64)))
    high = np.uint64(32)
    # One array, so that the compiler computes the words once instead of once for each use.
    return box_muller(jnp.concatenate([a | (b << high), c | (d << high)]))


def box_muller(word: Array) -> tuple[Array, Array]:
    """Two standard normal numbers from 64 random bits: bits 24–63 give the radius, 0–23 the angle.

    ±√(−2 ln u)·(sin, cos) with u the middle of one of 2⁴⁰ equal intervals, one bit for the sign of both, and an angle
    within ±π/2, the middle of one of 2²³ intervals. Polynomials instead of library calls: these vectorise.
    """
    one = np.uint64(_ONE)
    u = _as_float((word >> np.uint64(24) << np.uint64(12)) | np.uint64(1 << 11) | one) - 1.0
    # u = 2^e·(1+f) with 1+f between √½ and √2.
    bits = jax.lax.bitcast_convert_type(u, jnp.int64) + np.int64(_ONE - _ROOT_HALF)
    exponent = (bits >> 52) - 1023
    f = jax.lax.bitcast_convert_type((bits & np.int64((1 << 52) - 1)) + np.int64(_ROOT_HALF), jnp.float64) - 1.0
    radius = jnp.sqrt(exponent.astype(jnp.float64) * (-2 * math.log(2)) + f * _polynomial(_LOG, f))
    radius = _flip(radius, (word & np.uint64(1 << 23)) << np.uint64(40))
    angle = _as_float(((word & np.uint64((1 << 23) - 1)) << np.uint64(29)) | np.uint64(1 << 28) | one) * 2.0 - 3.0
    square = angle * angle
    return radius * (angle * _polynomial(_SIN, square)), radius * _polynomial(_COS, square)


def _as_float(bits: Array) -> Array:
    return jax.lax.bitcast_convert_type(bits, jnp.float64)


def _flip(value: Array, sign: Array) -> Array:
    """The value with its sign bit changed where `sign` has its highest bit."""
    return _as_float(jax.lax.bitcast_convert_type(value, jnp.uint64) ^ sign)


def _polynomial(coefficients: Any, x: Array) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total
