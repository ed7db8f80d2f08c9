"""Spanning trees of the strongest flows, one for each point of a batch (Prim's algorithm)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int

from .graph import Graph, divergence


class Tree(NamedTuple):
    """A spanning tree per point.

    `level` (state, point): potentials that make up for the deviation along the tree's transitions; `chord`
    (transition, point): not in the tree; per step of growth (step, point): `edge`, the transition added, the state
    `child` that it reaches from the state `parent`, and whether the transition runs `outward`, towards the child.
    """

    level: Float[Array, "state point"]
    chord: Bool[Array, "transition point"]
    edge: Int[Array, "step point"]
    child: Int[Array, "step point"]
    parent: Int[Array, "step point"]
    outward: Bool[Array, "step point"]


def _pick(table: Array, row: Array) -> Array:
    """table[row[b], b] for each point b."""
    return jnp.take_along_axis(table, row[None], axis=0)[0]


def grow(g: Graph, weight: Float[Array, "transition point"], deviation: Float[Array, "transition point"]) -> Tree:
    """The tree of largest `weight`, and levels with deviation + level_i − level_f = 0 along it."""
    start, to = jnp.asarray(g.initial.array), jnp.asarray(g.final.array)
    points = weight.shape[-1]
    column = jnp.arange(points)

    def step(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], tuple[Array, Array, Array, Array]]:
        inside, level = state
        crosses = inside[start] != inside[to]
        edge = jnp.argmax(jnp.where(crosses, weight, -jnp.inf), axis=0)
        first, last = start[edge], to[edge]
        outward = _pick(inside, first)
        child, parent = jnp.where(outward, last, first), jnp.where(outward, first, last)
        slope = jnp.where(outward, 1.0, -1.0) * _pick(deviation, edge)
        level = level.at[child, column].set(_pick(level, parent) + slope)
        return (inside.at[child, column].set(True), level), (edge, child, parent, outward)

    inside = jnp.zeros((g.states, points), bool).at[0].set(True)
    (_, level), (edge, child, parent, outward) = jax.lax.scan(
        step, (inside, jnp.zeros((g.states, points))), None, length=g.states - 1
    )
    chord = jnp.ones(weight.shape, bool).at[edge, column[None]].set(False)
    return Tree(level, chord, edge, child, parent, outward)


def close(g: Graph, tree: Tree, current: Float[Array, "transition point"]) -> Float[Array, "transition point"]:
    """Currents of the chords as given, those of the tree by Kirchhoff's law, from the leaves to the root."""
    column = jnp.arange(current.shape[-1])
    current = jnp.where(tree.chord, current, 0.0)

    def step(state: tuple[Array, Array], line: tuple[Array, ...]) -> tuple[tuple[Array, Array], None]:
        current, inflow = state
        edge, child, parent, outward = line
        surplus = _pick(inflow, child)
        current = current.at[edge, column].set(jnp.where(outward, -surplus, surplus))
        return (current, inflow.at[parent, column].add(surplus)), None

    lines = (tree.edge, tree.child, tree.parent, tree.outward)
    (current, _), _ = jax.lax.scan(step, (current, divergence(g, current)), lines, reverse=True)
    return current
