"""Eigenstates of dots too large for lists of transitions, and how strongly leads join them, block after block.

What `eigenstates`, `golden_rule` and `coherences` do for all blocks at once is done here for two neighbouring numbers
of electrons at a time, in NumPy, so that no more than two of their tables (orbital, above, below) are there together.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..numerics.dense import EPS
from .coherences import COUPLED, NEAR, TOGETHER
from .eigenstates import by_blocks
from .fock import Fock
from .golden_rule import NOISE

WORTH = 64
"""States of a connected block from which it has products of its own; smaller ones are taken together."""
LOOKED = 2**13
"""Pairs of states of a block, from the nearest in energy on, whose coherence is looked at."""


class Joined(NamedTuple):
    """Of one point: `energies` (state); level widths `strength` (lead, above, below) of each two neighbouring blocks;

    whether coherences matter (`coherent`); how far rounding turns each state into others, `turned` (state), and how far
    it `moved` levels, as in `coherences.Neglected`; whether leads connect all states (`connected`).
    """

    energies: Any
    strength: Any
    coherent: Any
    turned: Any
    moved: Any
    connected: Any


class _Block(NamedTuple):
    """Eigenstates of one number of electrons: `energies` (state), `vectors` (place, state), `labels` (state), and, for

    each group of connected blocks, its places and its states.
    """

    energies: np.ndarray
    vectors: np.ndarray
    labels: np.ndarray
    groups: list[tuple[np.ndarray, np.ndarray]]


def _block(matrix: np.ndarray) -> _Block:
    energies, vectors, labels = by_blocks(matrix)
    found, counts = np.unique(labels, return_counts=True)
    kinds = [np.flatnonzero(labels == label) for label in found[counts >= WORTH]]
    kinds.append(np.flatnonzero(np.isin(labels, found[counts < WORTH])))
    groups = [(np.flatnonzero(np.any(vectors[:, own] != 0, axis=1)), own) for own in kinds if own.size]
    return _Block(energies, vectors, labels, groups)


def _member(block: _Block) -> np.ndarray:
    """The group of each place."""
    member = np.zeros(len(block.vectors), int)
    for k, (places, _) in enumerate(block.groups):
        member[places] = k
    return member


def _creators(space: Fock, n: int, below: _Block, above: _Block) -> np.ndarray:
    """⟨a|d_i†|k⟩ (orbital, a, k) for states a with n electrons and k with n−1; see `golden_rule.creators`."""
    kind = np.result_type(below.vectors, above.vectors)
    found = np.zeros((space.orbitals, len(above.energies), len(below.energies)), kind)
    starts, ends = _member(below), _member(above)
    for i in range(space.orbitals):
        filled = np.flatnonzero(space.signs[n][i])
        parents, sign = space.parents[n][i][filled], space.signs[n][i][filled]
        ways = ends[filled] * len(below.groups) + starts[parents]
        for way in np.unique(ways):
            to, start = divmod(int(way), len(below.groups))
            some = ways == way
            ket, bra = below.groups[start][1], above.groups[to][1]
            raised = sign[some, None] * below.vectors[np.ix_(parents[some], ket)]
            found[i][np.ix_(bra, ket)] = above.vectors[np.ix_(filled[some], bra)].conj().T @ raised
    found[np.abs(found) <= NOISE] = 0.0
    return found


def _strengths(gammas: np.ndarray, creators: np.ndarray) -> np.ndarray:
    """Γ_ak of each lead (lead, a, k), as a sum of squares; see `golden_rule.widths`."""
    found = np.zeros((len(gammas), *creators.shape[1:]))
    if gammas.ndim == 2:
        for i, creator in enumerate(creators):
            square = creator.real**2 + creator.imag**2
            for lead, gamma in enumerate(gammas[:, i]):
                found[lead] += gamma * square
        return found
    for lead, gamma in enumerate(gammas):
        values, vectors = np.linalg.eigh(gamma)
        least = NOISE * np.sqrt(np.max(np.abs(gamma)))
        for value, vector in zip(values, vectors.T, strict=True):
            if value > 0:
                amplitude = np.sqrt(value) * np.tensordot(vector, creators, 1)
                found[lead] += np.where(np.abs(amplitude) > least, amplitude.real**2 + amplitude.imag**2, 0.0)
    return found


def _coupling(gammas: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Σ_k |Σ_ij Γ_ij ⟨·⟩_i ⟨·⟩_j*| over leads and the states k beside (pair), of amplitudes (orbital, pair, k)."""
    total = np.zeros(one.shape[1])
    for gamma in gammas:
        left = np.tensordot(gamma.T, one, 1) if gamma.ndim == 2 else gamma[:, None, None] * one
        total += np.sum(np.abs(np.sum(left * other.conj(), axis=0)), axis=1)
    return total


