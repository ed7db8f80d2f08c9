"""Machines and networks as plain data: mappings, lists, numbers and texts."""

import inspect
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from .._checks import InputError
from ..dynamics import Dynamics, Machine
from ..pytrees import Closure, function_behind
from .kinds import (
    arguments,
    class_name,
    constructor,
    element,
    entry,
    implied,
    import_path,
    machine_names,
)


def document(machine: Any, unit: str | None = None) -> dict[str, Any]:
    """A machine or a network as the content of a file."""
    if not isinstance(machine, Machine | Dynamics):
        parts = [f"`.{name}`" for name in ("machine", "solution") if hasattr(machine, name)]
        raise InputError(
            "save: a machine or a network, results such as a solution, or the Dataset of a sweep can be saved, but "
            f"this is {type(machine).__name__}{'; save its ' + ' or '.join(parts) if parts else ''}."
        )
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(machine)):
        raise InputError("save: the machine has numbers that JAX traces; save it outside of `jit`, `vmap` and `grad`.")
    if isinstance(machine, Machine):
        kind = type(machine)
        ready = machine_names().get(machine.name) is kind
        head = {"machine": machine.name if ready else class_name(kind)}
    else:
        head = {"network": class_name(type(machine))}
    if unit is not None:
        head["unit"] = unit
    return {**head, "parameters": _parameters(machine, "")}


def _parameters(node: eqx.Module, at: str) -> dict[str, Any]:
    takes, found = constructor(type(node)), {}
    for name, given in arguments(node).items():
        argument, place = takes[name], f"{at}.{name}".lstrip(".")
        left_out = None if argument.required else argument.default
        if given is None or (isinstance(given, Mapping) and not given and not left_out):
            # TOML knows no null.
            if argument.required or (given is None and left_out is not None):
                raise InputError(f"save: `{place}` is None, which a file cannot say.")
            continue
        found[name] = _parameters(given, place) if _adjusts(given, left_out) else value(given, argument.hint, place)
    return found


def _adjusts(given: Any, default: Any) -> bool:
    """Whether an object can be told from the default one by its numbers: then it need not name its class."""
    if not isinstance(given, eqx.Module) or isinstance(given, Mapping | Closure) or type(given) is not type(default):
        return False
    others = arguments(default)
    return not any(part is None and others[name] is not None for name, part in arguments(given).items())


def value(given: Any, hint: Any, at: str) -> Any:
    """Anything that a constructor takes; `hint` says what it is expected to be, `at` where it stands."""
    if isinstance(given, bool | int | float | str):
        return given
    if isinstance(given, np.ndarray | np.generic | jax.Array):
        return _numbers(np.asarray(given), at)
    if isinstance(given, complex):
        return _numbers(np.asarray(given), at)
    if isinstance(given, Mapping):
        return {_key(name, at): value(part, entry(hint), f"{at}.{name}") for name, part in given.items()}
    if isinstance(given, list | tuple):
        return [value(part, element(hint, k), f"{at}[{k}]") for k, part in enumerate(given)]
    if isinstance(given, Closure):
        function = function_behind(given)
        if function is None:
            raise InputError(
                f"save: the function `{at}` has been given other numbers than those that it reads, which a file cannot "
                "say; make it an eqx.Module with these numbers as fields."
            )
        return _function(function, at)
    if isinstance(given, eqx.Module):
        kind = type(given)
        named = {} if implied(hint) is kind else {"type": _class(kind, at)}
        return {**named, **_parameters(given, at)}
    if callable(given):
        return _function(given, at)
    raise InputError(f"save: `{at}` is {type(given).__name__}, for which files have no form.")


def _class(kind: type, at: str) -> str:
    try:
        return class_name(kind)
    except InputError as error:
        raise InputError(f"save: `{at}`: {error}") from None


def _function(function: Any, at: str) -> dict[str, str]:
    name = getattr(function, "__name__", type(function).__name__)
    if inspect.isbuiltin(function):
        raise InputError(f"save: the function `{at}` must be written in Python, but is {function!r}.")
    try:
        return {"function": import_path(function, f"the function `{name}`")}
    except InputError as error:
        raise InputError(f"save: `{at}`: {error}") from None


def _numbers(array: np.ndarray, at: str) -> Any:
    if array.dtype.kind == "c":
        if not np.any(array.imag) and not np.any(np.signbit(array.imag)):
            return array.real.tolist()
        return {"real": array.real.tolist(), "imag": array.imag.tolist()}
    if array.dtype.kind not in "biuf":
        raise InputError(f"save: `{at}` must hold numbers, but holds {array.dtype}.")
    return array.tolist()


def _key(name: Any, at: str) -> str:
    """Names, and places (i, j) as `i,j`."""
    if isinstance(name, str):
        return name
    if isinstance(name, tuple) and name and all(isinstance(k, int) for k in name):
        return ",".join(map(str, name))
    raise InputError(f"save: `{at}` has the key {name!r}, which a file cannot say.")
