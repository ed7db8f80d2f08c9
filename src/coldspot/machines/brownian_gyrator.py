"""An overdamped particle in a tilted harmonic trap whose two axes have baths of their own."""

from typing import ClassVar

from jax import Array

from .._checks import Rule, Scalar, parameter
from ..baths import HeatBath
from ..compiler import stacked
from ..dynamics import Machine
from ..oscillators.network import OscillatorNetwork


class BrownianGyrator(Machine):
    """Two overdamped coordinates with springs k_1, k_2 and the coupling u between them, each with a bath,

    γ_i ẋ_i = −k_i x_i − u x_j + ε_ij x_j + η_i,   ⟨η_i(t)η_j(t′)⟩ = 2γ_i T_i δ_ij δ(t−t′)

    ("Brownian gyrator: a minimal heat engine on the nanoscale", Filliger and Reimann). Unequal temperatures make the
    particle gyrate about the centre of the trap. Without `torque` ε (ε_12 = ε, ε_21 = −ε) heat flows as

        heat[first] = u²(T_1−T_2)/(γ_1 k_2 + γ_2 k_1);

    a small torque against the gyration takes work out, a larger one drives it. Coordinates need no mass here; any
    consistent units with k_B = 1. The default is an engine.

    >>> import coldspot as cs
    >>> s = cs.steady_state(BrownianGyrator(torque=0.0, first=cs.HeatBath(2.0)))
    >>> f"{float(s.heat['first']):.6f}", f"{1.2**2 / (2.0 + 3.0):.6f}"
    ('0.288000', '0.288000')
    >>> cs.steady_state(BrownianGyrator()).regime
    'engine'
    """

    name: ClassVar[str] = "brownian-gyrator"
    summary: ClassVar[str] = "an overdamped particle that gyrates between two temperatures, and works against a torque"
    stiffness_first: Scalar = parameter(2.0, positive=True)
    stiffness_second: Scalar = parameter(3.0, positive=True)
    coupling: Scalar = parameter(1.2)
    friction_first: Scalar = parameter(1.0, positive=True)
    friction_second: Scalar = parameter(1.0, positive=True)
    torque: Scalar = parameter(-0.3)
    first: HeatBath = HeatBath(4.0)
    second: HeatBath = HeatBath(1.0)

    def rules(self) -> list[Rule]:
        product = self.stiffness_first * self.stiffness_second
        held = product > self.coupling**2

        def words() -> str:
            return (
                f"`coupling` is {self.coupling:g}; nothing holds the particle unless its square is below {product:g}."
            )

        return [Rule(held, words)]

    def dynamics(self) -> OscillatorNetwork:
        springs = [[self.stiffness_first, self.coupling], [self.coupling, self.stiffness_second]]
        turn: Array = stacked([stacked([0.0, self.torque]), stacked([-self.torque, 0.0])])
        return OscillatorNetwork(
            masses=[0.0, 0.0],
            springs=stacked(stacked(row) for row in springs),
            frictions=stacked([self.friction_first, self.friction_second]),
            baths={"first": self.first, "second": self.second},
            sites={"first": 0, "second": 1},
            forces={"torque": turn},
        )
