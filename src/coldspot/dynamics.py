"""What a machine is, what its dynamics must offer, and the one way from what a method found to a solution.

A `Machine` has physical parameters and turns them into a `Dynamics` (a jump network, …). A `Dynamics` solves a whole
batch of itself at once and returns an `Outcome`; `conclude` alone makes a `Solution` of it.
"""

import abc
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from . import show
from ._attributes import told as _told
from ._checks import Checked, InputError, as_float, explain_invalid, valid, worded
from ._checks import Rule as Rule
from .baths import Bath
from .compiler import is_traced
from .counted import Counted, Target
from .numerics.blocks import blockwise, stored, turned
from .numerics.lacking import summed
from .numerics.trailing import trailing
from .outcome import NAMED, finished_point, in_order
from .outcome import Outcome as Outcome
from .outcome import Rates as Rates
from .pytrees import batch_of_one, compiled, first_point, only_good, refreshed
from .solution import Solution, Status
from .tiers import Tiers, by_weight

__all__ = ["Dynamics", "Machine", "Outcome", "Rates", "Rule", "as_dynamics", "solve_batch", "steady_state"]

TOLERANCE = 1e-8
"""Default relative tolerance of a ledger's entries, against the largest entry."""


class Dynamics(Checked):
    """One of the mathematical forms to which machines reduce; `baths` and `drives` are mappings by name."""

    if TYPE_CHECKING:
        # A field or a property; type checkers take an abstract variable for a field.
        @property
        def baths(self) -> Mapping[str, Any]: ...

        @property
        def drives(self) -> Mapping[str, Any]: ...
    else:
        baths: eqx.AbstractVar[Mapping[str, Any]]
        drives: eqx.AbstractVar[Mapping[str, Any]]

    @abc.abstractmethod
    def solve(self, tolerance: Array) -> Outcome:
        """Steady or periodic state of a batch: every array of `self` has one leading batch axis.

        Never raises on values: what is wrong with a point is among the faults. No constructor may be called with
        batched numbers, since it refuses them: what needs one point at a time is mapped over the batch.
        """

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        """A cheaper way to the states of a batch; None if there is none at this `cost` (0 the cheapest, 1, …).

        What it leaves `undecided`, the next one is asked for, and after the last of them `solve`. Inside `jax.jit`,
        `jax.vmap` or `jax.grad`, where numbers are not known, `solve` alone is used.
        """
        return None

    def moderate(self, tolerance: Array) -> Outcome | None:
        """As `solve`, derivatives too, without what only extreme points need, which it leaves `undecided`; or None."""
        return None

    def block(self, cost: int) -> int | None:
        """How many points an attempt had better treat together, so that they stay in a cache; None: all of them."""
        return None

    @property
    def few(self) -> int:
        """How many points in a call take less than optimising their program would (0: not even one)."""
        return 0

    def reservoirs(self) -> Mapping[str, Bath]:
        """The baths of one point, at phase 0 if they are driven."""
        return self.baths

    def workers(self) -> tuple[str, ...]:
        """The names of what does work: the drives, and reservoirs of work if there are any."""
        return tuple(self.drives)

    def reversible(self) -> Array:
        """Whether the microscopic motion is the same backwards in time (one point): a magnetic flux makes it differ."""
        return jnp.asarray(True)

    def steady_baths(self) -> tuple[bool, ...]:
        """Whether each bath's temperature and chemical potential are constant in time."""
        return (True,) * len(self.baths)

    def trajectories(self, key: Array, n: int, time: Any, **options: Any) -> Any:
        """Random histories of one system: see `coldspot.trajectories`; forms that have none say so."""
        raise InputError(
            f"trajectories: {type(self).__name__} has none; a JumpNetwork, an OscillatorNetwork or a KleinKramers has. "
            "Its averages: `steady_state`."
        )

    def check_complete(self, verb: str) -> None:
        """Refuse what does not know how much states that were left out would change."""

    def evolved(self, initial: Any, times: Any, tolerance: float, throw: bool) -> Any:
        """What happens from a given start: see `coldspot.evolve`; forms that do not know say so."""
        kind = type(self).__name__
        raise InputError(f"evolve: `machine` must be jumps, linear oscillators or a KleinKramers, but is {kind}.")

    def cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        """Cumulants 1 to `order` of what each target counts, of a batch, as for `solve`: see `coldspot.counting`.

        `targets` are known to exist; `values` and `errors` are (point, target, order). The long-time cumulants per
        time: κ_k = lim d^k/dχ^k ln⟨e^{χX(t)}⟩/t at χ = 0, with the amount X that the target gives to the system, so
        that κ₁ is the ledger's entry (for "entropy" the bath's `entropy_flow`, heat/T). Traceable and differentiable;
        what is wrong with a point is among the faults, nothing is raised on values.
        """
        raise InputError(f"counting: {type(self).__name__} has no cumulants.")

    def covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        """Covariances of what the targets count, per time, of a batch: `values` and `errors` (point, target, target).

        The mixed second derivatives: lim ⟨⟨X_a(t) X_b(t)⟩⟩/t, with the second cumulants on the diagonal."""
        raise InputError(f"counting: {type(self).__name__} has no covariances.")

    def attempt_covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted | None:
        """A cheaper way to them, which leaves points `undecided` that `covariances` is then asked for; None if none."""
        return None

    @property
    def counts_along(self) -> bool:
        """Whether the cheapest ways to states and to covariances have so much in common that there is one to both."""
        return False

    def attempt_counted(
        self, lists: tuple[tuple[Target, ...], ...], tolerance: Array
    ) -> tuple[Outcome, tuple[Counted, ...]]:
        """What `attempt` finds, and `attempt_covariances` of each list of targets, if it `counts_along`."""
        raise NotImplementedError

    def mixed_cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        """Joint cumulants of one order of what the targets count, per time: `values` (point, target, target, …).

        The mixed derivatives lim ∂ⁿ/∂χ_a∂χ_b… ln⟨e^{χ·X(t)}⟩/t at χ = 0, symmetric in the targets.
        """
        raise InputError(f"counting: {type(self).__name__} has no mixed cumulants.")

    def noise_spectra(self, targets: tuple[Target, ...], frequencies: Array, tolerance: Array) -> Counted:
        """Noise at angular frequencies (frequency): `values` (point, frequency, target, target), complex."""
        raise InputError(f"counting: {type(self).__name__} has no noise at finite frequencies.")

    def generating_function(self, targets: tuple[Target, ...], fields: Array, tolerance: Array) -> Counted:
        """λ(χ) for fields (field, target), and behind it its slopes: `values` (point, field, 1 + target)."""
        raise InputError(f"counting: {type(self).__name__} has no generating function.")

    def rate_function(self, target: Target, currents: Array, tolerance: Array) -> Counted:
        """I(j) for currents (current), and behind it the field I′(j): `values` (point, current, 2)."""
        raise InputError(f"counting: {type(self).__name__} has no rate function.")

    def uncertainties(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        """Quotients that a theorem bounds by 1 from below: `values` (point, target)."""
        raise InputError(f"counting: no uncertainty relation is a theorem for {type(self).__name__}.")

    def explain(self, status: Status) -> str:
        """Words on why this very dynamics has that status; empty if there is nothing to add."""
        return ""


# --------------------------------------------------------------------------- the one finish


def conclude(dynamics: Dynamics, outcome: Outcome, tolerance: Array, good: Array) -> Solution:
    """The solution of a batch: names, zeros, entropy, statuses, and what becomes NaN.

    `good` (point): whether the rules of the machine and of its dynamics hold. A point is OK if no fault is reported,
    all numbers are finite, no error of a heat or work exceeds `tolerance` × the largest of them (or, with the flag
    `within rounding`, the outcome's `floor`), and the first law holds within its error bound.
    """
    names: dict[str, tuple[str, ...]] = {}
    kinds: tuple[str, ...] = ()
    steady: tuple[bool, ...] = ()

    def known(one: Dynamics) -> tuple[Array, Array]:
        # Names come from one point, whose constructors take its numbers; arrays come from the batch.
        nonlocal kinds, steady
        reservoirs = one.reservoirs()
        names.update(baths=tuple(reservoirs), drives=one.workers())
        baths, steady = list(reservoirs.values()), one.steady_baths()
        kinds = tuple(bath.kind for bath in baths)
        if not baths:
            return jnp.zeros(0), jnp.zeros(0)
        return jnp.stack([b.temperature for b in baths]), jnp.stack([b.potential for b in baths])

    temperatures, potentials = eqx.filter_vmap(known)(dynamics)

    def finished(one: Outcome, temperatures: Array, potentials: Array, fine: Array, moved: Array) -> Solution:
        header = names["baths"], names["drives"], kinds, steady, getattr(dynamics, "cooled_bath", None)
        # Mappings come out of transformations in another order.
        found = {field: {name: getattr(one, field)[name] for name in getattr(outcome, field)} for field in NAMED}
        return finished_point(one, found, header, temperatures, potentials, tolerance, fine, moved)

    # With the points last in memory: vector units work along them, and not along the few baths.
    columns = turned((outcome, temperatures, potentials, good, summed(dynamics)))
    return turned(jax.vmap(finished, in_axes=-1, out_axes=-1)(*columns), -1, 0)


class Machine(Checked):
    """A ready-made machine: parameters with names and defaults, and the dynamics that they define.

    A subclass gives `name` (on the command line), `summary` (one line) and `dynamics()`; its fields are the
    parameters, with `metadata={"dimension": …}` for conversion of units.
    """

    name: eqx.AbstractClassVar[str]
    summary: eqx.AbstractClassVar[str]

    @abc.abstractmethod
    def dynamics(self) -> Dynamics:
        """The mathematical form of this machine."""

    def _repr_html_(self) -> str:
        return show.box(f"{self.name}: {self.summary}", show.tree(self))


def as_dynamics(machine: Any, owner: str = "") -> Dynamics:
    """The dynamics of a machine; a dynamics is its own. `owner` is who asks, for errors."""
    if isinstance(machine, Machine):
        return machine.dynamics()
    if isinstance(machine, Dynamics):
        return machine
    asks = f"{owner}: " if owner else ""
    if isinstance(machine, type):
        raise InputError(f"{asks}`machine` is the class {machine.__name__}; make one: {machine.__name__}(…).")
    if callable(machine):
        raise InputError(
            f"{asks}`machine` is a function; call it with its numbers and give what it returns, or give the function "
            "itself to `sweep`, with lists of numbers."
        )
    raise InputError(
        f"{asks}`machine` must be a machine or a dynamics (machines.QuantumDot(), JumpNetwork(…), Conductor(…), …), "
        f"but is {'a number' if is_traced(machine) else type(machine).__name__}."
    )


@worded
def steady_state(machine: Any, *, tolerance: float = TOLERANCE, throw: bool = True) -> Solution:
    """The steady state of a machine, or its periodic state averaged over the period if it is driven.

    **Arguments:** `machine`, a `Machine` or a `Dynamics`; `tolerance`, the error allowed in each entry of the
    ledger, relative to the largest one; `throw`, whether to raise `SolveError` if the solution cannot be
    trusted (otherwise read `solution.status`).

    **Returns:** a `Solution`, with heat and particles per bath and work per drive, positive into the system.

    Inside `jax.jit`, `jax.vmap` or `jax.grad` nothing is raised; look at `status`. Derivatives are implicit ones.

    >>> import coldspot as cs
    >>> dot = cs.machines.QuantumDot(level=-5.0)
    >>> s = cs.steady_state(dot)
    >>> s.regime, bool(s.heat["right"] > 0)
    ('refrigerator', True)
    """
    if not isinstance(machine, Machine | Dynamics):
        as_dynamics(machine, "steady_state")
    checked = checked_tolerance(tolerance, "steady_state")
    solution = _solve_one(machine, checked)
    if not throw or is_traced(solution.status):
        return solution
    return solution.raise_unless_ok(lambda status: explained(refreshed(machine), status))


def explained(machine: Any, status: Status) -> str:
    """Words on a status of one machine: the rule that is broken, or what its dynamics says."""
    dynamics = as_dynamics(machine)
    invalid = (explain_invalid(machine) or explain_invalid(dynamics)) if status == Status.INVALID else ""
    return invalid or dynamics.explain(status)


def checked_tolerance(tolerance: Any, owner: str = "") -> Array:
    try:
        number = as_float(tolerance)
    except InputError:
        number = as_float(float("nan"))
    if not is_traced(number) and not (number.ndim == 0 and 0 < number < 1):
        asks = f"{owner}: " if owner else ""
        raise InputError(f"{asks}`tolerance` must be a number between 0 and 1, but is {tolerance!r}.")
    return number


def with_rules(machine: Any) -> tuple[Dynamics, Array]:
    """The dynamics of one machine, and whether the rules of both hold."""
    dynamics = as_dynamics(machine)
    good = valid(dynamics)
    return dynamics, good if machine is dynamics else good & valid(machine)


Attempt = tuple[Solution, Array | None]
"""A solution, and at which points it is not to be used; None if it is that of the only way."""


def _attempted(cost: int, dynamics: Dynamics, tolerance: Array, good: Array) -> Attempt:
    outcome = dynamics.attempt(tolerance, cost)
    if outcome is None:
        return conclude(dynamics, only_good(dynamics, good).solve(tolerance), tolerance, good), None
    return _decided(dynamics, outcome, tolerance, good)


def _decided(dynamics: Dynamics, outcome: Outcome, tolerance: Array, good: Array) -> Attempt:
    solution = conclude(dynamics, outcome, tolerance, good)
    if outcome.undecided is None:
        return solution, None
    # Where there is no state to be found, no other way finds one.
    hopeless = (solution.status == Status.INVALID) | (solution.status == Status.NOT_UNIQUE)
    return solution, outcome.undecided & ~hopeless


def _one(machine: Any, tolerance: Array) -> Solution:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(conclude(dynamics, dynamics.solve(tolerance), tolerance, good))


def _attempt_one(cost: int, machine: Any, tolerance: Array) -> Attempt:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(_attempted(cost, dynamics, tolerance, good))


def _cheap_one(machine: Any, tolerance: Array) -> Attempt:
    return _attempt_one(0, machine, tolerance)


@compiled  # always optimised: multiplying and adding in one step leaves hard points less rounding
def _dear_one(machine: Any, tolerance: Array) -> Attempt:
    return _attempt_one(1, machine, tolerance)


_solve_one = Tiers((by_weight(_cheap_one, as_dynamics), _dear_one), compiled(_one))


def built(build: Callable[..., Any], shared: Any, columns: Any) -> tuple[Dynamics, Array]:
    """The batch of dynamics of `build(shared, point)` for every point of `columns`, and where all rules hold."""
    dynamics, good = made(build, shared, columns)
    return dynamics, _also(good, eqx.filter_vmap(valid)(dynamics))


def made(build: Callable[..., Any], shared: Any, columns: Any) -> tuple[Dynamics, Array | None]:
    """The batch of dynamics as of `built`, and where the rules of machines hold that are no dynamics themselves."""

    def one(point: Any) -> tuple[Dynamics, Array | None]:
        machine = build(shared, point)
        dynamics = as_dynamics(machine)
        return dynamics, None if machine is dynamics else valid(machine)

    return eqx.filter_vmap(one, out_axes=eqx.if_array(0))(columns)


def _also(good: Array | None, own: Array) -> Array:
    return own if good is None else own & good


@compiled
def _solve_points(build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Solution:
    dynamics, good = built(build, shared, columns)
    return conclude(dynamics, only_good(dynamics, good).solve(tolerance), tolerance, good)


def _attempt_points(cost: int, build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Attempt:
    dynamics, good = made(build, shared, columns)
    most = dynamics.block(cost)
    if most is None:
        return _attempted(cost, dynamics, tolerance, _also(good, eqx.filter_vmap(valid)(dynamics)))

    def attempt(some: Any, fine: Array) -> tuple[Outcome, None]:
        outcome = some.attempt(tolerance, cost)
        assert outcome is not None  # a form that wants blocks has an attempt for them
        return outcome, None

    return attempted_in_blocks(dynamics, good, most, attempt, tolerance)[0]


def attempted_in_blocks(
    dynamics: Dynamics,
    good: Array | None,
    most: int,
    attempt: Callable[[Any, Array], tuple[Outcome, Any]],
    tolerance: Array,
) -> tuple[Attempt, Any]:
    """An attempt at a batch, in blocks of `most` points, and what else `attempt(dynamics, good)` finds of a block."""
    arrays, static = eqx.partition((dynamics, good), eqx.is_array)
    found: list[Outcome] = []

    def one(part: Any) -> tuple[Outcome, Array, Any]:
        some, known = eqx.combine(part, static)
        only, rest = eqx.partition(some, eqx.is_array)
        last = turned(only)
        # With the points last: what all numbers of a point must obey is looked at for many points at once.
        own = stored(tolerance > 0, lambda: trailing(lambda arrays: valid(eqx.combine(arrays, rest)), last))
        outcome, more = attempt(some, _also(known, own))
        found.append(outcome)
        return outcome, own, more

    # What is made of it takes little of each point, and less for all of them at once.
    outcome, own, more = blockwise(arrays, one, most, filled=True)
    return _decided(dynamics, in_order(outcome, found[-1]), tolerance, _also(good, own)), more


@compiled
def _cheap_points(build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Attempt:
    return _attempt_points(0, build, shared, columns, tolerance)


@compiled
def _dear_points(build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Attempt:
    return _attempt_points(1, build, shared, columns, tolerance)


solve_points = Tiers((_cheap_points, _dear_points), _solve_points, batch=2)
"""Steady states of `build(shared, point)` for every point of `columns`, whose arrays have a leading axis: called with
(build, shared, columns, tolerance)."""


def solve_batch(dynamics: Dynamics, tolerance: Any) -> Solution:
    """Steady states of a batch of dynamics, every array of which has a leading axis."""
    tolerance = jnp.asarray(tolerance)
    return conclude(dynamics, dynamics.solve(tolerance), tolerance, eqx.filter_vmap(valid)(dynamics))


if not TYPE_CHECKING:  # a type checker goes on to refuse what is not here
    __getattr__ = _told("coldspot.dynamics", __all__)
