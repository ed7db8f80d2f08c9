"""What is narrow in a function of frequency that nobody has described: peaks, steps and kinks.

A rule of quadrature sees nothing of what lies between its nodes. Here a function is looked at where ln ω is a multiple
of a small step, over all frequencies that any unit may give; it is rough at a place if a straight line between the
neighbours misses it.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

DECADES = 12
"""Frequencies from 10⁻¹² to 10¹² are looked at."""
BLOCK, LOOKS = 512, 64
"""Places of a look, and looks: 32,768 places, each .17 % above the one before."""
STEP = 2 * DECADES * math.log(10) / (BLOCK * LOOKS)
ROUGH = 1e-3
"""Rough: a place that misses the line between its neighbours by this part of their size."""
NEAR = 32
"""Of what is rough within so many places, the roughest stands for all."""
MOST = 8
"""How many places are told, those at which most of J/ω is missed."""


def needles(function: Callable[[Array], Array]) -> list[tuple[Array, Array]]:
    """Centres and widths of what is narrow in J(ω) ≥ 0, eight of them; of those that there are not widths are infinite.

    Wider than .2 % of the frequency it is seen wherever it stands. Without derivatives; J works element by element.

    >>> found = needles(lambda w: w + jnp.exp(-(((w - 1.3) / 0.01) ** 2)))
    >>> [(f"{centre:.2f}", f"{width:.2f}") for centre, width in found if width < jnp.inf]
    [('1.30', '0.01')]
    """
    around = NEAR + 1
    index = np.arange(-around, BLOCK + around)

    def look(best: tuple[Array, Array, Array], first: Array) -> tuple[tuple[Array, Array, Array], None]:
        omega = jnp.exp(STEP * (first + index) - DECADES * math.log(10))
        y = jax.lax.stop_gradient(function(omega))
        missed = jnp.abs(y[1:-1] - (y[:-2] + y[2:]) / 2)
        size = jnp.abs(y[:-2]) + jnp.abs(y[1:-1]) + jnp.abs(y[2:])
        rough = (missed > ROUGH * size) & jnp.isfinite(size)
        score = jnp.where(rough, missed / omega[1:-1], 0.0)
        most = jax.lax.reduce_window(score, -jnp.inf, jax.lax.max, (2 * NEAR + 1,), (1,), "VALID")
        inner = slice(around, -around)
        here = score[around - 1 : 1 - around]
        score = jnp.where((here == most) & (here > 0), here, 0.0)
        # A peak misses the line by y/2 of its own height times the square of the step over its width.
        wide = jnp.sqrt(jnp.abs(y[inner]) / jnp.where(score > 0, 2 * missed[around - 1 : 1 - around], 1.0))
        width = STEP * omega[inner] * jnp.maximum(wide, 1.0)
        every = [jnp.concatenate(pair) for pair in zip(best, (score, omega[inner], width), strict=True)]
        best_score, at = jax.lax.top_k(every[0], MOST)
        return (best_score, every[1][at], every[2][at]), None

    start = jnp.zeros(MOST), jnp.zeros(MOST), jnp.zeros(MOST)
    (score, centre, width), _ = jax.lax.scan(look, start, BLOCK * jnp.arange(LOOKS))
    there = score > 0
    centre, width = jnp.where(there, centre, 0.0), jnp.where(there, width, jnp.inf)
    return [(centre[k], width[k]) for k in range(MOST)]
