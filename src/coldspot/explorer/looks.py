"""What the page shows for one setting of the sliders: the point, the map around it, curves through it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import regimes
from .._checks import InputError
from ..command_text import in_si
from ..dataset import to_dataset
from ..dynamics import TOLERANCE, explained
from ..figures.borders import grid_of, pixels, refined
from ..figures.flows import flows_of
from ..figures.regions import COLOURS
from ..solution import Solution, Status, plain
from ..style import bath_colours
from .batches import ROUGHLY, Batches, at
from .sliders import Axis

GRIDS = (11, 21, 31, 51, 101)
"""Points of a map along each axis; the largest that is quick enough is taken."""
LIVE, PATIENT = 0.1, 2.5
"""Seconds of calculation while a slider moves, and when it rests."""
CURVE = 101
"""Points of a curve, or as many as the map has along an axis while a slider moves."""
PIXELS = 400
DIGITS = 6
"""Of numbers beside the map."""


def axis(name: str, given: Any, numbers: Mapping[str, float]) -> Axis:
    """An axis from what the page sends, checked."""
    if not isinstance(given, Mapping) or given.get("path") not in numbers:
        raise InputError(f"`{name}` must be an axis with the `path` of a number, but is {given!r}.")
    try:
        low, high = float(given["low"]), float(given["high"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"`{name}`: `low` and `high` must be numbers, but it is {dict(given)!r}.") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"`{name}`: `{given['path']}` must go from low to high, but is {low:g} to {high:g}.")
    log = bool(given.get("log"))
    if log and low <= 0:
        raise InputError(f"`{name}`: equal ratios need positive ends, but `{given['path']}` begins at {low:g}.")
    return Axis(given["path"], low, high, log)


def grid_size(batches: Batches, live: bool) -> int:
    """Points along each axis of a map that is quick enough."""
    if not batches.together:
        return GRIDS[0]
    allowed = LIVE if live else PATIENT
    return max((n for n in GRIDS if n * n * batches.seconds <= allowed), default=GRIDS[0])


def look(
    batches: Batches,
    values: Mapping[str, float],
    x: Axis,
    y: Axis,
    *,
    live: bool = False,
    everything: bool = False,
    unit: str | None = None,
) -> dict[str, Any]:
    """The point, the map over x and y, and curves along both through the point, from one batch.

    Machines that are slow show the point alone unless `everything` is wanted, and so does the first look while a slider
    moves, for which no program for many points has been compiled yet (`pending`). `digits` are those of the point: of
    machines that are solved one by one fewer while a slider moves.
    """
    tolerance = ROUGHLY if live and not batches.together else TOLERANCE

    def alone() -> dict[str, Any]:
        found = point(batches, values, at(batches.alone(values, tolerance), 0), unit)
        return {"point": found, "digits": round(min(DIGITS, -math.log10(tolerance)))}

    if live and not batches.prepared:
        return {**alone(), "map": None, "curves": [], "seconds": 0.0, "pending": True}
    batches.prepare(values)
    n = grid_size(batches, live)
    m = n if live or not batches.together else CURVE
    seconds = (n * n + 2 * m) * batches.seconds
    if not batches.together and not everything:
        return {**alone(), "map": None, "curves": [], "seconds": seconds}
    ys, xs = (a.ravel() for a in np.meshgrid(y.points(n), x.points(n), indexing="ij"))
    along = {name: np.full(n * n + 2 * m + 1, values[name]) for name in (x.path, y.path)}
    along[x.path][: n * n], along[x.path][n * n : n * n + m] = xs, x.points(m)
    along[y.path][: n * n], along[y.path][n * n + m : n * n + 2 * m] = ys, y.points(m)
    solution = batches.solved(values, along)
    here = {"point": point(batches, values, at(solution, -1), unit), "digits": DIGITS} if batches.together else alone()
    return {
        **here,
        "map": chart(at(solution, slice(0, n * n)), x, y, n),
        "curves": [curves(at(solution, slice(n * n + k * m, n * n + (k + 1) * m)), a, m) for k, a in enumerate((x, y))],
        "seconds": seconds,
    }


# --------------------------------------------------------------------------- one point


def point(batches: Batches, values: Mapping[str, float], s: Solution, unit: str | None) -> dict[str, Any]:
    """A solution for the page: numbers by name, what they are in SI units, flows to draw, words on what is wrong."""
    status = Status(int(s.status))
    found: dict[str, Any] = {"status": status.name, "words": "", "record": s.record(), "flows": [], "baths": []}
    if status is not Status.OK:
        found["words"] = _failure(batches, values, status)
    colours = bath_colours(np.asarray(s.temperatures)) if s.baths else []
    for k, name in enumerate(s.baths):
        found["baths"].append(
            {
                "name": name,
                "colour": colours[k],
                "kind": s.kinds[k],
                "temperature": plain(s.temperatures[k]),
                "chemical_potential": plain(s.chemical_potentials[k]) if _carries(s.kinds[k]) else None,
            }
        )
    if status is Status.OK and s.baths:
        found["flows"] = [
            {"words": words, "rate": rate, "colour": colour} for words, (rate, colour) in flows_of(s).items()
        ]
        found["bound"] = _bound(s)
    if unit is not None and s.baths:
        found["si"] = _si(s, unit)
    found["cautions"] = [
        f"{n}: {regimes.CAUTIONS[n]}" for n in s.cautions if bool(s.cautions[n]) and n in regimes.CAUTIONS
    ]
    found["residuals"] = plain(s.residuals)
    found["observables"] = plain(s.observables)
    return found


def _failure(batches: Batches, values: Mapping[str, float], status: Status) -> str:
    """Why there is no trustworthy solution, in words."""
    try:
        machine = batches.subject.made(values)
        return explained(machine, status) or status.advice
    except InputError as error:  # what constructors refuse, a batch marks
        return str(error)


def _carries(kind: str) -> bool:
    return kind in ("electron", "particle")


def _bound(s: Solution) -> dict[str, Any] | None:
    """Carnot's bound beside the COP or the efficiency between two constant temperatures."""
    temperatures = np.unique(np.asarray(s.temperatures))
    if len(temperatures) != 2 or not all(s.steady_baths):
        return None
    cold, hot = map(float, temperatures)
    return {"cop": cold / (hot - cold), "efficiency": 1 - cold / hot}


