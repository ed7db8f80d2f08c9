"""What is told of wrong names: attributes and arguments; and how modules that are given to users print."""

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import show

MOST_LISTED = 24
"""Names that a message lists if none is near."""
LONGEST = 200
"""What is compared of a name: comparing takes time with the square of its length."""


SYMBOLS = {
    **dict.fromkeys(("T", "kT"), ("temperature",)),
    **dict.fromkeys(("mu", "μ"), ("chemical_potential",)),
    **dict.fromkeys(("eps", "epsilon", "ε"), ("level", "energy", "levels", "energies")),
    **dict.fromkeys(("omega", "Omega", "ω", "Ω"), ("frequency",)),
    **dict.fromkeys(("m",), ("mass",)),
    **dict.fromkeys(("U",), ("interaction", "charging")),
    **dict.fromkeys(("S",), ("seebeck",)),
    **dict.fromkeys(("G",), ("conductance",)),
    **dict.fromkeys(("kappa", "κ"), ("thermal_conductance",)),
    **dict.fromkeys(("ZT", "zT"), ("figure_of_merit",)),
    **dict.fromkeys(("sigma", "σ"), ("entropy_production",)),
    **dict.fromkeys(("P",), ("power",)),
    **dict.fromkeys(("eta", "η"), ("efficiency",)),
}
"""What somebody may mean who writes a symbol of the field."""


def closest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that somebody meant who wrote `name`, in whatever case or as a symbol; None if none is near.

    >>> closest("T", ["temperature", "chemical_potential"])
    'temperature'
    """
    names = list(valid)
    for meant in SYMBOLS.get(name, ()):
        if meant in names:
            return meant
    name = name[:LONGEST]
    exact = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    folded = {valid.casefold(): valid for valid in reversed(names)}
    near = exact or [folded[found] for found in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)]
    return near[0] if near else None


def listed(name: str, valid: Iterable[str], most: int) -> str:
    """Valid names; of more than `most` those that are most like `name`, the likeliest first.

    >>> listed("flow", ["a", "b", "entropy_flow", "c", "flag"], 2)
    'entropy_flow, flag, …'
    """
    names, name = list(valid), name[:LONGEST]
    if len(names) <= most:
        return ", ".join(names)

    def unlike(other: str) -> tuple[bool, float]:
        inside = name.casefold() in other.casefold() or other.casefold() in name.casefold()
        return not inside, -difflib.SequenceMatcher(None, name.casefold(), other.casefold()).ratio()

    return ", ".join(sorted(names, key=unlike)[:most]) + ", …"


def misfit(owner: str, function: Any, values: tuple[Any, ...], named: Mapping[str, Any]) -> str:
    """What is wrong with the arguments of a call, in words; "" if they fit.

    >>> misfit("half", lambda x, *, whole=False: x / 2, (), {"hole": True})
    'half: there is no argument `hole`. Did you mean `whole`? Valid: x, whole.'
    >>> misfit("half", lambda x, *, whole=False: x / 2, (), {})
    'half: the argument `x` is missing. It takes: x, whole.'
    """
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls")]
    values = values[len(inspect.signature(function).parameters) - len(parameters) :]
    kind = inspect.Parameter
    ordered = [p.name for p in parameters if p.kind in (kind.POSITIONAL_ONLY, kind.POSITIONAL_OR_KEYWORD)]
    by_name = [p.name for p in parameters if p.kind in (kind.POSITIONAL_OR_KEYWORD, kind.KEYWORD_ONLY)]
    kinds = {p.kind for p in parameters}
    wrong = [name for name in named if name not in by_name and kind.VAR_KEYWORD not in kinds]
    if wrong:
        near = closest(wrong[0], by_name)
        hint = f" Did you mean `{near}`?" if near else ""
        return f"{owner}: there is no argument `{wrong[0]}`.{hint} Valid: {', '.join(by_name) or 'none'}."
    if len(values) > len(ordered) and kind.VAR_POSITIONAL not in kinds:
        rest = ", ".join(name for name in by_name if name not in ordered)
        return (
            f"{owner}: in order it takes {', '.join(ordered) or 'nothing'}{f' and by name {rest}' if rest else ''}, "
            f"but {len(values)} value{'s were' if len(values) > 1 else ' was'} given in order."
        )
    given = ordered[: len(values)]
    twice = [name for name in given if name in named]
    if twice:
        return f"{owner}: the argument `{twice[0]}` is given twice."
    there = {*given, *named}
    missing = [p.name for p in parameters if p.default is kind.empty and p.name in {*ordered, *by_name} - there]
    return f"{owner}: the argument `{missing[0]}` is missing. It takes: {', '.join(by_name)}." if missing else ""


def again_words(kind: Any) -> str:
    """What is wrong with `dataclasses.replace` of a module, in words; "" if its constructor takes what it keeps."""
    takes = list(inspect.signature(kind).parameters)
    kept = [field.name for field in dataclasses.fields(kind) if field.init and field.name not in takes]
    if not kept:
        return ""
    return (
        f"{kind.__name__}: `dataclasses.replace` is for ready-made machines and others that keep what they were made "
        f"of, but this keeps `{kept[0]}`; build it anew: {kind.__name__}({', '.join(takes)})."
    )


def told(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module of users, which tells the nearest of its names."""
    known = tuple(names)

    def missing(name: str) -> Any:
        # Libraries ask modules for many private names and read no answer.
        close = None if name.startswith("_") else closest(name, known)
        hint = f" Did you mean `{close}`?" if close else ""
        raise unnamed(f"{module} has no `{name}`.{hint}", name)

    return missing


def unnamed(words: str, name: str) -> AttributeError:
    """The error of a module that has no such name, to which Python adds no guess of its own: `words` have one."""
    return AttributeError(words, name=name, obj=None)


@functools.cache
def _public(kind: Any) -> tuple[str, ...]:
    """The names that a user may read on an object: fields, properties and methods."""
    names = {*dir(kind), *(field.name for field in dataclasses.fields(kind))}
    return tuple(sorted(name for name in names if not name.startswith("_")))


class _Unknown(AttributeError):
    """The nearest name is looked for when somebody reads the message: libraries ask for many names and read none."""

    def __init__(self, kind: type, name: str, in_brackets: bool):
        # Python looks for a guess of its own in `obj`.
        super().__init__(kind, name, in_brackets, name=name, obj=None)

    def __reduce__(self) -> Any:
        return AttributeError, (str(self),)

    def __str__(self) -> str:
        kind, name, in_brackets = self.args
        if in_brackets:
            return f"names stand in brackets here: write `[{name!r}]` instead of `.{name}`."
        known = _public(kind)
        close = closest(name, known)
        hint = f"Did you mean `{close}`?" if close else f"It has: {listed(name, known, MOST_LISTED)}."
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
        close = closest(name, known)
        hint = f" Did you mean `{close}`?" if close else ""
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
