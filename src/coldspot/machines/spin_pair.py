"""Two coupled Ising spins, each with a heat bath and a periodic field."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Numbers, Scalar, parameter
from ..baths import HeatBath
from ..drives import Cosine
from ..dynamics import Machine
from ..jump.channels import Channel
from ..jump.kinetics import SMOOTH, Kinetics, Step
from ..jump.network import JumpNetwork
from ..occupation import log_fermi_pair

SPINS = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
"""σ_1, σ_2 of the four states, in the paper's order ++, −+, +−, −−."""


class SplitGlauber(Kinetics):
    """Flips r(1−tanh(a/2T))(1−tanh((ΔE−a)/2T)): the energy change ΔE enters in two parts, a and ΔE−a.

    Each factor is written 2/(1+eˣ), which keeps its digits where 1−tanh loses them.
    """

    detailed_balance: ClassVar[bool] = True
    smoothness: ClassVar[int] = SMOOTH  # type: ignore[misc]
    rate: Numbers = parameter(positive=True, shape=None)
    part: Numbers = parameter(shape=None)

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        one = self.part / step.temperature
        other = step.exponent - one
        scale = jnp.log(4 * self.rate)
        (forward, backward), (other_forward, other_backward) = log_fermi_pair(one), log_fermi_pair(other)
        return scale + forward + other_forward, scale + backward + other_backward


class _Energies(eqx.Module):
    """E(σ) = −Jσ_1σ_2 − h_Lσ_1 − h_Rσ_2."""

    coupling: Scalar

    def __call__(self, fields: Mapping[str, Any]) -> Array:
        first, second = SPINS.T.astype(float)
        return self.coupling * -(first * second) - fields["left"] * first - fields["right"] * second


class SpinPair(Machine):
    """Two Ising spins, H = −Jσ_1σ_2 − h_L(t)σ_1 − h_R(t)σ_2, each flipped by its own bath at

    r(1−tanh(J/T_b)σ_1σ_2)(1−tanh(h_b/T_b)σ_b), with h_L = h_0 cos(2πt/τ), h_R = h_0 cos(2πt/τ+φ)
    ("Two simple models of classical heat pumps", Marathe, Jayannavar and Dhar, eqs. 1–3). The drives `left` and
    `right` are the two fields. Energies and temperatures in one unit, times in its inverse (ħ = 1).

    The default is the paper's refrigerator: at φ = 2.2 heat flows out of the colder right bath.

    >>> import coldspot as cs
    >>> s = cs.steady_state(SpinPair())
    >>> s.regime, f"{float(s.heat['right']):.4e}"
    ('refrigerator', '3.6732e-04')
    """

    name: ClassVar[str] = "spin-pair"
    summary: ClassVar[str] = "two coupled Ising spins driven by periodic fields (Glauber flips)"
    coupling: Scalar = parameter(1.0, dimension="energy")
    rate: Scalar = parameter(0.5, dimension="rate", positive=True)
    amplitude: Scalar = parameter(0.25, dimension="energy")
    period: Scalar = parameter(225.0, dimension="time", positive=True)
    phase: Scalar = parameter(2.2, dimension="angle")
    left: HeatBath = HeatBath(0.5)
    right: HeatBath = HeatBath(0.499)

    def dynamics(self) -> JumpNetwork:
        # Flips of spin b from + to −; 2Jσ_1σ_2 is the part of ΔE that the coupling contributes.
        flips = {"left": ([0, 2], [1, 3]), "right": ([0, 1], [2, 3])}
        return JumpNetwork(
            energies=_Energies(self.coupling),
            baths={"left": self.left, "right": self.right},
            channels=[
                Channel(bath, up, down, SplitGlauber(self.rate, 2 * self.coupling * np.prod(SPINS[up], axis=1)))
                for bath, (up, down) in flips.items()
            ],
            drives={"left": Cosine(self.amplitude), "right": Cosine(self.amplitude, self.phase)},
            period=self.period,
        )
