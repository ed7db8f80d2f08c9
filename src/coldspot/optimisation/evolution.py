"""Search without slopes: for parameters that have few values, rough or random quantities, and uncertain parameters.

Differential evolution (SciPy's; Storn and Price, "Differential evolution – a simple and efficient heuristic for global
optimization over continuous spaces"), a whole generation in one batch. Constraints go by rank: what keeps them is
better than what breaks them, and what breaks them less is better than what breaks them more (Deb, "An efficient
constraint handling method for genetic algorithms").
"""

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import paths, tracing
from .._checks import InputError
from ..dynamics import solve_points, steady_state
from ..solution import Solution
from ..sweep import builder, solve_columns
from .descent import Bound, Found
from .problem import SAMPLES, Looked, Sampled, infinite, untrusted
from .quantities import Quantity
from .space import Space, interval

POPULATION = 15
"""Members of a generation for each parameter."""
ACCURACY = 1e-9
"""A search ends when the spread of a generation is this part of its mean."""
BROKEN, UNTRUSTED = 1e100, 1e200
"""Above every value that keeps all bounds; and above those that can be trusted at all."""
DRAWS, FINE_DRAWS = 128, 4096
"""Values of the uncertain parameters for each member of a generation, and at the end."""

WORST = 0.1
"""The part of cases that may be worse, if a user says nothing else."""
CALLS = (16, 1024)
"""Machines in a call of compiled code: two sizes, since a generation splits in ever new ways into machines alike."""


class Unsure(NamedTuple):
    """Parameters that are not known: {path: quantile function}; and the part of cases that may be worse."""

    laws: Mapping[str, Callable[[np.ndarray], np.ndarray]]
    quantile: float

    def draws(self, count: int) -> dict[str, np.ndarray]:
        """Values spread evenly over the probabilities (Sobol's points, in the middle of their cells)."""
        if not self.laws:
            return {}
        from scipy.stats import qmc

        points = qmc.Sobol(len(self.laws), scramble=False).random(count) + 0.5 / count
        return {name: np.asarray(law(u), float) for (name, law), u in zip(self.laws.items(), points.T, strict=True)}

    def worst(self, values: np.ndarray) -> np.ndarray:
        """Of values of which more is better, what is reached in all but the `quantile` of the cases (last axis)."""
        return np.asarray(np.quantile(values, self.quantile, axis=-1, method="hazen"))


class Trials(NamedTuple):
    """What is varied. A place x is a point of the unit cube of `box`, and behind it an index into each of `choices`."""

    machine: Any
    box: Space
    choices: Mapping[str, tuple[Any, ...]]
    unsure: Unsure
    tolerance: Array
    owner: str

    def limits(self) -> list[tuple[float, float]]:
        return [(0.0, 1.0)] * len(self.box.names) + [(0.0, len(values) - 1.0) for values in self.choices.values()]

    def points(self, xs: np.ndarray) -> dict[str, list[Any]]:
        """The value of each parameter at places; of choices, as they were given."""
        size = len(self.box.names)
        smooth = self.box.point(jnp.asarray(xs[:, :size]))
        found: dict[str, list[Any]] = {name: np.asarray(value).tolist() for name, value in smooth.items()}
        for (name, values), column in zip(self.choices.items(), np.rint(xs[:, size:]).astype(int).T, strict=True):
            found[name] = [values[k] for k in column]
        return found

    def point(self, x: np.ndarray) -> dict[str, Any]:
        return {name: values[0] for name, values in self.points(x[None]).items()}

    @property
    def is_function(self) -> bool:
        return not isinstance(self.machine, eqx.Module)

    def made(self, x: np.ndarray, **drawn: float) -> Any:
        """The machine of a place, with the uncertain parameters at their medians, if they are not `drawn`."""
        medians = {name: float(law(np.array(0.5))) for name, law in self.unsure.laws.items()}
        point = self.point(x) | medians | drawn
        if self.is_function:
            return self.machine(**point)
        return functools.reduce(lambda machine, item: paths.replace(machine, *item), point.items(), self.machine)

    def look(self, xs: np.ndarray, quantities: tuple[Quantity, ...], draws: int) -> tuple[np.ndarray, np.ndarray]:
        """Search values (place, quantity, draw), and at which places all draws can be trusted."""
        drawn = self.unsure.draws(draws)
        many = draws if drawn else 1
        values = np.full((len(xs), len(quantities), many), np.nan)
        good = np.zeros((len(xs), many), bool)
        for index in self._alike(xs):
            points = self.points(xs[index])
            columns = {name: np.repeat(values, many) for name, values in points.items()}
            columns |= {name: np.tile(value, len(index)) for name, value in drawn.items()}
            machine = self.machine
            if self.is_function:
                # It gets its choices as they are, and may count with them.
                machine = functools.partial(machine, **{name: points[name][0] for name in self.choices})
            names = tuple(name for name in columns if not (self.is_function and name in self.choices))
            build, shared, _ = builder(machine, names, self.owner)
            numbers = {name: column.astype(float) for name, column in columns.items()}
            solve = functools.partial(solve_columns, label=self.owner, progress=False, sizes=CALLS)
            places = (_Named(build, names), shared, numbers)
            solution: Solution = solve(solve_points, *places, self.tolerance)
            good[index] = (np.asarray(solution.status) == 0).reshape(len(index), many)
            for k, quantity in enumerate(quantities):
                found = of_machines(quantity, solve, *places) if quantity.of_machine else searched(quantity, solution)
                values[index, k] = found.reshape(len(index), many)
        return values, good.all(axis=-1) & np.isfinite(values).all(axis=(1, 2))

    def _alike(self, xs: np.ndarray) -> list[np.ndarray]:
        """Places whose machines differ by numbers alone."""
        if not self.is_function or not self.choices:
            return [np.arange(len(xs))]
        kinds, which = np.unique(np.rint(xs[:, len(self.box.names) :]), axis=0, return_inverse=True)
        return [np.flatnonzero(which.ravel() == k) for k in range(len(kinds))]


