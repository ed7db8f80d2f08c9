"""Modes followed along a path of parameters."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, worded
from ..pytrees import compiled, opened
from .eigenvalues import check_size, nearest_pair

FOLLOWED = 5
"""Most modes that are followed: there are n! ways to connect them."""


class Branches(NamedTuple):
    """Modes along a path, each followed continuously from its start.

    - `frequencies`, `dampings` (point, mode): Re ω and −Im ω, in the order of rising frequency at the first point;
    - `overlaps` (point): of the two nearest modes;
    - `doubts` (point − 1): how uncertain it is which mode continues which, from 0 (certain) to 1 (both ways fit
      equally well): take smaller steps where it comes near 1.
    """

    frequencies: np.ndarray
    dampings: np.ndarray
    overlaps: np.ndarray
    doubts: np.ndarray


@worded
def branches(matrix: Callable[[Any], Any], path: Any) -> Branches:
    """The modes ω = √eigenvalue of a dynamical matrix along a path of parameters, connected by continuity.

    **Arguments:** `matrix(parameter)`, made of JAX operations, returns K (n, n) in the retarded convention, n from 2 to
    5; `path` (point) or (point, parameter): the values in the order of the path.

    Each point is connected so that the modes go on as straight as they can. Round an exceptional point two modes change
    places:

    >>> angle = np.linspace(0.0, 2 * np.pi, 201)
    >>> loop = branches(lambda t: jnp.array([[4.0, 1.0], [0.5 * jnp.exp(1j * t), 4.0]]), angle)
    >>> loop.frequencies[[0, -1]].round(6).tolist()
    [[1.814633, 2.169587], [2.169587, 1.814633]]
    """
    points = np.asarray(path, dtype=float)
    if points.ndim not in (1, 2) or points.shape[0] < 2:
        raise InputError(
            "branches: `path` must hold two or more points, with shape (point) or (point, parameter), "
            f"but has shape {points.shape}."
        )
    matrices = np.asarray(_along(opened(matrix), jnp.asarray(points)))
    check_size("branches", matrices.shape[1:], FOLLOWED)
    if not np.all(np.isfinite(matrices)):
        raise InputError("branches: `matrix` must be finite along the path, but is not.")
    omega = np.sqrt(np.linalg.eigvals(matrices))
    omega = np.take_along_axis(omega, np.argsort(omega.real, axis=-1), -1)
    omega, doubts = (np.asarray(part) for part in _connect(jnp.asarray(omega)))
    _, overlaps = nearest_pair(matrices)
    return Branches(omega.real, -omega.imag, overlaps, doubts)


@compiled
def _along(matrix: Callable[[Any], Any], points: Array) -> Array:
    return jax.vmap(lambda point: jnp.asarray(matrix(point), dtype=complex))(points)


@jax.jit
def _connect(omega: Array) -> tuple[Array, Array]:
    """Modes (point, mode) in any order, put in the order of the first point by extrapolation along straight lines."""
    orders = jnp.array(list(itertools.permutations(range(omega.shape[1]))))

    def step(last_two: tuple[Array, Array], values: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        before, last = last_two
        ways = values[orders]
        costs = jnp.sum(jnp.abs(ways - (2 * last - before)) ** 2, axis=-1)
        best, second = jnp.sort(costs)[:2]
        doubt = jnp.where(second > 0, jnp.sqrt(best / jnp.where(second > 0, second, 1.0)), 1.0)
        chosen = ways[jnp.argmin(costs)]
        return (last, chosen), (chosen, doubt)

    _, (rest, doubts) = jax.lax.scan(step, (omega[0], omega[0]), omega[1:])
    return jnp.concatenate([omega[:1], rest]), doubts
