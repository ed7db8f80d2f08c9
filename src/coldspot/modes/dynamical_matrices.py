"""Dynamical matrices of modes on a biased conductor: that of two modes, and forces from constant spectral functions."""

from typing import Any, NamedTuple

import numpy as np
from jax import Array

from .._checks import InputError, as_complex, concrete, worded
from ..compiler import placed, plainly, unwarned
from ..numerics.lacking import lacking


@worded
def two_mode_matrix(
    frequency: Any, detuning: Any, damping: Any, bias: Any, nonconservative: Any, berry: Any, dissipative: Any
) -> Array:
    """K of two modes of frequencies Ω±δ/2 and damping γ that a biased conductor couples, in the retarded convention:

    K_11, K_22 = (Ω±δ/2−iγ)²; K_12, K_21 = ±V(a−ibΩ) − icΩ (2, 2), with V the bias, a the non-conservative force, b the
    effective Lorentz (Berry) force, c the damping that the modes share.

    It is the complex conjugate of eq. 9 in Hu, Nian and Lü, "Nonequilibrium reservoir engineering of a biased coherent
    conductor for hybrid energy transport", which is printed for motion e^{+iωt}: frequencies, dampings and overlaps
    are the same. Energies in one unit (ħ = 1, unit masses).
    """
    xp, *numbers = plainly(frequency, detuning, damping, bias, nonconservative, berry, dissipative)
    frequency, detuning, damping, bias, nonconservative, berry, dissipative = numbers
    with unwarned():
        upper, lower = (frequency + sign * detuning / 2 - 1j * damping for sign in (1, -1))
        driven = bias * (nonconservative - 1j * berry * frequency)
        shared = -1j * dissipative * frequency
        return placed(xp.stack([xp.stack([upper**2, driven + shared]), xp.stack([-driven + shared, lower**2])]))


class FlatBand(NamedTuple):
    """What a conductor does to modes m, n, if its spectral functions do not depend on energy.

    K_mn = Ω_m²δ_mn − iω·dissipative_mn + V·nonconservative_mn, V = μ_L−μ_R. For two modes, a = nonconservative[0, 1],
    b = 0, c = dissipative[0, 1], and mode m alone has the damping dissipative[m, m]/2.

    - `nonconservative` (n, n), real, antisymmetric; `dissipative` (n, n), real, symmetric, no negative eigenvalue.
    """

    nonconservative: Array
    dissipative: Array


@worded
def flat_band(couplings: Any, left: Any, right: Any) -> FlatBand:
    """Forces on modes from electrons with constant spectral functions, to lowest order in the coupling (no spin).

    **Arguments:** `couplings` (mode, state, state), the Hermitian matrices M^m that multiply the displacements u_m;
    `left`, `right` (state, state), the spectral functions A_L, A_R of the states filled from each lead (A = A_L + A_R).

    The anti-Hermitian part of the retarded self-energy is −iΛ/2 with Λ_mn(ω) = Σ_αβ (ω−μ_αβ) tr[M^mA_αM^nA_β]/2π, so

    dissipative_mn = tr[M^mAM^nA]/4π, nonconservative_mn = Im tr[M^mA_RM^nA_L]/2π;

    no temperature enters. The Hermitian part is not included: it shifts the frequencies. For two modes,
    |c| ≤ 2√(γ_1γ_2), by Schwarz's inequality: the shared damping cannot exceed the modes' own.

    >>> M = [[[0, 1], [1, 0]], [[0, -1j], [1j, 0]]]
    >>> band = flat_band(M, [[2.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 2.0]])
    >>> f"{float(band.nonconservative[0, 1]) * np.pi:.12f}", f"{float(band.dissipative[0, 0]) * np.pi:.12f}"
    ('2.000000000000', '2.000000000000')
    """
    m, one, other = as_complex(couplings), as_complex(left), as_complex(right)
    if m.ndim != 3 or m.shape[1] != m.shape[2] or one.shape != m.shape[1:] or other.shape != m.shape[1:]:
        raise InputError(
            "flat_band: `couplings` must have shape (mode, state, state) and `left`, `right` (state, state), "
            f"but have shapes {m.shape}, {one.shape} and {other.shape}."
        )
    xp, m, one, other = plainly(m, one, other)
    hermitian = xp.asarray(True)
    for name, value in (("couplings", m), ("left", one), ("right", other)):
        off = xp.abs(value - xp.conj(xp.swapaxes(value, -1, -2)))
        good = xp.max(off) <= 1e-12 * xp.max(xp.abs(value))
        hermitian &= good
        if concrete(good) is not None and not good:
            *which, i, j = (int(k) for k in np.unravel_index(int(xp.argmax(off)), off.shape))
            one_of, numbers = name + "".join(f"[{k}]" for k in which), value[tuple(which)]
            raise InputError(
                f"flat_band: `{name}` must be Hermitian, but `{one_of}` has the entries {numbers[i, j]:g} at "
                f"[{i}, {j}] and {numbers[j, i]:g} at [{j}, {i}]."
            )
    total = one + other
    both = xp.einsum("mij,jk,nkl,li->mn", m, total, m, total, optimize=True).real
    turned = xp.einsum("mij,jk,nkl,li->mn", m, other, m, one, optimize=True).imag
    # What is symmetric or antisymmetric is so to the last digit.
    found = FlatBand(
        nonconservative=(turned - turned.T) / (4 * np.pi),
        dissipative=(both + both.T) / (8 * np.pi),
    )
    # Numbers that JAX traces cannot be refused.
    return FlatBand(*map(placed, found)) if xp is np else lacking(~hermitian, found)
