"""Stationary states of two states with a few transitions between them, in closed form, and a bound that says where it

is enough.

What two of the transitions k, j make go around is (F_k B_j − F_j B_k)/Σ(F + B) with the rates one way and back, and no
flows are subtracted if that is written with the difference of ln B/F. All that is left of rounding is that of the
rates, which changes a current by its own part, and that of this difference: of rates that are as their baths ask, it is
that of two affinities, which come from differences of the baths' parameters.

Every number of a transition is an array of points by itself: compilers then make one loop of what follows from it.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool

from ..dynamics import Outcome, Rates
from ..numerics.blocks import stored
from ..numerics.dense import EPS, positive_or_one
from ..solution import Status
from .certain import COUNTED, RANGE, SIGNED, known
from .graph import Glance, Graph
from .stationary import FAR, SMALLEST
from .validity import cautions

FEW = 4
"""Transitions between two states of which all pairs are formed."""

Points = Array
"""A number of each point."""


def is_pair(g: Graph) -> bool:
    """Whether two states with a few transitions between them are all there is."""
    return g.states == 2 and len(g.initial.array) <= FEW and not np.any(g.initial.array == g.final.array)


class _Seen(NamedTuple):
    """What is computed once of each point: of the network, and of its state.

    `amounts`: for each heat, work and number of particles that is to be known, what each of its transitions takes;
    `currents`: net flows, and what they may be `off` by, of each transition; `entropy`: the production of the jump
    process itself, see `stationary.schnakenberg`, and what it may be off by.
    """

    amounts: tuple[tuple[Points, ...], ...]
    temperatures: tuple[Points, ...]
    currents: tuple[Points, ...]
    off: tuple[Points, ...]
    populations: tuple[Points, Points]
    entropy: tuple[Points, Points]
    blur: tuple[Points, ...]
    in_range: Points
    flags: dict[str, Array]


def solve_pair(
    g: Graph,
    parts: tuple[tuple[int, ...], ...],
    counted: tuple[bool, ...],
    batch: Any,
    look: Callable[[Any], Glance],
    unique: bool,
    tolerance: Array,
) -> Outcome:
    """Stationary states of a batch of such networks, as `quick.solve_quick` finds those of larger ones."""
    baths = len(counted)
    places = (*parts, *itertools.compress(parts, counted))

    def see(point: Any) -> _Seen:
        s = look(point)
        amounts = (*s.heats, *s.works, *itertools.compress(s.particles, counted))
        return _seen(g, s, parts[:baths], tuple(map(_rows, amounts)))

    s = stored(tolerance > 0, lambda: jax.vmap(see)(batch))
    (other, other_error), (nothing, *_) = s.entropy, s.currents
    found, bounds, moved = [], [], jnp.zeros_like(nothing)
    for index, (amount, own) in enumerate(zip(s.amounts, places, strict=True)):
        found.append(_total([a * s.currents[k] for a, k in zip(amount, own, strict=True)], nothing))
        bound = _total([jnp.abs(a) * s.off[k] for a, k in zip(amount, own, strict=True)], nothing)
        if s.blur and index < len(parts):
            # What is uncertain about a rate may be its energy, by the same part of a temperature.
            coldest = functools.reduce(jnp.minimum, s.temperatures)
            bound += _total([s.blur[k] * coldest * jnp.abs(s.currents[k]) for k in own], nothing)
        bounds.append(bound + SMALLEST)
        if index >= len(parts):
            crossing = [jnp.abs(a * s.currents[k]) for a, k in zip(amount, own, strict=True)]
            moved = jnp.maximum(moved, _total(crossing, nothing))
    flows = [q / t for q, t in zip(found[:baths], s.temperatures, strict=True)]
    flow_errors = [q / t for q, t in zip(bounds[:baths], s.temperatures, strict=True)]
    differ = jnp.abs(other - _total(flows, nothing))
    certain = s.in_range & (differ <= FAR * (other_error + _total(flow_errors, nothing)))
    # All that is left is the rounding of affinities and of rates, which no other way is without.
    certain &= known(found[: len(parts)], bounds[: len(parts)], tolerance, most=SIGNED)
    if any(counted):
        certain &= _most(bounds[len(parts) :]) <= jnp.minimum(tolerance, COUNTED) * moved
    ahead = g.initial.array == 0
    inflow = _total([j if one else -j for j, one in zip(s.currents, ahead, strict=True)], nothing)
    return Outcome(
        _rates(found, baths, len(parts), counted),
        _rates(bounds, baths, len(parts), counted),
        faults={Status.NOT_UNIQUE: jnp.full(certain.shape, not unique)},
        residuals={
            "balance": jnp.abs(inflow) / positive_or_one(_most([jnp.abs(j) for j in s.currents])),
            "entropy": differ / positive_or_one(_total([jnp.abs(q) for q in flows], nothing)),
        },
        populations=jnp.stack(s.populations).T,
        flags=s.flags,
        undecided=~certain,
    )


def _seen(g: Graph, s: Glance, thermal: tuple[tuple[int, ...], ...], amounts: tuple[tuple[Points, ...], ...]) -> _Seen:
    """The closed form, of one point; `thermal`: the transitions of each bath."""
    ahead = (g.initial.array == 0).tolist()
    forward, backward, exponents = _rows(s.forward), _rows(s.backward), _rows(s.exponent)
    assert s.deviation is not None
    assert s.deviation_size is not None
    away, doubt = _rows(s.deviation), _rows(s.deviation_size)
    ways = [(f, b, x) if one else (b, f, -x) for f, b, x, one in zip(forward, backward, away, ahead, strict=True)]
    out, back, drive = zip(*ways, strict=True)
    up, down = functools.reduce(jnp.add, out), functools.reduce(jnp.add, back)
    total = up + down
    populations = down / total, up / total
    sizes = _sizes(exponents, amounts, thermal, _rows(s.temperature))
    # The rounding of two rates and of their sum, of exponents, and of the steps of the formula.
    size = _most(sizes)
    digits = EPS * (16.0 + len(ahead) + 6 * size)
    if s.loss is not None:
        digits += 3 * _most(_rows(s.loss))
    currents, off = ([jnp.zeros_like(total) for _ in ahead] for _ in range(2))
    for k, j in itertools.combinations(range(len(ahead)), 2):
        apart = drive[k] - drive[j]
        # Divided first, so that products stay in range.
        larger = jnp.where(apart > 0, out[k] / total * back[j], out[j] / total * back[k])
        around = jnp.sign(apart) * larger * -jnp.expm1(-jnp.abs(apart))
        currents[k], currents[j] = currents[k] + around, currents[j] - around
        # An affinity is off by the rounding of each difference, product and quotient, and of their sum.
        slip = digits * jnp.abs(around) + 4 * EPS * larger * (doubt[k] + doubt[j])
        off[k], off[j] = off[k] + slip, off[j] + slip
    start = [populations[0 if one else 1] for one in ahead]
    end = [populations[1 if one else 0] for one in ahead]
    gross = [f * p + b * q for f, b, p, q in zip(forward, backward, start, end, strict=True)]
    blur = () if s.blur is None else _rows(s.blur)
    if blur:
        digits += 3 * _most(blur)
        off = [a + 3 * _most(blur) * b for a, b in zip(off, gross, strict=True)]
    flows = [c if one else -c for c, one in zip(currents, ahead, strict=True)]
    return _Seen(
        amounts,
        _rows(s.temperature),
        tuple(flows),
        tuple(off),
        populations,
        (_total([j * x for j, x in zip(flows, exponents, strict=True)], total), digits * size * _total(gross, total)),
        blur,
        _in_range(up, down, populations),
        cautions(g, s),
    )


def _sizes(
    exponents: tuple[Points, ...],
    heats: tuple[tuple[Points, ...], ...],
    thermal: tuple[tuple[int, ...], ...],
    temperatures: tuple[Points, ...],
) -> list[Points]:
    """The sizes of the terms of each transition's exponent, added up: one for each bath that takes part."""
    terms: list[list[Points]] = [[] for _ in exponents]
    for own, places, temperature in zip(heats, thermal, temperatures, strict=False):
        for heat, k in zip(own, places, strict=True):
            terms[k].append(jnp.abs(heat / temperature))
    pairs = zip(exponents, terms, strict=True)
    return [_total(several, x) if len(several) > 1 else jnp.abs(x) for x, several in pairs]


