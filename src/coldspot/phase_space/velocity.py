"""Functions of the velocity, in which densities over e^{−u²/2} are expanded; u = v√(m/T₀).

Even and odd functions stand apart: streaming leads from one kind to the other, friction stays within each. With
⟨f, g⟩ = ∫ f g e^{−u²/2} du/√2π and ∂† = u − ∂, the adjoint of ∂, a method needs the matrices of a `Velocity`:
polynomials on elements that become narrow at u = 0, where steps of the temperature and open ends leave a singularity.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .nodes import lobatto, nodal

ROUNDED = 1e-17
"""Entries below this part of the largest are rounding of zeros."""


class Velocity(NamedTuple):
    """Matrices of a basis of even (e) and odd (o) functions.

    - `raising` ⟨o, ∂†e⟩, `lowering` ⟨o, ∂e⟩ (odd, even);
    - `loss` ⟨∂f, ∂f⟩ and `excess` ⟨∂f, ∂†f⟩, each of even and of odd ones: friction, and what another temperature adds;
    - `mass` ⟨f, f⟩ of both kinds;
    - `half`: ∫_{u>0} u f g e^{−u²/2} du/√2π of (even, even), (even, odd), (odd, odd);
    - `number`, `square` (even): ⟨1, e⟩ and ⟨u², e⟩; `first`, `third` (odd): ⟨u, o⟩ and ⟨u³, o⟩;
    - `one`, `parabola` (even): the coefficients of the functions 1 and u²;
    - `values(u)`: even and odd functions at u, times e^{−u²/2}/√2π;
    - `reach`: the largest u;
    - `incoming(θ)`: ∫_{u>0} u f e^{−u²/2θ}/√(2πθ) du of both kinds: a Maxwellian of unit density at θT₀.
    """

    raising: sp.csr_array
    lowering: sp.csr_array
    loss: tuple[sp.csr_array, sp.csr_array]
    excess: tuple[sp.csr_array, sp.csr_array]
    mass: tuple[sp.csr_array, sp.csr_array]
    half: tuple[sp.csr_array, sp.csr_array, sp.csr_array]
    number: np.ndarray
    square: np.ndarray
    first: np.ndarray
    third: np.ndarray
    one: np.ndarray
    parabola: np.ndarray
    reach: float
    values: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    incoming: Callable[[float], tuple[np.ndarray, np.ndarray]]


def elements(edges: np.ndarray, degree: int) -> Velocity:
    """Continuous polynomials of a degree between `edges` 0 … u_max, continued to u < 0 as even and as odd functions.

    Functions are scaled by e^{u²/4} of their node, so that all have similar norms.
    """
    count = len(edges) - 1
    points = 2 * degree + 14
    value, slope, abscissae, weights = nodal(degree, points)
    half = np.diff(edges) / 2
    middle = (edges[1:] + edges[:-1]) / 2
    u = (middle[:, None] + half[:, None] * abscissae).ravel()
    plain = (half[:, None] * weights).ravel() / math.sqrt(2 * math.pi)
    weight = plain * np.exp(-u * u / 2)
    e = np.zeros((count * points, count * degree + 1))
    de = np.zeros_like(e)
    for k in range(count):
        scale = np.exp((middle[k] + half[k] * lobatto(degree)) ** 2 / 4)
        rows, columns = slice(k * points, (k + 1) * points), slice(k * degree, (k + 1) * degree + 1)
        e[rows, columns] = value * scale
        de[rows, columns] = slope / half[k] * scale
    # An odd function vanishes at u = 0.
    o, do = e[:, 1:], de[:, 1:]

    def both(left: np.ndarray, right: np.ndarray, factor: np.ndarray | float = 1.0) -> np.ndarray:
        """The integral over all u of a product that is even."""
        return 2 * (left * (weight * factor)[:, None]).T @ right

    def sparse(matrix: np.ndarray) -> sp.csr_array:
        return sp.csr_array(np.where(np.abs(matrix) > ROUNDED * np.abs(matrix).max(), matrix, 0))

    def values(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.abs(at)
        found = np.zeros((len(at), e.shape[1]))
        place = np.clip(np.searchsorted(edges, size, side="right") - 1, 0, count - 1)
        nodes = lobatto(degree)
        for k in np.unique(place):
            rows = np.flatnonzero(place == k)
            scale = np.exp((middle[k] + half[k] * nodes) ** 2 / 4 - (size[rows] ** 2 / 2)[:, None])
            local = nodal(degree, points, (size[rows] - middle[k]) / half[k])[0]
            found[rows[:, None], k * degree + np.arange(degree + 1)] = local * scale / math.sqrt(2 * math.pi)
        found[size > edges[-1]] = 0
        return found, np.sign(at)[:, None] * found[:, 1:]

    def incoming(theta: float) -> tuple[np.ndarray, np.ndarray]:
        flow = plain * u * np.exp(-u * u / (2 * theta)) / math.sqrt(theta)
        return flow @ e, flow @ o

    nodes = np.concatenate([edges[:1], (middle[:, None] + half[:, None] * lobatto(degree)[1:]).ravel()])
    return Velocity(
        raising=sparse(both(do, e)),
        lowering=sparse(both(o, de)),
        loss=(sparse(both(de, de)), sparse(both(do, do))),
        excess=(sparse(both(de, e, u) - both(de, de)), sparse(both(do, o, u) - both(do, do))),
        mass=(sparse(both(e, e)), sparse(both(o, o))),
        half=(sparse(both(e, e, u) / 2), sparse(both(e, o, u) / 2), sparse(both(o, o, u) / 2)),
        number=2 * weight @ e,
        square=2 * (weight * u**2) @ e,
        first=2 * (weight * u) @ o,
        third=2 * (weight * u**3) @ o,
        one=np.exp(-(nodes**2) / 4),
        reach=float(edges[-1]),
        parabola=nodes**2 * np.exp(-(nodes**2) / 4),
        values=values,
        incoming=incoming,
    )


def graded(reach: float, bulk: int, levels: int, ratio: float) -> np.ndarray:
    """Edges from 0 to `reach`: `bulk` elements from 1 outwards, `levels` that become narrower towards 0."""
    return np.unique(np.concatenate([[0.0], ratio ** np.arange(1, levels + 1), np.linspace(1, reach, bulk + 1)]))
