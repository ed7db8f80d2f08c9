"""What a linear network does from a given start: quenches, ramps and transients of means and covariances.

    ṁ = A m,   Ċ = A C + C Aᵀ + Σ_b T_b W_b,   y = (x, v, 1), m = ⟨y⟩, C = ⟨yyᵀ⟩ − mmᵀ

and the amounts of heat and work, tr(Q(C + mmᵀ)) + Σ_b c_b T_b, by the classical Runge–Kutta formula. All steps are
halved until the numbers stay; the change, extrapolated, is the error stated. No step goes over a place where a drive
jumps or has a kink; a jump of springs does the work ½tr(ΔΦ⟨xxᵀ⟩).
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Values
from ..drives import jump_of
from ..pytrees import Table, compiled
from ..solution import SolveError, Status
from .arguments import SPRING
from .forces import SEEN, harmonics_of, unseen_at
from .instant import Instant, Moments, moments, or_one
from .told import jump_of_springs

STABLE = 1.0
"""First steps, in units of the fastest time of the motion."""
MOST = 1 << 22
"""Steps between two times, at most."""
STEPS = 16
"""In the period of the highest harmonic of a drive, at least."""
EARLY = 1e-12
"""Part of a period by which a moment lies before, or after, a jump."""
LOOKED_AT = 64
"""Moments between two times at which the fastest motion is looked for."""


class Now(NamedTuple):
    """m (k,) and C (k, k) of y, and what has come in since time 0: heat per bath, then work per drive (rate,)."""

    mean: Values
    spread: Values
    amounts: Values

    @property
    def second(self) -> Values:
        return self.spread + self.mean[..., :, None] * self.mean[..., None, :]


class Leg(NamedTuple):
    """From one time to the next at which something is read, or a drive jumps: how many steps, at least."""

    start: float
    stop: float
    steps: int
    jumps: bool
    read: bool


class Seen(NamedTuple):
    """The rates (rate,) at one time, the energy, and the size of each number of y, of the spread alone and of all."""

    rates: Array
    energy: Array
    narrow: Array
    wide: Array


def _at(network: Any, time: Any) -> Instant:
    """A network's numbers at a time."""
    return network.instant(or_one(network.frequency) * time)


def _rates(one: Instant, m: Moments, now: Now) -> Array:
    return jnp.einsum("qij,ij->q", m.forms, now.second) + m.constants @ one.temperatures


@compiled
def _advanced(network: Any, now: Now, start: Any, stop: Any, count: Any) -> Now:
    """The state at the time `stop`, by `count` steps from `start`."""
    step = (stop - start) / count

    def slope(time: Array, now: Now) -> Now:
        one = _at(network, time)
        m = moments(one)
        half = m.drift @ now.spread
        noise = jnp.einsum("b,bij->ij", one.temperatures, m.noise)
        return Now(m.drift @ now.mean, half + half.T + noise, _rates(one, m, now))

    def stage(state: tuple[Now, Now, Now, Array], given: tuple[Array, Array]) -> tuple[Any, None]:
        begin, last, total, time = state
        share, weight = given
        here = jax.tree.map(lambda a, b: a + share * step * b, begin, last)
        found = slope(time + share * step, here)
        return (begin, found, jax.tree.map(lambda a, b: a + weight * step * b, total, found), time), None

    shares, weights = jnp.array([0.0, 0.5, 0.5, 1.0]), jnp.array([1.0, 2.0, 2.0, 1.0]) / 6

    def advance(k: Array, now: Now) -> Now:
        still = jax.tree.map(jnp.zeros_like, now)
        return jax.lax.scan(stage, (now, still, now, start + k * step), (shares, weights))[0][2]

    return jax.lax.fori_loop(0, count, advance, now)


