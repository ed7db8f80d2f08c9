"""Optima against closed forms of the quantum dot, and against what is published of its efficiency at maximum power.

With the current J = γ(f_L−f_R), f = 1/(1+exp((ε−μ)/T)), heat[b] = (ε−μ_b)J_b, power = (μ_R−μ_L)J.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import coldspot as cs
from coldspot.optimisation import generations, problem
from coldspot.optimisation.descent import Bound
from coldspot.optimisation.evolution import Trials, surveyed
from coldspot.optimisation.front import CERTAIN, _goals
from coldspot.optimisation.optimum import ranked
from coldspot.optimisation.quantities import OfCounting, Quantity, quantity
from coldspot.optimisation.space import space
from tests.optimised import optimised
from tests.tolerance import assert_close

HOT, COLD, BIAS = 10.0, 5.0, 2.5
DOT = cs.machines.QuantumDot()


def current(level, left, right=-BIAS, hot=HOT, cold=COLD):
    return 1 / (1 + np.exp((level - left) / hot)) - 1 / (1 + np.exp((level - right) / cold))


def heat_right(level):
    return -(level + BIAS) * current(level, BIAS)


def best_heat():
    found = optimize.minimize_scalar(lambda e: -heat_right(e), bracket=(-8.0, -5.0, -3.0), tol=1e-12)
    return found.x, -found.fun


def power(level, left, cold=COLD):
    return (-BIAS - left) * current(level, left, cold=cold)


def lost(s):
    """A user's function, which is minimised."""
    return -s.power


OVER = {"level": (-60.0, -7.6), "left.chemical_potential": (-2.4, 8.0)}


@pytest.mark.parametrize("cold", [5.0, 9.5])
def test_efficiency_at_maximum_power(cold):
    """In two parameters, and (for a small gradient) as published: Esposito, Lindenberg, Van den Broeck,

    "Thermoelectric efficiency at maximum power in a quantum dot", eq. 13: η_C/2 + η_C²/8 + (7+csch²(a/2))η_C³/96 with
    a = 2 coth(a/2).
    """
    machine = cs.machines.QuantumDot(right=cs.ElectronBath(cold, -BIAS))
    best = cs.optimise(machine, minimise=lost, over=OVER, starts=3)
    found = optimize.minimize(
        lambda x: -power(*x, cold=cold),
        list(best.parameters.values()),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-16},
    )
    assert best.value == pytest.approx(found.fun, rel=1e-9)
    assert (best.agree, best.starts, best.converged, best.binding) == (True, 3, True, {})
    assert float(best.machine.level) == best.parameters["level"]
    assert float(best.solution.power) == -best.value
    level, left = best.parameters.values()
    step = 1e-3
    bend = (power(level + step, left, cold) - 2 * power(level, left, cold) + power(level - step, left, cold)) / step**2
    assert best.curvature["level"] == pytest.approx(-bend, rel=1e-4)
    assert abs(best.sensitivity["level"]) < 1e-4 * abs(bend)
    assert f"level = {level:.6g} (curvature" in repr(best)
    if cold == 9.5:
        carnot = 1 - cold / HOT
        a = optimize.brentq(lambda a: a - 2 / np.tanh(a / 2), 1.0, 5.0)
        expected = carnot / 2 + carnot**2 / 8 + (7 + 1 / np.sinh(a / 2) ** 2) * carnot**3 / 96
        assert float(best.solution.efficiency) == pytest.approx(expected, abs=0.2 * carnot**4)


def test_an_optimum_on_a_bound_says_so_with_its_slope():
    best = cs.optimise(DOT, minimise=lost, over={**OVER, "level": (-60.0, -20.0)}, starts=2)
    left = best.parameters["left.chemical_potential"]
    slope = (power(-20.0 + 1e-5, left) - power(-20.0 - 1e-5, left)) / 2e-5
    assert best.parameters["level"] == -20.0
    assert best.binding == {"level": -20.0}
    assert "level = -20 (at its bound, slope" in repr(best)
    assert best.sensitivity["level"] == pytest.approx(-slope, rel=1e-7)
    other = optimize.minimize_scalar(lambda x: -power(-20.0, x), bracket=(0.0, 3.0, 8.0), tol=1e-12)
    assert best.value == pytest.approx(other.fun, rel=1e-9)


