"""Laws of thermodynamics on random junctions."""

import equinox as eqx
import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st

import coldspot as cs
from tests.conductor.junctions import (
    EXTREME,
    NAMES,
    NEAR,
    ORDINARY,
    STILL,
    TINY,
    Integrals,
    bose,
    check_laws,
    solve,
)


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
    wrong = eqx.tree_at(lambda x: x.ledger.heats, part, part.ledger.heats * np.array([1.0, 1.0, 1.0 + 1e-12]))
    with pytest.raises(AssertionError, match="first law"):
        check_laws(wrong)
    wrong = eqx.tree_at(lambda x: x.ledger.heats, part, -part.ledger.heats)
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
