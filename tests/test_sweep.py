"""Sweeps: the same numbers as point by point, named and kept, good beside bad."""

import io
import sys
import time

import equinox as eqx
import jax
import numpy as np
import pytest
import xarray as xr

import coldspot as cs
from coldspot import progress
from coldspot import sweep as sweep_function
from coldspot.dataset import Variable, to_dataset
from coldspot.machines import QuantumDot, SpinPair
from tests.tolerance import assert_close

sweep_module = sys.modules["coldspot.sweep"]

LEVELS = np.array([-15.0, -5.0, 0.0, 10.0])
TEMPERATURES = np.array([4.0, 5.0, 6.5])


def test_equals_point_by_point():
    ds = cs.sweep(QuantumDot(), {"level": LEVELS, "right.temperature": TEMPERATURES})
    for i, level in enumerate(LEVELS):
        for k, temperature in enumerate(TEMPERATURES):
            s = cs.steady_state(QuantumDot(level=level, right=cs.ElectronBath(temperature, -2.5)))
            point = ds.isel({"level": i, "right.temperature": k})
            for name in ("energy", "heat", "particles", "chemical_work", "entropy_flow", "current"):
                for bath in ("left", "right"):
                    assert_close(point[name].sel(bath=bath), getattr(s, name)[bath], 1e-13)
            # Sums of terms that may cancel.
            parts = {"work_in": s.chemical_work.array, "power": s.chemical_work.array}
            parts["entropy_production"] = s.entropy_flow.array
            for name, terms in parts.items():
                assert_close(point[name], getattr(s, name), 1e-14, np.max(np.abs(terms)))
            for name in ("cop", "efficiency"):
                np.testing.assert_allclose(point[name], getattr(s, name), rtol=1e-12)
            assert cs.regimes.names(point.regime) == s.regime
            assert np.allclose(point.population, s.populations, rtol=1e-14)
            for flag, on in s.flags.items():
                assert bool(point[flag.replace(" ", "_").replace("-", "_")]) == bool(on)


def test_driven_sweep_equals_point_by_point():
    ds = cs.sweep(SpinPair(period=20.0), {"phase": [0.5, 2.2], "left.temperature": [0.4, 0.6]})
    s = cs.steady_state(SpinPair(period=20.0, phase=2.2, left=cs.HeatBath(0.4)))
    point = ds.sel({"phase": 2.2, "left.temperature": 0.4})
    assert np.allclose(point.heat, s.heat.array, rtol=0, atol=2 * float(np.max(s.error.energies)))
    assert np.allclose(point.work, s.work.array, rtol=0, atol=2 * float(np.max(s.error.works)))
    assert ds.work.dims == ("phase", "left.temperature", "drive")
    assert list(ds.drive.values) == ["left", "right"]


def test_dimensions_coordinates_units_and_order():
    ds = cs.sweep(QuantumDot(), {"right.temperature": TEMPERATURES, "level": LEVELS})
    assert ds.heat.dims == ("right.temperature", "level", "bath")
    assert ds.status.dims == ("right.temperature", "level")
    assert np.array_equal(ds["level"], LEVELS)
    assert np.array_equal(ds["right.temperature"], TEMPERATURES)
    assert list(ds.bath.values) == ["left", "right"]
    assert ds.heat.attrs["natural_units"] == "E**2/hbar"
    assert ds.particles.attrs["natural_units"] == "E/hbar"
    assert ds.energy_error.attrs["natural_units"] == "E**2/hbar"
    assert "units" not in ds.heat.attrs  # no program reads `E` as a unit
    assert ds.temperature.sel(bath="right").isel(level=0).values.tolist() == TEMPERATURES.tolist()
    for name, variable in ds.data_vars.items():
        if name not in ("population", "status") and not name.startswith(("residual", "elements")):
            assert variable.attrs.get("long_name"), name
    assert ds.attrs["machine"] == "quantum-dot"
    assert ds.status.dtype == np.int8
    assert ds.status.attrs["flag_meanings"].split()[0] == "ok"


