"""Currents of the second order for leads of any kind and bosons of any propagator, by integration: one point.

With the bosons' correlations B^>, B^< and propagator D^r (mode, mode) at a frequency ω > 0, electrons have from it

Σ^n(ε) = Σ_mn M^m[A^n(ε−ω) B^<_mn + A^n(ε+ω) B^>_nm]M^n, Σ^p(ε) = Σ_mn M^m[A^p(ε−ω) B^>_mn + A^p(ε+ω) B^<_nm]M^n,

Σ^r(ε) = Σ_mn M^m[G^r(ε−ω) B^>_mn + G^r(ε+ω) B^<_nm − A^n(ε−ω) D^r_mn − A^n(ε+ω) D^r*_mn]M^n

per dω/2π, and leads give what `inelastic` says. With the pairs' E and A and the damping J_k of each mode by its bath,

D^r = (ω² − Ω² + iJ − Π)⁻¹, B^< = D^r(E + 2Jn)D^a, B^> = D^r(A + 2J(1+n))D^a

if the electrons act back on the modes; else Π, E and A are left out, and the baths take what the electrons emit. A bath
s of the modes gives them the energy ω tr[E_sB^> − A_sB^<] per dω/2π, and all of these sum up to 0 at each frequency.
(J.-T. Lü, M. Brandbyge, P. Hedegård, T. N. Todorov and D. Dundas, "Current-induced atomic dynamics, instabilities, and
Raman signals: Quasiclassical Langevin equation approach".)
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.adaptive import Effort, Integral, Sides, integral, sides
from ..numerics.dense import adjoint, inverse, product
from ..occupation import bose, fermi
from ..pytrees import Table
from .electron_response import ROUNDING, Electrons, electrons, energies_of, states, trace
from .landauer import Energies, baths_of, both_ways, careful, gaps, seen_from
from .resonances import Resonances, resonances
from .second_order import SecondOrder
from .vibrations import Modes

NARROW = 1e-11
"""Damping of a narrow mode, in units of its frequency; what that changes is among the errors."""
FAR = 1e4
"""Where the integral over frequencies ends, in units of the largest energy: the rest is its inverse cube."""
THERMAL = 40.0
"""Temperatures up to which bosons and electrons are followed."""
FOLLOWED = 3
"""Steps from a bare mode to the pole of its propagator: each contracts by the strength of the coupling."""
TAIL = 750.0
"""Temperatures from an edge where e^{−x} is 0."""
OUTER = Effort(pieces=1, block=2, room=256, target=1e-9)
INNER = Effort(pieces=1, block=16, room=768, target=1e-11)


class Bosons(NamedTuple):
    """B^>, B^< and D^r (mode, mode) at a frequency."""

    more: Array
    less: Array
    retarded: Array


class Dressed(NamedTuple):
    """Bosons with their electrons in them, and what each mode gets from its bath, 1/2π left out."""

    bosons: Bosons
    electrons: Electrons
    power: Array


def losses(modes: Modes, omega: Array) -> Array:
    """J (mode) at a frequency; narrow modes have the least that can be resolved."""
    least = NARROW * modes.frequencies * omega
    return jnp.maximum(modes.losses(omega), least)


def bare(modes: Modes, omega: Array) -> Bosons:
    """The modes of their baths alone."""
    lost, n = losses(modes, omega), bose(omega / modes.temperatures())
    retarded = 1 / ((omega - modes.frequencies) * (omega + modes.frequencies) + 1j * lost)
    spectral = 2 * lost * jnp.abs(retarded) ** 2
    return Bosons(jnp.diag(spectral * (1 + n)) + 0j, jnp.diag(spectral * n) + 0j, jnp.diag(retarded))


def dressed(hamiltonian: Array, leads: Table, modes: Modes, omega: Array, known: Resonances | None = None) -> Dressed:
    """The modes of their baths and their electrons; of the baths alone if the electrons do not act back.

    `known`: the conductor's resonances, if that is done.
    """
    found = electrons(hamiltonian, leads, modes.couplings, omega, INNER, known=known)
    emission, absorption = (jnp.sum(part, axis=(0, 1)) for part in (found.emission, found.absorption))
    if not modes.back_action:
        b = bare(modes, omega)
        given = jnp.diagonal(emission * b.more) - jnp.diagonal(absorption * b.less)
        return Dressed(b, found, -omega * given.real)
    lost, n = losses(modes, omega), bose(omega / modes.temperatures())
    gap = (omega - modes.frequencies) * (omega + modes.frequencies)
    into, out = 2 * lost * n, 2 * lost * (1 + n)
    retarded = inverse(jnp.diag(gap + 1j * lost) - found.retarded)
    more, less = (
        product(product(retarded, part), adjoint(retarded))
        for part in (absorption + jnp.diag(out), emission + jnp.diag(into))
    )
    power = omega * (into * jnp.diagonal(more).real - out * jnp.diagonal(less).real)
    return Dressed(Bosons(more, less, retarded), found, power)


def at_frequency(
    hamiltonian: Array, leads: Table, couplings: Array, omega: Array, b: Bosons, known: Resonances | None = None
) -> tuple[Array, Array, Array]:
    """Per dω/2π particles (lead), their size, heats (lead), their size, energy into each mode, `passing`, and |quasi|.

    `passing`: what passes both ways quasi-elastically, as in `inelastic`.

    Also bounds of their errors, and convergence. The energies are those of modes that nothing links. `known`: the
    conductor's resonances, if that is done.
    """
    potentials, temperatures = baths_of(leads)
    many = len(leads)

    def turned(weights: Array) -> Array:
        """Σ_n w_mn M^n (mode, site, site)."""
        return jnp.einsum("mn,nij->mij", weights, couplings)

    def between(parts: list[Array], rights: list[Array]) -> Array:
        """Σ_m M^m X R^m (pair, node, site, site) of pairs X, R: what is written down for each is compiled for each."""
        left = product(couplings[:, None, None], jnp.stack(parts)[None])
        return jnp.sum(product(left, jnp.stack(rights, axis=1)[:, :, None]), axis=0)

    more, less, slow = turned(b.more), turned(b.less), turned(b.retarded)
    more_back, less_back, slow_back = turned(b.more.T), turned(b.less.T), turned(jnp.conj(b.retarded))

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        nodes = centre.size
        centres, offsets = jnp.concatenate([centre, centre - omega, centre + omega]), jnp.tile(offset, 3)
        found = states(hamiltonian, leads, centres, offsets)
        seen = seen_from(potentials, temperatures, centres, offsets)
        above, x = seen.above[:, :nodes], seen.reduced[:, :nodes]
        f = fermi(seen.reduced)[..., None, None]
        filled = jnp.sum(found.spectral * f, axis=0)
        free = jnp.sum(found.spectral * fermi(-seen.reduced)[..., None, None], axis=0)
        green, green_below, green_above = jnp.split(found.green, 3)
        filled_here, filled_below, filled_above = jnp.split(filled, 3)
        free_here, free_below, free_above = jnp.split(free, 3)
        from_below = between([filled_below, free_below, green_below, filled_below], [less, more, more, slow])
        from_above = between(
            [filled_above, free_above, green_above, filled_above], [more_back, less_back, less_back, slow_back]
        )
        scattered_in, scattered_out, inner, slowed = from_below + from_above
        inner -= slowed
        widths, spectral = found.widths[:, :nodes], found.spectral[:, :nodes]
        outgoing = product(product(adjoint(green)[None], widths), green[None])
        gone, come = trace(outgoing, scattered_out[None]), trace(outgoing, scattered_in[None])
        leaving = fermi(x) * gone - fermi(-x) * come
        gap = gaps(potentials, temperatures, Energies(above, x))
        ways = product(widths, product(green, inner)[None])
        turned = 2 * trace(ways[:, None], spectral[None])
        quasi, both = turned * gap, jax.lax.stop_gradient(turned * both_ways(x))
        flow = leaving + jnp.sum(quasi, axis=1)
        gross = fermi(x) * gone + fermi(-x) * come
        size, heat = (jnp.sum(part, axis=0, keepdims=True) for part in (gross, gross * above**2 / _scale(leads)))
        passing, passed, corrected = (
            jnp.sum(part, axis=(0, 1))[None] for part in (both, jnp.abs(both), jnp.abs(quasi))
        )
        emitted, absorbed = (
            trace(product(couplings[:, None], one[None]), product(couplings[:, None], other[None]))
            for one, other in ((filled_here, free_below), (free_here, filled_below))
        )
        emitted *= omega * jnp.diagonal(b.more).real[:, None]
        absorbed *= omega * jnp.diagonal(b.less).real[:, None]
        # Of e^{−x} rounding of x moves the x-th part, and in equilibrium nothing else is left.
        far = jnp.sum(jnp.minimum(jnp.abs(seen.reduced), TAIL).reshape(many, 3, nodes), axis=1).max(axis=0)
        unsure = (1 + far / 64) * (emitted + absorbed)
        parts = [flow, size, flow * above, heat, emitted - absorbed, passing, corrected]
        doubts = [gross, size, gross * jnp.abs(above), heat, unsure, passed, corrected]
        values, noise = (jnp.concatenate(part) / (2 * jnp.pi) for part in (parts, doubts))
        return values, ROUNDING * jax.lax.stop_gradient(noise)

    count = couplings.shape[0]
    window = energies_of(hamiltonian, leads, omega, known=known)
    groups = (many + 1, many + 1, count)
    found = integral(integrand, window, 2 * many + 4 + count, careful(leads, INNER), groups=groups, loose=1)
    return found.value, found.error, found.converged


def boson_currents(hamiltonian: Array, leads: Table, modes: Modes) -> tuple[SecondOrder, SecondOrder, Array]:
    """The currents, bounds of their errors, and whether all integrals have converged."""
    many, count = len(leads), modes.frequencies.size
    levels_ = resonances(hamiltonian, leads)
    window, growing, known = _window(hamiltonian, leads, modes, levels_)
    components = 2 * many + 4 + count
    energies = slice(2 * many + 2, components - 2)

    def at(omega: Array, b: Bosons) -> tuple[Array, Array, Array]:
        return at_frequency(hamiltonian, leads, modes.couplings, omega, b, levels_)

    def broad(omega: Array) -> tuple[Array, Array]:
        if not modes.back_action:
            found, doubt, good = at(omega, bare(modes, omega))
        else:
            d = dressed(hamiltonian, leads, modes, omega, levels_)
            found, doubt, good = at(omega, d.bosons)
            doubts = omega * d.electrons.pair_error * (jnp.diagonal(d.bosons.more) + jnp.diagonal(d.bosons.less)).real
            found, doubt = found.at[energies].set(-d.power), doubt.at[energies].set(doubts)
            good &= d.electrons.converged
        return found / (2 * jnp.pi), jnp.where(good, doubt, jnp.inf) / (2 * jnp.pi)

    nothing, eye = jnp.zeros((count, count), complex), jnp.eye(count)

    def peak(k: Array) -> tuple[Array, Array, Array, Array]:
        """What a narrow mode does at its own frequency, and what is left out of its principal value."""
        omega, own = modes.frequencies[k], eye[k][:, None] * eye[k]
        n = bose(omega / modes.temperatures()[k])
        still = Bosons(own * (1 + n) / (2 * omega), own * n / (2 * omega), -0.25j / omega * own)
        kept = Bosons(nothing, nothing, own + 0j)
        # One after the other, so that the integral is compiled once.
        both = jax.tree.map(lambda *parts: jnp.stack(parts), still, kept)
        (found, slow), (doubt, _), good = jax.lax.map(lambda b: at(omega, b), both)
        return found, doubt, slow, jnp.all(good)

    if modes.dampings is None:
        found, doubt, slow, good = jax.lax.map(peak, jnp.arange(count))

        def narrow(omega: Array) -> tuple[Array, Array]:
            """Σ_k [Q_k(ω) − Q_k(Ω_k)]/(ω² − Ω_k²), as the principal value of 1/(ω² − Ω²) is 0 from 0 to ∞."""
            gap = (omega - modes.frequencies) * (omega + modes.frequencies)
            value, error, converged = at(omega, Bosons(nothing, nothing, jnp.diag(1 / gap) + 0j))
            value = value - jnp.sum(slow / gap[:, None], axis=0)
            return value / (2 * jnp.pi), jnp.where(converged, error, jnp.inf) / (2 * jnp.pi)

        rest = _over(narrow, window, modes, components, many)
        end = jnp.max(window.centre + window.scale * jnp.sinh(window.length))
        beyond = jnp.log1p(2 * modes.frequencies / (end - modes.frequencies)) / (2 * modes.frequencies)
        value = jnp.sum(found - slow * beyond[:, None] / (2 * jnp.pi), axis=0) + rest.value
        whole = rest._replace(value=value, error=jnp.sum(doubt, axis=0) + rest.error)
        known &= jnp.all(good)
    else:
        # What has no steady state has no numbers, and would take long.
        blank = jnp.zeros(components)
        whole = jax.lax.cond(
            jnp.any(growing),
            lambda: Integral(blank, blank, blank, jnp.asarray(True)),
            lambda: _over(broad, window, modes, components, many),
        )
    # A mode of no damping among others has a little instead.
    few = modes.dampings is not None
    lost = jnp.where(few & jnp.any(modes.rates() <= 0), 8 * NARROW, 0.0) * whole.value[2 * many + 1]
    elastic = _elastic(hamiltonian, leads, levels_)

    def sorted_(part: Array, more: Array) -> SecondOrder:
        particles, (_,), heats, (gross,), powers, (_, quasi) = jnp.split(part, np.cumsum([many, 1, many, 1, count]))
        both = particles + more / _scale(leads), heats + more, powers + more
        return SecondOrder(*both, growing, OUTER.target * gross, quasi, elastic)

    return sorted_(whole.value, jnp.zeros(())), sorted_(whole.error, lost), whole.converged & known


def _over(function: Any, window: Sides, modes: Modes, components: int, many: int) -> Integral:
    """∫dω of a function of ω > 0 that has its errors."""

    def node(at: tuple[Array, Array]) -> tuple[Array, Array]:
        omega = at[0] + at[1]
        inside = omega > 0
        value, error = function(jnp.where(inside, omega, modes.frequencies[0]))
        return jnp.where(inside, value, 0.0), jax.lax.stop_gradient(jnp.where(inside, error, 0.0))

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        values, errors = jax.lax.map(node, (centre, offset))
        return values.T, errors.T

    groups = (many + 1, many + 1, modes.frequencies.size)
    return integral(integrand, window, components, OUTER, groups=groups, loose=1)


def _scale(leads: Table) -> Array:
    """An energy that heats are measured by."""
    potentials, temperatures = baths_of(leads)
    return jnp.max(temperatures) + jnp.max(potentials) - jnp.min(potentials)


def _elastic(hamiltonian: Array, leads: Table, known: Resonances) -> Array:
    """∫dε/2π |T_αβ (f_α − f_β)|, of all leads."""
    potentials, temperatures = baths_of(leads)

    def integrand(centre: Array, offset: Array) -> tuple[Array, Array]:
        found = states(hamiltonian, leads, centre, offset)
        seen = seen_from(potentials, temperatures, centre, offset)
        passed = trace(found.widths[:, None], found.spectral[None]) * gaps(potentials, temperatures, seen)
        value = jnp.sum(jnp.abs(passed), axis=(0, 1))[None] / (2 * jnp.pi)
        return value, ROUNDING * value

    return integral(integrand, energies_of(hamiltonian, leads, jnp.zeros(()), known=known), 1, INNER).value[0]


def _window(hamiltonian: Array, leads: Table, modes: Modes, levels_: Resonances) -> tuple[Sides, Array, Array]:
    """Frequencies with the modes' peaks, which modes grow, and whether that is known."""

    def at(omega: Array) -> tuple[Electrons, Array]:
        found = electrons(hamiltonian, leads, modes.couplings, omega, INNER, known=levels_)
        matrix = jnp.diag(modes.frequencies**2 - 1j * losses(modes, omega)) + found.retarded
        return found, jnp.sqrt(jnp.linalg.eigvals(matrix))

    def follow(mode: Array) -> tuple[Array, Array, Array]:
        """The propagator's poles, as they are at the one next to a mode; at rest for 0."""

        def step(_: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            found, poles = at(state[0])
            own = poles[jnp.argmin(jnp.abs(poles - state[0]))]
            return jnp.where(mode > 0, jnp.maximum(own.real, mode / 8), 0.0), poles, found.converged

        start = mode, jnp.zeros(modes.frequencies.size, complex), jnp.asarray(True)
        return jax.lax.fori_loop(0, FOLLOWED, step, start)

    if modes.back_action:
        every = jnp.concatenate([jnp.zeros(1), modes.frequencies])
        _, (rest, *others), known = jax.lax.stop_gradient(jax.lax.map(follow, every))
        # Electrons that soften a mode altogether leave no rest about which it could move.
        poles, soft = jnp.stack(others), jnp.any((rest**2).real <= 0)
        growing = jnp.any(poles.imag >= 0, axis=0) | soft
        sides_ = _frequencies(leads, modes, levels_, poles.real.reshape(-1), jnp.abs(poles.imag).reshape(-1))
        return sides_, growing, jnp.all(known)
    if modes.dampings is None:
        none = jnp.zeros(0)
        sides_ = _frequencies(leads, modes, levels_, none, none)
        return sides_, jnp.zeros(modes.frequencies.size, bool), jnp.asarray(True)
    found, _ = jax.lax.map(at, modes.frequencies)
    pumped = jnp.einsum("kabkk->k", found.emission - found.absorption).real / (2 * modes.frequencies)
    growing = (modes.rates() > 0) & (pumped >= modes.rates())
    damping = jnp.stack([losses(modes, omega)[k] / omega for k, omega in enumerate(modes.frequencies)])
    square = modes.frequencies**2 - damping**2 / 4
    root, slow = jnp.sqrt(jnp.abs(square)), square <= 0
    # Overdamped: both poles lie on the imaginary axis, the nearer one at Ω²/(γ/2 + root).
    width = jnp.where(slow, modes.frequencies**2 / (damping / 2 + root), damping / 2)
    peaks = jnp.where(slow, 0.0, root)
    return _frequencies(leads, modes, levels_, peaks, width), growing, jnp.all(found.converged)


def _frequencies(leads: Table, modes: Modes, levels_: Resonances, peaks: Array, widths: Array) -> Sides:
    """The peaks of the modes, zero, each bias, and what is narrow in the dampings."""
    potentials, temperatures = baths_of(leads)
    levels, halfwidths = levels_
    phonons = jnp.min(modes.temperatures())
    centres, spread = [jnp.zeros(())], [jnp.pi * phonons]
    for a in range(potentials.size):
        for b in range(a):
            centres.append(jnp.abs(potentials[a] - potentials[b]))
            spread.append(jnp.pi * (temperatures[a] + temperatures[b]))
    features = [modes.features(k) for k in range(modes.frequencies.size)]
    own = [jnp.concatenate(part) for part in zip(*features, strict=True)]
    centre = jnp.concatenate([peaks, jnp.stack(centres), own[0]])
    width = jnp.concatenate([widths, jnp.stack(spread), own[1]])
    span = jnp.max(levels + halfwidths) - jnp.min(levels - halfwidths)
    bias = jnp.max(potentials) - jnp.min(potentials)
    away = jnp.maximum(jnp.max(levels) - jnp.min(potentials), jnp.max(potentials) - jnp.min(levels))
    hot = THERMAL * jnp.maximum(jnp.max(temperatures), jnp.max(modes.temperatures()))
    scales = jnp.stack([span, bias, away, jnp.max(modes.frequencies), jnp.max(peaks + widths, initial=0.0), hot])
    return sides(centre, width, jnp.zeros(centre.size, bool), jnp.zeros(()), FAR * jnp.max(scales))
