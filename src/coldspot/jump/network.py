"""Jump networks: states, baths, channels and drives; what a solver needs of them at one phase."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import (
    InputError,
    Numbers,
    as_float,
    check_finite,
    check_positive,
    check_shape,
    check_type,
    concrete,
    float_or_function,
    unknown_name,
)
from ..baths import Bath
from ..drives import Drive, _Phase, as_drive
from ..dynamics import Dynamics, Outcome
from ..pytrees import Table, opened
from ..solution import Status
from .graph import PHASES, Graph, Snapshot, States
from .kinetics import Bosonic, Explicit, Kinetics, Step
from .periodic import solve_periodic
from .stationary import solve_stationary


class Share(eqx.Module):
    """What a transition takes from one of its baths: energy and particles (negative: it gives them)."""

    energy: Numbers = eqx.field(converter=as_float)
    particles: Numbers = eqx.field(converter=as_float, default=0.0)


class Channel(eqx.Module):
    """Transitions initial → final (and back) that one bath causes, or several together.

    - `bath`: a bath's name; or a mapping {name: Share} for a transition that exchanges with several baths at once,
      whose shares must add up to the change of the system's energy and particle number;
    - `initial`, `final`: a state's index or equally long lists of them (numbers in `kinetics` and in the shares
      may then be lists, too);
    - `kinetics`: the law for the rates; or a function of the drives' values that returns it.

    >>> from coldspot import Channel, Tunnelling
    >>> Channel("left", 0, 1, Tunnelling(0.1)).baths
    ('left',)
    """

    baths: tuple[str, ...] = eqx.field(static=True)
    initial: States = eqx.field(static=True)
    final: States = eqx.field(static=True)
    kinetics: Kinetics | Callable[[Mapping[str, Array]], Kinetics]
    shares: tuple[Share, ...] | None

    def __init__(self, bath: str | Mapping[str, Share], initial: Any, final: Any, kinetics: Any):
        if isinstance(bath, str):
            self.baths, self.shares = (bath,), None
        elif isinstance(bath, Mapping) and bath and all(isinstance(s, Share) for s in bath.values()):
            self.baths, self.shares = tuple(bath), tuple(bath.values())
        else:
            raise InputError(
                f"Channel: `bath` must be a bath's name or a mapping from names to Share, but is {bath!r}."
            )
        self.initial, self.final, self.kinetics = States(initial), States(final), opened(kinetics)
        if self.initial.array.size != self.final.array.size:
            raise InputError(
                "Channel: `initial` and `final` must have the same length, "
                f"but have {self.initial.array.size} and {self.final.array.size}."
            )
        if isinstance(kinetics, type) or not (callable(kinetics) or isinstance(kinetics, Kinetics)):
            actual = f"the class {kinetics.__name__}" if isinstance(kinetics, type) else type(kinetics).__name__
            raise InputError(
                "Channel: `kinetics` must be a Kinetics, such as Tunnelling(0.1), or a function of the drives' values "
                f"that returns one, but is {actual}."
            )
        if isinstance(kinetics, Kinetics):
            for field in dataclasses.fields(kinetics):
                shape = np.shape(getattr(kinetics, field.name)) if eqx.is_array(getattr(kinetics, field.name)) else ()
                if shape not in ((), (self.size,)):
                    raise InputError(
                        f"Channel: `{field.name}` of {type(kinetics).__name__} must be one number or one for "
                        f"each of the {self.size} transitions, but has shape {shape}."
                    )
        if self.shares is None and np.any(self.initial.array == self.final.array):
            raise InputError(f"Channel: `initial` and `final` are the same state ({self.initial}) of one bath.")

    @property
    def size(self) -> int:
        return int(self.initial.array.size)


class _Values(dict):
    """The drives' values as a user's function sees them: a wrong name is told the right ones."""

    @classmethod
    def of(cls, values: Any) -> Any:
        return cls(values) if isinstance(values, dict) else values

    def __missing__(self, name: str) -> Any:
        raise unknown_name("JumpNetwork", "drive", str(name), self)


class JumpNetwork(Dynamics):
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
            check_positive(owner, "period", self.period)
        self.states = self._count_states()
        self.occupations = as_float(np.zeros(self.states) if occupations is None else occupations)
        check_shape(owner, "occupations", self.occupations, (self.states,), "one number per state")
        check_finite(owner, "occupations", self.occupations)
        if cooled_bath is not None and cooled_bath not in self.baths:
            raise unknown_name(owner, "bath", cooled_bath, self.baths)
        self.cooled_bath = cooled_bath
        self._check_channels()
        self._check_detailed_balance()

    # ------------------------------------------------------------------ checks
    def _values(self, phase: Any) -> Any:
        values = {name: drive(phase) for name, drive in self.drives.items()}
        return values["drive"] if self.plain else values

    def _count_states(self) -> int:
        zero = jnp.zeros(())
        shape = jax.eval_shape(lambda: self._energies(self._values(zero))).shape
        if len(shape) != 1 or shape[0] < 2:
            raise InputError(f"JumpNetwork: `energies` must be a list of at least 2 numbers, but has shape {shape}.")
        if not callable(self.energies):
            check_finite("JumpNetwork", "energies", self.energies)
        return int(shape[0])

    def _check_channels(self) -> None:
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
            self._check_particles(k, channel)

    def _check_particles(self, k: int, channel: Channel) -> None:
        numbers = concrete(self.occupations)
        if numbers is None:
            return
        change = numbers[channel.final.array] - numbers[channel.initial.array]
        if channel.shares is None:
            bath = self.baths[channel.baths[0]]
            if isinstance(bath, Bath) and not bath.exchanges_particles and np.any(change != 0):
                raise InputError(
                    f"JumpNetwork: `channels[{k}]` changes the number of particles by {change[change != 0][0]:g}, but "
                    f"its bath `{channel.baths[0]}` ({bath.kind}) exchanges none; use an ElectronBath."
                )
        else:
            for name, share in zip(channel.baths, channel.shares, strict=True):
                bath, amount = self.baths[name], concrete(share.particles)
                if (
                    isinstance(bath, Bath)
                    and not bath.exchanges_particles
                    and amount is not None
                    and np.any(amount != 0)
                ):
                    raise InputError(
                        f"JumpNetwork: `channels[{k}]` takes {np.ravel(amount)[0]:g} particles from bath `{name}` "
                        f"({bath.kind}), which exchanges none."
                    )
            given = [concrete(s.particles) for s in channel.shares]
            if all(g is not None for g in given) and not np.allclose(sum(given), change, rtol=0, atol=1e-12):  # type: ignore[arg-type]
                raise InputError(
                    f"JumpNetwork: the shares of `channels[{k}]` bring {np.ravel(sum(given))[0]:g} particles, "  # type: ignore[arg-type]
                    f"but the states differ by {change[0]:g}."
                )

    def _check_detailed_balance(self) -> None:
        """Explicit rates against the baths, and shares against the change of energy, at a few phases."""
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(self)):
            return
        explicit = [
            k for k, c in enumerate(self.channels) if c.shares is not None
            or not isinstance(c.kinetics, Kinetics) or (isinstance(c.kinetics, Explicit) and c.kinetics.check)
        ]  # fmt: skip
        if not explicit:
            return
        for phase in (0.0, 1.0, 2.5) if len(self.drives) else (0.0,):
            values = self._values(jnp.asarray(phase))
            energies = self._energies(values)
            baths = self._baths(values)
            for k in explicit:
                channel = self.channels[k]
                steps, energy, _ = self._steps(channel, energies, baths)
                change = np.asarray(steps.energy)
                if channel.shares is not None and not np.allclose(
                    np.sum(energy, axis=0), change, rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(energies)))
                ):
                    raise InputError(
                        f"JumpNetwork: the shares of `channels[{k}]` bring the energy {np.sum(energy, axis=0)[0]:g}, "
                        f"but the states differ by {change[0]:g}."
                    )
                law = (
                    channel.kinetics if isinstance(channel.kinetics, Kinetics) else channel.kinetics(_Values.of(values))
                )
                if isinstance(law, Explicit) and law.check:
                    log_ratio = np.broadcast_to(np.log(law.backward / law.forward), change.shape)
                    expected = np.asarray(steps.exponent)
                    wrong = np.abs(log_ratio - expected) > 1e-8 * (1 + np.abs(expected))
                    if np.any(wrong):
                        i = int(np.argmax(wrong))
                        raise InputError(
                            f"JumpNetwork: the rates of `channels[{k}]` break detailed balance: "
                            f"ln(backward/forward) is {log_ratio[i]:g}, but the baths ask for {expected[i]:g}; "
                            f"use Explicit(…, check=False) if this is meant."
                        )

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
        levels = self.energies(_Values.of(values))
        return jnp.stack([as_float(e) for e in levels]) if isinstance(levels, (list, tuple)) else as_float(levels)

    def _baths(self, values: Any) -> list[Bath]:
        return [bath if isinstance(bath, Bath) else bath(_Values.of(values)) for bath in self.baths.values()]

    def _steps(self, channel: Channel, energies: Array, baths: list[Bath]) -> tuple[Step, Array, Array]:
        """The channel's transitions, and the energy and particles that they take from each of its baths."""
        i, f = channel.initial.array, channel.final.array
        size = (channel.size,)
        change = energies[f] - energies[i]
        particles = self.occupations[f] - self.occupations[i]
        names = list(self.baths)
        used = [baths[names.index(name)] for name in channel.baths]
        if channel.shares is None:
            energy, number = change[None], particles[None]
            temperature = jnp.broadcast_to(used[0].temperature, size)
        else:
            energy = jnp.stack([jnp.broadcast_to(s.energy, size) for s in channel.shares])
            number = jnp.stack([jnp.broadcast_to(s.particles, size) for s in channel.shares])
            temperature = jnp.full(size, jnp.nan)
        exponent = sum(
            ((energy[k] - b.potential * number[k]) / b.temperature for k, b in enumerate(used)), jnp.zeros(size)
        )
        return Step(exponent, change, particles, energies[i], temperature), energy, number

    def snapshot(self, phase: Any) -> Snapshot:
        """The network at a phase θ, for one point; a pure function of arrays, to be mapped over batches.

        The reference equilibrium has the highest temperature and the hottest lead's chemical potential.
        Its affinity Σ_b[(e_b−μ_b n_b)(1/T_0−1/T_b) − n_b(μ_0−μ_b)/T_0] is computed from differences of bath
        parameters, so that it is exact to rounding however small, and zero in equilibrium.
        """
        values = self._values(phase)
        energies = self._energies(values)
        baths = self._baths(values)
        names = list(self.baths)
        temperature = jnp.stack([b.temperature for b in baths])
        potential = jnp.stack([b.potential for b in baths])
        electronic = [k for k, b in enumerate(baths) if b.exchanges_particles]
        t0 = jnp.max(temperature)
        leads = np.array(electronic, int)
        mu0 = potential[leads][jnp.argmax(temperature[leads])] if electronic else jnp.zeros(())
        parts = []
        for channel in self.channels:
            step, energy, number = self._steps(channel, energies, baths)
            law = channel.kinetics if isinstance(channel.kinetics, Kinetics) else channel.kinetics(_Values.of(values))
            taken_energy = jnp.zeros((len(names), channel.size))
            taken_number = jnp.zeros((len(names), channel.size))
            deviation = jnp.zeros(channel.size)
            deviation_size = jnp.zeros(channel.size)
            for k, name in enumerate(channel.baths):
                b = names.index(name)
                taken_energy = taken_energy.at[b].set(energy[k])
                taken_number = taken_number.at[b].set(number[k])
                heat = energy[k] - potential[b] * number[k]
                thermal = heat * (temperature[b] - t0) / (t0 * temperature[b])
                chemical = -number[k] * (mu0 - potential[b]) / t0
                deviation += thermal + chemical
                deviation_size += jnp.abs(thermal) + jnp.abs(chemical)
            parts.append((law, step, taken_energy, taken_number, deviation, deviation_size))
        forward, backward = _log_rates([(law, step) for law, step, *_ in parts])
        exponent = jnp.concatenate([step.exponent for _, step, *_ in parts])
        deviation = jnp.concatenate([p[4] for p in parts])
        deviation_size = jnp.concatenate([p[5] for p in parts])
        # Rates that need not obey detailed balance define their own affinity.
        free = np.concatenate(
            [np.full(c.size, not law.detailed_balance) for c, (law, *_) in zip(self.channels, parts, strict=True)]
        )
        if free.any():
            actual = backward - forward
            deviation = jnp.where(free, deviation + exponent - actual, deviation)
            deviation_size = jnp.where(free, deviation_size + jnp.abs(exponent) + jnp.abs(actual), deviation_size)
            exponent = jnp.where(free, actual, exponent)
        valid = jnp.all(jnp.isfinite(forward)) & jnp.all(jnp.isfinite(backward)) & jnp.all(jnp.isfinite(energies))
        valid &= jnp.all(temperature > 0) & jnp.all(jnp.isfinite(temperature)) & jnp.all(jnp.isfinite(potential))
        return Snapshot(
            log_forward=forward,
            log_backward=backward,
            exponent=exponent,
            deviation=deviation,
            deviation_size=deviation_size,
            energy=jnp.concatenate([p[2] for p in parts], axis=-1),
            particles=jnp.concatenate([p[3] for p in parts], axis=-1),
            temperature=temperature,
            potential=potential,
            energies=energies,
            reference=-(energies - mu0 * self.occupations) / t0,
            **self._drive_terms(values, phase),
            valid=valid,
        )

    def _drive_terms(self, values: Any, phase: Any) -> dict[str, Array]:
        """`slopes`, `gains` and `rest` of a snapshot, by forward differentiation of the energies."""
        if not callable(self.energies):
            zero = jnp.zeros((len(self.drives), self.states))
            return {"slopes": zero, "gains": zero, "rest": zero}
        start = self._values(jnp.zeros_like(phase))
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
        )

    @property
    def has_particles(self) -> bool:
        """Whether some bath exchanges particles."""
        return any(not isinstance(b, Bath) or b.exchanges_particles for b in self.baths.values())

    def steady_baths(self) -> tuple[bool, ...]:
        """Whether each bath's temperature and chemical potential are constant in time."""
        return tuple(isinstance(bath, Bath) for bath in self.baths.values())

    def reservoirs(self) -> dict[str, Bath]:
        return dict(zip(self.baths, self._baths(self._values(jnp.zeros(()))), strict=True))

    def solve(self, tolerance: Array) -> Outcome:
        return solve_periodic(self, tolerance) if len(self.drives) else solve_stationary(self)


