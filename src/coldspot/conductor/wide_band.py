"""Currents between leads with wide bands, in closed form: poles, residues and digamma functions.

G^r has the poles λ_p of H − iΓ/2 with the right and left eigenvectors v_p, u_p (u_p v_q = δ_pq), so that

T_αβ(ε) = 2 Re Σ_p r_p/(ε−λ_p), r_p = Σ_q (u_pΓ_βu_q†)(v_q†Γ_αv_p)/(λ_p−λ_q*),

and ∫dε (f_α−f_β)/(ε−λ_p) is a difference of digamma functions (`numerics.digamma.thermal_difference`). Half widths
come from −Im λ_p = v_p†Γv_p/2v_p†v_p, which keeps the digits of narrow resonances.

A bound of the error tells where the form fails: near exceptional points, where residues grow without limit and cancel,
and where the leads see the tails of all levels only. There, and for derivatives, the integral over energy is taken.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS, adjoint, inverse, product
from ..numerics.digamma import thermal_difference
from ..occupation import fermi
from ..pytrees import Table
from .few_sites import by_panels
from .green_functions import pairs_of
from .landauer import DISAGREE, NARROWEST, Flows, Found, baths_of, flows
from .long_devices import Slices, sliced
from .two_sites import closed_of_two, unmixed

GOOD = 1e-12
"""Error up to which the closed form is kept, relative to the largest current."""
SURE = 1e-4
"""The same of a first look at many points, in units of the tolerance."""
ROUNDING = 4e-14
"""Error, relative to the gross flow, that is rounding: no integral has less."""


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


def wide_flows(hamiltonian: Array, leads: Table, cut: int | None = None) -> Found:
    """The currents of a batch of conductors (every array has a leading axis) whose leads all have wide bands.

    `cut`: the width of the slices of long ones, for the integrals.
    """
    return _flows(hamiltonian, leads, cut)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _flows(hamiltonian: Array, leads: Table, cut: int | None) -> Found:
    found = closed(hamiltonian, leads)
    return _refined(hamiltonian, leads, cut, _poor(hamiltonian, leads, found, GOOD), found)


def attempted(hamiltonian: Array, leads: Table, tolerance: Array) -> tuple[Found, Array]:
    """The closed form alone, and where its errors are above that part of the largest current which is asked for."""
    if unmixed(hamiltonian, leads):
        found, dark = closed_of_two(hamiltonian, leads, ~(tolerance < 0))
    else:
        found, dark = closed(hamiltonian, leads), jnp.zeros(hamiltonian.shape[0], bool)
    return found, _poor(hamiltonian, leads, found, jnp.maximum(GOOD, SURE * tolerance)) | dark


def by_nodes(hamiltonian: Array, leads: Table, tolerance: Array) -> tuple[Found, Array]:
    """The currents through one or two sites by panels of nodes, and where the adaptive integral may do better."""
    width, owns = _widths(leads, *hamiltonian.shape[:2])
    p = _poles(hamiltonian, width)
    n = hamiltonian.shape[-1]
    matrix = (hamiltonian - p.middle[:, None, None] * jnp.eye(n)) - 0.5j * width
    each = jnp.stack([jnp.zeros_like(width).at[:, rows[:, None], rows].add(own) for rows, own in owns])
    found, gross = by_panels(matrix, p.middle, p.poles, _moved(p, n), each, leads)
    poor = _poor(hamiltonian, leads, found, jnp.maximum(GOOD, SURE * tolerance))
    rounded = jnp.stack([jnp.all(e <= ROUNDING * g, axis=-1) for e, g in zip(found.error, gross, strict=True)])
    return found, poor & ~jnp.all(rounded, axis=0)


def _poor(hamiltonian: Array, leads: Table, found: Found, good: Array | float) -> Array:
    """Where errors are above a part of the largest current, and integrals may do better."""
    potentials, temperatures = jax.vmap(baths_of)(leads)
    largest = jnp.max(jnp.abs(found.value.heats), axis=-1), jnp.max(jnp.abs(found.value.particles), axis=-1)
    hot = jnp.max(temperatures, axis=-1) + jnp.max(potentials, axis=-1) - jnp.min(potentials, axis=-1)
    cold = jnp.min(temperatures, axis=-1)
    heat_scale = jnp.maximum(largest[0], cold * largest[1])
    particle_scale = jnp.maximum(largest[1], largest[0] / hot)
    fine = jnp.all(found.error.heats <= good * heat_scale[:, None], axis=-1)
    fine &= jnp.all(found.error.particles <= good * particle_scale[:, None], axis=-1)
    number = jnp.all(jnp.isfinite(hamiltonian), axis=(-2, -1)) & jnp.all(jnp.isfinite(potentials + temperatures), -1)
    return number & ~fine


@_flows.defjvp
def _flows_jvp(cut: int | None, primals: Any, tangents: Any) -> Any:
    """Derivatives always are those of the integral, which is known at all points here."""
    whole, change = jax.jvp(functools.partial(integrated, cut=cut), primals, tangents)
    hamiltonian, leads = jax.lax.stop_gradient(primals)
    found = closed(hamiltonian, leads)
    refined = _better(_poor(hamiltonian, leads, found, GOOD), found, whole)
    return _derived(refined, whole), change


@jax.custom_jvp
def _derived(value: Found, whole: Found) -> Found:
    """The value, with the derivatives of the integral."""
    return value


@_derived.defjvp
def _derived_jvp(primals: Any, tangents: Any) -> Any:
    return _derived(*primals), tangents[1]


def _better(poor: Array, found: Found, integral: Found) -> Found:
    """Where the closed form is poor, whichever has the smaller errors."""
    old, new = (jnp.sum(part.error.heats, axis=-1) for part in (found, integral))
    better = poor & ((new < old) | ~jnp.all(jnp.isfinite(found.error.heats), axis=-1))
    return jax.tree.map(lambda a, b: jnp.where(better.reshape(-1, *(1,) * (b.ndim - 1)), a, b), integral, found)


def integrated(hamiltonian: Array, leads: Table, cut: int | None = None) -> Found:
    """The same by integration over energy, one point after the other."""
    return jax.lax.map(lambda point: flows(_sliced(point[0], cut), point[1]), (hamiltonian, leads))


def _sliced(matrix: Array, cut: int | None) -> Array | Slices:
    return matrix if cut is None else sliced(matrix, cut)


def _refined(hamiltonian: Array, leads: Table, cut: int | None, poor: Array, start: Found) -> Found:
    points = poor.shape[0]
    (order,) = jnp.nonzero(poor, size=points, fill_value=points - 1)

    def one(k: Array, state: Found) -> Found:
        at = order[k][None]
        old, own, around = jax.tree.map(lambda leaf: leaf[at], (state, hamiltonian, leads))
        new = _better(jnp.ones(1, bool), old, integrated(own, around, cut))
        return jax.tree.map(lambda full, part: full.at[at].set(part), state, new)

    return jax.lax.fori_loop(0, jnp.sum(poor), one, start)


# --------------------------------------------------------------------------- the closed form


def closed(hamiltonian: Array, leads: Table) -> Found:
    """The closed form and bounds of its errors, for a batch."""
    points, n = hamiltonian.shape[:2]
    potentials, temperatures = jax.vmap(baths_of)(leads)
    width, owns = _widths(leads, points, n)
    p = _poles(hamiltonian, width)
    dark = -p.poles.imag <= NARROWEST * p.size[:, None]
    left, right = (jnp.where(dark[:, :, None], 0.0, p.left), jnp.where(dark[:, None], 0.0, p.right))
    # u_pΓu_q† and v_q†Γv_p of each lead.
    out = [product(product(left[:, :, rows], own), adjoint(left[:, :, rows])) for rows, own in owns]
    into = [product(product(adjoint(right[:, rows]), own), right[:, rows]) for rows, own in owns]
    into = [jnp.swapaxes(part, -1, -2) for part in into]
    distance = p.poles[:, :, None] - jnp.conj(p.poles[:, None])
    distance = jnp.where(dark[:, :, None] | dark[:, None], 1.0, distance)
    # What rounding does to a pole, to its vectors, and to the distance of two poles of different names.
    moved = _moved(p, n) + EPS * jnp.abs(p.middle[:, None] - potentials[:, :1])
    vectors = EPS * (6 if n <= 2 else 8 + n) * p.condition + (0.0 if n == 1 else 1.0) * moved / p.gap
    apart = (1.0 - jnp.eye(n)) * (moved[:, :, None] + moved[:, None]) / jnp.abs(distance)
    doubts = vectors[:, :, None] + vectors[:, None] + apart
    reference = potentials[:, :1]
    poles = (p.middle[:, None] - reference) + p.poles
    seen, hot = (potentials - reference)[..., None], temperatures[..., None]
    near = moved / jnp.min(jnp.abs(poles[:, None] - seen) + hot, axis=1)
    lost = 4 * jnp.sum(jnp.where(dark, jnp.abs(p.poles.imag), 0.0), axis=-1)
    # All pairs of leads at once: what is written down for each is compiled for each.
    many = len(leads)
    own, other = np.array(pairs_of(many), int).reshape(-1, 2).T
    first, second = np.array([pair for pair in pairs_of(many) if pair[0] < pair[1]], int).reshape(-1, 2).T
    which = [int(np.flatnonzero((first == min(pair)) & (second == max(pair)))[0]) for pair in pairs_of(many)]
    parts = thermal_difference(poles[:, None], seen[:, first], seen[:, second], hot[:, first], hot[:, second])
    difference, added = (part[:, np.array(which, int)] for part in parts)
    far, level = jnp.abs(difference), poles[:, None] - seen[:, own]
    crossing = [out[b] * into[a] / distance for a, b in pairs_of(many)]
    terms = jnp.stack(crossing, axis=1) if crossing else jnp.zeros((points, 0, n, n), complex)
    sizes = jnp.abs(terms)
    whole = jnp.sum(sizes, axis=-1) / jnp.pi
    rounded = far * near[:, None] + 16 * EPS * (far + added)
    bound = jnp.sum(sizes * doubts[:, None], axis=-1) * far / jnp.pi + whole * rounded
    current = jnp.asarray(np.where(own < other, 1.0, -1.0))[:, None] * jnp.sum(terms, axis=-1) * difference / jnp.pi
    away = jnp.abs(level)
    shifted = away * bound + moved[:, None] * whole * far

    def by_lead(parts: Array, more: Array | float = 0.0) -> Array:
        """Of parts (point, pair, pole), and more (point, pair)."""
        return jnp.sum((jnp.sum(parts, axis=-1) + more).reshape(points, many, many - 1), axis=-1)

    value = Flows(by_lead(current.real), by_lead((level * current).real))
    error = Flows(by_lead(bound, lost[:, None]), by_lead(shifted, lost[:, None] * jnp.max(away, axis=-1)))
    filled = fermi((poles.real[:, None] - seen) / hot)
    open_ = jnp.max(filled, axis=1) - jnp.min(filled, axis=1) > DISAGREE
    unique = ~jnp.any(dark & open_, axis=-1)
    yes = jnp.ones(points, bool)
    return Found(value, error, yes, unique, yes)


def _widths(leads: Table, points: int, n: int) -> tuple[Array, list[tuple[np.ndarray, Array]]]:
    """Γ of all leads (point, site, site), and the sites and Γ of each."""
    width, owns = jnp.zeros((points, n, n), complex), []
    for lead in leads.values():
        rows = np.array(lead.sites)
        owns.append((rows, jax.vmap(type(lead).width)(lead)))
        width = width.at[:, rows[:, None], rows].add(owns[-1][1])
    return width, owns


def _moved(p: Poles, n: int) -> Array:
    """How far rounding moves the poles of n sites (point, pole)."""
    return (0.0 if n == 1 else 2.0 if n == 2 else 2.0 * n) * EPS * p.size[:, None] * p.condition


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
    half = jnp.sum(jnp.conj(right) * product(width, right), axis=-2).real / (2 * norm)
    gaps = jnp.abs(values[:, :, None] - values[:, None]) + jnp.where(jnp.eye(n, dtype=bool), jnp.inf, 0.0)
    size = jnp.sqrt(jnp.sum(jnp.abs(matrix) ** 2, axis=(-2, -1)))
    condition = jnp.sqrt(norm * jnp.sum(jnp.abs(left) ** 2, axis=-1))
    gap = jnp.min(gaps, axis=-1)
    return Poles(
        middle, values.real - 1j * half, right, left, condition, jnp.where(gap < jnp.inf, gap, size[:, None] + 1), size
    )


def _of_two(matrix: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues and vectors of matrices (point, 2, 2), without cancellation in the vectors."""
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
