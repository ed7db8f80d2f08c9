"""Trajectories of jump networks against averages, noise, fluctuation theorems and SciPy's integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import coldspot as cs
from coldspot.compiler import preferences
from coldspot.jump.histories import fraction, run
from coldspot.jump.thinning import cells_of, look_at
from coldspot.solution import Status
from coldspot.trajectories import key_words

SIGMAS = 4.5
T, PERIOD = 0.8, 6.0


def ensemble(n=8192, time=4.0):
    return cs.trajectories(cs.machines.QuantumDot(), jax.random.key(3), n=n, time=time)


def standard_error(values):
    return np.std(values, axis=0, ddof=1) / np.sqrt(len(values))


# --------------------------------------------------------------------------- without a drive


def test_averages_and_the_second_law_of_single_histories():
    t = ensemble()
    s = cs.steady_state(cs.machines.QuantumDot())
    for found, error, expected in (
        (t.heat.array, t.error.heat.array, s.heat.array),
        (t.particles.array, t.error.particles.array, s.particles.array),
    ):
        assert np.all(np.abs(found - expected) <= SIGMAS * error)
    assert t.status == Status.OK
    # Energy is conserved in each history.
    balance = t.heats + np.array([2.5, -2.5]) * t.particle_numbers
    np.testing.assert_allclose(balance.sum(axis=1), t.storages, atol=1e-12)
    # U. Seifert, "Entropy production along a stochastic trajectory and an integral fluctuation theorem".
    populations = np.asarray(s.populations)
    production = -t.entropy_flows.sum(axis=1) + np.log(populations[t.starts] / populations[t.ends])
    weight = np.exp(-production)
    assert abs(weight.mean() - 1) <= SIGMAS * standard_error(weight)
    assert production.mean() > SIGMAS * standard_error(production)
    # In detail: what is produced is e^σ times as likely as its opposite.
    for low, high in ((0.05, 0.3), (0.3, 0.55), (0.55, 0.8)):
        ahead, back = (np.where((x > low) & (x < high), 1.0, 0.0) for x in (production, -production))
        excess = weight * ahead - back
        assert back.sum() > 50
        assert abs(excess.mean()) <= SIGMAS * standard_error(excess)


def test_spread_is_the_second_cumulant():
    """⟨⟨N(t)²⟩⟩ = κ₂t + a constant: two times tell κ₂, by a closed form for one level."""
    short, long = (ensemble(time=t).particle_numbers[:, 0] for t in (4.0, 24.0))
    slope = (np.var(long) - np.var(short)) / 20
    # Var(variance) ≈ 2 var²/n for numbers that are nearly normal.
    error = np.sqrt(2 / len(long) * (np.var(long) ** 2 + np.var(short) ** 2)) / 20
    assert abs(slope - 0.45450724931506736) <= SIGMAS * error


def test_histories_do_not_depend_on_how_many_there_are():
    few, many = ensemble(n=50), ensemble(n=1500)
    for name in ("heats", "particle_numbers", "storages", "starts", "ends", "jumps"):
        assert np.array_equal(getattr(few, name), getattr(many, name)[:50])


def test_ensembles_grow_until_their_errors_are_small_and_go_on_where_they_stopped(tmp_path):
    def grown(error, key=3, file=None, machine=None, n=1024, most=10_000_000):
        until = cs.oscillators.Until(error, file=file, most=most)
        machine = cs.machines.QuantumDot() if machine is None else machine
        return cs.trajectories(machine, jax.random.key(key), n=n, time=4.0, until=until, progress=False)

    found = grown(0.06)
    count = len(found.heats)
    assert count > 1024
    assert count % 1024 == 0
    assert max(found.error.heat.values()) <= 0.06 < max(grown(0.06, most=count - 1024).error.heat.values())
    # The last ones asked for are fewer than a portion.
    assert len(grown(1e-3, n=50, most=480).heats) == 480
    # Grown or not, stopped or not, they are the same.
    file = tmp_path / "dot.npz"
    grown(0.1, file=file)
    for other in (ensemble(n=count), grown(0.06, file=file)):
        for name in ("heats", "particle_numbers", "storages", "entropy_flows", "starts", "jumps", "durations"):
            np.testing.assert_array_equal(getattr(other, name), getattr(found, name))
    for another in ({"key": 4}, {"machine": cs.machines.QuantumDot(level=-4.9)}, {"n": 2048}):
        with pytest.raises(cs.InputError, match="another ensemble"):
            grown(0.06, file=file, **another)
    with pytest.raises(cs.InputError, match="at least 16"):
        grown(0.06, n=8)


def test_tables_make_the_histories_that_comparisons_make(monkeypatch):
    """Few edges are compared with one by one, many are looked up: the same random numbers, the same histories."""

    def histories():
        words = key_words(jax.random.key(1))
        given = (jnp.array([1.0, 0.0]), jnp.zeros(2, bool), jnp.asarray(PERIOD), words, jnp.asarray(0))
        return jax.jit(lambda *x: run(driven(), *x), compiler_options=preferences())(*given)

    compared = histories()
    for module in ("histories", "thinning"):
        for most in ("FEW", "FEWEST"):
            monkeypatch.setattr(f"coldspot.jump.{module}.{most}", 0)
    assert int(compared.jumps.sum()) > 2000
    for one, other in zip(compared, histories(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("rate", "error"), [(1.0, 20.0 / (64 * 5)), (0.0, 0.0)])
def test_jumps_that_are_too_rare_to_happen_are_in_the_errors(rate, error):
    """Without any jump the spread is zero; one in all histories is what they cannot exclude, if it can be."""
    baths = {"hot": cs.HeatBath(1.0), "cold": cs.HeatBath(0.5)}
    channels = [cs.Channel(name, 0, 1, cs.Glauber(rate)) for name in baths]
    network = cs.JumpNetwork(energies=[0.0, 20.0], baths=baths, channels=channels)
    t = cs.trajectories(network, jax.random.key(2), n=64, time=5.0, start=0)
    assert t.jumps.sum() == 0
    np.testing.assert_allclose(t.error.heat.array, error, rtol=1e-12)


def test_fractions_are_below_1():
    low, high = fraction(jnp.array([0, 2**64 - 1], jnp.uint64))
    assert 0 < low < 1e-15 < 1 - 1e-15 < high < 1


# --------------------------------------------------------------------------- driven


MIDST = 2 * np.pi * 2607 / 16384
"""A phase in the middle between two places at which bounds look for pulses."""


def driven(pulse=0.0, amplitude=2.0, width=6e-5):
    """A level 2 + a·cos θ beside a bath, at rates that may have a pulse, as a rule too narrow for the bounds to see."""

    def rate(phase):
        return cs.Glauber(1 + 0.5 * jnp.sin(phase) + pulse * jnp.exp(-(((phase - MIDST) / width) ** 2)))

    return cs.JumpNetwork(
        energies=lambda phase: jnp.array([0.0, 1.0]) * (2 + amplitude * jnp.cos(phase)),
        baths={"bath": cs.HeatBath(T)},
        channels=[cs.Channel("bath", 0, 1, rate)],
        period=PERIOD,
    )


def test_work_from_equilibrium_obeys_jarzynski_and_crooks():
    """C. Jarzynski, "Nonequilibrium equality for free energy differences"; ⟨e^{−W/T}⟩ = Z_end/Z_start."""
    start = np.array([1.0, np.exp(-4 / T)])
    t = cs.trajectories(driven(), jax.random.key(5), n=16384, time=PERIOD / 2, start=start / start.sum())
    weight = np.exp(-t.works[:, 0] / T)
    # At θ = π the level is at 0.
    assert abs(weight.mean() - 2 / start.sum()) <= SIGMAS * standard_error(weight)
    assert t.works.mean() > -T * np.log(2 / start.sum())
    np.testing.assert_allclose(t.heats[:, 0] + t.works[:, 0], t.storages, atol=1e-12)
    # G. E. Crooks, "Entropy production fluctuation theorem and the nonequilibrium work relation for free energy
    # differences": back from θ = π, which mirrors the rates and turns the level's motion round.
    free = -T * np.log(2 / start.sum())
    back = cs.trajectories(driven(amplitude=-2.0), jax.random.key(8), n=16384, time=PERIOD / 2, start=[0.5, 0.5])
    forth, opposite = np.asarray(t.works[:, 0]), -np.asarray(back.works[:, 0])
    for low, high in ((-2.5, -1.5), (-1.5, -0.8), (-0.8, -0.2)):
        expected = np.where((forth > low) & (forth < high), np.exp((free - forth) / T), 0.0)
        found = np.where((opposite > low) & (opposite < high), 1.0, 0.0)
        assert found.sum() > 100
        error = np.hypot(standard_error(expected), standard_error(found))
        assert abs(expected.mean() - found.mean()) <= SIGMAS * error


def test_averages_under_driving_are_those_of_the_master_equation():
    time = 1.3 * PERIOD
    t = cs.trajectories(driven(), jax.random.key(6), n=16384, time=time, start=0)

    def motion(s, y):
        theta = 2 * np.pi * s / PERIOD
        level, rate = 2 + 2 * np.cos(theta), 2 * (1 + 0.5 * np.sin(theta))
        up, down = rate * (1 - y[0]) / (1 + np.exp(level / T)), rate * y[0] / (1 + np.exp(-level / T))
        return [up - down, level * (up - down), -y[0] * 2 * np.sin(theta) * 2 * np.pi / PERIOD, up + down]

    expected = solve_ivp(motion, (0, time), np.zeros(4), rtol=1e-10, atol=1e-12).y[:, -1]
    for found, mean in zip((t.ends, t.heats[:, 0], t.works[:, 0], t.jumps), expected, strict=True):
        assert abs(found.mean() - mean) <= SIGMAS * standard_error(found)
    assert 1 <= float(t.solution.statistics["candidates_per_jump"]) < 8


def test_a_rate_above_its_bound_is_a_status():
    with pytest.raises(cs.SolveError, match="rate above its bound"):
        cs.trajectories(driven(pulse=1e4), jax.random.key(7), n=4096, time=PERIOD, start=0)
    t = cs.trajectories(driven(pulse=1e4), jax.random.key(7), n=4096, time=PERIOD, start=0, throw=False)
    assert t.status == Status.NOT_CONVERGED


def test_bounds_see_a_pulse_between_the_nodes():
    network = driven(pulse=1e4, width=3e-4)
    top, bounds = map(np.asarray, jax.jit(lambda x: (look_at(network, x).rates, cells_of(network).bound))(MIDST))
    assert np.max(top) > 1e4
    assert np.all(np.max(bounds, axis=0) >= top)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": -1.0}, "`time` must be a positive number"),
        ({"time": 1e12}, "shorten `time`"),
        ({"n": 1}, "at least 2"),
        ({"n": 10**12}, "GiB, but there are"),
        ({"start": 2}, "states are 0 to 1"),
        ({"start": [0.5, 0.6]}, "add up to 1"),
    ],
)
def test_bad_requests(options, words):
    with pytest.raises(cs.InputError, match=words):
        cs.trajectories(driven(), jax.random.key(1), **({"n": 16, "time": 1.0, "start": 0} | options))
