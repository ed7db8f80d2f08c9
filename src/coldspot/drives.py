"""Periodic drives λ(θ) of the phase θ = 2πt/τ, as data: they sweep, differentiate and go into files."""

import abc
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ._checks import Checked, InputError, Rule, Scalar, Vector, parameter
from .compiler import looked_up, placed, plainly, unwarned
from .pytrees import compiled
from .show import array as show

WHOLE = 1e-9
"""How far durations may be from adding up to 1."""
SEEN = 4096
"""Intervals in which jumps are looked for."""
JUMP = 1e-8
"""A change by this part of a drive's range, over an interval as short as numbers tell apart, is a jump."""


class Drive(Checked):
    """A 2π-periodic function of the phase θ = 2πt/τ."""

    instead: ClassVar[str] = (
        " A drive stands in `drives={name: drive}`; what it changes is a function of the drives' values that returns "
        'the whole, as `lambda values: Glauber(values["name"])` or `lambda values: HeatBath(values["name"])`.'
    )
    """What is said where a drive is given for a number."""

    @abc.abstractmethod
    def __call__(self, phase: Any) -> Array:
        """The value λ(θ)."""

    def borders(self) -> Array:
        """Where λ jumps or has a kink, as shares of the period between 0 and 1 (border); phase 0 then is one, too.

        A drive that has none, as most, is smooth all around the period.
        """
        return jnp.zeros(0)


class Cosine(Drive):
    """λ(θ) = mean + amplitude·cos(θ + phase).

    >>> float(Cosine(0.25, phase=0.0)(jnp.asarray(0.0)))
    0.25
    """

    amplitude: Scalar = parameter(dimension="")
    phase: Scalar = parameter(0.0, dimension="angle")
    mean: Scalar = parameter(0.0, dimension="")

    def __call__(self, phase: Any) -> Array:
        xp, phase, mean, amplitude, shift = plainly(phase, self.mean, self.amplitude, self.phase)
        with unwarned():
            return placed(mean + amplitude * xp.cos(phase + shift))


class Fourier(Drive):
    """λ(θ) = mean + Σ_{h≥1} cosines[h−1]·cos(hθ) + sines[h−1]·sin(hθ).

    >>> float(Fourier([1.0, 0.5], [0.0, 0.0])(jnp.asarray(0.0)))
    1.5
    """

    cosines: Vector = parameter(dimension="", shape=None)
    sines: Vector = parameter(dimension="", shape=None)
    mean: Scalar = parameter(0.0, dimension="")

    def __check_init__(self) -> None:
        if self.cosines.ndim != 1 or self.cosines.shape != self.sines.shape:
            raise InputError(
                "Fourier: `cosines` and `sines` must be lists of the same length, "
                f"but have shapes {self.cosines.shape} and {self.sines.shape}."
            )

    def __call__(self, phase: Any) -> Array:
        xp, phase, mean, cosines, sines = plainly(phase, self.mean, self.cosines, self.sines)
        with unwarned():
            harmonics = np.arange(1, cosines.shape[-1] + 1) * phase
            return placed(mean + xp.sum(cosines * xp.cos(harmonics) + sines * xp.sin(harmonics), axis=-1))


@jax.jit
def coldspot_held(phase: Any, borders: Array, values: Array) -> Array:
    """The value of each step: a constant between borders (shares of the period). Its name tells `harmonics` so."""
    return values[jnp.sum(_share(phase) >= borders)]


@jax.jit
def coldspot_line(phase: Any, values: Array) -> Array:
    """Straight lines between equally spaced values. Its name tells `harmonics` so."""
    count = values.shape[-1]
    place = _share(phase) * count
    left = jnp.clip(jnp.floor(place).astype(int), 0, count - 1)
    start, end = values[left], values[(left + 1) % count]
    return start + (end - start) * (place - left)


def _share(phase: Any) -> Array:
    return jnp.mod(phase, 2 * jnp.pi) / (2 * jnp.pi)


def _ends(durations: Any) -> Any:
    ends = durations.cumsum()
    return ends[:-1] / ends[-1]


class Steps(Drive):
    """A constant value for each part of the period: `values[k]` for the share `durations[k]` of it, one after another.

    λ changes suddenly at the border of two parts, phase 0 among them; a network books the work of each change,
    Σ_i p_i ΔE_i. Durations are positive and add up to 1. At a border itself the later value counts.

    >>> gate = Steps([0.5, 2.0], [0.25, 0.75])
    >>> float(gate(1.0)), float(gate(3.0))
    (0.5, 2.0)
    """

    values: Vector = parameter(dimension="", shape=None)
    durations: Vector = parameter(shape=None)

    def __check_init__(self) -> None:
        if self.values.ndim != 1 or self.values.shape != self.durations.shape or not self.values.size:
            raise InputError(
                "Steps: `values` and `durations` must be lists of the same length, "
                f"but have shapes {self.values.shape} and {self.durations.shape}."
            )

    def rules(self) -> Iterable[Rule]:
        xp, durations = plainly(self.durations)
        yield Rule(xp.all(durations > 0), lambda: f"`durations` must be positive, but are {show(durations)}.")
        total = xp.sum(durations)
        yield Rule(
            xp.abs(total - 1) <= WHOLE,
            lambda: f"`durations` must add up to 1, being shares of the period, but add up to {float(total):.10g}.",
        )

    def __call__(self, phase: Any) -> Array:
        return coldspot_held(phase, self.borders(), self.values)

    def borders(self) -> Array:
        return looked_up(_ends, self.durations)


