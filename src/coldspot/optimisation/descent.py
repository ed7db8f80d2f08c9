"""Sequential quadratic programming from one start, for a problem in the unit cube."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..numerics.dense import EPS
from .problem import Looked, Problem, Sampled

FEASIBLE = 1e-7
"""A constraint is kept if it is broken by no more than this part of its scale."""
ACCURACY = 1e-13
STEPS = 200
ROUNDED = 64 * EPS
"""Places this near a side of the unit cube lie on it: so far do roundings of a search go."""
APART = 0.1
"""Starts are this far from each other in the unit cube, if there are enough of them."""


class Bound(NamedTuple):
    """One side of a constraint: sign·(values[place] − limit) ≥ 0, in units of `scale`."""

    name: str
    place: int
    sign: float
    limit: float
    scale: float
    said: float
    """The bound as the user gave it."""

    def margin(self, values: np.ndarray) -> Any:
        return self.sign * (values[..., self.place] - self.limit) / self.scale


class Found(NamedTuple):
    """Where a search ended."""

    u: np.ndarray
    looked: Looked
    converged: bool


def descend(
    problem: Problem,
    start: np.ndarray,
    objective: Callable[[np.ndarray, Looked], tuple[float, np.ndarray]],
    constraints: Callable[[np.ndarray, Looked], tuple[np.ndarray, np.ndarray]],
    extra: float | None = None,
) -> Found:
    """Minimise `objective(x, looked)` with `constraints(x, looked) ≥ 0`, both with slopes with respect to x.

    x is the point of the unit cube, with one more free number behind it that starts at `extra` unless that is None.
    Where nothing can be trusted both are as bad as can be, so that the search turns back.
    """
    from scipy.optimize import minimize

    size = len(start)
    seen: dict[bytes, Looked] = {}

    def look(x: np.ndarray) -> Looked:
        u = np.clip(x[:size], 0.0, 1.0)
        key = u.tobytes()
        if key not in seen:
            seen[key] = problem.look(u)
        return seen[key]

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        looked = look(x)
        return objective(x, looked) if looked.good else (1e3, np.zeros(len(x)))

    def margins(x: np.ndarray) -> np.ndarray:
        looked = look(x)
        found = constraints(x, looked)[0]
        return found if looked.good else np.full(found.shape, -1e3)

    def margin_slopes(x: np.ndarray) -> np.ndarray:
        looked = look(x)
        found = constraints(x, looked)[1]
        return found if looked.good else np.zeros(found.shape)

    x0 = start if extra is None else np.append(start, extra)
    bounds = [(0.0, 1.0)] * size + ([] if extra is None else [(None, None)])
    wanted = [{"type": "ineq", "fun": margins, "jac": margin_slopes}] if margins(x0).size else []
    with np.errstate(all="ignore"):
        result = minimize(
            value,
            x0,
            jac=True,
            method="SLSQP",
            bounds=bounds,
            constraints=wanted,
            options={"ftol": ACCURACY, "maxiter": STEPS},
        )
    u = np.clip(result.x[:size], 0.0, 1.0)
    # What is a bound but for rounding is that bound.
    u = np.where(u < ROUNDED, 0.0, np.where(u > 1 - ROUNDED, 1.0, u))
    # Mode 8: no descent is left that rounding does not hide.
    return Found(u, look(u), result.status in (0, 8))


def spread(sampled: Sampled, order: np.ndarray, count: int) -> list[np.ndarray]:
    """Starts: the first points in the given order that are apart from each other."""
    chosen: list[np.ndarray] = []
    for index in order:
        point = sampled.points[index]
        if all(np.linalg.norm(point - other) > APART for other in chosen):
            chosen.append(point)
        if len(chosen) == count:
            return chosen
    rest = [sampled.points[index] for index in order[: count - len(chosen)]]
    return [*chosen, *rest]
