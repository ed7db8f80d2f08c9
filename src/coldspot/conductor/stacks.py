"""A lead that is a semi-infinite stack of equal cells: its surface Green's function by decimation."""

import functools
import itertools
import math
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_complex, check_type, concrete
from ..baths import ElectronBath
from ..numerics.dense import adjoint, inverse, product
from .device import hermitian_rule
from .leads import Lead, checked_sites

DOUBLINGS = 24
"""Steps of the decimation, each of which doubles the length of the stack."""
BROADENED = ((1e-5, 4), (1e-3, 6), (1e-2, 8))
"""Imaginary parts η of the energy, in units of the largest entry of the cell and the hopping, and the number of points
η, 2η, … of the extrapolation to 0. Small ones are for band edges, the large one for levels of a single cell."""
NEWTON_STEPS = 6
NEAR, AT_LEAST = 1e3, 1e-9
"""How long a step of Newton's method may be, in units of the doubt about its start, and in those of the cell."""
OPPOSITE = 1e-7
"""Waves whose product of phases is 1 up to this say nothing about their mixture."""
ALIKE = 1e-12
"""What may be left of commutators of matrices with common eigenvectors, relative to their size."""
MIX = np.array([1.0, 0.6180339887, 0.4142135624])
"""Weights of Hermitian matrices in a sum whose eigenvectors are those of each."""


class StackLead(Lead):
    """A semi-infinite stack of equal cells: a molecule's electrode, a nanowire, a ribbon, an armchair or zigzag tube.

    - `sites`: the conductor's sites that the first cell touches;
    - `block` (orbital, orbital): the Hermitian matrix h of a cell;
    - `hopping` (orbital, orbital): t = ⟨cell n|H|cell n+1⟩, n rising away from the conductor;
    - `contact` (site, orbital): c = ⟨site|H|cell 0⟩;
    - `bath`: an `ElectronBath`.

    Σ = c g c†, g = (ε − h − t g t†)⁻¹. If h, t and t† have common eigenvectors, as the cells of a square lattice, each
    of these is a chain, and Σ is exact. Else it is found by decimation (M. P. López Sancho, J. M. López Sancho and
    J. Rubio, "Highly convergent schemes for the calculation of bulk and surface Green functions"), extrapolated to
    real energies, and made right to rounding by Newton's method; at a band edge itself half of the digits remain. Of
    one orbital `ChainLead` is the same.

    >>> import coldspot as cs
    >>> chain = StackLead(0, block=[[0.0]], hopping=[[1.0]], contact=[[0.5]], bath=cs.ElectronBath(0.1))
    >>> f"{chain.self_energy(jnp.zeros(1), jnp.zeros(1))[0, 0, 0].imag:.12f}"  # as of a `ChainLead`
    '-0.250000000000'
    """

    sites: tuple[int, ...] = eqx.field(static=True)
    block: Array
    hopping: Array
    contact: Array
    bath: ElectronBath
    apart: bool = eqx.field(static=True)
    rank: int = eqx.field(static=True)

    def __init__(self, sites: Any, block: Any, hopping: Any, contact: Any, bath: ElectronBath):
        self.sites = checked_sites("StackLead", sites)
        self.block, self.hopping, self.contact = map(as_complex, (block, hopping, contact))
        shape, many = self.block.shape, len(self.sites)
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
            raise InputError(f"StackLead: `block` must be a square matrix, but has shape {shape}.")
        for name, value, expected in (("hopping", self.hopping, shape), ("contact", self.contact, (many, shape[0]))):
            if value.shape != expected:
                raise InputError(f"StackLead: `{name}` must have shape {expected}, but has shape {value.shape}.")
        check_type("StackLead", "bath", bath, ElectronBath)
        self.bath = bath
        cell, step = concrete(self.block), concrete(self.hopping)
        self.apart, self.rank = False, shape[0]
        if cell is not None and step is not None and np.all(np.isfinite(cell)) and np.all(np.isfinite(step)):
            self.apart = _commute(cell, step, step.conj().T)
            self.rank = max(int(np.linalg.matrix_rank(step)), 1)

    def rules(self) -> Iterable[Rule]:
        yield hermitian_rule("block", self.block)
        for name in ("hopping", "contact"):
            value = getattr(self, name)
            yield Rule(jnp.all(jnp.isfinite(value)), lambda name=name: f"`{name}` must be finite, but is not.")
        yield Rule(jnp.any(self.hopping != 0), lambda: "`hopping` must not be 0 (the bands then have no width).")

    def kinks(self) -> list[Array]:
        """Band edges at the centre and the border of the zone; others are found by the integrals."""
        both = self.hopping + adjoint(self.hopping)
        edges = jnp.concatenate([jnp.linalg.eigvalsh(self.block + sign * both) for sign in (1, -1)])
        return list(jax.lax.stop_gradient(edges))

    def self_energy(self, centre: Array, offset: Array) -> Array:
        energies = (centre + offset)[..., None, None]
        eye = jnp.eye(self.block.shape[-1])
        inside = _inside(energies, self.block, self.hopping, self.rank, self.apart)
        green = inverse(energies * eye - self.block - inside)
        return product(product(self.contact, green), adjoint(self.contact))


