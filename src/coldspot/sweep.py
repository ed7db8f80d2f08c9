"""Sweeps: the steady state over a grid or a list of points, as an xarray Dataset.

Points are solved in batches of bounded size, several at a time on the processor's cores; nothing loops over
points in Python. A point that cannot be trusted keeps its status and has NaN in its results; the others stay.
"""

import functools
import hashlib
import inspect
import itertools
import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import cluster, parallel, paths, reasons, store, tracing
from ._checks import InputError, check_memory, unknown_name, worded
from .beside import Beside, Wanted, check_names, plans_of, ways
from .compiler import LIGHT
from .counting import Counting
from .dataset import Result, provenance, to_dataset, unit_attributes
from .dynamics import TOLERANCE, Dynamics, as_dynamics, checked_tolerance, solve_points
from .machine_files.results import MACHINE, WITHOUT, carried, place_of
from .numerics.blocks import Packed, packed, room, turned, unpacked
from .places import Places, places_of
from .pytrees import compiled, opened, refreshed
from .response import Response
from .solution import Solution
from .tiers import SIZES, Tiers, asked, few, once
from .units import check_energy_unit

if TYPE_CHECKING:
    import xarray

AnyResult = TypeVar("AnyResult")

LEAST = 400.0
"""Bytes of a point with its results, at the least."""
FEW = 256
"""The `few` of any dynamics is at most this."""
CALL = 64
"""What a call of compiled code costs by itself, in points."""
LATER_CALL = 2
"""The same in points that need a later way, which takes many times as long: smaller calls go to all cores."""
TOGETHER = 2048
"""Up to so many points in a call its arrays are joined: each by itself costs as much as to copy those of so many."""
POINTS_SENT = 65536
"""Points that a worker of a cluster gets at a time, at most."""


