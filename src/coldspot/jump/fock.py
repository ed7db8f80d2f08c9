"""The Fock space of spin-orbitals in blocks of particle number, and its operators as places and signs.

A state is a set of filled orbitals; the states with N electrons stand together, in the order of their bits. Signs are
those of Jordan and Wigner: d_i† brings −1 for each filled orbital before i. All this depends on the number of orbitals
alone and is made once.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST_ORBITALS = 20
"""More than this are not even counted."""


class Terms(NamedTuple):
    """Matrix elements: at `place` of the blocks, one after the other and row by row, stands `sign` × entry `number`.

    The entry is one of a list of coefficients; several terms at one place add up.
    """

    place: np.ndarray
    number: np.ndarray
    sign: np.ndarray


class Fock(NamedTuple):
    """All that the number of orbitals says.

    - `sizes`: states in each block N = 0, 1, …; `starts`: the first state of each; `electrons` (state);
    - `single`: Σ_ij h_ij d_i†d_j, of the coefficients h (row by row);
    - `parents`, `signs`: for each N the tables (orbital, state of N) of the state of N−1 that orbital i completes, and
      the sign, 0 where i is empty.
    """

    orbitals: int
    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    electrons: np.ndarray
    single: Terms
    parents: tuple[np.ndarray, ...]
    signs: tuple[np.ndarray, ...]

    @property
    def states(self) -> int:
        return len(self.electrons)

    def blocks(self) -> range:
        return range(len(self.sizes))

    def block(self, n: int) -> slice:
        """The states with n electrons."""
        return slice(self.starts[n], self.starts[n] + self.sizes[n])

    def flat(self, n: int) -> slice:
        """The places of the matrix elements between states with n electrons."""
        start = sum(size**2 for size in self.sizes[:n])
        return slice(start, start + self.sizes[n] ** 2)

    @property
    def places(self) -> int:
        return sum(size**2 for size in self.sizes)


def pairs_of(orbitals: int) -> list[tuple[int, int]]:
    """All pairs i < j of orbitals."""
    return list(itertools.combinations(range(orbitals), 2))


@functools.lru_cache(maxsize=16)
def fock(orbitals: int) -> Fock:
    """The Fock space of so many orbitals."""
    masks = _masks(orbitals)
    electrons = _count(masks)
    sizes = tuple(np.bincount(electrons, minlength=orbitals + 1).tolist())
    starts = tuple(np.concatenate([[0], np.cumsum(sizes)[:-1]]).tolist())
    place = _index(masks)
    parents, signs = [np.zeros((orbitals, 1), int)], [np.zeros((orbitals, 1))]
    for n in range(1, orbitals + 1):
        own = masks[starts[n] : starts[n] + sizes[n]]
        filled = np.stack([own >> i & 1 for i in range(orbitals)])
        # Where i is empty any state will do: its sign is 0.
        without = np.stack([own & ~(1 << i) for i in range(orbitals)])
        parents.append(np.where(filled == 1, place[without] - starts[n - 1], 0))
        signs.append(filled * np.stack([_sign(own, i) for i in range(orbitals)]).astype(float))
    hops = [((i,), (j,), i * orbitals + j) for i in range(orbitals) for j in range(orbitals)]
    single = _terms(masks, sizes, starts, electrons, hops)
    return Fock(orbitals, sizes, starts, electrons, single, tuple(parents), tuple(signs))


@functools.lru_cache(maxsize=16)
def double(orbitals: int, scatters: bool) -> Terms:
    """Σ V_kl A_k†A_l over pairs k = (i, j), i < j, with A_k† = d_i†d_j†, of the coefficients V (row by row).

    Where nothing `scatters`, k = l alone, of the coefficients V_kk: d_i†d_j†d_j d_i = n_i n_j.
    """
    space, pairs = fock(orbitals), pairs_of(orbitals)
    if scatters:
        changes = [(p, q, k * len(pairs) + m) for k, p in enumerate(pairs) for m, q in enumerate(pairs)]
    else:
        changes = [(p, p, k) for k, p in enumerate(pairs)]
    return _terms(_masks(orbitals), space.sizes, space.starts, space.electrons, changes)


def _terms(
    masks: np.ndarray,
    sizes: tuple[int, ...],
    starts: tuple[int, ...],
    electrons: np.ndarray,
    changes: Sequence[tuple[tuple[int, ...], tuple[int, ...], int]],
) -> Terms:
    """Of `changes` (made, taken, number): the operators Π_made d† (Π_taken d†)†, of the coefficient of that number."""
    index = _index(masks)
    offset = np.concatenate([[0], np.cumsum(np.square(sizes))[:-1]])
    places, numbers, signs = [], [], []
    for made, taken, number in changes:
        state, sign = masks, np.ones(len(masks), int)
        alive = np.ones(len(masks), bool)
        # (d_k†d_l†)† = d_l d_k: the first one is taken first.
        for i in taken:
            alive &= state >> i & 1 == 1
            sign, state = sign * _sign(state, i), state & ~(1 << i)
        for i in reversed(made):
            alive &= state >> i & 1 == 0
            sign, state = sign * _sign(state, i), state | 1 << i
        column = np.flatnonzero(alive)
        row, n = index[state[column]], electrons[column]
        start, size = np.take(starts, n), np.take(sizes, n)
        places.append(offset[n] + (row - start) * size + column - start)
        numbers.append(np.full(len(column), number))
        signs.append(sign[column])
    if not places:
        return Terms(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    return Terms(np.concatenate(places), np.concatenate(numbers), np.concatenate(signs).astype(float))


def _masks(orbitals: int) -> np.ndarray:
    """The states as integers whose bit i says whether orbital i is filled, by their number of electrons."""
    masks = np.arange(2**orbitals)
    return masks[np.argsort(_count(masks), kind="stable")]


def _index(masks: np.ndarray) -> np.ndarray:
    index = np.empty(len(masks), int)
    index[masks] = np.arange(len(masks))
    return index


def _count(masks: np.ndarray) -> np.ndarray:
    """Bits that are set."""
    return np.asarray(sum((masks >> i & 1 for i in range(MOST_ORBITALS)), np.zeros_like(masks)))


def _sign(masks: np.ndarray, i: int) -> np.ndarray:
    """−1 for each filled orbital before i."""
    return 1 - 2 * (_count(masks & ((1 << i) - 1)) % 2)
