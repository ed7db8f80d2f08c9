"""Noise of a stationary network at finite frequencies, as a sum of squares.

For the currents I_a(t) = Σ_k a_k δ(t − t_k) of what the jumps carry,

    S_ab(ω) = ∫dt e^{iωt} ⟨⟨I_a(t) I_b(0)⟩⟩.

Functions x_a of the state that obey, with the mean current Ā,

    −iω x_j + Σ_{e from j} w_e (x_j − x_i) = Σ_{e from j} w_e a_e − Ā        (e: j → i)

make X_a + x_a without drift but for a boundary term, so that its jumps y_e = a_e + x_i − x_j are uncorrelated:
S_ab(ω) = Σ_e F_e y_{a,e} y*_{b,e} with the stationary flows F_e. At ω = 0 this is the covariance of `cumulants`, at
high frequencies the shot noise Σ_e F_e a_e b_e. Errors are found as there. Arrays have the batch axis last.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Counted, Target
from .cumulants import REFINEMENTS, Flows, flows_of, judged, undriven
from .graph import Graph, Snapshot
from .killed import factored, solved
from .system import System


def _from_states(flows: Flows, x: Array) -> Array:
    """Σ_{e from j} F_e (x_j − x_i) (state, point)."""
    terms = flows.flow * (x[flows.start] - x[flows.end])
    return jnp.zeros(x.shape, terms.dtype).at[flows.start].add(terms)


def _innovations(flows: Flows, frequency: Array, amount: Array) -> Array:
    """y (edge, point) for amounts (edge, point) at one frequency."""
    n = flows.p.shape[0]
    q = jnp.zeros((n, n, *flows.p.shape[1:])).at[flows.end, flows.start].add(flows.flow)
    d = -1j * frequency * flows.p * jnp.exp(-flows.factors.scale)
    factors = jax.lax.stop_gradient(factored(q, d))
    leaving = jnp.zeros_like(flows.p).at[flows.start].add(flows.flow * amount)
    mean = jnp.sum(leaving, axis=0)

    def equations(x: Array) -> Array:
        return d * x + _from_states(flows, x)

    def solve(_: Any, b: Array) -> Array:
        return solved(factors, b)

    def solve_transposed(_: Any, c: Array) -> Array:
        (b,) = jax.linear_transpose(functools.partial(solve, None), c)(c)
        return b

    source = (leaving - flows.p * mean).astype(complex)
    x = jax.lax.custom_linear_solve(equations, source, solve, solve_transposed)
    y = amount + x[flows.end] - x[flows.start]
    fixed, given, mean, d = jax.lax.stop_gradient((flows, (x, y), mean, d))

    def refine(_: Any, state: tuple[Array, Array]) -> tuple[Array, Array]:
        x, y = state
        left = jnp.zeros_like(x).at[fixed.start].add(fixed.flow * y) - fixed.p * mean - d * x
        change = solved(factors, left)
        return x + change, y + change[fixed.end] - change[fixed.start]

    better = jax.lax.fori_loop(0, REFINEMENTS, refine, given)
    return y + (better[1] - given[1])


def count_spectrum(system: System, targets: tuple[Target, ...], frequencies: Array) -> Counted:
    """Spectra of a batch of undriven networks (leading axis), values (point, frequency, target, target), complex."""

    def solve(g: Graph, s: Snapshot, amount: Array) -> tuple[Array, ...]:
        flows = flows_of(g, s)

        def one(frequency: Array) -> Array:
            y = jax.vmap(functools.partial(_innovations, flows, frequency))(amount)
            return jnp.sum(flows.flow * y[:, None] * jnp.conj(y)[None], axis=2)

        values, errors = judged(g, s, jax.vmap(one)(frequencies) * jnp.exp(flows.factors.scale))
        return values, errors, jnp.sqrt(jnp.einsum("faap,fbbp->fabp", values.real, values.real))

    return undriven(system, targets, "spectra", solve)