def _si(s: Solution, unit: str) -> dict[str, Any]:
    """The ledger in SI units with prefixes."""
    electrons = [b for b, kind in zip(s.baths, s.kinds, strict=True) if kind == "electron"]
    return {
        "temperature": {b: in_si(t, "E/k_B", unit) for b, t in zip(s.baths, s.temperatures, strict=True)},
        "heat": {b: in_si(s.heat[b], "E**2/hbar", unit) for b in s.baths},
        "current": {b: in_si(s.current[b], "e*E/hbar", unit) for b in electrons},
        "work": {d: in_si(s.work[d], "E**2/hbar", unit) for d in s.drives},
        "work_in": in_si(s.work_in, "E**2/hbar", unit),
        "entropy_production": in_si(s.entropy_production, "k_B*E/hbar", unit),
    }


# --------------------------------------------------------------------------- many points


def chart(s: Solution, x: Axis, y: Axis, n: int) -> dict[str, Any] | None:
    """Regimes over two parameters as runs of pixels, row by row from below; None if there are no regimes."""
    if not s.baths or x.path == y.path:
        return None
    # Places stand for values, which may lie too near to each other for a grid.
    places = np.arange(n, dtype=float)
    grid = grid_of(to_dataset(s, {"y": places, "x": places}, {"y": n, "x": n}, {}))
    rows = pixels(places, PIXELS)
    codes = refined(grid, rows, rows)
    present = np.unique(codes)
    return {
        "size": len(rows),
        "points": n,
        "runs": runs(codes),
        "names": {int(c): regimes.NAMES[c] for c in present},
        "colours": {int(c): COLOURS[regimes.NAMES[c]] for c in present},
        "trusted": int(np.sum(np.asarray(s.status) == 0)),
    }


def runs(codes: np.ndarray) -> list[int]:
    """[code, length, code, length, …] of an array, row by row.

    >>> runs(np.array([[1, 1], [1, 0]]))
    [1, 3, 0, 1]
    """
    flat = codes.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    return np.stack([flat[starts], lengths], axis=1).ravel().tolist()


def curves(s: Solution, x: Axis, n: int) -> dict[str, Any]:
    """Quantities along one parameter, in groups of one unit; None where a point cannot be trusted."""
    trusted = np.asarray(s.status) == 0

    def line(values: Any) -> list[float | None]:
        return plain(np.where(trusted, np.asarray(values, float), np.nan))

    groups: dict[str, Any] = {}
    if s.baths:
        groups["heat"] = {b: line(s.heat[b]) for b in s.baths}
        groups["work"] = {"work in": line(s.work_in)} | {d: line(s.work[d]) for d in s.drives}
        carrying = [b for b, kind in zip(s.baths, s.kinds, strict=True) if _carries(kind)]
        if carrying:
            groups["particles"] = {b: line(s.particles[b]) for b in carrying}
        groups["entropy production"] = {"entropy production": line(s.entropy_production)}
        groups["COP, efficiency"] = {"COP": line(s.cop), "efficiency": line(s.efficiency)}
    if s.modes is not None:
        for name in ("frequencies", "dampings"):
            values = np.asarray(getattr(s.modes, name))
            groups[f"mode {name}"] = {f"mode {k + 1}": line(values[:, k]) for k in range(values.shape[1])}
        groups["mode overlap"] = {"overlap": line(s.modes.overlap)}
    return {"path": x.path, "log": x.log, "x": x.points(n).tolist(), "groups": groups}
