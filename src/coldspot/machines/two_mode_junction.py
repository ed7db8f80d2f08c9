"""Two vibrations of a junction that a biased conductor couples: an analysis of their frequencies and dampings."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from .._checks import InputError, Scalar, as_float, check_numbers, check_positive, concrete
from ..dynamics import Machine
from ..modes.coupled import CoupledModes, two_mode_matrix


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
    frequency: Scalar = eqx.field(converter=as_float, default=1.0, metadata={"dimension": "energy"})
    detuning: Scalar = eqx.field(converter=as_float, default=0.04, metadata={"dimension": "energy"})
    damping: Scalar = eqx.field(converter=as_float, default=0.001, metadata={"dimension": "rate"})
    bias: Scalar = eqx.field(converter=as_float, default=0.6928, metadata={"dimension": "energy"})
    nonconservative: Scalar = eqx.field(converter=as_float, default=0.05, metadata={"dimension": "energy"})
    berry: Scalar = eqx.field(converter=as_float, default=0.0, metadata={"dimension": "dimensionless"})
    dissipative: Scalar = eqx.field(converter=as_float, default=0.02, metadata={"dimension": "rate"})

    def __check_init__(self):
        names = ("frequency", "detuning", "damping", "bias", "nonconservative", "berry", "dissipative")
        check_numbers(self, *names)
        check_positive("TwoModeJunction", "frequency", self.frequency)
        detuning, frequency = concrete(self.detuning), concrete(self.frequency)
        if detuning is not None and frequency is not None and abs(detuning) >= 2 * frequency:
            raise InputError(
                f"TwoModeJunction: `detuning` must be smaller than 2·frequency = {2 * frequency:g} (both modes need a "
                f"positive frequency), but is {detuning:g}."
            )

    def dynamics(self) -> CoupledModes:
        matrix = two_mode_matrix(
            self.frequency,
            self.detuning,
            self.damping,
            self.bias,
            self.nonconservative,
            self.berry,
            self.dissipative,
        )
        # A traced value that the constructor could not refuse becomes an invalid point here.
        possible = (self.frequency > 0) & (jnp.abs(self.detuning) < 2 * self.frequency)
        return CoupledModes(jnp.where(possible, matrix, jnp.nan))
