"""Counting statistics: cumulants and covariances of heat, particles, work and entropy, whatever the form of dynamics.

While a machine runs for a long time t, it takes a random amount X(t) of heat from a bath, say. All cumulants of X grow
as t; `counting` gives them per time,

    κ_k = lim (1/t) d^k/dχ^k ln⟨e^{χX(t)}⟩ at χ = 0,

so that κ₁ is the mean rate (the ledger's entry) and κ₂ the zero-frequency noise ∫⟨⟨I(t)I(0)⟩⟩dt of the current.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from ._checks import InputError, Named, Values, unknown_name
from .dataset import Variable, provenance, to_dataset
from .dynamics import (
    STATELESS,
    TOLERANCE,
    WORST_FIRST,
    Counted,
    Dynamics,
    Target,
    as_dynamics,
    checked_tolerance,
    explained,
    is_traced,
    with_rules,
)
from .pytrees import batch_of_one, compiled, first_point, refreshed
from .solution import SolveError, Status, plain, status_variable

QUANTITIES = {"heat": "E", "particles": "", "work": "E", "entropy": "k_B"}
"""What can be counted, with the unit of one of it."""


class Plan(NamedTuple):
    """What to compute: cumulants up to `order`, or (None) covariances; `single`: of one target, without its axis;

    `mixed`: the joint cumulants of that order alone.
    """

    targets: tuple[Target, ...]
    order: int | None
    single: bool
    mixed: bool = False


# --------------------------------------------------------------------------- results


class Counts(eqx.Module):
    """Numbers of a counting field: `values` with `errors` (bounds) and a `status`; it is an array of its values.

    - `Cumulants`: `values` (…, order) of one target, or (…, target, order) of a list of them, for orders 1, 2, …;
    - `Covariance`: `values` (…, target, target);
    - `MixedCumulants`: `values` (…, target, target, …), as many axes of targets as the order has.
    """

    targets: eqx.AbstractVar[tuple[Target, ...]]
    values: eqx.AbstractVar[Values]
    errors: eqx.AbstractVar[Values]
    status: eqx.AbstractVar[Values]

    def __array__(self, *arguments: Any, **keywords: Any) -> np.ndarray:
        return np.asarray(self.values).__array__(*arguments, **keywords)

    def __getitem__(self, index: Any) -> Values:
        return self.values[index]

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def ok(self) -> Values:
        return self.status == int(Status.OK)

    def labels(self) -> dict[str, tuple[Any, ...]]:
        return {}

    def record(self) -> dict[str, Any]:
        """One point as plain Python values, for JSON: what is not finite is None."""
        return {
            "status": Status(int(self.status)).name,
            "counted": [f"{t.quantity} {t.of}" for t in self.targets],
            "values": plain(self.values),
            "errors": plain(self.errors),
        }

    def variables(self) -> dict[str, Variable]:
        """Each number by name, with its unit."""
        raise NotImplementedError

    def to_dataset(self, unit: str | None = None) -> Any:
        """Each number by name as a Dataset; `unit` as for `Solution.to_dataset`."""
        shape = {f"axis_{k}": n for k, n in enumerate(np.shape(self.status))}
        return to_dataset(self, {}, shape, provenance(unit=unit), unit)


def _variable(value: Values, trusted: Values, targets: Sequence[Target], meaning: str) -> Variable:
    """A product of counted amounts per time."""
    parts = [QUANTITIES[t.quantity] for t in targets]
    powers = {symbol: parts.count(symbol) + (symbol == "E") for symbol in ("k_B", "E")}
    units = "*".join(f"{symbol}**{n}" if n > 1 else symbol for symbol, n in powers.items() if n) + "/hbar"
    return Variable(np.where(trusted, np.asarray(value), np.nan), (), units, meaning, masked=False)


def _spelled(target: Target) -> str:
    return f"{target.quantity}_{target.of}".replace(" ", "_").replace("-", "_")


class Cumulants(Counts):
    """Cumulants per time; see `Counts`.

    - `single`: whether they are those of one target, whose axis is then left out.
    """

    targets: tuple[Target, ...] = eqx.field(static=True)
    single: bool = eqx.field(static=True)
    values: Values
    errors: Values
    status: Values

    @property
    def fano(self) -> Values:
        """κ₂/κ₁: 1 for particles that come one by one and independently (Poisson)."""
        if self.values.shape[-1] < 2:
            raise InputError("fano: it needs the second cumulant; ask for `cumulants(2)`.")
        return self.values[..., 1] / self.values[..., 0]

    def variables(self) -> dict[str, Variable]:
        """`cumulant_2_heat_left`, …, their errors, and the status."""
        trusted, found = np.asarray(self.ok), {}
        values, errors = (x[..., None, :] if self.single else x for x in (self.values, self.errors))
        for k, target in enumerate(self.targets):
            for m in range(values.shape[-1]):
                name = f"cumulant_{m + 1}_{_spelled(target)}"
                meaning = f"cumulant {m + 1} of {target.quantity} of {target.of}, per time"
                of = (target,) * (m + 1)
                found[name] = _variable(values[..., k, m], trusted, of, meaning)
                found[f"{name}_error"] = _variable(errors[..., k, m], trusted, of, f"{meaning}, error estimate")
        names = "_".join(_spelled(target) for target in self.targets)
        return found | {f"cumulants_{names}_status": status_variable(self.status)}


class Covariance(Counts):
    """Covariances per time; see `Counts`."""

    targets: tuple[Target, ...] = eqx.field(static=True)
    values: Values
    errors: Values
    status: Values

    def variables(self) -> dict[str, Variable]:
        """`covariance_heat_left_work_drive`, …, their errors, and the status."""
        trusted, found = np.asarray(self.ok), {}
        for k, one in enumerate(self.targets):
            for m, other in enumerate(self.targets[k:], k):
                name = f"covariance_{_spelled(one)}_{_spelled(other)}"
                meaning = f"covariance of {one.quantity} of {one.of} and {other.quantity} of {other.of}, per time"
                found[name] = _variable(self.values[..., k, m], trusted, (one, other), meaning)
                error = self.errors[..., k, m]
                found[f"{name}_error"] = _variable(error, trusted, (one, other), f"{meaning}, error estimate")
        names = "_".join(_spelled(target) for target in self.targets)
        return found | {f"covariance_{names}_status": status_variable(self.status)}


class MixedCumulants(Counts):
    """Joint cumulants of one order, per time; see `Counts`."""

    targets: tuple[Target, ...] = eqx.field(static=True)
    order: int = eqx.field(static=True)
    values: Values
    errors: Values
    status: Values

    def variables(self) -> dict[str, Variable]:
        """`mixed_cumulant_heat_left_heat_left_work_drive`, …, their errors, and the status."""
        trusted, found = np.asarray(self.ok), {}
        for places in itertools.combinations_with_replacement(range(len(self.targets)), self.order):
            of = tuple(self.targets[k] for k in places)
            name = "mixed_cumulant_" + "_".join(_spelled(target) for target in of)
            meaning = f"cumulant of {', '.join(f'{t.quantity} of {t.of}' for t in of)}, per time"
            found[name] = _variable(self.values[..., *places], trusted, of, meaning)
            found[f"{name}_error"] = _variable(self.errors[..., *places], trusted, of, f"{meaning}, error estimate")
        names = "_".join(_spelled(target) for target in self.targets)
        return found | {f"mixed_cumulants_{names}_status": status_variable(self.status)}


# --------------------------------------------------------------------------- from a form's answer to a result


def judge(counted: Counted, tolerance: Array, good: Array) -> tuple[Array, Array, Array]:
    """Values, errors and status of a batch: what `conclude` is for solutions.

    A point is OK if no fault is reported, all numbers are finite and each error is at most the tolerance times the
    value or its scale, whichever is larger; where there is no state, values are NaN.
    """
    values, errors = counted.values, counted.errors
    points = good.shape

    def each(condition: Array) -> Array:
        return jnp.all(condition.reshape(*points, -1), axis=-1)

    scale = jnp.abs(values) if counted.scale is None else jnp.maximum(counted.scale, jnp.abs(values))
    finite = each(jnp.isfinite(values) & jnp.isfinite(errors))
    faults = dict.fromkeys(WORST_FIRST, jnp.zeros(points, bool)) | dict(counted.faults)
    faults[Status.INVALID] |= ~good
    faults[Status.NOT_FINITE] |= ~finite & ~faults[Status.NOT_CONVERGED]
    faults[Status.NOT_CONVERGED] |= ~each(errors <= tolerance * scale)
    status = jnp.select([faults[s] for s in WORST_FIRST], [int(s) for s in WORST_FIRST], int(Status.OK))
    stateless = jnp.isin(status, jnp.array([int(s) for s in STATELESS]))
    blank = stateless.reshape(*points, *(1,) * (values.ndim - len(points)))
    return jnp.where(blank, jnp.nan, values), jnp.where(blank, jnp.nan, errors), status


def counts(dynamics: Dynamics, good: Array, plan: Plan, tolerance: Array) -> Cumulants | Covariance | MixedCumulants:
    """What `plan` counts, of a batch of dynamics (every array has a leading axis)."""
    if plan.mixed:
        assert plan.order is not None
        found = judge(dynamics.mixed_cumulants(plan.targets, plan.order, tolerance), tolerance, good)
        return MixedCumulants(plan.targets, plan.order, *found)
    if plan.order is None:
        values, errors, status = judge(dynamics.covariances(plan.targets, tolerance), tolerance, good)
        return Covariance(targets=plan.targets, values=values, errors=errors, status=status)
    values, errors, status = judge(dynamics.cumulants(plan.targets, plan.order, tolerance), tolerance, good)
    if plan.single:
        values, errors = values[:, 0], errors[:, 0]
    return Cumulants(targets=plan.targets, single=plan.single, values=values, errors=errors, status=status)


@compiled
def _count_one(machine: Any, plan: Plan, tolerance: Array) -> Any:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(counts(dynamics, good, plan, tolerance))


# --------------------------------------------------------------------------- what a user types


class Counting(Named):
    """What to count along a sweep: `cs.sweep(…, also=[cs.Counting("heat", "left", order=4)])`.

    - `quantity`: "heat", "particles", "work" or "entropy", and `of`: a bath's or drive's name; the dataset then has
      `cumulant_1_heat_left`, …, up to `order`, with errors, and `cumulants_status`;
    - or a list [(quantity, of), …] alone: the dataset has all their covariances, `covariance_heat_left_heat_right`, ….
    """

    plan: Plan = eqx.field(static=True)

    def __init__(self, quantity: Any, of: str | None = None, order: int = 2):
        single = isinstance(quantity, str)
        if not single and of is not None:
            raise InputError(f"counting: `of` is given ({of!r}) beside a list; each entry of the list names its own.")
        if not single and not isinstance(quantity, list | tuple):
            raise InputError(f"counting: `quantity` must be a name or a list of (quantity, of), but is {quantity!r}.")
        pairs = [(quantity, of)] if single else list(quantity)
        if not pairs:
            raise InputError("counting: the list of what to count is empty.")
        targets = tuple(_target(pair) for pair in pairs)
        self.plan = Plan(targets, checked_order(order) if single else None, single)


def check(targets: tuple[Target, ...], dynamics: Dynamics) -> None:
    """The baths and drives that are named exist."""
    # A drive and a bath may have the same name.
    workers, baths = dynamics.workers(), tuple(dynamics.reservoirs())
    for target in targets:
        kind, names = ("drive", workers) if target.quantity == "work" else ("bath", baths)
        if target.of not in names:
            raise unknown_name("counting", kind, target.of, names)


def _target(pair: Any) -> Target:
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(word, str) for word in pair):
        raise InputError(
            f'counting: what to count must be a quantity and a name, such as ("heat", "left"), but is {pair!r}.'
        )
    target = Target(*pair)
    if target.quantity not in QUANTITIES:
        raise unknown_name("counting", "quantity", target.quantity, QUANTITIES)
    return target


def checked_order(order: Any) -> int:
    if not isinstance(order, int | np.integer) or isinstance(order, bool) or order < 1:
        raise InputError(f"counting: the order of cumulants must be an integer from 1, but is {order!r}.")
    return int(order)


class Fluctuations(eqx.Module):
    """What `counting` returns: a machine, and what is counted of it."""

    machine: Any
    targets: tuple[Target, ...] = eqx.field(static=True)
    single: bool = eqx.field(static=True)

    def cumulants(self, n: int, *, tolerance: float = TOLERANCE, throw: bool = True) -> Cumulants:
        """Cumulants 1 to `n` per time: `values` (order), or (target, order) of a list, with `errors` and a `status`.

        `tolerance`: the error that is allowed in each, relative to it or to the terms that it is a sum of; `throw`:
        whether to raise `SolveError` if they cannot be trusted.
        """
        return self._run(Plan(self.targets, checked_order(n), self.single), tolerance, throw)

    def covariance(self, *, tolerance: float = TOLERANCE, throw: bool = True) -> Covariance:
        """Covariances per time of all that is counted, (target, target); arguments as for `cumulants`."""
        return self._run(Plan(self.targets, None, self.single), tolerance, throw)

    def mixed_cumulants(self, n: int, *, tolerance: float = TOLERANCE, throw: bool = True) -> MixedCumulants:
        """All joint cumulants of order `n` ≥ 2 per time: `values` (target, target, …), n axes, symmetric in them.

        `mixed_cumulants(3)[0, 0, 1]` is lim ⟨⟨X₀² X₁⟩⟩/t, and `mixed_cumulants(2)` the covariance; arguments as for
        `cumulants`.
        """
        if checked_order(n) < 2:
            raise InputError("counting: mixed cumulants begin with order 2; means are `cumulants(1)`.")
        return self._run(Plan(self.targets, checked_order(n), self.single, mixed=True), tolerance, throw)

    def _run(self, plan: Plan, tolerance: float, throw: bool) -> Any:
        found = _count_one(self.machine, plan, checked_tolerance(tolerance))
        if throw and not is_traced(found.status) and int(found.status) != int(Status.OK):
            status = Status(int(found.status))
            words = explained(refreshed(self.machine), status) or status.advice
            raise SolveError(f"no trustworthy counting statistics ({status.name}): {words}", status, found)
        return found


def counting(machine: Any, quantity: Any, of: str | None = None) -> Fluctuations:
    """Counting statistics of a machine: `counting(machine, "heat", "left").cumulants(4)`.

    **Arguments:** `machine`, a machine or a dynamics; `quantity`: "heat", "particles", "work" or "entropy" (a bath's
    heat over its temperature), and `of`: the name of the bath, or of the drive that does the work; or a list of such
    pairs, `counting(machine, [("heat", "left"), ("work", "drive")]).covariance()`.

    **Returns:** an object with `.cumulants(n)` and `.covariance()`, whose results are arrays of numbers per time, with
    `errors` and a `status`. All amounts are positive into the system.
    """
    plan = Counting(quantity, of).plan
    check(plan.targets, as_dynamics(machine))
    return Fluctuations(machine, plan.targets, plan.single)
