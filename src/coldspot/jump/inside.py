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
from .golden_rule import by_one_channel, in_line, reached, roots, through, widths


class Inside(NamedTuple):
    """Of the eigenstates of one point: `energies` (state), `rates` (lead, transition), and what they neglect."""

    energies: Array
    rates: Array
    lost: Neglected


Known = tuple[list[Eigenstates], list[Array], Array]
"""Blocks of eigenstates, amplitudes as of `golden_rule.creators`, and level widths, or roots of these."""


def of_batch(
    solve: Callable[[Any], list[Eigenstates]],
    know: Callable[[Any, list[Eigenstates]], Known],
    batch: Any,
    own: Any,
) -> Inside:
    """Of a batch (arrays with a leading axis of points, in and out); `solve` and `know` tell of one point.

    Points that do not differ in their `own` numbers, a tree of arrays, have the same eigenstates.
    """
    points = jax.tree.leaves(batch)[0].shape[0]

    def one_for_all() -> Inside:
        first = jax.tree.map(lambda leaf: leaf[0], batch)
        return jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (points, *leaf.shape)), of_one(*know(first, solve(first)))
        )

    def each() -> Inside:
        # Eigenstates have derivatives of their own, which `trailing` would not see.
        blocks = turned(jax.vmap(solve)(batch))
        known = trailing(lambda both: know(*both), (turned(batch), blocks))
        root = trailing(roots, known[2])
        one, enough = trailing(by_one_channel, root)
        ways = (lambda root=root: trailing(_values, (*known[:2], root)) for root in (one, root))
        found = jax.lax.cond(jnp.all(enough), *ways)
        return turned(found._replace(rates=_derived(found.rates, known)), -1, 0)

    if points == 1:
        return one_for_all()
    alike = jnp.all(jnp.stack([jnp.all(leaf == leaf[:1]) for leaf in jax.tree.leaves(own) if leaf.size]))
    return jax.lax.cond(alike, one_for_all, each)


def of_one(blocks: list[Eigenstates], made: list[Array], gammas: Array) -> Inside:
    """Of one point."""
    return _values((blocks, made, roots(gammas)))._replace(rates=_rates((blocks, made, gammas)))


def _values(known: Known) -> Inside:
    """Of one point and roots of its level widths; the rates are values alone, without derivatives."""
    blocks, made, root = known
    amplitudes = [reached(root, creator) for creator in made]
    lost = neglected(blocks, amplitudes, [], jnp.asarray(1.0))  # how cold it is matters to larger dots alone
    rates = in_line([through(amplitude) for amplitude in amplitudes])
    return Inside(jnp.concatenate([block.energies for block in blocks]), rates, lost)


def _rates(known: Known) -> Array:
    _, made, gammas = known
    return in_line([widths(gammas, creator) for creator in made])


@jax.custom_jvp
def _derived(rates: Array, known: Known) -> Array:
    """Rates that are known already, the points last, with derivatives."""
    return rates


@_derived.defjvp
def _derived_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (rates, known), (_, change) = primals, tangents
    return _derived(rates, known), jax.jvp(lambda known: trailing(_rates, known), (known,), (change,))[1]
