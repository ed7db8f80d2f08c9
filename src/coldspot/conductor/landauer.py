"""Currents through a conductor by integration over energy, for leads of any kind: one point of a batch.

particles_α = ∫dε/2π Σ_β T_αβ (f_α − f_β), heat_α the same with ε − μ_α (ħ = 1, one spin): positive into the conductor.
The integrals know resonances, band edges and the thermal window; see `numerics.adaptive`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.adaptive import FULL, Effort, Integral, integral, sides
from ..numerics.dense import EPS
from ..occupation import fermi
from ..pytrees import Table
from .green_functions import Contacts, contacts, pairs_of, transmissions_of_pairs
from .leads import SelfEnergyLead, causal
from .long_devices import Slices, sliced_contacts, sliced_resonances
from .resonances import half_bound, resonances

REACH = 90.0
"""Fermi functions are followed to e^{−90}."""
NARROWEST = 1e-15
"""Half width, relative to the conductor's energies, below which a state is not tied to any lead."""
DISAGREE = 1e-3
"""Difference of the leads' Fermi functions at a state without width from which its occupation is open."""


class Flows(NamedTuple):
    """Particles and heat into the conductor (lead), or bounds of their errors."""

    particles: Array
    heats: Array


class Found(NamedTuple):
    """What an integral gave, and what is wrong with it: no convergence, a state without width, a lead that gives."""

    value: Flows
    error: Flows
    converged: Array
    unique: Array
    causal: Array


class Energies(NamedTuple):
    """Nodes seen from each lead (lead, node): energy from μ, and in units of the temperature."""

    above: Array
    reduced: Array


def baths_of(leads: Table) -> tuple[Array, Array]:
    """Chemical potentials and temperatures (lead)."""
    baths = [lead.bath for lead in leads.values()]
    return jnp.stack([b.chemical_potential for b in baths]), jnp.stack([b.temperature for b in baths])


def seen_from(potentials: Array, temperatures: Array, centre: Array, offset: Array) -> Energies:
    above = (centre - potentials[:, None]) + offset
    return Energies(above, above / temperatures[:, None])


def without_width(hamiltonian: Array | Slices, places: Array, widths: Array) -> tuple[Array, Array, Array]:
    """Which resonances have none, the middle of the levels, and the size of all distances to it."""
    if isinstance(hamiltonian, Slices):
        middle = jnp.sum(jnp.trace(hamiltonian.diagonal, axis1=-2, axis2=-1)).real / hamiltonian.sites
    else:
        middle = jnp.trace(hamiltonian).real / hamiltonian.shape[-1]
    size = jnp.max(jnp.abs(places - middle) + jnp.abs(widths))
    return widths <= NARROWEST * size, middle, size


def careful(leads: Table, effort: Effort) -> Effort:
    """The same, or looking for what a self-energy of one's own may hide."""
    return effort._replace(hidden=any(isinstance(lead, SelfEnergyLead) for lead in leads.values()))


def over_window(
    hamiltonian: Array | Slices,
    leads: Table,
    function: Callable[[Contacts, Energies], tuple[Array, Array]],
    components: int,
    effort: Effort = FULL,
) -> tuple[Integral, Array, Array]:
    """∫dε of (component, node) that have their rounding errors, with the unevenness of the window in the errors.

    Also whether every state has a width or an occupation that all leads agree on, and whether every self-energy is
    causal at all nodes.
    """
    potentials, temperatures = baths_of(leads)
    if isinstance(hamiltonian, Slices):
        places, widths = sliced_resonances(hamiltonian, leads)
    else:
        places, widths = resonances(hamiltonian, leads)
    bound, middle, size = without_width(hamiltonian, places, widths)
    filled = fermi((places - potentials[:, None]) / temperatures[:, None])
    kept = bound
    if not isinstance(hamiltonian, Slices):
        kept = bound & ~half_bound(hamiltonian, leads, places, size)
    unique = ~jnp.any(kept & (jnp.max(filled, axis=0) - jnp.min(filled, axis=0) > DISAGREE))
    kinks = [kink for lead in leads.values() for kink in lead.kinks()]
    centres = jnp.concatenate([potentials, places, *(kink[None] for kink in kinks)])
    spread = jnp.concatenate([jnp.pi * temperatures, jnp.where(bound, jnp.inf, widths), jnp.zeros(len(kinks))])
    is_kink = jnp.arange(centres.size) >= centres.size - len(kinks)
    low = jnp.min(potentials - REACH * temperatures)
    high = jnp.max(potentials + REACH * temperatures)
    s = sides(centres, spread, is_kink, low, high)

    given = [lead for lead in leads.values() if isinstance(lead, SelfEnergyLead)]

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        seen = seen_from(potentials, temperatures, centre, offset)
        if isinstance(hamiltonian, Slices):
            found = sliced_contacts(hamiltonian, leads, centre, offset, doubts=True)
        else:
            found = contacts(hamiltonian, leads, centre, offset)
        values, noise = function(found, seen)
        # How much of the window has a lead that gives more than it takes.
        bad = [~causal(lead.self_energy(centre, offset)) for lead in given]
        more = jnp.sum(jnp.asarray(bad) * 1.0, axis=0)[None] if bad else values[:0]
        return jnp.concatenate([values, more]), jnp.concatenate([noise, jnp.zeros_like(more)])

    found = integral(integrand, s, components + bool(given), careful(leads, effort))
    good = found.value[components:] == 0
    value, error, sizes = (part[:components] for part in found[:3])
    found = Integral(value, error, sizes, found.converged)
    # Rounding moves resonances against the Fermi edges.
    apart = jnp.min(jnp.abs(places - potentials[:, None]), axis=0) + jnp.pi * jnp.min(temperatures) + jnp.abs(widths)
    many = 1.0 if isinstance(hamiltonian, Slices) else hamiltonian.shape[-1]
    reach = many * size + jnp.abs(middle - potentials[0])
    moved = jnp.max(jnp.where(bound, 0.0, EPS * reach / apart))
    error = found.error + jax.lax.stop_gradient(moved) * found.size
    return found._replace(error=error), unique, jnp.all(good)