def _in_range(up: Points, down: Points, populations: Sequence[Points]) -> Bool[Array, ""]:
    """Whether all numbers of the closed form surely keep their digits."""
    least, most = jnp.minimum(up, down), jnp.maximum(up, down)
    return (least * (least / most) > RANGE) & (most < 1 / RANGE) & (jnp.minimum(*populations) > RANGE)


def _rows(x: Array) -> tuple[Points, ...]:
    """The entries of an array, each by itself."""
    return tuple(jax.lax.index_in_dim(x, k, 0, keepdims=False) for k in range(x.shape[0]))


def _total(terms: Sequence[Points], like: Points) -> Points:
    return functools.reduce(jnp.add, terms) if terms else jnp.zeros_like(like)


def _most(terms: Sequence[Points]) -> Points:
    return functools.reduce(jnp.maximum, terms)


def _rates(entries: list[Points], baths: int, parts: int, counted: tuple[bool, ...]) -> Rates:
    """Of heats, works, and the particles of baths that exchange any: the rates, points first."""
    particles, nothing = iter(entries[parts:]), jnp.zeros_like(entries[0])
    works = entries[baths:parts]
    return Rates(
        jnp.stack(entries[:baths]).T,
        jnp.stack([next(particles) if one else nothing for one in counted]).T,
        jnp.stack(works).T if works else jnp.zeros((*nothing.shape, 0)),
    )
