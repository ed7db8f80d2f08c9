"""Random oscillator networks, and second routes to their numbers: they share only the baths with the package."""

import math

import equinox as eqx
import jax.numpy as jnp
import mpmath
import numpy as np

import coldspot as cs
from coldspot.dynamics import solve_batch
from coldspot.machines import OscillatorPair
from coldspot.pytrees import compiled

OMEGA = 2 * math.pi / 3


def draw(rng, n, points, baths, decades=3.0):
    """Masses over two decades, springs over three (some absent), frictions over 2·`decades`; some coordinates free."""
    owner = np.concatenate([np.arange(baths), rng.integers(0, baths, n - baths)])
    free = np.concatenate([np.zeros(baths, bool), rng.uniform(size=n - baths) < 0.4])
    order = rng.permutation(n)
    owner = np.where(free, -1, owner)[order]
    bonds = np.triu(10 ** rng.uniform(-2, 1, (points, n, n)) * (rng.uniform(size=(points, n, n)) < 0.5), 1)
    for i in range(n - 1):
        bonds[:, i, i + 1] = 10 ** rng.uniform(-2, 1, points)
    bonds = bonds + np.swapaxes(bonds, 1, 2)
    springs = -bonds
    springs[:, np.arange(n), np.arange(n)] = bonds.sum(-1) + 10 ** rng.uniform(-3, 1, (points, n))
    columns = {
        "masses": 10 ** rng.uniform(-1, 1, (points, n)),
        "springs": springs,
        "frictions": np.where(owner < 0, 0.0, 10 ** rng.uniform(-decades, decades, (points, n))),
        "temperatures": 10 ** rng.uniform(-1, 1, (points, baths)),
        "amplitudes": rng.normal(size=(points, 2)),
        "phases": rng.uniform(-7, 7, (points, 2)),
        "frequency": 10 ** rng.uniform(-2, 2, points),
    }
    return owner, tuple(rng.integers(0, n, 2).tolist()), columns


class Build(eqx.Module):
    """A network of given structure from one point of the columns."""

    owner: tuple = eqx.field(static=True)
    driven: tuple = eqx.field(static=True)

    def __call__(self, point):
        names = [f"bath {k}" for k in range(max(self.owner) + 1)]
        return cs.OscillatorNetwork(
            masses=point["masses"],
            springs=point["springs"],
            frictions=point["frictions"],
            baths={name: cs.HeatBath(point["temperatures"][k]) for k, name in enumerate(names)},
            sites={name: [i for i, b in enumerate(self.owner) if b == k] for k, name in enumerate(names)},
            forces={
                f"force {k}": (site, cs.Cosine(point["amplitudes"][k], point["phases"][k]))
                for k, site in enumerate(self.driven)
            },
            frequency=point["frequency"] if self.driven else None,
        )


@compiled  # as it is for users: optimised
def solve(build, columns):
    batch = eqx.filter_vmap(build, out_axes=eqx.if_array(0))(columns)
    return solve_batch(batch, 1e-8)


def solved(owner, driven, columns):
    return solve(Build(tuple(int(b) for b in owner), driven), {k: jnp.asarray(v) for k, v in columns.items()})


