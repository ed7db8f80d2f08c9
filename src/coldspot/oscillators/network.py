"""Oscillator networks: masses, springs, frictions, baths and driving forces."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from .. import tracing
from .._checks import (
    InputError,
    Rule,
    Vector,
    as_float,
    check_shape,
    check_type,
    concrete,
    unknown_name,
)
from ..baths import HeatBath
from ..drives import Cosine
from ..dynamics import Dynamics, Outcome
from ..pytrees import Table, opened
from ..solution import Status
from ..trajectories import Trajectories
from . import ensemble, linear, sampling, words
from .model import System

OWNER = "OscillatorNetwork"
SYMMETRIC = 1e-12
"""Springs may differ from their transposed entries by this part of the largest."""


class OscillatorNetwork(Dynamics):
    """Coordinates x_i with classical Langevin dynamics, each with a heat bath or none, driven or not.

    m_i ẍ_i = −Σ_j Φ_ij x_j − ∂U/∂x_i − γ_i ẋ_i + η_i + f_i(t),   ⟨η_i(t) η_j(t′)⟩ = 2γ_i T_b(i) δ_ij δ(t−t′)

    - `masses` m (n,), positive;
    - `springs` Φ (n, n), the symmetric stiffness matrix, walls included: the energy is ½ Σ_ij Φ_ij x_i x_j
      (`chain_springs` makes that of a chain);
    - `frictions` γ (n,), forces per velocity, not negative, and zero where there is no bath;
    - `baths`: {name: HeatBath}, and `sites`: {name: coordinate, or list of coordinates, on which that bath acts};
    - `forces`: {drive: (coordinate, Cosine)}, f(t) = mean + amplitude·cos(Ωt + phase); `frequency` Ω, common to all;
    - `potential`: a differentiable function U(x) of the coordinates (n,), an energy beside that of the springs;
    - `cooled_bath`: the bath that the network is meant to cool (by default the coldest).

    heat[b] = Σ_{i at b} ⟨(−γ_i ẋ_i + η_i)∘ẋ_i⟩ is absorbed from the bath, work[d] = ⟨f_d ẋ⟩ is done by the force;
    units: k_B = 1, energies in one unit, masses, lengths and times in any that fit.

    Without `potential` the steady state is exact to rounding (see the page on oscillators in the documentation).

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
    springs: Float[Array, "..."]
    frictions: Vector
    baths: Table
    drives: Table
    frequency: Array | None
    potential: Callable[[Array], Array] | None
    bath_of: tuple[int, ...] = eqx.field(static=True)
    driven: tuple[int, ...] = eqx.field(static=True)
    cooled_bath: str | None = eqx.field(static=True)

    def __init__(
        self,
        masses: Any,
        springs: Any,
        frictions: Any,
        baths: Mapping[str, HeatBath],
        sites: Mapping[str, Any],
        forces: Mapping[str, tuple[int, Cosine]] | None = None,
        frequency: Any = None,
        potential: Callable[[Array], Array] | None = None,
        cooled_bath: str | None = None,
    ):
        self.masses, self.springs, self.frictions = as_float(masses), as_float(springs), as_float(frictions)
        if self.masses.ndim != 1 or not self.masses.size:
            raise InputError(f"{OWNER}: `masses` must be a list of numbers, but has shape {self.masses.shape}.")
        n = self.masses.shape[0]
        check_shape(OWNER, "springs", self.springs, (n, n), "a row and a column per mass")
        check_shape(OWNER, "frictions", self.frictions, (n,), "one number per mass")
        if not isinstance(baths, Mapping) or not baths:
            raise InputError(f"{OWNER}: `baths` must be a mapping from names to baths with at least one entry.")
        for name, bath in baths.items():
            check_type(f"{OWNER}: `baths`", name, bath, HeatBath)
        self.baths = Table(baths)
        self.bath_of = _bath_of(sites, tuple(baths), n)
        self.drives, self.driven = _forces(forces or {}, n)
        if len(self.drives) and frequency is None:
            raise InputError(f"{OWNER}: `frequency` is missing, but the network is driven.")
        if not len(self.drives) and frequency is not None:
            raise InputError(f"{OWNER}: `frequency` is given ({frequency}), but nothing is driven.")
        self.frequency = None if frequency is None else as_float(frequency)
        if self.frequency is not None:
            check_shape(OWNER, "frequency", self.frequency, (), "one number")
        self.potential = opened(potential)
        if potential is not None:
            _check_potential(potential, n)
        if cooled_bath is not None and cooled_bath not in self.baths:
            raise unknown_name(OWNER, "bath", cooled_bath, self.baths)
        self.cooled_bath = cooled_bath

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        names = ("masses", "springs", "frictions", "baths", "frequency", "potential", "cooled_bath")
        sites = {name: [i for i, k in enumerate(self.bath_of) if k == b] for b, name in enumerate(self.baths)}
        forces = dict(zip(self.drives, zip(self.driven, self.drives.values(), strict=True), strict=True))
        return {name: getattr(self, name) for name in names} | {"sites": sites, "forces": forces}

    def rules(self) -> Iterable[Rule]:
        free = np.array(self.bath_of) < 0
        yield _each("masses", self.masses, lambda m: (m > 0) & (m < np.inf), "positive and finite")
        yield _each("frictions", self.frictions, lambda g: (g >= 0) & (g < np.inf), "finite and not negative")
        bathless = "0 where no bath acts (name the coordinate in `sites` otherwise)"
        yield _each("frictions", self.frictions, lambda g: ~(free & (g > 0)), bathless)
        yield _each("springs", self.springs, lambda s: abs(s) < np.inf, "finite")
        yield _each("springs", self.springs, lambda s: abs(s - s.T) <= SYMMETRIC * abs(s).max(), "symmetric")
        if self.frequency is not None:
            yield _each("frequency", self.frequency, lambda w: (w > 0) & (w < np.inf), "positive and finite")

    @property
    def size(self) -> int:
        """The number n of coordinates."""
        return len(self.bath_of)

    def solve(self, tolerance: Array) -> Outcome:
        return linear.steady(self.system()) if self.potential is None else ensemble.steady(self.system())

    def explain(self, status: Status) -> str:
        return words.explain(self.system(), status)

    def system(self) -> System:
        """The numbers that the methods know, of one network or of a batch."""
        batch = self.masses.shape[:-1]

        def row(values: list[Array]) -> Array:
            return jnp.stack(values, axis=-1) if values else jnp.zeros((*batch, 0))

        drives = list(self.drives.values())
        return System(
            masses=self.masses,
            springs=self.springs,
            frictions=self.frictions,
            temperatures=row([bath.temperature for bath in self.baths.values()]),
            amplitudes=row([drive.amplitude for drive in drives]),
            phases=row([drive.phase for drive in drives]),
            means=row([drive.mean for drive in drives]),
            frequency=jnp.zeros(batch) if self.frequency is None else self.frequency,
            potential=self.potential,
            bath_of=self.bath_of,
            sites=self.driven,
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
    ) -> Trajectories:
        """`n` independent trajectories, averaged for `time`; called by `coldspot.trajectories`.

        - `time_step`, or else the `bias` of heat and work, relative to the largest, that it may cause (default 1e-3).
          In a driven network the period is cut into 16, 32, 48, … steps, so that it may be shorter. The standard errors
          do not contain the bias: `statistics["time_step_bias"]` states it, as the most similar linear network has it.
          One above 1e-2 that exceeds the standard errors is `NOT_CONVERGED`;
        - `transient`: time that is not averaged. By default none in a linear network, which starts in its
          steady state, and twelve relaxation times of the most similar linear network otherwise;
        - `keep`: how many sample paths to return, one point in every `stride` steps;
        - `throw`: whether to raise `SolveError` if the averages cannot be trusted; `progress`: whether to show a bar.

        Raises `InputError` for a time step with which the network is unstable, and names the longest one.
        """
        options = {"time_step": time_step, "bias": bias, "transient": transient, "keep": keep, "stride": stride}
        return sampling.sample(self, self.system(), key, n, time, **options, throw=throw, progress=progress)

    def covariance(self) -> Array:
        """Covariance (2n, 2n) of the positions x and the velocities v, (x, v) in this order; linear networks only.

        With forces it is that of the fluctuations about the mean motion, which they do not change.

        >>> import coldspot as cs
        >>> one = cs.OscillatorNetwork([2.0], [[4.0]], [0.1], {"bath": cs.HeatBath(1.0)}, {"bath": 0})
        >>> one.covariance().round(12).tolist()
        [[0.25, 0.0], [0.0, 0.5]]
        """
        self._check_linear("covariance")
        return linear.covariance(self.system())

    def currents(self) -> Array:
        """Energy currents J (n, n) through the springs, averaged over the period if driven; linear networks only.

        J_ij = −Φ_ij ⟨x_j ẋ_i⟩ is the power that the spring between i and j brings to coordinate i, J_ij = −J_ji. With
        what baths and forces bring to coordinate i, Σ_j J_ij adds up to zero.

        >>> import coldspot as cs
        >>> chain = cs.OscillatorNetwork(
        ...     [1.0] * 3, cs.oscillators.chain_springs(3, 1.0, 1.0), [1.0, 0.0, 1.0],
        ...     {"hot": cs.HeatBath(2.0), "cold": cs.HeatBath(1.0)}, {"hot": 0, "cold": 2},
        ... )
        >>> j = chain.currents()
        >>> bool(abs(j[1, 0] - cs.steady_state(chain).heat["hot"]) < 1e-12), bool(abs(j[2, 1] - j[1, 0]) < 1e-12)
        (True, True)
        """
        self._check_linear("currents")
        return linear.currents(self.system())

    def _check_linear(self, what: str) -> None:
        if self.potential is not None:
            raise InputError(f"{OWNER}: `{what}` is known for linear networks only, but this one has a `potential`.")


