"""Two coupled oscillators whose springs are driven: a linear machine that pumps heat."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jax import Array

from .._checks import Scalar, parameter
from ..baths import HeatBath
from ..drives import Cosine
from ..dynamics import Machine
from ..oscillators.network import OscillatorNetwork


class ParametricPump(Machine):
    """Two particles on springs to walls and between them, all driven, each with its own bath,

    m ẍ_i = −k_i(t)x_i − k_c(t)(x_i−x_j) − γẋ_i + η_i,   ⟨η_i(t)η_j(t′)⟩ = 2γT_i δ_ij δ(t−t′)

    k_left = k + A cos Ωt, k_right = k + A cos(Ωt+φ), k_c = κ + C cos(Ωt+ψ). Forces on a linear machine only heat its
    baths; driven springs can cool one. The drives `left`, `right` and `between` are the springs; γ is a force per
    velocity. Any consistent units with k_B = 1. The default cools its left bath a little below the right one's
    temperature (heats at equal temperatures: +.00450082, −.00612605).

    >>> import coldspot as cs
    >>> s = cs.steady_state(ParametricPump())
    >>> s.regime, f"{float(s.cop):.3f}"
    ('refrigerator', '0.497')
    """

    name: ClassVar[str] = "parametric-pump"
    summary: ClassVar[str] = "two oscillators with driven springs that pump heat (exact)"
    spring: Scalar = parameter(1.0)
    coupling: Scalar = parameter(0.5569020360604823)
    mass: Scalar = parameter(1.0, positive=True)
    friction: Scalar = parameter(0.21570921064912146, positive=True)
    spring_amplitude: Scalar = parameter(0.47113542228617333)
    coupling_amplitude: Scalar = parameter(0.33325730473984555)
    frequency: Scalar = parameter(0.13923701294557606, dimension="rate", positive=True)
    phase: Scalar = parameter(3.5838419401592527, dimension="angle")
    coupling_phase: Scalar = parameter(1.9509492128847954, dimension="angle")
    left: HeatBath = HeatBath(0.95)
    right: HeatBath = HeatBath(1.0)

    def dynamics(self) -> OscillatorNetwork:
        return OscillatorNetwork(
            masses=jnp.stack([self.mass, self.mass]),
            springs=_springs,
            frictions=jnp.stack([self.friction, self.friction]),
            baths={"left": self.left, "right": self.right},
            sites={"left": 0, "right": 1},
            drives={
                "left": Cosine(self.spring_amplitude, mean=self.spring),
                "right": Cosine(self.spring_amplitude, self.phase, self.spring),
                "between": Cosine(self.coupling_amplitude, self.coupling_phase, self.coupling),
            },
            frequency=self.frequency,
        )


def _springs(drives: dict[str, Any]) -> Array:
    own, other = (drives[name] + drives["between"] for name in ("left", "right"))
    return jnp.stack([jnp.stack([own, -drives["between"]]), jnp.stack([-drives["between"], other])])
