"""Texts that a user types for a machine's parameters: `level=-5`, `left.temperature=4.2 K`, `level=-6:6:101`."""

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import numpy as np

from . import paths
from ._attributes import LONGEST
from ._checks import InputError, nearest
from .machine_files.kinds import made_again
from .units import to_number

A = TypeVar("A")

MOST_POINTS = 100_000_000
"""Points of a sweep that is kept in memory."""


def grid_axis(machine: Any, text: str, unit: str | None) -> tuple[str, np.ndarray]:
    """A parameter and its values, from `PATH=START:STOP:N` or `PATH=START:STOP:N:log`; of one value that is START."""
    path, parts = _split("--over", text, (3, 4), "PATH=START:STOP:N or PATH=START:STOP:N:log")
    start, stop = _ends("--over", machine, path, parts[:2], unit)
    try:
        count = int(parts[2])
    except ValueError:
        count = 0
    if not 1 <= count <= MOST_POINTS:
        raise InputError(f"`--over {path}`: N must be an integer from 1 to {MOST_POINTS:,}, but is `{parts[2]}`.")
    if start == stop and count > 1:
        raise InputError(f"`--over {path}`: START and STOP must differ, but both are {start:g}.")
    if parts[3:] not in ([], ["log"]):
        raise InputError(f"`--over {path}`: after N only `log` can stand, but there is `{parts[3]}`.")
    if not parts[3:]:
        return paths.plain(machine, path), np.linspace(start, stop, count)
    if not np.sign(start) * np.sign(stop) > 0:
        raise InputError(f"`--over {path}`: equal ratios need ends of one sign, but they are {start:g} and {stop:g}.")
    return paths.plain(machine, path), np.geomspace(start, stop, count)


def interval(machine: Any, text: str, unit: str | None) -> tuple[str, tuple[float, float]]:
    """A parameter and its bounds, from `PATH=START:STOP`."""
    path, parts = _split("--over", text, (2,), "PATH=START:STOP")
    start, stop = _ends("--over", machine, path, parts, unit)
    return paths.plain(machine, path), (start, stop)


def condition(text: str) -> tuple[str, tuple[float | None, float | None]]:
    """A quantity of the solution and its bounds, from `QUANTITY=LOW:HIGH`, one of which may be left out."""
    name, parts = _split("--subject-to", text, (2,), "QUANTITY=LOW:HIGH (one of which may be left out)")
    argument = f"--subject-to {name}"
    low, high = (to_number(part, dimension="", argument=argument) if part else None for part in parts)
    return name, (low, high)


def once(option: str, pairs: Iterable[tuple[str, A]]) -> dict[str, A]:
    """Pairs by their names, each of which must be given once."""
    found: dict[str, A] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(f"`{option}` must give each name once, but gives `{name}` again.")
        found[name] = value
    return found


def check_apart(machine: Any, over: Iterable[str], settings: Iterable[str]) -> None:
    """Raise `InputError` if a parameter that `--over` moves is also set: its value would have no effect."""
    moved = set(over)
    for setting in settings:
        path = paths.plain(machine, setting.partition("=")[0].strip())
        if path in moved:
            raise InputError(
                f"`--set` gives `{path}`, but `--over` moves it, so that this value would count nowhere; "
                "leave out one of the two."
            )


def _split(option: str, text: str, lengths: tuple[int, ...], form: str) -> tuple[str, list[str]]:
    path, equals, rest = (part.strip() for part in text.partition("="))
    parts = [part.strip() for part in rest.split(":")]
    if not equals or not path or len(parts) not in lengths:
        raise InputError(f"`{option}` must be {form}, but is `{text}`.")
    return path, parts


def _ends(option: str, machine: Any, path: str, parts: Sequence[str], unit: str | None) -> tuple[float, float]:
    check_number(option, machine, path)
    dimension = paths.dimension(machine, path)
    start, stop = (to_number(part, dimension=dimension, unit=unit, argument=f"{option} {path}") for part in parts)
    if not math.isfinite(stop - start):
        raise InputError(f"`{option} {path}`: {start:g} and {stop:g} are too far apart for floating-point numbers.")
    return start, stop


def check_number(option: str, machine: Any, path: str) -> None:
    """A path holds one number (or a list, which `paths` refuses later)."""
    if eqx.is_array(paths.get(machine, path)):
        return
    known = paths.numbers(machine)
    below = [name for name in known if name.startswith((f"{path}.", f"{path}["))]
    hint = f" Set what it has: {', '.join(f'`{name}`' for name in below)}." if below else nearest(path, known)
    raise InputError(f"`{option}`: `{path}` is not a number.{hint}")


def configured(machine: Any, settings: Sequence[str], unit: str | None) -> Any:
    """The machine with parameters set from texts `PATH=VALUE`, checked by its constructors."""
    done = set()
    for setting in settings:
        path, equals, value = (part.strip() for part in setting.partition("="))
        known = paths.numbers(machine)
        if not equals or not path:
            (closest,) = difflib.get_close_matches(path[:LONGEST], known, n=1, cutoff=0.0)
            example = np.ravel(known[closest])[0]
            raise InputError(f"`--set` must be PATH=VALUE, such as `{closest}={example:g}`, but is `{setting}`.")
        check_number("--set", machine, path)
        path = paths.plain(machine, path)
        if path in done:
            raise InputError(f"`--set` must give each parameter once, but gives `{path}` again (`{value}`).")
        done.add(path)
        number = to_number(value, dimension=paths.dimension(machine, path), unit=unit, argument=path)
        machine = paths.replace(machine, path, number)
    return made_again(machine)
