"""`python -m benchmarks.klein_kramers [rates] [turnover] [barrier] [coolers] [driven] [particles]`.

Rates, profiles, heats and trajectories of the Klein–Kramers equation.

Rates over the barrier of V = 5(x²−1)², m = T = 1, against polynomials orthogonal in e^{−V/T} × Hermite functions, of
which the odd half suffices; the parabolic barrier against Kramers' closed form. Each line: the error, the seconds of
the first call and of one that follows (wall and processor), and what is asked for. Coolers: published
numbers, found by other methods. Driven rings with a step of the temperature: against a finer mesh. Particles:
trajectories in a temperature and a friction that depend on the place, against the equation.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs

RATES = ((0.01, 1e-4, 1e-4, None), (0.1, 1e-7, 1e-7, 3.0), (0.3, 1e-9, 1e-9, 0.6), (1.0, 1e-9, 1e-9, 0.6))
RATES += ((3.0, 1e-9, 1e-9, 0.6), (10.0, 1e-9, 1e-9, 0.6), (100.0, 1e-9, 1e-9, 0.6))
"""Friction, tolerance, relative error allowed, and seconds of a warm call."""
BASIS = {0.1: (260, 2000), 0.3: (180, 700), 1.0: (120, 260)}
"""Polynomials and Hermite functions of the second route; (70, 120) for stronger friction."""
TURNOVER = 30.0


def quartic(x: Any) -> Any:
    return 5 * (x * x - 1) ** 2


def by_polynomials(friction: float) -> float:
    """Half the slowest relaxation rate: the backward operator is −γn between equal degrees n of Hermite functions, and
    √(n+1)(D from n to n+1, −Dᵀ back), D_ij = ∫p_i p_j′e^{−V}, of which (x, v) → (−x, −v) leaves the odd half alone.
    """
    import scipy.sparse as sp
    from scipy.sparse import linalg

    count, degrees = BASIS.get(friction, (70, 120))
    nodes, weights = np.polynomial.legendre.leggauss(600)
    x, w = 2.4 * nodes, 2.4 * weights * np.exp(-quartic(2.4 * nodes))
    # Polynomials and their slopes by Stieltjes' recursion for an even weight.
    p, slopes = np.zeros((count, x.size)), np.zeros((count, x.size))
    p[0] = 1 / math.sqrt(w.sum())
    for j in range(1, count):
        new, slope = x * p[j - 1], p[j - 1] + x * slopes[j - 1]
        for k in range(j - 1, -1, -1):
            part = (w * new * p[k]).sum()
            new, slope = new - part * p[k], slope - part * slopes[k]
        size = math.sqrt((w * new * new).sum())
        p[j], slopes[j] = new / size, slope / size
    d = (p * w) @ slopes.T
    even, odd = np.arange(0, count, 2), np.arange(1, count, 2)
    rows: list[list[Any]] = [[None] * degrees for _ in range(degrees)]
    for n in range(degrees):
        own, other = (odd, even) if n % 2 == 0 else (even, odd)
        rows[n][n] = -friction * n * sp.eye_array(len(own))
        if n + 1 < degrees:
            block = sp.csr_array(math.sqrt(n + 1) * d[np.ix_(other, own)])
            rows[n + 1][n], rows[n][n + 1] = block, -block.T
    matrix = sp.block_array(rows, format="csc")
    factors = linalg.splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=1e-3)
    y = np.ones(matrix.shape[0])
    before = 0.0
    for _ in range(60):
        new = factors.solve(y)
        new += factors.solve(y - matrix @ new)
        rate = float(y @ y / (y @ new))
        y = new / np.linalg.norm(new)
        if abs(rate - before) <= 1e-13 * abs(rate):
            break
        before = rate
    return -rate / 2


def timed(call: Callable[[], Any]) -> tuple[Any, str, float]:
    """The result, the seconds of two calls in words, and the wall time of the second."""
    words, wall = [], 0.0
    found: Any = None
    for _ in range(2):
        start, cpu = time.perf_counter(), time.process_time()
        found = call()
        wall = time.perf_counter() - start
        words.append(f"{wall:.2f} ({time.process_time() - cpu:.2f})")
    return found, ", ".join(words), wall


def line(name: str, error: float, allowed: float, seconds: str, wall: float, limit: float | None) -> None:
    good = error <= allowed and (limit is None or wall <= limit)
    asked = f"asked {allowed:.0e}" + ("" if limit is None else f" in {limit:g} s")
    print(f"{name:28} error {error:.1e}  seconds {seconds}  {asked}  {'met' if good else 'MISSED'}", flush=True)


def rates() -> None:
    for friction, tolerance, allowed, limit in RATES:
        wells = cs.KleinKramers(quartic, friction=friction, temperature=1.0, boundary=cs.Closed())
        found, seconds, wall = timed(lambda w=wells, t=tolerance: cs.escape_rate(w, tolerance=t))
        if friction in BASIS or friction > max(BASIS):
            reference = by_polynomials(friction)
        else:
            # No basis of polynomials for so weak a friction fits into memory: the same method, two digits further.
            reference = float(cs.escape_rate(wells, tolerance=tolerance / 100))
        error = abs(float(found) / reference - 1)
        line(f"rate, friction {friction:g}", error, allowed, seconds, wall, limit)


def turnover() -> None:
    wells = cs.KleinKramers(quartic, friction=1.0, temperature=1.0, boundary=cs.Closed())
    for least in (0.1, 0.01):
        frictions = np.geomspace(least, 100.0, 100)
        found, seconds, wall = timed(lambda f=frictions: cs.escape_rate(wells, friction=f, tolerance=1e-4))
        alone = [float(cs.escape_rate(wells, friction=[frictions[k]], tolerance=1e-5).rate[0]) for k in (7, 50, 93)]
        error = float(np.max(np.abs(found.rate[[7, 50, 93]] / alone - 1)))
        line(f"100 frictions, {least:g} to 100", error, 1e-4, seconds, wall, TURNOVER)
        top = int(np.argmax(found.rate))
        simple = found.melnikov_meshkov[[0, top, 99]] / found.rate[[0, top, 99]]
        print(f"  largest at {frictions[top]:.3g}; Mel'nikov and Meshkov's over it at both ends and there: {simple}")


def barrier() -> None:
    """−x²/2, ends 4.5 away."""
    for friction, allowed in ((1.0, 1e-10), (0.1, 1e-7)):
        exact = cs.Barrier(friction=friction, frequency=1, mass=1, temperature=1, population=1.0, height=1.0)
        density, reach = 4 * math.pi * math.e / math.sqrt(2 * math.pi), 4.5
        ends = cs.Open(-reach, reach, left=2 * math.exp(reach**2 / 2), right=0.0)
        problem = cs.KleinKramers(lambda x: -(x**2) / 2, friction=friction, temperature=1.0, boundary=ends)
        state, seconds, wall = timed(problem.state)
        x = np.linspace(-1, 1, 9)
        parts = [
            state.density(x) / (np.exp(np.asarray(exact.log_density(jnp.asarray(x)))) * density),
            state.effective_temperature(x) / np.asarray(exact.effective_temperature(jnp.asarray(x))),
            [state.flux / (float(exact.current) * density)],
        ]
        error = max(float(np.max(np.abs(np.asarray(part) - 1))) for part in parts)
        line(f"parabola, friction {friction:g}", error, allowed, seconds, wall, None)


def coolers() -> None:
    """The ring that cools under a load, and the open cooler at four temperatures, to their published digits."""
    ring = cs.machines.ButtikerLandauerRing(load=0.5, hot=cs.HeatBath(1.02))
    found, seconds, wall = timed(lambda: cs.steady_state(ring, tolerance=1e-6))
    entries = found.heat["cold"], found.heat["hot"], found.observables["mean velocity"]
    error = max(abs(float(a) / b - 1) for a, b in zip(entries, (0.0057722, -0.0414884, 0.0714324), strict=True))
    line("ring that cools", error, 2e-5, seconds, wall, None)
    hot, published = [1.0, 1.05, 1.1, 1.2], np.array([0.013697, 0.011285, 0.008466, 0.001523])
    swept, seconds, wall = timed(
        lambda: cs.sweep(cs.machines.KramersCooler(), {"hot.temperature": hot}, tolerance=1e-5)
    )
    error = float(np.max(np.abs(swept.heat.sel(bath="cold").values - published))) / published[0]
    line("open cooler", error, 1e-4, seconds, wall, None)


def rocked(tolerance: float, depth: float) -> Any:
    """A ring whose hill is raised and rocked, warmer on one side."""
    ring = cs.KleinKramers(
        lambda x, drives: (1 + drives["height"]) * jnp.cos(x) + drives["slope"] * jnp.sin(x),
        friction=0.8,
        temperature=cs.Steps([1.0, 1.3], [0.5, 0.5]),
        mass=1.3,
        boundary=cs.Periodic(2 * math.pi, load=0.1),
        drives={"height": cs.Cosine(depth), "slope": cs.Cosine(0.6, 1.0)},
        frequency=0.9,
        baths=("first", "second"),
    )
    return cs.steady_state(ring, tolerance=tolerance)


def driven() -> None:
    """A periodic state with a step of the temperature; the second call of each is of another amplitude."""
    heats = {}
    for tolerance in (1e-4, 1e-6):
        depths = iter((0.4, 0.5))
        found, seconds, wall = timed(lambda t=tolerance, d=depths: rocked(t, next(d)))
        heats[tolerance] = np.asarray(found.heat.array)
        if tolerance == 1e-4:
            times = seconds, wall
    error = float(np.max(np.abs(heats[1e-4] - heats[1e-6])) / np.max(np.abs(heats[1e-6])))
    line("driven, step of T, 1e-4", error, 1e-4, *times, None)
    print(f"  to 1e-6: seconds {seconds}; heats {heats[1e-6]}")


def particles() -> None:
    """Trajectories where T and γ are functions of x: deviations in standard errors, and the cost of a step."""
    ring = cs.KleinKramers(
        lambda x: 1.3 * jnp.cos(x) + 0.4 * jnp.sin(2 * x),
        friction=lambda x: 0.8 + 0.3 * jnp.sin(x),
        temperature=lambda x: 1 + 0.4 * jnp.cos(x + 0.7),
        mass=1.6,
        boundary=cs.Periodic(2 * math.pi, load=0.3, start=-1.0),
    )
    exact, n = cs.steady_state(ring, tolerance=1e-8), 4096
    found, seconds, _ = timed(
        lambda: cs.trajectories(ring, jax.random.key(2), n=n, time=100.0, time_step=0.02).solution
    )
    z = [(found.heat["bath"] - exact.heat["bath"]) / found.error.heat["bath"]]
    z.append((found.entropy_production - exact.entropy_production) / found.error.entropy_production)
    z.append((found.observables["flux"] - exact.observables["flux"]) / found.observable_errors["flux"])
    steps = 1.5 * n * int(found.statistics["steps"])
    print(
        f"particles in T(x), γ(x): {steps:.3g} particle-steps (a third of them twice as long), seconds {seconds}; "
        f"heat, entropy, flux off by {np.round(np.array(z, float), 2)} standard errors"
    )


def main() -> None:
    known = {"rates": rates, "turnover": turnover, "barrier": barrier, "coolers": coolers, "driven": driven}
    known["particles"] = particles
    asked = sys.argv[1:] or list(known)
    wrong = [name for name in asked if name not in known]
    if wrong:
        sys.exit(f"unknown: {wrong[0]}; known: {', '.join(known)}")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{os.cpu_count()} cores{load}; seconds of the first and the second call, processor time in brackets")
    for name in asked:
        known[name]()


if __name__ == "__main__":
    main()
