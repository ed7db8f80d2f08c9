"""How numbers, modules and tables are written, as text and as HTML: for people, one way for everything that prints.

HTML is plain: no scripts, no colours of its own, so that it reads in light and in dark notebooks; all text is escaped.
"""

import dataclasses
import html
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

MOST_NUMBERS = 8
"""Longer arrays are cut."""
MOST_ENTRIES = 4
"""Longer lists of modules are cut in texts."""
MOST_ROWS = 60
"""Longer tables are cut in HTML."""


# --------------------------------------------------------------------------- numbers


def number(value: Any) -> str:
    """Six digits; a dash for what is not a number.

    >>> number(-0.0), number(1 / 3), number(float("nan"))
    ('0', '0.333333', '–')
    """
    value = float(value) + 0.0
    return f"{value:.6g}" if value == value else "–"


def measured(value: Any, error: Any, stochastic: bool = False) -> str:
    """A number with its error: a bound to one digit, a standard error to two.

    >>> measured(0.25, 3e-17), measured(0.25, 0.0123, stochastic=True), measured(0.0, 0.0)
    ('0.25 ± 3e-17', '0.25 ± 0.012', '0')
    """
    value, error = float(value), float(error)
    if value != value or not error > 0:
        return number(value)
    return f"{number(value)} ± {error:{'.2g' if stochastic else '.0e'}}"


def array(value: Any) -> str:
    """Numbers as a person writes them; traced and long ones in short.

    >>> array(np.array([0.0, 1.5])), array(np.arange(20.0))
    ('[0, 1.5]', '[0, 1, 2, … 20 numbers]')
    """
    # Of what a derivative is taken of the value is known.
    value = jax.lax.stop_gradient(value) if isinstance(value, jax.core.Tracer) else value
    if isinstance(value, jax.core.Tracer):
        return f"<traced, {value.shape}>" if value.shape else "<traced>"
    known = np.asarray(value)
    if known.ndim == 0:
        return _plain(known.item())
    if known.ndim == 1:
        shown = known if known.size <= MOST_NUMBERS else known[:3]
        end = "" if known.size <= MOST_NUMBERS else f", … {known.size} numbers"
        return f"[{', '.join(map(_plain, shown.tolist()))}{end}]"
    if known.size <= 2 * MOST_NUMBERS:
        return f"[{', '.join(array(row) for row in known)}]"
    return f"<array {known.shape}>"


def _plain(value: Any) -> str:
    if isinstance(value, complex):
        return f"{value:g}"
    return f"{value + 0.0:g}" if isinstance(value, float) else str(value)


# --------------------------------------------------------------------------- modules


def fields(module: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a module that say something: None, False and lists of None alone are left out."""
    for field in dataclasses.fields(module):
        value = getattr(module, field.name, None)
        nothing = isinstance(value, list | tuple) and len(value) > 0 and all(entry is None for entry in value)
        if value is not None and value is not False and not nothing:
            yield field.name, value


def text(value: Any) -> str:
    """A module, a mapping or a list with its numbers, in one line."""
    if eqx.is_array(value) or isinstance(value, np.generic | float | complex):
        return array(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {text(child)}" for name, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        shown = [text(child) for child in value[:MOST_ENTRIES]]
        return f"[{', '.join([*shown, f'… {len(value)} entries'] if len(value) > MOST_ENTRIES else shown)}]"
    if _is_function(value):
        return _function(value)
    if isinstance(value, eqx.Module) and type(value).__repr__ is eqx.Module.__repr__:
        return module(value)
    return repr(value)


def module(value: Any) -> str:
    """A module with the numbers of its fields: `HeatBath(temperature=0.5)`."""
    return f"{type(value).__name__}({', '.join(f'{name}={text(child)}' for name, child in fields(value))})"


def _is_function(value: Any) -> bool:
    """A function, plain or taken apart (see `pytrees.Closure`)."""
    return isinstance(value, types.FunctionType) or hasattr(value, "plan")


def _function(value: Any) -> str:
    """The name of a function and the numbers that it reads."""
    if isinstance(value, types.FunctionType):
        return f"<function {value.__name__}>"
    read = [text(leaf) for leaf in value.numbers[:MOST_ENTRIES]]
    more = ["…"] if len(value.numbers) > MOST_ENTRIES else []
    return f"<function {value.plan}{' that reads ' if read else ''}{', '.join([*read, *more])}>"


# --------------------------------------------------------------------------- HTML


def escaped(value: Any) -> str:
    return html.escape(str(value))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of plain text; the first column is left-aligned, the others to the right."""

    def line(tag: str, cells: Sequence[str]) -> str:
        sides = ("left", *["right"] * (len(cells) - 1))
        style = "padding:.15em .7em;white-space:nowrap;font-variant-numeric:tabular-nums"
        made = (
            f'<{tag} style="text-align:{s};{style}">{escaped(c)}</{tag}>' for s, c in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(made)}</tr>"

    listed = list(rows)
    body = "".join(line("td", row) for row in listed[:MOST_ROWS])
    more = f"<p>… {len(listed)} rows in all</p>" if len(listed) > MOST_ROWS else ""
    top = f"<thead>{line('th', head)}</thead>" if any(head) else ""
    return f'<table style="border-collapse:collapse">{top}<tbody>{body}</tbody></table>{more}'


def box(title: str, *parts: str) -> str:
    """Parts of HTML below a title of plain text."""
    return f'<div style="overflow-x:auto"><strong>{escaped(title)}</strong>{"".join(parts)}</div>'


def lines(*texts: str) -> str:
    """Lines of plain text."""
    return "".join(f'<div style="margin:.2em 0">{escaped(line)}</div>' for line in texts)


def tree(value: Any) -> str:
    """The numbers below a module or a mapping, with their paths, as a table."""
    return table(("", ""), list(_leaves(value, "")))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        children = [(f".{name}", child) for name, child in value.items()]
    elif isinstance(value, eqx.Module) and not _is_function(value):
        children = [(f".{name}", child) for name, child in fields(value)]
        if not children:
            yield path.lstrip("."), type(value).__name__
    elif isinstance(value, list | tuple) and any(isinstance(child, eqx.Module) for child in value):
        children = [(f"[{k}]", child) for k, child in enumerate(value)]
    else:
        yield path.lstrip("."), text(value)
        return
    for step, child in children:
        yield from _leaves(child, path + step)
