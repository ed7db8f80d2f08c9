"""Histories of a jump network, one jump after the other, also with rates that depend on time.

Without a drive a state is left after an exponentially distributed time (D. T. Gillespie, "Exact stochastic simulation
of coupled chemical reactions"). With one, candidates come at a constant rate that is not below the rate at which the
state is left in this cell of the period, and are accepted with the ratio of the two (P. A. W. Lewis and G. S. Shedler,
"Simulation of nonhomogeneous Poisson processes by thinning"). The bound comes from Chebyshev coefficients of the rates
in the cell; each candidate is held against it, and one whose rate exceeds it is counted.

Random numbers are a function of (key, trajectory, candidate), and all calls have the same number of lanes: a trajectory
does not depend on how many others there are. Arrays have the trajectory axis last.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.random_numbers import philox
from .graph import Snapshot, ranked
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
EVENTS, STARTS = 11, 12
"""Uses of random numbers, told apart."""
UNIT = 2.0**-53
ROUNDING = 1e-12
"""By so much a rate may be above its bound by rounding."""


class Cells(NamedTuple):
    """Cells of the period, in periods: `border` (cell + 1), and where to look in each: `low`, `high` (cell).

    `bound` (cell, state): rates that leaving a state does not exceed.
    """

    border: Array
    low: Array
    high: Array
    bound: Array


def uniform(key: Array, stream: int, lanes: Array, step: Array) -> tuple[Array, Array]:
    """Two numbers in (0, 1) for each lane and step (lane)."""
    zero = jnp.zeros_like(lanes, dtype=jnp.uint64)
    counter = (lanes.astype(jnp.uint64), step.astype(jnp.uint64), zero, zero + np.uint64(stream))
    a, b, c, d = philox(counter, (key[0].astype(jnp.uint64), key[1].astype(jnp.uint64)))
    words = jnp.stack([a | (b << np.uint64(32)), c | (d << np.uint64(32))]) >> np.uint64(11)
    found = (words.astype(jnp.float64) + 0.5) * UNIT
    return found[0], found[1]


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


def rates_of(s: Snapshot) -> Array:
    """Rates of the directed edges (edge)."""
    return jnp.exp(jnp.concatenate([s.log_forward, s.log_backward]))


# --------------------------------------------------------------------------- cells of the period


def cells_of(system: System) -> Cells:
    """The cells of one network's period, with bounds; one without end if nothing is driven."""
    start = edges_of(system).start

    def leaving(phase: Array) -> Array:
        return jnp.zeros(system.states).at[start].add(rates_of(system.snapshot(phase)))

    if system.period is None:
        bound = leaving(jnp.zeros(()))
        return Cells(jnp.array([0.0, jnp.inf]), jnp.zeros(1), jnp.zeros(1), bound[None])
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
    return Cells(border, low, high, jnp.sum(sizes, axis=1) + TAIL * jnp.sum(sizes[:, -2:], axis=1))


def _pieces(system: System) -> Pieces | None:
    found = pieces_of(jax.tree.map(lambda x: x[None] if eqx.is_array(x) else x, system))
    return None if found is None else jax.tree.map(lambda x: x[..., 0], found)


# --------------------------------------------------------------------------- one call


class Lanes(NamedTuple):
    """Trajectories on their way (lane): whole periods and the `time` since (in periods; without a drive in time units),

    cell, state; `steps` (the last one leads beyond the end), `candidates` and `jumps` so far; `totals` (row, lane) of
    what they took; `exceeded`: candidates whose rate was above its bound.
    """

    cycle: Array
    time: Array
    cell: Array
    state: Array
    steps: Array
    candidates: Array
    jumps: Array
    totals: Array
    exceeded: Array


class Histories(NamedTuple):
    """All (…, lane): the first and the last state, `heats`, `particles`, `chemical_works`, `entropies` (bath),

    `works` (drive and reservoir), change of energy, `durations`, candidates, jumps, and exceeded bounds.
    """

    start: Array
    end: Array
    heats: Array
    particles: Array
    chemical_works: Array
    entropies: Array
    works: Array
    storage: Array
    durations: Array
    candidates: Array
    jumps: Array
    exceeded: Array