def _near(
    block: _Block, gammas: np.ndarray, beside: Sequence[np.ndarray], largest: float, rounding: float, reach: float
) -> tuple[bool, np.ndarray]:
    """Whether coherences of a block matter, and how far its states are turned; see `coherences`.

    `beside`: amplitudes (orbital, state, k) to the blocks above and below it. Of pairs beyond the first `LOOKED` it is
    known that they couple by at most `largest`, the rate out of every state: they count as coherent if they may be.
    """
    count = len(block.energies)
    one, other = np.triu_indices(count, 1)
    gaps = np.abs(block.energies[one] - block.energies[other])
    turned = np.zeros(count)
    if not gaps.size:
        return False, turned
    near = np.flatnonzero(gaps <= reach)
    if near.size > LOOKED:
        near = near[np.argpartition(gaps[near], LOOKED)[:LOOKED]]
    beyond = np.ones(gaps.size, bool)
    beyond[near] = False
    coherent = bool(np.min(gaps, where=beyond, initial=np.inf) < largest)
    beyond &= block.labels[one] == block.labels[other]
    farther = np.min(gaps, where=beyond, initial=np.inf)
    for at in range(0, near.size, TOGETHER):
        some = near[at : at + TOGETHER]
        a, b, gap = one[some], other[some], gaps[some]
        coupling = sum(_coupling(gammas, way[:, a], way[:, b]) for way in beside)
        coupled = coupling > COUPLED * largest
        coherent |= bool(np.any(coupled & (gap < coupling)))
        mixed = coupled & (block.labels[a] == block.labels[b])
        part = np.where(mixed, rounding / np.where(mixed, np.maximum(gap, np.finfo(float).tiny), 1.0), 0.0)
        np.maximum.at(turned, a, part)
        np.maximum.at(turned, b, part)
    return coherent, np.maximum(turned, rounding / farther)


def joined(space: Fock, elements: np.ndarray, gammas: np.ndarray, coldest: np.ndarray) -> Joined:
    """Of all states; `elements`: matrix elements, block after block; `gammas` as in `golden_rule.widths`."""
    sizes = space.sizes
    if not (np.all(np.isfinite(elements)) and np.all(np.isfinite(gammas)) and coldest > 0):
        # Bad numbers have their status; LAPACK need not see them.
        nothing = [np.full((len(gammas), a, k), np.nan) for k, a in itertools.pairwise(sizes)]
        blank = np.full(space.states, np.nan)
        return Joined(blank, nothing, np.asarray(False), blank, np.zeros(()), np.asarray(True))
    blocks = [_block(elements[space.flat(n)].reshape(size, size)) for n, size in enumerate(sizes)]
    # Every state has d_i†d_i + d_i d_i† = 1 for each orbital: its rate out, both ways together, is the trace.
    largest = float(np.sum(gammas if gammas.ndim == 2 else np.trace(gammas, axis1=1, axis2=2)).real)
    size = max(float(np.max(np.abs(block.energies))) for block in blocks)
    rounding = EPS * space.states**0.5 * size
    reach = max(largest, NEAR * float(coldest))
    strength: list[np.ndarray] = []
    turned, coherent = [], False
    beside: list[np.ndarray] = []
    for n, block in enumerate(blocks):
        if n + 1 < len(blocks):
            creators = _creators(space, n + 1, block, blocks[n + 1])
            strength.append(_strengths(gammas, creators))
            beside.append(np.swapaxes(creators, 1, 2))
        mixed, own = _near(block, gammas, beside, largest, rounding, reach)
        coherent |= mixed
        turned.append(own)
        beside = [np.swapaxes(beside[-1], 1, 2)] if n + 1 < len(blocks) else []
    return Joined(
        np.concatenate([block.energies for block in blocks]),
        strength,
        np.asarray(coherent),
        np.concatenate(turned),
        np.asarray(rounding),
        np.asarray(_connected(strength)),
    )


def _connected(strength: list[np.ndarray]) -> bool:
    """Whether open transitions lead from the empty dots to every state."""
    known = [np.zeros(pair.shape[2], bool) for pair in strength] + [np.zeros(strength[-1].shape[1], bool)]
    known[0][:] = True
    opened = [np.any(pair > 0, axis=0) for pair in strength]
    before = 0
    while (now := sum(int(np.sum(block)) for block in known)) > before:
        before = now
        for n, pair in enumerate(opened):
            known[n + 1] |= np.any(pair[:, known[n]], axis=1)
        for n, pair in reversed(list(enumerate(opened))):
            known[n] |= np.any(pair[known[n + 1]], axis=0)
    return all(np.all(block) for block in known)