def test_searches_that_end_at_zero_agree():
    best = cs.optimise(DOT, minimise="entropy_production", over={"level": (-15.0, 15.0)})
    # Electrons at the level are as likely in both leads: (ε−μ_L)/T_L = (ε−μ_R)/T_R.
    assert best.parameters["level"] == pytest.approx(-7.5, rel=1e-6)
    assert best.agree
    assert best.agreeing > 2


def test_a_constraint_that_binds():
    best = cs.optimise(DOT, maximise="cop", over={"level": (-30.0, 15.0)}, subject_to={"heat.right": (0.1, None)})
    # The COP (ε−μ_R)/(μ_R−μ_L) rises as the level goes down, until no more than 0.1 is left.
    level = optimize.brentq(lambda e: heat_right(e) - 0.1, -7.4, best_heat()[0])
    assert best.parameters["level"] == pytest.approx(level, abs=1e-5)
    assert best.value == pytest.approx((level + BIAS) / (-2 * BIAS), rel=1e-5)
    assert best.value == pytest.approx(float(best.solution.cop), rel=1e-12)
    assert best.binding == {"heat.right": 0.1}
    assert best.solution.regime == "refrigerator"


def test_a_constraint_that_nothing_keeps_is_named_with_what_was_reached():
    with pytest.raises(cs.InputError, match=r"`heat\.right` must be at least 5, but the most .* is 0\.1422"):
        cs.optimise(DOT, maximise="cop", over={"level": (-30.0, 15.0)}, subject_to={"heat.right": (5.0, None)})


def test_constraints_of_which_each_can_be_kept_but_not_all_are_named_with_the_nearest_point():
    values = np.array([[0.5, 0.0, 1.0], [0.6, 0.4, 0.7], [0.4, 1.0, 0.0]])
    bounds = [Bound("heat.left", 1, 1.0, 0.5, 1.0, 0.5), Bound("heat.right", 2, 1.0, 0.8, 1.0, 0.8)]
    quantities = tuple(map(Quantity, ("power", "heat.left", "heat.right")))
    with pytest.raises(
        cs.InputError, match=r"keeps .*left`, .*right` together.* has .*left` 0\.4 \(at least 0\.5\), .* 0\.7"
    ):
        ranked("optimise", quantities, [], bounds, problem.Sampled(np.zeros((3, 1)), values), 1.0)


def test_what_cannot_be_trusted_anywhere_is_explained():
    options = {"over": {"level": (-7.0, 15.0)}, "uncertain": {"left.temperature": (-8, 12)}, "budget": 32, "starts": 1}
    with pytest.raises(
        cs.InputError, match=r"with the draw -7\.9\d+ of the uncertain `left.temperature` .*INVALID.*positive"
    ):
        cs.optimise(DOT, maximise="heat.right", **options)


def test_a_front_of_cooling_power_and_cop():
    front = cs.pareto(DOT, {"cop": "max", "heat.right": "max"}, over={"level": (-7.4, 15.0)}, points=6)
    levels = front.level.values
    cop, heat = (levels + BIAS) / (-2 * BIAS), heat_right(levels)
    assert_close(front.cop.values, cop, 1e-12)
    assert_close(front["heat.right"].values, heat, 1e-12)
    assert front.sizes["point"] == 6
    assert (np.diff(cop) > 0).all()
    assert (np.diff(heat) < 0).all()
    # From the best cooling power to the lowest level, and nothing on a fine grid is better in both.
    assert (levels[0], levels[-1]) == pytest.approx((best_heat()[0], -7.4), abs=1e-5)
    grid = np.linspace(-7.4, -2.6, 20_001)
    others = np.stack([(grid + BIAS) / (-2 * BIAS), heat_right(grid)], axis=-1)
    for point in np.stack([cop, heat], axis=-1):
        assert not np.any(np.all(others > point * (1 + 1e-7), axis=-1))
    # Goals stand at even steps, so that no gap is much larger than the others.
    gaps = np.hypot(np.diff(cop) / np.ptp(cop), np.diff(heat) / np.ptp(heat))
    assert gaps.max() < 2 * gaps.min()
    assert [float(machine.level) for machine in front.machines] == levels.tolist()
    assert jax.tree.structure(front.machines[0]) == jax.tree.structure(DOT)
    assert (front.status == 0).all()


