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
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from .dense import positive_or_one
from .quadrature import ABSCISSAE, NODES, WEIGHTS, closed_sums, summed

PIECES = 3
"""Panels of each side of a feature at the start."""
BLOCK = 16
"""Panels that are evaluated together."""
ROOM = 2048
"""Panels that there is room for, or four times as many as at the start, if that is more."""
TARGET = 1e-14
"""Truncation error of a panel, relative to the whole integral of the size, at which it is left alone."""
SHORTEST = 1e-15
"""Panels that are so short, relative to their place, are left alone."""

ENDS = np.array([-1.0, 1.0]) * (1 - 1e-6)
"""Where a panel is looked at beside its nodes: a step between the last node and the end would go unseen."""
GAP = 0.5 * (1 - ABSCISSAE[-1])
"""Part of a panel between its last node and its end."""
LOOKED_AT = np.concatenate([ABSCISSAE, ENDS])
_AT_ENDS = np.stack(
    [np.array([np.prod([(e - b) / (a - b) for b in ABSCISSAE if b != a]) for a in ABSCISSAE]) for e in ENDS]
)
"""Rows that give the polynomial through the nodes at the ends."""

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
    """Panels (ROOM) of a window: their side, and their ends in t; the first `filled` are in use."""

    side: Int[Array, " panel"]
    start: Float[Array, " panel"]
    end: Float[Array, " panel"]
    filled: Int[Array, ""]


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


class Effort(NamedTuple):
    """How an integral is worked out: the constants of that name. For integrands that cost much, less at a time.

    `hidden`: whether there may be narrow features that no centre tells. Of functions whose features are known, the last
    coefficients of a panel are as the root of its error; beside a feature between its nodes they are as what that adds.
    They must be below the target themselves then, as long as half of the room does for it.
    """

    pieces: int = PIECES
    block: int = BLOCK
    room: int = ROOM
    target: float = TARGET
    hidden: bool = False


FULL = Effort()


def integral(
    function: Integrand,
    s: Sides,
    components: int,
    effort: Effort = FULL,
    *,
    groups: tuple[int, ...] = (),
    loose: int = 0,
) -> Integral:
    """∫ of all components over the window, to rounding or the target, if the room suffices.

    - `groups`: lengths of runs of components, from the first on, which are measured against the largest of their run:
      what cancels, or is nothing but rounding, is not resolved for its own sake;
    - `loose`: how many of the last components are not resolved at all, as sizes with kinks at each change of sign.
    """
    nodes = jnp.zeros(effort.block * LOOKED_AT.size)
    converted = eqx.filter_closure_convert(function, nodes, nodes)
    numbers, rest = eqx.partition(converted, eqx.is_inexact_array)
    frozen, s = jax.lax.stop_gradient((numbers, s))
    runs = np.repeat(np.arange(len(groups)), groups)
    runs = np.concatenate([runs, len(groups) + np.arange(components - runs.size)])
    found, panels = _settled(eqx.combine(frozen, rest), s, effort, runs, loose)
    return found._replace(value=_value(converted, found.value, s, panels, effort.block))


@eqx.filter_custom_jvp
def _value(function: Integrand, value: Array, s: Sides, panels: Panels, size: int) -> Array:
    """The value that was found, which has the derivatives of the sum over the panels."""
    return value