@pytest.mark.parametrize("chunk", [1, 7, 128])
def test_chunks_change_nothing(chunk, monkeypatch):
    levels = np.linspace(-20, 20, 71)
    whole = cs.sweep(QuantumDot(), {"level": levels})
    monkeypatch.setattr(sweep_module, "SIZES", (chunk,))
    parts = cs.sweep(QuantumDot(), {"level": levels})
    for name in ("heat", "particles", "entropy_production", "population"):
        assert_close(parts[name], whole[name], 1e-15)
    assert np.array_equal(parts.regime, whole.regime)
    assert np.array_equal(parts.level, whole.level)


def test_bad_points_are_marked_and_the_others_kept():
    temperatures = [5.0, -1.0, 0.0, np.nan, np.inf, 6.0]
    ds = cs.sweep(QuantumDot(), {"right.temperature": temperatures})
    assert ds.status.values.tolist() == [0, 1, 1, 1, 1, 0]
    bad = ds.isel({"right.temperature": slice(1, 5)})
    for name in ("heat", "particles", "work_in", "entropy_production", "cop", "population"):
        assert np.all(np.isnan(bad[name])), name
    assert set(cs.regimes.names(bad.regime)) == {"unknown"}
    good = cs.sweep(QuantumDot(), {"right.temperature": [5.0, 6.0]})
    assert np.allclose(ds.heat.values[[0, 5]], good.heat.values, rtol=1e-14)


def test_bad_points_do_not_spoil_driven_neighbours():
    ds = cs.sweep(SpinPair(), {"period": [20.0, -1.0, 0.0, 30.0]})
    assert ds.status.values.tolist() == [0, 1, 1, 0]
    s = cs.steady_state(SpinPair(period=30.0))
    assert np.allclose(ds.heat.values[3], s.heat.array, rtol=0, atol=2 * float(np.max(s.error.energies)))
    assert np.all(np.isnan(ds.heat.values[1:3]))


def test_netcdf_round_trip(tmp_path):
    ds = cs.sweep(SpinPair(period=20.0), {"phase": [0.5, 2.2], "right.temperature": [0.5, -1.0]})
    path = tmp_path / "sweep.nc"
    ds.to_netcdf(path)
    with xr.open_dataset(path) as back:
        xr.testing.assert_identical(back.load(), ds)


def test_build_function():
    def build(bias, gradient):
        return QuantumDot(
            -15.0, cs.ElectronBath(7.5 + gradient / 2, bias / 2), cs.ElectronBath(7.5 - gradient / 2, -bias / 2)
        )

    ds = cs.sweep(build, {"bias": [0.0, 5.0, 20.0], "gradient": [0.0, 5.0]})
    assert ds.heat.dims == ("bias", "gradient", "bath")
    assert cs.regimes.names(ds.regime.sel(bias=5.0, gradient=5.0)) == "engine"
    assert bool(ds.absolute_negative_mobility.sel(bias=5.0, gradient=5.0))
    s = cs.steady_state(build(20.0, 5.0))
    assert np.allclose(ds.heat.sel(bias=20.0, gradient=5.0), s.heat.array, rtol=1e-14)
    assert ds.attrs["machine"] == "build"


def hot(**values):
    (temperature,) = values.values()
    return QuantumDot(left=cs.ElectronBath(temperature, 2.5))


@pytest.mark.parametrize("name", ["temperature", "heat", "status"])
def test_results_named_like_parameters_are_renamed(name):
    ds = cs.sweep(hot, {name: [8.0, 9.0]})
    assert ds[name].values.tolist() == [8.0, 9.0]
    same = cs.sweep(hot, {"t": [8.0, 9.0]})
    assert np.array_equal(ds[f"{name}_result"], same[name])


@pytest.mark.parametrize("name", ["bath", "state"])
def test_parameters_named_like_axes_are_refused(name):
    with pytest.raises(cs.InputError, match=name):
        cs.sweep(hot, {name: [8.0, 9.0]})


# --------------------------------------------------------------------------- lists of points

POINTS = [
    {"level": -5.0, "right.temperature": 5.0},
    {"level": 3.0, "right.temperature": 6.5},
    {"level": -5.0, "right.temperature": 6.5},
]


