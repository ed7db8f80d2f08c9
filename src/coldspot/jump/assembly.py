"""A network at one phase: its energies, baths and laws as numbers, and the snapshot that solvers see of them."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..baths import Bath
from ..numerics.double_double import exact_difference
from .channels import Channel
from .graph import Snapshot
from .kinetics import Kinetics, Step


class Moment(NamedTuple):
    """What a network is at one phase, for one point: baths and laws in place of functions that return them."""

    names: tuple[str, ...]
    baths: tuple[Bath, ...]
    energies: Array
    occupations: Array
    channels: tuple[Channel, ...]
    laws: tuple[Kinetics, ...]


class Exchange(NamedTuple):
    """A channel's transitions, and what they take from each of its baths, (own bath, transition).

    `heat` is energy − μ·particles.
    """

    step: Step
    energy: Array
    particles: Array
    heat: Array


def exchange(moment: Moment, channel: Channel) -> Exchange:
    """What the transitions of one channel exchange with its baths."""
    i, f = channel.initial.array, channel.final.array
    size = (channel.size,)
    start, end = moment.energies[i], moment.energies[f]
    change, lost = exact_difference(end, start)
    number = moment.occupations[f] - moment.occupations[i]
    used = [moment.baths[moment.names.index(name)] for name in channel.baths]
    if channel.shares is None:
        energy, particles = change[None], number[None]
        temperature = jnp.broadcast_to(used[0].temperature, size)
    else:
        lost = jnp.zeros(size)
        energy = jnp.stack([jnp.broadcast_to(s.energy, size) for s in channel.shares])
        particles = jnp.stack([jnp.broadcast_to(s.particles, size) for s in channel.shares])
        temperature = jnp.full(size, jnp.nan)
    heat, works = [], jnp.zeros(size)
    for k, bath in enumerate(used):
        # Energies and potentials may be far larger than heats: what rounding takes from their differences comes back.
        chemical = bath.potential * particles[k]
        works += chemical
        rough, left = exact_difference(energy[k], chemical)
        heat.append(rough + (left + lost) if bath.exchanges_particles else energy[k] + lost)
    exponent = sum((h / b.temperature for h, b in zip(heat, used, strict=True)), jnp.zeros(size))
    step = Step(exponent, change, number, start, end, works, temperature)
    return Exchange(step, energy, particles, jnp.stack(heat))


def assemble(moment: Moment, slopes: dict[str, Array]) -> Snapshot:
    """The snapshot of a moment; `slopes`: what drives do to the energies (`slopes`, `gains`, `rest`).

    The reference equilibrium has the highest temperature and the hottest lead's chemical potential. Its affinity
    Σ_b[(e_b−μ_b n_b)(1/T_0−1/T_b) − n_b(μ_0−μ_b)/T_0] is computed from differences of bath parameters, so that it is
    exact to rounding however small, and zero in equilibrium.
    """
    names, baths = moment.names, moment.baths
    temperature = jnp.stack([b.temperature for b in baths])
    potential = jnp.stack([b.potential for b in baths])
    leads = np.array([k for k, b in enumerate(baths) if b.exchanges_particles], int)
    t0 = jnp.max(temperature)
    mu0 = potential[leads][jnp.argmax(temperature[leads])] if leads.size else jnp.zeros(())
    exchanges = [exchange(moment, channel) for channel in moment.channels]
    energy, particles, heats, deviation, deviation_size = [], [], [], [], []
    for channel, taken in zip(moment.channels, exchanges, strict=True):
        all_energy = jnp.zeros((len(names), channel.size))
        all_particles, all_heat = jnp.zeros_like(all_energy), jnp.zeros_like(all_energy)
        away, size = jnp.zeros(channel.size), jnp.zeros(channel.size)
        for k, name in enumerate(channel.baths):
            b = names.index(name)
            all_energy = all_energy.at[b].set(taken.energy[k])
            all_particles = all_particles.at[b].set(taken.particles[k])
            all_heat = all_heat.at[b].set(taken.heat[k])
            # Divided one after the other: the product of two temperatures may leave floating-point range.
            thermal = taken.heat[k] * ((temperature[b] - t0) / t0 / temperature[b])
            chemical = -taken.particles[k] * (mu0 - potential[b]) / t0
            away += thermal + chemical
            size += jnp.abs(thermal) + jnp.abs(chemical)
        energy.append(all_energy)
        particles.append(all_particles)
        heats.append(all_heat)
        deviation.append(away)
        deviation_size.append(size)
    forward, backward = log_rates([(law, e.step) for law, e in zip(moment.laws, exchanges, strict=True)])
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
    widths = [jnp.broadcast_to(law.level_width, (c.size,)) for c, law in zip(moment.channels, moment.laws, strict=True)]
    above = (energies - energies[0]) - mu0 * (moment.occupations - moment.occupations[0])
    return Snapshot(
        log_forward=forward,
        log_backward=backward,
        exponent=exponent,
        deviation=affinity,
        deviation_size=affinity_size,
        energy=jnp.concatenate(energy, axis=-1),
        particles=jnp.concatenate(particles, axis=-1),
        heat=jnp.concatenate(heats, axis=-1),
        temperature=temperature,
        potential=potential,
        energies=energies,
        occupations=moment.occupations,
        reference=-above / t0,
        widths=jnp.concatenate(widths),
        **slopes,
        balanced=jnp.asarray(not free.any()),
        valid=finite,
    )


def _spread(moment: Moment, marks: list[bool]) -> np.ndarray:
    """One mark per transition from one per channel."""
    return np.repeat(marks, [channel.size for channel in moment.channels])


def log_rates(laws: list[tuple[Kinetics, Step]]) -> tuple[Array, Array]:
    """Rates of all channels: laws of one kind whose numbers are scalars or lists are traced once, together.

    A law's number is a scalar, or a list with one entry per transition; arrays further inside (the table of
    a user's coupling spectrum, say) are shared by the channel's transitions.
    """
    groups: dict[Any, list[int]] = {}
    for k, (law, step) in enumerate(laws):
        arrays, static = eqx.partition(law, eqx.is_array)
        together = all(leaf.ndim == 0 or axis == 0 for leaf, axis in _axes(law, step))
        key = (jax.tree.structure(arrays), jax.tree.structure(static), tuple(jax.tree.leaves(static)))
        groups.setdefault(key if together else k, []).append(k)
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
            return eqx.combine(jax.tree.unflatten(structure, columns), static).log_rates(step)

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
