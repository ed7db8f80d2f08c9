"""Meshes of the period that resolve what drives a network, wherever in the period it does.

Two meshes that agree prove nothing about a pulse that stands between the nodes of both. So either the formulas of all
that depends on the phase tell how many harmonics it has (`harmonics`), or it is looked at with 2¹⁵ snapshots: every
feature of 10⁻⁴ of the period or wider is seen wherever it stands, if rates change by more than 10⁻⁶ of themselves or
energies by more than 10⁻⁶ of the temperature there (or by 10⁻⁶ of their whole change, if that is less).
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS
from ..numerics.harmonics import harmonics
from ..numerics.mesh import Mesh, jumps, resolving, uniform
from ..pytrees import HOME, Closure
from .graph import Snapshot
from .system import System

FEWEST = 2
"""Elements of a period in which nothing is sharp."""
EQUAL = 64
"""Up to so many elements of equal length, one per two harmonics, are taken without a look."""
MOST = 1024
"""Elements of a mesh beyond which a point is given up."""
LOOKS = 2**15
"""Snapshots of a look: closer to each other than 10⁻⁴ of the period."""
SLIGHT = 1e-6
"""Change of ln(rate) or of energy/T that is overlooked."""


def is_own(law: Any) -> bool:
    """Whether a law of rates holds nothing but numbers and this package's own functions."""
    if isinstance(law, (int, float, str, type(None), np.ndarray, Array)):
        return True
    if isinstance(law, (tuple, list)):
        return all(is_own(part) for part in law)
    own = type(law).__module__.partition(".")[0] == HOME
    if not own or isinstance(law, Closure) or not dataclasses.is_dataclass(law):
        return False
    return all(is_own(getattr(law, field.name)) for field in dataclasses.fields(law))


def mesh_of(system: System) -> tuple[Mesh, Array]:
    """A mesh for each point of a batch (leading axis in, last axis out), and whether it resolves the drives."""
    arrays, static = eqx.partition(jax.lax.stop_gradient(system), eqx.is_array)
    points = jax.tree.leaves(arrays)[0].shape[0]
    known: list[Any] = []

    def count(a: Any) -> Array:
        found = _harmonics(eqx.combine(a, static))
        known.append(found)
        return jnp.asarray(jnp.inf if found is None else found)

    many = jax.vmap(count)(arrays)
    # Powers of two, so that halving ends at the last number of elements.
    wanted = jnp.exp2(jnp.ceil(jnp.log2(jnp.maximum(FEWEST, many / 2))))
    if isinstance(known[-1], float) and known[-1] <= 2 * EQUAL:
        most = max(FEWEST, int(np.ceil(known[-1] / 2)))
        return uniform(jnp.full(points, most), most), jnp.ones(points, bool)

    def one(inputs: tuple[Any, Array]) -> tuple[Array, Array]:
        a, wanted = inputs

        def equal() -> tuple[Array, Array]:
            mesh = uniform(wanted.astype(jnp.int32)[None], MOST)
            return mesh.borders[:, 0], mesh.count[0]

        def looked_at() -> tuple[Array, Array]:
            return _look(eqx.combine(a, static))

        return jax.lax.cond(wanted <= EQUAL, equal, looked_at)

    borders, counts = jax.lax.map(one, (arrays, wanted))
    resolved = counts <= MOST
    return Mesh(borders.T, jnp.where(resolved, counts, MOST)), resolved


def _harmonics(system: System) -> Any:
    """Harmonics of all that functions of the drives return, if this package's own laws make rates of it."""
    own = True

    def numbers(phase: Array) -> Any:
        nonlocal own
        moment = system.moment(phase)
        own = all(is_own(law) for law in moment.laws)
        baths = [(bath.temperature, bath.potential) for bath in moment.baths]
        return eqx.filter((moment.energies, baths, moment.laws), eqx.is_array)

    found = harmonics(numbers)
    return found if own else None


def _look(system: System) -> tuple[Array, Array]:
    """Borders and count for one point, from snapshots at equal distances."""

    def rows(phase: Array) -> Array:
        s: Snapshot = system.snapshot(phase)
        bath = jnp.concatenate([jnp.log(s.temperature), s.potential / s.temperature])
        # The reference equilibrium comes last: it jumps where another bath becomes the hottest, and nothing else does.
        levels = s.energies / s.temperature[0]
        return jnp.concatenate([s.log_forward, s.log_backward, bath, levels, s.reference])

    samples = jax.vmap(rows, out_axes=1)(2 * jnp.pi * jnp.arange(LOOKS) / LOOKS)
    size = jnp.max(jnp.abs(samples), axis=1)
    change = jnp.max(samples, axis=1) - jnp.min(samples, axis=1)
    allowed = jnp.maximum(SLIGHT * jnp.minimum(change, 1.0), 1e3 * EPS * size)
    borders, count = resolving(samples, allowed, MOST)
    physical = samples.shape[0] - system.states
    count = jnp.where(jumps(samples[:physical], allowed[:physical]), MOST + 1, count)
    return borders, count.astype(jnp.int32)
