"""Two levels whose gap is modulated, between baths of which each sees another sideband of it."""

from collections.abc import Iterable
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from .._checks import Numbers, Rule, Scalar, parameter
from ..baths import BosonBath, WorkReservoir
from ..compiler import stacked
from ..dynamics import Machine
from ..jump.channels import Channel, Share
from ..jump.kinetics import SMOOTH, Kinetics, Step
from ..jump.network import JumpNetwork
from ..show import array as show


class Sideband(Kinetics):
    """Absorption γn(x) and emission γ(1+n(x)) of a quantum that is not the levels' distance; n(x) = 1/(eˣ−1), x > 0."""

    detailed_balance: ClassVar[bool] = True
    smoothness: ClassVar[int] = SMOOTH  # type: ignore[misc]
    gamma: Numbers = parameter(dimension="rate", positive=True, shape=None)

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        emission = jnp.log(self.gamma) - jnp.log(-jnp.expm1(-step.exponent))
        return emission - step.exponent, emission


class TwoLevelPump(Machine):
    """A gap ω₀ + A cos Ωt that changes much faster than the levels relax: baths see quanta ω₀ + qΩ, with the weight

    (A/2Ω)² of q = ±1 for a weak modulation. The bath `left` absorbs and emits at the upper sideband alone, `right` at
    the lower one alone, as filters or narrow bands of phonons make it: rates γ_b(A/2Ω)² n_b and γ_b(A/2Ω)² (1 + n_b).
    What is missing to ω₀ is work of the `modulation`. Every quantum that `right` gives goes to `left` with two of the
    modulation, so that COP = (ω₀−Ω)/2Ω and efficiency = 2Ω/(ω₀+Ω), whatever the rates; with `left` the hotter bath
    the machine is an engine below Ω = ω₀(T_L−T_R)/(T_L+T_R), a refrigerator above, and reversible there ("Molecular
    heat pump", Segal and Nitzan; "Minimal universal quantum heat machine", Gelbwaser-Klimovsky, Alicki and Kurizki).
    Energies, temperatures and rates in one unit (k_B = ħ = 1).

    >>> import coldspot as cs
    >>> s = cs.steady_state(TwoLevelPump())
    >>> s.regime, f"{float(s.cop):.12f}"
    ('refrigerator', '1.166666666667')
    """

    name: ClassVar[str] = "two-level-pump"
    summary: ClassVar[str] = "two levels with a modulated gap that pump heat between phonon baths"
    splitting: Scalar = parameter(1.0, dimension="energy", positive=True)
    modulation: Scalar = parameter(0.3, dimension="energy", positive=True)
    amplitude: Scalar = parameter(0.1, dimension="energy", positive=True)
    gamma_left: Scalar = parameter(0.01, dimension="rate", positive=True)
    gamma_right: Scalar = parameter(0.01, dimension="rate", positive=True)
    left: BosonBath = BosonBath(1.2)
    right: BosonBath = BosonBath(1.0)

    def rules(self) -> Iterable[Rule]:
        low, high = self.modulation, self.splitting
        yield Rule(
            low < high,
            lambda: f"`modulation` must be less than `splitting` = {show(high)}, but is {show(low)}.",
        )

    def dynamics(self) -> JumpNetwork:
        weight = (self.amplitude / (2 * self.modulation)) ** 2
        quantum = {"left": self.splitting + self.modulation, "right": self.splitting - self.modulation}
        strength = {"left": self.gamma_left, "right": self.gamma_right}
        return JumpNetwork(
            energies=stacked([0.0, self.splitting]),
            baths={"left": self.left, "right": self.right, "modulation": WorkReservoir()},
            channels=[
                Channel(
                    {name: Share(quantum[name]), "modulation": Share(self.splitting - quantum[name])},
                    0,
                    1,
                    Sideband(strength[name] * weight),
                )
                for name in ("left", "right")
            ],
        )
