"""A particle in a trap that breathes: hot while it widens, cold while it narrows."""

import math
from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import HeatBath
from ..dynamics import Machine
from ..oscillators.breathing import BreathingTrap

BEST = 8 * (math.sqrt(2) - 1) ** 2 / math.log(2)
"""Duration of each stroke at which the default engine's power is largest."""


class BreathingTrapEngine(Machine):
    """An overdamped particle in a harmonic trap, whose variance ⟨x²⟩ grows from `narrow` to `wide` while it is in the

    bath `hot`, for `hot_time`, and shrinks again in the bath `cold`, for `cold_time`; the stiffness follows the
    protocol that loses least work ("Efficiency at maximum power: an analytically solvable model for stochastic heat
    engines", Schmiedl and Seifert). `friction` is a force per velocity; any consistent units with k_B = 1. Equations:
    `coldspot.oscillators.BreathingTrap`.

    The default durations are those of the largest power, t = 4γ(√w−√n)²/((T_h−T_c)·½ ln(w/n)), where the efficiency is
    2η/(4−η) with Carnot's η = 1 − T_c/T_h. If `wide` is smaller than `narrow`, it compresses while hot: a refrigerator,
    if slow.

    >>> import coldspot as cs
    >>> s = cs.steady_state(BreathingTrapEngine())
    >>> s.regime, f"{float(s.efficiency):.6f}", f"{2 * 0.5 / (4 - 0.5):.6f}"
    ('engine', '0.285714', '0.285714')
    """

    name: ClassVar[str] = "breathing-trap-engine"
    summary: ClassVar[str] = "an overdamped particle in a trap that breathes between two temperatures (closed form)"
    narrow: Scalar = parameter(1.0, positive=True)
    wide: Scalar = parameter(2.0, positive=True)
    friction: Scalar = parameter(1.0, positive=True)
    hot_time: Scalar = parameter(BEST, dimension="time", positive=True)
    cold_time: Scalar = parameter(BEST, dimension="time", positive=True)
    hot: HeatBath = HeatBath(2.0)
    cold: HeatBath = HeatBath(1.0)

    def dynamics(self) -> BreathingTrap:
        return BreathingTrap(
            start=self.narrow,
            stop=self.wide,
            friction=self.friction,
            hot_time=self.hot_time,
            cold_time=self.cold_time,
            hot=self.hot,
            cold=self.cold,
        )
