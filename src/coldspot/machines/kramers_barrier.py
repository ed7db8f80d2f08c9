"""A particle that is pushed over a parabolic barrier and cools the bath on the uphill side."""

from collections.abc import Iterable
from typing import ClassVar

from .._checks import Rule, Scalar, parameter
from ..dynamics import Machine
from ..phase_space.barrier import Barrier
from ..show import array as show


class KramersBarrier(Machine):
    """A driven particle on the barrier V = −½mω²x² climbs out of a bath and cools it there.

    `friction` γ (a rate), `frequency` ω, `mass` m, `temperature` T, `population` λ (share of the left well, strictly
    between 0 and 1; ½ is equilibrium), `barrier` E_B. Heat J E_B γ/a is absorbed uphill and given back downhill for the
    work ΔμJ. Equations, normalisation (one particle) and source: `coldspot.phase_space.barrier.Barrier`.

    At the default friction, which is that of the paper's figures, the flux is some 13 % too large: `weak friction`.

    Energies and temperatures in one unit (k_B = ħ = 1); a mass m in that unit makes velocities √(E/m).

    >>> import coldspot as cs
    >>> s = cs.steady_state(KramersBarrier(friction=1.0))
    >>> s.regime, f"{float(s.cop):.9f}"
    ('heat pump', '5.625587799')
    """

    name: ClassVar[str] = "kramers-barrier"
    summary: ClassVar[str] = "particle driven over a barrier that cools the uphill side (Kramers)"
    friction: Scalar = parameter(0.1, dimension="rate", positive=True)
    frequency: Scalar = parameter(1.0, dimension="rate", positive=True)
    mass: Scalar = parameter(1.0, positive=True)
    temperature: Scalar = parameter(1.0, dimension="temperature", positive=True)
    population: Scalar = parameter(0.75)
    barrier: Scalar = parameter(10.0, dimension="energy", positive=True)

    def rules(self) -> Iterable[Rule]:
        share = self.population
        yield Rule(
            (share > 0) & (share < 1),
            lambda: f"`population` must lie strictly between 0 and 1, but is {show(share)}.",
        )

    def dynamics(self) -> Barrier:
        return Barrier(
            friction=self.friction,
            frequency=self.frequency,
            mass=self.mass,
            temperature=self.temperature,
            population=self.population,
            height=self.barrier,
        )
