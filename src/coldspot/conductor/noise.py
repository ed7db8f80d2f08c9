"""Zero-frequency noise of charge and heat, and their correlation, by integration over energy: one point of a batch.

cov(X_α, X_β) = ∫dε/2π x_α(ε) x_β(ε) Σ_γδ tr[A_γδ(α) A_δγ(β)] f_γ(1−f_δ),

A_γδ(α) = δ_αγδ_αδ − s_αγ†s_αδ, where x is 1 for particles and ε−μ_α for heat (over T_α for entropy): the states
carry their energy, so that one expression serves all. (M. Büttiker, "Scattering theory of current and intensity noise
correlations in conductors and wave guides", eq. 3.) With the scattering matrix s_αβ = δ_αβ − iΓ_α^½G^rΓ_β^½ no root of
a width is needed: A_γδ(α) = Γ_γ^½ B_γδ(α) Γ_δ^½ with

B_γδ(α) = iδ_αγG_αδ − iδ_αδG_αγ† − G_αγ†Γ_αG_αδ.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Target
from ..numerics.dense import EPS, adjoint, product
from ..occupation import fermi, fermi_product
from ..pytrees import Table
from .green_functions import Contacts, unsure_of, widths_of
from .landauer import Energies, over_window
from .long_devices import Slices

WITH_MODES = (
    "counting: a Conductor with `modes` has no counting statistics: its ledger is of second order in their couplings, "
    "and noise of that order is not known here. Without `modes` it has all of them; in equilibrium the covariance is "
    "L + Lᵀ of `linear_response`."
)


class Weighed(NamedTuple):
    """What is counted: the lead, the power of ε−μ, and whether it is divided by the temperature."""

    lead: int
    power: int
    reduced: bool


class Noise(NamedTuple):
    """Covariances per time (target, target), bounds of their errors, sizes of their terms, and what is wrong."""

    value: Array
    error: Array
    scale: Array
    converged: Array
    unique: Array
    causal: Array


def weighed(leads: Table, targets: tuple[Target, ...]) -> tuple[Weighed, ...]:
    """What is counted of a conductor's leads."""
    names = list(leads)
    return tuple(Weighed(names.index(t.of), int(t.quantity != "particles"), t.quantity == "entropy") for t in targets)


def none_at_all(shape: tuple[int, ...]) -> Noise:
    """That of a single lead: what leaves it comes back at the same energy (S†S = 1)."""
    nothing, yes = jnp.zeros(shape), jnp.asarray(True)
    return Noise(nothing, nothing, nothing, yes, yes, yes)


def noise(hamiltonian: Array | Slices, leads: Table, counted: tuple[Weighed, ...]) -> Noise:
    """The covariances of one conductor."""
    if len(leads) == 1:
        return none_at_all((len(counted), len(counted)))
    pairs = list(itertools.combinations_with_replacement(range(len(counted)), 2))

    first, second = np.array(pairs).T
    counting = tuple(sorted({one.lead for one in counted}))
    between = list(itertools.combinations_with_replacement(range(len(counting)), 2))
    at = [counting.index(one.lead) for one in counted]
    which = np.array([between.index((min(at[i], at[j]), max(at[i], at[j]))) for i, j in pairs])

    def weight(one: Weighed, seen: Energies) -> Array:
        if one.power == 0:
            return jnp.ones_like(seen.above[one.lead])
        return (seen.reduced if one.reduced else seen.above)[one.lead]

    def integrand(c: Contacts, seen: Energies) -> tuple[Array, Array]:
        value, error = _correlations(c, seen, counting, between)
        weights = jnp.stack([weight(one, seen) for one in counted])
        factor = weights[first] * weights[second] / (2 * jnp.pi)
        return value[which] * factor, jax.lax.stop_gradient(error[which] * jnp.abs(factor))

    found, unique, good = over_window(hamiltonian, leads, integrand, len(pairs))
    many = len(counted)

    def matrix(entries: Array) -> Array:
        return jnp.zeros((many, many)).at[first, second].set(entries).at[second, first].set(entries)

    value, error, scale = (matrix(part) for part in found[:3])
    return Noise(value, error, scale, found.converged, unique, good)


