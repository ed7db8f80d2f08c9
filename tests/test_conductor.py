"""Electron–hole-pair baths: special functions, conductors, rates and ledger, against mpmath and SciPy's quadrature.

The second route is `Integrals`: the defining integrals over energy (and frequency) in plain Python, with Fermi and Bose
functions written there, by `scipy.integrate.quad`. It shares no code with coldspot.
"""

import itertools
import math

import equinox as eqx
import hypothesis
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.integrate import quad, quad_vec

import coldspot as cs
from coldspot.conductor import pair_rates as rules
from coldspot.conductor.population import effective_chemical_potential, effective_temperature, population
from coldspot.dynamics import checked_tolerance, solve_batch, solve_points
from coldspot.machines import BosonJunction
from coldspot.numerics.digamma import first_difference, mixed_difference
from coldspot.numerics.quadrature import cells, integrate, mesh
from coldspot.numerics.small_matrices import inverse

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


SIZES = (48, 1700)


def solve(columns, tolerance=1e-8):
    """A batch through the solver, as `coldspot.sweep` does it; filled up with its last point to one of two sizes."""
    points = len(columns["e1"])
    size = next(n for n in SIZES if n >= points)
    index = np.minimum(np.arange(size), points - 1)
    full = {name: jnp.asarray(values[index]) for name, values in columns.items()}
    found = solve_points(junction, None, full, checked_tolerance(tolerance))
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


# --------------------------------------------------------------------------- the second route


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


# --------------------------------------------------------------------------- digamma


def arguments(points, seed=0):
    rng = np.random.default_rng(seed)

    def spread():
        return (
            0.5 + 10 ** rng.uniform(-3, 6, points) + 1j * rng.choice([-1, 1], points) * 10 ** rng.uniform(-3, 6, points)
        )

    x = spread()
    # From the same number to another one of any size.
    z = x + 10 ** rng.uniform(-16, 3, points) * np.abs(x) * np.exp(2j * np.pi * rng.random(points))
    z = np.maximum(z.real, 0.5) + 1j * z.imag
    d = 1j * rng.choice([-1, 1], points) * 10 ** rng.uniform(-12, 6, points)
    d[:10], z[5:15] = 0, x[5:15]
    return x, z, d


def test_digamma_differences_to_rounding():
    x, z, d = arguments(200)
    first, mixed = np.asarray(first_difference(x, d)), np.asarray(mixed_difference(x, z, d))
    with mp.workdps(80):
        for k in range(200):
            a, b, s = (mp.mpmathify(complex(v[k])) for v in (x, z, d))
            slope = [mp.psi(1, v) if s == 0 else (mp.digamma(v + s) - mp.digamma(v)) / s for v in (a, b)]
            if a != b:
                both = (slope[0] - slope[1]) / (a - b)
            else:
                both = mp.psi(2, a) if s == 0 else (mp.psi(1, a + s) - mp.psi(1, a)) / s
            assert abs(complex(first[k]) / slope[0] - 1) < 2e-15
            assert abs(complex(mixed[k]) / both - 1) < 2e-15


def test_digamma_differences_have_derivatives_at_zero():
    """d/dd of the first difference at d = 0 is ψ″/2."""
    slope = jax.jacfwd(lambda d: first_difference(0.7 + 0.2j, 1j * d))(0.0) / 1j
    assert abs(complex(slope) - complex(mp.psi(2, 0.7 + 0.2j)) / 2) < 1e-13
    slope = jax.jacfwd(lambda h: mixed_difference(0.7 + h, 0.7, 0.0))(0.0)
    assert abs(complex(slope) - complex(mp.psi(3, 0.7)) / 2) < 1e-12


# --------------------------------------------------------------------------- panels


def test_panels_integrate_narrow_features_and_know_their_error():
    rng = np.random.default_rng(0)
    points, features = 300, 4
    c, w = rng.uniform(-1.5, 1.5, (features, points)), 10 ** rng.uniform(-5, 1, (features, points))
    c[1, :50] = c[0, :50] + 1e-7
    low, high = np.full(points, -1.0), np.full(points, 1.0)
    m = mesh(cells(*map(jnp.asarray, (c, w, low, high))))
    values = sum(1 / ((m.nodes - c[k]) ** 2 + w[k] ** 2) for k in range(features))
    exact = sum(np.arctan2(2 * w[k], w[k] ** 2 + c[k] ** 2 - 1) / w[k] for k in range(features))
    found, error = integrate(values, m, jnp.zeros_like(m.middle))
    assert np.all(np.abs(found - exact) <= error + 4e-15 * exact)
    assert np.median(error / exact) < 1e-12
    assert np.max(np.abs(found / exact - 1)) < 1e-9


def test_an_unresolved_feature_shows_in_the_error():
    """A resonance that the mesh is not told about: the estimate must say so."""
    centre, low, high = jnp.zeros((1, 1)), jnp.full(1, -1.0), jnp.full(1, 1.0)
    m = mesh(cells(centre, jnp.ones((1, 1)), low, high))
    found, error = integrate(1 / ((m.nodes - 0.3) ** 2 + 1e-4), m, jnp.zeros_like(m.middle))
    exact = 100 * (math.atan(70) + math.atan(130))
    assert 1e-6 * exact < abs(found[0] - exact) <= error[0]


# --------------------------------------------------------------------------- conductors


def random_device(rng, sites, leads=("left", "right")):
    h = rng.normal(size=(sites, sites)) + 1j * rng.normal(size=(sites, sites))
    g = [rng.normal(size=(sites, sites)) + 1j * rng.normal(size=(sites, sites)) for _ in leads]
    return h + h.conj().T, {name: 0.3 * a @ a.conj().T for name, a in zip(leads, g, strict=True)}


@pytest.mark.parametrize("sites", [1, 2, 5])
def test_green_and_spectral_functions(sites):
    rng = np.random.default_rng(sites)
    h, widths = random_device(rng, sites)
    device = cs.Device(h, widths)
    energies = rng.normal(size=7)
    green = np.asarray(device.green(energies))
    total = sum(widths.values())
    for e, g in zip(energies, green, strict=True):
        np.testing.assert_allclose(g, np.linalg.inv(e * np.eye(sites) - h + 0.5j * total), rtol=0, atol=1e-12)
    a = {name: np.asarray(device.spectral(name, energies)) for name in widths}
    # Σ_α A_α = i(G^r − G^a), and each is Hermitian and positive.
    dagger = green.conj().swapaxes(-1, -2)
    np.testing.assert_allclose(sum(a.values()), 1j * (green - dagger), rtol=0, atol=1e-12)
    for one in a.values():
        assert np.linalg.eigvalsh(one).min() > -1e-12


