"""Second routes to the same numbers, which share no code with the package.

The rates are written out here once more, for NumPy arrays and for mpmath numbers alike. Static networks are
solved in multiple precision; driven ones by Gauss collocation of order 16 with NumPy and by SciPy's DOP853.
"""

import types
from typing import Any, NamedTuple

import mpmath
import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.integrate import solve_ivp

from tests.machines_random import CUTOFF, Topology


class Parts(NamedTuple):
    """A network at one phase (leading axes: points or phases): rates, what each edge takes from each bath.

    `lifts` (…, drive, state) are the parts of the energies that each drive adds.
    """

    log_forward: Any
    log_backward: Any
    energy: Any
    particles: Any
    temperature: Any
    potential: Any
    energies: Any
    lifts: Any


def log_fermi(x, m=np):
    return -(x + abs(x)) / 2 - m.log1p(m.exp(-abs(x)))


def log_rates(law, x, change, start, temperature, strength, barrier, m):
    """ln of the two rates of a transition, from the formulas of the kinetics."""
    if law in ("tunnelling", "glauber"):
        scale = m.log(strength if law == "tunnelling" else 2 * strength)
        return scale + log_fermi(x, m), scale + log_fermi(-x, m)
    if law == "arrhenius":
        return (
            m.log(strength) - (barrier - start) / temperature,
            m.log(strength) - (barrier - start - change) / temperature,
        )
    size = abs(change)
    if law != "bosonic":
        # γ(ω)n(ω/T) → strength·T where the levels meet: there, take a gap that is nothing beside T.
        size = size + (size == 0) * temperature * 1e-30
        x = x + (x == 0) * 1e-30
    scale = m.log(strength) if law == "bosonic" else m.log(strength * size)
    if law == "ohmic":
        scale = scale - size / CUTOFF
    # n(|x|) = e^{−|x|}/(1−e^{−|x|}) for absorption, 1/(1−e^{−|x|}) for emission.
    scale = scale - m.log(-m.expm1(-abs(x)))
    return scale - (x + abs(x)) / 2, scale - (abs(x) - x) / 2


def parts(t: Topology, point: dict[str, Any], phase: Any = None, m: types.ModuleType = np) -> Parts:
    """The network of `point` (one point, at an array of phases; or static points with a leading axis)."""
    energies, temperature, potential = point["energies"], point["temperature"], point["potential"]
    strength, barrier = point["strength"], point["barrier"]
    lifts = None
    if t.driven:
        shape = np.shape(phase)
        a = point["amplitude"] * np.cos(phase)
        b = point["amplitude"] * np.cos(phase + point["phase"])
        wide = [
            np.broadcast_to(v, (*shape, v.size)).copy() for v in (energies, temperature, potential, strength, barrier)
        ]
        energies, temperature, potential, strength, barrier = wide
        lifts = np.zeros((*shape, 2, t.states))
        if "energy" in t.driven:
            lifts[..., 0, :] = a[..., None] * point["tilt"]
            lifts[..., 1, :] = np.sin(b)[..., None] * point["wave"]
            energies += lifts.sum(axis=-2)
        if "potential" in t.driven:
            potential[..., 0] += 0.5 * a
        if "temperature" in t.driven:
            temperature[..., -1] *= np.exp(0.3 * b)
        if "rate" in t.driven:
            strength[..., 0] *= np.exp(b)
        if "barrier" in t.driven:
            barrier += b[..., None] * point["sway"]
    zero = 0 * _at(energies, 0)
    forward, backward, energy, particles = [], [], [], []
    for k, e in enumerate(t.edges):
        start = _at(energies, e.initial)
        change = _at(energies, e.final) - start
        number = t.occupations[e.final] - t.occupations[e.initial]
        taken = {e.baths[0]: (change, number)}
        if len(e.baths) == 2:
            first = _at(point["fraction"], k) * change
            taken = {e.baths[0]: (first, number), e.baths[1]: (change - first, 0)}
        x, row_e, row_n = zero, [], []
        for b_index, (name, _) in enumerate(t.baths):
            de, dn = taken.get(name, (zero, 0))
            x = x + (de - _at(potential, b_index) * dn) / _at(temperature, b_index)
            row_e.append(de)
            row_n.append(zero + dn)
        own = _at(temperature, t.bath_index(e.baths[0]))
        f, b_rate = log_rates(e.law, x, change, start, own, _at(strength, k), _at(barrier, k), m)
        forward.append(f)
        backward.append(b_rate)
        energy.append(row_e)
        particles.append(row_n)

    return Parts(
        np.moveaxis(np.array(forward), 0, -1),
        np.moveaxis(np.array(backward), 0, -1),
        np.moveaxis(np.array(energy), (0, 1), (-1, -2)),
        np.moveaxis(np.array(particles), (0, 1), (-1, -2)),
        temperature,
        potential,
        energies,
        lifts,
    )


def _at(values: Any, k: int) -> Any:
    """Entry k of the last axis; a plain number if there is no other axis."""
    return values[..., k][()]


# --------------------------------------------------------------------------- static, in multiple precision


