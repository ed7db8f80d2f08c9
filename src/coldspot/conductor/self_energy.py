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

from ..numerics.dense import adjoint
from ..numerics.digamma import digamma, first_difference
from ..pytrees import Table
from .landauer import baths_of
from .poles import Poles, poles_of, widths_of

CONDITION = 1e6
"""From here on poles count as coalesced: half of the digits or more would be lost, and nothing is returned."""


def pole_weights(poles: Poles, potentials: Array, temperatures: Array, omega: Array) -> tuple[Array, Array]:
    """k and l (lead, q, p) of K_α(λ_q−ω) = Σ_p k S_p^α + l S_p^α†.

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
    return near / (2 * jnp.pi), jump / (x - mirrored) / (2 * jnp.pi)


def half(poles: Poles, couplings: Array, potentials: Array, temperatures: Array, omega: Array) -> Array:
    """P(ω) (mode, mode)."""
    near, far = pole_weights(poles, potentials, temperatures, omega)
    v, u, w = poles.right, poles.left, poles.rows
    first = jnp.einsum("qi,nij,jp->nqp", u, couplings, v)
    second = jnp.einsum("api,mij,jq->amqp", w, couplings, v)
    total = jnp.einsum("aqp,nqp,amqp->mn", near, first, second)
    first = jnp.einsum("qi,nij,apj->anqp", u, couplings, jnp.conj(w))
    second = jnp.einsum("ip,mij,jq->mqp", jnp.conj(v), couplings, v)
    return -(total + jnp.einsum("aqp,anqp,mqp->mn", far, first, second))


def self_energy(hamiltonian: Array, leads: Table, couplings: Array, omegas: Array) -> Array:
    """Π (frequency, mode, mode) at real frequencies, or complex ones in the upper half plane."""
    poles, potentials, temperatures = _prepared(hamiltonian, leads)

    def one(omega: Array) -> Array:
        # Both at once: what is written down twice is compiled twice.
        there_and_back = jnp.stack([omega, -jnp.conj(omega)])
        forward, back = jax.vmap(lambda at: half(poles, couplings, potentials, temperatures, at))(there_and_back)
        return forward + jnp.conj(back)

    return _known(poles, jax.lax.map(one, omegas))


def pair_densities(hamiltonian: Array, leads: Table, couplings: Array, omegas: Array) -> Array:
    """Λ^{αβ} (frequency, α, β, mode, mode)."""
    poles, potentials, temperatures = _prepared(hamiltonian, leads)
    v, w = poles.right, poles.rows
    # Between row vectors and columns of the residues; a and b are leads.
    wv = jnp.einsum("api,mij,jq->ampq", w, couplings, v)
    vv = jnp.einsum("ip,mij,jq->mpq", jnp.conj(v), couplings, v)
    ww = jnp.einsum("api,mij,bqj->abmpq", w, couplings, jnp.conj(w))

    def part(omega: Array) -> Array:
        """−Σ_q tr[M^m K_a(λ_q−ω) M^n S_q^b] (a, b, m, n)."""
        near, far = pole_weights(poles, potentials, temperatures, omega)
        # tr[M^m |v_p⟩⟨w_p^a| M^n |v_q⟩⟨w_q^b|] and tr[M^m |w_p^a⟩⟨v_p| M^n |v_q⟩⟨w_q^b|].
        one = jnp.einsum("aqp,bmqp,anpq->abmn", near, wv, wv)
        return -(one + jnp.einsum("aqp,bamqp,npq->abmn", far, ww, vv))

    def density(omega: Array) -> Array:
        x, y = jax.vmap(part)(jnp.stack([-omega, omega]))
        y = jnp.transpose(y, (1, 0, 3, 2))
        return y + adjoint(y) - x - adjoint(x)

    return _known(poles, jax.lax.map(density, omegas))


def _prepared(hamiltonian: Array, leads: Table) -> tuple[Poles, Array, Array]:
    poles = poles_of(hamiltonian + 0j, widths_of(leads, hamiltonian.shape[-1]))
    return poles, *baths_of(leads)


def _known(poles: Poles, value: Array) -> Array:
    return jnp.where(poles.condition < CONDITION, value, jnp.nan)
