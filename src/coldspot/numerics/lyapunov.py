"""Stationary covariances, A X + X Aᵀ + W = 0, by a doubling that converges quadratically.

With the Cayley transform F = (s−A)⁻¹(s+A) the equation becomes X = F X Fᵀ + 2s (s−A)⁻¹W(s−A)⁻ᵀ, whose solution
Σ_k Fᵏ(…)Fᵏᵀ is summed with twice as many terms at each step (Smith, "Matrix equation XA + BX = C"). All terms are
positive if W is: nothing cancels.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .dense import inverse

DOUBLINGS = 52
"""After so many, a motion that has not died out is damped by less than rounding: 2⁻⁵² of its frequency."""
NEGLIGIBLE = 1e-24
"""The rest of the sum, relative to X, at which the doubling ends."""


class Cayley(NamedTuple):
    """Of a batch of stable matrices A (point, k, k): F, (s−A)⁻¹ and s."""

    step: Array
    resolvent: Array
    shift: Array

    @property
    def transpose(self) -> "Cayley":
        return Cayley(jnp.swapaxes(self.step, -1, -2), jnp.swapaxes(self.resolvent, -1, -2), self.shift)


def cayley(a: Array) -> Cayley:
    """The transform, with the shift between the fastest and the slowest rate; a constant to derivatives."""
    a = jax.lax.stop_gradient(a)
    size = jnp.sum(a**2, axis=(-2, -1), keepdims=True)
    slow = jnp.sum(inverse(a) ** 2, axis=(-2, -1), keepdims=True)
    shift = jnp.sqrt(jnp.sqrt(size / slow))
    resolvent = inverse(shift * jnp.eye(a.shape[-1]) - a)
    return Cayley(2 * shift * resolvent - jnp.eye(a.shape[-1]), resolvent, shift)


def doubled(c: Cayley, w: Array) -> tuple[Array, Array, Array]:
    """X for each right-hand side W (point, side, k, k); what is left of F (point), and the number of doublings."""
    first = c.resolvent[:, None]
    x = 2 * c.shift[:, None] * first @ w @ jnp.swapaxes(first, -1, -2)
    left = jnp.sum(c.step**2, axis=(-2, -1))

    def unfinished(state: tuple[Array, Array, Array, Array]) -> Array:
        _, _, left, k = state
        return jnp.any(left > NEGLIGIBLE) & (k < DOUBLINGS)

    def double(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        f, x, left, k = state
        f = jnp.where((left > NEGLIGIBLE)[:, None, None], f, 0.0)
        more = f[:, None] @ x @ jnp.swapaxes(f, -1, -2)[:, None]
        f = f @ f
        remaining = jnp.where(left > NEGLIGIBLE, jnp.sum(f**2, axis=(-2, -1)), left)
        return f, x + more, remaining, k + 1

    _, x, left, k = jax.lax.while_loop(unfinished, double, (c.step, x, left, jnp.zeros((), int)))
    return x, left, jnp.broadcast_to(k.astype(float), left.shape)


@jax.custom_jvp
def covariances(a: Array, w: Array, c: Cayley) -> tuple[Array, Array, Array]:
    """X (point, side, k, k) of A (point, k, k) and W (point, side, k, k); what is left of each point's motion, at most
    `NEGLIGIBLE` if all of it dies out; and the number of doublings. `c` is the transform of A, `cayley(A)`.

    A must not gain energy: A + Aᵀ ≤ 0. Derivatives of any order follow from the equation itself.
    """
    return doubled(c, w)


@covariances.defjvp
def _covariances_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (a, w, c), (da, dw, _) = primals, tangents
    x, left, doublings = covariances(a, w, c)
    change = da[:, None] @ x + x @ jnp.swapaxes(da, -1, -2)[:, None] + dw

    def apply(x: Array) -> Array:
        return -(a[:, None] @ x + x @ jnp.swapaxes(a, -1, -2)[:, None])

    dx = jax.lax.custom_linear_solve(
        apply,
        change,
        solve=lambda _, rhs: doubled(c, rhs)[0],
        transpose_solve=lambda _, rhs: doubled(c.transpose, rhs)[0],
    )
    return (x, left, doublings), (dx, jnp.zeros_like(left), jnp.zeros_like(doublings))
