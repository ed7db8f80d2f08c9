"""A ring that is warm on one side of its barrier: an engine without moving parts, or a refrigerator."""

import math
from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import HeatBath
from ..compiler import stacked
from ..drives import Steps
from ..dynamics import Machine
from ..phase_space.boundaries import Periodic
from ..phase_space.klein_kramers import KleinKramers
from ..phase_space.potentials import Hill


class ButtikerLandauerRing(Machine):
    """One particle on a ring −π < x < π with V = (E_B/2)(1+cos x); x < 0 is `cold`, x > 0 `hot`.

    `friction` γ (a rate), `mass` m, `barrier` E_B, `load` F, a force along +x. The particle climbs more easily on the
    hot side and circulates towards −x; a small load is lifted (engine), a strong one drives the particle so that it
    carries heat out of the cold side (refrigerator). Inertia leaks heat across the steps, however slow the particle is:
    efficiencies stay far below Carnot's ("Motion out of noisy states", Büttiker; "Motion in a nonequilibrium bath",
    Landauer; "Inertial effects in Büttiker–Landauer motor and refrigerator at the overdamped limit", Benjamin and
    Kawai). Ledger: `coldspot.KleinKramers`. Energies and temperatures in one unit (k_B = 1), lengths in that of x.

    >>> import coldspot as cs
    >>> s = cs.steady_state(ButtikerLandauerRing(), tolerance=1e-5)
    >>> s.regime, bool(s.observables["flux"] < 0)
    ('engine', True)
    """

    name: ClassVar[str] = "buttiker-landauer-ring"
    summary: ClassVar[str] = "particle on a ring, warm on one side of the barrier (engine or refrigerator)"
    friction: Scalar = parameter(1.0, dimension="rate", positive=True)
    mass: Scalar = parameter(1.0, positive=True)
    barrier: Scalar = parameter(4.0, dimension="energy", positive=True)
    load: Scalar = parameter(0.05, dimension="energy")
    cold: HeatBath = HeatBath(1.0)
    hot: HeatBath = HeatBath(2.0)

    def dynamics(self) -> KleinKramers:
        return KleinKramers(
            Hill(self.barrier),
            friction=self.friction,
            temperature=Steps(stacked([self.cold.temperature, self.hot.temperature]), [0.5, 0.5]),
            mass=self.mass,
            boundary=Periodic(2 * math.pi, load=self.load, start=-math.pi),
            baths=("cold", "hot"),
        )
