"""Jump networks: states, baths, channels and drives; what a solver needs of them at one phase."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import tracing
from .._checks import InputError, Rule, as_float, check_memory, check_shape, check_type, float_or_function, unknown_name
from ..baths import Bath, WorkReservoir
from ..compiler import placed, plainly, stacked
from ..drives import Drive, _Phase, as_drives
from ..dynamics import Counted, Outcome, Target
from ..numerics.dense import EPS
from ..numerics.held import held
from ..numerics.reduction import every
from ..pytrees import HOME, Table, opened
from ..show import array as show
from ..solution import Status
from . import words
from .assembly import Moment, assemble
from .channels import Channel
from .counted import CountedSystem
from .graph import Graph, Snapshot, States, groups
from .half_edges import Listed
from .kinetics import SMOOTH, Bosonic, Kinetics
from .large import SMALL, solve_large
from .pairs import is_pair
from .periodic import solve_periodic
from .pieces import cut
from .quick import Seen, lanes, seen_plainly, solve_quick
from .quick_covariances import attempt_counted, attempt_covariances
from .rules import closing_rule, depends_on_moment, moment_rules, particle_rules
from .simulation import JumpTrajectories, sample
from .slopes import drive_terms
from .species import rows_of, table_of
from .stationary import solve_stationary

LOOKED_AT = (0.0, 1.0, 2.5)
"""Phases at which rates and shares that depend on drives are held against the baths."""


class _Values(dict):
    """The drives' values as a user's function sees them: a wrong name is told the right ones."""

    @classmethod
    def of(cls, values: Any) -> Any:
        return cls(values) if isinstance(values, dict) else values

    def __missing__(self, name: str) -> Any:
        raise unknown_name("JumpNetwork", "drive", str(name), self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        word = f"write `values[{name!r}]`" if name in self else str(unknown_name("JumpNetwork", "drive", name, self))
        raise AttributeError(f"functions of the drives are given a mapping of their values: {word}")


class JumpNetwork(CountedSystem):
    """A Markov jump process between states with energies, caused by baths, driven or not.

    - `energies` (state): numbers, or a function of the drives' values {name: λ} that returns them;
    - `baths`: {name: bath}; a value may be a function of the drives' values that returns a bath, or a `WorkReservoir`,
      whose energy is work of that name;
    - `channels`: list of `Channel`;
    - `occupations` (state): number of particles in each state (0 by default); with several species of particles
      {species: numbers}. A species that a `ParticleBath` names and states do not hold is consumed or made by what the
      channels do;
    - `drives`: {name: Drive}, functions of the phase θ = 2πt/τ, and `period` τ. Without `drives`, a function given
      as `energies` (or bath, or kinetics) is one of the phase, and its work is booked to a drive called `drive`;
    - `cooled_bath`: the bath that the machine is meant to cool (by default the coldest);
    - `breaks`: phases in radians at which functions of the phase or of the drives jump or have a kink; phase 0 then is
      one, too. Drives that have borders (`Steps`) bring theirs. Functions are never looked at where a border is.

    Rates obey local detailed balance, backward/forward = exp(Σ_b (e_b−μ_b n_b)/T_b), and may be exactly zero (a closed
    valve). Only energies do work: work[d] = ⟨Σ_i p_i ∂E_i/∂λ_d dλ_d/dt⟩, and Σ_i p_i ΔE_i at a sudden change (where
    several drives change at once, the mean of changing them one by one in their order and in the reverse); a driven
    chemical potential does chemical work; a driven temperature or rate does none. Rates of this kind neglect coherences
    between nearly degenerate states.

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

    energies: Array | Callable[..., Array] = eqx.field(metadata={"dimension": "energy"})
    baths: Table
    channels: tuple[Channel, ...]
    occupations: Array | Table
    drives: Table
    period: Array | None = eqx.field(metadata={"dimension": "time"})
    breaks: Array | None
    held: tuple[int | None, ...] = eqx.field(static=True)
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
        breaks: Any = None,
    ):
        owner = "JumpNetwork"
        self.energies = opened(float_or_function(energies))
        if not isinstance(baths, Mapping) or not baths:
            raise InputError(f"{owner}: `baths` must be a mapping from names to baths with at least one entry.")
        for name, bath in baths.items():
            if not isinstance(bath, Bath | WorkReservoir) and (not callable(bath) or isinstance(bath, type)):
                raise InputError(
                    f"{owner}: bath `{name}` must be a Bath, a WorkReservoir or a function that returns a Bath, but is "
                    f"{bath!r}."
                )
        if all(isinstance(bath, WorkReservoir) for bath in baths.values()):
            raise InputError(f"{owner}: `baths` holds work reservoirs alone; at least one must have a temperature.")
        self.baths = Table({name: opened(bath) for name, bath in baths.items()})
        if isinstance(channels, Channel):
            raise InputError(f"{owner}: `channels` must be a list of Channel, but is one; write [Channel(…)].")
        self.channels = tuple(channels)
        if not self.channels:
            raise InputError(f"{owner}: `channels` is empty; nothing connects the states.")
        for k, channel in enumerate(self.channels):
            check_type(owner, f"channels[{k}]", channel, Channel)
        driven = callable(energies) or any(not isinstance(b, Bath | WorkReservoir) for b in baths.values())
        driven = driven or any(not isinstance(c.kinetics, Kinetics) for c in self.channels)
        self.plain = not drives and driven
        self.drives = Table({"drive": _Phase()} if self.plain else as_drives(owner, drives))
        if len(self.drives) and period is None:
            raise InputError(f"{owner}: `period` is missing, but the network is driven.")
        if not len(self.drives) and period is not None:
            raise InputError(f"{owner}: `period` is given ({period}), but nothing is driven.")
        self.period = None if period is None else as_float(period)
        if self.period is not None:
            check_shape(owner, "period", self.period, (), "one number")
        if breaks is not None and not len(self.drives):
            raise InputError(f"{owner}: `breaks` are given, but nothing is driven.")
        self.breaks = None if breaks is None else as_float(breaks, f"{owner}: `breaks`")
        if self.breaks is not None and self.breaks.ndim != 1:
            raise InputError(f"{owner}: `breaks` must be a list of phases, but has shape {self.breaks.shape}.")
        twice = [name for name in self.drives if isinstance(baths.get(name), WorkReservoir)]
        if twice:
            raise InputError(f"{owner}: `{twice[0]}` is the name of a drive and of a work reservoir; give another one.")
        self.states = self._count_states()
        self.occupations, self.held = rows_of(occupations, self._kept(), self.states)
        if cooled_bath is not None and cooled_bath not in self._thermal():
            raise unknown_name(owner, "bath", cooled_bath, self._thermal())
        self.cooled_bath = cooled_bath
        self._check_places()

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        found = {name: getattr(self, name) for name in ("energies", "baths", "channels", "occupations", "drives")}
        found |= {"period": self.period, "cooled_bath": self.cooled_bath, "breaks": self.breaks}
        none = not isinstance(self.occupations, Table) and not np.any(self.occupations)
        return found | ({"drives": None} if self.plain else {}) | ({"occupations": None} if none else {})

    # ------------------------------------------------------------------ checks
    def _values(self, phase: Any) -> Any:
        values = {name: drive(phase) for name, drive in self.drives.items()}
        return values["drive"] if self.plain else values

    def _count_states(self) -> int:
        own, zero = self.energies, placed(np.zeros(()))
        shape = (jax.eval_shape(lambda: self._energies(self._values(zero))) if callable(own) else own).shape
        if len(shape) != 1 or shape[0] < 2:
            raise InputError(f"JumpNetwork: `energies` must be a list of at least 2 numbers, but has shape {shape}.")
        return int(shape[0])

    def _check_places(self) -> None:
        """The baths and states that channels name exist, and laws have a meaning for them."""
        for k, channel in enumerate(self.channels):
            for name in channel.baths:
                if name not in self.baths:
                    raise unknown_name(f"JumpNetwork: `channels[{k}]`", "bath", name, self.baths)
            thermal = set(channel.baths) <= set(self._thermal())
            if isinstance(channel.kinetics, Bosonic) and not (thermal and len(channel.baths) == 1):
                lack = "several baths have no common" if thermal else "a work reservoir has no"
                raise InputError(
                    f"JumpNetwork: `channels[{k}]` is Bosonic, but {lack} temperature at which to count bosons; use "
                    "Glauber(rate), which for a work reservoir leads both ways at that rate, or Explicit."
                )
            for argument, states in (("initial", channel.initial), ("final", channel.final)):
                beyond = states.array[(states.array < 0) | (states.array >= self.states)]
                if beyond.size:
                    raise InputError(
                        f"JumpNetwork: `channels[{k}].{argument}` names state {beyond[0]}, which does not exist; "
                        f"states are 0 to {self.states - 1}."
                    )

    def rules(self) -> Iterator[Rule]:
        if self.period is not None:
            xp, period = plainly(self.period)
            yield Rule(
                xp.isfinite(period) & (period > 0), lambda: f"`period` must be positive and finite, but is {period:g}."
            )
        if not callable(self.energies):
            xp, energies = plainly(self.energies)
            yield Rule(every(xp.isfinite(energies)), lambda: f"`energies` must be finite, but are {energies}.")
        if self.breaks is not None:
            xp, breaks = plainly(self.breaks)
            yield Rule(
                xp.all((breaks >= 0) & (breaks <= 2 * np.pi)),
                lambda: f"`breaks` must be phases from 0 to 2π, but are {show(breaks)}.",
            )
        held = table_of(self.occupations)
        xp, numbers = plainly(held)
        yield Rule(xp.all(xp.isfinite(numbers)), lambda: f"`occupations` must be finite, but are {held}.")
        names, kept = tuple(self.baths), self._kept()
        yield from particle_rules(self.channels, held, self.held, kept, names)
        exchanging = tuple(bool(species) for species in kept)
        if any(depends_on_moment(channel, exchanging, names) for channel in self.channels):
            for phase in self._looked_at():
                yield from moment_rules(self.moment(phase))
        own = any(type(d).__module__.partition(".")[0] != HOME for d in self.drives.values())
        if (self.plain or own) and self.borders() is None:
            moments = [self.moment(jnp.asarray(phase)) for phase in LOOKED_AT]
            yield closing_rule(moments, self.moment(jnp.asarray(2 * np.pi)))

    def _looked_at(self) -> list[Array]:
        """Phases of a look at rates and shares: the middles of pieces, if there are any."""
        if not len(self.drives):
            return [placed(np.zeros(()))]
        borders = self.borders()
        if borders is None:
            return [jnp.asarray(phase) for phase in LOOKED_AT]
        pieces = cut(borders)
        some = np.unique(np.linspace(0, pieces.start.shape[0] - 1, 8).astype(int))
        return [jnp.asarray(np.pi * (pieces.low[k] + pieces.high[k]), float) for k in some]

    def _kept(self) -> tuple[str, ...]:
        """The species of each bath's particles, or none; of a function of the drives, without computing its numbers."""
        found = tuple(self.baths.values())
        if not all(isinstance(bath, Bath | WorkReservoir) for bath in found):
            found = eqx.filter_eval_shape(lambda: self._baths(self._values(self._beginning())))
        return tuple(bath.kept if isinstance(bath, Bath) else "" for bath in found)

    def components(self, open_: np.ndarray | None = None) -> list[list[int]]:
        """Groups of states that channels connect, or those transitions that are `open_`; one, or it is not unique."""
        return groups(self.graph(), open_)

    def sizes(self) -> tuple[int, ...]:
        return tuple(channel.size for channel in self.channels)

    def smoothness(self) -> np.ndarray:
        # What functions of drives return is as smooth as drives are.
        return np.repeat([getattr(c.kinetics, "smoothness", SMOOTH) for c in self.channels], self.sizes())

    def explain(self, status: Status) -> str:
        told = {
            Status.NOT_UNIQUE: words.of_groups,
            Status.INVALID: words.of_invalid,
            Status.NOT_CONVERGED: words.of_not_converged,
        }
        return told[status](self) if status in told else ""

    # ------------------------------------------------------------------ pieces of the period
    def borders(self) -> Array | None:
        own = [drive.borders() for drive in self.drives.values()]
        if self.breaks is None and not any(b.shape[-1] for b in own):
            return None
        xp, breaks, *own = plainly(np.zeros(0) if self.breaks is None else self.breaks, *own)
        return placed(xp.concatenate([breaks / (2 * np.pi), *own]))

    def _beginning(self) -> Array:
        """A phase in the period's first piece: the energies there are what gains of the drives are counted from."""
        borders = self.borders()
        pieces = None if borders is None else cut(borders)
        return jnp.asarray(0.0 if pieces is None else np.pi * (pieces.low[0] + pieces.high[0]), float)

    def sudden(self, before: Any, after: Any) -> Array:
        old, new, start = self._values(before), self._values(after), self._values(self._beginning())
        if self.plain or not callable(self.energies):
            return jnp.zeros((len(self.drives), self.states))
        parts = dict.fromkeys(self.drives, jnp.zeros(self.states))
        for order in (list(self.drives), list(self.drives)[::-1]):
            values = old
            for name in order:
                changed = values | {name: new[name]}
                parts[name] = parts[name] + (self._energies(changed) - self._energies(values)) / 2
                values = changed
        rows = []
        for name, part in parts.items():
            ends = [self._energies(start | {name: end[name]}) for end in (old, new)]
            # Parts of the energy that add up leave nothing but rounding.
            blur = 16 * EPS * jnp.maximum(jnp.max(jnp.abs(ends[0])), jnp.max(jnp.abs(self._energies(new))))
            rest = part - (ends[1] - ends[0])
            rows.append(jnp.where(jnp.abs(rest) > blur, rest, 0.0))
        return jnp.stack(rows)

    # ------------------------------------------------------------------ assembly at one phase
    def _energies(self, values: Any) -> Array:
        if not callable(self.energies):
            return self.energies
        levels = tracing.called(self.energies, _Values.of(values))
        return stacked(as_float(e) for e in levels) if isinstance(levels, (list, tuple)) else as_float(levels)

    def moment(self, phase: Any) -> Moment:
        """Energies, baths and laws at a phase, for one point."""
        return self._moment(self._values(phase))

    def _moment(self, values: Any) -> Moment:
        return Moment(
            tuple(self.baths),
            self._baths(values),
            self._energies(values),
            table_of(self.occupations),
            self.channels,
            tuple(self._law(k, values) for k in range(len(self.channels))),
            self.held,
        )

    def _baths(self, values: Any) -> tuple[Bath | WorkReservoir, ...]:
        found = []
        for name, given in self.baths.items():
            fixed = isinstance(given, Bath | WorkReservoir)
            bath = given if fixed else tracing.called(given, _Values.of(values))
            if not fixed and not isinstance(bath, Bath):
                raise InputError(
                    f"JumpNetwork: the function of bath `{name}` must return a Bath, but returns {type(bath).__name__}."
                )
            found.append(bath)
        return tuple(found)

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
        values: Any = jax.tree.map(held, self._values(phase))
        if not callable(self.energies):
            zero = jnp.zeros((len(self.drives), self.states))
            return assemble(self._moment(values), {"slopes": zero, "gains": zero, "rest": zero})
        start = self._values(self._beginning())
        return assemble(self._moment(values), drive_terms(self._energies, self.drives, phase, values, start))

    # ------------------------------------------------------------------ structure, for the solvers
    def graph(self) -> Graph:
        names = self._thermal()
        return Graph(
            States(np.concatenate([c.initial.array for c in self.channels])),
            States(np.concatenate([c.final.array for c in self.channels])),
            self.states,
            tuple(
                tuple(names.index(name) for name in channel.baths if name in names)
                for channel in self.channels
                for _ in range(channel.size)
            ),
        )

    def _thermal(self) -> tuple[str, ...]:
        """The names of the baths that are no work reservoirs."""
        return tuple(name for name, bath in self.baths.items() if not isinstance(bath, WorkReservoir))

    def workers(self) -> tuple[str, ...]:
        return (*self.drives, *(name for name in self.baths if name not in self._thermal()))

    @property
    def has_particles(self) -> bool:
        """Whether some bath exchanges particles."""
        return any(callable(self.baths[name]) or self.baths[name].exchanges_particles for name in self._thermal())

    def steady_baths(self) -> tuple[bool, ...]:
        """Whether each bath's temperature and chemical potential are constant in time."""
        return tuple(isinstance(self.baths[name], Bath) for name in self._thermal())

    def reservoirs(self) -> dict[str, Bath]:
        found = self._baths(self._values(self._beginning()))
        return {name: bath for name, bath in zip(self.baths, found, strict=True) if isinstance(bath, Bath)}

    def solve(self, tolerance: Array) -> Outcome:
        return solve_periodic(self, tolerance) if len(self.drives) else self._stationary(sure=True)

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        if len(self.drives):
            return solve_periodic(self, tolerance, sure=False) if cost == 0 else None
        if cost > 0 or self.states > SMALL:
            return None if cost > 0 and self.states > SMALL else self._stationary(sure=False)
        return solve_quick(self.graph(), self._seen(), len(self.components()) == 1, tolerance)

    def moderate(self, tolerance: Array) -> Outcome | None:
        return None if len(self.drives) or self.states > SMALL else self._stationary(sure=False)

    def block(self, cost: int) -> int | None:
        blocks = cost == 0 and self.states <= SMALL and not len(self.drives) and not is_pair(self.graph())
        return lanes(self.states) if blocks else None

    @property
    def few(self) -> int:
        if self.states > SMALL:
            return 0
        return 64 if len(self.drives) else 256

    def _seen(self) -> Seen:
        kept = zip(self.baths, self._kept(), strict=True)
        counted = tuple(bool(species) for name, species in kept if name in self._thermal())
        return seen_plainly(self, self.channels, self._thermal(), counted)

    def attempt_covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted | None:
        if len(self.drives) or self.states > SMALL or len(self.components()) > 1:
            return None
        return attempt_covariances(self.graph(), self._seen(), targets, tolerance)

    @property
    def counts_along(self) -> bool:
        return self.block(0) is not None and len(self.components()) == 1

    def attempt_counted(
        self, lists: tuple[tuple[Target, ...], ...], tolerance: Array
    ) -> tuple[Outcome, tuple[Counted, ...]]:
        return attempt_counted(self.graph(), self._seen(), lists, tolerance)

    def _stationary(self, sure: bool) -> Outcome:
        arrays, static = eqx.partition(self, eqx.is_array)

        def look(point: Any) -> Snapshot:
            return eqx.combine(point, static).snapshot(jnp.zeros(()))

        if self.states > SMALL:
            edges, square = 2 * len(self.graph().initial), self.states**2 if Listed(self.graph()).dense else 0
            check_memory(
                f"JumpNetwork: a steady state of {self.states} states with {edges // 2} transitions",
                8 * (12 * square + (16 + 4 * len(self.baths)) * edges),
                "fewer states are needed, or a form that uses their structure (for spins in a line: SpinChain).",
            )
        solve = solve_stationary if self.states <= SMALL else solve_large
        return solve(self.graph(), arrays, look, len(self.components()) == 1, sure)

    def trajectories(  # type: ignore[override]
        self,
        key: Array,
        n: int,
        time: Any,
        *,
        start: Any = None,
        until: Any = None,
        throw: bool = True,
        progress: bool | None = None,
    ) -> JumpTrajectories:
        """`n` independent histories, event by event, from phase 0 over `time`; called by `coldspot.trajectories`.

        - `start`: the first state, or the probabilities of the states; by default those of the stationary or periodic
          state, and in the latter `time` is lengthened to whole periods;
        - `until`: a state, or a list of states, at whose entry a history ends: `durations` are first passage times; or
          an `Until`: `n` more and `n` more (best a multiple of 1,024), until their standard errors are as it asks;
        - `throw`: whether to raise `SolveError` if the averages cannot be trusted (a rate above its bound); `progress`:
          whether to show a bar.
        """
        return sample(self, key, n, time, start=start, until=until, throw=throw, progress=progress)

    def check_counting(self) -> None:
        check_memory(
            f"counting: a network of {self.states} states",
            4 * 8 * float(self.states) ** 3,
            "count by `trajectories`, whose memory does not grow like that, or join states that are alike.",
        )
