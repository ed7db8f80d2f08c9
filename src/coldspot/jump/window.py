"""Energy windows: the low many-electron states of dots alone, and what is lost with the others.

For each number of electrons N the k_N lowest eigenstates are kept. What they lose is known from the rates r_ia by which
kept states i would go to states a that were left out: flows p_i r_ia leave, stay in a for a time 1/x_a at most, x_a
being the rate from there back to kept states, and come back somewhere. To first order in them a row κ of the ledger
(heat of a bath, say) changes by at most

    Σ_ia p_i r_ia [2 B_a + max v − min v + (|κ| + B tr Γ)/x_a],

with B_a, the most that a single jump to or from a can bring, B, the largest of them, and v, the dual of the row (see
`sparse`), what it matters for the row in which state a mistake ends. While it is away, it may go to and fro among
states that are left out at most tr Γ times per time. Twice that is stated as an error.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError
from ..occupation import log_fermi_pair
from .eigenstates import Eigenstates
from .fock import Fock
from .golden_rule import creators, widths

ORDERS = 2.0
"""Safety of an estimate of first order."""


class Leak(NamedTuple):
    """For each kept state (state): the number of `jumps` to, from and between states left out, per time, what these

    bring at most of `energy`, the `rate` at which it goes to these, and how long it stays there, `stay`, per time.
    """

    jumps: Array
    energy: Array
    rate: Array
    stay: Array


def counted(energies: Sequence[np.ndarray], potentials: np.ndarray, window: float) -> tuple[int, ...]:
    """How many states of each number of electrons lie within the window above the lowest, for any of the potentials."""
    grand = [e[:, None] - n * potentials for n, e in enumerate(energies)]
    lowest = np.min([np.min(part, axis=0) for part in grand], axis=0)
    # Levels that rounding alone tells apart stay together.
    size = 1e-9 * max(float(np.abs(e).max()) for e in energies)
    return tuple(int(np.sum(np.any(part - lowest <= window + size, axis=1))) for part in grand)


def checked(owner: str, kept: Sequence[int], sizes: Sequence[int]) -> tuple[int, ...]:
    """The states that are kept of each number of electrons, if leads can connect them."""
    if len(kept) != len(sizes) or not all(0 <= k <= size for k, size in zip(kept, sizes, strict=True)):
        raise InputError(
            f"{owner}: `window` must be an energy, or how many states to keep of each number of electrons from 0 to "
            f"{len(sizes) - 1}, at most {tuple(sizes)}, but is {tuple(kept)}."
        )
    there = np.flatnonzero(kept)
    if len(there) < 2 or len(there) != there[-1] - there[0] + 1:
        raise InputError(
            f"{owner}: `window` keeps {tuple(kept)} states of 0, 1, … electrons: leads need states of at least two "
            "numbers of electrons, one after the other; give a wider one."
        )
    return tuple(int(k) for k in kept)


def cut(block: Eigenstates, count: int) -> tuple[Eigenstates, Array]:
    """The lowest states of a block, in its order, and which of its states they are."""
    size = block.energies.shape[0]
    if count == size:
        return block, jnp.ones(size, bool)
    order = jnp.sort(jnp.argsort(jax.lax.stop_gradient(block.energies))[:count])
    kept = jnp.zeros(size, bool).at[order].set(True)
    return Eigenstates(block.energies[order], block.vectors[:, order], block.labels[order]), kept


def leak(
    space: Fock, cuts: Sequence[tuple[Eigenstates, Eigenstates, Array]], first: int, gammas: Array, baths: Any
) -> Leak:
    """Of the kept states, block after block; `cuts`: for each number of electrons from `first` on all eigenstates,

    those kept, and which these are. `baths`: temperatures and potentials (lead).
    """
    cuts, gammas, (temperature, potential) = jax.lax.stop_gradient((list(cuts), gammas, baths))
    # Grand-canonical energies (lead, state).
    every, own = (
        [block.energies - (first + n) * potential[:, None] for n, block in enumerate(blocks)]
        for blocks in ([cut[0] for cut in cuts], [cut[1] for cut in cuts])
    )
    inside = jnp.concatenate(own, axis=1)
    low, high = jnp.min(inside, axis=1, keepdims=True), jnp.max(inside, axis=1, keepdims=True)
    most = [jnp.max(jnp.maximum(jnp.abs(g - low), jnp.abs(g - high)), axis=0) for g in every]
    largest, often = (
        jnp.max(jnp.concatenate(most)),
        jnp.sum(jnp.diagonal(gammas.T) if gammas.ndim == 3 else gammas).real,
    )
    found = [jnp.zeros((4, g.shape[1])) for g in own]
    for n, (below, above) in enumerate(itertools.pairwise(range(len(cuts))), 1):
        for here, there, sign in ((below, above, 1), (above, below, -1)):
            if not own[here].size:
                continue
            pair = (cuts[here][1], cuts[there][0]) if sign == 1 else (cuts[there][0], cuts[here][1])
            (creator,) = creators(space, list(pair), first + n - 1)
            strength = widths(gammas, creator)
            # (lead, state there, state here).
            strength = strength if sign == 1 else jnp.swapaxes(strength, 1, 2)
            exponent = (every[there][:, :, None] - own[here][:, None, :]) / temperature[:, None, None]
            go, back = (jnp.sum(strength * jnp.exp(x), axis=0) for x in log_fermi_pair(exponent))
            gone = jnp.where(cuts[there][2][:, None], 0.0, go)
            exits = jnp.sum(back, axis=1, keepdims=True)
            stay = jnp.where(gone > 0, gone / jnp.where(exits > 0, exits, jnp.finfo(float).tiny), 0.0)
            away, rate = jnp.sum(stay, axis=0), jnp.sum(gone, axis=0)
            energy = 2 * most[there] @ gone + away * often * largest
            found[here] = found[here] + jnp.stack([2 * rate + away * often, energy, rate, away])
    return Leak(*jnp.concatenate(found, axis=1))
