"""Where rates of the Pauli kind leave their domain: broad levels, and coherences that they neglect.

Both are cautions, computed for every point from its rates.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool

from ..numerics.reduction import halved, reduce
from ..regimes import BROADENING_NEGLECTED, COHERENCE_NEGLECTED
from .graph import Glance, Graph, Snapshot

FEW = 8
"""Terms of a sum that is written out, which is quick; longer ones are loops."""
WAYS = 2**22
"""Ways over a common neighbour that are listed; for more of them there are matrices."""
MATRIX = 4000
"""States up to which there are."""


def cautions(g: Graph, s: Snapshot | Glance) -> dict[str, Array]:
    """{words: (point)} for arrays that have the points last."""
    return {
        BROADENING_NEGLECTED: broad(g, s) if s.broad is None else s.broad,
        COHERENCE_NEGLECTED: coherent(g, s) if s.mixed is None else s.mixed,
    }


def broad(g: Graph, s: Snapshot | Glance) -> Bool[Array, "..."]:
    """Whether a level is wider than the temperature of a lead that fills it.

    The width of a pair of states is Γ = Σ γ over its tunnelling transitions. It must not exceed the lowest temperature
    of their leads: else the level is a Lorentzian of width Γ, not a line, in the leads' windows of energy.
    """
    found = jnp.zeros(s.temperature.shape[1:], bool)
    moves = np.flatnonzero(g.initial.array != g.final.array)
    if not any(g.causes) or not len(moves):
        return found
    if len(moves) <= FEW:
        return _broad_of_few(g, s, moves.tolist())
    none = s.temperature.shape[0]
    most = max(len(baths) for baths in g.causes)
    table = np.array([[*baths, *[none] * (most - len(baths))] for baths in g.causes]).T
    temperature = jnp.concatenate([s.temperature, jnp.full((1, *found.shape), jnp.inf)])
    coldest = functools.reduce(jnp.minimum, [temperature[row] for row in table])
    coldest = jnp.where(s.widths > 0, coldest, jnp.inf)
    for _, rows in _grouped(_ends(g)[moves]):
        members = moves[rows]
        found |= halved(jnp.logical_or, _over(jnp.add, s.widths[members]) > _over(jnp.minimum, coldest[members]))
    return found


def broad_by_all(widths: Array, temperature: Array) -> Array:
    """Whether a level is wider, by all leads together, than the lowest temperature of those that fill it.

    `widths` (lead, …), `temperature` (lead).
    """
    each = temperature.reshape(-1, *(1,) * (widths.ndim - 1))
    coldest = reduce(jnp.minimum, jnp.where(widths > 0, each, jnp.inf))
    return jnp.any(reduce(jnp.add, widths) > coldest)


def _broad_of_few(g: Graph, s: Snapshot | Glance, moves: list[int]) -> Bool[Array, "..."]:
    """The same, written out for each transition by itself, which compilers make one loop of."""
    ends, pairs = _ends(g), dict[int, list[tuple[Array, Array]]]()
    for k in moves:
        width = jax.lax.index_in_dim(s.widths, k, 0, keepdims=False)
        own = [jax.lax.index_in_dim(s.temperature, bath, 0, keepdims=False) for bath in g.causes[k]]
        coldest = functools.reduce(jnp.minimum, own, jnp.full_like(width, jnp.inf))
        pairs.setdefault(int(ends[k]), []).append((width, jnp.where(width > 0, coldest, jnp.inf)))
    wide = [
        functools.reduce(jnp.add, [width for width, _ in ways])
        > functools.reduce(jnp.minimum, [coldest for _, coldest in ways])
        for ways in pairs.values()
    ]
    return functools.reduce(jnp.logical_or, wide)


def coherent(g: Graph, s: Snapshot | Glance) -> Bool[Array, "..."]:
    """Whether states of equal particle number are nearer in energy than the rates that couple them.

    A bath that leads from a state k to both a and b makes superpositions of these, at the rate
    Γ_ab = Σ √(g_ka g_kb) over common neighbours k and baths, g = forward + backward rate. They average out only if
    |E_a − E_b| > Γ_ab.
    """
    found = jnp.zeros(s.temperature.shape[1:], bool)
    if not g.causes:
        return found
    strength = jnp.sqrt(s.rates)
    degrees = np.bincount(np.concatenate([g.initial.array, g.final.array]), minlength=g.states)
    if np.sum(degrees**2) > WAYS and g.states <= MATRIX:
        return jax.lax.map(lambda point: _coherent_in(g, *point), (strength.T, s.energies.T, s.occupations.T))
    ends, first, second = _common(g)
    for pairs, rows in _grouped(ends[:, 0] * g.states + ends[:, 1]):
        a, b = np.divmod(pairs, g.states)
        coupling = _over(jnp.add, strength[first[rows]] * strength[second[rows]])
        near = jnp.abs(s.energies[a] - s.energies[b]) < coupling
        alike = reduce(jnp.logical_and, s.occupations[:, a] == s.occupations[:, b])
        found |= halved(jnp.logical_or, near & alike)
    return found


def _coherent_in(g: Graph, strength: Array, energies: Array, numbers: Array) -> Array:
    """The same of one point with many transitions, by products of matrices."""
    moves = g.initial.array != g.final.array
    coupling = jnp.zeros((g.states, g.states))
    for bath in range(1 + max((max(baths, default=-1) for baths in g.causes), default=-1)):
        t = np.flatnonzero([bath in baths and moves[k] for k, baths in enumerate(g.causes)])
        one = jnp.zeros((g.states, g.states)).at[g.initial.array[t], g.final.array[t]].add(strength[t])
        one = one + one.T
        coupling = coupling + one @ one
    near = jnp.abs(energies[:, None] - energies) < coupling
    same = jnp.all(numbers[:, None] == numbers, axis=-1)
    return jnp.any(near & same & ~np.eye(g.states, dtype=bool))


def _over(combine: Callable[[Array, Array], Array], values: Array) -> Array:
    """Values combined over the first axis by `jnp.add` or `jnp.minimum`."""
    if len(values) <= FEW:
        return reduce(combine, values)
    return (jnp.sum if combine is jnp.add else jnp.min)(values, axis=0)


def _grouped(labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Labels that occur equally often together: these, and a table (time, label) of where they stand."""
    found, counts = np.unique(labels, return_counts=True)
    order, starts = np.argsort(labels, kind="stable"), np.cumsum(counts) - counts
    for count in np.unique(counts):
        chosen = counts == count
        yield found[chosen], order[starts[chosen] + np.arange(count)[:, None]]