def _commute(*matrices: np.ndarray) -> bool:
    pairs = itertools.combinations(matrices, 2)
    return all(np.abs(a @ b - b @ a).max() <= ALIKE * np.abs(a).max() * np.abs(b).max() * len(a) for a, b in pairs)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _inside(energies: Array, block: Array, hopping: Array, rank: int, apart: bool) -> Array:
    """X = t g t† (…, orbital, orbital) of a stack without its first cell, at energies (…, 1, 1).

    `rank` of t, or more; `apart`: whether h, t and t† have common eigenvectors.
    """
    return _of_modes(energies, block, hopping) if apart else _decimated(energies, block, hopping, rank)


@_inside.defjvp
def _inside_jvp(rank: int, apart: bool, primals: Any, tangents: Any) -> Any:
    """Of X = t (ε − h − X)⁻¹ t†: dX = dF + a dX b with F the right side at a fixed X, a = t g and b = g t†."""
    energies, block, hopping = primals
    found = _inside(energies, block, hopping, rank, apart)

    def green(energies: Array, block: Array) -> Array:
        return inverse(energies * jnp.eye(block.shape[-1]) - block - found)

    def right(energies: Array, block: Array, hopping: Array) -> Array:
        return product(product(hopping, green(energies, block)), adjoint(hopping))

    _, change = jax.jvp(right, primals, tangents)
    reached, n = _reached(hopping, rank), rank
    back = product(green(energies, block), adjoint(hopping))
    out = product(adjoint(reached), product(hopping, green(energies, block)))
    a, b = product(out, reached), product(adjoint(reached), product(back, reached))
    moved = product(product(out, change), product(back, reached))
    # The rows of a Y b, written one after the other.
    slope = jnp.eye(n * n) - jnp.einsum("...ij,...kl->...ilkj", a, b).reshape(*moved.shape[:-2], n * n, n * n)
    rest = product(inverse(slope), moved.reshape(*moved.shape[:-2], n * n, 1)).reshape(moved.shape)
    return found, change + product(product(reached, rest), adjoint(reached))


def _reached(hopping: Array, rank: int) -> Array:
    """Vectors (orbital, rank) of the space that t reaches."""
    if rank == hopping.shape[-1]:
        return jnp.eye(rank) + 0j
    return jax.lax.stop_gradient(jnp.linalg.svd(hopping)[0][:, :rank])


@jax.jit
def _of_modes(energies: Array, block: Array, hopping: Array) -> Array:
    """X of matrices with common eigenvectors: a chain for each, at any energy."""
    mixed = MIX[0] * block + MIX[1] * (hopping + adjoint(hopping)) + 1j * MIX[2] * (hopping - adjoint(hopping))
    _, vectors = jnp.linalg.eigh(mixed)
    own, step = (product(product(adjoint(vectors), part), vectors) for part in (block, hopping))
    off = (jnp.abs(part - jnp.diag(jnp.diagonal(part))) for part in (own, step))
    size = jnp.max(jnp.abs(block)) + jnp.max(jnp.abs(hopping))
    x = energies[..., 0] - jnp.diagonal(own).real
    square = jnp.abs(jnp.diagonal(step)) ** 2
    # |t|²g = [x − √(x²−4|t|²)]/2, with the root that is retarded or falls off; without cancellation.
    low, high = x - 2 * jnp.sqrt(square), x + 2 * jnp.sqrt(square)
    inside = low * high < 0
    root = jnp.sqrt(jnp.abs(low * high))
    outer = x + jnp.where(x < 0, -root, root)
    value = jnp.where(inside, (x - 1j * root) / 2, 2 * square / jnp.where(inside | (outer == 0), 1.0, outer))
    # What was built of other matrices than these is no number.
    good = sum(jnp.max(part) for part in off) <= 1e3 * ALIKE * block.shape[-1] * size
    return jnp.where(good, product(vectors * value[..., None, :], adjoint(vectors)), jnp.nan)


def _decimated(energies: Array, block: Array, hopping: Array, rank: int) -> Array:
    """X of any matrices."""
    inside, doubt = _surface(energies, block, hopping)
    return _polished(energies, block, hopping, inside, doubt, rank)


