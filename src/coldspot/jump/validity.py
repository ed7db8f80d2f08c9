"""Where rates of the Pauli kind leave their domain: broad levels, and coherences that they neglect.

Both are cautions, computed for every point from its rates.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool

from ..numerics.reduction import halved, reduce
from ..regimes import BROADENING_NEGLECTED, COHERENCE_NEGLECTED
from .graph import Glance, Graph, Snapshot


def cautions(g: Graph, s: Snapshot | Glance) -> dict[str, Array]:
    """{words: (point)} for arrays that have the points last."""
    return {BROADENING_NEGLECTED: broad(g, s), COHERENCE_NEGLECTED: coherent(g, s)}


def broad(g: Graph, s: Snapshot | Glance) -> Bool[Array, " point"]:
    """Whether a level is wider than the temperature of a lead that fills it.

    The width of a pair of states is Γ = Σ γ over its tunnelling transitions. It must not exceed the lowest temperature
    of their leads: else the level is a Lorentzian of width Γ, not a line, in the leads' windows of energy.
    """
    found = jnp.zeros(s.temperature.shape[1:], bool)
    if not any(g.causes):
        return found
    none = s.temperature.shape[0]
    most = max(len(baths) for baths in g.causes)
    table = np.array([[*baths, *[none] * (most - len(baths))] for baths in g.causes]).T
    temperature = jnp.concatenate([s.temperature, jnp.full((1, *found.shape), jnp.inf)])
    coldest = functools.reduce(jnp.minimum, [temperature[row] for row in table])
    coldest = jnp.where(s.widths > 0, coldest, jnp.inf)
    for members in _grouped(_pairs(g)):
        found |= halved(jnp.logical_or, reduce(jnp.add, s.widths[members]) > reduce(jnp.minimum, coldest[members]))
    return found


def coherent(g: Graph, s: Snapshot | Glance) -> Bool[Array, " point"]:
    """Whether states of equal particle number are nearer in energy than the rates that couple them.

    A bath that leads from a state k to both a and b makes superpositions of these, at the rate
    Γ_ab = Σ √(g_ka g_kb) over common neighbours k and baths, g = forward + backward rate. They average out only if
    |E_a − E_b| > Γ_ab.
    """
    found = jnp.zeros(s.temperature.shape[1:], bool)
    strength = jnp.sqrt(s.rates)
    for paths in _grouped([[(*pair, *path) for path in paths] for pair, paths in _common(g).items()]):
        a, b, first, second = np.moveaxis(paths, -1, 0)
        coupling = reduce(jnp.add, strength[first] * strength[second])
        near = jnp.abs(s.energies[a[0]] - s.energies[b[0]]) < coupling
        alike = reduce(jnp.logical_and, s.occupations[:, a[0]] == s.occupations[:, b[0]])
        found |= halved(jnp.logical_or, near & alike)
    return found


def _grouped(lists: Sequence[Sequence[Any]]) -> Iterator[np.ndarray]:
    """Lists of one length together, as tables (place in the list, list, …)."""
    for size in sorted({len(entries) for entries in lists}):
        yield np.moveaxis(np.array([entries for entries in lists if len(entries) == size]), 0, 1)


def _pairs(g: Graph) -> list[list[int]]:
    """Transitions between the same two states."""
    groups: dict[frozenset[int], list[int]] = {}
    for t, ends in enumerate(zip(g.initial.array.tolist(), g.final.array.tolist(), strict=True)):
        if ends[0] != ends[1]:
            groups.setdefault(frozenset(ends), []).append(t)
    return list(groups.values())


def _common(g: Graph) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """{(a, b): pairs of transitions by which one bath leads from a common neighbour to a and to b}."""
    around: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for t, (i, f) in enumerate(zip(g.initial.array.tolist(), g.final.array.tolist(), strict=True)):
        for bath in g.causes[t] if g.causes and i != f else ():
            around.setdefault((i, bath), []).append((f, t))
            around.setdefault((f, bath), []).append((i, t))
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for ends in around.values():
        for (a, t), (b, u) in itertools.combinations(ends, 2):
            if a != b:
                found.setdefault((min(a, b), max(a, b)), []).append((t, u))
    return found
