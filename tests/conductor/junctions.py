"""Random junctions and devices, and the second route to their numbers, which shares no code with coldspot.

`Integrals` are the defining integrals over energy (and frequency) in plain Python, with Fermi and Bose functions
written here, by `scipy.integrate.quad`.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad

import coldspot as cs
from coldspot.conductor import pair_rates as rules
from coldspot.dynamics import checked_tolerance, solve_points
from coldspot.machines import BosonJunction
from tests.optimised import optimised

TINY = 1e-290


NAMES = ("e1", "e2", "w1", "w2", "m", "omega", "damping", "t1", "mu1", "t2", "mu2", "tp")


def junction(shared, p):
    return BosonJunction(
        level_left=p["e1"],
        level_right=p["e2"],
        halfwidth_left=p["w1"],
        halfwidth_right=p["w2"],
        element=p["m"],
        frequency=p["omega"],
        damping=p["damping"],
        left=cs.ElectronBath(p["t1"], p["mu1"]),
        right=cs.ElectronBath(p["t2"], p["mu2"]),
        phonons=cs.BosonBath(p["tp"]),
    )


SIZES = (28, 1700)
LONG = optimised(solve_points)


def solve(columns, tolerance=1e-8):
    """A batch through the solver, as `coldspot.sweep` does it; filled up with its last point to one of two sizes."""
    points = len(columns["e1"])
    size = next(n for n in SIZES if n >= points)
    index = np.minimum(np.arange(size), points - 1)
    full = {name: jnp.asarray(values[index]) for name, values in columns.items()}
    found = LONG(junction, None, full, checked_tolerance(tolerance))
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:points], found)


def draw(rng, points, kind="ordinary"):
    """Random junctions. Temperatures from 1e-3 to 10 half widths; "extreme" spans many decades in all."""
    extreme = kind == "extreme"
    w = 10 ** rng.uniform(*((-3, 2) if extreme else (-1, 0.3)), (2, points))
    t = w * 10 ** rng.uniform(-3, 1, (2, points))
    columns = {
        "e1": rng.normal(0, 1, points),
        "e2": rng.normal(0, 1, points),
        "w1": w[0],
        "w2": w[1],
        "m": rng.uniform(0.1, 1, points),
        "omega": 10 ** rng.uniform(-1, 0.5, points),
        "damping": np.zeros(points),
        "t1": t[0],
        "mu1": rng.normal(0, 1, points),
        "t2": t[1],
        "mu2": rng.normal(0, 1, points),
        "tp": t[0] * 10 ** rng.uniform(-1, 1, points),
    }
    if kind == "one temperature":
        columns["t2"] = columns["t1"].copy()
    return columns


def join(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in NAMES}


def fermi(x):
    return 1 / (1 + math.exp(x)) if x < 700 else 0.0


def bose(x):
    return 1 / math.expm1(x) if x < 700 else 0.0


class Integrals:
    """One junction by its defining integrals."""

    def __init__(self, columns, k):
        self.p = {name: float(columns[name][k]) for name in columns}

    def ends(self, kind, omega):
        p = self.p
        up = (p["e1"], p["w1"], p["t1"], p["mu1"])
        down = (p["e2"], p["w2"], p["t2"], p["mu2"])
        return (up, down) if kind == "left-right" else (down, up)

    def pair(self, kind, omega, what):
        """∫dε/2π W(ε)·what(ε, out, back) for out = f_α(1−f_β) and back = (1−f_α)f_β."""
        (e1, w1, t1, mu1), (e2, w2, t2, mu2) = self.ends(kind, omega)
        edge, m = mu2 + omega, self.p["m"]
        reach = 45 * max(t1, t2)
        low, high = min(mu1, edge) - reach, max(mu1, edge) + reach
        points = {mu1, edge, e1, e2 + omega}
        for c, width in ((mu1, t1), (edge, t2), (e1, w1), (e2 + omega, w2)):
            points |= {c + s * width * r for s in (-1, 1) for r in (2, 8, 40)}
        points = [low, *sorted(x for x in points if low < x < high), high]

        def integrand(x):
            a, b = (x - mu1) / t1, (x - edge) / t2
            weight = m**2 * 2 * w1 / ((x - e1) ** 2 + w1**2) * 2 * w2 / ((x - omega - e2) ** 2 + w2**2)
            return weight * what(x, fermi(a) * fermi(-b), fermi(-a) * fermi(b)) / (2 * math.pi)

        # The whole is also right to 1e-11 of itself if every part is to 1e-11 of the whole.
        return sum(quad(integrand, x, y, epsabs=0, epsrel=1e-11, limit=200)[0] for x, y in itertools.pairwise(points))

    def emission(self, kind, omega):
        return self.pair(kind, omega, lambda x, out, back: out)

    def absorption(self, kind, omega):
        return self.pair(kind, omega, lambda x, out, back: back)

    def ledger(self):
        """Heats of left, right and phonons, and particles from the left, of a narrow mode."""
        p = self.p
        omega = p["omega"]
        n = bose(omega / p["tp"])
        heat, particles = {"left": 0.0, "right": 0.0, "phonons": 0.0}, 0.0
        for kind, (a, b), sign in (("left-right", ("left", "right"), 1), ("right-left", ("right", "left"), -1)):
            (_, _, _, mu1), (_, _, _, mu2) = self.ends(kind, omega)
            net = self.pair(kind, omega, lambda x, out, back: out * (1 + n) - back * n) / (2 * omega)
            q1 = self.pair(kind, omega, lambda x, out, back, m=mu1: (x - m) * (out * (1 + n) - back * n)) / (2 * omega)
            q2 = self.pair(kind, omega, lambda x, out, back, m=mu2 + omega: (x - m) * (out * (1 + n) - back * n)) / (
                2 * omega
            )
            heat[a] += q1
            heat[b] -= q2
            heat["phonons"] -= omega * net
            particles += sign * net
        return heat, particles


def random_device(rng, sites, leads=("left", "right")):
    h = rng.normal(size=(sites, sites)) + 1j * rng.normal(size=(sites, sites))
    g = [rng.normal(size=(sites, sites)) + 1j * rng.normal(size=(sites, sites)) for _ in leads]
    return h + h.conj().T, {name: 0.3 * a @ a.conj().T for name, a in zip(leads, g, strict=True)}


def spectra(columns, omega=None):
    """Emission and absorption (point, pair), LR and RL, of a batch."""

    @jax.jit
    def run(points):
        batch = jax.vmap(lambda p: junction(None, p).dynamics())(points)
        found, errors = rules.rates(batch._pairs(batch.frequency))
        return jax.tree.map(lambda v: v.reshape(2, -1).T, (found, errors))

    return jax.tree.map(np.asarray, run({k: jnp.asarray(v) for k, v in columns.items()}))


ORDINARY, EXTREME, STILL, NEAR = slice(0, 1000), slice(1000, 1500), slice(1500, 1600), slice(1600, 1700)


def check_laws(s):
    heat, energy = np.asarray(s.heat.array), np.asarray(s.energy.array)
    top = np.max(np.abs(np.concatenate([heat, energy, s.chemical_work.array], -1)), -1)
    assert np.all(np.abs(energy.sum(-1)) <= 1e-14 * top + TINY), "first law"
    numbers = np.asarray(s.particles.array)
    assert np.all(numbers[:, 0] == -numbers[:, 1]), "particles"
    assert np.all(numbers[:, 2] == 0)
    sigma = -np.sum(heat / s.temperatures, -1)
    limit = np.sum(np.asarray(s.error.entropy_flows), -1) + 1e-14 * np.max(np.abs(heat / s.temperatures), -1)
    assert np.all(sigma >= -limit - TINY), "second law"
    lowest, highest = s.temperatures.min(-1), s.temperatures.max(-1)
    slack = 1e-12 * top + np.sum(s.error.energies + s.error.chemical_works, -1) + TINY
    assert np.all(-s.work_in <= (1 - lowest / highest) * np.maximum(heat, 0).sum(-1) + slack), "Carnot"


def device_junction(h, widths, m, t=(0.7, 0.7), mu=(0.4, -0.3), tp=0.5, omega=0.9, damping=0.0):
    return cs.conductor.PairJunction(
        cs.conductor.Device(h, widths),
        coupling=m,
        baths={
            "left": cs.ElectronBath(t[0], mu[0]),
            "right": cs.ElectronBath(t[1], mu[1]),
            "phonons": cs.BosonBath(tp),
        },
        frequency=omega,
        damping=damping,
    )


def hermitian(rng, modes, sites):
    z = rng.normal(size=(modes, sites, sites)) + 1j * rng.normal(size=(modes, sites, sites))
    return z + z.conj().swapaxes(-1, -2)
