"""Laws of thermodynamics on random machines: about forty graphs, five hundred machines each, and any numbers."""

import dataclasses

import hypothesis
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

import coldspot as cs
from coldspot.jump import network
from coldspot.jump.assembly import members
from coldspot.jump.network import JumpNetwork
from tests import machines_random as mr
from tests import routes
from tests.jump.laws import ROUNDING, TINY, _take, check_laws, check_schnakenberg, largest_rate, static_batch

# --------------------------------------------------------------------------- static


@pytest.mark.parametrize("t", mr.STATIC, ids=lambda t: t.name)
def test_laws_of_static_machines(t):
    columns = static_batch(t)
    s = mr.solve(t, columns)
    # Refused is what loses its digits to faster loops, and nothing else: an error above the tolerance is never OK.
    refused, tolerance = np.asarray(s.status) != 0, 1e-8
    largest, worst = (np.max(np.abs(np.asarray(a)), axis=-1) for a in (s.heat.array, s.error.heat.array))
    assert np.all(np.asarray(s.status)[refused] == cs.Status.NOT_CONVERGED)
    assert np.all(worst[refused] > tolerance * largest[refused])
    assert refused.mean() < 0.01
    check_laws(t, s)
    check_schnakenberg(t, columns, s)
    still = slice(400, 440)
    assert np.all(np.asarray(s.energy.array[still]) == 0.0)
    assert set(np.ravel(s.regime[still])) == {"passive"}


def test_schnakenberg_in_multiple_precision():
    for name in ("ring-3", "two-dots", "assisted-4", "complete-4"):
        (t,) = (t for t in mr.STATIC if t.name == name)
        columns = mr.draw(t, np.random.default_rng(3), 500)
        s = mr.solve(t, columns)
        for k in range(10):
            exact = routes.ledger_exactly(t, mr.pick(columns, k))
            with mpmath.workdps(60):
                assert abs(-mpmath.fsum(exact.entropy) / exact.schnakenberg - 1) < 1e-30
            assert abs(float(s.entropy_production[k]) / exact.schnakenberg - 1) < 1e-12


ORDERS = {"ordinary": 200, "extreme": 150, "near equilibrium": 150}


PERMUTED = [t for t in mr.STATIC if t.name in ("dot", "ring-3", "two-dots", "assisted-4", "complete-4")]


@pytest.mark.parametrize("t", PERMUTED, ids=lambda t: t.name)
def test_order_and_names_of_baths_mean_nothing(t):
    columns = mr.join(*(mr.draw(t, np.random.default_rng(4), size, k) for k, size in ORDERS.items()))
    order = np.roll(np.arange(len(t.baths)), 1)
    other = dataclasses.replace(t, name=t.name + ", other order", baths=tuple(t.baths[k] for k in order))
    swapped = columns | {name: columns[name][:, order] for name in ("temperature", "potential")}
    first, second = mr.solve(t, columns), mr.solve(other, swapped)
    for name in ("energies", "particle_numbers", "entropy_flows"):
        a, b = np.asarray(getattr(first.ledger, name))[:, order], np.asarray(getattr(second.ledger, name))
        sizes = np.asarray(getattr(first.error, name))[:, order] + np.asarray(getattr(second.error, name))
        assert np.all(np.abs(a - b) <= sizes + TINY), name
        if name == "energies":
            assert np.all(np.abs(a - b)[:200] <= ROUNDING * np.max(np.abs(a[:200]), axis=-1, keepdims=True))


@pytest.mark.parametrize(
    "t", [t for t in mr.STATIC if t.name in ("dot", "two-dots", "three-dots")], ids=lambda t: t.name
)
def test_shift_of_all_energies_with_the_potentials_changes_nothing(t):
    columns = mr.draw(t, np.random.default_rng(5), 500)
    # Multiples of 2^-20, so that the shift itself is exact.
    for name in ("energies", "potential"):
        columns[name] = np.round(columns[name] * 2**20) / 2**20
    electrons = np.array([kind == "electron" for _, kind in t.baths])
    shift = 4.0
    moved = columns | {
        "energies": columns["energies"] + shift * np.array(t.occupations),
        "potential": columns["potential"] + shift * electrons,
    }
    first, second = mr.solve(t, columns), mr.solve(t, moved)
    top = largest_rate(second)[:, None]
    assert np.all(np.abs(first.heat.array - second.heat.array) < 1e-14 * top)
    assert np.all(np.abs(first.particles.array - second.particles.array) < 1e-14 * top)
    gain = np.asarray(second.energy.array - first.energy.array)
    assert np.all(np.abs(gain - shift * np.asarray(first.particles.array)) < 1e-14 * top)