def _correlations(
    c: Contacts, seen: Energies, counting: tuple[int, ...], between: list[tuple[int, int]]
) -> tuple[Array, Array]:
    """Σ_γδ tr[A_γδ(α)A_δγ(β)] f_γ(1−f_δ) (pair, node) of pairs of what counts, and bounds of their rounding errors.

    `between`: the pairs, as places in `counting`, the leads α. All γδ whose leads have as many sites each are worked
    out at once: what is written down for each is compiled for each.
    """
    sizes = [place.size for place in c.places]
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for g, d in itertools.product(range(len(sizes)), repeat=2):
        groups.setdefault((sizes[g], sizes[d]), []).append((g, d))
    elements = {size: _elements(c, counting, some) for size, some in groups.items()}
    first, second = np.array(between).T
    total, error = jnp.zeros((len(between), *seen.above.shape[1:])), jnp.zeros((len(between), *seen.above.shape[1:]))
    for size, some in groups.items():
        back = groups[size[::-1]]
        turned = np.array([back.index((d, g)) for g, d in some])
        g, d = np.array(some).T
        x, y = seen.reduced[g], seen.reduced[d]
        one, one_doubt = (part[first] for part in elements[size])
        other, other_doubt = (part[second][:, turned] for part in elements[size[::-1]])
        filled, own, others = fermi_product(x, y), widths_of(c, g), widths_of(c, d)
        trace = _trace(product(own, one), product(others, other))
        one_size, other_size = jnp.abs(one), jnp.abs(other) + other_doubt
        left, right = jnp.abs(own), jnp.abs(others)
        doubt = _trace(product(left, one_doubt), product(right, other_size))
        doubt += _trace(product(left, one_size), product(right, other_doubt))
        for before, after in ((unsure_of(c, g), right), (left, unsure_of(c, d))):
            if before is not None and after is not None:
                doubt += _trace(product(before, one_size), product(after, other_size))
        steep = 8 + jnp.minimum(jnp.abs(x) * fermi(-x) + jnp.abs(y) * fermi(y), 750.0)
        total += jnp.sum(filled * trace, axis=1)
        error += jnp.sum(filled * (doubt + EPS * steep * jnp.abs(trace)), axis=1)
    return total, error


def _elements(c: Contacts, counting: tuple[int, ...], some: list[tuple[int, int]]) -> tuple[Array, Array]:
    """B_γδ(α) (α, γδ, node, site of γ, site of δ) of pairs of leads of as many sites each, and its rounding error."""
    g, d = np.array(some).T
    rows, columns = (np.stack([c.places[lead] for lead in side]) for side in (g, d))
    sizes = [c.places[lead].size for lead in counting]
    order, parts = [], []
    for size in dict.fromkeys(sizes):
        here = [k for k, own in enumerate(sizes) if own == size]
        order += here
        a = np.array(counting)[here]
        places = np.stack([c.places[lead] for lead in a])

        def block(matrix: Array, others: np.ndarray, places: np.ndarray = places) -> Array:
            """(α, γδ, node, site of α, site of the other)."""
            taken = matrix[..., places[:, None, :, None], others[None, :, None, :]]
            return jnp.moveaxis(taken, (-4, -3), (0, 1))

        right, left = block(c.green, columns), adjoint(block(c.green, rows))
        own = widths_of(c, a)[:, None]
        width = jnp.abs(own)
        right_doubt, left_doubt = block(c.doubt, columns), jnp.swapaxes(block(c.doubt, rows), -1, -2)
        value = -product(left, product(own, right))
        passed = product(width, jnp.abs(right))
        total = product(jnp.abs(left), passed)
        doubt = product(left_doubt, passed) + product(jnp.abs(left), product(width, right_doubt))
        more = unsure_of(c, a)
        if more is not None:
            doubt += product(jnp.abs(left), product(more[:, None], jnp.abs(right)))
        if size == rows.shape[1]:
            same = (a[:, None] == g)[..., None, None, None] * 1.0
            value, total, doubt = value + 1j * same * right, total + same * jnp.abs(right), doubt + same * right_doubt
        if size == columns.shape[1]:
            same = (a[:, None] == d)[..., None, None, None] * 1.0
            value, total, doubt = value - 1j * same * left, total + same * jnp.abs(left), doubt + same * left_doubt
        parts.append((value, doubt + 8 * EPS * total))
    back = np.argsort(order)
    value, doubt = (jnp.concatenate(part)[back] for part in zip(*parts, strict=True))
    return value, doubt


def _trace(left: Array, right: Array) -> Array:
    return jnp.sum(left * jnp.swapaxes(right, -1, -2), axis=(-2, -1)).real
