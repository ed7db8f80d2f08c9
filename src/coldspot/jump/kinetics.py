"""Kinetics: the forward and backward rate of a transition, given its baths.

The author of a kinetics writes the formula for one transition, as logarithms (rates may span more than
floating-point numbers hold); batching over transitions and points is done by the network.
"""

import abc
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from .. import tracing
from .._checks import Checked, Numbers, Rule, as_float, parameter
from ..compiler import plainly
from ..drives import Drive
from ..numerics.double_double import exact_difference
from ..occupation import log_fermi_pair
from ..pytrees import opened
from ..show import array as show
from ..spectral import Drude, Flat, Ohmic, SpectralDensity, as_density

NOTHING = 1e-150
"""What stands for a rate of zero in logarithms: beside any other rate it is nothing, and derivatives stay right."""

FAINT = 1e10 * NOTHING
"""Probabilities and currents below it are those that only transitions of rate zero make."""


def faint(opened: Array) -> Array:
    """How far currents of each point may be off where transitions (first axis) that are not open stand as `NOTHING`."""
    return jnp.where(jnp.all(opened, axis=0), 0.0, FAINT)


def log_rate(rate: Array) -> Array:
    """ln(rate) of a rate that may be exactly zero."""
    return jnp.log(rate + jnp.where(rate == 0, NOTHING, 0.0))


class Step(NamedTuple):
    """One transition i → f as its kinetics sees it; all are scalars.

    `exponent` is x = Σ_b (e_b − μ_b n_b)/T_b with e_b, n_b the energy and particles that the transition takes
    from bath b, so that local detailed balance reads backward/forward = eˣ. `chemical_work` is Σ_b μ_b n_b, and
    `chemical_rest` what rounding took from it; `temperature` is that of the bath, NaN if there are several.
    """

    exponent: Array
    energy: Array
    particles: Array
    initial_energy: Array
    final_energy: Array
    chemical_work: Array
    temperature: Array
    chemical_rest: Array


SMOOTH, BENT, DIVERGING, ANYHOW = range(4)
"""How rates depend on energies: without kinks; with one, or without limit, where levels cross; in an unknown way."""


class Kinetics(Checked):
    """A law for the two rates of a transition."""

    detailed_balance: eqx.AbstractClassVar[bool]

    @property
    def smoothness(self) -> int:
        """`SMOOTH`, `BENT`, `DIVERGING` or, of a law of one's own that does not say, `ANYHOW`."""
        return ANYHOW

    @property
    def level_width(self) -> Array:
        """The level width that a bath causes by tunnelling, for each transition or for all; 0 for other laws."""
        return jnp.zeros(())

    @property
    def open(self) -> Any:
        """Whether the law's rates are not exactly zero, for each transition or for all."""
        return jnp.ones((), bool)

    @property
    def by_logarithm(self) -> bool:
        """Whether `rates` come from `log_rates`, which costs digits where logarithms are large."""
        return type(self).rates is Kinetics.rates

    @abc.abstractmethod
    def log_rates(self, step: Step) -> tuple[Array, Array]:
        """ln(forward rate), ln(backward rate); must differ by −`step.exponent` if `detailed_balance`."""

    def rates(self, step: Step) -> tuple[Array, Array]:
        """The forward and the backward rate, for methods that need no more range than floats have.

        Their ratio is e^{−x} to the rounding of x, however they are scaled. A law gives its own form where that takes
        fewer functions than the logarithms do.
        """
        forward, backward = self.log_rates(step)
        if not self.detailed_balance:
            return jnp.exp(forward), jnp.exp(backward)
        return _with_ratio(jnp.exp(jnp.maximum(forward, backward)), jnp.exp(-jnp.abs(step.exponent)), step.exponent)


def _size(exponent: Array) -> Array:
    """|x|, with the slope at 0 of the side that `_with_ratio` takes there: the derivatives of rates have no kink."""
    return jnp.where(exponent > 0, exponent, -exponent)


def _with_ratio(larger: Array, ratio: Array, exponent: Array) -> tuple[Array, Array]:
    """The forward and the backward rate from the larger of them and e^{−|x|}."""
    smaller = larger * ratio
    return jnp.where(exponent > 0, smaller, larger), jnp.where(exponent > 0, larger, smaller)