def test_a_list_of_points_is_one_dimension():
    ds = cs.sweep(QuantumDot(), POINTS)
    grid = cs.sweep(QuantumDot(), {"level": [-5.0, 3.0], "right.temperature": [5.0, 6.5]})
    assert ds.heat.dims == ("point", "bath")
    assert ds["right.temperature"].dims == ("point",)
    for k, point in enumerate(POINTS):
        assert {name: float(ds[name][k]) for name in point} == point
        assert np.array_equal(ds.heat[k], grid.heat.sel(point))
        assert int(ds.regime[k]) == int(grid.regime.sel(point))


def test_rows_of_a_frame_are_points():
    pandas = pytest.importorskip("pandas")
    assert cs.sweep(QuantumDot(), pandas.DataFrame(POINTS)).identical(cs.sweep(QuantumDot(), POINTS))


def test_bad_points_of_a_list_are_marked():
    ds = cs.sweep(QuantumDot(), [{"gamma_left": 1.0}, {"gamma_left": -1.0}])
    assert ds.status.values.tolist() == [0, 1]


# --------------------------------------------------------------------------- what is no number, in words


@pytest.mark.parametrize(
    "values",
    [
        [1 + 1j],
        np.array([1 + 0j]),
        jax.numpy.array([1 + 0j]),
        ["12"],
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        [10**400],
        [None],
        [[1.0], [1.0, 2.0]],
        [[1.0, 2.0]],
        [],
        "level",
    ],
    ids=lambda v: repr(v)[:30],
)
def test_values_that_are_no_list_of_real_numbers(values):
    with pytest.raises(cs.InputError, match="`level` must be"):
        cs.sweep(QuantumDot(), {"level": values})


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "empty"),
        ([], "must be a mapping"),
        ([{}], "empty"),
        ("level", "must be a mapping"),
        ([1.0, 2.0], "must be a mapping"),
        ([{"level": 1.0}, {"gamma_left": 1.0}], "same parameters; point 1 names `gamma_left`|point 0 names `level`"),
        ([{"level": 1.0}, {}], "point 0 names `level`, point 1 does not"),
        ([{"level": "12"}], "`level` must be real numbers"),
        ([{"levle": 1.0}], "Did you mean `level`"),
    ],
)
def test_parameters_that_name_no_points(parameters, words):
    with pytest.raises(cs.InputError, match=words):
        cs.sweep(QuantumDot(), parameters)


def test_a_list_valued_parameter_is_refused_in_words():
    with pytest.raises(
        cs.InputError, match=r"`energies` is a list of shape \(2,\); sweep its entries \(`energies\[0\]`"
    ):
        cs.sweep(QuantumDot().dynamics(), {"energies": [1.0, 2.0]})
    matrix = cs.Conductor([[0.1, 0.2], [0.2, 0.3]], {"lead": cs.WideBandLead(0, 0.5, cs.ElectronBath(0.1))})
    with pytest.raises(cs.InputError, match=r"shape \(2, 2\); sweep its entries \(`hamiltonian\[0\]\[0\]`, `hamil"):
        cs.sweep(matrix, {"hamiltonian": [1.0, 2.0]})
    with pytest.raises(cs.InputError, match=r"as `a\.b\[2\]` or `m\[0\]\[1\]`"):
        cs.sweep(matrix, {"hamiltonian[0, 1]": [1.0, 2.0]})


def test_one_number_under_two_names_is_refused():
    """Else the last one would count and the other axis do nothing."""
    net = QuantumDot().dynamics()
    with pytest.raises(cs.InputError, match=r"`energies\[1\]` and `energies\[-1\]` are the same number"):
        cs.sweep(net, {"energies[1]": [1.0, 2.0], "energies[-1]": [3.0, 4.0]})
    with pytest.raises(cs.InputError, match='`level` and `"level"` are the same number'):
        cs.optimise(QuantumDot(), maximise="power", over={"level": (0.0, 1.0), '"level"': (0.0, 1.0)})


