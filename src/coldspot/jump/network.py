"""Jump networks: states, baths, channels and drives; what a solver needs of them at one phase."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import tracing
from .._checks import InputError, Rule, as_float, check_shape, check_type, float_or_function, unknown_name
from ..baths import Bath
from ..drives import Drive, _Phase, as_drive
from ..dynamics import Counted, Outcome, Target
from ..pytrees import HOME, Table, opened
from ..solution import Status
from .assembly import Moment, assemble
from .channels import Channel
from .cumulants import count_stationary
from .graph import PHASES, Graph, Snapshot, States
from .kinetics import Bosonic, Kinetics
from .periodic import solve_periodic
from .periodic_cumulants import count_periodic
from .rules import closing_rule, depends_on_moment, moment_rules, particle_rules
from .stationary import solve_stationary
from .system import System

LOOKED_AT = (0.0, 1.0, 2.5)
"""Phases at which rates and shares that depend on drives are held against the baths."""


class _Values(dict):
    """The drives' values as a user's function sees them: a wrong name is told the right ones."""

    @classmethod
    def of(cls, values: Any) -> Any:
        return cls(values) if isinstance(values, dict) else values

    def __missing__(self, name: str) -> Any:
        raise unknown_name("JumpNetwork", "drive", str(name), self)


class JumpNetwork(System):
    """A Markov jump process between states with energies, caused by baths, driven or not.

    - `energies` (state): numbers, or a function of the drives' values {name: λ} that returns them;
    - `baths`: {name: bath}; a value may be a function of the drives' values that returns a bath;
    - `channels`: list of `Channel`;
    - `occupations` (state): number of particles in each state (0 by default);
    - `drives`: {name: Drive}, functions of the phase θ = 2πt/τ, and `period` τ. Without `drives`, a function given
      as `energies` (or bath, or kinetics) is one of the phase, and its work is booked to a drive called `drive`;
    - `cooled_bath`: the bath that the machine is meant to cool (by default the coldest).

    Rates obey local detailed balance, backward/forward = exp(Σ_b (e_b−μ_b n_b)/T_b). Only energies do work:
    work[d] = ⟨Σ_i p_i ∂E_i/∂λ_d dλ_d/dt⟩; a driven chemical potential does chemical work; a driven
    temperature or rate does none. Rates of this kind neglect coherences between nearly degenerate states.

    >>> import coldspot as cs
    >>> net = cs.JumpNetwork(
    ...     energies=[0.0, 1.0],
    ...     baths={"hot": cs.BosonBath(2.0), "cold": cs.BosonBath(1.0)},
    ...     channels=[cs.Channel("hot", 0, 1, cs.Bosonic(0.1)), cs.Channel("cold", 0, 1, cs.Bosonic(0.1))],
    ... )
    >>> s = cs.steady_state(net)
    >>> s.regime, bool(s.heat["hot"] > 0)
    ('passive', True)
    """

    energies: Array | Callable[..., Array]
    baths: Table
    channels: tuple[Channel, ...]
    occupations: Array
    drives: Table
    period: Array | None
    states: int = eqx.field(static=True)
    plain: bool = eqx.field(static=True)
    cooled_bath: str | None = eqx.field(static=True)

    def __init__(
        self,
        energies: Any,
        baths: Mapping[str, Any],
        channels: Sequence[Channel],
        occupations: Any = None,
        drives: Mapping[str, Drive] | None = None,
        period: Any = None,
        cooled_bath: str | None = None,
    ):
        owner = "JumpNetwork"
        self.energies = opened(float_or_function(energies))
        if not isinstance(baths, Mapping) or not baths:
            raise InputError(f"{owner}: `baths` must be a mapping from names to baths with at least one entry.")
        for name, bath in baths.items():
            if not isinstance(bath, Bath) and not callable(bath):
                raise InputError(
                    f"{owner}: bath `{name}` must be a Bath or a function that returns one, but is {bath!r}."
                )
        self.baths = Table({name: opened(bath) for name, bath in baths.items()})
        if isinstance(channels, Channel):
            raise InputError(f"{owner}: `channels` must be a list of Channel, but is one; write [Channel(…)].")
        self.channels = tuple(channels)
        if not self.channels:
            raise InputError(f"{owner}: `channels` is empty; nothing connects the states.")
        for k, channel in enumerate(self.channels):
            check_type(owner, f"channels[{k}]", channel, Channel)
        driven = callable(energies) or any(not isinstance(b, Bath) for b in baths.values())
        driven = driven or any(not isinstance(c.kinetics, Kinetics) for c in self.channels)
        self.plain = not drives and driven
        self.drives = Table(
            {"drive": _Phase()} if self.plain else {n: as_drive(owner, n, d) for n, d in (drives or {}).items()}
        )
        if len(self.drives) and period is None:
            raise InputError(f"{owner}: `period` is missing, but the network is driven.")
        if not len(self.drives) and period is not None:
            raise InputError(f"{owner}: `period` is given ({period}), but nothing is driven.")
        self.period = None if period is None else as_float(period)
        if self.period is not None:
            check_shape(owner, "period", self.period, (), "one number")
        self.states = self._count_states()
        self.occupations = as_float(np.zeros(self.states) if occupations is None else occupations)
        check_shape(owner, "occupations", self.occupations, (self.states,), "one number per state")
        if cooled_bath is not None and cooled_bath not in self.baths:
            raise unknown_name(owner, "bath", cooled_bath, self.baths)
        self.cooled_bath = cooled_bath
        self._check_places()

    # ------------------------------------------------------------------ checks
    def _values(self, phase: Any) -> Any:
        values = {name: drive(phase) for name, drive in self.drives.items()}
        return values["drive"] if self.plain else values

    def _count_states(self) -> int:
        zero = jnp.zeros(())
        shape = jax.eval_shape(lambda: self._energies(self._values(zero))).shape
        if len(shape) != 1 or shape[0] < 2:
            raise InputError(f"JumpNetwork: `energies` must be a list of at least 2 numbers, but has shape {shape}.")
        return int(shape[0])

    def _check_places(self) -> None:
        """The baths and states that channels name exist."""
        for k, channel in enumerate(self.channels):
            for name in channel.baths:
                if name not in self.baths:
                    raise unknown_name(f"JumpNetwork: `channels[{k}]`", "bath", name, self.baths)
            for argument, states in (("initial", channel.initial), ("final", channel.final)):
                beyond = states.array[(states.array < 0) | (states.array >= self.states)]
                if beyond.size:
                    raise InputError(
                        f"JumpNetwork: `channels[{k}].{argument}` names state {beyond[0]}, which does not exist; "
                        f"states are 0 to {self.states - 1}."
                    )

    def rules(self) -> Iterator[Rule]:
        if self.period is not None:
            period = self.period
            yield Rule(
                jnp.isfinite(period) & (period > 0), lambda: f"`period` must be positive and finite, but is {period:g}."
            )
        if not callable(self.energies):
            energies = self.energies
            yield Rule(jnp.all(jnp.isfinite(energies)), lambda: f"`energies` must be finite, but are {energies}.")
        numbers = self.occupations
        yield Rule(jnp.all(jnp.isfinite(numbers)), lambda: f"`occupations` must be finite, but are {numbers}.")
        names, exchanging = tuple(self.baths), self._exchanging()
        yield from particle_rules(self.channels, numbers, exchanging, names)
        if any(depends_on_moment(channel, exchanging, names) for channel in self.channels):
            for phase in LOOKED_AT if len(self.drives) else LOOKED_AT[:1]:
                yield from moment_rules(self.moment(jnp.asarray(phase)))
        if self.plain or any(type(d).__module__.partition(".")[0] != HOME for d in self.drives.values()):
            moments = [self.moment(jnp.asarray(phase)) for phase in LOOKED_AT]
            yield closing_rule(moments, self.moment(jnp.asarray(2 * np.pi)))

    def _exchanging(self) -> tuple[bool, ...]:
        """Which baths exchange particles; of a function of the drives, without computing its numbers."""
        if all(isinstance(bath, Bath) for bath in self.baths.values()):
            return tuple(bath.exchanges_particles for bath in self.baths.values())
        baths = eqx.filter_eval_shape(lambda: self.moment(jnp.zeros(())).baths)
        return tuple(bath.exchanges_particles for bath in baths)

    def components(self) -> list[list[int]]:
        """Groups of states that channels connect; the steady state is unique if there is one group."""
        parent = list(range(self.states))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for channel in self.channels:
            for i, f in zip(channel.initial.array.tolist(), channel.final.array.tolist(), strict=True):
                parent[root(i)] = root(f)
        groups: dict[int, list[int]] = {}
        for i in range(self.states):
            groups.setdefault(root(i), []).append(i)
        return sorted(groups.values())

    def diverging(self) -> np.ndarray:
        """Which transitions have a bosonic rate that diverges where their levels cross (transition)."""
        constant = [isinstance(c.kinetics, Bosonic) and not callable(c.kinetics.gamma) for c in self.channels]
        return np.repeat(constant, [c.size for c in self.channels])

    def explain(self, status: Status) -> str:
        if status == Status.NOT_UNIQUE:
            groups = ", ".join(str(g[:8])[:-1] + (", …]" if len(g) > 8 else "]") for g in self.components()[:8])
            return f"the steady state is not unique: no channel connects the groups of states {groups}."
        if status == Status.INVALID:
            return self._explain_invalid()
        return ""

    def _explain_invalid(self) -> str:
        """The first parameter, bath or transition that is outside its domain, at the phases that were tried."""
        if self.period is not None and not (np.isfinite(self.period) and self.period > 0):
            return f"`period` must be positive and finite, but is {float(self.period):g}."
        phases = PHASES if len(self.drives) else np.zeros(1)
        s = jax.tree.map(np.asarray, jax.vmap(self.snapshot)(jnp.asarray(phases)))
        places = [f" at phase {phase:.3g}" if len(self.drives) else "" for phase in phases]
        for k, where in enumerate(places):
            for name, temperature in zip(self.baths, s.temperature[k], strict=True):
                if not (np.isfinite(temperature) and temperature > 0):
                    return f"bath `{name}`: `temperature` must be positive and finite, but is {temperature:g}{where}."
            for i, energy in enumerate(s.energies[k]):
                if not np.isfinite(energy):
                    return f"`energies[{i}]` must be finite, but is {energy:g}{where}."
        g = self.graph()
        pairs = list(zip(g.initial.array, g.final.array, strict=True))
        crossing = self.diverging() & (np.min(s.exponent, axis=0) * np.max(s.exponent, axis=0) <= 0)
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

    # ------------------------------------------------------------------ assembly at one phase
    def _energies(self, values: Any) -> Array:
        if not callable(self.energies):
            return self.energies
        levels = tracing.called(self.energies, _Values.of(values))
        return jnp.stack([as_float(e) for e in levels]) if isinstance(levels, (list, tuple)) else as_float(levels)

    def moment(self, phase: Any) -> Moment:
        """Energies, baths and laws at a phase, for one point."""
        values = self._values(phase)
        return Moment(
            tuple(self.baths),
            tuple(b if isinstance(b, Bath) else tracing.called(b, _Values.of(values)) for b in self.baths.values()),
            self._energies(values),
            self.occupations,
            self.channels,
            tuple(self._law(k, values) for k in range(len(self.channels))),
        )

    def _law(self, k: int, values: Any) -> Kinetics:
        kinetics = self.channels[k].kinetics
        if isinstance(kinetics, Kinetics):
            return kinetics
        law = tracing.called(kinetics, _Values.of(values))
        if not isinstance(law, Kinetics):
            raise InputError(
                f"JumpNetwork: the function `kinetics` of `channels[{k}]` must return a Kinetics, such as "
                f"Tunnelling(0.1), but returns {type(law).__name__}."
            )
        return law

    def snapshot(self, phase: Any) -> Snapshot:
        """The network at a phase θ, for one point; a pure function of arrays, to be mapped over batches."""
        return assemble(self.moment(phase), self._drive_terms(phase))

    def _drive_terms(self, phase: Any) -> dict[str, Array]:
        """`slopes`, `gains` and `rest` of a snapshot, by forward differentiation of the energies."""
        if not callable(self.energies):
            zero = jnp.zeros((len(self.drives), self.states))
            return {"slopes": zero, "gains": zero, "rest": zero}
        values, start = self._values(phase), self._values(jnp.zeros_like(phase))
        found: dict[str, list[Array]] = {"slopes": [], "gains": [], "rest": []}
        for name, drive in self.drives.items():
            speed = jax.jvp(drive, (phase,), (jnp.ones_like(phase),))[1]
            if self.plain:
                alone, direction = values, speed
            else:
                alone = start | {name: values[name]}
                direction = {n: speed if n == name else jnp.zeros_like(v) for n, v in values.items()}
            slope = jax.jvp(self._energies, (values,), (direction,))[1]
            found["slopes"].append(slope)
            found["gains"].append(self._energies(alone) - self._energies(start))
            found["rest"].append(slope - jax.jvp(self._energies, (alone,), (direction,))[1])
        return {term: jnp.stack(rows) for term, rows in found.items()}

    # ------------------------------------------------------------------ structure, for the solvers
    def graph(self) -> Graph:
        return Graph(
            States(np.concatenate([c.initial.array for c in self.channels])),
            States(np.concatenate([c.final.array for c in self.channels])),
            self.states,
            tuple(
                tuple(list(self.baths).index(name) for name in channel.baths)
                for channel in self.channels
                for _ in range(channel.size)
            ),
        )

    @property
    def has_particles(self) -> bool:
        """Whether some bath exchanges particles."""
        return any(not isinstance(b, Bath) or b.exchanges_particles for b in self.baths.values())

    def steady_baths(self) -> tuple[bool, ...]:
        """Whether each bath's temperature and chemical potential are constant in time."""
        return tuple(isinstance(bath, Bath) for bath in self.baths.values())

    def reservoirs(self) -> dict[str, Bath]:
        return dict(zip(self.baths, self.moment(jnp.zeros(())).baths, strict=True))

    def solve(self, tolerance: Array) -> Outcome:
        if len(self.drives):
            return solve_periodic(self, tolerance)
        arrays, static = eqx.partition(self, eqx.is_array)

        def look(point: Any) -> Snapshot:
            return eqx.combine(point, static).snapshot(jnp.zeros(()))

        return solve_stationary(self.graph(), arrays, look, len(self.components()) == 1)

    def cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        if len(self.drives):
            return count_periodic(self, targets, order, tolerance)
        return count_stationary(self, targets, order)

    def covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        if len(self.drives):
            return count_periodic(self, targets, None, tolerance)
        return count_stationary(self, targets, None)