def chain_springs(count: int, spring: Any, wall: Any = 0.0) -> Array:
    """Stiffness matrix (count, count) of a chain: `spring` between neighbours, `wall` from each end to a fixed wall.

    >>> chain_springs(3, spring=1.0, wall=2.0).tolist()
    [[3.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 3.0]]
    """
    if not isinstance(count, int) or count < 1:
        raise InputError(f"chain_springs: `count` must be a positive integer, but is {count!r}.")
    bonds = np.zeros((count, count))
    for i in range(count - 1):
        bonds[[i, i + 1], [i, i + 1]] += 1
        bonds[[i, i + 1], [i + 1, i]] -= 1
    ends = np.zeros((count, count))
    ends[0, 0] += 1
    ends[-1, -1] += 1
    return as_float(spring) * bonds + as_float(wall) * ends


def _each(name: str, values: Array, holds: Callable[[Any], Any], wanted: str) -> Rule:
    """The rule that all entries of an array keep; its words name the first that does not."""
    numbers = concrete(values)

    def broken() -> str:
        entries = np.asarray(values)
        where = tuple(np.argwhere(~np.asarray(holds(entries)))[0])
        place = "".join(f"[{k}]" for k in where)
        return f"`{name}` must be {wanted}, but {name + place + ' ' if place else ''}is {entries[where]:g}."

    return Rule(holds(values if numbers is None else numbers).all(), broken)


