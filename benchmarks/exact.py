"""Heats of stationary networks with 50 decimal digits: the common reference for the static rows.

Dense Gaussian elimination in Python's decimal arithmetic, from the parameters on; shares nothing with coldspot.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np

DIGITS = 50


def stationary(rates: list[list[Decimal]]) -> list[Decimal]:
    """p with Σ_j (w_ij p_j − w_ji p_i) = 0 and Σp = 1, for rates w_ij of j → i (diagonal ignored)."""
    n = len(rates)
    table = [
        [rates[i][j] if i != j else -sum(rates[k][i] for k in range(n) if k != i) for j in range(n)] for i in range(n)
    ]
    table = [[*row, Decimal(0)] for row in table[:-1]] + [[Decimal(1)] * (n + 1)]
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(table[i][k]))
        table[k], table[best] = table[best], table[k]
        for i in range(n):
            if i != k and table[i][k]:
                factor = table[i][k] / table[k][k]
                table[i] = [a - factor * b for a, b in zip(table[i], table[k], strict=True)]
    return [table[i][n] / table[i][i] for i in range(n)]


def heats(
    transitions: Sequence[tuple[int, int, int]],
    energies: Sequence[float],
    occupations: Sequence[float],
    temperatures: Sequence[float],
    potentials: Sequence[float],
    scales: Sequence[float],
) -> np.ndarray:
    """Heat per bath of one network whose transition (bath, i, f) has rates scale/(1+e^{±x}), x = (ΔE−μΔN)/T."""
    with localcontext() as context:
        context.prec = DIGITS
        n = len(energies)
        e, number, t, mu = (
            [Decimal(float(v)) for v in values] for values in (energies, occupations, temperatures, potentials)
        )
        rates = [[Decimal(0)] * n for _ in range(n)]
        moves = []
        for (bath, i, f), scale in zip(transitions, scales, strict=True):
            heat = e[f] - e[i] - mu[bath] * (number[f] - number[i])
            factor = (heat / t[bath]).exp()
            forward = Decimal(float(scale)) / (1 + factor)
            backward = forward * factor
            rates[f][i] += forward
            rates[i][f] += backward
            moves.append((bath, i, f, heat, forward, backward))
        p = stationary(rates)
        total = [Decimal(0)] * len(t)
        for bath, i, f, heat, forward, backward in moves:
            total[bath] += heat * (forward * p[i] - backward * p[f])
        return np.array([float(q) for q in total])
