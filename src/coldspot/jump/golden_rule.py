"""Golden-rule rates between many-electron eigenstates: how strongly leads and bosons couple them, and what is lost.

Transitions are numbered block by block: those of leads from state k with N−1 electrons to a with N, those of bosons
between two states of one block.
"""

import functools
import itertools
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Numbers
from ..numerics.dense import cholesky
from ..occupation import log_fermi_pair
from .eigenstates import Eigenstates
from .fock import Fock
from .graph import States
from .kinetics import Bosonic, Kinetics, Step, log_rate

NOISE = 1e-12
"""Amplitudes below it (of at most 1) are rounding."""
LISTED = 2**18
"""Transitions of a lead up to which they are lists, whose programs are smaller."""


class Steps(NamedTuple):
    """Where transitions lead, from the `initial` to the `final` states."""

    initial: States
    final: States


class Layer(States):
    """The states at one end of all transitions between blocks n−1 and n, (upper, lower) row by row, n = 1, 2, …

    As broadcasts and sums: lists of millions of indices take compilers minutes.
    """

    def __init__(self, sizes: tuple[int, ...], upper: bool):
        self.sizes, self.upper = sizes, upper
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()

    def __hash__(self) -> int:
        return hash((Layer, self.sizes, self.upper))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Layer):
            return (self.sizes, self.upper) == (other.sizes, other.upper)
        return super().__eq__(other)

    def __len__(self) -> int:
        return sum(a * b for a, b in itertools.pairwise(self.sizes))

    @functools.cached_property
    def array(self) -> np.ndarray:  # type: ignore[override]
        return np.concatenate([table.ravel() for table in self._tables()])

    def _tables(self) -> list[np.ndarray]:
        found = []
        for n in range(1, len(self.sizes)):
            rows, columns = np.arange(self.starts[n], self.starts[n + 1]), np.arange(self.starts[n - 1], self.starts[n])
            shape = (rows.size, columns.size)
            found.append(np.broadcast_to(rows[:, None] if self.upper else columns, shape))
        return found

    def of(self, numbers: Array) -> Array:
        parts = []
        for n in range(1, len(self.sizes)):
            k = n if self.upper else n - 1
            own = numbers[..., self.starts[k] : self.starts[k + 1]]
            wide = own[..., :, None] if self.upper else own[..., None, :]
            shape = (*own.shape[:-1], self.sizes[n], self.sizes[n - 1])
            parts.append(jnp.broadcast_to(wide, shape).reshape(*own.shape[:-1], -1))
        return jnp.concatenate(parts, axis=-1)

    def collect(self, numbers: Array, states: int) -> Array:
        found, at = [], 0
        for n in range(1, len(self.sizes)):
            count = self.sizes[n] * self.sizes[n - 1]
            table = numbers[at : at + count].reshape(self.sizes[n], self.sizes[n - 1])
            found.append(jnp.sum(table, axis=1 if self.upper else 0))
            at += count
        none = jnp.zeros(self.sizes[0 if self.upper else -1], numbers.dtype)
        return jnp.concatenate([none, *found] if self.upper else [*found, none])


@functools.lru_cache(maxsize=16)
def fillings(sizes: tuple[int, ...]) -> Steps:
    """The transitions of an electron that comes in, for blocks of these sizes."""
    ends = Layer(sizes, False), Layer(sizes, True)
    return Steps(*(ends if len(ends[0]) > LISTED else (States(end.array) for end in ends)))