def solve_exactly(states: int, initial, final, log_forward, log_backward, digits: int) -> tuple[list, list]:
    """ln p and net currents, by dense LU of the generator with `digits` decimal digits."""
    with mpmath.workdps(digits):
        forward, backward = [mpmath.exp(v) for v in log_forward], [mpmath.exp(v) for v in log_backward]
        generator = mpmath.zeros(states, states)
        for i, f, up, down in zip(initial, final, forward, backward, strict=True):
            i, f = int(i), int(f)
            generator[f, i] += up
            generator[i, i] -= up
            generator[i, f] += down
            generator[f, f] -= down
        for j in range(states):
            generator[states - 1, j] = mpmath.mpf(1)
        right = mpmath.zeros(states, 1)
        right[states - 1] = 1
        p = mpmath.lu_solve(generator, right)
        currents = [
            up * p[int(i)] - down * p[int(f)] for i, f, up, down in zip(initial, final, forward, backward, strict=True)
        ]
        return [mpmath.log(v) for v in p], currents


class Exact(NamedTuple):
    """Ledger in multiple precision: per bath energy, particles, heat over temperature; ln p.

    `sizes` are the largest contributions of single edges to energies (of which each is the sum of heat and chemical
    work), particles and entropy flows.
    """

    log_p: list
    energies: list
    particles: list
    entropy: list
    schnakenberg: Any
    sizes: tuple


def ledger_exactly(t: Topology, point: dict[str, np.ndarray]) -> Exact:
    """The stationary ledger of one static point, from the very numbers (binary fractions) that it was given.

    Populations may span the rates' span once per state, and currents be as small beside the flows: digits follow it.
    """
    rough = parts(t, {name: np.asarray(values, dtype=float) for name, values in point.items()})
    span = np.ptp(np.concatenate([rough.log_forward, rough.log_backward]))
    digits = 60 + int(t.states * span / np.log(10))
    with mpmath.workdps(digits):
        exact = {
            name: np.array([mpmath.mpf(float(v)) for v in np.ravel(values)], dtype=object)
            for name, values in point.items()
        }
        p = parts(t, exact, m=mpmath)
        log_p, currents = solve_exactly(
            t.states, [e.initial for e in t.edges], [e.final for e in t.edges], p.log_forward, p.log_backward, digits
        )
        energy, particles = p.energy, p.particles
        baths = range(len(t.baths))
        edges = range(len(t.edges))
        energies = [mpmath.fsum(energy[b, k] * currents[k] for k in edges) for b in baths]
        numbers = [mpmath.fsum(particles[b, k] * currents[k] for k in edges) for b in baths]
        entropy = [(energies[b] - p.potential[b] * numbers[b]) / p.temperature[b] for b in baths]
        affinity = [
            p.log_forward[k] + log_p[e.initial] - p.log_backward[k] - log_p[e.final] for k, e in enumerate(t.edges)
        ]
        schnakenberg = mpmath.fsum(j * a for j, a in zip(currents, affinity, strict=True))
        chemical = np.array(p.potential, dtype=object)[:, None] * particles
        heat = energy - chemical
        sizes = tuple(
            max(abs(amount[b, k] * currents[k]) for b in baths for k in edges)
            for amount in (
                abs(heat) + abs(chemical),
                particles,
                heat / np.array(p.temperature, dtype=object)[:, None],
            )
        )
        return Exact(log_p, energies, numbers, entropy, schnakenberg, sizes)


