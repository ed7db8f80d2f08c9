"""Stationary states of ordinary networks: plain elimination, and a bound that says where it is enough.

Populations come out of the elimination to a few rounding units each. A net current is then the difference of the two
flows, whose rounding is bounded by ε·(flow one way + flow the other way) with the ε of `_digits`. Where that is small
beside the heats, nothing is gained by `net_currents`, which costs many times as much; elsewhere (near equilibrium,
beside much faster transitions, for rates that leave the range of floats) the point is left undecided.

Arrays have the batch axis last.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from ..dynamics import Outcome, Rates
from ..numerics.blocks import stored, turned
from ..numerics.dense import EPS, positive_or_one
from ..numerics.reduction import formed, halved
from ..numerics.trailing import trailing
from ..solution import Status
from .assembly import glance, members
from .certain import COUNTED, RANGE, known
from .channels import Channel
from .graph import Glance, Graph, matrix, ranked
from .gth import populate
from .kinetics import Kinetics
from .pairs import is_pair, solve_pair
from .stationary import FAR, SMALLEST
from .system import System
from .validity import cautions

NUMBERS = 2**13
"""Numbers of the rate matrices of a block, about, so that they stay in the nearest cache."""


def lanes(states: int) -> int:
    """Points that are best solved together."""
    return min(max(NUMBERS // states**2, 64), 512)


class Taken(NamedTuple):
    """What some of the transitions, at these `places`, take forward: amounts (transition of these, point)."""

    amount: Array
    places: tuple[int, ...]


class Seen(NamedTuple):
    """A batch of networks as plain arithmetic sees it.

    `names` of the baths and then of the reservoirs of work, and for each of them in `parts` its transitions; `counted`:
    which of the baths exchange particles; `batch`: arrays with a leading axis of points, of which `look` makes the
    numbers of one point; `balanced`: whether all rates are known to be as the baths ask.
    """

    names: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...]
    counted: tuple[bool, ...]
    batch: Any
    look: Callable[[Any], Glance]
    balanced: bool = True


def seen_plainly(
    system: System, channels: tuple[Channel, ...], thermal: tuple[str, ...], counted: tuple[bool, ...]
) -> Seen:
    """A batch of undriven networks with these channels and `thermal` baths, some of which exchange particles."""
    arrays, static = eqx.partition(system, eqx.is_array)
    alone = is_pair(system.graph())

    def look(point: Any) -> Glance:
        return glance(eqx.combine(point, static).moment(jnp.zeros(())), alone)

    names = (*thermal, *system.workers())
    laws = [channel.kinetics for channel in channels]
    # What a function returns is not known here.
    balanced = all(isinstance(law, Kinetics) and law.detailed_balance for law in laws)
    return Seen(names, members(channels, names), counted, arrays, look, balanced)


class Eliminated(NamedTuple):
    """What the elimination of a batch finds, the points last.

    The glance `s`; rates `w` (i, j, point) of j → i; `gains` of targets (target, state, point), populations `p` (state,
    point) and `values` of the same targets (see `gth.populate`); `fit` (point): see `in_range`. If visits are asked
    for, two more rows are at the end of `gains`, the rate of leaving each state and 1; of `values`, how many jumps and
    how much time it takes from each state to the first one.
    """

    s: Glance
    w: Array
    gains: Array
    p: Array
    values: Array
    fit: Array


def eliminated(
    g: Graph, seen: Seen, targets: Callable[[Glance], list[Taken]], sure: Array, visits: bool = False
) -> Eliminated:
    """The elimination of a batch of networks with what `targets` are taken along; `sure`: see `stored`."""
    last = turned(seen.batch)

    def rates() -> tuple[Glance, Array, Array]:
        s = trailing(seen.look, last)
        w = matrix(g, s.forward, s.backward, jnp.add, 0.0)
        rows = [gain(g, s, t) for t in targets(s)]
        if visits:
            leave = halved(jnp.add, w)
            rows += [leave, jnp.ones_like(leave)]
        return s, w, jnp.stack(rows) if rows else jnp.zeros((0, *w.shape[1:]))

    s, w, gains = stored(sure, rates)
    p, values = stored(sure, lambda: populate(w, gains, gathered=2 if visits else 0))
    return Eliminated(s, w, gains, p, values, stored(sure, lambda: in_range(g, w, p)))


def booked(seen: Seen, s: Glance) -> list[Taken]:
    """Heats, works, and the particles of baths that have any."""
    particles = [Taken(x, k) for x, k, one in zip(s.particles, seen.parts, seen.counted, strict=False) if one]
    return [*map(Taken, (*s.heats, *s.works), seen.parts), *particles]


def solve_quick(g: Graph, seen: Seen, unique: bool, tolerance: Array) -> Outcome:
    """Stationary states of a batch of undriven networks; `undecided` where another method must find them.

    `unique`: whether transitions connect all states.
    """
    if is_pair(g) and seen.balanced:
        return solve_pair(g, seen.parts, seen.counted, seen.batch, seen.look, unique, tolerance)
    made = eliminated(g, seen, functools.partial(booked, seen), tolerance > 0)
    return booked_outcome(g, seen, made, unique, tolerance)


def booked_outcome(g: Graph, seen: Seen, made: Eliminated, unique: bool, tolerance: Array) -> Outcome:
    """The outcome of an elimination whose first targets are those of `booked`."""
    _, parts, counted, _, _, balanced = seen
    sure = tolerance > 0
    s, p = made.s, made.p
    to, start = g.final.array, g.initial.array
    baths = len(counted)
    values = made.values[: len(parts) + sum(counted)]

    def flows() -> tuple[Array, Array, Array, Array]:
        forward, backward = s.forward * p[start], s.backward * p[to]
        log_p, size = jnp.log(p), _largest(s.exponent)
        digits = _digits(g, size, log_p)
        if s.blur is not None:  # of two rates and of their sum
            digits += 3 * halved(jnp.maximum, s.blur)
        return forward - backward, forward + backward, log_p, digits

    current, gross, log_p, digits = stored(sure, flows)
    # By themselves, because every target needs them and would have them computed again.
    moves = np.flatnonzero(to != start)
    *unsure, inflow = stored(
        sure,
        lambda: (
            *_unsure(g, s, parts[:baths], current, gross, digits, balanced),
            _at_states(g, moves, current, -current),
        ),
    )

    weights = stored(sure, lambda: _weights(g, booked(seen, s), values))

    def sums() -> tuple[Array, Array, Array]:
        wanted = booked(seen, s)
        found, bounds = _weighed(g, wanted, values, weights, current, *unsure)
        if s.blur is not None:
            # What is uncertain about a rate may be its energy, by the same part of a temperature.
            shift = s.blur * halved(jnp.minimum, s.temperature) * jnp.abs(current)
            own = [halved(jnp.add, shift[_slice(t.places)]) for t in wanted[: len(parts)]]
            bounds = [b + more for b, more in zip(bounds, own, strict=False)] + bounds[len(parts) :]
        return jnp.stack(found), jnp.stack(bounds), jnp.stack([_summed(t, current) for t in wanted])

    found, bounds, moved = stored(sure, sums)
    heats, errors, sizes = found[:baths], bounds[:baths], len(parts)

    def checks() -> tuple[Array, Array, Array]:
        # σ once more, from the jump process itself; see `stationary.schnakenberg`.
        other = _dotted(current, s.exponent) + _dotted(inflow, log_p)
        largest = _largest(s.exponent) - halved(jnp.minimum, log_p)
        return (
            other,
            digits * largest * halved(jnp.add, gross),
            _largest(inflow),
        )

    other, other_error, imbalance = stored(sure, checks)
    differ = jnp.abs(other - halved(jnp.add, heats / s.temperature))
    certain = made.fit & (differ <= FAR * (other_error + halved(jnp.add, errors / s.temperature)))
    certain &= known(list(found[:sizes]), list(bounds[:sizes]), tolerance, list(moved[:sizes]))
    if any(counted):
        most = halved(jnp.maximum, moved[sizes:])
        certain &= halved(jnp.maximum, bounds[sizes:]) <= jnp.minimum(tolerance, COUNTED) * most
    return Outcome(
        Rates(heats.T, _among(counted, found[sizes:]).T, found[baths:sizes].T),
        Rates(errors.T, _among(counted, bounds[sizes:]).T, bounds[baths:sizes].T),
        faults={Status.NOT_UNIQUE: jnp.full(certain.shape, not unique)},
        residuals={
            "balance": imbalance / positive_or_one(_largest(current)),
            "entropy": differ / positive_or_one(halved(jnp.add, jnp.abs(heats) / s.temperature)),
        },
        populations=p.T,
        flags=stored(sure, lambda: cautions(g, s)),
        undecided=~certain,
    )


def _among(counted: tuple[bool, ...], rows: Array) -> Array:
    """Rows of the baths that exchange particles among zeros for the others."""
    nothing, found = jnp.zeros(rows.shape[1:]), iter(rows)
    return jnp.stack([next(found) if one else nothing for one in counted])


def gain(g: Graph, s: Glance, target: Taken) -> Array:
    """What a target gains per time in each state (state, point)."""
    k = np.array(target.places, int)
    if not k.size:
        return jnp.zeros((g.states, *s.forward.shape[1:]))
    place = np.concatenate([g.initial.array[k], g.final.array[k]])
    table = ranked(place, np.arange(2 * k.size), g.states, 2 * k.size)
    ahead, back = target.amount * s.forward[_slice(target.places)], target.amount * s.backward[_slice(target.places)]
    signed = jnp.concatenate([ahead, -back, jnp.zeros((1, *ahead.shape[1:]))])
    return functools.reduce(jnp.add, [signed[row] for row in table])


def _unsure(
    g: Graph,
    s: Glance,
    thermal: tuple[tuple[int, ...], ...],
    current: Array,
    gross: Array,
    digits: Array,
    balanced: bool,
) -> tuple[Array, Array]:
    """What a net current is off by (transition, point): by its rates, and by all else.

    A rate is off by the rounding of its formula and of its exponent; a flow by one more product. If rates are
    `balanced`, the one is the other times e^{−x}: J = Fp − Bq is off by a·J + (a − b)·Bq, or b·J + (a − b)·Fp, where a
    and b are what F and B are off by, and a − b is the rounding of x and of a few steps alone. What is left of the
    rounding of populations p is that of p times that of the values, both bounded by their elimination.
    """
    x = exponents(s, thermal)
    by_rates = EPS * (8 + 4 * x)
    if balanced:  # the lesser of the two flows is half of what the net one leaves of both
        by_rates = by_rates * jnp.abs(current) + EPS * (2 + 2 * x) * (gross - jnp.abs(current))
    else:
        by_rates = by_rates * gross
    if s.loss is not None:
        by_rates += s.loss * (jnp.abs(current) if balanced else gross)
    if s.blur is not None:  # of both ways alike
        by_rates += s.blur * jnp.abs(current)
    return by_rates, 2 * EPS * jnp.abs(current) + (EPS * g.states**2 * digits) * gross + SMALLEST


def _weights(g: Graph, targets: list[Taken], values: Array) -> list[Array]:
    """What each transition adds to each target in the long run, beyond what was to be expected (transition, point)."""
    shape = (len(g.initial.array), *values.shape[2:])
    pairs = zip(targets, values, strict=True)
    return [everywhere(t, shape) + v[g.final.array] - v[g.initial.array] for t, v in pairs]


def _weighed(
    g: Graph, targets: list[Taken], values: Array, weights: list[Array], current: Array, by_rates: Array, rest: Array
) -> tuple[list[Array], list[Array]]:
    """Each target's average and a bound of its error (point); the last two are `_unsure`."""
    # The sizes of the three terms of a weight, times the rest: the values' part of it, state by state.
    around = _at_states(g, np.arange(len(rest)), rest, rest)
    found, bounds = [], []
    for t, v, weight in zip(targets, values, weights, strict=True):
        found.append(_dotted(weight, current))
        bound = _sized(weight, by_rates) + _sized(v, around)
        # What a target never takes part in is nothing for certain.
        bounds.append(bound + _summed(t, rest) if t.places else jnp.zeros_like(bound))
    return found, bounds


