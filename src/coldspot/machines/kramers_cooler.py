"""A particle that climbs a finite barrier in a cold bath and falls into a hot one."""

import math
from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import HeatBath
from ..compiler import plainly, stacked, unwarned
from ..drives import Steps
from ..dynamics import Machine
from ..phase_space.boundaries import Open
from ..phase_space.klein_kramers import KleinKramers
from ..phase_space.potentials import Hill


class KramersCooler(Machine):
    """Particles cross V = (E_B/2)(1+cos x) between reservoirs at the bottoms x = ±π; x < 0 is `cold`, x > 0 `hot`.

    `friction` γ (a rate), `mass` m, `barrier` E_B, `bias` Δμ: the full-Maxwellian densities that come in are
    e^{+Δμ/2T_c} on the left and e^{−Δμ/2T_h} on the right. Heat is absorbed uphill from the cold bath; what flows
    there anyway at a difference of temperature (with bias 0) is the kinetic leak across the step. Equations and ledger:
    `coldspot.KleinKramers`, whose chemical potentials at two temperatures differ from ±Δμ/2 by a kinetic part.

    Unlike the parabolic barrier (`kramers-barrier`) the two baths are real, wells are finite, and any friction is
    right. Energies and temperatures in one unit (k_B = 1), lengths in that of x.

    >>> import coldspot as cs
    >>> s = cs.steady_state(KramersCooler(), tolerance=1e-5)
    >>> s.regime, bool(s.heat["cold"] > 0)
    ('refrigerator', True)
    """

    name: ClassVar[str] = "kramers-cooler"
    summary: ClassVar[str] = "particles driven over a finite barrier out of a cold bath into a hot one"
    cooled_bath: ClassVar[str] = "cold"
    friction: Scalar = parameter(0.5, dimension="rate", positive=True)
    mass: Scalar = parameter(1.0, positive=True)
    barrier: Scalar = parameter(4.0, dimension="energy", positive=True)
    bias: Scalar = parameter(1.0, dimension="energy")
    cold: HeatBath = HeatBath(1.0)
    hot: HeatBath = HeatBath(1.05)

    def dynamics(self) -> KleinKramers:
        cold, hot = self.cold.temperature, self.hot.temperature
        xp, *ends = plainly(self.bias / (2 * cold), -self.bias / (2 * hot))
        with unwarned():
            left, right = map(xp.exp, ends)
        return KleinKramers(
            Hill(self.barrier),
            friction=self.friction,
            temperature=Steps(stacked([cold, hot]), [0.5, 0.5]),
            mass=self.mass,
            boundary=Open(-math.pi, math.pi, left=left, right=right),
            baths=("cold", "hot"),
            cooled_bath="cold",
        )
