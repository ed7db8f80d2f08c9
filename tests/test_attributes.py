"""Wrong names are told the nearest right one; what cannot be set says how to make another; results print numbers."""

import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot import units
from coldspot._checks import worded
from coldspot.conductor.mode_populations import ModePopulations
from coldspot.jump.dissipation import Dissipation

DOT = cs.machines.QuantumDot()


@pytest.fixture(scope="module")
def solution():
    return cs.steady_state(DOT)


@pytest.mark.parametrize(
    ("name", "words"), [("heats", "`heat`"), ("regimes", "`regime`"), ("efficency", "`efficiency`")]
)
def test_results_name_the_nearest_attribute(solution, name, words):
    with pytest.raises(AttributeError, match=f"Solution has no `{name}`. Did you mean {words}?"):
        getattr(solution, name)


def test_rooms_and_symbols_name_the_nearest():
    with pytest.raises(AttributeError, match=r"coldspot\.machines has no `Quantumdot`\. Did you mean `QuantumDot`\?"):
        _ = cs.machines.Quantumdot
    with pytest.raises(AttributeError, match=r"coldspot\.figures has no `regimemap`\. Did you mean `regime_map`\?"):
        _ = cs.figures.regimemap
    for space, wrong, right in (
        (cs.occupation, "fermy", "fermi"),
        (cs.spectral, "Omhic", "Ohmic"),
        (cs.regimes, "carnot_cops", "carnot_cop"),
        (cs.dynamics, "stedy_state", "steady_state"),
        (units, "to_numbers", "to_number"),
    ):
        with pytest.raises(AttributeError, match=f"{space.__name__} has no `{wrong}`. Did you mean `{right}`"):
            getattr(space, wrong)
    with pytest.raises(AttributeError, match=r"coldspot has no `np`\. Valid"):  # what a room imports is not in it
        _ = cs.np
    with pytest.raises(AttributeError, match=r"has no `fano`.*`\.cumulants\(2\)\.fano`"):
        _ = cs.counting(DOT, "heat", "left").fano
    assert not hasattr(cs.machines, "__wrapped__")
    for space, wrong in ((cs, "steady_stat"), (cs, "QuantumDot"), (cs.machines, "QuantumDo")):
        with pytest.raises(AttributeError) as info:
            getattr(space, wrong)
        assert info.value.obj is None  # in which Python looks for a guess of its own to print
    for symbol, word in {"T": "temperature", "mu": "chemical_potential"}.items():
        with pytest.raises(cs.InputError, match=f"there is no argument `{symbol}`. Did you mean `{word}`?"):
            cs.ElectronBath(**{symbol: 1.0})


def test_names_in_brackets_are_told_so(solution):
    with pytest.raises(AttributeError, match=r"write `\['left'\]` instead of `.left`"):
        _ = solution.heat.left
    with pytest.raises(AttributeError, match=r"QuantumDot has no `levle`\. Did you mean `level`\?") as info:
        _ = DOT.levle
    assert info.value.obj is None
    with pytest.raises(AttributeError, match="Ledger has no `heat_`"):
        _ = solution.ledger.heat_
    assert not hasattr(DOT, "_repr_svg_")


def test_a_property_that_fails_says_what_failed():
    class Broken(cs.HeatBath):
        @property
        def half(self):
            return self.temperature.no_such_thing / 2

    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = Broken(1.0).half


def test_what_cannot_be_set_says_how_to_make_another(solution):
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"dataclasses.replace\(quantum_dot, level=…\)"):
        DOT.level = 3.0
    assert float(dataclasses.replace(DOT, level=3.0).level) == 3.0
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"Did you mean `level`\?"):
        DOT.levl = 3.0
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"`Dots\(leads=…, …\)`"):
        cs.Dots([[1.0]], {"left": cs.Lead(cs.ElectronBath(1.0), 0.1)}).leads = {}
    with pytest.raises(dataclasses.FrozenInstanceError, match="It is a result"):
        solution.status = 0


def test_copies_and_messages_travel(solution):
    for thing in (DOT, solution, solution.heat):
        assert repr(pickle.loads(pickle.dumps(thing))) == repr(copy.deepcopy(thing)) == repr(thing)
    with pytest.raises(AttributeError) as caught:
        _ = DOT.levle
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_names_that_are_offered_are_those_for_users():
    assert set(cs.__all__) <= set(dir(cs))
    assert not {"pytrees", "_checks", "tiers", "store"} & set(dir(cs))
    assert dir(cs.jump) == sorted(cs.jump.__all__)
    assert "QuantumDot" in dir(cs.machines)