def _indices(argument: str, value: Any, n: int) -> tuple[int, ...]:
    array = np.atleast_1d(np.asarray(value))
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise InputError(f"{OWNER}: `{argument}` must be a coordinate's index or a list of them, but is {value!r}.")
    beyond = array[(array < 0) | (array >= n)]
    if beyond.size:
        raise InputError(
            f"{OWNER}: `{argument}` names coordinate {beyond[0]}, which does not exist; coordinates are 0 to {n - 1}."
        )
    return tuple(array.tolist())


def _bath_of(sites: Any, baths: tuple[str, ...], n: int) -> tuple[int, ...]:
    """The index of each coordinate's bath, −1 where there is none."""
    if not isinstance(sites, Mapping):
        raise InputError(f"{OWNER}: `sites` must be a mapping from baths' names to coordinates, but is {sites!r}.")
    found = [-1] * n
    for name, value in sites.items():
        if name not in baths:
            raise unknown_name(f"{OWNER}: `sites`", "bath", str(name), baths)
        for i in _indices(f"sites[{name!r}]", value, n):
            if found[i] >= 0:
                raise InputError(f"{OWNER}: `sites` gives coordinate {i} to `{baths[found[i]]}` and to `{name}`.")
            found[i] = baths.index(name)
    missing = [name for name in baths if name not in sites]
    if missing:
        raise InputError(f"{OWNER}: `sites` does not say on which coordinate the bath `{missing[0]}` acts.")
    return tuple(found)


def _forces(forces: Any, n: int) -> tuple[Table, tuple[int, ...]]:
    if not isinstance(forces, Mapping):
        raise InputError(f"{OWNER}: `forces` must be a mapping from names to (coordinate, Cosine), but is {forces!r}.")
    driven = []
    for name, force in forces.items():
        if not isinstance(force, tuple) or len(force) != 2 or not isinstance(force[1], Cosine):
            raise InputError(f"{OWNER}: force `{name}` must be a pair (coordinate, Cosine), but is {force!r}.")
        indices = _indices(f"forces[{name!r}]", force[0], n)
        if len(indices) != 1:
            raise InputError(f"{OWNER}: force `{name}` must act on one coordinate, but names {list(indices)}.")
        driven.append(indices[0])
    return Table({name: force[1] for name, force in forces.items()}), tuple(driven)


def _check_potential(potential: Any, n: int) -> None:
    if not callable(potential):
        raise InputError(f"{OWNER}: `potential` must be a function of the coordinates, but is {potential!r}.")
    shape = getattr(tracing.called(jax.eval_shape, potential, jnp.zeros(n)), "shape", None)
    if shape != ():
        raise InputError(f"{OWNER}: `potential` must return one number, but returns something of shape {shape}.")
