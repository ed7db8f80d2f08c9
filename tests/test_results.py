"""One protocol of results: what every verb returns has a status, variables, labels and a record."""

import functools
import json

import jax
import numpy as np
import pytest

import coldspot as cs
from coldspot.machines import NonlinearOscillatorPair, QuantumDot, SpinPair
from coldspot.oscillators import sampling

RESULTS = {
    "static": lambda: cs.steady_state(QuantumDot()),
    "driven": lambda: cs.steady_state(SpinPair()),
    "modes": lambda: cs.steady_state(cs.machines.TwoModeJunction()),
    "evolution": lambda: cs.evolve(QuantumDot(), 0, [0.0, 0.5, 2.0]),
    "driven evolution": lambda: cs.evolve(SpinPair(period=20.0), 0, [0.0, 5.0]),
    "trajectories": lambda: cs.trajectories(NonlinearOscillatorPair(), jax.random.key(0), n=32, time=10.0, throw=False),
}


@functools.cache
def made(name):
    """A result, and how many programs that follow trajectories it took."""
    before = sampling._stretch.count()
    return RESULTS[name](), sampling._stretch.count() - before


def result_of(name):
    return made(name)[0]


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_a_dataset_and_json(name, tmp_path):
    result = result_of(name)
    ds = result.to_dataset("meV")
    assert set(ds.data_vars) == set(result.variables())
    for axis, names in result.labels().items():
        assert ds[axis].values.tolist() == list(names)
    for key, variable in result.variables().items():
        assert ds[key].dims == variable.axes
    assert ds.attrs["version"] == cs.__version__
    ds.to_netcdf(tmp_path / "result.nc")
    record = json.loads(json.dumps(result.record(), allow_nan=False))
    assert record["status"] == cs.Status(int(result.status)).name


def test_an_evolution_has_its_numbers_everywhere():
    e = result_of("driven evolution")
    ds, record = e.to_dataset(), e.record()
    for bath in ("left", "right"):
        assert np.array_equal(ds.heat.sel(bath=bath), e.heat[bath])
        assert record["heat"][bath] == np.asarray(e.heat[bath]).tolist()
        assert record["work"][bath] == np.asarray(e.work[bath]).tolist()
    assert record["time"] == [0.0, 5.0]
    assert ds.heat.sel(time=5.0).dims == ("bath",)
    first_law = ds.energy.sum("bath") + ds.work.sum("drive") - ds.storage
    assert np.all(abs(first_law) < 1e-12 * abs(ds.heat).max())


def test_trajectories_begin_and_go_on_with_one_program():
    assert made("trajectories")[1] <= 1


def test_trajectories_keep_their_own_heats():
    t = result_of("trajectories")
    ds = t.to_dataset()
    assert ds.trajectory_heat.dims == ("trajectory", "bath")
    assert np.array_equal(ds.trajectory_work, t.works)