def schnakenberg(t: Topology, p: Parts, populations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ over edges of (forward − backward flow)·ln(forward/backward flow), and the rounding error of that sum.

    Each channel of each bath counts by itself.
    """
    i, f = np.array([e.initial for e in t.edges]), np.array([e.final for e in t.edges])
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = np.log(populations)
        log_out, log_back = p.log_forward + log_p[..., i], p.log_backward + log_p[..., f]
        out, back = np.exp(log_out), np.exp(log_back)
        affinity = log_out - log_back
        terms = (out - back) * affinity
        noise = 1e-15 * (8 + abs(p.log_forward) + abs(p.log_backward) + abs(log_p[..., i]) + abs(log_p[..., f]))
        error = noise * ((out + back) * abs(affinity) + abs(out - back))
    return terms.sum(-1), error.sum(-1)


# --------------------------------------------------------------------------- driven


class PeriodLedger(NamedTuple):
    """Averages over the period, by bath and by drive, and the populations at phase 0."""

    energies: np.ndarray
    particles: np.ndarray
    chemical: np.ndarray
    entropy: np.ndarray
    works: np.ndarray
    populations: np.ndarray


def generator(t: Topology, p: Parts) -> np.ndarray:
    """Generators (…, to, from) whose columns sum to zero."""
    forward, backward = np.exp(p.log_forward), np.exp(p.log_backward)
    w = np.zeros((*forward.shape[:-1], t.states, t.states))
    for k, e in enumerate(t.edges):
        w[..., e.final, e.initial] += forward[..., k]
        w[..., e.initial, e.final] += backward[..., k]
    for j in range(t.states):
        w[..., j, j] = -w[..., :, j].sum(-1)
    return w


def rows(t: Topology, p: Parts) -> np.ndarray:
    """Functionals r with rate = Σ_i r_i p_i: energy, particles, chemical work, Q̇/T per bath, then work per drive.

    Work is taken by parts: the average of Σ_i p_i dE_i/dt over a period is that of −Σ_i E_i dp_i/dt.
    """
    forward, backward = np.exp(p.log_forward), np.exp(p.log_backward)
    heat = p.energy - p.potential[..., None] * p.particles
    lifted = np.stack([p.lifts[..., e.initial] - p.lifts[..., e.final] for e in t.edges], axis=-1)
    amounts = np.concatenate(
        [p.energy, p.particles, p.potential[..., None] * p.particles, heat / p.temperature[..., None], lifted], axis=-2
    )
    r = np.zeros((*amounts.shape[:-1], t.states))
    for k, e in enumerate(t.edges):
        r[..., e.initial] += amounts[..., k] * forward[..., None, k]
        r[..., e.final] -= amounts[..., k] * backward[..., None, k]
    return r


def stationary(propagator: np.ndarray) -> np.ndarray:
    """Stationary distribution of a stochastic matrix (columns sum to one), by censoring states one after another."""
    w = propagator.copy()
    n = w.shape[0]
    exits, p = np.zeros(n), np.ones(n)
    for k in range(n - 1, 0, -1):
        exits[k] = w[:k, k].sum()
        w[:k, :k] += np.outer(w[:k, k] / exits[k], w[k, :k])
    for k in range(1, n):
        p[k] = w[k, :k] @ p[:k] / exits[k]
    return p / p.sum()


def collocate(at: Any, states: int, period: float, elements: int, stages: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Averages of row functionals over the period and p at phase 0, by Gauss collocation of order 2·stages.

    `at` gives generators (…, to, from) and rows (…, row, state) at an array of phases. With nodes c and the
    integration matrix A, stage values obey Y_i = Y_0 + h Σ_j A_ij M(c_j) Y_j.
    """
    n = states
    x, b = leggauss(stages)
    nodes, b = (x + 1) / 2, b / 2
    powers = nodes[:, None] ** np.arange(stages)
    integrals = nodes[:, None] ** np.arange(1, stages + 1) / np.arange(1, stages + 1)
    a = np.linalg.solve(powers.T, integrals.T).T
    h = period / elements
    m, r = at(2 * np.pi * (np.arange(elements)[:, None] + nodes) / elements)
    system = np.eye(stages * n) - h * np.einsum("ij,kjab->kiajb", a, m).reshape(elements, stages * n, stages * n)
    right = np.broadcast_to(np.tile(np.eye(n), (stages, 1)), (elements, stages * n, n))
    y = np.linalg.solve(system, right).reshape(elements, stages, n, n)
    step = np.eye(n) + h * np.einsum("j,kjab,kjbc->kac", b, m, y)
    gain = np.einsum("j,kjra,kjab->krb", b, r, y) / elements
    whole = np.eye(n)
    for one in step:
        whole = one @ whole
    q = p0 = stationary(np.where(np.eye(n, dtype=bool), 0.0, whole))
    averages = np.zeros(r.shape[2])
    for one, part in zip(step, gain, strict=True):
        averages += part @ q
        q = one @ q
    return averages, p0


def integrate(at: Any, states: int, period: float, rtol: float = 1e-12) -> tuple[np.ndarray, np.ndarray]:
    """The same by SciPy's DOP853: the propagator of one period (monodromy) with the integrals, then its fixed point."""
    n = states
    width = at(np.asarray(0.0))[1].shape[0]

    def slope(time: float, flat: np.ndarray) -> np.ndarray:
        m, r = at(np.asarray(2 * np.pi * time / period))
        columns = flat[: n * n].reshape(n, n)
        return np.concatenate([(m @ columns).ravel(), (r @ columns).ravel()])

    start = np.concatenate([np.eye(n).ravel(), np.zeros(width * n)])
    end = solve_ivp(slope, (0.0, period), start, method="DOP853", rtol=rtol, atol=1e-14).y[:, -1]
    p0 = stationary(np.where(np.eye(n, dtype=bool), 0.0, end[: n * n].reshape(n, n)))
    return end[n * n :].reshape(width, n) @ p0 / period, p0


def _at_phases(t: Topology, point: dict[str, np.ndarray]) -> Any:
    def at(phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = parts(t, point, phase)
        return generator(t, p), rows(t, p)

    return at


def _split(t: Topology, averages: np.ndarray, p0: np.ndarray) -> PeriodLedger:
    b = len(t.baths)
    return PeriodLedger(*(averages[k * b : (k + 1) * b] for k in range(4)), averages[4 * b :], p0)


def period_by_collocation(t: Topology, point: dict[str, np.ndarray], elements: int) -> PeriodLedger:
    return _split(t, *collocate(_at_phases(t, point), t.states, float(point["period"]), elements))


def period_by_dop853(t: Topology, point: dict[str, np.ndarray]) -> PeriodLedger:
    return _split(t, *integrate(_at_phases(t, point), t.states, float(point["period"])))
