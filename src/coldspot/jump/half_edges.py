"""Where transitions lead in networks too large for matrices: each transition as two half-edges, one at either state.

A number "out" of a half-edge belongs to the way from its own state through the transition to the other one; that of
its partner, to the way back.
"""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .graph import Graph

MATRIX = 2000
"""States up to which a matrix is made, """
FILLED, MOST_FILLED = 16, 5000
"""or where at least one of so many of its entries is not 0."""


class Slot(NamedTuple):
    """Half-edges that are looked at together: a number of states at their `own` states and at the `other` ones, and

    half-edge numbers at their `partner`.
    """

    own: Callable[[Array], Array]
    other: Callable[[Array], Array]
    partner: Callable[[Array], Array]


class HalfEdges(abc.ABC):
    """What the sparse methods ask of a network's graph; equal graphs are equal, so that compiled code is shared."""

    states: int

    @abc.abstractmethod
    def each(self, term: Callable[..., Any], *numbers: Any) -> Any:
        """`term(slot, *numbers)` of all half-edges: half-edge arrays of half-edge arrays."""

    @abc.abstractmethod
    def summed(self, term: Callable[..., Any], *numbers: Any) -> Any:
        """Sums of `term(slot, *numbers)` over the half-edges of each state."""

    @abc.abstractmethod
    def matrix(self, out: Any) -> Array:
        """The flows as a matrix (state, state): from the state of its column to that of its row."""

    def merged(self, out: Any) -> Any:
        """Flows as `inflow` and `outflow` take them, which may have joined those of parallel transitions."""
        return out

    def inflow(self, out: Any, u: Array) -> Array:
        """Σ_j F_ji u_j (state i) of `merged` flows F_ij from i to j."""
        return self.summed(lambda s, out: s.partner(out) * s.other(u), out)

    def outflow(self, out: Any, v: Array) -> Array:
        """Σ_j F_ij v_j, its transpose."""
        return self.summed(lambda s, out: out * s.other(v), out)

    @property
    def dense(self) -> bool:
        """Whether linear equations are solved with that matrix."""
        return self.states <= MATRIX


class Made(eqx.Module):
    """Half-edge numbers that are made where they are needed, and take no memory; which, its graph knows."""


class OfBond(Made):
    """Half-edge numbers of a cube that take no memory: of spin k, `factors[k]` σ_b σ_{b+1}, where b is `first`."""

    factors: Array
    first: int = eqx.field(static=True)

    def row(self, states: int) -> Array:
        """Of one spin, whose factor alone is there (state)."""
        bits = jnp.arange(states, dtype=jnp.int32) >> self.first
        return self.factors * (1.0 - 2.0 * ((bits ^ (bits >> 1)) & 1))


Numbers = Array | list[Array] | Made
"""Of half-edges."""


class Cube(HalfEdges):
    """Flips of single spins: half-edge (k, i) leads from state i to the state with bit k of i changed.

    Half-edge arrays are (spin, state); or `OfBond`.
    """

    def __init__(self, spins: int):
        self.spins, self.states = spins, 1 << spins

    def __hash__(self) -> int:
        return hash((Cube, self.spins))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cube) and other.spins == self.spins

    # Spin by spin: one gather of all half-edges at once is twenty times slower, and takes memory.
    def _rows(self, numbers: tuple[Any, ...]) -> tuple[Array, tuple[Any, ...]]:
        return jnp.arange(self.spins, dtype=jnp.int32), numbers

    def _of(self, term: Callable[..., Any], row: tuple[Array, tuple[Any, ...]]) -> Any:
        k, numbers = row
        return term(self._slot(k), *(x.row(self.states) if isinstance(x, OfBond) else x for x in numbers))

    def _slot(self, k: Array) -> Slot:
        to = jnp.arange(self.states, dtype=jnp.int32) ^ (jnp.int32(1) << k)
        return Slot(lambda x: x, lambda x: x[to], lambda h: h[to])

    def each(self, term: Callable[..., Any], *numbers: Any) -> Any:
        return jax.lax.map(lambda row: self._of(term, row), self._rows(numbers))

    def summed(self, term: Callable[..., Any], *numbers: Any) -> Any:
        def one(row: Any) -> Any:
            return self._of(term, row)

        def add(total: Any, row: Any) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, one(row)), None

        rows = self._rows(numbers)
        shapes = jax.eval_shape(one, jax.tree.map(lambda x: x[0], rows))
        start = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return jax.lax.scan(add, start, rows)[0]

    def matrix(self, out: Array) -> Array:
        state = np.arange(self.states)
        to = state ^ (1 << np.arange(self.spins))[:, None]
        return jnp.zeros((self.states, self.states)).at[to, state].set(out)


class Listed(HalfEdges):
    """Any graph: first the half-edges at the initial states of its transitions, then those at their final states."""

    def __init__(self, g: Graph):
        self.graph, self.states = g, g.states

    def __hash__(self) -> int:
        return hash((Listed, self.graph))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listed) and other.graph == self.graph

    def each(self, term: Callable[..., Any], *numbers: Any) -> Any:
        count = len(self.graph.initial)

        def own(x: Array) -> Array:
            return jnp.concatenate([self.graph.initial.of(x), self.graph.final.of(x)])

        def other(x: Array) -> Array:
            return jnp.concatenate([self.graph.final.of(x), self.graph.initial.of(x)])

        return term(Slot(own, other, lambda h: jnp.roll(h, count)), *numbers)

    def summed(self, term: Callable[..., Any], *numbers: Any) -> Any:
        def collect(h: Array) -> Array:
            first, last = jnp.split(h, 2)
            return self.graph.initial.collect(first, self.states) + self.graph.final.collect(last, self.states)

        return jax.tree.map(collect, self.each(term, *numbers))

    def matrix(self, out: Array) -> Array:
        # Not a constant: compilers would work on long tables by themselves.
        state = jax.lax.optimization_barrier(jnp.arange(self.states, dtype=jnp.int32))
        one, other = self.graph.initial.of(state), self.graph.final.of(state)
        to, start = jnp.concatenate([other, one]), jnp.concatenate([one, other])
        return jnp.zeros((self.states, self.states)).at[to, start].add(out)

    @property
    def dense(self) -> bool:
        # Where most states are joined with many, a matrix is little more than its entries.
        many = 2 * len(self.graph.initial) > self.states**2 / FILLED
        return self.states <= (MOST_FILLED if many else MATRIX)


def doubled(forward: Array, backward: Array) -> Array:
    """Half-edge numbers of a list of transitions (…, transition)."""
    return jnp.concatenate([forward, backward], axis=-1)
