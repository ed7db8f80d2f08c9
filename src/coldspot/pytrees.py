"""Immutable mappings, and functions as PyTrees.

What a function reads from outside itself becomes part of the machine that holds it (see `captured`): its numbers are
leaves. So a function may use traced numbers, one that is defined anew with other numbers is not compiled again, and a
number that has changed since changes the answer.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from . import show
from ._attributes import Spoken
from ._mentions import installed, of_library
from ._plans import Mode, Plan
from .captured import WRAPPERS, read
from .compiler import is_staged, is_traced, preferences, with_room

HOME = __name__.partition(".")[0]


class Origin:
    """The function that a closure was read from, and the numbers that were found. It tells no two closures apart."""

    def __init__(self, function: Any = None, found: tuple[Any, ...] = ()):
        self.function, self.found = function, found

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin)

    def __repr__(self) -> str:
        return "…"


class Closure(eqx.Module):
    """A function, taken apart into the numbers that it reads (PyTree) and all the rest (static).

    Where it needs the value of a number that JAX traces (`if gap > 0`, `math.sqrt(gap)`), its numbers are kept fixed
    from then on: another value compiles another program.
    """

    numbers: tuple[Any, ...]
    plan: Plan = eqx.field(static=True)
    origin: Origin = eqx.field(static=True, repr=False)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        try:
            return self.plan.make(self.numbers)(*args, **keywords)
        except Exception as error:
            if self.plan.mode is Mode.FIXED or not self.numbers:
                raise
            if not _doors.asked:
                return self._with_values(error, args, keywords)
            if self.plan.mark not in _fixed:
                _fixed.add(self.plan.mark)
                _doors.asked[-1].add(self.plan.mark)
            elif not isinstance(error, _NumbersNeeded):
                raise
            raise _NumbersNeeded from error

    def __reduce__(self) -> Any:
        # To another process goes the function, to be read there: a plan knows things by their address.
        function = function_behind(self)
        return opened, (self.plan.make(self.numbers) if function is None else function,)

    def _with_values(self, error: Exception, args: Any, keywords: Any) -> Any:
        """The call with known numbers instead of arrays, which JAX traces inside its transformations."""
        if self.origin.function is None:
            raise error
        plan, numbers = read(self.origin.function, lambda _: Mode.FIXED)
        result = plan.make(numbers)(*args, **keywords)
        _fixed.add(self.plan.mark)
        return result


_fixed: set[Any] = set()
"""Functions that need the values of the numbers that they read."""


class _Doors(threading.local):
    """Of the compiled functions that are being called, the functions that asked for values, the innermost last."""

    def __init__(self) -> None:
        self.asked: list[set[Any]] = []


_doors = _Doors()


class _NumbersNeeded(Exception):
    """A function failed while its numbers were traced: it is to be tried with their values."""


def opened(function: Any) -> Any:
    """A function as a PyTree, with all that it reads; what is a PyTree already, or no function, stays as it is."""
    if not isinstance(function, WRAPPERS) and (not callable(function) or not jax.tree_util.all_leaves([function])):
        return function
    plan, numbers = read(function, lambda mark: Mode.FIXED if mark in _fixed else Mode.PASSED)
    return Closure(numbers, plan, Origin(function, tuple(jax.tree.leaves(numbers))))


def _anew(node: Any) -> Any:
    """A function with what it reads now, unless somebody has put other numbers in the place of what was read."""
    if not isinstance(node, Closure):
        return node if isinstance(node, type) else _without_origin(opened(node))
    function = function_behind(node)
    return _without_origin(node if function is None else opened(function))


def function_behind(closure: Closure) -> Any:
    """The function that a closure was read from; None if that is gone, or if somebody has put other numbers into it."""
    leaves, found = jax.tree.leaves(closure.numbers), closure.origin.found
    untouched = len(leaves) == len(found) and all(a is b for a, b in zip(leaves, found, strict=True))
    return closure.origin.function if untouched else None


def _without_origin(node: Any) -> Any:
    # Compiled programs live long: they must not keep what a function was made of alive.
    return Closure(refreshed(node.numbers), node.plan, Origin()) if isinstance(node, Closure) else node


def _is_whole(node: Any) -> bool:
    return isinstance(node, (Closure, *WRAPPERS)) or _is_foreign(node)


def _is_foreign(node: Any) -> bool:
    """A module of another library, which may look at its functions: they stay as they are."""
    kind = type(node)
    return isinstance(node, eqx.Module) and installed(kind.__module__) and kind.__module__.partition(".")[0] != HOME


def refreshed(tree: Any) -> Any:
    """A tree in which every function has what it reads now; numbers that somebody put into a closure stay."""

    def anew(node: Any) -> Any:
        if _is_foreign(node) and not isinstance(node, WRAPPERS):
            return jax.tree.map(
                lambda part: refreshed(part) if isinstance(part, eqx.Module) else part,
                node,
                is_leaf=lambda part: part is not node and isinstance(part, eqx.Module),
            )
        return _anew(node) if isinstance(node, (Closure, *WRAPPERS)) or callable(node) else node

    return jax.tree.map(anew, tree, is_leaf=_is_whole)


def _laws(tree: Any, found: dict[int, Any]) -> None:
    """Classes of the user in a tree, whose methods may read anything; and functions that are no closures."""
    if isinstance(tree, Closure):
        _laws(tree.numbers, found)
    elif isinstance(tree, eqx.Module):
        kind = type(tree)
        if not installed(kind.__module__):
            found[id(kind)] = kind
        for value in vars(tree).values():
            _laws(value, found)
    elif isinstance(tree, tuple | list):
        for entry in tree:
            _laws(entry, found)
    elif isinstance(tree, dict):
        for entry in tree.values():
            _laws(entry, found)
    elif callable(tree) and not of_library(tree):
        found[id(tree)] = tree


@runtime_checkable
class Compiled(Protocol):
    """What `compiled` makes."""

    program: Callable[..., Any]
    count: Callable[[], int]
    partial: Callable[..., Callable[..., Any]]

    def __call__(self, *args: Any, **keywords: Any) -> Any: ...


@jax.tree_util.register_pytree_node_class
class _Rest:
    """What a tree is beside its arrays, to be told apart from others: hashed once."""

    def __init__(self, structure: Any, others: tuple[Any, ...]):
        self._all = structure, others
        self._hash = hash(self._all)

    @classmethod
    def of(cls, tree: Any) -> tuple[list[Any], "_Rest"]:
        """The arrays of a tree, and the rest of it."""
        leaves, structure = jax.tree.flatten(tree)
        others = tuple(_ARRAY if eqx.is_array(leaf) else leaf for leaf in leaves)
        # Arrays of NumPy would be copied at each call; those of JAX take 5 µs each to be found to be such.
        arrays = [leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf) for leaf in leaves if eqx.is_array(leaf)]
        return arrays, cls(structure, others)

    def joined(self, arrays: Sequence[Any]) -> Any:
        """The tree with these arrays."""
        (structure, others), own = self._all, iter(arrays)
        return jax.tree.unflatten(structure, [next(own) if leaf is _ARRAY else leaf for leaf in others])

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, _Rest) and self._hash == other._hash and self._all == other._all)

    def tree_flatten(self) -> tuple[tuple[()], "_Rest"]:
        return (), self

    @classmethod
    def tree_unflatten(cls, rest: "_Rest", nothing: Any) -> "_Rest":
        return rest


_ARRAY = object()
"""Stands where an array is."""


def compiled(function: Callable[..., Any], **options: Any) -> Compiled:
    """`equinox.filter_jit` for functions whose arguments hold functions and classes of the user.

    At each call it looks at what they read from outside themselves: numbers are passed to the compiled program, and
    another content of another kind (or read by the methods of a class) compiles another program. `options` are the
    compiler's, beside those that coldspot prefers; what becomes part of another program is compiled as that is. What
    `filter_jit` makes is `program()`. `partial(*first)` is a function of the arguments that come after these, all of
    them arrays: it looks once, and begins in a tenth of the time. `count()` tells how many programs there are.

    >>> def shift_by(settings):
    ...     return lambda x: x + settings["gap"]
    >>> settings = {"gap": 1.0}
    >>> shifted, apply = shift_by(settings), compiled(lambda f, x: f(x))
    >>> float(apply(shifted, 1.0))
    2.0
    >>> settings["gap"] = 2.0
    >>> float(apply(shifted, 1.0))
    3.0
    """

    def program(laws: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return with_room(function, *args, **keywords)

    program.__name__, program.__qualname__ = function.__name__, function.__qualname__

    @functools.cache
    def jitted(staged: bool = False) -> Any:
        chosen: Any = {} if staged else {"compiler_options": preferences(**options)}
        return eqx.filter_jit(program, **chosen)

    @functools.cache
    def light(staged: bool = False) -> Any:
        """The same for arguments that are taken apart already: `filter_jit` takes its own apart at each call."""
        chosen: Any = {} if staged else {"compiler_options": preferences(**options)}

        def flat(rest: _Rest, known: list[Any], arrays: tuple[Any, ...]) -> tuple[list[Any], _Rest]:
            laws, inputs = rest.joined(known)
            return _Rest.of(program(laws, (*inputs, *arrays), {}))

        flat.__name__, flat.__qualname__ = function.__name__, function.__qualname__
        return jax.jit(flat, static_argnums=0, **chosen)

    def looked(args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """The arguments as they are now, and what the methods of their classes read."""
        inputs = refreshed((args, keywords))
        found: dict[int, Any] = {}
        _laws(inputs, found)
        return tuple(read(law, lambda _: Mode.CONTENT)[0] for law in found.values()), *inputs

    def run(args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        inputs = looked(args, keywords)
        return jitted(is_staged() or is_traced(inputs))(*inputs)

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        if _doors.asked:  # inside another one, which alone can begin again
            return run(args, keywords)
        with _door() as asked:
            while True:
                known = len(asked)
                try:
                    return run(args, keywords)
                except _NumbersNeeded as need:
                    if len(asked) == known:
                        raise _cause(need) from None

    def partial(*first: Any) -> Callable[..., Any]:
        inputs = looked(first, {})[:2]
        chosen, seen = light(is_staged() or is_traced(inputs)), _Rest.of(inputs)

        def rest(*arrays: Any) -> Any:
            nonlocal seen  # one name, which threads read and write at once
            known, fixed = seen
            try:
                with _door():
                    found, told = chosen(fixed, known, arrays)
            except _NumbersNeeded:
                result = call(*first, *arrays)
                seen = _Rest.of(looked(first, {})[:2])
                return result
            return told.joined(found)

        return rest

    def count() -> int:
        made = [jitted(staged)._cached for staged in (False, True)] + [light(staged) for staged in (False, True)]
        return sum(program._cache_size() for program in made)

    call.partial = partial  # type: ignore[attr-defined]
    call.program, call.count = jitted, count  # type: ignore[attr-defined]
    return cast(Compiled, call)


@contextlib.contextmanager
def _door() -> Iterator[set[Any]]:
    """Functions may ask for values inside; if that does not help them, nothing is kept of it."""
    asked: set[Any] = set()
    _doors.asked.append(asked)
    try:
        yield asked
    except BaseException:
        _fixed.difference_update(asked)
        raise
    finally:
        _doors.asked.pop()


def _cause(error: BaseException) -> BaseException:
    while isinstance(error, _NumbersNeeded) and error.__cause__ is not None:
        error = error.__cause__
    return error


class Table(Spoken, eqx.Module, Mapping):  # type: ignore[misc]
    """An immutable mapping whose order is kept and whose values are part of the PyTree."""

    names: tuple[str, ...] = eqx.field(static=True)
    items_: tuple[Any, ...]

    def __init__(self, mapping: Mapping[str, Any]):
        self.names = tuple(mapping)
        self.items_ = tuple(mapping.values())

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return self.items_[self.names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return show.text(self)

    def _repr_html_(self) -> str:
        return show.box("", show.tree(self))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.names)


def batch_of_one(tree: Any) -> Any:
    """A tree of one point as a batch: a leading axis of length 1 on every array."""
    return jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, tree)


def first_point(tree: Any) -> Any:
    """The first point of a batch."""
    return jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, tree)


def only_good(batch: Any, good: Array) -> Any:
    """A batch with the numbers of its first good point in place of those that are not good, which may take long."""
    first = jnp.argmax(good)

    def replaced(leaf: Any) -> Any:
        if not eqx.is_array(leaf):
            return leaf
        return jnp.where(good.reshape(-1, *(1,) * (leaf.ndim - 1)), leaf, leaf[first])

    return jax.tree.map(replaced, batch)
