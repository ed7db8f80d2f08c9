"""Periodic drives λ(θ) of the phase θ = 2πt/τ, as data: they sweep, differentiate and go into files."""

import abc
from typing import Any

import jax.numpy as jnp
from jax import Array

from ._checks import Checked, InputError, Scalar, Vector, parameter


class Drive(Checked):
    """A 2π-periodic function of the phase θ = 2πt/τ."""

    @abc.abstractmethod
    def __call__(self, phase: Any) -> Array:
        """The value λ(θ)."""


class Cosine(Drive):
    """λ(θ) = mean + amplitude·cos(θ + phase).

    >>> float(Cosine(0.25, phase=0.0)(jnp.asarray(0.0)))
    0.25
    """

    amplitude: Scalar = parameter(dimension="")
    phase: Scalar = parameter(0.0, dimension="angle")
    mean: Scalar = parameter(0.0, dimension="")

    def __call__(self, phase: Any) -> Array:
        return self.mean + self.amplitude * jnp.cos(phase + self.phase)


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
        harmonics = jnp.arange(1, self.cosines.shape[-1] + 1) * phase
        return self.mean + jnp.sum(self.cosines * jnp.cos(harmonics) + self.sines * jnp.sin(harmonics), axis=-1)


class Samples(Drive):
    """The trigonometric polynomial through N equally spaced values λ(2πk/N), k = 0…N−1.

    It is exact for a smooth drive that N samples resolve; a step between samples rings (Gibbs).

    >>> bool(jnp.allclose(Samples([1.0, 0.0, -1.0, 0.0])(jnp.pi / 2), 0.0))
    True
    """

    values: Vector = parameter(dimension="", shape=None)

    def __check_init__(self) -> None:
        if self.values.ndim != 1 or self.values.shape[0] < 2:
            raise InputError(
                f"Samples: `values` must be a list of at least 2 numbers, but has shape {self.values.shape}."
            )

    def __call__(self, phase: Any) -> Array:
        n = self.values.shape[-1]
        coefficients = jnp.fft.rfft(self.values) / n
        orders = jnp.arange(coefficients.shape[-1])
        weight = jnp.where((orders == 0) | (2 * orders == n), 1.0, 2.0)
        angles = orders * phase
        return jnp.sum(weight * (coefficients.real * jnp.cos(angles) - coefficients.imag * jnp.sin(angles)), axis=-1)


class _Phase(Drive):
    """The phase itself, for machines whose energies are a plain function of the phase."""

    def __call__(self, phase: Any) -> Array:
        return phase


def as_drive(owner: str, name: str, value: Any) -> Drive:
    if not isinstance(value, Drive):
        raise InputError(
            f"{owner}: drive `{name}` must be a Drive (Cosine, Fourier, Samples), but is {type(value).__name__}."
        )
    return value
