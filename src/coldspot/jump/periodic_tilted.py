"""Large deviations in the periodic state of a driven network: its scaled generating function.

    λ(χ) = lim (1/t) ln⟨e^{χ·X(t)}⟩ = (1/τ) ln ρ

with the largest eigenvalue ρ of the propagator P over one period τ of the tilted generator (see `periodic_cumulants`,
where that is expanded about χ = 0). With the right eigenvector r, Σr = 1, and G_j, the integral of the rate at which
the sum of column j of P grows, ρ − 1 = Σ_j G_j r_j: nothing is subtracted from 1, so that λ keeps its digits however
short the period is.

The left eigenvector l comes by squaring P; with it l_i P_ij/(l_j ρ) is a matrix of probabilities, whose stationary
distribution l∘r is found by elimination without subtractions, as are derivatives of both. In the periodic state the
symmetry of fluctuations relates a drive to its reverse in time, λ(χ) = λ_reversed(−1 − χ) for the entropy that is
produced (U. Seifert, "Stochastic thermodynamics, fluctuation theorems and molecular machines", on time-dependent
driving).

Arrays have the batch axis last.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Counted, Target
from ..numerics.collocation import STAGES, element, tableau
from ..numerics.mesh import Mesh
from .gth import eliminate_rates
from .periodic import closed, connected
from .periodic_cumulants import Measured, period_of, solve_driven, tilt
from .pieces import Element, Pieces, element_at, phases, pieces_of
from .propagation import generator, stages
from .system import System

SQUARINGS = 60
"""How often the propagator is squared for its left eigenvector: 2⁶⁰ periods, after which all others have decayed."""


# --------------------------------------------------------------------------- the largest eigenvalue of a propagator


def _left(p: Array) -> Array:
    """The left eigenvector (state, point), with a mean of 1, of p (i, j, point), by powers of it."""

    def square(_: Any, power: Array) -> Array:
        product = jnp.sum(power[:, :, None] * power[None], axis=1)
        return product / jnp.max(product, axis=(0, 1))

    # Elements may leave negative probabilities of the size of rounding; the defect tells of larger ones.
    power = jax.lax.fori_loop(0, SQUARINGS, square, jnp.maximum(p, 0.0) / jnp.max(p, axis=(0, 1)))
    total = jnp.sum(power, axis=0)
    return total / jnp.mean(total, axis=0)


def _probabilities(p: Array, left: Array) -> Array:
    """l_i P_ij/l_j off the diagonal."""
    moved = left[:, None] * p / left[None]
    return jnp.where(jnp.eye(p.shape[0], dtype=bool)[..., None], 0.0, moved)


@jax.custom_jvp
def eigenvectors(p: Array) -> tuple[Array, Array]:
    """Right and left eigenvector of p (i, j, point) with the largest eigenvalue: Σr = 1, Σ l r = 1."""
    left = _left(p)
    own, _ = eliminate_rates(_probabilities(p, left))
    right = own / left
    total = jnp.sum(right, axis=0)
    return right / total, left * total


@eigenvectors.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (p,), (change,) = primals, tangents
    right, left = eigenvectors(p)
    pushed, pulled = jnp.sum(change * right[None], axis=1), jnp.sum(change * left[:, None], axis=0)
    root = jnp.sum(left * jnp.sum(p * right[None], axis=1), axis=0)
    grown = jnp.sum(left * pushed, axis=0)
    # (ρ − P) dr = (dP − dρ) r, in the probabilities of the process that l makes of it; the transpose for dl, of the
    # same process run backwards.
    forth, back = _probabilities(p, left) / root, _probabilities(jnp.swapaxes(p, 0, 1), right) / root
    (_, ahead), (_, behind) = eliminate_rates(forth), eliminate_rates(back)
    more = closed(ahead, left * (pushed - grown * right) / root) / left
    other = closed(behind, right * (pulled - grown * left) / root) / right
    total = jnp.sum(more, axis=0)
    return (right, left), (more - right * total, other + left * total)


# --------------------------------------------------------------------------- one period


class _March(NamedTuple):
    """`columns` of the propagator (state, column, point), and of each column (column, point) what its sum has grown by

    and the sizes of the terms of that; for slopes, the sizes of the amounts (target, column, point).
    """

    columns: Array
    grown: Array
    sizes: Array
    carried: Array


def _step(
    system: System, targets: tuple[Target, ...], field: Array, pieces: Pieces | None, e: Element, m: _March
) -> _March:
    """One element at a field (target, point)."""
    g = system.graph()
    nodes, _, _, weights = tableau(STAGES)
    time = period_of(system) * e.span
    s = stages(system, phases(pieces, e.piece, e.first + nodes[:, None] * e.span))
    t = tilt(system, g, s, targets, pieces is None)
    start = np.concatenate([g.initial.array, g.final.array])
    end = np.concatenate([g.final.array, g.initial.array])
    x = jnp.sum(field[:, None, None] * t.amount, axis=0)
    own = jnp.sum(field[:, None, None] * t.gain, axis=0) / period_of(system)
    more = t.rates * jnp.expm1(x)
    # The generator with e^{χa} on its jumps: what they bring beyond the plain one ends where they do.
    change = jnp.zeros((STAGES, g.states, g.states, e.span.shape[0])).at[:, end, start].add(more)
    whole = generator(g, s) + change + jnp.eye(g.states)[..., None] * own[:, :, None]
    values = element(whole * time, m.columns)
    rise = own.at[:, start].add(more)
    gross = jnp.abs(own).at[:, start].add(jnp.abs(more))
    tilted = jnp.abs(t.amount) * (t.rates * jnp.exp(x))
    carry = (jnp.abs(t.gain) / period_of(system)).at[:, :, start].add(tilted)

    def integral(row: Array) -> Array:
        """Of a rate (stage, state, point), for each column."""
        return jnp.tensordot(jnp.asarray(weights), jnp.sum(row[:, :, None] * values, axis=1), 1) * time

    return _March(
        values[-1],
        m.grown + integral(rise),
        m.sizes + integral(gross),
        m.carried + jax.vmap(integral)(carry),
    )


def growth(
    system: System, targets: tuple[Target, ...], field: Array, mesh: Mesh, parts: Array, loop: Callable[..., Any]
) -> tuple[Array, tuple[Array, Array, Array]]:
    """λ (point) at a field (target, point), on the elements of a mesh that are cut into `parts`; sizes of the terms of

    λ and its slopes (1 + target, point), the defect of the propagator and whether it has joined all states.
    """
    n, points, time = system.states, parts.shape[0], period_of(system)
    pieces, elements = pieces_of(system), jnp.max(mesh.count * parts)
    unit, nothing = jnp.broadcast_to(jnp.eye(n)[..., None], (n, n, points)), jnp.zeros((n, points))

    def one(k: Array, m: _March) -> _March:
        return _step(system, targets, field, pieces, element_at(pieces, mesh, parts, k), m)

    m = loop(one, elements, _March(unit, nothing, nothing, jnp.zeros((len(targets), n, points))))
    right, left = eigenvectors(m.columns)
    grown = jnp.sum(m.grown * right, axis=0)
    fixed, row, state = jax.lax.stop_gradient((m.columns, left, right))
    ratio = jnp.sum(row[:, None] * fixed, axis=0) / row
    defect = jnp.max(ratio, axis=0) / jnp.min(ratio, axis=0) - 1 + jnp.maximum(-jnp.min(state, axis=0), 0.0)
    # Of amounts in the middle of a period, as far as its end remembers them.
    sizes = jnp.concatenate([m.sizes[None], m.carried])
    scale = jnp.sum(sizes * right, axis=1) / (time * jnp.maximum(1 + grown, jnp.finfo(float).tiny))
    return jnp.log1p(grown) / time, (scale, defect, connected(fixed))


def measure(
    system: System, targets: tuple[Target, ...], fields: Array, mesh: Mesh, parts: Array, loop: Callable[..., Any]
) -> Measured:
    """λ and its slopes, values (1 + target, field, point), at fields (field, target); see `periodic_cumulants`."""

    def with_slopes(field: Array) -> tuple[Array, Array, Array, Array]:
        wide = jnp.broadcast_to(field[:, None], (len(targets), parts.shape[0]))
        value, slopes, (scale, defect, joined) = value_and_slopes(
            lambda x: growth(system, targets, x, mesh, parts, loop), wide
        )
        return jnp.concatenate([value[None], slopes]), scale, defect, joined

    values, sizes, defect, joined = jax.vmap(with_slopes, out_axes=(1, 1, 0, 0))(fields)
    return Measured(values, jnp.maximum(sizes, jnp.abs(values)), jnp.max(defect, axis=0), jnp.all(joined, axis=0))


def value_and_slopes(of: Callable[[Array], tuple[Array, Any]], field: Array) -> tuple[Array, Array, Any]:
    """of(field) (point) for a field (target, point), its derivatives by each target's (target, point), and what else

    it says.
    """

    def along(direction: Array) -> tuple[Array, Array, Any]:
        return jax.jvp(of, (field,), (direction[:, None] + jnp.zeros_like(field),), has_aux=True)

    value, slopes, more = jax.vmap(along)(jnp.eye(field.shape[0]))
    return value[0], slopes, jax.tree.map(lambda x: x[0], more)


def count_periodic_generating(system: System, targets: tuple[Target, ...], fields: Array, tolerance: Array) -> Counted:
    """λ and its slopes of a batch of driven networks, values (point, field, 1 + target), for fields (field, target)."""

    def measured(batch: System, fields: Array, mesh: Mesh, parts: Array, loop: Callable[..., Any]) -> Measured:
        return measure(batch, targets, fields, mesh, parts, loop)

    found = solve_driven(system, fields, measured, targets, tolerance)
    assert found.scale is not None
    values, errors, sizes = (jnp.swapaxes(x, 1, 2) for x in (found.values, found.errors, found.scale))
    return Counted(values, errors, sizes, found.faults)
