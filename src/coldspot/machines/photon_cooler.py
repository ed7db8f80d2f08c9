"""A reverse-biased junction that cools a cavity mode."""

from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import BosonBath, ElectronBath
from ..compiler import stacked
from ..conductor.coherent import Conductor
from ..conductor.leads import WideBandLead
from ..conductor.vibrations import Modes
from ..dynamics import Machine


class PhotonCooler(Machine):
    """A level at gap/2 on the lead `n` and one at −gap/2 on `p`, that a cavity mode of frequency Ω connects.

    An electron that goes from `n` down to `p` emits a photon: for narrow levels at resonance the junction is a bath of
    photons with the chemical potential eV = μ_n − μ_p, and the mode alone comes to N = 1/(exp((Ω−eV)/T) − 1)
    (P. Würfel, "The chemical potential of radiation"). Under reverse bias, V < 0, absorption wins: the mode is as cold
    as T/(1 + e|V|/Ω), and each photon that it takes from its bath `photons` costs the work e|V|, so that the COP is
    Ω/e|V|, below that of Carnot if the bath is warmer than the mode would be. Broad levels cool less, by events
    off resonance. A light-emitting diode is the same machine under forward bias.

    - `gap`, `frequency` Ω, half widths `halfwidth_n`, `halfwidth_p`, `element` M of the coupling M(c_n†c_p + h.c.)u;
    - `damping` γ by which the bath `photons` damps the mode's energy; 0: a mode that the bath holds.

    Energies, temperatures and rates in one unit (k_B = ħ = e = 1), one spin, displacements of unit mass. The default
    cools photons that are colder than the leads.

    >>> import coldspot as cs
    >>> s = cs.steady_state(PhotonCooler())
    >>> s.regime, bool(s.heat["photons"] > 0)
    ('refrigerator', True)
    """

    name: ClassVar[str] = "photon-cooler"
    summary: ClassVar[str] = "reverse-biased junction that cools a cavity mode (electron–hole-pair baths)"
    gap: Scalar = parameter(1.0, dimension="energy")
    halfwidth_n: Scalar = parameter(0.05, dimension="energy", positive=True)
    halfwidth_p: Scalar = parameter(0.05, dimension="energy", positive=True)
    element: Scalar = parameter(0.1)
    frequency: Scalar = parameter(1.0, dimension="energy", positive=True)
    damping: Scalar = parameter(0.0, dimension="rate", minimum=0.0)
    n: ElectronBath = ElectronBath(0.3, -0.25)
    p: ElectronBath = ElectronBath(0.3, 0.25)
    photons: BosonBath = BosonBath(0.25)

    def dynamics(self) -> Conductor:
        return Conductor(
            hamiltonian=stacked([self.gap / 2, -self.gap / 2]),
            leads={
                "n": WideBandLead(0, 2 * self.halfwidth_n, self.n),
                "p": WideBandLead(1, 2 * self.halfwidth_p, self.p),
            },
            modes=Modes(
                frequencies=self.frequency[None],
                couplings=stacked([stacked([stacked([0.0, self.element]), stacked([self.element, 0.0])])]),
                baths={"photons": self.photons},
                dampings=self.damping[None],
            ),
        )
