"""Currents of the second order in the coupling of electrons to a narrow mode, between leads with wide bands: one point.

With G = G^r without modes, A_β = GΓ_βG†, Ã_α = G†Γ_αG, the spectral functions of filled and free states
A^n = Σf_βA_β, A^p = Σ(1−f_β)A_β, and N = n_B(Ω/T_ph), the electrons' self-energy from one mode is (the Fock term)

Σ^n(ε) = M[(N+1)A^n(ε+Ω) + N A^n(ε−Ω)]M/2Ω, Σ^p(ε) = M[(N+1)A^p(ε−Ω) + N A^p(ε+Ω)]M/2Ω,

Σ^r(ε) = M[(N+1)G(ε−Ω) + N G(ε+Ω) + K(ε+Ω) − K(ε−Ω)]M/2Ω, K(x) = ∫dε'/2π A^n(ε')/(x−ε'+i0),

and the particles that lead α gives are, beside Landauer's,

∫dε/2π { Σ_β (f_α−f_β) 2Re tr[Γ_αGΣ^rA_β] + tr[Ã_α(f_αΣ^p − (1−f_α)Σ^n)] }.

The first term is the quasi-elastic correction, without which particles and energy are not conserved; the second holds
the inelastic events. The energy into a mode is ∫dε/2π Σ_αβ tr[MA_α(ε)MA_β(ε−Ω)][f_α(1−f_β)(N+1) − (1−f_α)f_βN]/2. The
static (Hartree) shift −M⟨tr Mρ⟩/Ω² of the levels is in `hartree`. (Viljas, Cuevas, Pauly and Häfner,
"Electron-vibration interaction in transport through atomic gold wires"; Paulsson, Frederiksen and Brandbyge, "Modeling
inelastic phonon scattering in atomic- and molecular-wire junctions".)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.adaptive import FULL, Effort, Sides, integral, sides
from ..numerics.dense import EPS, adjoint, inverse, product
from ..numerics.digamma import digamma
from ..occupation import bose
from ..pytrees import Table
from .green_functions import inverse_green
from .landauer import REACH, baths_of, fermi, fermi_gap, seen_from, without_width
from .pair_rates import net_rate
from .poles import Poles, poles_of, widths_of
from .resonances import Resonances, resonances

ROUNDING = 64 * EPS


class Bosons(NamedTuple):
    """A narrow mode: Ω, its coupling M (site, site), and the temperature that holds it."""

    frequency: Array
    coupling: Array
    temperature: Array


class Inelastic(NamedTuple):
    """Second-order particles and heats into the conductor (lead), energy into the mode, and bounds of their errors.

    - `emission`, `absorption`: summed golden-rule rates per boson, 1/2Ω included;
    - `passing` (2): what passes both ways quasi-elastically and with a boson, which integrals over it resolve, too: in
      equilibrium nothing flows, and panels that follow the flows would be wrong for its derivatives;
    - `quasi` and `elastic`: sizes ∫|·| of the quasi-elastic correction and of the elastic current.
    """

    particles: Array
    heats: Array
    energy: Array
    emission: Array
    absorption: Array
    passing: Array
    quasi: Array
    elastic: Array


def inelastic(
    hamiltonian: Array,
    leads: Table,
    bosons: Bosons,
    effort: Effort = FULL,
    known: tuple[Poles, Resonances] | None = None,
) -> tuple[Inelastic, Inelastic, Array]:
    """The currents, bounds of their errors, and whether the integral has converged.

    `known`: poles and resonances of the conductor, if that is done.
    """
    potentials, temperatures = baths_of(leads)
    lead_count = len(leads)
    widths = widths_of(leads, hamiltonian.shape[-1])
    omega, m = bosons.frequency, bosons.coupling
    number = bose(omega / bosons.temperature)
    poles, levels = known or (poles_of(hamiltonian, widths), resonances(hamiltonian, leads))
    condition = jax.lax.stop_gradient(poles.condition)

    cold = bosons.temperature
    # ω/T − ω/T_β (β, 1): with it the entropy of an event is exactly 0 in equilibrium, not what rounding leaves.
    colder = (omega / cold) * ((temperatures - cold) / temperatures)[:, None]

    def difference(above: Array) -> Array:
        """x_β − x_α (α, β, …) at one energy, differences of the leads first."""
        unlike = ((temperatures[:, None] - temperatures) / temperatures[:, None])[..., None]
        bias = (potentials[:, None] - potentials)[..., None]
        return (above[:, None] * unlike + bias) / temperatures[:, None]  # by T_β

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        nodes = centre.size
        # At ε, ε−Ω and ε+Ω.
        centres, offsets = jnp.concatenate([centre, centre - omega, centre + omega]), jnp.tile(offset, 3)
        greens = inverse(inverse_green(hamiltonian, leads, centres, offsets))
        spectra = product(product(greens[None], widths[:, None]), adjoint(greens)[None])
        everywhere = seen_from(potentials, temperatures, centres, offsets)
        green, below_green, above_green = jnp.split(greens, 3)
        spectral, others = spectra[:, :nodes], spectra[:, nodes:]
        above, x = everywhere.above[:, :nodes], everywhere.reduced[:, None, :nodes]
        outgoing = product(product(adjoint(green)[None], widths[:, None]), green[None])
        there = everywhere.reduced[None, :, :nodes]
        gap = fermi_gap(x, there, -difference(above))
        elastic = jnp.sum(jnp.abs(_between(widths[:, None], spectral) * gap), axis=(0, 1))
        kernel = _kernel(poles, potentials, temperatures, centres[nodes:] + offsets[nodes:])
        inner = (number + 1) * below_green + number * above_green + kernel[nodes:] - kernel[:nodes]
        dressed = product(green, product(product(m, inner), m)) / (2 * omega)
        ways = 2 * _between(product(widths[:, None], dressed[None]), spectral)
        both = ways * (fermi(x) * fermi(-there) + fermi(-x) * fermi(there))
        flow, quasi = ways * gap, jnp.abs(ways * gap)
        # From α at ε to β at ε−Ω with a boson, and back; then from β at ε+Ω to α, and back.
        sign = jnp.repeat(jnp.array([1.0, -1.0]), nodes)
        twice, y = jnp.tile(x, 2), everywhere.reduced[None, :, nodes:]
        lean = sign * difference(jnp.tile(above, 2)) + colder
        out, back = fermi(sign * twice) * fermi(-sign * y), fermi(-sign * twice) * fermi(sign * y)
        rate = sign * net_rate(out, back, number, lean) / (2 * omega)
        inside = product(product(m, others), m)
        paths = _between(jnp.tile(outgoing, (1, 2, 1, 1)), inside)
        leaving, events = paths * rate, paths * (out * (1 + number) + back * number) / (2 * omega)
        weight = _between(spectral, inside[:, :nodes]) / (2 * omega)
        # A mode's symmetry may let it cancel to nothing.
        whole = _between(jnp.abs(spectral), jnp.abs(inside[:, :nodes])) / (2 * omega)
        parts = 2 * omega**2 * rate[..., :nodes], out[..., :nodes], back[..., :nodes]
        rest = [jnp.sum(weight * part, axis=(0, 1)) for part in parts]
        doubts = [jnp.sum(whole * jnp.abs(part), axis=(0, 1)) for part in parts]
        leaving, gross = leaving.reshape(*gap.shape[:2], 2, nodes), jnp.abs(leaving).reshape(*gap.shape[:2], 2, nodes)
        flow = jnp.sum(flow + jnp.sum(leaving, axis=2), axis=1)
        gross = jnp.sum(quasi + jnp.sum(gross, axis=2), axis=1)
        # Sizes are compared, and what passes both ways is resolved: nobody asks for their derivatives.
        passing = jnp.sum(both, axis=(0, 1)), jnp.sum(events, axis=(0, 1)).reshape(2, nodes).sum(axis=0)
        sizes = jax.lax.stop_gradient((*passing, jnp.sum(quasi, axis=(0, 1)), elastic))
        tails = jnp.stack([*rest, *sizes])
        values = jnp.concatenate([flow, flow * above, tails]) / (2 * jnp.pi)
        passed = (jnp.sum(jnp.abs(part), axis=(0, 1)) for part in (both, events))
        doubt = jnp.stack([*doubts, *(part.reshape(-1, nodes).sum(axis=0) for part in passed), *sizes[2:]])
        noise = jnp.concatenate([gross, gross * jnp.abs(above), doubt]) / (2 * jnp.pi)
        return values, ROUNDING * condition * jax.lax.stop_gradient(noise)

    # Sizes have a kink at each change of sign, which no rule resolves.
    found = integral(integrand, _window(hamiltonian, leads, levels, omega), 2 * lead_count + 7, effort, loose=2)
    return _sorted(found.value, lead_count), _sorted(found.error, lead_count), found.converged


def _between(one: Array, other: Array) -> Array:
    """Re tr of the products (α, β, node) of matrices (α, node, site, site) and (β, node, site, site)."""
    turned = jnp.swapaxes(other, -1, -2)
    return jnp.sum((one[:, None] * turned[None]).real, axis=(-2, -1))


def _sorted(parts: Array, lead_count: int) -> Inelastic:
    energy, emission, absorption, *passing, quasi, elastic = parts[2 * lead_count :]
    flows = parts[:lead_count], parts[lead_count : 2 * lead_count]
    return Inelastic(*flows, energy, emission, absorption, jnp.stack(passing), quasi, elastic)


def _window(hamiltonian: Array, leads: Table, levels: Resonances, omega: Array) -> Sides:
    """Fermi edges and resonances, at their places and a boson above and below."""
    potentials, temperatures = baths_of(leads)
    places, widths = levels
    # What has no width is not seen, or has its status.
    bound, *_ = without_width(hamiltonian, places, widths)
    widths = jnp.where(bound, jnp.inf, widths)
    shifts = jnp.stack([jnp.zeros(()), omega, -omega])
    centres = jnp.concatenate([(potentials[:, None] + shifts).reshape(-1), (places[:, None] + shifts).reshape(-1)])
    spread = jnp.concatenate([jnp.repeat(jnp.pi * temperatures, shifts.size), jnp.repeat(widths, shifts.size)])
    low = jnp.min(potentials - REACH * temperatures) - omega
    high = jnp.max(potentials + REACH * temperatures) + omega
    return sides(centres, spread, jnp.zeros(centres.size, bool), low, high)


def _kernel(poles: Poles, potentials: Array, temperatures: Array, x: Array) -> Array:
    """K(x) (node, site, site), from ∫dε f/(ε−λ) = ψ(½ ± i(λ−μ)/2πT) ∓ iπ/2 below and above the axis, + a constant."""

    # Above the axis it is the conjugate of that at the mirrored place below; all of them at once are compiled once.
    mirrored = jnp.conj(poles.places)
    z = jnp.concatenate([x + 0j, mirrored])
    reduced = (z - potentials[:, None]) / (2 * jnp.pi * temperatures[:, None])
    primitive = digamma(0.5 - 1j * reduced) + 0.5j * jnp.pi  # (lead, z)
    here, there = primitive[:, : x.size, None], primitive[:, None, x.size :]
    below = (jnp.conj(there) - here) / (x[:, None] - poles.places)
    above = (there - here) / (x[:, None] - mirrored)
    residues = poles.residues()
    total = jnp.einsum("axp,apij->xij", below, residues)
    total += jnp.einsum("axp,apji->xij", above, jnp.conj(residues))
    return total / (2 * jnp.pi)