def _surface(energies: Array, block: Array, hopping: Array) -> tuple[Array, Array]:
    """X by decimation.

    Also by how much another order of the extrapolation differs (…, 1, 1).
    """
    size = jnp.maximum(jnp.max(jnp.abs(block)), jnp.max(jnp.abs(hopping)))
    steps = np.concatenate([eta * np.arange(1, many + 1) for eta, many in BROADENED])
    energies = energies + 1j * size * steps.reshape(-1, *(1,) * energies.ndim)
    eye = jnp.eye(block.shape[-1])
    whole = jnp.broadcast_to(block, (*energies.shape[:-2], *block.shape))
    ways = (jnp.broadcast_to(part, whole.shape) for part in (hopping, adjoint(hopping)))

    def step(_: Any, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        first, bulk, out, back = state
        green = inverse(energies * eye - bulk)
        there, here = product(out, green), product(back, green)
        return (
            first + product(there, back),
            bulk + product(there, back) + product(here, out),
            product(there, out),
            product(here, back),
        )

    first, *_ = jax.lax.fori_loop(0, DOUBLINGS, step, (whole, whole, *ways))
    found, doubts, start = [], [], 0
    for _, many in BROADENED:
        one, other = (jnp.tensordot(_weights(n), (first - block)[start : start + n], 1) for n in (many, many - 1))
        found.append(one)
        doubts.append(jnp.max(jnp.abs(one - other), axis=(-2, -1), keepdims=True))
        start += many
    best, doubt = found[0], doubts[0]
    for one, own in zip(found[1:], doubts[1:], strict=True):
        better = ~(doubt <= own)
        best, doubt = jnp.where(better, one, best), jnp.where(better, own, doubt)
    return best, doubt


def _weights(many: int) -> Array:
    """Of the values at η, 2η, … in the polynomial through them at 0."""
    return jnp.array([(-1) ** k * math.comb(many, k + 1) for k in range(many)], complex)


def _polished(energies: Array, block: Array, hopping: Array, start: Array, doubt: Array, rank: int) -> Array:
    """The root X of X = t (ε − h − X)⁻¹ t† next to a start; within the space that t reaches, X = U x U†, t = U s.

    Where two waves have opposite phases the equation says nothing about their mixture, which stays as it is, and steps
    far beyond the doubt about the start are not taken. At a band edge the root is a double one, and twice the step of
    Newton's method the right one.
    """
    eye = jnp.eye(block.shape[-1])
    reached = _reached(hopping, rank)
    least = AT_LEAST * jnp.maximum(jnp.max(jnp.abs(block)), jnp.max(jnp.abs(hopping)))
    out = product(adjoint(reached), hopping)

    def off(x: Array) -> tuple[Array, Array]:
        green = inverse(energies * eye - block - product(product(reached, x), adjoint(reached)))
        return x - product(product(out, green), adjoint(out)), green

    def step(x: Array, _: None) -> tuple[Array, None]:
        wrong, green = off(x)
        # The equation of dx − a dx b = −wrong.
        a = product(product(out, green), reached)
        b = product(product(adjoint(reached), green), adjoint(out))
        change = _stein(a, b, wrong)
        near = jnp.max(jnp.abs(change), axis=(-2, -1), keepdims=True) <= NEAR * doubt + least
        size = jnp.sum(jnp.abs(wrong), axis=(-2, -1), keepdims=True)
        best = x
        for better in (x - change, x - 2 * change):
            found = jnp.sum(jnp.abs(off(better)[0]), axis=(-2, -1), keepdims=True)
            good = (found < size) & near
            best, size = jnp.where(good, better, best), jnp.where(good, found, size)
        return best, None

    inner = product(product(adjoint(reached), start), reached)
    found = jax.lax.scan(step, inner, None, NEWTON_STEPS)[0]
    return product(product(reached, found), adjoint(reached))


def _stein(a: Array, b: Array, right: Array) -> Array:
    """The solution of X − a X b = right (…, n, n) by the eigenvectors of a and b, which are waves, and their phases."""
    good = jnp.all(jnp.isfinite(a) & jnp.isfinite(b), axis=(-2, -1), keepdims=True)
    (one, left), (other, back) = (jnp.linalg.eig(jnp.where(good, part, jnp.eye(a.shape[-1]))) for part in (a, b))
    apart = 1 - one[..., :, None] * other[..., None, :]
    open_ = jnp.abs(apart) > OPPOSITE
    inner = product(product(inverse(left), right), back)
    inner = jnp.where(open_, inner / jnp.where(open_, apart, 1.0), 0.0)
    return product(product(left, inner), inverse(back))
