"""`optimise`: the best parameters of a machine within bounds."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .. import show
from .._attributes import Spoken
from .._checks import InputError, worded
from ..dynamics import TOLERANCE, checked_tolerance, steady_state
from ..solution import Solution, plain
from ..sweep import builder
from .descent import FEASIBLE, ROUNDED, Bound, Found, descend, spread
from .evolution import Trials, evolved, finely, unsure
from .problem import Looked, Problem, Sampled
from .quantities import Quantity, quantity
from .space import choices, interval, space

AGREE = 1e-6
"""Searches agree if their best values differ by no more than this part of the best one, or the rounding of others."""
AT_BOUND = 1e-9
SETTLED = 1e-6
"""Without slopes: a parameter lies on its bound, and a constraint binds, to this part of the range or scale."""
METHODS = ("slopes", "evolution")
BUDGET = 20_000
"""Machines that a search without slopes looks at, at most."""


class Optimum(Spoken, eqx.Module):
    """The best point that was found, and what is known about it.

    - `machine`, `solution`: the best machine and its steady state; `value`: what was maximised or minimised, there;
    - `parameters`: {path: value}; `sensitivity`: {path: ∂value/∂parameter}, zero at an optimum that nothing binds;
    - `curvature`: {path: ∂²value/∂parameter²}, which says how sharp it is;
    - `binding`: {parameter or constraint: the bound on which it lies};
    - `agree`: whether at least two searches, from different starts, ended at this value; `agreeing` of `starts` did;
    - `values`: those at which the searches ended, the best first, NaN outside the regime of a ratio; `converged`:
      whether the best search ended by itself;
    - `method`: `"slopes"` or `"evolution"`; the latter knows neither sensitivity nor curvature (NaN);
    - `quantile`: of a robust search the part of cases in which the machine does worse than `value`; `machine` and
      `solution` have the uncertain parameters at their medians. None otherwise.
    """

    machine: Any
    solution: Solution
    value: float = eqx.field(static=True)
    parameters: dict[str, float] = eqx.field(static=True)
    sensitivity: dict[str, float] = eqx.field(static=True)
    curvature: dict[str, float] = eqx.field(static=True)
    binding: dict[str, float] = eqx.field(static=True)
    values: tuple[float, ...] = eqx.field(static=True)
    agreeing: int = eqx.field(static=True)
    converged: bool = eqx.field(static=True)
    objective: str = eqx.field(static=True)
    method: str = eqx.field(static=True, default="slopes")
    quantile: float | None = eqx.field(static=True, default=None)

    @property
    def starts(self) -> int:
        return len(self.values)

    @property
    def agree(self) -> bool:
        return self.agreeing >= 2

    def record(self) -> dict[str, Any]:
        """What was found as plain Python values, for JSON: what is not finite is None."""
        own = ("parameters", "sensitivity", "curvature", "binding")
        return {
            "objective": self.objective,
            "value": plain(self.value),
            **{name: {path: plain(value) for path, value in getattr(self, name).items()} for name in own},
            "agree": self.agree,
            "agreeing": self.agreeing,
            "values": [plain(value) for value in self.values],
            "converged": bool(self.converged),
            "method": self.method,
            "quantile": self.quantile,
        }

    def __repr__(self) -> str:
        sure = "" if self.quantile is None else f", or better, in {1 - self.quantile:.4g} of the cases"
        rows = [f"{self.objective} = {show.number(self.value)}{sure}"]
        for name, value in self.parameters.items():
            about = f" (curvature {show.number(self.curvature[name])})"
            if self.method != "slopes":
                about = " (at its bound)" if name in self.binding else ""
            elif name in self.binding:
                about = f" (at its bound, slope {show.number(self.sensitivity[name])})"
            rows.append(f"  {name} = {value:.6g}{about}")
        held = [f"{name} at {bound:g}" for name, bound in self.binding.items() if name not in self.parameters]
        rows += [f"  bound by: {', '.join(held)}"] if held else []
        rows.append(
            f"  {self.agreeing} of {self.starts} searches agree" + ("" if self.converged else "; not converged")
        )
        return "\n".join(rows)


@worded
def optimise(
    machine: Any,
    *,
    over: Mapping[str, Any],
    maximise: Any = None,
    minimise: Any = None,
    subject_to: Mapping[Any, tuple[float | None, float | None]] | None = None,
    starts: int | None = None,
    tolerance: float = TOLERANCE,
    progress: bool | None = None,
    method: str | None = None,
    uncertain: Mapping[str, Any] | None = None,
    quantile: float | None = None,
    budget: int = BUDGET,
) -> Optimum:
    """The parameters within bounds at which a quantity of the steady state is largest, or smallest.

    **Arguments:**

    - `machine`: a machine or a network, or a function `build(**parameters) -> machine`;
    - `maximise` or `minimise`: a name of the steady state (`"power"`, `"cop"`, `"efficiency"`, `"entropy_production"`,
      `"heat.right"`, `"work.left"`, …), of linear response about the machine's own equilibrium (`"ZT"`,
      `"conductance"`, `"seebeck"`, …) or of counting statistics (`"fano.particles.left"`, `"uncertainty.heat.left"`);
      or a function that JAX can differentiate, of the solution or, if it cannot do with that, of the machine;
    - `over`: {path: (low, high)}, the parameters that are free; a parameter with few values has a set or a range of
      them, `{"spins": range(2, 9)}`, which a function gets as they are; `subject_to`: {name: (low, high)}, either may
      be None;
    - `starts`: the number of searches (8, or 2 without slopes); `tolerance`: of the steady states, as for
      `steady_state`;
    - `method`: `"slopes"` or `"evolution"`. By default it goes by slopes, but not over sets, not under uncertainty, and
      not where results are random. A `KleinKramers` problem, which has no slopes, and objectives that jump or are flat
      in between need `"evolution"`;
    - `uncertain`: {path: (low, high)}, evenly spread between, or {path: distribution of `scipy.stats`}, for a robust
      optimum: best is what the machine reaches in all but the part `quantile` (.1) of the cases, and constraints are
      kept in as many. None of them is in `over`;
    - `budget`: how many machines a search without slopes may look at, all starts together.

    Looks at 128 points of the box, then goes from the best ones, some way apart, by sequential quadratic programming
    (SciPy's SLSQP) with slopes from automatic differentiation. COP and efficiency are searched by the angle
    atan2(gain, cost), which rises with them and leads into their regime from outside. A constraint is kept to 10⁻⁷ of
    the size of its quantity. Several optima may exist: `agree` and `values` say what the searches found, and no search
    proves that there is nothing better.

    **Returns:** an `Optimum`.

    **Raises** `InputError` if a name or a bound is wrong, or if no point was found that keeps the constraints (it says
    which one, and what was reached).

    Without slopes: differential evolution (SciPy's), a generation at a time; 128 draws of the uncertain parameters,
    spread evenly over their probabilities, for every machine, and 4,096 for the value in the end. Random results come
    from the same random numbers for every machine, so that they can be compared; the best one owes a part of its lead
    to luck, of the size of `solution.error`: judge it by `trajectories` with another key.

    >>> import coldspot as cs
    >>> best = cs.optimise(cs.machines.QuantumDot(), maximise="heat.right", over={"level": (-15.0, 15.0)}, starts=2)
    >>> best.agree, f"{best.parameters['level']:.4f}"
    (True, '-4.8659')
    """
    owner = "optimise"
    if (maximise is None) == (minimise is None):
        raise InputError("optimise: give `maximise` or `minimise`, one of them.")
    check_method(owner, method, budget, starts)
    sign, argument, given = (1.0, "maximise", maximise) if minimise is None else (-1.0, "minimise", minimise)
    smooth, few = choices(owner, over)
    doubts = unsure(owner, uncertain, quantile, over)
    if method == "evolution" or few or doubts.laws:
        if method == "slopes":
            raise InputError("optimise: over sets, and under uncertainty, there are no slopes; leave `method` out.")
        trials = Trials(machine, space(owner, smooth), few, doubts, checked_tolerance(tolerance), owner)
        return _evolved(trials, {argument: given}, subject_to, sign, starts or 2, budget, tolerance)
    problem, limits, stochastic = asked(owner, machine, over, {argument: given}, subject_to, tolerance)
    if stochastic:
        if method == "slopes":
            raise InputError("optimise: the machine's results are random, and have no slopes; leave `method` out.")
        trials = Trials(machine, problem.box, {}, doubts, problem.tolerance, owner)
        return _evolved(trials, {argument: given}, subject_to, sign, starts or 2, budget, tolerance)
    sampled = problem.sampled(owner, progress)
    bounds = constraints(owner, problem, limits, sampled)
    found = searches(problem, sampled, bounds, sign, starts or 8)
    ends = ranked(owner, problem.quantities, found, bounds, sampled, sign)
    return _finished(problem, ends, bounds, tolerance, sampled)


def check_method(owner: str, method: Any, budget: Any, starts: Any = None) -> None:
    """How to search, and how long."""
    for name, count in (("starts", starts), ("budget", budget)):
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise InputError(f"{owner}: `{name}` must be a positive integer, but is {count!r}.")
    if method not in (None, *METHODS):
        raise InputError(f"{owner}: `method` must be {' or '.join(map(repr, METHODS))}, but is {method!r}.")


def _evolved(
    trials: Trials,
    objective: Mapping[str, Any],
    subject_to: Any,
    sign: float,
    starts: int,
    budget: int,
    tolerance: float,
) -> Optimum:
    """The best machine of a search without slopes."""
    limits = trials.limits()
    example = trials.made(np.mean(limits, axis=1))
    (target,), bounded = named(trials.owner, example, objective, subject_to, tolerance)[0]
    found, bounds, sampled, quantities = evolved(trials, target, bounded, sign, starts, budget)
    ends = ranked(trials.owner, quantities, found, bounds, sampled, sign)
    best = ends[0]
    machine = trials.made(best.u)
    solution = steady_state(machine, tolerance=tolerance, throw=False)
    robust = bool(trials.unsure.laws)
    value = _true(target, finely(trials, target, sign, best.u)) if robust else float(target.true(solution, machine))
    if not np.isfinite(value):
        raise _without_value(target, solution)
    point = trials.point(best.u)
    binding = {
        name: float(low if u < 0.5 else high)
        for name, u, low, high in zip(trials.box.names, best.u, trials.box.low, trials.box.high, strict=False)
        if min(u, 1 - u) <= SETTLED
    }
    for bound in bounds:
        if abs(float(bound.margin(best.looked.values))) <= SETTLED:
            binding[bound.name] = bound.said
    nothing = dict.fromkeys(point, float("nan"))
    values = tuple(_true(target, one.looked.values[0]) for one in ends)
    return Optimum(
        machine=machine,
        solution=solution,
        value=value,
        parameters={name: float(v) for name, v in point.items()},
        sensitivity=nothing,
        curvature=nothing,
        binding=binding,
        values=values,
        # Of a robust search, `value` comes from more draws than those at its ends.
        agreeing=_agreeing(values[0] if robust else value, values, sampled),
        converged=best.converged,
        objective=target.name,
        method="evolution",
        quantile=trials.unsure.quantile if robust else None,
    )


Limits = dict[Quantity, tuple[float | None, float | None]]
"""Bounds of quantities."""


def asked(
    owner: str, machine: Any, over: Any, objectives: Mapping[str, Any], subject_to: Any, tolerance: float
) -> tuple[Problem, Limits, bool]:
    """The problem whose quantities are the objectives, then the constraints; the bounds of these; if it is random."""
    box = space(owner, over)
    build, shared, _ = builder(machine, box.names, owner)
    checked = checked_tolerance(tolerance)
    bare = Problem(build, shared, box, (), checked)
    example = bare.machine(np.full(len(box.names), 0.5))
    (wanted, limits), stochastic = named(owner, example, objectives, subject_to, tolerance)
    return Problem(build, shared, box, (*wanted, *limits), checked), limits, stochastic


def named(
    owner: str, machine: Any, objectives: Mapping[str, Any], subject_to: Any, tolerance: float
) -> tuple[tuple[tuple[Quantity, ...], Limits], bool]:
    """The objectives and the bounds of constraints, as what they name of an example; whether its results are random."""
    if subject_to is not None and not isinstance(subject_to, Mapping):
        raise InputError(f"{owner}: `subject_to` must be a mapping from names to (low, high), but is {subject_to!r}.")
    example = steady_state(machine, tolerance=tolerance, throw=False)
    wanted = tuple(quantity(owner, argument, given, example, machine) for argument, given in objectives.items())
    limits = {}
    for given, pair in (subject_to or {}).items():
        name = quantity(owner, "subject_to", given, example, machine)
        limits[name] = interval(f"{owner}: `subject_to[{given!r}]`", pair)
    return (wanted, limits), example.stochastic


def constraints(
    owner: str, problem: Problem, limits: Mapping[Quantity, tuple[float | None, float | None]], sampled: Sampled
) -> list[Bound]:
    """One-sided bounds, each with the scale of its quantity."""
    first = len(problem.quantities) - len(limits)
    found = []
    for k, (name, pair) in enumerate(limits.items(), start=first):
        size = float(np.median(np.abs(sampled.values[:, k])))
        for sign, said in zip((1.0, -1.0), pair, strict=True):
            if said is not None:
                limit = name.of_bound(said)
                found.append(Bound(name.name, k, sign, limit, max(abs(limit), size) or 1.0, said))
    return found


def searches(
    problem: Problem, sampled: Sampled, bounds: list[Bound], sign: float, starts: int, index: int = 0
) -> list[Found]:
    """Searches for the largest sign·(quantity `index`) from several starts."""
    broken = sum((np.maximum(-bound.margin(sampled.values), 0.0) for bound in bounds), np.zeros(len(sampled.points)))
    values = sign * sampled.values[:, index]
    order = np.lexsort((-values, broken))
    scale = abs(values[order[0]]) or float(np.max(np.abs(values))) or 1.0

    def objective(x: np.ndarray, looked: Looked) -> tuple[float, np.ndarray]:
        return -sign * looked.values[index] / scale, -sign * looked.slopes[index] / scale

    def kept(x: np.ndarray, looked: Looked) -> tuple[np.ndarray, np.ndarray]:
        return bound_margins(bounds, looked)

    return [descend(problem, start, objective, kept) for start in spread(sampled, order, starts)]


def bound_margins(bounds: list[Bound], looked: Looked) -> tuple[np.ndarray, np.ndarray]:
    """By how much each bound is kept, and the slopes."""
    size = looked.slopes.shape[-1]
    margins = np.array([bound.margin(looked.values) for bound in bounds])
    slopes = np.array([bound.sign * looked.slopes[bound.place] / bound.scale for bound in bounds])
    return margins, slopes.reshape(len(bounds), size)


def keeps(bounds: list[Bound], looked: Looked) -> bool:
    return looked.good and all(float(bound.margin(looked.values)) >= -FEASIBLE for bound in bounds)


def ranked(
    owner: str,
    quantities: tuple[Quantity, ...],
    found: list[Found],
    bounds: list[Bound],
    sampled: Sampled,
    sign: float,
    index: int = 0,
) -> list[Found]:
    """The searches that keep all bounds, the best first; an error that says which one cannot be kept, if none does."""
    good = [one for one in found if keeps(bounds, one.looked)]
    if good:
        return sorted(good, key=lambda one: -sign * one.looked.values[index])
    seen = np.array([*sampled.values, *(one.looked.values for one in found if one.looked.good)])
    for bound in bounds:
        reached = seen[:, bound.place]
        if np.max(bound.margin(seen)) < -FEASIBLE:
            name, most = quantities[bound.place], reached[np.argmax(bound.margin(seen))]
            value = _true(name, most)
            relation, extreme = ("at least", "most") if bound.sign > 0 else ("at most", "least")
            raise InputError(
                f"{owner}: `subject_to`: `{bound.name}` must be {relation} {bound.said:g}, but the {extreme} that was "
                f"found within `over` is {value:.6g}."
            )
    margins = np.stack([bound.margin(seen) for bound in bounds])
    nearest = seen[np.argmax(np.min(margins, axis=0))]
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(bound.name for bound in bounds))
    have = ", ".join(
        f"`{bound.name}` {_true(quantities[bound.place], nearest[bound.place]):.6g} "
        f"(at {'least' if bound.sign > 0 else 'most'} {bound.said:g})"
        for bound in bounds
    )
    raise InputError(
        f"{owner}: `subject_to`: no point within `over` was found that keeps {names} together; the nearest one has "
        f"{have}."
    )


def _agreeing(best: float, values: tuple[float, ...], sampled: Sampled) -> int:
    """How many searches ended at the best value, or off it by the rounding of what the objective is elsewhere."""
    rounding = ROUNDED * float(np.max(np.abs(sampled.values[:, 0]), initial=0.0))
    return sum(abs(value - best) <= max(AGREE * abs(best), rounding) for value in values)


def _finished(problem: Problem, ends: list[Found], bounds: list[Bound], tolerance: float, sampled: Sampled) -> Optimum:
    target, box = problem.quantities[0], problem.box
    for best in ends:
        machine = problem.machine(best.u)
        solution = steady_state(machine, tolerance=tolerance, throw=False)
        value = float(target.true(solution, machine))
        # Where all currents vanish, rounding may put a ratio outside of its regime.
        if np.isfinite(value) and bool(solution.ok):
            break
    else:
        raise _without_value(target, solution)
    values = tuple(_true(target, one.looked.values[0]) for one in ends)
    slopes, curvatures = _slopes(problem, best.u)
    # From the angle to the ratio itself.
    if target.is_ratio:
        first = 1 + value**2
        curvatures = first * curvatures + 2 * value * first * slopes**2
        slopes = first * slopes
    binding = {
        name: float(end)
        for k, name in enumerate(box.names)
        for at, end in ((0.0, box.low[k]), (1.0, box.high[k]))
        if abs(best.u[k] - at) <= AT_BOUND
    }
    for bound in bounds:
        if abs(float(bound.margin(best.looked.values))) <= FEASIBLE:
            binding[bound.name] = bound.said
    return Optimum(
        machine=machine,
        solution=solution,
        value=value,
        parameters={name: float(v) for name, v in box.point(jnp.asarray(best.u)).items()},
        sensitivity=dict(zip(box.names, map(float, slopes), strict=True)),
        curvature=dict(zip(box.names, map(float, curvatures), strict=True)),
        binding=binding,
        values=values,
        agreeing=_agreeing(value, values, sampled),
        converged=best.converged,
        objective=target.name,
    )


def _without_value(target: Quantity, solution: Solution) -> InputError:
    return InputError(
        f"optimise: `{target.name}` has no value at the best point that was found, where the regime is "
        f"{solution.regime}; bound it by `subject_to`, or change `over`."
    )


def _true(target: Quantity, searched: float) -> float:
    if not target.is_ratio:
        return float(searched)
    return float(np.tan(searched)) if 0 < searched < np.pi / 2 else float("nan")


def _slopes(problem: Problem, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivatives of the objective's search value with respect to each parameter."""
    box, step = problem.box, 1e-4
    first = problem.look(u).slopes[0] / box.slopes(u)
    second = np.full(len(u), np.nan)
    for k in range(len(u)):
        ends = []
        for side in (-step, step):
            moved = u.copy()
            moved[k] = np.clip(u[k] + side, 0.0, 1.0)
            looked = problem.look(moved)
            place = float(box.column(k, jnp.asarray(moved[k])))
            ends.append((place, looked.slopes[0][k] / box.slopes(moved)[k] if looked.good else np.nan))
        (left, below), (right, above) = ends
        second[k] = (above - below) / (right - left)
    return first, second
