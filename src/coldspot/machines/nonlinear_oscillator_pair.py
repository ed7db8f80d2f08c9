"""Two coupled anharmonic oscillators, each with a heat bath and a periodic force."""

import math
from typing import ClassVar

import equinox as eqx
from jax import Array

from .._checks import Scalar, parameter
from ..baths import HeatBath
from ..dynamics import Machine
from ..oscillators.network import OscillatorNetwork
from .oscillator_pair import pair_network


class _Quartic(eqx.Module):
    """U(x) = α[x_1⁴ + x_2⁴ + (x_1−x_2)⁴]/4."""

    anharmonicity: Scalar

    def __call__(self, x: Array) -> Array:
        return self.anharmonicity * (x[0] ** 4 + x[1] ** 4 + (x[0] - x[1]) ** 4) / 4


class NonlinearOscillatorPair(Machine):
    """Two driven particles on springs that stiffen,

    m ẍ_i = −(k+k_c)x_i + k_c x_j − α[x_i³ + (x_i−x_j)³] − γẋ_i + η_i + f_i,   f_L = f_0 cos Ωt, f_R = f_0 cos(Ωt+φ)

    ("Two simple models of classical heat pumps", Marathe, Jayannavar and Dhar: the potential α[x_1⁴+x_2⁴+(x_1−x_2)⁴]/4
    at the end of the paper). The drives `left` and `right` are the two forces. Any consistent units with k_B = 1.

    Solved by trajectories: `error` holds standard errors, see `coldspot.trajectories` for smaller ones. As
    in the paper, it neither pumps heat nor delivers work; by default it heats both baths.

    >>> import coldspot as cs
    >>> s = cs.steady_state(NonlinearOscillatorPair())
    >>> s.regime, bool(s.heat["left"] < -3 * s.error.heat["left"])
    ('heater', True)
    """

    name: ClassVar[str] = "nonlinear-oscillator-pair"
    summary: ClassVar[str] = "two anharmonic oscillators driven by periodic forces (simulated)"
    spring: Scalar = parameter(2.0)
    coupling: Scalar = parameter(3.0)
    mass: Scalar = parameter(1.0, positive=True)
    friction: Scalar = parameter(1.0, positive=True)
    amplitude: Scalar = parameter(1.0)
    frequency: Scalar = parameter(2 * math.pi / 3, dimension="rate", positive=True)
    phase: Scalar = parameter(0.3, dimension="angle")
    anharmonicity: Scalar = parameter(1.0)
    left: HeatBath = HeatBath(1.0)
    right: HeatBath = HeatBath(0.5)

    def dynamics(self) -> OscillatorNetwork:
        return pair_network(self, _Quartic(self.anharmonicity))
