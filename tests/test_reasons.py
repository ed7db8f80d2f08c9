"""Points that cannot be trusted say why and how many they are; numbers that rules tie to others do not change alone."""

import numpy as np
import pytest

import coldspot as cs
from coldspot.reasons import FEW, UNTRUSTED, check_free, untrusted
from coldspot.sweep import builder

DOT = cs.machines.QuantumDot()
CONDUCTOR = cs.Conductor(
    [[0.0, 0.1], [0.1, 0.2]],
    {name: cs.WideBandLead(k, 0.3, cs.ElectronBath(0.5, 0.1 * k)) for k, name in enumerate(("left", "right"))},
)
DOTS = cs.Dots([[0.0, 0.1], [0.1, 0.5]], {"left": cs.Lead(cs.ElectronBath(1.0), 0.1)})


def stepped():
    return cs.JumpNetwork(
        energies=[0.0, 1.0],
        baths={"left": cs.HeatBath(1.0), "right": cs.HeatBath(0.5)},
        channels=[cs.Channel(name, 0, 1, cs.Glauber(1.0)) for name in ("left", "right")],
        drives={"gate": cs.Steps([0.5, 1.0], [0.25, 0.75])},
        period=1.0,
    )


def reasons(dataset):
    return [text for name, text in dataset.attrs.items() if name.startswith(UNTRUSTED)]


def build(temperature, gamma):
    return cs.machines.QuantumDot(left=cs.ElectronBath(temperature, 2.5), gamma_left=gamma)


@pytest.mark.parametrize("values", [4, 40], ids=["one by one", "compiled"])
@pytest.mark.parametrize("machine", [DOT, build], ids=["paths", "function"])
def test_each_broken_rule_is_told_with_its_points(machine, values):
    names = ("temperature", "gamma") if callable(machine) else ("left.temperature", "gamma_left")
    temperatures = np.concatenate([[-1.0, -2.0], np.linspace(5.0, 9.0, values)])
    found = cs.sweep(machine, dict(zip(names, (temperatures, [-1.0, 2.0]), strict=True)))
    bad = int((found.status == cs.Status.INVALID).sum())
    assert bad == values + 4
    assert (bad <= FEW) == (values == 4)
    texts = reasons(found)
    assert len(texts) == 2
    assert sum(int(text.split()[0]) for text in texts) == bad
    by_temperature, by_gamma = sorted(texts, key=lambda text: "gamma_left` must" in text)
    assert "`temperature` must be positive and finite, but is -" in by_temperature
    assert f"of {found.status.size} INVALID" in by_gamma
    assert f"{names[1]}=-1)" in by_gamma
    assert UNTRUSTED in repr(found)


def test_what_only_the_dynamics_refuses_is_told_other_statuses_say_what_to_do_and_good_sweeps_say_nothing():
    net = cs.JumpNetwork(
        energies=[0.0, 1.0, 2.0],
        baths={"left": cs.HeatBath(1.0)},
        channels=[cs.Channel("left", 0, 1, cs.Bosonic(0.3)), cs.Channel("left", 1, 2, cs.Glauber(1.0))],
    )
    columns = {"energies[1]": np.array([0.0, 1.0, 1.0]), "channels[1].kinetics.rate": np.array([1.0, 0.0, 1.0])}
    build, shared, _ = builder(net, tuple(columns))
    statuses = [np.array([cs.Status.INVALID, cs.Status.NOT_UNIQUE, cs.Status.OK]), np.zeros(3, int)]
    bad, good = (untrusted([(status, lambda: columns)], build, shared) for status in statuses)
    first, second = bad.values()
    assert first.startswith("1 of 3 INVALID: the levels of states 0 and 1 cross")
    assert first.endswith("(at energies[1]=0, channels[1].kinetics.rate=1).")
    assert second.startswith("1 of 3 NOT_UNIQUE: ")
    assert not good


def test_a_store_says_it_too(tmp_path):
    pytest.importorskip("zarr")
    values = {"left.temperature": [-1.0, 9.0], "level": [-5.0, 1.0]}
    for _ in range(2):  # made, and gone on with
        found = cs.sweep(DOT, values, to=tmp_path / "dot.zarr")
        (text,) = reasons(found)
        assert text.startswith("2 of 4 INVALID: `left`: `temperature` must be positive and finite, but is -1")
    # What a store keeps for itself does not hinder other files.
    cs.save(found, tmp_path / "dot.nc")
    assert reasons(cs.load(tmp_path / "dot.nc")) == [text]


TIED = [
    (CONDUCTOR, "hamiltonian[1][0]", "hamiltonian[0][1]", "must be Hermitian"),
    (DOTS, "hamiltonian[1][0]", None, "those from the diagonal upwards count"),
    (stepped(), "drives.gate.durations[0]", "drives.gate.durations[1]", "add up to 1"),
]


@pytest.mark.parametrize(("machine", "path", "other", "words"), TIED)
def test_what_cannot_change_alone_is_marked_in_sweeps_and_not_searched(machine, path, other, words):
    found = cs.sweep(machine, {path: [0.15, 0.2]})
    assert (found.status == cs.Status.INVALID).all()
    (reason,) = reasons(found)
    assert words in reason
    assert f"`{path}` cannot change alone. Instead of a machine, give a function of your own numbers" in reason
    with pytest.raises(cs.InputError, match="cannot change alone") as caught:
        cs.optimise(machine, maximise="entropy_production", over={path: (0.1, 0.2)})
    assert words in str(caught.value)
    assert "give a function of your own numbers" in str(caught.value)
    if other is not None:
        check_free("optimise", machine, (path, other))


def test_energies_and_elements_of_a_conductor_are_swept_by_their_paths():
    points = [{"hamiltonian[0][1]": x, "hamiltonian[1][0]": x, "hamiltonian[1][1]": 0.4} for x in (0.1, 0.2)]
    found = cs.sweep(CONDUCTOR, points)
    assert (found.status == 0).all()
    other = cs.Conductor([[0.0, 0.2], [0.2, 0.4]], dict(CONDUCTOR.leads))
    np.testing.assert_allclose(found.heat[1], cs.steady_state(other).heat.array, rtol=1e-12)


@pytest.mark.parametrize(
    ("path", "words"),
    [("leads.left.temperature", "leads.left.bath.temperature"), ("baths.right.temperature", "leads.right.bath.temp")],
)
def test_a_path_that_stops_short_is_told_the_way(path, words):
    with pytest.raises(cs.InputError, match=f"Did you mean `{words}"):
        cs.sweep(CONDUCTOR, {path: [1.0]})
