"""What a sweep computes beside the steady state: what is counted, and the response about equilibrium."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
from jax import Array

from ._checks import InputError, Values, short
from .counting import Counting, Plan, check, counts
from .counts import Counts
from .dataset import Variable
from .dynamics import Dynamics, built
from .response import Response, check_undriven, linear_response, responses
from .solution import Solution

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
    """What is asked beside steady states; equal for equal plans, so that compiled code is shared."""

    plans: tuple[Wanted, ...] = eqx.field(static=True)

    def __call__(
        self, build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array
    ) -> tuple[Counts | Response, ...]:
        dynamics, good = built(build, shared, columns)

        def found(plan: Wanted) -> Counts | Response:
            if isinstance(plan, Plan):
                return counts(dynamics, good, plan, tolerance)
            return responses(dynamics, good, tolerance)

        return tuple(found(plan) for plan in self.plans)
