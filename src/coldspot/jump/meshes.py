"""Meshes of the period that resolve what drives a network, wherever in the period it does.

Two meshes that agree prove nothing about a pulse that stands between the nodes of both. So either the formulas of all
that depends on the phase tell how many harmonics it has (`harmonics`), or it is looked at with 2¹⁵ snapshots: every
feature of 10⁻⁴ of the period or wider is seen wherever it stands, if rates change by more than 10⁻⁶ of themselves or
energies by more than 10⁻⁶ of the temperature there (or by 10⁻⁶ of their whole change, if that is less).
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..baths import Bath
from ..numerics.dense import EPS
from ..numerics.harmonics import harmonics
from ..numerics.mesh import Mesh, jumps, resolving, uniform
from ..pytrees import HOME, Closure
from .graph import Snapshot
from .pieces import Pieces, pieces_of
from .propagation import stages
from .system import System

FEWEST = 2
"""Elements of a period in which nothing is sharp."""
EQUAL = 64
"""Up to so many elements of equal length, one per two harmonics, are taken without a look."""
MOST = 1024
"""Elements of a mesh beyond which a point is given up."""
LOOKS = 2**15
"""Snapshots of a look: closer to each other than 10⁻⁴ of the period."""
SLIGHT = 1e-6
"""Change of ln(rate) or of energy/T that is overlooked."""
DEEP = -14.0
"""ln of the part of a rate's maximum below which it is as good as zero where jumps are looked for."""
GRADES = 12
"""Quarterings of the first element of a piece: relaxation times down to 10⁻⁷ of its length are resolved."""
TWINS = 1e-10
"""Elements that are shorter than this part of their piece come from rounding."""


def is_own(law: Any) -> bool:
    """Whether a law of rates holds nothing but numbers and this package's own functions."""
    if isinstance(law, (int, float, str, type(None), np.ndarray, Array)):
        return True
    if isinstance(law, (tuple, list)):
        return all(is_own(part) for part in law)
    own = type(law).__module__.partition(".")[0] == HOME
    if not own or isinstance(law, Closure) or not dataclasses.is_dataclass(law):
        return False
    return all(is_own(getattr(law, field.name)) for field in dataclasses.fields(law))


def _counted(arrays: Any, static: Any) -> tuple[Array, Any]:
    """Harmonics of each point of a batch, infinite where formulas do not tell, and one as they tell it, or None."""
    known: list[Any] = []

    def count(a: Any) -> Array:
        found = _harmonics(eqx.combine(a, static))
        known.append(found)
        number = jnp.asarray(jnp.inf if found is None else found)
        return jnp.where(jnp.isnan(number), jnp.inf, number)

    return jax.vmap(count)(arrays), known[-1]


def _without_derivatives(system: System) -> tuple[Any, Any]:
    """The arrays of a batch, and the rest: a plain number in a user's function must not become an array of one."""
    arrays, static = eqx.partition(system, eqx.is_array)
    return jax.lax.stop_gradient(arrays), static


def told(system: System) -> Array:
    """Whether formulas tell that what drives a network has few harmonics (point): that it is smooth."""
    return _counted(*_without_derivatives(system))[0] <= 2 * EQUAL


def mesh_of(system: System, looking: bool = True) -> tuple[Mesh, Array]:
    """A mesh for each point of a batch (leading axis in, last axis out), and whether it resolves the drives.

    Where the period has pieces, on the stretched line (see `pieces`). Without `looking`, points for which formulas tell
    too many harmonics are left unresolved; where they tell nothing at all, there is no other way than to look.
    """
    arrays, static = _without_derivatives(system)
    points = jax.tree.leaves(arrays)[0].shape[0]
    many, known = _counted(arrays, static)
    pieces = pieces_of(eqx.combine(arrays, static))
    if pieces is not None:
        return _mesh_in_pieces(eqx.combine(arrays, static), pieces, many, known, looking)
    # Powers of two, so that halving ends at the last number of elements.
    wanted = jnp.exp2(jnp.ceil(jnp.log2(jnp.maximum(FEWEST, many / 2))))
    if isinstance(known, float) and known <= 2 * EQUAL:
        most = max(FEWEST, int(np.ceil(known / 2)))
        return uniform(jnp.full(points, most), most), jnp.ones(points, bool)
    if known is not None and not looking:
        return uniform(jnp.minimum(wanted, EQUAL).astype(jnp.int32), EQUAL), wanted <= EQUAL

    def one(inputs: tuple[Any, Array]) -> tuple[Array, Array]:
        a, wanted = inputs

        def equal() -> tuple[Array, Array]:
            mesh = uniform(wanted.astype(jnp.int32)[None], MOST)
            return mesh.borders[:, 0], mesh.count[0]

        def looked_at() -> tuple[Array, Array]:
            return _look(eqx.combine(a, static))

        return jax.lax.cond(wanted <= EQUAL, equal, looked_at)

    borders, counts = jax.lax.map(one, (arrays, wanted))
    resolved = counts <= MOST
    return Mesh(borders.T, jnp.where(resolved, counts, MOST)), resolved


