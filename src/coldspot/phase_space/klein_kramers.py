"""A particle with inertia in any potential, friction and temperature: the Klein–Kramers equation."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import tracing
from .._checks import InputError, Rule, Scalar, as_float, check_type, parameter
from ..baths import HeatBath, ParticleBath
from ..drives import Drive, Steps, as_drives
from ..dynamics import TOLERANCE, Dynamics, Outcome, Rates, checked_tolerance
from ..growth import Until
from ..numerics.one_thread import one_thread
from ..pytrees import Table, opened
from ..solution import SolveError, Status
from ..trajectories import Trajectories
from .arguments import (
    OWNER,
    check_borders,
    check_count,
    check_drives,
    check_followers,
    check_scalar,
    constant,
    domain,
    is_function,
    known,
    positive,
    profile_of,
)
from .boundaries import Boundary, Closed, Open, Periodic
from .ensemble import checked, simulated
from .host import Fault, steady_numbers
from .landscape import Landscape, kind_of, sample, walled
from .overdamped import Overdamped
from .particles import field_of
from .profiles import Profiles
from .runs import REASONS, beside, beside_one, narrowed, reference_of, run_of, wrong
from .terrain import Terrain
from .tide import Moved
from .transients import followed

ENDS = ("left", "right")


class KleinKramers(Dynamics):
    """The density P(x, v) of particles with inertia, friction and noise:

    ∂_tP = −v ∂_xP + ((V′(x)−F)/m) ∂_vP + γ(x) ∂_v(vP + (T(x)/m) ∂_vP)

    - `potential` V(x), a function of one coordinate, smooth where particles are (an infinite wall is an end);
    - `friction` γ, a rate (the force is −mγv), and `temperature` T: a number, `Steps` (values, and shares of the domain
      from its start), or a function of x; `mass` m;
    - `boundary`: `Open(start, stop, left=, right=)`, incoming densities; `Periodic(length, load=, start=)`, a ring
      with the load F; `Closed()`, a potential that confines, or reflecting walls `Closed(start, stop)`;
    - `drives` {name: Drive} and their `frequency` Ω, if the potential moves: `potential` is then a function of x and of
      the drives' values {name: λ}, and the state the periodic one, averaged over the period. At open ends it must be at
      rest. Drives may jump or have kinks where their `borders()` say so;
    - `baths`: names of the regions between the steps of the temperature, from left to right. A name may return:
      regions of one name are one bath and have one temperature. By default one bath, `bath`.

    **Ledger.** heat[b] = ∫_b γ(T n − m⟨v²⟩n) dx, absorbed from the bath of region b, n = ∫P dv. On a ring or closed
    there is one particle in all; work[`load`] = F⟨v⟩, and work[d] = ⟨∂V/∂λ_d dλ_d/dt⟩, jumps among it. Open ends add
    the particle reservoirs `left` and `right` at the temperature of the region there, with μ = V + T ln(n_in) −
    ½T ln(T/√(T_lT_r)): the last term, zero at one temperature, is the kinetic part of the chemical potential, without
    which the second law fails. Their heat is the energy that they bring, less μ per particle. Where T is a function of
    x, the bath's temperature is ⟨T⟩, and entropy flows are integrals of the heat over T(x).

    `observables`: `flux`, particles per time to the right (on a ring, turns per time); `mean velocity` ∫ vP; and
    `kinetic flux 1`, …, the kinetic energy ∫ ½mv³P dv that particles carry to the right across each step of the
    temperature: with no drive and no flux that is the kinetic heat leak.

    **Method.** Polynomial elements in position and in velocity, refined towards steps and open ends, where the density
    is singular at v = 0, and harmonics of the period, or collocation in time between jumps and kinks; the mesh becomes
    finer (and closed problems reach farther) until all numbers are as exact as the tolerance asks. See the page on
    barriers in the documentation for orders and times. The density is not forced to be positive: the residual `negative
    density` says how far it falls below zero (at eight phases, or before each jump or kink), relative to its maximum.

    A ring, warmer on one side of the barrier, moves without a load:

    >>> import coldspot as cs
    >>> ring = cs.KleinKramers(
    ...     potential=lambda x: 1 + jnp.cos(x),
    ...     friction=1.0,
    ...     temperature=cs.Steps([1.0, 1.5], [0.5, 0.5]),
    ...     boundary=cs.Periodic(2 * jnp.pi, start=-jnp.pi),
    ...     baths=("cold", "hot"),
    ... )
    >>> s = cs.steady_state(ring, tolerance=1e-5)
    >>> bool(s.heat["hot"] > 0), bool(s.observables["flux"] < 0)
    (True, True)
    """

    potential: Callable[..., Array]
    friction: Any
    temperature: Any
    boundary: Boundary
    moving: Table
    frequency: Array | None
    mass: Scalar = parameter(1.0, positive=True)
    names: tuple[str, ...] = eqx.field(static=True, default=("bath",))
    cooled_bath: str | None = eqx.field(static=True, default=None)

    def __init__(
        self,
        potential: Callable[..., Array],
        friction: Any,
        temperature: Any,
        mass: Any = 1.0,
        boundary: Boundary | None = None,
        baths: Sequence[str] | str = ("bath",),
        cooled_bath: str | None = None,
        drives: Mapping[str, Drive] | None = None,
        frequency: Any = None,
    ):
        if not callable(potential):
            raise InputError(f"{OWNER}: `potential` must be a function of the position x, but is {potential!r}.")
        self.moving = Table(as_drives(OWNER, drives))
        self.frequency = None if frequency is None else as_float(frequency, f"{OWNER}: `frequency`")
        check_drives(self.moving, self.frequency, boundary)
        values = (Table({name: jnp.zeros(()) for name in self.moving}),) if self.moving else ()
        check_scalar("potential", potential, *values)
        self.potential = opened(potential)
        self.friction, self.temperature = profile_of("friction", friction), profile_of("temperature", temperature)
        if boundary is None:
            raise InputError(
                f"{OWNER}: `boundary` is missing; give Open(start, stop, left=…, right=…), Periodic(length, load=…) or "
                "Closed()."
            )
        check_type(OWNER, "boundary", boundary, Boundary)
        self.boundary = boundary
        self.mass = as_float(mass, f"{OWNER}: `mass`")
        if isinstance(boundary, Closed) and not boundary.walled:
            for name in ("friction", "temperature"):
                if isinstance(getattr(self, name), Steps):
                    raise InputError(
                        f"{OWNER}: `{name}` has steps at shares of the domain, but Closed() has no ends to share; "
                        "write Closed(start, stop)."
                    )
        names = (baths,) if isinstance(baths, str) else tuple(baths)
        parts = self.temperature.values.shape[-1] if isinstance(self.temperature, Steps) else 1
        if len(names) != parts or not all(isinstance(name, str) for name in names):
            raise InputError(
                f"{OWNER}: `baths` must name the {parts} region{'s' * (parts > 1)} between the steps of the "
                f"temperature, but is {names!r}."
            )
        taken = [name for name in names if isinstance(boundary, Open) and name in ENDS]
        if taken:
            raise InputError(f"{OWNER}: `baths` names `{taken[0]}`, which is the reservoir at that open end.")
        self.names = names
        if cooled_bath is not None and cooled_bath not in names:
            raise InputError(f"{OWNER}: `cooled_bath` is `{cooled_bath}`, but the baths are {', '.join(names)}.")
        self.cooled_bath = cooled_bath

    def rules(self) -> Iterable[Rule]:
        if self.frequency is not None:
            yield from positive("frequency", self.frequency)
        for name in ("friction", "temperature"):
            yield from positive(name, getattr(self, name))
        if isinstance(self.temperature, Steps) and len(set(self.names)) < len(self.names):
            values = self.temperature.values
            for name in set(self.names):
                own = [k for k, other in enumerate(self.names) if other == name]
                yield Rule(
                    jnp.all(values[np.array(own)] == values[own[0]]),
                    lambda name=name: f"`temperature` must be the same in all regions of the bath `{name}`.",  # type: ignore[misc]
                )

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        fields = ("potential", "friction", "temperature", "mass", "boundary", "cooled_bath")
        return (
            {name: getattr(self, name) for name in fields}
            | {"baths": list(self.names)}
            | ({"drives": dict(self.moving), "frequency": self.frequency} if self.moving else {})
        )

    # ------------------------------------------------------------------ names
    @property
    def _bath_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.names))

    @property
    def baths(self) -> Table:
        found: dict[str, Any] = {}
        for k, name in enumerate(self.names):
            found.setdefault(name, HeatBath(self._temperature_of(k)))
        if isinstance(self.boundary, Open):
            first, last = self._temperature_at(self.boundary.start, 0), self._temperature_at(self.boundary.stop, -1)
            ends = (self.boundary.start, self.boundary.left, first), (self.boundary.stop, self.boundary.right, last)
            for name, (place, density, temperature) in zip(ENDS, ends, strict=True):
                kinetic = jnp.log(temperature / jnp.sqrt(first * last)) / 2
                mu = self._rest()(place) + temperature * (jnp.log(density) - kinetic)
                found[name] = ParticleBath(temperature, mu)
        return Table(found)

    @property
    def drives(self) -> Table:
        load = {"load": constant(self.boundary.load)} if isinstance(self.boundary, Periodic) else {}
        return Table(load | dict(self.moving))

    def _rest(self) -> Any:
        """The potential, or its mean over the period."""
        return self.potential if self.frequency is None else Moved(self.potential, self.moving, self.frequency)

    def _profiles(self) -> tuple[Any, Any, Array, Boundary]:
        return self.friction, self.temperature, self.mass, self.boundary

    def steady_baths(self) -> tuple[bool, ...]:
        return tuple(not is_function(self.temperature) or name in ENDS for name in self.baths)

    def _temperature_of(self, part: int) -> Array:
        if isinstance(self.temperature, Steps):
            return self.temperature.values[part]
        if not is_function(self.temperature):
            return self.temperature
        # Only a place holder: the ledger's temperature is the mean over the particles.
        middle = jnp.zeros(())
        if not isinstance(self.boundary, Closed) or self.boundary.walled:
            start, length = domain(self.boundary)
            middle = start + length / 2
        return as_float(self.temperature(middle))

    def _temperature_at(self, place: Array, part: int) -> Array:
        if isinstance(self.temperature, Steps):
            return self.temperature.values[part]
        return as_float(self.temperature(place)) if is_function(self.temperature) else self.temperature

    # ------------------------------------------------------------------ the steady state
    def landscape(self) -> Landscape:
        """The samples of one point that the method works with."""
        rest = self._rest()
        seen = tracing.called(sample, reference_of(rest, self.temperature), *self._profiles())
        return tracing.called(narrowed, seen, rest)

    def _check_still(self, what: str) -> None:
        if self.moving:
            raise InputError(f"{OWNER}: `{what}` is known for potentials at rest, but drives move this one.")

    def terrain(self) -> Terrain:
        """The same of one known point, ready for a method; what is wrong with it is said in words."""
        sampled = eqx.filter_jit(KleinKramers.landscape)(self)
        seen = jax.tree.map(known, sampled)
        terrain = Terrain(seen.samples, kind_of(self.boundary), walled(self.boundary))
        tide = None
        if self.moving and bool(seen.confined):
            tide = jax.tree.map(known, beside_one(self._rest(), self.temperature, sampled.places, self.boundary))
        words = wrong(self._rest(), self._profiles(), seen, terrain, tide)
        if words:
            raise InputError(f"{OWNER}: {words}")
        return terrain

    def solve(self, tolerance: Array) -> Outcome:
        seen = eqx.filter_vmap(KleinKramers.landscape)(self)
        parts = len(self.names)
        tide, same = None, seen.periodic
        if self.moving:
            tide, same = eqx.filter_vmap(beside)(self._rest(), self.temperature, seen.places, self.boundary)
            # No numbers, and no work, where they would be wrong.
            tide = tide._replace(frequency=jnp.where(same, tide.frequency, jnp.nan))
        numbers = steady_numbers(seen.samples, tide, tolerance, kind_of(self.boundary), walled(self.boundary))
        to_baths = np.array([[float(name == own) for own in self._bath_names] for name in self.names])
        heats, heat_errors = numbers.heats[:, :parts] @ to_baths, numbers.heat_errors[:, :parts] @ to_baths
        entropies = numbers.entropies @ to_baths
        entropy_errors = numbers.entropy_errors @ to_baths
        zero = jnp.zeros_like(numbers.flux)[:, None]
        particles = particle_errors = None
        works = jnp.zeros((*zero.shape[:1], 0))
        work_errors = works
        invalid = jnp.zeros(zero.shape[:1], bool)
        if isinstance(self.boundary, Open):
            flux = numbers.flux[:, None]
            none = jnp.zeros_like(heats)
            particles = jnp.concatenate([none, flux, -flux], axis=-1)
            error = numbers.flux_error[:, None]
            particle_errors = jnp.concatenate([none, error, error], axis=-1)
            temperatures = eqx.filter_vmap(lambda one: jnp.stack([b.temperature for b in one.baths.values()]))(self)
            ends, end_errors = numbers.end_heats, numbers.end_errors
            heats = jnp.concatenate([heats, ends], axis=-1)
            heat_errors = jnp.concatenate([heat_errors, end_errors], axis=-1)
            entropies = jnp.concatenate([entropies, ends / temperatures[:, -2:]], axis=-1)
            entropy_errors = jnp.concatenate([entropy_errors, end_errors / temperatures[:, -2:]], axis=-1)
            invalid = (self.boundary.left == 0) | (self.boundary.right == 0)
        if isinstance(self.boundary, Periodic):
            works = (self.boundary.load * numbers.velocity)[:, None]
            work_errors = jnp.abs(self.boundary.load * numbers.velocity_error)[:, None]
        works = jnp.concatenate([works, numbers.works], axis=-1)
        work_errors = jnp.concatenate([work_errors, numbers.work_errors], axis=-1)
        mean = None
        if is_function(self.temperature):
            mean = eqx.filter_vmap(lambda one: jnp.stack([b.temperature for b in one.baths.values()]))(self)
            mean = mean.at[:, 0].set(numbers.temperature)
        fault = numbers.fault
        return Outcome(
            Rates(heats, particles, works, entropy_flows=entropies),
            Rates(heat_errors, particle_errors, work_errors, entropy_flows=entropy_errors),
            faults={
                Status.INVALID: invalid | ~(seen.periodic & same) | (fault == Fault.NEGATIVE),
                Status.UNSTABLE: ~seen.confined,
                Status.NOT_FINITE: seen.confined & same & ((fault == Fault.NOT_FINITE) | (fault == Fault.UNSOLVED)),
                Status.NOT_CONVERGED: (fault == Fault.ROUGH) | (fault == Fault.INEXACT),
            },
            floor=numbers.floor,
            residuals={"negative density": numbers.negative},
            statistics={"unknowns": numbers.unknowns, "meshes": numbers.meshes},
            observables={"flux": numbers.flux, "mean velocity": numbers.velocity}
            | {f"kinetic flux {k + 1}": numbers.leaks[:, k] for k in range(parts - 1)},
            observable_errors={"flux": numbers.flux_error, "mean velocity": numbers.velocity_error}
            | {f"kinetic flux {k + 1}": numbers.leak_errors[:, k] for k in range(parts - 1)},
            temperatures=mean,
        )

    def state(self, tolerance: float = TOLERANCE) -> Profiles:
        """Profiles of the steady state: density, distribution P(x, v), effective temperature, power density.

        `tolerance` is that of the ledger; profiles are about as exact, but nothing is promised of single points.

        >>> import coldspot as cs
        >>> trap = cs.KleinKramers(lambda x: 2 * x * x, friction=1.0, temperature=0.5, boundary=cs.Closed())
        >>> state = trap.state()
        >>> state.effective_temperature([-0.5, 1.0]).round(9).tolist(), round(float(state.density(0.0)), 9)
        ([0.5, 0.5], 1.128379167)
        """
        from .stationary import steady

        self._check_still("state")
        with one_thread():
            found = steady(self.terrain(), float(checked_tolerance(tolerance)))
        if found is None or not found.converged:
            raise SolveError(
                "no trustworthy steady state (NOT_CONVERGED): the finest mesh is not as exact as asked; ask for a "
                "larger `tolerance`.",
                Status.NOT_CONVERGED,
            )
        return Profiles(found.state, found.errors[2 * len(found.ledger.heats) + 2])

    def overdamped(self) -> Overdamped:
        """Density and flux in the limit of large friction, by quadrature.

        What inertia adds falls as 1/γ². Heat and entropy production are not those of this limit unless there is one
        temperature: `steady_state` has them.

        >>> import coldspot as cs
        >>> trap = cs.KleinKramers(lambda x: 2 * x * x, friction=50.0, temperature=0.5, boundary=cs.Closed())
        >>> trap.overdamped().flux, round(float(trap.overdamped().density(0.0)), 9)
        (0.0, 1.128379167)
        """
        self._check_still("overdamped")
        return Overdamped(self.terrain())

    def relaxation_rates(self, count: int = 4, tolerance: float = TOLERANCE) -> np.ndarray:
        """The `count` smallest nonzero relaxation rates of a closed problem (complex: damped motion), slowest first.

        >>> import coldspot as cs
        >>> trap = cs.KleinKramers(lambda x: x * x / 2, friction=3.0, temperature=1.0, boundary=cs.Closed())
        >>> trap.relaxation_rates(3).real.round(8).tolist()
        [0.38196601, 0.76393202, 1.14589803]
        """
        from . import relaxation

        self._check_still("relaxation_rates")
        terrain = self.terrain()
        if not isinstance(self.boundary, Closed):
            raise InputError(
                f"{OWNER}: relaxation rates are those of the boundary Closed(), but it is "
                f"{type(self.boundary).__name__}."
            )
        check_count(count)
        limit = float(checked_tolerance(tolerance))
        with one_thread():
            rates, error = relaxation.spectrum(terrain, count, limit)
        if not error <= limit * abs(rates[-1]):
            raise SolveError(
                f"no trustworthy relaxation rates (NOT_CONVERGED): their error is {error:.0e}; ask for a larger "
                "`tolerance`, or for fewer of them; behind a high barrier `escape_rate` gives the slowest alone.",
                Status.NOT_CONVERGED,
            )
        return rates

    def evolved(self, initial: Any, times: np.ndarray, tolerance: float, throw: bool) -> Any:
        """See `coldspot.evolve`; `initial` is the density P(x, v) at time 0, a function of arrays."""
        from .evolution import ROUNDED, Evolution, path

        if not callable(initial):
            raise InputError(f"evolve: `initial` must be a function P(x, v) of arrays, not {initial!r}.")
        if tolerance < ROUNDED:
            raise InputError(
                f"evolve: `tolerance` must be at least {ROUNDED:g} for a {OWNER}, whose density is rounded, but is "
                f"{tolerance:g}."
            )
        course = None
        if self.moving:
            course, terrain = run_of("evolve", self._rest(), self._profiles(), float(times[-1]))
        else:
            terrain = self.terrain()
        with one_thread():
            found = path(terrain, initial, times, tolerance, course)
        if throw and (found is None or not found.converged):
            raise SolveError(
                "evolve: no trustworthy solution (NOT_CONVERGED): the finest mesh is not as exact as asked; ask for a "
                "larger `tolerance`, or start from a smoother density.",
                Status.NOT_CONVERGED,
            )
        return Evolution(times, found, self.names, tuple(self.drives))

    def trajectories(  # type: ignore[override]
        self,
        key: Array,
        n: int,
        time: Any,
        *,
        time_step: Any = None,
        transient: Any = None,
        keep: int = 0,
        stride: int = 1,
        throw: bool = True,
        progress: bool | None = None,
        until: Until | None = None,
        start: Any = None,
    ) -> Trajectories:
        """`n` independent particles, averaged for `time`; called by `coldspot.trajectories`. The same ledger and

        `observables` as of the steady state, with standard errors, by another route.

        - `time_step`: by default a twentieth of the shortest time of the motion. What steps twice as long change is
          `statistics["time_step_bias"]`; surely more than a hundredth (and a standard error) is `NOT_CONVERGED`;
        - `transient`: time not averaged, by default twelve times that of the slowest relaxation, as estimated, and next
          to none where particles start in equilibrium (one temperature, nothing that drives). Hops between two wells
          of a driven potential that are slower than `time` are not waited for: shares of the wells are those of the
          mean potential's equilibrium, and the flag `wells unmixed` says so; where they matter it is `NOT_CONVERGED`;
        - `keep`: how many sample paths to return, one point in every `stride` steps (whole blocks of 16);
        - `until`: a `cs.oscillators.Until`: `n` more and `n` more, until their standard errors are as it asks;
        - `start`: position and velocity at time 0 and phase 0, for `time` from there on: as (mean, covariance), two
          numbers for all, or (n, 2). Phases are not folded, so that a `Drive` of one's own may be a ramp.

        Friction and temperature are those at the particle, and noise acts on its velocity alone: Itô and Stratonovich
        mean the same. For large friction that becomes the limit of `overdamped`. With open ends a trajectory is that of
        particles that follow each other, and its heats are scaled to how many there are at a time.

        >>> import coldspot as cs, jax
        >>> trap = cs.KleinKramers(lambda x: x * x / 2, friction=1.0, temperature=0.5, boundary=cs.Closed())
        >>> t = cs.trajectories(trap, jax.random.key(1), n=64, time=20.0)
        >>> bool(abs(t.heat["bath"]) < 4 * t.error.heat["bath"])
        True
        """
        request = checked(n, time, time_step, transient, keep, stride, throw, progress, until)
        if isinstance(self.boundary, Open) and bool((self.boundary.left == 0) | (self.boundary.right == 0)):
            raise InputError(f"{OWNER}: {self.explain(Status.INVALID)}")
        baths = self.baths
        rest = self._rest()
        check_followers(self.moving, self.boundary, start, transient)
        if isinstance(rest, Moved) and (start is not None or rest.borders().size):
            stop = 2 * np.pi / float(rest.frequency) if start is None else request.time
            terrain = run_of("trajectories", rest, self._profiles(), stop)[1]
        else:
            check_borders("trajectories", self.moving, None)
            terrain = self.terrain()
        ends = [baths[name] for name in ENDS] if isinstance(self.boundary, Open) else []
        field = field_of(rest, *self._profiles(), terrain, [end.temperature for end in ends])
        if start is not None:
            return followed(self, field, terrain, start, key, request)
        return simulated(self, field, terrain, np.array([float(end.potential) for end in ends]), key, request)

    def explain(self, status: Status) -> str:
        ends = self.boundary
        if status == Status.INVALID and isinstance(ends, Open) and bool((ends.left == 0) | (ends.right == 0)):
            return (
                "an open end where no particles come in has an infinite chemical potential, and its work is infinite; "
                "flux and profiles are in `problem.state()`."
            )
        try:
            self.terrain()
        except InputError as error:
            return str(error).removeprefix(f"{OWNER}: ")
        return REASONS.get(status, "")
