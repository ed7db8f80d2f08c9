"""A machine over a box, with the quantities that one asks for and their slopes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import parallel
from .._checks import InputError
from ..dynamics import explained, solve_points, steady_state
from ..pytrees import compiled, first_point
from ..solution import Solution, Status
from .quantities import Quantity
from .space import Space

SAMPLES = 128
"""Points that are looked at before the search, spread evenly over the box."""


class Looked(NamedTuple):
    """Search values of the quantities, slopes (quantity, parameter) in the unit cube, whether they can be trusted."""

    values: np.ndarray
    slopes: np.ndarray
    good: bool


class Problem(eqx.Module):
    """`build(shared, point)` makes the machine of a point; `quantities` are what is asked of its solution."""

    build: Callable[..., Any]
    shared: Any
    box: Space
    quantities: tuple[Quantity, ...]
    tolerance: Array

    def solution(self, u: Any) -> Solution:
        columns = {name: value[None] for name, value in self.box.point(u).items()}
        return first_point(solve_points(self.build, self.shared, columns, self.tolerance))

    def look(self, u: np.ndarray) -> Looked:
        values, slopes, ok = map(np.asarray, _look(self, jnp.asarray(u)))
        return Looked(values, slopes, bool(ok) and bool(np.isfinite(values).all() and np.isfinite(slopes).all()))

    def machine(self, u: Any) -> Any:
        return self.build(self.shared, self.box.point(jnp.asarray(u)))

    def sampled(self, owner: str, progress: bool | None = None) -> "Sampled":
        """The quantities at points that are evenly spread over the box."""
        from scipy.stats import qmc

        points = qmc.Sobol(len(self.box.names), rng=np.random.default_rng(0)).random(SAMPLES)
        looked = list(parallel.spread(self.look, list(points), label=owner, progress=progress))
        good = np.array([one.good for one in looked])
        if not good.any():
            for name, seen in zip(self.quantities, np.transpose([one.values for one in looked]), strict=True):
                if np.isinf(seen).all():
                    raise InputError(infinite(owner, name.name, SAMPLES))
            raise untrusted(owner, SAMPLES, self.machine(np.full(len(self.box.names), 0.5)), "in the middle of it")
        return Sampled(points[good], np.array([one.values for one in looked])[good])


def untrusted(owner: str, count: int, machine: Any, where: str) -> InputError:
    """An error where none of `count` points can be trusted, with what is wrong with one machine among them."""
    status = Status(int(steady_state(machine, throw=False).status))
    why = "look at one of them"
    if status is not Status.OK:
        why = f"{where} the status is {status.name}: {explained(machine, status) or status.advice}"
    return InputError(f"{owner}: none of {count} points within `over` can be trusted; {why.rstrip('.')}.")


def infinite(owner: str, name: str, count: int) -> str:
    """Words on a quantity that is infinite at all of `count` points that were looked at."""
    why = " (at tight coupling the thermal conductance κ in its denominator is 0)" if name == "ZT" else ""
    return f"{owner}: `{name}` is infinite at all of {count} points within `over`{why}; ask for another quantity."


class Sampled(NamedTuple):
    """Points of the unit cube that can be trusted, and the search values of the quantities there."""

    points: np.ndarray
    values: np.ndarray


@compiled
def _look(problem: Problem, u: Array) -> tuple[Array, Array, Array]:
    def asked(u: Array) -> tuple[Array, tuple[Array, Array]]:
        solution, machine = problem.solution(u), problem.machine(u)
        values = jnp.stack([q.search(solution, machine) for q in problem.quantities])
        return values, (values, solution.status == 0)

    slopes, (values, good) = jax.jacfwd(asked, has_aux=True)(u)
    return values, slopes, good