def test_dissipation_and_populations_of_modes_print_their_numbers():
    numbers = np.array([0.125, 0.25])
    names = ("currents", "affinities", "productions", "cycle_affinities", "cycle_fluxes")
    found = Dissipation(
        initial=(0, 1),
        final=(1, 0),
        channel=(0, 1),
        cycles=((0, 1),),
        channels=numbers,
        errors=dict.fromkeys(names, 1e-9 * numbers),
        status=np.array(0),
        **dict.fromkeys(names, numbers),
    )
    modes = ModePopulations(
        *[jnp.array(numbers)] * 5,
        errors=1e-9 * jnp.ones((2, 2)),
        population_errors=1e-9 * jnp.ones(2),
        temperature_errors=1e-9 * jnp.ones(2),
        potential_errors=1e-9 * jnp.ones(2),
        stable=jnp.array([True, False]),
    )
    for shown in (repr(found), found._repr_html_()):
        for text in ("0.125 ± 1e-10", "entropy production 0.375", "0 → 1 → 0", "status OK"):
            assert text in shown
    for shown in (repr(modes), modes._repr_html_()):
        for text in ("0.125 ± 1e-09", "effective T", "not stable: 1"):
            assert text in shown


def test_functions_of_the_drives_are_told_how_values_are_read():
    with pytest.raises(AttributeError, match=r"write `values\['gate'\]`"):
        cs.JumpNetwork(
            energies=lambda values: [0.0, values.gate],
            baths={"left": cs.HeatBath(1.0)},
            channels=[cs.Channel("left", 0, 1, cs.Glauber(1.0))],
            drives={"gate": cs.Cosine(1.0)},
            period=1.0,
        )


def test_units_are_called_what_python_calls_them():
    with pytest.raises(cs.InputError, match=r"^`unit`: `mev` is not a known unit\. Did you mean `meV`"):
        cs.sweep(DOT, {"level": [1.0]}, unit="mev")
    with pytest.raises(cs.InputError, match="files and the command line read units"):
        cs.machines.QuantumDot(level="1 meV")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cs.steady_state(DOT, tol=1.0), "steady_state: there is no argument `tol`. Did you mean `tolerance`?"),
        (
            lambda: cs.steady_state(DOT, 1e-9),
            "steady_state: in order it takes machine and by name tolerance, throw, but",
        ),
        (lambda: cs.sweep(DOT), "sweep: the argument `parameters` is missing. It takes: machine, parameters, also"),
        (
            lambda: cs.optimise(DOT, maximize="cop"),
            "optimise: there is no argument `maximize`. Did you mean `maximise`?",
        ),
        (
            lambda: cs.trajectories(DOT, jax.random.key(0), begin=0),
            "JumpNetwork.trajectories: there is no argument `begin`",
        ),
        (lambda: cs.OscillatorNetwork.chain(3, temps=(2, 1)), "OscillatorNetwork.chain: there is no argument `temps`"),
        (lambda: cs.ElectronBath(temp=3), "ElectronBath: there is no argument `temp`. Did you mean `temperature`?"),
        (
            lambda: cs.ElectronBath(1.0, 2.0, 3.0),
            "ElectronBath: in order it takes temperature, chemical_potential, but 3",
        ),
        (lambda: cs.ElectronBath(1.0, temperature=2.0), "ElectronBath: the argument `temperature` is given twice."),
        (
            lambda: cs.Channel("left", 0, 1),
            "Channel: the argument `kinetics` is missing. It takes: bath, initial, final",
        ),
        (lambda: cs.jump.first_passage(DOT, 1, 0), "first_passage: in order it takes network and by name to, start"),
    ],
)
def test_arguments_that_do_not_fit_are_told_what_does(call, words):
    with pytest.raises(cs.InputError) as caught:
        call()
    assert str(caught.value).startswith(words)


def test_type_errors_inside_a_function_stay_what_they_are():
    with pytest.raises(TypeError, match="unsupported operand"):
        worded(lambda x: x + None)(1.0)


def test_the_likeliest_of_many_names_come_first(solution):
    from coldspot._attributes import MOST_LISTED, listed

    names = [f"name_{k}" for k in range(40)] + ["entropy_flow"]
    assert listed("flow", names, 3).startswith("entropy_flow, ")
    assert listed("FLOW", names, 3).endswith(", …")
    assert len(listed("x", names, MOST_LISTED).split(", ")) == MOST_LISTED + 1
    with pytest.raises(AttributeError, match="Did you mean `cop`"):
        _ = solution.COP


def test_arithmetic_keeps_names(solution):
    heat, numbers = solution.heat, np.asarray(solution.heat.array)
    for found, expected in (
        (heat * 2, 2 * numbers),
        (-heat, -numbers),
        (abs(heat), abs(numbers)),
        (1.0 - heat / 4, 1 - numbers / 4),
        (2.0 / heat**2, 2 / numbers**2),
        (heat + solution.chemical_work, solution.energy.array),
        (np.array([1.0, 2.0]) * heat, [1, 2] * numbers),
        (jnp.array([1.0, 2.0]) - heat, [1, 2] - numbers),
        (np.float64(3.0) * heat, 3 * numbers),
    ):
        assert found.names == ("left", "right")
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert float(np.sum(heat)) == float(heat.array.sum())
    with pytest.raises(cs.InputError, match="the same names on both sides, but these are left, right and none"):
        _ = heat - solution.work
    with pytest.raises(cs.InputError, match="2 entries along its last axis"):
        _ = heat * np.ones((2, 3))
    with pytest.raises(AttributeError, match=r"write `\.array\.sum`"):
        heat.sum()
