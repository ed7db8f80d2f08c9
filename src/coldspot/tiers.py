"""A cheap way first, and the sure one for the points that it leaves undecided."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .compiler import LIGHT, is_traced
from .pytrees import compiled, refreshed

SIZES = tuple(4**k for k in range(8))
"""Numbers of points in a call of compiled code: few, so that programs are shared; the largest bounds the memory."""


class Tiers(NamedTuple):
    """A verb in several traceable ways with the same arguments; `batch` tells which of them has the points, if many.

    `attempts`, from the cheapest on: each gives a result and the points at which it is not to be used, or None instead
    of these if it has the last word; `solve(*arguments)` gives a result that always has it. Results are PyTrees of
    arrays with a leading axis of points.

    Called with numbers, it makes the first attempt at all points, and the next one at those that are undecided,
    gathered; inside `jax.jit` and its like, where nobody can look at numbers, it solves.

    >>> halve = Tiers((lambda x: (x / 2, x > 2),), lambda x: -x, batch=0)
    >>> halve(jnp.array([1.0, 2.0, 3.0])).tolist()
    [0.5, 1.0, -3.0]
    """

    attempts: tuple[Callable[..., Any], ...]
    solve: Callable[..., Any]
    batch: int | None = None

    def __call__(self, *arguments: Any) -> Any:
        if is_traced(arguments):
            return self.solve(*arguments)
        if not self.attempts:
            return self.solve(*arguments)
        result, undecided = self.attempts[0](*arguments)
        if is_traced(undecided):  # functions among the arguments hold what is traced
            return self.solve(*arguments)
        left = np.flatnonzero(undecided) if undecided is not None else np.zeros(0, int)
        if not left.size:
            return result
        others, count = self._replace(attempts=self.attempts[1:]), np.size(undecided)
        if left.size == count:
            return others(*arguments)
        # Few sizes, so that compiled programs are shared; what fills up is a point that was easy.
        size = min(next((size for size in SIZES if size >= left.size), count), count)
        index = np.append(left, np.full(size - left.size, np.argmin(undecided)))
        some = tuple(
            jax.tree.map(lambda c: jnp.asarray(np.asarray(c)[index]), argument) if k == self.batch else argument
            for k, argument in enumerate(arguments)
        )

        def put(whole: Any, part: Any) -> np.ndarray:
            known = np.array(whole)
            known[left] = np.asarray(part)[: left.size]
            return known

        return jax.tree.map(put, result, others(*some))


def by_weight(function: Callable[..., Any], make: Callable[[Any], Any]) -> Callable[..., Any]:
    """The program of `function(machine, …)`, optimised unless one point takes less; `make(machine)` is its dynamics."""
    optimised, light = compiled(function), compiled(function, **LIGHT)

    @functools.wraps(function)
    def call(machine: Any, *arguments: Any) -> Any:
        return (light if few(make, machine) else optimised)(machine, *arguments)

    call.program = light.program  # type: ignore[attr-defined]
    return call


def few(make: Callable[..., Any], *arguments: Any) -> int:
    """The `few` of the dynamics that `make`, a function of a module, gives: asked once for each structure."""
    return asked("few", make, *arguments)


def asked(name: str, make: Callable[..., Any], *arguments: Any) -> int:
    """What a property, a number that depends on no other, is for the dynamics that `make` gives, as for `few`."""

    def ask() -> int:
        try:
            return int(getattr(eqx.filter_eval_shape(make, *arguments), name))
        except Exception:  # what is wrong with it is said where it is solved
            return 0

    return once(name, ask, make, *arguments)


def once(question: str, ask: Callable[[], Any], *about: Any) -> Any:
    """What `ask` tells of machines, functions and names: asked once for each structure of theirs, unless it raises.

    The answer to a `question` must not depend on any number.
    """
    leaves, structure = jax.tree.flatten(refreshed(about))

    def kind(leaf: Any) -> Any:
        return leaf.shape if eqx.is_array(leaf) else leaf if callable(leaf) or isinstance(leaf, str) else type(leaf)

    key = question, structure, tuple(map(kind, leaves))
    if key not in _told:
        if len(_told) >= MOST:
            _told.clear()
        _told[key] = ask()
    return _told[key]


_told: dict[Any, Any] = {}
MOST = 1024
"""Structures of machines that are remembered."""
