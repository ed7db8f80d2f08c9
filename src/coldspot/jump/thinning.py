"""A network along its period as histories see it: directed edges, cells with bounds of the rates, the next candidate.

The bound comes from Chebyshev coefficients of the rates in the cell, and from a look at many more places, for pulses
between the nodes of the coefficients. A pulse narrower than the distance of these places, 1/16000 of a period that has
no pieces, may be missed, and if no candidate happens to come in it, nothing tells. Arrays have the trajectory axis
last.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..baths import Bath
from .assembly import glance
from .graph import ranked
from .pieces import Pieces, number_of, pieces_of
from .system import System

LANES = 1024
"""Trajectories of one call."""
CELLS = 32
"""Cells of a period that has no pieces; a piece has its share of them, at least eight."""
NODES = 16
"""Chebyshev nodes in a cell."""
TAIL = 10.0
"""The bound is the sum of the coefficients' sizes and so many times the last two."""
CLOSE = 512
"""Places in a cell where a pulse between the nodes is looked for."""
FEW = 32
"""Directed edges up to which each is compared with, where their rates change,
"""
FEWEST = 5
"""and entries of a table that all trajectories share: fetching costs as much as so many comparisons."""


class Edges(NamedTuple):
    """Directed edges, forward ones first: `start`, `end` (edge); `leaving` (choice, state): edges that leave a state,

    filled up with the number of edges, which stands for none.
    """

    start: np.ndarray
    end: np.ndarray
    leaving: np.ndarray


def edges_of(system: System) -> Edges:
    g = system.graph()
    start = np.concatenate([g.initial.array, g.final.array])
    end = np.concatenate([g.final.array, g.initial.array])
    return Edges(start, end, ranked(start, np.arange(len(start)), g.states, len(start)))


class Look(NamedTuple):
    """A network at one moment: `rates` (edge); of each bath, then each reservoir of work, the energy `taken` and the

    `particles` in the transitions in which it has a part; `temperature`, `potential` (bath); what drives have given
    the states, `gains` (drive, state). Arrays, or what `lanewise` makes of them.
    """

    rates: Any
    taken: tuple[Any, ...]
    particles: tuple[Any, ...]
    temperature: Any
    potential: Any
    gains: Any


def look_at(system: System, phase: Array) -> Look:
    """A network at a phase; plain arithmetic will do, as waiting times below the range of floats are none."""
    moment = system.moment(phase)
    g = glance(moment)
    baths = [bath for bath in moment.baths if isinstance(bath, Bath)]
    return Look(
        jnp.concatenate([g.forward, g.backward]),
        (*g.heats, *g.works),
        g.particles,
        g.temperature,
        jnp.stack([bath.potential for bath in baths]),
        system.snapshot(phase).gains,
    )


class Cells(NamedTuple):
    """Cells of the period, in periods: `border` (cell + 1), and where to look in each: `low`, `high` (cell).

    `bound` (cell, state): rates that leaving a state does not exceed. `even`: whether all cells are of one length.
    """

    border: Array
    low: Array
    high: Array
    bound: Array
    even: bool

    def start(self, cell: Array) -> Array:
        """Where cells begin; the one after the last, where the period ends."""
        if self.even:
            return cell / self.bound.shape[0]
        return self.border.at[cell].get(mode="promise_in_bounds")


