"""Long conductors: matrices that link neighbouring slices only, and Green's functions by eliminating slice after slice.

With M = ε − H − Σ cut into slices, D_1 = M_11, D_{i+1} = M_{i+1,i+1} − M_{i+1,i} D_i⁻¹ M_{i,i+1}, and columns B that
pick the sites which leads touch, R_{i+1} = B_{i+1} − M_{i+1,i}D_i⁻¹R_i and R̃ alike from the other side,

G between those sites is Σ_i R̃_i D_i⁻¹ R_i,

so that one run through the slices is enough, and costs their number times the cube of their width. (D. J. Thouless and
S. Kirkpatrick, "Conductivity of the disordered linear chain"; A. MacKinnon, "The calculation of transport properties
and density of states of disordered solids".)
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_complex, concrete
from ..numerics.dense import EPS, adjoint, inverse, product
from ..pytrees import Table
from .green_functions import Contacts, contact_sites
from .leads import ChainLead, WideBandLead
from .spectral_functions import is_hermitian

LONG = 8
"""Slices from which on elimination slice by slice beats the whole matrix at once."""
SHORT = 64
"""Sites up to which the whole matrix is inverted."""
MOST = 2000
"""Sites up to which every state is looked for, which takes 16 bytes × their square and time as their cube."""
MOST_WHOLE = 200
"""Sites up to which a matrix without slices is inverted at each energy."""
TINY = 1e-100
"""What stands for a pivot of 0."""
SAFETY = 4.0
"""By how much the rounding of an elimination may exceed the difference from that from the other end."""


class Slices(eqx.Module):
    """A Hermitian matrix H (site, site) that links neighbouring slices of one width only.

    - `diagonal` (slice, own, own), `upper` (slice, own, own): H between slice i and i + 1, 0 for the last;
    - `sites`: how many there are; what is left over in the last slice is linked to nothing;
    - `far` (site, site): of a matrix that was dense the entries beyond, which are 0 but have derivatives.
    """

    diagonal: Any
    upper: Any
    sites: int = eqx.field(static=True)
    far: Array | None = None

    @property
    def width(self) -> int:
        return self.diagonal.shape[-1]

    def dense(self) -> Array:
        """H (site, site)."""
        many, width = len(self.diagonal), self.width
        index = np.arange(many)
        blocks = jnp.zeros((many, width, many, width), complex).at[index, :, index].set(self.diagonal)
        blocks = blocks.at[index[:-1], :, index[1:]].set(self.upper[:-1])
        blocks = blocks.at[index[1:], :, index[:-1]].set(adjoint(self.upper[:-1]))
        return blocks.reshape(many * width, many * width)[: self.sites, : self.sites]


def sliced(matrix: Array, width: int) -> Slices:
    """The slices of a matrix (site, site) whose entries lie within `width` of the diagonal."""
    known = concrete(matrix)
    n = matrix.shape[-1]
    sites = np.arange(-(-n // width) * width).reshape(-1, width)

    def between(rows: np.ndarray, columns: np.ndarray) -> Any:
        inside = (rows < n)[:, :, None] & (columns < n)[:, None, :]
        rows, columns = (np.minimum(part, n - 1) for part in (rows, columns))
        found = (matrix if known is None else known)[rows[:, :, None], columns[:, None, :]]
        return jnp.where(inside, found, 0.0) if known is None else np.where(inside, found, 0.0)

    diagonal, upper = jnp.asarray(between(sites, sites)), jnp.asarray(between(sites[:-1], sites[1:]))
    upper = jnp.concatenate([upper, jnp.zeros_like(diagonal[:1])])
    # Of known numbers nobody asks for derivatives.
    return Slices(diagonal, upper, n, jnp.where(_far(n, width), matrix, 0.0) if known is None else None)


def _far(sites: int, width: int) -> Array:
    """Which entries (site, site) are in no slice and link no neighbours."""
    own = jnp.arange(sites) // width
    return jnp.abs(own[:, None] - own) > 1


def links_far(matrix: Array, width: int) -> Any:
    """Whether there are entries in no slice that link no neighbours."""
    known = concrete(matrix)
    if known is None:
        return jnp.any(_far(matrix.shape[-1], width) & (matrix != 0))
    starts = range(0, len(known), width)
    rows = ((known[k : k + width, : max(k - width, 0)], known[k : k + width, k + 2 * width :]) for k in starts)
    return any(before.any() or behind.any() for before, behind in rows)


def sliced_rule(matrix: Array, width: int) -> Rule:
    """Numbers may have been replaced since the width was told."""
    return Rule(
        jnp.logical_not(links_far(matrix, width)),
        lambda: (
            f"`hamiltonian` linked sites at most {width} apart when the conductor was made, and was cut into slices of "
            "that many; now it links others. Make a conductor with the new matrix."
        ),
    )


def known_slices(owner: str, matrix: Array, width: int) -> Slices:
    """`sliced`, of a matrix whose numbers are looked at if they are known."""
    rule = sliced_rule(matrix, width)
    if concrete(rule.holds) is not None and not rule.holds:
        raise InputError(f"{owner}: {rule.words()}")
    return sliced(matrix, width)


def sliced_sparse(owner: str, matrix: Any) -> Slices:
    """The slices of a SciPy sparse matrix."""
    found = matrix.tocoo()
    n = found.shape[0]
    if found.shape != (n, n) or n == 0:
        raise InputError(f"{owner}: `hamiltonian` must be a square matrix, but has shape {found.shape}.")
    rows, columns, values = (np.asarray(part) for part in (found.row, found.col, found.data))
    width = max(int(np.max(np.abs(rows - columns), initial=0)), 1)
    many = -(-n // width)
    whole = np.zeros((many, 3, width, width), complex)
    np.add.at(whole, (rows // width, columns // width - rows // width + 1, rows % width, columns % width), values)
    lower = np.conj(np.swapaxes(whole[1:, 0], -1, -2))
    off = max(np.abs(lower - whole[:-1, 2]).max(initial=0.0), np.abs(whole[:, 1] - _turned(whole[:, 1])).max())
    if not np.all(np.isfinite(values)) or off > 1e-12 * np.abs(values).max(initial=0.0):
        raise InputError(
            f"{owner}: `hamiltonian` must be finite and Hermitian, but differs from its adjoint by up to {off:g}."
        )
    return Slices(as_complex(whole[:, 1]), as_complex(whole[:, 2]), n)


def dense_or_sliced(owner: str, given: Any) -> Any:
    """A matrix as complex numbers; in slices if it is sparse, or was when it was written to a file."""
    if not isinstance(given, Slices):
        return sliced_sparse(owner, given) if hasattr(given, "tocoo") else as_complex(given)
    diagonal, upper = as_complex(given.diagonal), as_complex(given.upper)
    known = concrete(diagonal)
    if known is not None and not (np.all(is_hermitian(known)) and np.all(np.isfinite(np.asarray(upper)))):
        raise InputError(f"{owner}: `hamiltonian` must be finite and Hermitian, but blocks of its slices are not.")
    return Slices(diagonal, upper, given.sites, given.far)


def _turned(blocks: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(blocks, -1, -2))


def width_of(matrix: Array) -> int | None:
    """The width of slices of a known matrix that is long; None if it is not, or not known."""
    known = concrete(matrix)
    if known is None or known.ndim != 2 or len(known) <= SHORT or not np.all(np.isfinite(known)):
        return None
    rows, columns = np.nonzero(known)
    width = max(int(np.max(np.abs(rows - columns), initial=0)), 1)
    return width if width * LONG <= len(known) else None


def fits(leads: Table, width: int) -> bool:
    """Whether no lead links sites of different slices."""

    def apart(lead: Any) -> bool:
        return isinstance(lead, ChainLead) or (isinstance(lead, WideBandLead) and lead.gamma.ndim < 2)

    return all(apart(lead) or len({site // width for site in lead.sites}) == 1 for lead in leads.values())


def check_size(sites: int, cut: int | None, poles: bool = False) -> None:
    """Refuses integrals over energy of conductors that are too large for them; `cut`: the width of their slices.

    `poles`: their currents are sums over poles, for which a whole matrix need not be inverted.
    """
    if sites > MOST:
        raise InputError(
            f"Conductor: of {sites} sites only `transmission` is known. For currents every state is looked for, so "
            f"that no narrow one is missed: that is done up to {MOST} sites, and here would take "
            f"{16e-9 * sites**2:.2g} GB for one matrix."
        )
    if cut is None and not poles and sites > MOST_WHOLE:
        raise InputError(
            f"Conductor: the `hamiltonian` links sites of all {sites}, so that the whole matrix is inverted at each "
            f"energy: that is done up to {MOST_WHOLE} sites. Number the sites along the conductor, so that entries "
            "stand near the diagonal, and keep leads within a slice. (Where a function builds the conductor, its "
            "numbers are not known yet: make one conductor, and sweep its paths.)"
        )


def sliced_contacts(slices: Slices, leads: Table, centre: Array, offset: Array, doubts: bool = False) -> Contacts:
    """Green's functions between the sites that leads touch, at energies centre + offset (node).

    With `doubts` the slices are eliminated from both ends, and the bounds of the errors are what tells the two apart.
    """
    return _with_growth(slices, leads, centre, offset, doubts)[0]


def sliced_and_growth(slices: Slices, leads: Table, centre: Array, offset: Array) -> tuple[Contacts, Array]:
    """The same without bounds, and by how much the elimination may let rounding grow (node).

    A part of the conductor that is cut off by a slice, such as a dead end beyond all leads, may have a level of its own
    at that energy: its last D_i is then nearly singular, and D_{i+1} nothing but the rounded product with its inverse.
    """
    return _with_growth(slices, leads, centre, offset, False)


def _with_growth(slices: Slices, leads: Table, centre: Array, offset: Array, doubts: bool) -> tuple[Contacts, Array]:
    sites = np.array(contact_sites(leads))
    sigmas = [lead.self_energy(centre, offset) for lead in leads.values()]
    green, growth = _eliminated(slices, leads, sigmas, centre, offset, False)
    if slices.far is not None:
        green += _linked(slices.far, slices, leads, centre, offset)
    places = tuple(np.searchsorted(sites, lead.sites) for lead in leads.values())
    doubt, unsure = jnp.zeros(green.shape), [None] * len(leads)
    if doubts:
        other, _ = _eliminated(slices, leads, sigmas, centre, offset, True)
        # Rounding of the two is not the same, but of one size.
        doubt = SAFETY * jnp.abs(green - other) + EPS * (8 + len(slices.diagonal) ** 0.5) * jnp.abs(green)
        unsure = [lead.doubt(centre, offset) for lead in leads.values()]
        for own, more in zip(places, unsure, strict=True):
            if more is not None:
                doubt += product(product(jnp.abs(green[..., own]), more), jnp.abs(green[..., own, :]))
    widths = tuple(1j * (sigma - adjoint(sigma)) for sigma in sigmas)
    return Contacts(green, doubt, widths, places, tuple(unsure)), growth


@eqx.filter_custom_jvp
def _linked(far: Array, slices: Slices, leads: Table, centre: Array, offset: Array) -> Array:
    """What links beyond neighbours add to G between the contacts: 0, as they are, with the derivative G·dH·G."""
    many = len(contact_sites(leads))
    return jnp.zeros((centre.size, many, many), complex)


@_linked.def_jvp
def _linked_jvp(primals: Any, tangents: Any) -> tuple[Array, Array | None]:
    _, slices, leads, centre, offset = primals
    found = _linked(*primals)
    if tangents[0] is None:
        return found, None
    columns, rows = (_columns(slices, leads, centre, offset, turned) for turned in (False, True))
    return found, product(jnp.swapaxes(rows, -1, -2), product(tangents[0][None] + 0j, columns))


def _columns(slices: Slices, leads: Table, centre: Array, offset: Array, turned: bool) -> Array:
    """G (node, site, contact) from all sites to the contacts, or of the transposed matrix."""
    width, many = slices.width, len(slices.diagonal)
    sites = np.array(contact_sites(leads))
    real = (np.arange(many * width) < slices.sites).reshape(many, width) * 1.0
    sigma = jnp.zeros((many, centre.size, width, width), complex)
    for lead in leads.values():
        own, values = np.array(lead.sites), lead.self_energy(centre, offset)
        i, j = (index.reshape(-1) for index in np.indices((own.size, own.size)))
        same = own[i] // width == own[j] // width  # others are zeros
        i, j = i[same], j[same]
        sigma = sigma.at[own[i] // width, :, own[i] % width, own[j] % width].add(values[:, i, j].T)
    picked = np.zeros((many, width, sites.size))
    picked[sites // width, sites % width, np.arange(sites.size)] = 1.0
    diagonal, above, below = slices.diagonal, slices.upper, adjoint(slices.upper)
    if turned:
        diagonal, above, below, sigma = (jnp.swapaxes(x, -1, -2) for x in (diagonal, below, above, sigma))

    def forward(state: tuple[Array, Array], at: Any) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        lost, gone = state
        diagonal, above, below, sigma, there, picks = at
        own = jnp.diag(there)
        matrix = (centre[:, None, None] * own - diagonal) + (offset[:, None, None] * own + jnp.diag(1.0 - there))
        matrix = matrix - sigma - lost
        found = 1 / jnp.where(matrix == 0, TINY, matrix) if width == 1 else inverse(matrix)
        own_part = product(found, picks - gone)
        onward = product(found, above[None])
        return (product(below[None], onward), -product(below[None], own_part)), (onward, own_part)

    def back(after: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        onward, own_part = at
        now = own_part + product(onward, after)
        return now, now

    start = jnp.zeros((centre.size, width, width), complex), jnp.zeros((centre.size, width, sites.size), complex)
    _, parts = jax.lax.scan(forward, start, (diagonal, above, below, sigma, jnp.asarray(real), jnp.asarray(picked)))
    _, whole = jax.lax.scan(back, start[1], parts, reverse=True)
    return jnp.moveaxis(whole, 1, 0).reshape(centre.size, many * width, sites.size)[:, : slices.sites]


def _eliminated(
    slices: Slices, leads: Table, sigmas: list[Array], centre: Array, offset: Array, backwards: bool
) -> tuple[Array, Array]:
    """G between the contacts, from the first slice to the last, or backwards, and the growth of rounding."""
    width, many = slices.width, len(slices.diagonal)
    sites = np.array(contact_sites(leads))
    real = (np.arange(many * width) < slices.sites).reshape(many, width)
    diagonal, upper = slices.diagonal, slices.upper
    if backwards:
        real, diagonal = real[::-1], diagonal[::-1]
        upper = jnp.concatenate([adjoint(upper[:-1])[::-1], upper[-1:]])

    def slice_of(site: np.ndarray) -> np.ndarray:
        return many - 1 - site // width if backwards else site // width

    picked = np.zeros((many + 1, width, sites.size))
    picked[slice_of(sites), sites % width, np.arange(sites.size)] = 1.0
    parts = []
    for lead, sigma in zip(leads.values(), sigmas, strict=True):
        own = np.array(lead.sites)
        for at in sorted(set(slice_of(own))):
            here = np.flatnonzero(slice_of(own) == at)
            inside = own[here] % width
            block = jnp.zeros((centre.size, width, width), complex)
            block = block.at[:, inside[:, None], inside].set(sigma[:, here[:, None], here])
            parts.append((at, block))

    def step(state: Any, at: Any) -> tuple[Any, None]:
        lost, rows, columns, green, growth = state
        index, diagonal, upper, there, picks = at
        # What is left over in the last slice has the energy 1 for itself.
        own = jnp.diag(there)
        matrix = (centre[:, None, None] * own - diagonal) + (offset[:, None, None] * own + jnp.diag(1.0 - there)) - lost
        for place, block in parts:
            matrix -= jnp.where(index == place, block, 0.0)
        if width == 1:
            # One number keeps its digits whatever its size: of 0 the limit is taken.
            found = 1 / jnp.where(matrix == 0, TINY, matrix)
        else:
            found = inverse(matrix)
            growth = jnp.maximum(growth, _size(matrix) * _size(found))
        right = product(found, rows)
        green = green + product(columns, right)
        onward = product(found, -upper)
        back = -adjoint(upper)
        rows = picks - product(back, right)
        columns = jnp.swapaxes(picks, -1, -2) - product(columns, onward)
        return (product(back, onward), rows, columns, green, growth), None

    first = jnp.broadcast_to(picked[0] + 0j, (centre.size, width, sites.size))
    start = (
        jnp.zeros((centre.size, width, width), complex),
        first,
        jnp.swapaxes(first, -1, -2),
        jnp.zeros((centre.size, sites.size, sites.size), complex),
        jnp.ones(centre.size),
    )
    each = (np.arange(many), diagonal, upper, jnp.asarray(real * 1.0), jnp.asarray(picked[1:]))
    (*_, green, growth), _ = jax.lax.scan(step, start, each)
    return green, jax.lax.stop_gradient(growth)


def _size(matrix: Array) -> Array:
    """Frobenius norm (node)."""
    return jnp.sqrt(jnp.sum(matrix.real**2 + matrix.imag**2, axis=(-2, -1)))


def sliced_resonances(slices: Slices, leads: Table) -> tuple[Array, Array]:
    """Energies and half widths (site) of the states of a long conductor, to first order in what the leads do to them.

    Narrow ones are hardly touched, and known so; wide ones integrals find by themselves. No derivatives are taken.
    """
    slices, leads = jax.lax.stop_gradient((slices, leads))
    matrix = slices.dense()
    middle = jnp.trace(matrix).real / slices.sites
    good = jnp.all(jnp.isfinite(matrix))
    levels, states = jnp.linalg.eigh(jnp.where(good, matrix - middle * jnp.eye(slices.sites), jnp.eye(slices.sites)))
    shift = jnp.zeros(slices.sites, complex)
    for lead in leads.values():
        own = states[np.array(lead.sites)]
        sigma = lead.self_energy(jnp.full(slices.sites, middle), levels)
        shift += jnp.einsum("ip,pij,jp->p", jnp.conj(own), sigma, own)
    return levels + shift.real + middle, jnp.abs(shift.imag)
