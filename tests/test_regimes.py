"""Regimes, COP, efficiency and flags: a table of cases, and real machines in each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot import regimes, views
from tests.ledgers import TINY, random_ledgers, view
from tests.tolerance import assert_close

# heat (hot, cold), work_in, temperatures → regime, COP, efficiency
TWO = [
    ((-3.0, 1.0), 2.0, (2.0, 1.0), "refrigerator", 0.5, None),
    ((3.0, -1.0), -2.0, (2.0, 1.0), "engine", None, 2 / 3),
    ((-1.0, -1.0), 2.0, (2.0, 1.0), "heater", None, None),
    ((-2.0, 0.0), 2.0, (2.0, 1.0), "heater", None, None),
    ((1.0, -3.0), 2.0, (2.0, 1.0), "accelerator", None, None),
    ((1.0, -1.0), 0.0, (2.0, 1.0), "passive", None, None),
    ((1.0, -1.0), 1e-13, (2.0, 1.0), "passive", None, None),
    ((0.0, 0.0), 0.0, (2.0, 1.0), "passive", None, None),
    ((1.0, -3.0), 2.0, (1.0, 1.0), "heat pump", 0.5, None),
    ((-3.0, 1.0), 2.0, (1.0, 1.0), "heat pump", 0.5, None),
    ((-1.0, -1.0), 2.0, (1.0, 1.0), "heater", None, None),
    ((0.0, 0.0), 0.0, (1.0, 1.0), "passive", None, None),
]
# heat, work_in, temperatures (three baths)
THREE = [
    ((2.0, 1.0, -3.0), 0.0, (3.0, 1.0, 2.0), "absorption refrigerator", 0.5, None),
    ((2.0, -1.0, -1.0), 0.0, (3.0, 1.0, 2.0), "passive", None, None),
    ((-4.0, 1.0, 1.0), 2.0, (3.0, 1.0, 2.0), "refrigerator", 0.5, None),
    ((3.0, -1.0, 0.5), -2.5, (3.0, 1.0, 2.0), "engine", None, 2.5 / 3.5),
    ((-4.0, 1.0, 1.0), 2.0, (1.0, 1.0, 1.0), "heat pump", 0.5, None),
    ((-4.0, -1.0, 3.0), 2.0, (2.0, 1.0, 1.0), "refrigerator", 1.0, None),
    ((1.0, -2.0, -1.0), 2.0, (3.0, 1.0, 2.0), "accelerator", None, None),
    # Two temperatures: what counts is what the two cold baths (or the two hot ones) do together.
    ((1.0, -4.0, 1.0), 2.0, (2.0, 1.0, 1.0), "accelerator", None, None),
    ((-1.0, -4.0, 3.0), 2.0, (2.0, 1.0, 1.0), "heater", None, None),
    ((1.0, -2.0, 1.0), 0.0, (2.0, 1.0, 1.0), "passive", None, None),
    ((4.0, -1.0, -2.0), -1.0, (2.0, 2.0, 1.0), "engine", None, 1 / 3),
]
# heat, work_in, of which chemical work, temperatures
CHEMICAL = [
    ((-1.0, 0.0), 1.0, 3.0, (1.0, 1.0), "chemical engine", None, 2 / 3),
    ((-1.0, -2.0), 3.0, -2.0, (1.0, 1.0), "chemical pump", None, None),
    ((1.0, -2.0), 1.0, 3.0, (1.0, 1.0), "heat pump", 1.0, None),
    ((-1.0, 0.0), 1.0, 3.0, (2.0, 1.0), "heater", None, None),
    ((-1.0, 0.0), 1.0, 1.0, (1.0, 1.0), "heater", None, None),
    ((-1.0,), 1.0, 3.0, (1.0,), "chemical engine", None, 2 / 3),
]


@pytest.mark.parametrize(("heat", "work", "temperatures", "name", "cop", "efficiency"), TWO + THREE)
def test_table(heat, work, temperatures, name, cop, efficiency):
    v = view(heat, work, temperatures)
    assert regimes.regime(v) == name
    for value, expected in ((regimes.cop(v), cop), (regimes.efficiency(v), efficiency)):
        if expected is None:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(expected, rel=1e-15, abs=0)


def test_batches_give_arrays():
    heats = np.array([case[0] for case in TWO])
    v = view(heats, [c[1] for c in TWO], [c[2] for c in TWO])
    assert list(regimes.regime(v)) == [c[3] for c in TWO]
    assert np.array_equal(np.isnan(regimes.cop(v)), [c[4] is None for c in TWO])
    for name, one in (("regime", regimes.codes), ("cop", regimes.cop), ("efficiency", regimes.efficiency)):
        np.testing.assert_array_equal(regimes.judged(v)[name], one(v))


@pytest.mark.parametrize(("heat", "work", "chemical", "temperatures", "name", "cop", "efficiency"), CHEMICAL)
def test_chemical_work_at_one_temperature(heat, work, chemical, temperatures, name, cop, efficiency):
    v = view(heat, work, temperatures, chemical=chemical)
    assert regimes.regime(v) == name
    assert regimes.cop(v) == cop if cop else np.isnan(regimes.cop(v))
    assert regimes.efficiency(v) == efficiency if efficiency else np.isnan(regimes.efficiency(v))


def test_codes_stand_in_files():
    """They do not change: new regimes come at the end."""
    assert regimes.NAMES == (
        "passive", "refrigerator", "engine", "heater", "accelerator", "heat pump", "absorption refrigerator", "unknown",
        "chemical engine", "chemical pump",
    )  # fmt: skip


def test_untrusted_points_are_unknown():
    v = view((3.0, -1.0), -2.0, (2.0, 1.0), trusted=False)
    assert regimes.regime(v) == "unknown"
    assert np.isnan(regimes.efficiency(v))


@pytest.mark.parametrize(
    ("heat", "particles", "temperatures", "potentials", "raised"),
    [
        ((-1.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (0.0, 0.0), {regimes.FLAGS[0]}),
        ((-1.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, 0.0), set(regimes.FLAGS[1:3])),
        ((0.0, 0.0, 0.0), (1.0, -1.0, 0.0), (2.0, 2.0, 1.0), (0.0, 0.0, 0.0), {regimes.FLAGS[3]}),
    ],
)
def test_untrusted_points_raise_no_flag(heat, particles, temperatures, potentials, raised):
    kinds = ("electron", "electron", "boson")[: len(heat)]
    for trusted in (True, False):
        v = view(heat, 0.0, temperatures, kinds=kinds, particles=particles, potentials=potentials, trusted=trusted)
        assert {name for name, up in regimes.flags(v).items() if up} == (raised if trusted else set())


@pytest.mark.parametrize("heat", [(3.0, -1.0), (-3.0, 1.0)])
def test_a_ledger_without_the_elastic_current_has_no_regime(heat):
    v = view(heat, -sum(heat), (2.0, 1.0), complete=False)
    assert regimes.regime(v) == "unknown"
    for ratio in (regimes.cop, regimes.efficiency, regimes.cop_ratio, regimes.efficiency_ratio):
        assert np.isnan(ratio(v))


def test_a_bath_whose_temperature_is_driven_stands_alone():
    """Two baths with one mean temperature, of which one is driven: no heat pump at one temperature."""
    heat, temperatures = (1.0, -3.0), (1.0, 1.0)
    assert regimes.regime(view(heat, 2.0, temperatures)) == "heat pump"
    assert regimes.regime(view(heat, 2.0, temperatures, steady=(True, False))) != "heat pump"
    three = view((1.0, -4.0, 1.0), 2.0, (2.0, 1.0, 1.0), steady=(True, True, False))
    assert views.by_temperature(three).count == 3
    assert views.by_temperature(view((1.0, -4.0, 1.0), 2.0, (2.0, 1.0, 1.0))).count == 2


# --------------------------------------------------------------------------- random ledgers


def same(a, b):
    """Regimes, COP and efficiency of two batches."""
    for quantity in (regimes.cop, regimes.efficiency):
        np.testing.assert_allclose(quantity(a), quantity(b), rtol=1e-12)
    return np.array_equal(regimes.codes(a), regimes.codes(b))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("baths", [1, 2, 3, 5])
def test_names_units_and_parts_of_baths_do_not_matter(seed, baths):
    """The order of baths, the unit of energy, JAX or NumPy."""
    rng = np.random.default_rng(seed)
    heat, work, chemical, temperatures = random_ledgers(seed, baths, (1.0, 2.0, 3.0)[: seed % 3 + 1])
    whole = view(heat, work, temperatures, chemical=chemical)
    order = rng.permutation(baths)
    assert same(whole, view(heat[:, order], work, temperatures[:, order], chemical=chemical))
    scaled = view(1e6 * heat, 1e6 * work, 7 * temperatures, chemical=1e6 * chemical, error=1e6 * TINY)
    assert same(whole, scaled)
    assert same(whole, view(heat, work, temperatures, chemical=chemical))
    point = view(heat[7], work[7], temperatures[7], chemical=chemical[7])
    assert regimes.regime(point) == regimes.regime(whole)[7]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("baths", [2, 3, 4])
def test_a_bath_in_two_parts_is_one(seed, baths):
    """However its heat is shared between the parts; with one temperature everywhere, that is by bath and may matter."""
    rng = np.random.default_rng(seed)
    heat, work, chemical, temperatures = random_ledgers(seed, baths, (1.0, 2.0, 3.0))
    temperatures[:, 0], temperatures[:, 1] = 1.0, 2.0
    share = rng.normal(size=len(heat))
    parted = np.concatenate([heat, (heat[:, -1] - share)[:, None]], axis=-1)
    parted[:, -2] = share
    again = np.concatenate([temperatures, temperatures[:, -1:]], axis=-1)
    one = view(heat, work, temperatures, chemical=chemical, error=1e-9)
    two = view(parted, work, again, chemical=chemical, error=1e-9)
    assert np.array_equal(regimes.codes(one), regimes.codes(two))
    for ratio in (regimes.cop, regimes.efficiency, regimes.cop_ratio, regimes.efficiency_ratio):
        np.testing.assert_allclose(ratio(one), ratio(two), rtol=1e-9, atol=1e-12)


def test_ratios_for_optimisers():
    """The same as COP and efficiency where these are defined, smooth where they are not."""
    cases = [c for c in TWO + THREE if c[4] is not None and c[3] != "absorption refrigerator"]
    for heat, work, temperatures, _, cop, _ in cases:
        assert abs(regimes.cop_ratio(view(heat, work, temperatures)) - cop) < 1e-15
    for heat, work, temperatures, _, _, efficiency in [c for c in TWO + THREE if c[5] is not None]:
        assert abs(regimes.efficiency_ratio(view(heat, work, temperatures)) - efficiency) < 1e-15
    engine = view((3.0, -1.0), -2.0, (2.0, 1.0))
    assert np.isnan(regimes.cop(engine))
    assert regimes.cop_ratio(engine) == 0.5

    def ratio(work, function):
        return function(view((3.0, -1.0), 0.0, (2.0, 1.0), xp=jnp)._replace(work_in=work))

    for function, slope in ((regimes.cop_ratio, 0.25), (regimes.efficiency_ratio, -1 / 3)):
        derivative = jax.jit(jax.grad(ratio), static_argnums=1)
        assert abs(derivative(-2.0, function) - slope) < 1e-15
        assert np.isfinite(derivative(0.0, function))


def test_an_optimiser_starts_outside_the_regime():
    """The gradient of the unmasked COP of a dot that heats says which way its level must go; the masked one is 0."""

    def of(level, name):
        return getattr(cs.steady_state(cs.machines.QuantumDot(level=level)), name)

    assert cs.steady_state(cs.machines.QuantumDot(level=-1.0)).regime == "heater"
    masked, smooth = (float(jax.grad(of)(-1.0, name)) for name in ("cop", "cop_ratio"))
    assert masked == 0
    # heat[cold]/work_in = −(ε−μ_R)/(μ_L−μ_R) of tight coupling: slope −1/5.
    assert abs(smooth + 0.2) < 1e-12


def test_rates_within_their_error_count_as_zero():
    assert regimes.regime(view((1.0, -1.5), 0.5, (2.0, 1.0), error=0.6)) == "passive"
    assert regimes.regime(view((1.0, -1.5), 0.5, (2.0, 1.0), error=0.4)) == "accelerator"


def test_the_named_bath_is_the_cooled_one():
    heat, temperatures = (-4.0, -1.0, 3.0), (3.0, 1.0, 2.0)
    assert regimes.regime(view(heat, 2.0, temperatures)) == "accelerator"
    named = view(heat, 2.0, temperatures, cooled=2)
    assert regimes.regime(named) == "refrigerator"
    assert regimes.cop(named) == 1.5


def test_bounds_of_carnot():
    assert regimes.carnot_cop(5.0, 10.0) == 1.0
    assert regimes.carnot_efficiency(2.5, 10.0) == 0.75
    assert np.isinf(regimes.carnot_cop(1.0, 1.0))


# --------------------------------------------------------------------------- the dot of the paper


def dot(level, temperature=7.5, gradient=5.0, bias=5.0):
    return cs.steady_state(
        cs.machines.QuantumDot(
            level,
            cs.ElectronBath(temperature + gradient / 2, bias / 2),
            cs.ElectronBath(temperature - gradient / 2, -bias / 2),
        )
    )


@pytest.mark.parametrize(
    ("bias", "level", "name"),
    [
        (5.0, -15.0, "engine"), (5.0, -7.6, "engine"), (5.0, -7.4, "refrigerator"), (5.0, -2.6, "refrigerator"),
        (5.0, -2.4, "heater"), (5.0, 0.0, "heater"), (5.0, 2.4, "heater"), (5.0, 2.6, "accelerator"),
        (-5.0, -10.0, "accelerator"), (-5.0, 0.0, "heater"), (-5.0, 5.0, "refrigerator"), (-5.0, 10.0, "engine"),
    ],
)  # fmt: skip
def test_regimes_of_the_dot(bias, level, name):
    s = dot(level, bias=bias)
    assert s.regime == name
    heat_hot, heat_cold = float(s.heat["left"]), float(s.heat["right"])
    if name == "refrigerator":
        assert_close(s.cop, heat_cold / s.work_in, 1e-15)
        assert s.cop < regimes.carnot_cop(5.0, 10.0)
        assert_close(s.second_law_efficiency("left"), s.cop / regimes.carnot_cop(5.0, 10.0), 1e-14)
    else:
        assert np.isnan(s.cop)
    if name == "engine":
        assert_close(s.efficiency, -s.work_in / heat_hot, 1e-15)
        assert_close(s.second_law_efficiency("right"), s.efficiency / 0.5, 1e-14)
    else:
        assert np.isnan(s.efficiency)


AT, ANM, RHT = "anomalous thermodiffusion", "absolute negative mobility", "reverse heat transport"


@pytest.mark.parametrize(
    ("level", "gradient", "bias", "expected"),
    [
        (-5.0, 5.0, 0.0, {AT}),
        (5.0, 5.0, 0.0, set()),
        (-15.0, 5.0, 5.0, {ANM}),
        (-5.0, 5.0, 5.0, {RHT}),
        (-15.0, 5.0, 20.0, {RHT}),
        (-15.0, 5.0, 9.9, {ANM}),
        (-15.0, 5.0, 31.0, set()),
        (0.0, 5.0, 5.0, set()),
        (10.0, 5.0, 5.0, set()),
        (-15.0, -5.0, -5.0, set()),
        (15.0, -5.0, -5.0, set()),
        (-15.0, 0.0, 5.0, set()),
        (0.0, 5.0, 0.0, set()),
    ],
)
def test_flags_of_the_dot(level, gradient, bias, expected):
    """By definition; the mirrored dot (both gradients reversed) shows the same for the same level."""
    s = dot(level, gradient=gradient, bias=bias)
    if (gradient, bias) == (-5.0, -5.0) and level < 0:
        expected = {ANM}
    assert {name for name, on in s.flags.items() if on} == expected
    assert set(s.flags) == {AT, ANM, RHT}


def test_flags_need_exactly_two_leads():
    assert cs.steady_state(cs.machines.SpinPair()).flags == {}


# --------------------------------------------------------------------------- three terminals


def assisted(t_left=1.0, t_right=1.0, t_phonons=0.5, mu_left=0.0, mu_right=0.0, gap=1.5, cooled=None):
    """Left lead fills level 1, right lead level 2, phonons carry between: particles flow only with their help."""
    return cs.JumpNetwork(
        energies=[0.0, -0.5, gap - 0.5],
        occupations=[0, 1, 1],
        baths={
            "left": cs.ElectronBath(t_left, mu_left),
            "right": cs.ElectronBath(t_right, mu_right),
            "phonons": cs.BosonBath(t_phonons),
        },
        channels=[
            cs.Channel("left", 0, 1, cs.Tunnelling(1.0)),
            cs.Channel("right", 0, 2, cs.Tunnelling(1.0)),
            cs.Channel("phonons", 1, 2, cs.Bosonic(cs.Ohmic(0.5))),
        ],
        cooled_bath=cooled,
    )


def test_cold_spot_current():
    """Leads alike, phonons colder: a current without bias. No flag if they are not colder, or the leads differ."""
    s = cs.steady_state(assisted())
    assert s.flags == {"cold-spot current": True}
    assert abs(s.particles["left"]) > 1e-3
    assert s.heat["phonons"] < 0
    assert cs.steady_state(assisted(t_phonons=1.0)).flags == {"cold-spot current": False}
    assert cs.steady_state(assisted(t_phonons=2.0)).flags == {"cold-spot current": False}
    assert cs.steady_state(assisted(mu_left=0.1)).flags == {"cold-spot current": False}
    assert cs.steady_state(assisted(t_left=1.1)).flags == {"cold-spot current": False}
    symmetric = cs.JumpNetwork(
        energies=[0.0, 1.0],
        occupations=[0, 1],
        baths={"left": cs.ElectronBath(1.0), "right": cs.ElectronBath(1.0), "phonons": cs.BosonBath(0.5)},
        channels=[cs.Channel(lead, 0, 1, cs.Tunnelling(1.0)) for lead in ("left", "right")],
    )
    flags = cs.steady_state(symmetric).flags
    assert not flags["cold-spot current"]
    # Two leads at rate 1 make the level 2 wide, more than their temperature.
    assert {name for name, on in flags.items() if on} == {"broadening-neglected"}


def three_level(t_hot=4.0, t_cold=1.0, t_room=2.0, gap_cold=0.5, gap_hot=2.0):
    """The three-level absorption refrigerator: cold bath 0–1, hot 1–2, room 0–2."""
    return cs.JumpNetwork(
        energies=[0.0, gap_cold, gap_cold + gap_hot],
        baths={"room": cs.BosonBath(t_room), "hot": cs.BosonBath(t_hot), "cold": cs.BosonBath(t_cold)},
        channels=[
            cs.Channel("cold", 0, 1, cs.Bosonic(0.1)),
            cs.Channel("hot", 1, 2, cs.Bosonic(0.1)),
            cs.Channel("room", 0, 2, cs.Bosonic(0.1)),
        ],
    )


def test_absorption_refrigerator():
    s = cs.steady_state(three_level())
    assert s.regime == "absorption refrigerator"
    assert s.heat["cold"] > 0
    # Tight coupling: heats in the ratio of the gaps; COP against the hot bath below Carnot's (1−T_r/T_h)/(T_r/T_c−1).
    ratio = float(s.heat["cold"] / s.heat["hot"])
    assert_close(ratio, 0.25, 1e-14)
    carnot = (1 - 2 / 4) / (2 / 1 - 1)
    assert ratio < carnot
    assert_close(s.second_law_efficiency("room"), ratio / carnot, 1e-13)
    assert_close(s.cop, ratio, 1e-14)
    # Beyond the window the cold bath is heated instead.
    assert cs.steady_state(three_level(gap_cold=1.5)).regime == "passive"


def test_two_cold_leads_that_together_warm_up():
    """Levels 0, 3, 3.5 with 0, 1, 1 electrons, a bias of .2 and warmer phonons: one lead is cooled, both are heated."""
    s = cs.steady_state(
        cs.JumpNetwork(
            energies=[0.0, 3.0, 3.5],
            occupations=[0, 1, 1],
            baths={
                "left": cs.ElectronBath(1.0, 0.1),
                "right": cs.ElectronBath(1.0, -0.1),
                "phonons": cs.BosonBath(1.2),
            },
            channels=[
                *(cs.Channel(lead, 0, state, cs.Tunnelling(0.1)) for lead in ("left", "right") for state in (1, 2)),
                cs.Channel("phonons", 1, 2, cs.Bosonic(0.02)),
            ],
        )
    )
    assert max(float(s.heat["left"]), float(s.heat["right"])) > 0
    assert abs(float(s.heat["left"] + s.heat["right"]) / -1.897e-4 - 1) < 3e-4
    assert abs(float(s.heat["phonons"]) / 4.75e-5 - 1) < 1e-3
    assert abs(float(s.work_in) / 1.4225e-4 - 1) < 3e-4
    assert s.regime == "accelerator"
    assert np.isnan(s.cop)


def test_three_terminal_harvester():
    """Two cold leads at μ = ∓V/2 and a hot gate, one quantum U of heat for an electron: Carnot at stall."""
    t_cold, t_hot, quantum = 1.0, 2.0, 3.0
    carnot = 1 - t_cold / t_hot
    for voltage, name in ((0.5 * carnot * quantum, "engine"), (0.999 * carnot * quantum, "engine")):
        v = view((quantum, 0.4 * quantum, -1.4 * quantum + voltage), -voltage, (t_hot, t_cold, t_cold))
        assert regimes.regime(v) == name
        assert abs(regimes.efficiency(v) - voltage / quantum) < 1e-15
        assert regimes.efficiency(v) < regimes.carnot_efficiency(t_cold, t_hot)
    # Beyond stall the electrons run backwards: the cold leads together are cooled, the gate is heated.
    voltage = 1.2 * carnot * quantum
    back = view((-quantum, -0.4 * quantum, 1.4 * quantum - voltage), voltage, (t_hot, t_cold, t_cold))
    assert regimes.regime(back) == "refrigerator"
    assert abs(regimes.cop(back) - (quantum - voltage) / voltage) < 1e-15
    assert regimes.cop(back) < regimes.carnot_cop(t_cold, t_hot)


def test_refrigerator_with_three_baths_cools_the_named_one():
    network = assisted(t_phonons=0.9, mu_left=-1.5, mu_right=1.5)
    s = cs.steady_state(network)
    assert s.heat["phonons"] < 0
    assert s.regime in ("heater", "accelerator")
    forward = cs.steady_state(assisted(t_phonons=0.9, mu_left=0.6, mu_right=-0.6))
    assert forward.regime == "refrigerator"
    assert_close(forward.cop, forward.heat["phonons"] / forward.work_in, 1e-15)
    assert (
        cs.steady_state(assisted(t_phonons=0.9, mu_left=0.6, mu_right=-0.6, cooled="phonons")).regime == "refrigerator"
    )


def test_equal_temperatures_with_a_driven_pair_is_a_heat_pump():
    s = cs.steady_state(cs.machines.SpinPair(left=cs.HeatBath(0.5), right=cs.HeatBath(0.5)))
    assert s.regime == "heat pump"
    cooled = max(float(s.heat["left"]), float(s.heat["right"]))
    assert_close(s.cop, cooled / s.work_in, 1e-15)


def test_second_law_efficiency_bounds_and_bad_references():
    s = cs.steady_state(three_level())
    for name in s.baths:
        assert 0 < s.second_law_efficiency(name) < 1
    with pytest.raises(cs.InputError, match=r"second_law_efficiency.*rom.*room"):
        s.second_law_efficiency("rom")
    driven = cs.JumpNetwork(
        energies=[0.0, 1.0],
        occupations=[0, 1],
        baths={"left": _lead, "right": cs.ElectronBath(1.0)},
        channels=[cs.Channel(lead, 0, 1, cs.Tunnelling(1.0)) for lead in ("left", "right")],
        drives={"gate": cs.Cosine(0.3)},
        period=2.0,
    )
    with pytest.raises(ValueError, match=r"reference.*left"):
        cs.steady_state(driven).second_law_efficiency("left")


def _lead(values):
    return cs.ElectronBath(1.0, values["gate"])


def test_second_law_efficiency_of_two_uncoupled_machines():
    """Dots at (1.1, 1) and (3, 1.1) together beat the extreme pair's COP bound, but not the second law."""
    s = cs.steady_state(three_level(t_hot=50.0, t_cold=1.0, t_room=1.1, gap_cold=0.2, gap_hot=0.3))
    assert s.entropy_production > 0
    assert s.second_law_efficiency("room") <= 1


def test_table_prints_everything():
    text = repr(dot(-15.0))
    for word in ("left", "right", "electron", "regime engine", "absolute negative mobility", "efficiency", "status OK"):
        assert word in text
    assert "work by drive: left" in repr(cs.steady_state(cs.machines.SpinPair()))


def test_a_bath_that_exchanges_nothing_has_no_part():
    dot = cs.machines.QuantumDot().dynamics()
    more = cs.JumpNetwork(
        dot.energies, dict(dot.baths) | {"spare": cs.ElectronBath(0.1)}, dot.channels, occupations=[0, 1]
    )
    alone, beside = cs.steady_state(dot), cs.steady_state(more)
    assert alone.regime == beside.regime == "refrigerator"
    assert float(alone.cop) == float(beside.cop)


def test_a_single_bath_that_yields_work_has_no_efficiency():
    v = view((1.0,), -1.0, (1.0,))
    assert regimes.regime(v) == "engine"
    assert np.isnan(regimes.efficiency(v))
