"""Two coupled oscillators, each with a heat bath and a periodic force."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

from jax import Array

from .._checks import Scalar, parameter
from ..baths import HeatBath
from ..compiler import stacked
from ..drives import Cosine
from ..dynamics import Machine
from ..oscillators.network import OscillatorNetwork


class OscillatorPair(Machine):
    """Two driven particles on springs, each with its own bath,

    m ẍ_i = −(k+k_c)x_i + k_c x_j − γẋ_i + η_i + f_i,   f_L = f_0 cos Ωt, f_R = f_0 cos(Ωt+φ)

    with ⟨η_i(t)η_j(t′)⟩ = 2γT_i δ_ij δ(t−t′) ("Two simple models of classical heat pumps", Marathe, Jayannavar and
    Dhar, eqs. 4–7). The drives `left` and `right` are the two forces; γ is a force per velocity. Any consistent
    units with k_B = 1; there is no unit of length, so that all but frequency and temperatures are plain numbers.

    It neither pumps heat nor delivers work: the driving heats both baths, whatever their temperatures, and unequally
    unless φ is 0 or π. The default is the paper's Fig. 4 at φ = 0.3, between temperatures 1 and 0.5.

    >>> import coldspot as cs
    >>> s = cs.steady_state(OscillatorPair())
    >>> s.regime, f"{float(s.heat['left']):.8f}", f"{float(s.heat['right']):.8f}"
    ('heater', '-0.10109248', '-0.32989559')
    """

    name: ClassVar[str] = "oscillator-pair"
    summary: ClassVar[str] = "two coupled oscillators driven by periodic forces (exact)"
    spring: Scalar = parameter(2.0)
    coupling: Scalar = parameter(3.0)
    mass: Scalar = parameter(1.0, positive=True)
    friction: Scalar = parameter(1.0, positive=True)
    amplitude: Scalar = parameter(1.0)
    frequency: Scalar = parameter(2 * math.pi / 3, dimension="rate", positive=True)
    phase: Scalar = parameter(0.3, dimension="angle")
    left: HeatBath = HeatBath(1.0)
    right: HeatBath = HeatBath(0.5)

    def dynamics(self) -> OscillatorNetwork:
        return pair_network(self)


def pair_network(pair: Any, potential: Callable[[Array], Array] | None = None) -> OscillatorNetwork:
    """The network of a pair of driven oscillators, with a potential beside the springs or without."""
    own, other = pair.spring + pair.coupling, -pair.coupling
    return OscillatorNetwork(
        masses=stacked([pair.mass, pair.mass]),
        springs=stacked([stacked([own, other]), stacked([other, own])]),
        frictions=stacked([pair.friction, pair.friction]),
        baths={"left": pair.left, "right": pair.right},
        sites={"left": 0, "right": 1},
        forces={"left": (0, Cosine(pair.amplitude)), "right": (1, Cosine(pair.amplitude, pair.phase))},
        frequency=pair.frequency,
        potential=potential,
    )