def fano(level):
    """κ₂/κ₁ of the particles through a level with equal rates of both leads."""
    left, right = 1 / (1 + np.exp((level - BIAS) / HOT)), 1 / (1 + np.exp((level + BIAS) / COLD))
    return (left * (1 - right) + right * (1 - left)) / (left - right) - (left - right) / 2


def test_a_function_of_the_machine_is_an_objective():
    best = cs.optimise(DOT, minimise=lambda machine: (machine.level - 3.0) ** 2, over={"level": (-5.0, 20.0)}, starts=1)
    assert best.parameters["level"] == pytest.approx(3.0, abs=1e-6)
    assert best.value == (float(best.machine.level) - 3.0) ** 2


def test_linear_response_is_named_as_an_objective():
    """∂J/∂μ = γ_Lγ_R/(γ_L+γ_R) / (4T cosh²((ε−μ)/2T))."""
    named = quantity("optimise", "maximise", "conductance", cs.steady_state(DOT), DOT)
    mean = (HOT + COLD) / 2
    closed = 1 / (4 * mean * np.cosh(float(DOT.level) / (2 * mean)) ** 2)
    assert float(named.true(None, DOT)) == pytest.approx(closed, rel=1e-12)


def test_counting_is_an_objective_without_slopes():
    best = cs.optimise(
        DOT, minimise="fano.particles.left", over={"level": (-5.0, 20.0)}, method="evolution", budget=32, starts=1
    )
    assert best.value == pytest.approx(abs(fano(best.parameters["level"])), rel=1e-9)
    assert best.values[0] == best.value


def test_fano_factors_do_not_depend_on_the_side_from_which_a_current_is_looked_at():
    left, right = (float(OfCounting("fano", ("particles", lead))(DOT)) for lead in ("left", "right"))
    assert left == pytest.approx(right, rel=1e-9)
    assert left > 0


def test_the_end_of_a_front_at_which_nothing_flows_is_left_out_in_words(monkeypatch):
    # At the upper bound particles turn, which is Carnot's limit: power and heat vanish, and their quotient with them.
    # By the search of users: of programs that are not optimised, it ends a unit of rounding before.
    monkeypatch.setattr(problem, "_look", optimised(problem._look))
    front = cs.pareto(DOT, {"power": "max", "efficiency": "max"}, over={"level": (-60.0, -7.5)}, points=3, starts=1)
    assert "`efficiency` has no value at level = -7.5 (regime passive)" in front.attrs["left_out"]
    assert np.isfinite(front.efficiency).all()
    assert len(front.machines) == front.sizes["point"]
    assert (front.regime == cs.regimes.code("engine")).all()
    # Another machine stands beside it. At tight coupling the efficiency is 1 − ΔQ/Q = (μ_l−μ_r)/(μ_l−ε).
    np.testing.assert_allclose(front.efficiency, 5.0 / (2.5 - front.level), rtol=1e-9)
    assert float(front.power.min()) < 0.02 * float(front.power.max())


