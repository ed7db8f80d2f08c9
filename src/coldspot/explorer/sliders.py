"""Which numbers of a machine can be moved, and how far."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import paths
from .._checks import Domain, InputError
from ..dynamics import Machine, as_dynamics
from ..machine_files.kinds import made_again
from ..units import KINDS

MOST_ENTRIES = 12
"""Of an array whose entries have sliders of their own."""
FACTOR = 10.0
"""How far positive numbers can be moved down and up."""
HALVINGS = 12
"""Steps towards an end of a range behind which the machine is refused."""
ENERGIES = ("energy", "potential", "voltage", "temperature")


class Slider(NamedTuple):
    """A number by its path: its value, the ends of its range, whether that is by ratios, and its dimension."""

    path: str
    value: float
    low: float
    high: float
    log: bool
    dimension: str
    units: tuple[str, ...]


class Axis(NamedTuple):
    """A parameter that a map or a curve varies from one end to the other, by ratios if `log`."""

    path: str
    low: float
    high: float
    log: bool

    def points(self, n: int) -> np.ndarray:
        return np.geomspace(self.low, self.high, n) if self.log else np.linspace(self.low, self.high, n)


def axis_of(slider: Slider) -> Axis:
    """The whole range of a slider."""
    return Axis(slider.path, slider.low, slider.high, slider.log)


def scalars(machine: Any) -> dict[str, float]:
    """All real numbers of a machine by their paths, the entries of short arrays one by one."""
    found: dict[str, float] = {}
    for path, value in paths.numbers(machine).items():
        array = np.asarray(value)
        if array.dtype.kind != "f" or array.size > MOST_ENTRIES:
            continue
        for index in np.ndindex(array.shape):
            found[path + "".join(f"[{k}]" for k in index)] = float(array[index])
    return found


def sliders(machine: Any) -> list[Slider]:
    """A slider for each number; both ends of its range are values with which the machine can be made."""
    numbers = scalars(machine)
    dimensions = {path: paths.dimension(machine, path) for path in numbers}
    scale = max((abs(v) for path, v in numbers.items() if dimensions[path] in ENERGIES), default=0.0) or 1.0
    found = []
    for path, value in numbers.items():
        dimension = dimensions[path]
        low, high, log = _range(value, dimension, scale, paths.declared(machine, path).get("domain"))
        if isinstance(machine, Machine):
            low, high = (_reachable(_accepted(machine, path), value, end) for end in (low, high))
        units = KINDS[dimension].units if dimension in KINDS else ()
        found.append(Slider(path, value, low, high, log, dimension, units))
    return found


def _range(value: float, dimension: str, scale: float, domain: Domain | None) -> tuple[float, float, bool]:
    if dimension == "angle":
        return min(0.0, value), max(2 * math.pi, value), False
    if domain is not None and domain.positive:
        return value / FACTOR, value * FACTOR, domain.maximum is None
    if dimension in ENERGIES or value == 0:
        reach = 2 * scale if dimension in ENERGIES else 1.0
        low, high = min(-reach, value - reach / 2), max(reach, value + reach / 2)
    else:
        low, high = min(0.0, 3 * value), max(0.0, 3 * value)
    if domain is not None:
        low = low if domain.minimum is None else max(low, domain.minimum)
        high = high if domain.maximum is None else min(high, domain.maximum)
    return low, high, False


def _accepted(machine: Any, path: str) -> Callable[[float], bool]:
    def accepted(value: float) -> bool:
        try:
            as_dynamics(made_again(paths.replace(machine, path, value)))
        except InputError:
            return False
        return True

    return accepted


def _reachable(accepted: Callable[[float], bool], value: float, end: float) -> float:
    """The end, or what is nearest to it on the way from the value and accepted, rounded towards the value."""
    if accepted(end):
        return end
    good, bad = value, end
    for _ in range(HALVINGS):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if accepted(middle) else (good, middle)
    return good
