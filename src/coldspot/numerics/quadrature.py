"""Integrals over a window whose integrand has narrow features of known place and width, for a batch of points.

Between Fermi edges and Lorentzian resonances the integrand is analytic but for singularities near c ± iw. The window is
divided into cells, one per feature, by the midpoints between neighbouring centres. In each cell the variable becomes
x = c ± s·sinh t, where s is the distance of the centre to the nearest singularity of any feature: singularities at
±is then lie at ±iπ/2, however narrow the feature is, and panels of one length in t, some per side, make a
Gauss–Legendre rule converge geometrically. From s = 10⁻⁶ to 10⁻¹⁶ of the cell panels become only twice as long.

A node is kept as its centre and the offset from it, so that distances to the feature keep their digits: formed from the
sum, a resonance of width 10⁻⁹ at an energy of 1 would be known to seven digits.

Arrays have the points of a batch last, so that vector units work on many points at once.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from .dense import EPS, positive_or_one

NODES = 16
"""Nodes per panel."""
LEVELS = 11
"""Panels on each side of a feature."""
ABSCISSAE, WEIGHTS = np.polynomial.legendre.leggauss(NODES)
_LAST = np.stack(
    [(2 * k + 1) / 2 * WEIGHTS * np.polynomial.legendre.Legendre.basis(k)(ABSCISSAE) for k in (NODES - 2, NODES - 1)]
)
"""Rows that give the last two Legendre coefficients from the values at the nodes."""


class Mesh(NamedTuple):
    """Nodes of all panels, as centre + offset, and how much of the window a node's unit stands for.

    `middle` (panel, point): the middle node, for bounds that need not look at every node.
    """

    centre: Float[Array, "panel 1 point"]
    offset: Float[Array, "panel node point"]
    stretch: Float[Array, "panel node point"]
    middle: Float[Array, "panel point"]

    @property
    def nodes(self) -> Float[Array, "panel node point"]:
        return self.centre + self.offset


class Cells(NamedTuple):
    """Centres, the lengths from which panels grow, and how far each cell reaches to its two sides."""

    centre: Float[Array, "feature point"]
    scale: Float[Array, "feature point"]
    reach: Float[Array, "side feature point"]

    @property
    def sides(self) -> int:
        return 2 * self.centre.shape[0]


def cells(
    centres: Float[Array, "feature point"],
    widths: Float[Array, "feature point"],
    low: Float[Array, " point"],
    high: Float[Array, " point"],
) -> Cells:
    """The window [low, high] divided among the features.

    No derivative is taken of where panels are: the integral does not depend on it.
    """
    centres, widths, low, high = map(jax.lax.stop_gradient, (centres, widths, low, high))
    own = jnp.sort(jnp.clip(centres, low, high), axis=0)
    # Distance of each centre to the nearest singularity. Inside its cell no other one is nearer than the centre is.
    scale = jnp.min(jnp.hypot(own[:, None] - centres, widths), axis=1)
    between = (own[1:] + own[:-1]) / 2
    borders = jnp.concatenate([low[None], between, high[None]])
    return Cells(own, scale, jnp.stack([own - borders[:-1], borders[1:] - own]))


def mesh(c: Cells, levels: int = LEVELS) -> Mesh:
    """All panels: `levels` on each side of each feature."""
    m = steps(c, levels)(np.arange(levels).reshape(-1, 1, 1, 1))
    # Behind the barrier they are stored; else every use would work them out anew.
    return Mesh(*jax.lax.optimization_barrier(tuple(m)))


def steps(c: Cells, levels: Array | int) -> Callable[[Array | np.ndarray], Mesh]:
    """The panels of one step (or of an array of them, step 1 1 1) from the features on, of `levels` that there are."""
    half = jnp.arcsinh(c.reach / c.scale) / (2 * levels)  # of a panel, in t: (side, feature, point)
    # sinh and cosh at the nodes, from those at the middles and those of the distances from there; the axes are
    # (side, feature, node, point).
    inner = half[:, :, None] * ABSCISSAE[:, None]
    less, more = jnp.sinh(inner), jnp.cosh(inner)
    side, scale = np.array([-1.0, 1.0]).reshape(-1, 1, 1, 1), c.scale[:, None]
    points = c.centre.shape[1]

    def panels(step: Array | np.ndarray) -> Mesh:
        middle = (half * (2 * step + 1))[..., None, :]
        sinh, cosh = jnp.sinh(middle), jnp.cosh(middle)
        offset = side * scale * (sinh * more + cosh * less)
        stretch = scale * half[:, :, None] * (cosh * more + sinh * less)
        centre = jnp.broadcast_to(c.centre[:, None], sinh.shape).reshape(-1, 1, points)
        inside = (side * scale * sinh).reshape(-1, points)
        places, lengths = (jnp.reshape(part, (-1, NODES, points)) for part in (offset, stretch))
        return Mesh(centre, places, lengths, centre[:, 0] + inside)

    return panels


def panel_node(
    c: Cells, index: Array, node: Array, levels: Array | int
) -> tuple[Float[Array, " point"], Float[Array, " point"], Float[Array, " point"]]:
    """Centre, offset and stretch of one node of one panel of `mesh(c, levels)`."""
    step, side, feature = _place(c, index)
    scale = c.scale[feature]
    half = jnp.arcsinh(c.reach[side, feature] / scale) / (2 * levels)
    t = half * (2 * step + 1 + jnp.asarray(ABSCISSAE)[node])
    return c.centre[feature], (2 * side - 1) * scale * jnp.sinh(t), scale * half * jnp.cosh(t)


def has_length(c: Cells, index: Array) -> Bool[Array, " point"]:
    """Whether a panel of `mesh(c)` stands for anything: between centres that coincide there is nothing."""
    _, side, feature = _place(c, index)
    return c.reach[side, feature] > 0


def _place(c: Cells, index: Array) -> tuple[Array, Array, Array]:
    """Step, side and feature of a panel."""
    features = c.centre.shape[0]
    return index // (2 * features), index // features % 2, index % features


class Sums(NamedTuple):
    """Of the values at a panel's nodes: the rule's sum, the same of sizes and of errors, the last two coefficients."""

    value: Array
    size: Array
    error: Array
    coefficients: tuple[Array, Array]


def summed(values: Array, errors: Array, axis: int = 0) -> Sums:
    """The sums of a panel, with its nodes along an axis."""
    shape = [1] * values.ndim
    shape[axis] = NODES
    weights = WEIGHTS.reshape(shape)
    return Sums(
        jnp.sum(values * weights, axis),
        jnp.sum(jnp.abs(values) * weights, axis),
        jnp.sum(errors * weights, axis),
        (jnp.sum(values * _LAST[0].reshape(shape), axis), jnp.sum(values * _LAST[1].reshape(shape), axis)),
    )


def accumulated(sums: Sums, value: Array, error: Array, node: Array) -> Sums:
    """The sums with one more node."""
    weight, first, second = jnp.asarray(WEIGHTS)[node], *jnp.asarray(_LAST)[:, node]
    return Sums(
        sums.value + weight * value,
        sums.size + weight * jnp.abs(value),
        sums.error + weight * error,
        (sums.coefficients[0] + first * value, sums.coefficients[1] + second * value),
    )


def closed_sums(sums: Sums, rounding: Array | float) -> tuple[Array, Array]:
    """Integral over a panel and a bound of its error; `rounding` is the relative rounding of the values, in EPS.

    The error of a Gauss rule with n nodes is about the Legendre coefficient c_2n of the integrand, and where the
    coefficients fall geometrically that is c_{n−1}²/c_0.
    """
    return sums.value, jax.lax.stop_gradient(left_out(sums) + EPS * (16.0 + rounding) * sums.size + sums.error)


def left_out(sums: Sums) -> Array:
    """About what the nodes of a panel do not see of its integral: the part of `closed_sums` that is not rounding."""
    last = jnp.abs(sums.coefficients[0]) + jnp.abs(sums.coefficients[1])
    return 8 * last * jnp.minimum(last / positive_or_one(sums.size), 1.0)


def integrate(
    values: Float[Array, "panel node point"],
    errors: Float[Array, "panel node point"],
    m: Mesh,
    rounding: Float[Array, "panel point"],
) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Integral of the values, which have errors of their own, and a bound of its error; see `closed_sums`."""
    total, error = closed_sums(summed(values * m.stretch, errors * m.stretch, 1), rounding)
    return jnp.sum(total, axis=0), jnp.sum(error, axis=0)