def test_levels_are_the_device_with_a_diagonal_matrix():
    levels = cs.Levels([0.5, -0.2, 1.0], [1.0, 0.3, 0.7], ["left", "right", "left"])
    device = cs.Device(np.diag([0.5, -0.2, 1.0]), {"left": np.diag([1.0, 0.0, 0.7]), "right": (1, 0.3)})
    energies = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(levels.green(energies), device.green(energies), rtol=0, atol=1e-14)
    for lead in ("left", "right"):
        np.testing.assert_allclose(levels.spectral(lead, energies), device.spectral(lead, energies), rtol=0, atol=1e-14)


def test_inverse_needs_pivots():
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(4, 4, 50)) + 1j * rng.normal(size=(4, 4, 50))
    matrices[0, 0] = 0.0
    matrices[1, :2, ::2] = 1e-14
    exact = np.moveaxis(np.linalg.inv(np.moveaxis(matrices, -1, 0)), 0, -1)
    assert np.max(np.abs(inverse(jnp.asarray(matrices)) - exact) / np.max(np.abs(exact), axis=(0, 1))) < 1e-12


# --------------------------------------------------------------------------- rates against quadrature


@pytest.fixture(scope="module")
def ordinary():
    columns = join(draw(np.random.default_rng(1), 500, "one temperature"), draw(np.random.default_rng(2), 500))
    return columns, solve(columns)


def spectra(columns, omega=None):
    """Emission and absorption (point, pair), LR and RL, of a batch."""

    @jax.jit
    def run(points):
        batch = jax.vmap(lambda p: junction(None, p).dynamics())(points)
        found, errors = rules.rates(batch._pairs(batch.frequency))
        return jax.tree.map(lambda v: v.reshape(2, -1).T, (found, errors))

    return jax.tree.map(np.asarray, run({k: jnp.asarray(v) for k, v in columns.items()}))


def test_densities_of_a_thousand_junctions(ordinary):
    """Λ^LR(Ω) by quad, temperatures from 1e-3 to 10 level widths."""
    columns, _ = ordinary
    found, errors = spectra(columns)
    density, bound = found.absorption - found.emission, errors.absorption + errors.emission
    for k in range(1000):
        exact = Integrals(columns, k).pair("left-right", columns["omega"][k], lambda x, out, back: back - out)
        size = found.absorption[k, 0] + found.emission[k, 0]
        assert abs(density[k, 0] - exact) <= 1e-9 * abs(exact) or abs(density[k, 0] - exact) <= 1e-12 * size
        assert abs(density[k, 0] - exact) <= bound[k, 0] + 1e-11 * size


def test_ledger_by_quadrature(ordinary):
    columns, s = ordinary
    for k in [*range(20), *range(500, 540)]:
        heat, particles = Integrals(columns, k).ledger()
        top = max(map(abs, heat.values()))
        for name, value in heat.items():
            assert abs(float(s.heat[name][k]) - value) <= 1e-9 * top, (k, name)
        assert abs(float(s.particles["left"][k]) - particles) <= 1e-9 * top / columns["omega"][k]


TEMPERATURES = (1e-6, 1e-3, 1.0, 1e6)
PLACES = (  # e1, e2, w1, w2, omega, mu1, mu2: ω > μ_αβ, ω = μ_αβ, ω < μ_αβ, and narrow levels far away
    (0.5, -0.5, 0.5, 0.5, 1.0, 0.5, 0.25),
    (0.25, 0.125, 1.0, 0.25, 1.0, 0.5, -0.5),
    (0.125, 0.75, 0.5, 0.5, 0.75, 2.0, 0.5),
    (3.0, 2.5, 0.0625, 0.0078125, 0.5, 0.25, 0.0),
)
"""Binary fractions, so that the distances between them are exact."""


def test_rates_in_multiple_precision():
    """From 1e-6 to 1e6 level widths."""
    cases = [(*place, t) for t in TEMPERATURES for place in PLACES]
    columns = {name: np.zeros(len(cases)) for name in NAMES} | {"m": np.ones(len(cases)), "tp": np.ones(len(cases))}
    for name, values in zip(
        ("e1", "e2", "w1", "w2", "omega", "mu1", "mu2", "t1"), zip(*cases, strict=True), strict=True
    ):
        columns[name] = np.array(values)
    columns["t2"] = columns["t1"]
    found, errors = spectra(columns)
    with mp.workdps(25):
        for k, case in enumerate(cases):
            e1, e2, w1, w2, omega, mu1, mu2, t = map(mp.mpf, case)
            edge, lower = mu2 + omega, e2 + omega
            reach = 70 * t
            grid = {c + sign * r * t for c in (mu1, edge) for sign in (-1, 1) for r in (0, 4, 15, 40, 70)}
            low, high = min(mu1, edge) - reach, max(mu1, edge) + reach
            steps = [0, *(sign * 2**p for p in range(28) for sign in (-1, 1))]
            grid |= {c + r * w for c, w in ((e1, w1), (lower, w2)) for r in steps}
            grid = sorted(x for x in grid if low <= x <= high)

            # The larger of the two, which is the smoother; the other by detailed balance.
            sign = 1 if edge >= mu1 else -1

            def larger(x, case=(e1, lower, w1, w2, mu1, edge, t), sign=sign):
                e1, lower, w1, w2, mu1, edge, t = case
                weight = 4 * w1 * w2 / ((x - e1) ** 2 + w1**2) / ((x - lower) ** 2 + w2**2)
                return weight / (1 + mp.exp(sign * (mu1 - x) / t)) / (1 + mp.exp(sign * (x - edge) / t))

            exact = mp.quad(larger, grid) / (2 * mp.pi)
            other = exact * mp.exp(sign * (mu1 - edge) / t)
            absorption, emission = (exact, other) if sign > 0 else (other, exact)
            for value, error, rate in (
                (found.absorption, errors.absorption, absorption),
                (found.emission, errors.emission, emission),
            ):
                if rate > TINY:
                    assert abs(value[k, 0] / rate - 1) < 1e-12, case
                    assert abs(value[k, 0] - rate) <= error[k, 0], case
                    assert error[k, 0] < 1e-10 * rate, case


def test_spot_values():
    """Narrow mode, half widths ½; a unit-mass mode has half of J."""

    def junction_at(t, bias, phonons=None):
        return cs.steady_state(
            BosonJunction(
                left=cs.ElectronBath(t, bias / 2),
                right=cs.ElectronBath(t, -bias / 2),
                phonons=cs.BosonBath(t if phonons is None else phonons),
            )
        )

    for t, bias, twice in ((0.5, -1, -0.03486), (0.5, 1, 0.10246), (1.0, -3, -0.14255)):
        assert abs(-2 * float(junction_at(t, bias).heat["phonons"]) - twice) <= 0.5e-5
    for change, percent in ((-0.5, 76.4), (0.5, 68.9)):
        s = junction_at(1 + change, 0.0, 1.0)
        assert abs(100 * float(s.particles["left"]) / -float(s.heat["phonons"]) - percent) <= 0.05


