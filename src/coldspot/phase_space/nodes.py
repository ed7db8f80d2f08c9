"""Lagrange polynomials at Gauss–Lobatto nodes of [−1, 1], and Gauss points to integrate them."""

import functools

import numpy as np
from numpy.polynomial import legendre


@functools.cache
def lobatto(degree: int) -> np.ndarray:
    """The degree + 1 nodes, ends included: zeros of (1−x²)P′."""
    last = legendre.Legendre.basis(degree)
    nodes = np.concatenate([[-1.0], np.sort(last.deriv().roots().real), [1.0]])
    nodes.setflags(write=False)
    return nodes


@functools.cache
def gauss(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss points of [−1, 1] and their weights."""
    found = legendre.leggauss(points)
    for array in found:
        array.setflags(write=False)
    return found


@functools.cache
def _to_legendre(degree: int) -> np.ndarray:
    return np.linalg.inv(legendre.legvander(lobatto(degree), degree))


def nodal(
    degree: int, points: int, at: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values and slopes (point, node) of Lagrange polynomials at Gauss points (or `at`), the points, and weights."""
    x, weights = gauss(points)
    if at is not None:
        x = at
    transform = _to_legendre(degree)
    return legendre.legvander(x, degree) @ transform, legendre_slopes(x, degree) @ transform, x, weights


def legendre_slopes(x: np.ndarray, degree: int) -> np.ndarray:
    """Derivatives (point, order) of the Legendre polynomials up to a degree."""
    slopes = [legendre.legval(x, legendre.legder(np.eye(degree + 1)[k])) for k in range(degree + 1)]
    return np.stack(slopes, axis=-1)