def exactly(owner, driven, columns, k):
    """Heats and works of point k in multiple precision: modes of the motion, and a linear solve for the forces."""
    point = {name: np.asarray(values)[k] for name, values in columns.items()}
    n, baths = len(owner), max(owner) + 1
    f = mpmath.mpf
    mass, gamma = [f(float(m)) for m in point["masses"]], [f(float(g)) for g in point["frictions"]]
    spring = [[f(float(point["springs"][i, j])) for j in range(n)] for i in range(n)]
    temperature = [f(float(t)) for t in point["temperatures"]]
    a = mpmath.zeros(2 * n)
    for i in range(n):
        a[i, n + i] = f(1)
        a[n + i, n + i] = -gamma[i] / mass[i]
        for j in range(n):
            a[n + i, j] = -spring[i][j] / mass[i]
    values, vectors = mpmath.eig(a)
    back = vectors**-1
    noise = mpmath.zeros(2 * n)
    for i in range(n):
        if owner[i] >= 0:
            noise[n + i, n + i] = 2 * gamma[i] * temperature[owner[i]] / mass[i] ** 2
    source = back * noise * back.T
    inner = mpmath.matrix(2 * n, 2 * n)
    for i in range(2 * n):
        for j in range(2 * n):
            inner[i, j] = -source[i, j] / (values[i] + values[j])
    moments = vectors * inner * vectors.T
    heats, works = [f(0)] * baths, []
    for i in range(n):
        if owner[i] >= 0:
            heats[owner[i]] += gamma[i] * (temperature[owner[i]] / mass[i] - mpmath.re(moments[n + i, n + i]))
    if driven:
        omega = f(float(point["frequency"]))
        z = mpmath.matrix(n, n)
        for i in range(n):
            for j in range(n):
                z[i, j] = spring[i][j]
            z[i, i] -= omega**2 * mass[i] + 1j * omega * gamma[i]
        forces = [
            f(float(b)) * mpmath.expj(-f(float(p)))
            for b, p in zip(point["amplitudes"], point["phases"], strict=True)
        ]  # fmt: skip
        total = mpmath.zeros(n, 1)
        for site, force in zip(driven, forces, strict=True):
            total[site] += force
        motion = mpmath.lu_solve(z, total)
        for i in range(n):
            if owner[i] >= 0:
                heats[owner[i]] -= gamma[i] * omega**2 * abs(motion[i]) ** 2 / 2
        works = [
            omega / 2 * mpmath.im(mpmath.conj(force) * motion[site])
            for site, force in zip(driven, forces, strict=True)
        ]  # fmt: skip
    return heats, works


def drift(network):
    """A and the noise W of ż = A z + noise, z = (x, v)."""
    m, g = np.asarray(network.masses), np.asarray(network.frictions)
    n = len(m)
    a = np.block([[np.zeros((n, n)), np.eye(n)], [-np.asarray(network.springs) / m[:, None], -np.diag(g / m)]])
    t = np.array([float(list(network.baths.values())[b].temperature) if b >= 0 else 0.0 for b in network.bath_of])
    return a, np.diag(np.concatenate([np.zeros(n), 2 * g * t / m**2])), g * t / m, g


def pair_in_mpmath(p):
    """Eq. 7 of the paper, with the −iωΓ that its A and B use."""
    k, kc, m, g, f0, w, phi, tl, tr = (mpmath.mpf(float(p[name])) for name in PAIR)
    z = k + kc - m * w**2 - 1j * g * w
    a, b = z / (z**2 - kc**2), kc / (z**2 - kc**2)
    d = 2 * g**2 * w**2 * kc / abs(z**2 - kc**2) ** 2
    c = g * kc**2 * (tl - tr) / (2 * (m * kc**2 + (k + kc) * g**2))
    half = f0**2 * w / 2
    even = a.imag + b.imag * mpmath.cos(phi)
    return (
        -half * (even + d * mpmath.sin(phi)) + c,
        -half * (even - d * mpmath.sin(phi)) - c,
        half * (even - b.real * mpmath.sin(phi)),
        half * (even + b.real * mpmath.sin(phi)),
    )


PAIR = ("spring", "coupling", "mass", "friction", "amplitude", "frequency", "phase", "left", "right")


def build_pair(p):
    return OscillatorPair(
        **{name: p[name] for name in PAIR[:7]}, left=cs.HeatBath(p["left"]), right=cs.HeatBath(p["right"])
    )


def chain(n, mass=1.0, spring=1.0, friction=1.0, hot=2.0, wall=None):
    return cs.OscillatorNetwork(
        masses=np.full(n, mass),
        springs=cs.oscillators.chain_springs(n, spring, spring if wall is None else wall),
        frictions=[friction, *[0.0] * (n - 2), friction],
        baths={"hot": cs.HeatBath(hot), "cold": cs.HeatBath(1.0)},
        sites={"hot": 0, "cold": n - 1},
    )