def test_same_numbers_in_another_unit():
    """Energies, temperatures and rates times c: particle rates times c, heats times c²."""
    (t,) = (t for t in mr.STATIC if t.name == "two-dots")
    columns = mr.draw(t, np.random.default_rng(6), 500)
    unit = 1024.0
    scaled = columns | {name: columns[name] * unit for name in ("energies", "temperature", "potential", "strength")}
    first, second = mr.solve(t, columns), mr.solve(t, scaled)
    particles, heat = (
        second.particles.array - first.particles.array * unit,
        second.heat.array - first.heat.array * unit**2,
    )
    # The error bounds of both; logarithms of the rates differ by ln c, and round differently.
    assert np.all(np.abs(particles) <= second.error.particle_numbers + first.error.particle_numbers * unit)
    assert np.all(np.abs(heat) <= second.error.heat.array + 2 * second.error.energies)


def test_a_flipped_channel_is_noticed(monkeypatch):
    """If one channel books its heat with the wrong sign, the laws do not hold: the checks above can fail."""
    honest, brief = JumpNetwork.snapshot, network.glance
    (t,) = (t for t in mr.STATIC if t.name == "two-dots")
    columns = mr.draw(t, np.random.default_rng(7), 500)
    for wrong in (0, 5):

        def flipped(self, phase, wrong=wrong):
            s = honest(self, phase)
            return s._replace(heat=s.heat.at[:, wrong].multiply(-1.0))

        def at_a_glance(moment, wrong=wrong):
            g = brief(moment)
            places = members(moment.channels, [name for name, _ in t.baths])
            signs = (np.where(np.array(own) == wrong, -1.0, 1.0) for own in places)
            return g._replace(heats=tuple(heat * sign for heat, sign in zip(g.heats, signs, strict=True)))

        with monkeypatch.context() as patch:
            patch.setattr(JumpNetwork, "snapshot", flipped)
            patch.setattr(network, "glance", at_a_glance)
            s = mr.solve(dataclasses.replace(t, name=f"flipped {wrong}"), columns)
        with pytest.raises(AssertionError, match="first law"):
            check_laws(t, s)
    check_laws(t, mr.solve(dataclasses.replace(t, name="not flipped"), columns))


def test_each_heat_comes_from_its_own_channels():
    """Swapping two baths of one kind in a single channel moves heat, though the sum of all heats stays zero."""
    (t,) = (t for t in mr.STATIC if t.name == "two-dots")
    columns = mr.draw(t, np.random.default_rng(7), 500)
    s = mr.solve(t, columns)
    p = routes.parts(t, columns)
    populations = np.asarray(s.populations)
    for b, (name, _) in enumerate(t.baths):
        own = np.zeros(500)
        size = np.zeros(500)
        for k, e in enumerate(t.edges):
            if name in e.baths:
                out = np.exp(p.log_forward[:, k]) * populations[:, e.initial]
                back = np.exp(p.log_backward[:, k]) * populations[:, e.final]
                own += p.energy[:, b, k] * (out - back)
                size += np.abs(p.energy[:, b, k]) * (out + back)
        assert np.all(np.abs(own - np.asarray(s.energy[name])) <= 1e-13 * size)


# --------------------------------------------------------------------------- driven


@pytest.mark.parametrize("t", mr.DRIVEN, ids=lambda t: t.name)
def test_laws_of_driven_machines(t):
    points = 500 if t.states <= 4 else 60
    columns = mr.draw(t, np.random.default_rng(len(t.edges)), points)
    s = mr.solve(t, columns)
    status = np.asarray(s.status)
    assert set(status) <= {int(cs.Status.OK), int(cs.Status.NOT_CONVERGED)}
    good = np.flatnonzero(status == 0)
    # Rates with kinks converge slowly, and some points run out of elements.
    kinks = any(e.law == "ohmic" for e in t.edges)
    assert good.size >= (0.94 if kinks else 0.99) * points
    s = _take(s, good)
    check_laws(t, s)
    # The error estimate is what was asked for: 1e-8 of the largest heat or work.
    scale = np.max(np.abs(np.concatenate([np.asarray(s.heat.array), np.asarray(s.work.array)], -1)), -1)
    worst = np.max(np.concatenate([np.asarray(s.error.heats), np.asarray(s.error.works)], -1), -1)
    assert np.all((worst <= 1e-8 * scale * (1 + 1e-12)) | (scale <= worst))