def test_a_unit_that_is_no_name_is_refused_in_words():
    with pytest.raises(cs.InputError, match="name of a unit of energy"):
        cs.sweep(QuantumDot(), {"level": [1.0]}, unit=["meV"])


def test_entries_of_arrays_can_be_swept():
    network = QuantumDot().dynamics()
    ds = cs.sweep(network, {"energies[1]": [-5.0, 3.0], "channels[0].kinetics.gamma": [1.0, 2.0]})
    s = cs.steady_state(QuantumDot(level=3.0, gamma_left=1.0))
    assert np.allclose(ds.heat.sel({"energies[1]": 3.0, "channels[0].kinetics.gamma": 1.0}), s.heat.array, rtol=1e-14)


def test_a_sweep_of_one_point():
    ds = cs.sweep(QuantumDot(), {"level": [-5.0]})
    assert dict(ds.sizes) == {"level": 1, "bath": 2, "state": 2}
    assert cs.sweep(QuantumDot(), {"level": -5.0}).sizes["level"] == 1


# --------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_only_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)

    def slow():
        for k in range(3):
            time.sleep(0.01)
            yield k

    assert list(progress.track(slow(), total=3, label="counting")) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress.track(slow(), total=3, label="counting")) == [0, 1, 2]
    assert "counting" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_no_bar_for_quick_work(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress.track(range(5), total=5, label="counting")) == [0, 1, 2, 3, 4]
    assert terminal.getvalue() == ""


def test_a_bar_can_be_refused_and_asked_for(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    list(progress.track(range(5), total=5, label="counting", show=False))
    assert terminal.getvalue() == ""
    list(progress.track(range(5), total=5, label="counting", show=True))
    assert "counting" in terminal.getvalue()


# --------------------------------------------------------------------------- the same by hand


def test_vmap_of_steady_state_equals_the_sweep():
    levels = np.linspace(-20, 20, 9)
    by_hand = jax.vmap(lambda x: cs.steady_state(QuantumDot(level=x), throw=False))(levels)
    ds = sweep_function(QuantumDot(), {"level": levels})
    assert np.allclose(by_hand.heat.array, ds.heat, rtol=1e-14)
    assert np.array_equal(np.asarray(by_hand.status), ds.status)
    assert list(by_hand.regime) == list(cs.regimes.names(ds.regime))


def test_jit_of_steady_state():
    @eqx.filter_jit
    def heat(level, temperature):
        return cs.steady_state(QuantumDot(level=level, left=cs.ElectronBath(temperature, 2.5))).heat["left"]

    s = cs.steady_state(QuantumDot(level=-4.0, left=cs.ElectronBath(9.0, 2.5)))
    assert np.isclose(heat(-4.0, 9.0), s.heat["left"], rtol=1e-14)


# --------------------------------------------------------------------------- any verb


class Halves(eqx.Module):
    """A result that is no solution: half of each level."""

    half: jax.Array

    @property
    def status(self):
        return jax.numpy.zeros(self.half.shape, int)

    def labels(self):
        return {}

    def variables(self):
        return {"half": Variable(self.half, (), "E", "half of the level")}

    def record(self):
        return {"half": float(self.half)}


def halve(build, shared, columns):
    return Halves(jax.vmap(lambda point: build(shared, point).level / 2)(columns))


@pytest.mark.parametrize("points", [1, 63, 64, 200])
def test_points_of_any_verb_are_spread_and_joined(points):
    levels = np.linspace(-1, 1, points)
    found = sweep_module.solve_columns(halve, lambda _, p: QuantumDot(level=p["level"]), None, {"level": levels})
    assert np.array_equal(found.half, levels / 2)
    ds = to_dataset(found, {"level": levels}, {"level": points}, {})
    assert ds.half.dims == ("level",)
    assert ds.half.attrs == {"natural_units": "E", "long_name": "half of the level"}


def test_more_points_than_memory_holds_are_refused_before_they_are_made():
    many = np.arange(1.0, 1e6)
    with pytest.raises(cs.InputError, match=r"1e\+12 points.*`to=`"):
        cs.sweep(cs.machines.QuantumDot(), {"level": many, "left.temperature": many})