def _log_rates(laws: list[tuple[Kinetics, Step]]) -> tuple[Array, Array]:
    """Rates of all channels: laws of one kind whose numbers are scalars or lists are traced once, together.

    A law's number is a scalar, or a list with one entry per transition; arrays further inside (the table of
    a user's coupling spectrum, say) are shared by the channel's transitions.
    """
    groups: dict[Any, list[int]] = {}
    for k, (law, step) in enumerate(laws):
        arrays, static = eqx.partition(law, eqx.is_array)
        together = all(leaf.ndim == 0 or axis == 0 for leaf, axis in _axes(law, step))
        key = (jax.tree.structure(arrays), jax.tree.structure(static), tuple(jax.tree.leaves(static)))
        groups.setdefault(key if together else k, []).append(k)
    forward: list[Any] = [None] * len(laws)
    backward: list[Any] = [None] * len(laws)
    for members in groups.values():
        sizes = [laws[k][1].exponent.shape[0] for k in members]
        step = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *[laws[k][1] for k in members])
        columns, axes = [], []
        for leaves in zip(*[_axes(*laws[k]) for k in members], strict=True):
            shared = len(members) == 1 and leaves[0][1] is None
            axes.append(None if shared else 0)
            columns.append(
                leaves[0][0]
                if shared
                else jnp.concatenate([jnp.broadcast_to(a, (n,)) for (a, _), n in zip(leaves, sizes, strict=True)])
            )
        arrays, static = eqx.partition(laws[members[0]][0], eqx.is_array)
        structure = jax.tree.structure(arrays)

        def rates(columns: Any, step: Step, structure: Any = structure, static: Any = static) -> tuple[Array, Array]:
            return eqx.combine(jax.tree.unflatten(structure, columns), static).log_rates(step)

        f, b = jax.vmap(rates, in_axes=(axes, 0))(columns, step)
        start = 0
        for k, n in zip(members, sizes, strict=True):
            forward[k], backward[k] = f[start : start + n], b[start : start + n]
            start += n
    return jnp.concatenate(forward), jnp.concatenate(backward)


def _axes(law: Kinetics, step: Step) -> list[tuple[Array, int | None]]:
    """Each number of a law, with 0 if it has one entry per transition and None if it is shared."""
    size = step.exponent.shape
    own = [getattr(law, name) for name in law.__dataclass_fields__]  # type: ignore[attr-defined]
    return [
        (leaf, 0 if leaf.shape == size and any(leaf is a for a in own) else None)
        for leaf in jax.tree.leaves(eqx.filter(law, eqx.is_array))
    ]
