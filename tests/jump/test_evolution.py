"""Time evolution from a given start against SciPy, and its ledger."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import coldspot as cs
from tests import machines_random as mr
from tests import routes
from tests.jump.test_periodic import DEFAULT, spin_period
from tests.tolerance import assert_close


def network_of(t: mr.Topology, point) -> cs.JumpNetwork:
    return t(None, {name: jnp.asarray(value) for name, value in point.items()})


def driven_case(name: str, seed: int, period: float):
    (t,) = (t for t in mr.DRIVEN if t.name == name)
    point = mr.pick(mr.draw(t, np.random.default_rng(seed), 1), 0)
    point["period"] = np.asarray(period)
    return t, point


def test_undriven_evolution_is_the_matrix_exponential():
    (t,) = (t for t in mr.STATIC if t.name == "ring-4")
    point = mr.pick(mr.draw(t, np.random.default_rng(1), 1), 0)
    times = np.array([0.0, 0.1, 1.0, 3.0, 20.0])
    start = np.array([0.1, 0.2, 0.3, 0.4])
    e = cs.evolve(network_of(t, point), start, times, tolerance=1e-11)
    p = routes.parts(t, point)
    generator = routes.generator(t, p)
    expected = np.array([expm(generator * time) @ start for time in times])
    assert np.max(np.abs(np.asarray(e.populations) - expected)) < 1e-11
    assert float(e.error) <= 1e-11
    # Net flows, written out.
    for k, q in enumerate(expected):
        flows = np.array([
            np.exp(p.log_forward[m]) * q[edge.initial] - np.exp(p.log_backward[m]) * q[edge.final]
            for m, edge in enumerate(t.edges)
        ])  # fmt: skip
        # As far off as the populations, times what leaves a state.
        rates = np.sum(np.exp(p.log_forward) + np.exp(p.log_backward))
        assert_close(e.ledger.energies[k], p.energy @ flows, 1e-11, rates * np.max(np.abs(p.energy)))
        assert_close(e.ledger.particle_numbers[k], p.particles @ flows, 1e-11, rates)


@pytest.mark.parametrize("name", ["driven ring-3", "dot, all driven"])
@pytest.mark.parametrize("start", ["state", "distribution"])
def test_driven_evolution_against_dop853(name, start):
    """Neutral states whose energies are driven, and a dot of which everything is."""
    t, point = driven_case(name, 2, 3.0)
    times = np.array([0.3, 1.0, 2.9, 3.0, 7.5])
    initial = t.states - 1 if start == "state" else np.full(t.states, 1 / t.states)
    p0 = np.eye(t.states)[t.states - 1] if start == "state" else initial
    e = cs.evolve(network_of(t, point), initial, times, tolerance=1e-10)

    def slope(time, p):
        return routes.generator(t, routes.parts(t, point, np.asarray(2 * np.pi * time / 3.0))) @ p

    exact = solve_ivp(slope, (0.0, 7.5), p0, method="DOP853", rtol=1e-13, atol=1e-14, t_eval=times).y.T
    assert np.max(np.abs(np.asarray(e.populations) - exact)) <= float(e.error) + 1e-12
    assert float(e.error) <= 1e-10


def test_ledger_balances_at_every_moment():
    """Energy in plus work is what the states store: first law with storage, from populations and energies."""
    t, point = driven_case("driven ring-3", 3, 5.0)
    times = np.linspace(0.5, 9.5, 5)
    e = cs.evolve(network_of(t, point), 0, times)
    total = e.ledger.energies.sum(-1) + e.ledger.works.sum(-1)
    assert_close(total, e.ledger.storage, 1e-13, np.max(np.abs(e.ledger.energies)))
    # Storage as the slope of ⟨E⟩, by central differences of a finer evolution.
    h = 1e-4
    means = []
    for moved in (times - h, times + h):
        beside = cs.evolve(network_of(t, point), 0, moved, tolerance=1e-12)
        energies = routes.parts(t, point, 2 * np.pi * moved / 5.0).energies
        means.append(np.sum(energies * np.asarray(beside.populations), axis=-1))
    assert_close((means[1] - means[0]) / (2 * h), e.ledger.storage, 1e-6)


def test_average_over_a_period_is_the_periodic_ledger():
    machine = cs.machines.SpinPair(period=20.0)
    averages, p0 = spin_period(**DEFAULT | {"period": 20.0}, elements=64)
    times = 20.0 * (np.arange(64) + 1) / 64
    e = cs.evolve(machine, p0 / p0.sum(), times, tolerance=1e-11)
    assert np.allclose(e.populations[-1], p0, rtol=0, atol=1e-9)
    # The trapezoidal rule is exact for what 64 points resolve.
    assert_close(np.mean(e.ledger.energies, axis=0), averages[:2], 1e-9, np.max(np.abs(e.ledger.energies)))
    assert_close(np.mean(e.ledger.works, axis=0), averages[2:], 1e-9, np.max(np.abs(e.ledger.works)))


def test_long_times_reach_the_steady_state():
    dot = cs.machines.QuantumDot()
    e = cs.evolve(dot, 0, [1.0, 1e3])
    leads = ((dot.left, float(dot.gamma_left)), (dot.right, float(dot.gamma_right)))
    level, total = float(dot.level), sum(gamma for _, gamma in leads)
    filled = [1 / (1 + np.exp((level - lead.chemical_potential) / lead.temperature)) for lead, _ in leads]
    mean = sum(gamma * f for (_, gamma), f in zip(leads, filled, strict=True)) / total
    heat = (level - dot.left.chemical_potential) * leads[0][1] * (filled[0] - mean)
    assert_close(e.heat["left"][-1], heat, 1e-8, np.max(np.abs(e.heat["left"])))
    assert np.allclose(e.populations[-1], [1 - mean, mean], rtol=0, atol=1e-8)


def test_starting_values_are_kept_at_time_zero_and_rates_are_those_of_the_paper():
    """From P(++)=1 at t=0 each bath flips its spin at r(1−tanh(J/T))(1−tanh(h/T)) and gives 2(J+h) per flip."""
    e = cs.evolve(cs.machines.SpinPair(), 0, np.arange(64.0))  # the program of the average above
    assert np.allclose(e.populations[0], [1.0, 0.0, 0.0, 0.0], rtol=0, atol=1e-14)
    for bath, temperature, field in (("left", 0.5, 0.25), ("right", 0.499, 0.25 * np.cos(2.2))):
        rate = 0.5 * (1 - np.tanh(1 / temperature)) * (1 - np.tanh(field / temperature))
        assert abs(e.heat[bath][0] / (rate * 2 * (1 + field)) - 1) < 1e-13


@pytest.mark.parametrize(
    ("initial", "times", "words"),
    [
        (4, [1.0], ["initial", "4", "0 to 3"]),
        (-1, [1.0], ["initial", "-1"]),
        ([0.5, 0.5], [1.0], ["initial", "(4,)", "(2,)"]),
        ([0.5, 0.5, 0.5, 0.5], [1.0], ["initial", "sum", "2"]),
        ([1.5, -0.5, 0.0, 0.0], [1.0], ["initial"]),
        (0, [1.0, 0.5], ["times", "increasing"]),
        (0, [-1.0], ["times", "negative"]),
        (0, [np.nan], ["times", "finite"]),
        (0, 1.0, ["times", "()"]),
    ],
)
def test_bad_starts_and_times_are_named(initial, times, words):
    with pytest.raises(cs.InputError) as caught:
        cs.evolve(cs.machines.SpinPair(), initial, times)
    for word in words:
        assert word in str(caught.value)


def test_kinks_of_rates_where_levels_cross_are_in_the_error():
    """Machines whose last change was small by chance, against DOP853 that stops and starts at each crossing."""
    rng, worst = np.random.default_rng(1), 0.0
    for k in range(54):
        mean, amplitude, omega, *numbers = *rng.uniform([-1, 1, 0.3], [1, 3, 3]), *rng.uniform(0.4, 2, 2)
        cold, hot, cutoff, *strengths = *numbers, rng.uniform(0.5, 3), *rng.uniform(0.1, 1, 2)
        end = 2 * np.pi / omega * rng.uniform(0.3, 2.5)
        if k not in (17, 25, 42, 45, 52, 53):
            continue
        net = cs.JumpNetwork(
            energies=lambda drives: jnp.array([0.0, 1.0]) * drives["gap"],
            baths={"cold": cs.BosonBath(cold), "hot": cs.HeatBath(hot)},
            channels=[
                cs.Channel("cold", 0, 1, cs.Bosonic(cs.Ohmic(strengths[0], cutoff))),
                cs.Channel("hot", 0, 1, cs.Glauber(strengths[1])),
            ],
            drives={"gap": cs.Cosine(amplitude, mean=mean)},
            period=2 * np.pi / omega,
        )
        found = cs.evolve(net, [1.0, 0.0], [end])

        def slope(t, y, p=(mean, amplitude, omega, cold, hot, cutoff, *strengths)):
            gap = p[0] + p[1] * np.cos(p[2] * t)
            up = p[6] * np.exp(-abs(gap) / p[5]) * (gap / np.expm1(gap / p[3]) if gap else p[3])
            down, by_hot = up * np.exp(gap / p[3]), 2 * p[7] / (1 + np.exp(np.array([1, -1]) * gap / p[4]))
            flow = up * y[0] - down * (1 - y[0])
            return [-flow - by_hot[0] * y[0] + by_hot[1] * (1 - y[0]), gap * flow]

        turn = np.arccos(np.clip(-mean / amplitude, -1, 1))
        crossings = [(2 * np.pi * n + sign * turn) / omega for n in range(4) for sign in (1, -1)]
        marks, y = [0.0, *sorted(t for t in crossings if 0 < t < end), end], np.array([1.0, 0.0])
        for ends in itertools.pairwise(marks):
            y = solve_ivp(slope, ends, y, method="DOP853", rtol=3e-14, atol=1e-16).y[:, -1]
        off = abs(float(found.populations[0, 0]) - y[0]), abs(float(found.amounts.heat["cold"][0]) - y[1])
        stated = float(found.error), float(found.amounts_error.heats[0, 0])
        assert off[0] <= stated[0] + 1e-12
        assert off[1] <= stated[1] + 1e-12
        worst = max(worst, off[0] / stated[0])
    assert worst > 1e-3  # the bound says something
