"""What electron–hole pairs exchange with one mode: rates and ledger of a batch of conductors, and bounds of the errors.

Each event of the kind αβ takes ε out of lead α, and brings ε − ω to β and ω to the bosons.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..baths import Bath
from ..numerics.dense import EPS
from ..occupation import bose
from ..spectral import SpectralDensity
from .frequencies import Flow, Loss, over_frequencies
from .pair_rates import Pair
from .population import Balance
from .spectral_functions import Place, SpectralFunctions

LARGE = 1 / 3
"""Part of the elastic current by which modes may change it before a flag says so, or of the electrons per time that the
widths of a lead's levels let pass that modes may take across."""
NARROWEST = 1e-14
"""Half width of a state, relative to the conductor's energies, from which on it is tied to a lead."""


class PairMode(NamedTuple):
    """One mode on a batch of conductors: every array has a leading axis of points.

    - `elements` (point, place) of its coupling at the `places`; `kinds`: the kinds of pairs (α, β);
    - `baths`: that of each lead, and others that are not looked at;
    - `temperature`, `frequency` (point) of the bosons; `damping`: None or 0 for a narrow mode, numbers or a density.
    """

    conductor: SpectralFunctions
    elements: Array
    places: tuple[Place, ...]
    kinds: list[tuple[str, str]]
    baths: Mapping[str, Bath]
    temperature: Array
    frequency: Array
    damping: Any


class PairFlows(NamedTuple):
    """Heat and particles out of each lead, energy into the mode (point), and the same of the bounds of their errors.

    - `balance`: of the rates of emission and absorption summed over all kinds, 1/2Ω included, beside bosons as warm as
      the warmest lead; `rate_errors` (3, point): bounds of the errors of E, A and what these bosons gain;
    - `damping`: J(Ω)/Ω, infinite if narrow; `growing`: whether emission exceeds absorption by as much or more;
    - `decays`: whether every state decays into a lead; one that does not keeps what it has for ever;
    - `poor`: where the first panels of frequencies do not do, if there are no others.
    """

    heats: dict[str, Array]
    particles: dict[str, Array]
    energy: Array
    heat_errors: dict[str, Array]
    particle_errors: dict[str, Array]
    energy_error: Array
    balance: Balance
    rate_errors: Array
    damping: Array
    growing: Array
    decays: Array
    poor: Array


def kinds_of(conductor: SpectralFunctions, places: tuple[Place, ...]) -> list[tuple[str, str]]:
    """The kinds of pairs (α, β) that a coupling with elements at these places allows."""
    leads = conductor.leads
    return [(a, b) for a in leads for b in leads if any(conductor.connects(place, a, b) for place in places)]


def pairs_of(mode: PairMode, omega: Array) -> Pair:
    """All pairs of a batch, with one frequency each; the points of the first kind come first."""
    upper, lower = ([mode.baths[kind[side]] for kind in mode.kinds] for side in (0, 1))
    many = len(upper)
    reference = jnp.concatenate([bath.potential for bath in upper])
    warmest = jnp.max(jnp.stack([mode.baths[name].temperature for name in mode.conductor.leads]), axis=0)
    return Pair(
        mode.conductor.weight(mode.elements, mode.places, mode.kinds),
        jnp.concatenate([bath.temperature for bath in upper]),
        jnp.concatenate([bath.temperature for bath in lower]),
        reference,
        reference - jnp.concatenate([bath.potential for bath in lower]),
        jnp.tile(mode.temperature, many),
        jnp.tile(warmest, many),
        jnp.tile(omega, many),
    )


