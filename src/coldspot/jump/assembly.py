"""A network at one phase: its energies, baths and laws as numbers, and the snapshot that solvers see of them."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..baths import Bath, WorkReservoir
from ..numerics.dense import EPS
from ..numerics.double_double import exact_difference, exact_product
from .channels import Channel
from .graph import Glance, Snapshot
from .kinetics import NOTHING, Kinetics, Step

FEW = 2
"""Transitions whose laws are asked one by one."""


class Moment(NamedTuple):
    """What a network is at one phase, for one point: baths and laws in place of functions that return them.

    `occupations` (species, state); `held`: for each bath the species (a row of the occupations) of its particles, or
    None if it exchanges none, or such as states do not hold.
    """

    names: tuple[str, ...]
    baths: tuple[Bath | WorkReservoir, ...]
    energies: Array
    occupations: Array
    channels: tuple[Channel, ...]
    laws: tuple[Kinetics, ...]
    held: tuple[int | None, ...]


class Exchange(NamedTuple):
    """A channel's transitions, and what they take from each of its baths, (own bath, transition).

    `heat` is energy − μ·particles; of a work reservoir its energy.
    """

    step: Step
    energy: Array
    particles: Array
    heat: Array


def exchange(moment: Moment, channel: Channel) -> Exchange:
    """What the transitions of one channel exchange with its baths; of NumPy's numbers by NumPy alone."""
    xp, size = np if isinstance(moment.energies, np.ndarray) else jnp, (channel.size,)
    start, end = channel.initial.of(moment.energies), channel.final.of(moment.energies)
    change, lost = exact_difference(end, start)
    gained = channel.final.of(moment.occupations) - channel.initial.of(moment.occupations)
    number = xp.sum(gained, axis=0)
    places = [moment.names.index(name) for name in channel.baths]
    used = [moment.baths[place] for place in places]
    if channel.shares is None:
        row, bath = moment.held[places[0]], used[0]
        energy, particles = change[None], (xp.zeros(size) if row is None else gained[row])[None]
        temperature = xp.broadcast_to(bath.temperature if isinstance(bath, Bath) else np.inf, size)
    else:
        lost = xp.zeros(size)
        energy = xp.stack([xp.broadcast_to(s.energy, size) for s in channel.shares])
        particles = xp.stack([xp.broadcast_to(s.particles, size) for s in channel.shares])
        temperature = xp.full(size, np.nan)
    heat, works, rest, exponent = [], xp.zeros(size), xp.zeros(size), xp.zeros(size)
    for k, bath in enumerate(used):
        if isinstance(bath, WorkReservoir):
            heat.append(energy[k] + lost)
            continue
        # Energies and potentials may be far larger than heats: what rounding takes from their differences comes back.
        chemical, more = exact_product(bath.potential if bath.exchanges_particles else xp.zeros(()), particles[k])
        works, left = exact_difference(works, -chemical)
        rest = rest + (left + more)
        rough, left = exact_difference(energy[k], chemical)
        heat.append(rough + (left + (lost - more)) if bath.exchanges_particles else energy[k] + lost)
        exponent = exponent + heat[k] / bath.temperature
    step = Step(exponent, change, number, start, end, works, temperature, rest)
    return Exchange(step, energy, particles, xp.stack(heat))


