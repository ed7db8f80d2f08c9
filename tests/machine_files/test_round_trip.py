"""What is saved comes back equal: the same structure, the same numbers to the last bit."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import coldspot as cs
from tests.machine_files import laws

TWO = {"left": cs.HeatBath(1.0), "right": cs.HeatBath(0.5)}
LEADS = {"left": cs.ElectronBath(1.0, 0.1), "right": cs.ElectronBath(0.7), "phonons": cs.BosonBath(0.8)}


def flips(gamma=0.1):
    return [cs.Channel("left", 0, 1, cs.Glauber(gamma)), cs.Channel("right", 1, 0, cs.Glauber(0.3))]


def driven(energies=laws.energies, **others):
    return cs.JumpNetwork(energies, TWO, flips(), drives={"gate": cs.Cosine(0.3, 0.1)}, period=12.0, **others)


NETWORKS = {
    "a drive's samples": cs.JumpNetwork(
        cs.jump.LinearEnergies([0.0, 1 / 3], {"gate": [0.1, 1.0]}),
        TWO,
        flips(),
        drives={"gate": cs.Samples([0.0, 1.0, 0.5])},
        period=7.0,
    ),
    "steps": cs.JumpNetwork(
        cs.jump.LinearEnergies([0.0, 1.0], {"gate": [0.0, 1.0]}),
        TWO,
        flips(),
        drives={"gate": cs.Steps([0.5, 2.0], [0.25, 0.75])},
        period=7.0,
    ),
    "two species": cs.JumpNetwork(
        [0.0, 1.0, 0.5],
        {"a": cs.ParticleBath(1.0, 0.1, species="A"), "b": cs.ParticleBath(1.0, species="B")},
        [cs.Channel("a", 0, 1, cs.Tunnelling(0.1)), cs.Channel("b", 0, 2, cs.Tunnelling(0.1))],
        occupations={"A": [0, 1, 0], "B": [0, 0, 1]},
    ),
    "a function": driven(),
    "a bath that is a function": cs.JumpNetwork(
        laws.energies,
        {"left": laws.hot, "right": cs.HeatBath(0.5)},
        flips(),
        drives={"gate": cs.Fourier([0.1], [0.2])},
        period=5.0,
        cooled_bath="right",
    ),
    "a drive of one's own": cs.JumpNetwork(laws.energies, TWO, flips(), drives={"gate": laws.Ramp(0.4)}, period=7.0),
    "several baths at once": cs.JumpNetwork(
        [0.0, 1.0],
        {"a": cs.HeatBath(1.0), "b": cs.HeatBath(2.0)},
        [cs.Channel({"a": cs.Share(0.25), "b": cs.Share(0.75)}, 0, 1, cs.Glauber(0.1))],
    ),
    "lists of states": cs.JumpNetwork(
        [0.0, 1.0, 0.1],
        {"a b": cs.BosonBath(1.0)},
        [
            cs.Channel("a b", [0, 1], [1, 2], cs.Bosonic(cs.Ohmic(0.1))),
            cs.Channel("a b", 0, 2, cs.Explicit(0.2, 0.3, check=False)),
        ],
    ),
    "oscillators": cs.OscillatorNetwork(
        [1.0, 2.0],
        [[5.0, -3.0], [-3.0, 5.0]],
        [1.0, 0.7],
        TWO,
        {"left": 0, "right": [1]},
        forces={"push": (1, cs.Cosine(0.3, 0.2, 0.1))},
        frequency=1.3,
        potential=laws.Stiff(jnp.asarray(0.1)),
    ),
    "a conductor": cs.conductor.PairJunction(
        cs.conductor.Device([[0.5, 0.1j], [-0.1j, -0.5]], {"left": (0, 1.0), "right": (1, 0.8)}),
        coupling=[[0.0, 0.5 + 0.1j], [0.5 - 0.1j, 0.0]],
        baths=LEADS,
        frequency=1.0,
        damping=cs.spectral.Drude(0.1, 2.0),
    ),
    "modes": cs.modes.CoupledModes([[1 - 0.1j, 0.2], [0.1, 2 - 0.3j]]),
}
MACHINES = {f"ready: {name}": kind() for name, kind in cs.machines.BY_NAME.items()}
DYNAMICS = {f"dynamics of {name}": kind().dynamics() for name, kind in cs.machines.BY_NAME.items()}
OWN = {
    "one's own": laws.Mixed(levels=[0.0, 0.1 + 0.2, -1e-300], gate=cs.Cosine(0.1), forward=False),
    "one's own, as it is": laws.Mixed(),
}
ALL = NETWORKS | MACHINES | DYNAMICS | OWN


def assert_equal(found, expected):
    (leaves, structure), (others, other) = jax.tree.flatten(found), jax.tree.flatten(expected)
    assert structure == other
    for one, two in zip(leaves, others, strict=True):
        assert one.dtype == two.dtype
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()


@pytest.mark.parametrize("name", ALL)
def test_what_is_saved_comes_back_equal(tmp_path, name):
    path = tmp_path / "m.toml"
    cs.save(ALL[name], path)
    assert_equal(cs.load(path), ALL[name])
    assert [part.name for part in tmp_path.iterdir()] == ["m.toml"]


def test_random_numbers_keep_all_their_bits(tmp_path):
    random = np.random.default_rng(1)
    for _ in range(40):
        numbers = random.standard_normal(3) * 10.0 ** random.integers(-300, 300, 3)
        machine = laws.Mixed(levels=numbers)
        cs.save(machine, tmp_path / "m.toml")
        assert_equal(cs.load(tmp_path / "m.toml"), machine)


def test_a_function_is_named_by_its_import_path(tmp_path):
    path = tmp_path / "m.toml"
    cs.save(driven(), path)
    assert 'energies = {function = "tests.machine_files.laws:energies"}' in path.read_text()
    assert cs.load(path).energies.origin.function is laws.energies


def test_modules_beside_the_file_are_found(tmp_path):
    (tmp_path / "law_beside_the_file.py").write_text(
        "def levels(values):\n    return [0.0 * values['gate'], values['gate']]\n"
    )
    cs.save(driven(), tmp_path / "m.toml")
    text = (tmp_path / "m.toml").read_text().replace("tests.machine_files.laws:energies", "law_beside_the_file:levels")
    (tmp_path / "m.toml").write_text(text)
    assert cs.load(tmp_path / "m.toml").energies.origin.function.__module__ == "law_beside_the_file"


def test_what_has_no_form_in_a_file_is_refused(tmp_path):
    def local(values):
        return jnp.stack([0.0, values["gate"]])

    energies = lambda values: [0.0 * values["gate"], values["gate"]]  # noqa: E731
    moved = cs.JumpNetwork(energies, TWO, flips(), drives={"gate": cs.Cosine(0.3)}, period=12.0)
    for machine in (driven(local), moved):
        with pytest.raises(cs.InputError, match=r"`energies`.*top of a module"):
            cs.save(machine, tmp_path / "m.toml")
    with pytest.raises(cs.InputError, match="a machine or a network"):
        cs.save(3.0, tmp_path / "m.toml")
    with pytest.raises(cs.InputError, match=r"must end in `\.toml`"):
        cs.save(cs.machines.QuantumDot(), tmp_path / "m.json")
    with pytest.raises(cs.InputError, match=r"cannot be written: there is no folder `.*/none`\."):
        cs.save(cs.machines.QuantumDot(), tmp_path / "none" / "m.toml")
    solution = cs.steady_state(cs.machines.QuantumDot())
    for name, words in (("s.toml", r"must end in `\.nc`"), ("no/s.nc", "no folder"), ("no/s.zarr", "no folder")):
        with pytest.raises(cs.InputError, match=words):
            cs.save(solution, tmp_path / name)
    assert not list(tmp_path.iterdir())
    cs.save(solution, tmp_path / "s.nc", unit="meV")
    found = cs.load(tmp_path / "s.nc")
    np.testing.assert_array_equal(found.heat, solution.to_dataset("meV").heat)
    assert found.heat.units == "W"


def test_a_function_with_other_numbers_is_refused(tmp_path):
    network = driven()
    changed = jax.tree.map(lambda x: x * 2, network)
    with pytest.raises(cs.InputError, match=r"`energies`.*other numbers"):
        cs.save(changed, tmp_path / "m.toml")


# --------------------------------------------------------------------------- results


@pytest.mark.parametrize("ending", ["nc", "zarr"])
def test_results_carry_their_machine(tmp_path, ending):
    machine = cs.machines.QuantumDot(level=-3.0)
    ds = cs.sweep(machine, {"level": [-1.0, 2.0], "left.temperature": [3.0, 4.0]}, unit="meV")
    cs.save(ds, tmp_path / f"r.{ending}")
    found = cs.load(tmp_path / f"r.{ending}")
    assert_equal(found.machine, machine)
    xr.testing.assert_equal(xr.Dataset(found.data_vars, found.coords, found.attrs), ds)
    assert found.status.dtype == np.int8
    assert_equal(found.sel(level=2.0).machine, machine)
    assert_equal(pickle.loads(pickle.dumps(found)).machine, machine)
    assert [part.name for part in tmp_path.iterdir()] == [f"r.{ending}"]


def test_results_of_every_verb_take_their_machine_with_them(tmp_path):
    machine, place = cs.machines.QuantumDot(level=-3.0), tmp_path / "r.nc"
    counting = cs.counting(machine, [("heat", "left"), ("particles", "right")])
    for result in (cs.steady_state(machine), counting.spectrum(1.0)):  # the latter complex
        cs.save(result, place, machine=machine)
        found = cs.load(place)
        xr.testing.assert_equal(xr.Dataset(found.data_vars, found.coords), result.to_dataset())
        assert_equal(found.machine, machine)
    cs.save(cs.steady_state(machine), place)
    with pytest.raises(cs.InputError, match=r"does not know it; .*machine=machine"):
        _ = cs.load(place).machine
    for thing, given, words in (
        (cs.steady_state(machine), 3, "`machine` must be a machine or a network, but is 3"),
        (cs.steady_state(machine), cs.machines.OttoEngine(), "has the baths hot, cold, but the results are of left, r"),
        (
            cs.steady_state(machine),
            cs.machines.SpinPair(),
            r"has the drives left, right, but the results are of \(none",
        ),
        (machine, machine, "stands beside a solution"),
        (counting, None, r"is Fluctuations; save its `\.machine`"),
    ):
        with pytest.raises(cs.InputError, match=words):
            cs.save(thing, place, machine=given)


def test_what_xarray_has_written_carries_its_machine(tmp_path):
    machine = cs.machines.QuantumDot(level=-2.0)
    cs.sweep(machine, {"level": [-1.0, 2.0], "left.temperature": [3.0, 4.0]}).to_netcdf(tmp_path / "r.nc")
    assert_equal(cs.load(tmp_path / "r.nc").machine, machine)


def test_results_of_a_function_carry_the_function_or_say_why_not(tmp_path):
    cs.sweep(laws.build, {"level": [0.0, 1.0]}).to_netcdf(tmp_path / "r.nc")
    assert cs.load(tmp_path / "r.nc").machine is laws.build
    cs.sweep(lambda level: cs.machines.QuantumDot(level=level), {"level": [0.0]}).to_netcdf(tmp_path / "s.nc")
    with pytest.raises(cs.InputError, match=r"do not hold their machine.*top of a module"):
        _ = cs.load(tmp_path / "s.nc").machine
    xr.Dataset({"a": 1.0}).to_netcdf(tmp_path / "t.nc")
    with pytest.raises(cs.InputError, match="not made by a sweep"):
        _ = cs.load(tmp_path / "t.nc").machine


def test_results_that_cannot_be_read_or_written_are_refused(tmp_path):
    with pytest.raises(cs.InputError, match="no such file"):
        cs.load(tmp_path / "none.nc")
    (tmp_path / "a.nc").write_text("no results")
    with pytest.raises(cs.InputError, match="cannot be read"):
        cs.load(tmp_path / "a.nc")
    with pytest.raises(cs.InputError, match=r"`\.nc` \(NetCDF\)"):
        cs.save(xr.Dataset(), tmp_path / "r.csv")