class Samples(Drive):
    """The trigonometric polynomial through N equally spaced values λ(2πk/N), k = 0…N−1.

    It is exact for a smooth drive that N samples resolve; a step between samples rings (Gibbs). With `kinked`, straight
    lines join the values instead, with a kink at each (for steps: `Steps`).

    >>> bool(jnp.allclose(Samples([1.0, 0.0, -1.0, 0.0])(jnp.pi / 2), 0.0))
    True
    >>> float(Samples([0.0, 1.0], kinked=True)(jnp.pi / 2))
    0.5
    """

    values: Vector = parameter(dimension="", shape=None)
    kinked: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if self.values.ndim != 1 or self.values.shape[0] < 2:
            raise InputError(
                f"Samples: `values` must be a list of at least 2 numbers, but has shape {self.values.shape}."
            )

    def __call__(self, phase: Any) -> Array:
        if self.kinked:
            return coldspot_line(phase, self.values)
        xp, phase, values = plainly(phase, self.values)
        n = values.shape[-1]
        orders = np.arange(n // 2 + 1)
        weight = np.where((orders == 0) | (2 * orders == n), 1.0, 2.0)
        with unwarned():
            coefficients, angles = xp.fft.rfft(values) / n, orders * phase
            waves = weight * (coefficients.real * xp.cos(angles) - coefficients.imag * xp.sin(angles))
            return placed(xp.sum(waves, axis=-1))

    def borders(self) -> Array:
        count = self.values.shape[-1]
        return placed(np.arange(1, count) / count if self.kinked else np.zeros(0))


class _Phase(Drive):
    """The phase itself, for machines whose energies are a plain function of the phase."""

    def __call__(self, phase: Any) -> Array:
        return phase


def as_drive(owner: str, name: str, value: Any) -> Drive:
    if not isinstance(value, Drive):
        raise InputError(
            f"{owner}: drive `{name}` must be a Drive (Cosine, Fourier, Samples, Steps), but is {type(value).__name__}."
        )
    return value


def as_drives(owner: str, drives: Any) -> dict[str, Drive]:
    """A mapping from names to drives, or None, as a dictionary."""
    if drives is not None and not isinstance(drives, Mapping):
        raise InputError(f"{owner}: `drives` must be a mapping from names to drives, but is {drives!r}.")
    return {name: as_drive(owner, name, drive) for name, drive in (drives or {}).items()}


def jump_of(drive: Any, last: float | None) -> float | None:
    """The phase of the largest jump of a drive between 0 and `last`, or in all periods; None if it is continuous there.

    Its largest changes between instants are halved until nothing is left of them but rounding.
    """
    if isinstance(drive, Cosine | Fourier | Samples):
        return None
    if isinstance(drive, Steps):
        ends = 2 * jnp.pi * drive.borders()
        return next((float(end) for end in ends if last is None or end <= last), None)
    fold = (2 * jnp.pi, 2 * jnp.pi) if last is None else (last, jnp.inf)
    found, size = (float(a) for a in _jump(drive, *map(jnp.asarray, fold)))
    return found if size > JUMP else None


@compiled
def _jump(drive: Any, last: Array, fold: Array) -> tuple[Array, Array]:
    """The phase of the largest jump, and its size relative to the range of the drive, with phases modulo `fold`."""
    value = jax.vmap(lambda phase: jnp.asarray(drive(jnp.mod(phase, fold)), float))
    phases = last * jnp.arange(SEEN + 1) / SEEN
    known = value(phases)

    def halved(_: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
        start, end, low, high = state
        middle = (start + end) / 2
        half = value(middle)
        first = jnp.abs(half - low) >= jnp.abs(high - half)
        pairs = ((start, middle), (middle, end), (low, half), (half, high))
        return tuple(jnp.where(first, a, b) for a, b in pairs)

    state = phases[:-1], phases[1:], known[:-1], known[1:]
    start, _, low, high = jax.lax.fori_loop(0, 40, halved, state)
    sizes = jnp.abs(high - low)
    worst = jnp.argmax(sizes)
    span = jnp.max(known) - jnp.min(known)
    return start[worst], sizes[worst] / jnp.where(span > 0, span, 1.0)
