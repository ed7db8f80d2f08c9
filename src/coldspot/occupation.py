"""Fermi and Bose functions that keep full relative accuracy, their logarithms, differences and products."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import Array

from ._attributes import told as _told

__all__ = [
    "bose",
    "bose_difference",
    "fermi",
    "fermi_difference",
    "fermi_product",
    "log_bose",
    "log_fermi",
    "log_fermi_pair",
]


@jax.custom_jvp
def fermi(x: Any) -> Array:
    """Fermi function f(x) = 1/(eˣ+1); 1−f(x) is `fermi(-x)`.

    Relative error of a few rounding units wherever the result is a normal number
    (|x| ≤ 708); beyond, use `log_fermi`. Differentiable everywhere, at x = 0 too.

    >>> float(fermi(0.0)), float(fermi(700.0)) > 0
    (0.5, True)
    """
    return 1 / (1 + jnp.exp(x))


@fermi.defjvp
def _fermi_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    return fermi(x), -fermi(x) * fermi(-x) * dx


@jax.custom_jvp
def log_fermi(x: Any) -> Array:
    """ln f(x) = −ln(1+eˣ), without overflow; the naive form log(1/(1+exp(x))) fails beyond |x| ≈ 36.

    >>> float(log_fermi(1000.0))
    -1000.0
    """
    return -jnp.maximum(x, 0) - jnp.log1p(jnp.exp(-jnp.abs(x)))


@log_fermi.defjvp
def _log_fermi_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    return log_fermi(x), -fermi(-x) * dx


@jax.custom_jvp
def log_fermi_pair(x: Any) -> tuple[Array, Array]:
    """ln f(x) and ln (1−f(x)) = ln f(−x), which share a logarithm."""
    both = jnp.log1p(jnp.exp(-jnp.abs(x)))
    return -jnp.maximum(x, 0) - both, jnp.minimum(x, 0) - both


@log_fermi_pair.defjvp
def _log_fermi_pair_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    return log_fermi_pair(x), (-fermi(-x) * dx, fermi(x) * dx)


def fermi_product(x: Any, y: Any) -> Array:
    """f(x)·(1−f(y)): an electron leaves a state at x and finds a free one at y. No cancellation."""
    return fermi(x) * fermi(-jnp.asarray(y))


@jax.custom_jvp
def fermi_difference(x: Any, y: Any) -> Array:
    """f(x) − f(y) to full relative accuracy, also for nearly equal arguments.

    f(x)−f(y) = f(x)·(1−f(y))·(1−e^{x−y}), written for the smaller argument first.

    >>> f"{float(fermi_difference(0.0, 1e-12)):.6e}"
    '2.500000e-13'
    """
    low, high = jnp.minimum(x, y), jnp.maximum(x, y)
    return -jnp.sign(jnp.asarray(y) - x) * fermi(low) * fermi(-high) * jnp.expm1(low - high)


@fermi_difference.defjvp
def _fermi_difference_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x, y), (dx, dy) = primals, tangents
    return fermi_difference(x, y), fermi(y) * fermi(-y) * dy - fermi(x) * fermi(-x) * dx


@jax.custom_jvp
def bose(x: Any) -> Array:
    """Bose function n(x) = 1/(eˣ−1), with n(−x) = −1−n(x); infinite at x = 0.

    >>> round(float(bose(1e-12)))
    1000000000000
    """
    return 1 / jnp.expm1(x)


@bose.defjvp
def _bose_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    return bose(x), bose(x) * bose(-x) * dx


def log_bose(x: Any) -> Array:
    """ln n(x) for x > 0, without overflow: −x − ln(1−e^{−x}).

    >>> float(log_bose(1000.0))
    -1000.0
    """
    return -jnp.asarray(x) - jnp.log(-jnp.expm1(-jnp.asarray(x)))


@jax.custom_jvp
def bose_difference(x: Any, y: Any) -> Array:
    """n(x) − n(y) for x, y of one sign, without cancellation: n(x)·(1+n(y))·(1−e^{x−y}), smaller first."""
    low, high = jnp.minimum(x, y), jnp.maximum(x, y)
    return jnp.sign(jnp.asarray(y) - x) * bose(low) * bose(-high) * jnp.expm1(low - high)


@bose_difference.defjvp
def _bose_difference_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x, y), (dx, dy) = primals, tangents
    return bose_difference(x, y), bose(x) * bose(-x) * dx - bose(y) * bose(-y) * dy


if not TYPE_CHECKING:  # a type checker goes on to refuse what is not here
    __getattr__ = _told("coldspot.occupation", __all__)
