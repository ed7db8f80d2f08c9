"""Green's functions of a conductor between its leads, and what passes from lead to lead at each energy.

G^r(ε) = (ε − H − Σ_αΣ_α(ε))⁻¹, Γ_α = i(Σ_α − Σ_α†), T_αβ = tr[Γ_α G^r Γ_β G^a]: the transmission from β into α.
(Y. Meir and N. S. Wingreen, "Landauer formula for the current through an interacting electron region".)

All of it is of one conductor; nodes are energies, given as a centre and an offset from it.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS, adjoint, inverse, product
from ..pytrees import Table

LARGE = 16
"""Sites from which on elimination may let rounding grow, so that its result is refined."""


class Contacts(NamedTuple):
    """G^r between the sites that leads touch, and the leads' widths, at each node.

    - `green` (node, contact, contact);
    - `doubt` (node, contact, contact): bound of the rounding error of `green`;
    - `widths`: of each lead Γ (node, own site, own site), and `places`: its sites among the contacts;
    - `unsure`: bounds of the errors of each Γ, None for rounding.
    """

    green: Array
    doubt: Array
    widths: tuple[Array, ...]
    places: tuple[np.ndarray, ...]
    unsure: tuple[Array | None, ...]


def contact_sites(leads: Table) -> tuple[int, ...]:
    """All sites that leads touch, in rising order."""
    return tuple(sorted({site for lead in leads.values() for site in lead.sites}))


def inverse_green(hamiltonian: Array, leads: Table, centre: Array, offset: Array) -> Array:
    """ε − H − Σ(ε) (node, site, site)."""
    n = hamiltonian.shape[-1]
    eye = jnp.eye(n)
    matrix = (centre[..., None, None] * eye - hamiltonian) + offset[..., None, None] * eye
    for lead in leads.values():
        rows = np.array(lead.sites)
        matrix = matrix.at[..., rows[:, None], rows].add(-lead.self_energy(centre, offset))
    return matrix


def resolvent(matrix: Array) -> Array:
    """Inverses (…, n, n), of large ones with one step of Newton's method."""
    found = inverse(matrix)
    if matrix.shape[-1] < LARGE:
        return found
    return found + found @ (jnp.eye(matrix.shape[-1]) - matrix @ found)


def contacts(hamiltonian: Array, leads: Table, centre: Array, offset: Array, doubts: bool = True) -> Contacts:
    """Green's functions at nodes; without `doubts` the bounds are zeros."""
    sites = np.array(contact_sites(leads))
    matrix = inverse_green(hamiltonian, leads, centre, offset)
    full = resolvent(matrix)
    green = full[..., sites[:, None], sites]
    doubt, unsure = jnp.zeros(green.shape), [None] * len(leads)
    if doubts:
        # The elimination is exact for entries that are a little off, each by its own rounding.
        n = hamiltonian.shape[-1]
        off = EPS * (n + 3) * jnp.abs(matrix)
        unsure = [lead.doubt(centre, offset) for lead in leads.values()]
        for lead, more in zip(leads.values(), unsure, strict=True):
            if more is not None:
                rows = np.array(lead.sites)
                off = off.at[..., rows[:, None], rows].add(more)
        left, right = jnp.abs(full[..., sites, :]), jnp.abs(full[..., :, sites])
        doubt = left @ (off @ right)
    widths, places = [], []
    for lead in leads.values():
        sigma = lead.self_energy(centre, offset)
        widths.append(1j * (sigma - adjoint(sigma)))
        places.append(np.searchsorted(sites, lead.sites))
    return Contacts(green, doubt, tuple(widths), tuple(places), tuple(unsure))


def transmission_between(c: Contacts, into: int, out_of: int) -> Array:
    """T_αβ = tr[Γ_α G^r Γ_β G^a] (node), from the lead β into α."""
    green = c.green[..., c.places[into][:, None], c.places[out_of]]
    left, right = product(c.widths[into], green), product(c.widths[out_of], adjoint(green))
    return jnp.sum(left * jnp.swapaxes(right, -1, -2), axis=(-2, -1)).real


def transmissions(c: Contacts) -> tuple[Array, Array]:
    """T_αβ (α, β, node) from β into α, with zeros for α = β, and bounds of their rounding errors."""
    many = len(c.widths)
    zero = jnp.zeros(c.green.shape[:-2])
    values = [[zero] * many for _ in range(many)]
    errors = [[zero] * many for _ in range(many)]
    for a in range(many):
        for b in range(many):
            if a == b:
                continue
            block = (..., c.places[a][:, None], c.places[b])
            green, doubt = jnp.abs(c.green[block]), c.doubt[block]
            values[a][b] = transmission_between(c, a, b)
            left, right = jnp.abs(c.widths[a]), jnp.abs(c.widths[b])
            size = product(product(left, 2 * doubt + EPS * 8 * green), right)
            one, other = c.unsure[a], c.unsure[b]
            if one is not None:
                size += product(product(one + jnp.swapaxes(one, -1, -2), green), right)
            if other is not None:
                size += product(product(left, green), other + jnp.swapaxes(other, -1, -2))
            errors[a][b] = jnp.sum(size * green, axis=(-2, -1))
    return jnp.asarray(values), jnp.asarray(errors)
