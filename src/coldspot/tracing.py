"""Functions of the user that JAX traces: what goes wrong there is said in words, with the place and what to write.

A traced number stands for many values at once. NumPy, `math`, `float` and `if` need one value, and JAX refuses them.
"""

import linecache
import re
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import equinox
import jax
import numpy

from ._attributes import misfit
from ._checks import InputError, short
from .pytrees import Closure

ERRORS = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
)
"""What JAX raises where a traced number is used as a known one (`TracerBoolConversionError` is one of the last)."""
LIBRARIES = (str(Path(__file__).parent), *(str(Path(str(m.__file__)).parent) for m in (jax, equinox, numpy)))
"""Folders whose code is not the user's; nor is Python's own."""

NUMBERS = (bool, int, float, complex, numpy.number, numpy.bool_, numpy.ndarray, jax.Array)


class Untraceable(InputError):
    """A function that JAX cannot follow."""


def called(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """`function(…)`, where JAX's complaints about traced numbers become an `InputError` in words."""
    given = [*(value for value in arguments if isinstance(value, Mapping)), keywords]
    names = [name for values in given for name, value in values.items() if isinstance(value, jax.core.Tracer)]
    try:
        return function(*arguments, **keywords)
    except ERRORS as error:
        raise Untraceable(_words(error, names)) from None
    except (TypeError, ValueError) as error:
        if isinstance(error, TypeError):
            what = f"a function is called with {_given(arguments, keywords)}"
            check_takes(what, function, *arguments, **keywords)
        # Others complain of what they see: a thing called Tracer.
        if "Tracer" not in str(error) or "JAX traces" in str(error):
            raise
        raise Untraceable(_words(error, names)) from None


def check_takes(what: str, function: Callable[..., Any], *values: Any, **named: Any) -> None:
    """Refuse a function of the user that does not take these values; `what` begins the error.

    >>> check_takes("Lead: `function` must be a function of the energy", lambda: 0.1, 1.0)
    Traceback (most recent call last):
    coldspot._checks.InputError: Lead: `function` must be a function of the energy, but `<lambda>` in line 1 of \
<doctest coldspot.tracing.check_takes[0]>: in order it takes nothing, but 1 value was given in order.
    """
    if isinstance(function, Closure):
        function = function.plan.make(function.numbers)
    try:
        words = misfit(_named(function), function, values, named)
    except (TypeError, ValueError):  # Python knows no signature
        return
    if words:
        raise InputError(f"{what}, but {words}")


def _given(arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    shown = [f"{{{', '.join(f'{n}: …' for n in a)}}}" if isinstance(a, Mapping) else "a number" for a in arguments]
    return ", ".join([*shown, *(f"{name}=…" for name in keywords)])


def _named(function: Callable[..., Any]) -> str:
    name, code = getattr(function, "__name__", type(function).__name__), getattr(function, "__code__", None)
    return f"`{name}`" + (f" in line {code.co_firstlineno} of {Path(code.co_filename).name}" if code else "")


def shape_of(what: str, function: Callable[..., Any], *values: Any) -> tuple[int, ...]:
    """The shape of what a function of the user returns of these values, which is not computed; `what` begins errors.

    >>> import jax.numpy as jnp
    >>> shape_of("Trap: `force` must be a function f(x)", lambda x: -x, jnp.zeros(3))
    (3,)
    >>> shape_of("Trap: `force` must be a function f(x)", lambda x: "a", jnp.zeros(3))
    Traceback (most recent call last):
    coldspot._checks.InputError: Trap: `force` must be a function f(x) that returns numbers, but returns 'a'.
    """
    check_takes(what, function, *values)
    found: list[Any] = []

    def look(*traced: Any) -> None:
        found.append(function(*traced))

    try:
        called(jax.eval_shape, look, *values)
    except (TypeError, IndexError) as error:
        raise InputError(f"{what}, but: {error}") from error
    if not isinstance(found[0], NUMBERS):
        raise InputError(f"{what} that returns numbers, but returns {short(found[0])}.")
    return numpy.shape(found[0])


def _words(error: Exception, names: list[str]) -> str:
    function, place, code = _place(error.__traceback__)
    mentioned = [name for name in names if re.search(rf"\b{re.escape(name)}\b", code)] or names
    what = ", ".join(f"`{name}`" for name in mentioned) or "a number"
    shown = f": `{code}`" if code else ""
    return (
        f"{what} is traced by JAX (it stands for many values at once) and cannot be used as one known number in "
        f"`{function}`, {place}{shown}. {_remedy(error, code)}"
    )


def _place(trace: TracebackType | None) -> tuple[str, str, str]:
    """The innermost function of the user on the way to an error, its place, and the expression there."""
    own = [frame for frame in traceback.extract_tb(trace) if not _foreign(frame.filename)]
    if not own:
        return "the function", "in a place that is not known", ""
    frame = own[-1]
    number = frame.lineno or 0
    line = linecache.getline(frame.filename, number)
    if frame.end_lineno == number and frame.colno is not None:
        # Python counts bytes.
        line = line.encode()[frame.colno : frame.end_colno].decode(errors="replace")
    return frame.name, f"line {number} of {Path(frame.filename).name}", line.strip()


def _foreign(filename: str) -> bool:
    python = filename.startswith(sysconfig.get_path("stdlib")) and "site-packages" not in filename
    return python or filename.startswith((*LIBRARIES, "<frozen"))


def _remedy(error: Exception, code: str) -> str:
    """What to write instead."""
    if isinstance(error, jax.errors.TracerBoolConversionError):
        if re.search(r"\b(min|max)\(", code):
            return "Write `jnp.minimum` or `jnp.maximum` for `min` and `max` (`import jax.numpy as jnp`)."
        return "Write `jnp.where(condition, a, b)` for `if`, `and` and `or` (`import jax.numpy as jnp`)."
    if isinstance(error, jax.errors.TracerIntegerConversionError):
        return "Index a `jnp.array` with it (`import jax.numpy as jnp`), not a list."
    if not isinstance(error, ERRORS):
        return (
            "Look numbers up with `jnp.where` or in a `jnp.array`; what decides the size of a machine cannot be swept: "
            "solve one machine for each value."
        )
    found = re.search(r"\b(?:np|numpy|math)\.(\w+(?:\.\w+)*)", code)
    if found:
        return f"Write `jnp.{found[1]}` for `{found[0]}` (`import jax.numpy as jnp`)."
    converted = re.search(r"\b(float|int|bool|round)\(", code)
    if converted:
        return f"Leave out `{converted[1]}`, or use `jax.numpy`."
    return "Use the functions of `jax.numpy` (`jnp.array`, `jnp.exp`, …) instead."
