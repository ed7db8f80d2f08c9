"""Datasets: units that Pint reads, where the numbers come from, integers for regimes, solutions as datasets."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pint
import pytest
import xarray as xr
from scipy import constants

import coldspot as cs
from coldspot.dataset import MOST_NUMBERS, provenance
from coldspot.machines import QuantumDot, SpinPair
from coldspot.units import SI, physical, spelled

MEV = 1e-3 * constants.e
REGISTRY = pint.UnitRegistry()

# --------------------------------------------------------------------------- units

FACTORS = {
    "E**2/hbar": MEV**2 / constants.hbar,
    "E/hbar": MEV / constants.hbar,
    "e*E/hbar": constants.e * MEV / constants.hbar,
    "k_B*E/hbar": constants.k * MEV / constants.hbar,
    "E/k_B": MEV / constants.k,
    "hbar/E": constants.hbar / MEV,
    "e**2/hbar": constants.e**2 / constants.hbar,
    "k_B/e": constants.k / constants.e,
    "E/e": MEV / constants.e,
}


@pytest.mark.parametrize("natural", SI)
def test_factors_against_codata(natural):
    factor, name = physical(natural, "meV")
    assert factor == pytest.approx(FACTORS[natural], rel=1e-9)
    assert REGISTRY.Unit(name).dimensionality == REGISTRY.Unit(spelled(natural, "meV")).dimensionality


@pytest.mark.parametrize("unit", ["meV", "kelvin * k_B", "hartree"])
def test_results_are_in_units_that_pint_reads(unit):
    """A dot at 4 K, in any unit of energy, gives the same watts and amperes."""
    scale = REGISTRY.Quantity(1.0, "meV").to(unit).magnitude if unit != "meV" else 1.0
    dot = QuantumDot(
        -0.2 * scale, cs.ElectronBath(0.5 * scale, 0.1 * scale), cs.ElectronBath(0.3 * scale), *[0.1 * scale] * 2
    )
    ds = cs.sweep(dot, {"level": [-0.2 * scale], "right.temperature": [0.3 * scale]}, unit=unit)
    plain = cs.steady_state(QuantumDot(-0.2, cs.ElectronBath(0.5, 0.1), cs.ElectronBath(0.3), 0.1, 0.1))
    assert {n: ds[n].units for n in ("heat", "heat_error", "power", "particles", "current", "entropy_flow")} == {
        "heat": "W", "heat_error": "W", "power": "W", "particles": "1/s", "current": "A", "entropy_flow": "W/K"
    }  # fmt: skip
    assert np.allclose(ds.heat.squeeze(), np.asarray(plain.heat) * MEV**2 / constants.hbar, rtol=1e-8)
    assert np.allclose(ds.current.squeeze(), np.asarray(plain.current) * constants.e * MEV / constants.hbar, rtol=1e-8)
    assert np.allclose(ds.temperature.squeeze(), np.array([0.5, 0.3]) * MEV / constants.k, rtol=1e-8)
    for name, variable in ds.variables.items():
        if "units" in variable.attrs:
            REGISTRY.Unit(variable.attrs["units"])
        assert "natural_units" not in variable.attrs, name
    swept = REGISTRY.Quantity(float(ds["right.temperature"][0]), ds["right.temperature"].units)
    assert swept.to("K").magnitude == pytest.approx(0.3 * MEV / constants.k, rel=1e-8)
    assert ds.attrs["unit"] == unit


def test_without_a_unit_no_program_is_told_one():
    ds = cs.sweep(QuantumDot(), {"level": [1.0], "gamma_left": [1.0]})
    for variable in ds.variables.values():
        assert variable.attrs.get("units", "1") == "1"
    assert ds.heat.natural_units == "E**2/hbar"
    assert ds.gamma_left.natural_units == "E/hbar"


@pytest.mark.parametrize("unit", ["K", "mev", ""])
def test_a_unit_that_is_no_energy(unit):
    with pytest.raises(cs.InputError, match="unit"):
        cs.sweep(QuantumDot(), {"level": [1.0]}, unit=unit)
    with pytest.raises(cs.InputError, match="unit"):
        cs.steady_state(QuantumDot()).to_dataset(unit)


# --------------------------------------------------------------------------- where numbers come from


def test_a_dataset_names_its_machine_and_all_its_numbers(tmp_path):
    machine = SpinPair(period=20.0)
    ds = cs.sweep(machine, {"phase": [0.5, 2.2]}, tolerance=1e-7)
    ds.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as back:
        attrs = back.attrs
    assert attrs["machine"] == "spin-pair"
    assert attrs["version"] == cs.__version__
    assert attrs["tolerance"] == 1e-7
    told = {name.removeprefix("parameter."): value for name, value in attrs.items() if name.startswith("parameter.")}
    known = {path: float(value) for path, value in cs.paths.numbers(machine).items() if path != "phase"}
    assert told == known


def test_arrays_of_all_kinds_are_attributes_of_files(tmp_path):
    numbers = {
        "list": np.array([1.0, 2.0]),
        "matrix": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "complex": np.array([1 + 2j]),
        "long": np.arange(MOST_NUMBERS + 1.0),
    }
    attrs = provenance("machine", numbers, 1e-8, "meV")
    xr.Dataset(attrs=attrs).to_netcdf(tmp_path / "a.nc")
    assert json.loads(attrs["parameter.matrix"]) == [[1.0, 2.0], [3.0, 4.0]]
    other = provenance("machine", numbers | {"long": numbers["long"] + 1})
    assert attrs["parameter.long"] != other["parameter.long"]
    assert len(attrs["parameter.long"]) < 200


def test_regimes_are_integers_with_meanings():
    ds = cs.sweep(QuantumDot(), {"level": [-15.0, -5.0, 0.0, 10.0]})
    meanings = dict(zip(ds.regime.flag_values.tolist(), ds.regime.flag_meanings.split(), strict=True))
    assert [meanings[code] for code in ds.regime.values] == ["engine", "refrigerator", "heater", "accelerator"]
    assert list(cs.regimes.names(ds.regime)) == [meanings[code] for code in ds.regime.values]
    assert (ds.regime == cs.regimes.code("engine")).values.tolist() == [True, False, False, False]
    with pytest.raises(cs.InputError, match="`engine`"):
        cs.regimes.code("engin")


def test_regimes_can_be_drawn():
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt

    ds = cs.sweep(QuantumDot(), {"level": [-15.0, -5.0], "left.temperature": [9.0, 10.0]})
    assert ds.regime.plot() is not None
    plt.close("all")


# --------------------------------------------------------------------------- solutions


def test_a_solution_is_a_dataset():
    s = cs.steady_state(QuantumDot())
    ds = s.to_dataset()
    assert ds.heat.dims == ("bath",)
    assert np.array_equal(ds.heat, s.heat)
    swept = cs.sweep(QuantumDot(), {"level": [-5.0]}).isel(level=0, drop=True)
    assert set(swept.data_vars) == set(ds.data_vars)
    assert np.allclose(s.to_dataset("meV").heat, np.asarray(s.heat) * MEV**2 / constants.hbar, rtol=1e-9, atol=0)


@pytest.fixture(scope="module")
def batch():
    """Dots of three levels, of which one is no number, and two temperatures."""
    solve = lambda level, t: cs.steady_state(QuantumDot(level=level, left=cs.ElectronBath(t, 2.5)), throw=False)  # noqa: E731
    levels, temperatures = np.array([-5.0, 1.0, np.nan]), np.array([10.0, 12.0])
    return jax.vmap(lambda x: jax.vmap(lambda t: solve(x, t))(temperatures))(levels)


def test_a_batch_of_any_number_of_axes_is_a_dataset(batch):
    ds = batch.to_dataset()
    assert dict(ds.sizes) == {"axis_0": 3, "axis_1": 2, "bath": 2, "state": 2}
    assert np.array_equal(ds.heat[:2], batch.heat.array[:2])
    assert ds.status[2].values.tolist() == [1, 1]
    assert np.isnan(ds.heat[2]).all()


MESHES = ("buttiker-landauer-ring", "kramers-cooler")
"""Machines whose finest meshes take seconds, and say no more of dictionaries than coarser ones."""


@pytest.mark.parametrize("name", cs.machines.BY_NAME)
def test_a_solution_is_a_dictionary_for_json(name):
    s = cs.steady_state(cs.machines.BY_NAME[name](), tolerance=1e-4 if name in MESHES else 1e-8)
    found = json.loads(json.dumps(s.to_dict(), allow_nan=False))
    assert found.items() >= s.record().items()
    assert found["temperature"] == {bath: float(t) for bath, t in zip(s.baths, s.temperatures, strict=True)}
    assert len(found["population"]) == s.populations.shape[-1]
    assert set(found["residuals"]) == set(s.residuals)


@pytest.fixture(scope="module")
def two(batch):
    """Two of these, that are solved."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[0], batch)


def test_a_batch_is_no_dictionary(two):
    with pytest.raises(cs.InputError, match=r"batch of shape \(2,\)"):
        two.to_dict()


def test_numbers_that_are_not_to_be_trusted_are_not_shown(two):
    """Numbers of a point that did not converge are there, but a dataset has NaN; what was given stays."""
    status = np.array([cs.Status.OK, cs.Status.NOT_CONVERGED])
    ds = eqx.tree_at(lambda s: s.status, two, jnp.asarray(status)).to_dataset()
    assert np.isfinite(two.heat.array).all()
    assert np.array_equal(ds.heat[0], two.heat.array[0])
    for name in ("heat", "particles", "entropy_production", "heat_error", "population"):
        assert np.isnan(ds[name][1]).all(), name
    assert np.isfinite(ds.temperature).all()
    assert ds.status.values.tolist() == status.tolist()