@worded
def sweep(
    machine: Any,
    parameters: Any,
    *,
    also: Sequence[Counting | Callable[..., Response]] = (),
    tolerance: float = TOLERANCE,
    unit: str | None = None,
    progress: bool | None = None,
    to: str | Path | None = None,
    client: Any = None,
) -> "xarray.Dataset":
    """The steady state at every combination of parameter values, or at every point of a list.

    **Arguments:**

    - `machine`: a machine or dynamics whose numbers the `parameters` replace, by dotted paths
      (`"right.temperature"`, `"energies[2]"`); or a function `build(**parameters) -> machine`, traceable by JAX;
    - `parameters`: {path or argument: list of values}, whose product is the grid, in this order; or a list of points,
      each a mapping {path or argument: value}, or a pandas DataFrame with a point in each row;
    - `also`: what to compute beside the steady state: a list of `Counting`, for cumulants, covariances and uncertainty
      quotients, and of `linear_response` itself, for that about the equilibrium of each point (`onsager`, and between
      two electron leads `conductance`, `seebeck`, …);
    - `tolerance`: as for `steady_state`; `progress`: whether to show a bar (default: on a terminal, if it takes long);
    - `unit`: the name of the energy in whose units the machine's numbers and the values are (`"meV"`). Results then
      are in W, A, 1/s, W/K and K, with units that Pint reads; without it they are in powers of an energy E;
    - `to`: a Zarr store (`"sweep.zarr"`) for sweeps that are too large for the memory, or too long to lose. Blocks are
      written as they are solved; the same call goes on where an earlier one was stopped, at whatever moment, and ends
      with the same bits. Points that are not solved yet have the status −1. A store of another machine, of other
      parameters or of another version is refused. Needs the extra `cluster`, and a machine that `save` can write;
    - `client`: a `dask.distributed.Client`, whose workers solve the points (extra `cluster`). On processors of the same
      kind the results are those of a sweep without it, bit for bit. A worker that is lost costs what it had in hand,
      no more. With `to`, this process alone writes the store.

    **Returns:** a Dataset with one dimension per parameter (or the dimension `point`, along which the parameters
    are coordinates), then `bath` or `drive`. Its variables are named like the entries of a `Solution`; `…_error`
    stands beside those that have one. `status` is 0 for points that can be trusted (see `Status`); at the others the
    results are NaN and the regime is unknown, and the attributes `untrusted`, `untrusted_2`, … say how many points
    break which rule. `regime` is an index into `coldspot.regimes.NAMES`. The attributes name the machine with all its
    numbers, the version and the tolerance, and hold the text of its file, so that `coldspot.load("result.nc").machine`
    is the machine.

    >>> import coldspot as cs
    >>> ds = cs.sweep(cs.machines.QuantumDot(), {"level": [-15.0, -5.0, 0.0, 10.0]})
    >>> cs.regimes.names(ds.regime).tolist()
    ['engine', 'refrigerator', 'heater', 'accelerator']
    >>> cs.sweep(cs.machines.QuantumDot(), [{"level": -5.0}, {"level": 3.0}]).heat.dims
    ('point', 'bath')
    """
    if unit is not None:
        check_energy_unit(unit, "unit")
    places = places_of(parameters)
    build, shared, label = builder(machine, tuple(places.axes))
    checked = checked_tolerance(tolerance)
    plans = plans_of(also)
    if plans:
        # Names are asked of a traced machine, which does not mind its numbers.
        first = {name: jnp.asarray(values[0]) for name, values in places.axes.items()}

        def names_exist() -> None:
            eqx.filter_eval_shape(lambda point: check_names(plans, as_dynamics(build(shared, point))), first)

        once("names exist", names_exist, plans, build, shared, first)
    fixed = {} if shared is None else paths.numbers(shared)
    moved = {paths.plain(shared, path) for path in places.axes} if fixed else set()
    fixed = {path: value for path, value in fixed.items() if path not in moved}
    attributes = provenance(label, fixed, tolerance, unit) | carried(machine, unit)

    if client is not None:
        cluster.checked("sweep", client)

    def dataset_of(solution: Result, part: Places) -> "xarray.Dataset":
        return to_dataset(solution, part.coordinates, part.shape, attributes, unit, used_up=True)

    def described(dataset: "xarray.Dataset") -> "xarray.Dataset":
        for name in places.axes if shared is not None else ():
            natural = COORDINATE_UNITS.get(paths.dimension(shared, name), "")
            dataset[name].attrs.update(unit_attributes(natural, unit, typed=True)[1])
        return dataset

    def blocks(wanted: Sequence[store.Block], size: int) -> "Generator[xarray.Dataset]":
        """Each block by itself, as one of `size` points."""
        cores = parallel.workers()
        solve = functools.partial(_solve_block, plans, build, shared, (checked,), None if client is None else cores)
        parts = [places.part(block) for block in wanted]
        columns = (part.columns(size) for part in parts)
        if client is None:
            found: Iterator[Any] = map(solve, columns)
        else:
            found = cluster.spread(client, solve, columns, total=len(parts), owner="sweep", progress=False)
        for part, solution in zip(parts, found, strict=True):
            count = math.prod(part.shape.values())
            yield dataset_of(jax.tree.map(lambda leaf, count=count: leaf[:count], solution), part)

    def remarks(pieces: Iterable[tuple[store.Block, np.ndarray]]) -> dict[str, str]:
        flat = ((status.ravel(), places.part(block).columns) for block, status in pieces)
        return reasons.untrusted(flat, build, shared)

    if to is not None:
        identity, empty = _identity(machine, places, plans, attributes), described(places.empty())
        return store.filled(place_of("sweep", "to", to), empty, places.shape, blocks, identity, progress, remarks)
    many = math.prod(places.shape.values())
    check_memory(f"sweep: {many:.3g} points, which", LEAST * many, "write them to a store block by block: `to=`.")
    columns = places.columns()
    solution = _solve_all(plans, build, shared, columns, checked, progress=progress, client=client)
    why = reasons.untrusted([(np.asarray(solution.status), lambda: columns)], build, shared)
    attributes = {**why, **attributes}
    return described(dataset_of(solution, places))


def _identity(machine: Any, places: Places, plans: tuple[Wanted, ...], attributes: Mapping[str, Any]) -> dict[str, str]:
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
        places: dict[str, str] = {}
        for name in names:
            same = places.setdefault(paths.plain(machine, name), name)
            if same != name:
                raise InputError(f"{owner}: `{same}` and `{name}` are the same number; give it once.")
            value = paths.get(machine, name)
            paths.replace(machine, name, jnp.zeros_like(value) if eqx.is_array(value) else 0.0)
            if np.ndim(value) != 0:
                first = itertools.islice(np.ndindex(np.shape(value)), 3)
                entries = ", ".join(f"`{name}{''.join(f'[{k}]' for k in place)}`" for place in first)
                raise InputError(
                    f"{owner}: `{name}` is a list of shape {np.shape(value)}; {owner} its entries ({entries}, …)."
                )
        if owner != "sweep":  # which marks such points and says why; a search would find nothing else
            reasons.check_free(owner, machine, names)
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