def _fermi_rates(scale: Array, exponent: Array) -> tuple[Array, Array]:
    """scale·f(x) and scale·f(−x), by one exponential."""
    ratio = jnp.exp(-_size(exponent))
    return _with_ratio(scale / (1 + ratio), ratio, exponent)


class Tunnelling(Kinetics):
    """Sequential tunnelling: forward γ/(1+eˣ), backward γ/(1+e^{−x}); γ is the full tunnelling rate, 0 if closed.

    For a level ε that is filled from a lead, x = (ε−μ)/T: filling γf, emptying γ(1−f)
    ("Anomalous thermodiffusion …", Zhang and Lü, eqs. 2–3).
    """

    detailed_balance: ClassVar[bool] = True
    smoothness: ClassVar[int] = SMOOTH  # type: ignore[misc]
    gamma: Numbers = parameter(dimension="rate", minimum=0.0, shape=None)

    @property
    def level_width(self) -> Array:
        return self.gamma

    @property
    def open(self) -> Any:
        return self.gamma > 0

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        scale = log_rate(self.gamma)
        forward, backward = log_fermi_pair(step.exponent)
        return scale + forward, scale + backward

    def rates(self, step: Step) -> tuple[Array, Array]:
        return _fermi_rates(self.gamma, step.exponent)


class Glauber(Kinetics):
    """Glauber flips: forward r(1−tanh(x/2)) = 2r/(1+eˣ), backward 2r/(1+e^{−x}).

    r is the rate at infinite temperature, 0 for a bath that is disconnected.
    """

    detailed_balance: ClassVar[bool] = True
    smoothness: ClassVar[int] = SMOOTH  # type: ignore[misc]
    rate: Numbers = parameter(dimension="rate", minimum=0.0, shape=None)

    @property
    def open(self) -> Any:
        return self.rate > 0

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        scale = log_rate(2 * self.rate)
        forward, backward = log_fermi_pair(step.exponent)
        return scale + forward, scale + backward

    def rates(self, step: Step) -> tuple[Array, Array]:
        return _fermi_rates(2 * self.rate, step.exponent)


class Arrhenius(Kinetics):
    """Hopping over a barrier: i → f at rate·exp(−(B−E_i)/T), and back at rate·exp(−(B−E_f)/T).

    The form for which the no-pumping theorem holds (Rahav, Horowitz, Jarzynski, "Directed flow in
    nonadiabatic stochastic pumps"). One bath only.
    """

    detailed_balance: ClassVar[bool] = True
    smoothness: ClassVar[int] = SMOOTH  # type: ignore[misc]
    barrier: Numbers = parameter(dimension="energy", shape=None)
    rate: Numbers = parameter(1.0, dimension="rate", minimum=0.0, shape=None)

    @property
    def open(self) -> Any:
        return self.rate > 0

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        scale, barrier = log_rate(self.rate), self.barrier
        rest, lost = exact_difference(barrier, step.final_energy)
        # Going back also brings the particles' potential: E_i = E_f − e, and x = (e − μn)/T.
        down, more = exact_difference(rest, -step.chemical_work)
        down = down + (lost + more + step.chemical_rest)
        return scale - (barrier - step.initial_energy) / step.temperature, scale - down / step.temperature


def _density(gamma: Any) -> Any:
    """A number, a spectral density or a function of the frequency (no drive) that has been seen to return numbers."""
    if not callable(gamma) or isinstance(gamma, Drive):
        return as_float(gamma, "Bosonic: `gamma`")
    if not isinstance(gamma, SpectralDensity):
        tracing.shape_of("Bosonic: `gamma` must be a function of the frequency", gamma, jnp.ones(()))
    return opened(gamma)