@compiled
def _seen(network: Any, now: Now, time: Any) -> Seen:
    """What can be read from a state at a time."""
    one = _at(network, time)
    second, n = now.second, one.size
    squares = jnp.diagonal(second)[n:-1]
    energy = jnp.sum(one.springs * second[:n, :n]) / 2 + jnp.sum(one.masses[one.heavy] * squares) / 2
    return Seen(_rates(one, moments(one), now), energy, _sizes(one, now.spread), _sizes(one, second))


def _sizes(one: Instant, second: Array) -> Array:
    """How large positions and velocities are (k,): the largest of either now, or what the energy would make of it."""
    n, mass = one.size, one.masses[one.heavy]
    squares = jnp.diagonal(second)[:-1]
    stored = jnp.maximum(jnp.sum(one.springs * second[:n, :n]), 0.0) + jnp.sum(mass * squares[n:])
    stiffest, heaviest = jnp.max(jnp.sum(jnp.abs(one.springs), -1)), jnp.max(mass, initial=0.0)
    far, fast = (
        jnp.maximum(jnp.max(own, initial=0.0), jnp.where(by > 0, stored / jnp.where(by > 0, by, 1.0), 0.0))
        for own, by in ((squares[:n], stiffest), (squares[n:], heaviest))
    )
    return jnp.sqrt(jnp.concatenate([jnp.full(n, far), jnp.full(mass.shape, fast), jnp.zeros(1)]))


@compiled
def _fastest(network: Any, start: Any, stop: Any) -> Array:
    """A bound on the rates of the motion between two times, of any units: velocities are counted per frequency."""

    def rate(time: Array) -> Array:
        one = _at(network, time)
        size = jnp.abs(moments(one).drift[:-1, :-1])
        n = one.size
        frequency = jnp.sqrt(jnp.max(jnp.sum(size[n:, :n], -1), initial=0.0))
        felt = size[n:, :n] / jnp.where(frequency > 0, frequency, 1.0)
        whole = jnp.block([[size[:n, :n], size[:n, n:] * frequency], [felt, size[n:, n:]]])
        return jnp.max(jnp.sum(whole, -1))

    return jnp.max(jax.vmap(rate)(start + (stop - start) * jnp.arange(LOOKED_AT) / LOOKED_AT))


class Evolution:
    """What a linear network does from a given start, at each of `times`; y = (x, v), v of coordinates with a mass.

    - `means` (time, k), `covariances` (time, k, k) of y; `energy` (time): ½⟨xᵀΦx⟩ + ½⟨vᵀMv⟩;
    - `heat` {bath: (time)}, `work` {drive: (time)}: rates just then; `heat_amount`, `work_amount`: from time 0 on;
    - `error`: the largest error of means, covariances and amounts, relative to the largest of positions, of velocities
      and of amounts just then (and of these to the largest temperature at least); `status`.
    """

    def __init__(self, times: np.ndarray, states: list[Now], found: list[Seen], names: tuple[tuple[str, ...], ...]):
        self.times, self.means = times, np.array([state.mean for state in states])[:, :-1]
        self.covariances = np.array([state.spread for state in states])[:, :-1, :-1]
        self.energy = np.array([one.energy for one in found])
        rates, amounts = np.array([one.rates for one in found]), np.array([state.amounts for state in states])
        (baths, drives), count = names, len(names[0])
        self.heat = Table({name: rates[:, k] for k, name in enumerate(baths)})
        self.work = Table({name: rates[:, count + k] for k, name in enumerate(drives)})
        self.heat_amount = Table({name: amounts[:, k] for k, name in enumerate(baths)})
        self.work_amount = Table({name: amounts[:, count + k] for k, name in enumerate(drives)})
        self.error, self.status = 0.0, Status.OK

    def __repr__(self) -> str:
        return f"Evolution({len(self.times)} times, baths {', '.join(self.heat)}, status {self.status.name})"


