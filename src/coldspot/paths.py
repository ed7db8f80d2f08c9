"""Dotted attribute paths into machines: `left.temperature`, `levels[2]`, `baths.hot.temperature`.

The same paths serve sweeps, the optimiser, input files and the command line. A name that holds other signs than
letters, digits, `_`, `-` and spaces, or begins with a digit, stands in quotation marks: `baths."2DEG".temperature`.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ._attributes import LONGEST
from ._checks import InputError, as_complex, as_float, nearest
from .pytrees import Table

_BARE = re.compile(r"[^\W\d][\w\- ]*")
_STEP = re.compile(rf'(?:^|\.)(?:({_BARE.pattern})|"([^"]+)")|\[(-?\d+)\]')


def split(path: str) -> tuple[str | int, ...]:
    """The steps of a path: names, and integers for what stands in brackets."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise InputError(_no_path(path))
        steps.append(match[1] or match[2] or int(match[3]))
        position = match.end()
    if not steps or path.startswith("."):
        raise InputError(_no_path(path))
    return tuple(steps)


def _no_path(path: str) -> str:
    return (
        f"`{path}` is not a path; write names with dots and indices in brackets, as `a.b[2]` or `m[0][1]`, and a name "
        'with other signs than letters, digits, `_`, `-` and spaces in quotation marks, as `a."b+"`.'
    )


def get(tree: Any, path: str) -> Any:
    """The value at a path."""
    for done, step in enumerate(split(path)):
        tree = _child(tree, step, path, done)
    return tree


def plain(tree: Any, path: str) -> str:
    """The same place as `numbers` writes it: entries counted from the front, no quotation marks that need not be."""
    steps = list(split(path))
    for done, step in enumerate(steps):
        child = _child(tree, step, path, done)
        if isinstance(step, int):
            steps[done] = step % len(tree)
        tree = child
    return written(steps)


def replace(tree: Any, path: str, value: Any) -> Any:
    """A copy of `tree` with the number at `path` replaced; everything else is shared."""
    return _replace(tree, split(path), value, path, 0)


def numbers(tree: Any, prefix: str = "") -> dict[str, Any]:
    """All paths below `tree` that hold numbers, with their values (arrays whole, not entry by entry)."""
    found: dict[str, Any] = {}
    for name, child in _children(tree):
        label = written([name])
        if prefix and not label.startswith("["):
            label = f".{label}"
        if eqx.is_array(child):
            found[prefix + label] = child
        else:
            found.update(numbers(child, prefix + label))
    return found


def dimension(machine: Any, path: str) -> str:
    """The dimension that the field at `path` declares; the entries of an array have that of the array."""
    return declared(machine, path).get("dimension", "")


def declared(machine: Any, path: str) -> Mapping[str, Any]:
    """What the field at `path` declares (see `parameter`); the entries of an array have what the array has."""
    node: Any = machine
    found: Mapping[str, Any] = {}
    for step in split(path):
        if isinstance(step, int) or isinstance(node, Table):
            node = node[step]
        else:
            (field,) = [f for f in dataclasses.fields(node) if f.name == step]
            node, found = getattr(node, step), field.metadata
    return found


def _fields(tree: eqx.Module) -> dict[str, bool]:
    """Field names of a module, and whether each is static."""
    return {f.name: bool(f.metadata.get("static", False)) for f in dataclasses.fields(tree)}


def _children(tree: Any) -> list[tuple[str | int, Any]]:
    if isinstance(tree, Table):
        return list(tree.items())
    if isinstance(tree, eqx.Module):
        return [(name, getattr(tree, name)) for name, static in _fields(tree).items() if not static]
    if isinstance(tree, (tuple, list)):
        return list(enumerate(tree))
    return []


def _child(tree: Any, step: str | int, path: str, done: int) -> Any:
    if isinstance(step, int):
        length = (
            tree.shape[0]
            if eqx.is_array(tree) and tree.ndim
            else len(tree)
            if isinstance(tree, (tuple, list))
            else None
        )
        if length is None:
            raise InputError(f"`{path}`: {_where(path, done)} has no entries to index with [{step}].")
        if not -length <= step < length:
            raise InputError(f"`{path}`: index [{step}] is outside the {length} entries of {_where(path, done)}.")
        return tree[step]
    if isinstance(tree, eqx.Module) and not isinstance(tree, Table) and step in _fields(tree):
        return getattr(tree, step)
    children = dict(_children(tree))
    if step not in children:
        names = [written([name]) for name in children]
        raise InputError(f"`{path}`: {_where(path, done)} has no parameter `{step}`.{_meant(tree, path, done, names)}")
    return children[step]


def _meant(tree: Any, path: str, done: int, names: list[str]) -> str:
    """The end of a message: the nearest name, or else the path below `tree` that ends as the one asked for does."""
    steps = split(path)
    ends = [name for name in numbers(tree) if split(name)[-1] == steps[-1] and len(split(name)) > 1]
    if not ends or difflib.get_close_matches(str(steps[done])[:LONGEST], names, n=1, cutoff=0.5):
        return nearest(str(steps[done]), names)

    def likeness(end: str) -> tuple[int, float]:
        return len({*steps[done:]} & {*split(end)}), difflib.SequenceMatcher(
            None, written(steps[done:])[:LONGEST], end
        ).ratio()

    return f" Did you mean `{written([*steps[:done], *split(max(ends, key=likeness))])}`?"


def written(steps: Iterable[str | int]) -> str:
    """A path from its steps.

    >>> written(("levels", 2, "value"))
    'levels[2].value'
    >>> written(("baths", "2DEG"))
    'baths."2DEG"'
    """
    return "".join(
        f"[{s}]" if isinstance(s, int) else f".{s}" if _BARE.fullmatch(s) else f'."{s}"' for s in steps
    ).removeprefix(".")


def _where(path: str, done: int) -> str:
    steps = split(path)[:done]
    if not steps:
        return "the machine"
    return f"`{written(steps)}`"


def _replace(tree: Any, steps: tuple[str | int, ...], value: Any, path: str, done: int) -> Any:
    if not steps:
        if not eqx.is_array(tree):
            below = list(numbers(tree)) if not callable(tree) or isinstance(tree, eqx.Module) else []
            hint = f" Parameters below it: {', '.join(below)}." if below else ""
            raise InputError(f"`{path}` is not a number but {type(tree).__name__}.{hint}")
        complex_ = jnp.iscomplexobj(tree)
        value = as_complex(value) if complex_ else as_float(value, f"`{path}`")
        if value.shape != tree.shape and not isinstance(tree, jax.core.Tracer):
            raise InputError(f"`{path}` has shape {tree.shape}, but the new value has shape {value.shape}.")
        return value
    step, rest = steps[0], steps[1:]
    child = _child(tree, step, path, done)
    if isinstance(step, str) and isinstance(tree, eqx.Module) and not isinstance(tree, Table) and _fields(tree)[step]:
        raise InputError(f"`{path}`: `{step}` is static (it shapes the machine) and cannot be set or swept.")
    new = _replace(child, rest, value, path, done + 1)
    if isinstance(tree, Table):
        return Table({name: new if name == step else old for name, old in tree.items()})
    if isinstance(tree, (tuple, list)):
        assert isinstance(step, int)
        items = list(tree)
        items[step] = new
        return type(tree)(items)
    if eqx.is_array(tree):
        return tree.at[step].set(new)
    return eqx.tree_at(lambda node: getattr(node, str(step)), tree, new, is_leaf=lambda node: node is None)
