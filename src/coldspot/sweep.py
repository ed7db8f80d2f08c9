"""Sweeps: the steady state over a grid of parameters, as an xarray Dataset.

Points are solved in batches of bounded size, several at a time on the processor's cores; nothing loops over
points in Python. A point that cannot be trusted keeps its status and has NaN in its results; the others stay.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import paths
from ._checks import InputError, unknown_name
from .dataset import to_dataset
from .dynamics import TOLERANCE, as_dynamics, checked_tolerance, solve_points
from .progress import track
from .pytrees import compiled, opened
from .solution import Solution

if TYPE_CHECKING:
    import xarray

CHUNK = 16384
"""Points that are solved in one call of compiled code, at most: bounds the memory."""
LANES = 64
"""Sizes of calls are multiples of this, so that sweeps of similar size share compiled code."""


def sweep(
    machine: Any,
    parameters: Mapping[str, Any],
    *,
    tolerance: float = TOLERANCE,
    progress: bool | None = None,
) -> "xarray.Dataset":
    """The steady state at every combination of parameter values.

    **Arguments:**

    - `machine`: a machine or dynamics whose numbers the `parameters` replace, by dotted paths
      (`"right.temperature"`, `"energies[2]"`); or a function `build(**parameters) -> machine`, traceable by JAX;
    - `parameters`: {path or argument: list of values}; their product is the grid, in this order;
    - `tolerance`: as for `steady_state`; `progress`: whether to show a bar (default: on a terminal, if it takes long).

    **Returns:** a Dataset with one dimension per parameter, then `bath` or `drive`. Its variables are named like the
    entries of a `Solution`; `…_error` stands beside those that have one. `status` is 0 for points that can be
    trusted (see `Status`); at the others the results are NaN and the regime is unknown. `regime` is an index
    into `coldspot.regimes.NAMES`.

    >>> import coldspot as cs
    >>> ds = cs.sweep(cs.machines.QuantumDot(), {"level": [-15.0, -5.0, 0.0, 10.0]})
    >>> [cs.regimes.NAMES[code] for code in ds.regime.values]
    ['engine', 'refrigerator', 'heater', 'accelerator']
    """
    grid = {name: _axis(name, values) for name, values in parameters.items()}
    if not grid:
        raise InputError("sweep: `parameters` is empty; name at least one parameter and its values.")
    shape = tuple(axis.size for axis in grid.values())
    build, shared, label = _builder(machine, tuple(grid))
    mesh = np.meshgrid(*grid.values(), indexing="ij")
    columns = {name: m.ravel() for name, m in zip(grid, mesh, strict=True)}
    solution = solve_columns(build, shared, columns, checked_tolerance(tolerance), progress)
    attributes = {
        "machine": label,
        "conventions": "rates are positive into the system; k_B = hbar = e = 1; E is the unit of energy",
        "created_by": "coldspot",
    }
    dataset = to_dataset(solution, grid, shape, attributes)
    if shared is not None:
        for name in grid:
            dataset[name].attrs["units"] = COORDINATE_UNITS.get(paths.dimension(shared, name), "")
    return dataset


def _axis(name: str, values: Any) -> np.ndarray:
    try:
        array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(f"sweep: the values of `{name}` must be numbers, but are {values!r}.") from None
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"sweep: the values of `{name}` must be a list, but have shape {array.shape}.")
    return array


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
        return self.function(**point)


def _builder(machine: Any, names: tuple[str, ...]) -> tuple[Callable[..., Any], Any, str]:
    if isinstance(machine, eqx.Module) and not callable(machine):
        for name in names:
            value = paths.get(machine, name)
            paths.replace(machine, name, jnp.zeros_like(value) if eqx.is_array(value) else 0.0)
            if np.ndim(value) != 0:
                entries = ", ".join(f"`{name}[{k}]`" for k in range(min(np.shape(value)[0], 3)))
                raise InputError(
                    f"sweep: `{name}` is a list of shape {np.shape(value)}; sweep its entries ({entries}, …)."
                )
        as_dynamics(machine)
        return _Replace(names), machine, getattr(machine, "name", type(machine).__name__)
    if callable(machine):
        wanted = inspect.signature(machine).parameters
        if not any(p.kind == p.VAR_KEYWORD for p in wanted.values()):
            for name in names:
                if name not in wanted:
                    raise unknown_name("sweep: the function that builds the machine", "argument", name, wanted)
            missing = [n for n, p in wanted.items() if p.default is p.empty and n not in names]
            if missing:
                raise InputError(f"sweep: `{missing[0]}` is an argument of the function, but has no values.")
        return _Call(opened(machine)), None, getattr(machine, "__name__", type(machine).__name__)
    raise InputError(
        f"sweep: `machine` must be a machine or a function that builds one, but is {type(machine).__name__}."
    )


def solve_columns(
    build: Callable[..., Any],
    shared: Any,
    columns: Mapping[str, np.ndarray],
    tolerance: Array,
    progress: bool | None = None,
) -> Solution:
    """Solve the points whose parameters stand in `columns`, in chunks, on all cores; one batch axis."""
    total = len(next(iter(columns.values())))
    workers = os.cpu_count() or 1 if jax.default_backend() == "cpu" else 1
    # Equal chunks, as many for each core, in multiples of a vector's length.
    rounds = -(-total // (CHUNK * workers))
    chunk = -(-total // (rounds * workers * LANES)) * LANES if total > LANES else total

    def piece(start: int) -> dict[str, Array]:
        if start + chunk <= total:
            return {name: jnp.asarray(c[start : start + chunk]) for name, c in columns.items()}
        index = np.minimum(np.arange(start, start + chunk), total - 1)
        return {name: jnp.asarray(c[index]) for name, c in columns.items()}

    def solve(start: int) -> Solution:
        return jax.tree.map(np.asarray, solve_chunk(build, shared, piece(start), tolerance))

    starts = range(0, total, chunk)
    joined = None
    with ThreadPoolExecutor(workers) as pool:
        done = track(pool.map(solve, starts), total=len(starts), label="sweep", show=progress)
        for start, part in zip(starts, done, strict=True):
            if joined is None:
                joined = _room(part, total)
            for whole, leaf in zip(jax.tree.leaves(joined), jax.tree.leaves(part), strict=True):
                whole[..., start : start + chunk] = leaf[..., : total - start]
    return jax.tree.map(lambda whole: np.moveaxis(whole, -1, 0), joined)


def _room(part: Solution, total: int) -> Solution:
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
def solve_chunk(build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Solution:
    """Solutions with the batch axis last in memory, as solvers have it; the caller turns it to the front."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), solve_points(build, shared, columns, tolerance))


COORDINATE_UNITS = {
    "energy": "E",
    "temperature": "E/k_B",
    "rate": "E/hbar",
    "time": "hbar/E",
    "angle": "rad",
}
"""Units of swept parameters, by the dimension that their field declares."""
