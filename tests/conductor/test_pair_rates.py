"""Emission and absorption of pairs against quadrature and multiple precision, and their laws."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np

import coldspot as cs
from coldspot.conductor import pair_rates as rules
from coldspot.conductor.levels import LevelWeight
from coldspot.machines import BosonJunction
from coldspot.numerics.quadrature import steps
from tests.conductor.junctions import NAMES, TINY, Integrals, draw, junction, spectra


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

            exact = mp.quad(larger, grid, method="gauss-legendre") / (2 * mp.pi)
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


def test_few_panels_are_kept_where_more_would_not_be_better():
    """At two temperatures: bounds of errors are those of all panels, though these few would often not do."""
    rng, points = np.random.default_rng(3), 192
    e, w = rng.normal(0, 1, (2, points, 1)), 10 ** rng.uniform(-4, 0, (2, points, 1))
    weight = LevelWeight(*map(jnp.asarray, (e[0], w[0], e[1], w[1], np.ones((points, 1)))))
    hot, cold, phonons = w[0, :, 0] * 10 ** rng.uniform(-1.5, 2, (3, points))
    numbers = (hot, cold, *rng.normal(0, 1, (2, points)), phonons, hot, rng.uniform(0.5, 2, points))
    pair = rules.Pair(weight, *map(jnp.asarray, numbers))

    @jax.jit
    def run(pair):
        few = steps(rules._window(pair), rules.COARSE)(np.arange(rules.COARSE).reshape(-1, 1, 1, 1))
        return *rules.rates(pair), *rules._integrated(pair), rules._over(pair, few)[2]

    found, errors, all_found, all_errors, missed = run(pair)
    for value, error, whole, bound, left in zip(found, errors, all_found, all_errors, missed, strict=True):
        assert np.all(np.abs(value - whole) <= error + bound)
        assert np.all(error <= (1 + 1 / rules.CARE) * bound + 1e-300)
        assert 10 < np.sum(left > bound) < points / 2