def test_closed_form_and_panels_agree_within_their_bounds():
    """Two ways through the library on very wide parameters: errors are honest, and not silly."""
    columns = draw(np.random.default_rng(3), 1000, "extreme")
    columns["t2"] = columns["t1"].copy()

    @jax.jit
    def both(points):
        batch = jax.vmap(lambda p: junction(None, p).dynamics())(points)
        pairs = batch._pairs(batch.frequency)
        return rules.closed(pairs), rules.integrated(pairs), rules.rates(pairs)

    one, other, chosen = jax.tree.map(np.asarray, both({k: jnp.asarray(v) for k, v in columns.items()}))
    for name in rules.Rates._fields:
        values = [getattr(r[0], name) for r in (one, other)]
        bounds = [getattr(r[1], name) for r in (one, other)]
        clear = np.abs(values[1]) > TINY
        assert clear.mean() > 0.5
        assert np.all((np.abs(values[0] - values[1]) <= sum(bounds))[clear]), name
    clear = np.abs(chosen[0].net) > TINY
    assert np.quantile(chosen[1].net[clear] / np.abs(chosen[0].net)[clear], 0.99) < 1e-10


# --------------------------------------------------------------------------- laws


@pytest.fixture(scope="module")
def many(ordinary):
    rng = np.random.default_rng(4)
    extreme = draw(rng, 500, "extreme")
    still = draw(rng, 100, "one temperature")
    still["t1"] = still["t2"] = 10 ** rng.uniform(-1, 1, 100)
    still["mu2"], still["tp"] = still["mu1"].copy(), still["t1"].copy()
    near = {name: values.copy() for name, values in still.items()}
    near["tp"] *= 1 + 1e-11 * rng.normal(size=100)
    near["mu2"] += 1e-13 * rng.normal(size=100)
    columns = join(ordinary[0], extreme, still, near)
    return columns, solve(columns)


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


def test_laws(many):
    _, s = many
    status = np.asarray(s.status)
    assert np.all(status[ORDINARY] == 0)
    assert np.all(status[STILL] == 0)
    assert np.all(status[NEAR] == 0)
    # Very narrow levels far from cold edges lose digits, and say so.
    assert set(status[EXTREME]) <= {0, int(cs.Status.NOT_CONVERGED)}
    assert np.mean(status[EXTREME] == 0) > 0.98
    check_laws(s)


def test_a_wrong_heat_is_noticed(many):
    _, s = many
    part = jax.tree.map(lambda leaf: leaf[ORDINARY], s)
    wrong = eqx.tree_at(lambda x: x.ledger.energies, part, part.ledger.energies * np.array([1.0, 1.0, 1.0 + 1e-12]))
    with pytest.raises(AssertionError, match="first law"):
        check_laws(wrong)
    wrong = eqx.tree_at(lambda x: x.ledger.energies, part, -part.ledger.energies + 2 * part.ledger.chemical_works)
    with pytest.raises(AssertionError):
        check_laws(wrong)


def test_nothing_flows_in_equilibrium(many):
    _, s = many
    for values in (s.heat.array, s.particles.array, s.entropy_production):
        assert np.all(np.asarray(values)[STILL] == 0.0)
    assert set(np.asarray(s.regime)[STILL]) == {"passive"}


def test_currents_keep_their_digits_near_equilibrium(many):
    """J is bilinear in the small affinities: the response to each, from quad's Λ, at relative 1e-10."""
    columns, s = many
    for k in range(1600, 1620):
        exact = Integrals(columns, k)
        p = exact.p
        t, omega = p["t1"], p["omega"]
        bias = p["mu1"] - p["mu2"]
        n = bose(omega / t)
        particles = flow = size = 0.0
        for kind, sign in (("left-right", 1), ("right-left", -1)):
            affinity = sign * bias / t + omega * (t - p["tp"]) / (t * p["tp"])
            net = exact.absorption(kind, omega) * n * affinity / (2 * omega)
            particles += sign * net
            flow += net
            size += abs(net)
        assert abs(float(s.particles["left"][k]) - particles) <= 1e-9 * size
        assert abs(float(s.heat["phonons"][k]) + omega * flow) <= 1e-9 * omega * size
        assert 0 < size < 1e-8 * exact.absorption("left-right", omega)


def test_detailed_balance_of_emission_and_absorption():
    """E/A = exp[−(ω−μ_αβ)/T_e] for each kind, at ω = μ_αβ too, where both are finite."""
    bias, t = 0.7, 0.3
    machine = BosonJunction(left=cs.ElectronBath(t, bias), right=cs.ElectronBath(t, 0.0)).dynamics()
    omega = np.array([0.01, 0.3, 0.7, 0.7 + 1e-9, 1.0, 4.0])
    found = machine.spectra(omega)
    for name, sign in (("left-right", 1), ("right-left", -1)):
        ratio = np.asarray(found.emission[name] / found.absorption[name])
        np.testing.assert_allclose(ratio, np.exp(-(omega - sign * bias) / t), rtol=1e-13)
        np.testing.assert_allclose(found.power[name], (found.emission[name] + found.absorption[name]) / 2, rtol=1e-15)
    assert np.all(np.isfinite(found.power.array))
    assert np.all(np.asarray(found.power.array) > 0)
    # Away from ω = μ_αβ the power is [n_B + ½]Λ.
    n = 1 / np.expm1((omega - bias) / t, where=omega != bias, out=np.full_like(omega, np.inf))
    away = np.abs(omega - bias) > 1e-3
    np.testing.assert_allclose(
        np.asarray(found.power["left-right"])[away],
        ((n + 0.5) * np.asarray(found.density["left-right"]))[away],
        rtol=1e-12,
    )


def test_relabelled_leads_swap(ordinary):
    columns, s = ordinary
    pairs = (("e1", "e2"), ("w1", "w2"), ("t1", "t2"), ("mu1", "mu2"))
    swapped = columns | {a: columns[b] for a, b in pairs} | {b: columns[a] for a, b in pairs}
    other = solve(swapped)
    for name in ("energies", "particle_numbers", "entropy_flows"):
        one, two = getattr(s.ledger, name), getattr(other.ledger, name)[:, [1, 0, 2]]
        bound = getattr(s.error, name) + getattr(other.error, name)[:, [1, 0, 2]]
        assert np.all(np.abs(one - two) <= bound + TINY), name


def test_shift_of_all_energies_with_the_potentials_changes_nothing(ordinary):
    columns, _ = ordinary
    fine = {k: np.round(v * 2**20) / 2**20 if k in ("e1", "e2", "mu1", "mu2") else v for k, v in columns.items()}
    moved = fine | {k: fine[k] + 4.0 for k in ("e1", "e2", "mu1", "mu2")}
    one, two = solve(fine), solve(moved)
    for name in ("entropy_flows", "particle_numbers"):
        a, b = getattr(one.ledger, name), getattr(two.ledger, name)
        assert np.all(np.abs(a - b) <= 1e-14 * np.max(np.abs(a), axis=-1, keepdims=True)), name


