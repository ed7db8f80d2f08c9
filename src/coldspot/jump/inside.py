"""What is known of dots before their leads' temperatures and potentials are, of many points: energies and couplings."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.blocks import turned
from ..numerics.trailing import trailing
from .coherences import Neglected, neglected
from .eigenstates import Eigenstates
from .golden_rule import by_one_channel, in_line, reached, through

Solved = tuple[list[Eigenstates], list[Array], Array]
"""Blocks of eigenstates, amplitudes as of `golden_rule.creators`, and `golden_rule.roots`."""


class Inside(NamedTuple):
    """Of the eigenstates of one point: `energies` (state), `rates` (lead, transition), and what they neglect."""

    energies: Array
    rates: Array
    lost: Neglected


def of_batch(solved: Callable[[Any], Solved], batch: Any, own: Any) -> Inside:
    """Of a batch (arrays with a leading axis of points, in and out), values alone; `solved` tells of one point.

    Points that do not differ in their `own` numbers, a tree of arrays, have the same eigenstates.
    """
    points = jax.tree.leaves(batch)[0].shape[0]
    alike = jnp.all(jnp.stack([jnp.all(leaf == leaf[:1]) for leaf in jax.tree.leaves(own) if leaf.size]))

    def one_for_all() -> Inside:
        first = of_one(solved(jax.tree.map(lambda leaf: leaf[0], batch)))
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (points, *leaf.shape)), first)

    def each() -> Inside:
        *known, root = trailing(solved, turned(batch))
        one, enough = trailing(by_one_channel, root)
        ways = (lambda root=root: trailing(of_one, (*known, root)) for root in (one, root))
        return turned(jax.lax.cond(jnp.all(enough), *ways), -1, 0)

    return jax.lax.cond(alike, one_for_all, each)


def of_one(known: Solved) -> Inside:
    """Of one point, values alone."""
    blocks, made, root = known
    amplitudes = [reached(root, creator) for creator in made]
    lost = neglected(blocks, amplitudes, [], jnp.asarray(1.0))  # how cold it is matters to larger dots alone
    rates = in_line([through(amplitude) for amplitude in amplitudes])
    return Inside(jnp.concatenate([block.energies for block in blocks]), rates, lost)
