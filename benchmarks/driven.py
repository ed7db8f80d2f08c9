"""What the rows of driven four-state networks share: the machine in plain numbers, the peers, and the reference.

The peers get the machine as tables, so that their right-hand sides are a handful of NumPy calls: every rate is
scale/(1+eˣ) with x and the heat of each transition linear in the drives.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PHASES = 64
"""Points per period at which QuTiP's heat rates are averaged (the trapezoidal rule converges geometrically)."""
SAMPLES = 256
"""Samples per period of the rates that QuTiP interpolates by quintic splines, in compiled code."""


@dataclass(frozen=True)
class Plain:
    """One driven network as arrays. Transitions are directed; h_d(t) = mean + amplitude·cos(2πt/τ + phase).

    (transition): `bath`, `start`, `end`, `scale`, `x0`, `heat0`; (transition, drive): `x1`, `heat1`.
    """

    states: int
    baths: int
    period: float
    mean: np.ndarray
    amplitude: np.ndarray
    phase: np.ndarray
    bath: np.ndarray
    start: np.ndarray
    end: np.ndarray
    scale: np.ndarray
    x0: np.ndarray
    x1: np.ndarray
    heat0: np.ndarray
    heat1: np.ndarray

    def rates(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """Rate and heat of each directed transition at time t."""
        h = self.mean + self.amplitude * np.cos(2 * np.pi / self.period * t + self.phase)
        return self.scale / (1 + np.exp(self.x0 + self.x1 @ h)), self.heat0 + self.heat1 @ h

    def motion(self) -> np.ndarray:
        """(state·state, transition): what a unit rate adds to the generator."""
        n, size = self.states, len(self.scale)
        table = np.zeros((n, n, size))
        k = np.arange(size)
        table[self.end, self.start, k] += 1
        table[self.start, self.start, k] -= 1
        return table.reshape(n * n, size)

    def absorption(self) -> np.ndarray:
        """(bath·state, transition): what rate·heat adds to the functionals whose mean is the heat from each bath."""
        size = len(self.scale)
        table = np.zeros((self.baths, self.states, size))
        table[self.bath, self.start, np.arange(size)] += 1
        return table.reshape(self.baths * self.states, size)


def fixed_point(propagator: np.ndarray) -> np.ndarray:
    """Stationary distribution of a propagator, by elimination of its off-diagonal entries."""
    w = propagator.copy()
    n = len(w)
    for k in range(n - 1, 0, -1):
        w[:k, :k] += np.outer(w[:k, k], w[k, :k]) / w[:k, k].sum()
    p = np.ones(n)
    for k in range(1, n):
        p[k] = w[k, :k] @ p[:k] / w[:k, k].sum()
    return p / p.sum()


# --------------------------------------------------------------------------- SciPy


def by_scipy(machine: Plain, rtol: float, atol: float) -> np.ndarray:
    """Period-averaged heats: DOP853 carries the propagator and the integrated heat functionals over one period.

    One matrix–vector product gives all exponents and heats, another the generator and the functionals.
    """
    from scipy.integrate import solve_ivp

    n, m, size = machine.states, machine.baths, len(machine.scale)
    tables = np.zeros((n * n + m * n, 2 * size))
    tables[: n * n, :size], tables[n * n :, size:] = machine.motion(), machine.absorption()
    slope = np.concatenate([machine.x1, machine.heat1])
    mean = np.concatenate([machine.x0, machine.heat0]) + slope @ machine.mean
    slope = slope * machine.amplitude
    waves = np.stack([slope @ np.cos(machine.phase), -slope @ np.sin(machine.phase)], axis=-1)
    frequency = 2 * math.pi / machine.period
    flows = np.empty(2 * size)

    def right(t: float, y: np.ndarray) -> np.ndarray:
        both = mean + waves @ (math.cos(frequency * t), math.sin(frequency * t))
        np.divide(machine.scale, 1 + np.exp(both[:size]), out=flows[:size])
        np.multiply(flows[:size], both[size:], out=flows[size:])
        return ((tables @ flows).reshape(n + m, n) @ y[: n * n].reshape(n, n)).ravel()

    start = np.concatenate([np.eye(n).ravel(), np.zeros(m * n)])
    end = solve_ivp(right, (0.0, machine.period), start, method="DOP853", rtol=rtol, atol=atol).y[:, -1]
    p = fixed_point(end[: n * n].reshape(n, n))
    return end[n * n :].reshape(m, n) @ p / machine.period


def reference(machine: Plain) -> np.ndarray:
    """Period-averaged heats to about 1e-12 of the heat that goes in and out: two runs of DOP853 at rtol = 1e-13.

    The first carries the propagator with a relative tolerance for every entry, however small; the second starts from
    the periodic state and integrates what each bath gives and what it takes apart, which never cancel.
    """
    from scipy.integrate import solve_ivp

    n, m = machine.states, machine.baths
    motion, absorption = machine.motion(), machine.absorption()
    options = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-300, "first_step": 1e-6 * machine.period}

    def propagate(t: float, y: np.ndarray) -> np.ndarray:
        return ((motion @ machine.rates(t)[0]).reshape(n, n) @ y.reshape(n, n)).ravel()

    def book(t: float, y: np.ndarray) -> np.ndarray:
        w, q = machine.rates(t)
        given = (absorption @ (w * np.maximum(q, 0))).reshape(m, n)
        taken = (absorption @ (w * np.maximum(-q, 0))).reshape(m, n)
        return np.concatenate([(motion @ w).reshape(n, n), given, taken]) @ y[:n]

    whole = (0.0, machine.period)
    p = fixed_point(solve_ivp(propagate, whole, np.eye(n).ravel(), **options).y[:, -1].reshape(n, n))
    end = solve_ivp(book, whole, np.concatenate([p, np.zeros(2 * m)]), **options).y[:, -1]
    return (end[n : n + m] - end[n + m :]) / machine.period


