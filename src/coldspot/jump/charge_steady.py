"""The steady state of dots with thousands of states, from their blocks alone; see `sparse` and `charge_edges`."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, check_memory
from ..dynamics import Outcome
from ..regimes import BROADENING_NEGLECTED, COHERENCE_NEGLECTED
from ..solution import Status
from .charge_blocks import Joined, joined
from .charge_edges import ChargeEdges, Heats, LogOut, Taken, affinities, rows
from .fock import Fock
from .half_edges import Slot
from .kinetics import FAINT
from .large import Seen, outcome
from .sparse import Stationary, Weights, net, stationary
from .validity import broad_by_all


class Numbers(NamedTuple):
    """Of one point: matrix `elements`, block after block, and of the leads `gammas` (as in `golden_rule.widths`),

    `temperature` and `potential` (lead), counted from the same zero of energy as the elements.
    """

    elements: Array
    gammas: Array
    temperature: Array
    potential: Array


def words(status: Status) -> str:
    """What is wrong; no transition is looked at by itself."""
    return {
        Status.NOT_UNIQUE: (
            "the steady state is not unique: the leads do not connect all states of the dots. No lead fills one of "
            "their spin-orbitals, or some superposition of these."
        ),
        Status.INVALID: "energies, widths, temperatures and potentials must be finite, and temperatures positive.",
    }.get(status, "")


def check(space: Fock, leads: int, instead: str) -> None:
    """Refuse what does not fit into the memory, before it is asked for."""
    sizes = space.sizes
    each = [above * below for below, above in itertools.pairwise(sizes)]
    # Measured: 22 numbers for each transition, and tables of amplitudes of two pairs of blocks.
    needed = 22 * leads * sum(each) + 3 * space.orbitals * max(each) + 3 * space.places
    check_memory(
        f"Dots: {space.orbitals} spin-orbitals have {space.states} states with {leads * sum(each)} transitions, which",
        8.0 * needed,
        f"give a `window` (an energy of some 20 temperatures: states within it alone are kept), or {instead}",
    )


@jax.custom_jvp
def _valued(found: Any, numbers: Numbers) -> Any:
    """What is found, which has no derivatives."""
    return found


@_valued.defjvp
def _valued_jvp(primals: Any, tangents: Any) -> Any:
    raise InputError(
        "Dots: with so many states there are steady states alone, and no derivatives (nor `linear_response`): the "
        "tables of all transitions would take the memory many times over. Give a `window`, leave out orbitals that are "
        "always empty or always filled, or take differences of two solutions."
    )


def solve(space: Fock, numbers: Numbers) -> Outcome:
    """The outcome of one point, all of whose states are kept."""
    return _valued(_solved(space, jax.lax.stop_gradient(numbers)), numbers)


def _known(space: Fock, numbers: Numbers) -> Joined:
    leads, sizes, real = len(numbers.temperature), space.sizes, jnp.zeros(0).dtype
    pairs = itertools.pairwise(sizes)
    shapes = Joined(
        jax.ShapeDtypeStruct((space.states,), real),
        [jax.ShapeDtypeStruct((leads, above, below), real) for below, above in pairs],
        jax.ShapeDtypeStruct((), bool),
        jax.ShapeDtypeStruct((space.states,), real),
        jax.ShapeDtypeStruct((), real),
        jax.ShapeDtypeStruct((), bool),
    )

    def call(elements: Any, gammas: Any, coldest: Any) -> Joined:
        return joined(space, np.asarray(elements), np.asarray(gammas), np.asarray(coldest))

    return jax.pure_callback(call, shapes, numbers.elements, numbers.gammas, jnp.min(numbers.temperature))


def _solved(space: Fock, numbers: Numbers) -> Outcome:
    known, edges = _known(space, numbers), ChargeEdges(space.sizes)
    temperature, potential = numbers.temperature, numbers.potential
    heats = Heats(known.energies, temperature, potential)
    affinity, blur = affinities(heats)
    one, none = jnp.eye(len(temperature)), jnp.zeros((len(temperature),) * 2)
    amounts = rows(jnp.concatenate([one, none]), jnp.concatenate([none, one]), heats)
    log_out = LogOut(known.strength, heats)
    hottest = jnp.argmax(temperature)
    reference = -(known.energies - potential[hottest] * space.electrons) / temperature[hottest]
    weights = Weights(log_out, affinity, blur, reference - reference[0], amounts)
    found = stationary(edges, weights)
    finite = [jnp.all(jnp.isfinite(x)) for x in (known.energies, numbers.gammas, temperature, potential)]
    uncertain = known.turned + known.moved / jnp.min(temperature)
    seen = Seen(
        least=FAINT * _largest(edges, heats),
        sway=_sway(edges, heats, weights, found, uncertain),
        temperature=temperature,
        valid=jnp.all(jnp.stack(finite)) & jnp.all(temperature > 0),
        unique=known.connected,
        balanced=jnp.asarray(True),
    )
    wide = jnp.any(jnp.stack([broad_by_all(gamma, temperature) for gamma in known.strength]))
    flags = {BROADENING_NEGLECTED: wide, COHERENCE_NEGLECTED: known.coherent}
    return outcome(found, seen, flags)


def _largest(edges: ChargeEdges, heats: Heats) -> Array:
    """No electron takes more from a lead: of heat, and of particles (row)."""
    found = []
    for n in edges.pairs():
        below, above = heats.energies[edges.block(n)], heats.energies[edges.block(n + 1)]
        ends = jnp.stack([jnp.max(above) - jnp.min(below), jnp.min(above) - jnp.max(below)])
        found.append(jnp.max(jnp.abs(ends[:, None] - heats.potential), axis=0))
    heat = jnp.max(jnp.stack(found), axis=0)
    return jnp.concatenate([heat, jnp.ones_like(heat)])


def _sway(edges: ChargeEdges, heats: Heats, w: Weights, found: Stationary, uncertain: Array) -> Array:
    """What each row changes by with relative errors of the rates, those of a transition's two states; as in `large`."""

    def one(amount: Taken) -> tuple[Array, Array]:
        def change(s: Slot, rate: Array, affinity: Array, q: Array) -> tuple[Array, Array]:
            flow, _, _ = net(s, jnp.exp(rate + s.own(found.log_p)), affinity, found.shift)
            current = (s.own(uncertain) + s.other(uncertain)) * jnp.abs(flow)
            return jnp.abs(q) * current, current

        return jax.tree.map(lambda x: jnp.sum(x) / 2, edges.summed(change, w.log_out, w.affinity, amount))

    changed, current = jax.lax.map(one, w.amounts)
    return changed + 2 * _largest(edges, heats) * current
