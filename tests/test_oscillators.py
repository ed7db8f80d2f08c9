"""Linear oscillator networks: against closed forms, multiple precision, SciPy and time integration; laws; bad input.

The second routes below share no code with the package but the baths.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov

import coldspot as cs
from coldspot.dynamics import solve_batch
from coldspot.machines import OscillatorPair
from coldspot.numerics import dense as elimination
from coldspot.numerics import double_double as precise
from coldspot.numerics import lyapunov
from coldspot.oscillators import linear

OMEGA = 2 * math.pi / 3


# --------------------------------------------------------------------------- random networks


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


@eqx.filter_jit
def solve(build, columns):
    batch = eqx.filter_vmap(build, out_axes=eqx.if_array(0))(columns)
    return solve_batch(batch, 1e-8)


def solved(owner, driven, columns):
    return solve(Build(tuple(int(b) for b in owner), driven), {k: jnp.asarray(v) for k, v in columns.items()})


# --------------------------------------------------------------------------- second routes


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


# --------------------------------------------------------------------------- the pair


def test_values_of_the_pair():
    s = cs.steady_state(OscillatorPair())
    expected = {"left": -0.10109248, "right": -0.32989559}
    for side, value in expected.items():
        assert abs(float(s.heat[side]) - value) < 5e-9
    for side, value in {"left": 0.28417458, "right": 0.14681350}.items():
        assert abs(float(s.work[side]) - value) < 5e-9
    assert (s.regime, s.error.energies.max() < 1e-14) == ("heater", True)


def test_pair_against_the_closed_form():
    """Parameters over many decades: every entry within its error bound of eq. 7, and that within 1e-12 of the flows."""
    rng = np.random.default_rng(1)
    points = 120
    columns = {name: 10 ** rng.uniform(-2, 2, points) for name in PAIR}
    columns["friction"] = 10 ** rng.uniform(-3, 3, points)
    columns["coupling"] = 10 ** rng.uniform(-6, 2, points)
    columns["phase"] = rng.uniform(-7, 7, points)
    columns = {name: jnp.asarray(v) for name, v in columns.items()}
    s = eqx.filter_jit(lambda c: eqx.filter_vmap(lambda p: cs.steady_state(build_pair(p)))(c))(columns)
    assert np.all(np.asarray(s.status) == 0)
    assert np.all(np.abs(s.first_law_residual) <= s.error.first_law_residual)
    with mpmath.workdps(40):
        for k in range(points):
            exact = pair_in_mpmath({name: v[k] for name, v in columns.items()})
            found = [*s.heat.array[k], *s.work.array[k]]
            bounds = [*s.error.energies[k], *s.error.works[k]]
            for value, true, bound in zip(found, exact, bounds, strict=True):
                assert abs(mpmath.mpf(float(value)) - true) <= mpmath.mpf(float(bound))
            assert max(float(b) for b in bounds) <= 1e-12 * max(abs(float(x)) for x in exact)


# --------------------------------------------------------------------------- multiple precision


@pytest.mark.parametrize(("n", "baths", "decades"), [(2, 2, 3.0), (3, 2, 5.0), (4, 3, 3.0)])
def test_errors_are_honest(n, baths, decades):
    """Against 50 digits: no entry is off by more than its bound, and the bounds are a few rounding units."""
    owner, driven, columns = draw(np.random.default_rng(n), n, 1000, baths, decades)
    s = solved(owner, driven, columns)
    assert np.all(np.asarray(s.status) == 0)
    bounds = np.concatenate([np.asarray(s.error.energies), np.asarray(s.error.works)], -1)
    found = np.concatenate([np.asarray(s.energy.array), np.asarray(s.work.array)], -1)
    loose = bounds.max(-1) / np.abs(found).max(-1)
    assert np.median(loose) < 1e-14
    assert loose.max() < 1e-8
    # The worst points and the first ones.
    with mpmath.workdps(50):
        for k in [*np.argsort(-loose)[:5], *range(5)]:
            heats, works = exactly(owner, driven, columns, k)
            for value, true, bound in zip(found[k], [*heats, *works], bounds[k], strict=True):
                assert abs(mpmath.mpf(float(value)) - true) <= mpmath.mpf(float(bound)), (k, value, true, bound)


EXTREMES = {
    "coupling 1e-9": ([1.0, 1.2], cs.chain_springs(2, 1e-9, 2.0), [1.0, 1.0]),
    "frictions 1e-9": ([1.0, 1.2], cs.chain_springs(2, 1.0, 2.0), [1e-9, 2e-9]),
    "frictions 1e8": ([1.0, 1.2], cs.chain_springs(2, 1.0, 2.0), [1e8, 2e8]),
    "frictions 1e6 and 1e-6": ([1.0, 1.2], cs.chain_springs(2, 1.0, 2.0), [1e6, 1e-6]),
    "walls 1e-12": ([1.0, 1.2], cs.chain_springs(2, 1.0, 1e-12), [1.0, 1.0]),
    "masses 1e-6 and 1e6": ([1e-6, 1e6], cs.chain_springs(2, 1.0, 1.0), [1.0, 1.0]),
    "exceptional point": ([1.0, 1.0], cs.chain_springs(2, 1e-3, 1.0), [2.0, 2.0]),
}


def test_extreme_networks():
    """A weak link, hardly any friction, hardly any inertia, hardly any wall: heats right to 1e-14 all the same."""
    columns = {
        "masses": np.array([m for m, _, _ in EXTREMES.values()]),
        "springs": np.array([np.asarray(s) for _, s, _ in EXTREMES.values()]),
        "frictions": np.array([g for _, _, g in EXTREMES.values()]),
        "temperatures": np.tile([1.0, 0.5], (len(EXTREMES), 1)),
        "amplitudes": np.zeros((len(EXTREMES), 0)),
        "phases": np.zeros((len(EXTREMES), 0)),
        "frequency": np.ones(len(EXTREMES)),
    }
    s = solved((0, 1), (), columns)
    assert np.all(np.asarray(s.status) == 0), np.asarray(s.status)
    with mpmath.workdps(80):
        for k, name in enumerate(EXTREMES):
            heats, _ = exactly((0, 1), (), columns, k)
            for value, true, bound in zip(s.energy.array[k], heats, s.error.energies[k], strict=True):
                off = abs(mpmath.mpf(float(value)) - true)
                assert off <= float(bound), name
                assert off <= 1e-14 * abs(true), name


# --------------------------------------------------------------------------- SciPy


@pytest.mark.parametrize("n", [3, 9])
def test_covariance_against_scipy(n):
    owner, _, columns = draw(np.random.default_rng(20 + n), n, 1, 2, 0.5)
    network = Build(tuple(owner.tolist()), ())({name: v[0] for name, v in columns.items()})
    a, w, source, gamma = drift(network)
    x = solve_continuous_lyapunov(a, -w)
    assert np.allclose(network.covariance(), x, rtol=1e-9, atol=1e-9 * np.abs(x).max())
    heats = source - gamma * np.diag(x)[n:]
    s = cs.steady_state(network)
    for k in range(2):
        own = heats[np.array(network.bath_of) == k].sum()
        assert abs(own - s.energy.array[k]) < 1e-10 * np.abs(source).max()
    bond = -np.asarray(network.springs) * x[n:, :n]
    assert np.allclose(network.currents(), bond - np.diag(np.diag(bond)), atol=1e-10 * np.abs(source).max())


def test_covariance_against_time_integration():
    """dX/dt = A X + X Aᵀ + W from X = 0, by DOP853 until nothing moves any more."""
    network = chain(3, mass=1.3, spring=2.0, friction=0.7, hot=2.0)
    a, w, source, gamma = drift(network)
    end = solve_ivp(
        lambda _, x: (a @ x.reshape(6, 6) + x.reshape(6, 6) @ a.T + w).ravel(), (0, 200), np.zeros(36),
        method="DOP853", rtol=1e-11, atol=1e-13,
    )  # fmt: skip
    x = end.y[:, -1].reshape(6, 6)
    assert np.allclose(network.covariance(), x, rtol=0, atol=1e-9)
    heats = (source - gamma * np.diag(x)[3:])[[0, 2]]
    assert np.allclose(cs.steady_state(network).energy.array, heats, rtol=0, atol=1e-9)


def test_driven_motion_against_time_integration():
    """Newton's equations of the mean motion over ten periods of the periodic state: heats and works."""
    machine = OscillatorPair(phase=1.1)
    network = machine.dynamics()
    a, *_ = drift(network)

    def slope(t, z):
        force = np.array([math.cos(OMEGA * t), math.cos(OMEGA * t + 1.1)])
        moved = a @ z[:4] + np.concatenate([np.zeros(2), force])
        return np.concatenate([moved, z[2:4] ** 2, force * z[2:4]])

    period = 2 * math.pi / OMEGA
    start = solve_ivp(slope, (0, 30 * period), np.zeros(8), method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    start[4:] = 0
    end = solve_ivp(slope, (0, period), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1] / period
    s = cs.steady_state(eqx.tree_at(lambda m: m.right, machine, cs.HeatBath(1.0)))
    assert np.allclose(s.heat.array, -end[4:6], rtol=0, atol=1e-9)
    assert np.allclose(s.work.array, end[6:], rtol=0, atol=1e-9)


# --------------------------------------------------------------------------- chains


def chain(n, mass=1.0, spring=1.0, friction=1.0, hot=2.0, wall=None):
    return cs.OscillatorNetwork(
        masses=np.full(n, mass),
        springs=cs.chain_springs(n, spring, spring if wall is None else wall),
        frictions=[friction, *[0.0] * (n - 2), friction],
        baths={"hot": cs.HeatBath(hot), "cold": cs.HeatBath(1.0)},
        sites={"hot": 0, "cold": n - 1},
    )


@pytest.mark.parametrize(("k", "m", "friction"), [(1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (3.0, 0.5, 0.2)])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_harmonic_chain(n, k, m, friction):
    """J = (k ΔT/2λ) sinh((n−1)α)/sinh(nα), cosh α = 1 + ν/2, ν = km/λ² (Rieder, Lebowitz and Lieb)."""
    alpha = math.acosh(1 + k * m / friction**2 / 2)
    expected = k / (2 * friction) * math.sinh((n - 1) * alpha) / math.sinh(n * alpha)
    s = cs.steady_state(chain(n, m, k, friction))
    assert abs(float(s.heat["hot"]) / expected - 1) < 1e-13


def test_long_chain():
    """The limit of long chains, and the same current through every spring."""
    network = chain(24)
    s = cs.steady_state(network)
    assert abs(float(s.heat["hot"]) - (3 - math.sqrt(5)) / 4) < 1e-14
    j = np.asarray(network.currents())
    assert np.allclose(np.diag(j, -1), float(s.heat["hot"]), rtol=1e-9)
    assert abs(float(cs.steady_state(chain(24, mass=2.0)).heat["hot"]) - 0.133975) < 5e-7


# --------------------------------------------------------------------------- laws


SIZES = {(2, 2): 3000, (3, 3): 3000, (4, 2): 2400, (6, 4): 1000, (9, 2): 450, (12, 3): 200}


def test_ten_thousand_networks():
    assert sum(SIZES.values()) >= 10_000


@pytest.mark.parametrize(("n", "baths"), SIZES)
def test_laws_of_random_networks(n, baths):
    """Frictions over six decades."""
    points = SIZES[n, baths]
    owner, driven, columns = draw(np.random.default_rng(100 + n), n, points, baths)
    s = solved(owner, driven, columns)
    assert np.all(np.asarray(s.status) == 0), np.bincount(np.asarray(s.status))
    heats, works, bound = np.asarray(s.heat.array), np.asarray(s.work.array), np.asarray(s.error.energies)
    top = np.maximum(np.abs(heats).max(-1), np.abs(works).max(-1))
    # Laws.
    total = heats.sum(-1) + works.sum(-1)
    assert np.all(np.abs(total) <= bound.sum(-1) + np.asarray(s.error.works).sum(-1))
    assert np.all(np.abs(total) <= 2e-14 * top)
    sigma = -(heats / columns["temperatures"]).sum(-1)
    assert np.all(sigma >= -s.error.entropy_production)
    assert np.allclose(sigma, s.entropy_production, rtol=1e-12)
    coldest, hottest = columns["temperatures"].min(-1), columns["temperatures"].max(-1)
    positive = np.maximum(heats, 0).sum(-1)
    assert np.all(-np.asarray(s.work_in) <= (1 - coldest / hottest) * positive + s.error.work_in)
    # Driving alone: work goes in, every bath is heated, at any temperature alike.
    equal = columns | {"temperatures": np.ones_like(columns["temperatures"])}
    alone = solved(owner, driven, equal)
    assert np.all(np.asarray(alone.heat.array) <= 0)
    assert np.all(np.asarray(s.work_in) >= -np.asarray(s.error.work_in))
    assert np.array_equal(alone.work.array, s.work.array)
    # Conduction alone: the rest of the heat; what the hottest bath gives and the coldest receives.
    still = columns | {"amplitudes": np.zeros((points, 2))}
    passive = solved(owner, driven, still)
    sums = np.asarray(alone.heat.array + passive.heat.array)
    errors = bound + np.asarray(alone.error.energies) + np.asarray(passive.error.energies)
    assert np.all(np.abs(sums - heats) <= errors)
    assert set(np.ravel(passive.regime)) == {"passive"}
    rows = np.arange(points)
    assert np.all(np.asarray(passive.heat.array)[rows, columns["temperatures"].argmax(-1)] >= 0)
    assert np.all(np.asarray(passive.heat.array)[rows, columns["temperatures"].argmin(-1)] <= 0)
    # Equilibrium: nothing at all.
    nothing = solved(owner, driven, still | {"temperatures": equal["temperatures"]})
    assert np.all(np.asarray(nothing.energy.array) == 0)
    assert np.all(np.asarray(nothing.work.array) == 0)
    check_conductances(owner, driven, still, points, baths)


def check_conductances(owner, driven, columns, points, baths):
    """K_bb′, read off from one warmer bath at a time, is symmetric and not negative."""
    found, errors = [], []
    for b in range(baths):
        temperatures = np.ones((points, baths))
        temperatures[:, b] = 2.0
        s = solved(owner, driven, columns | {"temperatures": temperatures})
        found.append(-np.asarray(s.heat.array))
        errors.append(np.asarray(s.error.energies))
    k, e = np.stack(found, 1), np.stack(errors, 1)
    off = ~np.eye(baths, dtype=bool)
    assert np.all(k[:, off] >= 0)
    # What baths whose heats are differences of others' take to rounding is symmetric to rounding.
    assert np.all((np.abs(k - np.swapaxes(k, 1, 2)) <= e + np.swapaxes(e, 1, 2))[:, off])
    assert np.max((np.abs(k / np.swapaxes(k, 1, 2) - 1))[:, off]) < 1e-12


@pytest.mark.parametrize(("n", "baths"), [(5, 3)])
def test_order_of_coordinates_and_baths_means_nothing(n, baths):
    rng = np.random.default_rng(7)
    owner, driven, columns = draw(rng, n, 300, baths)
    order, names = rng.permutation(n), rng.permutation(baths)
    inverse = np.argsort(order)
    rank = np.argsort(names)
    moved = columns | {
        "masses": columns["masses"][:, order],
        "springs": columns["springs"][:, order][:, :, order],
        "frictions": columns["frictions"][:, order],
        "temperatures": columns["temperatures"][:, names],
    }
    one = solved(owner, driven, columns)
    relabelled = np.where(owner < 0, -1, rank[owner])[order]
    other = solved(relabelled, tuple(int(inverse[i]) for i in driven), moved)
    allowed = np.asarray(one.error.energies)[:, names] + np.asarray(other.error.energies)
    assert np.all(np.abs(np.asarray(one.energy.array)[:, names] - np.asarray(other.energy.array)) <= allowed)
    assert np.all(np.abs(one.work.array - other.work.array) <= one.error.works + other.error.works)


def test_errors_that_are_made_are_noticed(monkeypatch):
    """A solver that is off by a millionth is corrected, and its bound says so; wrong signs break bounds and laws."""
    owner, driven, columns = draw(np.random.default_rng(3), 3, 64, 2, 1.0)
    points = {k: jnp.asarray(v) for k, v in columns.items()}
    build = Build(tuple(owner.tolist()), driven)
    honest = {name: getattr(linear, name) for name in ("covariances", "_residual", "response")}
    right = solve(build, points)

    def result(**changed):
        for name, old in honest.items():
            monkeypatch.setattr(linear, name, changed.get(name, old))
        return eqx.filter_jit(lambda c: solve_batch(eqx.filter_vmap(build, out_axes=eqx.if_array(0))(c), 1e-8))(points)

    def off(s):
        """Largest difference of a heat from the right one, beside the bounds, and the median of the bounds."""
        bounds = np.asarray(s.error.energies + right.error.energies)
        return np.max(np.abs(s.energy.array - right.energy.array) / bounds), np.median(bounds)

    def sloppy(a, w, c):
        x, *rest = honest["covariances"](a, w, c)
        return x * (1 + 1e-6 * jnp.cos(jnp.arange(36.0).reshape(6, 6))), *rest

    monkeypatch.setattr(linear, "_refinement", lambda a, w, x, *_: jnp.zeros_like(x))
    ratio, size = off(result(covariances=sloppy))
    assert ratio <= 1
    assert 1e-14 < size < 1e-8
    assert off(result(covariances=sloppy, _residual=lambda *a: -honest["_residual"](*a)))[0] > 1e3
    s = result(response=lambda n: (r := honest["response"](n))._replace(heats=-r.heats))
    assert np.max(np.abs(s.first_law_residual) / s.error.first_law_residual) > 1e6


def test_no_pump_and_no_engine():
    """A_I² − B_I² − D² ≥ 0: the driven heats of the pair are negative at any parameters, and work goes in."""
    rng = np.random.default_rng(5)
    columns = {name: jnp.asarray(10 ** rng.uniform(-2, 2, 2000)) for name in PAIR}
    columns["phase"] = jnp.asarray(rng.uniform(0, 2 * np.pi, 2000))
    columns["left"] = columns["right"] = jnp.ones(2000)
    s = eqx.filter_jit(lambda c: eqx.filter_vmap(lambda p: cs.steady_state(build_pair(p)))(c))(columns)
    assert np.all(np.asarray(s.status) == 0)
    assert np.all(np.asarray(s.heat.array) <= 0)
    assert np.all(np.asarray(s.work_in) >= 0)


# --------------------------------------------------------------------------- currents, covariance


def test_energy_is_conserved_at_every_coordinate():
    """With a bath and a force at each of three coordinates: what springs, bath and force bring adds up to zero."""
    network = cs.OscillatorNetwork(
        masses=[1.0, 2.0, 0.5],
        springs=[[3.0, -1.0, -0.5], [-1.0, 2.0, -0.3], [-0.5, -0.3, 4.0]],
        frictions=[0.3, 1.0, 2.0],
        baths={"a": cs.HeatBath(1.0), "b": cs.HeatBath(3.0), "c": cs.HeatBath(0.2)},
        sites={"a": 0, "b": 1, "c": 2},
        forces={"x": (0, cs.Cosine(1.0)), "y": (1, cs.Cosine(0.7, 0.4)), "z": (2, cs.Cosine(1.1, 2.0, mean=5.0))},
        frequency=1.3,
    )
    s, j = cs.steady_state(network), np.asarray(network.currents())
    assert np.array_equal(j, -j.T)
    assert np.allclose(j.sum(-1) + np.asarray(s.heat.array + s.work.array), 0, atol=1e-14)


def test_equilibrium_covariance():
    network = chain(4, mass=2.0, spring=3.0, friction=0.1, hot=1.0)
    expected = np.block([[np.linalg.inv(network.springs), np.zeros((4, 4))], [np.zeros((4, 4)), np.eye(4) / 2]])
    assert np.allclose(network.covariance(), expected, rtol=0, atol=1e-14)
    assert np.all(np.asarray(network.currents()) == 0)


# --------------------------------------------------------------------------- derivatives


def ledger_of(theta):
    network = cs.OscillatorNetwork(
        masses=jnp.stack([theta[0], 1.5, 1.0]),
        springs=cs.chain_springs(3, theta[1], theta[2]),
        frictions=jnp.stack([theta[3], jnp.zeros(()), theta[4]]),
        baths={"left": cs.HeatBath(theta[5]), "right": cs.HeatBath(theta[6])},
        sites={"left": 0, "right": 2},
        forces={"one": (0, cs.Cosine(theta[7])), "two": (1, cs.Cosine(0.8, theta[8]))},
        frequency=theta[9],
    )
    s = cs.steady_state(network)
    return jnp.concatenate([s.heat.array, s.work.array])


def test_derivatives():
    theta = jnp.array([1.2, 0.9, 0.4, 0.7, 0.3, 1.0, 1.0, 0.6, 0.5, 1.1])
    both = jax.jit(lambda x: (ledger_of(x), jax.jacfwd(ledger_of)(x), jax.jacrev(ledger_of)(x)))
    _, forward, reverse = both(theta)
    assert np.allclose(forward, reverse, rtol=1e-12, atol=1e-13)
    step = 3e-4

    def central(f, k):
        ahead, behind = ([f(theta.at[k].add(sign * h)) for h in (step, 2 * step)] for sign in (1, -1))
        return (8 * (ahead[0] - behind[0]) - (ahead[1] - behind[1])) / (12 * step)

    for k in range(10):
        assert np.allclose(central(lambda x: both(x)[0], k), forward[:, k], rtol=0, atol=1e-9), k
    hessian = jax.jit(jax.jacfwd(jax.jacrev(ledger_of)))(theta)
    for k in (0, 1, 3, 9):
        assert np.allclose(central(lambda x: both(x)[2], k), hessian[:, :, k], rtol=0, atol=1e-8), k


def test_derivatives_at_special_points():
    """Equal temperatures, no force, no friction at one end, coalescing modes: finite and right."""
    zero = jnp.array([1.0, 0.5, 1.0, 2.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0])
    jacobian = jax.jacfwd(ledger_of)(zero)
    assert np.all(np.isfinite(jacobian))
    # A bath without friction exchanges nothing; heat per temperature of the other one neither.
    assert np.all(np.asarray(jacobian[:2, 5:7]) == 0)

    def heat(kc):
        machine = OscillatorPair(spring=1.0, coupling=kc, friction=2.0, amplitude=0.0)
        return cs.steady_state(machine).heat["left"]

    # c = γ k_c² ΔT/(2(k_c² + (1+k_c)γ²)): 0.25 k_c² − … at small coupling, where the modes coalesce.
    assert abs(float(jax.grad(heat)(0.0))) < 1e-15
    assert abs(float(jax.grad(jax.grad(heat))(0.0)) - 0.25) < 1e-12


# --------------------------------------------------------------------------- no steady state, bad input


def named(status, words, network, **keywords):
    with pytest.raises(cs.SolveError) as caught:
        cs.steady_state(network, **keywords)
    assert caught.value.status == status
    for word in words:
        assert word in str(caught.value)
    assert np.all(np.isnan(caught.value.solution.energy.array)) or status == cs.Status.NOT_CONVERGED


def pair(springs, frictions=(1.0, 1.0), **keywords):
    baths = {"left": cs.HeatBath(1.0), "right": cs.HeatBath(0.5)}
    return cs.OscillatorNetwork([1.0, 1.0], springs, frictions, baths, {"left": 0, "right": 1}, **keywords)


def test_no_steady_state():
    named(cs.Status.UNSTABLE, ["negative eigenvalue -1", "(1, -1)"], pair([[1.0, 2.0], [2.0, 1.0]]))
    named(cs.Status.UNSTABLE, ["eigenvalue 0", "(1, 1)", "wall"], pair(cs.chain_springs(2, 1.0)))
    named(cs.Status.NOT_UNIQUE, ["frequency 1"], pair(cs.chain_springs(2, 1.0, 1.0), (0.0, 0.0)))
    middle = cs.OscillatorNetwork(
        [1.0] * 3, cs.chain_springs(3, 1.0, 1.0), [0.0, 1.0, 0.0], {"bath": cs.HeatBath(1.0)}, {"bath": 1}
    )
    # The middle stands still in that mode: nothing damps it.
    named(cs.Status.NOT_UNIQUE, ["frequency 1.41421", "-1)"], middle)
    resonant = eqx.tree_at(lambda n: n.masses, middle, jnp.array([1.0, 3.0, 1.0]))
    named(cs.Status.NOT_UNIQUE, ["frequency 1.41421"], resonant)
    named(cs.Status.NOT_CONVERGED, ["rate", "frequency"], pair(cs.chain_springs(2, 1.0, 2.0), (1e-13, 1e-13)))


def test_weak_walls_tend_to_none():
    """The heat between masses that no wall holds is the limit of weak walls."""
    limit = 1.0 * 9.0 * 0.5 / (2 * (9.0 + 3.0))
    for wall in (1e-4, 1e-8, 1e-12):
        s = cs.steady_state(pair(cs.chain_springs(2, 3.0, wall)))
        assert abs(float(s.heat["left"]) - limit) < 2 * wall + 1e-15


def test_one_bad_point_leaves_the_others():
    network = pair(cs.chain_springs(2, 1.0, 1.0))
    ds = cs.sweep(network, {"springs[0][0]": [2.0, 1.0], "baths.left.temperature": [1.0, -1.0, 2.0]})
    assert ds.status.values.tolist() == [[0, 1, 0], [0, 1, 0]]
    assert np.isnan(ds.heat.values[0, 1]).all()
    assert np.isfinite(ds.heat.values[0, 0]).all()
    ds = cs.sweep(OscillatorPair(), {"spring": [1.0, -1.0, 0.0], "friction": [1.0, 0.0, -1.0]})
    assert ds.status.values.tolist() == [[0, 2, 1], [5, 5, 1], [5, 5, 1]]
    with pytest.raises(cs.SolveError, match=r"`springs\[0\]\[1\]` must be finite, but is nan"):
        cs.steady_state(eqx.tree_at(lambda n: n.springs, network, jnp.array([[2.0, np.nan], [-1.0, 2.0]])))
    with pytest.raises(cs.SolveError, match=r"bath `left`: `temperature` must be positive.*but is -1"):
        cs.steady_state(eqx.tree_at(lambda n: n.baths["left"].temperature, network, jnp.asarray(-1.0)))
    with pytest.raises(cs.SolveError, match=r"`springs` must be symmetric"):
        cs.steady_state(eqx.tree_at(lambda n: n.springs, network, jnp.array([[2.0, 1.0], [-1.0, 2.0]])))


def bad(**change):
    good = {
        "masses": [1.0, 1.0],
        "springs": [[2.0, -1.0], [-1.0, 2.0]],
        "frictions": [1.0, 0.0],
        "baths": {"bath": cs.HeatBath(1.0)},
        "sites": {"bath": 0},
    }
    return lambda: cs.OscillatorNetwork(**(good | change))


COSINE = cs.Cosine(1.0)
BAD = {
    "masses negative": (bad(masses=[1.0, -1.0]), ["masses", "positive", "-1"]),
    "masses number": (bad(masses=1.0), ["masses", "list"]),
    "masses text": (bad(masses="heavy"), ["real number"]),
    "springs shape": (bad(springs=[1.0, 2.0]), ["springs", "(2, 2)", "(2,)"]),
    "springs not finite": (bad(springs=[[2.0, np.nan], [np.nan, 2.0]]), ["springs", "finite"]),
    "springs not symmetric": (bad(springs=[[2.0, 1.0], [-1.0, 2.0]]), ["symmetric", "springs[0][1] is 1"]),
    "frictions shape": (bad(frictions=[1.0]), ["frictions", "(2,)"]),
    "frictions negative": (bad(frictions=[-1.0, 0.0]), ["frictions[0] is -1", "negative"]),
    "friction without bath": (bad(frictions=[1.0, 0.5]), ["frictions[1] is 0.5", "no bath", "sites"]),
    "no baths": (bad(baths={}), ["baths", "at least one"]),
    "bath type": (bad(baths={"bath": cs.BosonBath(1.0)}), ["bath", "HeatBath", "BosonBath"]),
    "site of no bath": (bad(sites={"bat": 0}), ["bath `bat`", "Did you mean `bath`"]),
    "site beyond": (bad(sites={"bath": 2}), ["coordinate 2", "0 to 1"]),
    "site text": (bad(sites={"bath": "left"}), ["sites['bath']", "index", "left"]),
    "site missing": (bad(sites={}), ["sites", "`bath`"]),
    "site twice": (
        bad(baths={"bath": cs.HeatBath(1.0), "two": cs.HeatBath(1.0)}, sites={"bath": 0, "two": [0]}),
        ["coordinate 0", "`bath`", "`two`"],
    ),
    "frequency missing": (bad(forces={"f": (0, COSINE)}), ["frequency", "missing"]),
    "frequency alone": (bad(frequency=1.0), ["frequency", "nothing is driven"]),
    "frequency negative": (bad(forces={"f": (0, COSINE)}, frequency=-1.0), ["frequency", "positive", "-1"]),
    "force without site": (bad(forces={"f": COSINE}, frequency=1.0), ["force `f`", "(coordinate, Cosine)"]),
    "force beyond": (bad(forces={"f": (5, COSINE)}, frequency=1.0), ["coordinate 5"]),
    "force on two": (bad(forces={"f": ([0, 1], COSINE)}, frequency=1.0), ["force `f`", "one coordinate"]),
    "force of another form": (bad(forces={"f": (0, cs.Fourier([1.0], [0.0]))}, frequency=1.0), ["force `f`", "Cosine"]),
    "potential number": (bad(potential=3.0), ["potential", "function"]),
    "potential vector": (bad(potential=lambda x: x), ["potential", "one number", "(2,)"]),
    "cooled bath": (bad(cooled_bath="bth"), ["bath `bth`", "Did you mean `bath`"]),
    "chain of none": (lambda: cs.chain_springs(0, 1.0), ["count", "positive integer", "0"]),
    "pair without friction": (lambda: OscillatorPair(friction=0.0), ["OscillatorPair", "friction", "positive"]),
    "pair without mass": (lambda: OscillatorPair(mass=-1.0), ["OscillatorPair", "mass", "-1"]),
    "pair with a lead": (lambda: OscillatorPair(left=cs.ElectronBath(1.0)), ["left", "HeatBath"]),
    "currents with potential": (lambda: bad(potential=lambda x: x[0] ** 4)().currents(), ["currents", "potential"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, words = BAD[case]
    with pytest.raises(cs.InputError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


# --------------------------------------------------------------------------- the parts


def test_precise_sums():
    """Products of numbers of very different size, exactly to 2⁻¹⁰⁰, in compiled code too."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20, 4, 4)) * 10 ** rng.uniform(-8, 8, (2, 20, 4, 4))
    c = rng.normal(size=(20, 1, 4))
    found = jax.jit(lambda a, b, c: precise.matmul(a, precise.times(precise.plain(b), c)))(a, b, c)
    with mpmath.workprec(300):
        for p, i, j in np.ndindex(20, 4, 4):
            terms = [mpmath.mpf(a[p, i, k]) * mpmath.mpf(b[p, k, j]) * mpmath.mpf(c[p, 0, j]) for k in range(4)]
            value = mpmath.mpf(float(found.high[p, i, j])) + mpmath.mpf(float(found.low[p, i, j]))
            assert abs(value - mpmath.fsum(terms)) <= 5 * precise.UNIT * mpmath.fsum(map(abs, terms))


def test_precise_derivatives():
    def f(x):
        return precise.add(precise.times(precise.plain(x), x), precise.plain(3 * x)).value

    assert jax.grad(f)(0.7) == pytest.approx(2 * 0.7 + 3, rel=1e-15)
    assert jax.grad(jax.grad(f))(0.7) == pytest.approx(2.0, rel=1e-15)


def test_elimination():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 5, 5))
    a[0, 0, 0] = a[1, :2, :2] = 0  # pivots
    for matrix in (a, a + 1j * rng.normal(size=(30, 5, 5))):
        exact = np.linalg.inv(matrix)
        assert np.allclose(elimination.inverse(jnp.asarray(matrix)), exact, rtol=0, atol=1e-11 * np.abs(exact).max())
    assert not np.all(np.isfinite(elimination.inverse(jnp.ones((1, 2, 2)))))
    positive = a @ np.swapaxes(a, 1, 2)
    factor, good = elimination.cholesky(jnp.asarray(positive))
    assert np.all(good)
    assert np.allclose(factor, np.linalg.cholesky(positive), rtol=0, atol=1e-10)
    for matrix in ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        factor, good = elimination.cholesky(jnp.array([matrix]))
        assert not good[0]
        assert np.array_equal(factor[0], np.eye(2))


def test_doubling_counts():
    """The number of doublings grows with the logarithm of the slowest time, and no motion outlives it unnoticed."""
    slow = jnp.array([1e-2, 1e-6, 1e-12])
    a = jnp.stack([-g * jnp.eye(2) + jnp.array([[0.0, 1.0], [-1.0, 0.0]]) for g in slow])
    x, left, doublings = lyapunov.covariances(a, jnp.broadcast_to(jnp.eye(2), (3, 1, 2, 2)), lyapunov.cayley(a))
    assert np.all(left <= lyapunov.NEGLIGIBLE)
    assert int(doublings[0]) <= 48
    assert np.allclose(x[:, 0], np.eye(2) / (2 * np.asarray(slow)[:, None, None]), rtol=1e-3)
    still = jnp.array([[[0.0, 1.0], [-1.0, 0.0]]])
    _, left, _ = lyapunov.covariances(still, jnp.ones((1, 1, 2, 2)), lyapunov.cayley(still))
    assert left[0] > 0.1
