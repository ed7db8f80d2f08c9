"""Two levels on two leads, and a mode of bosons that carries electrons from one to the other."""

from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import BosonBath, ElectronBath
from ..compiler import stacked
from ..conductor.junction import PairJunction
from ..conductor.levels import Levels
from ..dynamics import Machine


class BosonJunction(Machine):
    """Level ε_L on lead `left` and ε_R on lead `right`, not connected but by a mode of frequency Ω with element m.

    Spectral functions A_α = 2w/((ε−ε_α)²+w²) with half widths w; a displacement of unit mass, whose currents carry
    1/(2Ω); `damping` γ of the mode by the bath `phonons`, A_ph = 2γω/((ω²−Ω²)²+γ²ω²), or a narrow mode if it is 0.
    heat["phonons"] = −J, particles["left"] = I_e, to lowest order in m, for electrons of one spin: see `PairJunction`
    ("Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport",
    Hu, Nian and Lü, Sec. III, eqs. 13 and 14). Energies, temperatures and rates in one unit (k_B = ħ = e = 1).

    The default shows the current from a cold spot: all leads are equal, and the colder bosons draw electrons across.

    >>> import coldspot as cs
    >>> s = cs.steady_state(BosonJunction())
    >>> s.flags["cold-spot current"].item(), bool(s.particles["left"] > 0), bool(s.heat["phonons"] < 0)
    (True, True, True)
    """

    name: ClassVar[str] = "boson-junction"
    summary: ClassVar[str] = "two levels on two leads, connected by a boson mode (electron–hole-pair baths)"
    level_left: Scalar = parameter(0.5, dimension="energy")
    level_right: Scalar = parameter(-0.5, dimension="energy")
    halfwidth_left: Scalar = parameter(0.5, dimension="energy", positive=True)
    halfwidth_right: Scalar = parameter(0.5, dimension="energy", positive=True)
    element: Scalar = parameter(0.5)
    frequency: Scalar = parameter(1.0, dimension="energy", positive=True)
    damping: Scalar = parameter(0.0, dimension="rate", minimum=0.0)
    left: ElectronBath = ElectronBath(1.0, 0.0)
    right: ElectronBath = ElectronBath(1.0, 0.0)
    phonons: BosonBath = BosonBath(0.8)

    def dynamics(self) -> PairJunction:
        return PairJunction(
            Levels(
                stacked([self.level_left, self.level_right]),
                stacked([2 * self.halfwidth_left, 2 * self.halfwidth_right]),
                ["left", "right"],
            ),
            coupling={(0, 1): self.element},
            baths={"left": self.left, "right": self.right, "phonons": self.phonons},
            frequency=self.frequency,
            damping=self.damping,
        )
