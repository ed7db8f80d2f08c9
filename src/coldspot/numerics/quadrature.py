"""Integrals of functions with narrow features: Gauss–Legendre panels that shrink towards each feature.

A feature is a centre c and a width w: the integrand is analytic but for singularities near c ± iw. The window is
divided into cells, one per feature, by the midpoints between neighbouring centres. In each cell panels grow
geometrically from the centre outwards, starting from its distance to the nearest singularity of any feature, so that
every panel is about as long as the integrand is smooth there, and the rule converges geometrically.

Arrays have the points of a batch last, so that vector units work on many points at once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

NODES = 16
"""Nodes per panel."""
LEVELS = 12
"""Panels on each side of a feature, if the caller does not say."""
ABSCISSAE, _W = np.polynomial.legendre.leggauss(NODES)
_LAST = np.stack(
    [(2 * k + 1) / 2 * _W * np.polynomial.legendre.Legendre.basis(k)(ABSCISSAE) for k in (NODES - 2, NODES - 1)]
)
"""Rows that give the last two Legendre coefficients from the values at the nodes."""
EPS = float(np.finfo(float).eps)


class Mesh(NamedTuple):
    """Middles and half lengths of panels."""

    middle: Float[Array, "panel point"]
    half: Float[Array, "panel point"]

    @property
    def nodes(self) -> Float[Array, "panel node point"]:
        return self.middle[:, None] + self.half[:, None] * ABSCISSAE[:, None]


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
    fraction = np.arange(levels + 1)[:, None, None, None] / levels
    steps = c.scale * jnp.expm1(jnp.log1p(c.reach / c.scale) * fraction)
    middle, half = (steps[1:] + steps[:-1]) / 2, (steps[1:] - steps[:-1]) / 2
    middle = c.centre + np.array([-1.0, 1.0])[:, None, None] * middle
    points = c.centre.shape[1]
    return Mesh(middle.reshape(-1, points), half.reshape(-1, points))


def panel(c: Cells, index: Array, levels: int) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Middle and half length of one panel of `mesh(c, levels)`."""
    features = c.centre.shape[0]
    step, side, feature = index // (2 * features), index // features % 2, index % features
    scale, growth = c.scale[feature], jnp.log1p(c.reach[side, feature] / c.scale[feature])
    start, end = (scale * jnp.expm1(growth * (k / levels)) for k in (step, step + 1))
    return c.centre[feature] + (2 * side - 1) * (end + start) / 2, (end - start) / 2


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
    weights = _W.reshape(shape)
    return Sums(
        jnp.sum(values * weights, axis),
        jnp.sum(jnp.abs(values) * weights, axis),
        jnp.sum(errors * weights, axis),
        (jnp.sum(values * _LAST[0].reshape(shape), axis), jnp.sum(values * _LAST[1].reshape(shape), axis)),
    )


def accumulated(sums: Sums, value: Array, error: Array, node: Array) -> Sums:
    """The sums with one more node."""
    weight, first, second = jnp.asarray(_W)[node], *jnp.asarray(_LAST)[:, node]
    return Sums(
        sums.value + weight * value,
        sums.size + weight * jnp.abs(value),
        sums.error + weight * error,
        (sums.coefficients[0] + first * value, sums.coefficients[1] + second * value),
    )


def closed_sums(sums: Sums, middle: Array, half: Array, rounding: Array | float) -> tuple[Array, Array]:
    """Integral over a panel and a bound of its error; `rounding` is the relative rounding of the values, in EPS.

    The error of a Gauss rule with n nodes is about the Legendre coefficient c_2n of the integrand, and where the
    coefficients fall geometrically that is c_{n−1}²/c_0.
    """
    last = jnp.abs(sums.coefficients[0]) + jnp.abs(sums.coefficients[1])
    fall = jnp.minimum(last / jnp.where(sums.size > 0, sums.size, 1.0), 1.0)
    # The nodes themselves are rounded: a panel far from zero is displaced by that.
    rounding = EPS * (8.0 + rounding + jnp.abs(middle) / half)
    error = jnp.where(half > 0, half * (8 * last * fall + rounding * sums.size + sums.error), 0.0)
    return half * sums.value, jax.lax.stop_gradient(error)


def integrate(
    values: Float[Array, "panel node point"], m: Mesh, rounding: Float[Array, "panel point"]
) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Integral of the values and a bound of its error; see `closed_sums`."""
    total, error = closed_sums(summed(values, jnp.zeros_like(values), 1), m.middle, m.half, rounding)
    return jnp.sum(total, axis=0), jnp.sum(error, axis=0)
