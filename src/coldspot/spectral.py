"""Spectral densities of baths: how strongly a bath couples at each frequency ω > 0 (k_B = ħ = 1).

One class serves every form. What its value means depends on who uses it:

- `Bosonic(gamma)` of jump networks: γ(ω) is a rate. A transition that takes up a quantum ω does so at γ(ω)n(ω/T), and
  gives it back at γ(ω)(1+n(ω/T)).
- `PairJunction(damping)`, and friction of oscillators: J(ω) = −Im Π(ω) of a mode of unit mass, D^r = (ω²−Ω²−Π)⁻¹, so
  that the mode loses its energy at the rate J(Ω)/Ω. `Ohmic(γ)` is the force −γẋ, and the number γ stands for it.

At the mode's frequency the golden rule connects both: the ladder of a mode with J has the rates γ = J(Ω)/Ω.
"""

import abc
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import Array

from . import tracing
from ._attributes import told as _told
from ._checks import Checked, InputError, Numbers, Rule, Scalar, Vector, as_float, parameter
from .numerics.needles import needles

__all__ = ["Drude", "Flat", "Given", "Ohmic", "SpectralDensity", "Tabulated", "as_density"]


class SpectralDensity(Checked):
    """A function γ(ω) ≥ 0 of frequencies ω > 0; a bath of one's own spectrum is a subclass with this one method.

    >>> class Gapped(SpectralDensity):
    ...     gap: Array = parameter(dimension="energy", positive=True)
    ...     def __call__(self, frequency):
    ...         return jnp.where(frequency > self.gap, frequency - self.gap, 0.0)
    >>> float(Gapped(1.0)(3.0))
    2.0
    """

    @abc.abstractmethod
    def __call__(self, frequency: Any) -> Array:
        """γ(ω), element by element, of frequencies ω > 0 of any shape; not a number where it is not known."""

    def log_over_frequency(self, frequency: Any) -> Array:
        """ln(γ(ω)/ω), its limit at ω = 0 if γ(0) = 0, and infinite there if γ(0) > 0.

        What rates are made of: where γ itself would underflow, a density that knows its logarithm keeps its digits.
        """
        frequency = jnp.asarray(frequency)
        zero = jnp.zeros_like(frequency)
        start, slope = jax.jvp(self, (zero,), (jnp.ones_like(zero),))
        tiny = frequency < 1e-150
        safe = jnp.where(tiny, 1.0, frequency)
        ratio = jnp.where(tiny, jnp.where(start == 0, slope, jnp.inf), self(safe) / safe)
        return jnp.log(ratio)

    def features(self) -> Iterable[tuple[Array, Array]]:
        """Centres and widths of what is narrow in γ(ω), kinks included: integrals over ω look closely there.

        Unless a density knows them, they are looked for: at 32,768 frequencies, each .17 % above the one before. What
        is narrower than that may be overlooked, and so may be all but the eight that matter most.
        """
        return needles(self)


class Flat(SpectralDensity):
    """γ(ω) = strength, the same at all frequencies.

    >>> float(Flat(0.1)(2.0))
    0.1
    """

    strength: Numbers = parameter(positive=True, shape=None)

    def __call__(self, frequency: Any) -> Array:
        return self.strength + jnp.zeros_like(jnp.asarray(frequency))

    def log_over_frequency(self, frequency: Any) -> Array:
        return jnp.log(self.strength) - jnp.log(frequency)

    def features(self) -> Iterable[tuple[Array, Array]]:
        return ()


class Ohmic(SpectralDensity):
    """γ(ω) = strength·ω·exp(−ω/cutoff); without cut-off for an infinite one.

    >>> float(Ohmic(0.1)(2.0))
    0.2
    """

    strength: Scalar = parameter(positive=True)
    cutoff: Scalar = parameter(jnp.inf, dimension="energy", positive=True, finite=False)

    def __call__(self, frequency: Any) -> Array:
        return self.strength * frequency * jnp.exp(-frequency / self.cutoff)

    def log_over_frequency(self, frequency: Any) -> Array:
        return jnp.log(self.strength) - frequency / self.cutoff

    def features(self) -> Iterable[tuple[Array, Array]]:
        yield jnp.zeros_like(self.cutoff), self.cutoff


class Drude(SpectralDensity):
    """γ(ω) = strength·ω/(1 + (ω/cutoff)²): friction with a memory that decays as exp(−cutoff·t).

    >>> float(Drude(0.1, 2.0)(2.0))
    0.1
    """

    strength: Scalar = parameter(positive=True)
    cutoff: Scalar = parameter(dimension="energy", positive=True)

    def __call__(self, frequency: Any) -> Array:
        return self.strength * frequency / (1 + (frequency / self.cutoff) ** 2)

    def log_over_frequency(self, frequency: Any) -> Array:
        # hypot does not overflow far above the cut-off.
        return jnp.log(self.strength) - 2 * jnp.log(jnp.hypot(1.0, frequency / self.cutoff))

    def features(self) -> Iterable[tuple[Array, Array]]:
        yield jnp.zeros_like(self.cutoff), self.cutoff


class Tabulated(SpectralDensity):
    """Values at rising frequencies, joined by straight lines; outside the table γ(ω) is not a number.

    A steady state that needs γ outside the table has the status `NOT_FINITE`.

    >>> measured = Tabulated([0.0, 1.0, 3.0], [0.0, 0.25, 0.125])
    >>> measured(jnp.array([0.5, 2.0, 4.0])).tolist()
    [0.125, 0.1875, nan]
    """

    frequencies: Vector = parameter(dimension="energy", minimum=0.0, shape=None)
    values: Vector = parameter(minimum=0.0, shape=None)

    def __check_init__(self) -> None:
        shape = self.frequencies.shape
        if len(shape) != 1 or shape[0] < 2 or self.values.shape != shape:
            raise InputError(
                "Tabulated: `frequencies` and `values` must be two lists of one length, at least 2, "
                f"but have shapes {shape} and {self.values.shape}."
            )

    def rules(self) -> Iterable[Rule]:
        yield Rule(jnp.all(jnp.diff(self.frequencies) > 0), lambda: "`frequencies` must rise.")
        yield Rule(jnp.any(self.values > 0), lambda: "`values` must not all be 0.")

    def __call__(self, frequency: Any) -> Array:
        return jnp.interp(frequency, self.frequencies, self.values, left=jnp.nan, right=jnp.nan)

    def features(self) -> Iterable[tuple[Array, Array]]:
        # Straight lines have kinks where they meet; a panel ends at each.
        steps = jnp.diff(self.frequencies)
        for k in range(self.frequencies.shape[0]):
            yield self.frequencies[k], jnp.minimum(steps[max(k - 1, 0)], steps[min(k, len(steps) - 1)])


class Given(SpectralDensity):
    """A user's function γ(ω), made of JAX operations that work element by element."""

    function: Callable[[Array], Array]

    def __call__(self, frequency: Any) -> Array:
        return as_float(tracing.called(self.function, frequency), "what a spectral density returns")


def as_density(value: Any) -> SpectralDensity:
    """A density as it is, a function as `Given`, a number as `Flat`.

    >>> float(as_density(0.1)(2.0)), float(as_density(lambda w: w**3)(2.0))
    (0.1, 8.0)
    """
    if isinstance(value, SpectralDensity):
        return value
    if callable(value):
        tracing.check_takes("a spectral density must be a function of the frequency", value, 1.0)
    return Given(value) if callable(value) else Flat(as_float(value))


if not TYPE_CHECKING:  # a type checker goes on to refuse what is not here
    __getattr__ = _told("coldspot.spectral", __all__)
