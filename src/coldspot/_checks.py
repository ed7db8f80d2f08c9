"""Argument checks and their wording, and the conversions that every constructor uses.

An error message names the argument, the value it was given, what was expected and, for names, the nearest valid one.

What a module asks of its numbers stands in one list, its rules: a constructor raises at the first broken one, and a
batch marks the points that break one. Values that JAX is tracing cannot be looked at; they pass a constructor and are
judged in the batch.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ._attributes import LONGEST, Spoken, again_words, closest, listed, misfit
from .compiler import converted, placed, plainly, unwarned

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


Function = TypeVar("Function", bound=Callable[..., Any])


def worded(function: Function) -> Function:
    """A function of users: arguments that do not fit raise `InputError`, which names the nearest one that does.

    >>> @worded
    ... def half(x):
    ...     return x / 2
    >>> half(y=1.0)
    Traceback (most recent call last):
    coldspot._checks.InputError: half: there is no argument `y`. Valid: x.
    """

    @functools.wraps(function)
    def called(*values: Any, **named: Any) -> Any:
        try:
            return function(*values, **named)
        except TypeError:
            words = misfit(function.__qualname__, function, values, named)
            if words:
                raise InputError(words) from None
            raise

    return cast(Function, called)


_forked = False


def _mark_forked() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_forked)


def as_float(value: Any, argument: str | None = None) -> Array:
    """Convert numbers, lists (of traced numbers, too) and arrays of any real type to a float64 JAX array.

    `argument` is the name that errors give to the value.
    """
    if _forked:
        raise RuntimeError(
            "coldspot cannot work in a forked process: JAX's threads do not survive the fork, and the next call would "
            'hang. Start the processes with `multiprocessing.get_context("spawn")`.'
        )
    if isinstance(value, jax.Array):
        if jnp.iscomplexobj(value):
            raise _no_number(value, argument)
        return converted(value, jnp.float64)
    check_bare(value, argument)
    if isinstance(value, list | tuple) and any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
        try:
            return jnp.stack([as_float(entry, argument) for entry in value])
        except ValueError:
            raise _no_number(value, argument) from None
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "ifu":
            raise TypeError
    except (TypeError, ValueError, OverflowError, jax.errors.TracerArrayConversionError):
        raise _no_number(value, argument) from None
    return placed(array.astype(np.float64))


def check_bare(value: Any, argument: str | None = None) -> None:
    """Refuse numbers whose unit, or whose mask, NumPy would drop in silence."""
    kind = type(value)
    if kind is float or kind is int:
        return
    if isinstance(value, list | tuple):
        for entry in value:
            check_bare(entry, argument)
        return
    named, unit = argument or "a number", None
    # An xarray.DataArray holds its quantity; the `data` of an array of NumPy are bytes.
    inside = None if isinstance(value, np.ndarray) else getattr(value, "data", None)
    for held in (value, inside):
        unit = unit or (getattr(held, "units", None) if hasattr(held, "magnitude") else None)
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        unit = unit or getattr(value, "unit", getattr(value, "units", None))
    if unit is not None:
        raise InputError(
            f"{named} must be in units of one energy (k_B = ħ = e = 1), without a unit of its own, but is "
            f"{short(value)}; divide it by that energy (a temperature as k_B·T, a rate as ħ·rate)."
        )
    if isinstance(value, np.ma.MaskedArray) and np.any(np.ma.getmaskarray(value)):
        raise InputError(f"{named} must have no masked entries, but is {short(value)}; leave those out.")


def short(value: Any) -> str:
    """A value as an error shows it: not all digits of a huge one."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "an integer of too many digits"
    return text if len(text) <= 200 else f"{text[:200]}…"


def _no_number(value: Any, argument: str | None) -> InputError:
    named = "" if argument is None else f"{argument} must be "
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
        return InputError(
            f"{named or 'expected '}a real number or an array of them, made with `jax.numpy` from numbers that JAX "
            f"traces, but is {value!r}."
        )
    if named:
        hint = getattr(value, "instead", "")
        if isinstance(value, str) and value.strip()[:1] in "+-.0123456789" and value.strip():
            hint = " Divide it by one energy (k_B = ħ = e = 1); files and the command line read units."
        return InputError(f"{named}a real number or an array of them, but is {short(value)}.{hint}")
    return InputError(f"a real number or an array of them was expected, but got {short(value)}.")


def as_complex(value: Any) -> Array:
    """Numbers, lists and arrays, real or complex, as a complex128 array."""
    if isinstance(value, jax.Array):
        return converted(value, jnp.complex128)
    check_bare(value)
    if isinstance(value, list | tuple) and any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
        try:
            return jnp.stack([as_complex(entry) for entry in value])
        except ValueError:
            raise InputError(f"a number or an array of them was expected, but got {value!r}.") from None
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "bifuc":
            raise TypeError
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"a number or an array of them was expected, but got {short(value)}.") from None
    return placed(array.astype(np.complex128))


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


