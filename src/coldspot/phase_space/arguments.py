"""What the constructor of a Klein–Kramers problem is given, and what is refused in words."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import tracing
from .._checks import InputError, Rule, as_float, check_shape, unknown_name
from ..compiler import plainly
from ..drives import Cosine, Drive, Steps, jump_of
from ..pytrees import Table, opened
from ..show import array as show
from .boundaries import Open, Periodic
from .landscape import SEAM

OWNER = "KleinKramers"
MOST_RATES = 50


def is_function(profile: Any) -> bool:
    return callable(profile) and not isinstance(profile, Steps)


class _Values(dict):
    """The drives' values as a potential sees them: a wrong name is told the right ones."""

    def __missing__(self, name: str) -> Any:
        raise unknown_name(OWNER, "drive", str(name), self)


def check_scalar(argument: str, function: Callable[..., Any], *values: Table) -> None:
    of = "the position x and of the drives' values {name: λ}" if values else "the position x"
    what = f"{OWNER}: `{argument}` must be a function of {of}"
    if isinstance(function, Steps):
        raise InputError(f"{what}, but is {function!r}; a step of it must be rounded off, say by `jnp.tanh`.")
    tracing.check_takes(what, function, jnp.zeros(()), *values)
    shape = tracing.shape_of(what, lambda x, *v: function(x, *map(_Values, v)), jnp.zeros(()), *values)
    if shape != ():
        raise InputError(
            f"{OWNER}: `{argument}` must return one number for one position, but returns something of shape {shape}."
        )


def check_drives(drives: Table, frequency: Array | None, boundary: Any) -> None:
    if bool(drives) != (frequency is not None):
        given, other = ("drives", "frequency") if drives else ("frequency", "drives")
        raise InputError(f"{OWNER}: `{given}` is given, but `{other}` is missing.")
    if frequency is not None:
        check_shape(OWNER, "frequency", frequency, (), "one number")
    if "load" in drives and isinstance(boundary, Periodic):
        raise InputError(f"{OWNER}: `drives` names `load`, which is the force of the boundary.")


def check_borders(verb: str, drives: Table, last: float | None) -> None:
    """Refuse drives that jump between phase 0 and `last`, or anywhere, where their `borders` do not say so."""
    for name, drive in drives.items():
        jump = None if drive.borders().size else jump_of(drive, last)
        if jump is not None:
            raise InputError(
                f"{verb}: `drives[{name!r}]` jumps at the phase {jump:.6g}, which its `borders()` do not name; write "
                "them, or give it as `Steps`."
            )


def check_followers(drives: Table, boundary: Any, start: Any, transient: Any) -> None:
    """Refuse trajectories of what follows one another through open ends, at rates that drives change; and a time that

    is not averaged, from a start on.
    """
    if start is not None and transient is not None:
        raise InputError("trajectories: `start` and `transient` exclude each other: from a start all is averaged.")
    if drives and isinstance(boundary, Open):
        raise InputError(
            "trajectories: with Open ends particles follow each other, in a potential at rest, but drives move that of "
            f"the {OWNER}; `steady_state` and `evolve` find the density."
        )


def check_count(count: Any) -> None:
    """How many relaxation rates are asked for."""
    if not isinstance(count, int) or not 1 <= count <= MOST_RATES:
        raise InputError(f"{OWNER}: `count` must be an integer from 1 to {MOST_RATES}, but is {count!r}.")


def known(array: Any) -> np.ndarray:
    """An array as NumPy's."""
    if isinstance(array, jax.core.Tracer):
        raise InputError(
            f"{OWNER}: rates and profiles are not traceable by JAX, so that it has no derivatives of them; take "
            "differences, with a small `tolerance`."
        )
    return np.asarray(array)


def profile_of(argument: str, value: Any) -> Any:
    """A number, steps, or a function of x."""
    if isinstance(value, Steps):
        return value
    if isinstance(value, Drive):
        raise InputError(
            f"{OWNER}: `{argument}` must be a number, Steps or a function of the position, but is {value!r}."
        )
    if callable(value):
        check_scalar(argument, value)
        return opened(value)
    number = as_float(value, f"{OWNER}: `{argument}`")
    check_shape(OWNER, argument, number, (), "one number; Steps(values, shares) for several")
    return number


def positive(argument: str, value: Any) -> Iterator[Rule]:
    if is_function(value):
        return
    xp, numbers = plainly(value.values if isinstance(value, Steps) else value)
    yield Rule(
        xp.all((numbers > 0) & xp.isfinite(numbers)),
        lambda: f"`{argument}` must be positive and finite, but is {show(numbers)}.",
    )


def constant(value: Array) -> Cosine:
    return Cosine(jnp.zeros_like(value), mean=value)


def domain(boundary: Any) -> tuple[Array, Array]:
    if isinstance(boundary, Periodic):
        return boundary.start, boundary.length
    return boundary.start, boundary.stop - boundary.start


def turned(potential: Callable[[Array], Array], x: np.ndarray, boundary: Any) -> str:
    """Words on a potential that is not the same after one turn, looked at in places x."""
    start, length = (float(a) for a in domain(boundary))
    here, there = np.asarray(jax.vmap(potential)(jnp.concatenate([x, x + length]))).reshape(2, -1)
    k = int(np.argmax(abs(here - there)))
    return (
        f"`potential` must be the same after one turn of {length:g}, but V({x[k]:g}) = {here[k]:g} and "
        f"V({x[k] + length:g}) = {there[k]:g}; a constant slope is the `load`, and what is meant for one turn "
        f"alone is to be taken at {start:g} + (x - ({start:g})) % {length:g}."
    )


def apart(argument: str, profile: Any, samples: np.ndarray, boundary: Any) -> str:
    """Words on friction or temperature that differ between the ends of a ring; empty if they do not."""
    if not is_function(profile):
        return ""
    start, length = domain(boundary)
    first, last = (float(profile(end)) for end in (start, start + length))
    if not abs(first - last) > SEAM * np.abs(samples).max():
        return ""
    return (
        f"`{argument}` must be the same at both ends of a ring, which are one place, but is {first:.9g} at "
        f"x = {float(start):g} and {last:.9g} at x = {float(start + length):g}; a step of it is written as `Steps`."
    )
