"""`pareto`: the front of the machines that cannot be better in one respect without being worse in another."""

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .. import regimes
from .._checks import InputError, worded
from ..dataset import unit_attributes
from ..dynamics import TOLERANCE, checked_tolerance, steady_state
from ..ledger import UNITS
from ..machine_files.results import with_machine
from ..sweep import sweep
from .descent import Bound, Found, descend
from .evolution import Trials, Unsure, surveyed
from .generations import grown
from .optimum import asked, bound_margins, check_method, constraints, keeps, named, ranked, searches
from .problem import Looked, Problem, Sampled
from .quantities import Quantity
from .space import choices, space

if TYPE_CHECKING:
    import xarray

SENSES = {"max": 1.0, "min": -1.0}
BUDGET = 4_000
"""Machines that a front without slopes looks at, at most."""
CERTAIN = Unsure({}, 0.5)
NEAR = 0.01
"""How far, in parts of the front, a machine stands from an end that is a limit and has no values of its own."""
SAME = 1e-7
"""A point is dominated if another is better by more than this part of the front's extent, and worse by no more."""


@worded
def pareto(
    machine: Any,
    objectives: Mapping[Any, str],
    *,
    over: Mapping[str, Any],
    subject_to: Mapping[Any, tuple[float | None, float | None]] | None = None,
    points: int = 20,
    starts: int = 4,
    tolerance: float = TOLERANCE,
    progress: bool | None = None,
    method: str | None = None,
    budget: int = BUDGET,
) -> "xarray.Dataset":
    """Machines of which none is better than another in all respects, between the best ones in each.

    **Arguments:** `machine`, `over`, `subject_to`, `tolerance` as for `optimise`; `objectives`: {name or function:
    `"max"` or `"min"`}, two or more; `points`: how many machines to look for, and at most are found; `starts`:
    searches for each end of the front; `method`: `"slopes"` or `"evolution"`, by default slopes where there are any;
    `budget`: machines that a search without slopes may look at.

    Between the ends of the front (the best machines in each respect) lie goals, evenly spread over the line, triangle,
    … that they span (COP and efficiency as angles, see `optimise`); from each goal the search goes as far as it can in
    all respects at once (goal attainment, by SciPy's SLSQP with slopes from automatic differentiation). What another
    point dominates is left out, so that fewer than `points` may come back.

    Where there are no slopes (over sets of values, where results are random, or by `method="evolution"`) a population
    evolves towards the front, a generation in each batch, until `budget` machines have been looked at. Random results
    come from the same random numbers for each machine; a point owes a part of its lead to luck, of the size of the
    errors in the Dataset.

    **Returns:** a Dataset with the dimension `point`, in the order of the first objective: everything that a sweep
    gives, the parameters as coordinates, the objectives, and `machines`, a list of the machines. Where an objective has
    no value, as an efficiency where nothing flows any more (Carnot's limit), the point is left out, which the attribute
    `left_out` says, and a machine beside it, a hundredth of the front away, ends the front.

    >>> import coldspot as cs
    >>> front = cs.pareto(
    ...     cs.machines.QuantumDot(), {"power": "max", "efficiency": "max"}, over={"level": (-60.0, -7.6)}, points=4
    ... )
    >>> bool((front.power.diff("point") > 0).all()), bool((front.efficiency.diff("point") < 0).all())
    (True, True)
    """
    owner = "pareto"
    if not isinstance(objectives, Mapping) or len(objectives) < 2:
        raise InputError(f'pareto: `objectives` must name two or more, such as {{"power": "max"}}: {objectives!r}.')
    for name, sense in objectives.items():
        if sense not in SENSES:
            raise InputError(f'pareto: `objectives[{name!r}]` must be "max" or "min", but is {sense!r}.')
    if not isinstance(points, int) or points < len(objectives):
        raise InputError(f"pareto: `points` must be an integer from {len(objectives)} on, but is {points!r}.")
    names = {f"objectives[{name!r}]": name for name in objectives}
    check_method(owner, method, budget)
    signs = np.array([SENSES[sense] for sense in objectives.values()])
    smooth, few = choices(owner, over)
    if method == "slopes" and few:
        raise InputError("pareto: over sets there are no slopes; leave `method` out.")
    if few and not isinstance(machine, eqx.Module):
        raise InputError(
            f"pareto: `over[{next(iter(few))!r}]` must be a pair (low, high) for a function; run it for each value."
        )
    if few or method == "evolution":
        trials = Trials(machine, space(owner, smooth), few, CERTAIN, checked_tolerance(tolerance), owner)
        return _evolved(trials, names, subject_to, signs, points, budget, tolerance)
    problem, limits, stochastic = asked(owner, machine, smooth, names, subject_to, tolerance)
    if stochastic:
        if method == "slopes":
            raise InputError("pareto: the machine's results are random, and have no slopes; leave `method` out.")
        trials = Trials(machine, problem.box, {}, CERTAIN, problem.tolerance, owner)
        return _evolved(trials, names, subject_to, signs, points, budget, tolerance)
    sampled = problem.sampled(owner, progress)
    bounds = constraints(owner, problem, limits, sampled)
    ends = []
    for k, sign in enumerate(signs):
        found = searches(problem, sampled, bounds, sign, starts, k)
        ends.append(ranked(owner, problem.quantities, found, bounds, sampled, sign, k)[0])
    goals = np.concatenate([_goals(points, len(signs)), _beside_limits(problem, ends)])
    front = _best(signs, [*ends, *_between(problem, sampled, bounds, signs, ends, goals)])
    places = [{name: float(v) for name, v in problem.box.point(jnp.asarray(one.u)).items()} for one in front]
    return _dataset(machine, places, [problem.machine(one.u) for one in front], problem.quantities, tolerance)


