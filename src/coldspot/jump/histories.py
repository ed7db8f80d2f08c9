"""Histories of a jump network, one jump after the other, also with rates that depend on time.

Without a drive a state is left after an exponentially distributed time (D. T. Gillespie, "Exact stochastic simulation
of coupled chemical reactions"). With one, candidates come at a constant rate that is not below the rate at which the
state is left in this cell of the period, and are accepted with the ratio of the two (P. A. W. Lewis and G. S. Shedler,
"Simulation of nonhomogeneous Poisson processes by thinning"). Each candidate is held against that bound, and one whose
rate exceeds it is counted.

Each trajectory has random numbers of its own, which start from a function of (key, trajectory), and all calls have the
same number of lanes: a trajectory does not depend on how many others there are. Arrays have the trajectory axis last.

Where few edges leave all states, one of them is picked by a comparison with each, which processors do for many
trajectories at once; entries of a table would be fetched one by one.
"""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..baths import Bath
from ..numerics.blocks import stored
from ..numerics.lanewise import lanewise, numbers_in
from ..numerics.random_numbers import philox, xoroshiro
from .assembly import members
from .system import System
from .thinning import (
    FEW,
    FEWEST,
    LANES,
    Edges,
    Look,
    Place,
    among,
    at,
    cells_of,
    edges_of,
    following,
    hazard_of,
    look_at,
)

ROUNDING = 1e-12
"""By so much a rate may be above its bound by rounding."""
EVENTS, STARTS = 11, 12
"""Uses of random words, told apart."""
UNIT = 2.0**-52
SHORT = 4000
"""Numbers in a formula of the rates up to which it is compiled number by number, for which time grows fast."""


def words(key: Array, stream: int, lanes: Array) -> tuple[Array, Array]:
    """128 random bits for each lane (lane)."""
    zero = jnp.zeros_like(lanes, dtype=jnp.uint64)
    counter = (lanes.astype(jnp.uint64), zero, zero, zero + np.uint64(stream))
    a, b, c, d = philox(counter, (key[0].astype(jnp.uint64), key[1].astype(jnp.uint64)))
    return a | (b << np.uint64(32)), c | (d << np.uint64(32))


def fraction(word: Array) -> Array:
    """A number in (0, 1) from 64 bits."""
    # One bit more, and the largest would be rounded to 1.
    return ((word >> np.uint64(12)).astype(jnp.float64) + 0.5) * UNIT


# --------------------------------------------------------------------------- one call


class Lanes(NamedTuple):
    """Trajectories on their way (lane): whole periods and the `time` since (in periods; without a drive in time units),

    cell, state; `candidates` and `jumps` so far; `totals`, of each amount (lane) what they took; `exceeded`: candidates
    whose rate was above its bound; `over`: whether it has ended; `random`: the state of each one's random numbers.
    `going` (): true.
    """

    cycle: Array
    time: Array
    cell: Array
    state: Array
    candidates: Array
    jumps: Array
    totals: tuple[Array, ...]
    exceeded: Array
    over: Array
    random: tuple[Array, Array]
    going: Array


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


class Amounts:
    """What histories take from baths and reservoirs of work, and what drives give them.

    Of steady baths energy and particles tell the rest. Rows are the energies, the `particles` of each bath that has
    any, chemical works and entropies of baths that change in time, and what each drive gives.
    """

    def __init__(self, system: System):
        moment = system.moment(jnp.zeros(()))
        kinds = list(zip(moment.names, moment.baths, strict=True))
        baths = [(name, bath) for name, bath in kinds if isinstance(bath, Bath)]
        works = [name for name, bath in kinds if not isinstance(bath, Bath)]
        self.baths, self.drives = len(baths), len(system.drives)
        self.parts = members(moment.channels, [name for name, _ in baths] + works)
        self.counted = [k for k, (_, bath) in enumerate(baths) if bath.exchanges_particles]
        changing = [k for k, steady in enumerate(system.steady_baths()) if not steady]
        self.changing, self.paying = changing, [k for k in changing if k in self.counted]

    def rows(self, look: Look, moved: Any, given: Any) -> tuple[Array, ...]:
        """Each amount (lane), of `moved`(numbers of some transitions, their places) and `given`(numbers of states)."""
        taken = [moved(*pair) for pair in zip(look.taken, self.parts, strict=True)]
        particles = {k: moved(look.particles[k], self.parts[k]) for k in self.counted}
        chemical = [look.potential[k] * particles[k] for k in self.paying]
        entropy = [taken[k] / look.temperature[k] for k in self.changing]
        return (*taken, *particles.values(), *chemical, *entropy, *(given(row) for row in look.gains))

    def sorted(self, rows: tuple[Array, ...], look: Look) -> tuple[Array, ...]:
        """Heats, particles, chemical works and entropies (bath, lane), what drives gave and reservoirs' works."""
        left = iter(rows)
        taken = [next(left) for _ in self.parts]
        zero = jnp.zeros_like(taken[0])
        particles = [next(left) if k in self.counted else zero for k in range(self.baths)]
        chemical = [look.potential[k] * particles[k] for k in range(self.baths)]
        entropy = [taken[k] / look.temperature[k] for k in range(self.baths)]
        for k in self.paying:
            chemical[k] = next(left)
        for k in self.changing:
            entropy[k] = next(left)
        stacks = (taken[: self.baths], particles, chemical, entropy, list(left), taken[self.baths :])
        return tuple(jnp.stack(part) if part else jnp.zeros((0, LANES)) for part in stacks)


