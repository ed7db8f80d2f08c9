"""Two vibrations of a junction that a biased conductor couples: an analysis of their frequencies and dampings."""

from collections.abc import Iterable
from typing import Any, ClassVar

import jax.numpy as jnp

from .._checks import InputError, Rule, Scalar, as_float, check_shape, concrete, parameter
from ..dynamics import Machine
from ..modes.coupled import CoupledModes
from ..modes.dynamical_matrices import flat_band, two_mode_matrix
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

    @classmethod
    def of_electrons(cls, frequencies: Any, couplings: Any, left: Any, right: Any, bias: Any) -> "TwoModeJunction":
        """Two modes whose forces are those of electrons with constant spectral functions, and nothing else.

        **Arguments:** `frequencies` Ω_1, Ω_2; `couplings` (2, state, state), the matrices M^m that multiply the
        displacements; `left`, `right` (state, state), the spectral functions A_L, A_R (of a conductor's leads:
        `conductor.spectral_function`); `bias` V = μ_L − μ_R.

        a = Im tr[M¹A_RM²A_L]/2π, c = tr[M¹AM²A]/4π and the damping γ = tr[M^mAM^mA]/8π with A = A_L + A_R, b = 0; see
        `modes.flat_band`. InputError if γ is not the same for both modes: eq. 9 has one only (any others:
        `modes.CoupledModes(conductor.dynamical_matrix(…))`).

        >>> made = TwoModeJunction.of_electrons(
        ...     [1.02, 0.98], [[[0, 0.1], [0.1, 0]], [[0, -0.1j], [0.1j, 0]]], [[2, 0], [0, 0]], [[0, 0], [0, 2]], 0.5
        ... )
        >>> f"{made.nonconservative:.6f} {made.damping:.6f} {made.detuning:.2f}"
        '0.006366 0.003183 0.04'
        """
        frequencies = as_float(frequencies, "TwoModeJunction.of_electrons: `frequencies`")
        check_shape("TwoModeJunction.of_electrons", "frequencies", frequencies, (2,), "one number per mode")
        band = flat_band(couplings, left, right)
        check_shape("TwoModeJunction.of_electrons", "couplings", band.dissipative, (2, 2), "a matrix for each of two")
        own = jnp.diagonal(band.dissipative) / 2
        known = concrete(own)
        if known is not None and abs(known[0] - known[1]) > 1e-9 * max(known):
            raise InputError(
                f"TwoModeJunction.of_electrons: both modes must have one damping, but `couplings` give {show(own)}; of "
                "modes that differ take `modes.CoupledModes(conductor.dynamical_matrix(…))`."
            )
        return cls(
            frequency=jnp.mean(frequencies),
            detuning=frequencies[0] - frequencies[1],
            damping=own[0],
            bias=bias,
            nonconservative=band.nonconservative[0, 1],
            berry=0.0,
            dissipative=band.dissipative[0, 1],
        )

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