def _evolved(
    trials: Trials,
    objectives: Mapping[str, Any],
    subject_to: Any,
    signs: np.ndarray,
    points: int,
    budget: int,
    tolerance: float,
) -> "xarray.Dataset":
    """A front without slopes."""
    example = trials.made(np.mean(trials.limits(), axis=1))
    (targets, limits), _ = named(trials.owner, example, objectives, subject_to, tolerance)
    survey = surveyed(trials, targets, tuple(signs), limits, budget)
    found = grown(survey, trials, signs, points, budget)
    front = _best(signs, ranked(trials.owner, survey.quantities, found, survey.bounds, survey.sampled, signs[0]))
    places = [{name: float(v) for name, v in trials.point(one.u).items()} for one in front]
    machines = [trials.made(one.u) for one in front]
    return _dataset(trials.machine, places, machines, (*targets, *limits), tolerance)


def _goals(count: int, corners: int) -> np.ndarray:
    """Weights of the corners at `count` points of the simplex: the corners, and what lies farthest from all before.

    They come from the coarsest even grid with as many; of two objectives they are that grid.
    """
    steps = 1
    while math.comb(steps + corners - 1, corners - 1) < count:
        steps += 1
    grid = np.array([row for row in itertools.product(range(steps + 1), repeat=corners) if sum(row) == steps]) / steps
    chosen = [int(k) for k in np.flatnonzero(grid.max(axis=1) == 1)]
    while len(chosen) < count:
        away = np.min(np.sum((grid[:, None] - grid[chosen]) ** 2, axis=-1), axis=1)
        chosen.append(int(np.argmax(away)))
    return grid[sorted(chosen)]


def _beside_limits(problem: Problem, ends: list[Found]) -> np.ndarray:
    """Weights of the corners beside those ends of the front that have no value of an objective, as Carnot's limit."""
    many, rows = len(ends), []
    for k, end in enumerate(ends):
        machine = problem.machine(end.u)
        solution = steady_state(machine, tolerance=float(problem.tolerance), throw=False)
        if np.isnan([float(quantity.true(solution, machine)) for quantity in problem.quantities[:many]]).any():
            rows.append(np.where(np.arange(many) == k, 1 - NEAR, NEAR / (many - 1)))
    return np.reshape(rows, (len(rows), many))


