"""From plain data back to machines and networks, by the constructors of their classes."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from .. import paths
from .._attributes import LONGEST
from .._checks import InputError, as_float, nearest
from ..dynamics import Dynamics, Machine
from ..units import check_energy_unit, to_number
from .kinds import (
    Argument,
    arguments,
    base_of,
    class_of,
    constructor,
    element,
    entry,
    function_of,
    implied,
    is_mapping,
    is_tuple,
    known,
    machine_names,
    modules,
)
from .toml import Place, line_of

HEAD = ("machine", "network", "unit", "parameters")
_SITES = re.compile(r"-?\d+(,-?\d+)+")


class Fault(Exception):
    """What is wrong with a document, and where."""

    def __init__(self, place: Place, message: str):
        super().__init__(message)
        self.place, self.message = place, message


class Content(NamedTuple):
    """What a file holds: a machine or a network, and the energy of its numbers."""

    machine: Any
    unit: str | None


class _Reader(NamedTuple):
    """What all parts of a document share: the energy of its numbers, the folder of modules beside it."""

    unit: str | None
    folder: Path | None


def from_text(source: str, name: str, folder: Path | None = None) -> Content:
    """The content of the text of a machine file; `name` is what errors call it."""
    try:
        found = tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{name}: not TOML: {error}") from None
    try:
        try:
            return content(found, folder)
        except Fault as fault:
            line = line_of(source, fault.place)
            raise InputError(f"{name}{'' if line is None else f', line {line}'}: {fault.message}") from None
    except RecursionError:  # what is nested deeply may be too deep for the search of its line, too
        raise InputError(f"{name}: tables are nested too deeply.") from None


def content(document: Mapping[str, Any], folder: Path | None = None) -> Content:
    """The machine that a document describes; raises `Fault`."""
    for name in document:
        if name not in HEAD:
            raise Fault((name,), f"there is no key `{name}` at the top.{nearest(name, HEAD)}")
    kinds = [name for name in ("machine", "network") if name in document]
    if len(kinds) != 1:
        both = "gives both" if kinds else "gives neither"
        raise Fault((kinds[-1],) if kinds else (), f"must give `machine` or `network` at the top, but {both}.")
    unit = document.get("unit")
    if unit is not None:
        if not isinstance(unit, str):
            raise Fault(("unit",), f'`unit` must be the name of an energy, such as "meV", but is {unit!r}.')
        try:
            check_energy_unit(unit, "unit")
        except InputError as error:
            raise Fault(("unit",), str(error)) from None
    parameters = document.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise Fault(("parameters",), f"`parameters` must be a table, `[parameters]`, but is {parameters!r}.")
    reader = _Reader(unit, folder)
    kind = _class(document[kinds[0]], kinds[0], reader)
    return Content(_whole(kind, parameters, reader), unit)


def _class(name: Any, key: str, reader: _Reader) -> type:
    if not isinstance(name, str):
        raise Fault((key,), f"`{key}` must be a name, but is {name!r}.")
    if key == "machine" and ":" not in name:
        names = machine_names()
        if name not in names:
            said = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
            raise Fault((key,), f"there is no machine `{said}`.{nearest(name, names)}")
        return names[name]
    try:
        return class_of(name, Machine if key == "machine" else Dynamics, reader.folder)
    except InputError as error:
        raise Fault((key,), f"`{key}`: {error}") from None


def _whole(kind: type, parameters: Mapping[str, Any], reader: _Reader) -> Any:
    """A machine from its parameters by dotted path, given as tables or as quoted keys."""
    takes = constructor(kind)
    tree: dict[str, Any] = {}
    entries: list[tuple[str, Any]] = []
    for name, value in parameters.items():
        if name in takes or not ("." in name or "[" in name):
            _put(tree, (name,), value, name)
        else:
            try:
                steps = paths.split(name)
            except InputError as error:
                raise Fault(("parameters", name), str(error)) from None
            if any(isinstance(step, int) for step in steps):
                entries.append((name, value))
            else:
                _put(tree, steps, value, name)
    made = _made(kind, tree, None, ("parameters",), reader)
    for name, value in entries:
        try:
            made = paths.replace(made, name, _number(value, paths.dimension(made, name), name, reader))
        except InputError as error:
            raise Fault(("parameters", name), str(error)) from None
    return _made(kind, {}, made, ("parameters",), reader) if entries else made


def _put(tree: dict[str, Any], steps: tuple[str | int, ...], value: Any, name: str) -> None:
    """A value into nested tables; a table is joined with one that is there."""
    node = tree
    for step in steps[:-1]:
        node = node.setdefault(str(step), {})
        if not isinstance(node, dict):
            raise Fault(("parameters", name), f"`{name}` is given twice.")
    last = str(steps[-1])
    if isinstance(value, Mapping) and isinstance(node.get(last), dict):
        for key, part in value.items():
            _put(node[last], (key,), part, f"{name}.{key}")
    elif last in node:
        raise Fault(("parameters", name), f"`{name}` is given twice.")
    else:
        node[last] = dict(value) if isinstance(value, Mapping) else value


def _made(kind: type, given: Mapping[str, Any], default: Any, at: Place, reader: _Reader) -> Any:
    """An object from the arguments of its constructor; those that are not given are taken from a default object."""
    takes = constructor(kind)
    found = {} if default is None else {n: v for n, v in arguments(default).items() if v is not None}
    for name, value in given.items():
        if name not in takes:
            raise Fault((*at, name), f"`{_words((*at, name))}`: {kind.__name__} has no `{name}`.{nearest(name, takes)}")
        found[name] = _argument(value, takes[name], found.get(name, takes[name].default), (*at, name), reader)
    for name, argument in takes.items():
        if name not in found and argument.required:
            where = _words(at)
            raise Fault(at, f"{f'`{where}`: ' if where else ''}{kind.__name__} needs `{name}`, which is missing.")
    try:
        return kind(**found)
    except InputError as error:
        raise Fault(_blamed(str(error), given, at), _prefixed(at, str(error))) from None
    except Exception as error:
        # The constructor met what its author had not thought of; whoever wrote the file needs no traceback.
        words = " ".join(str(error).split()[:40])
        raise Fault(at, _prefixed(at, f"{kind.__name__} cannot be made of this: {words}")) from None


def _blamed(message: str, given: Mapping[str, Any], at: Place) -> Place:
    """The place of the first argument that a message names."""
    for name in re.findall(r"`([^`]+)`", message):
        try:
            steps = paths.split(name)
        except InputError:
            continue
        if steps[0] in given:
            return (*at, *steps)
    return at


def _prefixed(at: Place, message: str) -> str:
    where = _words(at)
    return f"`{where}`: {message}" if where else message


def _words(at: Place) -> str:
    """A place as a path of the machine."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at[1:])
    return text.lstrip(".")