NARROW = {"level": (-1.0, 1.0)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"maximise": "copp"}, r"no quantity `copp`.*Did you mean `cop`"),
        ({"maximise": "heat"}, r"say which one: `heat\.left`, `heat\.right`"),
        ({"maximise": "heat.rigt"}, r"`rigt`.*Did you mean `right`"),
        ({"maximise": 3}, "must be a name"),
        ({"maximise": "conductence"}, "no quantity `conductence`.*Did you mean `conductance`"),
        ({"maximise": "fano.particles"}, r"`fano` needs what is counted .* such as `fano\.particles\.left`"),
        ({"maximise": "fano.particles.lft"}, "`fano.particles.lft`: counting: there is no bath `lft`"),
        ({"maximise": lambda x: x.hat}, "neither the solution .*no `hat`.* nor the machine .*QuantumDot has no `hat`"),
        ({}, "`maximise` or `minimise`"),
        ({"maximise": "cop", "minimise": "power"}, "`maximise` or `minimise`"),
        ({"maximise": lambda s: s.heat}, "must return one number|a real number"),
        ({"maximise": "cop", "over": {"levl": (0, 1)}}, r"`levl`.*Did you mean `level`"),
        ({"maximise": "cop", "over": {"level": (1, 0)}}, r"low < high, but is \(1, 0\)"),
        ({"maximise": "cop", "over": {"level": (0, None)}}, "needs both bounds"),
        ({"maximise": "cop", "over": {"level": (0, np.inf)}}, "finite bounds"),
        ({"maximise": "cop", "over": {"level": 3}}, "must be a pair"),
        ({"maximise": "cop", "over": {}}, "`over` must be a mapping"),
        ({"maximise": "cop", "subject_to": {"hat.right": (0, 1)}}, r"`subject_to`: there is no quantity `hat\.right`"),
        ({"maximise": "cop", "subject_to": {"heat.right": (1, 0)}}, r"low < high"),
        ({"maximise": "cop", "starts": 0}, "`starts` must be a positive integer"),
        ({"maximise": "cop", "over": {"level": [1.0, 2.0, 3.0]}}, r"must be a pair .* as a set, such as \{1, 2, 4\}"),
        ({"maximise": "cop", "over": {"level": {1.0}}}, "must hold two or more finite numbers"),
        ({"maximise": "cop", "over": {"level": {1.0, "a"}}}, "must hold two or more finite numbers"),
        ({"maximise": "cop", "method": "magic"}, "`method` must be 'slopes' or 'evolution', but is 'magic'"),
        ({"maximise": "cop", "method": "slopes", "over": {"level": {1.0, 2.0}}}, "there are no slopes"),
        ({"maximise": "cop", "uncertain": 3}, "`uncertain` must be a mapping"),
        ({"maximise": "cop", "uncertain": {"level": (0, 1)}}, r"both in `over` and in `uncertain`"),
        ({"maximise": "cop", "uncertain": {"gamma_left": (2, 1)}}, "low < high"),
        ({"maximise": "cop", "uncertain": {"gamma_lft": (1, 2)}}, r"`gamma_lft`.*Did you mean `gamma_left`"),
        ({"maximise": "cop", "uncertain": {"gamma_left": (1, 2)}, "quantile": 1.0}, "must lie between 0 and 1"),
        ({"maximise": "cop", "quantile": 0.1}, "give what is uncertain: `uncertain`"),
    ],
)
def test_bad_input_of_optimise(options, words):
    with pytest.raises(cs.InputError, match=words):
        cs.optimise(DOT, **{"over": NARROW, **options})


@pytest.mark.parametrize(
    ("own", "remedy"),
    [
        (lambda s: np.cosh(s), r"`np\.cosh\(s\)`. Write `jnp\.cosh`"),
        (lambda s: float(s), "Leave out `float`"),
        (lambda s: s if s > 0 else 0.0, r"`jnp\.where\(condition, a, b\)`"),
    ],
)
def test_own_objectives_that_need_known_numbers(own, remedy):
    with pytest.raises(cs.InputError, match=rf"line \d+ of test_optimise\.py.*{remedy}"):
        jax.eval_shape(lambda s: Quantity("own", own).true(s, None), 1.0)


def test_what_is_infinite_everywhere_is_said_to_be(monkeypatch):
    """As ZT at tight coupling; no word on points that cannot be trusted."""
    looked = problem.Looked(np.array([np.inf]), np.array([[np.nan]]), False)
    monkeypatch.setattr(problem.Problem, "look", lambda self, u: looked)
    asked = problem.Problem(cs.steady_state, None, space("optimise", NARROW), (Quantity("ZT"),), jnp.asarray(1e-8))
    with pytest.raises(cs.InputError, match=r"optimise: `ZT` is infinite at all of 128 points .*tight coupling"):
        asked.sampled("optimise", progress=False)
    monkeypatch.setattr(
        Trials, "look", lambda self, xs, *_: (np.full((len(xs), 1, 1), np.inf), np.zeros(len(xs), bool))
    )
    trials = Trials(DOT, space("optimise", {"level": (-1.0, 1.0)}), {}, CERTAIN, jnp.asarray(1e-8), "optimise")
    with pytest.raises(cs.InputError, match=r"optimise: `ZT` is infinite at all of 32 points .*tight coupling"):
        surveyed(trials, (Quantity("ZT"),), (1.0,), {}, 128)


@pytest.mark.parametrize(
    ("objectives", "options", "words"),
    [
        ({"power": "max"}, {}, "two or more"),
        ({"power": "max", "cop": "largest"}, {}, r"`objectives\['cop'\]` must be \"max\" or \"min\""),
        ({"power": "max", "copp": "max"}, {}, "Did you mean `cop`"),
        ({"power": "max", "cop": "max"}, {"points": 1}, "`points` must be an integer from 2"),
        ({"power": "max", "cop": "max"}, {"method": "magic"}, "pareto: `method` must be 'slopes' or 'evolution'"),
        ({"power": "max", "cop": "max"}, {"over": {"level": {1, 2}}, "method": "slopes"}, "over sets there are no"),
    ],
)
def test_bad_input_of_pareto(objectives, options, words):
    with pytest.raises(cs.InputError, match=words):
        cs.pareto(DOT, objectives, **{"over": NARROW, **options})


