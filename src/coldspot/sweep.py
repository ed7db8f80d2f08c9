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
from .dynamics import TOLERANCE, as_dynamics, checked_tolerance, solve_points
from .progress import track
from .pytrees import opened
from .solution import Solution, Status

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
    trusted (see `Status`); at the others the results are NaN and the regime is "unknown".

    >>> import coldspot as cs
    >>> ds = cs.sweep(cs.machines.QuantumDot(), {"level": [-15.0, -5.0, 0.0, 10.0]})
    >>> list(ds.regime.values)
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
    dataset = to_dataset(solution, grid, shape, label)
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


@eqx.filter_jit
def solve_chunk(build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Solution:
    """Solutions with the batch axis last in memory, as solvers have it; the caller turns it to the front."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), solve_points(build, shared, columns, tolerance))


# --------------------------------------------------------------------------- datasets

UNITS = {
    "energy": "E**2/hbar",
    "heat": "E**2/hbar",
    "chemical_work": "E**2/hbar",
    "work": "E**2/hbar",
    "work_in": "E**2/hbar",
    "power": "E**2/hbar",
    "particles": "E/hbar",
    "current": "e*E/hbar",
    "entropy_flow": "k_B*E/hbar",
    "entropy_production": "k_B*E/hbar",
    "first_law_residual": "E**2/hbar",
    "cop": "1",
    "efficiency": "1",
    "temperature": "E/k_B",
    "chemical_potential": "E",
    "mode_frequency": "E/hbar",
    "mode_damping": "E/hbar",
    "mode_overlap": "1",
}
"""Units of the variables, with E the unit in which energies were given (k_B = ħ = e = 1)."""

COORDINATE_UNITS = {
    "energy": "E",
    "temperature": "E/k_B",
    "rate": "E/hbar",
    "time": "hbar/E",
    "angle": "rad",
}
"""Units of swept parameters, by the dimension that their field declares."""

MEANINGS = {
    "energy": "energy absorbed from the bath",
    "heat": "heat absorbed from the bath",
    "chemical_work": "chemical work done by the bath",
    "work": "work done by the drive",
    "work_in": "work done on the machine, chemical work included",
    "power": "power delivered",
    "particles": "particles entering from the bath",
    "current": "electric current out of the bath",
    "entropy_flow": "heat over temperature, averaged",
    "entropy_production": "entropy production",
    "first_law_residual": "first-law residual",
    "cop": "coefficient of performance (refrigerator, heat pump)",
    "efficiency": "efficiency (engine)",
    "temperature": "temperature of the bath",
    "chemical_potential": "chemical potential of the bath",
    "mode_frequency": "frequency of the mode",
    "mode_damping": "damping of the mode's amplitude",
    "mode_overlap": "overlap of the two nearest modes",
}


def to_dataset(
    solution: Solution, grid: Mapping[str, np.ndarray], shape: tuple[int, ...], label: str
) -> "xarray.Dataset":
    """A batched solution (one batch axis, in the order of the grid) as a Dataset over the grid."""
    import xarray as xr

    dims = tuple(grid)
    trusted = np.asarray(solution.ok).reshape(shape)
    variables: dict[str, Any] = {}

    def put(name: str, values: Any, *axes: str, mask: bool = True) -> None:
        array = np.asarray(values).reshape(*shape, *np.shape(values)[1:])
        if mask:
            array = np.where(trusted.reshape(*shape, *(1,) * len(axes)), array, np.nan)
        variables[name] = ((*dims, *axes), array, _attributes(name))

    if solution.baths:
        _put_ledger(solution, put)
        put("regime", solution.regime, mask=False)
        variables["regime"] = (dims, variables["regime"][1].astype(object), {"long_name": "regime"})
    if solution.populations.shape[-1]:
        put("population", solution.populations, "state")
    for name in solution.observables or ():
        put(name.replace(" ", "_"), solution.observables[name])  # type: ignore[index]
    for name in solution.observable_errors or ():
        put(f"{name}_error".replace(" ", "_"), solution.observable_errors[name])  # type: ignore[index]
    if solution.modes is not None:
        put("mode_frequency", solution.modes.frequencies, "mode")
        put("mode_damping", solution.modes.dampings, "mode")
        put("mode_overlap", solution.modes.overlap)
    if solution.baths:
        for name, values in solution.flags.items():
            variables[name.replace(" ", "_").replace("-", "_")] = (
                dims,
                np.asarray(values).reshape(shape),
                {"long_name": name},
            )
    for group in (solution.residuals, solution.statistics):
        for name in group:
            prefix = "residual_" if group is solution.residuals else ""
            put(f"{prefix}{name}".replace(" ", "_"), group[name])
    variables["status"] = (
        dims,
        np.asarray(solution.status).reshape(shape).astype(np.int8),
        {
            "long_name": "status of the solution",
            "flag_values": np.array([int(s) for s in Status], np.int8),
            "flag_meanings": " ".join(s.name.lower() for s in Status),
        },
    )
    for name in grid:
        if name in variables or name in ("bath", "drive", "state", "mode"):
            raise InputError(f"sweep: a parameter called `{name}` would hide the result of that name; rename it.")
    coordinates: dict[str, Any] = {name: (name, values) for name, values in grid.items()}
    if solution.baths:
        coordinates["bath"] = list(solution.baths)
    if solution.drives:
        coordinates["drive"] = list(solution.drives)
    return xr.Dataset(
        variables,
        coords=coordinates,
        attrs={
            "machine": label,
            "conventions": "rates are positive into the system; k_B = hbar = e = 1; E is the unit of energy",
            "created_by": "coldspot",
        },
    )


def _put_ledger(solution: Solution, put: Callable[..., None]) -> None:
    """The ledger's entries and their errors, per bath and per drive."""
    ledger, error = solution.ledger, solution.error
    for name in ("energy", "heat", "particles", "chemical_work", "entropy_flow", "current"):
        put(name, getattr(ledger, name).array, "bath")
    for name in ("work_in", "power", "entropy_production", "cop", "efficiency", "first_law_residual"):
        put(name, getattr(solution, name))
    for name in ("energy", "heat", "particles", "chemical_work", "entropy_flow"):
        put(f"{name}_error", getattr(error, name).array, "bath")
    for name in ("work_in", "entropy_production"):
        put(f"{name}_error", getattr(error, name))
    if solution.drives:
        put("work", ledger.works, "drive")
        put("work_error", error.works, "drive")
    put("temperature", solution.temperatures, "bath", mask=False)
    put("chemical_potential", solution.chemical_potentials, "bath", mask=False)


def _attributes(name: str) -> dict[str, str]:
    base = name.removesuffix("_error")
    found = {}
    if base in UNITS:
        found = {"units": UNITS[base], "long_name": MEANINGS[base] + (", error estimate" if base != name else "")}
    return found