class Bosonic(Kinetics):
    """Exchange of one boson ω = |ΔE|: absorption γ(ω)n(ω/T), emission γ(ω)(1+n(ω/T)).

    `gamma` is a number, a spectral density (see `coldspot.spectral`) or a function of ω > 0. With one that vanishes at
    ω = 0 (such as `Ohmic`) the rates stay finite where levels cross; with a constant they diverge there, and the point
    is invalid.
    """

    detailed_balance: ClassVar[bool] = True
    gamma: Numbers | Callable[[Array], Array] = eqx.field(converter=_density, metadata={"dimension": "rate"})

    def rules(self) -> Iterable[Rule]:
        if not callable(self.gamma):
            xp, gamma = plainly(self.gamma)
            yield Rule(
                xp.all(xp.isfinite(gamma) & (gamma >= 0)),
                lambda: f"`gamma` must be not negative and finite, but is {show(gamma)}.",
            )

    @property
    def open(self) -> Any:
        return jnp.ones((), bool) if callable(self.gamma) else self.gamma > 0

    @property
    def smoothness(self) -> int:
        if not callable(self.gamma) or isinstance(self.gamma, Flat):
            return DIVERGING
        # γ(ω)/ω is an even function of ω for `Drude`.
        return SMOOTH if isinstance(self.gamma, Drude) else BENT if isinstance(self.gamma, Ohmic) else ANYHOW

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        x = step.exponent
        size = jnp.abs(x)
        # Emission γ(ω)(1+n) has ln(|x|/(1−e^{−|x|})) beyond ln(γT/ω), absorption |x| less: nothing large cancels. Near
        # x = 0 both share the even function ln(|x|/(2 sinh(|x|/2))), which has a derivative there.
        small = size < 1e-3
        safe = jnp.where(small, 1.0, size)
        series = -(size**2) / 24 + size**4 / 2880
        emission = jnp.log(safe) - jnp.log(-jnp.expm1(-safe))
        frequency = jnp.abs(step.energy)
        if callable(self.gamma):
            scale = as_density(self.gamma).log_over_frequency(frequency)
        else:
            scale = log_rate(self.gamma) - jnp.log(frequency)
        scale = scale + jnp.log(step.temperature)
        up = scale + jnp.where(small, series - x / 2, emission - jnp.maximum(x, 0))
        down = scale + jnp.where(small, series + x / 2, emission - jnp.maximum(-x, 0))
        return up, down

    @property
    def by_logarithm(self) -> bool:
        return callable(self.gamma)

    def rates(self, step: Step) -> tuple[Array, Array]:
        if callable(self.gamma):
            return super().rates(step)
        # γ(1 + n) and γn: the rounding of large logarithms (of small units, say) would be that of the rates.
        gamma = self.gamma + jnp.where(self.gamma == 0, NOTHING, 0.0)
        gamma = jnp.where(jnp.isnan(step.temperature), jnp.nan, gamma)  # several baths have no common n
        size = _size(step.exponent)
        return _with_ratio(gamma / -jnp.expm1(-size), jnp.exp(-size), step.exponent)


class Explicit(Kinetics):
    """Given forward and backward rates, which must obey local detailed balance with the baths (to 1e-8).

    Of what is left of a difference, the forward rate is taken as it is and the backward rate as the baths ask. With
    `check=False` both are taken as they are and may break it; heats are then still energy bookkeeping, but σ from the
    baths is no longer the entropy production of the jump process. Both may be 0, but not one of them alone.
    """

    forward: Numbers = parameter(dimension="rate", minimum=0.0, shape=None)
    backward: Numbers = parameter(dimension="rate", minimum=0.0, shape=None)
    check: bool = eqx.field(static=True, default=True)
    smoothness: ClassVar[int] = SMOOTH  # type: ignore[misc]

    @property
    def detailed_balance(self) -> bool:  # type: ignore[override]
        return self.check

    @property
    def open(self) -> Any:
        return self.forward > 0

    def rules(self) -> Iterable[Rule]:
        xp, forward, backward = plainly(self.forward, self.backward)
        yield Rule(
            xp.all((forward > 0) == (backward > 0)),
            lambda: (
                "`forward` and `backward` must both be positive, or both 0 where a transition is closed, but are "
                f"{show(forward)} and {show(backward)}."
            ),
        )

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        forward = log_rate(self.forward)
        return forward, forward + step.exponent if self.check else log_rate(self.backward)

    def rates(self, step: Step) -> tuple[Array, Array]:
        return self.forward, self.forward * jnp.exp(step.exponent) if self.check else self.backward
