"""What electrons between leads of any kind do to modes at one real frequency, by integration over energy: one point.

With the spectral functions A_α = G^rΓ_αG^a and S = Σ_α f_αA_α,

E^{αβ}_mn(ω) = ∫dε/2π tr[M^m A_α(ε) M^n A_β(ε−ω)] f_α(ε)(1−f_β(ε−ω)), A^{αβ}_mn with f and 1−f exchanged,

Π_mn(ω) = ∫dε/2π tr[M^m G^r(ε+ω) M^n S(ε) + M^m S(ε) M^n G^a(ε−ω)],

whose anti-Hermitian part is −(i/2)Σ_αβ(A − E). What n bosons gain, E(1+n) − An, keeps its digits where it is small
(see `pair_rates`). (J.-T. Lü, M. Brandbyge, P. Hedegård, T. N. Todorov and D. Dundas,
"Current-induced atomic dynamics, instabilities, and Raman signals: Quasiclassical Langevin equation approach".)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.adaptive import FULL, Effort, Sides, integral, sides
from ..numerics.dense import EPS, adjoint, inverse, product
from ..occupation import bose, fermi
from ..pytrees import Table
from .green_functions import inverse_green, self_energies
from .landauer import REACH, baths_of, careful, seen_from, without_width
from .leads import ChainLead
from .pair_rates import net_rate
from .resonances import Resonances, resonances

ROUNDING = 64 * EPS
FAR = 1e6
"""Where filled states end, in units of the largest energy: what they do to Π falls off as the square of the inverse."""


class Electrons(NamedTuple):
    """Π (mode, mode) and E, A (α, β, mode, mode) at a frequency, bounds of their errors, and convergence.

    `pair_error` is of E and A alone; `gain` (α, β, mode, mode), if asked, what bosons gain; `pair_errors` (2 or 3)
    bounds the errors of E, A and that.
    """

    retarded: Array
    emission: Array
    absorption: Array
    error: Array
    pair_error: Array
    converged: Array
    gain: Array | None
    pair_errors: Array


class States(NamedTuple):
    """At nodes: G^r (node, site, site), and of each lead Γ_α and A_α (lead, node, site, site)."""

    green: Array
    widths: Array
    spectral: Array


def states(hamiltonian: Array, leads: Table, centre: Array, offset: Array) -> States:
    n = hamiltonian.shape[-1]
    sigmas = self_energies(leads, centre, offset)
    green = inverse(inverse_green(hamiltonian, leads, centre, offset, sigmas))
    widths = []
    for lead, sigma in zip(leads.values(), sigmas, strict=True):
        rows = np.array(lead.sites)
        nothing = jnp.zeros((*offset.shape, n, n), complex)
        widths.append(nothing.at[..., rows[:, None], rows].set(1j * (sigma - adjoint(sigma))))
    each = jnp.stack(widths)
    return States(green, each, product(product(green[None], each), adjoint(green)[None]))


def electrons(
    hamiltonian: Array,
    leads: Table,
    couplings: Array,
    omega: Array,
    effort: Effort = FULL,
    *,
    rates_alone: bool = False,
    compared: Array | None = None,
    known: Resonances | None = None,
) -> Electrons:
    """`rates_alone`: without the Hermitian part of Π, in which bound states of the conductor are poles.

    `compared`: the temperature of the bosons of which is asked what they gain; `known`: the conductor's resonances, if
    that is done.
    """
    potentials, temperatures = baths_of(leads)
    many, modes = len(leads), couplings.shape[0]

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        nodes = centre.size
        # At ε, ε−ω and ε+ω.
        centres, offsets = jnp.concatenate([centre, centre - omega, centre + omega]), jnp.tile(offset, 3)
        found = states(hamiltonian, leads, centres, offsets)
        everywhere = seen_from(potentials, temperatures, centres, offsets)
        reduced = everywhere.reduced
        x, y = reduced[:, None, :nodes], reduced[None, :, nodes : 2 * nodes]
        spectral, below = found.spectral[:, :nodes], found.spectral[:, nodes : 2 * nodes]
        _, green_below, green_above = jnp.split(found.green, 3)
        one = product(couplings[:, None, None], spectral[None])
        other = product(couplings[:, None, None], below[None])
        # tr[M^m A_α M^n A_β] (m, α, node, i, j) × (n, β, node, j, i).
        traces = jnp.einsum("maxij,nbxji->abmnx", one, other)
        filled = jnp.sum(spectral * fermi(reduced[:, :nodes])[..., None, None], axis=0)
        moved = product(couplings[:, None], filled[None])
        up, down = (product(couplings[:, None], part[None]) for part in (green_above, adjoint(green_below)))
        retarded = jnp.einsum("mxij,nxji->mnx", up, moved) + jnp.einsum("mxij,nxji->mnx", moved, down)
        out, back = fermi(x) * fermi(-y), fermi(-x) * fermi(y)
        factors = [out, back]
        if compared is not None:
            above = everywhere.above[:, None, :nodes]
            factors.append(gained(potentials, temperatures, omega, compared, above, out, back))
        parts = [retarded[None, None], *(traces * factor[:, :, None, None] for factor in factors)][rates_alone:]
        values, noise = [], []
        for part in parts:
            flat = part.reshape(-1, nodes) / (2 * jnp.pi)
            values += [flat.real, flat.imag]
            noise += [jnp.abs(flat)] * 2
        return jnp.concatenate(values), ROUNDING * jax.lax.stop_gradient(jnp.concatenate(noise))

    # Real and imaginary parts of Π, E and A, and of what bosons gain, which is measured against A.
    pairs = modes**2 * many**2
    asked = 2 + (compared is not None)
    sizes = (modes**2, *(pairs,) * asked)[rates_alone:]
    window = energies_of(hamiltonian, leads, omega, 0.0 if rates_alone else FAR, known)
    groups = (*(2 * size for size in sizes[: len(sizes) - asked]), 2 * pairs, 2 * pairs * (asked - 1))
    found = integral(integrand, window, 2 * sum(sizes), careful(leads, effort), groups=groups)
    kinds = (many, many, modes, modes)
    parts = jnp.split(found.value, np.cumsum([2 * size for size in sizes])[:-1])
    shapes = (kinds[2:], *(kinds,) * asked)[rates_alone:]
    *whole, emission, absorption = (
        (part[: part.size // 2] + 1j * part[part.size // 2 :]).reshape(shape)
        for part, shape in zip(parts, shapes, strict=True)
    )
    gain = None
    if compared is not None:
        *whole, emission, absorption, gain = *whole, emission, absorption
    retarded = whole[0] if whole else jnp.zeros((modes, modes), complex)
    # One anti-Hermitian part, that of the pairs, so that energy is conserved to rounding.
    damping = jnp.sum(absorption - emission, axis=(0, 1))
    retarded = (retarded + adjoint(retarded)) / 2 - 0.5j * (damping + adjoint(damping)) / 2
    of_pairs = jnp.max(found.error[-2 * pairs * asked :].reshape(asked, -1), axis=1)
    return Electrons(
        retarded, emission, absorption, jnp.max(found.error), jnp.max(of_pairs[:2]), found.converged, gain, of_pairs
    )


def gained(
    potentials: Array, temperatures: Array, omega: Array, compared: Array, above: Array, out: Array, back: Array
) -> Array:
    """out·(1+n) − back·n of pairs (α, β, …), with n of the temperature `compared`; `above`: ε − μ_α."""
    unlike = (temperatures[:, None] - temperatures) / temperatures[:, None]
    colder = (omega / compared) * (temperatures - compared) / temperatures
    # Differences of the leads and of the bosons' temperature first: they are exactly 0 in equilibrium.
    bias = (potentials[:, None] - potentials) / temperatures + colder
    return net_rate(out, back, bose(omega / compared), above * (unlike / temperatures)[..., None] + bias[..., None])


def trace(one: Array, other: Array) -> Array:
    """Re tr of products (…)."""
    return jnp.sum((one * jnp.swapaxes(other, -1, -2)).real, axis=(-2, -1))


def energies_of(
    hamiltonian: Array, leads: Table, omega: Array, filled: float = 0.0, known: Resonances | None = None
) -> Sides:
    """Fermi edges, resonances and band edges, at their places and a boson above and below.

    `filled`: how far down all filled states are in it, in units of the largest energy, if bands have no known bottom.
    """
    potentials, temperatures = baths_of(leads)
    places, widths = known or resonances(hamiltonian, leads)
    # What has no width is not seen, or has its status.
    bound, *_ = without_width(hamiltonian, places, widths)
    widths = jnp.where(bound, jnp.inf, widths)
    shifts = jnp.stack([jnp.zeros(()), omega, -omega])
    kinks = [kink for lead in leads.values() for kink in lead.kinks()]

    def shifted(values: Array) -> Array:
        return (values[:, None] + shifts).reshape(-1)

    edges = shifted(jnp.stack(kinks)) if kinks else jnp.zeros(0)
    centres = jnp.concatenate([shifted(potentials), shifted(places), edges])
    spread = jnp.concatenate(
        [jnp.repeat(jnp.pi * temperatures, shifts.size), jnp.repeat(widths, shifts.size), jnp.zeros(edges.size)]
    )
    low = jnp.min(potentials - REACH * temperatures) - jnp.abs(omega)
    high = jnp.max(potentials + REACH * temperatures) + jnp.abs(omega)
    if filled:
        closed = all(isinstance(lead, ChainLead) for lead in leads.values())
        bottom = jnp.min(jnp.concatenate([places - jnp.where(bound, 0.0, widths), *(kink[None] for kink in kinks)]))
        size = jnp.max(jnp.abs(places - bottom)) + jnp.max(jnp.where(bound, 0.0, widths)) + jnp.abs(high - low)
        low = jnp.minimum(low, bottom - jnp.abs(omega)) - (size if closed else filled * size)
    is_kink = jnp.arange(centres.size) >= centres.size - edges.size
    return sides(centres, spread, is_kink, low, high)
