"""A potential that drives move periodically: its mean over the period, and what is beside it, sampled in JAX."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Values
from ..drives import Steps
from ..pytrees import Table

PHASES = 64
"""Samples of a period: enough for 31 harmonics of the potential."""


STILL = 1e-12
"""What moves by less, relative to its height and an energy of one, is at rest."""


class Tide(NamedTuple):
    """What a moved potential has beside its mean, at phases 0, 2π/64, … and at the places of `Samples`.

    - `heights` (phase, region, panel, node): V − mean V; `powers` (drive, phase, region, panel, node): ∂V/∂λ_d dλ_d/dt;
    - `frequency` Ω: the phase is Ωt.
    """

    heights: Values
    powers: Values
    frequency: Values


class Switches(NamedTuple):
    """What a potential that drives switch has in each part of the period, at the places of `Samples`.

    - `borders` (part + 1) of the parts, as shares of the period; parts may be empty;
    - `heights` (part, region, panel, node): V less the reference potential;
    - `jumps` (drive, part, region, panel, node): what V changes by at the start of a part, one drive after another;
    - `frequency` Ω.
    """

    borders: Values
    heights: Values
    jumps: Values
    frequency: Values


class Moved(eqx.Module):
    """V(x, {name: λ}), moved by drives."""

    potential: Callable[..., Array]
    drives: Table
    frequency: Array

    def values(self, phase: Array) -> dict[str, Array]:
        return {name: drive(phase) for name, drive in self.drives.items()}

    def borders(self) -> np.ndarray:
        """Shares of the period at which a drive jumps or has a kink, 0 the first; none if all are smooth."""
        found = [np.append(0.0, np.asarray(d.borders())) for d in self.drives.values() if d.borders().size]
        return np.unique(np.concatenate(found)) if found else np.zeros(0)

    @property
    def switched(self) -> bool:
        """Whether drives do nothing but jump."""
        return all(isinstance(drive, Steps) for drive in self.drives.values())

    def parts(self) -> Array:
        """Borders of the parts of the period in which all drives rest, 0 and 1 among them; drives switch."""
        return jnp.sort(jnp.concatenate([jnp.array([0.0, 1.0]), *(d.borders() for d in self.drives.values())]))

    def switches(self, x: Array, reference: Callable[[Array], Array]) -> Switches:
        """Of drives that switch."""
        borders = self.parts()
        # By the middle of a part: rounding must not move a border over it.
        middles = jnp.pi * (borders[1:] + borders[:-1])

        def seen(at: Array) -> tuple[Array, Array]:
            heights = jax.vmap(lambda phase: self.at(at, self.values(phase)))(middles) - reference(at)
            return heights, jax.vmap(lambda a, b: self.jumps(at, a, b))(jnp.roll(middles, 1), middles)

        heights, jumps = jax.vmap(seen, out_axes=-1)(x.ravel())
        jumps = jnp.swapaxes(jumps, 0, 1)
        return Switches(
            borders, heights.reshape(-1, *x.shape), jumps.reshape(*jumps.shape[:2], *x.shape), self.frequency
        )

    def jumps(self, x: Array, before: Array, after: Array) -> Array:
        """What V changes by between two phases, by one drive after another (drive)."""
        values, new = self.values(before), self.values(after)
        heights = [self.at(x, values)]
        for name in self.drives:
            values = values | {name: new[name]}
            heights.append(self.at(x, values))
        return jnp.diff(jnp.stack(heights))

    def at(self, x: Array, values: dict[str, Array]) -> Array:
        return jnp.asarray(self.potential(x, Table(values)), float)

    def __call__(self, x: Array) -> Array:
        """The mean over the period."""
        return jnp.mean(self._heights(x))

    def _heights(self, x: Array) -> Array:
        return jax.vmap(lambda phase: self.at(x, self.values(phase)))(_phases())

    def powers(self, x: Array, phase: Array) -> Array:
        """∂V/∂λ_d dλ_d/dt (drive) at one phase."""
        values, speeds = jax.jvp(self.values, (phase,), (self.frequency,))
        still = jax.tree.map(jnp.zeros_like, values)
        return jnp.stack(
            [jax.jvp(lambda v: self.at(x, v), (values,), (still | {d: speeds[d]},))[1] for d in self.drives]
        )

    def _powers(self, x: Array) -> Array:
        """(drive, phase)."""
        return jnp.moveaxis(jax.vmap(lambda phase: self.powers(x, phase))(_phases()), 0, -1)

    def sampled(self, x: Array) -> Tide:
        heights = jnp.moveaxis(jax.vmap(self._heights)(x.ravel()), 0, -1).reshape(PHASES, *x.shape)
        powers = jnp.moveaxis(jax.vmap(self._powers)(x.ravel()), 0, -1).reshape(-1, PHASES, *x.shape)
        return Tide(heights - jnp.mean(heights, axis=0), powers, self.frequency)

    def same(self, x: Array, turned: Array) -> Array:
        """Whether the potential is the same at two sets of places, at all phases."""
        here, there = (jax.vmap(self._heights)(at.ravel()) for at in (x, turned))
        return jnp.max(jnp.abs(here - there)) <= 1e-9 * (jnp.max(here) - jnp.min(here)) + 1e-12

    def still(self, x: Array) -> Array:
        """Whether the potential is at rest at some places, within rounding."""
        phases = jnp.concatenate([_phases(), jnp.pi * (self.parts()[1:] + self.parts()[:-1])])
        heights = jax.vmap(lambda phase: jax.vmap(lambda at: self.at(at, self.values(phase)))(x))(phases)
        spread = jnp.max(heights, axis=0) - jnp.min(heights, axis=0)
        return jnp.max(spread) <= STILL * (1 + jnp.max(jnp.abs(heights)))


def _phases() -> Array:
    return 2 * jnp.pi * jnp.arange(PHASES) / PHASES
