"""Covariances of ordinary networks: plain elimination, and a bound that says where it is enough.

With the values v of `populate`, what a jump e: j → i adds to a counted amount beyond what was to be expected is

    y_e = a_e + v_i − v_j,      Σ_{e from j} w_e y_e = J      for every state j,

so that covariances are Σ_e F_e y_e y'_e with the stationary flows F_e: a sum of squares for each variance. The squares
of what is off about y add up in the same way. If Σ_{e from j} w_e y_e misses J by at most ρ_j, all included that is
uncertain about the rates w, v is off by some δ with Σ_{e from j} w_e (δ_i − δ_j) = r_j − Σ_i p_i r_i, |r| ≤ ρ; with
ρ ≤ R h for the rates h of leaving the states, which are gathered to N on the way to state 0, in the time T,

    |δ_j| ≤ R (N_j + h̄ T_j),      Σ_e F_e (δ_i − δ_j)² = −2 Σ_j p_j δ_j (r_j − r̄) ≤ 2R Σ_j p_j (N_j + h̄ T_j)(ρ_j + ρ̄),

h̄ = Σ_j p_j h_j and ρ̄ = Σ_j p_j ρ_j. By the inequality of Schwarz the root of this, times that of the other's variance,
is an error of a covariance. Where it is not small beside the terms that a covariance is a sum of, the point is left
undecided.

Arrays have the batch axis last.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ..counted import Counted, Target
from ..dynamics import Outcome
from ..numerics.blocks import stored, turned
from ..numerics.dense import EPS
from ..numerics.reduction import halved
from .graph import Glance, Graph, ranked
from .quick import Eliminated, Seen, Taken, booked, booked_outcome, eliminated, everywhere, exponents

SURE = 1e-10
"""Largest error of a covariance, in units of the terms that it is a sum of, with which a point is decided."""


def attempt_covariances(g: Graph, seen: Seen, targets: tuple[Target, ...], tolerance: Array) -> Counted:
    """Covariances of a batch of undriven networks, all states of which are connected, and of ordinary rates."""
    made = eliminated(g, seen, lambda s: [_taken(s, seen, target) for target in targets], tolerance > 0, visits=True)
    return _covariances(g, seen, targets, tolerance, made, made.gains[:-2], made.values[:-2])


def attempt_counted(
    g: Graph, seen: Seen, lists: tuple[tuple[Target, ...], ...], tolerance: Array
) -> tuple[Outcome, tuple[Counted, ...]]:
    """Stationary states as by `solve_quick`, and the covariances of each list of targets, by one elimination."""
    made = eliminated(g, seen, functools.partial(booked, seen), tolerance > 0, visits=True)
    # Where the ledger has a target's amounts; particles of baths that exchange none are nothing.
    heats, sizes = len(seen.counted), len(seen.parts)
    row = {Target("heat" if k < heats else "work", name): k for k, name in enumerate(seen.names)}
    row |= {
        Target("particles", name): sizes + k
        for k, name in enumerate(name for name, one in zip(seen.names, seen.counted, strict=False) if one)
    }

    def rows(x: Array, target: Target) -> Array:
        if target.quantity == "entropy":
            place = seen.names.index(target.of)
            return x[place] / made.s.temperature[place]
        return x[row[target]] if target in row else jnp.zeros_like(x[0])

    state = booked_outcome(g, seen, made, True, tolerance)
    found = []
    for targets in lists:
        gains, values = (jnp.stack([rows(x, target) for target in targets]) for x in (made.gains, made.values))
        found.append(_covariances(g, seen, targets, tolerance, made, gains, values))
    return state, tuple(found)


def _covariances(
    g: Graph, seen: Seen, targets: tuple[Target, ...], tolerance: Array, made: Eliminated, gains: Array, v: Array
) -> Counted:
    """The covariances of targets from their own `gains` and values `v` (target, state, point) of an elimination."""
    parts, sure = seen.parts, tolerance > 0
    to, start = g.final.array, g.initial.array
    s, p, leave, ways, times = made.s, made.p, made.gains[-2], made.values[-2], made.values[-1]
    amounts = stored(
        sure, lambda: jnp.stack([everywhere(_taken(s, seen, target), s.forward.shape) for target in targets])
    )

    def jumps() -> tuple[Array, Array]:
        sizes = jnp.abs(amounts) + jnp.abs(v[:, to]) + jnp.abs(v[:, start])
        rounding = (4 * EPS) * sizes
        if s.blur is not None:
            # What is uncertain about a rate may be its energy, by the same part of a temperature.
            shift = s.blur * halved(jnp.minimum, s.temperature)
            rounding += jnp.stack([_shifted(shift, s, seen, target) for target in targets])
        return amounts + v[:, to] - v[:, start], rounding

    y, rounding = stored(sure, jumps)

    def uncertain() -> Array:
        # What a rate is off by: the rounding of its formula and of its exponent, and what its model says.
        own = EPS * (8 + 4 * exponents(s, parts[: len(s.temperature)]))
        return functools.reduce(jnp.add, (more for more in (s.blur, s.loss) if more is not None), own)

    blur = stored(sure, uncertain)
    gross = s.forward * p[start] + s.backward * p[to]

    def missing() -> Array:
        means = [halved(jnp.add, p * gains[k]) for k in range(len(targets))]
        return jnp.stack([_missed(g, s, y[k], rounding[k], blur, mean) for k, mean in enumerate(means)])

    # By themselves, because they are asked for three times.
    missed = stored(sure, missing)

    def spread() -> Array:
        mean = halved(jnp.add, p * leave)
        stay = 2 * p * (ways + mean * times)
        found = []
        for k in range(len(targets)):
            reach = halved(jnp.add, stay * (missed[k] + halved(jnp.add, p * missed[k])))
            ratio = halved(jnp.maximum, missed[k] / leave)
            found.append(jnp.sqrt(ratio * reach) + jnp.sqrt(halved(jnp.add, gross * rounding[k] ** 2)))
        return jnp.stack(found)

    off = stored(sure, spread)

    def sums() -> tuple[Array, Array, Array]:
        # Populations are quotients of sums of products of n − 1 rates; each step of n rounds about log n times.
        digits = 2 * g.states * halved(jnp.maximum, blur) + EPS * (8 * g.states**2 + len(to))
        variance = [halved(jnp.add, gross * y[k] ** 2) for k in range(len(targets))]
        root = [jnp.sqrt(x) for x in variance]
        table: dict[tuple[int, int], tuple[Array, Array, Array]] = {}
        for a in range(len(targets)):
            for b in range(a, len(targets)):
                terms = gross * y[a] * y[b]
                size = variance[a] if a == b else halved(jnp.add, jnp.abs(terms))
                error = root[a] * off[b] + root[b] * off[a] + off[a] * off[b] + digits * size
                value = variance[a] if a == b else halved(jnp.add, terms)
                table[a, b] = table[b, a] = value, error, size
        n = range(len(targets))
        rows = (jnp.stack([jnp.stack([table[a, b][part] for b in n]) for a in n]) for part in range(3))
        return next(rows), next(rows), next(rows)

    found, errors, sizes = stored(sure, sums)
    small = jnp.all(errors <= jnp.minimum(tolerance, SURE) * sizes, axis=(0, 1))
    return Counted(*turned((found, errors, sizes), -1, 0), undecided=~(small & made.fit))


def _taken(s: Glance, seen: Seen, target: Target) -> Taken:
    """What the transitions take of a target."""
    place, baths = seen.names.index(target.of), len(s.heats)
    if target.quantity == "work":
        return Taken(s.works[place - baths], seen.parts[place])
    if target.quantity == "particles":
        return Taken(s.particles[place], seen.parts[place])
    heat = s.heats[place]
    return Taken(heat / s.temperature[place] if target.quantity == "entropy" else heat, seen.parts[place])


def _shifted(shift: Array, s: Glance, seen: Seen, target: Target) -> Array:
    """By how much a target's amounts (transition, point) change where energies do, by so much of each transition."""
    place = seen.names.index(target.of)
    if target.quantity == "particles":
        return jnp.zeros_like(shift)
    more = shift / s.temperature[place] if target.quantity == "entropy" else shift
    places = np.array(seen.parts[place], int)
    return everywhere(Taken(more[places], seen.parts[place]), shift.shape)


def _missed(g: Graph, s: Glance, y: Array, rounding: Array, blur: Array, mean: Array) -> Float[Array, "state point"]:
    """By how much Σ_{e from j} w_e y_e may miss the `mean`, with the true rates."""
    place = np.concatenate([g.initial.array, g.final.array])
    table = ranked(place, np.arange(len(place)), g.states, len(place))
    ahead, back = s.forward * y, s.backward * y
    doubt = (blur + EPS * (len(table) + 2)) * jnp.abs(y) + rounding
    nothing = jnp.zeros((1, *y.shape[1:]))
    flows = jnp.concatenate([ahead, -back, nothing])
    doubts = jnp.concatenate([s.forward * doubt, s.backward * doubt, nothing])
    total = halved(jnp.add, flows[table])
    return jnp.abs(total - mean) + halved(jnp.add, doubts[table]) + 4 * EPS * jnp.abs(mean)
