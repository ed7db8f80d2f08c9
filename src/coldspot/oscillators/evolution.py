"""What a linear network does from a given start: quenches, ramps and transients of second moments.

    Ẋ = A X + X Aᵀ + Σ_b T_b W_b,   X = ⟨yyᵀ⟩, y = (x, v, 1)

and the amounts of heat and work, tr(QX) + Σ_b c_b T_b, by the classical Runge–Kutta formula. Steps are halved until
the numbers stay; the change, extrapolated, is the error stated. No step goes over a place where a drive jumps or has a
kink; a jump of springs does the work ½tr(ΔΦ⟨xxᵀ⟩).
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
from .instant import Instant, moments, or_one
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
    """X (k, k), and what has come in since time 0: heat per bath, then work per drive (rate,)."""

    second: Values
    amounts: Values


class Seen(NamedTuple):
    """The rates (rate,) at one time, and the energy."""

    rates: Array
    energy: Array


def _at(network: Any, time: Any) -> Instant:
    """A network's numbers at a time."""
    return network.instant(or_one(network.frequency) * time)


@compiled
def _advanced(network: Any, now: Now, start: Any, stop: Any, count: Any) -> Now:
    """The state at the time `stop`, by `count` steps from `start`."""
    step = (stop - start) / count

    def slope(time: Array, now: Now) -> Now:
        one = _at(network, time)
        m = moments(one)
        half = m.drift @ now.second
        noise = jnp.einsum("b,bij->ij", one.temperatures, m.noise)
        rates = jnp.einsum("qij,ij->q", m.forms, now.second) + m.constants @ one.temperatures
        return Now(half + half.T + noise, rates)

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
    m, n = moments(one), one.size
    rates = jnp.einsum("qij,ij->q", m.forms, now.second) + m.constants @ one.temperatures
    squares = jnp.diagonal(now.second)[n:-1]
    energy = jnp.sum(one.springs * now.second[:n, :n]) / 2 + jnp.sum(one.masses[one.heavy] * squares) / 2
    return Seen(rates, energy)


@compiled
def _fastest(network: Any, start: Any, stop: Any) -> Array:
    """The fastest rate of the motion between two times."""

    def rate(time: Array) -> Array:
        return jnp.max(jnp.sum(jnp.abs(moments(_at(network, time)).drift[:-1, :-1]), -1))

    return jnp.max(jax.vmap(rate)(start + (stop - start) * jnp.arange(LOOKED_AT) / LOOKED_AT))


class Evolution:
    """What a linear network does from a given start, at each of `times`; y = (x, v), v of coordinates with a mass.

    - `means` (time, k), `covariances` (time, k, k) of y; `energy` (time): ½⟨xᵀΦx⟩ + ½⟨vᵀMv⟩;
    - `heat` {bath: (time)}, `work` {drive: (time)}: rates just then; `heat_amount`, `work_amount`: from time 0 on;
    - `error`: the largest error of amounts and covariances, relative to their largest; `status`.
    """

    def __init__(self, times: np.ndarray, states: list[Now], found: list[Seen], names: tuple[tuple[str, ...], ...]):
        second = np.array([state.second for state in states])
        self.times, self.means = times, second[:, :-1, -1]
        self.covariances = second[:, :-1, :-1] - self.means[:, :, None] * self.means[:, None, :]
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
    now = _start(initial, network.size, 2 * network.size - len(network.massless), len(names[0]) + len(names[1]))
    start, borders, often, early = 0.0, *_borders(network, float(times[-1]))
    states, found, error = [], [], 0.0
    for time in map(float, times):
        for border in borders[(borders >= start) & (borders < time)]:
            if border > start:
                now, own = _between(network, now, start, border, often, early, tolerance)
                error, start = error + own, border
            now = _jumped(network, now, border, early, len(names[0]))
        if time > start:
            now, own = _between(network, now, start, time, often, early, tolerance)
            error, start = error + own, time
        states.append(now)
        # Of a jump, just before it.
        found.append(_seen(network, now, np.asarray(time - early if time > 0 else early)))
    evolution = Evolution(times, states, found, names)
    evolution.error = error
    if not error <= tolerance:
        evolution.status = Status.NOT_CONVERGED
        if throw:
            raise SolveError(
                f"evolve: no trustworthy solution (NOT_CONVERGED): its error is {error:.0e} of the largest number; ask "
                "for a larger `tolerance`, or for shorter times.",
                Status.NOT_CONVERGED,
            )
    return evolution


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


def _between(
    network: Any, now: Now, start: float, stop: float, often: float, early: float, tolerance: float
) -> tuple[Now, float]:
    """The state at `stop`, with its error, where drives are smooth."""
    first, last = start + early, stop - early
    fastest = float(_fastest(network, *map(np.asarray, (first, last))))
    count = max(8, math.ceil((stop - start) * max(fastest / STABLE, often)))
    return _refined(network, now, first, last, count, tolerance)


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


def _refined(network: Any, now: Now, start: float, stop: float, count: int, tolerance: float) -> tuple[Now, float]:
    """The state at `stop`, with its error relative to the largest covariance and amount."""
    rough = _advanced(network, now, *map(np.asarray, (start, stop, count)))
    while True:
        count *= 2
        fine = _advanced(network, now, *map(np.asarray, (start, stop, count)))
        # Of the fourth order: a fifteenth of the change is left, and taken away.
        better = jax.tree.map(lambda a, b: np.asarray(a + (a - b) / 15), fine, rough)
        changes = [np.abs(np.asarray(a) - b).max(initial=0.0) for a, b in zip(fine, better, strict=True)]
        exchanged = max(np.abs(better.amounts).max(initial=0.0), np.abs(better.second).max())
        error = float(max(changes[0] / np.abs(better.second).max(), changes[1] / exchanged))
        if error <= tolerance / 8 or 2 * count > MOST or not np.isfinite(error):
            return better, error
        rough = fine


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
    whole = np.append(mean, 1.0)
    second = np.zeros((k + 1, k + 1))
    second[:k, :k] = (covariance + covariance.T) / 2
    return Now(second + np.outer(whole, whole), np.zeros(rates))
