"""The inverse of the Klein–Kramers operator on polynomial elements in x and in v, by sparse factors.

Any temperatures; and weak friction, where densities change across a thin layer at the energy of the barrier, of a
width √γ in position and velocity alike: some 1/γ unknowns, each beside few others, are then less work than the 1/γ
degrees of Hermite polynomials, each with all functions of x.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg

from .operator import assembled
from .space import Space
from .stationary import PIVOT
from .terrain import OPEN
from .velocity import Velocity


class Whole:
    """L⁻¹ on densities that hold no particles in all; of functions odd about the mesh's left end, if `odd`.

    A density is one row, coefficients of functions even in v (velocity, x) and then of odd ones; `odd`: see `Reduced`.
    """

    def __init__(self, space: Space, velocity: Velocity, odd: bool = False):
        self.space, self.odd, self._number = space, odd, velocity.number
        self.symmetric = space.terrain.uniform and not space.terrain.load
        """Whether turning functions odd in v round turns the operator into its transpose."""
        rows = slice(int(odd), None)
        blocks = assembled(space, velocity, odd)
        self._friction = blocks.even_even, blocks.odd_odd
        self.operator = blocks.matrix()
        self._masses = velocity.mass, (space.mass[0][rows, rows], space.mass[1])
        one = np.kron(velocity.one, space.one[rows])
        self.size, self.unknowns = len(one), self.operator.shape[0]
        self._counted = self.mass(np.concatenate([one, np.zeros(self.unknowns - self.size)]))[: self.size]
        pin, matrix = int(np.argmax(one)), self.operator
        if not odd:
            # What holds no particles is determined but for the steady state. As no equation makes particles, a sink at
            # one place has nothing to take: there the solution vanishes.
            sink = np.zeros(self.unknowns)
            sink[pin] = float(matrix.diagonal()[pin]) or -1.0
            matrix = (matrix + sp.diags_array(sink)).tocsc()
        self._factors = linalg.splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            # With one temperature the blocks on the diagonal are definite, and no pivot vanishes.
            diag_pivot_thresh=0.0 if self.symmetric else PIVOT,
            options={"SymmetricMode": True},
        )
        steady = np.zeros(self.unknowns)
        if self.symmetric:
            steady[: self.size] = one
        else:
            steady = self._factors.solve(sink)
        self.steady = steady / (self._counted @ steady[: self.size])

    def mass(self, z: np.ndarray) -> np.ndarray:
        parts = z[: self.size], z[self.size :]
        return np.concatenate(
            [(v @ (part.reshape(v.shape[0], -1) @ x)).ravel() for part, v, x in zip(parts, *self._masses, strict=True)]
        )

    def emptied(self, z: np.ndarray) -> np.ndarray:
        """z without its part in the steady state."""
        return z if self.odd else z - self.steady * (self._counted @ z[: self.size])

    def lost(self, z: np.ndarray) -> np.ndarray:
        """−Fz of the friction's part F of L, in proportion to γ."""
        return -np.concatenate([self._friction[0] @ z[: self.size], self._friction[1] @ z[self.size :]])

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """y with L y = z (as densities), both without particles in all; one correction."""
        return self.solved(self.mass(self.emptied(z)))

    def solved(self, right: np.ndarray) -> np.ndarray:
        """y without particles in all, for a right-hand side that makes none."""
        y = self._factors.solve(right)
        return self.emptied(y + self._factors.solve(right - self.operator @ y))

    def on_one_side(self, middle: float) -> np.ndarray:
        """A first guess of the slowest density: the particles on one side of `middle`."""
        space = self.space
        width = (space.mesh.edges[-1] - space.mesh.edges[0]) / 4
        side = np.zeros(space.size)
        side[space.even_of] = np.tanh(3 * (space.nodes - middle) / width)
        even = self.steady[: self.size].reshape(len(self._number), -1)
        even = even * side[-even.shape[1] :]
        return self.emptied(np.concatenate([even.ravel(), np.zeros(self.unknowns - self.size)]))

    def steady_number(self) -> np.ndarray:
        """∫ P dv of the steady state as coefficients in x."""
        return self._number @ self.steady[: self.size].reshape(-1, self.space.size)


class Through:
    """The same with open ends, where nothing is kept: L⁻¹ as it stands, and the state that what comes in makes."""

    def __init__(self, space: Space, velocity: Velocity):
        blocks = assembled(space, velocity)
        self.operator = blocks.matrix()
        self.size, self.unknowns = len(velocity.number) * space.size, self.operator.shape[0]
        self._masses = velocity.mass, space.mass
        self._factors = linalg.splu(
            self.operator, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=PIVOT, options={"SymmetricMode": True}
        )
        self.steady = self.solved(-np.concatenate(blocks.source))

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """y with L y = z (as densities)."""
        parts = z[: self.size], z[self.size :]
        masses = [
            (v @ (part.reshape(v.shape[0], -1) @ x)).ravel() for part, v, x in zip(parts, *self._masses, strict=True)
        ]
        return self.solved(np.concatenate(masses))

    def solved(self, right: np.ndarray) -> np.ndarray:
        """y with L y = right; one correction."""
        y = self._factors.solve(right)
        return y + self._factors.solve(right - self.operator @ y)

    def emptied(self, z: np.ndarray) -> np.ndarray:
        """z: no part of it is for ever."""
        return z


def inverse_of(space: Space, velocity: Velocity) -> Whole | Through:
    """L⁻¹ of the reference potential, whatever the ends are."""
    return Through(space, velocity) if space.terrain.kind == OPEN else Whole(space, velocity)