def run(system: System, start: Array, stops: Array, time: Array, key: Array, first: Array) -> Histories:
    """`LANES` trajectories of one network from phase 0, where states are drawn from the distribution `start`.

    One ends before `time` when it enters a state that `stops` (state) it; `first` is the number of the first one.
    """
    edges, n, amounts = edges_of(system), system.states, Amounts(system)
    cells = cells_of(system)
    hazard = hazard_of(cells)
    lanes = first + jnp.arange(LANES)
    driven = system.period is not None
    unit = jnp.ones(()) if system.period is None else system.period
    cycles = jnp.floor(time / unit) if driven else jnp.zeros(())
    end = time / unit - cycles
    count = len(edges.start)
    half, few = count // 2, driven and count <= FEW and _short(system)
    # Where nothing changes it is enough to count a few transitions.
    counted = not driven and count <= FEWEST
    arrive = jnp.asarray(np.append(edges.end, 0))[:, None]
    opening = _shared(look_at(system, jnp.zeros(())))
    ending = jnp.asarray(stops)[:, None]
    search = _searched(edges, opening.rates[:, 0])

    def inside(place: Array, cell: Array) -> Array:
        # Where there are pieces, functions are looked at strictly inside.
        place = place if cells.even else jnp.clip(place, cells.low[cell], cells.high[cell])
        return 2 * jnp.pi * place if driven else jnp.zeros(())

    def looked(phase: Array, certain: Array) -> Look:
        if few:
            return lanewise(lambda theta: look_at(system, theta), phase, certain=certain)
        return jax.vmap(lambda theta: look_at(system, theta), out_axes=-1)(phase)

    def late(cycle: Array, time: Array) -> Array:
        return (cycle > cycles) | ((cycle == cycles) & (time >= end))

    def passed(state: Array, rates: Any) -> tuple[Any, Any]:
        """Sums of the rates of edges that leave the state, each with those before it, and which edges these are."""
        if few:
            added = [jnp.where(state == source, rates[k], 0.0) for k, source in enumerate(edges.start)]
            return list(itertools.accumulate(added)), None
        choice = jnp.asarray(edges.leaving)[:, state]
        every = jnp.concatenate([rates, jnp.zeros_like(rates[:1])])
        return jnp.cumsum(jnp.take_along_axis(every, choice, axis=0), axis=0), choice

    def pick(state: Array, rates: Any, two: Array, bound: Array, counts: Array) -> Array:
        """The edge along which the state is left, the number of edges if it is not, or 1 more + edge beyond bounds."""
        if not driven:
            return jnp.where(counts, search(state, two * bound), count)
        added, choice = passed(state, rates)
        total, level = added[-1], two * bound
        rank = sum((a <= level).astype(int) for a in added)
        edge = rank if choice is None else at(choice, jnp.minimum(rank, len(choice) - 1))
        beyond = jnp.where(total > bound * (1 + ROUNDING), count + 1, 0)
        return jnp.where(counts, jnp.where(level < total, edge, count) + beyond, count)

    def forward(lane: Lanes) -> Lanes:
        def drawn() -> tuple[Array, ...]:
            one, random = xoroshiro(lane.random)
            two, random = xoroshiro(random)
            return -jnp.log(fraction(one)), fraction(two), *random

        def ahead() -> tuple[Array, ...]:
            place = Place(lane.cycle, lane.time, lane.cell, lane.state)
            cycle, cell, moment, bound = following(cells, hazard, unit, place, amount, cycles)
            return cycle, cell, moment, bound, inside(moment, cell)

        amount, two, *random = stored(lane.going, drawn)
        if driven:
            cycle, cell, moment, bound, phase = stored(lane.going, ahead)
            look = looked(phase, lane.going)
        else:
            cycle, cell, look = lane.cycle, lane.cell, opening
            bound = at(cells.bound[0][:, None], lane.state)
            moment = lane.time + amount / bound
        counts = ~lane.over & ~late(cycle, moment)
        code = stored(lane.going, lambda: pick(lane.state, look.rates, two, bound, counts))
        edge = jnp.where(code > count, code - (count + 1), code)
        jumps = edge < count
        new = at(arrive, edge)
        new = jnp.where(jumps, new, lane.state)
        if few or counted:
            made = [_sign(edge, k, half) for k in range(half)]
            more = amounts.rows(look, _moved(made), _given(lane.state, new)) if driven else tuple(made)
        else:
            more = amounts.rows(look, _fetched(edge, half), _given(lane.state, new))
        return Lanes(
            cycle=jnp.where(lane.over, lane.cycle, cycle),
            time=jnp.where(lane.over, lane.time, moment),
            cell=jnp.where(lane.over, lane.cell, cell),
            state=new,
            candidates=lane.candidates + counts,
            jumps=lane.jumps + jumps,
            totals=tuple(old + x for old, x in zip(lane.totals, more, strict=True)),
            exceeded=lane.exceeded + (code > count),
            over=lane.over | late(cycle, moment) | at(ending, new),
            random=(random[0], random[1]),
            going=lane.going,
        )

    none = jnp.zeros(LANES, int)
    chosen = fraction(words(key, STARTS, lanes)[0]) * jnp.sum(start)
    state = jnp.minimum(jnp.sum(jnp.cumsum(start)[:, None] <= chosen, axis=0), n - 1)
    over = late(none, jnp.zeros(LANES)) | stops[state]
    begin = Lanes(none, jnp.zeros(LANES), none, state, none, none, (), none, over, words(key, EVENTS, lanes), time > 0)
    rows = half if counted else len(jax.eval_shape(lambda: amounts.rows(opening, lambda *x: x[0], lambda x: x)))
    begin = begin._replace(totals=(jnp.zeros(LANES),) * rows)
    out = jax.lax.while_loop(lambda lane: ~jnp.all(lane.over), forward, begin)

    totals = out.totals
    if counted:
        totals = amounts.rows(opening, _moved(list(totals)), _given(state, out.state))
    heats, particles, chemical, entropies, given, reservoirs = amounts.sorted(totals, opening)
    first_, stopped = system.snapshot(inside(jnp.zeros(()), jnp.asarray(0))), stops[out.state]
    if driven:
        # Those that have been stopped end at moments of their own.
        last = jnp.sum(cells.border[1:-1] <= end)
        place = inside(jnp.where(stopped, out.time, end), jnp.where(stopped, out.cell, last))
        closing = jax.vmap(system.snapshot, out_axes=-1)(place)
        gains, energies = closing.gains, closing.energies
    else:
        gains, energies = first_.gains[..., None], first_.energies[..., None]
    levels = at(gains, out.state) - first_.gains[:, state]
    rise = at(energies, out.state) - first_.energies[state]
    durations = jnp.where(stopped, (out.cycle + out.time) * unit, time)
    works = jnp.concatenate([given + levels, reservoirs])
    counts = (out.candidates, out.jumps, out.exceeded)
    return Histories(state, out.state, heats, particles, chemical, entropies, works, rise, durations, *counts)