def assemble(moment: Moment, slopes: dict[str, Array]) -> Snapshot:
    """The snapshot of a moment; `slopes`: what drives do to the energies (`slopes`, `gains`, `rest`).

    The reference equilibrium has the highest temperature and, for each species, the chemical potential of its hottest
    bath (0 for those that states do not hold). Its affinity Σ_b[(e_b−μ_b n_b)(1/T_0−1/T_b) − n_b(μ_0−μ_b)/T_0] + w/T_0,
    w the energy from work reservoirs, is computed from differences of bath parameters, so that it is exact to rounding
    however small, and zero in equilibrium.
    """
    baths = [bath for bath in moment.baths if isinstance(bath, Bath)]
    # Rows of the baths and of the work reservoirs, by the place of each in the moment.
    order = np.argsort([isinstance(bath, WorkReservoir) for bath in moment.baths], kind="stable")
    place = np.argsort(order)
    temperature = jnp.stack([b.temperature for b in baths])
    potential = jnp.stack([b.potential for b in baths])
    t0, mu0 = _reference(moment)
    exchanges = [exchange(moment, channel) for channel in moment.channels]
    energy, particles, heats, deviation, deviation_size = [], [], [], [], []
    for channel, taken in zip(moment.channels, exchanges, strict=True):
        all_energy = jnp.zeros((len(moment.names), channel.size))
        all_particles, all_heat = jnp.zeros_like(all_energy), jnp.zeros_like(all_energy)
        for k, name in enumerate(channel.baths):
            b = place[moment.names.index(name)]
            all_energy = all_energy.at[b].set(taken.energy[k])
            all_particles = all_particles.at[b].set(taken.particles[k])
            all_heat = all_heat.at[b].set(taken.heat[k])
        away, size = _deviation(moment, channel, taken, t0, mu0)
        energy.append(all_energy)
        particles.append(all_particles)
        heats.append(all_heat)
        deviation.append(away)
        deviation_size.append(size)
    steps = [(law, e.step) for law, e in zip(moment.laws, exchanges, strict=True)]
    forward, backward = both_rates(steps, lambda law, step: law.log_rates(step))
    closed = (forward == -jnp.inf) & (backward == -jnp.inf)
    forward, backward = (jnp.where(closed, np.log(NOTHING), rate) for rate in (forward, backward))
    rates = _rates(steps, forward, backward)
    exponent, affinity = jnp.concatenate([e.step.exponent for e in exchanges]), jnp.concatenate(deviation)
    affinity_size = jnp.concatenate(deviation_size)
    # Rates that need not obey detailed balance define their own affinity.
    free = _spread(moment, [not law.detailed_balance for law in moment.laws])
    if free.any():
        actual = backward - forward
        affinity = jnp.where(free, affinity + exponent - actual, affinity)
        affinity_size = jnp.where(free, affinity_size + jnp.abs(exponent) + jnp.abs(actual), affinity_size)
        exponent = jnp.where(free, actual, exponent)
    energies = moment.energies
    finite = jnp.all(jnp.isfinite(forward)) & jnp.all(jnp.isfinite(backward)) & jnp.all(jnp.isfinite(energies))
    finite &= jnp.all(temperature > 0) & jnp.all(jnp.isfinite(temperature)) & jnp.all(jnp.isfinite(potential))
    laws = list(zip(moment.channels, moment.laws, strict=True))
    widths = [jnp.broadcast_to(law.level_width, (channel.size,)) for channel, law in laws]
    opened = [jnp.broadcast_to(law.open, (channel.size,)) for channel, law in laws]
    above = energies - energies[0]
    for row, number in enumerate(moment.occupations):
        above = above - mu0[row] * (number - number[0])
    energy_rows, heat_rows = jnp.concatenate(energy, axis=-1), jnp.concatenate(heats, axis=-1)
    return Snapshot(
        forward=rates[0],
        backward=rates[1],
        log_forward=forward,
        log_backward=backward,
        exponent=exponent,
        deviation=affinity,
        deviation_size=affinity_size,
        energy=energy_rows[: len(baths)],
        particles=jnp.concatenate(particles, axis=-1)[: len(baths)],
        heat=heat_rows[: len(baths)],
        work=heat_rows[len(baths) :],
        temperature=temperature,
        potential=potential,
        energies=energies,
        occupations=moment.occupations,
        reference=-above / t0,
        widths=jnp.concatenate(widths),
        **slopes,
        open=jnp.concatenate(opened) & ~closed,
        balanced=jnp.asarray(not free.any()),
        valid=finite,
    )


