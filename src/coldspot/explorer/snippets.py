"""What is seen on the page as Python and as TOML."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import numpy as np

from .. import machines
from .._checks import InputError
from ..dynamics import Machine
from ..machine_files.document import as_text
from ..machine_files.kinds import arguments, constructor
from .sliders import Axis


def toml(machine: Any, unit: str | None) -> str:
    """The machine as a file; where it has no form in one, the words that say so, as a comment."""
    try:
        return as_text(machine, unit)
    except InputError as error:
        return f"# {error}\n"


def python(machine: Any, x: Axis, y: Axis, unit: str | None) -> str:
    """A script that makes the machine, its steady state and its map."""
    name = type(machine).__name__
    ready = isinstance(machine, Machine) and type(machine) in machines.ALL
    made = _call(machine, f"cs.machines.{name}") if ready else 'cs.load("machine.toml")'
    lines = [
        "import coldspot as cs",
        "import numpy as np",
        "",
        *([] if ready else ["# machine.toml holds the text under TOML."]),
        f"machine = {made}",
        "print(cs.steady_state(machine))",
        "",
    ]
    if x.path != y.path:
        given = "" if unit is None else f', unit="{unit}"'
        lines += [
            f"grid = {{{', '.join(f'{a.path!r}: {_values(a)}' for a in (y, x))}}}",
            f"ds = cs.sweep(machine, grid{given})",
            'cs.figures.regime_map(ds).figure.savefig("map.png")',
        ]
    return "\n".join(lines) + "\n"


def _values(a: Axis) -> str:
    return f"np.{'geomspace' if a.log else 'linspace'}({a.low!r}, {a.high!r}, 101)"


def _call(module: eqx.Module, name: str) -> str:
    """A constructor's call; arguments that have their default are left out."""
    given, takes = arguments(module), constructor(type(module))
    written = [
        f"{argument}={_literal(value)}"
        for argument, value in given.items()
        if takes[argument].required or not _same(value, takes[argument].default)
    ]
    return f"{name}({', '.join(written)})"


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, eqx.Module) or isinstance(default, eqx.Module):
        return bool(eqx.tree_equal(value, default))
    return bool(np.array_equal(value, default)) if default is not None else value is None


def _literal(value: Any) -> str:
    if isinstance(value, eqx.Module) and not isinstance(value, Mapping):
        return _call(value, f"cs.{type(value).__name__}")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str | bool) or value is None:
        return repr(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(np.asarray(value).tolist())