def exponents(s: Glance, thermal: tuple[tuple[int, ...], ...]) -> Array:
    """The sizes of the terms of each transition's exponent, added up (transition, point)."""
    members = [k for places in thermal for k in places]
    if len(members) == len(set(members)):
        return jnp.abs(s.exponent)
    shape = s.exponent.shape
    parts = [
        everywhere(Taken(jnp.abs(x), k), shape) / t for x, k, t in zip(s.heats, thermal, s.temperature, strict=True)
    ]
    return functools.reduce(jnp.add, parts)


def everywhere(target: Taken, shape: tuple[int, ...]) -> Array:
    """A target's amounts of all transitions (transition, point)."""
    index = np.full(shape[0], len(target.places))
    index[np.array(target.places, int)] = np.arange(len(target.places))
    return jnp.concatenate([target.amount, jnp.zeros((1, *shape[1:]))])[index]


def _summed(target: Taken, flow: Array) -> Array:
    """Σ |amount|·|flow| over a target's transitions (point)."""
    k = target.places
    if not k:
        return jnp.zeros(flow.shape[1:])
    own = flow[_slice(k)]
    return formed(jnp.add, lambda rows: jnp.abs(target.amount[rows]) * jnp.abs(own[rows]), len(k))


def _dotted(x: Array, y: Array) -> Array:
    """Σ x·y over the first axis."""
    return formed(jnp.add, lambda rows: x[rows] * y[rows], len(x))


