"""What can be maximised, minimised or bounded: numbers of a solution, by name or by a function."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import regimes
from .._checks import InputError, as_float, nearest, unknown_name
from ..ledger import Named
from ..pytrees import opened
from ..solution import Solution

SCALARS = ("work_in", "power", "entropy_production", "cop", "efficiency", "cop_ratio", "efficiency_ratio")
BY_NAME = ("heat", "particles", "energy", "chemical_work", "entropy_flow", "current", "work", "observables")
RATIOS = ("cop", "efficiency")
"""Ratios that stand for nothing outside their regime: the search goes by their angle, which is smooth everywhere."""


class Quantity(eqx.Module):
    """A number of a solution.

    `search(s)` rises with it and is smooth on both sides of the border of a regime: of the ratio a/b it is the angle
    atan2(a, b). `true(s)` is the number itself, NaN where it is not defined.
    """

    name: str = eqx.field(static=True)
    function: Callable[..., Any] | None = None

    def true(self, s: Solution) -> Array:
        if self.function is not None:
            return as_float(self.function(s), f"`{self.name}`")
        first, _, rest = self.name.partition(".")
        value = getattr(s, first)
        return jnp.asarray(value[rest] if rest else value)

    def search(self, s: Solution) -> Array:
        if self.name not in RATIOS or self.function is not None:
            return self.true(s)
        view = s._view()
        if self.name == "cop":
            over, under = regimes.cop_terms(view)[0], regimes.cop_spent(view)
        else:
            over, under = regimes.efficiency_terms(view)
        still = (over == 0) & (under == 0)
        return jnp.where(still, 0.0, jnp.arctan2(jnp.where(still, 0.0, over), jnp.where(still, 1.0, under)))

    def of_bound(self, bound: float) -> float:
        """A bound of the number as one of `search`."""
        return float(np.arctan(bound)) if self.name in RATIOS and self.function is None else bound


def quantity(owner: str, argument: str, given: Any, s: Solution) -> Quantity:
    """A quantity by its name, such as `power` or `heat.right`, or a function of the solution; checked on an example."""
    if isinstance(given, Quantity):
        return given
    if callable(given):
        found = Quantity(getattr(given, "__name__", "function"), opened(given))
        shape = np.shape(found.true(s))
        if shape != ():
            raise InputError(f"{owner}: `{argument}`: the function must return one number, but returns shape {shape}.")
        return found
    if not isinstance(given, str):
        raise InputError(
            f"{owner}: `{argument}` must be a name, such as `power` or `heat.right`, or a function of the solution, "
            f"but is {given!r}."
        )
    first, dot, rest = given.partition(".")
    if not s.baths and first != "observables":
        raise InputError(f"{owner}: `{argument}`: the machine has no baths, and so no `{given}`; give a function.")
    if first in SCALARS and not dot:
        return Quantity(given)
    if first not in BY_NAME:
        known = [*SCALARS, *(f"{name}.{entry}" for name in BY_NAME for entry in getattr(s, name))]
        raise InputError(f"{owner}: `{argument}`: there is no quantity `{given}`.{nearest(given, known)}")
    entries: Named = getattr(s, first)
    if rest not in entries:
        if not dot:
            names = ", ".join(f"`{first}.{name}`" for name in entries) or "none here"
            raise InputError(f"{owner}: `{argument}`: `{first}` has an entry for each name; say which one: {names}.")
        raise unknown_name(f"{owner}: `{argument}`", f"entry of `{first}`", rest, entries)
    return Quantity(given)