def flows(hamiltonian: Array | Slices, leads: Table, effort: Effort = FULL) -> Found:
    """The currents of one conductor."""
    potentials, temperatures = baths_of(leads)
    many = len(leads)
    into, out_of = np.array(pairs_of(many), int).reshape(-1, 2).T
    higher = (potentials[out_of] - potentials[into])[:, None]
    warmer = ((temperatures[out_of] - temperatures[into]) / temperatures[into])[:, None]

    def integrand(c: Contacts, seen: Energies) -> tuple[Array, Array]:
        values, errors = transmissions_of_pairs(c)
        x, y = seen.reduced[into], seen.reduced[out_of]
        lean = (seen.above[into] * warmer + higher) / temperatures[out_of, None]
        f = fermi_gap(x, y, lean)
        doubt = errors + EPS * (8 + steepness(x, y, lean)) * values

        def by_lead(part: Array) -> Array:
            return jnp.sum(part.reshape(many, many - 1, part.shape[-1]), axis=1)

        flow, noise = by_lead(values * f), jax.lax.stop_gradient(by_lead(doubt * jnp.abs(f)))
        # In equilibrium nothing flows, and panels are right for the derivatives if they are for what passes both ways.
        ways = fermi(x) * fermi(-y) + fermi(-x) * fermi(y)
        passing, unsure = (jax.lax.stop_gradient(jnp.sum(part * ways, axis=0)[None]) for part in (values, doubt))
        return (
            jnp.concatenate([flow, flow * seen.above, passing]) / (2 * jnp.pi),
            jnp.concatenate([noise, noise * jnp.abs(seen.above), unsure]) / (2 * jnp.pi),
        )

    found, unique, good = over_window(hamiltonian, leads, integrand, 2 * many + 1, effort)
    value, error = (Flows(part[:many], part[many:-1]) for part in (found.value, found.error))
    return Found(value, error, found.converged, unique, good)


def gaps(potentials: Array, temperatures: Array, seen: Energies) -> Array:
    """f_α − f_β (α, β, node) of all leads."""
    unlike = ((temperatures - temperatures[:, None]) / temperatures[:, None])[..., None]
    lean = seen.above[:, None] * unlike + (potentials - potentials[:, None])[..., None]
    return fermi_gap(seen.reduced[:, None], seen.reduced[None], lean / temperatures[None, :, None])


def both_ways(reduced: Array) -> Array:
    """f_α(1−f_β) + (1−f_α)f_β (α, β, node) of all leads: in equilibrium no f_α − f_β, but what makes their slopes."""
    x, y = reduced[:, None], reduced[None]
    return fermi(x) * fermi(-y) + fermi(-x) * fermi(y)


def steepness(x: Array, y: Array, difference: Array) -> Array:
    """How much the relative rounding of x and y grows in f(x) − f(y): e^{−x} loses x roundings until it is 0."""
    tails = jnp.where(difference < 0, jnp.maximum(x, 0) + jnp.maximum(-y, 0), jnp.maximum(y, 0) + jnp.maximum(-x, 0))
    return jnp.minimum(tails, 750.0)


@jax.custom_jvp
def fermi_gap(x: Array, y: Array, difference: Array) -> Array:
    """f(x) − f(y), given x − y too: its relative error is that of the difference."""
    colder = difference < 0
    larger = jnp.where(colder, fermi(x) * fermi(-y), -fermi(y) * fermi(-x))
    return -larger * jnp.expm1(-jnp.abs(difference))


@fermi_gap.defjvp
def _fermi_gap_jvp(primals: Any, tangents: Any) -> Any:
    # The difference follows from the others.
    (x, y, difference), (dx, dy, _) = primals, tangents
    return fermi_gap(x, y, difference), fermi(y) * fermi(-y) * dy - fermi(x) * fermi(-x) * dx