def pair_flows(mode: PairMode, enough: Array | None = None) -> PairFlows:
    """The flows of a batch; `enough`: see `over_frequencies`."""
    points = mode.frequency.shape[0]
    pairs, loss = pairs_of(mode, mode.frequency), _loss(mode)
    at_mode, broad, poor = over_frequencies(pairs, loss, enough)
    narrow = tuple(Flow(r.net / (2 * pairs.omega), r.net / 2, r.heat / (2 * pairs.omega)) for r in at_mode)
    wide = loss.wide[:points]
    flow, bound = jax.tree.map(
        lambda a, b: jnp.where(wide, a.reshape(-1, points), b.reshape(-1, points)), broad, narrow
    )
    value, doubt = (
        jnp.stack([r.emission, r.absorption, r.gain]).reshape(3, -1, points).sum(axis=1) / (2 * mode.frequency)
        for r in at_mode
    )
    emission, absorption, gain = value
    balance = Balance(emission, absorption, gain, bose(mode.frequency / pairs.compared[:points]))
    damping = jnp.where(wide, loss.density(pairs.omega)[:points] / mode.frequency, jnp.inf)
    heats, particles, energy = _of_leads(mode, flow)
    rounded = jax.tree.map(lambda part, whole: part + 4 * EPS * jnp.abs(whole), bound, flow)
    return PairFlows(
        heats,
        particles,
        energy,
        *_errors(mode, rounded),
        balance,
        doubt,
        damping,
        -balance.damping() >= damping,
        _decay(pairs, points),
        jnp.any(poor.reshape(-1, points), axis=0),
    )


def _loss(mode: PairMode) -> Loss:
    """The mode's damping, for all kinds of pairs of a batch."""
    kinds, points, given = len(mode.kinds), mode.frequency.shape[0], mode.damping
    if not isinstance(given, SpectralDensity):
        damping = jnp.tile(jnp.zeros(points) if given is None else given, kinds)
        return Loss(lambda omega: damping * omega, (damping > 0) & jnp.isfinite(damping), ())

    def density(omega: Array) -> Array:
        by_point = eqx.filter_vmap(lambda one, at: one(at))(given, omega.reshape(kinds, points).T)
        return by_point.T.reshape(-1)

    features = eqx.filter_vmap(lambda one: tuple(one.features()), axis_size=points)(given)
    return Loss(
        density,
        jnp.ones(kinds * points, bool),
        [(jnp.tile(centre, kinds), jnp.tile(width, kinds)) for centre, width in features],
    )


def _of_leads(mode: PairMode, flow: Flow) -> tuple[dict[str, Array], dict[str, Array], Array]:
    heats, particles = _nothing(mode), _nothing(mode)
    for k, (a, b) in enumerate(mode.kinds):
        rate, energy, heat = (part[k] for part in flow)
        bias = mode.baths[a].potential - mode.baths[b].potential
        heats[a] += heat
        heats[b] -= heat - (energy - bias * rate)  # ε − ω − μ_β = (ε − μ_α) − (ω − μ_αβ)
        if a != b:
            particles[a] += rate
            particles[b] -= rate
    return heats, particles, jnp.asarray(sum(flow.energy))


def _errors(mode: PairMode, bound: Flow) -> tuple[dict[str, Array], dict[str, Array], Array]:
    """Of the flows, and of the rounding of their sums."""
    heats, particles = _nothing(mode), _nothing(mode)
    for k, (a, b) in enumerate(mode.kinds):
        rate, energy, heat = (part[k] for part in bound)
        bias = jnp.abs(mode.baths[a].potential - mode.baths[b].potential)
        heats[a] += heat
        heats[b] += heat + energy + bias * rate
        if a != b:
            particles[a] += rate
            particles[b] += rate
    return heats, particles, jnp.asarray(sum(bound.energy))


def _nothing(mode: PairMode) -> dict[str, Array]:
    return dict.fromkeys(mode.conductor.leads, jnp.zeros_like(mode.frequency))


def _decay(pairs: Pair, points: int) -> Array:
    energies, widths = pairs.weight.upper()
    size = jnp.max(jnp.abs(energies - jnp.mean(energies, axis=-1, keepdims=True)) + jnp.abs(widths), axis=-1)
    decays = jnp.all(widths > NARROWEST * size[:, None], axis=-1) | ~jnp.isfinite(size)
    return jnp.all(decays.reshape(-1, points), axis=0)


def broadenings(conductor: SpectralFunctions) -> Array:
    """tr Γ_α of each lead (lead)."""
    return jnp.stack([conductor.broadening(name) for name in conductor.leads])


def too_fast(most: Array, particles: Array) -> Array:
    """Of a batch (point): whether modes take more electrons across than the second order in the coupling can tell.

    `most` (point, lead): the most that levels can pass per time; `particles` (point, lead): what modes take from them.
    """
    return jnp.any(jnp.abs(particles) > LARGE * most, axis=-1)
