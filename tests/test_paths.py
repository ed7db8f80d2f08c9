"""Dotted paths: what they reach, what they replace, and what they say when they reach nothing."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot import paths


def test_split():
    assert paths.split("left.temperature") == ("left", "temperature")
    assert paths.split("levels[2]") == ("levels", 2)
    assert paths.split("channels[0].kinetics.gamma[-1]") == ("channels", 0, "kinetics", "gamma", -1)


@pytest.mark.parametrize(
    "path", ["", ".", "a..b", "a[", "a[x]", "a[1]b", "1a", "a.", ".a", " ", "a b.", "a/b", 'a."b', 'a.""']
)
def test_split_refuses_what_is_no_path(path):
    with pytest.raises(cs.InputError):
        paths.split(path)


def test_get_and_replace():
    dot = cs.machines.QuantumDot()
    assert paths.get(dot, "left.temperature") == 10.0
    other = paths.replace(dot, "left.temperature", 3)
    assert other.left.temperature == 3.0
    assert other.left.temperature.dtype == jnp.float64
    assert dot.left.temperature == 10.0
    assert paths.numbers(other) == paths.numbers(dot) | {"left.temperature": 3.0}


def test_every_listed_number_can_be_replaced_and_read_back():
    for machine in (cs.machines.QuantumDot(), cs.machines.SpinPair(), cs.machines.SpinPair().dynamics()):
        found = paths.numbers(machine)
        assert found
        for path, value in found.items():
            new = np.asarray(value) + 1.0
            assert np.array_equal(paths.get(paths.replace(machine, path, new), path), new)


def test_baths_of_any_name_can_be_reached():
    names = ["φonon", "λ-drive", "2DEG", "L+", "a.b", "a=b", "x[0]"]
    net = cs.JumpNetwork(
        [0.0, 1.0], {name: cs.HeatBath(2.0) for name in names}, [cs.Channel("L+", 0, 1, cs.Glauber(1.0))]
    )
    places = [path for path in paths.numbers(net) if path.startswith("baths")]
    assert (places[0], places[2]) == ("baths.φonon.temperature", 'baths."2DEG".temperature')
    for name, place in zip(names, places, strict=True):
        assert paths.written(paths.split(place)) == place
        assert paths.replace(net, place, 3.0).baths[name].temperature == 3.0


def test_numbers_of_the_ready_made_machines():
    assert list(paths.numbers(cs.machines.QuantumDot())) == [
        "level",
        "left.temperature",
        "left.chemical_potential",
        "right.temperature",
        "right.chemical_potential",
        "gamma_left",
        "gamma_right",
    ]


def test_paths_into_networks():
    network = cs.machines.QuantumDot().dynamics()
    assert paths.get(network, "baths.left.temperature") == 10.0
    assert paths.get(network, "energies[1]") == -5.0
    other = paths.replace(network, "energies[1]", 2.5)
    assert other.energies.tolist() == [0.0, 2.5]
    assert paths.get(network, "energies[-1]") == -5.0
    assert paths.replace(network, "baths.right.chemical_potential", 1.0).baths["right"].chemical_potential == 1.0
    assert list(paths.replace(network, "baths.left.temperature", 1.0).baths) == ["left", "right"]


def test_replace_is_differentiable_and_traceable():
    def replaced(t):
        return paths.replace(cs.machines.QuantumDot(), "left.temperature", t**2)

    machine, moved = jax.jvp(replaced, (3.0,), (1.0,))
    assert eqx.tree_equal(machine, replaced(3.0), jax.jit(replaced)(3.0))
    assert {path: float(slope) for path, slope in paths.numbers(moved).items() if slope} == {"left.temperature": 6.0}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("levle", ["levle", "Did you mean `level`", "gamma_left"]),
        ("left.temprature", ["temprature", "`left`", "Did you mean `temperature`"]),
        ("lift.temperature", ["lift", "Did you mean `left`"]),
        ("level.x", ["level.x", "`level`", "x"]),
        ("level[0]", ["level[0]", "no entries"]),
        ("left", ["left", "ElectronBath", "temperature", "chemical_potential"]),
        ("zzz", ["zzz", "level"]),
    ],
)
def test_wrong_paths_name_the_nearest_right_one(path, words):
    with pytest.raises(cs.InputError) as caught:
        paths.replace(cs.machines.QuantumDot(), path, 1.0)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("states", ["states", "static"]),
        ("channels[0].initial", ["initial", "static"]),
        ("channels[7].kinetics.gamma", ["[7]", "2 entries"]),
        ("energies[2]", ["[2]", "2 entries"]),
        ("energies[-3]", ["[-3]", "2 entries"]),
        ("baths.lift.temperature", ["lift", "Did you mean `left`"]),
        ("period", ["period"]),
    ],
)
def test_wrong_paths_into_networks(path, words):
    with pytest.raises(cs.InputError) as caught:
        paths.replace(cs.machines.QuantumDot().dynamics(), path, 1.0)
    for word in words:
        assert word in str(caught.value)


def test_wrong_shapes_are_named():
    with pytest.raises(cs.InputError, match=r"level.*\(\).*\(2,\)"):
        paths.replace(cs.machines.QuantumDot(), "level", [1.0, 2.0])
    with pytest.raises(cs.InputError, match=r"energies.*\(2,\).*\(\)"):
        paths.replace(cs.machines.QuantumDot().dynamics(), "energies", 1.0)
