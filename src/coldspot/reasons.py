"""Why points of a sweep cannot be trusted: in words, with the number of points, and one of them as an example.

Also which numbers of a machine cannot change alone, because a rule ties them to others.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import paths
from ._checks import Checked, InputError, broken, explain_invalid, rules_below
from .dynamics import as_dynamics, explained
from .pytrees import compiled, refreshed
from .solution import SolveError, Status

UNTRUSTED = "untrusted"
"""Attributes of datasets that say why points are not trusted: `untrusted`, `untrusted_2`, …"""
FEW = 16
"""Points that are looked at one by one: compiling takes longer."""
SIZES = (64, 4096)
"""Points of a call."""
MOST = 65536
"""Points of a status that are looked at."""
NUDGE = 1e-3
"""How far numbers are moved to see whether they may, relative to the largest of them."""

Columns = Mapping[str, np.ndarray]


# --------------------------------------------------------------------------- points that cannot be trusted


def untrusted(
    pieces: Iterable[tuple[np.ndarray, Callable[[], Columns]]], build: Callable[..., Any], shared: Any
) -> dict[str, str]:
    """Attributes of a dataset that say in words why points are not trusted; none if all are.

    `pieces`: the status of each point, and what gives the parameters of these points; `build(shared, point)`.
    """
    total, counts, kept = 0, Counter[int](), dict[int, list[Columns]]()
    for status, columns in pieces:
        total += status.size
        for code, count in zip(*np.unique(status[status > 0], return_counts=True), strict=True):
            if counts[int(code)] < MOST:
                places = np.flatnonzero(status == code)[: MOST - counts[int(code)]]
                kept.setdefault(int(code), []).append({name: c[places] for name, c in columns().items()})
            counts[int(code)] += int(count)
    lines = []
    for code in sorted(counts):
        known, parts = Status(code), kept[code]
        points = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        looked = len(next(iter(points.values())))
        for count, words, first in _reasons(known, points, build, shared):
            most = f" of the first {looked:,} of {counts[code]:,}" if looked < counts[code] else f" of {total:,}"
            place = ", ".join(f"{name}={value:.6g}" for name, value in first.items())
            rather = _instead(shared, first, words) if known is Status.INVALID else ""
            lines.append(f"{count:,}{most} {known.name}: {words.rstrip('.')} (at {place}).{rather}")
    return {f"{UNTRUSTED}_{k + 1}" if k else UNTRUSTED: line for k, line in enumerate(lines)}


def _reasons(
    status: Status, points: Columns, build: Callable[..., Any], shared: Any
) -> list[tuple[int, str, dict[str, float]]]:
    """Numbers of points, words, and the first of these points, for each reason, the most frequent first."""
    size = len(next(iter(points.values())))

    def point(k: int) -> dict[str, float]:
        return {name: float(column[k]) for name, column in points.items()}

    if status is not Status.INVALID:
        return [(size, _words(status, build, shared, point(0)), point(0))]
    found: dict[Any, int] = {}
    if size <= FEW:
        texts = [_words(status, build, shared, point(k)) for k in range(size)]
        keys: Sequence[Any] = list(map(_without_numbers, texts))
    else:
        first, many = _broken(points, build, shared)
        keys, texts = first.tolist(), []
        # Constructors look at rules in an order of their own: an example breaks as few as possible.
        found = {key: int(np.argmin(np.where(first == key, many, np.inf))) for key in dict.fromkeys(keys)}
    for k, key in enumerate(keys):
        found.setdefault(key, k)
    counts = Counter(keys)
    return [
        (counts[key], texts[k] if texts else _words(status, build, shared, point(k)), point(k))
        for key, k in sorted(found.items(), key=lambda pair: -counts[pair[0]])
    ]


def _without_numbers(text: str) -> str:
    return re.sub(r"-?[\d.]+(e[-+]?\d+)?|-?inf|nan", "#", text)


def _words(status: Status, build: Callable[..., Any], shared: Any, point: Mapping[str, float]) -> str:
    """What a constructor, a rule or the dynamics says of one point."""
    try:
        machine = refreshed(build(shared, {name: jnp.asarray(value) for name, value in point.items()}))
        own = explain_invalid(machine) if status is Status.INVALID else ""
        # Its dynamics, made of known numbers, may refuse them.
        return own or explained(machine, status) or status.advice
    except (InputError, SolveError) as error:  # a function that solves for its machine, such as for probes
        return str(error)


def _broken(points: Columns, build: Callable[..., Any], shared: Any) -> tuple[np.ndarray, np.ndarray]:
    """The number of the first rule that each point breaks (of all rules if it breaks none), and how many it does."""
    total = len(next(iter(points.values())))
    size = next((s for s in SIZES if total <= s), SIZES[-1])
    found = []
    for start in range(0, total, size):
        part = {name: column[start : start + size] for name, column in points.items()}
        count = len(next(iter(part.values())))
        full = {name: np.pad(column, (0, size - count), mode="edge") for name, column in part.items()}
        found.append([np.asarray(each)[:count] for each in _broken_rules(build, shared, full)])
    first, many = (np.concatenate(each) for each in zip(*found, strict=True))
    return first, many


@compiled
def _broken_rules(build: Callable[..., Any], shared: Any, columns: Any) -> tuple[Array, Array]:
    def one(point: Any) -> tuple[Array, Array]:
        machine = build(shared, point)
        dynamics = as_dynamics(machine)
        trees = (machine,) if machine is dynamics else (machine, dynamics)
        holds = [jnp.all(jnp.asarray(rule.holds)) for tree in trees for rule in rules_below(tree)]
        every = jnp.stack([*holds, jnp.asarray(False)])
        return jnp.argmin(every), jnp.sum(~every)

    return eqx.filter_vmap(one)(columns)


# --------------------------------------------------------------------------- numbers that cannot change alone


def check_free(owner: str, machine: Any, names: Sequence[str]) -> None:
    """Refuse entries of lists and matrices that a rule ties to others, unless one of those is varied with them."""
    for name in names:
        words = _alone(machine, name)
        first = paths.split(name)[0]
        beside = [other for other in names if other != name and paths.split(other)[0] == first]
        if words and all(_tied(machine, {name: 1.0, other: sign}) for other in beside for sign in (1.0, -1.0)):
            raise InputError(f"{owner}: `{name}` cannot change alone: {words.rstrip('.')}. {_function_of(machine)}")


def _instead(machine: Any, names: Iterable[str], words: str) -> str:
    """What to sweep instead, if these words are those of a rule that ties one of the numbers to others; else nothing.

    `machine`: what the paths `names` belong to; no module if a function makes the machines.
    """
    for name in names if isinstance(machine, eqx.Module) else ():
        alone = _alone(machine, name)
        if alone and _without_numbers(words).endswith(_without_numbers(alone)):
            return f" `{name}` cannot change alone. {_function_of(machine)}"
    return ""


def _function_of(machine: Any) -> str:
    return (
        "Instead of a machine, give a function of your own numbers that returns one "
        f"(`def build(x): return {type(machine).__name__}(…)`)."
    )


def _alone(machine: Any, name: str) -> str:
    """The words of a rule by which an entry of a list or a matrix cannot change alone; empty if it can."""
    if not isinstance(paths.split(name)[-1], int) or isinstance(paths.get(machine, name), tuple):
        return ""
    return _tied(machine, {name: 1.0}) and _tied(machine, {name: -1.0})


def _tied(machine: Any, nudges: Mapping[str, float]) -> str:
    """The words of a rule that breaks when numbers are moved a little; empty if there is none."""
    moved, step = machine, NUDGE * max(float(jnp.max(jnp.abs(paths.get(machine, name)))) for name in nudges) or NUDGE
    for name, sign in nudges.items():
        moved = paths.replace(moved, name, paths.get(machine, name) + sign * step)
    for name in nudges:
        steps = paths.split(name)
        for depth in range(len(steps)):
            before, after = (
                paths.get(tree, paths.written(steps[:depth])) if depth else tree for tree in (machine, moved)
            )
            if isinstance(after, Checked) and broken(after) and not broken(before):
                return broken(after)
    return ""
