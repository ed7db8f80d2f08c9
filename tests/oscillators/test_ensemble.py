"""Sampled averages of linear networks, honest standard errors, and failures."""

import math

import jax
import numpy as np
import pytest
from scipy import stats

import coldspot as cs
from coldspot._checks import as_float
from tests.oscillators.sampled import OMEGA, Quartic, averages, chain, pair, runs, single, truth_of
from tests.tolerance import assert_close


@pytest.mark.parametrize("network", [pair(), chain()], ids=["pair", "chain"])
def test_trajectories_agree_with_the_scheme(network):
    t = cs.trajectories(network, jax.random.key(3), n=2000, time=100.0, time_step=0.1)
    step = float(t.solution.statistics["time_step"])
    assert step <= 0.1
    means, errors = averages(t)
    truth = truth_of(network, step)
    assert np.all(np.abs(means - truth) < 3 * errors), (means - truth) / errors
    assert np.all(errors < 0.02 * np.max(np.abs(truth)))
    # What is missing in the balance is the error of kicks and drifts: known, and of much smaller sampling error.
    baths = len(network.baths)
    missing = float(t.solution.first_law_residual)
    expected = np.sum(truth[: baths + len(network.drives)])
    each = (np.concatenate([t.heats, t.works], axis=1).sum(axis=1) - t.storages) / t.time
    noise = each.std() / math.sqrt(each.size)
    assert_close(each.mean(), missing, 1e-14, np.max(np.abs(t.heats)) / t.time)
    assert abs(missing - expected) < 3 * noise
    assert noise < 0.3 * np.max(errors)


def test_standard_errors_are_honest():
    """Over many keys, deviations from the exact averages in units of the standard error have variance one."""
    network = pair()
    z = []
    for key in range(60):
        t = cs.trajectories(network, jax.random.key(100 + key), n=64, time=12.0, time_step=0.1)
        means, errors = averages(t)
        z.append((means - truth_of(network, t.solution.statistics["time_step"])) / errors)
    z = np.array(z)
    # Student's t with 63 degrees of freedom: variance 63/61.
    low, high = stats.chi2.ppf([1e-3, 1 - 1e-3], len(z)) / len(z) * 63 / 61
    variances = np.mean(z**2, axis=0)
    assert np.all((low < variances) & (variances < high)), variances
    assert abs(np.mean(z**2) - 63 / 61) < 4 * np.std(np.mean(z**2, axis=1)) / math.sqrt(len(z))


def test_results_do_not_depend_on_chunks():
    network, key = pair(), jax.random.key(5)
    few, many = (cs.trajectories(network, key, n=n, time=6.0, time_step=0.1) for n in (64, 3000))
    assert_close(few.heats, many.heats[:64], 1e-13)
    assert_close(few.works, many.works[:64], 1e-13)
    other = cs.trajectories(network, jax.random.key(6), n=64, time=6.0, time_step=0.1)
    assert not np.any(few.heats == other.heats)


def test_heat_and_work_from_recorded_paths():
    """The books of single trajectories, once more from x(t) and v(t) and the equation of motion alone."""
    network = pair(Quartic(as_float(0.4)))
    t = cs.trajectories(network, jax.random.key(7), n=16, time=9.0, keep=3)
    h, steps = float(t.solution.statistics["time_step"]), t.times.size
    x, v = np.asarray(t.positions), np.asarray(t.velocities)
    assert x.shape == (3, steps, 2)
    assert np.allclose(t.times, h * np.arange(steps))
    transient = float(t.solution.statistics["steps"]) - steps + 1
    phase = OMEGA * h * (transient + np.arange(steps - 1))
    force = np.stack([np.cos(phase), np.cos(phase + 0.3)], axis=-1)
    y = x[:, :-1]
    cubes = y**3 + (y - y[..., ::-1]) ** 3
    u = v[:, :-1] + h * (force - y @ np.array([[5.0, -3], [-3, 5]]) - 0.4 * cubes)
    assert_close(x[:, 1:], y + h / 2 * (u + v[:, 1:]), 1e-12)
    heats = np.sum((v[:, 1:] ** 2 - u**2) / 2, axis=1)
    works = np.sum(h * force * (v[:, :-1] + u) / 2, axis=1)
    potential = np.sum(x * (x @ np.array([[5.0, -3], [-3, 5]])), -1) / 2
    potential += 0.4 * (np.sum(x**4, -1) + (x[..., 0] - x[..., 1]) ** 4) / 4
    change = np.diff((np.sum(v**2, -1) / 2 + potential)[:, [0, -1]], axis=1)[:, 0]
    assert_close(t.time, h * (steps - 1), 1e-12)
    for own, recorded in ((heats, t.heats), (works, t.works), (change, t.storages)):
        assert_close(own, recorded[:3], 1e-12)
    half = cs.trajectories(network, jax.random.key(7), n=16, time=9.0, keep=3, stride=4)
    assert np.array_equal(half.positions, t.positions[:, ::4])


