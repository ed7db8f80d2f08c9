"""Exact moments of a particle in a trap that drives move."""

import numpy as np

MASS, FRICTION, TEMPERATURE, OMEGA = 1.5, 2.0, 0.7, 3.0


def generator(stiffness, place):
    """d/dt of ⟨1, x, v, xx, xv, vv⟩ in the trap k(x−b)²/2."""
    rate, push = stiffness / MASS, stiffness * place / MASS
    heat = 2 * FRICTION * TEMPERATURE / MASS
    return np.array(
        [
            [0, 0, 0, 0, 0, 0],
            [0, 0, 1, 0, 0, 0],
            [push, -rate, -FRICTION, 0, 0, 0],
            [0, 0, 0, 0, 2, 0],
            [0, push, 0, -rate, -FRICTION, 1],
            [heat, 0, 2 * push, 0, -2 * rate, -2 * FRICTION],
        ]
    )


def height(stiffness, place, moments):
    """⟨k(x−b)²/2⟩."""
    return stiffness / 2 * (moments[3] - 2 * place * moments[1] + place**2)
