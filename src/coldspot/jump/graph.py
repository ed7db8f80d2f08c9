"""The graph of a network and its numbers at one phase: all that the solvers see."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from .._checks import InputError, Values

PHASES = 2 * np.pi * np.arange(32) / 32
"""Phases at which a driven network is looked at for its baths' means and for values outside their domain."""


class States:
    """A hashable list of state indices (kept out of the PyTree's numbers)."""

    def __init__(self, indices: Any):
        array = np.atleast_1d(np.asarray(indices))
        if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
            raise InputError(f"Channel: states must be an integer or a list of integers, but are {indices!r}.")
        self.array = array.astype(np.int64)
        self.array.setflags(write=False)
        self._hash = hash(self.array.tobytes())

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, States) and np.array_equal(self.array, other.array)

    def __len__(self) -> int:
        return len(self.array)

    def of(self, numbers: Values) -> Any:
        """Numbers of the states (…, state) at each of these (…, index)."""
        if isinstance(numbers, np.ndarray):
            return numbers[..., self.array]
        if len(self.array) == 1:  # a slice, which compilers see through
            return jax.lax.slice_in_dim(numbers, self.array[0], self.array[0] + 1, axis=-1)
        return numbers[..., self.array]

    def collect(self, numbers: Array, states: int) -> Array:
        """Sums of numbers (index) that belong to the same one of so many `states`."""
        return jnp.zeros(states, numbers.dtype).at[self.array].add(numbers)

    @property
    def plain(self) -> int | list[int]:
        """One index, or a list of them."""
        return int(self.array[0]) if self.array.size == 1 else self.array.tolist()

    def __repr__(self) -> str:
        return str(self.plain)


class Joined(States):
    """Several lists, one after the other."""

    def __init__(self, parts: Iterable[States]):
        self.parts = tuple(parts)
        self._hash = hash(self.parts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self.parts == other.parts if isinstance(other, Joined) else super().__eq__(other)

    @functools.cached_property
    def array(self) -> np.ndarray:  # type: ignore[override]
        return np.concatenate([part.array for part in self.parts])

    def of(self, numbers: Values) -> Any:
        if isinstance(numbers, np.ndarray):
            return numbers[..., self.array]
        return jnp.concatenate([part.of(numbers) for part in self.parts], axis=-1)

    def collect(self, numbers: Array, states: int) -> Array:
        ends = np.cumsum([len(part) for part in self.parts])[:-1].tolist()
        parts = zip(self.parts, jnp.split(numbers, ends), strict=True)
        return sum((part.collect(some, states) for part, some in parts), jnp.zeros(states, numbers.dtype))

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)


def marked(number: int, states: Any, argument: str) -> np.ndarray:
    """Whether each of so many states is among `states`, a state or a list of them; `argument` is their name."""
    places = np.atleast_1d(np.asarray(states))
    if places.ndim != 1 or not places.size or places.dtype.kind not in "iu":
        raise InputError(f"{argument} must be a state or a list of states, but is {states!r}.")
    beyond = places[(places < 0) | (places >= number)]
    if beyond.size:
        raise InputError(f"{argument} names state {beyond[0]}, but states are 0 to {number - 1}.")
    return np.isin(np.arange(number), places)


