"""Two coupled vibrations: frequencies, dampings and the overlap of the modes, also where they coalesce."""

from collections.abc import Iterable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_complex
from ..compiler import plainly
from ..dynamics import Dynamics, Outcome, Rates
from ..numerics.dense import EPS, positive_or_one
from ..pytrees import Table
from ..solution import NormalModes, Status


class CoupledModes(Dynamics):
    """Two vibrations with displacements u_1, u_2 that obey (ω² − K)u = 0: an analysis, without baths or ledger.

    - `matrix` (2, 2), complex: the dynamical matrix K in the retarded convention, motion e^{−iωt}. Damping is a
      negative imaginary part: a single mode of frequency Ω and damping κ has K = (Ω−iκ)².

    With h = (K_11−K_22)/2, the eigenvalues of K are ω² = (K_11+K_22)/2 ± √D, D = h² + K_12K_21; modes are in the order
    of rising Re ω². `solution.modes` has the frequencies Re ω, the dampings −Im ω (negative: the mode grows), and the
    overlap |⟨u_1|u_2⟩| of the normalised right eigenvectors. It is computed without forming them:

    √[(|K_12|²−|K_21|²)² + 4|h K_21* − h* K_12|²] / (2|h|² + |K_12|² + |K_21|² + 2|D|),

    which is 1 where the modes coalesce (D = 0: an exceptional point), and 0 if they can be chosen orthogonal.

    A mode that grows is a result, and the status stays `OK`: read the dampings. `UNSTABLE` means that Re ω² ≤ 0 (a
    negative spring), where there is no frequency. `statistics["mode error"]` bounds the rounding error of ω: it grows
    to √ε at an exceptional point, where derivatives of ω diverge (where uncoupled modes cross, they are not defined).

    >>> import coldspot as cs
    >>> modes = cs.steady_state(CoupledModes([[(1 - 0.1j) ** 2, 0.0], [0.0, (2 - 0.3j) ** 2]])).modes
    >>> modes.frequencies.round(9).tolist(), [f"{x:.6f}" for x in modes.dampings], float(modes.overlap)
    ([1.0, 2.0], ['0.100000', '0.300000'], 0.0)
    """

    matrix: Array = eqx.field(converter=as_complex)

    def __check_init__(self) -> None:
        if self.matrix.shape != (2, 2):
            raise InputError(f"CoupledModes: `matrix` must have shape (2, 2), but has shape {self.matrix.shape}.")

    def rules(self) -> Iterable[Rule]:
        xp, matrix = plainly(self.matrix)
        yield Rule(
            xp.all(xp.isfinite(matrix)),
            lambda: f"`matrix` must be finite, but is {np.asarray(self.matrix).tolist()}.",
        )

    @property
    def baths(self) -> Table:
        return Table({})

    @property
    def drives(self) -> Table:
        return Table({})

    def solve(self, tolerance: Array) -> Outcome:
        del tolerance  # closed forms: exact up to rounding
        k = self.matrix
        mean, h = (k[:, 0, 0] + k[:, 1, 1]) / 2, (k[:, 0, 0] - k[:, 1, 1]) / 2
        p, q = k[:, 0, 1], k[:, 1, 0]
        d = h**2 + p * q
        split = jnp.sqrt(d)
        squares = jnp.stack([mean - split, mean + split], axis=-1)
        omega = jnp.sqrt(squares)
        finite = jnp.all(jnp.isfinite(omega), axis=-1)
        stiff = jnp.all(squares.real > 0, axis=-1)
        # How far rounding of the entries of K can move D, and D the two roots.
        size = jnp.sqrt(jnp.sum(_square(k), axis=(-2, -1)))
        noise = 4 * EPS * size
        traceless = jnp.sqrt(2 * _square(h) + _square(p) + _square(q))
        moved = noise * (traceless + noise)
        gap = jnp.sqrt(jnp.abs(d))
        root_error = jnp.minimum(moved / jnp.where(gap > 0, gap, 1.0), jnp.sqrt(moved))
        root_error = noise + jnp.where(gap > 0, root_error, jnp.sqrt(moved))
        smallest = jnp.min(jnp.abs(omega), axis=-1)
        determinant = k[:, 0, 0] * k[:, 1, 1] - p * q
        residual = jnp.abs(squares**2 - 2 * mean[:, None] * squares + determinant[:, None])
        return Outcome(
            Rates(jnp.zeros((*size.shape, 0))),
            Rates(jnp.zeros((*size.shape, 0))),
            faults={Status.NOT_FINITE: ~finite, Status.UNSTABLE: finite & ~stiff},
            residuals={"characteristic equation": jnp.max(residual, axis=-1) / positive_or_one(size) ** 2},
            statistics={"mode error": root_error / positive_or_one(smallest)},
            modes=NormalModes(frequencies=omega.real, dampings=-omega.imag, overlap=overlap(k)),
        )

    def explain(self, status: Status) -> str:
        if status == Status.UNSTABLE:
            return "a mode has Re ω² ≤ 0, a negative spring: it moves away without oscillating."
        return ""


def overlap(matrix: Array) -> Array:
    """|⟨u_1|u_2⟩| of the normalised right eigenvectors of 2×2 matrices (…, 2, 2); see `CoupledModes`.

    >>> float(overlap(jnp.array([[1.0, 1.0], [0.0, 1.0]])))  # a Jordan block
    1.0
    """
    h = (matrix[..., 0, 0] - matrix[..., 1, 1]) / 2
    p, q = matrix[..., 0, 1], matrix[..., 1, 0]
    # From the Schur form of K and the commutator of its traceless part with the adjoint.
    skew = (_square(p) - _square(q)) ** 2 + 4 * _square(h * jnp.conj(q) - jnp.conj(h) * p)
    norm = 2 * _square(h) + _square(p) + _square(q) + 2 * jnp.abs(h**2 + p * q)
    known = skew > 0
    root = jnp.where(known, jnp.sqrt(jnp.where(known, skew, 1.0)), 0.0)
    return root / jnp.where(norm > 0, norm, 1.0)


def _square(z: Array) -> Array:
    return jnp.real(z) ** 2 + jnp.imag(z) ** 2
