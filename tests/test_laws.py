"""Laws of thermodynamics on random machines: about forty graphs, five hundred machines each, one batch per graph."""

import dataclasses

import equinox as eqx
import hypothesis
import jax
import jax.numpy as jnp
import machines_random as mr
import mpmath
import numpy as np
import pytest
import routes
from hypothesis import strategies as st
from scipy.optimize import brentq

import coldspot as cs
from coldspot.jump.network import JumpNetwork

ROUNDING = 1e-12
"""Allowed violation of a law in a static state, relative to the largest current."""
TINY = 1e-290
"""Below this, products of currents and energies leave the range of normal floats."""


def largest_rate(s: cs.Solution) -> np.ndarray:
    """The largest energy, heat or work rate of each point."""
    parts = [s.energy.array, s.heat.array, s.chemical_work.array, s.work.array]
    return np.max(np.abs(np.concatenate([np.asarray(p) for p in parts], axis=-1)), axis=-1)


def check_first_law(s: cs.Solution, driven: bool) -> None:
    total = np.sum(np.asarray(s.energy.array), axis=-1) + np.sum(np.asarray(s.work.array), axis=-1)
    limit = ROUNDING * largest_rate(s) + TINY
    if driven:
        limit = limit + np.sum(np.asarray(s.error.energies), axis=-1) + np.sum(np.asarray(s.error.works), axis=-1)
    assert np.all(np.abs(total) <= limit), f"first law: {np.max(np.abs(total) / limit)} × allowed"
    assert np.allclose(s.first_law_residual, total, rtol=0, atol=1e-15 * (1 + largest_rate(s).max()))


def check_second_law(s: cs.Solution, driven: bool) -> None:
    sigma = -np.sum(np.asarray(s.entropy_flow.array), axis=-1)
    assert np.array_equal(sigma, np.asarray(s.entropy_production)) or np.allclose(
        sigma, s.entropy_production, rtol=1e-12
    )
    limit = ROUNDING * np.max(np.abs(np.asarray(s.entropy_flow.array)), axis=-1) + TINY
    if driven:
        limit = limit + np.sum(np.asarray(s.error.entropy_flows), axis=-1)
    assert np.all(sigma >= -limit), f"second law: σ = {np.min(sigma / limit)} × allowed"


def check_particles(t: mr.Topology, s: cs.Solution) -> None:
    numbers = np.asarray(s.particles.array)
    # Heat baths carry exactly none.
    for k, (_, kind) in enumerate(t.baths):
        if kind != "electron":
            assert np.all(numbers[:, k] == 0.0)
    # A bath's net number may vanish while its channels carry much: its error knows.
    limit = np.sum(np.asarray(s.error.particle_numbers), axis=-1) + TINY
    assert np.all(np.abs(numbers.sum(axis=-1)) <= limit), "particles are not conserved"


def check_bounds(s: cs.Solution) -> None:
    """−work_in ≤ (1−T_min/T_max)·Σ positive heats, for any number of baths; at two temperatures Carnot's bounds."""
    temperature = np.asarray(s.temperatures)
    coldest, hottest = temperature.min(axis=-1), temperature.max(axis=-1)
    heat, power = np.asarray(s.heat.array), -np.asarray(s.work_in)
    slack = (
        ROUNDING * largest_rate(s)
        + TINY
        + np.sum(np.asarray(s.error.energies) + np.asarray(s.error.chemical_works), -1)
    )
    assert np.all(power <= (1 - coldest / hottest) * np.maximum(heat, 0).sum(axis=-1) + slack)


def check_second_law_efficiency(s: cs.Solution) -> None:
    # Where σ drowns in its error (near equilibrium, Carnot's limit) out/in says nothing.
    clear = np.asarray(s.entropy_production) > 1e3 * np.sum(np.asarray(s.error.entropy_flows), axis=-1)
    for k, name in enumerate(s.baths):
        if not s.steady_baths[k]:
            continue
        eta = np.asarray(s.second_law_efficiency(name))
        known = np.isfinite(eta)
        assert np.all(eta[known & clear] <= 1), name
        assert np.all(eta[known] >= 0)


def check_laws(t: mr.Topology, s: cs.Solution) -> None:
    driven = bool(t.driven)
    check_first_law(s, driven)
    check_second_law(s, driven)
    check_particles(t, s)
    if all(s.steady_baths):
        check_bounds(s)
    check_second_law_efficiency(s)


def static_batch(t: mr.Topology) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(len(t.edges) + 100 * t.states)
    sizes = {"ordinary": 250, "extreme": 150, "equilibrium": 40, "near equilibrium": 60}
    return mr.join(*(mr.draw(t, rng, size, kind) for kind, size in sizes.items()))