def transient(network: Any, initial: Any, times: np.ndarray, tolerance: float, throw: bool) -> Evolution:
    """The moments of a linear network at `times`, from `initial` = (mean, covariance) of y at time 0."""
    if network.quantum or network.remembers:
        what = "quantum baths" if network.quantum else "friction with a memory"
        raise InputError(f"evolve: an OscillatorNetwork with {what} has no evolution yet.")
    names = tuple(network.baths), tuple(network.drives)
    begun = _start(initial, network.size, 2 * network.size - len(network.massless), len(names[0]) + len(names[1]))
    borders, often, early = _borders(network, float(times[-1]))
    legs = _legs(network, times, borders, often, early)
    states, error, words = _refined(network, begun, legs, early, tolerance)
    if times[0] == 0:
        states = [begun, *states]
    found = [_seen(network, now, _read_at(time, early)) for now, time in zip(states, times, strict=True)]
    evolution = Evolution(times, states, found, names)
    evolution.error = error
    if not error <= tolerance:
        evolution.status = Status.NOT_CONVERGED
        if throw:
            raise SolveError(f"evolve: no trustworthy solution (NOT_CONVERGED): {words}.", Status.NOT_CONVERGED)
    return evolution


def _read_at(time: float, early: float) -> np.ndarray:
    """Of a jump, just before it."""
    return np.asarray(time - early if time > 0 else early)


def _legs(network: Any, times: np.ndarray, borders: np.ndarray, often: float, early: float) -> list[Leg]:
    legs, start, stops = [], 0.0, np.union1d(borders, times[times > 0])
    for stop in map(float, stops):
        fastest = float(_fastest(network, *map(np.asarray, (start + early, stop - early))))
        steps = (stop - start) * max(fastest / STABLE, often)
        legs.append(Leg(start, stop, max(8, math.ceil(steps)), start in borders, stop in times))
        start = stop
    return legs


def _borders(network: Any, stop: float) -> tuple[np.ndarray, float, float]:
    """Times up to `stop` at which drives jump or have kinks, steps per time that follow them, and `early` as a time."""
    if network.frequency is None:
        return np.zeros(0), 0.0, 0.0
    frequency = float(network.frequency)
    period, found, often = 2 * math.pi / frequency, [np.zeros(0)], 0.0
    for (name, drive), target in zip(network.drives.items(), network.targets, strict=True):
        if target < 0 and target != SPRING:
            continue
        own = np.asarray(drive.borders())
        turns = np.arange(math.ceil(stop / period) + 1)
        if own.size:
            found.append(((turns[:, None] + np.append(0.0, own)) * period).ravel())
        elif (jump := jump_of(drive, frequency * stop)) is not None:
            raise InputError(
                f"evolve: the drive `{name}` jumps at the phase {jump:.6g}, which its `borders()` do not name; write "
                "them, or give it as `Steps`."
            )
        elif harmonics_of(drive) is None and bool(unseen_at(drive, SEEN, frequency * stop)):
            raise InputError(
                f"evolve: the drive `{name}` may hold a pulse between the {SEEN} instants at which it is looked at; "
                "widen it, or give it as `Steps` or as `Samples`."
            )
        harmonics = harmonics_of(drive)
        if not own.size:
            most = STEPS * harmonics / period if harmonics is not None else SEEN / stop
            often = max(often, most)
    times = np.unique(np.concatenate(found))
    early = EARLY * period
    return times[(times > early) & (times < stop - early)], often, early


def _jumped(network: Any, now: Now, time: float, early: float, baths: int) -> Now:
    """The work of springs that jump, one drive after another."""
    if SPRING not in network.targets:
        return now
    n, frequency = network.size, float(network.frequency)
    jumps = _jumps(network, *(np.asarray(frequency * (time + shift)) for shift in (-early, early)))
    amounts = np.array(now.amounts)
    amounts[baths:] += np.einsum("dij,ij->d", jumps, np.asarray(now.second)[:n, :n]) / 2
    return now._replace(amounts=amounts)


_jumps = compiled(jump_of_springs)