def cells_of(system: System) -> Cells:
    """The cells of one network's period, with bounds; one without end if nothing is driven."""
    start = edges_of(system).start

    def leaving(phase: Array) -> Array:
        return jnp.zeros(system.states).at[start].add(look_at(system, phase).rates)

    if system.period is None:
        bound = leaving(jnp.zeros(()))
        return Cells(jnp.array([0.0, jnp.inf]), jnp.zeros(1), jnp.zeros(1), bound[None], False)
    pieces = _pieces(system)
    many = max(8, -(-CELLS // number_of(pieces)))
    inner = np.arange(many + 1) / many
    if pieces is None:
        border = jnp.asarray(inner)
        low, high = border[:-1], border[1:]
    else:
        border = pieces.start[:, None] + pieces.length[:, None] * inner[:-1]
        border = jnp.concatenate([border.reshape(-1), jnp.ones(1)])
        clip = [jnp.repeat(x, many) for x in (pieces.low, pieces.high)]
        low, high = (jnp.clip(x, *clip) for x in (border[:-1], border[1:]))
    angle = np.pi * (np.arange(NODES) + 0.5) / NODES
    places = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * np.cos(angle)
    exits = jax.vmap(lambda t: leaving(2 * jnp.pi * t))(places.reshape(-1)).reshape(-1, NODES, system.states)
    transform = 2 / NODES * np.cos(np.arange(NODES)[:, None] * angle)
    transform[0] /= 2
    sizes = jnp.abs(jnp.einsum("kn,cns->cks", jnp.asarray(transform), exits))
    bound = jnp.sum(sizes, axis=1) + TAIL * jnp.sum(sizes[:, -2:], axis=1)

    def between(share: Array) -> Array:
        return jax.vmap(lambda t: leaving(2 * jnp.pi * t))(low + (high - low) * share)

    seen = jnp.max(jax.lax.map(between, (jnp.arange(CLOSE) + 0.5) / CLOSE), axis=0)
    # A pulse that the nodes have missed may be twice as high as the places tell.
    return Cells(border, low, high, jnp.where(seen > bound, 2 * seen, bound), pieces is None)


def _pieces(system: System) -> Pieces | None:
    found = pieces_of(jax.tree.map(lambda x: x[None] if eqx.is_array(x) else x, system))
    return None if found is None else jax.tree.map(lambda x: x[..., 0], found)


class Place(NamedTuple):
    """Where a trajectory is (lane): whole periods and the `time` since (in periods; without a drive in time units),

    cell and state.
    """

    cycle: Array
    time: Array
    cell: Array
    state: Array


def hazard_of(cells: Cells) -> Array:
    """The integral of the bounds, up to each border (cell + 1, state), for a period of 1."""
    each = cells.bound * jnp.diff(cells.border)[:, None]
    return jnp.concatenate([jnp.zeros_like(each[:1]), jnp.cumsum(each, axis=0)])


def following(
    cells: Cells, hazard: Array, unit: Array, place: Place, amount: Array, cycles: Array
) -> tuple[Array, Array, Array, Array]:
    """Cycle, cell, time and bound of the next candidate, where the integral of the bound has grown by `amount`.

    From one candidate to the next at once, over however many cells: most of these see none.
    """
    amount = amount / unit
    count, states = cells.bound.shape

    def of(table: Array, cell: Array) -> Array:
        return table.ravel().at[cell * states + place.state].get(mode="promise_in_bounds")

    level = of(hazard, place.cell) + amount + of(cells.bound, place.cell) * (place.time - cells.start(place.cell))
    total = at(hazard[-1][:, None], place.state)
    # What nothing leaves stays until the end.
    rounds = jnp.where(total > 0, jnp.floor(level / jnp.where(total > 0, total, 1.0)), jnp.inf)
    rounds = jnp.minimum(rounds, cycles + 1)
    left = jnp.clip(level - rounds * total, 0.0, total)
    cell, passed = jnp.zeros_like(place.cell), jnp.zeros_like(level)
    for power in range((count - 1).bit_length())[::-1]:
        later = jnp.minimum(cell + 2**power, count - 1)
        before = of(hazard, later)
        there = before <= left
        cell, passed = jnp.where(there, later, cell), jnp.where(there, before, passed)
    bound = of(cells.bound, cell)
    inside = jnp.where(bound > 0, (left - passed) / jnp.where(bound > 0, bound, 1.0), 0.0)
    moment = jnp.minimum(cells.start(cell) + inside, cells.start(cell + 1))
    return place.cycle + rounds.astype(place.cycle.dtype), cell, moment, bound


def among(entries: Any, index: Array) -> Array:
    """That of a few entries (lane) which the index of the lane tells."""
    found = entries[0]
    for k in range(1, len(entries)):
        found = jnp.where(index == k, entries[k], found)
    return found


def at(table: Array, index: Array) -> Array:
    """table[…, index of the lane, lane] (…, lane); one that all lanes share has a last axis of 1."""
    shared = table.shape[-1] == 1
    if table.shape[-2] <= (FEWEST if shared else FEW):
        return among([table[..., k, :] for k in range(table.shape[-2])], index)
    if shared:
        return table.at[..., index, 0].get(mode="promise_in_bounds")
    place = jnp.broadcast_to(index, (*table.shape[:-2], 1, LANES))
    return jnp.take_along_axis(table, place, axis=-2)[..., 0, :]


def adds_up(system: System) -> Array:
    """Whether the drives' parts of the energies add up, so that each jump tells the work of each drive."""
    if len(system.drives) < 2:
        return jnp.asarray(True)
    cells = cells_of(system)
    s = jax.vmap(lambda t: system.snapshot(2 * jnp.pi * t))(jnp.concatenate([cells.low, cells.high]))
    whole = s.energies - s.energies[0]
    size = jnp.max(jnp.abs(s.gains)) + jnp.max(jnp.abs(whole))
    return jnp.all(jnp.abs(whole - jnp.sum(s.gains - s.gains[0], axis=1)) <= 1e-12 * size)