class _Named(eqx.Module):
    """Builds from some of the columns: there is one to count points by, even if all that is varied is a choice."""

    build: Callable[..., Any]
    names: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, shared: Any, point: Mapping[str, Array]) -> Any:
        return self.build(shared, {name: point[name] for name in self.names})


def searched(quantity: Quantity, solutions: Solution) -> np.ndarray:
    """The search values of a batch; of functions that JAX cannot follow, one after the other."""
    if quantity.function is None:
        return np.asarray(quantity.search(solutions, None))
    try:
        return np.asarray(eqx.filter_vmap(lambda s: quantity.search(s, None))(solutions))
    except Exception as error:
        if isinstance(error, InputError) and not isinstance(error, tracing.Untraceable):
            raise
        count = len(np.asarray(solutions.status))
        points = (jax.tree.map(lambda leaf, k=k: leaf[k], solutions) for k in range(count))
        return np.array([float(np.asarray(quantity.search(point, None))) for point in points])


class _OfMachines(eqx.Module):
    """A quantity of machines, one after the other, as linear response and counting take them."""

    quantity: Quantity

    def __call__(self, build: Callable[..., Any], shared: Any, columns: Any) -> Array:
        return jax.lax.map(lambda point: self.quantity.true(None, build(shared, point)), columns)


def of_machines(
    quantity: Quantity,
    solve: Callable[..., Any],
    build: Callable[..., Any],
    shared: Any,
    columns: dict[str, np.ndarray],
) -> np.ndarray:
    """The values of a batch of machines; of functions that JAX cannot follow, each by itself."""
    try:
        return np.asarray(solve(_OfMachines(quantity), build, shared, columns))
    except InputError:
        raise
    except Exception:
        count = len(next(iter(columns.values())))
        points = ({name: jnp.asarray(c[k]) for name, c in columns.items()} for k in range(count))
        return np.array([float(np.asarray(quantity.true(None, build(shared, point)))) for point in points])


def _untrusted(trials: Trials, count: int) -> InputError:
    """An error where no place can be trusted: what is wrong in the middle, or with a draw of what is uncertain."""
    middle = np.mean(trials.limits(), axis=1)
    for name, law in trials.unsure.laws.items():
        for share in (0.5 / DRAWS, 1 - 0.5 / DRAWS):
            value = float(law(np.array(share)))
            machine = trials.made(middle, **{name: value})
            if int(steady_state(machine, throw=False).status) != 0:
                where = f"with the draw {value:.4g} of the uncertain `{name}`"
                return untrusted(trials.owner, count, machine, where)
    return untrusted(trials.owner, count, trials.made(middle), "in the middle of it")


class Searched(NamedTuple):
    """Where the searches ended, the bounds (a column of the values each), and the points looked at before."""

    found: list[Found]
    bounds: list[Bound]
    sampled: Sampled
    quantities: tuple[Quantity, ...]


class Survey(NamedTuple):
    """What is known before a search: `judged(places)` gives the values of the `quantities` (the targets, and then one
    for each bound) and which places can be trusted; `sampled` are places spread evenly that can be."""

    judged: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    quantities: tuple[Quantity, ...]
    bounds: list[Bound]
    sampled: Sampled
    whole: np.ndarray

    def missed(self, values: np.ndarray) -> np.ndarray:
        """By how much the bounds are broken, all together."""
        return sum((np.maximum(-bound.margin(values), 0.0) for bound in self.bounds), np.zeros(len(values)))


