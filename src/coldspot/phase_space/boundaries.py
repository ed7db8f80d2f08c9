"""How the space of a particle ends: open to reservoirs, periodic, or closed."""

from collections.abc import Iterable
from typing import Any

from .._checks import Checked, InputError, Rule, Scalar, as_float, parameter
from ..compiler import plainly
from ..show import array as show


class Boundary(Checked):
    """How the space of a particle ends."""


class Open(Boundary):
    """Particles enter at `start` and `stop` as from reservoirs: Maxwellians at the temperature of the bath there.

    `left`, `right`: densities of the full Maxwellians, of which the half that moves inwards enters; 0 is an end where
    particles only leave. A particle that reaches an end is gone.

    >>> Open(-3.0, 3.0, left=1.0, right=0.5)
    Open(start=-3, stop=3, left=1, right=0.5)
    """

    start: Scalar = parameter(dimension="")
    stop: Scalar = parameter(dimension="")
    left: Scalar = parameter(1.0, dimension="", minimum=0.0)
    right: Scalar = parameter(1.0, dimension="", minimum=0.0)

    def rules(self) -> Iterable[Rule]:
        yield _ordered(self.start, self.stop)
        some = (self.left > 0) | (self.right > 0)
        yield Rule(some, lambda: "`left` or `right` must be positive, but both are 0, so that nothing comes in.")


class Periodic(Boundary):
    """A ring from `start` to `start` + `length`; `load` is a constant force along +x, beside the periodic potential.

    >>> Periodic(6.0, load=0.5)
    Periodic(length=6, load=0.5, start=0)
    """

    length: Scalar = parameter(dimension="", positive=True)
    load: Scalar = parameter(0.0, dimension="")
    start: Scalar = parameter(0.0, dimension="")


class Closed(Boundary):
    """The potential itself confines the particle; or, with `start` and `stop`, walls that reflect it.

    >>> Closed(0.0, 1.0)
    Closed(start=0, stop=1)
    """

    start: Any = None
    stop: Any = None

    def __init__(self, start: Any = None, stop: Any = None):
        if (start is None) != (stop is None):
            raise InputError("Closed: give both `start` and `stop`, or neither of them.")
        self.start = None if start is None else as_float(start, "Closed: `start`")
        self.stop = None if stop is None else as_float(stop, "Closed: `stop`")

    @property
    def walled(self) -> bool:
        return self.start is not None

    def rules(self) -> Iterable[Rule]:
        if self.walled:
            yield _ordered(self.start, self.stop)


def _ordered(start: Any, stop: Any) -> Rule:
    xp, start, stop = plainly(start, stop)
    return Rule(
        xp.isfinite(start) & xp.isfinite(stop) & (start < stop),
        lambda: f"`start` must lie left of `stop`, but they are {show(start)} and {show(stop)}.",
    )