def _ends(g: Graph) -> np.ndarray:
    """A number for the pair of states that each transition joins."""
    low, high = np.minimum(g.initial.array, g.final.array), np.maximum(g.initial.array, g.final.array)
    return low * g.states + high


def _common(g: Graph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ways (way, 2) between two states by one bath over a common neighbour, and their two transitions (way)."""
    moves = g.initial.array != g.final.array
    bath = np.array([b for t, baths in enumerate(g.causes) for b in baths if moves[t]], int)
    t = np.array([t for t, baths in enumerate(g.causes) for _ in baths if moves[t]], int)
    middle = np.concatenate([g.initial.array[t], g.final.array[t]])
    beyond = np.concatenate([g.final.array[t], g.initial.array[t]])
    step, cause = np.concatenate([t, t]), np.concatenate([bath, bath])
    group = middle * (int(bath.max(initial=0)) + 1) + cause
    order = np.argsort(group, kind="stable")
    group, beyond, step = group[order], beyond[order], step[order]
    ends, first, second = [], [], []
    # The k-th next one beside each, as long as they share the state in the middle and the bath.
    for k in range(1, int(np.unique(group, return_counts=True)[1].max(initial=0))):
        same = np.flatnonzero((group[k:] == group[:-k]) & (beyond[k:] != beyond[:-k]))
        pair = np.stack([beyond[same], beyond[same + k]], axis=1)
        ends.append(np.sort(pair, axis=1))
        first.append(step[same])
        second.append(step[same + k])
    if not ends:
        return np.zeros((0, 2), int), np.zeros(0, int), np.zeros(0, int)
    return np.concatenate(ends), np.concatenate(first), np.concatenate(second)
