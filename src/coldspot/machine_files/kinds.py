"""Which classes a file may name, and what the constructor of a class takes.

Nothing here knows a bath, a drive or a kinetics by name: what is a subclass of `equinox.Module` and stands at the top
of a module can be written and read.
"""

import functools
import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx

from .._checks import InputError, nearest
from ..dynamics import Dynamics, Machine
from ..pytrees import HOME, Closure

PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
"""An import path, `package.module:name`."""


# --------------------------------------------------------------------------- names of classes


def _subclasses(kind: type[eqx.Module]) -> Iterator[type[eqx.Module]]:
    child: type[eqx.Module]
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def known(base: Any = eqx.Module) -> dict[str, type]:
    """Coldspot's own classes below `base` that can be made, by name."""
    return {
        kind.__name__: kind
        for kind in _subclasses(base)
        if kind.__module__.partition(".")[0] == HOME
        and not kind.__name__.startswith("_")
        and not inspect.isabstract(kind)
        and _found(kind.__module__, kind.__qualname__) is kind
    }


def machine_names() -> dict[str, type]:
    """Ready-made machines by their name on the command line."""
    return {kind.name: kind for kind in known(Machine).values()}  # type: ignore[attr-defined]


@functools.cache
def class_name(kind: type) -> str:
    """How a file names a class: the bare name of one of coldspot's, an import path otherwise."""
    return kind.__name__ if known().get(kind.__name__) is kind else import_path(kind, f"the class {kind.__name__}")


def class_of(name: str, base: Any, folder: Path | None) -> type:
    """The class that a file names, which must be below `base`."""
    found = imported(name, folder) if ":" in name else _own(name, base)
    if found is None:
        raise InputError(f"there is no {_word(base)} `{name}`.{nearest(name, known(base))}")
    if not (isinstance(found, type) and issubclass(found, base)) or inspect.isabstract(found):
        raise InputError(f"`{name}` must be a {_word(base)} that can be made, but is {found!r}.")
    return found


@functools.cache
def _own(name: str, base: Any) -> type | None:
    return known(base).get(name)


def _word(base: Any) -> str:
    return {eqx.Module: "type", Machine: "machine", Dynamics: "network"}.get(base, base.__name__)


# --------------------------------------------------------------------------- import paths


def _found(module: str, name: str) -> Any:
    """What stands at a place, or None."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def import_path(thing: Any, words: str) -> str:
    """`module:name` of a function or a class; what has none is refused in words."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    is_lambda = name is not None and name.endswith("<lambda>")
    if not module or not name or is_lambda or (module != "__main__" and _found(module, name) is not thing):
        raise InputError(
            f"{words} cannot be named in a file: it must stand under its own name at the top of a module "
            "(a lambda and a function within a function do not). Write it into a file `laws.py` beside this one as "
            "`def law(…): …`, then `from laws import law`, and give `law`; numbers that it needs can be fields of an "
            "eqx.Module. Drives (`Cosine`, `Fourier`, `Steps`, …), `jump.LinearEnergies` and `Ohmic` need no function."
        )
    if module == "__main__":
        raise InputError(
            f"{words} belongs to the script that runs; put it into a module, which files can name: write it into a "
            f"file `laws.py` beside the script, then `from laws import {name.partition('.')[0]}`."
        )
    return f"{module}:{name}"


def imported(path: str, folder: Path | None) -> Any:
    """What stands at an import path; modules beside the file are found, too, after all installed ones."""
    if PATH.fullmatch(path) is None:
        raise InputError(f"`{path}` must be an import path, such as `package.module:name`.")
    module, _, name = path.partition(":")
    with _beside(folder):
        try:
            found: Any = importlib.import_module(module)
        except (Exception, SystemExit) as error:  # a script may end the program
            why = "it ends the program" if isinstance(error, SystemExit) else _first_line(error)
            raise InputError(f"`{path}`: the module `{module}` cannot be imported: {why}") from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(f"`{path}`: the module `{module}` has no `{name}`.{nearest(name, _public(found))}")
        found = getattr(found, part)
    return found


def function_of(path: str, folder: Path | None) -> Callable[..., Any]:
    """The function at an import path: one that is written in Python or made by JAX, no class."""
    found = imported(path, folder)
    if not callable(found) or isinstance(found, type | types.BuiltinFunctionType):
        raise InputError(f"`{path}` must be a function written in Python, but is {found!r}.")
    return found


@contextmanager
def _beside(folder: Path | None) -> Iterator[None]:
    if folder is None:
        yield
        return
    place = str(folder.resolve())
    sys.path.append(place)
    try:
        yield
    finally:
        sys.path.remove(place)


