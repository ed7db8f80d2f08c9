"""Sweeps: the steady state over a grid or a list of points, as an xarray Dataset.

Points are solved in batches of bounded size, several at a time on the processor's cores; nothing loops over
points in Python. A point that cannot be trusted keeps its status and has NaN in its results; the others stay.
"""

import hashlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import parallel, paths, store, tracing
from ._checks import InputError, Values, check_bare, short, unknown_name
from .counting import Counting, Plan, check, counts
from .counts import Counts
from .dataset import Result, Variable, provenance, to_dataset, unit_attributes
from .dynamics import TOLERANCE, Dynamics, as_dynamics, built, checked_tolerance, conclude, solve_points
from .machine_files.results import MACHINE, POINT, WITHOUT, carried
from .pytrees import compiled, opened, refreshed
from .solution import Solution
from .tiers import SIZES, Tiers
from .units import check_energy_unit

if TYPE_CHECKING:
    import xarray

AnyResult = TypeVar("AnyResult", bound=Result)

CALL = 64
"""What a call of compiled code costs by itself, in points."""


def sweep(
    machine: Any,
    parameters: Any,
    *,
    also: Sequence[Counting] = (),
    tolerance: float = TOLERANCE,
    unit: str | None = None,
    progress: bool | None = None,
    to: str | Path | None = None,
) -> "xarray.Dataset":
    """The steady state at every combination of parameter values, or at every point of a list.

    **Arguments:**

    - `machine`: a machine or dynamics whose numbers the `parameters` replace, by dotted paths
      (`"right.temperature"`, `"energies[2]"`); or a function `build(**parameters) -> machine`, traceable by JAX;
    - `parameters`: {path or argument: list of values}, whose product is the grid, in this order; or a list of points,
      each a mapping {path or argument: value}, or a pandas DataFrame with a point in each row;
    - `also`: what to compute beside the steady state: a list of `Counting`, for cumulants and covariances;
    - `tolerance`: as for `steady_state`; `progress`: whether to show a bar (default: on a terminal, if it takes long);
    - `unit`: the name of the energy in whose units the machine's numbers and the values are (`"meV"`). Results then
      are in W, A, 1/s, W/K and K, with units that Pint reads; without it they are in powers of an energy E;
    - `to`: a Zarr store (`"sweep.zarr"`) for sweeps that are too large for the memory, or too long to lose. Blocks are
      written as they are solved; the same call goes on where an earlier one was stopped, at whatever moment, and ends
      with the same bits. Points that are not solved yet have the status −1. A store of another machine, of other
      parameters or of another version is refused. Needs the extra `cluster`, and a machine that `save` can write.

    **Returns:** a Dataset with one dimension per parameter (or the dimension `point`, along which the parameters
    are coordinates), then `bath` or `drive`. Its variables are named like the entries of a `Solution`; `…_error`
    stands beside those that have one. `status` is 0 for points that can be trusted (see `Status`); at the others the
    results are NaN and the regime is unknown. `regime` is an index into `coldspot.regimes.NAMES`. The attributes name
    the machine with all its numbers, the version and the tolerance, and hold the text of its file, so that
    `coldspot.load("result.nc").machine` is the machine.

    >>> import coldspot as cs
    >>> ds = cs.sweep(cs.machines.QuantumDot(), {"level": [-15.0, -5.0, 0.0, 10.0]})
    >>> cs.regimes.names(ds.regime).tolist()
    ['engine', 'refrigerator', 'heater', 'accelerator']
    >>> cs.sweep(cs.machines.QuantumDot(), [{"level": -5.0}, {"level": 3.0}]).heat.dims
    ('point', 'bath')
    """
    if unit is not None:
        check_energy_unit(unit)
    places = _places(parameters)
    build, shared, label = builder(machine, tuple(places.axes))
    checked = checked_tolerance(tolerance)
    plans = _plans(also)
    if plans:
        # Names are asked of a traced machine, which does not mind its numbers.
        first = {name: jnp.asarray(values[0]) for name, values in places.axes.items()}
        eqx.filter_eval_shape(lambda point: _check_names(plans, as_dynamics(build(shared, point))), first)
    verb = _Also(plans) if plans else solve_points
    fixed = {} if shared is None else paths.numbers(shared)
    fixed = {path: value for path, value in fixed.items() if path not in places.axes}
    attributes = provenance(label, fixed, tolerance, unit) | carried(machine, unit)

    def solved(part: Places, size: int | None = None, progress: bool | None = progress) -> "xarray.Dataset":
        columns = part.columns(size)
        solution: Result = solve_columns(verb, build, shared, columns, checked, progress=progress)
        if size is not None:
            solution = jax.tree.map(lambda leaf: leaf[: math.prod(part.shape.values())], solution)
        return to_dataset(solution, part.coordinates, part.shape, attributes, unit)

    if to is None:
        dataset = solved(places)
    else:
        dataset = store.filled(
            Path(to),
            places.empty(),
            places.shape,
            lambda block, size: solved(places.part(block), size, False),
            _identity(machine, places, plans, attributes),
            progress,
        )
    for name in places.axes if shared is not None else ():
        natural = COORDINATE_UNITS.get(paths.dimension(shared, name), "")
        dataset[name].attrs.update(unit_attributes(natural, unit, typed=True)[1])
    return dataset