@functools.lru_cache(maxsize=16)
def shifts(sizes: tuple[int, ...]) -> Steps:
    """The transitions within blocks of these sizes, from the later to the earlier state."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows, columns = zip(*(np.triu_indices(size, 1) for size in sizes), strict=True)
    final = np.concatenate([start + row for start, row in zip(starts, rows, strict=True)])
    initial = np.concatenate([start + column for start, column in zip(starts, columns, strict=True)])
    return Steps(States(initial), States(final))


# --------------------------------------------------------------------------- leads


def creators(space: Fock, blocks: list[Eigenstates], first: int = 0) -> list[Array]:
    """⟨a|d_i†|k⟩ for states a with N electrons and k with N−1, as (orbital, a, k) for N = `first` + 1, …"""
    found = []
    for n, (below, above) in enumerate(itertools.pairwise(blocks), first + 1):
        raised = space.signs[n][..., None] * below.vectors[space.parents[n]]
        found.append(_without_noise(jnp.conj(above.vectors.T) @ raised, 1.0))
    return found


def _without_noise(amplitudes: Array, size: Array | float) -> Array:
    """Amplitudes whose rounding is exactly 0; their derivatives stay."""
    noise = jnp.where(jnp.abs(amplitudes) > NOISE * size, 0.0, amplitudes)
    return amplitudes - jax.lax.stop_gradient(noise)


def roots(gammas: Array) -> Array:
    """F with F F† = Γ, of the level widths (lead, orbital) or (lead, orbital, orbital); no derivatives.

    As (lead, orbital, channel), or as (lead, orbital) if each orbital is reached by a channel of its own.
    """
    gammas = jax.lax.stop_gradient(gammas)
    return jnp.sqrt(gammas) if gammas.ndim == 2 else cholesky(gammas)[0]


def by_one_channel(root: Array) -> tuple[Array, Array]:
    """The same (lead, orbital, 1) if each lead has no more than one channel, and whether that is so."""
    used = root != 0 if root.ndim == 2 else jnp.any(root != 0, axis=1)
    return root[..., None] if root.ndim == 2 else jnp.sum(root, axis=2, keepdims=True), jnp.all(jnp.sum(used, 1) <= 1)


def reached(root: Array, creator: Array) -> Array:
    """Σ_i F_im ⟨a|d_i†|k⟩ (lead, channel, a, k), by which electrons of each lead reach a from k; no derivatives.

    F as of `roots` or `by_one_channel`.
    """
    creator = jax.lax.stop_gradient(creator)
    if root.ndim == 2:
        return root[..., None, None] * creator
    largest = jnp.sqrt(jnp.max(jnp.sum(squared(root), axis=2), axis=1))[:, None, None, None]
    return _without_noise(jnp.einsum("lim,iak->lmak", root, creator), largest)


def widths(gammas: Array, creator: Array) -> Array:
    """Γ_ak = Σ_ij Γ_ij ⟨a|d_i†|k⟩⟨k|d_j|a⟩ of each lead, as (lead, a, k)."""
    if gammas.ndim == 2:
        return jnp.einsum("li,iak->lak", gammas, squared(creator))
    # The sum of squares has no negative rounding; the double sum has the derivatives, where Γ is singular too.
    value = through(reached(roots(gammas), creator))
    linear = jnp.einsum("iak,lij,jak->lak", creator, gammas, jnp.conj(creator)).real
    return jax.lax.stop_gradient(value - linear) + linear


def through(amplitudes: Array) -> Array:
    """Σ_m |F_mak|² (lead, a, k): the value of Γ_ak, without derivatives."""
    return jnp.sum(squared(amplitudes), axis=1)


def in_line(every: list[Array]) -> Array:
    """Of rates (lead, a, k) for each number of electrons: (lead, transition)."""
    return jnp.concatenate([rates.reshape(len(rates), -1) for rates in every], axis=1)


def squared(amplitudes: Array) -> Array:
    """|amplitude|²."""
    return amplitudes.real**2 + amplitudes.imag**2


# --------------------------------------------------------------------------- bosons


class BosonSteps(Kinetics):
    """The rates of `law` times the `strength` |⟨a|M|b⟩|² of each transition; one of exactly 0 is closed.

    Where two levels of one energy have no strength, rates of the law may diverge.
    """

    detailed_balance: ClassVar[bool] = True
    strength: Numbers
    law: Bosonic

    @property
    def smoothness(self) -> int:
        return self.law.smoothness

    @property
    def open(self) -> Array:
        return (self.strength > 0) & self.law.open

    def log_rates(self, step: Step) -> tuple[Array, Array]:
        closed, scale = self.strength == 0, log_rate(self.strength)
        safe = step._replace(energy=jnp.where(closed, 1.0, step.energy), exponent=jnp.where(closed, 1.0, step.exponent))
        rates = zip(self.law.log_rates(safe), log_fermi_pair(step.exponent), strict=True)
        up, down = (scale + jnp.where(closed, nothing, rate) for rate, nothing in rates)
        return up, down


def shaken(elements: Array, space: Fock, blocks: list[Eigenstates]) -> list[Array]:
    """⟨a|M|b⟩ between the states of each block, of the flat matrix elements of M between filled orbitals."""
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(elements)))
    found = []
    for n, block in enumerate(blocks):
        matrix = elements[space.flat(n)].reshape(space.sizes[n], space.sizes[n])
        found.append(_without_noise(jnp.conj(block.vectors.T) @ matrix @ block.vectors, size))
    return found