def _sized(x: Array, y: Array) -> Array:
    """Σ |x|·y over the first axis."""
    return formed(jnp.add, lambda rows: jnp.abs(x[rows]) * y[rows], len(x))


def _largest(x: Array) -> Array:
    """The largest size along the first axis."""
    return formed(jnp.maximum, lambda rows: jnp.abs(x[rows]), len(x))


def _slice(places: tuple[int, ...]) -> Any:
    """Places as a slice if they are one."""
    if places and places == tuple(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places, int)


def _digits(g: Graph, size: Array, log_p: Array) -> Array:
    """Bound of a flow's relative error, per point.

    A rate is off by the rounding of its exponent; the elimination by a few units for each state; a population by the
    exponents on the way to it, which is bounded by how far populations are apart.
    """
    span = -halved(jnp.minimum, log_p)
    return EPS * (8.0 * g.states + len(g.initial.array) + 4 * size + 4 * span)


def in_range(g: Graph, w: Array, p: Array) -> Bool[Array, " point"]:
    """Whether all numbers of the elimination surely keep their digits.

    What it adds up are products of a rate and of probabilities to go on from each of the other states.
    """
    linked = np.zeros((g.states, g.states), bool)
    linked[g.final.array, g.initial.array] = linked[g.initial.array, g.final.array] = True
    np.fill_diagonal(linked, False)
    # What is closed takes no part; what only that would link has no numbers.
    there = jnp.where(linked[..., None] & (w > 0), w, jnp.inf)
    least = halved(jnp.minimum, there)
    share = least / halved(jnp.add, w)
    smallest = halved(jnp.minimum, least) * halved(jnp.multiply, share)
    most = halved(jnp.maximum, halved(jnp.maximum, w))
    return (smallest > RANGE) & (most < 1 / RANGE) & (halved(jnp.minimum, p) > RANGE)


def _at_states(g: Graph, moves: np.ndarray, into: Array, out: Array) -> Float[Array, "state point"]:
    """What these of the transitions add to the states that they lead to, and to those that they come from."""
    edges = into.shape[0]
    place = np.concatenate([g.final.array[moves], g.initial.array[moves]])
    table = ranked(place, np.concatenate([moves, moves + edges]), g.states, 2 * edges)
    both = jnp.concatenate([into, out, jnp.zeros((1, *into.shape[1:]))])
    return functools.reduce(jnp.add, [both[row] for row in table])
