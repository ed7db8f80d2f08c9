"""Currents between leads with wide bands, in closed form: poles, residues and digamma functions.

G^r has the poles λ_p of H − iΓ/2 with the right and left eigenvectors v_p, u_p (u_p v_q = δ_pq), so that

T_αβ(ε) = 2 Re Σ_p r_p/(ε−λ_p), r_p = Σ_q (u_pΓ_βu_q†)(v_q†Γ_αv_p)/(λ_p−λ_q*),

and ∫dε (f_α−f_β)/(ε−λ_p) is a difference of digamma functions (`numerics.digamma.thermal_difference`). Half widths
come from −Im λ_p = v_p†Γv_p/2v_p†v_p, which keeps the digits of narrow resonances.

A bound of the error tells where the form fails: near exceptional points, where residues grow without limit and cancel,
and where the leads see the tails of all levels only. There, and for derivatives, the integral over energy is taken.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import EPS, inverse
from ..numerics.digamma import thermal_difference
from ..occupation import fermi
from ..pytrees import Table
from .landauer import DISAGREE, NARROWEST, Flows, Found, baths_of, flows

GOOD = 1e-12
"""Error up to which the closed form is kept, relative to the largest current."""


class Poles(NamedTuple):
    """Poles (point, pole) of G^r from `middle` (point), and bounds of their errors; eigenvectors.

    - `right` (point, site, pole), `left` (point, pole, site);
    - `condition` (point, pole): |u_p||v_p|; `gap` (point, pole): the distance to the nearest other pole;
    - `size` (point) of the matrix.
    """

    middle: Array
    poles: Array
    right: Array
    left: Array
    condition: Array
    gap: Array
    size: Array


def wide_flows(hamiltonian: Array, leads: Table) -> Found:
    """The currents of a batch of conductors (every array has a leading axis) whose leads all have wide bands."""
    return _flows(hamiltonian, leads)


@jax.custom_jvp
def _flows(hamiltonian: Array, leads: Table) -> Found:
    found = closed(hamiltonian, leads)
    potentials, temperatures = jax.vmap(baths_of)(leads)
    largest = jnp.max(jnp.abs(found.value.heats), axis=-1), jnp.max(jnp.abs(found.value.particles), axis=-1)
    hot = jnp.max(temperatures, axis=-1) + jnp.max(potentials, axis=-1) - jnp.min(potentials, axis=-1)
    cold = jnp.min(temperatures, axis=-1)
    heat_scale = jnp.maximum(largest[0], cold * largest[1])
    particle_scale = jnp.maximum(largest[1], largest[0] / hot)
    good = jnp.all(found.error.heats <= GOOD * heat_scale[:, None], axis=-1)
    good &= jnp.all(found.error.particles <= GOOD * particle_scale[:, None], axis=-1)
    number = jnp.all(jnp.isfinite(hamiltonian), axis=(-2, -1)) & jnp.all(jnp.isfinite(potentials + temperatures), -1)
    return _refined(hamiltonian, leads, number & ~good, found)


@_flows.defjvp
def _flows_jvp(primals: Any, tangents: Any) -> Any:
    """Derivatives always are those of the integral."""
    _, change = jax.jvp(integrated, primals, tangents)
    return _flows(*primals), change


def integrated(hamiltonian: Array, leads: Table) -> Found:
    """The same by integration over energy, one point after the other."""
    return jax.lax.map(lambda point: flows(*point), (hamiltonian, leads))


def _refined(hamiltonian: Array, leads: Table, poor: Array, start: Found) -> Found:
    points = poor.shape[0]
    (order,) = jnp.nonzero(poor, size=points, fill_value=points - 1)

    def one(k: Array, state: Found) -> Found:
        at = order[k]
        old = jax.tree.map(lambda leaf: leaf[at], state)
        new = flows(*jax.tree.map(lambda leaf: leaf[at], (hamiltonian, leads)))
        better = jnp.sum(new.error.heats) < jnp.sum(old.error.heats)
        better |= ~jnp.all(jnp.isfinite(old.error.heats))
        return jax.tree.map(lambda full, a, b: full.at[at].set(jnp.where(better, a, b)), state, new, old)

    return jax.lax.fori_loop(0, jnp.sum(poor), one, start)


# --------------------------------------------------------------------------- the closed form


def closed(hamiltonian: Array, leads: Table) -> Found:
    """The closed form and bounds of its errors, for a batch."""
    points, n = hamiltonian.shape[:2]
    potentials, temperatures = jax.vmap(baths_of)(leads)
    widths = []
    for lead in leads.values():
        rows = jnp.asarray(lead.sites)
        own = jax.vmap(type(lead).width)(lead)
        widths.append(jnp.zeros((points, n, n), complex).at[:, rows[:, None], rows].set(own))
    p = _poles(hamiltonian, jnp.stack(widths, axis=1).sum(axis=1))
    dark = -p.poles.imag <= NARROWEST * p.size[:, None]
    left, right = (jnp.where(dark[:, :, None], 0.0, p.left), jnp.where(dark[:, None], 0.0, p.right))
    out = [jnp.einsum("npi,nij,nqj->npq", left, width, jnp.conj(left)) for width in widths]
    into = [jnp.einsum("niq,nij,njp->npq", jnp.conj(right), width, right) for width in widths]
    distance = p.poles[:, :, None] - jnp.conj(p.poles[:, None])
    distance = jnp.where(dark[:, :, None] | dark[:, None], 1.0, distance)
    # What rounding does to a pole, to its vectors, and to the distance of two poles of different names.
    moved = (0.0 if n == 1 else 2 * n * EPS) * p.size[:, None] * p.condition
    moved += EPS * jnp.abs(p.middle[:, None] - potentials[:, :1])
    vectors = EPS * (8 + n) * p.condition + (0.0 if n == 1 else 1.0) * moved / p.gap
    other = 1.0 - jnp.eye(n)
    doubts = vectors[:, :, None] + vectors[:, None] + other * (moved[:, :, None] + moved[:, None]) / jnp.abs(distance)
    reference = potentials[:, :1]
    poles = (p.middle[:, None] - reference) + p.poles
    apart = [jnp.abs(poles - (potentials - reference)[:, a, None]) + temperatures[:, a, None] for a in range(len(leads))]
    near = moved / jnp.min(jnp.stack(apart), axis=0)
    zero = jnp.zeros((points, len(leads)))
    values, errors = [zero, zero], [zero, zero]
    lost = 4 * jnp.sum(jnp.where(dark, jnp.abs(p.poles.imag), 0.0), axis=-1)
    for a in range(len(leads)):
        level = poles - (potentials - reference)[:, a, None]
        for b in range(len(leads)):
            if a == b:
                continue
            terms = out[b] * into[a] / distance
            residues, size = jnp.sum(terms, axis=-1), jnp.sum(jnp.abs(terms), axis=-1)
            wrong = jnp.sum(jnp.abs(terms) * doubts, axis=-1)
            args = (potentials - reference)[:, a, None], (potentials - reference)[:, b, None]
            integral = thermal_difference(poles, *args, temperatures[:, a, None], temperatures[:, b, None])
            flow = residues * integral / jnp.pi
            bound = jnp.abs(integral) * (wrong + size * (near + 8 * EPS)) / jnp.pi
            values[0] = values[0].at[:, a].add(jnp.sum(flow.real, axis=-1))
            values[1] = values[1].at[:, a].add(jnp.sum((level * flow).real, axis=-1))
            errors[0] = errors[0].at[:, a].add(jnp.sum(bound, axis=-1) + lost)
            more = jnp.abs(level) * bound + moved * size * jnp.abs(integral) / jnp.pi
            top = jnp.max(jnp.abs(level), axis=-1)
            errors[1] = errors[1].at[:, a].add(jnp.sum(more, axis=-1) + lost * top)
    filled = fermi((poles.real[:, None] - (potentials - reference)[:, :, None]) / temperatures[:, :, None])
    open_ = jnp.max(filled, axis=1) - jnp.min(filled, axis=1) > DISAGREE
    unique = ~jnp.any(dark & open_, axis=-1)
    yes = jnp.ones(points, bool)
    return Found(Flows(*values), Flows(*errors), yes, unique, yes)


def _poles(hamiltonian: Array, width: Array) -> Poles:
    n = hamiltonian.shape[-1]
    eye = jnp.eye(n)
    middle = jnp.trace(hamiltonian, axis1=-2, axis2=-1).real / n
    matrix = (hamiltonian - middle[:, None, None] * eye) - 0.5j * width
    if n == 1:
        values = matrix[:, 0]
        right = left = jnp.ones_like(matrix)
    elif n == 2:
        values, right, left = _of_two(matrix)
    else:
        good = jnp.all(jnp.isfinite(matrix), axis=(-2, -1), keepdims=True)
        values, right = jax.lax.map(jnp.linalg.eig, jnp.where(good, matrix, eye))
        left = inverse(right)
    norm = jnp.sum(jnp.abs(right) ** 2, axis=-2)
    half = jnp.einsum("nip,nij,njp->np", jnp.conj(right), width, right).real / (2 * norm)
    gaps = jnp.abs(values[:, :, None] - values[:, None]) + jnp.where(jnp.eye(n, dtype=bool), jnp.inf, 0.0)
    size = jnp.sqrt(jnp.sum(jnp.abs(matrix) ** 2, axis=(-2, -1)))
    condition = jnp.sqrt(norm * jnp.sum(jnp.abs(left) ** 2, axis=-1))
    gap = jnp.min(gaps, axis=-1)
    return Poles(middle, values.real - 1j * half, right, left, condition, jnp.where(gap < jnp.inf, gap, size + 1), size)


def _of_two(matrix: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues and vectors of traceless-but-for-a-width matrices (point, 2, 2), without cancellation in the vectors."""
    mean, h = (matrix[:, 0, 0] + matrix[:, 1, 1]) / 2, (matrix[:, 0, 0] - matrix[:, 1, 1]) / 2
    p, q = matrix[:, 0, 1], matrix[:, 1, 0]
    root = jnp.sqrt(h * h + p * q)
    root = jnp.where((jnp.conj(h) * root).real < 0, -root, root)
    large = h + root
    values = jnp.stack([mean + root, mean - root], axis=-1)
    right = jnp.stack([jnp.stack([large, -p], axis=-1), jnp.stack([q, large], axis=-1)], axis=-2)
    scale = 1 / (2 * root * large)
    left = jnp.stack([jnp.stack([large, p], axis=-1), jnp.stack([-q, large], axis=-1)], axis=-2)
    return values, right, scale[:, None, None] * left
