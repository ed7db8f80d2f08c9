"""Networks of a shape: rings, lattices, and atoms with force constants."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._checks import InputError, as_float, worded
from ..compiler import looked_up, placed, plainly, unwarned
from .arguments import spread_over
from .builders import check_baths, check_count, damped, pair
from .network import OscillatorNetwork


@worded
def ring(
    n: int,
    baths: Mapping[str, tuple[Any, Any]],
    spring: Any = 1.0,
    on_site: Any = 1.0,
    mass: Any = 1.0,
    friction: Any = 1.0,
    quantum: bool = False,
) -> OscillatorNetwork:
    """n masses in a ring: `spring` k from mass k to the next, `on_site` to the ground, one number or n of each.

    `baths` {name: (site or sites, temperature)}, with the same `friction` (force per velocity) on all their masses;
    `quantum`: baths of quanta instead of classical ones.

    >>> ring(4, {"hot": (0, 2.0), "cold": (1, 1.0)}).springs[0].tolist()
    [3.0, -1.0, 0.0, -1.0]
    """
    check_count("ring", n)
    if n < 3:
        raise InputError(f"ring: `n` must be at least 3, but is {n}; two masses are a chain.")
    bonds = spread_over("ring: `spring`", spring, n, "the springs, k from mass k to the next")
    own = spread_over("ring: `on_site`", on_site, n, "the springs to the ground")
    at = np.arange(n)
    xp, along, held = plainly(bonds, own)
    turned = xp.roll(xp.diag(along), 1, axis=1)  # from each mass to the next
    with unwarned():
        springs = placed(xp.diag(held + along + along[at - 1]) - turned - turned.T)
    masses = spread_over("ring: `mass`", mass, n, "the masses")
    return OscillatorNetwork(**damped("ring", n, springs, masses, baths, friction, quantum))


@worded
def lattice(
    shape: Sequence[int],
    spring: Any = 1.0,
    mass: Any = 1.0,
    friction: Any = 1.0,
    temperatures: tuple[Any, Any] = (2.0, 1.0),
    quantum: bool = False,
) -> OscillatorNetwork:
    """A lattice of masses, one displacement each, with the same `spring` between neighbours along all axes of `shape`.

    Its first and last layer (along the first axis) are tied to fixed walls by such springs, too, and damped by the
    baths `left` and `right`; other sides are free. Coordinates are numbered with the last axis fastest.

    >>> lattice((2, 2)).springs[0].tolist()
    [3.0, -1.0, -1.0, 0.0]
    """
    if not isinstance(shape, Sequence):
        raise InputError(f"lattice: `shape` must be a list of counts, one for each axis, but is {shape!r}.")
    sides = tuple(shape)
    for count in sides:
        check_count("lattice", count, "shape")
    if not sides or sides[0] < 2:
        raise InputError(f"lattice: `shape` must have two layers or more between the walls, but is {sides}.")
    index = np.arange(math.prod(sides)).reshape(sides)
    n, first, last = index.size, index[0].ravel(), index[-1].ravel()
    bonds = np.zeros((n, n))
    for axis in range(len(sides)):
        left, right = (np.take(index, np.arange(sides[axis] - 1) + shift, axis).ravel() for shift in (0, 1))
        bonds[left, right] -= 1
        bonds[right, left] -= 1
    walls = np.zeros(n)
    walls[first] += 1
    walls[last] += 1
    bonds += np.diag(walls - bonds.sum(1))
    warm = pair("lattice", temperatures)
    baths = {"left": (first.tolist(), warm[0]), "right": (last.tolist(), warm[1])}
    masses = spread_over("lattice: `mass`", mass, n, "the masses")
    springs = looked_up(lambda one: one * bonds, as_float(spring))
    return OscillatorNetwork(**damped("lattice", n, springs, masses, baths, friction, quantum))


@worded
def atoms(
    masses: Any, constants: Any, baths: Mapping[str, tuple[Any, Any]], friction: Any = 1.0, quantum: bool = False
) -> OscillatorNetwork:
    """N atoms with force constants ∂²V/∂x∂x, (N, 3, N, 3) or (3N, 3N), as ASE's `VibrationsData.get_hessian()` gives.

    `baths` {name: (atom or atoms, temperature)}; `friction`, force per velocity, on all coordinates of these atoms.
    Coordinate 3a+c is the displacement of atom a along axis c. Units must fit each other (k_B = ħ = 1).
    """
    each = as_float(masses, "atoms: `masses`")
    count = each.shape[0]
    hessian = as_float(constants, "atoms: `constants`")
    if hessian.shape not in ((count, 3, count, 3), (3 * count, 3 * count)):
        raise InputError(
            f"atoms: `constants` must have shape {(count, 3, count, 3)} or {(3 * count,) * 2} for {count} masses, but "
            f"has {hessian.shape}."
        )
    check_baths("atoms", count, baths)
    thrice = {
        name: ((3 * np.atleast_1d(sites)[:, None] + np.arange(3)).ravel().tolist(), temperature)
        for name, (sites, temperature) in baths.items()
    }
    springs = hessian.reshape(3 * count, 3 * count)
    return OscillatorNetwork(**damped("atoms", 3 * count, springs, jnp.repeat(each, 3), thrice, friction, quantum))