def _identity(machine: Any, places: "Places", plans: tuple[Plan, ...], attributes: Mapping[str, Any]) -> dict[str, str]:
    """What tells a sweep from others: a store is gone on with by the same one only."""
    described = carried(machine, None, math.inf)
    if WITHOUT in described:
        raise InputError(f"sweep: `to` needs a machine that can be written to a file: {described[WITHOUT]}")
    read = opened(machine) if callable(machine) else machine
    text, numbers, axes = hashlib.sha256(described[MACHINE].encode()), hashlib.sha256(), hashlib.sha256()
    for leaf in jax.tree.leaves(refreshed(read)):
        numbers.update(np.asarray(leaf).tobytes() if eqx.is_array(leaf) else b"")
    for name, values in places.axes.items():
        axes.update(f"{name} {values.size} {places.listed} ".encode() + values.tobytes())
    return {
        "numbers or another structure of the machine": text.hexdigest(),
        "numbers of its functions": numbers.hexdigest(),
        "parameters": axes.hexdigest(),
        "things to count": repr(plans),
        "tolerance": repr(attributes["tolerance"]),
        "unit": str(attributes.get("unit")),
        "version": str(attributes["version"]),
    }


# --------------------------------------------------------------------------- where to solve


class Places(NamedTuple):
    """The points of a sweep: a grid of the values on each axis, or (`listed`) the points with the values at each."""

    axes: dict[str, np.ndarray]
    listed: bool

    @property
    def shape(self) -> dict[str, int]:
        """{dimension: length} of the dataset."""
        if self.listed:
            return {POINT: len(next(iter(self.axes.values())))}
        return {name: values.size for name, values in self.axes.items()}

    @property
    def coordinates(self) -> dict[str, Any]:
        if not self.listed:
            return dict(self.axes)
        return {POINT: np.arange(self.shape[POINT]), **{name: (POINT, v) for name, v in self.axes.items()}}

    def part(self, block: Mapping[str, slice]) -> "Places":
        """A part of the grid or of the list."""
        return Places({name: v[block[POINT if self.listed else name]] for name, v in self.axes.items()}, self.listed)

    def columns(self, size: int | None = None) -> dict[str, np.ndarray]:
        """The value of each parameter at all points; the last point again up to a `size`."""
        mesh = list(self.axes.values()) if self.listed else np.meshgrid(*self.axes.values(), indexing="ij")
        columns = [m.ravel() for m in mesh]
        if size is not None:
            columns = [np.pad(column, (0, size - column.size), mode="edge") for column in columns]
        return dict(zip(self.axes, columns, strict=True))

    def empty(self) -> "xarray.Dataset":
        """A dataset of the coordinates alone."""
        import xarray

        return xarray.Dataset(coords=self.coordinates)


def _places(parameters: Any) -> Places:
    if hasattr(parameters, "columns") and hasattr(parameters, "to_dict"):
        return _listed({str(name): _axis(str(name), parameters[name]) for name in parameters.columns})
    if isinstance(parameters, Mapping):
        grid = {name: _axis(name, values) for name, values in parameters.items()}
        if not grid:
            raise InputError("sweep: `parameters` is empty; name at least one parameter and its values.")
        return Places(grid, listed=False)
    points = list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, str) else []
    if not points or not all(isinstance(point, Mapping) for point in points):
        raise InputError(
            "sweep: `parameters` must be a mapping {name: values}, or a list of points such as "
            f'[{{"level": 1.0}}, {{"level": 2.0}}], but is {short(parameters)}.'
        )
    names = tuple(points[0])
    for k, point in enumerate(points):
        for name in sorted(set(names) ^ set(point)):
            have, lack = (k, 0) if name in point else (0, k)
            raise InputError(
                f"sweep: all points must name the same parameters; point {have} names `{name}`, point {lack} does not."
            )
    return _listed({name: _axis(name, [point[name] for point in points]) for name in names})