class Snapshot(NamedTuple):
    """A network at one phase: everything that the solvers need, for one point.

    (transition): `forward` and `backward` rate and, for all their range, `log_forward` and `log_backward`; `exponent`
    (ln backward/forward), `deviation` (the affinity towards a reference equilibrium, see `assembly.assemble`) and
    `deviation_size`, the sum of its terms' sizes;
    (transition): `widths`, the level width that a transition by tunnelling brings, 0 for others;
    (bath, transition): `energy`, `particles`, `heat` taken from each bath; (reservoir, transition): `work` taken from
    each work reservoir; (bath): `temperature`, `potential`; (species, state): `occupations`;
    (state): `energies`, `reference` (ln of the reference equilibrium); (drive, state): `slopes`
    ∂E_i/∂λ_d · dλ_d/dθ, split into the derivative of `gains`, E_i with drive d at this phase and the others where the
    period begins, and the `rest`, exactly zero where the drives' parts of the energy add up; (transition): `open`,
    whether the rates are not exactly zero; `balanced`, whether all rates obey local detailed balance; `valid`.
    Where the model knows the amplitudes behind the rates: `mixed`, whether coherences between states matter, `broad`,
    whether levels are wider than the temperature, and `blur` (transition), the relative error of the rates; else None.
    Where states have been left out: `leak` (4, state), what goes to these (see `window.Leak`); else None.
    """

    forward: Array
    backward: Array
    log_forward: Array
    log_backward: Array
    exponent: Array
    deviation: Array
    deviation_size: Array
    energy: Array
    particles: Array
    heat: Array
    work: Array
    temperature: Array
    potential: Array
    energies: Array
    occupations: Array
    reference: Array
    widths: Array
    slopes: Array
    gains: Array
    rest: Array
    open: Array
    balanced: Array
    valid: Array
    mixed: Array | None = None
    broad: Array | None = None
    blur: Array | None = None
    leak: Array | None = None

    @property
    def rates(self) -> Array:
        """Forward + backward rate (transition)."""
        return self.forward + self.backward


class Glance(NamedTuple):
    """A network at one phase as plain arithmetic needs it: rates themselves, and of each bath its own transitions.

    (transition): `forward`, `backward`, `exponent` (ln backward/forward), `widths` as in a `Snapshot`; for each bath
    `heats` and `particles`, for each reservoir of work its `works`, taken from it in the transitions in which it has a
    part (see `assembly.members`); (bath): `temperature`; (state): `energies`; (species, state): `occupations`;
    `mixed`, `broad` and `blur` as in a `Snapshot`, and `deviation` and `deviation_size`, of two states alone.
    `loss` (transition): the relative error that rates have because they come from logarithms, the same for both ways;
    None if none does.
    """

    forward: Array
    backward: Array
    exponent: Array
    heats: tuple[Array, ...]
    particles: tuple[Array, ...]
    works: tuple[Array, ...]
    temperature: Array
    energies: Array
    occupations: Array
    widths: Array
    mixed: Array | None = None
    broad: Array | None = None
    blur: Array | None = None
    deviation: Array | None = None
    deviation_size: Array | None = None
    loss: Array | None = None

    @property
    def rates(self) -> Array:
        """Forward + backward rate (transition)."""
        return self.forward + self.backward


class Graph(NamedTuple):
    """Where transitions lead: hashable, so that compiled code is shared.

    `causes`: for each transition the numbers of its baths, work reservoirs not counted; empty where nobody asks.
    """

    initial: States
    final: States
    states: int
    causes: tuple[tuple[int, ...], ...] = ()


def spanning(g: Graph) -> list[tuple[int, int, int]]:
    """A tree from state 0: directed edges (forward ones first) with start and end, in the order in which they reach

    new states; states that are not connected with state 0 are left out.
    """
    start = np.concatenate([g.initial.array, g.final.array])
    end = np.concatenate([g.final.array, g.initial.array])
    reached, found = [0], []
    for state in reached:
        for edge in np.flatnonzero(start == state):
            if end[edge] not in reached:
                reached.append(int(end[edge]))
                found.append((int(edge), state, int(end[edge])))
    return found