def _argument(value: Any, argument: Argument, default: Any, at: Place, reader: _Reader) -> Any:
    untyped = isinstance(value, Mapping) and not isinstance(value.get("type"), str) and "function" not in value
    if untyped and isinstance(default, eqx.Module) and not isinstance(default, Mapping):
        return _made(type(default), value, default, at, reader)
    if argument.dimension is not None:
        return _measured(value, argument, at, reader)
    found = _value(value, argument.hint, at, reader)
    return as_float(found) if argument.bare and _is_float(found) else found


def _is_float(value: Any) -> bool:
    """Whether a field's number, or all numbers of its list, were those of an array."""
    if isinstance(value, list):
        return bool(value) and all(map(_is_float, value))
    return isinstance(value, float)


def _measured(value: Any, argument: Argument, at: Place, reader: _Reader) -> Any:
    """A number, or lists of them, with units or without."""
    if isinstance(value, str):
        try:
            return _number(value, argument.dimension or "", _words(at), reader)
        except InputError as error:
            raise Fault(at, str(error)) from None
    if isinstance(value, list) and not _only_numbers(value):
        return [_measured(part, argument, (*at, k), reader) for k, part in enumerate(value)]
    return _value(value, argument.hint, at, reader)


def _number(value: Any, dimension: str, name: str, reader: _Reader) -> Any:
    if not isinstance(value, str):
        return value
    advice = 'write `unit = "meV"` at the top'
    return to_number(value, dimension=dimension, unit=reader.unit, argument=name, advice=advice)


def _only_numbers(value: list[Any]) -> bool:
    return all(type(part) in (int, float) for part in value)


def _value(value: Any, hint: Any, at: Place, reader: _Reader) -> Any:
    """A value as its annotation wants it."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        if _only_numbers(value):
            return tuple(value) if is_tuple(hint) else value
        parts = [_value(part, element(hint, k), (*at, k), reader) for k, part in enumerate(value)]
        return tuple(parts) if is_tuple(hint) else parts
    if isinstance(value, Mapping):
        return _table(value, hint, at, reader)
    raise Fault(at, f"`{_words(at)}` must be a number, a text, a list or a table, but is {value}.")


def _table(value: Mapping[str, Any], hint: Any, at: Place, reader: _Reader) -> Any:
    """An object, a function, complex numbers or a mapping."""
    try:
        if isinstance(value.get("type"), str):
            kind = class_of(value["type"], base_of(hint), reader.folder)
            return _made(kind, {k: v for k, v in value.items() if k != "type"}, None, at, reader)
        if isinstance(value.get("function"), str):
            if len(value) > 1:
                others = ", ".join(f"`{name}`" for name in value if name != "function")
                raise InputError(f"a function takes nothing beside its path, but here is {others}.")
            return function_of(value["function"], reader.folder)
    except InputError as error:
        key = "type" if isinstance(value.get("type"), str) else "function"
        raise Fault((*at, key), _prefixed(at, str(error))) from None
    if value.keys() == {"real", "imag"}:
        return _complex(value, at)
    only = implied(hint)
    if only is not None:
        return _made(only, value, None, at, reader)
    if not is_mapping(hint) and modules(hint):
        example = next(iter(known(modules(hint)[0])), "…")
        raise Fault(at, f'`{_words(at)}` needs a `type`, such as `type = "{example}"`.')
    return {_key(name): _value(part, entry(hint), (*at, name), reader) for name, part in value.items()}


def _complex(value: Mapping[str, Any], at: Place) -> Any:
    try:
        real, imag = np.asarray(value["real"], float), np.asarray(value["imag"], float)
        if real.shape != imag.shape:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise Fault(at, f"`{_words(at)}`: `real` and `imag` must be numbers of one shape.") from None
    return real + 1j * imag


def _key(name: str) -> Any:
    """Places `i,j` are pairs of indices."""
    return tuple(map(int, name.split(","))) if _SITES.fullmatch(name) else name