def _listed(columns: dict[str, np.ndarray]) -> Places:
    """A list of points: parameters are coordinates along one dimension."""
    if not columns:
        raise InputError("sweep: the points are empty; name at least one parameter.")
    if POINT in columns:
        raise InputError(f"sweep: a parameter called `{POINT}` would hide the dimension of that name; rename it.")
    return Places(columns, listed=True)


def _axis(name: str, values: Any) -> np.ndarray:
    check_bare(values, f"sweep: the values of `{name}`")
    try:
        array = np.atleast_1d(np.asarray(values))
        if array.dtype.kind not in "biuf":
            raise TypeError
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"sweep: the values of `{name}` must be real numbers, but are {short(values)}.") from None
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"sweep: the values of `{name}` must be a list, but have shape {array.shape}.")
    return array.astype(np.float64)


# --------------------------------------------------------------------------- what to solve


class _Replace(eqx.Module):
    """Puts values into a machine at given paths; equal for equal paths, so that compiled code is shared."""

    names: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, machine: Any, point: Mapping[str, Array]) -> Any:
        for name in self.names:
            machine = paths.replace(machine, name, point[name])
        return machine


class _Call(eqx.Module):
    """Calls a user's function with a point's values."""

    function: Callable[..., Any]

    def __call__(self, shared: None, point: Mapping[str, Array]) -> Any:
        return tracing.called(self.function, **point)


def builder(machine: Any, names: tuple[str, ...], owner: str = "sweep") -> tuple[Callable[..., Any], Any, str]:
    """How to make the machine of a point: `build(shared, point)`, what is shared by all points, and a name.

    `names` are paths of a machine, or arguments of a function that builds one; `owner` is the verb that errors name.
    """
    if isinstance(machine, eqx.Module) and not callable(machine):
        for name in names:
            value = paths.get(machine, name)
            paths.replace(machine, name, jnp.zeros_like(value) if eqx.is_array(value) else 0.0)
            if np.ndim(value) != 0:
                entries = ", ".join(f"`{name}[{k}]`" for k in range(min(np.shape(value)[0], 3)))
                raise InputError(
                    f"{owner}: `{name}` is a list of shape {np.shape(value)}; {owner} its entries ({entries}, …)."
                )
        as_dynamics(machine)
        return _Replace(names), machine, getattr(machine, "name", type(machine).__name__)
    if callable(machine):
        wanted = inspect.signature(machine).parameters
        if not any(p.kind == p.VAR_KEYWORD for p in wanted.values()):
            for name in names:
                if name not in wanted:
                    raise unknown_name(f"{owner}: the function that builds the machine", "argument", name, wanted)
            missing = [n for n, p in wanted.items() if p.default is p.empty and n not in names]
            if missing:
                raise InputError(f"{owner}: `{missing[0]}` is an argument of the function, but has no values.")
        return _Call(opened(machine)), None, getattr(machine, "__name__", type(machine).__name__)
    raise InputError(
        f"{owner}: `machine` must be a machine or a function that builds one, but is {type(machine).__name__}."
    )


# --------------------------------------------------------------------------- what else to compute


def _plans(also: Any) -> tuple[Plan, ...]:
    wanted = [also] if isinstance(also, Counting) else list(also)
    for entry in wanted:
        if not isinstance(entry, Counting):
            raise InputError(f"sweep: `also` must be a list of Counting, but holds {short(entry)}.")
    return tuple(entry.plan for entry in wanted)


def _check_names(plans: tuple[Plan, ...], dynamics: Dynamics) -> None:
    for plan in plans:
        check(plan.targets, dynamics)


class _Beside(eqx.Module):
    """A solution and what was counted at the same points."""

    solution: Solution
    counted: tuple[Counts, ...]

    @property
    def status(self) -> Values:
        return self.solution.status

    def labels(self) -> dict[str, tuple[Any, ...]]:
        return self.solution.labels()

    def variables(self) -> dict[str, Variable]:
        found = self.solution.variables()
        for counted in self.counted:
            found |= counted.variables()
        return found

    def record(self) -> dict[str, Any]:
        return self.solution.record() | {"counted": [counted.record() for counted in self.counted]}


