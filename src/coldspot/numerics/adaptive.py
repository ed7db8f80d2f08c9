"""Adaptive integrals of several functions of one variable that share their narrow features and their kinks.

The window is divided into cells, one per feature, by the midpoints between neighbouring centres. In the cell of a
resonance the variable is x = c ± s·sinh t, where s is the distance of c to the nearest singularity; in that of a kink
(a band edge, where functions are analytic in √(x−c)) it is x = c ± s·sinh² t, so that the integrand is analytic in t.
There panels are halved where the last Legendre coefficients of a panel say so, until none does.

A node is its centre and the offset from it, so that distances to the feature keep their digits. All of this belongs to
one point; a batch is mapped. Where panels lie is no function to be differentiated: derivatives are those of the final
sum, forwards and backwards.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from .dense import positive_or_one
from .quadrature import ABSCISSAE, NODES, closed_sums, summed

PIECES = 3
"""Panels of each side of a feature at the start."""
BLOCK = 16
"""Panels that are evaluated together."""
ROOM = 2048
"""Panels that there is room for."""
TARGET = 1e-14
"""Truncation error of a panel, relative to the whole integral of the size, at which it is left alone."""
SHORTEST = 1e-15
"""Panels that are so short, relative to their place, are left alone."""

Integrand = Callable[[Array, Array], tuple[Array, Array]]
"""Of a centre (node) and an offset (node): values (component, node) and bounds of their rounding errors."""


class Sides(NamedTuple):
    """The two sides of each cell: centre, scale, direction, whether it is that of a kink, and its length in t."""

    centre: Float[Array, " side"]
    scale: Float[Array, " side"]
    direction: Float[Array, " side"]
    kink: Bool[Array, " side"]
    length: Float[Array, " side"]


class Panels(NamedTuple):
    """Panels (ROOM) of a window: their side, and their ends in t; the first `count` are in use."""

    side: Int[Array, " panel"]
    start: Float[Array, " panel"]
    end: Float[Array, " panel"]
    count: Int[Array, ""]


class Integral(NamedTuple):
    """Values (component), bounds of their errors, integrals of the sizes, and whether there was room enough."""

    value: Float[Array, " component"]
    error: Float[Array, " component"]
    size: Float[Array, " component"]
    converged: Bool[Array, ""]


def sides(
    centres: Float[Array, " feature"],
    widths: Float[Array, " feature"],
    kinks: Bool[Array, " feature"],
    low: Float[Array, ""],
    high: Float[Array, ""],
) -> Sides:
    """The window [low, high] divided among the features; those of no width that are no kinks are not narrow at all."""
    centres, widths, low, high = map(jax.lax.stop_gradient, (centres, widths, low, high))
    order = jnp.argsort(centres)
    centres, widths, kinks = centres[order], widths[order], kinks[order]
    own = jnp.clip(centres, low, high)
    apart = jnp.hypot(own[:, None] - centres, jnp.where(kinks, 0.0, widths))
    at_kink = jnp.any((apart == 0) & kinks, axis=1)
    scale = jnp.min(jnp.where(apart > 0, apart, jnp.inf), axis=1)
    scale = jnp.where(jnp.isfinite(scale), scale, high - low)
    between = (own[1:] + own[:-1]) / 2
    borders = jnp.concatenate([low[None], between, high[None]])
    reach = jnp.concatenate([own - borders[:-1], borders[1:] - own]) / jnp.tile(scale, 2)
    kink = jnp.tile(at_kink, 2)
    direction = np.repeat([-1.0, 1.0], own.size)
    length = jnp.arcsinh(jnp.where(kink, jnp.sqrt(reach), reach))
    return Sides(jnp.tile(own, 2), jnp.tile(scale, 2), jnp.asarray(direction), kink, length)


def integral(function: Integrand, s: Sides, components: int) -> Integral:
    """∫ of all components over the window, to rounding, if the room suffices."""
    frozen = jax.tree.map(jax.lax.stop_gradient, s)
    panels, converged = _settled(lambda centre, offset: function(centre, offset)[0], frozen, components)
    zero = jnp.zeros(components)

    def block(totals: tuple[Array, Array, Array], k: Array) -> tuple[tuple[Array, Array, Array], None]:
        def add(totals: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            index = k * BLOCK + jnp.arange(BLOCK)
            real = index < panels.count
            centre, offset, stretch = _nodes(frozen, *(part[index] for part in panels[:3]))
            stretch = jnp.where(real[:, None], stretch, 0.0)
            values, noise = function(centre.reshape(-1), offset.reshape(-1))
            values, noise = (_of_panels(part) for part in (values, noise))
            # A panel that stands for nothing may lie where nothing is defined.
            values, noise = (jnp.where(stretch > 0, part, 0.0) * stretch for part in (values, noise))
            sums = summed(values, noise, 2)
            value, error = closed_sums(sums, 0.0)
            new = (jnp.sum(part, axis=1) for part in (value, error, sums.size))
            return tuple(old + more for old, more in zip(totals, new, strict=True))  # type: ignore[return-value]

        return jax.lax.cond(k * BLOCK < panels.count, add, lambda totals: totals, totals), None

    (value, error, size), _ = jax.lax.scan(block, (zero, zero, zero), jnp.arange(ROOM // BLOCK))
    return Integral(value, jax.lax.stop_gradient(error), jax.lax.stop_gradient(size), converged)


def _nodes(s: Sides, side: Array, start: Array, end: Array) -> tuple[Array, Array, Array]:
    """Centre, offset and stretch (panel, node)."""
    half = (end - start) / 2
    t = (start + half)[:, None] + half[:, None] * ABSCISSAE
    centre, scale, direction, kink = (part[side][:, None] for part in s[:4])
    sinh, cosh = jnp.sinh(t), jnp.cosh(t)
    offset = direction * scale * jnp.where(kink, sinh**2, sinh)
    stretch = scale * half[:, None] * jnp.where(kink, 2 * sinh * cosh, cosh)
    return jnp.broadcast_to(centre, t.shape), offset, stretch


def _of_panels(values: Array) -> Array:
    """(component, node of all) → (component, panel, node)."""
    return values.reshape(values.shape[0], -1, NODES)


class _Search(NamedTuple):
    panels: Panels
    errors: Array
    """Truncation errors (panel, component); not a number where a panel is not evaluated yet."""
    sizes: Array
    evaluated: Array
    full: Array


def _settled(function: Callable[[Array, Array], Array], s: Sides, components: int) -> tuple[Panels, Array]:
    """Panels that resolve all components, and whether there was room for them."""
    count = s.centre.size * PIECES
    if count > ROOM:
        raise ValueError(f"{s.centre.size} sides of features are more than there is room for")
    index = jnp.arange(ROOM)
    side = jnp.minimum(index // PIECES, s.centre.size - 1)
    piece = s.length[side] / PIECES
    place = index % PIECES
    panels = Panels(side, piece * place, piece * (place + 1), jnp.asarray(count))
    nothing = jnp.zeros((ROOM, components))
    start = _Search(panels, nothing, nothing, jnp.zeros(ROOM, bool), jnp.asarray(False))

    def used(state: _Search) -> Array:
        return index < state.panels.count

    def poor(state: _Search) -> Array:
        """Panels that are to be halved."""
        real = used(state)
        total = jnp.sum(jnp.where(real[:, None], state.sizes, 0.0), axis=0)
        open_ = jnp.any(state.errors > TARGET * total, axis=1) & real & state.evaluated
        p = state.panels
        middle = (p.start + p.end) / 2
        first, last = (s.scale[p.side] * jnp.sinh(t) ** jnp.where(s.kink[p.side], 2, 1) for t in (p.start, p.end))
        return open_ & (middle > p.start) & (middle < p.end) & (last - first > SHORTEST * jnp.abs(s.centre[p.side]))

    def evaluate(state: _Search) -> _Search:
        (at,) = jnp.nonzero(used(state) & ~state.evaluated, size=BLOCK, fill_value=ROOM)
        safe = jnp.minimum(at, ROOM - 1)
        centre, offset, stretch = _nodes(s, *(part[safe] for part in state.panels[:3]))
        values = _of_panels(function(centre.reshape(-1), offset.reshape(-1)))
        values = jnp.where(stretch > 0, values, 0.0) * stretch
        sums = summed(values, jnp.zeros_like(values), 2)
        last = jnp.abs(sums.coefficients[0]) + jnp.abs(sums.coefficients[1])
        error = 8 * last * jnp.minimum(last / positive_or_one(sums.size), 1.0)
        # What is not finite has its status; it is not looked at more closely.
        error, size = (jnp.where(jnp.isfinite(part), part, 0.0).T for part in (error, sums.size))
        return state._replace(
            errors=state.errors.at[at].set(error, mode="drop"),
            sizes=state.sizes.at[at].set(size, mode="drop"),
            evaluated=state.evaluated.at[at].set(True, mode="drop"),
        )

    def halve(state: _Search) -> _Search:
        chosen = poor(state)
        p = state.panels
        room = ROOM - p.count
        rank = jnp.cumsum(chosen) - 1
        full = state.full | (jnp.sum(chosen) > room)
        chosen &= rank < room
        target = jnp.where(chosen, p.count + rank, ROOM)
        middle = (p.start + p.end) / 2
        panels = Panels(
            p.side.at[target].set(p.side, mode="drop"),
            p.start.at[target].set(middle, mode="drop"),
            jnp.where(chosen, middle, p.end).at[target].set(p.end, mode="drop"),
            p.count + jnp.sum(chosen),
        )
        return state._replace(panels=panels, evaluated=state.evaluated & ~chosen, full=full)

    def waiting(state: _Search) -> Array:
        return jnp.any(used(state) & ~state.evaluated)

    def step(state: _Search) -> _Search:
        return jax.lax.cond(waiting(state), evaluate, halve, state)

    def unfinished(state: _Search) -> Array:
        return waiting(state) | (jnp.any(poor(state)) & ~state.full)

    final = jax.lax.stop_gradient(jax.lax.while_loop(unfinished, step, start))
    return final.panels, ~final.full
