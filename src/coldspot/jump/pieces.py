"""Pieces of the period: between the borders at which drives jump or have kinks, all is smooth.

Functions are looked at strictly inside a piece, never at a border, where they may have either value or none. Meshes of
a period with pieces are made on a stretched line, on which piece k of n lies from k/n to (k+1)/n whatever its length:
so elements end at borders to the last digit, and a border that moves (a duration that is swept or differentiated) takes
its elements along.

Times are counted in periods. Arrays of a batch have the point axis last.
"""

import functools
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..compiler import plainly
from ..numerics.dense import EPS
from ..numerics.mesh import Mesh, element_of
from .graph import PHASES
from .system import System

MERGED = 16 * EPS
"""Borders nearer to each other than this are one: they differ by rounding."""
MARGIN = 32 * EPS
"""How far from a border functions are looked at."""
SNAP = 1e-9
"""Rounding of a place on the stretched line: elements are longer."""

LAST = 2 * 64**2
"""Elements beyond which a point is given up: in a period, or in each `SHARED` pieces of it if it has more."""
SHARED = 16


class Pieces(NamedTuple):
    """All in periods, (piece) or (piece, point): `start` and `length`; `low` and `high`, between which to look.

    Pieces that merge with the one before come last and have no length; what is inside of them is the period's end.
    """

    start: Array
    length: Array
    low: Array
    high: Array


def cut(borders: Array) -> Pieces:
    """The pieces of one point between its borders (border), shares of the period in any order, and phase 0."""
    xp, borders = plainly(borders)
    places = xp.sort(xp.concatenate([xp.zeros(1), borders]))
    apart = xp.concatenate([xp.ones(1, bool), xp.diff(places) > MERGED]) & (1 - places > MERGED)
    start = xp.sort(xp.where(apart, places, 1.0))
    end = xp.concatenate([start[1:], xp.ones(1)])
    length = end - start
    margin = xp.minimum(MARGIN, length / 4)
    live = start < 1
    last = xp.max(xp.where(live, end - margin, 0.0))
    return Pieces(start, length, xp.where(live, start + margin, last), xp.where(live, end - margin, last))


def pieces_of(system: System) -> Pieces | None:
    """The pieces of a batch (leading axis in, last axis out); None if its period is smooth all around."""
    arrays, static = eqx.partition(system, eqx.is_array)

    def one(a: Any) -> Pieces | None:
        borders = eqx.combine(a, static).borders()
        return None if borders is None else cut(borders)

    return jax.vmap(one, out_axes=-1)(arrays)


def number_of(pieces: Pieces | None) -> int:
    return 1 if pieces is None else pieces.start.shape[0]


def last_of(pieces: Pieces | None) -> int:
    """Elements per period beyond which a point is given up: what many pieces need, each of them needs."""
    return LAST * -(-number_of(pieces) // SHARED)


def turns_of(pieces: Pieces | None) -> int:
    """The blocks of a bounded loop through so many elements."""
    return math.isqrt(last_of(pieces) - 1) + 1


class Element(NamedTuple):
    """An element of the period: `first` moment and `span` (point) in periods, and its `piece` (point).

    `ends` (point): whether it ends at the border behind its piece.
    """

    first: Array
    span: Array
    piece: Array
    ends: Array


def element_at(pieces: Pieces | None, mesh: Mesh, parts: Array, k: Array) -> Element:
    """Element k of a mesh on the stretched line, each element of which is cut into equal `parts` (point)."""
    if pieces is None:
        first, span = element_of(mesh, parts, k)
        return Element(first, span, jnp.zeros(first.shape, int), jnp.zeros(first.shape, bool))
    base = jnp.minimum(k // parts, mesh.borders.shape[0] - 2)
    lower = jnp.take_along_axis(mesh.borders, base[None], axis=0)[0]
    upper = jnp.take_along_axis(mesh.borders, base[None] + 1, axis=0)[0]
    inside, part = k < mesh.count * parts, k - base * parts
    n = number_of(pieces)
    piece = jnp.clip(jnp.floor((lower + upper) / 2 * n), 0, n - 1).astype(int)

    def place(border: Array) -> Array:
        share = jnp.clip(border * n - piece, 0.0, 1.0)
        return jnp.where(share > 1 - SNAP, 1.0, jnp.where(share < SNAP, 0.0, share))

    start, end = place(lower), place(upper)
    whole = end - start
    at = _at(pieces, piece)
    first = jnp.where(inside, at.start + at.length * (start + whole * (part / parts)), 1.0)
    span = jnp.where(inside, at.length * whole / parts, 0.0)
    return Element(first, span, piece, inside & (part == parts - 1) & (end == 1))


def _at(pieces: Pieces, piece: Array) -> Pieces:
    """The one piece of each point."""
    return Pieces(*(jnp.take_along_axis(x, piece[None], axis=0)[0] for x in pieces))


def phases(pieces: Pieces | None, piece: Array, times: Array) -> Array:
    """Phases (…, point) of times that belong to one piece (point) of each point, strictly inside of it."""
    if pieces is None:
        return 2 * jnp.pi * times
    at = _at(pieces, piece)
    return 2 * jnp.pi * jnp.clip(times, at.low, at.high)


def beginning(pieces: Pieces | None, points: int) -> Array:
    """The phase (point) at which the period begins."""
    return jnp.zeros(points) if pieces is None else 2 * jnp.pi * pieces.low[0]


def find_piece(pieces: Pieces, moments: Array) -> Array:
    """In which piece (…, point) moments between 0 and 1 lie; at a border in that behind it."""
    return jnp.sum((moments[..., None, :] >= pieces.start) & (pieces.start < 1), axis=-2) - 1


class Looks(NamedTuple):
    """Where a period is looked at as a whole: `phases` (piece, look, point) and their `weights` for means."""

    phases: Array
    weights: Array


def looks(pieces: Pieces | None, points: int) -> Looks:
    """`PHASES`; or, in pieces, their ends and Chebyshev's points between, with the weights of Clenshaw and Curtis."""
    if pieces is None:
        every = jnp.broadcast_to(jnp.asarray(PHASES)[:, None], (len(PHASES), points))[None]
        return Looks(every, jnp.full(every.shape, 1 / len(PHASES)))
    nodes, weights = _clenshaw_curtis(max(5, -(-len(PHASES) // number_of(pieces))))
    times = pieces.start[:, None] + nodes[:, None] * pieces.length[:, None]
    inside = jnp.clip(times, pieces.low[:, None], pieces.high[:, None])
    return Looks(2 * jnp.pi * inside, jnp.asarray(weights)[:, None] * pieces.length[:, None])


@functools.cache
def _clenshaw_curtis(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev's points of the second kind on 0…1 and the weights that integrate polynomials through them."""
    nodes = (1 - np.cos(np.pi * np.arange(count) / (count - 1))) / 2
    orders = np.arange(count)
    table = np.cos(orders[:, None] * np.arccos(np.clip(2 * nodes - 1, -1, 1)))
    integrals = np.where(orders % 2 == 0, 1 / (1 - np.where(orders == 1, 0.5, orders) ** 2.0), 0.0)
    return nodes, np.linalg.solve(table, integrals)
