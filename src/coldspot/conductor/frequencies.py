"""What pairs exchange with a mode of some width: their rates at every frequency under the mode's spectral function."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.quadrature import NODES, Cells, Sums, accumulated, cells, closed_sums, has_length, panel_node
from .pair_rates import REACH, Pair, Rates, rates

COARSE, LEVELS = 4, 8
"""Panels on each side of a feature, in integrals over the frequency: at first, and where those do not do."""
ENOUGH = 1e-11
"""Bound of the relative error of an integral over the frequency with which the first panels are kept, unless another
is given."""


class Flow(NamedTuple):
    """What one kind of pair does: its rate of net emission, the energy and the heat out of α; or their error bounds."""

    rate: Array
    energy: Array
    heat: Array


class Loss(NamedTuple):
    """How a bath of bosons damps the mode of each point: D^r = (ω² − Ω² + iJ)⁻¹.

    - `density`: J(ω) for frequencies (point);
    - `wide` (point): whether there is damping at all; elsewhere the mode is narrow and J is not looked at;
    - `features`: centres and widths (point) of what is narrow in J.
    """

    density: Callable[[Array], Array]
    wide: Array
    features: Sequence[tuple[Array, Array]]


def over_frequencies(
    pairs: Pair, loss: Loss, enough: Array | None = None
) -> tuple[tuple[Rates, Rates], tuple[Flow, Flow], Array]:
    """The rates at the mode's frequency, and ∫dω/2π A_ph(ω) of them where the mode has a width; with error bounds.

    Given the bound that is `enough`, there are the few panels alone, and the points (point) come back at which they do
    not do.

    A_ph = 2J/((ω²−Ω²)² + J²). First with few panels, and with closed forms of the rates whatever their digits are: a
    frequency counts by what it contributes. If the bounds of a batch are too large so, all is done again. One loop over
    panels of frequencies and their nodes, so that the rates are compiled once: panel 0 is the mode's frequency alone,
    and the others are left out if no mode of the batch has a width.
    """
    mode = pairs.omega
    wide = _any(jax.lax.stop_gradient(loss.wide))
    blank = jnp.zeros_like(mode)
    grid = _cells(pairs, loss, wide)
    # Of the integrands of a `Flow`, over the nodes of one panel.
    empty = tuple(Sums(blank, blank, blank, (blank, blank)) for _ in Flow._fields)
    nothing = Rates(*(blank for _ in Rates._fields))
    still = Flow(*(blank for _ in Flow._fields))
    start = _State((nothing, nothing), still, still, still, jnp.asarray(False))
    again = 1 + COARSE * grid.sides

    @jax.checkpoint
    def evaluate(state: _State, k: Array) -> _State:
        coarse = (k > 0) & (k < again)
        panel, levels = jnp.where(k < again, k - 1, k - again), jnp.where(k < again, COARSE, LEVELS)

        def node(carried: Any, j: Array) -> Any:
            _, sums = carried
            centre, offset, stretch = panel_node(grid, jnp.maximum(panel, 0), j, levels)
            # Panels of no length may lie at zero.
            inside = (k > 0) & (stretch > 0)
            omega = jnp.where(inside, centre + offset, mode)
            found, errors = rates(eqx.tree_at(lambda p: p.omega, pairs, omega), coarse)
            distance = jnp.where(inside, (centre - mode) + offset, 0.0) * (omega + mode)  # ω² − Ω²
            lost = jnp.where(loss.wide, loss.density(omega), 1.0)
            spectral = jnp.where(inside, stretch, 0.0) * 2 * lost / (distance**2 + lost**2) / (2 * jnp.pi)
            values = (
                (spectral * found.net, spectral * errors.net),
                (spectral * omega * found.net, spectral * omega * errors.net),
                (spectral * found.heat, spectral * errors.heat),
            )
            more = tuple(accumulated(old, *value, j) for old, value in zip(sums, values, strict=True))
            return (found, errors), more

        def step(carried: Any, j: Array) -> tuple[Any, None]:
            return jax.lax.cond((k > 0) | (j == 0), node, lambda carried, j: carried, carried, j), None

        (latest, sums), _ = jax.lax.scan(step, ((nothing, nothing), empty), jnp.arange(NODES))
        exact, doubt = zip(*(closed_sums(part, 0.0) for part in sums), strict=True)
        old = state.flow, state.bound, state.size
        new = Flow(*exact), Flow(*doubt), Flow(*(part.size for part in sums))
        old = jax.tree.map(lambda part: jnp.where(k == again, 0.0, part), old)
        flow, bound, size = jax.tree.map(lambda old, new: jnp.where(k > 0, old + new, old), old, new)
        at_mode = jax.tree.map(lambda old, new: jnp.where(k > 0, old, new), state.at_mode, latest)
        return _State(at_mode, flow, bound, size, state.poor)

    def turn(state: _State, k: Array) -> tuple[_State, None]:
        judged = jax.lax.cond(k == again, lambda s: wide & _any(_poor(pairs, loss, s, ENOUGH)), lambda s: s.poor, state)
        state = state._replace(poor=judged)
        panel = jnp.where(k < again, k - 1, k - again)
        # The first panel of the second time is looked at though it may have no length: with it all sums begin anew.
        some = (k == again) | _any(has_length(grid, jnp.maximum(panel, 0)))
        wanted = (k == 0) | (wide & ((k < again) | state.poor) & some)
        return jax.lax.cond(wanted, evaluate, lambda state, k: state, state, k), None

    if enough is not None:
        found = jax.lax.scan(turn, start, jnp.arange(again))[0]
        return found.at_mode, (found.flow, found.bound), _poor(pairs, loss, found, enough)
    found = jax.lax.scan(turn, start, jnp.arange(again + LEVELS * grid.sides))[0]
    return found.at_mode, (found.flow, found.bound), jnp.zeros(mode.shape, bool)


class _State(NamedTuple):
    """Rates at the mode's frequency and bounds of their errors; sums over panels of the flows, of bounds of their

    errors, and of the sizes of what is summed; whether all is done again.
    """

    at_mode: tuple[Rates, Rates]
    flow: Flow
    bound: Flow
    size: Flow
    poor: Array


def _poor(pairs: Pair, loss: Loss, found: _State, enough: Array | float) -> Array:
    """Whether the bounds (point) are too large beside what is summed."""
    bound, size, bias = *jax.lax.stop_gradient((found.bound, found.size)), jnp.abs(pairs.bias)
    good = (bound.rate <= enough * size.rate) & (bound.energy <= enough * size.energy)
    good &= bound.heat <= enough * (size.heat + size.energy + bias * size.rate)
    baths = pairs.upper_temperature + pairs.lower_temperature + pairs.phonon_temperature
    # Points that are not numbers have their status, and no other point waits for them.
    return loss.wide & ~good & jnp.isfinite(pairs.omega + bias + baths)


@jax.custom_batching.custom_vmap
def _any(condition: Array) -> Array:
    """Whether any is true; under `vmap` too any of all, so that what depends on it still is one decision."""
    return jnp.any(condition)


@_any.def_vmap
def _any_batched(size: int, batched: Any, condition: Array) -> tuple[Array, bool]:
    return jnp.any(condition), False


def _cells(pairs: Pair, loss: Loss, wanted: Array) -> Cells:
    """Cells of frequencies: about the mode, zero, what the density has, and where levels and Fermi edges meet.

    An integral over energies has singularities in ω where two of its own, one of each lead, pinch the energy axis.
    """
    (above, wide), (below, broad) = pairs.weight.upper(), pairs.weight.lower()
    hot, cold, phonons = pairs.upper_temperature, pairs.lower_temperature, pairs.phonon_temperature
    damping = jnp.where(loss.wide, loss.density(pairs.omega) / pairs.omega, pairs.omega)
    square = pairs.omega**2 - damping**2 / 4
    root, slow = jnp.sqrt(jnp.abs(square)), square <= 0
    # Overdamped: both poles lie on the imaginary axis, the nearer one at Ω²/(γ/2 + root).
    peak = jnp.where(slow, 0.0, root)
    centres = [peak, jnp.zeros_like(hot), pairs.bias]
    widths = [
        jnp.where(slow, pairs.omega**2 / (damping / 2 + root), damping / 2),
        2 * jnp.pi * phonons,
        jnp.pi * (hot + cold),
    ]
    for centre, width in loss.features:
        centres.append(centre)
        widths.append(width)
    for k in range(above.shape[-1]):
        centres.append(above[:, k] - pairs.reference + pairs.bias)
        widths.append(wide[:, k] + jnp.pi * cold)
        centres.append(pairs.reference - below[:, k])
        widths.append(broad[:, k] + jnp.pi * hot)
        for j in range(below.shape[-1]):
            centres.append(above[:, k] - below[:, j])
            widths.append(wide[:, k] + broad[:, j])
    # A mode far above the temperatures is weak, but so may be what is below it.
    high = jnp.maximum(jnp.maximum(pairs.bias, 0.0), peak) + REACH * jnp.maximum(jnp.maximum(hot, cold), phonons)
    window = jnp.stack(centres), jnp.stack(widths), jnp.zeros_like(high), high
    shape = jax.eval_shape(cells, *window)
    # Numbers that a compiler does not know: it would write those that it knows anew in each turn of the loop.
    any_ = jax.lax.stop_gradient(pairs.omega)
    return jax.lax.cond(
        wanted, cells, lambda *_: jax.tree.map(lambda v: jnp.broadcast_to(any_, v.shape), shape), *window
    )
