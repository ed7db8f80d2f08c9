"""What a linear network does from a given start: quenches, ramps and transients of second moments.

    Ẋ = A X + X Aᵀ + Σ_b T_b W_b,   X = ⟨yyᵀ⟩, y = (x, v, 1)

and the amounts of heat and work, tr(QX) + Σ_b c_b T_b, by the classical Runge–Kutta formula. Steps are halved until
the numbers stay; the change, extrapolated, is the error stated.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Values
from ..pytrees import Table, compiled
from ..solution import SolveError, Status
from .instant import Instant, moments, or_one

STABLE = 1.0
"""First steps, in units of the fastest time of the motion."""
MOST = 1 << 22
"""Steps between two times, at most."""
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
    start = 0.0
    states, found, error = [], [], 0.0
    for time in times:
        stop = float(time)
        if stop > start:
            fastest = float(_fastest(network, *map(np.asarray, (start, stop))))
            count = max(8, math.ceil((stop - start) * fastest / STABLE))
            now, own = _refined(network, now, start, stop, count, tolerance)
            error, start = error + own, stop
        states.append(now)
        found.append(_seen(network, now, np.asarray(stop)))
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