def test_driven_machines_without_drive_are_static():
    """Amplitude zero: the periodic ledger is the stationary one and the drives do no work."""
    t = next(t for t in mr.DRIVEN if t.name == "driven two-dots")
    plain = next(t for t in mr.STATIC if t.name == "two-dots")
    columns = mr.draw(t, np.random.default_rng(9), 500)
    columns["amplitude"][:] = 0.0
    driven, static = mr.solve(t, columns), mr.solve(plain, columns)
    top = np.max(np.abs(static.energy.array), axis=-1, keepdims=True)
    good = np.asarray(driven.ok)
    assert good.all()
    assert np.all(np.abs(driven.energy.array - static.energy.array) <= np.asarray(driven.error.energies) + 1e-13 * top)
    assert np.all(np.asarray(driven.work.array) == 0.0)


# --------------------------------------------------------------------------- property tests: any numbers at all

# Multiples of 1e-9: gaps of 1e-150 would only test where floats end.


_any_energy = st.one_of(st.floats(-5, 5), st.floats(-1e3, 1e3), st.sampled_from([0.0, 1.0])).map(lambda e: round(e, 9))


_any_temperature = st.one_of(st.floats(0.2, 5), st.floats(-3, 3).map(lambda e: 10.0**e))


_any_strength = st.one_of(st.floats(0.1, 10), st.floats(-300, 300).map(lambda e: 10.0**e))


@st.composite
def any_point(draw, t: mr.Topology):
    def numbers(strategy, *shape):
        size = int(np.prod(shape))
        return np.array(draw(st.lists(strategy, min_size=size, max_size=size))).reshape(1, *shape)

    n, baths, edges = t.states, len(t.baths), len(t.edges)
    electrons = np.array([kind == "electron" for _, kind in t.baths])
    energies = numbers(_any_energy, n)
    return {
        "energies": energies,
        "temperature": numbers(_any_temperature, baths),
        "potential": numbers(_any_energy, baths) * electrons,
        "strength": numbers(_any_strength, edges),
        "barrier": energies.max(axis=1, keepdims=True) + np.zeros((1, edges)),
        "fraction": numbers(st.floats(-1, 2), edges),
        "tilt": np.zeros((1, n)),
        "wave": np.zeros((1, n)),
        "sway": np.zeros((1, edges)),
        "amplitude": np.zeros(1),
        "phase": np.zeros(1),
        "period": np.ones(1),
    }


@pytest.mark.parametrize("name", ["dot", "two-dots", "assisted-4", "degenerate-8"])
def test_laws_for_any_numbers(name):
    """Levels to ±1000, temperatures over six decades, rates over six hundred, degenerate levels."""
    (t,) = (t for t in mr.STATIC if t.name == name)

    @hypothesis.given(any_point(t))
    def check(columns):
        # A coupling spectrum is a function in plain numbers: far above its cut-off it is zero, and so not a rate.
        hypothesis.assume(name != "degenerate-8" or np.ptp(columns["energies"]) < 600)
        s = mr.solve(t, columns)
        assert int(s.status[0]) == 0
        check_laws(t, s)

    check()


_drive = st.fixed_dictionaries(
    {
        "amplitude": st.floats(0.0, 2.0),
        "phase": st.floats(-7, 7),
        "period": st.floats(-1, 3).map(lambda e: 10.0**e),
        "t_left": st.floats(0.1, 3.0),
        "t_right": st.floats(0.1, 3.0),
        "coupling": st.floats(-1.5, 1.5),
    }
)


@hypothesis.settings(max_examples=40)
@hypothesis.given(_drive)
def test_laws_for_any_spin_pair(drive):
    pair = cs.machines.SpinPair(
        drive["coupling"], 0.5, drive["amplitude"], drive["period"], drive["phase"],
        cs.HeatBath(drive["t_left"]), cs.HeatBath(drive["t_right"]),
    )  # fmt: skip
    s = cs.steady_state(pair, throw=False)
    assert int(s.status) in (0, int(cs.Status.NOT_CONVERGED))
    if s.ok:
        error = float(jnp.sum(s.error.energies) + jnp.sum(s.error.works))
        assert abs(s.first_law_residual) <= error + 1e-300
        assert s.entropy_production >= -float(jnp.sum(s.error.entropy_flows))
