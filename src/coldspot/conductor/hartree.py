"""The static (Hartree) shift of a conductor's levels by its modes, to second order in their couplings: one point.

A mode that electrons push stands aside on average. With unit mass its displacement is ⟨u_m⟩ = −tr[M^mρ]/Ω_m², ρ the
density matrix ∫dε/2π Σ_α f_αA_α of the conductor without modes, and electrons see the levels H + V, V = Σ_m ⟨u_m⟩M^m.
If electrons act back on the modes, so do they here: ⟨u⟩ = −(Ω² + Π(0))⁻¹ tr[Mρ]. (One mode on one level:
V = −M²n/Ω², that is −2g²n/Ω for a coupling g(a + a†) with g = M/√(2Ω).)

To the order of all of the ledger, M², a lead gives, beside the rest,

∫dε/2π Σ_β δT_αβ (f_α−f_β), δT_αβ = 2Re tr[Γ_αG V A_β],

and the same with ε − μ_α of heat. V is Hermitian and does not depend on energy: electrons stay at theirs, what one lead
gives at an energy others take, and the modes get nothing. (M. Paulsson, T. Frederiksen and M. Brandbyge, "Modeling
inelastic phonon scattering in atomic- and molecular-wire junctions".)
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.adaptive import FULL, Effort, integral
from ..numerics.dense import inverse, product
from ..numerics.digamma import digamma
from ..occupation import fermi
from ..pytrees import Table
from .electron_response import ROUNDING, electrons, energies_of, states, trace
from .landauer import baths_of, both_ways, careful, gaps, seen_from
from .poles import poles_of, widths_of
from .resonances import Resonances, resonances, wide
from .second_order import SecondOrder
from .vibrations import Modes

FAR = 1e16
"""Where filled states end, in units of the largest energy: spectral functions fall off as the square of its inverse."""
FILLED = Effort(pieces=4, block=24, room=768)
"""Of the integral over all filled states, down to far below the conductor."""


Method = Callable[[Array, Table, Modes], tuple[SecondOrder, SecondOrder, Array]]


class Shift(NamedTuple):
    """What the shift adds to particles and heats into the conductor (lead), or bounds of the errors; its ∫|·|."""

    particles: Array
    heats: Array
    size: Array


def with_shift(method: Method) -> Method:
    """All else of the second order, and what the shift adds to it if the modes ask for that."""

    def both(hamiltonian: Array, leads: Table, modes: Modes) -> tuple[SecondOrder, SecondOrder, Array]:
        value, bound, converged = method(hamiltonian, leads, modes)
        if not modes.hartree:
            return value, bound, converged
        more, doubt, known = hartree(hamiltonian, leads, modes)
        return _added(value, more), _added(bound, doubt), converged & known

    return both


def _added(all_: SecondOrder, more: Shift) -> SecondOrder:
    return all_._replace(
        particles=all_.particles + more.particles, heats=all_.heats + more.heats, quasi=all_.quasi + more.size
    )


def densities(hamiltonian: Array, leads: Table, couplings: Array, known: Resonances) -> tuple[Array, Array, Array]:
    """tr[M^mρ] (mode), bounds of the errors, and whether an integral has converged: no state outside of bands is in it.

    Between wide bands it is a sum over poles, dark ones included: as A_β falls off as the square of energy, constants
    of the primitive ψ(½ + i(λ−μ)/2πT) − iπ/2 of f/(ε−λ) drop out.
    """
    potentials, temperatures = baths_of(leads)
    if wide(leads):
        poles = poles_of(hamiltonian, widths_of(leads, hamiltonian.shape[-1]))
        reduced = (poles.places - potentials[:, None]) / (2 * jnp.pi * temperatures[:, None])
        primitive = digamma(0.5 + 1j * reduced) - 0.5j * jnp.pi
        parts = primitive * jnp.einsum("mij,jp,api->map", couplings, poles.right, poles.rows) / jnp.pi
        sizes = jnp.abs(primitive) * jnp.einsum(
            "mij,jp,api->map", *(jnp.abs(part) for part in (couplings, poles.right, poles.rows))
        )
        noise = ROUNDING * jax.lax.stop_gradient(poles.condition * jnp.sum(sizes, axis=(1, 2))) / jnp.pi
        return jnp.sum(parts.real, axis=(1, 2)), noise, jnp.asarray(True)

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        filled = fermi(seen_from(potentials, temperatures, centre, offset).reduced)[..., None, None]
        rho = jnp.sum(states(hamiltonian, leads, centre, offset).spectral * filled, axis=0)
        pushed, sizes = trace(couplings[:, None], rho[None]), trace(jnp.abs(couplings)[:, None], jnp.abs(rho)[None])
        return pushed / (2 * jnp.pi), ROUNDING * jax.lax.stop_gradient(sizes) / (2 * jnp.pi)

    modes = couplings.shape[0]
    window = energies_of(hamiltonian, leads, jnp.zeros(()), FAR, known)
    found = integral(integrand, window, modes, careful(leads, FILLED), groups=(modes,))
    return found.value, found.error, found.converged


def hartree(hamiltonian: Array, leads: Table, modes: Modes) -> tuple[Shift, Shift, Array]:
    """What the shift adds, bounds of the errors, and whether all integrals have converged."""
    potentials, temperatures = baths_of(leads)
    couplings, many = modes.couplings, len(leads)
    known = resonances(hamiltonian, leads)
    pushed, unsure, good = densities(hamiltonian, leads, couplings, known)
    stiffness, doubt = jnp.diag(modes.frequencies**2), jnp.zeros(())
    if modes.back_action:
        found = electrons(hamiltonian, leads, couplings, jnp.zeros(()), known=known)
        stiffness, doubt, good = stiffness + found.retarded.real, found.error, good & found.converged
    yielding = inverse(stiffness + 0j).real
    displacements = -yielding @ pushed
    unsure = jnp.abs(yielding) @ (unsure + doubt * jnp.sum(jnp.abs(displacements)))
    shift, open_ = (
        jnp.einsum("m,mij->ij", *part) for part in ((displacements, couplings), (unsure, jnp.abs(couplings)))
    )

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        found = states(hamiltonian, leads, centre, offset)
        seen = seen_from(potentials, temperatures, centre, offset)
        ways, spectral = product(found.widths, found.green[None]), found.spectral
        gap = gaps(potentials, temperatures, seen)
        turned = 2 * trace(product(ways, shift)[:, None], spectral[None])
        # In equilibrium nothing flows, and panels are right for the derivatives if they are for what passes both ways.
        into, both = turned * gap, jax.lax.stop_gradient(turned * both_ways(seen.reduced))
        passing, passed = (jnp.sum(part, axis=(0, 1))[None] for part in (both, jnp.abs(both)))
        flow, gross = jnp.sum(into, axis=1), jnp.sum(jnp.abs(into), axis=1)
        sizes = product(jnp.abs(ways), ROUNDING * jnp.abs(shift) + open_)[:, None]
        noise = 2 * jnp.sum(trace(sizes, jnp.abs(spectral)[None]) * jnp.abs(gap), axis=1)
        size = jnp.sum(gross, axis=0)[None]
        values = jnp.concatenate([flow, flow * seen.above, passing, size])
        noises = jnp.concatenate([noise, noise * jnp.abs(seen.above), ROUNDING * passed, ROUNDING * size])
        return values / (2 * jnp.pi), jax.lax.stop_gradient(noises) / (2 * jnp.pi)

    window = energies_of(hamiltonian, leads, jnp.zeros(()), known=known)
    whole = integral(integrand, window, 2 * many + 2, careful(leads, FULL), groups=(many, many), loose=1)

    def sorted_(part: Array) -> Shift:
        return Shift(part[:many], part[many : 2 * many], part[-1])

    return sorted_(whole.value), sorted_(whole.error), whole.converged & good