class _Also(eqx.Module):
    """Steady states, and what is counted in them; equal for equal plans, so that compiled code is shared."""

    plans: tuple[Plan, ...] = eqx.field(static=True)

    def __call__(self, build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> _Beside:
        dynamics, good = built(build, shared, columns)
        solution = conclude(dynamics, dynamics.solve(tolerance), tolerance, good)
        return _Beside(solution, tuple(counts(dynamics, good, plan, tolerance) for plan in self.plans))


# --------------------------------------------------------------------------- many points


def solve_columns(
    verb: Callable[..., AnyResult] | Tiers,
    build: Callable[..., Any],
    shared: Any,
    columns: Mapping[str, np.ndarray],
    *options: Any,
    label: str = "sweep",
    progress: bool | None = None,
    sizes: Sequence[int] = SIZES,
) -> AnyResult:
    """The result of a verb at the points whose parameters stand in `columns`, in chunks, on all cores.

    `verb(build, shared, columns, *options)` is traceable, or `Tiers` of what is, and gives a result with one leading
    batch axis, for arrays of parameters with such an axis; `build(shared, point)` makes the machine of one point.
    Calls have one of the `sizes`, for each of which there is a program to compile.
    """
    if not isinstance(verb, Tiers) or not verb.attempts:
        way = verb.solve if isinstance(verb, Tiers) else verb
        return _batch_first(_in_chunks(way, build, shared, columns, options, label, progress, sizes))
    found = _in_chunks(verb.attempts[0], build, shared, columns, options, label, progress, sizes)
    result, undecided = _batch_first(found)
    left = np.flatnonzero(undecided) if undecided is not None else np.zeros(0, int)
    if left.size:
        # All of them together, from whatever chunk, by the next way.
        rest = verb._replace(attempts=verb.attempts[1:])
        some = {name: c[left] for name, c in columns.items()}
        solved: Any = solve_columns(rest, build, shared, some, *options, label=label, progress=progress, sizes=sizes)
        for whole, part in zip(jax.tree.leaves(result), jax.tree.leaves(solved), strict=True):
            whole[left] = part
    return result


def _batch_first(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: np.moveaxis(leaf, -1, 0), tree)


def _in_chunks(
    way: Callable[..., Any],
    build: Callable[..., Any],
    shared: Any,
    columns: Mapping[str, np.ndarray],
    options: tuple[Any, ...],
    label: str,
    progress: bool | None,
    sizes: Sequence[int],
) -> Any:
    """What one way gives at all points, batch axis last."""
    total = len(next(iter(columns.values())))
    workers = parallel.workers()

    def cost(size: int) -> int:
        return -(-total // (size * workers)) * (size + CALL)

    # Of few sizes, so that sweeps of any length share compiled code; what fills up the last one is the last point.
    chunk = min(sizes, key=cost)

    def piece(start: int) -> dict[str, Array]:
        if start + chunk <= total:
            return {name: jnp.asarray(c[start : start + chunk]) for name, c in columns.items()}
        index = np.minimum(np.arange(start, start + chunk), total - 1)
        return {name: jnp.asarray(c[index]) for name, c in columns.items()}

    def solve(start: int) -> Any:
        return jax.tree.map(np.asarray, solve_chunk(way, build, shared, piece(start), *options))

    starts = range(0, total, chunk)
    joined = None
    done = parallel.spread(solve, starts, label=label, progress=progress)
    for start, part in zip(starts, done, strict=True):
        if joined is None:
            joined = _room(part, total)
        for whole, leaf in zip(jax.tree.leaves(joined), jax.tree.leaves(part), strict=True):
            whole[..., start : start + chunk] = leaf[..., : total - start]
    return joined


def _room(part: Any, total: int) -> Any:
    """Arrays like those of `part` for `total` points, in one piece of memory: fresh memory costs more than the sums."""
    leaves, structure = jax.tree.flatten(part)
    sizes = [total * int(np.prod(leaf.shape[:-1])) * leaf.itemsize for leaf in leaves]
    ends = np.cumsum([-(-size // 64) * 64 for size in sizes])
    memory = np.empty(int(ends[-1]), np.uint8)
    arrays = [
        memory[end - -(-size // 64) * 64 :][:size].view(leaf.dtype).reshape(*leaf.shape[:-1], total)
        for leaf, size, end in zip(leaves, sizes, ends, strict=True)
    ]
    return jax.tree.unflatten(structure, arrays)


@compiled
def solve_chunk(verb: Callable[..., Any], build: Any, shared: Any, columns: Any, *options: Any) -> Any:
    """Results with the batch axis last in memory, as solvers have it; the caller turns it to the front."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), verb(build, shared, columns, *options))


COORDINATE_UNITS = {
    "energy": "E",
    "potential": "E",
    "voltage": "E/e",
    "temperature": "E/k_B",
    "rate": "E/hbar",
    "time": "hbar/E",
    "angle": "rad",
}
"""Units of swept parameters, by the dimension that their field declares."""