def _mesh_in_pieces(system: System, pieces: Pieces, many: Array, known: Any, looking: bool) -> tuple[Mesh, Array]:
    """Elements that end at borders, are short enough for the harmonics, and become shorter towards each piece's start.

    What a sudden change leaves behind relaxes at whatever rates there are: of the elements that each end at four times
    the time of the one before, one fits each rate.
    """
    n, points = pieces.start.shape
    arrays, static = eqx.partition(system, eqx.is_array)
    shares = [jnp.zeros((n, 1, points)), _graded(system, pieces)]
    resolved = jnp.ones(points, bool)
    by_formula = isinstance(known, float) and known <= 2 * EQUAL
    most = int(np.ceil(known / 2)) if by_formula else EQUAL
    equal = jnp.clip(jnp.ceil(pieces.length * jnp.minimum(many, 2.0 * EQUAL) / 2), 1, most)
    index = jnp.arange(1, most)[:, None]
    shares.append(jnp.where(index < equal[:, None], index / equal[:, None], 1.0))
    if not by_formula and known is not None and not looking:
        resolved = many <= 2 * EQUAL
    elif not by_formula:
        fits = max(EQUAL, MOST // n)

        def one(inputs: tuple[Any, Array, Array, Array]) -> tuple[Array, Array]:
            a, low, high, looked = inputs

            def piece(ends: tuple[Array, Array]) -> tuple[Array, Array]:
                return _look_inside(eqx.combine(a, static), *ends, fits)

            def nothing(ends: tuple[Array, Array]) -> tuple[Array, Array]:
                return jnp.ones(fits), jnp.asarray(1, jnp.int32)

            return jax.lax.map(lambda ends: jax.lax.cond(looked, piece, nothing, ends), (low, high))

        found, counts = jax.lax.map(one, (arrays, pieces.low.T, pieces.high.T, many > 2 * EQUAL))
        resolved = jnp.all(counts <= fits, axis=1)
        shares.append(jnp.moveaxis(found, 0, -1))
    inside = jnp.concatenate(shares, axis=1)
    places = (jnp.arange(n)[:, None, None] + inside) / n
    places = jnp.sort(jnp.where(inside < 1, places, 1.0).reshape(-1, points), axis=0)
    twins = jnp.concatenate([jnp.zeros((1, points), bool), jnp.diff(places, axis=0) < TWINS / n])
    places = jnp.sort(jnp.where(twins, 1.0, places), axis=0)
    borders = jnp.concatenate([places, jnp.ones((1, points))])
    return Mesh(borders, jnp.sum(places < 1, axis=0).astype(jnp.int32)), resolved


def _graded(system: System, pieces: Pieces) -> Array:
    """Shares 4^−j (piece, j, point) of each piece, down to the relaxation time of its fastest state; 1 for the rest."""
    n, points = pieces.start.shape
    nodes = jnp.array([0.0, 0.5, 1.0])[:, None]
    times = jnp.clip(pieces.start[:, None] + nodes * pieces.length[:, None], pieces.low[:, None], pieces.high[:, None])
    s = stages(system, 2 * jnp.pi * times.reshape(-1, points))
    g = system.graph()
    exits = jnp.zeros((n * len(nodes), system.states, points))
    exits = exits.at[:, g.initial.array].add(s.forward).at[:, g.final.array].add(s.backward)
    fastest = jnp.max(exits.reshape(n, -1, points), axis=1)
    assert system.period is not None
    quarterings = jnp.ceil(jnp.log2(jnp.maximum(fastest * system.period * pieces.length, 1.0)) / 2)
    j = jnp.arange(1, GRADES + 1)[:, None]
    return jnp.where(j <= quarterings[:, None], jnp.exp2(-2.0 * j), 1.0)


def _harmonics(system: System) -> Any:
    """Harmonics of all that functions of the drives return, if this package's own laws make rates of it."""
    own = True

    def numbers(phase: Array) -> Any:
        nonlocal own
        moment = system.moment(phase)
        own = all(is_own(law) for law in moment.laws)
        baths = [(bath.temperature, bath.potential) for bath in moment.baths if isinstance(bath, Bath)]
        return eqx.filter((moment.energies, baths, moment.laws), eqx.is_array)

    found = harmonics(numbers)
    return found if own else None


class _Physical(NamedTuple):
    """What jumps are looked for in (row, sample).

    `others`: ln of forward over backward rate, then baths and levels; `strength`: ln of both rates' sum; `logarithms`:
    the larger of the two logarithms of which these are made, and whose rounding they have.
    """

    others: Array
    strength: Array
    logarithms: Array


def _rows(system: System, phase: Array) -> tuple[Array, _Physical]:
    """What is looked at in a snapshot, and of that what is physical, softened where rates vanish."""
    s: Snapshot = system.snapshot(phase)
    bath = jnp.concatenate([jnp.log(s.temperature), s.potential / s.temperature])
    levels = s.energies / s.temperature[0]
    # The reference equilibrium jumps where another bath becomes the hottest, and nothing else does.
    physical = jnp.concatenate([s.log_forward - s.log_backward, bath, levels])
    strength = jnp.logaddexp(s.log_forward, s.log_backward)
    logarithms = jnp.maximum(jnp.abs(s.log_forward), jnp.abs(s.log_backward))
    rows = jnp.concatenate([s.log_forward, s.log_backward, bath, levels, s.reference])
    return rows, _Physical(physical, strength, logarithms)


def _look(system: System) -> tuple[Array, Array]:
    """Borders and count for one point, from snapshots at equal distances all around the period."""
    rows, physical = jax.vmap(lambda phase: _rows(system, phase), out_axes=1)(2 * jnp.pi * jnp.arange(LOOKS) / LOOKS)
    return _resolved(rows, physical, MOST)


def _look_inside(system: System, low: Array, high: Array, most: int) -> tuple[Array, Array]:
    """Borders below 1 (most) and count for one piece of one point, as shares of it.

    With x = (1 − cos φ)/2 what is smooth in the piece is a smooth periodic function of φ, and even.
    """
    half = LOOKS // 2
    share = (1 - jnp.cos(jnp.pi * jnp.arange(half + 1) / half)) / 2
    times = jnp.clip(low + (high - low) * share, low, high)
    rows, physical = jax.vmap(lambda phase: _rows(system, phase), out_axes=1)(2 * jnp.pi * times)

    def mirrored(x: Array) -> Array:
        return jnp.concatenate([x, x[:, half - 1 : 0 : -1]], axis=1)

    borders, count = _resolved(mirrored(rows), jax.tree.map(mirrored, physical), 2 * most)
    angle = 2 * jnp.pi * borders[:most]
    inside = jnp.where(borders[:most] < 0.5, (1 - jnp.cos(angle)) / 2, 1.0)
    return inside, jnp.where(count > 2 * most, most + 1, jnp.sum(inside < 1)).astype(jnp.int32)


def _resolved(samples: Array, physical: _Physical, most: int) -> tuple[Array, Array]:
    """Borders and count of elements; more than `most` if something jumps."""

    def allowed(rows: Array, terms: Array | None = None) -> Array:
        size = jnp.max(jnp.abs(rows if terms is None else terms), axis=1)
        change = jnp.max(rows, axis=1) - jnp.min(rows, axis=1)
        return jnp.maximum(SLIGHT * jnp.minimum(change, 1.0), 1e3 * EPS * size)

    borders, count = resolving(samples, allowed(samples), most)
    others, strength, logarithms = physical
    # The logarithm of a rate that vanishes is no jump of the rate.
    top = jnp.max(strength, axis=1, keepdims=True)
    rates = jnp.where(
        jnp.min(strength, axis=1, keepdims=True) < top + DEEP, jnp.logaddexp(strength, top + DEEP), strength
    )
    seen = jnp.concatenate([others, rates])
    rest = others[len(logarithms) :]
    terms = jnp.concatenate([logarithms, rest, jnp.maximum(logarithms, jnp.abs(rates))])
    return borders, jnp.where(jumps(seen, allowed(seen, terms)), most + 1, count).astype(jnp.int32)
