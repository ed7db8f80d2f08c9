"""Modes of finite width: laws, nested quadrature, the narrow limit and instability."""

import itertools
import math

import jax
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from coldspot.machines import BosonJunction
from tests.conductor.junctions import Integrals, bose, check_laws, draw, join, solve
from tests.machines_random import take


@pytest.fixture(scope="module")
def all_modes():
    """One batch: random dampings, and one junction whose damping goes to nothing."""
    columns = join(draw(np.random.default_rng(7), 16, "one temperature"), draw(np.random.default_rng(8), 8))
    columns["damping"] = 10 ** np.random.default_rng(9).uniform(-3, 1, 24)
    base = draw(np.random.default_rng(10), 1, "one temperature")
    narrow = {name: np.repeat(values, 4) for name, values in base.items()}
    columns = join(columns, narrow | {"damping": np.array([0.0, 4e-4, 2e-4, 1e-4])})
    return columns, solve(columns)


@pytest.fixture(scope="module")
def broad(all_modes):
    columns, s = all_modes
    return {name: values[:24] for name, values in columns.items()}, jax.tree.map(lambda leaf: leaf[:24], s)


def test_laws_of_broad_modes(broad):
    _, s = broad
    status = np.asarray(s.status)
    assert set(status) <= {0, int(cs.Status.UNSTABLE)}
    assert np.mean(status == 0) > 0.9
    s = take(s, status == 0)
    check_laws(s)
    assert np.max(s.residuals["quadrature"]) < 1e-9


def test_broad_mode_by_nested_quadrature(broad):
    columns, s = broad
    for k in (0, 17):
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
            sum(quad(flow, a, b, (kind,), epsabs=1e-13, epsrel=1e-7)[0] for a, b in itertools.pairwise(marks))
            for kind in ("left-right", "right-left")
        ]
        assert abs(float(s.particles["left"][k]) - (rates[0] - rates[1])) <= 1e-6 * max(map(abs, rates))


def test_a_narrow_mode_is_the_limit_of_a_broad_one(all_modes):
    _, s = all_modes
    s = jax.tree.map(lambda leaf: leaf[24:], s)
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
    with pytest.raises(
        cs.SolveError,
        match=r"UNSTABLE.*emit into the mode at the rate .* absorb at .*; its bath damps it by 0\.\d+ only",
    ):
        cs.steady_state(BosonJunction(**strong, damping=0.99 * gain))
