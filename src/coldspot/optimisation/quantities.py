"""What can be maximised, minimised or bounded: numbers of a solution or of a machine, by name or by a function."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import regimes, tracing
from .._checks import InputError, as_float, nearest, unknown_name
from ..counting import QUANTITIES, counting
from ..ledger import Named
from ..pytrees import opened
from ..response import OF_TWO_LEADS, linear_response
from ..solution import Solution

SCALARS = ("work_in", "power", "entropy_production", "cop", "efficiency", "cop_ratio", "efficiency_ratio")
BY_NAME = ("heat", "particles", "energy", "chemical_work", "entropy_flow", "current", "work", "observables")
RATIOS = ("cop", "efficiency")
"""Ratios that stand for nothing outside their regime: the search goes by their angle, which is smooth everywhere."""
OF_RESPONSE = {name: name for name in OF_TWO_LEADS} | {"ZT": "figure_of_merit"}
"""What linear response about the machine's own equilibrium has between two leads."""
OF_COUNTING = ("fano", "uncertainty")
"""Quotients of counting statistics; each names a quantity and a bath or drive: `fano.particles.left`."""


class OfResponse(eqx.Module):
    """A coefficient of linear response, NaN where it cannot be trusted."""

    name: str = eqx.field(static=True)

    def __call__(self, machine: Any) -> Array:
        found = linear_response(machine, throw=False)
        return jnp.where(found.ok, getattr(found, self.name), jnp.nan)


class OfCounting(eqx.Module):
    """κ₂/κ₁, or the quotient of the uncertainty relation, NaN where it cannot be trusted."""

    name: str = eqx.field(static=True)
    of: tuple[str, str] = eqx.field(static=True)

    def __call__(self, machine: Any) -> Array:
        counted = counting(machine, *self.of)
        if self.name == "uncertainty":
            quotient = counted.uncertainty(throw=False)
            return jnp.where(quotient.ok, quotient.values, jnp.nan)
        cumulants = counted.cumulants(2, throw=False)
        # The direction of a current is no noise: with its sign the least of all would be where the current turns round.
        return jnp.where(cumulants.ok, jnp.abs(cumulants.fano), jnp.nan)


class Quantity(eqx.Module):
    """A number of a solution and its machine.

    `search(s, machine)` rises with it and is smooth on both sides of the border of a regime: of the ratio a/b it is the
    angle atan2(a, b). `true(s, machine)` is the number itself, NaN where it is not defined. `function` takes the
    solution, or the machine if it is `of_machine`.
    """

    name: str = eqx.field(static=True)
    function: Callable[..., Any] | None = None
    of_machine: bool = eqx.field(static=True, default=False)

    def true(self, s: Solution | None, machine: Any) -> Array:
        """`s` may be None for what is `of_machine`."""
        if self.function is not None:
            found = tracing.called(self.function, machine if self.of_machine else s)
            return as_float(found, f"`{self.name}`")
        first, _, rest = self.name.partition(".")
        value = getattr(s, first)
        return jnp.asarray(value[rest] if rest else value)

    @property
    def is_ratio(self) -> bool:
        return self.function is None and self.name in RATIOS

    def search(self, s: Solution, machine: Any) -> Array:
        if not self.is_ratio:
            return self.true(s, machine)
        view = s._view()
        if self.name == "cop":
            over, under = regimes.cop_terms(view)[0], regimes.cop_spent(view)
        else:
            over, under = regimes.efficiency_terms(view)
        still = (over == 0) & (under == 0)
        return jnp.where(still, 0.0, jnp.arctan2(jnp.where(still, 0.0, over), jnp.where(still, 1.0, under)))

    def of_bound(self, bound: float) -> float:
        """A bound of the number as one of `search`."""
        return float(np.arctan(bound)) if self.is_ratio else bound


def quantity(owner: str, argument: str, given: Any, s: Solution, machine: Any) -> Quantity:
    """A quantity by its name, such as `power` or `heat.right`, or a function; checked on an example."""
    if isinstance(given, Quantity):
        return given
    if callable(given):
        return _function(owner, argument, given, s, machine)
    if not isinstance(given, str):
        raise InputError(
            f"{owner}: `{argument}` must be a name, such as `power` or `heat.right`, or a function of the solution or "
            f"of the machine, but is {given!r}."
        )
    first, dot, rest = given.partition(".")
    if given in OF_RESPONSE or first in OF_COUNTING:
        return _of_machine(owner, argument, given, machine)
    if not s.baths and first != "observables":
        raise InputError(f"{owner}: `{argument}`: the machine has no baths, and so no `{given}`; give a function.")
    if first in SCALARS and not dot:
        return Quantity(given)
    if first not in BY_NAME:
        entries_of = {name: list(getattr(s, name)) for name in BY_NAME}
        known = [*SCALARS, *(f"{name}.{entry}" for name, entries in entries_of.items() for entry in entries)]
        known += [*OF_RESPONSE, *(f"{name}.particles.{bath}" for name in OF_COUNTING for bath in s.baths)]
        raise InputError(f"{owner}: `{argument}`: there is no quantity `{given}`.{nearest(given, known)}")
    entries: Named = getattr(s, first)
    if rest not in entries:
        if not dot:
            names = ", ".join(f"`{first}.{name}`" for name in entries) or "none here"
            raise InputError(f"{owner}: `{argument}`: `{first}` has an entry for each name; say which one: {names}.")
        raise unknown_name(f"{owner}: `{argument}`", f"entry of `{first}`", rest, entries)
    return Quantity(given)


def _of_machine(owner: str, argument: str, given: str, machine: Any) -> Quantity:
    """What is named of linear response or counting; the verbs themselves say what a machine has not."""
    if given in OF_RESPONSE:
        function: OfResponse | OfCounting = OfResponse(OF_RESPONSE[given])
    else:
        first, *of = given.split(".", 2)
        if len(of) < 2:
            raise InputError(
                f"{owner}: `{argument}`: `{first}` needs what is counted ({', '.join(QUANTITIES)}), and of which bath "
                f"or drive, such as `{first}.particles.left`, but is `{given}`."
            )
        function = OfCounting(first, (of[0], of[1]))
    try:
        eqx.filter_eval_shape(function, machine)
    except InputError as error:
        raise InputError(f"{owner}: `{argument}`: `{given}`: {error}") from None
    return Quantity(given, function, of_machine=True)


def _function(owner: str, argument: str, given: Callable[..., Any], s: Solution, machine: Any) -> Quantity:
    """A user's function, which takes the solution or, if it cannot do with that, the machine."""
    name, of_machine = getattr(given, "__name__", "function"), False
    try:
        given(s)
    except Exception as of_solution:
        try:
            given(machine)
        except Exception as of_itself:
            raise InputError(
                f"{owner}: `{argument}`: the function `{name}` takes neither the solution ({_said(of_solution)}) nor "
                f"the machine ({_said(of_itself)})."
            ) from of_solution
        of_machine = True
    found = Quantity(name, opened(given), of_machine)
    shape = np.shape(found.true(s, machine))
    if shape != ():
        raise InputError(f"{owner}: `{argument}`: the function must return one number, but returns shape {shape}.")
    return found


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
