"""Two levels on two leads, and a mode of bosons that carries electrons from one to the other."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from .._checks import InputError, Scalar, as_float, check_numbers, check_positive, check_type, concrete
from ..baths import BosonBath, ElectronBath
from ..conductor.device import Levels
from ..conductor.junction import PairJunction
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
    level_left: Scalar = eqx.field(converter=as_float, default=0.5, metadata={"dimension": "energy"})
    level_right: Scalar = eqx.field(converter=as_float, default=-0.5, metadata={"dimension": "energy"})
    halfwidth_left: Scalar = eqx.field(converter=as_float, default=0.5, metadata={"dimension": "energy"})
    halfwidth_right: Scalar = eqx.field(converter=as_float, default=0.5, metadata={"dimension": "energy"})
    element: Scalar = eqx.field(converter=as_float, default=0.5, metadata={"dimension": "dimensionless"})
    frequency: Scalar = eqx.field(converter=as_float, default=1.0, metadata={"dimension": "energy"})
    damping: Scalar = eqx.field(converter=as_float, default=0.0, metadata={"dimension": "rate"})
    left: ElectronBath = ElectronBath(1.0, 0.0)
    right: ElectronBath = ElectronBath(1.0, 0.0)
    phonons: BosonBath = BosonBath(0.8)

    def __check_init__(self):
        owner = "BosonJunction"
        check_numbers(self, "level_left", "level_right", "halfwidth_left", "halfwidth_right", "element")
        check_numbers(self, "frequency", "damping")
        check_type(owner, "left", self.left, ElectronBath)
        check_type(owner, "right", self.right, ElectronBath)
        check_type(owner, "phonons", self.phonons, BosonBath)
        for field in ("halfwidth_left", "halfwidth_right", "frequency"):
            check_positive(owner, field, getattr(self, field))
        damping = concrete(self.damping)
        if damping is not None and damping < 0:
            raise InputError(f"{owner}: `damping` must be 0 (a narrow mode) or positive, but is {damping:g}.")

    def dynamics(self) -> PairJunction:
        return PairJunction(
            Levels(
                jnp.stack([self.level_left, self.level_right]),
                2 * jnp.stack([self.halfwidth_left, self.halfwidth_right]),
                ["left", "right"],
            ),
            coupling={(0, 1): self.element},
            baths={"left": self.left, "right": self.right, "phonons": self.phonons},
            frequency=self.frequency,
            damping=self.damping,
        )
