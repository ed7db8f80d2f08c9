"""`python -m benchmarks.conductors [ROW …] [--repeats N]`: speed and digits of conductors, beside quadrature.

Times are medians, in this process, after everything is compiled; peers are timed in turn with coldspot.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from scipy.integrate import quad

import coldspot as cs
from coldspot.conductor import pair_densities
from coldspot.dynamics import TOLERANCE, checked_tolerance, solve_points
from coldspot.machines import BosonJunction
from coldspot.sweep import solve_columns

POINTS, QUAD_POINTS, EXACT_POINTS = 10_000, 10, 400
SITES, MODES, FREQUENCIES = 20, 10, 200


def columns(points: int, extreme: bool) -> dict[str, np.ndarray]:
    """Two sites between two leads; "extreme": temperatures from 1e-12 to 1e3 and any bias."""
    u = np.random.default_rng(0).uniform
    low, high = (-12, 3) if extreme else (-1.5, 0.5)
    return {
        "e1": u(-1, 1, points),
        "e2": u(-1, 1, points),
        "hopping": 10 ** u(-1, 0.3, points),
        "g1": 10 ** u(-1, 0.3, points),
        "g2": 10 ** u(-1, 0.3, points),
        "t1": 10 ** u(low, high, points),
        "t2": 10 ** u(low, high, points),
        "m1": u(-2, 2, points) * (10 ** u(-6, 1, points) if extreme else 1.0),
        "m2": u(-2, 2, points) * (10 ** u(-6, 1, points) if extreme else 1.0),
    }


def build(shared: None, p: Mapping[str, Any]) -> cs.Conductor:
    h = jnp.stack([jnp.stack([p["e1"], p["hopping"]]), jnp.stack([p["hopping"], p["e2"]])])
    left = cs.WideBandLead(0, p["g1"], cs.ElectronBath(p["t1"], p["m1"]))
    return cs.Conductor(h, {"left": left, "right": cs.WideBandLead(1, p["g2"], cs.ElectronBath(p["t2"], p["m2"]))})


def solve(c: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Particles and heat from the left (point), and the status."""
    s = solve_columns(solve_points, build, None, c, checked_tolerance(TOLERANCE), progress=False)
    return np.asarray(s.particles["left"]), np.asarray(s.heat["left"]), np.asarray(s.status)


def by_quad(c: Mapping[str, np.ndarray]) -> np.ndarray:
    """Particles and heat from the left (point, 2) by `scipy.integrate.quad`, told where levels and edges are."""
    found = []
    for e1, e2, h, g1, g2, t1, t2, m1, m2 in zip(*(c[name].tolist() for name in c), strict=True):

        def value(x, power, e1=e1, e2=e2, h=h, g1=g1, g2=g2, t1=t1, t2=t2, m1=m1, m2=m2):
            g = h / ((x - e1 + 0.5j * g1) * (x - e2 + 0.5j * g2) - h * h)
            gap = 0.5 * (np.tanh((x - m2) / (2 * t2)) - np.tanh((x - m1) / (2 * t1)))
            return (x - m1) ** power * g1 * g2 * abs(g) ** 2 * gap / (2 * np.pi)

        reach = 40 * max(t1, t2)
        middle, half = (e1 + e2) / 2, np.hypot((e1 - e2) / 2, h)
        ends = min(m1, m2) - reach, max(m1, m2) + reach
        marks = [x for x in (m1, m2, middle - half, middle + half) if ends[0] < x < ends[1]]
        found.append([
            quad(value, *ends, (power,), points=marks, epsabs=0, epsrel=1e-9, limit=400)[0] for power in (0, 1)
        ])  # fmt: skip
    return np.array(found)


