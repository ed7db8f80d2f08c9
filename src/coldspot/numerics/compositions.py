"""Of which degree a polynomial must be that stands for a function on an interval, to about ten digits.

A function of a number with H harmonics is that polynomial of it, and has as many harmonics as degree times H. An entire
function's Chebyshev coefficients fall off like those of e^{r cos θ} (I_k(r)) or e^{ir cos θ} (J_k(r)); those of a
function that is analytic within the ellipse with semi-axes (ρ ± 1/ρ)/2 around the interval fall as ρ^−k (L. N.
Trefethen, "Approximation Theory and Approximation Practice", theorem 8.1).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

DIGITS = 23.0
"""ln 10¹⁰."""
NEARLY = 0.8
"""The part of the way to the next singularity up to which a function is bounded by what it is on the interval."""


class Range(NamedTuple):
    """A number stays within `radius` of `centre`, elementwise."""

    centre: Any
    radius: Any


def between(low: Array, high: Array) -> Range:
    return Range((low + high) / 2, jnp.abs(high - low) / 2)


def exponential(radius: Array) -> Array:
    """I_k(r) < 10⁻¹⁰ I_0(r) from this k on."""
    return jnp.sqrt(2 * DIGITS * radius) + 6


def wave(radius: Array) -> Array:
    """J_k(r) < 10⁻¹⁰ from this k on."""
    return radius + 8 * jnp.cbrt(radius) + 6


def _within(log_rho: Array, growth: Any) -> Array:
    """ρ^−d e^growth/(ρ−1) = 10⁻¹⁰."""
    return (DIGITS + growth + jnp.log1p(1 / jnp.expm1(log_rho))) / log_rho


def beside(height: Any) -> Array:
    """A pair of poles in the complex plane, `height` half-lengths above and below the interval."""
    return _within(jnp.arcsinh(NEARLY * height), 2.0)


def beyond(ratio: Array, growth: Any = 2.0) -> Array:
    """A singularity on the axis, at `ratio` half-lengths from the middle; infinite if it is on the interval."""
    outside = ratio > 1
    axis = 1 + NEARLY * (jnp.where(outside, ratio, 2.0) - 1)
    return jnp.where(outside, _within(jnp.arccosh(axis), growth), jnp.inf)


def _monotone(function: Callable[[Array], Array], degree: Callable[[Array, Array], Array]) -> Any:
    def rule(x: Range) -> tuple[Range, Array]:
        found = between(function(x.centre - x.radius), function(x.centre + x.radius))
        return found, degree(x.centre, x.radius)

    return rule


def _bounded(function: Callable[[Array], Array]) -> Any:
    def rule(x: Range) -> tuple[Range, Array]:
        middle = function(x.centre)
        return Range(middle, jnp.minimum(x.radius, 1 + jnp.abs(middle))), wave(x.radius)

    return rule


def _above_zero(centre: Array, radius: Array) -> Array:
    """A singularity at zero, and no meaning below it."""
    return jnp.where(centre > 0, beyond(jnp.abs(centre) / radius), jnp.inf)


def _even(x: Range) -> tuple[Array, Array]:
    """The least and the largest |x|."""
    return jnp.maximum(jnp.abs(x.centre) - x.radius, 0.0), jnp.abs(x.centre) + x.radius


def _cosh(x: Range) -> tuple[Range, Array]:
    return between(*map(jnp.cosh, _even(x))), exponential(x.radius)


FUNCTIONS: dict[str, Callable[[Range], tuple[Range, Array]]] = {
    "exp": _monotone(jnp.exp, lambda c, r: exponential(r)),
    "exp2": _monotone(jnp.exp2, lambda c, r: exponential(r)),
    "expm1": _monotone(jnp.expm1, lambda c, r: exponential(r)),
    "sinh": _monotone(jnp.sinh, lambda c, r: exponential(r)),
    "cosh": _cosh,
    "sin": _bounded(jnp.sin),
    "cos": _bounded(jnp.cos),
    "tanh": _monotone(jnp.tanh, lambda c, r: beside(jnp.pi / 2 / r)),
    "logistic": _monotone(jax.nn.sigmoid, lambda c, r: beside(jnp.pi / r)),
    "atan": _monotone(jnp.arctan, lambda c, r: beside(1 / r)),
    "asinh": _monotone(jnp.arcsinh, lambda c, r: beside(1 / r)),
    # e^{−r² cos² θ} = e^{−r²/2} e^{−(r²/2) cos 2θ}
    "erf": _monotone(jax.scipy.special.erf, lambda c, r: 2 * exponential(r**2 / 2) + 1),
    "log": _monotone(jnp.log, _above_zero),
    "log1p": _monotone(jnp.log1p, lambda c, r: _above_zero(1 + c, r)),
    "sqrt": _monotone(jnp.sqrt, _above_zero),
    "rsqrt": _monotone(jax.lax.rsqrt, _above_zero),
}
"""By the name of the primitive: the range of the function's values, and the degree (elementwise)."""


def inverse(x: Range) -> tuple[Range, Array]:
    """1/x: a pole at zero."""
    low, high = 1 / (x.centre - x.radius), 1 / (x.centre + x.radius)
    return between(low, high), beyond(jnp.abs(x.centre) / x.radius)


def power(x: Range, exponent: Any) -> tuple[Range, Array]:
    """x^y with x > 0 and a constant y."""
    low, high = ((x.centre + sign * x.radius) ** exponent for sign in (-1, 1))
    degree = beyond(jnp.abs(x.centre) / x.radius, 2.0 + 2.0 * jnp.abs(exponent))
    return between(low, high), jnp.where(x.centre > 0, degree, jnp.inf)


def whole_power(x: Range, exponent: int) -> tuple[Range, Any]:
    """x^n with a whole number n, which for n ≥ 0 is a polynomial."""
    if exponent < 0:
        inverted, degree = inverse(x)
        return whole_power(inverted, -exponent)[0], degree - 2.0 * exponent
    if exponent % 2:
        return between((x.centre - x.radius) ** exponent, (x.centre + x.radius) ** exponent), float(exponent)
    low, high = _even(x)
    return between(low**exponent, high**exponent), float(exponent)
