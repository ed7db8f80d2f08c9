"""Self-energy of modes on a biased conductor between wide bands, by poles and digamma functions: one point.

Π_mn(ω) = ∫dε/2π tr[M^m G^r(ε+ω) M^n S(ε) + M^m S(ε) M^n G^a(ε−ω)], S = Σ_α f_α A_α. With G^r = Σ_q |v_q⟩⟨u_q|/(ε−λ_q)
and the Hilbert transform K_α(x) = ∫dε/2π f_αA_α/(x−ε) below the axis,

Π(ω) = P(ω) + P(−ω*)*, P_mn(ω) = −Σ_qα ⟨u_q|M^n K_α(λ_q−ω) M^m|v_q⟩,

and the density of pairs, Λ^{αβ}(ω) = −∫dε/2π tr[M^m A_α(ε) M^n A_β(ε−ω)] (f_α(ε) − f_β(ε−ω)), is made of the same K:

Λ^{αβ} = −(X + X†) + (Y + Y†), X_mn = −Σ_q tr[M^m K_α(λ_q+ω) M^n S_q^β], Y_nm = −Σ_q tr[M^n K_β(λ_q−ω) M^m S_q^α].
"""

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import EPS, adjoint
from ..numerics.digamma import digamma, first_difference
from ..numerics.lacking import lacking
from ..pytrees import Table
from .landauer import baths_of
from .poles import Poles, poles_of, widths_of

CONDITION, COALESCED = 300.0, 1e4
"""From these on poles do not serve, and count as coalesced, so that nothing is returned: residues grow with the
condition and their products with its square, so that five digits are lost, or half of all."""
LOST = 1e-10
"""Rounding, relative to the largest element of Π or of the densities of a kind of pairs at a frequency, from which on
poles do not serve: far from all levels both are small differences of large terms."""


def pole_weights(poles: Poles, potentials: Array, temperatures: Array, omega: Array) -> tuple[Array, Array, Array]:
    """k and l (lead, q, p) of K_α(λ_q−ω) = Σ_p k S_p^α + l S_p^α†, and the size of what l is the difference of.

    They are divided differences of F(λ) = ψ(½ ± i(λ−μ)/2πT) ∓ iπ/2, below and above the axis.
    """
    potentials, temperatures = potentials[:, None, None], temperatures[:, None, None]
    scale = 2 * jnp.pi * temperatures
    x, own = (poles.places - omega)[None, :, None], poles.places[None, None, :]
    mirrored = jnp.conj(own)
    place = 0.5 + 1j * (x - potentials) / scale
    near = -1j / scale * first_difference(place, 1j * (own - x) / scale)
    below, above = digamma(jnp.stack([place[..., 0], (0.5 - 1j * (mirrored - potentials) / scale)[:, 0]]))
    jump = (above + 0.5j * jnp.pi)[:, None] - (below - 0.5j * jnp.pi)[..., None]
    gap = 2 * jnp.pi * (x - mirrored)
    return near / (2 * jnp.pi), jump / gap, (jnp.abs(above)[:, None] + jnp.abs(below)[..., None]) / jnp.abs(gap)


def half(poles: Poles, couplings: Array, potentials: Array, temperatures: Array, omega: Array) -> tuple[Array, Array]:
    """P(ω) (mode, mode), and the size of its terms."""
    near, far, far_size = pole_weights(poles, potentials, temperatures, omega)
    v, u, w = poles.right, poles.left, poles.rows
    first = jnp.einsum("qi,nij,jp->nqp", u, couplings, v)
    second = jnp.einsum("api,mij,jq->amqp", w, couplings, v)
    total = jnp.einsum("aqp,nqp,amqp->mn", near, first, second)
    size = jnp.einsum("aqp,qp,aqp->", jnp.abs(near), jnp.linalg.norm(first, axis=0), jnp.linalg.norm(second, axis=1))
    first = jnp.einsum("qi,nij,apj->anqp", u, couplings, jnp.conj(w))
    second = jnp.einsum("ip,mij,jq->mqp", jnp.conj(v), couplings, v)
    total += jnp.einsum("aqp,anqp,mqp->mn", far, first, second)
    sizes = jnp.linalg.norm(first, axis=1), jnp.linalg.norm(second, axis=0)
    return -total, size + jnp.einsum("aqp,aqp,qp->", far_size, *sizes)


