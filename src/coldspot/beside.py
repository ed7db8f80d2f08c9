"""What a sweep computes beside the steady state: what is counted, and the response about equilibrium."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from ._checks import InputError, Values, short
from .counting import Counting, Plan, attempted_counts, check, counts, covariance_of
from .counts import Counts
from .dataset import Variable
from .dynamics import Attempt, Dynamics, Outcome, attempted_in_blocks, built, made
from .numerics.blocks import blockwise
from .response import Response, check_undriven, linear_response, responses
from .solution import Solution
from .tiers import Tiers

Wanted = Plan | str
"""What to count, or the name of another verb."""
RESPONSE = "linear_response"


def plans_of(also: Any) -> tuple[Wanted, ...]:
    entries = list(also) if isinstance(also, list | tuple) else [also]
    for entry in entries:
        if not isinstance(entry, Counting) and entry is not linear_response:
            raise InputError(f"sweep: `also` must be a list of Counting and linear_response, but holds {short(entry)}.")
    found = tuple(entry.plan if isinstance(entry, Counting) else RESPONSE for entry in entries)
    for k, plan in enumerate(found):
        if plan in found[:k]:
            raise InputError(f"sweep: `also` asks twice for the same, {short(entries[k])}.")
    return found


def check_names(plans: tuple[Wanted, ...], dynamics: Dynamics) -> None:
    for plan in plans:
        if isinstance(plan, Plan):
            check(plan.targets, dynamics)
        else:
            check_undriven(dynamics)


class Beside(eqx.Module):
    """A solution and what was counted at the same points."""

    solution: Solution
    counted: tuple[Counts | Response, ...]

    @property
    def status(self) -> Values:
        return self.solution.status

    def labels(self) -> dict[str, tuple[Any, ...]]:
        found = self.solution.labels()
        for counted in self.counted:
            found |= counted.labels()
        return found

    def variables(self) -> dict[str, Variable]:
        found = self.solution.variables()
        for counted in self.counted:
            found |= counted.variables()
        return found

    def record(self) -> dict[str, Any]:
        return self.solution.record() | {"counted": [counted.record() for counted in self.counted]}


class Also(eqx.Module):
    """What is asked beside steady states; equal for equal plans, so that compiled code is shared.

    `cheap`: by the cheaper way to covariances or responses, with the points at which it is not to be used.
    """

    plans: tuple[Wanted, ...] = eqx.field(static=True)
    cheap: bool = eqx.field(static=True, default=False)

    def __call__(self, build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Any:
        dynamics, good = built(build, shared, columns)
        if not self.cheap:
            return tuple(_found(plan, dynamics, good, tolerance) for plan in self.plans)
        most = dynamics.block(0)
        arrays, static = eqx.partition((dynamics, good), eqx.is_array)

        def one(part: Any) -> Any:
            some, fine = eqx.combine(part, static)
            return _parted(_attempted(plan, some, fine, tolerance) for plan in self.plans)

        return one(arrays) if most is None else blockwise(arrays, one, most, filled=True)


class Together(eqx.Module):
    """Attempts at steady states and at the covariances of `plans` in one go, of what counts along."""

    plans: tuple[Plan, ...] = eqx.field(static=True)

    def __call__(self, build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> tuple[Attempt, Any]:
        dynamics, good = made(build, shared, columns)
        most = dynamics.block(0)
        assert most is not None  # whoever counts along does it in blocks
        lists = tuple(plan.targets for plan in self.plans)

        def attempt(some: Any, fine: Array) -> tuple[Outcome, Any]:
            outcome, found = some.attempt_counted(lists, tolerance)
            pairs = zip(found, self.plans, strict=True)
            return outcome, _parted(covariance_of(counted, plan, tolerance, fine, some) for counted, plan in pairs)

        return attempted_in_blocks(dynamics, good, most, attempt, tolerance)


def _parted(
    pairs: Iterable[tuple[Counts | Response, Array | None]],
) -> tuple[tuple[Counts | Response, ...], Array | None]:
    """Results of attempts, and the points at which not all of them are to be used."""
    found, undecided = zip(*pairs, strict=True)
    left = [points for points in undecided if points is not None]
    return found, functools.reduce(jnp.logical_or, left) if left else None


def _found(plan: Wanted, dynamics: Dynamics, good: Array, tolerance: Array) -> Counts | Response:
    if isinstance(plan, Plan):
        return counts(dynamics, good, plan, tolerance)
    return responses(dynamics, good, tolerance, sure=True)[0]


def _attempted(
    plan: Wanted, dynamics: Dynamics, good: Array, tolerance: Array
) -> tuple[Counts | Response, Array | None]:
    if isinstance(plan, Plan):
        return attempted_counts(dynamics, good, plan, tolerance)
    return responses(dynamics, good, tolerance, sure=False)


def ways(plans: tuple[Wanted, ...]) -> list[tuple[tuple[Wanted, ...], Tiers, Together | None]]:
    """How to find what is asked: what has a cheaper way apart from what has none; `Together`, if that may be."""
    quick = tuple(plan for plan in plans if isinstance(plan, Plan) and plan.what == "covariance")
    response = tuple(plan for plan in plans if plan == RESPONSE)
    slow = tuple(plan for plan in plans if plan not in quick + response)
    found: list[tuple[tuple[Wanted, ...], Tiers, Together | None]] = [
        (quick, Tiers((Also(quick, cheap=True),), Also(quick), batch=2), Together(quick)),
        (response, Tiers((Also(response, cheap=True),), Also(response), batch=2), None),
        (slow, Tiers((), Also(slow), batch=2), None),
    ]
    return [way for way in found if way[0]]
