"""The heat engine of three levels: a hot bath pumps, a cold one empties, and the field in between takes the work."""

from collections.abc import Iterable
from typing import ClassVar

from .._checks import Rule, Scalar, parameter
from ..baths import BosonBath, WorkReservoir
from ..compiler import stacked
from ..dynamics import Machine
from ..jump.channels import Channel
from ..jump.kinetics import Bosonic, Glauber
from ..jump.network import JumpNetwork
from ..show import array as show


class ThreeLevelMaser(Machine):
    """Levels 0, ω_c and ω_h: `hot` photons lead from the lowest to the highest, `cold` ones from the middle one down.

    The classical `field` takes the quantum ω_h − ω_c in between, at the rate r back and forth. Each quantum from
    the hot bath becomes one of the field and one of the cold bath, so that the efficiency is 1 − ω_c/ω_h whatever the
    rates; it is Carnot's where ω_c/ω_h = T_c/T_h, and there the current stops ("Three-level masers as heat engines",
    Scovil and Schulz-DuBois). Above that ratio the machine is an engine, below it a refrigerator. The field's energy is
    work: `work["field"]`. Energies, temperatures and rates in one unit (k_B = ħ = 1).

    >>> import coldspot as cs
    >>> s = cs.steady_state(ThreeLevelMaser())
    >>> s.regime, f"{float(s.efficiency):.12f}"
    ('engine', '0.600000000000')
    """

    name: ClassVar[str] = "three-level-maser"
    summary: ClassVar[str] = "three levels between a hot and a cold bath, and a field that takes the work (maser)"
    hot_frequency: Scalar = parameter(5.0, dimension="energy", positive=True)
    cold_frequency: Scalar = parameter(2.0, dimension="energy", positive=True)
    gamma_hot: Scalar = parameter(0.1, dimension="rate", positive=True)
    gamma_cold: Scalar = parameter(0.1, dimension="rate", positive=True)
    field_rate: Scalar = parameter(0.1, dimension="rate", positive=True)
    hot: BosonBath = BosonBath(4.0)
    cold: BosonBath = BosonBath(1.0)

    def rules(self) -> Iterable[Rule]:
        low, high = self.cold_frequency, self.hot_frequency
        yield Rule(
            low < high,
            lambda: f"`cold_frequency` must be less than `hot_frequency` = {show(high)}, but is {show(low)}.",
        )

    def dynamics(self) -> JumpNetwork:
        return JumpNetwork(
            energies=stacked([0.0, self.cold_frequency, self.hot_frequency]),
            baths={"hot": self.hot, "cold": self.cold, "field": WorkReservoir()},
            channels=[
                Channel("hot", 0, 2, Bosonic(self.gamma_hot)),
                Channel("cold", 0, 1, Bosonic(self.gamma_cold)),
                Channel("field", 1, 2, Glauber(self.field_rate)),
            ],
        )
