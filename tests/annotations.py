"""How annotations are checked in tests: by beartype, an int being as good as a float.

It is what `jaxtyping.jaxtyped` does, in a way that costs little while JAX traces. What checks a function is made when
it is first called, once for all functions of the same code (those in others are defined again at every call of these);
the result alone is checked after the call; and one frame stands between caller and function, for JAX notes them all.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from types import CodeType
from typing import Any

import jaxtyping
import typer
from beartype import BeartypeConf, FrozenDict, beartype

_checked_by_beartype = beartype(
    conf=BeartypeConf(
        is_pep484_tower=True,
        # Typer asks for an annotation that the object which it then hands over does not have.
        hint_overrides=FrozenDict({typer.Context: object}),
    )
)
_SIZES = jaxtyping.jaxtyped("context")
"""Within it, axes of one name have one length."""

_Checks = tuple[Callable[..., Any], Callable[[Any], Any]]
_checks: dict[tuple[CodeType, str, str], _Checks] = {}


def jaxtyped(thing: Any = None, *, typechecker: Any = None) -> Any:
    """A function whose annotations are checked at each call; of a dataclass, its `__init__`."""
    if thing is None:
        return jaxtyped
    if not inspect.isclass(thing):
        return _checking(thing) if getattr(thing, "__annotations__", None) else thing
    if dataclasses.is_dataclass(thing) and not hasattr(thing.__init__, "checks_annotations"):
        thing.__init__ = _checking(thing.__init__)
    return thing


def _checking(function: Any) -> Any:
    # Codes are equal where defaults differ, those of `__init__` of two dataclasses with the same fields, too.
    key = function.__code__, function.__module__, function.__qualname__

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        __tracebackhide__ = True
        if jaxtyping.config.jaxtyping_disable:
            return function(*args, **keywords)
        if key not in _checks:
            _checks[key] = _made(function)
        given, returned = _checks[key]
        with _SIZES:
            given(*args, **keywords)
            result = function(*args, **keywords)
            returned(result)
        return result

    call.checks_annotations = True  # type: ignore[attr-defined]
    return call


def _made(function: Any) -> _Checks:
    """What checks arguments, and what checks a result."""
    signature = inspect.signature(function)
    hints = {name: _resolved(p.annotation, function) for name, p in signature.parameters.items()}
    parameters = [
        p.replace(annotation=p.empty, default=p.default if p.default is p.empty else None)
        for p in signature.parameters.values()
    ]
    bare = signature.replace(parameters=parameters, return_annotation=signature.empty)
    return _stub(str(bare), hints, function), _stub(
        "(result)", {"result": _resolved(signature.return_annotation, function)}, function
    )


def _stub(parameters: str, hints: dict[str, Any], function: Any) -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec(f"def stub{parameters}: pass", scope)
    stub = scope["stub"]
    stub.__annotations__ = {name: hint for name, hint in hints.items() if hint is not Any}
    stub.__module__, stub.__qualname__, stub.__name__ = function.__module__, function.__qualname__, function.__name__
    return _checked_by_beartype(stub)


def _resolved(annotation: Any, function: Any) -> Any:
    """An annotation, read where it is written down as text; Any where it names what is not known there."""
    if annotation is inspect.Signature.empty:
        return Any

    def holder() -> None: ...

    holder.__annotations__ = {"value": annotation}
    try:
        return typing.get_type_hints(holder, function.__globals__, include_extras=True)["value"]
    except NameError:
        return Any