def _short(system: System) -> bool:
    return numbers_in(lambda theta: look_at(system, theta), jnp.zeros(())) <= SHORT


def _searched(edges: Edges, rates: Array) -> Any:
    """Of rates that do not change: which edge a state is left along, where rates that are passed reach a level."""
    choices = edges.leaving.shape[0]
    every = jnp.concatenate([rates, jnp.zeros(1)])[edges.leaving]
    sums = jnp.cumsum(every, axis=0).T.ravel()
    table = jnp.asarray(edges.leaving.T.ravel())

    def of(state: Array, level: Array) -> Array:
        place = state * choices
        first = place
        for power in range((choices - 1).bit_length())[::-1]:
            later = jnp.minimum(place + 2**power, first + choices - 1)
            place = jnp.where(at(sums[:, None], later - 1) <= level, later, place)
        return at(table[:, None], place)

    return of


def _shared(look: Look) -> Look:
    """Numbers that all lanes share, with a last axis of 1."""
    return jax.tree.map(lambda x: x[..., None], look)


def _sign(edge: Array, transition: int, half: int) -> Array:
    """1 for a transition that is made, −1 for one that is made backwards (lane)."""
    return jnp.where(edge == transition, 1.0, jnp.where(edge == transition + half, -1.0, 0.0))


def _moved(ways: list[Array]) -> Any:
    """How numbers (transition, lane) of some transitions at `places` add up, of what was made of each transition."""

    def of(numbers: Any, places: tuple[int, ...]) -> Array:
        return sum((ways[t] * numbers[k] for k, t in enumerate(places)), jnp.zeros(LANES))

    return of


def _fetched(edge: Array, half: int) -> Any:
    """The same of the transition along an edge, from tables."""
    sign = jnp.where(edge < half, 1.0, jnp.where(edge < 2 * half, -1.0, 0.0))

    def of(numbers: Any, places: tuple[int, ...]) -> Array:
        where = np.full(half, len(places))
        where[list(places)] = np.arange(len(places))
        padded = jnp.concatenate([numbers, jnp.zeros_like(numbers[:1])])
        if numbers.shape[-1] == 1:
            one_way = padded[where]
            return at(jnp.concatenate([one_way, -one_way, padded[-1:]]), edge)
        return sign * at(padded, jnp.asarray(where)[edge % half])

    return of


def _given(old: Array, new: Array) -> Any:
    def of(numbers: Any) -> Array:
        fetch = at if numbers.ndim == 2 else among
        return fetch(numbers, old) - fetch(numbers, new)

    return of
