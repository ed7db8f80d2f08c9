"""Second-order currents of a conductor's modes, narrow or of a finite width: one point of a batch.

All of the second order is linear in the spectral function of a mode, so that a mode of finite width is an integral over
narrow ones, X(Ω) → ∫₀^∞ dω/2π A(ω) 2ω X(ω), with X(ω) the currents of a narrow mode of the frequency ω at the
temperature of its bath, and A = 2J/((ω²−Ω²)² + J²), D^r = (ω² − Ω² + iJ)⁻¹, J = γω for ohmic damping. Particles and
energy are conserved at each frequency. The quasi-elastic part has no end but falls off as A/ω.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.adaptive import Effort, Sides, integral, sides
from ..numerics.dense import positive_or_one
from ..pytrees import Table
from .inelastic import Bosons, Inelastic, inelastic
from .landauer import baths_of
from .poles import Poles, poles_of, widths_of
from .resonances import Resonances, resonances, wide
from .vibrations import Modes

FAR = 1e4
"""Where the integral ends, in units of the largest energy: the rest is its inverse cube."""
THERMAL = 40.0
"""Temperatures up to which bosons and electrons are followed."""
SAMPLES = 129
"""Energies of the window at which level widths that change with energy are looked at, beside those of the states."""
OUTER = Effort(pieces=1, block=2, room=256, target=1e-10)
INNER = Effort(pieces=1, block=12, room=768, target=1e-12)
"""Of the integral over frequencies, each node of which is one over energies."""


class SecondOrder(NamedTuple):
    """Particles and heats into the conductor (lead), energies into the modes (mode), or bounds of their errors.

    - `growing` (mode): where electrons emit into a mode of finite width faster than they absorb, by more than its
      damping; narrow modes are held by definition;
    - `floor`: the part of the energy that passes both ways below which its balance is not resolved;
    - `quasi` and `elastic`: sizes ∫|·| of the quasi-elastic correction and of the elastic current.
    """

    particles: Array
    heats: Array
    energies: Array
    growing: Array
    floor: Array
    quasi: Array
    elastic: Array


def second_order(hamiltonian: Array, leads: Table, modes: Modes) -> tuple[SecondOrder, SecondOrder, Array]:
    """The currents, bounds of their errors, and whether all integrals have converged."""

    known = poles_of(hamiltonian, widths_of(leads, hamiltonian.shape[-1])), resonances(hamiltonian, leads)

    def one(k: Array) -> tuple[Inelastic, Inelastic, Array]:
        bosons = Bosons(modes.frequencies[k], modes.couplings[k], modes.temperatures()[k])
        own = inelastic(hamiltonian, leads, bosons, known=known)
        if modes.dampings is None:
            return own
        return jax.lax.cond(modes.wide(k), lambda: _broad(hamiltonian, leads, modes, k, known, own), lambda: own)

    value, bound, converged = jax.lax.map(one, jnp.arange(modes.frequencies.size))
    rates = modes.rates()
    growing = (rates > 0) & (value.emission - value.absorption >= rates)
    return _joined(value, growing), _joined(bound, growing), jnp.all(converged)


def widest(hamiltonian: Array, leads: Table, modes: Modes) -> Array:
    """The most electrons per time that levels can pass to each lead (lead): the largest tr Γ_α(ε).

    It is looked for where electrons are, with a boson more or less, and at the states; a lead with a wide band has one.
    """
    if wide(leads):
        return jnp.stack([jnp.trace(lead.width()).real for lead in leads.values()])
    potentials, temperatures = baths_of(leads)
    reach = THERMAL * jnp.max(temperatures) + jnp.max(modes.frequencies)
    window = jnp.linspace(jnp.min(potentials) - reach, jnp.max(potentials) + reach, SAMPLES)
    places = jnp.concatenate([window, resonances(hamiltonian, leads)[0]])
    each = [lead.self_energy(places, jnp.zeros_like(places)) for lead in leads.values()]
    return jnp.stack([jnp.max(-2 * jnp.trace(sigma, axis1=-2, axis2=-1).imag) for sigma in each])


def _joined(each: Inelastic, growing: Array) -> SecondOrder:
    return SecondOrder(
        jnp.sum(each.particles, axis=0),
        jnp.sum(each.heats, axis=0),
        each.energy,
        growing,
        jnp.zeros(()),
        jnp.sum(each.quasi),
        each.elastic[0],
    )


def _broad(
    hamiltonian: Array,
    leads: Table,
    modes: Modes,
    k: Array,
    known: tuple[Poles, Resonances],
    own: tuple[Inelastic, Inelastic, Array],
) -> tuple[Inelastic, Inelastic, Array]:
    """What a narrow mode does at all frequencies, under the spectral function of mode k."""
    mode, many = modes.frequencies[k], len(leads)
    coupling, temperature = modes.couplings[k], modes.temperatures()[k]

    def node(at: tuple[Array, Array]) -> tuple[Array, Array]:
        centre, offset = at
        omega = centre + offset
        inside = omega > 0
        omega = jnp.where(inside, omega, mode)
        distance = ((centre - mode) + offset) * (omega + mode)  # ω² − Ω²
        lost = modes.loss(k, omega)
        weight = jnp.where(inside, 2 * omega * lost / positive_or_one(distance**2 + lost**2) / jnp.pi, 0.0)
        found, doubt, converged = inelastic(hamiltonian, leads, Bosons(omega, coupling, temperature), INNER, known)
        value, bound = (
            weight * jnp.concatenate([x.particles, x.heats, x.energy[None], x.passing, x.quasi[None]])
            for x in (found, doubt)
        )
        return value, jnp.where(converged, bound, jnp.inf)

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        values, bounds = jax.lax.map(node, (centre, offset))
        return values.T, bounds.T

    found = integral(integrand, _frequencies(leads, modes, k, known[1]), 2 * many + 4, OUTER, loose=1)

    def whole(part: Array, narrow: Inelastic) -> Inelastic:
        energy, *_, quasi = part[2 * many :]
        return narrow._replace(particles=part[:many], heats=part[many : 2 * many], energy=energy, quasi=quasi)

    return whole(found.value, own[0]), whole(found.error, own[1]), found.converged & own[2]


def _frequencies(leads: Table, modes: Modes, k: Array, states: Resonances) -> Sides:
    """The peak of the mode, zero, each bias, and what is narrow in the damping."""
    potentials, temperatures = baths_of(leads)
    levels, halfwidths = states
    mode, phonons = modes.frequencies[k], modes.temperatures()[k]
    damping = modes.loss(k, mode) / mode
    square = mode**2 - damping**2 / 4
    root, slow = jnp.sqrt(jnp.abs(square)), square <= 0
    # Overdamped: both poles lie on the imaginary axis, the nearer one at Ω²/(γ/2 + root).
    centres = [jnp.where(slow, 0.0, root), jnp.zeros(())]
    widths = [jnp.where(slow, mode**2 / (damping / 2 + root), damping / 2), jnp.pi * phonons]
    for a in range(potentials.size):
        for b in range(a):
            centres.append(jnp.abs(potentials[a] - potentials[b]))
            widths.append(jnp.pi * (temperatures[a] + temperatures[b]))
    span = jnp.max(levels + halfwidths) - jnp.min(levels - halfwidths)
    bias = jnp.max(potentials) - jnp.min(potentials)
    away = jnp.maximum(jnp.max(levels) - jnp.min(potentials), jnp.max(potentials) - jnp.min(levels))
    scales = [span, bias, away, mode, damping, THERMAL * jnp.max(temperatures), THERMAL * phonons]
    own_centres, own_widths = modes.features(k)
    centre, width = (jnp.concatenate([jnp.stack(a), b]) for a, b in ((centres, own_centres), (widths, own_widths)))
    high = FAR * jnp.max(jnp.stack(scales))
    return sides(centre, width, jnp.zeros(centre.size, bool), jnp.zeros(()), high)