def test_flat_band_density():
    """Very wide levels: Λ^αβ = (ω−μ_αβ) tr[MA_αMA_β]/2π at any temperature, and reciprocal heat."""
    wide, omega, bias = 1e7, 0.8, 0.3
    for t in (0.01, 1.0):
        machine = BosonJunction(
            halfwidth_left=wide, halfwidth_right=wide, left=cs.ElectronBath(t, bias), right=cs.ElectronBath(t)
        )
        weight = 0.25 * (2 / wide) ** 2
        found = machine.dynamics().spectra(omega).density["left-right"]
        assert abs(float(found) / ((omega - bias) * weight / (2 * math.pi)) - 1) < 1e-6
    flat = BosonJunction(halfwidth_left=wide, halfwidth_right=wide, level_left=0.0, level_right=0.0)
    s = [
        cs.steady_state(
            eqx.tree_at(lambda x: (x.left, x.right, x.phonons), flat, (*(cs.ElectronBath(a),) * 2, cs.BosonBath(b)))
        )
        for a, b in ((1.0, 0.6), (0.6, 1.0))
    ]
    assert abs(float(s[0].heat["phonons"] / s[1].heat["phonons"]) + 1) < 1e-6


# --------------------------------------------------------------------------- populations, and the golden rule


def ladder(emission, absorption, omega, phonons=None, rate=None, states=60):
    """A ladder of boson numbers, cut off: pairs with E(n+1), A n; a phonon bath at `phonons` with rate·n."""
    n = np.arange(states - 1)
    temperature = omega / math.log(absorption / emission)
    channels = [cs.Channel("pairs", n, n + 1, cs.Explicit(emission * (n + 1), absorption * (n + 1)))]
    baths = {"pairs": cs.HeatBath(temperature)}
    if phonons is not None:
        baths["phonons"] = cs.BosonBath(phonons)
        channels.append(cs.Channel("phonons", n, n + 1, cs.Bosonic(rate * (n + 1.0))))
    return cs.steady_state(cs.JumpNetwork(omega * np.arange(states), baths, channels))


def test_heat_is_that_of_a_jump_network_of_boson_numbers():
    """With rate κ to the phonons, the ladder carries J·κ/(κ + A − E): the ledger's J is its limit."""
    s = cs.steady_state(BosonJunction(left=cs.ElectronBath(0.5, -0.4), right=cs.ElectronBath(0.5, 0.4)))
    emission, absorption = (float(s.observables[name]) for name in ("emission", "absorption"))
    for rate in (0.05, 3.0):
        chain = ladder(emission, absorption, 1.0, 0.8, rate)
        expected = float(s.heat["phonons"]) * rate / (rate + absorption - emission)
        assert abs(float(chain.heat["phonons"]) / expected - 1) < 1e-12


def test_population_is_that_of_a_jump_network_of_boson_numbers():
    omega, t = 1.3, 0.6
    s = cs.steady_state(BosonJunction(frequency=omega, left=cs.ElectronBath(t, 0.3), right=cs.ElectronBath(t, -0.3)))
    emission, absorption = (float(s.observables[name]) for name in ("emission", "absorption"))
    chain = ladder(emission, absorption, omega)
    mean = float(np.arange(60) @ np.asarray(chain.populations))
    number, hot, potential = (
        float(s.observables[name]) for name in ("population", "effective temperature", "effective chemical potential")
    )
    assert abs(number / mean - 1) < 1e-11
    assert abs(number * math.expm1(omega / hot) - 1) < 1e-12
    assert abs(number * math.expm1((omega - potential) / t) - 1) < 1e-12
    assert abs(hot / (t / (1 - potential / omega)) - 1) < 1e-12  # eq. 12


def test_enhanced_emission_heats_and_enhanced_absorption_cools():
    """After eq. 12 the paper says the reverse of its own definitions."""
    hot = cs.steady_state(BosonJunction(left=cs.ElectronBath(0.5, 0.4), right=cs.ElectronBath(0.5, -0.4)))
    cool = cs.steady_state(BosonJunction(left=cs.ElectronBath(0.5, -0.4), right=cs.ElectronBath(0.5, 0.4)))
    assert hot.observables["effective chemical potential"] > 0
    assert hot.observables["effective temperature"] > 0.5
    assert cool.observables["effective chemical potential"] < 0
    assert cool.observables["effective temperature"] < 0.5


def test_population_functions_near_and_beyond_instability():
    assert float(population(1.0, 1.0 + 1e-12)) == pytest.approx(1 / 1.000088900582341e-12)
    for function in (
        population,
        lambda e, a: effective_temperature(e, a, 1.0),
        lambda e, a: effective_chemical_potential(e, a, 1.0, 1.0),
    ):
        assert math.isnan(float(function(1.0, 1.0)))
        assert math.isnan(float(function(2.0, 1.0)))
        slopes = jax.grad(lambda e, a, f=function: f(e, a), argnums=(0, 1))(1.0, 3.0)
        assert np.all(np.isfinite(slopes))
    assert float(population(0.0, 1.0)) == 0.0
    assert float(effective_temperature(0.0, 1.0, 1.0)) == 0.0


# --------------------------------------------------------------------------- modes of finite width


@pytest.fixture(scope="module")
def broad():
    columns = join(draw(np.random.default_rng(7), 40, "one temperature"), draw(np.random.default_rng(8), 8))
    columns["damping"] = 10 ** np.random.default_rng(9).uniform(-3, 1, 48)
    return columns, solve(columns)


def test_laws_of_broad_modes(broad):
    _, s = broad
    status = np.asarray(s.status)
    assert set(status) <= {0, int(cs.Status.UNSTABLE)}
    assert np.mean(status == 0) > 0.9
    check_laws(s)
    assert np.max(s.residuals["quadrature"]) < 1e-9


def test_broad_mode_by_nested_quadrature(broad):
    columns, s = broad
    for k in (0, 41):
        exact = Integrals(columns, k)
        p = exact.p
        top = max(p["omega"], p["mu1"] - p["mu2"], p["mu2"] - p["mu1"]) + 40 * max(p["t1"], p["t2"], p["tp"])
        marks = {p["omega"] + r * p["damping"] for r in (-20, -3, 0, 3, 20)}
        marks |= {abs(p["mu1"] - p["mu2"]) + r * (p["t1"] + p["t2"]) for r in (-5, 0, 5, 20)}
        marks = [1e-12, *sorted(x for x in marks if 1e-12 < x < top), top]

        def flow(omega, kind, exact=exact, p=p):
            n = bose(omega / p["tp"])
            spectral = 2 * p["damping"] * omega / ((omega**2 - p["omega"] ** 2) ** 2 + (p["damping"] * omega) ** 2)
            net = exact.pair(kind, omega, lambda x, out, back: out * (1 + n) - back * n)
            return spectral * net / (2 * math.pi)

        rates = [
            sum(quad(flow, a, b, (kind,), epsabs=1e-9, epsrel=1e-7)[0] for a, b in itertools.pairwise(marks))
            for kind in ("left-right", "right-left")
        ]
        assert abs(float(s.particles["left"][k]) - (rates[0] - rates[1])) <= 1e-6 * max(map(abs, rates)) + 1e-8


