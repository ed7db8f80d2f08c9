"""Where JAX's programs call the sparse solvers of SciPy: one call for a batch of machines, points one after another."""

import enum
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError
from ..numerics.one_thread import one_thread
from .terrain import Samples, Terrain
from .tide import Pieces, Tide

ROUGH = 1e-6
"""How far from their polynomials functions may be, whatever the tolerance; see `Terrain.roughness`."""

KEPT = 64
"""So many results are remembered."""


class Fault(enum.IntEnum):
    """Why a point has no numbers, or none as exact as asked."""

    NONE = 0
    NOT_FINITE = 1
    NEGATIVE = 2
    ROUGH = 3
    INEXACT = 4
    UNSOLVED = 5


class Numbers(NamedTuple):
    """Results of a batch: (point, part), (point, end), (point, step) or (point)."""

    heats: Array
    entropies: Array
    end_heats: Array
    flux: Array
    velocity: Array
    temperature: Array
    leaks: Array
    works: Array
    heat_errors: Array
    entropy_errors: Array
    end_errors: Array
    flux_error: Array
    velocity_error: Array
    temperature_error: Array
    leak_errors: Array
    work_errors: Array
    floor: Array
    negative: Array
    unknowns: Array
    meshes: Array
    fault: Array


def steady_numbers(samples: Samples, tide: Tide | Pieces | None, tolerance: Array, kind: str, walled: bool) -> Numbers:
    """Steady states of a batch of machines, or periodic ones of those with a `tide`, within a program of JAX."""
    parts, drives = samples.bath_borders.shape[1] - 1, count_of(tide, 1)
    table = _table(kind, walled, samples, tide, tolerance)
    ends = np.cumsum([parts, parts, 2, 1, 1, 1, parts - 1, drives] * 2 + [1] * 5)[:-1].tolist()
    columns = jnp.split(table, ends, axis=-1)
    wide = {0, 1, 2, 6, 7, 8, 9, 10, 14, 15}
    return Numbers(*(c if k in wide else c[:, 0] for k, c in enumerate(columns)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _table(kind: str, walled: bool, samples: Samples, tide: Tide | Pieces | None, tolerance: Array) -> Array:
    """All results, a row for each machine."""
    points = samples.bath_borders.shape[0]
    entries = 3 * (samples.bath_borders.shape[1] - 1) + 4 + count_of(tide, 1)
    shape = jax.ShapeDtypeStruct((points, 2 * entries + 5), jnp.float64)

    def call(samples: Any, tide: Any, tolerance: Any) -> np.ndarray:
        arrays = [np.asarray(array) for array in (*samples, *(tide or ()))]
        shapes = tuple(array.shape[1:] for array in arrays)
        rows = [
            _known(tuple(a[k].tobytes() for a in arrays), shapes, float(tolerance), kind, walled) for k in range(points)
        ]
        return np.stack(rows)

    return jax.pure_callback(call, shape, samples, tide, tolerance, vmap_method="sequential")


@_table.defjvp
def _underivable(kind: str, walled: bool, primals: Any, tangents: Any) -> Any:
    raise InputError(
        "KleinKramers: derivatives of its steady state by JAX are not known; take differences of states "
        "(`steady_state` with a small `tolerance`, or `sweep`) instead; `optimise` and `pareto` need none with "
        '`method="evolution"`.'
    )


@functools.lru_cache(maxsize=KEPT)
def _known(
    contents: tuple[bytes, ...], shapes: tuple[tuple[int, ...], ...], tolerance: float, kind: str, walled: bool
) -> np.ndarray:
    """The row of one machine, which is its samples' content; not computed again when it is asked for again."""
    arrays = [np.frombuffer(content).reshape(shape) for content, shape in zip(contents, shapes, strict=True)]
    count = len(Samples._fields)
    moved: tuple[Any, ...] = tuple(arrays[count:])
    tide = None if not moved else Tide(*moved) if len(moved) == len(Tide._fields) else Pieces(*moved)
    with one_thread():
        row = _row(Samples(*arrays[:count]), tide, tolerance, kind, walled)
    row.setflags(write=False)
    return row


def _row(samples: Samples, tide: Tide | Pieces | None, tolerance: float, kind: str, walled: bool) -> np.ndarray:
    entries = 3 * (len(samples.bath_borders) - 1) + 4 + count_of(tide, 0)
    nothing = np.full(2 * entries + 5, np.nan)
    if not all(np.isfinite(array).all() for array in (*samples, *(tide or ()))):
        nothing[-1] = Fault.NOT_FINITE
        return nothing
    if not samples.borders[-1] > samples.borders[0] or (samples.densities < 0).any():
        # A domain that ends before it starts, or less than nothing that comes in: no constructor lets them pass.
        nothing[-1] = Fault.NEGATIVE
        return nothing
    terrain = Terrain(samples, kind, walled)
    if not terrain.positive or (tide is not None and tide.frequency <= 0):
        nothing[-1] = Fault.NEGATIVE
        return nothing
    rough, _ = roughness(terrain, tide)
    if rough > max(tolerance, ROUGH):
        nothing[-1] = Fault.ROUGH
        return nothing
    # SciPy is loaded where it is used.
    from . import periodic, stationary

    found: Any
    if tide is None:
        found = stationary.steady(terrain, tolerance)
        works = (np.zeros(0),) * 2
    else:
        found = periodic.periodic(terrain, tide, tolerance)
        works = (np.zeros(0),) * 2 if found is None else (found.works, found.work_errors)
    if found is None:
        nothing[-1] = Fault.UNSOLVED
        return nothing
    values = found.ledger.entries()
    errors = found.errors + 4 * rough * np.abs(values)
    fault = Fault.NONE if found.converged else Fault.INEXACT
    negative = max(0.0, -found.state.smallest())
    rest = [stationary.ROUNDING * found.ledger.exchanged, negative, found.unknowns, found.rungs, fault]
    return np.concatenate([values, works[0], errors, works[1] + 4 * rough * np.abs(works[0]), rest])


def roughness(terrain: Terrain, tide: Tide | Pieces | None) -> tuple[float, float]:
    """How far the functions of a machine may be from their sums, and where that is worst."""
    found = terrain.roughness()
    if tide is None:
        return found
    from . import periodic, pieces

    if isinstance(tide, Pieces):
        in_time = float(pieces.roughness_in_time(tide, terrain).max())
        return max(found, pieces.roughness(tide, terrain), (in_time, found[1]))
    return max(found, periodic.Wave.of(tide).roughness(terrain), (float(tide.missed[0]), found[1]))


def count_of(tide: Tide | Pieces | None, axis: int) -> int:
    """How many drives there are; their axis is the first of a machine's array, and the second of a batch's."""
    if tide is None:
        return 0
    return int((tide.jumps if isinstance(tide, Pieces) else tide.powers).shape[axis])


def describe(samples: Samples, terrain: Terrain, tide: Tide | Pieces | None = None) -> str:
    """What is wrong with the functions of a machine, in words; empty if nothing is."""
    names = ("potential", "friction", "temperature")
    functions = samples.potential, samples.friction, samples.temperature
    for name, values in zip(names, functions, strict=True):
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            x = terrain.place(*bad[0].tolist())
            return f"`{name}` is {values[tuple(bad[0])]} near x = {x:.6g}; it must be a finite number everywhere."
    for name, values in zip(names[1:], functions[1:], strict=True):
        bad = np.argwhere(values <= 0)
        if len(bad):
            x = terrain.place(*bad[0].tolist())
            return f"`{name}` must be positive everywhere, but is {values[tuple(bad[0])]:g} near x = {x:.6g}."
    if tide is not None and not np.isfinite(tide.heights).all():
        bad = np.argwhere(~np.isfinite(tide.heights))[0]
        x = terrain.place(*bad[1:].tolist())
        return f"`potential` is not a finite number near x = {x:.6g} at some phase of the drives."
    if isinstance(tide, Pieces):
        from . import pieces

        in_time = pieces.roughness_in_time(tide, terrain)
        part = int(np.argmax(in_time))
        if in_time[part] > ROUGH:
            start, stop = tide.borders[part : part + 2]
            return (
                f"`drives` jump, have a kink or change too fast between {start:.6g} and {stop:.6g} of the period (to "
                f"{in_time[part]:.0e}); let `borders()` of the drive name the places."
            )
    if isinstance(tide, Tide) and tide.missed[0] > ROUGH:
        return (
            f"what `drives` move jumps, has a kink or changes too fast near the phase {tide.missed[1]:.6g} (to "
            f"{tide.missed[0]:.0e}); let `borders()` of the drive name the places, or write it as `Steps` or `Samples`."
        )
    rough, x = roughness(terrain, tide)
    if rough > ROUGH:
        return (
            f"a function of the position is not smooth near x = {x:.6g}, or too narrow there for the panels (to "
            f"{rough:.0e}): a step of friction or temperature is written as `Steps`, a kink or a step of the potential "
            "must be rounded off."
        )
    return ""
