"""Matrices of the paper and random ones."""

import numpy as np

PAPER = {
    "frequency": 1.0,
    "detuning": 0.04,
    "damping": 0.001,
    "nonconservative": 0.05,
    "berry": 0.0,
    "dissipative": 0.02,
}


NAMES = ("frequency", "detuning", "damping", "bias", "nonconservative", "berry", "dissipative")


def printed(omega, delta, gamma, bias, a, b, c):
    """Eq. 9 as it is printed (motion e^{+iωt})."""
    return [
        [(omega + delta / 2 + 1j * gamma) ** 2, bias * (a + 1j * b * omega) + 1j * c * omega],
        [-bias * (a + 1j * b * omega) + 1j * c * omega, (omega - delta / 2 + 1j * gamma) ** 2],
    ]


def hermitian(rng, *shape):
    z = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return z + np.conj(np.swapaxes(z, -1, -2))