def _public(found: Any) -> list[str]:
    return [name for name in dir(found) if not name.startswith("_")]


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


# --------------------------------------------------------------------------- what constructors take


class Argument(NamedTuple):
    """An argument of a constructor: what its annotation says, its default, the dimension of its number.

    `bare`: it is a field that takes arrays as they are, and so must be given one.
    """

    hint: Any
    default: Any
    dimension: str | None
    bare: bool

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@functools.cache
def constructor(kind: type) -> dict[str, Argument]:
    """The arguments of a class, by name."""
    # A constructor of one's own often takes `Any` and converts it; the field then says more.
    hints = _hints(kind) | {n: h for n, h in _hints(kind.__init__).items() if h is not Any}  # type: ignore[misc]
    fields = getattr(kind, "__dataclass_fields__", {})
    found = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        metadata = fields[name].metadata if name in fields else {}
        bare = name in fields and not metadata.get("static", False) and "converter" not in metadata
        found[name] = Argument(hints.get(name, Any), parameter.default, metadata.get("dimension"), bare)
    return found


def _hints(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing)
    except Exception:  # names that only a type checker sees
        return {}


def arguments(node: eqx.Module) -> dict[str, Any]:
    """What the constructor of an object takes to make it again.

    A class whose constructor takes other things than its fields says by a method `arguments()` what they are.
    """
    own = getattr(node, "arguments", None)
    if callable(own):
        return own()
    found = {}
    for name in constructor(type(node)):
        if not hasattr(node, name):
            raise InputError(
                f"{type(node).__name__} cannot be saved: its constructor takes `{name}`, which is no attribute; give "
                "the class a method `arguments()` that returns what the constructor takes."
            )
        found[name] = getattr(node, name)
    return found


def made_again(node: Any, path: str = "") -> Any:
    """An object and all that is in it, from their constructors, whose checks then see every number."""
    if isinstance(node, Closure) or not isinstance(node, eqx.Module | list | tuple | Mapping):
        return node
    if isinstance(node, Mapping):
        return {name: made_again(part, f"{path}.{name}".lstrip(".")) for name, part in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(made_again(part, f"{path}[{k}]") for k, part in enumerate(node))
    given = {name: made_again(part, f"{path}.{name}".lstrip(".")) for name, part in arguments(node).items()}
    try:
        return type(node)(**given)
    except InputError as error:
        raise InputError(f"`{path}`: {error}" if path else str(error)) from None


# --------------------------------------------------------------------------- what annotations say


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the hint alone."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(member for part in typing.get_args(hint) for member in alternatives(part))
    return (hint,)


def implied(hint: Any) -> type | None:
    """The class of an object that need not name it, since nothing else can stand here."""
    made = modules(hint)
    return made[0] if len(made) == 1 and not inspect.isabstract(made[0]) else None


def modules(hint: Any) -> list[Any]:
    """The classes of objects, mappings aside, that may stand here."""
    kinds = [kind for kind in alternatives(hint) if isinstance(kind, type) and issubclass(kind, eqx.Module)]
    return [kind for kind in kinds if not issubclass(kind, Mapping)]


def base_of(hint: Any) -> Any:
    """The class below which the class of an object here must be; any, where a function may stand, too."""
    made = modules(hint)
    free = any(_origin(kind) is Callable for kind in alternatives(hint))
    return made[0] if len(made) == 1 and not free else eqx.Module


def is_mapping(hint: Any) -> bool:
    return any(_origin(kind) is not None and issubclass(_origin(kind), Mapping) for kind in alternatives(hint))


def _origin(kind: Any) -> Any:
    found = typing.get_origin(kind) or kind
    return found if isinstance(found, type) else None


def entry(hint: Any) -> Any:
    """What annotations say of the values of a mapping."""
    for kind in alternatives(hint):
        if is_mapping(kind) and len(typing.get_args(kind)) == 2:
            return typing.get_args(kind)[1]
    return Any


def element(hint: Any, k: int) -> Any:
    """What annotations say of entry k of a list."""
    for kind in alternatives(hint):
        origin, parts = _origin(kind), typing.get_args(kind)
        if origin is not None and issubclass(origin, Sequence) and parts:
            if origin is tuple and Ellipsis not in parts:
                return parts[k] if k < len(parts) else Any
            return parts[0]
    return Any


def is_tuple(hint: Any) -> bool:
    return any(_origin(kind) is tuple for kind in alternatives(hint))
