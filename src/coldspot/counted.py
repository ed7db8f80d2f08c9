"""What a form says of heat, particles and work that are counted: see `counting`."""

from collections.abc import Mapping
from typing import NamedTuple

from jax import Array

from .solution import Status


class Target(NamedTuple):
    """What is counted: a `quantity` ("heat", "particles", "work" or "entropy") `of` a bath or a drive, by name."""

    quantity: str
    of: str


class Counted(NamedTuple):
    """All that a form's `cumulants` or `covariances` has to say of a batch; leading axis = point.

    - `values`, `errors`: long-time cumulants per time and bounds of their errors, (point, target, order) for orders
      1, 2, …, or (point, target, target) for a covariance;
    - `scale`, of the same shape: the size of the terms that a value is a sum of. An error up to the tolerance times
      that (or times the value, if that is larger) is accepted, so that what cancels to nothing can be trusted;
    - `faults`: {status: (point), where that is wrong}; what is not finite or too inaccurate is found later;
    - `undecided` (point): where a cheaper way asks for the sure one.
    """

    values: Array
    errors: Array
    scale: Array | None = None
    faults: Mapping[Status, Array] = {}
    undecided: Array | None = None
