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
    return {BROADENING_NEGLECTED: broad(g, s), COHERENCE_NEGLECTED: coherent(g, s) if s.mixed is None else s.mixed}


def broad(g: Graph, s: Snapshot) -> Bool[Array, " point"]:
    """Whether a level is wider than the temperature of a lead that fills it.

    The width of a pair of states is Γ = Σ γ over its tunnelling transitions. It must not exceed the lowest temperature
    of their leads: else the level is a Lorentzian of width Γ, not a line, in the leads' windows of energy.
    """
    moves = g.initial.array != g.final.array
    tunnelling = np.flatnonzero([bool(causes) and move for causes, move in zip(g.causes, moves, strict=False)])
    if not tunnelling.size:
        return jnp.zeros(s.temperature.shape[1:], bool)
    ends = np.sort([g.initial.array[tunnelling], g.final.array[tunnelling]], axis=0)
    _, pair = np.unique(ends[0] * g.states + ends[1], return_inverse=True)
    most = max(len(g.causes[t]) for t in tunnelling)
    causes = np.array([(g.causes[t] * most)[:most] for t in tunnelling])
    width = s.widths[tunnelling]
    coldest = jnp.where(width > 0, jnp.min(s.temperature[causes], axis=1), jnp.inf)
    places = (pair.max() + 1, *width.shape[1:])
    total = jnp.zeros(places).at[pair].add(width)
    return jnp.any(total > jnp.full(places, jnp.inf).at[pair].min(coldest), axis=0)


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