def by_definition(c: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same of ∫dε/2π tr[Γ_L G^r Γ_R G^a](f_L − f_R) as it stands, with matrices, told where the edges are."""
    found = []
    for e1, e2, h, g1, g2, t1, t2, m1, m2 in zip(*(c[name].tolist() for name in c), strict=True):
        left, right = np.diag([g1, 0.0]), np.diag([0.0, g2])
        effective = np.array([[e1, h], [h, e2]]) - 0.5j * (left + right)

        def value(x, power, e=effective, left=left, right=right, t1=t1, t2=t2, m1=m1, m2=m2):
            green = np.linalg.inv(x * np.eye(2) - e)
            gap = 0.5 * (np.tanh((x - m2) / (2 * t2)) - np.tanh((x - m1) / (2 * t1)))
            return (x - m1) ** power * np.trace(left @ green @ right @ green.conj().T).real * gap / (2 * np.pi)

        reach = 40 * max(t1, t2)
        ends = min(m1, m2) - reach, max(m1, m2) + reach
        found.append([
            quad(value, *ends, (power,), points=[m1, m2], epsabs=0, epsrel=1e-9, limit=400)[0] for power in (0, 1)
        ])  # fmt: skip
    return np.array(found)


def exact(c: Mapping[str, np.ndarray], k: int) -> list[float]:
    """Particles and heat from the left, by poles and digamma functions in 60 digits; and ∫dε/2π T of all of it."""
    from mpmath import mp

    with mp.workdps(60):
        e1, e2, h, g1, g2, t1, t2, m1, m2 = (mp.mpf(float(c[name][k])) for name in c)
        one, other = mp.mpc(e1, -g1 / 2), mp.mpc(e2, -g2 / 2)
        mean, half = (one + other) / 2, (one - other) / 2
        root = mp.sqrt(half**2 + h**2)
        poles = [mean + root, mean - root]

        def whole(pole: Any, mu: Any, t: Any) -> Any:
            return mp.digamma(mp.mpf(1) / 2 + 1j * (pole - mu) / (2 * mp.pi * t)) + mp.log(t)

        particles = heat = mp.mpf(0)
        for pole, rest in (poles, poles[::-1]):
            residue = g1 * g2 * h**2 / ((pole - rest) * (pole - mp.conj(pole)) * (pole - mp.conj(rest)))
            part = residue * (whole(pole, m1, t1) - whole(pole, m2, t2)) / mp.pi
            particles += part.real
            heat += ((pole - m1) * part).real
        return [float(particles), float(heat)]


def gross_flows(p: Mapping[str, float]) -> list[float]:
    """∫dε/2π T|f_L − f_R| and the same with |ε−μ_L|, to some digits: what the net flows are measured against."""
    scaled = np.concatenate([-(10.0 ** np.linspace(1.6, -3, 200)), [0.0], 10.0 ** np.linspace(-3, 1.6, 200)])
    levels = np.linspace(-4, 4, 4001)
    between = np.linspace(p["m1"], p["m2"], 2001)
    x = np.sort(np.concatenate([p["m1"] + p["t1"] * scaled, p["m2"] + p["t2"] * scaled, levels, between]))
    g = p["hopping"] / ((x - p["e1"] + 0.5j * p["g1"]) * (x - p["e2"] + 0.5j * p["g2"]) - p["hopping"] ** 2)
    one, other = (0.5 * np.tanh(np.clip((x - p[m]) / (2 * p[t]), -400, 400)) for m, t in (("m1", "t1"), ("m2", "t2")))
    value = p["g1"] * p["g2"] * np.abs(g) ** 2 * np.abs(one - other) / (2 * np.pi)
    return [float(np.trapezoid(value * np.abs(x - p["m1"]) ** power, x)) for power in (0, 1)]


# --------------------------------------------------------------------------- rows


def median(run: Callable[[], Any], repeats: int) -> float:
    run()
    moments = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        moments.append(time.perf_counter() - start)
    return float(np.median(moments))


def digits(repeats: int) -> list[str]:
    c = columns(EXACT_POINTS, True)
    particles, heat, status = solve(c)
    good = status == 0
    expected = np.array([exact(c, k) for k in range(EXACT_POINTS)])
    gross = np.array([gross_flows({name: float(values[k]) for name, values in c.items()}) for k in range(EXACT_POINTS)])
    off = np.abs(np.stack([particles, heat], 1) - expected) / gross
    worst = np.max(off[good], axis=0)
    return [
        f"Landauer integrals, T from 1e-12 to 1e3, {EXACT_POINTS} random conductors beside 60 digits: off by "
        f"{worst[0]:.1e} (particles) and {worst[1]:.1e} (heat) of the gross flow "
        f"(asked 1e-13); {int(np.sum(~good))} refused"
    ]


def processor(run: Callable[[], Any], repeats: int) -> float:
    """Seconds of processors, the least of the repetitions: what other programs do counts little."""
    moments = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        moments.append(time.process_time() - start)
    return min(moments)


def two_sites(repeats: int) -> list[str]:
    c = columns(POINTS, False)
    few = {name: values[:QUAD_POINTS] for name, values in c.items()}
    own = median(lambda: solve(c), repeats) / POINTS
    busy = processor(lambda: solve(c), repeats) / POINTS
    other, plain = (processor(lambda by=by: by(few), 1) / QUAD_POINTS for by in (by_quad, by_definition))
    found = np.stack([part[:QUAD_POINTS] for part in solve(c)[:2]], 1)
    off = np.max(np.abs(found - by_quad(few)) / np.max(np.abs(found), axis=0))
    return [
        f"both moments of two sites, with errors and status: {1e6 * own:.3g} µs per point (asked 1.5), "
        f"{1e6 * busy:.3g} µs of a core; of that scalar quad takes {plain / busy:.3g} × on the definition (asked "
        f"5,000), {other / busy:.3g} × on the integrand worked out by hand; difference {off:.1e}"
    ]


def wires(repeats: int) -> list[str]:
    lines = []
    for sites in (250, 500):
        rng = np.random.default_rng(0)
        chain = scipy.sparse.diags([np.ones(sites - 1), 0.2 * rng.normal(size=sites), np.ones(sites - 1)], [-1, 0, 1])
        baths = {"left": cs.ElectronBath(0.05, 0.1), "right": cs.ElectronBath(0.1, -0.1)}
        leads = {name: cs.ChainLead(k * (sites - 1), 1.0, 0.3, bath) for k, (name, bath) in enumerate(baths.items())}
        wire = cs.Conductor(chain, leads)
        s = cs.steady_state(wire)
        busy = processor(lambda wire=wire: cs.steady_state(wire), min(repeats, 3))
        error = float(s.error.heat["left"] / abs(s.heat["left"]))
        lines.append(f"ledger of a disordered wire of {sites} sites: {busy:.2g} s of a core, stated error {error:.0e}")
    return lines


def transmissions(repeats: int) -> list[str]:
    p = {name: values[0] for name, values in columns(1, False).items()}
    conductor, energies = build(None, p), jnp.linspace(-3, 3, 100_000)
    own = median(lambda: np.asarray(cs.transmission(conductor, energies, "left", "right")), repeats) / energies.size
    return [f"transmission of two sites: {1e6 * own:.3g} µs per energy (asked 1)"]


def densities(repeats: int) -> list[str]:
    rng = np.random.default_rng(1)
    h = rng.normal(size=(SITES, SITES))
    couplings = rng.normal(size=(MODES, SITES, SITES)) / SITES
    baths = {"left": cs.ElectronBath(0.1, 0.4), "right": cs.ElectronBath(0.2, -0.3)}
    leads = {name: cs.WideBandLead(k * (SITES - 1), 0.8, bath) for k, (name, bath) in enumerate(baths.items())}
    modes = cs.Modes(rng.uniform(0.1, 1, MODES), couplings + couplings.swapaxes(1, 2), {"phonons": cs.BosonBath(0.1)})
    conductor, omega = cs.Conductor(h + h.T, leads, modes), np.linspace(0.05, 2, FREQUENCIES)
    own = median(lambda: jax.block_until_ready(pair_densities(conductor, omega)), repeats)
    return [f"Λ of {SITES} sites and {MODES} modes at {FREQUENCIES} frequencies: {own:.3g} s (asked 5)"]


def junction(bias: Any, temperature: Any) -> BosonJunction:
    left, right = (cs.ElectronBath(temperature, sign * bias / 2) for sign in (1, -1))
    return BosonJunction(left=left, right=right, phonons=cs.BosonBath(temperature))


def map_of(repeats: int) -> list[str]:
    grid = {"bias": np.linspace(-3, 3, 100), "temperature": np.linspace(0.2, 2, 100)}
    values = [part.reshape(-1) for part in np.meshgrid(*grid.values(), indexing="ij")]
    c = dict(zip(grid, values, strict=True))

    def bare(shared: None, p: Mapping[str, Any]) -> BosonJunction:
        return junction(p["bias"], p["temperature"])

    program = median(
        lambda: solve_columns(solve_points, bare, None, c, checked_tolerance(TOLERANCE), progress=False), repeats
    )
    whole = median(lambda: cs.sweep(junction, grid, progress=False), repeats)
    return [
        f"J(V, T) of the minimum model, 100 × 100 points: {program:.3g} s solved, {whole:.3g} s as `coldspot.sweep` "
        "with its dataset (asked .1)"
    ]


ROWS: dict[str, Callable[[int], list[str]]] = {
    "digits": digits,
    "two-sites": two_sites,
    "transmission": transmissions,
    "pair-densities": densities,
    "wires": wires,
    "map": map_of,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"rows to run: {', '.join(ROWS)} (default: all)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    for name in options.rows or ROWS:
        if name not in ROWS:
            parser.error(f"there is no row `{name}`; rows are {', '.join(ROWS)}")
    print(f"cores {os.cpu_count()}, load at start {os.getloadavg()[0]:.2f}, JAX {jax.__version__}")
    lines = itertools.chain.from_iterable(ROWS[name](options.repeats) for name in options.rows or ROWS)
    for line in lines:
        print(f"- {line}", flush=True)


if __name__ == "__main__":
    main()
