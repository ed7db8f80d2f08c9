"""The largest eigenvalue of a matrix without negative off-diagonal entries, by inverse iteration without subtractions.

For any positive left vector e^v the column sums c_j = Σ_i e^{v_i} L_ij e^{−v_j} lie around the eigenvalue,
min c ≤ λ ≤ max c (L. Collatz; H. Wielandt). With ρ = max c the equations (ρ − L)ᵀ u′ = u are those of a process that
ends at the rates ρ − c_j ≥ 0 (`killed`), and u′ is the next vector: it converges from any start, at the end
quadratically (T. Noda, "Note on the computation of the maximal eigenvalue of a non-negative irreducible matrix").

Arrays have the batch axis last.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .killed import factored, solved

SETTLED = 1e-13
"""Change of v, relative to 1 or to the largest, that is taken for rounding."""
TURNS = 200


class _Search(NamedTuple):
    v: Array
    change: Array
    turns: Array


def doob(log_q: Array, v: Array) -> Array:
    """e^{v_i} q_ij e^{−v_j} (i, j, point) for ln q (i, j, point): the rates of the process under the tilt."""
    return jnp.exp(log_q + v[:, None] - v[None])


def left_vector(log_q: Array, own: Array) -> tuple[Array, Array]:
    """v (state, point) with v₀ = 0, and its last change (point).

    For the logarithms of the off-diagonal entries (i, j, point), −∞ on the diagonal, and the diagonal `own` (j, point).
    """

    def turn(s: _Search) -> _Search:
        q = doob(log_q, s.v)
        c = jnp.sum(q, axis=0) + own
        z = solved(factored(q, jnp.max(c, axis=0) - c), jnp.ones_like(c))
        # Where nothing ends, v is exact.
        ended = jnp.all(c == c[0], axis=0) | ~jnp.all(z > 0, axis=0)
        step = jnp.where(ended, 0.0, jnp.log(jnp.where(ended, 1.0, z)))
        step = step - step[0]
        size = jnp.maximum(1.0, jnp.max(jnp.abs(s.v), axis=0))
        change = jnp.max(jnp.abs(step), axis=0) / size
        still = s.change <= SETTLED
        return _Search(
            jnp.where(still, s.v, s.v + step), jnp.where(still, s.change, jnp.nan_to_num(change)), s.turns + 1
        )

    def on(s: _Search) -> Array:
        return jnp.any(s.change > SETTLED) & (s.turns < TURNS)

    start = _Search(jnp.zeros_like(own), jnp.full(own.shape[1:], jnp.inf), jnp.asarray(0))
    found = jax.lax.while_loop(on, turn, start)
    return found.v, found.change
