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
_X, _W = np.polynomial.legendre.leggauss(NODES)
_LAST = np.stack([(2 * k + 1) / 2 * _W * np.polynomial.legendre.Legendre.basis(k)(_X) for k in (NODES - 2, NODES - 1)])
"""Rows that give the last two Legendre coefficients from the values at the nodes."""
EPS = float(np.finfo(float).eps)


class Mesh(NamedTuple):
    """Middles and half lengths of panels."""

    middle: Float[Array, "panel point"]
    half: Float[Array, "panel point"]

    @property
    def nodes(self) -> Float[Array, "panel node point"]:
        return self.middle[:, None] + self.half[:, None] * _X[:, None]


def mesh(
    centres: Float[Array, "feature point"],
    widths: Float[Array, "feature point"],
    low: Float[Array, " point"],
    high: Float[Array, " point"],
    levels: int = LEVELS,
) -> Mesh:
    """Panels on [low, high], `levels` on each side of a feature.

    No derivative is taken of where they are: the integral does not depend on it.
    """
    centres, widths, low, high = map(jax.lax.stop_gradient, (centres, widths, low, high))
    own = jnp.sort(jnp.clip(centres, low, high), axis=0)
    # Distance of each centre to the nearest singularity. Inside its cell no other one is nearer than the centre is.
    scale = jnp.min(jnp.hypot(own[:, None] - centres, widths), axis=1)
    between = (own[1:] + own[:-1]) / 2
    borders = jnp.concatenate([low[None], between, high[None]])
    reach = jnp.stack([own - borders[:-1], borders[1:] - own])
    fraction = np.arange(levels + 1)[:, None, None, None] / levels
    steps = scale * jnp.expm1(jnp.log1p(reach / scale) * fraction)
    middle, half = (steps[1:] + steps[:-1]) / 2, (steps[1:] - steps[:-1]) / 2
    middle = own + np.array([-1.0, 1.0])[:, None, None] * middle
    points = low.shape[0]
    return Mesh(middle.reshape(-1, points), half.reshape(-1, points))


def integrate(
    values: Float[Array, "panel node point"], m: Mesh, rounding: Float[Array, "panel point"]
) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Integral of the values, and a bound of its error; `rounding` is the relative rounding of the values, in EPS.

    The error of a Gauss rule with n nodes is about the Legendre coefficient c_2n of the integrand, and where the
    coefficients fall geometrically that is c_{n−1}²/c_0.
    """
    panels = m.half * jnp.sum(values * _W[:, None], axis=1)
    size = jnp.sum(jnp.abs(values) * _W[:, None], axis=1)
    last = sum(jnp.abs(jnp.sum(values * row[:, None], axis=1)) for row in _LAST)
    fall = jnp.minimum(last / jnp.where(size > 0, size, 1.0), 1.0)
    # The nodes themselves are rounded: a panel far from zero is displaced by that.
    rounding = EPS * (8.0 + rounding + jnp.abs(m.middle) / m.half)
    error = jnp.sum(jnp.where(m.half > 0, m.half * (8 * last * fall + rounding * size), 0.0), axis=0)
    return jnp.sum(panels, axis=0), jax.lax.stop_gradient(error)
