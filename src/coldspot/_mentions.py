"""What code and classes say by themselves: names that are read from outside, slots, and what belongs to libraries."""

import dis
import functools
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
CAPTURED = ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")
Chain = tuple[str, ...]
"""Attributes read one after the other: `settings.dot.gap` reads ("dot", "gap") of `settings`."""


class Mentions(NamedTuple):
    """What a function's code mentions, with the code nested in it.

    - `names`, `captured`: global names and captured variables that it reads, each with its chains of attributes;
    - `attributes`: names of all attributes that it reads, of anything;
    - `rebound`: names outside itself that it sets; `imports`: modules that it imports.
    """

    names: Mapping[str, frozenset[Chain]]
    captured: Mapping[str, frozenset[Chain]]
    attributes: frozenset[str]
    rebound: frozenset[str]
    imports: frozenset[str]


@functools.lru_cache(maxsize=4096)
def mentions(code: types.CodeType) -> Mentions:
    """What a code object mentions.

    >>> found = mentions((lambda x: dis.opmap["NOP"] + len(x)).__code__)
    >>> sorted(found.names), found.names["dis"]
    (['dis', 'len'], frozenset({('opmap',)}))
    """
    names: dict[str, set[Chain]] = {}
    captured: dict[str, set[Chain]] = {}
    attributes, rebound, imports, codes = set(), set(), set(), [code]
    for one in codes:
        codes.extend(c for c in one.co_consts if isinstance(c, types.CodeType))
        instructions = list(dis.get_instructions(one))
        for k, step in enumerate(instructions):
            if step.opname in GLOBAL:
                names.setdefault(step.argval, set()).add(_chain(instructions[k + 1 :]))
            elif step.opname in CAPTURED:
                captured.setdefault(step.argval, set()).add(_chain(instructions[k + 1 :]))
            elif step.opname in ATTRIBUTE or step.opname == "IMPORT_FROM":
                attributes.add(step.argval)
            elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") or (
                step.opname in ("STORE_DEREF", "DELETE_DEREF") and step.argval in code.co_freevars
            ):
                rebound.add(step.argval)
            elif step.opname == "IMPORT_NAME":
                imports.add(step.argval or ".")
    return Mentions(
        {name: frozenset(chains) for name, chains in names.items()},
        {name: frozenset(chains) for name, chains in captured.items()},
        frozenset(attributes),
        frozenset(rebound),
        frozenset(imports),
    )


def _chain(after: list[dis.Instruction]) -> Chain:
    chain = []
    for step in after:
        if step.opname not in ATTRIBUTE:
            break
        chain.append(step.argval)
    return tuple(chain)


LIBRARIES = frozenset({
    __name__.partition(".")[0], "equinox", "jax", "jaxlib", "jaxtyping", "matplotlib", "numpy", "pandas", "pint",
    "scipy", "xarray",
})  # fmt: skip
"""Libraries wherever they lie, in a folder of their developers, too."""


@functools.lru_cache(maxsize=1024)
def _installed(root: str) -> bool:
    if root in LIBRARIES or root in sys.stdlib_module_names or root in sys.builtin_module_names:
        return True
    module = None if root in ("__main__", "__mp_main__") else sys.modules.get(root)  # a library may run it
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    parts = [set(Path(place).parts) for place in places]
    return any(part & {"site-packages", "dist-packages"} for part in parts)


def installed(module: Any) -> bool:
    """Whether a module's name is that of an installed library: its content does not change while a program runs.

    >>> installed("numpy.linalg"), installed("__main__")
    (True, False)
    """
    return isinstance(module, str) and _installed(module.partition(".")[0])


def of_library(function: Any) -> bool:
    """Whether a library has a callable under its name: then nothing of the user is inside."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or not installed(module):
        return False
    return getattr(sys.modules.get(module), name, None) is function


def name_of(function: Any) -> str:
    """What an error calls a function, or an object that is called."""
    return getattr(function, "__name__", None) or type(function).__name__


def a_or_an(value: Any) -> str:
    """What kind of thing a value is: "an Iterator"."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def slots(kind: type) -> tuple[str, ...]:
    """The attributes that a class keeps in slots."""
    found = vars(kind).get("__slots__", ())
    names = (found,) if isinstance(found, str) else tuple(found)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def is_slot(entry: Any) -> bool:
    """Whether an entry of a class is what stands for a slot there."""
    return isinstance(entry, types.MemberDescriptorType | types.GetSetDescriptorType)


def generated(base: type, name: str, from_text: bool) -> bool:
    """Whether a method was written by `dataclass`."""
    return from_text and name.startswith("__") and "__dataclass_params__" in vars(base)