def _hazard(cells: Cells) -> Array:
    """The integral of the bounds, up to each border (cell + 1, state), for a period of 1."""
    each = cells.bound * jnp.diff(cells.border)[:, None]
    return jnp.concatenate([jnp.zeros_like(each[:1]), jnp.cumsum(each, axis=0)])


def _next(
    cells: Cells, hazard: Array, unit: Array, lane: Lanes, amount: Array, cycles: Array
) -> tuple[Array, Array, Array]:
    """Cycle, cell and time of the next candidate, where the integral of the bound has grown by `amount`.

    From one candidate to the next at once, over however many cells: most of these see none.
    """
    amount = amount / unit
    level = hazard[lane.cell, lane.state] + amount
    level = level + cells.bound[lane.cell, lane.state] * (lane.time - cells.border[lane.cell])
    total = hazard[-1, lane.state]
    # What nothing leaves stays until the end.
    rounds = jnp.where(total > 0, jnp.floor(level / jnp.where(total > 0, total, 1.0)), jnp.inf)
    rounds = jnp.minimum(rounds, cycles + 1)
    left = jnp.clip(level - rounds * total, 0.0, total)
    count = len(cells.bound)
    cell = jnp.zeros_like(lane.cell)
    for power in range((count - 1).bit_length())[::-1]:
        later = cell + 2**power
        there = (later < count) & (hazard[jnp.minimum(later, count - 1), lane.state] <= left)
        cell = jnp.where(there, later, cell)
    bound = cells.bound[cell, lane.state]
    inside = jnp.where(bound > 0, (left - hazard[cell, lane.state]) / jnp.where(bound > 0, bound, 1.0), 0.0)
    moment = jnp.minimum(cells.border[cell] + inside, cells.border[cell + 1])
    return lane.cycle + rounds.astype(lane.cycle.dtype), cell, moment


