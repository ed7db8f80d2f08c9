"""Green's functions of a conductor between its leads, and what passes from lead to lead at each energy.

G^r(ε) = (ε − H − Σ_αΣ_α(ε))⁻¹, Γ_α = i(Σ_α − Σ_α†), T_αβ = tr[Γ_α G^r Γ_β G^a]: the transmission from β into α.
(Y. Meir and N. S. Wingreen, "Landauer formula for the current through an interacting electron region".)

All of it is of one conductor; nodes are energies, given as a centre and an offset from it.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS, adjoint, inverse, product
from ..numerics.residuals import residual, whole
from ..pytrees import Table

LARGE = 16
"""Sites from which on elimination may let rounding grow, so that its result is refined."""

POOR = 1e-11
"""Relative rounding error of a Green's function from which on its residual is looked at."""


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


def inverse_green(
    hamiltonian: Array, leads: Table, centre: Array, offset: Array, sigmas: Sequence[Array] | None = None
) -> Array:
    """ε − H − Σ(ε) (node, site, site); `sigmas`: the leads' `self_energies`, if they are known."""
    eye = jnp.eye(hamiltonian.shape[-1])
    matrix = (centre[..., None, None] * eye - hamiltonian) + offset[..., None, None] * eye
    known = self_energies(leads, centre, offset) if sigmas is None else sigmas
    for lead, sigma in zip(leads.values(), known, strict=True):
        rows = np.array(lead.sites)
        matrix = matrix.at[..., rows[:, None], rows].add(-sigma)
    return matrix


def self_energies(leads: Table, centre: Array, offset: Array) -> list[Array]:
    """Σ of each lead (node, own site, own site)."""
    return [lead.self_energy(centre, offset) for lead in leads.values()]


def resolvent(matrix: Array) -> Array:
    """Inverses (…, n, n), of large ones with one step of Newton's method."""
    found = inverse(matrix)
    if matrix.shape[-1] < LARGE:
        return found
    return found + found @ (jnp.eye(matrix.shape[-1]) - matrix @ found)


def contacts(hamiltonian: Array, leads: Table, centre: Array, offset: Array, doubts: bool = True) -> Contacts:
    """Green's functions at nodes; without `doubts` the bounds are zeros."""
    sites = np.array(contact_sites(leads))
    sigmas = self_energies(leads, centre, offset)
    matrix = inverse_green(hamiltonian, leads, centre, offset, sigmas)
    full = resolvent(matrix)
    green = full[..., sites[:, None], sites]
    doubt = jnp.zeros(green.shape)
    unsure: list[Array | None] = [None] * len(leads)
    if doubts:
        unsure = [lead.doubt(centre, offset) for lead in leads.values()]
        green, doubt = _polished(hamiltonian, leads, sigmas, unsure, centre, offset, matrix, full)
    widths, places = [], []
    for lead, sigma in zip(leads.values(), sigmas, strict=True):
        widths.append(1j * (sigma - adjoint(sigma)))
        places.append(np.searchsorted(sites, lead.sites))
    return Contacts(green, doubt, tuple(widths), tuple(places), tuple(unsure))


def _polished(
    hamiltonian: Array,
    leads: Table,
    sigmas: list[Array],
    unsure: list[Array | None],
    centre: Array,
    offset: Array,
    matrix: Array,
    full: Array,
) -> tuple[Array, Array]:
    """G^r between contacts and bounds of its errors; where a state is narrow, with a step of Newton's method.

    The elimination is exact for entries that are a little off, each by its own rounding. Of a level width Γ that leaves
    |H|/Γ roundings, and G + GR + O(R²) with R = 1 − MG, that is formed with twice the digits, has them back.
    """
    sites, n = np.array(contact_sites(leads)), hamiltonian.shape[-1]
    green = full[..., sites[:, None], sites]
    left, right = jnp.abs(full[..., sites, :]), jnp.abs(full[..., :, sites])
    own = jnp.zeros(matrix.shape)
    for lead, sigma, more in zip(leads.values(), sigmas, unsure, strict=True):
        rows = np.array(lead.sites)
        own = own.at[..., rows[:, None], rows].add(4 * EPS * jnp.abs(sigma) + (0.0 if more is None else more))
    wrong = left @ (EPS * (n + 3) * jnp.abs(matrix) + own)
    doubt = wrong @ right

    def step() -> tuple[Array, Array]:
        eye = jnp.eye(n)
        terms = [centre[..., None, None] * eye, -hamiltonian, offset[..., None, None] * eye]
        for lead, sigma in zip(leads.values(), sigmas, strict=True):
            rows = np.array(lead.sites)
            terms.append(jnp.zeros_like(matrix).at[..., rows[:, None], rows].add(-sigma))
        rest, error = residual(whole(*terms), full[..., :, sites], sites)
        change = full[..., sites, :] @ rest
        size = left @ jnp.abs(rest)
        rounded = EPS * (2 * jnp.abs(green) + (n + 3) * size) + left @ error + left @ own @ right
        better = (wrong @ jnp.abs(full)) @ jnp.abs(rest) + rounded
        good = better < doubt
        return jnp.where(good, change, 0.0), jnp.where(good, better, doubt)

    top = jnp.max(jnp.abs(green), axis=(-2, -1), keepdims=True)
    poor = jnp.any(doubt > POOR * top)
    change, doubt = jax.lax.stop_gradient(jax.lax.cond(poor, step, lambda: (jnp.zeros_like(green), doubt)))
    return green + change, doubt


