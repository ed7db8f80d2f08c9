"""Two dots in series between two leads, with an electron's hopping and repulsion between them."""

from typing import ClassVar

from .._checks import Scalar, parameter
from ..baths import ElectronBath
from ..dynamics import Machine
from ..jump.contacts import Lead
from ..jump.dots import Dots


class DoubleDot(Machine):
    """Two levels with the hopping t and the repulsion U; `left` reaches the left one alone, `right` the right one.

    H = ε_L n_L + ε_R n_R − t (d_L†d_R + d_R†d_L) + U n_L n_R for electrons of one spin, and rates between eigenstates
    by the golden rule. Without repulsion the levels E_k of one electron carry their currents independently,
    J = Σ_k γ_Lk γ_Rk/(γ_Lk+γ_Rk) [f_L(E_k) − f_R(E_k)] with γ_νk = γ_ν |⟨ν|k⟩|². Coherences of the two levels are
    neglected, which needs their distance to exceed the rates (flag `coherence-neglected`). Energies, temperatures and
    rates in one unit (k_B = ħ = e = 1).

    The default is an engine: electrons from the hot left lead climb a bias.

    >>> import coldspot as cs
    >>> cs.steady_state(DoubleDot()).regime
    'engine'
    """

    name: ClassVar[str] = "double-dot"
    summary: ClassVar[str] = "two dots in series between two leads, with hopping and Coulomb repulsion"
    level_left: Scalar = parameter(2.5, dimension="energy")
    level_right: Scalar = parameter(2.5, dimension="energy")
    hopping: Scalar = parameter(0.5, dimension="energy")
    interaction: Scalar = parameter(10.0, dimension="energy")
    gamma_left: Scalar = parameter(0.05, dimension="rate", positive=True)
    gamma_right: Scalar = parameter(0.05, dimension="rate", positive=True)
    left: ElectronBath = ElectronBath(2.0, -0.5)
    right: ElectronBath = ElectronBath(1.0, 0.5)

    def dynamics(self) -> Dots:
        return Dots(
            hamiltonian=[[self.level_left, -self.hopping], [-self.hopping, self.level_right]],
            coulomb={(0, 1): self.interaction},
            leads={
                "left": Lead(self.left, [self.gamma_left, 0.0]),
                "right": Lead(self.right, [0.0, self.gamma_right]),
            },
        )
