"""Currents through two sites between wide bands that do not mix them, in closed form: all points of a batch at once.

With Γ_α diagonal, G = Σ_β Γ_β, H − iG/2 has the poles λ_± = m ± r − ig, g = (G_0+G_1)/4, r² = h² + |t|² and
h = (H_00−H_11)/2 − i(G_0−G_1)/4, and T_αβ(ε) = 2 Re Σ_± N_αβ(λ_±)/[±2r (λ_±−λ_±*)(λ_±−λ_∓*)(ε−λ_±)] with

N_αβ(λ) = (Γ_α0Γ_β1 + Γ_α1Γ_β0)|t|² + Γ_α0Γ_β0 (λ−h_1)(λ−h_1*) + Γ_α1Γ_β1 (λ−h_0)(λ−h_0*), h_i = H_ii − iG_i/2.

Every factor is a sum without cancellation but r², and so are the half widths: with g² − (Im r)² = G_0G_1/4 + x,
x = |t|²(G_0−G_1)²/8/[|h|² + |t|² + |r²|]. What rounding does to r² is a change of |t|² by η = some roundings of
|t|² + |h|² + g²: it moves the poles by η/2|r|, or, as both move together near an exceptional point, changes every
T(ε) by η/|ε−λ_+||ε−λ_−| of itself at most. The smaller one bounds the error.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.blocks import stored
from ..numerics.dense import EPS
from ..numerics.digamma import thermal_parts
from ..numerics.planar import inverse, root, scaled, size, squared
from ..pytrees import Table
from .landauer import NARROWEST, Flows, Found, baths_of
from .leads import WideBandLead

MOST_LEADS = 2
"""Leads whose program is compiled in seconds."""
STEPS = 8
"""Roundings of a residue, beside those of r²."""


def unmixed(hamiltonian: Array, leads: Table) -> bool:
    """Whether a batch of conductors has two sites, and leads that do not mix them: few, as each pair is written out."""
    few = hamiltonian.shape[-1] == 2 and len(leads) <= MOST_LEADS
    return few and all(lead.gamma.ndim <= 2 for lead in leads.values())


def closed_of_two(hamiltonian: Array, leads: Table, certain: Array) -> tuple[Found, Array]:
    """The currents of a batch with bounds of their errors, and where a state has no width, of which this knows nothing.

    `certain`: see `numerics.blocks.stored`. Inside, arrays are (point).
    """
    values, errors, dark = stored(certain, functools.partial(_currents, hamiltonian, leads))
    value, error = (Flows(*map(_columns, parts)) for parts in (values, errors))
    yes = jnp.ones(dark.shape, bool)
    return Found(value, error, yes, yes, yes), dark


def _currents(hamiltonian: Array, leads: Table) -> tuple[list[list[Array]], list[list[Array]], Array]:
    """Particles and heats of each lead, bounds of their errors, and where a state has no width."""
    potentials, temperatures = (part.T for part in jax.vmap(baths_of)(leads))  # (lead, point)
    levels = hamiltonian[:, 0, 0].real, hamiltonian[:, 1, 1].real
    link = (hamiltonian[:, 0, 1] * hamiltonian[:, 1, 0]).real
    widths = [_widths(lead) for lead in leads.values()]
    total = [sum((own[site] for own in widths if site in own), jnp.zeros_like(link)) for site in (0, 1)]
    spans, poles = _poles(levels, link, total)
    many = len(widths)
    values, errors = ([[jnp.zeros_like(link)] * many for _ in range(2)] for _ in range(2))
    ones, others = ([level - mu for mu in potentials] for level in levels)
    blurred = [EPS * (jnp.abs(one) + jnp.abs(other)) for one, other in zip(ones, others, strict=True)]
    for pole in poles:
        seen = [pole.shift + (one + other) / 2 for one, other in zip(ones, others, strict=True)]
        squares = [
            z * jax.lax.complex(z.real, z.imag - width)
            for z, width in zip((pole.from_one, pole.from_zero), total[::-1], strict=True)
        ]
        for a, b in itertools.combinations(range(many), 2):
            top = _numerator(widths[a], widths[b], link, squares)
            if top is not None:
                baths = potentials[a] - potentials[b], temperatures[a], temperatures[b]
                blur = jnp.maximum(blurred[a], blurred[b])
                args = pole.factor, *top, seen[a], seen[b], *baths, *spans, blur
                term, bound, shifted = _term(*args)
                for lead, way in ((a, 1.0), (b, -1.0)):
                    z = seen[lead]
                    values[0][lead] += way * term.real
                    values[1][lead] += way * (z.real * term.real - z.imag * term.imag)
                    errors[0][lead] += bound
                    errors[1][lead] += size(z) * bound + shifted
    least = jnp.minimum(-poles[0].shift.imag, -poles[1].shift.imag)
    return values, errors, ~(least > NARROWEST * spans.extent)


def _columns(parts: list[Array]) -> Array:
    """Arrays (point) as columns. One after the other: a stack would work all of them out again for each entry."""
    table = jnp.zeros((parts[0].shape[0], len(parts)))
    for k, part in enumerate(parts):
        table = table.at[:, k].set(part)
    return table


class Spans(NamedTuple):
    """What rounding of r² does: its part of r², how far it moves a pole, its part of every T; the size of energies."""

    part: Array
    moved: Array
    together: Array
    extent: Array


class Pole(NamedTuple):
    """λ − m, λ − h_1, λ − h_0, and 1/[±2r (λ_±−λ_±*)(λ_±−λ_∓*)]."""

    shift: Array
    from_one: Array
    from_zero: Array
    factor: Array


def _poles(levels: tuple[Array, Array], link: Array, total: list[Array]) -> tuple[Spans, tuple[Pole, Pole]]:
    g, lean, half = (total[0] + total[1]) / 4, (total[0] - total[1]) / 4, (levels[0] - levels[1]) / 2
    h = jax.lax.complex(half, -lean)
    spread = jnp.sqrt(half * half + link)
    square = jax.lax.complex((spread - lean) * (spread + lean), -2 * half * lean)
    r = root(square)
    r = scaled(r, jnp.where(h.real * r.real + h.imag * r.imag < 0, -1.0, 1.0))
    # Half widths: the larger one, and the product of both over it.
    extra = 2 * link * lean * lean / (spread * spread + lean * lean + size(square))
    large = g + jnp.abs(r.imag)
    small = (total[0] * total[1] / 4 + extra) / large
    swapped = r.imag > 0
    # λ_+ − h_1 = −(λ_− − h_0) and λ_+ − h_0 = −(λ_− − h_1), whose product is |t|².
    wide = r + h
    narrow = scaled(inverse(wide), link)

    def pole(sign: float, gamma: Array, from_one: Array, from_zero: Array) -> Pole:
        factor = inverse(scaled(r * jax.lax.complex(sign * g, r.real), -8 * gamma))
        return Pole(jax.lax.complex(sign * r.real, -gamma), from_one, from_zero, factor)

    poles = (
        pole(1.0, jnp.where(swapped, small, large), wide, narrow),
        pole(-1.0, jnp.where(swapped, large, small), -narrow, -wide),
    )
    extent = spread * spread + lean * lean + g * g
    part = EPS * extent / jnp.where(squared(r) > 0, squared(r), jnp.nan)
    return Spans(part, part * size(r), EPS * extent / (small * large), jnp.sqrt(extent)), poles


def _term(
    factor: Array,
    numerator: Array,
    top: Array,
    one: Array,
    other: Array,
    bias: Array,
    hot: Array,
    cold: Array,
    part: Array,
    moved: Array,
    together: Array,
    extent: Array,
    blur: Array,
) -> tuple[Array, Array, Array]:
    """What a pole adds to a current, a bound of its error, and what its level is off × the current."""
    parts = thermal_parts(one, other, bias, hot, cold)
    difference = parts[0] + parts[1]
    whole, far = size(factor) * top / np.pi, size(difference)
    apart = jnp.minimum(size(one) + hot, size(other) + cold)
    singly = 2 * part + moved / apart
    joint = together < singly
    relative = jnp.where(joint, together, singly) + blur / apart
    bound = whole * (relative * far + STEPS * EPS * (far + size(parts[0]) + size(parts[1])))
    shifted = whole * far * (blur + jnp.where(joint, 0.0, moved))
    return factor * numerator * scaled(difference, 1 / np.pi), bound, shifted


def _widths(lead: WideBandLead) -> dict[int, Array]:
    """Γ of each site that the lead is on (point)."""
    gamma = lead.gamma
    return {site: gamma if gamma.ndim == 1 else gamma[:, k] for k, site in enumerate(lead.sites)}


def _numerator(
    one: dict[int, Array], other: dict[int, Array], link: Array, squares: list[Array]
) -> tuple[Array, Array] | None:
    """N_αβ at a pole and the sum of the sizes of its terms; None if it has none."""
    terms = []
    for i, j in itertools.product(one, other):
        weight = one[i] * other[j]
        terms.append(weight * link + 0j if i != j else scaled(squares[i], weight))
    if not terms:
        return None
    return functools.reduce(jnp.add, terms), functools.reduce(jnp.add, map(size, terms))
