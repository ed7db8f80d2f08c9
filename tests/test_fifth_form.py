"""A form of dynamics of one's own needs one class: everything after it is there already."""

import json
from collections.abc import Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import coldspot as cs
from coldspot.dynamics import Outcome, Rates
from coldspot.pytrees import Table

# --------------------------------------------------------------------------- the form: a qubit between bosons


class Qubit(cs.Dynamics):
    """A two-level system ω whose populations decay at Γ(2n_b+1) into two boson baths: closed forms, no network."""

    splitting: Array = cs.parameter(dimension="energy", positive=True)
    rate: Array = cs.parameter(dimension="rate", positive=True)
    hot: cs.BosonBath
    cold: cs.BosonBath

    @property
    def baths(self) -> Table:
        return Table({"hot": self.hot, "cold": self.cold})

    @property
    def drives(self) -> Table:
        return Table({})

    def rules(self) -> Iterable[cs.dynamics.Rule]:
        yield cs.dynamics.Rule(
            self.rate < self.splitting, lambda: f"`rate` must be below `splitting`, but is {self.rate:g}."
        )

    def solve(self, tolerance: Array) -> Outcome:
        hot, cold = (cs.occupation.bose(self.splitting / bath.temperature) for bath in (self.hot, self.cold))
        current = self.rate * (hot - cold) / (2 * (1 + hot + cold))
        heats = self.splitting[:, None] * jnp.stack([current, -current], axis=-1)
        gross = self.splitting * self.rate * (hot + cold)
        excited = (hot + cold) / (2 * (1 + hot + cold))
        return Outcome(
            Rates(heats),
            Rates(1e-15 * gross[:, None] * jnp.ones(2)),
            populations=jnp.stack([1 - excited, excited], axis=-1),
            flags={"broadening-neglected": self.rate > self.cold.temperature},
        )


def qubit(splitting=1.0, rate=0.1, hot=2.0, cold=1.0):
    return Qubit(splitting, rate, cs.BosonBath(hot), cs.BosonBath(cold))


# --------------------------------------------------------------------------- what it has


def test_it_has_a_status_errors_and_a_regime():
    s = cs.steady_state(qubit())
    net = cs.JumpNetwork(
        energies=[0.0, 1.0],
        baths={"hot": cs.BosonBath(2.0), "cold": cs.BosonBath(1.0)},
        channels=[cs.Channel(b, 0, 1, cs.Bosonic(0.1)) for b in ("hot", "cold")],
    )
    other = cs.steady_state(net)
    np.testing.assert_allclose(s.heat.array, other.heat.array, rtol=1e-13)
    np.testing.assert_allclose(s.populations, other.populations, rtol=1e-13)
    assert s.regime == other.regime == "passive"
    assert float(s.error.heat["hot"]) > 0
    assert s.residuals["first law"] < 1e-15 * np.max(np.abs(s.heat.array))


def test_a_batch_marks_what_its_constructor_refuses():
    with pytest.raises(cs.InputError, match="`rate` must be below `splitting`"):
        qubit(rate=2.0)
    ds = cs.sweep(qubit(), {"rate": [0.1, 2.0, -1.0], "hot.temperature": [2.0, -2.0]})
    np.testing.assert_array_equal(ds.status == 0, [[True, False], [False, False], [False, False]])
    assert bool(ds.heat.isnull().any("bath").equals(ds.status != 0))


def test_it_has_a_dataset_html_and_json(tmp_path):
    ds = cs.sweep(lambda rate: qubit(rate=rate), {"rate": [0.1, 0.2]})
    ds.to_netcdf(tmp_path / "qubit.nc")
    assert set(ds.heat.dims) == {"rate", "bath"}
    assert ds.broadening_neglected.dtype == bool
    s = cs.steady_state(qubit())
    record = json.loads(json.dumps(s.record(), allow_nan=False))
    assert record["status"] == "OK"
    assert record["regime"] == "passive"
    assert "hot" in s._repr_html_()
    assert "passive" in s._repr_html_()
    assert "passive" in repr(s)


def test_an_error_above_the_tolerance_is_not_ok():
    with pytest.raises(cs.SolveError, match="NOT_CONVERGED"):
        cs.steady_state(qubit(hot=1.0 + 1e-9), tolerance=1e-8)


def test_it_differentiates():
    slope = jax.grad(lambda t: cs.steady_state(qubit(hot=t)).heat["hot"])(2.0)
    step = 1e-5
    up, down = (float(cs.steady_state(qubit(hot=2.0 + d)).heat["hot"]) for d in (step, -step))
    np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-8)


class Rounded(Qubit):
    """The same, and it knows how much of its heats rounding makes."""

    def solve(self, tolerance: Array) -> Outcome:
        found = super().solve(tolerance)
        return eqx.tree_at(lambda o: o.floor, found, found.errors.heats[:, 0], is_leaf=lambda x: x is None)


def test_an_error_of_rounding_is_told():
    one = Rounded(1.0, 0.1, cs.BosonBath(1.0 + 1e-9), cs.BosonBath(1.0))
    s = cs.steady_state(one, tolerance=1e-8)
    assert s.ok
    assert list(s.flags) == ["within rounding"]
    assert "changes the flows by more than the tolerance allows" in repr(s)
    assert not cs.steady_state(one, tolerance=1e-4).flags


def test_heats_between_fast_loops_of_one_temperature_are_within_rounding():
    rates = [("a", 0, 1, 1.0), ("b", 1, 2, 3.0), ("a", 0, 2, 2.0), ("c", 0, 1, 1e-20), ("b", 0, 1, 1.0)]
    baths = {name: cs.HeatBath(temperature) for name, temperature in zip("abc", (1.0, 1.0, 2.0), strict=True)}
    channels = [cs.Channel(bath, i, j, cs.Glauber(rate)) for bath, i, j, rate in rates]
    ds = cs.sweep(cs.JumpNetwork([0.0, 0.1, 0.37], baths, channels), {"channels[3].kinetics.rate": [1.0, 1e-20]})
    assert ds.status.values.tolist() == [0, 0]
    assert ds.within_rounding.values.tolist() == [False, True]
    assert bool((abs(ds.heat) < ds.heat_error).any("bath")[1])
