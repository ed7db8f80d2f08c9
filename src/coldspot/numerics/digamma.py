"""Divided differences of the digamma function ψ in the right half plane, without cancellation.

Integrals of Fermi functions over Lorentzians are differences of ψ at arguments that may be arbitrarily close. They are
formed term by term from ψ(x) = ψ(x+N) − Σ_{k<N} 1/(x+k) and ψ(y) ~ ln y − 1/(2y) − Σ_k B_2k/(2k y^2k): each term's
difference is a quotient that is written out, so no two nearly equal numbers are ever subtracted.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import planar

STEPS = 10
"""Steps N of the recurrence: from Re x ≥ ½ on, 8 terms of the asymptotic series are then right to rounding."""
SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)
"""B_2k/(2k) for k = 1, 2, …"""
THERMAL_STEPS = 8
"""The same of ψ(½+ζ) from Re ζ ≥ 0 on, whose series has smaller terms."""
FAR = 12.0
"""Distance |ζ| from which the series of ψ(½+ζ), which has no odd terms, needs no recurrence."""


def digamma(x: Any) -> Array:
    """ψ(x) for Re x ≥ ½, complex.

    >>> f"{float(digamma(1.0).real):.12f}"  # −γ, Euler's constant
    '-0.577215664902'
    """
    return _digamma(jnp.asarray(x, complex))


@jax.custom_jvp
def _digamma(x: Array) -> Array:
    a, series = planar.inverse(x + STEPS), jnp.zeros_like(x)
    square = a * a
    for b in reversed(SERIES):
        series = square * (b + series)
    return jnp.log(x + STEPS) - a / 2 - series - jnp.sum(planar.inverse(_steps(x)), axis=0)


@_digamma.defjvp
def _digamma_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """With ψ′ once for all directions, where a derivative of each step would be one in each direction."""
    (x,), (change,) = primals, tangents
    a, series = planar.inverse(x + STEPS), jnp.zeros_like(x)
    square, step = a * a, planar.inverse(_steps(x))
    for k in range(len(SERIES), 0, -1):
        series = square * (2 * k * SERIES[k - 1] + series)
    slope = a + square / 2 + a * series + jnp.sum(step * step, axis=0)
    return _digamma(x), slope * change


def _steps(x: Array) -> Array:
    """x + k of all steps at once: what is written down for each is compiled for each."""
    return x + np.arange(STEPS).reshape(-1, *(1,) * x.ndim)


def first_difference(x: Any, d: Any) -> Array:
    """[ψ(x+d) − ψ(x)]/d for Re x ≥ ½, Re(x+d) ≥ ½; ψ′(x) at d = 0.

    >>> f"{float(first_difference(1.0, 0.0).real):.12f}"  # π²/6
    '1.644934066848'
    """
    x, d = jnp.asarray(x, complex), jnp.asarray(d, complex)
    total = jnp.zeros_like(x + d)
    for k in range(STEPS):
        total += planar.inverse((x + k) * (x + k + d))
    y = x + STEPS
    a, b = planar.inverse(y), planar.inverse(y + d)
    power, h = jnp.ones_like(a), jnp.ones_like(a * b)  # aʲ, and the complete symmetric polynomial h_j(a, b)
    tail = jnp.full_like(h, 0.5)
    for j in range(1, 2 * len(SERIES)):
        power = power * a
        h = b * h + power
        if j % 2:
            tail += SERIES[j // 2] * h
    return total + a * b * tail + a * _log_over(d * a, (y + d) * a)


def thermal_difference(pole: Any, one: Any, other: Any, hot: Any, cold: Any) -> tuple[Array, Array]:
    """∫dε [f((ε−μ_1)/T_1) − f((ε−μ_2)/T_2)]/(ε−λ) for Im λ ≤ 0: the difference of ψ(½ + i(λ−μ)/2πT) + ln T.

    `pole` λ, `one` μ_1, `other` μ_2, `hot` T_1, `cold` T_2. No two nearly equal numbers are subtracted but the
    given ones and, between temperatures far below |λ−μ| ≈ |λ−μ_2|, the recurrence from the logarithm, which it cancels
    but for 1 part in 12(|λ−μ|/2πT)²: the second result is the size of what was added up, to bound the rounding by. At
    low temperatures the difference is ln((λ−μ_1)/(λ−μ_2)), with ψ(½+ζ) ~ ln ζ + Σ (1−2^{1−2k}) B_2k/(2k ζ^2k).

    >>> value, _ = thermal_difference(-1j, 1.0, 0.0, 1e-12, 1e-12)  # ln(1−i)
    >>> f"{float(value.real):.9f} {float(value.imag):.9f}"
    '0.346573590 -0.785398163'
    """
    pole = jnp.asarray(pole, complex)
    one, other, hot, cold = (jnp.asarray(v, float) for v in (one, other, hot, cold))
    first, second = thermal_parts(pole - one, pole - other, one - other, hot, cold)
    return first + second, planar.size(first) + planar.size(second)


def thermal_parts(above: Array, below: Array, bias: Array, hot: Array, cold: Array) -> tuple[Array, Array]:
    """`thermal_difference` of λ−μ_1, λ−μ_2 and μ_1−μ_2, each of which has digits of its own: what is added up."""
    turn = 1 / (2 * np.pi)
    # i(λ−μ)/2π
    up, down = (jax.lax.complex(-turn * part.imag, turn * part.real) for part in (above, below))
    z, x = planar.scaled(up, 1 / hot), planar.scaled(down, 1 / cold)
    tilt = (cold - hot) / hot
    d = planar.scaled(jax.lax.complex(up.real * tilt, up.imag * tilt - turn * bias), 1 / cold)
    # Far away the steps of the recurrence would cancel nearly all of the logarithm.
    close = (planar.squared(z) <= FAR**2) | (planar.squared(x) <= FAR**2)
    steps = jnp.where(close, THERMAL_STEPS, 0.0)
    total = jnp.zeros_like(d)
    for k in range(0, THERMAL_STEPS, 2):  # two at a time, for one division
        one, other = ((x + (k + half)) * (z + (k + half)) for half in (0.5, 1.5))
        total += (one + other) * planar.inverse(one * other)
    total = jnp.where(close, total, 0.0)
    a, b = planar.inverse(x + steps), planar.inverse(z + steps)
    # Σ c_k (a^2k − b^2k)/(a−b), as (a+b) times the divided difference of a polynomial in the squares.
    square, other_square = a * a, b * b
    inner, tail = jnp.zeros_like(d), jnp.zeros_like(d)
    for k in range(len(SERIES), 0, -1):
        inner, tail = inner * square - (1 - 2.0 ** (1 - 2 * k)) * SERIES[k - 1], inner + tail * other_square
    tail = (a + b) * (inner + tail * other_square)
    # Of T(ζ+N), whose logarithms are the rest.
    inverse = planar.inverse(down + steps * cold)
    ratio = jax.lax.complex(steps * (hot - cold), -turn * bias + 0 * steps) * inverse
    return d * (total + a * b * tail), ratio * planar.log_over(ratio, (up + steps * hot) * inverse)


def mixed_difference(x: Any, z: Any, d: Any) -> Array:
    """[ψ(x+d) − ψ(x) − ψ(z+d) + ψ(z)]/(d(x−z)) for real parts ≥ ½ and imaginary d; ψ″(x) at d = 0, z = x.

    >>> f"{float(mixed_difference(1.0, 1.0, 0.0).real):.12f}"  # −2ζ(3)
    '-2.404113806319'
    """
    x, z, d = (jnp.asarray(v, complex) for v in (x, z, d))
    gap = d * (x - z)
    total = jnp.zeros_like(gap)
    for k in range(STEPS):
        one, other = x + k, z + k
        total -= (one + other + d) * planar.inverse((one * (one + d)) * (other * (other + d)))
    x, z = x + STEPS, z + STEPS
    a, b, c, e = planar.inverse(x), planar.inverse(x + d), planar.inverse(z), planar.inverse(z + d)
    power, h = jnp.ones_like(a), jnp.ones_like(gap)  # aʲ, h_j(a, e)
    left, right = h, h  # h_j(a, e, b), h_j(a, e, c)
    tail_left, tail_right = jnp.full_like(h, -0.5), jnp.full_like(h, -0.5)
    for j in range(1, 2 * len(SERIES)):
        power = power * a
        h = e * h + power
        left, right = b * left + h, c * right + h
        if j % 2:
            tail_left -= SERIES[j // 2] * left
            tail_right -= SERIES[j // 2] * right
    ae = a * e
    logarithm = -ae * _log_over(-gap * ae, (x + d) * z * ae)
    return total + ae * (b * tail_left + c * tail_right) + logarithm


def _log_over(z: Array, one_plus: Array) -> Array:
    """ln(1+z)/z, given both z and 1+z to full relative accuracy; 1 at z = 0."""
    size = planar.squared(z)
    tiny, small = size < 1e-4, size < 0.25
    near = jnp.where(small, 2 * z.real + size, 0.0)
    far = jnp.where(small, 1.0, planar.squared(one_plus))
    real = 0.5 * (jnp.log1p(near) + jnp.log(far))
    imaginary = jnp.arctan2(jnp.where(small, z.imag, one_plus.imag), jnp.where(small, 1 + z.real, one_plus.real))
    series = jnp.zeros_like(z)
    for k in range(8, 0, -1):
        series = 1 / k - z * series
    safe = jnp.where(tiny, 1.0, z)
    return jnp.where(tiny, series, (real + 1j * imaginary) * planar.inverse(safe))
