"""Ensembles that grow until they are exact enough: when they stop, and that nothing tells those that went on apart."""

import jax
import numpy as np
import pytest

import coldspot as cs
from coldspot import growth
from coldspot.oscillators import journey, sampling

from .sampled import pair

ASKED = {"n": 64, "time": 12.0, "time_step": 0.1}


def grown(until, network=None, seed=3, **options):
    return cs.trajectories(
        pair() if network is None else network, jax.random.key(seed), **(ASKED | options), until=until
    )


def test_portions_are_the_trajectories_of_one_call_and_stop_in_time():
    found = grown(cs.oscillators.Until(0.014))
    n = found.heats.shape[0]
    assert n % 64 == 0
    assert n > 256
    assert found.solution.statistics["trajectories"] == n
    flows = np.concatenate([found.heats, found.works], axis=1) / found.time

    def largest(rates):
        return rates.std(axis=0, ddof=1).max() / np.sqrt(len(rates))

    assert largest(flows) <= 0.014 < largest(flows[:-64])
    assert max(found.error.heat.values()) == pytest.approx(largest(np.asarray(found.heats / found.time)), rel=1e-12)
    whole = cs.trajectories(pair(), jax.random.key(3), n=n, time=12.0, time_step=0.1)
    assert np.max(np.abs(whole.heats - found.heats)) < 1e-13 * found.time


def test_what_was_stopped_goes_on_bit_for_bit(tmp_path, monkeypatch):
    file = tmp_path / "pair.npz"
    whole = grown(cs.oscillators.Until(0.02))
    run, calls = sampling._run, []

    def stopped(*arguments):
        calls.append(arguments[3])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(*arguments)

    monkeypatch.setattr(sampling, "_run", stopped)
    with pytest.raises(KeyboardInterrupt):
        grown(cs.oscillators.Until(0.02, file=file))
    again = grown(cs.oscillators.Until(0.02, file=file), progress=True)
    assert calls[:4] == [0, 64, 128, 128]
    for name in ("heats", "works", "storages"):
        assert np.array_equal(getattr(again, name), getattr(whole, name))
    assert again.error.heat == whole.error.heat
    before = len(calls)
    known = grown(cs.oscillators.Until(0.02, file=file))
    assert len(calls) == before
    assert np.array_equal(known.heats, whole.heats)
    for network, seed, options in (
        (None, 4, {}),
        (pair(springs=(2.0, 3.1)), 3, {}),
        (None, 3, {"n": 32}),
        (None, 3, {"time": 24.0}),
    ):
        with pytest.raises(cs.InputError, match="another ensemble"):
            grown(cs.oscillators.Until(0.02, file=file), network, seed, **options)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(cs.InputError, match="is damaged"):
        grown(cs.oscillators.Until(0.02, file=file))
    assert [path.name for path in tmp_path.iterdir()] == ["pair.npz"]


def test_the_largest_number_ends_it():
    found = grown(cs.oscillators.Until(1e-6, most=200))
    assert found.heats.shape[0] == 200
    assert max(found.error.heat.values()) > 1e-6


@pytest.mark.parametrize(("most", "wanted"), [(10_000, 256), (100, 100)])
def test_few_that_agree_do_not_end_it(most, wanted):
    """Of what happens rarely the first trajectories may show nothing: no spread at all."""

    def portion(first, show):
        return growth.Result(np.ones((2, 1, 32)), np.full(32, -1), np.full((1, 32), first))

    found = growth.grown(portion, 32, growth.of_rates(1), growth.Until(0.1, most=most), False, str)
    assert found.last[0].tolist() == [32 * (k // 32) for k in range(wanted)]


def test_the_whole_of_the_most_is_used_and_a_file_goes_on_with_more(tmp_path):
    """The last portion is cut short; it is made anew, whole, where more are asked, and not where as many are."""
    begun = []

    def portion(first, show):
        begun.append(first)
        return growth.Result(np.ones((2, 1, 50)), np.full(50, -1), first + np.arange(50)[None])

    def made(most):
        until = growth.Until(0.1, most=most, file=tmp_path / "some.npz")
        found = growth.grown(portion, 50, lambda done: 1.0, until, False, str)
        assert found.last[0].tolist() == list(range(most))
        return [begun.pop(0) for _ in range(len(begun))]

    assert made(480) == list(range(0, 500, 50))
    assert made(480) == []
    assert made(610) == [450, 500, 550, 600]
    until = growth.Until(0.1, file=tmp_path / "none" / "some.npz")
    with pytest.raises(cs.InputError, match=r"trajectories: `.*` cannot be written: there is no folder `.*/none`\."):
        growth.grown(portion, 50, lambda done: 1.0, until, False, str)
    assert not begun  # before anything is simulated


@pytest.mark.parametrize("mass", [0.0, 1.0])
def test_a_file_of_the_same_numbers_elsewhere_is_another(tmp_path, mass):
    """Which bath acts where is no number."""
    until = growth.Until(0.01, most=32, file=tmp_path / "two.npz")
    here, there = (
        cs.OscillatorNetwork(
            [mass] * 2, np.eye(2), [1.0, 1.0], {"a": cs.HeatBath(1.0), "b": cs.HeatBath(1.0)}, {"a": k, "b": 1 - k}
        )
        for k in (0, 1)
    )
    asked = {"n": 32, "time": 2.0, "time_step": 1 / 16, "throw": False}
    grown(until, here, **asked)
    with pytest.raises(cs.InputError, match="another ensemble"):
        grown(until, there, **asked)


def test_other_networks_grow_too(tmp_path, monkeypatch):
    """Trajectories of networks with coordinates without mass; the bias is measured with as many."""
    run, lanes = journey._run, []

    def counted(course, line, outset, key, own, *others):
        lanes.append(own)
        return run(course, line, outset, key, own, *others)

    monkeypatch.setattr(journey, "_run", counted)
    light = cs.OscillatorNetwork(
        masses=[0.0], springs=[[1.0]], frictions=[1.0], baths={"bath": cs.HeatBath(1.0)}, sites={"bath": 0}
    )
    until = cs.oscillators.Until(0.008, file=tmp_path / "light.npz")
    asked = {"n": 32, "time": 8.0, "time_step": 1 / 16}
    found = grown(until, light, **asked)
    assert found.heats.shape[0] > 32
    assert np.array_equal(lanes[-1], journey.OTHERS + np.arange(len(found.heats)))
    first = cs.trajectories(light, jax.random.key(3), **asked)
    assert np.array_equal(first.heats, found.heats[:32])
    assert not np.any(found.heats[:32] == found.heats[32:64])
    assert np.array_equal(grown(until, light, **asked).heats, found.heats)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: growth.Until(0.0), "`standard_error` must be positive"),
        (lambda: growth.Until(0.1, most=2.5), "`most` must be a positive integer"),
        (lambda: growth.Until(0.1, file="state.json"), "ends in `.npz`"),
        (lambda: grown(growth.Until(0.1, most=10)), "`most` must be at least `n` = 64"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(cs.InputError, match=words):
        build()
