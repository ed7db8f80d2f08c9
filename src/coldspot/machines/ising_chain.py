"""The open Ising chain in a field, one half in each of two baths."""

from typing import ClassVar

import equinox as eqx

from .._checks import InputError, Scalar, parameter
from ..baths import HeatBath
from ..dynamics import Machine
from ..jump.spin_chain import SpinChain


class IsingChain(Machine):
    """N spins,  E = −J Σ σ_k σ_{k+1} − h Σ σ_k,  that flip at the rates r(1 − tanh(ΔE/2T)) of R. J. Glauber

    ("Time-dependent statistics of the Ising model"): the first half of them by the bath `left`, the others by `right`.
    Without a field two spins conduct J r (tanh(J/T_R) − tanh(J/T_L)). Energies and temperatures in one unit, rates in
    its inverse (k_B = ħ = 1). `spins` is part of the machine's shape; see `coldspot.SpinChain` for chains that are
    driven.

    >>> import coldspot as cs
    >>> f"{float(cs.steady_state(IsingChain()).heat['left']):.10f}"
    '0.0284719791'
    """

    name: ClassVar[str] = "spin-chain"
    summary: ClassVar[str] = "Ising chain in a field between two heat baths (Glauber flips)"
    coupling: Scalar = parameter(1.0, dimension="energy")
    field: Scalar = parameter(0.3, dimension="energy")
    rate: Scalar = parameter(0.5, dimension="rate", positive=True)
    left: HeatBath = HeatBath(1.5)
    right: HeatBath = HeatBath(1.0)
    spins: int = eqx.field(static=True, default=6)

    def __check_init__(self) -> None:
        if not isinstance(self.spins, int) or isinstance(self.spins, bool) or self.spins < 2:
            raise InputError(f"IsingChain: `spins` must be an integer of at least 2, but is {self.spins!r}.")

    def dynamics(self) -> SpinChain:
        return SpinChain(self.spins, self.coupling, self.field, self.rate, self.left, self.right)