def _followed(network: Any, now: Now, legs: list[Leg], early: float, finer: int) -> list[Now]:
    """The states where they are read, by `finer` times the steps of each leg."""
    states = []
    for leg in legs:
        if leg.jumps:
            now = _jumped(network, now, leg.start, early, len(network.baths))
        now = _advanced(network, now, *map(np.asarray, (leg.start + early, leg.stop - early, finer * leg.steps)))
        states += [now] if leg.read else []
    return states


def _refined(network: Any, begun: Now, legs: list[Leg], early: float, tolerance: float) -> tuple[list[Now], float, str]:
    """The states where they are read, their error, and why it may be larger than the tolerance."""
    most, finer = max((leg.steps for leg in legs), default=8), 1
    if 2 * most > MOST:
        leg = next(leg for leg in legs if leg.steps == most)
        none = jax.tree.map(lambda a: np.full_like(a, np.nan), begun)
        words = f"from {leg.start:g} to {leg.stop:g} the motion or a drive is so fast that it takes {most:.1e} steps"
        return [none for leg in legs if leg.read], math.inf, f"{words}, but {MOST} are the most; ask for shorter times"
    rough = _followed(network, begun, legs, early, finer)
    while True:
        finer *= 2
        fine = _followed(network, begun, legs, early, finer)
        # Of the fourth order: a fifteenth of the change is left, and taken away.
        better = jax.tree.map(lambda a, b: np.asarray(a + (a - b) / 15), fine, rough)
        stops = [leg.stop for leg in legs if leg.read]
        apart = [_apart(network, *pair) for pair in zip(fine, better, stops, strict=True)]
        error = float(np.max(apart, initial=0.0))
        if not np.isfinite(error):
            return better, error, "the motion grows beyond all numbers; ask for shorter times"
        if error <= tolerance / 8 or 2 * finer * most > MOST:
            words = (
                f"its error is {error:.0e} of the largest number; ask for a larger `tolerance`, or for shorter times"
            )
            return better, error, words
        rough = fine


def _apart(network: Any, fine: Now, better: Now, time: float) -> float:
    """How far two states are from each other, relative to what there is."""
    seen = _seen(network, better, np.asarray(time))
    mean, spread, amounts = (np.abs(np.asarray(a) - b) for a, b in zip(fine, better, strict=True))
    narrow, wide = np.asarray(seen.narrow), np.asarray(seen.wide)
    warmest = max(float(bath.temperature) for bath in network.baths.values())
    parts = ((mean, wide), (spread, np.outer(narrow, narrow)), (amounts, max(np.abs(better.amounts).max(), warmest)))
    return float(np.max([np.max(off / np.where(off == 0, 1.0, size)) for off, size in parts]))


def _start(initial: Any, n: int, k: int, rates: int) -> Now:
    wanted = f"(mean, covariance) of the {n} positions and then the {k - n} velocities of coordinates with a mass"
    try:
        mean, covariance = (np.asarray(part, float) for part in initial)
    except (TypeError, ValueError):
        raise InputError(f"evolve: `initial` must be {wanted}, but is {initial!r}.") from None
    if mean.shape != (k,) or covariance.shape != (k, k):
        raise InputError(
            f"evolve: `initial` must be {wanted}, of shapes {(k,)} and {(k, k)}, not {mean.shape} and "
            f"{covariance.shape}."
        )
    size = max(float(np.abs(covariance).max()), 1e-300)
    fine = np.isfinite(mean).all() and np.isfinite(covariance).all()
    if not fine or np.abs(covariance - covariance.T).max() > 1e-9 * size:
        raise InputError("evolve: `initial` must hold finite numbers, and its covariance must be symmetric.")
    least = float(np.linalg.eigvalsh(covariance)[0])
    if least < -1e-9 * size:
        raise InputError(f"evolve: the covariance of `initial` must not be negative, but has the eigenvalue {least:g}.")
    spread = np.zeros((k + 1, k + 1))
    spread[:k, :k] = (covariance + covariance.T) / 2
    return Now(np.append(mean, 1.0), spread, np.zeros(rates))