def test_a_narrow_mode_is_the_limit_of_a_broad_one():
    base = draw(np.random.default_rng(10), 1, "one temperature")
    base = {name: np.repeat(values, 4) for name, values in base.items()} | {
        "damping": np.array([0.0, 4e-4, 2e-4, 1e-4])
    }
    s = solve(base, 1e-6)
    gap = np.asarray(s.heat.array)[1:] - np.asarray(s.heat.array)[:1]
    # Linear in the damping (the tails of the Lorentzian).
    bound = np.asarray(s.error.energies)[1:]
    assert np.all(np.abs(gap[0] - 2 * gap[1]) <= bound[0] + 2 * bound[1] + 1e-2 * np.abs(gap[0]))
    assert np.all(np.abs(gap[1] - 2 * gap[2]) <= bound[1] + 2 * bound[2] + 1e-2 * np.abs(gap[1]))
    assert np.all(np.abs(gap) > 10 * bound)


def test_a_mode_that_gains_more_than_its_damping_is_unstable():
    strong = {
        "level_left": 0.5, "level_right": -0.5, "halfwidth_left": 0.05, "halfwidth_right": 0.05, "element": 0.1,
        "left": cs.ElectronBath(0.05, 1.0), "right": cs.ElectronBath(0.05, -1.0), "phonons": cs.BosonBath(0.1),
    }  # fmt: skip
    narrow = cs.steady_state(BosonJunction(**strong))
    gain = float(narrow.observables["emission"] - narrow.observables["absorption"])
    assert gain > 0
    assert math.isnan(narrow.observables["population"])
    assert cs.steady_state(BosonJunction(**strong, damping=1.01 * gain)).ok
    with pytest.raises(cs.SolveError, match=r"UNSTABLE.*damping"):
        cs.steady_state(BosonJunction(**strong, damping=0.99 * gain))


# --------------------------------------------------------------------------- any device


def device_junction(h, widths, m, t=(0.7, 0.7), mu=(0.4, -0.3), tp=0.5, omega=0.9, damping=0.0):
    return cs.PairJunction(
        cs.Device(h, widths),
        coupling=m,
        baths={
            "left": cs.ElectronBath(t[0], mu[0]),
            "right": cs.ElectronBath(t[1], mu[1]),
            "phonons": cs.BosonBath(tp),
        },
        frequency=omega,
        damping=damping,
    )


def test_device_of_levels_gives_the_currents_of_levels():
    s = cs.steady_state(
        device_junction(np.diag([0.5, -0.4]), {"left": (0, 0.6), "right": (1, 1.4)}, [[0, 0.3], [0.3, 0]], (0.7, 0.4))
    )
    levels = cs.steady_state(
        BosonJunction(
            0.5, -0.4, 0.3, 0.7, 0.3, 0.9,
            left=cs.ElectronBath(0.7, 0.4), right=cs.ElectronBath(0.4, -0.3), phonons=cs.BosonBath(0.5),
        )
    )  # fmt: skip
    np.testing.assert_allclose(s.heat.array, levels.heat.array, rtol=1e-12)
    np.testing.assert_allclose(s.particles.array, levels.particles.array, rtol=1e-12)


@pytest.mark.parametrize("t", [(0.7, 0.7), (0.7, 0.2)])
def test_ledger_of_a_device_by_quadrature(t):
    """Three sites, complex hopping, full width matrices and a complex coupling: all four kinds of pairs."""
    rng = np.random.default_rng(12)
    h, widths = random_device(rng, 3)
    m, _ = random_device(rng, 3)
    mu, tp, omega = (0.4, -0.3), 0.5, 0.9
    s = cs.steady_state(device_junction(h, widths, m, t, mu, tp, omega))
    names, total = ("left", "right"), sum(widths.values())
    n = 1 / math.expm1(omega / tp)

    def spectral(lead, e):
        g = np.linalg.inv(e * np.eye(3) - h + 0.5j * total)
        return g @ widths[lead] @ g.conj().T

    heat, particles = dict.fromkeys((*names, "phonons"), 0.0), 0.0
    for i, j in itertools.product((0, 1), repeat=2):
        a, b = names[i], names[j]

        def net(x, i=i, j=j, a=a, b=b):
            one, other = (x - mu[i]) / t[i], (x - omega - mu[j]) / t[j]
            weight = np.trace(m @ spectral(a, x) @ m @ spectral(b, x - omega)).real / (2 * math.pi)
            flow = fermi(one) * fermi(-other) * (1 + n) - fermi(-one) * fermi(other) * n
            return weight * flow / (2 * omega)

        low, high = min(mu) - 25, max(mu) + omega + 25
        marks = [low, -3, -1, 0, 0.5, 1, 2, 4, high]

        def moment(power, net=net, marks=marks):
            return sum(
                quad(lambda x: x**power * net(x), p, q, epsabs=1e-13, epsrel=1e-10)[0]
                for p, q in itertools.pairwise(marks)
            )

        rate, energy = moment(0), moment(1)
        heat[a] += energy - mu[i] * rate
        heat[b] -= energy - (omega + mu[j]) * rate
        heat["phonons"] -= omega * rate
        particles += rate * (i == 0) - rate * (j == 0)
    top = max(map(abs, heat.values()))
    for name, value in heat.items():
        assert abs(float(s.heat[name]) - value) < 1e-9 * top
    assert abs(float(s.particles["left"]) - particles) < 1e-9 * top


def test_laws_of_random_devices():
    rng = np.random.default_rng(13)
    made = []
    for _ in range(64):
        h, widths = random_device(rng, 2)
        m, _ = random_device(rng, 2)
        t = 10 ** rng.uniform(-1.5, 0.5, 3)
        made.append(device_junction(h, widths, m, t[:2], rng.normal(size=2), t[2], 10 ** rng.uniform(-1, 0.5)))
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)
    s = jax.tree.map(np.asarray, eqx.filter_jit(lambda b: solve_batch(b, 1e-8))(batch))
    assert np.all(s.status == 0)
    check_laws(s)


def test_an_exceptional_point_of_the_device_is_an_ordinary_point():
    """Two sites whose resonances coalesce: no eigenvectors are needed."""
    gamma = 1.0
    hop = gamma / 4  # H − iΓ/2 = [[−iγ/2, h], [h, 0]] has a double eigenvalue at h = γ/4
    around = [
        cs.steady_state(device_junction([[0, x], [x, 0]], {"left": (0, gamma), "right": (1, 1e-9)}, [[0.3, 0], [0, 0]]))
        for x in (hop * (1 - 1e-6), hop, hop * (1 + 1e-6))
    ]
    j = [float(s.heat["phonons"]) for s in around]
    assert abs(j[1] - (j[0] + j[2]) / 2) < 1e-10 * abs(j[1])