def check_shape(owner: str, argument: str, value: Any, shape: tuple[int, ...], what: str) -> None:
    actual = np.shape(value)
    if actual != shape:
        raise InputError(f"{owner}: `{argument}` must have shape {shape} ({what}), but has shape {actual}.")


def check_type(owner: str, argument: str, value: Any, kind: type) -> None:
    if isinstance(value, kind):
        return
    forms = ", ".join(sorted(_forms(kind)))
    wanted = _article(kind.__name__) + (f" ({forms})" if forms else "")
    got = f"the class {value.__name__}; make one: {value.__name__}(…)" if isinstance(value, type) else short(value)
    raise InputError(f"{owner}: `{argument}` must be {wanted}, but is {got}.")


def _forms(kind: type) -> set[str]:
    """The classes that coldspot's users choose from where a class of this kind is asked."""
    home = __name__.partition(".")[0]
    found: set[str] = set()
    below: type
    for below in type.__subclasses__(kind):
        if below.__module__.partition(".")[0] == home:
            found |= _forms(below) or {below.__name__}
    return {name for name in found if not name.startswith("_")}


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of an error message: the nearest valid name, and all of them or the likeliest."""
    names = list(valid)
    close = closest(name, names)
    hint = f" Did you mean `{close}`?" if close else ""
    return f"{hint} Valid: {listed(name, names, 16) or 'none'}.".replace("….", "…")


def unknown_name(owner: str, kind: str, name: str, valid: Iterable[str]) -> InputError:
    said = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
    return InputError(f"{owner}: there is no {kind} `{said}`.{nearest(name, valid)}")


def check_memory(words: str, needed: float, instead: str) -> None:
    """Refuse, before anything is allocated, what needs more bytes than the computer has.

    `words` say what needs them, `instead` what to do.
    """
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise InputError(
            f"{words} needs about {needed / 2**30:.3g} GiB, but there are {there / 2**30:.3g} GiB; {instead}"
        )


def _show(numbers: np.ndarray) -> str:
    return f"{numbers.item():g}" if numbers.size == 1 else np.array2string(numbers, threshold=8)


# --------------------------------------------------------------------------- one list of rules


class Rule(NamedTuple):
    """What must be true of a module's numbers: a boolean, known or traced, and the words that say what is wrong."""

    holds: Any
    words: Callable[..., str]


class Domain(NamedTuple):
    """Where a declared number may lie; see `parameter`."""

    positive: bool
    minimum: float | None
    maximum: float | None
    finite: bool
    shape: tuple[int, ...] | None

    @property
    def wanted(self) -> str:
        """In words: "must be positive and finite"."""
        if self.minimum is not None and self.maximum is not None:
            return f"must lie from {self.minimum:g} to {self.maximum:g}"
        words = ["positive"] if self.positive else []
        words += [] if self.minimum is None else ["not negative" if self.minimum == 0 else f"at least {self.minimum:g}"]
        words += [] if self.maximum is None else [f"at most {self.maximum:g}"]
        words += ["finite"] if self.finite else ["a number"]
        return "must be " + " and ".join(words)

    def holds(self, value: Any) -> Any:
        """Whether all numbers of a value lie in the domain."""
        xp, value = plainly(value)
        value = xp.asarray(value)
        good = xp.isfinite(value) if self.finite else ~xp.isnan(value)
        if self.positive:
            good &= value > 0
        if self.minimum is not None:
            good &= value >= self.minimum
        if self.maximum is not None:
            good &= value <= self.maximum
        return good.all()


class _Converter:
    """`as_float` for one field, whose name it learns when the class is made."""

    def __init__(self) -> None:
        self.argument: str | None = None

    def __call__(self, value: Any) -> Array:
        return as_float(value, self.argument)


class _NamedField(dataclasses.Field):
    """A field that tells its converter its name."""

    __slots__ = ()

    def __set_name__(self, owner: type, name: str) -> None:
        self.metadata["converter"].argument = f"{owner.__name__}: `{name}`"
        super().__set_name__(owner, name)  # type: ignore[misc]


