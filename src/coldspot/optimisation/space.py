"""The box in which parameters may lie, seen as the unit cube."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError
from ..compiler import placed, plainly

DECADES = 100.0
"""Bounds of one sign whose ratio is at least this are searched at equal ratios instead of equal steps."""


class Space(eqx.Module):
    """Parameters by name with their bounds; `point(u)` has the values at u in [0, 1]ⁿ, of a batch, too."""

    low: Array
    high: Array
    names: tuple[str, ...] = eqx.field(static=True)
    ratios: tuple[bool, ...] = eqx.field(static=True)

    def column(self, k: int, u: Any) -> Any:
        xp, lows, highs, u = plainly(self.low, self.high, u)
        low, high = lows[k], highs[k]
        inside = low * xp.exp(u * xp.log(high / low)) if self.ratios[k] else low + u * (high - low)
        # Both ends come out exactly, and the slope is that of what lies between.
        exact = xp.where(u <= 0, low, xp.where(u >= 1, high, inside))
        return inside + jax.lax.stop_gradient(exact - inside) if xp is jnp else placed(exact)

    def point(self, u: Any) -> dict[str, Any]:
        return {name: self.column(k, u[..., k]) for k, name in enumerate(self.names)}

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """dvalue/du of each parameter."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        values = np.array([float(value) for value in self.point(u).values()])
        ratio = np.where(self.ratios, high / np.where(low == 0, 1.0, low), 1.0)
        return np.where(self.ratios, values * np.log(ratio), high - low)


def choices(owner: str, over: Any) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
    """A user's `over`, and apart from it the parameters that have few values: sets or ranges of numbers."""
    if not isinstance(over, Mapping) or not over:
        raise InputError(f"{owner}: `over` must be a mapping from parameters to (low, high), but is {over!r}.")
    found = {}
    for name, values in over.items():
        if not isinstance(values, set | frozenset | range):
            continue
        good = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v)]
        if len(good) < len(values) or len(good) < 2:
            raise InputError(f"{owner}: `over[{name!r}]` must hold two or more finite numbers, but is {values!r}.")
        found[str(name)] = tuple(sorted(good))
    return {name: pair for name, pair in over.items() if str(name) not in found}, found


def space(owner: str, over: Mapping[str, Any]) -> Space:
    """The box of the bounds of a user's `over`."""
    low, high = [], []
    for name, pair in over.items():
        bounds = interval(f"{owner}: `over[{name!r}]`", pair)
        if bounds[0] is None or bounds[1] is None:
            raise InputError(f"{owner}: `over[{name!r}]` needs both bounds, (low, high), but is {pair!r}.")
        low.append(bounds[0])
        high.append(bounds[1])
    ratios = tuple(a > 0 and b / a >= DECADES for a, b in zip(low, high, strict=True))
    return Space(jnp.array(low), jnp.array(high), tuple(map(str, over)), ratios)


def interval(what: str, pair: Any) -> tuple[float | None, float | None]:
    """(low, high), either of which may be None."""
    try:
        low, high = (None if end is None else float(end) for end in pair)
    except (TypeError, ValueError):
        raise InputError(
            f"{what} must be a pair (low, high) of numbers, but is {pair!r}."
            + (" Write single values as a set, such as {1, 2, 4}." if np.ndim(pair) and len(pair) > 2 else "")
        ) from None
    for end in (low, high):
        if end is not None and not np.isfinite(end):
            raise InputError(f"{what} must have finite bounds, but is {pair!r}.")
    if low is not None and high is not None and not low < high:
        raise InputError(f"{what} must be (low, high) with low < high, but is ({low:g}, {high:g}).")
    return low, high