def test_more_than_two_leads():
    levels = cs.Levels([0.5, -0.5, 0.1], [1.0, 0.5, 0.7], ["left", "right", "probe"])
    baths = {name: cs.ElectronBath(0.5, mu) for name, mu in (("left", 0.1), ("right", 0.0), ("probe", -0.2))}
    s = cs.steady_state(
        cs.PairJunction(
            levels, {(0, 1): 0.4, (0, 2): 0.2, (1, 1): 0.1}, baths | {"light": cs.BosonBath(0.3)}, frequency=0.8
        )
    )
    assert abs(float(s.first_law_residual)) < 1e-15
    assert abs(float(np.sum(s.particles.array))) < 1e-16
    assert s.entropy_production > 0


# --------------------------------------------------------------------------- several modes


def hermitian(rng, modes, sites):
    z = rng.normal(size=(modes, sites, sites)) + 1j * rng.normal(size=(modes, sites, sites))
    return z + z.conj().swapaxes(-1, -2)


def densities_by_quadrature(h, widths, couplings, baths, omega):
    """Λ_mn of every kind of pair, by SciPy's quadrature from the definition."""
    total, sites = sum(widths.values()), len(h)

    def spectral(e):
        g = np.linalg.inv(e * np.eye(sites) - h + 0.5j * total)
        return {name: g @ width @ g.conj().T for name, width in widths.items()}

    found = {}
    poles = np.linalg.eigvals(h - 0.5j * total)
    for a, b in itertools.product(widths, repeat=2):
        (t1, mu1), (t2, mu2) = baths[a], baths[b]
        low, high = min(mu1, mu2 + omega) - 40 * max(t1, t2), max(mu1, mu2 + omega) + 40 * max(t1, t2)
        marks = {mu1, mu2 + omega, *poles.real, *(poles.real + omega)}
        marks |= {c + s * t for c, t in ((mu1, t1), (mu2 + omega, t2)) for s in (-12, -3, 3, 12)}
        marks = [low, *sorted(x for x in marks if low < x < high), high]

        def integrand(x, a=a, b=b, t1=t1, mu1=mu1, t2=t2, mu2=mu2):
            left, right = couplings @ spectral(x)[a], couplings @ spectral(x - omega)[b]
            occupied = fermi((x - mu1) / t1) - fermi((x - omega - mu2) / t2)
            return -np.einsum("mij,nji->mn", left, right) * occupied / (2 * math.pi)

        value = sum(quad_vec(integrand, p, q, epsabs=1e-13, epsrel=1e-12)[0] for p, q in itertools.pairwise(marks))
        found[f"{a}-{b}"] = value
    return found


def test_densities_between_modes_by_quadrature():
    """Complex Hermitian devices of three sites with three modes, leads of different temperatures."""
    rng = np.random.default_rng(20)
    for k in range(24):
        h, widths = random_device(rng, 3)
        couplings, omega = hermitian(rng, 3, 3), 10 ** rng.uniform(-1, 0.5)
        numbers = dict(zip(widths, zip(10 ** rng.uniform(-1, 0.3, 2), rng.normal(size=2), strict=True), strict=True))
        if k % 2:
            numbers["right"] = (numbers["left"][0], numbers["right"][1])
        baths = {name: cs.ElectronBath(*values) for name, values in numbers.items()}
        found = cs.pair_spectra(cs.Device(h, widths), couplings, baths, omega)
        for name, exact in densities_by_quadrature(h, widths, couplings, numbers, omega).items():
            scale = np.abs(np.diag(found.power[name]).real)
            scale = np.sqrt(np.outer(scale, scale))
            assert np.all(np.abs(found.density[name] - exact) <= 1e-12 * scale), (k, name)
            for part in (found.emission[name], found.absorption[name]):
                np.testing.assert_array_equal(part, np.asarray(part).conj().T)
                values = np.linalg.eigvalsh(part)
                assert values[0] >= -1e-11 * values[-1]


def test_densities_between_modes_of_levels_by_quadrature():
    """Closed form, and two temperatures; four levels on two leads: every coupling between levels contributes."""
    rng = np.random.default_rng(21)
    leads = ["left", "right", "right", "left"]
    for k in range(6):
        energies, gammas = rng.normal(size=4), rng.uniform(0.2, 1.5, 4)
        widths = {n: np.diag(np.where(np.array(leads) == n, gammas, 0.0)) for n in ("left", "right")}
        couplings, omega = hermitian(rng, 2, 4), rng.uniform(0.2, 2)
        t = rng.uniform(0.2, 1, 2)
        numbers = {"left": (t[0], 0.3), "right": (t[k % 2], -0.4)}
        baths = {name: cs.ElectronBath(*values) for name, values in numbers.items()}
        found = cs.pair_spectra(cs.Levels(energies, gammas, leads), couplings, baths, omega)
        for name, exact in densities_by_quadrature(np.diag(energies), widths, couplings, numbers, omega).items():
            scale = np.abs(np.diag(found.power[name]).real)
            scale = np.sqrt(np.outer(scale, scale))
            assert np.all(np.abs(found.density[name] - exact) <= 1e-12 * scale), (k, name)
            np.testing.assert_allclose(found.density[name], np.asarray(found.density[name]).conj().T, atol=1e-14)


@pytest.mark.parametrize("kind", ["device", "levels"])
def test_one_mode_of_several_is_the_spectrum_of_one(kind):
    """The diagonal; and off it, polarisation: Λ(M¹+M²) − Λ(M¹−M²) = 4 Re Λ_12."""
    rng = np.random.default_rng(22)
    levels = cs.Levels([0.4, -0.2, 0.9], [0.5, 1.2, 0.3], ["left", "right", "left"])
    conductor = levels if kind == "levels" else cs.Device(*random_device(rng, 3))
    baths = {"left": cs.ElectronBath(0.4, 0.5), "right": cs.ElectronBath(0.4, -0.2), "phonons": cs.BosonBath(1.0)}
    first, second = hermitian(rng, 2, 3)
    omega = np.array([[0.3, 0.7, 0.7 + 1e-12], [1.0, 2.0, 9.0]])
    several = cs.pair_spectra(conductor, [first, second], baths, omega)
    assert several.density.array.shape == (2, 3, 2, 2, 4)
    assert np.all(np.isfinite(several.power.array))

    def alone(coupling):
        return cs.PairJunction(conductor, coupling, baths, 1.0).spectra(omega)

    one, other, both, less = map(alone, (first, second, first + second, first - second))
    for name in several.pairs:
        for part in ("emission", "absorption", "density", "power"):
            matrix = np.asarray(getattr(several, part)[name])
            size = np.asarray(both.power[name] + less.power[name])
            assert np.all(np.abs(matrix[..., 0, 0] - getattr(one, part)[name]) <= 1e-13 * size)
            assert np.all(np.abs(matrix[..., 1, 1] - getattr(other, part)[name]) <= 1e-13 * size)
            cross = (getattr(both, part)[name] - getattr(less, part)[name]) / 4
            assert np.all(np.abs(matrix[..., 0, 1].real - cross) <= 1e-12 * size)
    # At ω = μ_LR, with leads of one temperature, electrons emit as often as they absorb.
    middle = np.abs(several.density["left-right"][0, 1])
    assert np.all(middle <= 1e-14 * np.abs(several.power["left-right"][0, 1]).max())
    assert np.abs(several.power["left-right"][0, 1]).min() > 0


