"""A molecule that steps along a track against a force, one step for each molecule of fuel."""

from typing import ClassVar

from jax import Array

from .._checks import Numbers, Scalar, parameter
from ..baths import ParticleBath, WorkReservoir
from ..compiler import stacked
from ..dynamics import Machine
from ..jump.channels import Channel, Share
from ..jump.kinetics import SMOOTH, Kinetics, Step, log_rate
from ..jump.network import JumpNetwork


class SplitArrhenius(Kinetics):
    """Forward k·e^{−λx}, backward k·e^{(1−λ)x}: the affinity −x drives the forward rate with its share λ."""

    detailed_balance: ClassVar[bool] = True
    smoothness: ClassVar[int] = SMOOTH  # type: ignore[misc]
    rate: Numbers = parameter(dimension="rate", minimum=0.0, shape=None)
    split: Numbers = parameter(0.5, minimum=0.0, maximum=1.0, shape=None)

    @property
    def open(self) -> Array:
        return self.rate > 0

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        scale = log_rate(self.rate)
        return scale - self.split * step.exponent, scale + (1 - self.split) * step.exponent


class MolecularMotor(Machine):
    """Two states in turn: the motor (energy 0) binds a fuel molecule (energy ε), then lets go of what is left of it.

    Both transitions move it ahead, by `substep`·d and the rest of its step d, against the force F, whose work the
    `load` receives: `work["load"]` = −Fd·(steps per time). The `fuel` is consumed (chemical potential Δμ against that
    of its products), and the solution that holds it takes the heat. Rates are k·e^{−λx} forward and k·e^{(1−λ)x}
    backward, x the transition's heat over T. Velocity, with u forward and w backward rates of binding and stepping:
    d(u₀u₁ − w₀w₁)/(u₀+u₁+w₀+w₁); stall at Fd = Δμ ("The force exerted by a molecular motor", Fisher and Kolomeisky).
    One step for each molecule: efficiency Fd/Δμ, 1 at stall. Energies, temperatures and rates in one unit
    (k_B = ħ = 1); F·d is an energy.

    >>> import coldspot as cs
    >>> s = cs.steady_state(MolecularMotor())
    >>> s.regime, f"{float(s.efficiency):.12f}"
    ('chemical engine', '0.600000000000')
    """

    name: ClassVar[str] = "molecular-motor"
    summary: ClassVar[str] = "motor that burns fuel to step against a force (two states, tightly coupled)"
    energy: Scalar = parameter(-2.0, dimension="energy")
    force: Scalar = parameter(12.0)
    step: Scalar = parameter(1.0, positive=True)
    substep: Scalar = parameter(0.3)
    binding_rate: Scalar = parameter(1.0, dimension="rate", positive=True)
    stepping_rate: Scalar = parameter(1.0, dimension="rate", positive=True)
    split: Scalar = parameter(0.5, minimum=0.0, maximum=1.0)
    fuel: ParticleBath = ParticleBath(1.0, 20.0, species="fuel")

    def dynamics(self) -> JumpNetwork:
        work = self.force * self.step
        first, second = self.substep * work, (1 - self.substep) * work
        return JumpNetwork(
            energies=stacked([0.0, self.energy]),
            baths={"fuel": self.fuel, "load": WorkReservoir()},
            channels=[
                Channel(
                    {"fuel": Share(self.energy + first, 1.0), "load": Share(-first)},
                    0,
                    1,
                    SplitArrhenius(self.binding_rate, self.split),
                ),
                Channel(
                    {"fuel": Share(second - self.energy), "load": Share(-second)},
                    1,
                    0,
                    SplitArrhenius(self.stepping_rate, self.split),
                ),
            ],
        )
