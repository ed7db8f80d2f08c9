"""States of a conductor that its leads give no width: outside of their bands, or dark in them. One point.

A chain's Σ(ε) is real outside of its band and falls with ε, so that each eigenvalue of H + Σ(ε) meets ε at most once
above all bands, and once below: where it stands at the band's edge decides whether it does, and bisection finds where.
There G^r has the pole P/(ε−ε_b) with P = |v⟩⟨v|/(1 − ⟨v|Σ′|v⟩), and the spectral function of the conductor has
2πP δ(ε−ε_b), which is in no A_α = G^rΓ_αG^a of a lead: no elastic current has to do with it, but modes take electrons
from it and to it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import adjoint, inverse, product
from ..occupation import bose, fermi
from ..pytrees import Table
from .green_functions import inverse_green
from .landauer import baths_of, without_width
from .leads import ChainLead, SelfEnergyLead
from .pair_rates import net_rate
from .resonances import half_bound, resonances, wide

BISECTIONS = 60
NEAR = 1e-10
"""Distance from a state, in units of all energies, at which G^r is that of this state alone."""
UNLINKED = 1e-7
"""Part of a coupling by which a mode may link a state that it does not link, but for what else is `NEAR`."""
AGREED = 1e-11
"""Difference of occupations that are the same."""


class BoundStates(NamedTuple):
    """States beyond the bands of chains: places (state), which of them there are, and P (state, site, site)."""

    places: Array
    exists: Array
    residues: Array


def beyond_bands(hamiltonian: Array, leads: Table) -> BoundStates:
    """The states above and below all bands of a conductor between chains; of other leads none are known."""
    n = hamiltonian.shape[-1]
    if not all(isinstance(lead, ChainLead) for lead in leads.values()):
        return BoundStates(jnp.zeros(2 * n), jnp.zeros(2 * n, bool), jnp.zeros((2 * n, n, n), complex))
    ends = [lead.kinks() for lead in leads.values()]
    low, high = jnp.min(jnp.stack([end[0] for end in ends])), jnp.max(jnp.stack([end[1] for end in ends]))

    def inverted(energy: Array) -> Array:
        return inverse_green(hamiltonian, leads, energy[None], jnp.zeros(1))[0]

    def hermitian(energy: Array) -> Array:
        matrix = inverted(energy)
        matrix = energy * jnp.eye(n) - (matrix + adjoint(matrix)) / 2
        # Bad numbers have their status; LAPACK need not see them.
        return jnp.where(jnp.all(jnp.isfinite(matrix)), matrix, jnp.eye(n))

    def one(at: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
        k, edge, start, side = at

        def halved(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            near, far = ends
            middle = (near + far) / 2
            further = side * (jnp.linalg.eigvalsh(hermitian(middle))[k] - middle) > 0
            return jnp.where(further, middle, near), jnp.where(further, far, middle)

        near, far = jax.lax.fori_loop(0, BISECTIONS, halved, jax.lax.stop_gradient((edge, start)))

        def weight(place: Array, vector: Array) -> Array:
            _, slope = jax.jvp(inverted, (place,), (jnp.ones(()),))
            return 1 / (jnp.conj(vector) @ slope @ vector).real

        # Bisection has no derivative: that of the place is that of a step of Newton's.
        place = jax.lax.stop_gradient((near + far) / 2)
        fixed = jax.lax.stop_gradient(jnp.linalg.eigh(hermitian(place))[1][:, k])
        left = (jnp.conj(fixed) @ inverted(place) @ fixed).real * jax.lax.stop_gradient(weight(place, fixed))
        place = place - (left - jax.lax.stop_gradient(left))
        vector = jnp.linalg.eigh(hermitian(place))[1][:, k]
        return place, weight(place, vector) * jnp.outer(vector, jnp.conj(vector))

    edges, side = jnp.repeat(jnp.stack([high, low]), n), jnp.repeat(jnp.array([1.0, -1.0]), n)
    start = jax.lax.map(lambda edge: jnp.linalg.eigvalsh(hermitian(edge)), jnp.stack([high, low])).reshape(-1)
    exists = side * (start - edges) > 0
    # What is none lies anywhere beyond.
    start = jnp.where(exists, start, edges + side * (1 + jnp.abs(edges)))
    nothing = jnp.zeros(2 * n), jnp.zeros((2 * n, n, n), complex)
    each = jnp.tile(jnp.arange(n), 2), edges, start, side
    places, residues = jax.lax.cond(jnp.any(exists), lambda: jax.lax.map(one, each), lambda: nothing)
    return BoundStates(places, exists, jnp.where(exists[:, None, None], residues, 0.0))


def others(hamiltonian: Array, leads: Table, couplings: Array) -> Array:
    """Whether modes link a state without width that is not beyond all bands."""
    hamiltonian, leads = jax.lax.stop_gradient((hamiltonian, leads))
    places, widths = resonances(hamiltonian, leads)
    bare, middle, size = without_width(hamiltonian, places, widths)
    bare &= ~half_bound(hamiltonian, leads, places, size)
    chains = [lead.kinks() for lead in leads.values() if isinstance(lead, ChainLead)]
    lows, highs = (jnp.stack([edge[side] for edge in chains]) if chains else jnp.zeros(0) for side in (0, 1))
    if len(chains) == len(leads):
        bare &= (places >= jnp.min(lows)) & (places <= jnp.max(highs))
    # In all bands at once a dark state is none on any site of a chain: its place is that of H alone. Else it is not
    # known well enough to see what it has to do with the modes.
    exact = jnp.all((places[:, None] >= lows) & (places[:, None] <= highs), axis=1)
    exact &= not any(isinstance(lead, SelfEnergyLead) for lead in leads.values())
    near = NEAR * (size + (size == 0))
    eye = jnp.eye(hamiltonian.shape[-1])
    safe = jnp.where(bare, places, middle)
    green = inverse(inverse_green(hamiltonian, leads, safe, jnp.zeros_like(safe)) + 1j * near * eye)
    pull = near * jnp.linalg.norm(product(couplings[:, None], green[None]), axis=(-2, -1))
    linked = pull > UNLINKED * jnp.linalg.norm(couplings, axis=(-2, -1))[:, None]
    return jnp.any(bare & (linked | (~exact & jnp.any(couplings != 0))))


def seen_by(couplings: Array, found: BoundStates) -> Array:
    """Which states (state) any of the modes links."""
    pull = jnp.linalg.norm(product(couplings[:, None], found.residues[None]), axis=(-2, -1))
    least = jnp.linalg.norm(couplings, axis=(-2, -1))[:, None] * jnp.linalg.norm(found.residues, axis=(-2, -1))
    return found.exists & jnp.any(pull > UNLINKED * least, axis=0)


def uncounted(hamiltonian: Array, leads: Table, couplings: Array) -> Array:
    """Whether modes link any state without width, of leads that are not all wide bands (for those see `poles`)."""
    if wide(leads):
        return jnp.asarray(False)
    return others(hamiltonian, leads, couplings) | jnp.any(seen_by(couplings, beyond_bands(hamiltonian, leads)))


class BoundPairs(NamedTuple):
    """Emission and absorption of a mode by electrons of bound states, what bosons gain, and whether all is known."""

    emission: Array
    absorption: Array
    gain: Array
    known: Array


def bound_pairs(hamiltonian: Array, leads: Table, coupling: Array, omega: Array, compared: Array) -> BoundPairs:
    """What electrons between a bound state and the leads do to a mode of the coupling M, 1/2Ω left out.

    E = Σ_bα tr[MA_α(ε_b+ω)MP_b] f_α(1−f_b) + tr[MP_bMA_α(ε_b−ω)] f_b(1−f_α), and A with f and 1−f exchanged, where
    f_b is what all leads agree on: the limit of a weak width. Bosons of the temperature `compared` gain E(1+n) − An.
    Between two bound states there are pairs at one frequency alone, which no narrow mode meets.
    """
    potentials, temperatures = baths_of(leads)
    found = beyond_bands(hamiltonian, leads)
    own = fermi((found.places[:, None] - potentials) / temperatures)
    differ = jnp.max(own, axis=1) - jnp.min(own, axis=1) > AGREED
    known = ~jnp.any(differ & seen_by(coupling[None], found)) & ~others(hamiltonian, leads, coupling[None])
    here = jnp.where(found.exists, own[:, 0], 0.0)
    emission, absorption, gain = jnp.zeros(()), jnp.zeros(()), jnp.zeros(())
    number = bose(omega / compared)
    between = product(product(coupling, found.residues), coupling)
    for sign in (1, -1):
        energies = found.places + sign * omega
        green = inverse(inverse_green(hamiltonian, leads, energies, jnp.zeros_like(energies)))
        for k, lead in enumerate(leads.values()):
            rows = jnp.asarray(lead.sites)
            sigma = lead.self_energy(energies, jnp.zeros_like(energies))
            columns = green[..., :, rows]
            spectral = product(product(columns, 1j * (sigma - adjoint(sigma))), adjoint(columns))
            weight = jnp.sum((between * jnp.swapaxes(spectral, -1, -2)).real, axis=(-2, -1))
            weight = jnp.where(found.exists, weight, 0.0)
            there = fermi((energies - potentials[k]) / temperatures[k])
            down, up = there * (1 - here), here * (1 - there)
            # Down to the bound state from above it emits, and up to it from below it absorbs.
            out, back = (down, up) if sign > 0 else (up, down)
            emission, absorption = emission + jnp.sum(weight * out), absorption + jnp.sum(weight * back)
            unlike = (temperatures[k] - temperatures[0]) / (temperatures[0] * temperatures[k])
            lean = (found.places - potentials[0]) * unlike + (potentials[k] - potentials[0]) / temperatures[k]
            colder = (omega / compared) * (temperatures[k] - compared) / temperatures[k]
            gain += jnp.sum(weight * net_rate(out, back, number, sign * lean + colder))
    return BoundPairs(emission, absorption, gain, known)
