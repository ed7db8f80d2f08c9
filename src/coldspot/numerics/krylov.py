"""Large linear systems that are known by their products alone."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

Product = Callable[[Array], Array]


class Solved(NamedTuple):
    """The solution with the smallest residual that was met, the norm of that residual beside the right-hand side's, and

    how many products it took.
    """

    x: Array
    residual: Array
    products: Array


class _State(NamedTuple):
    x: Array
    r: Array
    p: Array
    v: Array
    rho: Array
    best: Array
    best_norm: Array
    norm: Array
    turns: Array


def bicgstab(
    apply: Product, right: Array, tolerance: float | Array, most: int, precondition: Product = lambda r: r
) -> Solved:
    """x with |A x − b| ≤ tolerance·|b| for b = `right` of any shape, or the best that `most` products give.

    Preconditioned from the right ("Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG …", H. A. van der Vorst),
    so that the residual is that of the system itself. It stops where the recursion breaks down; call it again with what
    is left. A residual is no error: a caller bounds that by what it solves for.
    """
    scale = jnp.linalg.norm(right)
    zero = jnp.zeros_like(right)

    def go_on(s: _State) -> Array:
        return (s.norm > tolerance * scale) & (s.turns < most) & jnp.isfinite(s.norm)

    def step(s: _State) -> _State:
        p_hat = precondition(s.p)
        v = apply(p_hat)
        alpha = s.rho / jnp.vdot(right, v)
        half = s.r - alpha * v
        half_hat = precondition(half)
        t = apply(half_hat)
        omega = jnp.vdot(t, half) / jnp.vdot(t, t)
        x = s.x + alpha * p_hat + omega * half_hat
        r = half - omega * t
        # Where half a step is all that there is to go, nothing is left to divide by.
        done = jnp.linalg.norm(half) <= tolerance * scale
        x, r = jnp.where(done, s.x + alpha * p_hat, x), jnp.where(done, half, r)
        norm = jnp.linalg.norm(r)
        rho = jnp.vdot(right, r)
        beta = rho / s.rho * alpha / omega
        p = r + beta * (s.p - omega * v)
        better = norm < s.best_norm
        best, best_norm = jnp.where(better, x, s.best), jnp.where(better, norm, s.best_norm)
        return _State(x, r, p, v, rho, best, best_norm, norm, s.turns + 2)

    start = _State(zero, right, right, zero, jnp.vdot(right, right), zero, scale, scale, jnp.asarray(0))
    end = jax.lax.while_loop(go_on, step, start)
    return Solved(end.best, end.best_norm / jnp.where(scale > 0, scale, 1.0), end.turns)
