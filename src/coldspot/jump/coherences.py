"""What populations alone neglect: coherences between eigenstates of equal charge, and how rounding mixes these.

A lead makes superpositions of two states a, b of one block at the rate K_ab = Σ_k |Σ_m F_mak F_mbk*| over states k with
one electron more or less, bosons at Σ_k √(g_ak g_bk). They average out only if |E_a − E_b| > K_ab. Where K_ab is not 0,
the rounding of the matrix turns a and b into each other by rounding/|E_a − E_b|, which the rates feel; states of
different connected blocks are not turned.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS
from ..numerics.held import added
from ..numerics.reduction import formed
from .eigenstates import Eigenstates

AT_ONCE = 2**16
"""Paths between states that are added up at once; of more, one intermediate state after the other."""
COUPLED = 1e-10
"""Coupling of two states, relative to the largest rate out of a state, that is no rounding."""
PAIRS = 300
"""States of a block up to which all pairs of them are looked at; of more, those that are near in energy."""
TOGETHER = 128
"""Such pairs that are looked at together."""
NEAR = 0.1
"""Pairs are near at least up to this part of the temperature."""


class Neglected(NamedTuple):
    """Of one point: whether coherences between states matter; how far rounding turns each state (state) into others;

    and how far it moves levels.
    """

    coherent: Array
    turned: Array
    moved: Array

    def blur(self, coldest: Array) -> Array:
        """How uncertain each state is (state), as a relative error of the rates to it and from it."""
        return self.turned + self.moved / coldest


class _Mixed(NamedTuple):
    """Of a block: whether coherences matter, and the most that rounding turns each state into another one."""

    coherent: Array
    turned: Array


def neglected(
    blocks: list[Eigenstates], amplitudes: list[Array], shaking: list[list[Array]], coldest: Array
) -> Neglected:
    """Coherences and rounding, from what couples each two states of one block.

    `amplitudes`: those of `golden_rule.reached` for N = 1, 2, …; `shaking`: for each bath of bosons, the rates (both
    ways together) between the states of each block; `coldest`: the lowest temperature.
    """
    ways: list[list[Array]] = [[] for _ in blocks]
    for n, amplitude in enumerate(amplitudes):
        ways[n + 1].append(amplitude)
        ways[n].append(jnp.swapaxes(amplitude, 2, 3))
    shaken = [jnp.zeros((block.energies.shape[0],) * 2) for block in blocks]
    for bath in shaking:
        for n, rates in enumerate(bath):
            root = jnp.sqrt(rates)
            shaken[n] += root @ root
    couplings, out = [], []
    for some, own in zip(ways, shaken, strict=True):
        if len(own) <= PAIRS:
            couplings.append(sum(map(_paths, some), own))
            out.append(jnp.diagonal(couplings[-1]))
        else:
            couplings.append(own)
            out.append(jnp.diagonal(own) + sum(jnp.sum(jnp.abs(way) ** 2, axis=(0, 1, 3)) for way in some))
    largest = jnp.max(jnp.concatenate(out))
    size = jnp.max(jnp.stack([jnp.max(jnp.abs(block.energies)) for block in blocks]))
    rounding = EPS * sum(block.energies.shape[0] for block in blocks) ** 0.5 * size
    found = []
    for block, some, coupling in zip(blocks, ways, couplings, strict=True):
        if block.energies.shape[0] <= PAIRS:
            found.append(_of_all(block, coupling, largest, rounding))
        else:
            found.append(_of_near(block, some, coupling, largest, rounding, jnp.maximum(largest, NEAR * coldest)))
    coherent = jnp.any(jnp.stack([mixed.coherent for mixed in found]))
    return Neglected(coherent, jnp.concatenate([mixed.turned for mixed in found]), rounding)


def _judged(coupling: Array, gap: Array, alike: Array, largest: Array, rounding: Array) -> tuple[Array, Array]:
    """For each pair whether coherence matters, and by how much rounding turns the one state into the other."""
    coupled = coupling > COUPLED * largest
    mixed = coupled & alike
    return coupled & (gap < coupling), jnp.where(mixed, rounding / jnp.where(mixed, gap, 1.0), 0.0)


def _of_all(block: Eigenstates, coupling: Array, largest: Array, rounding: Array) -> _Mixed:
    """Of all pairs of a block, whose states have this `coupling`."""
    gap = jnp.abs(block.energies[:, None] - block.energies[None, :])
    alike = block.labels[:, None] == block.labels[None, :]
    coupling = jnp.where(np.eye(len(gap), dtype=bool), 0.0, coupling)
    coherent, turned = _judged(coupling, gap, alike, largest, rounding)
    return _Mixed(jnp.any(coherent), jnp.max(turned, axis=1))


def _of_near(
    block: Eigenstates, ways: list[Array], shaken: Array, largest: Array, rounding: Array, reach: Array
) -> _Mixed:
    """The same where there are many, pair by pair from the nearest in energy on, as far as some are within `reach`.

    Beyond no pair has gap < K_ab ≤ √(K_aa K_bb) ≤ `largest`, and rounding turns it by less than the nearest is told.
    """
    count = block.energies.shape[0]
    gap = block.energies[None, :] - block.energies[:, None]
    later = jnp.arange(count)[None, :] > jnp.arange(count)[:, None]
    gaps = jnp.where(later, jnp.abs(gap), jnp.inf).ravel()
    order = jnp.argsort(gaps)

    def nearest(first: Array) -> Array:
        return gaps[order[jnp.minimum(first, len(order) - 1)]]

    def look(state: tuple[Array, _Mixed]) -> tuple[Array, _Mixed]:
        first, known = state
        some = jax.lax.dynamic_slice(order, (first,), (TOGETHER,))
        one, other = jnp.divmod(some, count)
        coupling = shaken[one, other]
        for way in ways:
            coupling += jnp.sum(jnp.abs(jnp.sum(way[:, :, one] * jnp.conj(way[:, :, other]), axis=1)), axis=(0, 2))
        coupling = jnp.where(jnp.isfinite(gaps[some]), coupling, 0.0)
        alike = block.labels[one] == block.labels[other]
        coherent, turned = _judged(coupling, gaps[some], alike, largest, rounding)
        new = known.turned.at[one].max(turned).at[other].max(turned)
        return first + TOGETHER, _Mixed(known.coherent | jnp.any(coherent), new)

    start = jnp.asarray(0), _Mixed(jnp.asarray(False), jnp.zeros(count))
    first, found = jax.lax.while_loop(lambda state: nearest(state[0]) <= reach, look, start)
    return found._replace(turned=jnp.maximum(found.turned, rounding / nearest(first)))


def _paths(way: Array) -> Array:
    """Σ_kl |Σ_m F_lmak F_lmbk*| (a, b) of amplitudes (lead l, channel m, a, k)."""
    count, size = way.shape[0] * way.shape[3], way.shape[2]

    def add(total: Array, one: Array) -> tuple[Array, None]:
        return total + jnp.sum(jnp.abs(jnp.swapaxes(one, 1, 2) @ jnp.conj(one)), axis=0), None

    if count * way.shape[1] * size**2 > AT_ONCE:
        return jax.lax.scan(add, jnp.zeros((size, size)), jnp.moveaxis(way, 3, 0))[0]
    # Not by calls of matrix products for each path of each point, which take five times as long.
    flat = jnp.moveaxis(way, 3, 1).reshape(count, -1, size)
    other = jnp.conj(flat)
    return formed(jnp.add, lambda rows: jnp.abs(added(flat[rows, :, :, None] * other[rows, :, None], axis=1)), count)