# --------------------------------------------------------------------------- static


@pytest.mark.parametrize("t", mr.STATIC, ids=lambda t: t.name)
def test_laws_of_static_machines(t):
    columns = static_batch(t)
    s = mr.solve(t, columns)
    assert np.all(np.asarray(s.status) == 0), np.bincount(np.asarray(s.status))
    check_laws(t, s)
    check_schnakenberg(t, columns, s)
    still = slice(400, 440)
    assert np.all(np.asarray(s.energy.array[still]) == 0.0)
    assert set(np.ravel(s.regime[still])) == {"passive"}


def check_schnakenberg(t: mr.Topology, columns, s: cs.Solution) -> None:
    """σ from the heats equals the sum over channels of (net flow)·ln(flow ratio), from populations and rates.

    The comparison is within the rounding of that sum, which is severe near equilibrium.
    """
    total, noise = routes.schnakenberg(t, routes.parts(t, columns), np.asarray(s.populations))
    sigma = np.asarray(s.entropy_production)
    # Populations below floating-point range have no logarithm here.
    usable = np.isfinite(total) & np.isfinite(noise) & np.all(np.asarray(s.populations) > 1e-290, axis=-1)
    assert usable[:250].all()
    rounding = ROUNDING * np.max(np.abs(np.asarray(s.entropy_flow.array)), axis=-1)
    off = np.abs(sigma - total) / (noise + rounding + TINY)
    assert np.all(off[usable] <= 1), f"Schnakenberg sum: {off[usable].max()} × allowed"


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
    """If one channel books its energy with the wrong sign, the laws do not hold: the checks above can fail."""
    honest = JumpNetwork.snapshot
    (t,) = (t for t in mr.STATIC if t.name == "two-dots")
    columns = mr.draw(t, np.random.default_rng(7), 500)
    for wrong in (0, 5):

        def flipped(self, phase, wrong=wrong):
            s = honest(self, phase)
            return s._replace(energy=s.energy.at[:, wrong].multiply(-1.0))

        monkeypatch.setattr(JumpNetwork, "snapshot", flipped)
        s = mr.solve(dataclasses.replace(t, name=f"flipped {wrong}"), columns)
        with pytest.raises(AssertionError, match="first law"):
            check_laws(t, s)
    monkeypatch.setattr(JumpNetwork, "snapshot", honest)
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


# --------------------------------------------------------------------------- tight coupling and Carnot


@pytest.mark.parametrize("t_hot", [1.1, 2.0, 50.0])
def test_tight_coupling_reaches_carnot_at_stall(t_hot):
    """A single level: η = 1 − (ε−μ_c)/(ε−μ_h) exactly, Carnot's where the current stops, never more."""
    hot, cold = cs.ElectronBath(t_hot, -0.5), cs.ElectronBath(1.0, 0.5)
    # s = 0 at (ε−μ_h)/T_h = (ε−μ_c)/T_c.
    stall = (0.5 * t_hot + 0.5) / (t_hot - 1.0)
    carnot = 1 - 1 / t_hot
    for above in (1e-2, 1e-4, 1e-6):
        level = stall * (1 + above)
        s = cs.steady_state(cs.machines.QuantumDot(level=level, left=hot, right=cold))
        assert s.regime == "engine"
        assert abs(float(s.efficiency) - (1 - (level - 0.5) / (level + 0.5))) < 1e-9
        assert carnot * (1 - 2 * above) < s.efficiency < carnot
        level = stall * (1 - above)
        s = cs.steady_state(cs.machines.QuantumDot(level=level, left=hot, right=cold))
        assert s.regime == "refrigerator"
        assert s.cop < 1 / (t_hot - 1)
        assert abs(float(s.cop) - (level - 0.5)) < 1e-9 * level


def test_single_cycle_exchanges_heats_in_fixed_ratio():
    """Three levels in a ring, each edge with its own bath: heats are in the ratio of the gaps (tight coupling)."""
    (t,) = (t for t in mr.STATIC if t.name == "ring-3")
    columns = mr.join(
        mr.draw(t, np.random.default_rng(8), 250), mr.draw(t, np.random.default_rng(8), 250, "near equilibrium")
    )
    s = mr.solve(t, columns)
    e = columns["energies"]
    turns = np.asarray(s.heat.array) / np.stack([e[:, 1] - e[:, 0], e[:, 2] - e[:, 1], e[:, 0] - e[:, 2]], axis=-1)
    assert np.max(np.abs(turns / turns[:, :1] - 1)) < 1e-11


