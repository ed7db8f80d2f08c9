"""Where a stationary network produces entropy: by transition, by channel, and by cycle of its graph.

With the net current J_e of a transition and its affinity A_e = ln(forward flow/backward flow), σ = Σ_e J_e A_e. The
currents are sums over cycles: each transition (chord) beyond a tree that spans the graph closes one, and carries its
flux. The affinity of a cycle, A_C = Σ_{e in C} ± ln(w_forward/w_backward), does not depend on probabilities, and
σ = Σ_C J_C A_C (J. Schnakenberg, "Network theory of microscopic and macroscopic behavior of master equation systems").
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import printed, show
from .._attributes import Spoken
from .._checks import InputError, Values, worded
from ..dynamics import as_dynamics, is_traced, with_rules
from ..numerics.dense import EPS
from ..pytrees import compiled
from ..solution import SolveError, Status
from .balance import balance, is_wide
from .graph import Graph, joined, spanning
from .system import System


class Dissipation(Spoken, eqx.Module):
    """Entropy production of a stationary network.

    - `initial`, `final` (transition): the states that each connects, `channel` (transition): the number of its channel;
    - `currents`, `affinities`, `productions` (transition): net current from initial to final state, ln of forward over
      backward flow, and their product, not negative where currents are known;
    - `channels` (channel): the sum of its transitions' productions;
    - `cycles`: the states of each fundamental cycle in their order; `cycle_affinities`, `cycle_fluxes` (cycle);
    - `errors`: bounds by the name of the array; `status`.
    """

    initial: tuple[int, ...] = eqx.field(static=True)
    final: tuple[int, ...] = eqx.field(static=True)
    channel: tuple[int, ...] = eqx.field(static=True)
    cycles: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    currents: Values
    affinities: Values
    productions: Values
    channels: Values
    cycle_affinities: Values
    cycle_fluxes: Values
    errors: dict[str, Values]
    status: Values

    @property
    def entropy_production(self) -> Values:
        """σ, the sum over transitions; that over cycles, Σ_C J_C A_C, is the same number."""
        return jnp.sum(self.productions, axis=-1)

    @property
    def ok(self) -> Values:
        return self.status == int(Status.OK)

    def _sheet(self) -> tuple[str, list[printed.Table], list[str]]:
        def measured(name: str, k: int) -> str:
            return show.measured(getattr(self, name)[k], self.errors[name][k])

        entries = ("currents", "affinities", "productions")
        transitions = [
            (f"{i} → {f}", str(self.channel[k]), *(measured(name, k) for name in entries))
            for k, (i, f) in enumerate(zip(self.initial, self.final, strict=True))
        ]
        cycles = [
            (" → ".join(map(str, (*states, states[0]))), measured("cycle_fluxes", k), measured("cycle_affinities", k))
            for k, states in enumerate(self.cycles)
        ]
        title = f"entropy production {show.number(self.entropy_production)}"
        heads = ("transition", "channel", "net current", "affinity", "production"), ("cycle", "flux", "affinity")
        return title, [(heads[0], transitions), (heads[1], cycles)], [f"status {Status(int(self.status)).name}"]

    def __repr__(self) -> str:
        if is_traced(self.status) or np.ndim(self.status):
            return f"Dissipation(traced or batched; {len(self.initial)} transitions, {len(self.cycles)} cycles)"
        return printed.sheet(*self._sheet())

    def _repr_html_(self) -> str:
        if is_traced(self.status) or np.ndim(self.status):
            return show.escaped(repr(self))
        return printed.sheet_html(*self._sheet())


def fundamental_cycles(g: Graph) -> tuple[np.ndarray, tuple[tuple[int, ...], ...]]:
    """The sign with which each cycle goes through each transition (cycle, transition), and its states in their order.

    A cycle goes forward through the transition that closes it, and through the tree back to where that one begins.
    """
    many = len(g.initial.array)
    parent = {end: (edge, start) for edge, start, end in spanning(g)}
    tree = {edge % many for edge, _ in parent.values()}

    def to_root(state: int) -> list[int]:
        path = [state]
        while path[-1] in parent:
            path.append(parent[path[-1]][1])
        return path

    rows, orders = [], []
    for chord in range(many):
        first, last = int(g.initial.array[chord]), int(g.final.array[chord])
        if chord in tree or first == last:
            continue
        up, down = to_root(last), to_root(first)
        while len(up) > 1 and len(down) > 1 and up[-2] == down[-2]:
            up.pop()
            down.pop()
        row = np.zeros(many)
        row[chord] += 1
        # Up the tree against the direction in which its edges have been found, then down along it.
        for states, sign in ((up[:-1], -1.0), (down[:-1], 1.0)):
            for state in states:
                edge = parent[state][0]
                row[edge % many] += sign if edge < many else -sign
        rows.append(row)
        orders.append((first, *up, *reversed(down[:-1]))[:-1] if down[:-1] else (first, *up)[:-1])
    return np.array(rows).reshape(-1, many), tuple(orders)


@compiled
def _dissipate(machine: Any) -> tuple[dict[str, Array], dict[str, Array], Array]:
    system, good = with_rules(machine)
    assert isinstance(system, System)
    g = system.graph()
    s = jax.tree.map(lambda x: x[..., None], system.snapshot(jnp.zeros(())))
    wide = is_wide(g, s.log_forward, s.log_backward, s.reference, s.open)
    found = balance(g, True, wide, s.log_forward, s.log_backward, s.deviation, s.reference, s.deviation_size)
    start, end = found.log_p[g.initial.array], found.log_p[g.final.array]
    affinity = jnp.where(s.open, -s.exponent + start - end, 0.0)
    sizes = jnp.where(s.open, jnp.abs(s.exponent) + jnp.abs(start) + jnp.abs(end), 0.0)
    doubt = EPS * (8.0 * g.states + 4 * sizes)
    signs, _ = fundamental_cycles(g)
    chords = np.array(_chords(g), int)
    values = {
        "currents": found.current,
        "affinities": affinity,
        "productions": found.current * affinity,
        # Around a cycle the reference equilibrium drops out, and with it what affinities cancel.
        "cycle_affinities": jnp.asarray(signs) @ s.deviation,
        "cycle_fluxes": found.current[chords],
    }
    errors = {
        "currents": found.error,
        "affinities": doubt,
        "productions": found.error * jnp.abs(affinity) + jnp.abs(found.current) * doubt,
        "cycle_affinities": EPS * 8 * (jnp.asarray(np.abs(signs)) @ s.deviation_size),
        "cycle_fluxes": found.error[chords],
    }
    unique = joined(g, s.open)[0] & (len(system.components()) == 1)
    sound = good & s.valid[0] & jnp.all(s.balanced)
    finite = jnp.all(jnp.isfinite(found.current)) & jnp.all(jnp.isfinite(affinity))
    conditions = [~sound, ~unique, ~finite]
    codes = [int(Status.INVALID), int(Status.NOT_UNIQUE), int(Status.NOT_FINITE)]
    values, errors = ({name: x[:, 0] for name, x in each.items()} for each in (values, errors))
    return values, errors, jnp.select(conditions, codes, 0)


def _chords(g: Graph) -> list[int]:
    many = len(g.initial.array)
    tree = {edge % many for edge, _, _ in spanning(g)}
    return [k for k in range(many) if k not in tree and g.initial.array[k] != g.final.array[k]]


@worded
def dissipation(network: Any, *, throw: bool = True) -> Dissipation:
    """Entropy production of a network that is not driven, by transition, channel and cycle: see `Dissipation`.

    >>> import coldspot as cs
    >>> dot = cs.machines.QuantumDot(level=-5.0)
    >>> d = cs.jump.dissipation(dot)
    >>> print(d.cycles, f"{d.cycle_fluxes[0] * d.cycle_affinities[0]:.6f}", f"{d.entropy_production:.6f}")
    ((0, 1),) 0.014180 0.014180
    """
    system = as_dynamics(network)
    if not isinstance(system, System):
        raise InputError(f"dissipation: {type(system).__name__} is no jump network.")
    system.check_complete("dissipation")
    if len(system.drives):
        raise InputError(f"dissipation: the network is driven ({', '.join(system.drives)}).")
    g = system.graph()
    values, errors, status = _dissipate(network)
    channel = tuple(k for k, size in enumerate(system.sizes()) for _ in range(size))
    sums = np.zeros((len(system.sizes()), len(channel)))
    sums[np.array(channel), np.arange(len(channel))] = 1.0
    errors["channels"] = sums @ errors["productions"]
    found = Dissipation(
        initial=tuple(g.initial.array.tolist()),
        final=tuple(g.final.array.tolist()),
        channel=channel,
        cycles=fundamental_cycles(g)[1],
        channels=sums @ values["productions"],
        errors=errors,
        status=status,
        **values,
    )
    if throw and not is_traced(status) and int(status) != int(Status.OK):
        known = Status(int(status))
        words = system.explain(known) or known.advice
        raise SolveError(f"dissipation: no trustworthy numbers ({known.name}): {words}", known, found)
    return found
