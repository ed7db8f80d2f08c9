"""What is looked at to judge solutions, and which baths are one reservoir.

Points of a sweep mostly agree on what a formula asks first: which bath is colder, whether two have one temperature. An
answer that is the same for all points becomes one mark, and what would follow from the other one is not computed.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._checks import Values

NOTHING = 1e-290
"""Errors of what a bath that is tied to nothing exchanges are smaller."""


class View(NamedTuple):
    """What this module needs of a solution: arrays, all NumPy or all JAX, and what is known of the baths.

    - `heat`, `particles` and their errors, `temperatures`, `chemical_potentials` (…, bath);
    - `work_in`, `works` (the sum over drives), `chemical` (the sum of chemical works) and their errors (…);
    - `trusted` (…): whether the numbers can be trusted; `complete` (…): whether they are all there is;
    - `kinds`, `steady` (bath): whether a bath's temperature is constant; `undriven`; `cooled`: the bath that is meant
      to be cooled.
    """

    heat: Values
    heat_error: Values
    particles: Values
    particles_error: Values
    work_in: Values
    work_error: Values
    works: Values
    works_error: Values
    chemical: Values
    chemical_error: Values
    temperatures: Values
    chemical_potentials: Values
    trusted: Values
    complete: Values
    kinds: tuple[str, ...]
    steady: tuple[bool, ...]
    undriven: bool
    cooled: int | None

    def in_numpy(self) -> "View":
        """The same with NumPy arrays, which have nothing to compile; as it is where JAX traces something."""
        arrays = self[: self._fields.index("kinds")]
        if any(isinstance(array, jax.core.Tracer) for array in arrays):
            return self
        known: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in self._fields[: len(arrays)]}
        return self._replace(**known)

    def part(self, points: slice) -> "View":
        """The view of some of the points, of one batch axis."""
        arrays = self._fields[: self._fields.index("kinds")]
        some: dict[str, Any] = {name: getattr(self, name)[points] for name in arrays}
        return self._replace(**some)


def library(array: Any) -> Any:
    """NumPy for its own arrays and numbers, else `jax.numpy`."""
    return np if isinstance(array, np.ndarray | np.generic) else jnp


# --------------------------------------------------------------------------- marks


def settled(mark: Any) -> Any:
    """Marks (…) that are known and the same at all points as one, `np.True_` or `np.False_`; others as they are."""
    if isinstance(mark, bool):
        return np.bool_(mark)
    if isinstance(mark, np.ndarray):
        if not mark.any():
            return np.False_
        if mark.all():
            return np.True_
    return mark


def never(mark: Any) -> bool:
    """Whether a settled mark holds nowhere."""
    return isinstance(mark, np.bool_) and not mark


def chosen(mark: Any, value: Any, other: Any) -> Any:
    """The value where a settled mark holds, the other one elsewhere."""
    if isinstance(mark, np.bool_):
        return value if mark else other
    return library(mark).where(mark, value, other)


def whole(values: Any, like: Values) -> Values:
    """Numbers, or one for all points, as an array with the shape of others."""
    xp = library(like)
    if np.shape(values) == np.shape(like):
        return xp.asarray(values)
    return xp.zeros(np.shape(like), xp.asarray(values).dtype) + values


def either(marks: Iterable[Any]) -> Any:
    """Whether any of some marks is true."""
    return functools.reduce(operator.or_, marks, np.False_)


def each(values: Values) -> list[Any]:
    """The numbers of each bath."""
    return [values[..., b] for b in range(values.shape[-1])]


def best(several: list[Any], better: Callable[[Any, Any], Any]) -> Any:
    """Which of the baths has the best number (…), the first of those: one place where it is the same at all points."""
    found, index = several[0], 0
    for b, values in enumerate(several[1:], 1):
        ahead = settled(better(values, found))
        found, index = chosen(ahead, values, found), chosen(ahead, b, index)
    return index


def at(several: list[Any], index: Any) -> Any:
    """The entry of each point at its own bath, of the numbers of each."""
    if isinstance(index, int):
        return several[index]
    xp = library(several[0])
    return functools.reduce(
        lambda found, b: xp.where(index == b, several[b], found), range(1, len(several)), several[0]
    )


# --------------------------------------------------------------------------- reservoirs


class Reservoirs(NamedTuple):
    """For each bath, the heat of all baths at its temperature (…), and its error; for each point, the rest.

    `first`: of each bath, whether it is the first one at its temperature (…); `count` (…): how many temperatures;
    `coldest`, `hottest` (…): baths. Baths that exchange nothing at all, exactly, have no part in the last three.
    Marks and places that are the same at all points may be one.
    """

    heat: list[Any]
    error: list[Any]
    first: list[Any]
    count: Any
    coldest: Any
    hottest: Any


def by_temperature(view: View) -> Reservoirs:
    """Baths at one temperature as one reservoir."""
    # Bath by bath: lists of points are quick to add up, a few baths of each point are not.
    baths = range(len(view.steady))
    temperature = each(view.temperatures)
    alike: dict[tuple[int, int], Any] = {(a, a): np.True_ for a in baths}
    for a, b in itertools.combinations(baths, 2):
        if view.steady[a] and view.steady[b]:
            alike[a, b] = alike[b, a] = settled(temperature[a] == temperature[b])
    near = [[b for b in baths if (a, b) in alike and not never(alike[a, b])] for a in baths]

    def added(values: Values) -> list[Any]:
        own = each(values)
        terms = [[own[b] if a == b else chosen(alike[a, b], own[b], 0.0) for b in near[a]] for a in baths]
        return [functools.reduce(operator.add, some) for some in terms]

    part = [_exchanging(view, b) for b in baths]
    nobody = settled(~either(part))
    part = [one | nobody for one in part]
    first = [~either(alike[a, b] for b in near[a] if b < a) for a in baths]
    # The first of those at its temperature that have a part, all of which come or go with it.
    there = [either(alike[a, b] & part[b] for b in near[a]) for a in baths]
    count = functools.reduce(operator.add, [1 * (one & own) for one, own in zip(first, there, strict=True)])
    coldest = best([chosen(one, t, np.inf) for one, t in zip(part, temperature, strict=True)], operator.lt)
    hottest = best([chosen(one, t, -np.inf) for one, t in zip(part, temperature, strict=True)], operator.gt)
    return Reservoirs(added(view.heat), added(view.heat_error), first, count, coldest, hottest)


def _exchanging(view: View, bath: int) -> Any:
    """Whether a bath exchanges anything, or may (…)."""
    found: Any = np.False_
    for values in (view.heat, view.heat_error, view.particles, view.particles_error):
        found = settled(found | (abs(values[..., bath]) > NOTHING))
        if isinstance(found, np.bool_) and found:
            break
    return found
