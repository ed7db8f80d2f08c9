"""A potential that drives move periodically: its mean over the period, and what is beside it, sampled in JAX."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.polynomial import chebyshev

from .._checks import Values
from ..drives import Steps
from ..pytrees import Table
from .terrain import ABSCISSAE, NODES, TO_COEFFICIENTS

PHASES = 64
"""Samples of a period: enough for 31 harmonics of the potential."""
PANELS = 8
"""Panels in time of all parts of a period together, at least; each has `NODES` samples."""
LOOKS = 1 << 15
"""Phases at which all is compared with what the samples say: pulses of 1e-4 of a period are seen, wherever they are."""
LOOKED_AT = 5
"""Places at which potentials are, at least."""
BESIDE = 1e-12
"""Share of a period by which one looks before and after a jump."""

STILL = 1e-12
"""What moves by less, relative to its height and an energy of one, is at rest."""


class Tide(NamedTuple):
    """What a moved potential has beside its mean, at phases 0, 2π/64, … and at the places of `Samples`.

    - `heights` (phase, region, panel, node): V − mean V; `powers` (drive, phase, region, panel, node): ∂V/∂λ_d dλ_d/dt;
    - `missed` (2): how far drives, and the potential at some places, are from their harmonics elsewhere, against their
      range, and the phase where that is worst;
    - `frequency` Ω: the phase is Ωt.
    """

    heights: Values
    powers: Values
    missed: Values
    frequency: Values


class Pieces(NamedTuple):
    """What a potential has in each part of the period, at whose borders drives jump or have kinks, at the places of

    `Samples`.

    - `borders` (part + 1) of the parts, as shares of the period; parts may be empty;
    - `heights` (part, time, region, panel, node): V less the reference potential, at the `ABSCISSAE` of some equal
      panels in time, or once where drives do nothing but jump;
    - `powers` (drive, part, time, region, panel, node): ∂V/∂λ_d dλ_d/dt;
    - `jumps` (drive, part, region, panel, node): what V changes by at the start of a part, one drive after another;
    - `missed` (part): how far drives, and the potential at some places, are from the polynomials through these samples
      elsewhere, against their range;
    - `frequency` Ω.
    """

    borders: Values
    heights: Values
    powers: Values
    jumps: Values
    missed: Values
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

    @property
    def pieced(self) -> bool:
        """Whether a drive jumps or has a kink; where all are `Steps`, also if none of them jumps."""
        return self.switched or any(drive.borders().size for drive in self.drives.values())

    def parts(self) -> Array:
        """Borders of the parts of the period in which all drives are smooth, 0 and 1 among them."""
        return jnp.sort(jnp.concatenate([jnp.array([0.0, 1.0]), *(d.borders() for d in self.drives.values())]))

    def _panels(self) -> int:
        """Panels in time of a part."""
        return 1 if self.switched else -(-PANELS // (len(self.parts()) - 1))

    def _phases(self, shares: np.ndarray) -> Array:
        """(part, panel, share) at shares of each panel."""
        borders, count = self.parts(), self._panels()
        places = (np.arange(count)[:, None] + shares) / count
        return 2 * jnp.pi * (borders[:-1, None, None] + jnp.diff(borders)[:, None, None] * places)

    def middles(self) -> Array:
        """Phases of the middle of each panel in time; rounding must not move a border over them."""
        return self._phases(np.array([0.5])).ravel()

    def pieces(self, x: Array, reference: Callable[[Array], Array]) -> Pieces:
        """Of drives that jump or have kinks."""
        borders = self.parts()
        parts, drives = len(borders) - 1, len(self.drives)
        phases = self._phases(np.array([0.5]) if self.switched else (1 + ABSCISSAE) / 2).reshape(parts, -1)
        beside = jnp.minimum(BESIDE, jnp.diff(borders) / 2)
        starts, stops = 2 * jnp.pi * (borders[:-1] + beside), 2 * jnp.pi * (borders[1:] - beside)

        def seen(at: Array) -> tuple[Array, Array, Array]:
            heights = jax.vmap(lambda phase: self.at(at, self.values(phase)))(phases.ravel()) - reference(at)
            powers = jax.vmap(lambda phase: self.powers(at, phase), out_axes=1)(phases.ravel())
            jumps = jax.vmap(lambda a, b: self.jumps(at, a, b), out_axes=1)(jnp.roll(stops, 1), starts)
            return heights, powers, jumps

        heights, powers, jumps = jax.vmap(seen, out_axes=-1)(x.ravel())
        return Pieces(
            borders,
            heights.reshape(*phases.shape, *x.shape),
            powers.reshape(drives, *phases.shape, *x.shape),
            jumps.reshape(drives, parts, *x.shape),
            jnp.zeros(parts) if self.switched else self._missed_in_parts(x),
            self.frequency,
        )

    def _looks(self, x: Array, phases: Array) -> tuple[Array, Array]:
        """Values of all drives, and the potential at some of the places x (row, phase); the range of each row.

        Where the potential hardly moves, its range is that of where it moves most.
        """
        some = x.ravel()[:: max(1, x.size // LOOKED_AT)]

        def seen(phase: Array) -> tuple[Array, Array]:
            values = self.values(phase)
            return jnp.stack(list(values.values())), jax.vmap(lambda at: self.at(at, values))(some)

        drives, heights = (jnp.moveaxis(rows, 0, -1) for rows in jax.vmap(seen)(phases.ravel()))
        spans = jnp.ptp(drives, axis=1), jnp.full(len(some), jnp.max(jnp.ptp(heights, axis=1)))
        span = jnp.concatenate(spans)
        return jnp.concatenate([drives, heights]), jnp.where(span > 0, span, 1.0)[:, None]

    def _missed(self, x: Array) -> Array:
        """Of smooth drives: what the harmonics of the samples miss, and at which phase."""
        phases = 2 * jnp.pi * jnp.arange(LOOKS) / LOOKS
        rows, span = self._looks(x, phases)
        harmonics = jnp.fft.rfft(rows[:, :: LOOKS // PHASES])[:, : PHASES // 2]
        off = jnp.max(jnp.abs(rows - jnp.fft.irfft(harmonics * (LOOKS // PHASES), LOOKS)) / span, axis=0)
        worst = jnp.argmax(off)
        return jnp.stack([off[worst], phases[worst]])

    def _missed_in_parts(self, x: Array) -> Array:
        """Of drives that jump or have kinks: what the polynomials in time miss, in each part."""
        panels = (len(self.parts()) - 1, self._panels())
        count = -(-LOOKS // (panels[0] * panels[1]))
        shares = (np.arange(count) + 0.5) / count
        rows, span = self._looks(x, self._phases(shares))
        known = self._looks(x, self._phases((1 + ABSCISSAE) / 2))[0].reshape(-1, *panels, NODES)
        between = chebyshev.chebvander(2 * shares - 1, NODES - 1) @ TO_COEFFICIENTS
        off = jnp.abs(rows.reshape(-1, *panels, count) - known @ between.T) / span[..., None, None]
        return jnp.max(off, axis=(0, 2, 3))

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
        return Tide(heights - jnp.mean(heights, axis=0), powers, self._missed(x), self.frequency)

    def same(self, x: Array, turned: Array) -> Array:
        """Whether the potential is the same at two sets of places, at all phases."""
        here, there = (jax.vmap(self._heights)(at.ravel()) for at in (x, turned))
        return jnp.max(jnp.abs(here - there)) <= 1e-9 * (jnp.max(here) - jnp.min(here)) + 1e-12

    def still(self, x: Array) -> Array:
        """Whether the potential is at rest at some places, within rounding."""
        phases = jnp.concatenate([_phases(), self.middles()])
        heights = jax.vmap(lambda phase: jax.vmap(lambda at: self.at(at, self.values(phase)))(x))(phases)
        spread = jnp.max(heights, axis=0) - jnp.min(heights, axis=0)
        return jnp.max(spread) <= STILL * (1 + jnp.max(jnp.abs(heights)))


def _phases() -> Array:
    return 2 * jnp.pi * jnp.arange(PHASES) / PHASES
