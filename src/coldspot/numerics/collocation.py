"""Radau IIA collocation for linear master equations, batched: one element of a propagator.

For dp/dx = h·M(x)p on 0 ≤ x ≤ 1 the stage values at the right Radau points c_1 … c_s = 1 satisfy
Σ_j D_ij Y_j − h M(c_i) Y_i = −d_i p(0), with D, d the differentiation matrix of the polynomial through
p(0), Y_1 … Y_s. In this inverse form the generator enters the diagonal blocks only. Blocks are eliminated stage
by stage without pivoting, which respects the grading of stiff rates. The order is 2s−1, and stiff modes decay.

Arrays have the batch axis last.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from numpy.polynomial import legendre

from .held import added, held

STAGES = 4


@functools.cache
def tableau(stages: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Nodes c, differentiation matrix D (stage, stage), d (stage), quadrature weights b."""
    series = np.zeros(stages + 1)
    series[stages - 1], series[stages] = 1.0, -1.0
    roots = np.sort(legendre.legroots(series).real)
    for _ in range(3):  # polish the companion-matrix roots by Newton steps
        roots[:-1] -= legendre.legval(roots[:-1], series) / legendre.legval(roots[:-1], legendre.legder(series))
    roots[-1] = 1.0
    nodes = (1 + roots) / 2
    points = np.concatenate([[0.0], nodes])
    gaps = points[:, None] - points[None, :] + np.eye(stages + 1)
    weight = 1 / np.prod(gaps, axis=1)
    full = weight[None, :] / weight[:, None] / gaps
    np.fill_diagonal(full, 0.0)
    np.fill_diagonal(full, -full.sum(axis=1))
    b = np.linalg.inv(full[1:, 1:])[-1]
    return nodes, full[1:, 1:], full[1:, 0], b


def _product(
    a: Float[Array, "row inner point"], b: Float[Array, "inner column point"]
) -> Float[Array, "row column point"]:
    """Matrix product in the two leading axes, batch last."""
    return held(added(a[:, :, None] * b[None], axis=1))


def divide(
    pivot: Float[Array, "row row point"], right: Float[Array, "row column point"]
) -> Float[Array, "row column point"]:
    """pivot⁻¹·right by Gauss–Jordan without pivoting."""
    n = pivot.shape[0]

    def clear(k: Array, table: Array) -> Array:
        row = jax.lax.dynamic_index_in_dim(table, k, 0, keepdims=False)
        row = row / jax.lax.dynamic_index_in_dim(row, k, 0, keepdims=True)
        column = jax.lax.dynamic_index_in_dim(table, k, 1, keepdims=True)
        # Written in place: with `where` the compiler computes each step again for every entry of the next.
        return jax.lax.dynamic_update_index_in_dim(table - column * row, row, k, 0)

    table = jnp.concatenate([pivot, right], axis=1)
    return jax.lax.fori_loop(0, n, clear, table, unroll=n <= 4)[:, n:]


def element(
    generators: Float[Array, "stage state state point"],
    start: Float[Array, "state column point"],
    source: Float[Array, "stage state point"] | None = None,
) -> Float[Array, "stage state column point"]:
    """Stage values (stage, state, column, point) for h·M at the stages (stage, state, state, point).

    `start` (state, column, point) is what enters; the last stage is what leaves. `source` (stage, state, point) drives
    the last column: dy/dx = h·M y + source.
    """
    stages, n = generators.shape[0], generators.shape[1]
    _, derivative, first, _ = tableau(stages)
    one = jnp.eye(n)[..., None]
    # The first stage couples to the others by multiples of the unit matrix, so its inverse is all that is needed.
    inverse = divide(derivative[0, 0] * one - generators[0], jnp.broadcast_to(one, generators.shape[1:]))
    enters = [-first[i] * start for i in range(stages)]
    if source is not None:
        enters = [e.at[:, -1].add(s) for e, s in zip(enters, source, strict=True)]
    entered = _product(inverse, enters[0])
    rest = range(1, stages)
    blocks = {
        (i, j): derivative[i, j] * one - derivative[i, 0] * derivative[0, j] * inverse for i in rest for j in rest
    }
    right = {i: enters[i] - derivative[i, 0] * entered for i in rest}
    for i in rest:
        blocks[i, i] = blocks[i, i] - generators[i]
    solved: dict[int, Array] = {}
    for k in rest:
        later = range(k + 1, stages)
        solved[k] = divide(blocks[k, k], jnp.concatenate([*(blocks[k, j] for j in later), right[k]], axis=1))
        for i in later:
            change = _product(blocks[i, k], solved[k])
            for m, j in enumerate(later):
                blocks[i, j] = blocks[i, j] - change[:, m * n : (m + 1) * n]
            right[i] = right[i] - change[:, len(later) * n :]
    values: dict[int, Array] = {}
    for k in reversed(rest):
        later = range(k + 1, stages)
        value = solved[k][:, len(later) * n :]
        for m, j in enumerate(later):
            value = value - _product(solved[k][:, m * n : (m + 1) * n], values[j])
        values[k] = value
    values[0] = entered - _product(inverse, sum(derivative[0, j] * values[j] for j in rest))
    return jnp.stack([values[k] for k in range(stages)])
