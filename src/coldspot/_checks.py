"""Argument checks and their wording, and the conversions that every constructor uses.

An error message names the argument, the value it was given, what was expected and,
for names, the nearest valid one. Values that JAX is tracing cannot be looked at: they are
let through here and judged by the status of the solution instead.
"""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

if TYPE_CHECKING:
    # Fields convert what they are given, so that type checkers must let plain numbers pass.
    Scalar: TypeAlias = Any
    Vector: TypeAlias = Any
    Numbers: TypeAlias = Any
    Values: TypeAlias = Any
else:
    Scalar = Float[Array, ""]
    Vector = Float[Array, "_"]
    Numbers = Float[Array, "..."]
    Values = Array | np.ndarray | np.generic


class InputError(ValueError):
    """A value or a name that coldspot cannot use; the message says which and what was expected."""


def as_float(value: Any) -> Array:
    """Convert numbers, lists and arrays of any real type to a float64 JAX array."""
    if isinstance(value, jax.Array):
        if jnp.iscomplexobj(value):
            raise InputError(f"a real number was expected, but got the complex array {value!r}.")
        return value.astype(jnp.float64)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "bifu":
            raise TypeError
    except (TypeError, ValueError):
        raise InputError(f"a real number or an array of them was expected, but got {value!r}.") from None
    return jnp.asarray(array, dtype=jnp.float64)


def float_or_function(value: Any) -> Any:
    """As `as_float`, but a function (of the drives' values) passes through unchanged."""
    return value if callable(value) else as_float(value)


def concrete(value: Any) -> np.ndarray | None:
    """The numbers in `value`, or None while JAX is tracing it."""
    if isinstance(value, jax.core.Tracer):
        return None
    return np.asarray(value)


def check_finite(owner: str, argument: str, value: Any) -> None:
    numbers = concrete(value)
    if numbers is not None and not np.all(np.isfinite(numbers)):
        raise InputError(f"{owner}: `{argument}` must be finite, but is {_show(numbers)}.")


def check_positive(owner: str, argument: str, value: Any) -> None:
    numbers = concrete(value)
    if numbers is not None and not (np.all(np.isfinite(numbers)) and np.all(numbers > 0)):
        raise InputError(f"{owner}: `{argument}` must be positive and finite, but is {_show(numbers)}.")


def check_share(owner: str, argument: str, value: Any, ends: bool = True) -> None:
    """A share lies from 0 to 1, or strictly between them if the `ends` are excluded."""
    numbers = concrete(value)
    if numbers is None:
        return
    inside = (numbers >= 0) & (numbers <= 1) if ends else (numbers > 0) & (numbers < 1)
    if not np.all(inside):
        where = "from 0 to 1" if ends else "strictly between 0 and 1"
        raise InputError(f"{owner}: `{argument}` must lie {where}, but is {_show(numbers)}.")


def check_shape(owner: str, argument: str, value: Any, shape: tuple[int, ...], what: str) -> None:
    actual = np.shape(value)
    if actual != shape:
        raise InputError(f"{owner}: `{argument}` must have shape {shape} ({what}), but has shape {actual}.")


def check_numbers(owner: Any, *names: str) -> None:
    """Each field of `owner` named must hold one number."""
    for name in names:
        check_shape(type(owner).__name__, name, getattr(owner, name), (), "one number")
        check_finite(type(owner).__name__, name, getattr(owner, name))


def check_type(owner: str, argument: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise InputError(f"{owner}: `{argument}` must be {_article(kind.__name__)}, but is {value!r}.")


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of an error message: the nearest valid name and all of them if they are few."""
    names = list(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    listed = ", ".join(names) if len(names) <= 16 else ", ".join(names[:16]) + ", …"
    return f"{hint} Valid: {listed or 'none'}."


def unknown_name(owner: str, kind: str, name: str, valid: Iterable[str]) -> InputError:
    return InputError(f"{owner}: there is no {kind} `{name}`.{nearest(name, valid)}")


def _show(numbers: np.ndarray) -> str:
    return f"{numbers.item():g}" if numbers.size == 1 else np.array2string(numbers, threshold=8)
