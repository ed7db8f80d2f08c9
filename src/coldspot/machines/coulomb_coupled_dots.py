"""Heat of a gate drives a current: two dots that exchange no electron, and feel each other's charge."""

from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import ElectronBath
from ..compiler import stacked
from ..dynamics import Machine
from ..jump.channels import Channel
from ..jump.kinetics import Tunnelling
from ..jump.network import JumpNetwork


class CoulombCoupledDots(Machine):
    """A dot with the level ε between `left` and `right`, and one with the level ε_g on a hot `gate`.

    Both filled cost U more. The rates γ to the left and the right depend on whether the gate's dot is empty (e) or
    filled (f). Between leads of one temperature and without bias the current I from left to right and the heat J that
    the gate gives (its dot is filled at ε_g and emptied at ε_g + U) obey

        I/J = (1/U) (γ_Le γ_Rf − γ_Lf γ_Re) / [(γ_Le + γ_Re)(γ_Lf + γ_Rf)]

    (R. Sánchez and M. Büttiker, "Optimal energy quanta to current conversion", PRB 83, 085428). With γ_Lf = γ_Re = 0,
    the default, each electron is carried by one quantum U: I = J/U at any bias V, the efficiency is V/U, and at stall,
    V = U(1−T_c/T_h), it is Carnot's. Energies, temperatures and rates in one unit (k_B = ħ = e = 1).

    >>> import coldspot as cs
    >>> s = cs.steady_state(CoulombCoupledDots())
    >>> s.regime, f"{float(s.efficiency):.12f}"
    ('engine', '0.250000000000')
    """

    name: ClassVar[str] = "coulomb-coupled-dots"
    summary: ClassVar[str] = "two dots that feel each other's charge: a hot gate drives a current (three terminals)"
    level: Scalar = parameter(0.0, dimension="energy")
    gate_level: Scalar = parameter(-1.0, dimension="energy")
    interaction: Scalar = parameter(2.0, dimension="energy")
    gamma_left_empty: Scalar = parameter(0.1, dimension="rate", minimum=0.0)
    gamma_left_filled: Scalar = parameter(0.0, dimension="rate", minimum=0.0)
    gamma_right_empty: Scalar = parameter(0.0, dimension="rate", minimum=0.0)
    gamma_right_filled: Scalar = parameter(0.1, dimension="rate", minimum=0.0)
    gamma_gate: Scalar = parameter(0.1, dimension="rate", minimum=0.0)
    left: ElectronBath = ElectronBath(1.0, -0.25)
    right: ElectronBath = ElectronBath(1.0, 0.25)
    gate: ElectronBath = ElectronBath(2.0)

    def dynamics(self) -> JumpNetwork:
        # States: both empty, the conductor's dot filled, the gate's dot filled, both filled.
        both = self.level + self.gate_level + self.interaction
        return JumpNetwork(
            energies=stacked([0.0, self.level, self.gate_level, both]),
            occupations=[0, 1, 1, 2],
            baths={"left": self.left, "right": self.right, "gate": self.gate},
            channels=[
                Channel("left", [0, 2], [1, 3], Tunnelling([self.gamma_left_empty, self.gamma_left_filled])),
                Channel("right", [0, 2], [1, 3], Tunnelling([self.gamma_right_empty, self.gamma_right_filled])),
                Channel("gate", [0, 1], [2, 3], Tunnelling(self.gamma_gate)),
            ],
        )
