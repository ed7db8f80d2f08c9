"""The refrigerator of three levels that heat drives: no work goes in."""

from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import BosonBath
from ..compiler import stacked
from ..dynamics import Machine
from ..jump.channels import Channel
from ..jump.kinetics import Bosonic
from ..jump.network import JumpNetwork


class AbsorptionRefrigerator(Machine):
    """Levels 0, ω_c and ω_c + ω_h: a quantum ω_c of the `cold` bath and one ω_h of the `hot` one leave together into

    the `room`. COP = heat[cold]/heat[hot] = ω_c/ω_h whatever the rates. It cools while
    ω_c/T_c + ω_h/T_h < (ω_c+ω_h)/T_r, and comes to a halt where the COP is the reversible one,
    (1/T_r−1/T_h)/(1/T_c−1/T_r) ("How small can thermal machines be? The smallest possible refrigerator", Linden,
    Popescu and Skrzypczyk; "Quantum absorption refrigerator", Levy and Kosloff). Energies, temperatures and rates in
    one unit (k_B = ħ = 1).

    >>> import coldspot as cs
    >>> s = cs.steady_state(AbsorptionRefrigerator())
    >>> s.regime, f"{float(s.cop):.12f}"
    ('absorption refrigerator', '0.250000000000')
    """

    name: ClassVar[str] = "absorption-refrigerator"
    summary: ClassVar[str] = "three levels that cool one bath by heat from a hot one (absorption refrigerator)"
    cold_frequency: Scalar = parameter(1.0, dimension="energy", positive=True)
    hot_frequency: Scalar = parameter(4.0, dimension="energy", positive=True)
    gamma_cold: Scalar = parameter(0.1, dimension="rate", positive=True)
    gamma_hot: Scalar = parameter(0.1, dimension="rate", positive=True)
    gamma_room: Scalar = parameter(0.1, dimension="rate", positive=True)
    cold: BosonBath = BosonBath(1.0)
    room: BosonBath = BosonBath(1.2)
    hot: BosonBath = BosonBath(3.0)

    def dynamics(self) -> JumpNetwork:
        top = self.cold_frequency + self.hot_frequency
        return JumpNetwork(
            energies=stacked([0.0, self.cold_frequency, top]),
            baths={"cold": self.cold, "room": self.room, "hot": self.hot},
            channels=[
                Channel("cold", 0, 1, Bosonic(self.gamma_cold)),
                Channel("room", 0, 2, Bosonic(self.gamma_room)),
                Channel("hot", 1, 2, Bosonic(self.gamma_hot)),
            ],
            cooled_bath="cold",
        )
