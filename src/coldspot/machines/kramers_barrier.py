"""A particle that is pushed over a parabolic barrier and cools the bath on the uphill side."""

from typing import ClassVar

import equinox as eqx

from .._checks import Scalar, as_float, check_numbers, check_positive, check_share
from ..dynamics import Machine
from ..phase_space.barrier import Barrier


class KramersBarrier(Machine):
    """A driven particle on the barrier V = −½mω²x² climbs out of a bath and cools it there.

    `friction` γ (a rate), `frequency` ω, `mass` m, `temperature` T, `population` λ (share of the left well, strictly
    between 0 and 1; ½ is equilibrium), `barrier` E_B. Heat J E_B γ/a is absorbed uphill and given back downhill for the
    work ΔμJ. Equations, normalisation (one particle) and source: `coldspot.phase_space.barrier.Barrier`.

    Energies and temperatures in one unit (k_B = ħ = 1); a mass m in that unit makes velocities √(E/m).

    >>> import coldspot as cs
    >>> s = cs.steady_state(KramersBarrier(friction=1.0))
    >>> s.regime, f"{float(s.cop):.9f}"
    ('heat pump', '5.625587799')
    """

    name: ClassVar[str] = "kramers-barrier"
    summary: ClassVar[str] = "particle driven over a barrier that cools the uphill side (Kramers)"
    friction: Scalar = eqx.field(converter=as_float, default=0.1, metadata={"dimension": "rate"})
    frequency: Scalar = eqx.field(converter=as_float, default=1.0, metadata={"dimension": "rate"})
    mass: Scalar = eqx.field(converter=as_float, default=1.0, metadata={"dimension": "dimensionless"})
    temperature: Scalar = eqx.field(converter=as_float, default=1.0, metadata={"dimension": "temperature"})
    population: Scalar = eqx.field(converter=as_float, default=0.75, metadata={"dimension": "dimensionless"})
    barrier: Scalar = eqx.field(converter=as_float, default=10.0, metadata={"dimension": "energy"})

    def __check_init__(self):
        check_numbers(self, "friction", "frequency", "mass", "temperature", "population", "barrier")
        for name in ("friction", "frequency", "mass", "temperature", "barrier"):
            check_positive("KramersBarrier", name, getattr(self, name))
        check_share("KramersBarrier", "population", self.population, ends=False)

    def dynamics(self) -> Barrier:
        return Barrier(
            friction=self.friction,
            frequency=self.frequency,
            mass=self.mass,
            temperature=self.temperature,
            population=self.population,
            height=self.barrier,
        )
