"""What modules that are given to users have in common: how they print, and what a wrong attribute is told."""

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Mapping
from typing import Any

from . import show

MOST_LISTED = 24
"""Names that a message lists if none is near."""


@functools.cache
def _public(kind: Any) -> tuple[str, ...]:
    """The names that a user may read on an object: fields, properties and methods."""
    names = {*dir(kind), *(field.name for field in dataclasses.fields(kind))}
    return tuple(sorted(name for name in names if not name.startswith("_")))


class _Unknown(AttributeError):
    """The nearest name is looked for when somebody reads the message: libraries ask for many names and read none."""

    def __init__(self, kind: type, name: str, in_brackets: bool):
        super().__init__(kind, name, in_brackets)

    def __reduce__(self) -> Any:
        return AttributeError, (str(self),)

    def __str__(self) -> str:
        kind, name, in_brackets = self.args
        if in_brackets:
            return f"names stand in brackets here: write `[{name!r}]` instead of `.{name}`."
        known = _public(kind)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        more = ", …" if len(known) > MOST_LISTED else ""
        hint = f"Did you mean `{close[0]}`?" if close else f"It has: {', '.join(known[:MOST_LISTED])}{more}."
        return f"{kind.__name__} has no `{name}`. {hint}"


# Tracebacks show what it is to a user.
_Unknown.__name__ = _Unknown.__qualname__ = "AttributeError"
_Unknown.__module__ = "builtins"


class Spoken:
    """A base for immutable modules that are given to users, which stands before `eqx.Module`.

    They print with their numbers. An attribute that is not there is told the nearest name, and one that is set, how to
    make another module instead.

    >>> import coldspot as cs
    >>> cs.machines.QuantumDot().levle
    Traceback (most recent call last):
    AttributeError: QuantumDot has no `levle`. Did you mean `level`?
    >>> cs.HeatBath(1.0).temperature = 2.0
    Traceback (most recent call last):
    dataclasses.FrozenInstanceError: HeatBath does not change: `temperature` cannot be set. Make another one: \
`dataclasses.replace(heat_bath, temperature=…)`.
    """

    def __getattr__(self, name: str) -> Any:
        kind = type(self)
        if not name.startswith("_") and dataclasses.is_dataclass(kind):
            if name in _public(kind):
                # A property that has failed for want of another attribute: it says so again.
                return object.__getattribute__(self, name)
            raise _Unknown(kind, name, isinstance(self, Mapping) and name in self)
        raise AttributeError(f"{kind.__name__} has no `{name}`.")

    def __repr__(self) -> str:
        return show.module(self)

    def _repr_html_(self) -> str:
        return show.box(type(self).__name__, show.tree(self))

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except dataclasses.FrozenInstanceError:
            raise dataclasses.FrozenInstanceError(_unchanging(self, name)) from None


def _unchanging(module: Any, name: str) -> str:
    kind = type(module)
    known = [field.name for field in dataclasses.fields(kind)]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        return f"{kind.__name__} has no `{name}`, and cannot be given one.{hint}"
    start = f"{kind.__name__} does not change: `{name}` cannot be set."
    if not hasattr(kind, "rules"):
        return f"{start} It is a result."
    takes = list(inspect.signature(kind).parameters)
    if name not in takes:
        return f"{start} It follows from what it was made of."
    if set(known) <= set(takes):
        called = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("_")
        return f"{start} Make another one: `dataclasses.replace({called}, {name}=…)`."
    return f"{start} Make another one: `{kind.__name__}({name}=…, …)`."
