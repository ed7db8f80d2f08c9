"""Words on networks that have no steady state, or more than one: which state, bath or transition, at which phase."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..compiler import LIGHT, preferences
from ..solution import Status
from .graph import PHASES
from .kinetics import DIVERGING
from .pieces import cut
from .system import System


def of_groups(net: System) -> str:
    """Which groups of states nothing connects."""
    closed = len(net.components()) == 1
    found = net.components(np.any(_snapshots(net, looked_at(net)).open, axis=0) if closed else None)
    if len(found) == 1 and len(net.drives):
        # All are connected, by rates whose propagator over a period was lost.
        return of_fast(net)
    groups = ", ".join(str(g[:8])[:-1] + (", …]" if len(g) > 8 else "]") for g in found[:8])
    channel = "no channel that is ever open" if closed else "no channel"
    return f"the steady state is not unique: {channel} connects the groups of states {groups}."


def of_invalid(net: System) -> str:
    """The first parameter, bath or transition that is outside its domain, at the phases that were tried."""
    if net.period is not None and not (np.isfinite(net.period) and net.period > 0):
        return f"`period` must be positive and finite, but is {float(net.period):g}."
    phases = looked_at(net)
    s = _snapshots(net, phases)
    places = [f" at phase {phase:.3g}" if len(net.drives) else "" for phase in phases]
    for k, where in enumerate(places):
        for name, temperature in zip(net.baths, s.temperature[k], strict=True):
            if not (np.isfinite(temperature) and temperature > 0):
                return f"bath `{name}`: `temperature` must be positive and finite, but is {temperature:g}{where}."
        for i, energy in enumerate(s.energies[k]):
            if not np.isfinite(energy):
                return f"`energies[{i}]` must be finite, but is {energy:g}{where}."
    g = net.graph()
    pairs = list(zip(g.initial.array, g.final.array, strict=True))
    crossing = (net.smoothness() == DIVERGING) & (np.min(s.exponent, axis=0) * np.max(s.exponent, axis=0) <= 0)
    for j in np.flatnonzero(crossing):
        return (
            f"the levels of states {pairs[j][0]} and {pairs[j][1]} cross, where a bosonic rate with constant "
            "`gamma` diverges; give `gamma` as a function that vanishes at zero energy, such as Ohmic."
        )
    for k, where in enumerate(places):
        rates = np.stack([s.log_forward[k], s.log_backward[k]])
        for j in np.flatnonzero(~np.all(np.isfinite(rates), axis=0)):
            return (
                f"the rates between states {pairs[j][0]} and {pairs[j][1]} must be positive and finite, "
                f"but are {np.exp(rates[0, j]):g} and {np.exp(rates[1, j]):g}{where}."
            )
    return ""


def of_not_converged(net: System) -> str:
    """What a driven network may have that no mesh follows: jumps without end, or a border that it does not name."""
    if net.period is None or net.borders() is not None:
        return ""
    fast, unnamed = of_fast(net), "What jumps or has a kink must say where: JumpNetwork(…, breaks=[phases]) or Steps."
    return fast or f"{Status.NOT_CONVERGED.advice} {unnamed}"


FAST = 1e20
"""Jumps in a period from which on the equations of a period are taken to overflow, where they were not solved."""


def of_fast(net: System) -> str:
    """The fastest jumps of a driven network, if there are too many of them in a period."""
    s = _snapshots(net, looked_at(net))
    period = np.asarray(net.period, float)
    rates = np.max(np.maximum(s.log_forward, s.log_backward), axis=0)
    j = int(np.argmax(rates))
    many = float(rates[j] + np.log(period)) / np.log(10)
    if not many > np.log10(FAST):
        return ""
    g = net.graph()
    return (
        f"the rates between states {g.initial.array[j]} and {g.final.array[j]} make about 1e{many:.0f} jumps in a "
        f"period, which overflows; states between which more than {FAST:g} are made are one, in equilibrium."
    )


def _snapshots(net: System, phases: np.ndarray) -> Any:
    """Snapshots of all phases, in NumPy's arrays: by one program, not by one for each operation."""
    look = jax.jit(jax.vmap(net.snapshot), compiler_options=preferences(**LIGHT))
    return jax.tree.map(np.asarray, look(jnp.asarray(phases)))


def looked_at(net: System) -> np.ndarray:
    """Phases at which a network is looked at for words."""
    borders = net.borders()
    if borders is None:
        return PHASES if len(net.drives) else np.zeros(1)
    pieces = cut(borders)
    inside = pieces.low[:, None] + (pieces.high - pieces.low)[:, None] * np.linspace(0, 1, 5)
    return 2 * np.pi * np.asarray(inside).ravel()
