"""A level of any width between two leads, as a heat engine (coherent transport)."""

from typing import ClassVar

import jax.numpy as jnp

from .._checks import Scalar, parameter
from ..baths import ElectronBath
from ..conductor.coherent import Conductor
from ..conductor.leads import WideBandLead
from ..dynamics import Machine


class ResonantThermoelectric(Machine):
    """One level ε with the widths Γ_L, Γ_R between the leads `left` and `right`, without interaction.

    T(ε) = Γ_LΓ_R/((ε−level)² + Γ²/4), Γ = Γ_L+Γ_R. A narrow level lets electrons of one energy pass and comes near
    Carnot's efficiency (G. D. Mahan and J. O. Sofo, "The best thermoelectric"); a wide one gives more power and leaks
    heat. As Γ/T → 0 it is `QuantumDot`. Energies, temperatures and widths in one unit (k_B = ħ = e = 1).

    The default is an engine: the hot left lead drives electrons up to the right one.

    >>> import coldspot as cs
    >>> cs.steady_state(ResonantThermoelectric()).regime
    'engine'
    """

    name: ClassVar[str] = "resonant-thermoelectric"
    summary: ClassVar[str] = "level of any width between two leads, a heat engine (coherent transport)"
    level: Scalar = parameter(2.5, dimension="energy")
    left: ElectronBath = ElectronBath(1.2, -0.15)
    right: ElectronBath = ElectronBath(1.0, 0.15)
    gamma_left: Scalar = parameter(0.05, dimension="energy", positive=True)
    gamma_right: Scalar = parameter(0.05, dimension="energy", positive=True)

    def dynamics(self) -> Conductor:
        return Conductor(
            hamiltonian=jnp.reshape(self.level, (1, 1)),
            leads={
                "left": WideBandLead(0, self.gamma_left, self.left),
                "right": WideBandLead(0, self.gamma_right, self.right),
            },
        )
