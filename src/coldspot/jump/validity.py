"""Where rates of the Pauli kind leave their domain: broad levels, and coherences that they neglect.

Both are cautions, computed for every point from its rates.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool

from ..regimes import BROADENING_NEGLECTED, COHERENCE_NEGLECTED
from .graph import Graph, Snapshot


def cautions(g: Graph, s: Snapshot) -> dict[str, Array]:
    """{words: (point)} for a snapshot whose arrays have the points last."""
    return {BROADENING_NEGLECTED: broad(g, s), COHERENCE_NEGLECTED: coherent(g, s)}


def broad(g: Graph, s: Snapshot) -> Bool[Array, " point"]:
    """Whether a level is wider than the temperature of a lead that fills it.

    The width of a pair of states is Γ = Σ γ over its tunnelling transitions. It must not exceed the lowest temperature
    of their leads: else the level is a Lorentzian of width Γ, not a line, in the leads' windows of energy.
    """
    found = jnp.zeros(s.temperature.shape[1:], bool)
    for members in _pairs(g):
        widths = [s.widths[t] for t in members]
        coldest = [
            jnp.where(width > 0, jnp.min(s.temperature[np.array(g.causes[t])], axis=0), jnp.inf)
            for t, width in zip(members, widths, strict=True)
            if g.causes and g.causes[t]
        ]
        if coldest:
            found |= sum(widths) > jnp.min(jnp.stack(coldest), axis=0)
    return found


def coherent(g: Graph, s: Snapshot) -> Bool[Array, " point"]:
    """Whether states of equal particle number are nearer in energy than the rates that couple them.

    A bath that leads from a state k to both a and b makes superpositions of these, at the rate
    Γ_ab = Σ √(g_ka g_kb) over common neighbours k and baths, g = forward + backward rate. They average out only if
    |E_a − E_b| > Γ_ab.
    """
    found = jnp.zeros(s.temperature.shape[1:], bool)
    if not g.causes:
        return found
    strength = jnp.sqrt(jnp.exp(s.log_forward) + jnp.exp(s.log_backward))
    for (a, b), paths in _common(g).items():
        first, second = np.array(paths).T
        coupling = jnp.sum(strength[first] * strength[second], axis=0)
        near = jnp.abs(s.energies[a] - s.energies[b]) < coupling
        found |= near & jnp.all(s.occupations[:, a] == s.occupations[:, b], axis=0)
    return found


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
        for bath in g.causes[t] if i != f else ():
            around.setdefault((i, bath), []).append((f, t))
            around.setdefault((f, bath), []).append((i, t))
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for ends in around.values():
        for (a, t), (b, u) in itertools.combinations(ends, 2):
            if a != b:
                found.setdefault((min(a, b), max(a, b)), []).append((t, u))
    return found