# --------------------------------------------------------------------------- without slopes


def test_few_values_and_a_constraint_against_brute_force():
    """COP with cooling power for three couplings: over all levels of a fine grid, coupling by coupling."""
    few, least = {0.5, 1.0, 2.0}, 0.05
    over = {"level": (-7.4, 15.0), "gamma_left": few}
    best = cs.optimise(DOT, maximise="cop", over=over, subject_to={"heat.right": (least, None)})
    levels = np.linspace(-7.4, 15.0, 200_001)

    def rate(left):
        """Of both tunnelling rates in series; `heat_right` is that of rates 2 and 2, which make 1."""
        return left * 2.0 / (left + 2.0)

    brute = {g: np.max(((levels + BIAS) / (-2 * BIAS))[rate(g) * heat_right(levels) >= least], initial=0) for g in few}
    assert best.parameters["gamma_left"] == max(brute, key=brute.get) == 2.0
    assert best.value == pytest.approx(max(brute.values()), abs=(levels[1] - levels[0]) / (2 * BIAS))
    level = optimize.brentq(lambda e: heat_right(e) - least, -7.4, best_heat()[0])
    assert best.parameters["level"] == pytest.approx(level, rel=1e-6)
    assert (best.agree, best.method, best.binding) == (True, "evolution", {"heat.right": least})
    assert np.isnan(best.sensitivity["level"])
    assert float(best.machine.gamma_left) == 2.0
    assert "level = -6.94905\n" in repr(best)
    with pytest.raises(cs.InputError, match=r"`heat\.right` must be at least 5, but the most .* is 0\.14"):
        cs.optimise(DOT, maximise="cop", over=over, subject_to={"heat.right": (5.0, None)}, budget=400)


def test_a_front_over_few_values():
    """The largest coupling is best in both respects; over the level the front is a curve in closed form."""
    over, most = {"level": (-7.4, 15.0), "gamma_left": {0.5, 1.0, 2.0}}, 0.9
    names = {"cop": "max", "heat.right": "max"}
    front = cs.pareto(DOT, names, over=over, subject_to={"cop": (None, most)}, points=6, budget=1500)
    levels = front.level.values
    assert set(front.gamma_left.values) == {2.0}
    assert_close(front["heat.right"].values, heat_right(levels), 1e-12)
    assert_close(front.cop.values, (levels + BIAS) / (-2 * BIAS), 1e-12)
    assert front.sizes["point"] == 6
    assert (np.diff(front.cop) > 0).all()
    assert front.cop.max() <= most * (1 + 1e-6)
    # Its ends are the best cooling power and the bound, and no gap is much larger than the others.
    assert front["heat.right"].max() == pytest.approx(best_heat()[1], rel=1e-4)
    assert front.cop.max() == pytest.approx(most, rel=1e-3)
    cop, heat = front.cop.values, front["heat.right"].values
    gaps = np.hypot(np.diff(cop) / np.ptp(cop), np.diff(heat) / np.ptp(heat))
    assert gaps.max() < 2.5 * gaps.min()
    with pytest.raises(cs.InputError, match=r"`heat\.right` must be at least 5, but the most .* is 0\.14"):
        cs.pareto(DOT, names, over=over, subject_to={"heat.right": (5.0, None)}, budget=400)


@pytest.mark.parametrize(("points", "objectives"), [(12, 3), (3, 3), (12, 2), (20, 4)])
def test_a_front_has_as_many_goals_as_are_asked_for(points, objectives):
    found = _goals(points, objectives)
    assert np.allclose(found.sum(axis=1), 1, rtol=1e-15)
    assert (len(np.unique(found, axis=0)), np.sum(found == 1)) == (points, objectives)


