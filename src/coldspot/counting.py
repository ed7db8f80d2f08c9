"""Counting statistics: cumulants and covariances of heat, particles, work and entropy, whatever the form of dynamics.

While a machine runs for a long time t, it takes a random amount X(t) of heat from a bath, say. All cumulants of X grow
as t; `counting` gives them per time,

    κ_k = lim (1/t) d^k/dχ^k ln⟨e^{χX(t)}⟩ at χ = 0,

so that κ₁ is the mean rate (the ledger's entry) and κ₂ the zero-frequency noise ∫⟨⟨I(t)I(0)⟩⟩dt of the current.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from ._attributes import Spoken
from ._checks import InputError, Named, as_float, check_memory, unknown_name, worded
from .compiler import is_traced
from .counts import (
    QUANTITIES,
    Counts,
    Covariance,
    Cumulants,
    GeneratingFunction,
    MixedCumulants,
    RateFunction,
    Spectrum,
    Uncertainty,
    judge,
)
from .dynamics import (
    TOLERANCE,
    Counted,
    Dynamics,
    Target,
    as_dynamics,
    checked_tolerance,
    explained,
    with_rules,
)
from .pytrees import batch_of_one, compiled, first_point, refreshed
from .solution import SolveError, Status
from .tiers import Tiers

WHAT = ("cumulants", "covariance", "mixed cumulants", "uncertainty")
"""What there is of things that are counted, at each point of a sweep, too."""


class Plan(NamedTuple):
    """What to compute of the targets: one of `WHAT`, up to an `order` or of it; `single`: of one, without its axis."""

    targets: tuple[Target, ...]
    what: str
    single: bool
    order: int = 2


# --------------------------------------------------------------------------- from a form's answer to a result


def counts(dynamics: Dynamics, good: Array, plan: Plan, tolerance: Array) -> Counts:
    """What `plan` counts, of a batch of dynamics (every array has a leading axis)."""
    targets, order, single = plan.targets, plan.order, plan.single
    if plan.what == "mixed cumulants":
        values, errors, status = judge(dynamics.mixed_cumulants(targets, order, tolerance), tolerance, good, dynamics)
        return MixedCumulants(targets=targets, order=order, values=values, errors=errors, status=status)
    if plan.what == "covariance":
        return _covariance(dynamics.covariances(targets, tolerance), targets, tolerance, good, dynamics)
    quotients = plan.what == "uncertainty"
    found = dynamics.uncertainties(targets, tolerance) if quotients else dynamics.cumulants(targets, order, tolerance)
    values, errors, status = judge(found, tolerance, good, dynamics)
    values, errors = (x[:, 0] if single else x for x in (values, errors))
    return (Uncertainty if quotients else Cumulants)(
        targets=targets, single=single, values=values, errors=errors, status=status
    )


def _covariance(
    counted: Counted, targets: tuple[Target, ...], tolerance: Array, good: Array, dynamics: Any
) -> Covariance:
    values, errors, status = judge(counted, tolerance, good, dynamics)
    return Covariance(targets=targets, values=values, errors=errors, status=status)


def attempted_counts(dynamics: Dynamics, good: Array, plan: Plan, tolerance: Array) -> tuple[Counts, Array | None]:
    """The same by a cheaper way, where there is one, and the points at which it is not to be used."""
    counted = dynamics.attempt_covariances(plan.targets, tolerance) if plan.what == "covariance" else None
    if counted is None:
        return counts(dynamics, good, plan, tolerance), None
    return covariance_of(counted, plan, tolerance, good, dynamics)


def covariance_of(
    counted: Counted, plan: Plan, tolerance: Array, good: Array, dynamics: Any
) -> tuple[Covariance, Array | None]:
    """The result of an attempt, and the points at which it is not to be used."""
    # Where there is no machine, no other way finds one.
    undecided = None if counted.undecided is None else counted.undecided & good
    return _covariance(counted, plan.targets, tolerance, good, dynamics), undecided


@compiled
def _spectrum_one(machine: Any, targets: tuple[Target, ...], frequencies: Array, tolerance: Array) -> Any:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(judge(dynamics.noise_spectra(targets, frequencies, tolerance), tolerance, good, dynamics))


@compiled
def _generating_one(machine: Any, targets: tuple[Target, ...], fields: Array, tolerance: Array) -> Any:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(judge(dynamics.generating_function(targets, fields, tolerance), tolerance, good, dynamics))


@compiled
def _rate_one(machine: Any, target: Target, currents: Array, tolerance: Array) -> Any:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(judge(dynamics.rate_function(target, currents, tolerance), tolerance, good, dynamics))


FEWEST = 8
"""Grids of frequencies, fields and currents are padded to powers of two from here on, so that few sizes compile."""
PER_ENTRY = 1000.0
"""Bytes for each entry of such a grid at the least (a spectrum of two states takes 1,750)."""


def _grid(values: Any, argument: str, axes: int = 1) -> tuple[Array, tuple[int, ...], int]:
    """A padded grid (entry, …), the shape of what the user gave without its last `axes` − 1 axes, and its length."""
    count = np.size(values) if isinstance(values, np.ndarray) else 0  # lists of that length nobody has
    check_memory(f"counting: a grid of {count:,} `{argument}`", PER_ENTRY * count, "ask for a part of them at a time.")
    given = as_float(values, f"counting: `{argument}`")
    if given.ndim < axes - 1 or given.size == 0:
        raise InputError(f"counting: `{argument}` must be numbers, but is {values!r}.")
    if not is_traced(given) and not bool(jnp.all(jnp.isfinite(given))):
        raise InputError(f"counting: `{argument}` must be finite, but is {values!r}.")
    shape = given.shape[: given.ndim - (axes - 1)]
    flat = given.reshape(-1, *given.shape[given.ndim - (axes - 1) :])
    size = max(FEWEST, 1 << (len(flat) - 1).bit_length())
    return jnp.pad(flat, [(0, size - len(flat))] + [(0, 0)] * (axes - 1), mode="edge"), shape, len(flat)


@compiled
def _count_one(machine: Any, plan: Plan, tolerance: Array) -> Any:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(counts(dynamics, good, plan, tolerance))


@compiled
def _attempt_one(machine: Any, plan: Plan, tolerance: Array) -> Any:
    dynamics, good = batch_of_one(with_rules(machine))
    return first_point(attempted_counts(dynamics, good, plan, tolerance))


_solve_one = Tiers((_attempt_one,), _count_one)


# --------------------------------------------------------------------------- what a user types


BEGIN = "counting: mixed cumulants begin with order 2; means are cumulants of order 1."


class Counting(Named):
    """What to count along a sweep: `cs.sweep(…, also=[cs.Counting("heat", "left", order=4)])`.

    - `quantity`: "heat", "particles", "work" or "entropy", and `of`: a bath's or drive's name; or a list
      [(quantity, of), …];
    - `what`: "cumulants" up to `order` (2 by default), which the dataset has as `cumulant_1_heat_left`, …; "covariance"
      of a list, `covariance_heat_left_heat_right`, …; "mixed cumulants" of one `order`,
      `mixed_cumulant_heat_left_heat_left_heat_right`, …; or "uncertainty", the quotient that is at least 1,
      `uncertainty_heat_left`. By default cumulants of a name, or where an order is given, and the covariance of a list.

    Each has its errors beside it, and a status; see `Fluctuations` for what they are.
    """

    plan: Plan = eqx.field(static=True)

    def __init__(self, quantity: Any, of: str | None = None, order: int | None = None, what: str | None = None):
        single = isinstance(quantity, str)
        if not single and of is not None:
            raise InputError(f"counting: `of` is given ({of!r}) beside a list; each entry of the list names its own.")
        if not single and not isinstance(quantity, list | tuple):
            raise InputError(f"counting: `quantity` must be a name or a list of (quantity, of), but is {quantity!r}.")
        if single and of is None:
            raise InputError(
                f"counting: `of` is missing: the name of a bath, or of a drive for work; "
                f'write counting(machine, {quantity!r}, "name").'
            )
        if isinstance(quantity, tuple) and len(quantity) == 2 and all(isinstance(word, str) for word in quantity):
            raise InputError(f"counting: one pair stands in a list, too: [{quantity!r}].")
        pairs = [(quantity, of)] if single else list(quantity)
        if not pairs:
            raise InputError("counting: the list of what to count is empty.")
        targets = tuple(_target(pair) for pair in pairs)
        if what is None:
            what = "cumulants" if single or order is not None else "covariance"
        if what not in WHAT:
            raise unknown_name("counting: `what`", "choice", what, WHAT)
        if order is not None and what in ("covariance", "uncertainty"):
            raise InputError(f"counting: `order` is {order!r}, but what is asked for, {what}, has none.")
        number = 2 if order is None else checked_order(order, len(targets) if what == "mixed cumulants" else 1)
        if what == "mixed cumulants" and number < 2:
            raise InputError(BEGIN)
        self.plan = Plan(targets, what, single, number)


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


PRODUCTS = 2500
"""Products of power series up to which cumulants are counted: each is compiled by itself."""


def checked_order(order: Any, fields: int = 1) -> int:
    """An order from 1 of so many counting fields together, whose power series can be multiplied out."""
    if not isinstance(order, int | np.integer) or isinstance(order, bool) or order < 1:
        raise InputError(f"counting: the order of cumulants must be an integer from 1, but is {order!r}.")
    order = int(order)
    if order > 2 and _products(order, fields) > PRODUCTS:
        most = max(k for k in range(2, PRODUCTS) if k == 2 or _products(k, fields) <= PRODUCTS)
        what = "one quantity" if fields == 1 else f"{fields} quantities together"
        raise InputError(
            f"counting: cumulants of order {order} of {what} are too many products of power series; order {most} is "
            "the highest. All of them are in `.generating_function(fields)`."
        )
    return order


def _products(order: int, fields: int) -> int:
    """Pairs of multi-indices β ≤ α with |α| ≤ order."""
    return math.comb(order + 2 * fields, 2 * fields)


NUMBERS = {
    "fano": "`.cumulants(2).fano`",
    "mean": "`.cumulants(1).values[..., 0]`",
    "variance": "`.cumulants(2).values[..., 1]`",
    "noise": "`.cumulants(2).values[..., 1]`, or `.spectrum(frequencies)`",
    "values": "`.cumulants(2).values`, or `.covariance().values`",
}
"""Where a number is that somebody looks for before anything has been counted."""


class Fluctuations(Spoken, eqx.Module):
    """What `counting` returns: a machine, and what is counted of it; its methods give the numbers."""

    machine: Any
    targets: tuple[Target, ...] = eqx.field(static=True)
    single: bool = eqx.field(static=True)

    def __getattr__(self, name: str) -> Any:
        if name in NUMBERS:
            raise AttributeError(
                f"Fluctuations has no `{name}`; its numbers are calculated by asking: {NUMBERS[name]}."
            )
        return super().__getattr__(name)

    def __repr__(self) -> str:
        what = ", ".join(" ".join(target) for target in self.targets)
        ways = ", ".join(f".{name}" for name in ("cumulants(2)", "covariance()", "uncertainty()", "spectrum(…)"))
        return f"fluctuations of {what}; their numbers: {ways}"

    @worded
    def cumulants(self, n: int, *, tolerance: float = TOLERANCE, throw: bool = True) -> Cumulants:
        """Cumulants 1 to `n` per time: `values` (order), or (target, order) of a list, with `errors` and a `status`.

        `tolerance`: the error that is allowed in each, relative to it or to the terms that it is a sum of; `throw`:
        whether to raise `SolveError` if they cannot be trusted.
        """
        return self._run(Plan(self.targets, "cumulants", self.single, checked_order(n)), tolerance, throw)

    @worded
    def covariance(self, *, tolerance: float = TOLERANCE, throw: bool = True) -> Covariance:
        """Covariances per time of all that is counted, (target, target); arguments as for `cumulants`."""
        return self._run(Plan(self.targets, "covariance", self.single), tolerance, throw)

    def mixed_cumulants(self, n: int, *, tolerance: float = TOLERANCE, throw: bool = True) -> MixedCumulants:
        """All joint cumulants of order `n` ≥ 2 per time: `values` (target, target, …), n axes, symmetric in them.

        `mixed_cumulants(3)[0, 0, 1]` is lim ⟨⟨X₀² X₁⟩⟩/t, and `mixed_cumulants(2)` the covariance; arguments as for
        `cumulants`.
        """
        order = checked_order(n, len(self.targets))
        if order < 2:
            raise InputError(BEGIN)
        return self._run(Plan(self.targets, "mixed cumulants", self.single, order), tolerance, throw)

    def spectrum(self, frequencies: Any, *, tolerance: float = TOLERANCE, throw: bool = True) -> Spectrum:
        """Noise at angular frequencies, S_ab(ω) = ∫dt e^{iωt}⟨⟨I_a(t)I_b(0)⟩⟩, of a machine that is not driven.

        `frequencies`: a number or an array; `values` have its shape, and behind it (target, target) of a list. At ω = 0
        it is the covariance. Currents are those of the counted jumps: displacement currents, which add to those in the
        leads of a dot at finite frequency, are not in them.
        """
        grid, shape, count = _grid(frequencies, "frequencies")
        values, errors, status = _spectrum_one(self.machine, self.targets, grid, checked_tolerance(tolerance))
        values, errors = (x[:count].reshape(*shape, *x.shape[1:]) for x in (values, errors))
        if self.single:
            values, errors = jnp.real(values[..., 0, 0]), errors[..., 0, 0]
        given = grid[:count].reshape(shape)
        return self._trusted(
            Spectrum(
                targets=self.targets, single=self.single, frequencies=given, values=values, errors=errors, status=status
            ),
            throw,
        )

    def generating_function(
        self, fields: Any, *, tolerance: float = TOLERANCE, throw: bool = True
    ) -> GeneratingFunction:
        """The scaled generating function λ(χ) = lim (1/t) ln⟨e^{χ·X(t)}⟩, with its slopes, also in periodic states.

        `fields` χ: numbers of any shape, and behind it (target) of a list, in units of one over what is counted. The
        cumulants are its derivatives at χ = 0. For the entropy that is produced λ(χ) = λ(−1 − χ); under driving, with
        the drives reversed in time on one side.
        """
        grid, shape, count = _grid(fields, "fields", 1 if self.single else 2)
        wide = grid[:, None] if self.single else grid
        if wide.shape[1] != len(self.targets):
            raise InputError(
                f"counting: `fields` must have one number for each of {len(self.targets)} targets on its last axis, "
                f"but has {wide.shape[1]}."
            )
        values, errors, status = _generating_one(self.machine, self.targets, wide, checked_tolerance(tolerance))
        values, errors = (x[:count].reshape(*shape, -1) for x in (values, errors))
        slopes, doubts = values[..., 1:], errors[..., 1:]
        if self.single:
            slopes, doubts = slopes[..., 0], doubts[..., 0]
        given = grid[:count].reshape(*shape, *grid.shape[1:])
        found = GeneratingFunction(
            targets=self.targets,
            single=self.single,
            fields=given,
            values=values[..., 0],
            errors=errors[..., 0],
            slopes=slopes,
            slope_errors=doubts,
            status=status,
        )
        return self._trusted(found, throw)

    def rate_function(self, currents: Any, *, tolerance: float = TOLERANCE, throw: bool = True) -> RateFunction:
        """The rate function I(j) = sup_χ [χj − λ(χ)] of one amount per time, also in periodic states.

        `currents` j: a number or an array; P(X/t ≈ j) ~ e^{−t I(j)} for long times t, over many periods of a drive.
        Each has the field χ = I′(j) beside it. Where no field makes an amount typical, because no history can carry so
        much, the status says so. For the entropy that is produced I(−j) = I(j) + j; under driving, with the drives
        reversed in time on one side.
        """
        if not self.single:
            raise InputError("counting: a rate function is one of a single amount; of a list, see generating_function.")
        grid, shape, count = _grid(currents, "currents")
        values, errors, status = _rate_one(self.machine, self.targets[0], grid, checked_tolerance(tolerance))
        values, errors = (x[:count].reshape(*shape, 2) for x in (values, errors))
        given = grid[:count].reshape(shape)
        found = RateFunction(
            targets=self.targets,
            currents=given,
            values=values[..., 0],
            errors=errors[..., 0],
            fields=values[..., 1],
            field_errors=errors[..., 1],
            status=status,
        )
        if throw and not is_traced(errors) and bool(jnp.any(jnp.isinf(errors))):
            missing = np.asarray(given)[np.isinf(np.asarray(found.errors))]
            raise SolveError(
                f"counting: no field makes the amounts per time {missing.tolist()} typical: no history may carry so "
                "much; `throw=False` returns the others.",
                Status.NOT_CONVERGED,
                found,
            )
        return self._trusted(found, throw)

    def uncertainty(self, *, tolerance: float = TOLERANCE, throw: bool = True) -> Uncertainty:
        """The quotient of an uncertainty relation for each amount: at least 1, whatever the jump network.

        Without a drive σκ₂/(2κ₁²) ≥ 1, with the entropy production σ (A. C. Barato and U. Seifert, "Thermodynamic
        uncertainty relation for biomolecular processes"). In the periodic state of a drive that may be broken, and
        σκ₂/(2(κ₁ − Ω∂κ₁/∂Ω)²) ≥ 1 holds, with the drive's frequency Ω at fixed amplitudes (T. Koyuk and U. Seifert,
        "Operationally accessible bounds on fluctuations and entropy production in periodically driven systems").
        Forms for which neither is a theorem, conductors for example, say so.
        """
        return self._run(Plan(self.targets, "uncertainty", self.single), tolerance, throw)

    def _run(self, plan: Plan, tolerance: float, throw: bool) -> Any:
        return self._trusted(_solve_one(self.machine, plan, checked_tolerance(tolerance)), throw)

    def _trusted(self, found: Any, throw: bool) -> Any:
        if throw and not is_traced(found.status) and int(found.status) != int(Status.OK):
            status = Status(int(found.status))
            words = explained(refreshed(self.machine), status) or status.advice
            raise SolveError(f"no trustworthy counting statistics ({status.name}): {words}", status, found)
        return found


@worded
def counting(machine: Any, quantity: Any, of: str | None = None) -> Fluctuations:
    """Counting statistics of a machine: `counting(machine, "heat", "left").cumulants(4)`.

    **Arguments:** `machine`, a machine or a dynamics; `quantity`: "heat", "particles", "work" or "entropy" (a bath's
    heat over its temperature), and `of`: the name of the bath, or of the drive that does the work; or a list of such
    pairs, `counting(machine, [("heat", "left"), ("work", "drive")]).covariance()`.

    **Returns:** an object with `.cumulants(n)`, `.covariance()` and `.mixed_cumulants(n)`, whose results are arrays of
    numbers per time, with `errors` and a `status`; of jump networks also `.uncertainty()`, `.generating_function(χ)`,
    `.rate_function(j)` and, if nothing is driven, `.spectrum(ω)`. All amounts are positive into the system.
    """
    plan = Counting(quantity, of).plan
    check(plan.targets, as_dynamics(machine))
    return Fluctuations(machine, plan.targets, plan.single)
