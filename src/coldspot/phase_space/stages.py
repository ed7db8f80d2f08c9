"""One step of Radau's collocation in time for M ẏ = L y, by sparse factors for each eigenvalue of its matrix.

With s stages (order 2s−1; stiff motion decays) the equations are (D⊗M − hL) Y = −d⊗My.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.polynomial import legendre
from scipy.sparse import linalg

from ..numerics.collocation import tableau
from .stationary import PIVOT

STAGES = 6
KEPT = 3
"""Lengths of steps whose factors are kept, at least."""
RESTART = 60

NODES, _D, START, WEIGHTS = tableau(STAGES)
_ROOTS, _VECTORS = np.linalg.eig(_D)
_BACK = np.linalg.inv(_VECTORS)
_ONE_OF_EACH = np.flatnonzero(_ROOTS.imag >= 0)
POINTS = np.concatenate([[0.0], NODES])
TO_SERIES = np.linalg.inv(legendre.legvander(2 * POINTS - 1, STAGES))
"""Legendre coefficients of the polynomial through a step's start and stages."""


class Stages:
    """Factors of (D⊗M − hL) for some lengths h, of which `kept` are."""

    def __init__(self, mass: sp.csc_array, operator: sp.csc_array, kept: int = KEPT):
        self._mass, self._operator, self._kept = mass, operator, kept
        self._factors: dict[float, list[linalg.SuperLU]] = {}

    def begun(self, y: np.ndarray, length: float) -> np.ndarray:
        """The stages (stage, unknown) of a step from y under L alone."""
        return self.solved(self.right_of(y), length)

    def right_of(self, y: np.ndarray) -> np.ndarray:
        """−d⊗My."""
        return -START[:, None] * (self._mass @ y)

    def pushed(
        self, first: np.ndarray, length: float, push: Callable[[np.ndarray], np.ndarray], accuracy: float
    ) -> np.ndarray | None:
        """The stages under a push G beside, from those without it, to a relative accuracy; None if it is not reached.

        Y − (D⊗M − hL)⁻¹hGY = `first`.
        """
        operator = linalg.LinearOperator(
            (first.size,) * 2,
            matvec=lambda z: z - self.solved(length * push(z.reshape(first.shape)), length).ravel(),
            dtype=float,
        )
        found, wrong = linalg.gmres(operator, first.ravel(), first.ravel(), rtol=accuracy, restart=RESTART, maxiter=1)
        return None if wrong else found.reshape(first.shape)

    def solved(self, right: np.ndarray, length: float) -> np.ndarray:
        """(D⊗M − hL)⁻¹ of (stage, unknown)."""
        if length not in self._factors:
            while len(self._factors) >= self._kept:
                self._factors.pop(next(iter(self._factors)))
            self._factors[length] = [
                linalg.splu(
                    (_ROOTS[k] * self._mass - length * self._operator).tocsc(),
                    permc_spec="MMD_AT_PLUS_A",
                    diag_pivot_thresh=PIVOT,
                    options={"SymmetricMode": True},
                )
                for k in _ONE_OF_EACH
            ]
        parts = _BACK @ right
        found = np.zeros(right.shape)
        for k, factors in zip(_ONE_OF_EACH, self._factors[length], strict=True):
            # Of each pair of conjugate roots one is solved for.
            own = np.outer(_VECTORS[:, k], factors.solve(parts[k])).real
            found += own if _ROOTS[k].imag == 0 else 2 * own
        return found
