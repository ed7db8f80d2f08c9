"""Immutable mappings, and functions as PyTrees.

What a function closes over becomes part of the machine that holds it.

So a function defined inside another may use traced numbers, and one that is defined anew with other numbers
does not have to be compiled again.
"""

import types
from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax

from . import show


class Closure(eqx.Module):
    """A Python function, taken apart into its code (static) and what it closes over (PyTree)."""

    code: types.CodeType = eqx.field(static=True)
    world: "_World" = eqx.field(static=True)
    defaults: Any
    keyword_defaults: Any
    cells: tuple[Any, ...]

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        cells = tuple(types.CellType(content) for content in self.cells)
        function = types.FunctionType(self.code, self.world.names, self.code.co_name, self.defaults, cells)
        function.__kwdefaults__ = self.keyword_defaults
        return function(*args, **keywords)


class _World:
    """The global names of a function; equal if they are the same module's."""

    def __init__(self, names: dict[str, Any]):
        self.names = names

    def __hash__(self) -> int:
        return id(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _World) and self.names is other.names


def opened(function: Any) -> Any:
    """The function as a PyTree if it closes over something (functions in there likewise), else itself."""
    if not isinstance(function, types.FunctionType) or not (function.__closure__ or function.__defaults__):
        return function
    try:
        cells = tuple(opened(cell.cell_contents) for cell in function.__closure__ or ())
    except ValueError:  # a name that is not bound yet: a function that refers to itself
        return function
    return Closure(
        function.__code__, _World(function.__globals__), function.__defaults__, function.__kwdefaults__, cells
    )


class Table(eqx.Module, Mapping):  # type: ignore[misc]
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