@_value.def_jvp
def _value_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (function, value, s, panels, size), (change, *_) = primals, tangents

    def block(total: Array, k: Array) -> tuple[Array, None]:
        def add(total: Array) -> Array:
            index = k * size + jnp.arange(size)
            centre, offset, stretch = _nodes(s, *(part[index] for part in panels[:3]))
            stretch = jnp.where((index < panels.filled)[:, None], stretch, 0.0)

            def values(function: Any) -> Array:
                return function(centre.reshape(-1), offset.reshape(-1))[0]

            _, moved = eqx.filter_jvp(values, (function,), (change,))
            # A panel that stands for nothing may lie where nothing is defined.
            return total + jnp.sum(_weighed(moved, stretch)[..., :NODES] * WEIGHTS, axis=(1, 2))

        return jax.lax.cond(k * size < panels.filled, add, lambda total: total, total), None

    return value, jax.lax.scan(block, jnp.zeros_like(value), jnp.arange(panels.side.size // size))[0]


def _nodes(s: Sides, side: Array, start: Array, end: Array) -> tuple[Array, Array, Array]:
    """Centre, offset and stretch (panel, node)."""
    half = (end - start) / 2
    t = (start + half)[:, None] + half[:, None] * LOOKED_AT
    centre, scale, direction, kink = (part[side][:, None] for part in s[:4])
    sinh, cosh = jnp.sinh(t), jnp.cosh(t)
    offset = direction * scale * jnp.where(kink, sinh**2, sinh)
    stretch = scale * half[:, None] * jnp.where(kink, 2 * sinh * cosh, cosh)
    return jnp.broadcast_to(centre, t.shape), offset, stretch


def _weighed(values: Array, stretch: Array) -> Array:
    """Values (component, node of all) per unit of t (component, panel, node)."""
    values = values.reshape(values.shape[0], -1, LOOKED_AT.size)
    return jnp.where(stretch > 0, values, 0.0) * stretch


class _Search(NamedTuple):
    """Panels, and of each (panel, component): what asks for halves, value, error and size.

    `truncations`: errors that must be halved and, of features that may hide, what had better be;
    `queue` (panel): the panels that have none of these yet, of which `queued` wait from the place `next` on;
    `full`: whether there was no room for a half.
    """

    panels: Panels
    truncations: tuple[Array, ...]
    sums: tuple[Array, Array, Array]
    queue: Array
    queued: Array
    next: Array
    full: Array


def _settled(function: Integrand, s: Sides, effort: Effort, runs: np.ndarray, loose: int) -> tuple[Integral, Panels]:
    """Panels that resolve all components but the loose ones, and the integral over them; `runs` as `integral` says."""
    components = runs.size
    tight = components - loose
    pieces, together, room, target, hides = effort
    count = s.centre.size * pieces
    size = together * (-(-max(room, 4 * count) // together))
    index = jnp.arange(size)
    side = jnp.minimum(index // pieces, s.centre.size - 1)
    piece = s.length[side] / pieces
    place = index % pieces
    panels = Panels(side, piece * place, piece * (place + 1), jnp.asarray(count))
    nothing = jnp.zeros((size, components))
    none = jnp.asarray(0)
    asking = (nothing[:, :tight],) * (1 + hides)
    start = _Search(panels, asking, (nothing,) * 3, index, panels.filled, none, jnp.asarray(False))

    def evaluate(state: _Search) -> _Search:
        at = jax.lax.dynamic_slice(state.queue, (state.next,), (together,))
        at = jnp.where(state.next + np.arange(together) < state.queued, at, size)
        own, first, last = (part[jnp.minimum(at, size - 1)] for part in state.panels[:3])
        centre, offset, stretch = _nodes(s, own, first, last)
        values, noise = function(centre.reshape(-1), offset.reshape(-1))
        values, noise = _weighed(values, stretch), _weighed(noise, stretch)
        inside = values[..., :NODES]
        sums = summed(inside, noise[..., :NODES], 2)
        hidden = GAP * jnp.sum(jnp.abs(values[..., NODES:] - inside @ _AT_ENDS.T), axis=-1)
        ends = jnp.abs(sums.coefficients[0]) + jnp.abs(sums.coefficients[1])
        must = 8 * ends * jnp.minimum(ends / positive_or_one(sums.size), 1.0) + hidden
        # What is below the rounding of the values does not get less by halving, and what is short has no halves.
        halves = _has_halves(s, own, first, last)
        asked = [jnp.where((part > sums.error) & halves, part, 0.0) for part in (must, ends + hidden)[: 1 + hides]]
        value, error = closed_sums(sums, 0.0)
        error += hidden

        def put(table: Array, new: Array) -> Array:
            return table.at[at].set(new.T, mode="drop")

        return state._replace(
            truncations=tuple(put(old, new[:tight]) for old, new in zip(state.truncations, asked, strict=True)),
            sums=(put(state.sums[0], value), put(state.sums[1], error), put(state.sums[2], sums.size)),
            next=state.next + together,
        )

    def halve(state: _Search) -> _Search:
        whole = jnp.sum(state.sums[2], axis=0)
        whole = jnp.where(jnp.isfinite(whole), whole, jnp.inf)  # what is not finite has its status
        if np.any(np.diff(runs) == 0):
            whole = jax.ops.segment_max(whole, jnp.asarray(runs), components)[runs]
        p = state.panels
        chosen, *better = (jnp.any(part > target * whole[:tight], axis=1) for part in state.truncations)
        for more in better:
            more |= chosen
            chosen = jnp.where(p.filled + jnp.sum(more) <= size // 2, more, chosen)
        left, rank = size - p.filled, jnp.cumsum(chosen)
        full, chosen = state.full | (rank[-1] > left), chosen & (rank <= left)
        many = jnp.minimum(rank[-1], left)
        halved = jnp.zeros_like(index).at[jnp.where(chosen, rank - 1, size)].set(index, mode="drop")
        new = (index >= p.filled) & (index < p.filled + many)
        origin = jnp.where(new, halved[index - p.filled], index)
        middle = (p.start + p.end) / 2
        panels = Panels(
            p.side[origin],
            jnp.where(new, middle[origin], p.start),
            jnp.where(new, p.end[origin], jnp.where(chosen, middle, p.end)),
            p.filled + many,
        )
        queue = jnp.where(index < many, halved, p.filled + index - many)
        return state._replace(panels=panels, queue=queue, queued=2 * many, next=none, full=full)

    def waiting(state: _Search) -> Array:
        return state.next < state.queued

    # A loop in a loop: from the branches of a condition the compiler would copy all tables.
    final = jax.lax.while_loop(waiting, lambda state: halve(jax.lax.while_loop(waiting, evaluate, state)), start)
    value, error, whole = (jnp.sum(part, axis=0) for part in final.sums)
    return Integral(value, error, whole, ~final.full), final.panels


def _has_halves(s: Sides, side: Array, start: Array, end: Array) -> Array:
    """Whether panels (panel) are not too short to be halved."""
    middle = (start + end) / 2
    ends = jnp.sinh(jnp.stack([start, end]))
    first, last = s.scale[side] * jnp.where(s.kink[side], ends * ends, ends)
    return (middle > start) & (middle < end) & (last - first > SHORTEST * jnp.abs(s.centre[side]))