def _rates(steps: list[tuple[Kinetics, Step]], forward: Array, backward: Array) -> tuple[Array, Array]:
    """The rates themselves: from formulas of their own where laws have these, else from their logarithms."""
    own = [(law, step) for law, step in steps if not law.by_logarithm]
    if not own:
        return jnp.exp(forward), jnp.exp(backward)
    found = both_rates(own, lambda law, step: law.rates(step))
    if len(own) == len(steps):
        return found
    rows = []
    for logs, rates in zip((forward, backward), found, strict=True):
        parts, start, taken = [], 0, 0
        for law, step in steps:
            size = step.exponent.shape[0]
            parts.append(jnp.exp(logs[start : start + size]) if law.by_logarithm else rates[taken : taken + size])
            start, taken = start + size, taken + (0 if law.by_logarithm else size)
        rows.append(jnp.concatenate(parts))
    return rows[0], rows[1]


def members(channels: Sequence[Channel], names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """The transitions in which each of the named reservoirs has a part."""
    found: dict[str, list[int]] = {name: [] for name in names}
    start = 0
    for channel in channels:
        for name in channel.baths:
            found[name].extend(range(start, start + channel.size))
        start += channel.size
    return tuple(tuple(places) for places in found.values())


def glance(moment: Moment, deviating: bool = False) -> Glance:
    """What plain arithmetic needs of a moment; `deviating`: with affinities towards the reference equilibrium."""
    exchanges = [exchange(moment, channel) for channel in moment.channels]
    steps = [(law, e.step) for law, e in zip(moment.laws, exchanges, strict=True)]
    forward, backward = both_rates(steps, lambda law, step: law.rates(step))
    heats: dict[str, list[Array]] = {name: [] for name in moment.names}
    particles: dict[str, list[Array]] = {name: [] for name in moment.names}
    for channel, taken in zip(moment.channels, exchanges, strict=True):
        for k, name in enumerate(channel.baths):
            heats[name].append(taken.heat[k])
            particles[name].append(taken.particles[k])
    baths = {name: bath for name, bath in zip(moment.names, moment.baths, strict=True) if isinstance(bath, Bath)}
    laws = list(zip(moment.channels, moment.laws, strict=True))

    away = []
    if deviating:
        reference = _reference(moment)
        pairs = zip(moment.channels, exchanges, strict=True)
        away = [_deviation(moment, channel, taken, *reference) for channel, taken in pairs]

    def joined(rows: list[Array]) -> Array:
        return jnp.concatenate(rows) if rows else jnp.zeros(0)

    return Glance(
        forward=forward,
        backward=backward,
        exponent=jnp.concatenate([e.step.exponent for e in exchanges]),
        heats=tuple(joined(heats[name]) for name in baths),
        particles=tuple(joined(particles[name]) for name in baths),
        works=tuple(joined(heats[name]) for name in moment.names if name not in baths),
        temperature=jnp.stack([bath.temperature for bath in baths.values()]),
        energies=moment.energies,
        occupations=moment.occupations,
        widths=jnp.concatenate([jnp.broadcast_to(law.level_width, (channel.size,)) for channel, law in laws]),
        deviation=joined([one for one, _ in away]) if deviating else None,
        deviation_size=joined([size for _, size in away]) if deviating else None,
        loss=_loss(moment, forward, backward),
    )


def _loss(moment: Moment, forward: Array, backward: Array) -> Array | None:
    """What rates lose that come from their logarithms: the larger these, the fewer digits are left behind the point."""
    by_logarithm = _spread(moment, [law.by_logarithm for law in moment.laws])
    if not by_logarithm.any():
        return None
    larger = jnp.maximum(forward, backward)
    return jnp.where(by_logarithm, 2 * EPS * jnp.abs(jnp.log(jnp.where(larger > 0, larger, 1.0))), 0.0)


def _deviation(moment: Moment, channel: Channel, taken: Exchange, t0: Array, mu0: list[Array]) -> tuple[Array, Array]:
    """A channel's affinities towards the reference equilibrium (transition), and the sums of their terms' sizes."""
    away, size = jnp.zeros(channel.size), jnp.zeros(channel.size)
    for k, name in enumerate(channel.baths):
        bath, row = moment.baths[moment.names.index(name)], moment.held[moment.names.index(name)]
        if isinstance(bath, WorkReservoir):
            away += taken.heat[k] / t0
            size += jnp.abs(taken.heat[k] / t0)
            continue
        # Divided one after the other: the product of two temperatures may leave floating-point range.
        thermal = taken.heat[k] * ((bath.temperature - t0) / t0 / bath.temperature)
        above = (0.0 if row is None else mu0[row]) - bath.potential
        chemical = -taken.particles[k] * above / t0
        away += thermal + chemical
        size += jnp.abs(thermal) + jnp.abs(chemical)
    return away, size


def _reference(moment: Moment) -> tuple[Array, list[Array]]:
    """The highest temperature, and the chemical potential of the hottest bath of each species; 0 if no bath has any."""
    pairs = [(row, bath) for row, bath in zip(moment.held, moment.baths, strict=True) if isinstance(bath, Bath)]
    found = []
    for row in range(moment.occupations.shape[0]):
        # One after the other: to choose by a place that is a number of each point is slow.
        hottest, potential = jnp.asarray(-jnp.inf), jnp.zeros(())
        for bath in (bath for own, bath in pairs if own == row):
            hotter = bath.temperature > hottest
            hottest = jnp.where(hotter, bath.temperature, hottest)
            potential = jnp.where(hotter, bath.potential, potential)
        found.append(potential)
    return functools.reduce(jnp.maximum, [bath.temperature for _, bath in pairs]), found


def _spread(moment: Moment, marks: list[bool]) -> np.ndarray:
    """One mark per transition from one per channel."""
    return np.repeat(marks, [channel.size for channel in moment.channels])


def both_rates(
    laws: list[tuple[Kinetics, Step]], ask: Callable[[Kinetics, Step], tuple[Array, Array]]
) -> tuple[Array, Array]:
    """What `ask` gets of a law, for all channels: laws of one kind whose numbers are scalars or lists are traced once.

    A law's number is a scalar, or a list with one entry per transition; arrays further inside (the table of
    a user's coupling spectrum, say) are shared by the channel's transitions.
    """
    groups: dict[Any, list[int]] = {}
    # So few that joining them costs more than it saves.
    apart = sum(step.exponent.shape[0] for _, step in laws) <= FEW
    for k, (law, step) in enumerate(laws):
        arrays, static = eqx.partition(law, eqx.is_array)
        together = all(leaf.ndim == 0 or axis == 0 for leaf, axis in _axes(law, step))
        key = (jax.tree.structure(arrays), jax.tree.structure(static), tuple(jax.tree.leaves(static)))
        groups.setdefault(key if together and not apart else k, []).append(k)
    forward: list[Any] = [None] * len(laws)
    backward: list[Any] = [None] * len(laws)
    for members in groups.values():
        sizes = [laws[k][1].exponent.shape[0] for k in members]
        step = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *[laws[k][1] for k in members])
        columns, axes = [], []
        for leaves in zip(*[_axes(*laws[k]) for k in members], strict=True):
            shared = len(members) == 1 and leaves[0][1] is None
            axes.append(None if shared else 0)
            columns.append(
                leaves[0][0]
                if shared
                else jnp.concatenate([jnp.broadcast_to(a, (n,)) for (a, _), n in zip(leaves, sizes, strict=True)])
            )
        arrays, static = eqx.partition(laws[members[0]][0], eqx.is_array)
        structure = jax.tree.structure(arrays)

        def rates(columns: Any, step: Step, structure: Any = structure, static: Any = static) -> tuple[Array, Array]:
            return ask(eqx.combine(jax.tree.unflatten(structure, columns), static), step)

        f, b = jax.vmap(rates, in_axes=(axes, 0))(columns, step)
        start = 0
        for k, n in zip(members, sizes, strict=True):
            forward[k], backward[k] = f[start : start + n], b[start : start + n]
            start += n
    return jnp.concatenate(forward), jnp.concatenate(backward)


def _axes(law: Kinetics, step: Step) -> list[tuple[Array, int | None]]:
    """Each number of a law, with 0 if it has one entry per transition and None if it is shared."""
    size = step.exponent.shape
    own = [getattr(law, name) for name in law.__dataclass_fields__]  # type: ignore[attr-defined]
    return [
        (leaf, 0 if leaf.shape == size and any(leaf is a for a in own) else None)
        for leaf in jax.tree.leaves(eqx.filter(law, eqx.is_array))
    ]