def joined(g: Graph, open_: Bool[Array, "transition point"]) -> Bool[Array, " point"]:
    """Whether open transitions connect all states of each point, given that all transitions together do."""

    def spread(state: tuple[Array, Array]) -> tuple[Array, Array]:
        reached, _ = state
        goes = open_ & (reached[g.initial.array] | reached[g.final.array])
        more = reached.at[g.initial.array].max(goes).at[g.final.array].max(goes)
        return more, jnp.any(more != reached)

    def look() -> Array:
        start = jnp.zeros((g.states, open_.shape[1]), bool).at[0].set(True)
        return jnp.all(jax.lax.while_loop(lambda s: s[1], spread, (start, jnp.asarray(True)))[0], axis=0)

    return jax.lax.cond(jnp.all(open_), lambda: jnp.ones(open_.shape[1], bool), look)


def groups(g: Graph, open_: np.ndarray | None = None) -> list[list[int]]:
    """Groups of states that transitions connect, or those transitions that are `open_`."""
    parent = list(range(g.states))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for k, (i, f) in enumerate(zip(g.initial.array.tolist(), g.final.array.tolist(), strict=True)):
        if open_ is None or open_[k]:
            parent[root(i)] = root(f)
    found: dict[int, list[int]] = {}
    for i in range(g.states):
        found.setdefault(root(i), []).append(i)
    return sorted(found.values())


def ranked(place: np.ndarray, values: np.ndarray, rows: int, fill: int) -> np.ndarray:
    """Table (rank, place) of the values that share a place, filled up with `fill`."""
    count = np.bincount(place, minlength=rows)
    order = np.argsort(place, kind="stable")
    rank = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    table = np.full((int(count.max()), rows), fill)
    table[rank, place[order]] = values[order]
    return table


def divergence(g: Graph, currents: Float[Array, "transition point"]) -> Float[Array, "state point"]:
    """Net inflow of currents, to full relative accuracy: what large ones leave of each other is not lost.

    Sums over a group of states then telescope, so that rounding does not leak from strongly to weakly connected groups.
    """
    edges = currents.shape[0]
    moves = np.flatnonzero(g.final.array != g.initial.array)
    place = np.concatenate([g.final.array[moves], g.initial.array[moves]])
    table = ranked(place, np.concatenate([moves, moves + edges]), g.states, 2 * edges)
    signed = jnp.concatenate([currents, -currents, jnp.zeros((1, *currents.shape[1:]))])

    def add(state: tuple[Array, Array], line: Array) -> tuple[tuple[Array, Array], None]:
        total, lost = state
        term = signed[line]
        new = total + term
        part = new - total
        return (new, lost + ((total - (new - part)) + (term - part))), None

    zero = jnp.zeros((g.states, *currents.shape[1:]))
    (total, lost), _ = jax.lax.scan(add, (zero, zero), jnp.asarray(table), unroll=min(4, len(table)))
    return total + lost


def matrix(
    g: Graph,
    forward: Float[Array, "transition point"],
    backward: Float[Array, "transition point"],
    add: Callable[[Array, Array], Array],
    nothing: float,
) -> Float[Array, "state state point"]:
    """Rates w_ij of j → i (i, j, point) from those of the transitions; parallel ones are joined by `add`.

    `add` and `nothing` are addition and 0 for rates, `logaddexp` and −∞ for their logarithms.
    """
    to, start = g.final.array, g.initial.array
    moves = to != start
    row = np.concatenate([to[moves], start[moves]])
    column = np.concatenate([start[moves], to[moves]])
    values = jnp.concatenate([forward[moves], backward[moves]])
    pairs, place = np.unique(row * g.states + column, return_inverse=True)
    # Row m of the table names the m-th parallel transition of each pair of states, or the empty entry at the end.
    table = ranked(place, np.arange(len(place)), len(pairs), len(place))
    empty = jnp.full((1, *values.shape[1:]), nothing)
    padded = jnp.concatenate([values, empty])
    total = padded[table[0]]
    for line in table[1:]:
        total = add(total, padded[line])
    full = np.full(g.states * g.states, len(pairs))
    full[pairs] = np.arange(len(pairs))
    return jnp.concatenate([total, empty])[full].reshape(g.states, g.states, *values.shape[1:])