def _between(
    problem: Problem, sampled: Sampled, bounds: list[Bound], signs: np.ndarray, ends: list[Found], goals: np.ndarray
) -> list[Found]:
    """From each goal as far as possible in all respects at once."""
    many = len(signs)
    corners = np.array([signs * end.looked.values[:many] for end in ends])
    low, high = corners.min(axis=0), corners.max(axis=0)
    extent = np.where(high > low, high - low, 1.0)
    scaled = (signs * sampled.values[:, :many] - low) / extent
    kept = np.all([bound.margin(sampled.values) >= -1e-2 for bound in bounds], axis=0) if bounds else slice(None)
    candidates, heights = sampled.points[kept], scaled[kept]
    known = [(end.u, (signs * end.looked.values[:many] - low) / extent) for end in ends]
    found: list[Found] = []
    for weights in goals:
        if np.max(weights) == 1.0:
            continue  # an end
        goal = weights @ ((corners - low) / extent)

        def objective(x: np.ndarray, looked: Looked) -> tuple[float, np.ndarray]:
            return -x[-1], np.append(np.zeros(len(x) - 1), -1.0)

        def margins(x: np.ndarray, looked: Looked, goal: np.ndarray = goal) -> tuple[np.ndarray, np.ndarray]:
            own, slopes = bound_margins(bounds, looked)
            reached = (signs * looked.values[:many] - low) / extent
            rise = (signs / extent)[:, None] * looked.slopes[:many]
            with_t = np.append(rise, -np.ones((many, 1)), axis=1)
            without = np.append(slopes, np.zeros((len(bounds), 1)), axis=1)
            return np.append(reached - goal - x[-1], own), np.append(with_t, without, axis=0)

        near = [*known, *zip(candidates, heights, strict=True)]
        reach = np.array([np.min(height - goal) for _, height in near])
        best = [near[k] for k in np.argsort(-reach)[:2]]
        runs = [descend(problem, u, objective, margins, float(np.min(h - goal))) for u, h in best]
        good = [run for run in runs if keeps(bounds, run.looked)]
        if good:
            values = [(signs * run.looked.values[:many] - low) / extent for run in good]
            k = int(np.argmax([np.min(value - goal) for value in values]))
            known.append((good[k].u, values[k]))
            found.append(good[k])
    return found


def _best(signs: np.ndarray, found: list[Found]) -> list[Found]:
    """What nothing dominates, each once, in the order of the first objective."""
    many = len(signs)
    values = np.array([signs * one.looked.values[:many] for one in found])
    slack = SAME * np.where(np.ptp(values, axis=0) > 0, np.ptp(values, axis=0), 1.0)
    keep: list[int] = []
    for k in np.lexsort(tuple(-values.T[::-1])):
        others = values[[j for j in range(len(found)) if j != k]]
        beaten = np.all(others >= values[k] - slack, axis=1) & np.any(others > values[k] + slack, axis=1)
        twin = any(np.all(np.abs(values[k] - values[j]) <= slack) for j in keep)
        if not beaten.any() and not twin:
            keep.append(int(k))
    return [found[k] for k in sorted(keep, key=lambda k: signs[0] * values[k][0])]


def _dataset(
    machine: Any,
    places: list[dict[str, float]],
    machines: list[Any],
    quantities: tuple[Quantity, ...],
    tolerance: float,
) -> "xarray.Dataset":
    dataset = sweep(machine, places, tolerance=tolerance, progress=False)
    lacking: dict[int, str] = {}
    for quantity in quantities:
        if quantity.name not in dataset:
            values = [float(quantity.true(steady_state(one, tolerance=tolerance), one)) for one in machines]
            base = quantity.name.partition(".")[0]
            described = unit_attributes(UNITS[base], None)[1] if base in UNITS else {}
            dataset[quantity.name] = ("point", np.array(values), described)
        lacking |= {int(k): quantity.name for k in np.flatnonzero(np.isnan(dataset[quantity.name].values))}
    if not lacking:
        return with_machine(dataset)
    said = [
        f"`{name}` has no value at {', '.join(f'{path} = {value:.6g}' for path, value in places[k].items())} "
        f"(regime {regimes.NAMES[int(dataset.regime[k])]}), a limit of the front"
        for k, name in sorted(lacking.items())
    ]
    kept = [k for k in range(len(places)) if k not in lacking]
    if not kept:
        raise InputError(f"pareto: no machine of the front has values of all objectives: {'; '.join(said)}.")
    shorter = _dataset(machine, [places[k] for k in kept], [machines[k] for k in kept], quantities, tolerance)
    return shorter.assign_attrs(left_out="; ".join(said))
