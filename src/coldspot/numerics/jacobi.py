"""Eigenvectors of many small real symmetric matrices in step, by the rotations of Jacobi, with the points last.

LAPACK takes one matrix after the other, and for small ones most of its time goes into calls and branches. Here half as
many pairs of places as a matrix has rows are rotated at once, in every matrix alike, and after each round the places
change partners as in a tournament. An entry that is exactly 0 turns nothing, so that places that no entries link are
never mixed, however near their eigenvalues are.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from .dense import EPS
from .reduction import halved

SWEEPS = 40
"""More of them than any matrix takes: some five are enough."""

_Halves = tuple[Array, Array]


def eigenvectors(matrix: Float[Array, "n n point"]) -> Float[Array, "n n point"]:
    """Orthonormal eigenvectors (place, state, point) of finite matrices, in no order of their eigenvalues.

    Each is mixed from places of one connected block alone, to which the place belongs that has its number. Not numbers
    if `SWEEPS` do not do.

    >>> x = jnp.asarray([[2.0, 1.0], [1.0, 2.0]])
    >>> v = eigenvectors(x[..., None])[..., 0]
    >>> jnp.diagonal(v.T @ x @ v).round(12).tolist()
    [1.0, 3.0]
    """
    size, points = matrix.shape[0], matrix.shape[-1]
    odd = size % 2  # one more place, which nothing links, has a partner in turn
    half = (size + odd) // 2
    if size == 1:
        return jnp.ones_like(matrix)
    even, other = np.arange(0, 2 * half, 2), np.arange(1, 2 * half, 2)
    full = jnp.pad(matrix, [(0, odd), (0, odd), (0, 0)])
    own = jnp.broadcast_to(jnp.eye(2 * half)[..., None], full.shape)
    start = tuple(full[one][:, two] for one in (even, other) for two in (even, other)), (own[even], own[other])
    # What is less is left of the rounding of the entries alone.
    least = EPS / 8 * jnp.max(jnp.abs(matrix), axis=(0, 1))
    diagonal = jnp.asarray(np.eye(half, dtype=bool))[..., None]

    def turn(_: Array, state: tuple[tuple[Array, ...], _Halves]) -> tuple[tuple[Array, ...], _Halves]:
        (aa, ab, ba, bb), (a, b) = state
        c, s = _rotation(*(jnp.stack([x[k, k] for k in range(half)]) for x in (aa, ab, bb)))
        (aa, ab), (ba, bb) = _turned(aa, ab, c[None], s[None]), _turned(ba, bb, c[None], s[None])
        (aa, ba), (ab, bb) = _turned(aa, ba, c[:, None], s[:, None]), _turned(ab, bb, c[:, None], s[:, None])
        ab, ba = (jnp.where(diagonal, 0.0, x) for x in (ab, ba))
        (aa, ba), (ab, bb) = _next(aa, ba), _next(ab, bb)
        (aa, ab), (ba, bb) = _next(aa, ab, 1), _next(ba, bb, 1)
        return (aa, ab, ba, bb), _next(*_turned(a, b, c[:, None], s[:, None]))

    def sweep(state: tuple[Array, Array, tuple[tuple[Array, ...], _Halves]]) -> tuple[Array, Array, tuple]:
        count, _, found = state
        found = jax.lax.fori_loop(0, 2 * half - 1, turn, found)  # after so many rounds all are where they were
        aa, ab, _, bb = found[0]
        left = [jnp.abs(jnp.where(diagonal, 0.0, x)).reshape(half**2, points) for x in (aa, bb)]
        largest = halved(jnp.maximum, jnp.concatenate([*left, jnp.abs(ab).reshape(half**2, points)]))
        return count + 1, jnp.any(largest > least), found

    def goes_on(state: tuple[Array, Array, tuple]) -> Array:
        return state[1] & (state[0] < SWEEPS)

    _, unsettled, (_, (a, b)) = jax.lax.while_loop(goes_on, sweep, (jnp.asarray(0), jnp.asarray(True), start))
    states = jnp.stack([a, b], axis=1).reshape(2 * half, 2 * half, points)
    return jnp.where(unsettled, jnp.nan, jnp.swapaxes(states[:size, :size], 0, 1))


def _rotation(first: Array, between: Array, second: Array) -> _Halves:
    """Cosine and sine of the lesser angle that makes the entry `between` two diagonal ones 0."""
    nothing = between == 0
    steep = (second - first) / (2 * jnp.where(nothing, 1.0, between))
    tangent = jnp.where(steep < 0, -1.0, 1.0) / (jnp.abs(steep) + jnp.sqrt(1 + steep * steep))
    tangent = jnp.where(nothing, 0.0, tangent)
    cosine = 1 / jnp.sqrt(1 + tangent * tangent)
    return cosine, tangent * cosine


def _turned(a: Array, b: Array, c: Array, s: Array) -> _Halves:
    return c * a - s * b, s * a + c * b


def _next(a: Array, b: Array, axis: int = 0) -> _Halves:
    """New partners: the first of `a` stays, the others go round."""
    half = a.shape[axis]
    if half == 1:
        return a, b
    part = functools.partial(jax.lax.slice_in_dim, axis=axis)
    ahead = [part(a, 0, 1), part(b, 0, 1), part(a, 1, half - 1)]
    return jnp.concatenate(ahead, axis), jnp.concatenate([part(b, 1, half), part(a, half - 1, half)], axis)