def test_layers_and_what_is_thinned_out():
    wanted, missed = np.array([[0.0, 3], [1, 2], [2, 1], [1, 1], [0, 0], [9, 9]]), np.array([0, 0, 0, 0, 0, 1.0])
    assert [layer.tolist() for layer in generations._layers(wanted, missed)] == [[0, 1, 2], [3], [4], [5]]
    line = np.array([[0.0, 1.0], [0.1, 0.9], [0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])
    assert generations.thinned(line, 3).tolist() == [0, 3, 4]


def test_a_function_gets_its_choices_as_they_are():
    """A state with n others above it, all at one gap: in closed form, J = gap·(share of each bath's equilibrium)."""
    gap, hot, cold = 1.5, 2.0, 1.0

    def ladder(rungs):
        return cs.JumpNetwork(
            energies=[0.0] + [gap] * rungs,
            baths={"hot": cs.HeatBath(hot), "cold": cs.HeatBath(cold)},
            channels=[cs.Channel(bath, 0, k, cs.Glauber(1.0)) for k in range(1, rungs + 1) for bath in ("hot", "cold")],
        )

    def heat(rungs):
        up = [2 / (1 + np.exp(gap / t)) for t in (hot, cold)]
        share = sum(up) / (4 - sum(up))  # of each upper state, relative to the ground state; down rates are 2 − up
        ground = 1 / (1 + rungs * share)
        return rungs * gap * ground * (up[0] - share * (2 - up[0]))

    best = cs.optimise(ladder, maximise="heat.hot", over={"rungs": {1, 2}}, starts=1, budget=40)
    assert heat(2) > heat(1)
    assert (best.parameters, type(best.machine)) == ({"rungs": 2}, cs.JumpNetwork)
    assert best.value == pytest.approx(heat(2), rel=1e-12)


def steps(s):
    """Rises in steps, and cannot be followed by JAX."""
    return float(int(float(s.heat["right"]) * 100))


def test_an_objective_in_steps():
    best = cs.optimise(DOT, maximise=steps, over={"level": (-15.0, 15.0)}, method="evolution", starts=1, budget=200)
    assert best.value == np.floor(100 * best_heat()[1])
    assert heat_right(best.parameters["level"]) * 100 >= best.value


def test_the_best_in_nine_of_ten_cases():
    """The cooling power falls with the temperature of the hot bath: its quantile is that at the quantile of this."""
    over, hot = {"level": (-15.0, 15.0)}, {"left.temperature": (8.0, 12.0)}
    best = cs.optimise(DOT, maximise="heat.right", over=over, uncertain=hot, starts=1)

    def at(level, temperature):
        return -(level + BIAS) * current(level, BIAS, hot=temperature)

    found = optimize.minimize_scalar(lambda e: -at(e, 8.0 + 0.9 * 4.0), bracket=(-8.0, -5.0, -3.0), tol=1e-12)
    assert np.all(np.diff(at(found.x, np.linspace(8.0, 12.0, 9))) < 0)
    # Between draws the quantile is interpolated: an error of the square of their distance.
    assert best.value == pytest.approx(-found.fun, rel=1e-6)
    assert best.parameters["level"] == pytest.approx(found.x, abs=1e-3)
    assert (best.quantile, best.converged) == (0.1, True)
    assert float(best.solution.temperatures[0]) == 10.0
    assert "or better, in 0.9 of the cases" in repr(best)
    assert best.record()["quantile"] == 0.1


def test_cop_is_searched_where_no_work_is_done_though_electrons_could():
    """Sunlight pumps electrons between leads of one potential: COP = heat of the cold lead over that of the sun."""
    machine = cs.JumpNetwork(
        energies=[0.0, 1.0, 3.0],
        occupations=[0, 1, 1],
        baths={"left": cs.ElectronBath(1.0, 0.5), "right": cs.ElectronBath(1.2, 0.5), "sun": cs.BosonBath(5.0)},
        channels=[
            cs.Channel("left", 0, 1, cs.Tunnelling(0.1)),
            cs.Channel("right", 0, 2, cs.Tunnelling(0.1)),
            cs.Channel("sun", 1, 2, cs.Bosonic(0.05)),
        ],
    )
    s = cs.steady_state(machine)
    cop = quantity("optimise", "maximise", "cop", s, machine)
    assert (s.regime, float(cop.true(s, machine))) == (
        "absorption refrigerator",
        pytest.approx((1.0 - 0.5) / 2.0, rel=1e-12),
    )
    assert np.tan(float(cop.search(s, machine))) == pytest.approx(0.25, rel=1e-12)