def self_energy(hamiltonian: Array, leads: Table, couplings: Array, omegas: Array) -> tuple[Array, Array]:
    """Π (frequency, mode, mode) at real frequencies, or complex ones in the upper half plane, and whether its digits

    are lost (frequency).
    """
    poles, potentials, temperatures = _prepared(hamiltonian, leads)
    close = ~(poles.condition < CONDITION)

    def one(omega: Array) -> tuple[Array, Array]:
        # Both at once: what is written down twice is compiled twice.
        there_and_back = jnp.stack([omega, -jnp.conj(omega)])
        each, sizes = jax.vmap(lambda at: half(poles, couplings, potentials, temperatures, at))(there_and_back)
        found = each[0] + jnp.conj(each[1])
        return found, ~(EPS * jnp.max(sizes) <= LOST * jnp.max(jnp.abs(found))) | close

    found, lost = jax.lax.map(one, omegas)
    return _known(poles, found), lost


def pair_densities(hamiltonian: Array, leads: Table, couplings: Array, omegas: Array) -> tuple[Array, Array]:
    """Λ^{αβ} (frequency, α, β, mode, mode), and whether its digits are lost (frequency)."""
    poles, potentials, temperatures = _prepared(hamiltonian, leads)
    close = ~(poles.condition < CONDITION)
    v, w = poles.right, poles.rows
    # Between row vectors and columns of the residues; a and b are leads.
    wv = jnp.einsum("api,mij,jq->ampq", w, couplings, v)
    vv = jnp.einsum("ip,mij,jq->mpq", jnp.conj(v), couplings, v)
    ww = jnp.einsum("api,mij,bqj->abmpq", w, couplings, jnp.conj(w))

    size_wv, size_vv, size_ww = (jnp.linalg.norm(part, axis=axis) for part, axis in ((wv, 1), (vv, 0), (ww, 2)))

    def part(omega: Array) -> tuple[Array, Array]:
        """−Σ_q tr[M^m K_a(λ_q−ω) M^n S_q^b] (a, b, m, n), and the size of their terms (a, b)."""
        near, far, far_size = pole_weights(poles, potentials, temperatures, omega)
        # tr[M^m |v_p⟩⟨w_p^a| M^n |v_q⟩⟨w_q^b|] and tr[M^m |w_p^a⟩⟨v_p| M^n |v_q⟩⟨w_q^b|].
        one = jnp.einsum("aqp,bmqp,anpq->abmn", near, wv, wv)
        near_size = jnp.einsum("aqp,bqp,apq->ab", jnp.abs(near), size_wv, size_wv)
        far_size = jnp.einsum("aqp,baqp,pq->ab", far_size, size_ww, size_vv)
        return -(one + jnp.einsum("aqp,bamqp,npq->abmn", far, ww, vv)), near_size + far_size

    def density(omega: Array) -> tuple[Array, Array]:
        (x, y), sizes = jax.vmap(part)(jnp.stack([-omega, omega]))
        y = jnp.transpose(y, (1, 0, 3, 2))
        found = y + adjoint(y) - x - adjoint(x)
        size = sizes[0] + sizes[1].T
        return found, ~jnp.all(EPS * size <= LOST * jnp.max(jnp.abs(found), axis=(2, 3))) | close

    found, lost = jax.lax.map(density, omegas)
    return _known(poles, found), lost


def _prepared(hamiltonian: Array, leads: Table) -> tuple[Poles, Array, Array]:
    poles = poles_of(hamiltonian + 0j, widths_of(leads, hamiltonian.shape[-1]))
    return poles, *baths_of(leads)


def _known(poles: Poles, value: Array) -> Array:
    return lacking(~(poles.condition < COALESCED), value)
