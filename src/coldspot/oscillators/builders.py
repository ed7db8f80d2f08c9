"""What the constructor of a network takes, for chains and for baths with one friction."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_shape
from ..baths import BosonBath, HeatBath
from ..compiler import placed, plainly, unwarned
from .arguments import OWNER, check_size, spread_over


def chain(n: int, spring: Any, mass: Any, friction: Any, temperatures: Any, quantum: bool) -> dict[str, Any]:
    """A chain between fixed walls, see `OscillatorNetwork.chain`."""
    check_count(f"{OWNER}.chain", n)
    check_size(n)
    each = spread_over(f"{OWNER}.chain: `spring`", spring, n + 1, "the springs from wall to wall")
    ends = spread_over(f"{OWNER}.chain: `friction`", friction, 2, "the left and the right end")
    warm = pair(f"{OWNER}.chain", temperatures)
    xp, between, outer = plainly(each, ends)
    inner = between[1:-1]
    with unwarned():
        springs = xp.diag(between[:-1] + between[1:]) - xp.diag(inner, 1) - xp.diag(inner, -1)
    return {
        "masses": spread_over(f"{OWNER}.chain: `mass`", mass, n, "the masses"),
        "springs": placed(springs),
        "frictions": placed(xp.concatenate([outer[:1], np.zeros(n - 2), outer[1:]]))
        if n > 1
        else {"left": ends[0], "right": ends[1]},
        **_baths({"left": (0, warm[0]), "right": (n - 1, warm[1])}, quantum),
    }


def check_baths(owner: str, n: int, baths: Mapping[str, Any]) -> set[int]:
    """All sites that baths {name: (sites, temperature)} act on; each may have one."""
    touched: set[int] = set()
    if not isinstance(baths, Mapping):
        raise InputError(f"{owner}: `baths` must be {{name: (sites, temperature)}}, but is {baths!r}.")
    for name, own in baths.items():
        if not isinstance(own, tuple) or len(own) != 2:
            raise InputError(f"{owner}: `baths` must be {{name: (sites, temperature)}}, but {name} is {own!r}.")
        places = set(np.atleast_1d(own[0]).tolist())
        outside = sorted(k for k in places if k not in range(n))
        if outside or touched & places:
            what = f"{outside[0]}, beyond the {n} there are" if outside else f"{min(touched & places)} a second time"
            raise InputError(f"{owner}: `baths` names site {what}, at {name}.")
        touched |= places
    return touched


def damped(
    owner: str, n: int, springs: Array, masses: Array, baths: Mapping[str, Any], friction: Any, quantum: bool
) -> dict[str, Any]:
    """A network with one friction on all coordinates of baths {name: (coordinates, temperature)}."""
    touched = check_baths(owner, n, baths)
    on = np.zeros(n)
    on[sorted(touched)] = 1.0
    return {
        "masses": masses,
        "springs": springs,
        "frictions": as_float(friction, f"{owner}: `friction`") * on,
        **_baths(baths, quantum),
    }


def _baths(given: Mapping[str, Any], quantum: bool) -> dict[str, Any]:
    kind = BosonBath if quantum else HeatBath
    return {
        "baths": {name: kind(temperature) for name, (_, temperature) in given.items()},
        "sites": {name: sites for name, (sites, _) in given.items()},
    }


def pair(owner: str, temperatures: Any) -> Any:
    warm = as_float(temperatures, f"{owner}: `temperatures`")
    check_shape(f"{owner}", "temperatures", warm, (2,), "left and right")
    return plainly(warm)[1]


def check_count(owner: str, n: Any, name: str = "n") -> None:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise InputError(f"{owner}: `{name}` must be a positive integer, but is {n!r}.")
