"""Two vibrations of a junction that a biased conductor couples: an analysis of their frequencies and dampings."""

from collections.abc import Iterable
from typing import ClassVar

import jax.numpy as jnp

from .._checks import Rule, Scalar, parameter
from ..dynamics import Machine
from ..modes.coupled import CoupledModes
from ..modes.dynamical_matrices import two_mode_matrix
from ..show import array as show


class TwoModeJunction(Machine):
    """Two modes Ω±δ/2 with damping γ that electrons under a bias V drive towards an exceptional point:

    K_11, K_22 = (Ω±δ/2−iγ)²; K_12, K_21 = ±V(a−ibΩ) − icΩ (Hu, Nian and Lü, "Nonequilibrium reservoir engineering of
    a biased coherent conductor for hybrid energy transport", eq. 9; printed there for motion e^{+iωt}). There are no
    baths: `solution.modes` has frequencies, dampings (negative: the mode grows) and the overlap, 1 where they coalesce.

    Energies in one unit (ħ = 1), displacements with unit masses: a has the dimension of an energy (aV of its square), b
    none, c that of an energy. |δ| < 2Ω.

    The default has the parameters of the paper's Figure 4 at the bias where its modes nearly coalesce.

    >>> import coldspot as cs
    >>> modes = cs.steady_state(TwoModeJunction()).modes
    >>> f"{float(modes.overlap):.4f}"
    '0.9990'
    """

    name: ClassVar[str] = "two-mode-junction"
    summary: ClassVar[str] = "two vibrations near an exceptional point under bias (analysis of modes)"
    frequency: Scalar = parameter(1.0, dimension="energy", positive=True)
    detuning: Scalar = parameter(0.04, dimension="energy")
    damping: Scalar = parameter(0.001, dimension="rate")
    bias: Scalar = parameter(0.6928, dimension="energy")
    nonconservative: Scalar = parameter(0.05, dimension="energy")
    berry: Scalar = parameter(0.0)
    dissipative: Scalar = parameter(0.02, dimension="rate")

    def rules(self) -> Iterable[Rule]:
        detuning, frequency = self.detuning, self.frequency
        yield Rule(
            jnp.abs(detuning) < 2 * frequency,
            lambda: (
                f"`detuning` must be smaller than 2·frequency = {show(2 * frequency)} (both modes need a positive "
                f"frequency), but is {show(detuning)}."
            ),
        )

    def dynamics(self) -> CoupledModes:
        return CoupledModes(
            two_mode_matrix(
                self.frequency,
                self.detuning,
                self.damping,
                self.bias,
                self.nonconservative,
                self.berry,
                self.dissipative,
            )
        )
