"""Zero-frequency noise of charge and heat, and their correlation, by integration over energy: one point of a batch.

cov(X_α, X_β) = ∫dε/2π x_α(ε) x_β(ε) Σ_γδ tr[A_γδ(α) A_δγ(β)] f_γ(1−f_δ),

A_γδ(α) = δ_αγδ_αδ − s_αγ†s_αδ, where x is 1 for particles and ε−μ_α for heat (over T_α for entropy): the states
carry their energy, so that one expression serves all. (M. Büttiker, "Scattering theory of current and intensity noise
correlations in conductors and wave guides", eq. 3.) With the scattering matrix s_αβ = δ_αβ − iΓ_α^½G^rΓ_β^½ no root of
a width is needed: A_γδ(α) = Γ_γ^½ B_γδ(α) Γ_δ^½ with

B_γδ(α) = iδ_αγG_αδ − iδ_αδG_αγ† − G_αγ†Γ_αG_αδ.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Target
from ..numerics.dense import EPS, adjoint, product
from ..occupation import fermi, fermi_product
from ..pytrees import Table
from .green_functions import Contacts
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

    def weight(one: Weighed, seen: Energies) -> Array:
        if one.power == 0:
            return jnp.ones_like(seen.above[one.lead])
        return (seen.reduced if one.reduced else seen.above)[one.lead]

    def integrand(c: Contacts, seen: Energies) -> tuple[Array, Array]:
        # Each once: the pairs of leads share them, and what is written down twice is compiled slowly.
        element = functools.cache(lambda a, g, d: _element(c, a, g, d))
        filled = functools.cache(lambda g, d: fermi_product(seen.reduced[g], seen.reduced[d]))
        known = {}
        for a, b in sorted({tuple(sorted((counted[i].lead, counted[j].lead))) for i, j in pairs}):
            known[a, b] = _correlation(c, seen, a, b, element, filled)
        values, errors = [], []
        for i, j in pairs:
            factor = weight(counted[i], seen) * weight(counted[j], seen) / (2 * jnp.pi)
            a, b = sorted((counted[i].lead, counted[j].lead))
            value, error = known[a, b]
            values.append(value * factor)
            errors.append(error * jnp.abs(factor))
        return jnp.stack(values), jax.lax.stop_gradient(jnp.stack(errors))

    found, unique, good = over_window(hamiltonian, leads, integrand, len(pairs))
    many = len(counted)

    def matrix(entries: Array) -> Array:
        table = jnp.zeros((many, many))
        for k, (i, j) in enumerate(pairs):
            table = table.at[i, j].set(entries[k]).at[j, i].set(entries[k])
        return table

    value, error, scale = (matrix(part) for part in found[:3])
    return Noise(value, error, scale, found.converged, unique, good)


def _correlation(
    c: Contacts, seen: Energies, a: int, b: int, element: Callable[..., Any], filled: Callable[..., Array]
) -> tuple[Array, Array]:
    """Σ_γδ tr[A_γδ(α)A_δγ(β)] f_γ(1−f_δ) (node), and a bound of its rounding error.

    `element(α, γ, δ)` is `_element`, `filled(γ, δ)` f_γ(1−f_δ).
    """
    total, error = jnp.zeros(seen.above.shape[1:]), jnp.zeros(seen.above.shape[1:])
    leads = range(len(c.widths))
    for g in leads:
        for d in leads:
            x, y = seen.reduced[g], seen.reduced[d]
            (one, one_doubt), (other, other_doubt) = element(a, g, d), element(b, d, g)
            one_size, other_size = jnp.abs(one), jnp.abs(other) + other_doubt
            trace = _trace(product(c.widths[g], one), product(c.widths[d], other))
            total += filled(g, d) * trace
            left, right = jnp.abs(c.widths[g]), jnp.abs(c.widths[d])
            doubt = _trace(product(left, one_doubt), product(right, other_size))
            doubt += _trace(product(left, one_size), product(right, other_doubt))
            for first, second in ((_unsure(c, g), right), (left, _unsure(c, d))):
                if first is not None and second is not None:
                    doubt += _trace(product(first, one_size), product(second, other_size))
            steep = 8 + jnp.minimum(jnp.abs(x) * fermi(-x) + jnp.abs(y) * fermi(y), 750.0)
            error += filled(g, d) * (doubt + EPS * steep * jnp.abs(trace))
    return total, error


def _element(c: Contacts, a: int, g: int, d: int) -> tuple[Array, Array]:
    """B_γδ(α), and a bound of its rounding error."""

    def block(matrix: Array, other: int) -> Array:
        return matrix[..., c.places[a][:, None], c.places[other]]

    right, left = block(c.green, d), adjoint(block(c.green, g))
    width = jnp.abs(c.widths[a])
    right_doubt, left_doubt = block(c.doubt, d), jnp.swapaxes(block(c.doubt, g), -1, -2)
    value = -product(left, product(c.widths[a], right))
    size = product(jnp.abs(left), product(width, jnp.abs(right)))
    doubt = product(left_doubt, product(width, jnp.abs(right))) + product(jnp.abs(left), product(width, right_doubt))
    more = _unsure(c, a)
    if more is not None:
        doubt += product(jnp.abs(left), product(more, jnp.abs(right)))
    if a == g:
        value, size, doubt = value + 1j * right, size + jnp.abs(right), doubt + right_doubt
    if a == d:
        value, size, doubt = value - 1j * left, size + jnp.abs(left), doubt + left_doubt
    return value, doubt + 8 * EPS * size


def _unsure(c: Contacts, lead: int) -> Array | None:
    """A bound of the error of Γ beyond its rounding, from that of Σ."""
    more = c.unsure[lead]
    return None if more is None else more + jnp.swapaxes(more, -1, -2)


def _trace(left: Array, right: Array) -> Array:
    return jnp.sum(left * jnp.swapaxes(right, -1, -2), axis=(-2, -1)).real
