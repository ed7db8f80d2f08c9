"""Rate functions in the periodic state of a driven network: how unlikely an amount per time is over many periods.

    I(j) = sup_χ [χj − λ(χ)]

with the scaled generating function λ of `periodic_tilted`, which is convex: the field χ with λ′(χ) = j is looked for by
Newton's method between bounds that close in on it. That is done anew on each refinement of the elements, so that what
changes from one to the next is the error of I and χ themselves.

Arrays have the batch axis last.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Counted, Target
from ..numerics.mesh import Mesh
from ..solution import Status
from .periodic_cumulants import Measured, solve_driven
from .periodic_tilted import growth
from .system import System
from .tilted import CLOSE, SMALL

FIRST = 2.0
"""The longest first step of the field, in units of one over the size of an amount; later ones may be twice the last."""
TURNS = 40
"""Most steps; currents that no field makes typical take all of them."""


class _Look(NamedTuple):
    """λ, its slope and curvature at a field (point); sizes of the terms of the first two (2, point), and the defect of

    the propagator.
    """

    value: Array
    slope: Array
    bend: Array
    sizes: Array
    defect: Array


class _Hunt(NamedTuple):
    """The field to look at next and the last one that had numbers, with these; the interval in which that of the

    current lies, the last step, and where the search goes on (point).
    """

    field: Array
    known: Array
    found: _Look
    low: Array
    high: Array
    step: Array
    open: Array
    turns: Array


def measure(
    system: System, target: Target, currents: Array, mesh: Mesh, parts: Array, loop: Callable[..., Any]
) -> Measured:
    """I, its field, and 1 where that was not found, values (3, current, point), for currents (current)."""
    points = parts.shape[0]
    arrays, static = eqx.partition(system, eqx.is_array)

    def look(arrays: Any, field: Array) -> tuple[_Look, Array]:
        """What there is at a field, and whether the propagator has joined all states."""

        def value(x: Array) -> tuple[Array, tuple[Array, Array, Array]]:
            return growth(eqx.combine(arrays, static), (target,), x[None], mesh, parts, loop)

        def slope(x: Array) -> tuple[Array, tuple[Array, Any]]:
            found, moved, more = jax.jvp(value, (x,), (jnp.ones_like(x),), has_aux=True)
            return moved, (found, more)

        moved, bend, (found, (sizes, defect, joined)) = jax.jvp(slope, (field,), (jnp.ones_like(field),), has_aux=True)
        return _Look(found, moved, bend, sizes, defect), joined

    def hunted(arrays: Any, wanted: Array) -> tuple[_Hunt, Array]:
        def turn(state: tuple[_Hunt, Array]) -> tuple[_Hunt, Array]:
            h, joined = state
            found, together = look(arrays, h.field)
            # Numbers that overflow are those of a field too far from 0.
            good = jnp.isfinite(found.slope) & jnp.isfinite(found.bend) & (found.bend > 0) & together
            below = jnp.where(good, found.slope < wanted, h.field < 0)
            low, high = jnp.where(below, h.field, h.low), jnp.where(below, h.high, h.field)
            step = (wanted - found.slope) / jnp.where(good, found.bend, 1.0)
            limit = jnp.where(h.turns == 0, FIRST * _unit(found), 2 * jnp.abs(h.step))
            new = h.field + jnp.clip(jnp.where(good, step, 0.0), -limit, limit)
            outside = ~good | (new <= low) | (new >= high)
            new = jnp.where(outside, (low + high) / 2, new)
            goal = CLOSE * jnp.maximum(jnp.abs(wanted), jnp.sqrt(jnp.maximum(found.bend, 0.0)))
            left = h.open & ~(jnp.abs(found.slope - wanted) <= goal) & (new != h.field)
            new = jnp.where(left, new, h.field)
            taken = h.open & good
            known, kept = jax.tree.map(lambda a, b: jnp.where(taken, a, b), (h.field, found), (h.known, h.found))
            step = jnp.where(left, new - h.field, h.step)
            more = _Hunt(new, known, kept, low, high, step, left, h.turns + 1)
            return more, jnp.where(h.turns == 0, together, joined)

        zero = jnp.zeros(points)
        blank = _Look(zero, zero, zero, jnp.zeros((2, points)), zero)
        start = _Hunt(zero, zero, blank, zero - jnp.inf, zero + jnp.inf, zero, zero == 0, jnp.asarray(0))
        begin = start, jnp.zeros(points, bool)
        return jax.lax.while_loop(lambda s: jnp.any(s[0].open) & (s[0].turns < TURNS), turn, begin)

    def rows_of(current: Array, field: Array, bend: Array, found: tuple[Array, Array]) -> Array:
        # What is left is done by Newton's step, through which derivatives go, too: right up to the second of I.
        value, slope = found
        missed = current - slope
        return jnp.stack([current * field - value + missed**2 / (2 * bend), field + missed / bend])

    @jax.custom_jvp
    def attached(numbers: tuple[Any, Array], field: Array, bend: Array, found: tuple[Array, Array]) -> Array:
        return rows_of(numbers[1], field, bend, found)

    @attached.defjvp
    def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
        numbers, field, bend, _ = primals

        def again(numbers: tuple[Any, Array]) -> Array:
            found = look(numbers[0], field)[0]
            return rows_of(numbers[1], field, bend, (found.value, found.slope))

        return attached(*primals), jax.jvp(again, (numbers,), (tangents[0],))[1]

    fixed, aims = jax.lax.stop_gradient((arrays, currents))

    def one(current: Array, wanted: Array) -> tuple[Array, ...]:
        h, joined = jax.lax.stop_gradient(hunted(fixed, wanted))
        found, unit = h.found, _unit(h.found)
        bend = jnp.where(found.bend > 0, found.bend, 1.0)
        lost = h.open | ~(found.bend > 0) | (h.known != h.field)
        rows = attached((arrays, current), h.known, bend, (found.value, found.slope))
        size = jnp.abs(wanted * h.known) + found.sizes[0] + SMALL * bend * unit**2
        sizes = jnp.stack([size, jnp.abs(h.known) + unit, jnp.ones_like(unit)])
        # What is not there has no digits to wait for: each refinement would leave its search elsewhere.
        rows = jnp.concatenate([jnp.where(lost, 0.0, rows), jnp.where(lost, 1.0, 0.0)[None]])
        return rows, sizes, jnp.where(lost, 0.0, found.defect), joined

    values, sizes, defect, joined = jax.vmap(one, out_axes=(1, 1, 0, 0))(currents, aims)
    return Measured(values, sizes, jnp.max(defect, axis=0), jnp.all(joined, axis=0))


def _unit(found: _Look) -> Array:
    """One over the size of what is counted, from how much of it moves in a time and how much that fluctuates."""
    return found.sizes[1] / jnp.where(found.bend > 0, found.bend, 1.0)


def count_periodic_rate_function(system: System, target: Target, currents: Array, tolerance: Array) -> Counted:
    """I and its χ of a batch of driven networks, values (point, current, 2), for currents (current)."""

    def measured(batch: System, currents: Array, mesh: Mesh, parts: Array, loop: Callable[..., Any]) -> Measured:
        return measure(batch, target, currents, mesh, parts, loop)

    found = solve_driven(system, currents, measured, (target,), tolerance)
    assert found.scale is not None
    values, errors, sizes = (jnp.moveaxis(x, 1, -1) for x in (found.values, found.errors, found.scale))
    lost = jax.lax.stop_gradient(values[..., 2:] > 0)
    faults = dict(found.faults)
    faults[Status.NOT_CONVERGED] = faults[Status.NOT_CONVERGED] | jnp.any(lost, axis=(1, 2))
    values = jnp.where(lost, jnp.nan, values[..., :2])
    return Counted(values, errors[..., :2] + jnp.where(lost, jnp.inf, 0.0), sizes[..., :2], faults)