def test_failures_are_named():
    with pytest.raises(cs.SolveError, match=r"coordinate 0 runs away: in trajectory \d+ it is .* at time \d") as caught:
        runs(single(downhill=1.0))
    assert caught.value.status is cs.Status.UNSTABLE
    with pytest.raises(cs.SolveError, match=r"not a number at time \d.*: trajectory \d+ is at x = \[\d"):
        runs(single(edge=1.0))
    with pytest.raises(cs.SolveError, match="a mode of its motion grows or is not damped"):
        runs(pair(amplitude=None, springs=(-1.0, 0.2)))
    with pytest.raises(cs.SolveError, match=r"no spring holds the motion along \(1, 1\) \(eigenvalue 0 of `springs`\)"):
        runs(pair(amplitude=None, springs=(0.0, 1.0)))
    with pytest.raises(cs.SolveError, match=r"`potential` with the springs is inf at x = \[0.0\], where the search"):
        runs(single(pole=1.0))
    with pytest.raises(cs.SolveError, match="half of the time differ"):
        runs(single(trap=30.0), time=300.0)
    with pytest.raises(cs.InputError, match=r"`time_step` is 1.2, but this network is stable only below 0.707"):
        runs(pair(amplitude=None), time_step=1.2)
    # A drive's period, which would shorten the step, does not make it what was asked for.
    with pytest.raises(cs.InputError, match=r"`time_step` is 1.2, but this network is stable only below 0.707"):
        runs(pair(), time_step=1.2)
    with pytest.raises(cs.InputError, match="linear network that moves most alike is stable only below"):
        runs(single(quartic=0.4), time_step=2.2)


def test_a_step_too_long_where_it_is_steep_is_noticed():
    """Stable for the most similar linear network, not for excursions: it runs away, or the energy does not balance."""
    with pytest.raises(cs.SolveError, match=r"runs away|energy balance is off"):
        runs(single(quartic=5.0, spring=0.1, temperature=4.0), time_step=0.3, time=400.0)


def test_a_step_that_does_not_balance_is_noticed():
    network = pair(Quartic(as_float(0.4)))
    with pytest.raises(cs.SolveError, match=r"energy balance is off by 0\.0") as caught:
        runs(network, time_step=3 / 16, n=512)
    assert caught.value.solution.residuals["first law"] > 0.01
    assert caught.value.solution.residuals["drift"] < 5
    assert runs(network, time_step=3 / 64, n=512).solution.residuals["first law"] < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 15}, "`n` must be at least 16"),
        ({"n": 0}, "`n` must be a positive integer"),
        ({"n": 10**13}, "ensemble of 10,000,000,000,000 trajectories needs about .* GiB"),
        ({"n": 20.0}, "`n` must be a positive integer"),
        ({"time": -1.0}, "`time` must be positive"),
        ({"time": float("nan")}, "`time` must be positive"),
        ({"time_step": 0.0}, "`time_step` must be positive"),
        ({"bias": -1e-3}, "`bias` must be positive"),
        ({"bias": 1e-3, "time_step": 0.1}, "`time_step` or `bias`, not both"),
        ({"transient": -1.0}, "`transient` must be a time"),
        ({"keep": 65}, "`keep` must be an integer from 0 to `n` = 64"),
        ({"stride": 0}, "`stride` must be a positive integer"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(cs.InputError, match=message):
        runs(pair(), **options)


def test_bad_keys_and_machines():
    with pytest.raises(cs.InputError, match="`key` must be a key"):
        cs.trajectories(pair(), 3)
    with pytest.raises(cs.InputError, match="`key` must be a key"):
        cs.trajectories(pair(), jax.random.split(jax.random.key(0)))
    with pytest.raises(cs.InputError, match="Barrier has none"):
        cs.trajectories(cs.machines.KramersBarrier(), jax.random.key(0))


def test_standard_errors_by_blocks_of_time():
    """Halves of the time that forget each other give the standard errors of the trajectories; short ones less."""
    machine = cs.machines.OscillatorPair()
    long, short = (
        cs.trajectories(machine, jax.random.key(5), n=2000, time=time).solution.statistics["block_error_ratio"]
        for time in (60.0, 6.0)
    )
    # Each ratio is uncertain by 1/√(2·2000), and the smallest of seven is taken.
    assert 0.92 < long < 1.05
    assert 1 / np.sqrt(2) - 0.05 < short < long
