"""The inverse of the Klein–Kramers operator at one temperature: blocks of positions, a chain in Hermite polynomials.

Friction is diagonal in Hermite polynomials of the velocity, streaming leads from one degree n to its neighbours. Odd
degrees are eliminated; between even ones

S_nn = nF + s²[A + n/(n−1) B],   S_{n,n+2} = s²√((n+2)/(n+1)) C,   A = U†F⁻¹U, B = W†F⁻¹W, C = U†F⁻¹W

is symmetric and positive, with U = ∂_x and W = ∂_x − V′/T, F = ⟨γ⟩ of each kind and s = √(T/m). Each block is dense, of
the size of the basis in x, and the chain is eliminated from the highest degree downwards.

Behind a high barrier the slowest density is the equilibrium of one well but for e^{−ΔV/T}, and ∂_x of its quotient with
e^{−V/T} is lost in the rounding of differences of large numbers. So in degree 0 that well's equilibrium h, up to the
nodes beside the barrier's top, takes the place of the function at the well's bottom, and the equilibrium itself that of
the one at the other: Uh is summed where it is not zero, Uh = 0 is set elsewhere, and h is scaled by 1/|Uh|. The
smallest eigenvalue then comes from sums without cancellation, however small it is.
"""

import math

import numpy as np
from scipy.linalg import lapack

from .space import Space


