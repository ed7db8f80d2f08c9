"""Half-edges of dots too large for lists: between blocks of neighbouring numbers of electrons, pair by pair.

A half-edge array is a list with one array (way, lead, above, below) for each pair of neighbouring blocks: way 0 leads
from the state below up to the one above, way 1 back. Rates, affinities and what transitions take from leads are made
where they are needed, from energies and level widths: no list of them is kept.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import EPS
from ..numerics.double_double import exact_difference
from ..occupation import log_fermi_pair
from .half_edges import HalfEdges, Made, Slot
from .kinetics import log_rate


class Heats(eqx.Module):
    """Energies (state), with the `potential` (lead) counted from the same zero, and each lead's `temperature`."""

    energies: Array
    temperature: Array
    potential: Array

    def of(self, edges: "ChargeEdges", n: int) -> Array:
        """What each lead gives, beside its potential, for the way up from block n (lead, above, below).

        As for lists (`assembly.exchange`), what rounding takes from differences comes back.
        """
        below, above = self.energies[edges.block(n)], self.energies[edges.block(n + 1)]
        change, lost = exact_difference(above[:, None], below[None, :])
        rough, left = exact_difference(change[None], self.potential[:, None, None])
        return rough + (left + lost[None])


class LogOut(Made):
    """ln of the rates, of the level widths `strength` (lead, above, below) of each pair of blocks."""

    strength: list[Array]
    heats: Heats

    def of(self, edges: "ChargeEdges", n: int) -> Array:
        exponent = self.heats.of(edges, n) / self.heats.temperature[:, None, None]
        return log_rate(self.strength[n]) + jnp.stack(log_fermi_pair(exponent))


class Taken(Made):
    """Of each lead, multiples of the heat and of the electron that an electron's way up takes from it; or their sizes.

    `heat`, `electron` (lead); of several rows (row, lead).
    """

    heat: Array
    electron: Array
    heats: Heats
    size: bool = eqx.field(static=True, default=False)

    def of(self, edges: "ChargeEdges", n: int) -> Array:
        heat, electron = (x[:, None, None] for x in (self.heat, self.electron))
        heats = self.heats.of(edges, n)
        if self.size:
            both = jnp.abs(heat * heats) + jnp.abs(electron)
            return jnp.stack([both, both])
        up = heat * heats + electron
        return jnp.stack([up, -up])


def affinities(heats: Heats) -> tuple[Taken, Taken]:
    """Affinities towards the equilibrium with the hottest lead, and their rounding; see `assembly.assemble`."""
    hottest = jnp.argmax(heats.temperature)
    hot = heats.temperature[hottest]
    thermal = (heats.temperature - hot) / hot / heats.temperature
    chemical = -(heats.potential[hottest] - heats.potential) / hot
    return Taken(thermal, chemical, heats), Taken(8 * EPS * thermal, 8 * EPS * chemical, heats, True)


def rows(heat: Array, electron: Array, heats: Heats) -> Taken:
    """Several of them, of multiples (row, lead), to be taken one after the other (`jax.lax.map`)."""
    return Taken(heat, electron, jax.tree.map(lambda x: jnp.broadcast_to(x, (len(heat), *x.shape)), heats))


class ChargeEdges(HalfEdges):
    """Blocks of `sizes` states with N, N+1, … electrons."""

    def __init__(self, sizes: Sequence[int]):
        self.sizes, self.states = tuple(sizes), sum(sizes)
        self.starts = (0, *itertools.accumulate(self.sizes))

    def __hash__(self) -> int:
        return hash((ChargeEdges, self.sizes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChargeEdges) and other.sizes == self.sizes

    @property
    def dense(self) -> bool:
        return False

    def block(self, n: int) -> slice:
        return slice(self.starts[n], self.starts[n + 1])

    def pairs(self) -> range:
        return range(len(self.sizes) - 1)

    def _slot(self, n: int) -> Slot:
        below, above = self.block(n), self.block(n + 1)

        def at(x: Array) -> tuple[Array, Array]:
            shape = (1, self.sizes[n + 1], self.sizes[n])
            return jnp.broadcast_to(x[below][None, None, :], shape), jnp.broadcast_to(x[above][None, :, None], shape)

        return Slot(lambda x: jnp.stack(at(x)), lambda x: jnp.stack(at(x)[::-1]), lambda h: h[::-1])

    def _terms(self, term: Callable[..., Any], numbers: tuple[Any, ...]) -> list[Any]:
        found = []
        for n in self.pairs():
            own = (x[n] if isinstance(x, list) else x.of(self, n) for x in numbers)
            found.append(term(self._slot(n), *own))
        return found

    def each(self, term: Callable[..., Any], *numbers: Any) -> Any:
        return self._terms(term, numbers)

    def summed(self, term: Callable[..., Any], *numbers: Any) -> Any:
        found = self._terms(term, numbers)

        def collect(*every: Array) -> Array:
            below, above = ([jnp.sum(h[way], axis=(0, 1 + way)) for h in every] for way in (0, 1))
            return self._joined(below, above)

        return jax.tree.map(collect, *found)

    def _joined(self, below: list[Array], above: list[Array]) -> Array:
        """Numbers of states from those that each pair of blocks gives to the one below and to the one above."""
        down, up = [*below, jnp.zeros(self.sizes[-1])], [jnp.zeros(self.sizes[0]), *above]
        return jnp.concatenate([a + b for a, b in zip(down, up, strict=True)])

    # ------------------------------------------------------------------ products
    def merged(self, out: Any) -> Any:
        return [jnp.sum(pair, axis=1) for pair in out]

    def inflow(self, out: Any, u: Array) -> Array:
        below = [pair[1].T @ u[self.block(n + 1)] for n, pair in enumerate(out)]
        return self._joined(below, [pair[0] @ u[self.block(n)] for n, pair in enumerate(out)])

    def outflow(self, out: Any, v: Array) -> Array:
        below = [pair[0].T @ v[self.block(n + 1)] for n, pair in enumerate(out)]
        return self._joined(below, [pair[1] @ v[self.block(n)] for n, pair in enumerate(out)])

    def matrix(self, out: Any) -> Array:
        full = jnp.zeros((self.states, self.states))
        for n, pair in enumerate(self.merged(out)):
            full = full.at[self.block(n + 1), self.block(n)].set(pair[0])
            full = full.at[self.block(n), self.block(n + 1)].set(pair[1].T)
        return full
