"""Two states in closed form: heats and particles against multi-precision within the reported errors."""

import jax.numpy as jnp
import mpmath
import numpy as np

import coldspot as cs
from coldspot.dynamics import solve_points

LEADS = ("a", "b", "c")


def _dot(shared, p):
    gammas = [cs.Channel(name, 0, 1, cs.Tunnelling(p[f"rate_{name}"])) for name in LEADS]
    baths = {name: cs.ElectronBath(p[f"temperature_{name}"], p[f"potential_{name}"]) for name in LEADS}
    return cs.JumpNetwork(
        energies=jnp.stack([jnp.zeros(()), p["level"]]), occupations=[0, 1], baths=baths, channels=gammas
    )


def test_three_leads_of_a_level_near_equilibrium_and_far_from_it():
    """Rates over nine decades, bias and temperature differences down to 1e-13, and leads at temperatures far apart that
    fill the level to the same degree or almost so; each J_k = γ_k (f_k − Σγf/Σγ)."""
    rng, points = np.random.default_rng(7), 150
    coldest = 10 ** rng.uniform(-1, 1.3, points)
    columns = {"level": rng.uniform(-15, 15, points)}
    for name in LEADS:
        columns[f"rate_{name}"] = 10 ** rng.uniform(-6, 3, points)
        columns[f"temperature_{name}"] = coldest * (1 + 10 ** rng.uniform(-13, 0, points))
        columns[f"potential_{name}"] = 10 ** rng.uniform(-13, 1, points) * rng.choice([-1, 1], points)
    alike, above = slice(0, points // 2), (columns["level"] - columns["potential_a"]) / columns["temperature_a"]
    for name in LEADS[1:]:
        as_a = columns["level"] - above * columns[f"temperature_{name}"] * (1 + 10 ** rng.uniform(-15, -3, points))
        columns[f"potential_{name}"][alike] = as_a[alike]
    s, undecided = solve_points.attempts[0](
        _dot, None, {name: jnp.asarray(c) for name, c in columns.items()}, jnp.asarray(1e-8)
    )
    decided = ~np.asarray(undecided)
    assert 0.1 < np.mean(decided) < 0.9
    found, errors = (np.stack([x.heats, x.particle_numbers]) for x in (s.ledger, s.error))
    exact = np.zeros_like(found)
    with mpmath.workdps(400):  # occupations differ from 0 and 1 by e^−150
        for k in range(points):
            p = {name: mpmath.mpf(c[k]) for name, c in columns.items()}
            above = [p["level"] - p[f"potential_{name}"] for name in LEADS]
            filled = [1 / (1 + mpmath.exp(e / p[f"temperature_{n}"])) for e, n in zip(above, LEADS, strict=True)]
            rates = [p[f"rate_{name}"] for name in LEADS]
            mean = sum(r * f for r, f in zip(rates, filled, strict=True)) / sum(rates)
            currents = [r * (f - mean) for r, f in zip(rates, filled, strict=True)]
            exact[:, k] = [[e * j for e, j in zip(above, currents, strict=True)], currents]
    assert np.all(np.abs(found - exact) <= errors)
    # Where it decides, twelve digits of the largest heat, and ten of each.
    heats, off = np.abs(exact[0])[decided], np.abs(found - exact)[0][decided]
    assert np.all(off <= 1e-12 * heats.max(axis=-1, keepdims=True))
    assert np.all(off <= 1e-10 * heats)


def test_rates_that_no_bath_asks_for_and_heats_that_cancel():
    """J = (F_l B_r − F_r B_l)/Σ(F + B) of rates as given; and an exponent of two terms of 10⁷ that almost cancel."""
    leads = {"l": cs.ElectronBath(2.0, 0.0), "r": cs.ElectronBath(1.0, 0.3)}
    laws = {"l": cs.Explicit(1.0, 3.0, check=False), "r": cs.Tunnelling(1.0)}
    s = cs.steady_state(cs.JumpNetwork([0.0, 1.0], leads, [cs.Channel(k, 0, 1, v) for k, v in laws.items()], [0, 1]))
    filled = 1 / (1 + np.exp(0.7))
    assert abs(float(s.particles["l"]) - (1.0 * (1 - filled) - filled * 3.0) / 5.0) <= 1e-15

    hot, cold, given = 2.0, 2.0 * (1 - 1e-7), 2.0e7
    shares = {"hot": cs.Share(given), "cold": cs.Share(1.0 - given)}
    channels = [cs.Channel(shares, 0, 1, cs.Glauber(1.0)), cs.Channel("cold", 0, 1, cs.Glauber(1.0))]
    s = cs.steady_state(cs.JumpNetwork([0.0, 1.0], {"hot": cs.HeatBath(hot), "cold": cs.HeatBath(cold)}, channels))
    with mpmath.workdps(60):
        t, c, q = map(mpmath.mpf, (hot, cold, given))
        filled = [1 / (1 + mpmath.exp(x)) for x in (q / t + (1 - q) / c, 1 / c)]
        exact = q * (filled[0] - filled[1])  # two equal rates 2f and 2(1 − f): J = f₁ − f₂
        off = abs(float(mpmath.mpf(float(s.heat["hot"])) - exact))
    assert off <= float(s.error.heat["hot"])