def transmission_between(c: Contacts, into: int, out_of: int) -> Array:
    """T_αβ = tr[Γ_α G^r Γ_β G^a] (node), from the lead β into α."""
    green = c.green[..., c.places[into][:, None], c.places[out_of]]
    left, right = product(c.widths[into], green), product(c.widths[out_of], adjoint(green))
    return jnp.sum(left * jnp.swapaxes(right, -1, -2), axis=(-2, -1)).real


def transmissions(c: Contacts) -> tuple[Array, Array]:
    """T_αβ (α, β, node) from β into α, with zeros for α = β, and bounds of their rounding errors."""
    many = len(c.widths)
    into, out_of = np.array(pairs_of(many)).reshape(-1, 2).T
    table = jnp.zeros((many, many, *c.green.shape[:-2]))
    values, errors = (table.at[into, out_of].set(part) for part in transmissions_of_pairs(c))
    return values, errors


def pairs_of(many: int) -> list[tuple[int, int]]:
    """All pairs (α, β) of so many leads, α first."""
    return list(itertools.permutations(range(many), 2))


def transmissions_of_pairs(c: Contacts) -> tuple[Array, Array]:
    """T_αβ of all `pairs_of` leads (pair, node), and bounds of their rounding errors."""
    pairs = pairs_of(len(c.widths))
    # Those of leads of the same sizes at once: what is written down for each is compiled for each.
    sizes = [tuple(len(c.places[lead]) for lead in pair) for pair in pairs]
    order, parts = [], []
    for size in dict.fromkeys(sizes):
        some = [k for k, own in enumerate(sizes) if own == size]
        order += some
        parts.append(_of_some(c, *zip(*(pairs[k] for k in some), strict=True)))
    if len(parts) < 2:
        return parts[0] if parts else (jnp.zeros((0, *c.green.shape[:-2])),) * 2
    back = np.argsort(order)
    values, errors = (jnp.concatenate(part)[back] for part in zip(*parts, strict=True))
    return values, errors


def widths_of(c: Contacts, some: Sequence[int] | np.ndarray) -> Array:
    """Γ (lead, node, own site, own site) of leads that have as many sites each."""
    return jnp.stack([c.widths[lead] for lead in some])


def unsure_of(c: Contacts, some: Sequence[int] | np.ndarray) -> Array | None:
    """Bounds of the errors of their Γ beyond its rounding, from those of Σ; None for no more than that."""
    if all(c.unsure[lead] is None for lead in some):
        return None
    both = [jnp.zeros(()) if (own := c.unsure[lead]) is None else own + jnp.swapaxes(own, -1, -2) for lead in some]
    return jnp.stack([jnp.broadcast_to(own, c.widths[lead].shape) for lead, own in zip(some, both, strict=True)])


def _of_some(c: Contacts, into: tuple[int, ...], out_of: tuple[int, ...]) -> tuple[Array, Array]:
    """T_αβ (pair, node) of leads α and β that have as many sites each, and bounds of their rounding errors."""
    rows, columns = (np.stack([c.places[lead] for lead in side]) for side in (into, out_of))

    def block(matrix: Array) -> Array:
        return jnp.moveaxis(matrix[..., rows[:, :, None], columns[:, None, :]], -3, 0)

    green, left, right = block(c.green), widths_of(c, into), widths_of(c, out_of)
    values = jnp.sum(product(left, green) * jnp.swapaxes(product(right, adjoint(green)), -1, -2), axis=(-2, -1)).real
    size, left, right = jnp.abs(green), jnp.abs(left), jnp.abs(right)
    rounded = product(product(left, 2 * block(c.doubt) + EPS * 8 * size), right)
    one, other = unsure_of(c, into), unsure_of(c, out_of)
    if one is not None:
        rounded += product(product(one, size), right)
    if other is not None:
        rounded += product(product(left, size), other)
    return values, jnp.sum(rounded * size, axis=(-2, -1))