# --------------------------------------------------------------------------- QuTiP


def qutip_installed() -> bool:
    try:
        import qutip  # noqa: F401
    except ImportError:
        return False
    return True


def by_qutip(machine: Plain, tuned: bool) -> np.ndarray:
    """Period-averaged heats from `qutip.propagator` of the Lindblad equation.

    One integration gives the propagators to `PHASES` moments of a period, the last of them the periodic state; the
    currents' formulas are the user's. Plain: rates are Python functions of time, the integrator is QuTiP's default
    (Adams). Tuned: rates are sampled and interpolated by QuTiP's compiled splines, the integrator is LSODA.
    """
    import qutip

    n = machine.states
    samples = np.linspace(0, machine.period, SAMPLES + 1)
    sampled = np.array([machine.rates(t)[0] for t in samples]) if tuned else None
    parts = []
    for k in range(len(machine.scale)):
        jump = qutip.basis(n, int(machine.end[k])) @ qutip.basis(n, int(machine.start[k])).dag()
        rate = _rate(machine, k) if sampled is None else qutip.coefficient(sampled[:, k], tlist=samples, order=5)
        parts.append([qutip.lindblad_dissipator(jump), rate])
    times = np.linspace(0, machine.period, PHASES + 1)
    options = {"rtol": 1e-10, "atol": 1e-12, "nsteps": 1_000_000, "method": "lsoda" if tuned else "adams"}
    propagators = qutip.propagator(qutip.QobjEvo(parts), times, options=options)
    diagonal = np.arange(n) * (n + 1)  # populations among the entries of the vectorised density matrix
    moves = np.array([u.full()[np.ix_(diagonal, diagonal)].real for u in propagators])
    p = fixed_point(moves[-1])
    heats = np.zeros(machine.baths)
    for move, t in zip(moves[1:], times[1:], strict=True):
        w, q = machine.rates(t)
        np.add.at(heats, machine.bath, w * q * (move @ p)[machine.start])
    return heats / PHASES


def _rate(machine: Plain, k: int) -> Callable[[float], float]:
    """Rate of one transition as a Python function of time."""
    frequency = 2 * math.pi / machine.period
    scale, x0 = float(machine.scale[k]), float(machine.x0[k] + machine.x1[k] @ machine.mean)
    waves = [
        (float(x * a), float(f)) for x, a, f in zip(machine.x1[k], machine.amplitude, machine.phase, strict=True) if x
    ]
    return lambda t: scale / (1 + math.exp(x0 + sum(x * math.cos(frequency * t + f) for x, f in waves)))