@worded
def parameter(
    default: Any = dataclasses.MISSING,
    *,
    dimension: str = "dimensionless",
    positive: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    finite: bool = True,
    shape: tuple[int, ...] | None = (),
) -> Any:
    """Declare a number of a machine, a bath, a drive or a kinetics: a field that is converted to float64 and checked.

    **Arguments:**

    - `default`: the value if none is given;
    - `dimension`: which units the command line accepts: `"energy"`, `"potential"` (an energy that may be given as a
      voltage), `"temperature"`, `"rate"`, `"time"`, `"angle"` or `"dimensionless"` (k_B = ħ = e = 1, so that all are
      powers of one energy);
    - `positive`, `minimum`, `maximum`, `finite`: its domain. The constructor raises `InputError` outside it; a sweep
      marks the point `INVALID`;
    - `shape`: the shape of the array, `()` for one number, None for any.

    >>> import coldspot as cs
    >>> class Spring(cs.Drive):
    ...     stiffness: Array = cs.parameter(1.0, dimension="energy", positive=True)
    ...     def __call__(self, phase):
    ...         return self.stiffness * phase**2
    >>> Spring(stiffness=-1)
    Traceback (most recent call last):
    coldspot._checks.InputError: Spring: `stiffness` must be positive and finite, but is -1.
    """
    field = eqx.field(
        converter=_Converter(),
        default=default,
        metadata={"dimension": dimension, "domain": Domain(positive, minimum, maximum, finite, shape)},
    )
    field.__class__ = _NamedField
    return field


class _Worded(type(eqx.Module)):  # type: ignore[misc]
    """The same for classes, whatever makes their constructors."""

    def __call__(cls, *values: Any, **named: Any) -> Any:
        try:
            return super().__call__(*values, **named)
        except TypeError:
            # `dataclasses.replace` gives all fields.
            again = {field.name for field in dataclasses.fields(cls) if field.init} <= set(named)
            words = (again and again_words(cls)) or misfit(cls.__name__, cls, values, named)
            if words:
                raise InputError(words) from None
            raise


class Named(Spoken, eqx.Module, metaclass=_Worded):
    """A module whose constructor names the nearest argument if it is given one that it does not have."""


class Checked(Named):
    """A module whose declared numbers and `rules` are checked when it is made and, point by point, in batches.

    A field that is declared to be a checked module (`left: ElectronBath`) must be one.
    """

    def rules(self) -> Iterable[Rule]:
        """What must be true beyond the domains of the declared numbers."""
        return ()

    def __check_init__(self) -> None:
        owner = type(self).__name__
        for name, domain in _domains(self):
            if domain.shape is not None:
                what = "one number" if domain.shape == () else "the numbers it stands for"
                check_shape(owner, name, getattr(self, name), domain.shape, what)
        for field in dataclasses.fields(self):
            if isinstance(field.type, type) and issubclass(field.type, Checked):
                check_type(owner, field.name, getattr(self, field.name), field.type)
        words = broken(self)
        if words:
            raise InputError(f"{owner}: {words}")


def _domains(module: eqx.Module) -> Iterator[tuple[str, Domain]]:
    for field in dataclasses.fields(module):
        domain = field.metadata.get("domain")
        if domain is not None and getattr(module, field.name) is not None:
            yield field.name, domain


def _all_rules(module: Checked) -> Iterator[Rule]:
    for name, domain in _domains(module):
        yield Rule(domain.holds(getattr(module, name)), functools.partial(_outside, module, name, domain))
    yield from module.rules()


def _outside(module: Checked, name: str, domain: Domain) -> str:
    value = np.asarray(jax.lax.stop_gradient(getattr(module, name)))
    wanted = "must be finite" if domain.finite and not np.all(np.isfinite(value)) else domain.wanted
    return f"`{name}` {wanted}, but is {_show(value)}."


def broken(module: Checked) -> str:
    """The words of a module's first rule that is known to be broken; empty if there is none."""
    with unwarned():
        for rule in _all_rules(module):
            if (known := concrete(rule.holds)) is not None and not np.all(known):
                return rule.words()
    return ""


def _checked_below(tree: Any, path: str = "") -> Iterator[tuple[str, Checked]]:
    """All checked modules of a tree, with their places, from the outermost inwards."""
    if isinstance(tree, Checked):
        yield path, tree
    if isinstance(tree, Mapping):
        children = [(f".{name}", child) for name, child in tree.items()]
    elif isinstance(tree, eqx.Module):
        children = [
            (f".{f.name}", getattr(tree, f.name))
            for f in dataclasses.fields(tree)
            if not f.metadata.get("static", False)
        ]
    elif isinstance(tree, list | tuple):
        children = [(f"[{k}]", child) for k, child in enumerate(tree)]
    else:
        return
    for step, child in children:
        yield from _checked_below(child, path + step)


def valid(tree: Any) -> Array:
    """Whether all rules of all modules in a tree of one point hold: a boolean, to be mapped over batches."""
    good = jnp.asarray(True)
    for rule in rules_below(tree):
        good = good & jnp.all(jnp.asarray(rule.holds))
    return good


def rules_below(tree: Any) -> Iterator[Rule]:
    """All rules of all modules in a tree of one point, in the order in which `explain_invalid` looks at them."""
    for _, module in _checked_below(tree):
        yield from _all_rules(module)


def explain_invalid(tree: Any) -> str:
    """Where the first broken rule in a tree is, and its words; empty if none is known to be broken."""
    for path, module in _checked_below(tree):
        words = broken(module)
        if words:
            return f"`{path.lstrip('.')}`: {words}" if path else words
    return ""