class Reduced:
    """L⁻¹ on densities that hold no particles in all; of functions odd about the mesh's left end, if `odd`.

    A density is one row, coefficients of even degrees (degree, x) and then of odd ones. `odd` is for a potential that
    is symmetric about the left end: P(−x, −v) = −P(x, v), of which the mesh covers one half. `top`: of the barrier, if
    there is one; of odd densities it is the left end.
    """

    symmetric = True
    """Turning odd degrees round turns the operator into its transpose."""

    def __init__(self, space: Space, pairs: int, odd: bool = False, top: float | None = None):
        self.space, self.pairs, self.odd = space, pairs, odd
        rows = slice(1, None) if odd else slice(None)
        self._s = math.sqrt(space.terrain.reference / space.terrain.mass)
        self._up, self._down = space.up.toarray()[:, rows], space.down.toarray()[:, rows]
        self._even_mass, self._odd_mass = space.mass[0].toarray()[rows, rows], space.mass[1].toarray()
        self._loss = space.friction[0].toarray()[rows, rows]
        self._odd_loss = space.friction[1].toarray()
        self._odd_inverse = np.linalg.inv(self._odd_loss)
        self.width = self._loss.shape[0]
        self.size = pairs * self.width
        self.unknowns = self.size + pairs * space.odd_size
        self._n = 2.0 * np.arange(pairs)
        self._choose(space.one[rows], top)
        self._factor()
        self.steady = np.zeros(self.unknowns)
        self.steady[: self.width] = self._one / (self._counted @ self._one)

    def _choose(self, one: np.ndarray, top: float | None) -> None:
        """The functions of degree 0 (columns), what ∂_x and mass are among them, and which are kept."""
        functions, slopes = np.eye(self.width), self._up.copy()
        places = np.zeros(self.space.size)
        places[self.space.even_of] = self.space.nodes
        places = places[-self.width :]
        if self.odd or top is not None:
            side = np.ones(self.width, bool) if self.odd or top is None else places < top
            well = int(np.argmax(np.where(side, one, 0)))
            # Rows are of one element each: where it lies on one side, the slope is zero.
            full = self.space.up.toarray()
            beyond = np.concatenate([[True], ~side]) if self.odd else ~side
            across = np.any(full[:, ~beyond] != 0, axis=1) & np.any(full[:, beyond] != 0, axis=1)
            slope = np.where(across, self._up @ np.where(side, one, 0), 0)
            scale = 1 / np.linalg.norm(slope)
            functions[:, well], slopes[:, well] = np.where(side, one, 0) * scale, slope * scale
        else:
            side = np.zeros(self.width, bool)
        self._kept = np.arange(self.width)
        self._one = one
        if not self.odd:
            # What holds no particles is determined but for a constant: it is dropped.
            pin = int(np.argmax(np.where(side, 0, one)))
            functions[:, pin], slopes[:, pin] = one, 0
            self._kept = np.delete(self._kept, pin)
            self._one = np.eye(self.width)[pin]
        self._functions, self._up_first = functions, slopes
        self._mass_first = functions.T @ self._even_mass @ functions
        self._counted = self._mass_first @ self._one

    def _factor(self) -> None:
        a, b, c = (
            left.T @ (self._odd_inverse @ right)
            for left, right in ((self._up, self._up), (self._down, self._down), (self._up, self._down))
        )
        square = self._s**2
        self._step = square * c
        first = self._odd_inverse @ self._up_first
        self._step_first = square * (first.T @ self._down)
        self._inverses = np.empty((self.pairs, self.width, self.width))
        rest = np.zeros_like(a)
        for k in range(self.pairs - 1, -1, -1):
            n = self._n[k]
            if k:
                block = n * self._loss + square * (a + n / (n - 1) * b) - rest
            else:
                block = (square * (self._up_first.T @ first) - rest)[np.ix_(self._kept, self._kept)]
            lower, wrong = lapack.dpotrf(block, lower=1, clean=1)
            if wrong:
                raise np.linalg.LinAlgError("rounding exceeds the smallest rate")
            inverse, _ = lapack.dpotri(lower, lower=1)
            inverse = np.tril(inverse) + np.tril(inverse, -1).T
            if k:
                factor = self._between(k)
                half, _ = lapack.dtrtrs(lower, (factor * self._down_to(k)).T, lower=1)
                rest = half.T @ half
                self._inverses[k] = inverse
            else:
                self._inverses[0] = 0
                self._inverses[0][np.ix_(self._kept, self._kept)] = inverse

    def _between(self, k: int) -> float:
        """√(n/(n−1)) of the step from n to n−2."""
        return math.sqrt(self._n[k] / (self._n[k] - 1))

    def _down_to(self, k: int) -> np.ndarray:
        """What leads from the k-th even degree to the one before it."""
        return self._step_first if k == 1 else self._step

    # ------------------------------------------------------------------ products
    def _parts(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return z[: self.size].reshape(self.pairs, -1), z[self.size :].reshape(self.pairs, -1)

    def _odd_from(self, even: np.ndarray) -> np.ndarray:
        found = -self._s * np.sqrt(self._n + 1)[:, None] * (even @ self._up.T)
        found[0] = -self._s * (self._up_first @ even[0])
        found[:-1] -= self._s * np.sqrt(self._n[1:])[:, None] * (even[1:] @ self._down.T)
        return found

    def _even_from(self, odd: np.ndarray) -> np.ndarray:
        found = self._s * (np.sqrt(self._n + 1)[:, None] * odd) @ self._up
        found[0] = self._s * (odd[0] @ self._up_first)
        found[1:] += self._s * (np.sqrt(self._n[1:])[:, None] * odd[:-1]) @ self._down
        return found

    def _times(self, z: np.ndarray) -> np.ndarray:
        """L z."""
        even, odd = self._parts(z)
        return np.concatenate([self._even_from(odd).ravel(), self._odd_from(even).ravel()]) - self.lost(z)

    def lost(self, z: np.ndarray) -> np.ndarray:
        """−Fz of the friction's part F of L, in proportion to γ."""
        even, odd = self._parts(z)
        first, second = self._n[:, None] * (even @ self._loss), (self._n + 1)[:, None] * (odd @ self._odd_loss)
        return np.concatenate([first.ravel(), second.ravel()])

    def mass(self, z: np.ndarray) -> np.ndarray:
        even, odd = self._parts(z)
        among = even @ self._even_mass
        among[0] = even[0] @ self._mass_first
        return np.concatenate([among.ravel(), (odd @ self._odd_mass).ravel()])

    def emptied(self, z: np.ndarray) -> np.ndarray:
        """z without its part in the steady state."""
        return z if self.odd else z - self.steady * (self._counted @ z[: self.width])

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """y with L y = z (as densities), both without particles in all; one correction."""
        right = self.mass(self.emptied(z))
        y = self._solved(right)
        return self.emptied(y + self._solved(right - self._times(y)))

    def _solved(self, right: np.ndarray) -> np.ndarray:
        even, odd = self._parts(right)
        through = -(odd @ self._odd_inverse) / (self._n + 1)[:, None]
        y = self._even_from(through) - even
        for k in range(self.pairs - 1, 0, -1):
            y[k] = self._inverses[k] @ y[k]
            y[k - 1] -= self._between(k) * (self._down_to(k) @ y[k])
        y[0] = self._inverses[0] @ y[0]
        for k in range(1, self.pairs):
            y[k] -= self._between(k) * (self._inverses[k] @ (y[k - 1] @ self._down_to(k)))
        second = -((odd - self._odd_from(y)) @ self._odd_inverse) / (self._n + 1)[:, None]
        return np.concatenate([y.ravel(), second.ravel()])

    # ------------------------------------------------------------------ densities
    def on_one_side(self, middle: float) -> np.ndarray:
        """A first guess of the slowest density: the particles on one side of `middle`."""
        space = self.space
        scale = (space.mesh.edges[-1] - space.mesh.edges[0]) / 4
        side = np.zeros(space.size)
        side[space.even_of] = np.tanh(3 * (space.nodes - middle) / scale)
        z = np.zeros(self.unknowns)
        z[: self.width] = np.linalg.solve(self._functions, (space.one * side)[-self.width :])
        return self.emptied(z)

    def steady_number(self) -> np.ndarray:
        """∫ P dv of the steady state as coefficients in x."""
        return self.space.one / (self._counted @ self._one)