def test_three_terminal_stall_in_a_network():
    """The bias at which a dot assisted by phonons stops carrying charge still produces entropy ≥ 0 and no work."""

    def solved(bias):
        return cs.steady_state(
            cs.JumpNetwork(
                energies=[0.0, 1.0, 2.5],
                occupations=[0, 1, 1],
                baths={
                    "left": cs.ElectronBath(1.0, bias / 2),
                    "right": cs.ElectronBath(1.0, -bias / 2),
                    "phonons": cs.BosonBath(2.0),
                },
                channels=[
                    cs.Channel("left", 0, 1, cs.Tunnelling(1.0)),
                    cs.Channel("right", 0, 2, cs.Tunnelling(1.0)),
                    cs.Channel("phonons", 1, 2, cs.Bosonic(cs.Ohmic(0.5))),
                ],
            )
        )

    # Tight coupling: each electron takes one phonon, so the stall is at bias = −ω(1 − T_e/T_ph).
    stall = brentq(lambda v: float(solved(v).particles["left"]), -2.0, 0.5, xtol=1e-14)
    assert abs(stall + 1.5 * (1 - 1.0 / 2.0)) < 1e-12
    s = solved(stall + 1e-6)
    assert s.regime == "engine"
    assert abs(s.second_law_efficiency("left") - 1) < 1e-5


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
    # The error estimate is what was asked for: 1e-8 of the largest entry.
    scale = np.max(np.abs(np.concatenate([np.asarray(s.energy.array), np.asarray(s.work.array)], -1)), -1)
    worst = np.max(np.concatenate([np.asarray(s.error.energies), np.asarray(s.error.works)], -1), -1)
    assert np.all((worst <= 1e-8 * scale * (1 + 1e-12)) | (scale <= worst))


def _take(s: cs.Solution, index: np.ndarray) -> cs.Solution:
    return jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, s)


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


# --------------------------------------------------------------------------- no pumping


RING = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]


def edge_currents(driven: tuple[str, ...], points: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Period-averaged probability current of each edge of a ring with a chord, its error, and the gross jump rate.

    Arrhenius rates with symmetric barriers at one temperature. Each edge has a lead of its own at μ = 0, which
    leaves the rates alone, and the states hold 0, 1, 3, 7 particles: what a lead gives tells its edge's current.
    """
    occupations = (0, 1, 3, 7)
    baths = tuple((f"edge {i}-{f}", "electron") for i, f in RING)
    edges = tuple(mr.Edge((name,), i, f, "arrhenius") for (name, _), (i, f) in zip(baths, RING, strict=True))
    t = mr.Topology("no pumping", occupations, baths, edges, driven=driven)
    columns = mr.draw(t, np.random.default_rng(1), points)
    columns["temperature"][:] = np.clip(columns["temperature"][:, :1], 0.5, None)
    columns["potential"][:] = 0.0
    columns["period"] = 10 ** np.random.default_rng(2).uniform(-1, 2, points)
    s = mr.solve(t, columns)
    good = np.flatnonzero(np.asarray(s.ok))
    assert good.size >= 0.99 * points
    s, columns = _take(s, good), {name: values[good] for name, values in columns.items()}
    carried = np.array([occupations[f] - occupations[i] for i, f in RING])
    p = routes.parts(dataclasses.replace(t, driven=()), columns)
    gross = np.exp(np.maximum(p.log_forward, p.log_backward)).max(axis=-1, keepdims=True)
    errors = np.asarray(s.error.particle_numbers) / np.abs(carried)
    return np.asarray(s.particles.array) / carried, errors, gross


@pytest.mark.parametrize("driven", [("energy",), ("barrier",)], ids=["energies", "barriers"])
def test_no_pumping(driven):
    """Driving only the energies, or only the barriers, moves no net probability along any edge."""
    current, error, gross = edge_currents(driven)
    assert np.all(np.abs(current) <= error + 1e-15 * gross)
    assert np.all(error < 1e-7 * gross)


def test_driving_energies_and_barriers_pumps():
    current, error, gross = edge_currents(("energy", "barrier"))
    assert np.all(error < 1e-7 * gross)
    assert np.mean(np.max(np.abs(current) / error, axis=-1) > 1e3) > 0.9
    # Stationary in the mean: what enters a state leaves it.
    for state in range(4):
        net = sum(current[:, k] * ((f == state) - (i == state)) for k, (i, f) in enumerate(RING))
        assert np.all(np.abs(net) <= error.sum(axis=-1) + 1e-15 * gross[:, 0])


def test_glauber_rates_do_pump():
    """Rates that are not of Arrhenius form pump when only the energies are driven: the spin pair at one temperature."""
    s = cs.steady_state(cs.machines.SpinPair(left=cs.HeatBath(0.5), right=cs.HeatBath(0.5)))
    assert s.regime == "heat pump"
    assert s.heat["right"] > 1e4 * s.error.heat["right"]


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
