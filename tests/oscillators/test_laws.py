"""Laws of thermodynamics on random linear networks."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.compiler import LIGHT
from coldspot.dynamics import solve_batch
from coldspot.oscillators import linear, noise
from coldspot.pytrees import compiled
from tests.oscillators.networks import PAIR, Build, build_pair, draw, solve, solved

SIZES = {(2, 2): 7600, (3, 3): 2400, (12, 3): 40}
"""Networks of each (number of masses, number of baths); `tests.campaign.oscillator_laws` has other sizes."""


def test_ten_thousand_networks():
    assert sum(SIZES.values()) >= 10_000


@pytest.mark.parametrize(("n", "baths"), SIZES)
def test_laws_of_random_networks(n, baths):
    check_laws(n, baths, SIZES[n, baths])


def check_laws(n, baths, points):
    """Frictions over six decades."""
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
    sums = np.asarray(alone.heat.array) + np.asarray(passive.heat.array)
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
    places = {"covariances": noise, "_residual": noise, "response": linear}
    honest = {name: getattr(place, name) for name, place in places.items()}
    right = solve(build, points)

    def result(**changed):
        for name, old in honest.items():
            monkeypatch.setattr(places[name], name, changed.get(name, old))
        wrong = compiled(lambda c: solve_batch(eqx.filter_vmap(build, out_axes=eqx.if_array(0))(c), 1e-8), **LIGHT)
        return wrong(points)

    def off(s):
        """Largest difference of a heat from the right one, beside the bounds, and the median of the bounds."""
        bounds = np.asarray(s.error.energies + right.error.energies)
        return np.max(np.abs(s.energy.array - right.energy.array) / bounds), np.median(bounds)

    def sloppy(a, w, c):
        x, *rest = honest["covariances"](a, w, c)
        return x * (1 + 1e-6 * jnp.cos(jnp.arange(36.0).reshape(6, 6))), *rest

    monkeypatch.setattr(noise, "_refinement", lambda a, w, x, *_: jnp.zeros_like(x))
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
