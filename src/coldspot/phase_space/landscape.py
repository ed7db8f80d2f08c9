"""The functions of a machine sampled in JAX: what `terrain` reads its piecewise polynomials from."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..drives import Steps
from .boundaries import Boundary, Closed, Open, Periodic
from .terrain import ABSCISSAE, BETWEEN, CLOSED, INTERPOLATE, OPEN, PERIODIC, REACH, Samples

PANELS = 96
"""Panels in a region, with 20 samples each."""
FARTHEST = 1e6
"""Potentials that have not risen so far away do not confine."""
DISTANCES = np.concatenate([-np.geomspace(1e-6, FARTHEST, 1500)[::-1], [0.0], np.geomspace(1e-6, FARTHEST, 1500)])
"""Places where walls are looked for, denser towards 0."""
BISECTIONS = 40
HIGH = 34.0
"""A potential that has risen by so many temperatures may be no number farther out."""
SEAM = 1e-9
"""What friction and temperature may differ by between the ends of a ring, relative to the largest value."""
TORN = 1e-3
"""The part of the interval that is sampled beyond the place where it ends in no number."""


class Landscape(NamedTuple):
    """Samples of one point, and what is wrong with it.

    - `confined`: the potential holds the particle (true where the ends do); `periodic`: it is the same after a turn,
      and friction and temperature are the same at both ends of a ring, unless they are steps;
    - `places` (region, panel, node) of the samples.
    """

    samples: Samples
    confined: Array
    periodic: Array
    places: Array


def kind_of(boundary: Boundary) -> str:
    return OPEN if isinstance(boundary, Open) else PERIODIC if isinstance(boundary, Periodic) else CLOSED


def walled(boundary: Boundary) -> bool:
    return isinstance(boundary, Closed) and boundary.walled


def value_at(profile: Any, x: Array, start: Array, length: Array) -> Array:
    """A number, steps over the domain, or a function of x, at one x."""
    if isinstance(profile, Steps):
        return profile(2 * jnp.pi * (x - start) / length)
    return jnp.asarray(profile(x), float) if callable(profile) else profile


def shares(profile: Any) -> Array:
    """The ends of the parts of a profile, as shares of the domain: 0, borders of steps, 1."""
    inner = profile.borders() if isinstance(profile, Steps) else jnp.zeros(0)
    return jnp.concatenate([jnp.zeros(1), inner, jnp.ones(1)])


def sample(
    potential: Callable[[Array], Array], friction: Any, temperature: Any, mass: Array, boundary: Boundary
) -> Landscape:
    """One machine in numbers."""
    confined = jnp.asarray(True)
    if isinstance(boundary, Open):
        start, stop = boundary.start, boundary.stop
        densities, load = jnp.stack([boundary.left, boundary.right]), jnp.zeros(())
    elif isinstance(boundary, Periodic):
        start, stop = boundary.start, boundary.start + boundary.length
        densities, load = jnp.zeros(2), boundary.load
    else:
        densities, load = jnp.zeros(2), jnp.zeros(())
        if isinstance(boundary, Closed) and boundary.walled:
            start, stop = boundary.start, boundary.stop
        else:
            start, stop, confined = walls(potential, temperature)
    length = stop - start
    borders = jnp.sort(jnp.concatenate([shares(friction), shares(temperature)[1:-1]]))
    low, high = borders[:-1, None, None], borders[1:, None, None]
    inside = (jnp.arange(PANELS)[:, None] + (jnp.asarray(ABSCISSAE) + 1) / 2) / PANELS
    share = low + (high - low) * inside
    x = start + length * share

    def steps_or(profile: Any) -> Array:
        if isinstance(profile, Steps):
            # By the middle of the region: rounding must not move a node over the border.
            middle = jnp.broadcast_to((low + high) / 2, x.shape)
            return jax.vmap(profile)(2 * jnp.pi * middle.ravel()).reshape(x.shape)
        at = jax.vmap(lambda y: value_at(profile, y, start, length))
        return jnp.broadcast_to(at(x.ravel()).reshape(x.shape), x.shape)

    # Without walls there is nothing to solve.
    heights = jnp.where(confined, jax.vmap(potential)(x.ravel()).reshape(x.shape), jnp.nan)
    same = jnp.asarray(True)
    if isinstance(boundary, Periodic):
        turned = jax.vmap(potential)(x.ravel() + length).reshape(x.shape)
        same = jnp.max(jnp.abs(turned - heights)) <= 1e-9 * (jnp.max(heights) - jnp.min(heights)) + 1e-12
    places = start + length * borders
    baths = start + length * shares(temperature)
    values = heights, steps_or(friction), steps_or(temperature)
    if isinstance(boundary, Periodic):
        for profile, known in zip((friction, temperature), values[1:], strict=True):
            first, last = (value_at(profile, end, start, length) for end in (start, stop))
            # What is no number is told as such.
            closes = ~(jnp.abs(first - last) > SEAM * jnp.max(jnp.abs(known)))
            same &= isinstance(profile, Steps) | closes

    def missed(profile: Any, known: Array) -> Array:
        """How far a function is from the polynomials through its samples, between them (region, panel)."""
        if not callable(profile) or isinstance(profile, Steps):
            return jnp.zeros(known.shape[:2])

        def one(panel: tuple[Array, Array, Array]) -> Array:
            begin, width, samples = panel
            at = jax.vmap(lambda y: jnp.asarray(profile(y), float))(begin + width * jnp.asarray(BETWEEN))
            off = jnp.abs(at - jnp.asarray(INTERPOLATE) @ samples)
            return jnp.max(jnp.where(jnp.isfinite(off), off, jnp.inf))

        widths = jnp.broadcast_to(length * (high - low)[..., 0] / PANELS, known.shape[:2])
        begins = start + length * low[..., 0] + widths * jnp.arange(PANELS)
        # Panel by panel: of a batch, all of these places together would take much memory.
        each = begins.ravel(), widths.ravel(), known.reshape(-1, known.shape[-1])
        return jax.lax.map(one, each).reshape(known.shape[:2])

    functions = zip((potential, friction, temperature), values, strict=True)
    narrow = jnp.stack([missed(profile, known) for profile, known in functions])
    return Landscape(Samples(places, *values, baths, mass, load, densities, narrow), confined, same, x)


def hole(potential: Callable[[Array], Array]) -> float | None:
    """Where a potential falls to −∞ among the places at which walls are looked for."""
    heights = np.asarray(jax.vmap(potential)(jnp.asarray(DISTANCES)))
    found = np.flatnonzero(heights == -np.inf)
    return float(DISTANCES[found[0]]) if len(found) else None


def walls(potential: Callable[[Array], Array], temperature: Any) -> tuple[Array, Array, Array]:
    """Where a potential is `REACH` temperatures above its lowest, left and right, and whether it is anywhere."""
    # The compiler would evaluate a potential without parameters at all these places itself, and slowly.
    x = jax.lax.optimization_barrier(jnp.asarray(DISTANCES))
    heights = jax.vmap(potential)(x)
    # Where a potential is no number there is no place for particles, if it rises before (see below).
    heights = jnp.where(jnp.isnan(heights), jnp.inf, heights)
    lowest = jnp.argmin(heights)
    # Steps need ends; with a function the hottest place that particles may reach counts.
    warm = jax.vmap(lambda y: value_at(temperature, y, jnp.zeros(()), jnp.ones(())))(x)
    reached = heights - heights[lowest] < REACH * warm[lowest]
    hottest = jnp.max(jnp.where(reached, warm, warm[lowest]))
    top = heights[lowest] + REACH * hottest

    def inside(y: Array) -> Array:
        return potential(y) < top

    below = heights < top
    count = len(DISTANCES)
    first, last = jnp.argmax(below), count - 1 - jnp.argmax(below[::-1])
    confined = (first > 0) & (last < count - 1) & jnp.isfinite(heights[lowest])

    def border(within: Array, without: Array) -> Array:
        def halved(_: Any, pair: tuple[Array, Array]) -> tuple[Array, Array]:
            a, b = pair
            middle = (a + b) / 2
            good = inside(middle)
            return jnp.where(good, middle, a), jnp.where(good, b, middle)

        return jax.lax.fori_loop(0, BISECTIONS, halved, (within, without))[0]

    left = border(x[first], x[jnp.maximum(first - 1, 0)])
    right = border(x[last], x[jnp.minimum(last + 1, count - 1)])

    def torn(within: Array, without: Array) -> Array:
        """Whether the potential ends in no number where particles are: what is sampled must show that."""
        low = potential(within) - heights[lowest] < HIGH * hottest
        return confined & low & jnp.isnan(potential(within + TORN * (without - within)))

    length = right - left
    left = left - TORN * length * torn(left, left - length)
    right = right + TORN * length * torn(right, right + length)
    return left, right, confined
