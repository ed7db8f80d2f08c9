"""Periodic forces: their harmonics, and whether a force may hold what instants do not show."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..drives import Cosine, Fourier, Samples, Steps, _Phase, jump_of
from ..numerics.harmonics import harmonics
from ..pytrees import compiled
from .arguments import SPRING

HARMONICS = 512
"""Of forces whose number of harmonics is not known."""
SEEN = 4096
"""Instants at which what is known at instants alone is looked at: no more harmonics can be told apart."""
LOOKS = 1 << 20
"""Instants for what has no known formula: pulses of a millionth of the period are seen."""
FOLLOWED = 4
"""Steps of a trajectory in the shortest period, or piece, of a drive, at least."""
SHORTEST = 1e-8
"""The shortest piece of a drive, as a share of the period."""
BEYOND = 1e-2
"""By what part of its range a number may leave that range between the instants."""
ANYTHING = 1e100
"""The amplitude of a force that is not known."""


def harmonics_of(drive: Any) -> int | None:
    """How many harmonics a drive has; None if they are without end, or not known."""
    if isinstance(drive, Cosine):
        return 1
    if isinstance(drive, Fourier):
        return int(drive.cosines.shape[-1])
    return int(drive.values.shape[-1]) // 2 if isinstance(drive, Samples) and not drive.kinked else None


def amplitudes_of(drives: Mapping[str, Any], targets: tuple[int, ...], n: int) -> tuple[Array, Array | None]:
    """Complex amplitudes (harmonic, drive, n) of the forces: f(t) = mean + Re Σ_h f_h e^{ihΩt}.

    Where harmonics have no end, the first of them; and all once more, from other instants, where drives are known at
    instants alone: how far the two differ tells what is between those. (Numbers of instants without a common divisor:
    a jump is not taken to stand at the same place twice.)
    """
    acting = [(d, drive, i) for d, (drive, i) in enumerate(zip(drives.values(), targets, strict=True)) if i >= 0]
    counts = [harmonics_of(drive) for _, drive, _ in acting]
    endless = None in counts
    most = max([HARMONICS if count is None else count for count in counts], default=0)

    def found(instants: int) -> Array:
        amplitudes = jnp.zeros((most, len(targets), n), complex)
        for d, drive, i in acting:
            amplitudes = amplitudes.at[:, d, i].set(_harmonics(drive, most, instants))
        return amplitudes

    if not endless:
        return found(8 * most + 8), None
    rough = found(5 * most + 7)
    for d, drive, i in acting:
        if _by_instants(drive):
            # What may have been between the instants may be anything.
            rough = rough.at[:, d, i].set(jnp.where(unseen(drive), ANYTHING, rough[:, d, i]))
    return found(8 * most + 8), rough


def _by_instants(drive: Any) -> bool:
    """Whether a drive is known at instants alone."""
    return harmonics_of(drive) is None and not isinstance(drive, Steps | Samples)


def unseen(function: Callable[[Array], Any], seen: int = SEEN, last: Any = 2 * np.pi) -> Array:
    """Whether numbers that depend on the phase may do something between `seen` instants, such as a narrow pulse.

    Up to the phase `last`. Their formula tells, by its harmonics; where it does not, they are looked at `LOOKS` times,
    and must stay in the range that was seen.
    """
    count = harmonics(function)
    if count is not None:
        return ~(jnp.asarray(count) * last <= 2 * jnp.pi * seen)

    def value(phase: Any) -> Array:
        return jnp.concatenate([jnp.ravel(a) for a in jax.tree.leaves(function(phase))])

    def span(shift: Any) -> tuple[Any, Any]:
        values = jax.vmap(value)(last * (jnp.arange(seen) + shift) / seen)
        return jnp.min(values, 0), jnp.max(values, 0)

    (low, high), end = span(0.0), value(jnp.asarray(last))
    low, high = jnp.minimum(low, end), jnp.maximum(high, end)
    shifts = max(LOOKS // seen, 2)
    lows, highs = jax.lax.map(span, jnp.arange(1, shifts) / shifts)
    beyond = jnp.maximum(low - jnp.min(lows, 0), jnp.max(highs, 0) - high)
    # Written so that what is no number counts.
    return ~jnp.all(beyond <= BEYOND * (high - low) + 1e-12 * (jnp.abs(low) + jnp.abs(high)))


def _harmonics(drive: Any, most: int, instants: int) -> Array:
    """The amplitudes of the first harmonics of a drive: by its formula if it is made of pieces."""
    orders = jnp.arange(1, most + 1)
    if isinstance(drive, Steps):
        borders = 2 * jnp.pi * jnp.concatenate([jnp.zeros(1), drive.borders()])
        jumps = drive.values - jnp.roll(drive.values, 1)
        return jnp.exp(-1j * orders[:, None] * borders) @ jumps / (1j * jnp.pi * orders)
    if isinstance(drive, Samples) and drive.kinked:
        count, values = drive.values.shape[-1], drive.values
        kinks = (jnp.roll(values, 1) - 2 * values + jnp.roll(values, -1)) * count / (2 * jnp.pi)
        borders = 2 * jnp.pi * jnp.arange(count) / count
        return -jnp.exp(-1j * orders[:, None] * borders) @ kinks / (jnp.pi * orders**2)
    phases = 2 * jnp.pi * jnp.arange(instants) / instants
    return 2 * jnp.fft.fft(jax.vmap(drive)(phases))[1 : most + 1] / instants


def hidden(drives: Mapping[str, Any], targets: tuple[int, ...], seen: int = SEEN) -> str:
    """Words on the first drive of which instants may not show all; empty if they do."""
    for (name, drive), target in zip(drives.items(), targets, strict=True):
        if (target >= 0 or target == SPRING) and _by_instants(drive) and bool(unseen_at(drive, seen)):
            return (
                f"the drive `{name}` may hold a pulse between the {seen} instants of the period at which it is looked "
                "at; widen it, or give it as `Steps` or as `Samples`"
            )
    return ""


class Shape(eqx.Module):
    """Springs that are functions of the phase as one number, in which no entry is lost."""

    springs: Callable[[Array], Array]

    def __call__(self, phase: Any) -> Array:
        found = jnp.asarray(self.springs(phase), float)
        return jnp.sum(found * np.sqrt(1 + np.arange(found.size)).reshape(found.shape))


def untold(
    drives: Mapping[str, Any],
    targets: tuple[int, ...],
    springs: Any,
    seen: int,
    last: float | None = None,
) -> str:
    """Words on the first drive that so many steps of a period do not follow, or that jumps between them; else empty.

    Trajectories know every drive at their own instants alone, even one whose harmonics are known exactly: `FOLLOWED` of
    them, at least, in the shortest period that it has. Steps end where drives say that they jump, or have a kink.
    `springs`: as the network was given them; `last`: the phase at which they end, if that is not a whole period.
    """
    for (name, drive), target in zip(drives.items(), targets, strict=True):
        if not (target >= 0 or target == SPRING):
            continue
        ends = np.asarray(drive.borders())
        if ends.size and np.min(np.diff(ends, prepend=0.0, append=1.0)) < SHORTEST:
            return f"the drive `{name}` has a piece shorter than {SHORTEST:g} of the period; make it longer"
        seen_as = Shape(springs) if isinstance(drive, _Phase) else drive
        jump = None if ends.size else jump_of(seen_as, last)
        if jump is not None:
            if isinstance(drive, _Phase):
                return f"`springs`, a function of the phase, jump at the phase {jump:.6g}; give what jumps as `drives`"
            return (
                f"the drive `{name}` jumps at the phase {jump:.6g}, which its `borders()` do not name; write them, or "
                "give it as `Steps`"
            )
        many = harmonics_of(drive)
        if many is not None and FOLLOWED * many >= seen:
            return (
                f"the drive `{name}` has {many} harmonics, which the {seen} steps of a period do not follow; give a "
                f"`time_step` below 1/{FOLLOWED * many} of the period"
            )
        end = 2 * math.pi if last is None else last
        looks = max(int(seen * end / (2 * math.pi)) // FOLLOWED, 1)
        if _by_instants(drive) and bool(unseen_at(seen_as, looks, end)):
            return (
                f"the drive `{name}` may change faster than the {seen} steps of a period follow; give a shorter "
                "`time_step`"
            )
    return ""


unseen_at = compiled(unseen)