def test_densities_between_modes_in_the_flat_band():
    """−iΣΛ/2 = −iωC + VB with `flat_band`, whose spectral functions are formed here; any temperatures."""
    rng = np.random.default_rng(23)
    _, widths = random_device(rng, 3)
    wide, omega, bias = 1e8, 0.8, 0.6
    widths = {name: wide * width for name, width in widths.items()}
    h = hermitian(rng, 1, 3)[0]
    inner = np.linalg.inv(0.5j * sum(widths.values()))
    left, right = (inner @ widths[name] @ inner.conj().T for name in ("left", "right"))
    couplings = wide * hermitian(rng, 2, 3)
    baths = {"left": cs.ElectronBath(0.5, bias / 2), "right": cs.ElectronBath(0.2, -bias / 2)}
    total = -0.5j * np.sum(cs.pair_spectra(cs.Device(h, widths), couplings, baths, omega).density.array, -1)
    band = cs.flat_band(couplings, left, right)
    expected = bias * np.asarray(band.nonconservative) - 1j * omega * np.asarray(band.dissipative)
    assert np.max(np.abs(total - expected)) < 1e-5 * np.max(np.abs(expected))
    a, c = total[0, 1].real / bias, -total[0, 1].imag / omega
    assert abs(a - np.trace(couplings[0] @ right @ couplings[1] @ left).imag / (2 * math.pi)) < 1e-5 * abs(c)
    both = left + right
    assert abs(c - np.trace(couplings[0] @ both @ couplings[1] @ both).real / (4 * math.pi)) < 1e-5 * abs(c)
    assert abs(a) > 1e-2 * abs(c)


@pytest.mark.parametrize("kind", ["device", "levels"])
def test_derivatives_of_densities_between_modes(kind):
    rng = np.random.default_rng(24)
    h, widths = random_device(rng, 2)
    couplings = hermitian(rng, 2, 2)

    def parts(v):
        """Frequency (ω = μ_LR at the start), both temperatures, a potential, an energy, a coupling's strength."""
        if kind == "levels":
            conductor = cs.Levels(jnp.stack([v[4], -0.3]), [0.8, 0.5], ["left", "right"])
        else:
            conductor = cs.Device(jnp.asarray(h).at[0, 0].set(v[4]), widths)
        baths = {"left": cs.ElectronBath(v[1], v[3]), "right": cs.ElectronBath(v[2], -0.2)}
        matrices = jnp.stack([v[5] * couplings[0], jnp.asarray(couplings[1])])
        density = cs.pair_spectra(conductor, matrices, baths, v[0]).density.array
        return jnp.stack([density.real, density.imag])

    base, step = jnp.array([0.7, 0.6, 0.6, 0.5, 0.2, 1.1]), 1e-5
    slopes = np.asarray(jax.jacfwd(parts)(base))
    assert np.all(np.isfinite(slopes))
    values = eqx.filter_jit(parts)
    for k in range(6):
        numeric = (np.asarray(values(base.at[k].add(step))) - np.asarray(values(base.at[k].add(-step)))) / (2 * step)
        assert np.max(np.abs(numeric - slopes[..., k])) < 1e-8 * (1 + np.max(np.abs(numeric))), k


# --------------------------------------------------------------------------- derivatives


@pytest.mark.parametrize("t2", [0.7, 1.1], ids=["one temperature", "two temperatures"])
def test_derivatives(t2):
    base = jnp.array([0.5, -0.4, 0.3, 0.6, 0.5, 1.0, 0.0, 0.7, 0.2, t2, -0.1, 0.5])
    free = [k for k, name in enumerate(NAMES) if name != "damping"]

    def values(v):
        s = cs.steady_state(junction(None, dict(zip(NAMES, v, strict=True))))
        return jnp.concatenate([s.heat.array, s.particles.array[:1], s.observables.array[:4]])

    slopes = np.asarray(jax.jacfwd(values)(base))[:, free]
    assert np.all(np.isfinite(slopes))
    step = 1e-5
    for column, k in enumerate(free):
        numeric = (np.asarray(values(base.at[k].add(step))) - np.asarray(values(base.at[k].add(-step)))) / (2 * step)
        assert np.max(np.abs(numeric - slopes[:, column])) < 3e-9, NAMES[k]


def test_response_to_one_lead_alone_at_equal_temperatures():
    """The closed form is for equal temperatures; the derivative to one of them is still right, also in equilibrium."""

    def current(dt):
        machine = BosonJunction(left=cs.ElectronBath(0.8 + dt), right=cs.ElectronBath(0.8))
        return cs.steady_state(machine).particles["left"]

    slope = jax.grad(current)(0.0)
    assert abs(float(slope) - float(current(1e-5) - current(-1e-5)) / 2e-5) < 1e-10
    assert abs(float(slope)) > 1e-4


# --------------------------------------------------------------------------- status and bad input


def test_bad_values_in_a_batch_have_their_status():
    columns = draw(np.random.default_rng(14), 10, "one temperature")
    bad = {"t1": -1.0, "t2": 0.0, "tp": np.nan, "w1": 0.0, "w2": -1.0, "omega": 0.0, "damping": -0.1, "mu1": np.inf}
    for k, (name, value) in enumerate(bad.items()):
        columns[name][k] = value
    s = solve(columns)
    assert list(s.status[:8]) == [int(cs.Status.INVALID)] * 8
    assert list(s.status[8:]) == [0, 0]
    good = draw(np.random.default_rng(14), 10, "one temperature")
    np.testing.assert_array_equal(solve(good).ledger.energies[8:], s.ledger.energies[8:])


def test_a_tolerance_that_cannot_be_met_is_said():
    s = cs.steady_state(BosonJunction(left=cs.ElectronBath(1.2)), tolerance=1e-16, throw=False)
    assert int(s.status) == int(cs.Status.NOT_CONVERGED)


LEVELS = cs.Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"])
BATHS = {"left": cs.ElectronBath(1.0), "right": cs.ElectronBath(1.0), "phonons": cs.BosonBath(0.8)}


def pair_junction(**changes):
    arguments = {"conductor": LEVELS, "coupling": {(0, 1): 0.5}, "baths": BATHS, "frequency": 1.0}
    return cs.PairJunction(**(arguments | changes))


