"""What must be true of a network's numbers beyond the domains of its parts: one list for constructor and batch."""

from collections.abc import Iterator, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import Array

from .._checks import Rule, concrete
from ..baths import WorkReservoir
from ..compiler import plain_tree, plainly
from ..numerics.dense import EPS
from .assembly import Moment, exchange
from .channels import Channel
from .kinetics import Bosonic, Explicit, Kinetics

CLOSED = 1e-7
"""How far functions of the phase may be from themselves a period later, relative to their size."""
RATIO = 1e-8
"""How far ln(backward/forward) of given rates may be from what the baths ask for, relative to 1 + its size."""


def particle_rules(
    channels: Sequence[Channel],
    occupations: Any,
    held: Sequence[int | None],
    kept: Sequence[str],
    names: Sequence[str],
) -> Iterator[Rule]:
    """Particles go where they can, and what baths give is what states gain.

    `occupations` (species, state); for each bath `held`, the row of its particles, and `kept`, their species.
    """
    _, numbers = plainly(occupations)
    for k, channel in enumerate(channels):
        change = channel.final.of(numbers) - channel.initial.of(numbers)
        baths = [names.index(name) for name in channel.baths]
        if channel.shares is None:
            yield from _single_bath_rules(k, channel, change, held[baths[0]], kept[baths[0]])
            continue
        for name, bath, share in zip(channel.baths, baths, channel.shares, strict=True):
            if not kept[bath]:
                xp, amount = plainly(share.particles)
                yield Rule(
                    xp.all(amount == 0),
                    lambda k=k, name=name, amount=amount: (
                        f"`channels[{k}]` takes {_first(amount, amount != 0):g} particles from bath `{name}`, "
                        "which exchanges none."
                    ),
                )
        for row in range(occupations.shape[0]):
            taken = [s.particles for s, b in zip(channel.shares, baths, strict=True) if held[b] == row]
            xp, gained, *taken = plainly(change[row], *taken)
            given = sum(taken, np.zeros(()))
            yield Rule(
                xp.all(xp.abs(given - gained) <= 1e-12),
                lambda k=k, given=given, change=gained: (
                    f"the shares of `channels[{k}]` bring {_first(given):g} particles, "
                    f"but the states differ by {_first(change):g}; particles that are consumed or made need a bath "
                    "whose `species` states do not hold."
                ),
            )


def _single_bath_rules(
    k: int, channel: Channel, change: Array | np.ndarray, row: int | None, species: str
) -> Iterator[Rule]:
    name = channel.baths[0]
    xp, change = plainly(change)
    if species:
        moved = np.zeros(channel.size) if row is None else change[row]
        yield Rule(
            xp.all(moved != 0),
            lambda: (
                f"`channels[{k}]` moves no particle, but its bath `{name}` exchanges particles ({species}): give "
                "`occupations` (the number of particles in each state), or use a BosonBath or HeatBath; where the "
                "particles are consumed, give {bath: Share(energy, particles)}."
            ),
        )
    others = xp.delete(change, row, axis=0) if row is not None else change
    yield Rule(
        xp.all(others == 0),
        lambda: (
            f"`channels[{k}]` changes numbers of other particles than its bath `{name}` holds ({species})."
            if row is not None
            else f"`channels[{k}]` changes the number of particles by {_first(others, others != 0):g}, but "
            f"its bath `{name}` exchanges none; use an ElectronBath."
        ),
    )


def depends_on_moment(channel: Channel, exchanging: Sequence[bool], names: Sequence[str]) -> bool:
    """Whether `moment_rules` has anything to say of a channel."""
    law = channel.kinetics
    if channel.shares is not None or not isinstance(law, Kinetics):
        return True
    lead = any(exchanging[names.index(name)] for name in channel.baths)
    return (isinstance(law, Explicit) and law.check) or (isinstance(law, Bosonic) and lead)


