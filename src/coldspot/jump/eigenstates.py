"""Eigenstates of a Hermitian matrix whose degenerate ones stay in the blocks that the matrix itself has."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_batching import custom_vmap

from ..numerics.held import added
from ..numerics.jacobi import eigenvectors

NEAR = 1e-9
"""Energies nearer than this, relative to the largest of them, count as degenerate where derivatives are taken."""

TOGETHER = 10
"""Real matrices up to this size are solved in step, if there are many."""

LARGE = 500
"""States from which each connected block is solved by itself: how many there are is only known with the numbers."""


class Eigenstates(NamedTuple):
    """`energies` (state), `vectors` (place, state) with an eigenstate in each column, and its block's `labels`."""

    energies: Array
    vectors: Array
    labels: Array


def eigenstates(matrix: Array) -> Eigenstates:
    """Eigenstates of a matrix (place, place), ordered by connected block (`labels`) and then by energy.

    Two states are in one block if matrix elements that are not exactly 0 link them. No eigenstate reaches beyond its
    block, however near the levels of two blocks are, so that conserved numbers (a spin, say) stay sharp and their
    degenerate levels have the basis that rates need. What two degenerate levels of one block are is a matter of
    rounding; derivatives leave them as they are.
    """
    if matrix.shape[-1] == 1:
        return Eigenstates(matrix[0].real, jnp.ones_like(matrix), jnp.zeros(1))
    return _solved(matrix)


@jax.custom_jvp
def _solved(matrix: Array) -> Eigenstates:
    return Eigenstates(*_separated(matrix))


@_solved.defjvp
def _solved_jvp(primals: Any, tangents: Any) -> tuple[Eigenstates, Eigenstates]:
    (matrix,), (change,) = primals, tangents
    found = _solved(matrix)
    energies, vectors, own = found
    inside = jnp.conj(vectors.T) @ change @ vectors
    gap = energies[None, :] - energies[:, None]
    apart = jnp.abs(gap) > NEAR * jnp.max(jnp.abs(energies))
    mixing = jnp.where(apart, inside / jnp.where(apart, gap, 1.0), 0.0)
    return found, Eigenstates(jnp.diagonal(inside).real, vectors @ mixing, jnp.zeros_like(own))


@custom_vmap
def _alone(matrix: Array) -> tuple[Array, Array, Array]:
    size = matrix.shape[-1]
    # Bad numbers have their status; LAPACK need not see them.
    good = jnp.all(jnp.isfinite(matrix))
    safe = jnp.where(good, matrix, jnp.eye(size, dtype=matrix.dtype))
    if size >= LARGE:
        real = jnp.zeros(0, matrix.dtype).real.dtype
        shapes = [jax.ShapeDtypeStruct((size,), real), jax.ShapeDtypeStruct((size, size), matrix.dtype)]
        energies, vectors, own = jax.pure_callback(by_blocks, (*shapes, shapes[0]), safe)
        return jnp.where(good, energies, jnp.nan), vectors, own
    own = labels(safe != 0)
    ranks = (jnp.cumsum(own == jnp.arange(size)) - 1)[own]
    # Blocks are pulled apart by more than the energies' whole range, and put back by ⟨v|H|v⟩.
    shift = 4 * jnp.linalg.norm(safe)
    _, vectors = jnp.linalg.eigh(safe + jnp.diag(shift * ranks).astype(safe.dtype))
    chief = own[jnp.argmax(jnp.abs(vectors), axis=0)]
    vectors = jnp.where(own[:, None] == chief, vectors, 0.0)
    energies = jnp.sum(jnp.conj(vectors) * (safe @ vectors), axis=0).real
    return jnp.where(good, energies, jnp.nan), vectors, chief.astype(float)


@_alone.def_vmap
def _batch(points: int, batched: list[bool], matrices: Array) -> tuple[tuple[Array, ...], tuple[bool, ...]]:
    """Of many points: small ones in step, others one after the other, because batched calls of LAPACK can hang."""
    small = matrices.shape[-1] <= TOGETHER and matrices.dtype.kind == "f"
    found = _together(matrices) if small else jax.lax.map(_alone, matrices)
    return found, (True,) * 3


# Where nothing else is compiled around it (a look at the spectrum), one program instead of seventy.
_separated = jax.jit(_alone)


def _together(matrices: Array) -> tuple[Array, Array, Array]:
    """As `_alone`, of real matrices (point, place, place)."""
    last = jnp.moveaxis(matrices, 0, -1)
    size = len(last)
    good = jnp.all(jnp.isfinite(last), axis=(0, 1))
    safe = jnp.where(good, last, jnp.eye(size)[..., None])
    own, vectors = labels(safe != 0).astype(float), eigenvectors(safe)
    image = added(safe[:, :, None] * vectors[None], axis=1)
    energies = added(vectors * image)
    # The place of each state: how many are in a block before its own, or lower in its own, or as low and earlier.
    block, other, energy, level = own[:, None], own[None], energies[:, None], energies[None]
    earlier = jnp.asarray(np.arange(size)[:, None] < np.arange(size))[..., None]
    lower = (energy < level) | ((energy == level) & earlier)
    place = added(jnp.where((block < other) | ((block == other) & lower), 1.0, 0.0))
    here = place[:, None] == jnp.arange(size)[None, :, None]

    def sorted_(x: Array) -> Array:
        """Numbers (…, state, point) in their order."""
        return added(jnp.where(here, x[..., :, None, :], 0.0), axis=-3)

    found = jnp.where(good, sorted_(energies), jnp.nan), sorted_(vectors), sorted_(own)
    energies, vectors, own = (jnp.moveaxis(x, -1, 0) for x in found)
    return energies, vectors, own


def labels(linked: Array) -> Array:
    """For each place the first one of its connected block, of a symmetric table (place, place, …) of links."""
    size = linked.shape[0]

    def spread(state: tuple[Array, Array]) -> tuple[Array, Array]:
        own, _ = state
        new = jnp.minimum(own, jnp.min(jnp.where(linked, own[None], size), axis=1))
        return new, jnp.any(new != own)

    places = jnp.arange(size).reshape(size, *(1,) * (linked.ndim - 2))
    start = jnp.broadcast_to(places, linked.shape[1:])
    return jax.lax.while_loop(lambda s: s[1], spread, (start, jnp.asarray(True)))[0]


def by_blocks(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies, vectors and labels as of `eigenstates`, one connected block after the other."""
    # SciPy is loaded where it is used.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    matrix = np.asarray(matrix)
    energies, vectors = np.zeros(len(matrix)), np.zeros_like(matrix)
    own, at = np.zeros(len(matrix)), 0
    _, block = connected_components(csr_array(matrix != 0), directed=False)
    # By the first state of each: blocks are numbered as they are met.
    order = np.argsort(block, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(block[order])) + 1):
        some = slice(at, at + len(places))
        energies[some], vectors[places, some] = np.linalg.eigh(matrix[np.ix_(places, places)])
        own[some], at = places[0], some.stop
    return energies, vectors, own