WRONG = {
    "frequency = 0": (lambda: pair_junction(frequency=0.0), ["frequency", "0", "positive"]),
    "frequency NaN": (lambda: pair_junction(frequency=np.nan), ["frequency", "nan"]),
    "damping < 0": (lambda: pair_junction(damping=-0.1), ["damping", "-0.1", "narrow"]),
    "machine damping < 0": (lambda: BosonJunction(damping=-0.1), ["BosonJunction", "damping", "-0.1"]),
    "machine frequency": (lambda: BosonJunction(frequency=-1.0), ["BosonJunction", "frequency", "-1"]),
    "machine half width": (lambda: BosonJunction(halfwidth_left=0.0), ["halfwidth_left", "0", "positive"]),
    "machine bath": (lambda: BosonJunction(phonons=cs.ElectronBath(1.0)), ["phonons", "BosonBath"]),
    "coupling not Hermitian": (lambda: pair_junction(coupling=[[0, 1], [2, 0]]), ["coupling", "Hermitian"]),
    "coupling zero": (lambda: pair_junction(coupling=np.zeros((2, 2))), ["coupling", "zero"]),
    "coupling empty": (lambda: pair_junction(coupling={}), ["coupling", "empty"]),
    "coupling of another shape": (lambda: pair_junction(coupling=np.eye(3)), ["coupling", "(2, 2)", "(3, 3)"]),
    "coupling site": (lambda: pair_junction(coupling={(0, 2): 1.0}), ["coupling", "site 2", "0 to 1"]),
    "coupling key": (lambda: pair_junction(coupling={"a": 1.0}), ["coupling", "'a'"]),
    "coupling twice": (lambda: pair_junction(coupling={(0, 1): 1.0, (1, 0): 1.0}), ["(0, 1)", "twice"]),
    "coupling complex on the diagonal": (lambda: pair_junction(coupling={(0, 0): 1j}), ["(0, 0)", "real"]),
    "coupling infinite": (lambda: pair_junction(coupling={(0, 1): np.inf}), ["(0, 1)", "finite"]),
    "conductor": (lambda: pair_junction(conductor=3), ["conductor", "3"]),
    "bath missing": (lambda: pair_junction(baths={"left": BATHS["left"], "phonons": BATHS["phonons"]}), ["right"]),
    "two boson baths": (lambda: pair_junction(baths=BATHS | {"light": cs.BosonBath(1.0)}), ["phonons", "light"]),
    "lead a boson bath": (lambda: pair_junction(baths=BATHS | {"left": cs.BosonBath(1.0)}), ["left", "ElectronBath"]),
    "no pairs": (
        lambda: cs.PairJunction(
            cs.Device([[0.0]], {"left": (0, 1.0)}),
            np.zeros((1, 1)),
            {"left": BATHS["left"], "p": BATHS["phonons"]},
            1.0,
        ),
        ["coupling", "zero"],
    ),
    "Hamiltonian not Hermitian": (
        lambda: cs.Device([[0, 1], [2, 0]], {"left": (0, 1.0)}),
        ["hamiltonian", "Hermitian", "[0, 1]"],
    ),
    "Hamiltonian not square": (lambda: cs.Device([[0, 1]], {"left": (0, 1.0)}), ["hamiltonian", "(1, 2)"]),
    "Hamiltonian a word": (lambda: cs.Device("H", {"left": (0, 1.0)}), ["'H'"]),
    "Hamiltonian NaN": (lambda: cs.Device([[np.nan]], {"left": (0, 1.0)}), ["hamiltonian", "nan"]),
    "lead's site": (lambda: cs.Device(np.eye(2), {"left": (2, 1.0)}), ["leads['left']", "2", "0 to 1"]),
    "lead's width": (lambda: cs.Device(np.eye(2), {"left": (0, -1.0)}), ["leads['left']", "-1", "positive"]),
    "width matrix": (lambda: cs.Device(np.eye(2), {"left": -np.eye(2)}), ["leads['left']", "eigenvalues"]),
    "width not Hermitian": (lambda: cs.Device(np.eye(2), {"left": [[1, 1], [0, 1]]}), ["leads['left']", "Hermitian"]),
    "no leads": (lambda: cs.Device(np.eye(2), {}), ["leads"]),
    "levels of different length": (lambda: cs.Levels([0.0], [1.0, 2.0], ["a", "b"]), ["energies", "(2,)", "(1,)"]),
    "level width 0": (lambda: cs.Levels([0.0], [0.0], ["a"]), ["gammas", "0", "positive"]),
    "level without a lead": (lambda: cs.Levels([0.0], [1.0], [3]), ["leads[0]", "3"]),
    "spectral of an unknown lead": (lambda: LEVELS.spectral("lefft", 0.0), ["lefft", "Did you mean `left`"]),
    "modes: not Hermitian": (
        lambda: cs.pair_spectra(LEVELS, [np.eye(2), [[0, 1], [2, 0]]], BATHS, 1.0),
        ["couplings[1]", "Hermitian"],
    ),
    "modes: one matrix": (lambda: cs.pair_spectra(LEVELS, np.eye(2), BATHS, 1.0), ["(mode, 2, 2)", "(2, 2)"]),
    "modes: none": (lambda: cs.pair_spectra(LEVELS, np.ones((0, 2, 2)), BATHS, 1.0), ["couplings", "(0, 2, 2)"]),
    "modes: NaN": (lambda: cs.pair_spectra(LEVELS, [np.full((2, 2), np.nan)], BATHS, 1.0), ["couplings", "nan"]),
    "modes: bath": (lambda: cs.pair_spectra(LEVELS, [np.eye(2)], {"left": BATHS["left"]}, 1.0), ["lead `right`"]),
    "modes: boson bath": (
        lambda: cs.pair_spectra(LEVELS, [np.eye(2)], BATHS | {"left": cs.BosonBath(1.0)}, 1.0),
        ["left", "ElectronBath"],
    ),
    "modes: conductor": (lambda: cs.pair_spectra(3, [np.eye(2)], BATHS, 1.0), ["conductor", "3"]),
    "modes: ω": (lambda: cs.pair_spectra(LEVELS, [np.eye(2)], BATHS, [1.0, -1.0]), ["omega", "-1", "positive"]),
    "spectra at ω = 0": (lambda: pair_junction().spectra(0.0), ["omega", "0", "positive"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input(case):
    make, words = WRONG[case]
    with pytest.raises(cs.InputError) as caught:
        make()
    for word in words:
        assert word in str(caught.value), str(caught.value)


@hypothesis.given(st.floats(-2, 2), st.floats(0.05, 3), st.floats(-2, 2), st.floats(0.05, 3))
def test_second_law_of_any_default_junction(mu, t, level, phonons):
    """One compiled program; values drawn by hypothesis."""
    columns = {
        name: np.array([value])
        for name, value in zip(NAMES, (level, -0.5, 0.5, 0.5, 0.5, 1.0, 0.0, t, mu, 1.0, 0.0, phonons), strict=True)
    }
    s = solve(columns)
    assert s.status[0] == 0
    check_laws(s)