def moment_rules(moment: Moment) -> Iterator[Rule]:
    """Energies that baths give, and rates against the baths, at one phase."""
    xp, moment = plain_tree(moment)
    for k, (channel, law) in enumerate(zip(moment.channels, moment.laws, strict=True)):
        balanced = isinstance(law, Explicit) and law.check
        if channel.shares is None and not balanced and not isinstance(law, Bosonic):
            continue  # nothing is held against the baths, and networks are made by the dozen
        step, energy, particles, _ = exchange(moment, channel)
        if channel.shares is not None:
            given, change = xp.sum(energy, axis=0), step.energy
            size = 1e-9 * (1 + xp.max(xp.abs(moment.energies)))
            yield Rule(
                xp.all(xp.abs(given - change) <= size + 1e-9 * xp.abs(change)),
                lambda k=k, given=given, change=change: (
                    f"the shares of `channels[{k}]` bring the energy {_first(given):g}, "
                    f"but the states differ by {_first(change):g}."
                ),
            )
        if balanced:
            ratio = xp.broadcast_to(xp.log(law.backward / law.forward), step.exponent.shape)
            wrong = law.open & ~(xp.abs(ratio - step.exponent) <= RATIO * (1 + xp.abs(step.exponent)))
            yield Rule(
                ~xp.any(wrong),
                lambda k=k, ratio=ratio, asked=step.exponent, wrong=wrong: (
                    f"the rates of `channels[{k}]` break detailed balance: ln(backward/forward) is "
                    f"{_first(ratio, wrong):g}, but the baths ask for {_first(asked, wrong):g}; "
                    "use Explicit(…, check=False) if this is meant."
                ),
            )
        if isinstance(law, Bosonic):
            for name, number in zip(channel.baths, particles, strict=True):
                bath = moment.baths[moment.names.index(name)]
                if isinstance(bath, WorkReservoir):
                    continue
                potential = bath.potential
                yield Rule(
                    xp.all((number == 0) | (potential == 0)),
                    lambda k=k, name=name, potential=potential: (
                        f"`channels[{k}]` is Bosonic and moves particles of bath `{name}`, whose chemical potential is "
                        f"{_first(potential):g}; bosons with one are not meant: use Tunnelling for electrons."
                    ),
                )


def closing_rule(moments: Sequence[Moment], last: Moment) -> Rule:
    """What functions of the phase return at the end of a period is what they return at its beginning."""

    def numbers(moment: Moment) -> list[Any]:
        return jax.tree.leaves(eqx.filter((moment.energies, moment.baths, moment.laws), eqx.is_array))

    xp, (*moments, last) = plain_tree([*moments, last])
    ends = [(a, b) for a, b in zip(numbers(moments[0]), numbers(last), strict=True)]
    sizes = [
        xp.max(xp.stack([xp.max(xp.abs(n), initial=0.0) for n in each]))
        for each in zip(*(numbers(m) for m in (*moments, last)), strict=True)
    ]
    gaps = [xp.max(xp.abs(a - b), initial=0.0) for (a, b) in ends]
    closed = [~(gap > CLOSED * (size + EPS)) for gap, size in zip(gaps, sizes, strict=True)]
    first, final = moments[0].energies, last.energies
    return Rule(
        xp.all(xp.stack(closed)),
        lambda: (
            f"what is a function of the phase θ = 2πt/τ must have the period 2π, but energies(0) is {first} and "
            f"energies(2π) is {final}; write the time as phase·τ/2π."
            if np.max(np.abs(first - final)) > 0
            else "a function of the phase θ = 2πt/τ must have the period 2π, but baths or rates at 0 and 2π differ."
        ),
    )


def _first(values: Any, where: Any = None) -> float:
    """The first number, or the first of those that are marked."""
    numbers = np.ravel(np.asarray(values))
    marks = concrete(where) if where is not None else None
    if marks is not None and marks.size == numbers.size and marks.any():
        return float(numbers[np.argmax(np.ravel(marks))])
    return float(numbers[0])
