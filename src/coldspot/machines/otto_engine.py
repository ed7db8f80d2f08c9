"""A two-level system in an Otto cycle: hot at a wide gap, cold at a narrow one, and sudden changes between."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from .._checks import Rule, Scalar, parameter
from ..baths import HeatBath
from ..compiler import stacked
from ..drives import Steps
from ..dynamics import Machine
from ..jump.channels import Channel
from ..jump.kinetics import Glauber
from ..jump.network import JumpNetwork
from ..show import array as show


class _Levels(eqx.Module):
    """0 and the gap, which is wide at 1 and narrow at 0."""

    wide: Scalar
    narrow: Scalar

    def __call__(self, drives: Mapping[str, Any]) -> Array:
        gap = self.narrow + (self.wide - self.narrow) * drives["piston"]
        return jnp.stack([jnp.zeros_like(gap), gap])


class _Valve(eqx.Module):
    """A bath that is connected at 1, or, if `cold`, at 0."""

    rate: Scalar
    cold: bool = eqx.field(static=True)

    def __call__(self, drives: Mapping[str, Any]) -> Glauber:
        return Glauber(self.rate * (1 - drives["piston"] if self.cold else drives["piston"]))


class OttoEngine(Machine):
    """Two levels with the gap ω_h, in contact with the `hot` bath for the share `hot_share` of the period, then with

    the gap ω_c in contact with the `cold` one; the drive `piston` changes both suddenly. Flips (Glauber) with the full
    relaxation rates Γ_h, Γ_c. With n_b = 1/(1+e^{ω_b/T_b}) in equilibrium and x = e^{−Γ_h t_h}, y = e^{−Γ_c t_c},

    work per cycle = (ω_h−ω_c)(n_h−n_c)(1−x)(1−y)/(1−xy),     efficiency = 1 − ω_c/ω_h

    while it is below Carnot's, where the work stops ("Performance of discrete heat engines and heat pumps in finite
    time", Feldmann and Kosloff, for sudden adiabats). Energies, temperatures and rates in one unit (k_B = ħ = 1).

    >>> import coldspot as cs
    >>> s = cs.steady_state(OttoEngine())
    >>> s.regime, f"{float(s.efficiency):.10f}"
    ('engine', '0.5000000000')
    """

    name: ClassVar[str] = "otto-engine"
    summary: ClassVar[str] = "two-level system in an Otto cycle with sudden strokes"
    hot_gap: Scalar = parameter(2.0, dimension="energy", positive=True)
    cold_gap: Scalar = parameter(1.0, dimension="energy", positive=True)
    hot_rate: Scalar = parameter(1.0, dimension="rate", positive=True)
    cold_rate: Scalar = parameter(1.0, dimension="rate", positive=True)
    period: Scalar = parameter(4.0, dimension="time", positive=True)
    hot_share: Scalar = parameter(0.5)
    hot: HeatBath = HeatBath(2.0)
    cold: HeatBath = HeatBath(0.5)

    def rules(self) -> Iterable[Rule]:
        share = self.hot_share
        yield Rule(
            (share > 0) & (share < 1),
            lambda: f"`hot_share` must lie strictly between 0 and 1, but is {show(share)}.",
        )

    def dynamics(self) -> JumpNetwork:
        return JumpNetwork(
            energies=_Levels(self.hot_gap, self.cold_gap),
            baths={"hot": self.hot, "cold": self.cold},
            # Glauber's rate is that at infinite temperature, half of the relaxation rate.
            channels=[
                Channel("hot", 0, 1, _Valve(self.hot_rate / 2, False)),
                Channel("cold", 0, 1, _Valve(self.cold_rate / 2, True)),
            ],
            drives={"piston": Steps([1.0, 0.0], stacked([self.hot_share, 1 - self.hot_share]))},
            period=self.period,
        )
