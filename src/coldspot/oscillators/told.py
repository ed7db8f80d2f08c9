"""What a network tells those who follow its trajectories: its numbers at any phase, and where and how they jump."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..pytrees import compiled
from .arguments import SPRING
from .forces import untold
from .instant import Instant


class Network(NamedTuple):
    """Numbers at phases (leading axis), potential, `places` of the baths, frequency (0 if nothing is driven), and

    - `feedbacks`: forces f(x, v) → (n,) by the number of their drive;
    - `hidden`: words on drives that so many steps of a period do not follow, over the time of a run or else the period;
    - `borders`: shares of the period at which drives jump or bend; `jumps`: of springs, between two phases each.
    """

    instants: Callable[[Array], Instant]
    potential: Callable[[Array], Array] | None
    places: tuple[tuple[int, ...], ...]
    frequency: float
    feedbacks: Mapping[int, Callable[[Array, Array], Array]]
    hidden: Callable[[int, float | None], str]
    borders: np.ndarray
    jumps: Callable[[Array, Array], Array]

    @property
    def duration(self) -> float:
        """Of the period; infinite if nothing is driven."""
        return 2 * math.pi / self.frequency if self.frequency else math.inf


def told(network: Any) -> Network:
    """What an `OscillatorNetwork` tells."""
    return Network(
        functools.partial(_instants, network),
        network.potential,
        network.places,
        0.0 if network.frequency is None else float(network.frequency),
        network.feedbacks,
        functools.partial(untold, network.drives, network.targets, network.springs),
        borders_of(network),
        functools.partial(_jumps, network),
    )


def edges_of(network: Any) -> Array:
    """Shares of the period, rising and 0 among them, at which some drive jumps or bends; one may come twice."""
    acting = zip(network.drives.values(), network.targets, strict=True)
    found = [drive.borders() for drive, target in acting if target >= 0 or target == SPRING]
    found = [own for own in found if own.size]
    return jnp.sort(jnp.concatenate([jnp.zeros(1), *found])) if found else jnp.zeros(0)


def borders_of(network: Any) -> np.ndarray:
    """The same of a known network, each once."""
    return np.unique(np.asarray(edges_of(network)))


@compiled
def _instants(network: Any, phases: Array) -> Instant:
    return jax.vmap(network.instant)(phases)


def jump_of_springs(network: Any, before: Any, after: Any) -> Array:
    """How springs change between two phases by each drive (drive, n, n), one drive after another."""
    moved = [d for d, target in enumerate(network.targets) if target == SPRING]
    names, found = list(network.drives), [jnp.zeros((network.size, network.size))] * len(network.targets)
    values, new = ({names[d]: network.drives[names[d]](phase) for d in moved} for phase in (before, after))
    old = network.stiffness(values) if moved else 0.0
    for d in moved:
        values = values | {names[d]: new[names[d]]}
        later = network.stiffness(values)
        found[d], old = later - old, later
    return jnp.stack(found) if found else jnp.zeros((0, network.size, network.size))


@compiled
def _jumps(network: Any, before: Array, after: Array) -> Array:
    return jax.vmap(lambda a, b: jump_of_springs(network, a, b))(before, after)