def run(system: System, start: Array, stops: Array, time: Array, key: Array, first: Array) -> Histories:
    """`LANES` trajectories of one network from phase 0, where states are drawn from the distribution `start`.

    One ends before `time` when it enters a state that `stops` (state) it; `first` is the number of the first one.
    """
    edges, n = edges_of(system), system.states
    cells = cells_of(system)
    hazard = _hazard(cells)
    lanes = first + jnp.arange(LANES)
    driven = system.period is not None
    unit = jnp.ones(()) if system.period is None else system.period
    cycles = jnp.floor(time / unit) if driven else jnp.zeros(())
    end = time / unit - cycles
    count = len(edges.start)
    half = count // 2
    sign = jnp.asarray(np.where(np.arange(count) < half, 1.0, -1.0))
    leaving, target = jnp.asarray(edges.leaving), jnp.asarray(np.concatenate([edges.end, [0]]))

    def snapshot(place: Array, cell: Array) -> Snapshot:
        inside = jnp.clip(place, cells.low[cell], cells.high[cell])
        return system.snapshot(2 * jnp.pi * inside if driven else jnp.zeros(()))

    def look(place: Array, cell: Array) -> tuple[Array, Array, Array]:
        """Rates (edge), amounts (row, transition) and what drives have given the states (drive, state)."""
        s = snapshot(place, cell)
        chemical, entropy = s.potential[:, None] * s.particles, s.heat / s.temperature[:, None]
        return rates_of(s), jnp.concatenate([s.heat, s.particles, chemical, entropy, s.work]), s.gains

    def looked(place: Array, cell: Array) -> tuple[Array, Array, Array]:
        if driven:
            return jax.vmap(look, out_axes=-1)(place, cell)
        return jax.tree.map(lambda x: x[..., None], look(jnp.zeros(()), jnp.asarray(0)))

    def at(table: Array, index: Array) -> Array:
        """table[…, index of the lane, lane] (…, lane); one that all lanes share has a last axis of 1."""
        if table.shape[-1] == 1:
            return table[..., index, 0]
        wide = jnp.broadcast_to(table, (*table.shape[:-1], LANES))
        place = jnp.broadcast_to(index, (*table.shape[:-2], 1, LANES))
        return jnp.take_along_axis(wide, place, axis=-2)[..., 0, :]

    def late(cycle: Array, time: Array) -> Array:
        return (cycle > cycles) | ((cycle == cycles) & (time >= end))

    def over(lane: Lanes) -> Array:
        return late(lane.cycle, lane.time) | stops[lane.state]

    def forward(lane: Lanes) -> Lanes:
        one, two = uniform(key, EVENTS, lanes, lane.steps)
        if driven:
            cycle, cell, moment = _next(cells, hazard, unit, lane, -jnp.log(one), cycles)
        else:
            cycle, cell = lane.cycle, lane.cell
            moment = lane.time - jnp.log(one) / cells.bound[0, lane.state]
        inside = ~late(cycle, moment)
        bound = cells.bound[cell, lane.state]
        rates, rows, gains = looked(moment, cell)
        # The edges that leave this state, one of which the random number falls upon, or none.
        choice = leaving[:, lane.state]
        every = jnp.concatenate([rates, jnp.zeros_like(rates[:1])])
        ways = jnp.take_along_axis(every, choice, axis=0) if driven else every[choice, 0]
        added = jnp.cumsum(ways, axis=0)
        total = added[-1]
        level = two * (bound if driven else total)
        accepted = inside & (level < total)
        rank = jnp.minimum(jnp.sum(added <= level, axis=0), choice.shape[0] - 1)
        edge = jnp.where(accepted, at(choice, rank), count)
        new = jnp.where(accepted, target[edge], lane.state)
        known = jnp.minimum(edge, count - 1)
        taken = at(rows, known % half) * jnp.where(accepted, sign[known], 0.0)
        given = at(gains, lane.state) - at(gains, new)
        stepped = Lanes(
            cycle=cycle,
            time=moment,
            cell=cell,
            state=new,
            steps=lane.steps + 1,
            candidates=lane.candidates + inside,
            jumps=lane.jumps + accepted,
            totals=lane.totals + jnp.concatenate([taken, given]),
            exceeded=lane.exceeded + (inside & (total > bound * (1 + ROUNDING))),
        )
        done = over(lane)
        return jax.tree.map(lambda old, new: jnp.where(done, old, new), lane, stepped)

    none = jnp.zeros(LANES, int)
    chosen = uniform(key, STARTS, lanes, none)[0] * jnp.sum(start)
    state = jnp.minimum(jnp.sum(jnp.cumsum(start)[:, None] <= chosen, axis=0), n - 1)
    rows, drives = (x.shape[0] for x in jax.eval_shape(look, end, jnp.asarray(0))[1:])
    totals = jnp.zeros((rows + drives, LANES))
    begin = Lanes(none, jnp.zeros(LANES), none, state, none, none, none, totals, none)
    out = jax.lax.while_loop(lambda lane: ~jnp.all(over(lane)), forward, begin)

    opening = snapshot(jnp.zeros(()), jnp.asarray(0))
    stopped = stops[out.state]
    if driven:
        # Those that have been stopped end at moments of their own.
        last = jnp.sum(cells.border[1:-1] <= end)
        place = jnp.where(stopped, out.time, end), jnp.where(stopped, out.cell, last)
        closing = jax.vmap(snapshot, out_axes=-1)(*place)
    else:
        closing = jax.tree.map(lambda x: x[..., None], opening)
    gains, energies = (at(x, out.state) for x in (closing.gains, closing.energies))
    levels = gains - opening.gains[:, state]
    stored = energies - opening.energies[state]
    durations = jnp.where(stopped, (out.cycle + out.time) * unit, time)
    b = len(system.steady_baths())
    heats, particles, chemical, entropies, reservoirs, given = jnp.split(out.totals, [b, 2 * b, 3 * b, 4 * b, rows])
    works = jnp.concatenate([given + levels, reservoirs])
    counts = (out.candidates, out.jumps, out.exceeded)
    return Histories(state, out.state, heats, particles, chemical, entropies, works, stored, durations, *counts)


def adds_up(system: System) -> Array:
    """Whether the drives' parts of the energies add up, so that each jump tells the work of each drive."""
    if len(system.drives) < 2:
        return jnp.asarray(True)
    cells = cells_of(system)
    s = jax.vmap(lambda t: system.snapshot(2 * jnp.pi * t))(jnp.concatenate([cells.low, cells.high]))
    whole = s.energies - s.energies[0]
    size = jnp.max(jnp.abs(s.gains)) + jnp.max(jnp.abs(whole))
    return jnp.all(jnp.abs(whole - jnp.sum(s.gains - s.gains[0], axis=1)) <= 1e-12 * size)