# --------------------------------------------------------------------------- many points


def _solve_all(
    plans: tuple[Wanted, ...],
    build: Callable[..., Any],
    shared: Any,
    columns: Mapping[str, np.ndarray],
    tolerance: Array,
    **keywords: Any,
) -> Result:
    """Steady states, and what else is asked at the same points."""
    given = build, shared, columns, (tolerance,)
    solution: Solution | None = None
    found: dict[Wanted, Any] = {}
    for some, verb, together in ways(plans):
        if together is not None and asked("counts_along", _first, build, shared, _point(columns)):
            state, counted = _batch_first(_in_chunks(together, *given, **keywords))
            solution = _completed(solve_points, state, *given, **keywords)
            found |= zip(some, _completed(verb, counted, *given, **keywords), strict=True)
        else:
            found |= zip(some, solve_columns(verb, build, shared, columns, tolerance, **keywords), strict=True)
    if solution is None:
        solution = solve_columns(solve_points, build, shared, columns, tolerance, **keywords)
    return Beside(solution, tuple(found[plan] for plan in plans)) if plans else solution


def solve_columns(
    verb: Callable[..., AnyResult] | Tiers,
    build: Callable[..., Any],
    shared: Any,
    columns: Mapping[str, np.ndarray],
    *options: Any,
    label: str = "sweep",
    progress: bool | None = None,
    sizes: Sequence[int] | None = None,
    later: Sequence[int] | None = None,
    cores: int | None = None,
    client: Any = None,
    call: int = CALL,
) -> AnyResult:
    """The result of a verb at the points whose parameters stand in `columns`, in chunks, on all cores.

    `verb(build, shared, columns, *options)` is traceable, or `Tiers` of what is, and gives a result with one leading
    batch axis, for arrays of parameters with such an axis; `build(shared, point)` makes the machine of one point.
    Calls have one of the `sizes` (`SIZES`), for each of which there is a program to compile; those of points that the
    first way leaves have one of `later`; `call` is what a call costs by itself, in points. Given `cores`, the work is
    cut as it would be for so many, but done by one thread; given a Dask `client`, its workers do it.
    """
    how: dict[str, Any] = {"label": label, "progress": progress, "cores": cores, "client": client}
    if not isinstance(verb, Tiers) or not verb.attempts:
        way = verb.solve if isinstance(verb, Tiers) else verb
        return _batch_first(_in_chunks(way, build, shared, columns, options, sizes=sizes, call=call, **how))
    found = _in_chunks(verb.attempts[0], build, shared, columns, options, sizes=sizes, call=call, **how)
    return _completed(verb, _batch_first(found), build, shared, columns, options, sizes=later or sizes, **how)


def _completed(
    verb: Tiers,
    attempt: tuple[Any, np.ndarray | None],
    build: Callable[..., Any],
    shared: Any,
    columns: Mapping[str, np.ndarray],
    options: tuple[Any, ...],
    **how: Any,
) -> Any:
    """The result of the first attempt of a verb, with what the others find where it is not to be used."""
    result, undecided = attempt
    left = np.flatnonzero(undecided) if undecided is not None else np.zeros(0, int)
    if left.size:
        # All of them together, from whatever chunk, by the next way.
        rest = verb._replace(attempts=verb.attempts[1:])
        some = {name: c[left] for name, c in columns.items()}
        solved: Any = solve_columns(rest, build, shared, some, *options, call=LATER_CALL, **how)
        for whole, part in zip(jax.tree.leaves(result), jax.tree.leaves(solved), strict=True):
            whole[left] = part
    return result


def _solve_block(
    plans: Any, build: Any, shared: Any, options: tuple[Any, ...], cores: int | None, columns: Mapping[str, np.ndarray]
) -> Any:
    return _solve_all(plans, build, shared, columns, *options, progress=False, cores=cores)


def _solve_piece(way: Any, build: Any, shared: Any, options: Any, how: Any, columns: Mapping[str, np.ndarray]) -> Any:
    return _in_chunks(way, build, shared, columns, options, progress=False, cores=1, **how)


def _batch_first(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: np.moveaxis(leaf, -1, 0), tree)