def surveyed(
    trials: Trials,
    targets: tuple[Quantity, ...],
    signs: tuple[float, ...],
    limits: Mapping[Quantity, tuple[float | None, float | None]],
    budget: int,
) -> Survey:
    """A first look; sign·target is wanted large."""
    from scipy.stats import qmc

    sides = [
        (name, side, said)
        for name, pair in limits.items()
        for side, said in zip((1.0, -1.0), pair, strict=True)
        if said is not None
    ]
    quantities = (*targets, *(name for name, _, _ in sides))
    directions = np.array([*signs, *(side for _, side, _ in sides)])

    def judged(xs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, good = trials.look(xs, quantities, DRAWS)
        safe = directions[:, None] * values
        return directions * trials.unsure.worst(np.where(good[:, None, None], safe, 0.0)), good

    _, high = np.array(trials.limits()).T
    whole = np.arange(len(high)) >= len(trials.box.names)
    count = min(SAMPLES, 1 << max(budget // 4, 8).bit_length() - 1)  # Sobol's points come in powers of two
    sobol = qmc.Sobol(len(high), rng=np.random.default_rng(0)).random(count)
    xs = np.where(whole, np.minimum(np.floor(sobol * (high + 1)), high), sobol)
    values, good = judged(xs)
    if not good.any():
        # `judged` has nothing of points that cannot be trusted.
        seen, _ = trials.look(xs, targets, DRAWS)
        for k, target in enumerate(targets):
            if np.isinf(seen[:, k]).all():
                raise InputError(infinite(trials.owner, target.name, len(xs)))
        raise _untrusted(trials, len(xs))
    sampled = Sampled(xs[good], values[good])
    bounds = []
    for k, (name, side, said) in enumerate(sides, start=len(targets)):
        limit = name.of_bound(said)
        size = max(abs(limit), float(np.median(np.abs(sampled.values[:, k])))) or 1.0
        bounds.append(Bound(name.name, k, side, limit, size, said))
    return Survey(judged, quantities, bounds, sampled, whole)


def evolved(
    trials: Trials,
    target: Quantity,
    limits: Mapping[Quantity, tuple[float | None, float | None]],
    sign: float,
    starts: int,
    budget: int,
) -> Searched:
    """Searches for the largest sign·target, each from a generation of its own."""
    from scipy.optimize import differential_evolution

    survey = surveyed(trials, (target,), (sign,), limits, budget)
    judged, quantities, bounds, sampled, whole = survey
    low, high = np.array(trials.limits()).T
    scale = float(np.max(np.abs(sampled.values[:, 0]))) or 1.0

    def cost(x: np.ndarray) -> Any:
        values, good = judged(np.atleast_2d(x.T))
        missed = survey.missed(values)
        kept = np.where(missed > 0, BROKEN * (1 + missed), -sign * values[:, 0] / scale)
        found = np.where(good, kept, UNTRUSTED)
        return found if x.ndim == 2 else float(found[0])

    found = []
    members = POPULATION * len(low)
    for seed in range(starts):
        result = differential_evolution(
            cost,
            list(zip(low, high, strict=True)),
            integrality=whole,
            vectorized=True,
            updating="deferred",
            init="sobol",
            popsize=POPULATION,
            maxiter=max(budget // (members * starts) - 1, 1),
            tol=ACCURACY,
            polish=False,
            rng=np.random.default_rng(seed + 1),
        )
        values, good = judged(result.x[None])
        looked = Looked(values[0], np.zeros((len(quantities), len(low))), bool(good[0]))
        found.append(Found(result.x, looked, bool(result.success)))
    return Searched(found, bounds, sampled, quantities)


def finely(trials: Trials, target: Quantity, sign: float, x: np.ndarray) -> float:
    """The search value of the target at one place, over many draws of what is uncertain."""
    values, _ = trials.look(x[None], (target,), FINE_DRAWS)
    return float(sign * trials.unsure.worst(sign * values[0, 0]))


def unsure(owner: str, uncertain: Any, quantile: Any, over: Mapping[str, Any]) -> Unsure:
    """What a user says of uncertain parameters."""
    if uncertain is None:
        if quantile is not None:
            raise InputError(f"{owner}: `quantile` is that of a robust search; give what is uncertain: `uncertain`.")
        return Unsure({}, 0.5)
    quantile = WORST if quantile is None else quantile
    if not isinstance(uncertain, Mapping) or not uncertain:
        raise InputError(
            f"{owner}: `uncertain` must be a mapping from parameters to (low, high) or to a distribution of "
            f"scipy.stats, but is {uncertain!r}."
        )
    if isinstance(quantile, bool) or not isinstance(quantile, int | float) or not 0 < quantile < 1:
        raise InputError(f"{owner}: `quantile` must lie between 0 and 1, but is {quantile!r}.")
    both = [name for name in itertools.chain(over) if name in uncertain]
    if both:
        raise InputError(
            f"{owner}: `{both[0]}` is both in `over` and in `uncertain`; for a value that is set with an uncertain "
            "error, give a function build(value, error)."
        )
    return Unsure({name: _law(owner, name, given) for name, given in uncertain.items()}, float(quantile))


def _law(owner: str, name: str, given: Any) -> Callable[[np.ndarray], np.ndarray]:
    if hasattr(given, "ppf"):
        return given.ppf
    low, high = interval(f"{owner}: `uncertain[{name!r}]`", given)
    if low is None or high is None:
        raise InputError(f"{owner}: `uncertain[{name!r}]` needs both bounds, (low, high), but is {given!r}.")
    return lambda u: low + u * (high - low)
