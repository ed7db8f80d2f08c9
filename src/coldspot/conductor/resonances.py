"""Where a conductor's Green's function is narrow: its poles, by energy and half width.

With wide bands the poles are the eigenvalues of H − iΓ/2. A self-energy that depends on energy makes them roots of
ε ∈ eig(H + Σ(ε)); those that are narrow are weakly tied to the leads, so that Σ hardly moves them: a few steps of
ε → the nearest eigenvalue from several starts find them wherever they lie. They say where integrals look closely and
carry no derivatives.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import inverse
from ..pytrees import Table
from .green_functions import inverse_green
from .leads import WideBandLead

STEPS = 4
"""Steps from a start to a resonance."""
FEW = 8
"""Sites up to which every eigenvalue at every start is followed."""
AT_EDGE = 1e-10
"""How near to a band's edge, relative to all energies, a place is at it; and how far from there one looks at it."""
LEAST_WEIGHT = 1e-3
"""The weight of a state; what is none has some 1e-5 at that distance."""


class Resonances(NamedTuple):
    """Energies and half widths (resonance) of one conductor's poles, some of them more than once."""

    places: Array
    halfwidths: Array


def wide(leads: Table) -> bool:
    return all(isinstance(lead, WideBandLead) for lead in leads.values())


def resonances(hamiltonian: Array, leads: Table) -> Resonances:
    """Those of one conductor. They ask for loops of their own: integrals in an integral are given them."""
    hamiltonian, leads = jax.lax.stop_gradient((hamiltonian, leads))
    n = hamiltonian.shape[-1]
    middle = jnp.trace(hamiltonian).real / n

    def poles(energy: Array) -> Array:
        """Eigenvalues of H + Σ(energy), from the middle of the levels: an energy that all share costs no digits."""
        if wide(leads):
            return eigenvalues(-inverse_green(hamiltonian, leads, middle[None], jnp.zeros(1))[0])
        shift = inverse_green(hamiltonian, leads, energy[None], jnp.zeros(1))[0]
        bare = energy * jnp.eye(n) - hamiltonian
        return eigenvalues((hamiltonian - middle * jnp.eye(n)) + (bare - shift))

    if wide(leads):
        found = poles(middle)
        return Resonances(found.real + middle, jnp.abs(found.imag))
    bare = eigenvalues(hamiltonian - middle * jnp.eye(n)).real + middle
    known = [kink for lead in leads.values() for kink in lead.kinks()]
    starts = jnp.sort(jnp.stack([*known, jnp.min(bare), jnp.max(bare)]))
    starts = jnp.concatenate([(starts[1:] + starts[:-1]) / 2, middle[None], bare])
    if n > FEW:
        starts = middle[None]
    found = jax.lax.map(poles, starts).reshape(-1)

    def follow(pole: Array) -> Array:
        def step(k: Array, pole: Array) -> Array:
            near = poles(pole.real + middle)
            return near[jnp.argmin(jnp.abs(near - pole))]

        return jax.lax.fori_loop(0, STEPS, step, pole)

    found = jax.lax.map(follow, found)
    return Resonances(found.real + middle, jnp.abs(found.imag))


def half_bound(hamiltonian: Array, leads: Table, places: Array, size: Array) -> Array:
    """Which places without a width are no states: zeros of 1/G^r at the edge of a chain's band, where Σ′ diverges.

    A state of weight P makes G^r ~ P/δ at a distance δ. At the edge of a band that continues the conductor, as in a
    perfect chain, G^r grows as 1/√δ only: P is zero, and nothing can stay there. A state that stands at the edge of a
    band to which it has no link has its whole weight, and is one.
    """
    kinks = [kink for lead in leads.values() for kink in lead.kinks()]
    if not kinks:
        return jnp.zeros(places.shape, bool)
    hamiltonian, leads, size = jax.lax.stop_gradient((hamiltonian, leads, size))
    ends = jnp.stack(kinks)
    near = AT_EDGE * (size + jnp.max(jnp.abs(ends)))
    at_edge = jnp.min(jnp.abs(places[:, None] - ends), axis=1) <= near

    def weights() -> Array:
        distance = AT_EDGE * (size + (size == 0))
        found = inverse(inverse_green(hamiltonian, leads, places, jnp.full_like(places, distance)))
        return distance * jnp.linalg.norm(found, axis=(-2, -1))

    none = jax.lax.cond(jnp.any(at_edge), lambda: weights() < LEAST_WEIGHT, lambda: jnp.zeros(places.shape, bool))
    return at_edge & none


def eigenvalues(matrix: Array) -> Array:
    """Eigenvalues (n) of one matrix; of what is not finite those of the identity, as it has its status."""
    n = matrix.shape[-1]
    if n == 1:
        return matrix[0]
    if n == 2:
        mean, h = (matrix[0, 0] + matrix[1, 1]) / 2, (matrix[0, 0] - matrix[1, 1]) / 2
        root = jnp.sqrt(h**2 + matrix[0, 1] * matrix[1, 0])
        return jnp.stack([mean - root, mean + root])
    return jnp.linalg.eigvals(jnp.where(jnp.all(jnp.isfinite(matrix)), matrix, jnp.eye(n)))