def _in_chunks(
    way: Callable[..., Any],
    build: Callable[..., Any],
    shared: Any,
    columns: Mapping[str, np.ndarray],
    options: tuple[Any, ...],
    *,
    label: str = "sweep",
    progress: bool | None = None,
    sizes: Sequence[int] | None = None,
    cores: int | None = None,
    client: Any = None,
    call: int = CALL,
    light: bool | None = None,
) -> Any:
    """What one way gives at all points, batch axis last; `light`: whether by the program for few points."""
    total = len(next(iter(columns.values())))
    workers = cores or parallel.workers()

    def cost(size: int) -> tuple[int, int]:
        return -(-total // (size * workers)) * (size + call), -size  # of equal cost the fewest calls

    # Of few sizes, so that sweeps of any length share compiled code; what fills up the last one is the last point.
    chunk = min(sizes or SIZES, key=cost)

    def piece(start: int) -> dict[str, np.ndarray]:
        if start + chunk <= total:
            return {name: c[start : start + chunk] for name, c in columns.items()}
        index = np.minimum(np.arange(start, start + chunk), total - 1)
        return {name: c[index] for name, c in columns.items()}

    light = total <= FEW and total <= few(_first, build, shared, _point(columns)) if light is None else light
    joined = _Joined(total)
    step, done = chunk, None
    if client is not None:
        # Calls of the size that they have here, some of them together: a call by itself is short for a cluster.
        calls = min(-(-total // chunk) // (4 * cluster.threads(client)), POINTS_SENT // chunk)
        step = chunk * max(calls, 1)
        # And by the program that is used here, however few points a piece has.
        remote = functools.partial(_solve_piece, way, build, shared, options, {"sizes": (chunk,), "light": light})
        parts = ({name: c[at : at + step] for name, c in columns.items()} for at in range(0, total, step))
        done = cluster.spread(client, remote, parts, total=-(-total // step), owner=label, progress=progress)
    starts = range(0, total, step)
    if done is None:
        solve_some = (solve_few if light else solve_chunk).partial(way, build, shared, options)

        def solve(start: int) -> None:
            joined.put(start, solve_some(piece(start)))

        threads = None if cores is None else 1
        for _ in parallel.spread(solve, starts, label=label, progress=progress, threads=threads):
            pass
    else:
        for start, part in zip(starts, done, strict=True):
            joined.put(start, _Chunk(*packed(part, np)))
    return joined.whole


class _Joined:
    """Results of so many points, where threads put those of their own."""

    def __init__(self, total: int):
        self.total, self._lock = total, threading.Lock()
        self._room: dict[str, np.ndarray] | None = None
        self._like: Packed | None = None

    def put(self, start: int, part: "_Chunk") -> None:
        """Results of points from `start` on; what goes beyond the last point is left out."""
        arrays = {kind: np.asarray(array) for kind, array in part.arrays.items()}
        with self._lock:
            if self._room is None:
                self._room = room(arrays, self.total)
                self._like = part.like
        for kind, array in arrays.items():
            self._room[kind][:, start : start + array.shape[1]] = array[:, : self.total - start]

    @property
    def whole(self) -> Any:
        """The results, batch axis last."""
        assert self._room is not None
        assert self._like is not None
        return unpacked(self._like._replace(arrays=self._room))


class _Chunk(eqx.Module):
    """Results of a call, packed: what they are is the same for all calls."""

    arrays: dict[str, Any]
    parts: tuple[Any, ...] = eqx.field(static=True)
    structure: Any = eqx.field(static=True)

    @property
    def like(self) -> Packed:
        return Packed(self.arrays, self.parts, self.structure)


def _chunk(verb: Callable[..., Any], build: Any, shared: Any, options: tuple[Any, ...], columns: Any) -> _Chunk:
    """Results with the batch axis last in memory, as solvers have it; the caller turns it to the front."""
    many = any(len(values) > TOGETHER for values in columns.values())
    return _Chunk(*packed(turned(verb(build, shared, columns, *options)), apart=many))


solve_chunk, solve_few = compiled(_chunk), compiled(_chunk, **LIGHT)


def _point(columns: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """The numbers of the first point."""
    return {name: jnp.asarray(c[0]) for name, c in columns.items()}


def _first(build: Callable[..., Any], shared: Any, point: Any) -> Dynamics:
    return as_dynamics(build(shared, point))


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
