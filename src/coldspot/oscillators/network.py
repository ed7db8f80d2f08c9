"""Oscillator networks: masses, springs, frictions, baths and what drives them."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from .. import growth, tracing
from .._checks import InputError, Rule, Vector, as_float, check_shape, unknown_name, worded
from ..baths import BosonBath, HeatBath
from ..drives import Cosine, Drive, _Phase
from ..dynamics import Counted, Dynamics, Outcome, Target
from ..pytrees import Table, opened
from ..solution import Status
from ..spectral import Drude, Ohmic, SpectralDensity
from ..trajectories import Trajectories
from . import builders, cumulants, ensemble, floquet, journey, landauer, linear, sampling, stationary, transients, words
from .arguments import (
    FEEDBACK,
    OWNER,
    PULL,
    SPRING,
    Values,
    acting,
    baths_of,
    check_potential,
    check_size,
    check_spectra,
    frictions_of,
    given_again,
    is_quantum,
    matrices_of,
    places_of,
    spectra_of,
    zeros_of,
)
from .evolution import Evolution, transient
from .forces import amplitudes_of, hidden
from .instant import FEW, Instant, or_one
from .model import System
from .rules import each, friction_rules, mass_rules, spring_rules
from .told import edges_of, jump_of_springs, told

LOOKED_AT = (0.0, 1.0, 2.5)
"""Phases at which driven springs are looked at."""


class OscillatorNetwork(Dynamics):
    """Coordinates x_i on springs with Langevin dynamics, with any number of heat baths, driven or not.

    M ẍ = −Φx − ∂U/∂x + Σ_d f_d + Σ_b (−Γ_b ẋ + η_b),   ⟨η_b(t) η_b(t′)ᵀ⟩ = 2T_b Γ_b δ(t−t′)

    - `masses` m (n,), positive; a coordinate of mass 0 is overdamped;
    - `springs` Φ (n, n), the symmetric stiffness matrix, walls included: the energy is ½ Σ_ij Φ_ij x_i x_j
      (`chain_springs` makes that of a chain); or a function of the values of `drives` {name: λ} that returns it;
    - `frictions`, forces per velocity: γ (n,), or a matrix (n, n), not negative, and zero where there is no bath. By
      bath where several act on one coordinate: {name: a number, a list or a matrix over the coordinates of that bath,
      or its spectrum, `spectral.Drude(γ, cutoff)` for friction with a memory};
    - `baths`: {name: bath}, HeatBath (classical) or BosonBath (quantum), and `sites`: {name: coordinate, or list of
      coordinates, on which that bath acts};
    - `forces`: {name: (coordinate, Drive)}; {name: N (n, n)} for a force N x that has no energy (N not symmetric); or
      {name: f} for a feedback, a function f(x, v) → (n,) of positions and velocities, which has trajectories alone;
    - `drives`: {name: Drive}, what moves the springs. Without them a function given as `springs` is one of the phase,
      and its work is booked to a drive called `drive`;
    - `frequency` Ω, common to all drives: their phase is Ωt;
    - `potential`: a differentiable function U(x) of the coordinates (n,), an energy beside that of the springs;
    - `cooled_bath`: the bath that the network is meant to cool (by default the coldest).

    heat[b] = ⟨(−Γ_b ẋ + η_b)∘ẋ⟩ is absorbed from the bath; work[d] = ⟨f_d ẋ⟩, or ½⟨xᵀ(∂Φ/∂λ_d)x dλ_d/dt⟩, is done by
    the drive; units: k_B = ħ = 1, energies in one unit, masses, lengths and times in any that fit.

    Without `potential` the steady state is exact (see the page on oscillators in the documentation).

    >>> import coldspot as cs
    >>> pair = cs.OscillatorNetwork(
    ...     masses=[1.0, 1.0],
    ...     springs=[[5.0, -3.0], [-3.0, 5.0]],
    ...     frictions=[1.0, 1.0],
    ...     baths={"left": cs.HeatBath(1.0), "right": cs.HeatBath(0.5)},
    ...     sites={"left": 0, "right": 1},
    ... )
    >>> pair.size
    2
    """

    masses: Vector
    springs: Float[Array, "..."] | Callable[..., Any]
    frictions: Array | Table
    baths: Table
    drives: Table
    frequency: Array | None
    potential: Callable[[Array], Array] | None
    places: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    targets: tuple[int, ...] = eqx.field(static=True)
    massless: tuple[int, ...] = eqx.field(static=True)
    full: bool = eqx.field(static=True)
    cooled_bath: str | None = eqx.field(static=True)

    def __init__(
        self,
        masses: Any,
        springs: Any,
        frictions: Any,
        baths: Mapping[str, HeatBath | BosonBath],
        sites: Mapping[str, Any],
        forces: Mapping[str, Any] | None = None,
        frequency: Any = None,
        potential: Callable[[Array], Array] | None = None,
        cooled_bath: str | None = None,
        drives: Mapping[str, Drive] | None = None,
    ):
        self.masses = as_float(masses)
        if self.masses.ndim != 1 or not self.masses.size:
            raise InputError(f"{OWNER}: `masses` must be a list of numbers, but has shape {self.masses.shape}.")
        n = self.masses.shape[0]
        check_size(n)
        self.massless = zeros_of(self.masses, masses)
        self.baths = baths_of(baths)
        self.places = places_of(sites, tuple(baths), n)
        self.frictions = frictions_of(frictions, tuple(baths), self.places, n)
        self.full = not isinstance(self.frictions, Table) and self.frictions.ndim == 2
        self.drives, self.targets = acting(forces, drives, springs, n)
        self.springs = opened(springs) if callable(springs) else as_float(springs)
        shape = jax.eval_shape(lambda: self._springs(jnp.zeros(()))).shape
        if shape != (n, n):
            raise InputError(f"{OWNER}: `springs` must have shape {(n, n)} (a row and a column per mass), not {shape}.")
        periodic = any(target not in (PULL, FEEDBACK) for target in self.targets)
        if periodic and frequency is None:
            raise InputError(f"{OWNER}: `frequency` is missing, but the network is driven.")
        if not periodic and frequency is not None:
            raise InputError(f"{OWNER}: `frequency` is given ({frequency}), but nothing is driven.")
        self.frequency = None if frequency is None else as_float(frequency)
        if self.frequency is not None:
            check_shape(OWNER, "frequency", self.frequency, (), "one number")
        self.potential = opened(potential)
        if potential is not None:
            check_potential(potential, n)
        if self.quantum or self.remembers:
            beside = {"a `potential`": potential is not None, "coordinates of mass 0": bool(self.massless)}
            beside["driven `springs`"] = callable(self.springs)
            beside["`forces` given as a matrix or as a function"] = bool({PULL, FEEDBACK} & set(self.targets))
            check_spectra(spectra_of(self.quantum), beside)
        if cooled_bath is not None and cooled_bath not in self.baths:
            raise unknown_name(OWNER, "bath", cooled_bath, self.baths)
        self.cooled_bath = cooled_bath

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        names = ("masses", "springs", "frictions", "baths", "frequency", "potential", "cooled_bath")
        again = given_again(tuple(self.baths), self.places, self.drives, self.targets)
        return {name: getattr(self, name) for name in names} | again

    @classmethod
    @worded
    def chain(
        cls,
        n: int,
        spring: Any = 1.0,
        mass: Any = 1.0,
        friction: Any = 1.0,
        temperatures: tuple[Any, Any] = (2.0, 1.0),
        quantum: bool = False,
    ) -> "OscillatorNetwork":
        """A chain of n masses between fixed walls, with a bath at each end: `left` at mass 0, `right` at mass n−1.

        - `spring` between neighbours and to the walls: one number, or n+1 from the left wall to the right one;
        - `mass`: one number, or n; `friction`: force per velocity on the end masses, one number or (left, right);
        - `temperatures` (left, right); `quantum`: baths of quanta (BosonBath) instead of classical ones.

        >>> import coldspot as cs
        >>> f"{float(cs.steady_state(cs.OscillatorNetwork.chain(8, temperatures=(2.0, 1.0))).heat['left']):.6f}"
        '0.190983'
        """
        return cls(**builders.chain(n, spring, mass, friction, temperatures, quantum))

    def rules(self) -> Iterable[Rule]:
        yield from mass_rules(self.masses, self.massless)
        yield from friction_rules(self.frictions, self.places, self.massless, self.size, self.friction_matrices)
        for phase in LOOKED_AT if callable(self.springs) else LOOKED_AT[:1]:
            yield from spring_rules(self._springs(jnp.asarray(phase)))
        if any(isinstance(drive, _Phase) for drive in self.drives.values()):
            start, end = (self._springs(jnp.asarray(phase)) for phase in (0.0, 2 * np.pi))
            same = jnp.all(jnp.abs(start - end) <= 1e-9 * jnp.max(jnp.abs(start)))
            yield Rule(
                same, lambda: "`springs` must be the same at the phases 0 and 2π; it is a function of the phase."
            )
        for name, target in zip(self.drives, self.targets, strict=True):
            if target == PULL:
                yield each(f"forces[{name!r}]", self.drives[name].matrix, lambda a: abs(a) < np.inf, "finite")
        if self.frequency is not None:
            yield each("frequency", self.frequency, lambda w: (w > 0) & (w < np.inf), "positive and finite")

    @property
    def size(self) -> int:
        """The number n of coordinates."""
        return self.masses.shape[-1]

    @property
    def bath_of(self) -> tuple[int, ...]:
        """The index of each coordinate's bath (the last one that acts on it), −1 where there is none."""
        last = {i: b for b, at in enumerate(self.places) for i in at}
        return tuple(last.get(i, -1) for i in range(self.size))

    @property
    def quantum(self) -> bool:
        return is_quantum(self.baths)

    @property
    def remembers(self) -> bool:
        """Whether some friction has a memory."""
        return isinstance(self.frictions, Table) and any(
            isinstance(f, SpectralDensity) for f in self.frictions.values()
        )

    @property
    def feedbacks(self) -> dict[int, Callable[[Array, Array], Array]]:
        """The forces that are functions of positions and velocities, by their place among the drives."""
        return {d: f.law for d, f in enumerate(self.drives.values()) if self.targets[d] == FEEDBACK}

    def _beyond(self) -> str:
        """What makes the network more than masses on constant springs, each with one bath, and cosine forces."""
        if FEEDBACK in self.targets:
            return "`forces` that are functions of positions and velocities"
        if callable(self.springs):
            return "driven `springs`"
        if self.massless:
            return "coordinates of mass 0"
        if isinstance(self.frictions, Table) or self.full:
            return "`frictions` that are more than a list of numbers"
        if any(not isinstance(drive, Cosine) for drive in self.drives.values()):
            return "`forces` that are more than cosines"
        return "quantum baths" if self.quantum else ""

    def _springs(self, phase: Any) -> Array:
        if not callable(self.springs):
            return self.springs
        named = zip(self.drives.items(), self.targets, strict=True)
        return self.stiffness({name: drive(phase) for (name, drive), target in named if target == SPRING})

    def stiffness(self, values: dict[str, Any]) -> Array:
        only = next(iter(values)) if len(values) == 1 else ""
        given = values[only] if only and isinstance(self.drives[only], _Phase) else Values(values)
        assert callable(self.springs)
        return as_float(tracing.called(self.springs, given), f"{OWNER}: what `springs` returns")

    def friction_matrices(self) -> Array:
        """Γ_b (bath, n, n) of each bath; of a friction with a memory, that of slow motion."""
        return matrices_of(self.frictions, self.places, self.size)

    def instant(self, phase: Any, pushed: bool = True) -> Instant:
        """The numbers of one network at a phase; `pushed`: with the periodic forces, or without."""
        n, phase = self.size, jnp.asarray(phase, float)
        changes = pulls = jnp.zeros((len(self.drives), n, n))
        force = jnp.zeros((len(self.drives), n))
        moved = {name: d for (name, d), t in zip(self.drives.items(), self.targets, strict=True) if t == SPRING}
        for d, (name, drive) in enumerate(self.drives.items()):
            target = self.targets[d]
            if target == PULL:
                pulls = pulls.at[d].set(drive.matrix)
            elif target == SPRING:
                values = {other: own(phase) for other, own in moved.items()}
                speed = jax.jvp(drive, (phase,), (jnp.ones_like(phase),))[1] * self.frequency
                direction = {other: speed if other == name else jnp.zeros_like(v) for other, v in values.items()}
                changes = changes.at[d].set(jax.jvp(self.stiffness, (values,), (direction,))[1])
            elif pushed and target != FEEDBACK:
                force = force.at[d, target].set(drive(phase))
        return Instant(
            masses=self.masses,
            springs=self._springs(phase),
            temperatures=jnp.stack([bath.temperature for bath in self.baths.values()]),
            frictions=self.friction_matrices(),
            changes=changes,
            pulls=pulls,
            pushes=force,
            massless=self.massless,
        )

    def course(self) -> floquet.Course:
        """What one network does in a period."""
        jumps = functools.partial(jump_of_springs, self)
        return floquet.Course(self.instant, or_one(self.frequency), edges_of(self), jumps)

    def spectral(self) -> landauer.Spectral:
        """The numbers of one network between baths with a spectrum."""
        sites = tuple(sorted({i for at in self.places for i in at}))
        table = self.frictions if isinstance(self.frictions, Table) else {}
        cutoffs = [d.cutoff if isinstance(d := table.get(b), Drude | Ohmic) else jnp.inf for b in self.baths]
        pushes, rough = amplitudes_of(self.drives, self.targets, self.size)
        return landauer.Spectral(
            masses=self.masses,
            springs=self._springs(0.0),
            temperatures=jnp.stack([bath.temperature for bath in self.baths.values()]),
            strengths=self.friction_matrices()[:, np.array(sites)[:, None], np.array(sites)],
            cutoffs=jnp.stack([as_float(cutoff) for cutoff in cutoffs]),
            pushes=pushes,
            rough=rough,
            frequency=or_one(self.frequency),
            sites=sites,
            quantum=self.quantum,
        )

    @property
    def few(self) -> int:
        return 256 if self.masses.size <= FEW and not callable(self.springs) and self.potential is None else 0

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        driven = callable(self.springs) or self.feedbacks
        if cost or driven or self.quantum or self.remembers or self.potential is not None:
            return None
        return self._stationary(all_damped=True) if self._beyond() else linear.attempt(self.system())

    def solve(self, tolerance: Array) -> Outcome:
        if FEEDBACK in self.targets or (self.potential is not None and self._beyond()):
            what = f"a network with {'' if self.potential is None else 'a `potential` and '}{self._beyond()}"
            raise InputError(f"{OWNER}: {what} has no `steady_state` yet; its averages: `coldspot.trajectories`.")
        if self.potential is not None:
            return ensemble.steady(self.system())
        if not self._beyond():
            return linear.steady(self.system())
        arrays, static = eqx.partition(self, eqx.is_array)
        if self.quantum or self.remembers:
            return landauer.steady(arrays, lambda p: eqx.combine(p, static).spectral())
        if callable(self.springs):
            return floquet.steady(arrays, lambda p: eqx.combine(p, static).course())
        return self._stationary(all_damped=False)

    def _stationary(self, all_damped: bool) -> Outcome:
        arrays, static = eqx.partition(self, eqx.is_array)

        def parts(point: Any) -> tuple[Instant, Array, stationary.Pushes]:
            now: OscillatorNetwork = eqx.combine(point, static)
            pushes = amplitudes_of(now.drives, self.targets, self.size)
            return now.instant(0.0, pushed=False), or_one(now.frequency), pushes

        return stationary.steady(arrays, parts, PULL not in self.targets, all_damped)

    def cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        special = self.massless or self.quantum or self.remembers or self.potential is not None
        if special or any(target != PULL for target in self.targets):
            raise InputError(
                f"counting: cumulants of an {OWNER} are known for masses on constant springs, with classical baths, "
                "without `forces` of time or fed back and without a `potential`."
            )
        (arrays, static), asked = eqx.partition(self, eqx.is_array), cumulants.asked(targets, tuple(self.baths))
        return cumulants.heat(arrays, lambda p: eqx.combine(p, static).instant(0.0), asked, order)

    def evolved(self, initial: Any, times: np.ndarray, tolerance: float, throw: bool) -> Evolution:
        """See `coldspot.evolve`; `initial` is (mean, covariance) of positions and velocities at time 0."""
        self._check_linear("evolve")
        return transient(self, initial, times, tolerance, throw)

    def explain(self, status: Status) -> str:
        if not self._beyond():
            return words.explain(self.system(), status)
        if status == Status.NOT_CONVERGED and not callable(self.springs):
            return hidden(self.drives, self.targets)
        if self.quantum or self.remembers:
            return words.explain_springs(self._springs(0.0)) if status == Status.UNSTABLE else ""
        return words.explain_motion(self.instant(0.0), status, callable(self.springs))

    def system(self) -> System:
        """The numbers that the methods for masses on springs and cosine forces know, of one network or of a batch."""
        batch = self.masses.shape[:-1]

        def row(values: list[Array]) -> Array:
            return jnp.stack(values, axis=-1) if values else jnp.zeros((*batch, 0))

        drives = list(self.drives.values())
        return System(
            masses=self.masses,
            springs=jnp.asarray(self.springs),
            frictions=jnp.asarray(self.frictions),
            temperatures=row([bath.temperature for bath in self.baths.values()]),
            amplitudes=row([drive.amplitude for drive in drives]),
            phases=row([drive.phase for drive in drives]),
            means=row([drive.mean for drive in drives]),
            frequency=jnp.zeros(batch) if self.frequency is None else self.frequency,
            potential=self.potential,
            bath_of=self.bath_of,
            sites=self.targets,
        )

    def trajectories(  # type: ignore[override]
        self,
        key: Array,
        n: int,
        time: Any,
        *,
        time_step: Any = None,
        bias: Any = None,
        transient: Any = None,
        keep: int = 0,
        stride: int = 1,
        throw: bool = True,
        progress: bool | None = None,
        until: growth.Until | None = None,
        start: Any = None,
    ) -> Trajectories:
        """`n` independent trajectories, averaged for `time`; called by `coldspot.trajectories`.

        - `time_step`, or else the `bias` of heat and work, relative to the largest, that it may cause (default 1e-3).
          In a driven network whole blocks of 16 or 32 steps make a period: `statistics["time_step"]` may be shorter.
          The standard errors do not contain the bias: `statistics["time_step_bias"]` states it, as the most similar
          linear network has it. One above 1e-2 that exceeds the standard errors is `NOT_CONVERGED`. With driven
          springs, friction matrices, forces without an energy or coordinates of mass 0 it is measured by a second run;
        - `transient`: time that is not averaged. By default none in a linear network, which starts in its
          steady state, and twelve relaxation times of the most similar linear network otherwise;
        - `keep`: how many sample paths to return, one point in every `stride` steps;
        - `throw`: whether to raise `SolveError` if the averages cannot be trusted; `progress`: whether to show a bar;
        - `until`: an `Until`: `n` more and `n` more of them, until their standard errors are as small as it asks;
        - `start`: where they are at time 0 and phase 0, for `time` from there on, no steady state needed: positions and
          then velocities of coordinates with a mass, as (mean, covariance), as numbers for all, or (n, numbers). Phases
          are not folded, so that a `Drive` of one's own may be a ramp. The bias of the step is measured.

        Raises `InputError` for a time step with which the network is unstable, and names the longest one.
        """
        options = {"time_step": time_step, "transient": transient, "keep": keep, "stride": stride, "throw": throw}
        options |= {"progress": progress, "until": until}
        if self._beyond() or start is not None:
            return self._journeys(key, n, time, bias, start, options)
        return sampling.sample(self, self.system(), key, n, time, bias=bias, **options)

    def _journeys(self, key: Array, n: int, time: Any, bias: Any, start: Any, options: dict[str, Any]) -> Trajectories:
        """Trajectories of a network that is more than masses on constant springs, or from a given start."""
        if self.quantum or self.remembers:
            raise InputError(f"trajectories: an {OWNER} with {spectra_of(self.quantum)} has none; see `steady_state`.")
        if bias is not None:
            raise InputError(
                f"trajectories: with {self._beyond() or 'a `start`'} `bias` is measured, not chosen; give `time_step`."
            )
        seen = told(self)
        if start is None:
            return journey.sample(self, seen, key, n, time, **options)
        if options.pop("transient") is not None:
            raise InputError("trajectories: `start` and `transient` exclude each other: all is averaged.")
        return transients.follow(self, seen, key, n, time, start=start, **options)

    def covariance(self) -> Array:
        """Covariance (2n, 2n) of (x, v) about the mean motion, which forces do not change; linear networks only.
        NaN between coordinates that move in modes which no friction reaches, as far as it depends on the start.

        >>> import coldspot as cs
        >>> one = cs.OscillatorNetwork([2.0], [[4.0]], [0.1], {"bath": cs.HeatBath(1.0)}, {"bath": 0})
        >>> one.covariance().round(12).tolist()
        [[0.25, 0.0], [0.0, 0.5]]
        """
        self._check_linear("covariance", constant=True)
        if not self._beyond():
            return linear.covariance(self.system())
        return stationary.covariance(self.instant(0.0, pushed=False))

    def currents(self) -> Array:
        """Energy currents J (n, n) through the springs, averaged over the period of forces; linear networks only.
        J_ij = −Φ_ij ⟨x_j∘ẋ_i⟩ = −J_ji: what the spring brings to coordinate i. With the heat of baths there and the
        work of forces, of those without an energy too, that is zero in all. (A driven spring takes in work between its
        ends: what leaves one is not what arrives at the other.) NaN where it depends on the start.

        >>> import coldspot as cs
        >>> chain = cs.OscillatorNetwork.chain(3)
        >>> bool(abs(chain.currents()[1, 0] - cs.steady_state(chain).heat["left"]) < 1e-12)
        True
        """
        self._check_linear("currents", constant=True)
        if not self._beyond():
            return linear.currents(self.system())
        pushes, still = amplitudes_of(self.drives, self.targets, self.size)[0], self.instant(0.0, pushed=False)
        return stationary.currents(still, or_one(self.frequency), pushes, PULL not in self.targets)

    def _check_linear(self, what: str, constant: bool = False) -> None:
        other = self._beyond() if FEEDBACK in self.targets else "" if self.potential is None else "a `potential`"
        if other:
            raise InputError(f"{OWNER}: `{what}` is known for linear networks only, but this one has {other}.")
        if constant and (callable(self.springs) or self.remembers or self.quantum):
            raise InputError(f"{OWNER}: `{what}` is known for constant springs and classical baths only.")
