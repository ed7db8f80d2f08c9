"""A cheap way first: what it leaves undecided is solved the sure way, and nothing else is."""

import dataclasses
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import _solve_one
from coldspot.machines import QuantumDot
from coldspot.sweep import solve_columns
from coldspot.tiers import SIZES, Tiers, once
from tests import machines_random as mr
from tests.test_sweep import halve, sweep_module

TOLERANCE = jnp.asarray(1e-8)


class Counted:
    """Ways that say how often they were asked for how many points."""

    def __init__(self):
        self.asked = []

    def tiers(self, limit):
        def attempt(x):
            return {"value": x, "twice": jnp.stack([x, x], axis=1)}, x > limit

        def solve(x):
            self.asked.append(len(x))
            return {"value": -x, "twice": jnp.stack([-x, -x], axis=1)}

        return Tiers((attempt,), solve, batch=0)


@pytest.mark.parametrize(("undecided", "asked"), [(0, []), (1, [1]), (3, [4]), (7, [16]), (40, [40])])
def test_what_is_undecided_is_gathered_into_few_sizes(undecided, asked):
    x = jnp.asarray(np.random.default_rng(0).permutation(40) * 1.0)
    counted = Counted()
    found = counted.tiers(39.5 - undecided)(x)
    expected = np.where(np.asarray(x) > 39.5 - undecided, -np.asarray(x), np.asarray(x))
    assert counted.asked == asked
    assert np.array_equal(found["value"], expected)
    assert np.array_equal(found["twice"], np.stack([expected, expected], axis=1))


def test_inside_a_compiled_program_the_sure_way_is_taken():
    counted = Counted()
    found = jax.jit(lambda x: counted.tiers(1.0)(x)["value"])(jnp.arange(3.0))
    assert found.tolist() == [0.0, -1.0, -2.0]


def test_both_tiers_of_a_static_network_agree_where_the_first_decides():
    (t,) = (t for t in mr.STATIC if t.name == "ring-3")
    columns = mr.join(*(mr.draw(t, np.random.default_rng(1), 250, kind) for kind in ("ordinary", "extreme")))
    points = {name: jnp.asarray(values) for name, values in columns.items()}
    # As `mr.solve` calls them, so that its programs serve.
    ways, structure = mr.way(t), dataclasses.replace(t, name="", degenerate=False)
    quick, undecided = ways.attempts[0](structure, None, points, TOLERANCE)
    sure, both = ways.solve(structure, None, points, TOLERANCE), mr.solve(t, columns)
    decided = ~np.asarray(undecided)
    assert 0 < decided.sum() < len(decided)
    allowed = np.asarray(quick.error.heats + sure.error.heats)
    assert np.all(np.abs(quick.ledger.heats - sure.ledger.heats)[decided] <= allowed[decided])
    for solution, where in ((quick, decided), (sure, ~decided)):
        off = np.abs(np.asarray(both.ledger.heats - solution.ledger.heats))
        assert np.all(off[where] <= np.asarray(both.error.heats + solution.error.heats)[where])
    assert np.array_equal(both.status, np.where(decided, quick.status, sure.status))


def test_a_gradient_needs_no_attempt():
    before = _solve_one.attempts[0].program()._cached._cache_size()
    eqx.filter_grad(lambda level: cs.steady_state(QuantumDot(level=level)).heat["right"])(jnp.asarray(-5.0))
    assert _solve_one.attempts[0].program()._cached._cache_size() == before


def test_what_depends_on_no_number_is_asked_once_unless_it_raises():
    asked = []

    def ask(level, name, right=True):
        def answer():
            asked.append(name)
            if not right:
                raise ValueError(name)
            return len(asked)

        return once("how often", answer, {"level": jnp.asarray(level)}, name)

    assert [ask(1.0, "a"), ask(2.0, "a"), ask([1.0, 2.0], "a"), ask(1.0, "b"), ask(3.0, "a")] == [1, 1, 2, 3, 1]
    for _ in range(2):
        with pytest.raises(ValueError, match="c"):
            ask(1.0, "c", right=False)
    assert asked == ["a", "a", "b", "c", "c"]


def sizes_of_calls(monkeypatch):
    """How many points the calls of compiled code from now on have."""
    taken = []

    def noted(chunk):
        def partial(*first):
            solve = chunk.partial(*first)

            def call(columns):
                taken.append(len(columns["level"]))
                return solve(columns)

            return call

        return SimpleNamespace(partial=partial)

    for name in ("solve_chunk", "solve_few"):
        monkeypatch.setattr(sweep_module, name, noted(getattr(sweep_module, name)))
    return taken


def leveled(_, point):
    return QuantumDot(level=point["level"])


@pytest.mark.parametrize("length", [1, 5, 63, 100, 101, 300, 1000, 5000])
def test_sweeps_of_any_length_take_few_sizes(length, monkeypatch):
    taken = sizes_of_calls(monkeypatch)
    levels = np.arange(length * 1.0)
    found = solve_columns(halve, leveled, None, {"level": levels}, progress=False)
    assert taken
    assert set(taken) <= set(SIZES)
    assert np.array_equal(found.half, levels / 2)
    assert sum(taken) <= 2 * length + 6


def in_tens(build, shared, columns):
    """Halves, of which each tenth is wrong and said to be."""
    wrong = columns["level"] % 10 == 0
    halves = halve(build, shared, columns)
    return eqx.tree_at(lambda h: h.half, halves, jnp.where(wrong, -1.0, halves.half)), wrong


def test_what_is_left_over_goes_to_all_cores_in_small_calls(monkeypatch):
    monkeypatch.setattr(sweep_module.parallel, "workers", lambda: 2)
    taken = sizes_of_calls(monkeypatch)
    levels = np.arange(140.0)
    found = solve_columns(Tiers((in_tens,), halve), leveled, None, {"level": levels}, progress=False)
    assert taken[-4:] == [4] * 4
    assert np.array_equal(found.half, levels / 2)
