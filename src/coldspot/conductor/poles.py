"""Poles of a conductor between wide bands, and what its Green's and spectral functions are made of there: one point."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS, inverse
from ..occupation import fermi
from ..pytrees import Table
from .landauer import NARROWEST, baths_of
from .resonances import eigenvalues

UNLINKED = 1e-12
"""Part of a coupling by which a mode may link a state that it does not link but for rounding."""


class Poles(NamedTuple):
    """G = Σ_p |v_p⟩⟨u_p|/(ε−λ_p) and A_β = Σ_p |v_p⟩⟨w_p^β|/(ε−λ_p) + its adjoint.

    - `places` λ (pole); `right` v (site, pole); `left` u (pole, site); `rows` w (lead, pole, site), as rows;
    - `condition`: by how much rounding grows where two poles nearly coalesce;
    - `dark` (pole): states that no lead touches, whose occupation here is the leads' mean.
    """

    places: Array
    right: Array
    left: Array
    rows: Array
    condition: Array
    dark: Array

    def residues(self) -> Array:
        """S_p^β = |v_p⟩⟨w_p^β| (lead, pole, site, site)."""
        return self.right.T[None, :, :, None] * self.rows[:, :, None, :]


def widths_of(leads: Table, sites: int) -> Array:
    """Γ_α (lead, site, site) of leads with wide bands."""
    widths = jnp.zeros((len(leads), sites, sites), complex)
    for k, lead in enumerate(leads.values()):
        rows = np.array(lead.sites)
        widths = widths.at[k, rows[:, None], rows].add(lead.width())
    return widths


def poles_of(hamiltonian: Array, widths: Array) -> Poles:
    n = hamiltonian.shape[-1]
    middle = jnp.trace(hamiltonian).real / n
    matrix = (hamiltonian - middle * jnp.eye(n)) - 0.5j * jnp.sum(widths, axis=0)
    matrix = jnp.where(jnp.all(jnp.isfinite(matrix)), matrix, jnp.eye(n))
    values, right = (matrix[0], jnp.ones_like(matrix)) if n == 1 else _of_two(matrix) if n == 2 else _eigen(matrix)
    left = inverse(right)
    # Half widths v†Γv/2v†v keep the digits of narrow states.
    half = jnp.einsum("jp,ajk,kp->p", jnp.conj(right), widths, right).real / (2 * jnp.sum(jnp.abs(right) ** 2, axis=0))
    dark = half <= NARROWEST * jnp.linalg.norm(matrix)
    values = jnp.where(dark, values.real + 0j, values)
    either = dark[:, None] | dark
    distance = jnp.where(either, 1.0, values[:, None] - jnp.conj(values))
    # u_pΓ_αu_q†, between the right vectors v_p and v_q†.
    inner = jnp.einsum("pj,ajk,qk->apq", left, widths, jnp.conj(left)) / distance
    rows = jnp.einsum("apq,lq->apl", jnp.where(either, 0.0, inner), jnp.conj(right))
    # A of a dark state is iG − iG†.
    rows = jnp.where(dark[:, None], 1j / len(widths) * left, rows)
    condition = jnp.max(jnp.linalg.norm(right, axis=0) * jnp.linalg.norm(left, axis=1))
    return Poles(values + middle, right, left, rows, condition, dark)


def undecided(hamiltonian: Array, leads: Table, frequencies: Array, couplings: Array) -> Array:
    """Whether modes link a dark state to states of another occupation, so that they alone fill or empty it."""
    potentials, temperatures = baths_of(leads)
    poles = poles_of(hamiltonian, widths_of(leads, hamiltonian.shape[-1]))
    places = poles.places.real + jnp.stack([jnp.zeros_like(frequencies), frequencies, -frequencies])[..., None]
    # (shift, mode, pole, lead)
    filled = fermi((places[..., None] - potentials) / temperatures)
    apart = jnp.max(filled, axis=(0, 3)) - jnp.min(filled, axis=(0, 3)) > EPS
    linked = jnp.linalg.norm(couplings @ poles.right, axis=1)
    linked = linked > UNLINKED * jnp.linalg.norm(couplings, axis=(1, 2))[:, None] * jnp.linalg.norm(poles.right, axis=0)
    return jnp.any(poles.dark & apart & linked)


def _of_two(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues and right eigenvectors of a 2×2 matrix: of the columns (b, λ−a) and (λ−d, c) the longer one."""
    (a, b), (c, d) = matrix
    values = eigenvalues(matrix)
    one = jnp.stack([jnp.full_like(values, b), values - a])
    other = jnp.stack([values - d, jnp.full_like(values, c)])
    size, rest = (jnp.sum(part.real**2 + part.imag**2, axis=0) for part in (one, other))
    return values, jnp.where(size + rest > 0, jnp.where(size > rest, one, other), jnp.eye(2))


@jax.custom_jvp
def _eigen(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues and right eigenvectors; JAX itself has no derivative of the latter."""
    values, right = jnp.linalg.eig(matrix)
    return values, right


@_eigen.defjvp
def _eigen_jvp(primals: Any, tangents: Any) -> Any:
    (matrix,), (change,) = primals, tangents
    values, right = _eigen(matrix)
    inner = inverse(right) @ change @ right
    gaps = values - values[:, None]
    other = gaps != 0
    mixing = jnp.where(other, inner / jnp.where(other, gaps, 1.0), 0.0)
    return (values, right), (jnp.diagonal(inner), right @ mixing)
