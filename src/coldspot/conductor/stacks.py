"""A lead that is a semi-infinite stack of equal cells: its surface Green's function by decimation."""

import math
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_complex, check_type
from ..baths import ElectronBath
from ..numerics.dense import adjoint, inverse, product
from .device import hermitian_rule
from .leads import Lead, checked_sites

DOUBLINGS = 20
"""Steps of the decimation, each of which doubles the length of the stack."""
BROADENED = ((1e-3, 6), (1e-2, 8))
"""Imaginary parts η of the energy, in units of the largest entry of the cell and the hopping, and the number of points
η, 2η, … of the extrapolation to 0. The small one is for band edges, the large one for levels of a single cell."""
POLISHED = 8
"""Orbitals of a cell up to which Newton's method takes away what is left of η near band edges."""
NEWTON_STEPS = 4


class StackLead(Lead):
    """A semi-infinite stack of equal cells: a molecule's electrode, a nanowire, a ribbon, an armchair or zigzag tube.

    - `sites`: the conductor's sites that the first cell touches;
    - `block` (orbital, orbital): the Hermitian matrix h of a cell;
    - `hopping` (orbital, orbital): t = ⟨cell n|H|cell n+1⟩, n rising away from the conductor;
    - `contact` (site, orbital): c = ⟨site|H|cell 0⟩;
    - `bath`: an `ElectronBath`.

    Σ = c g c†, g = (ε − h − t g t†)⁻¹ (M. P. López Sancho, J. M. López Sancho and J. Rubio, "Highly convergent schemes
    for the calculation of bulk and surface Green functions"), extrapolated to real energies. From a tenth of the cell's
    energies away from band edges on it is right to some 10⁻¹⁰ of the hopping, and to 10⁻⁸ where the energy is that of
    a single cell's level. Cells up to 8 orbitals are so near band edges, too; in larger ones the error at an edge
    itself is some 10⁻³. Of one orbital `ChainLead` is the exact form.

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
        inside, doubt = _surface(energies, self.block, self.hopping)
        if self.block.shape[-1] <= POLISHED:
            inside = _polished(energies, self.block, self.hopping, inside, doubt)
        green = inverse(energies * eye - self.block - inside)
        return product(product(self.contact, green), adjoint(self.contact))


def _surface(energies: Array, block: Array, hopping: Array) -> tuple[Array, Array]:
    """t g t† (…, orbital, orbital) of a stack without its first cell, at energies (…, 1, 1), by decimation.

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
    fine = doubts[0] < doubts[1]
    return jnp.where(fine, found[0], found[1]), jnp.where(fine, doubts[0], doubts[1])


def _weights(many: int) -> Array:
    """Of the values at η, 2η, … in the polynomial through them at 0."""
    return jnp.array([(-1) ** k * math.comb(many, k + 1) for k in range(many)], complex)


def _polished(energies: Array, block: Array, hopping: Array, start: Array, doubt: Array) -> Array:
    """The root X of X = t (ε − h − X)⁻¹ t† next to a start.

    Where two waves have opposite phases the equation says nothing about their mixture: steps beyond the doubt about the
    start are not taken.
    """
    n = block.shape[-1]
    eye = jnp.eye(n)
    back = adjoint(hopping)

    def off(x: Array) -> tuple[Array, Array]:
        green = inverse(energies * eye - block - x)
        return x - product(product(hopping, green), back), green

    def step(x: Array, _: None) -> tuple[Array, None]:
        wrong, green = off(x)
        left, right = product(hopping, green), product(green, back)
        # The rows of dX − (t g) dX (g t†), written one after the other.
        slope = jnp.eye(n * n) - jnp.einsum("...ij,...kl->...ilkj", left, right).reshape(*x.shape[:-2], n * n, n * n)
        change = product(inverse(slope), wrong.reshape(*x.shape[:-2], n * n, 1)).reshape(x.shape)
        better = x - change
        size, found = (jnp.sum(jnp.abs(part), axis=(-2, -1), keepdims=True) for part in (wrong, off(better)[0]))
        near = jnp.max(jnp.abs(change), axis=(-2, -1), keepdims=True) <= 10 * doubt
        return jnp.where((found < size) & near, better, x), None

    return jax.lax.scan(step, start, None, NEWTON_STEPS)[0]
