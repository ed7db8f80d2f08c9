"""Text of TOML files: how it is written, and in which line a key stands.

Python reads TOML itself, but neither writes it nor says where a key was.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+")
Place = tuple[str | int, ...]


# --------------------------------------------------------------------------- writing


def text(document: Mapping[str, Any]) -> str:
    """A document whose tables hold mappings (as dotted keys), objects with a `type` (inline) and lists."""
    lines = [f"{key(name)} = {inline(part)}" for name, part in document.items() if not isinstance(part, Mapping)]
    for name, part in document.items():
        if isinstance(part, Mapping):
            lines += ["", f"[{key(name)}]"]
            lines += [line for entry, value in part.items() for line in _lines(key(entry), value)]
    return "\n".join(lines) + "\n"


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) and value and not _is_object(value):
        return [line for entry, part in value.items() for line in _lines(f"{name}.{key(entry)}", part)]
    if isinstance(value, Sequence) and value and isinstance(value[0], Mapping | list):
        return [f"{name} = [", *(f"    {inline(part)}," for part in value), "]"]
    return [f"{name} = {inline(value)}"]


def _is_object(value: Mapping[str, Any]) -> bool:
    """An object, a function or complex numbers: what stands together."""
    return bool({"type", "function", "real"} & value.keys())


def inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(name)} = {inline(part)}" for name, part in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(inline, value)) + "]"
    return repr(value)


def key(name: str) -> str:
    return name if BARE.fullmatch(name) else inline(name)


# --------------------------------------------------------------------------- lines


def line_of(source: str, place: Place) -> int | None:
    """The line (from 1) in which a key of a valid document stands, or the nearest one above it."""
    found = lines(source)
    while place and place not in found:
        place = place[:-1]
    return found.get(place)


def lines(source: str) -> dict[Place, int]:
    """The line of every key and of every entry of a list; a quoted dotted key stands for its steps, too."""
    rows = source.splitlines()
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    k = 0
    while k < len(rows):
        row = rows[k].strip()
        if row.startswith("["):
            table = _header(row, counts)
            found.setdefault(table, k + 1)
        elif row and not row.startswith("#"):
            end = _end(rows, k)
            for place, line in _statement(rows[k:end], k + 1):
                found.setdefault(table + place, line)
                steps = tuple(part for step in place for part in (step.split(".") if isinstance(step, str) else [step]))
                found.setdefault(table + steps, line)
            k = end - 1
        k += 1
    return found


def _header(row: str, counts: dict[Place, int]) -> Place:
    """The place of the table that a header opens."""
    node: Any = tomllib.loads(row)
    names: list[str] = []
    while isinstance(node, dict) and node:
        (name,) = node
        names.append(name)
        node = node[name]
    many = isinstance(node, list)
    place: Place = ()
    for depth, name in enumerate(names):
        place = (*place, name)
        if many and depth == len(names) - 1:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _end(rows: Sequence[str], start: int) -> int:
    """The row after a statement that begins at `start`: the first one with which it can be read."""
    for end in range(start + 1, len(rows) + 1):
        try:
            tomllib.loads("\n".join(rows[start:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return start + 1


def _statement(rows: Sequence[str], first: int) -> list[tuple[Place, int]]:
    try:
        found = list(_places(tomllib.loads("\n".join(rows)), ()))
    except tomllib.TOMLDecodeError:
        return []
    own = _own_rows(rows)
    at = {}
    for place in found:
        index = next((step for step in place if isinstance(step, int)), None)
        at[place] = first if index is None or index >= len(own) else first + own[index]
    return list(at.items())


def _own_rows(rows: Sequence[str]) -> list[int]:
    """Of a list with whole entries in each row, the row of every entry; else nothing."""
    found: list[int] = []
    for k, row in enumerate(rows[1:-1], start=1):
        try:
            found += [k] * len(tomllib.loads(f"row = [{row.strip()}]")["row"])
        except tomllib.TOMLDecodeError:
            return []
    return found


def _places(node: Any, place: Place) -> list[Place]:
    children: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        children = list(node.items())
    elif isinstance(node, list) and any(isinstance(part, dict | list | str) for part in node):
        children = list(enumerate(node))
    found = [place] if place else []
    for step, child in children:
        found += _places(child, (*place, step))
    return found
