"""A single level between two leads (sequential tunnelling)."""

from typing import ClassVar

import jax.numpy as jnp

from .._checks import Scalar, parameter
from ..baths import ElectronBath
from ..dynamics import Machine
from ..jump.channels import Channel
from ..jump.kinetics import Tunnelling
from ..jump.network import JumpNetwork


class QuantumDot(Machine):
    """One level ε, empty or filled, between the leads `left` and `right`.

    Filling Σ_ν γ_ν f_ν, emptying Σ_ν γ_ν(1−f_ν); particle current from left γ(f_L−f_R) with
    γ = γ_Lγ_R/(γ_L+γ_R) (Zhang and Lü, "Anomalous thermodiffusion, absolute negative mobility and reverse heat
    transport in a single quantum dot", eqs. 1–8). Energies, temperatures and rates in one unit (k_B = ħ = e = 1).

    The default shows reverse heat transport: bias and temperature gradient point right, heat flows left.

    >>> import coldspot as cs
    >>> cs.steady_state(QuantumDot(level=-15.0)).flags["absolute negative mobility"].item()
    True
    """

    name: ClassVar[str] = "quantum-dot"
    summary: ClassVar[str] = "single level between two leads (sequential tunnelling)"
    level: Scalar = parameter(-5.0, dimension="energy")
    left: ElectronBath = ElectronBath(10.0, 2.5)
    right: ElectronBath = ElectronBath(5.0, -2.5)
    gamma_left: Scalar = parameter(2.0, dimension="rate", positive=True)
    gamma_right: Scalar = parameter(2.0, dimension="rate", positive=True)

    def dynamics(self) -> JumpNetwork:
        return JumpNetwork(
            energies=jnp.stack([jnp.zeros_like(self.level), self.level]),
            occupations=[0, 1],
            baths={"left": self.left, "right": self.right},
            channels=[
                Channel("left", 0, 1, Tunnelling(self.gamma_left)),
                Channel("right", 0, 1, Tunnelling(self.gamma_right)),
            ],
        )
