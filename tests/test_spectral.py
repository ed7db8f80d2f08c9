"""Spectral densities: their logarithms, their domains in constructors and sweeps, and who shares them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.machines import BosonJunction
from coldspot.spectral import Drude, Flat, Given, Ohmic, SpectralDensity, Tabulated, as_density
from tests.optimised import optimise

FREQUENCIES = np.array([1e-6, 0.3, 1.0, 7.0, 40.0])
DENSITIES = {
    "flat": (Flat(0.2), lambda w: 0.2 + 0 * w),
    "ohmic": (Ohmic(0.2, 3.0), lambda w: 0.2 * w * np.exp(-w / 3)),
    "ohmic without cut-off": (Ohmic(0.2), lambda w: 0.2 * w),
    "Drude": (Drude(0.2, 3.0), lambda w: 0.2 * w / (1 + w**2 / 9)),
    "given": (Given(lambda w: w**3), lambda w: w**3),
    "table": (Tabulated(np.arange(51.0), np.arange(51.0)), lambda w: w),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_values_and_logarithms(name):
    density, formula = DENSITIES[name]
    np.testing.assert_allclose(density(FREQUENCIES), formula(FREQUENCIES), rtol=1e-14)
    expected = np.log(formula(FREQUENCIES) / FREQUENCIES)
    np.testing.assert_allclose(density.log_over_frequency(FREQUENCIES), expected, rtol=1e-13, atol=1e-13)


def test_logarithms_do_not_underflow_or_overflow():
    assert float(Ohmic(2.0, 1e-3).log_over_frequency(1e3)) == pytest.approx(np.log(2.0) - 1e6)
    assert float(Drude(1.0, 1e-200).log_over_frequency(1.0)) == pytest.approx(-400 * np.log(10))
    for density in (Ohmic(2.0, 1.0), Drude(2.0, 1.0), Given(lambda w: 2.0 * jnp.sin(w))):
        assert float(density.log_over_frequency(0.0)) == pytest.approx(np.log(2.0))
        assert np.isfinite(jax.grad(lambda w, d=density: d.log_over_frequency(w))(0.5))
    for density in (Flat(2.0), Given(lambda w: 1.0 + w)):
        assert float(density.log_over_frequency(0.0)) == np.inf


def test_a_table_is_never_extrapolated():
    table = Tabulated([0.5, 1.0, 2.0], [1.0, 2.0, 1.0])
    assert np.array_equal(np.isnan(table(jnp.array([0.4, 0.5, 2.0, 2.1]))), [True, False, False, True])
    edges = [float(centre) for centre, _ in table.features()]
    assert edges == [0.5, 1.0, 2.0]


WRONG = {
    "flat": lambda: Flat(0.0),
    "ohmic strength": lambda: Ohmic(-1.0),
    "ohmic cut-off": lambda: Ohmic(1.0, -5.0),
    "ohmic cut-off 0": lambda: Ohmic(1.0, 0.0),
    "Drude": lambda: Drude(1.0, 0.0),
    "table falls": lambda: Tabulated([1.0, 0.5], [1.0, 1.0]),
    "table negative": lambda: Tabulated([0.5, 1.0], [1.0, -1.0]),
    "table 0": lambda: Tabulated([0.5, 1.0], [0.0, 0.0]),
    "table lengths": lambda: Tabulated([0.5, 1.0], [1.0]),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_numbers(case):
    with pytest.raises(cs.InputError):
        WRONG[case]()


class Peak(SpectralDensity):
    """A user's own: a resonance of the bath."""

    centre: jax.Array = cs.parameter(dimension="energy", positive=True)
    width: jax.Array = cs.parameter(dimension="energy", positive=True)

    def __call__(self, frequency):
        return 0.05 * frequency * self.width**2 / ((frequency - self.centre) ** 2 + self.width**2)

    def features(self):
        yield self.centre, self.width


class Bump(SpectralDensity):
    """A user's own, which tells nobody where it is narrow."""

    centre: jax.Array = cs.parameter(dimension="energy", positive=True)
    width: jax.Array = cs.parameter(dimension="energy", positive=True)
    height: jax.Array = cs.parameter(minimum=0.0)

    def __call__(self, frequency):
        return 0.05 * frequency + self.height * jnp.exp(-(((frequency - self.centre) / self.width) ** 2))


def junction(density):
    return cs.conductor.PairJunction(
        cs.conductor.Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"]),
        {(0, 1): 0.5},
        {"left": cs.ElectronBath(1.2), "right": cs.ElectronBath(1.0), "phonons": cs.BosonBath(0.8)},
        1.0,
        density,
    )


@pytest.fixture(scope="module")
def peaks():
    """A user's density in a junction, and a wrong one."""
    return cs.sweep(junction(Peak(1.1, 0.2)), {"damping.width": [0.2, -1.0]})


def test_a_number_is_ohmic_damping():
    """As Ohmic damping without a cut-off, and as a function that is Drude's with one far above all."""
    number = cs.steady_state(junction(0.3))
    ohmic = cs.sweep(junction(Ohmic(0.3, 5.0)), {"damping.cutoff": [np.inf, -5.0, 0.0, np.nan]})
    np.testing.assert_allclose(ohmic.heat[0], number.heat.array, rtol=1e-9)
    assert list(ohmic.status.values) == [0, *[int(cs.Status.INVALID)] * 3]
    soft = cs.steady_state(junction(lambda w: Drude(0.3, 1e9)(w)))
    np.testing.assert_allclose(soft.heat.array, number.heat.array, rtol=1e-8)


def test_one_class_serves_jump_networks_and_junctions(peaks):
    """A user's density; in a junction against a sum over narrow modes, weighted by A_ph, in a jump network by rates."""
    peak = Peak(1.1, 0.2)
    omega = np.linspace(1e-4, 40, 200_001)
    loss = np.asarray(peak(omega))
    spectral = 2 * loss / ((omega**2 - 1) ** 2 + loss**2)
    coarse = np.linspace(0, 40, 2001)[1:]
    single = cs.sweep(
        lambda frequency: BosonJunction(frequency=frequency, left=cs.ElectronBath(1.2)), {"frequency": coarse}
    )
    # Of a narrow mode the heat carries 1/2ω.
    flow = np.interp(omega, coarse, (single.heat.sel(bath="phonons") * 2 * coarse).values)
    expected = np.trapezoid(spectral * flow, omega) / (2 * np.pi)
    assert abs(float(peaks.heat.sel(bath="phonons")[0]) / expected - 1) < 1e-4
    network = cs.JumpNetwork(
        [0.0, 1.1],
        {"a": cs.BosonBath(1.0), "b": cs.BosonBath(0.5)},
        [cs.Channel("a", 0, 1, cs.Bosonic(peak)), cs.Channel("b", 0, 1, cs.Bosonic(0.3))],
    )
    same = cs.JumpNetwork(
        [0.0, 1.1],
        {"a": cs.BosonBath(1.0), "b": cs.BosonBath(0.5)},
        [cs.Channel("a", 0, 1, cs.Bosonic(float(peak(1.1)))), cs.Channel("b", 0, 1, cs.Bosonic(0.3))],
    )
    assert float(cs.steady_state(network).heat["a"]) == pytest.approx(float(cs.steady_state(same).heat["a"]), rel=1e-12)


@pytest.mark.parametrize(("centre", "width"), [(1.37, 2e-3), (0.2345, 1e-3), (1.0, 3e-3), (3.1, 4e-2)])
def test_a_needle_that_nobody_tells_is_found(centre, width):
    """What it adds, by a sum over narrow modes, weighted by A_ph."""

    with_needle, without = (cs.steady_state(junction(Bump(centre, width, height))) for height in (0.3, 0.0))
    x, weights = np.polynomial.legendre.leggauss(120)
    omega = centre + 8 * width * x
    flow = (cs.sweep(junction(0.0), {"frequency": omega}).heat.sel(bath="phonons") * 2 * omega).values

    def spectral(height):
        damping = np.asarray(Bump(centre, width, height)(omega))
        return 2 * damping / ((omega**2 - 1) ** 2 + damping**2)

    added = 8 * width * weights @ ((spectral(0.3) - spectral(0.0)) * flow) / (2 * np.pi)
    found = with_needle.heat["phonons"] - without.heat["phonons"]
    errors = sum(s.error.heat["phonons"] for s in (with_needle, without))
    assert abs(float(found) - added) <= float(errors) + 1e-9 * abs(added)
    assert abs(added) > 1e4 * float(errors)


def test_bad_densities_in_a_sweep_are_marked(peaks):
    assert list(peaks.status.values) == [0, int(cs.Status.INVALID)]


def test_a_junction_that_needs_more_than_the_table_says_so(monkeypatch):
    straight = cs.steady_state(junction(0.2))
    optimise(monkeypatch)
    table = Tabulated([0.0, 1.0, 3.0], [0.0, 0.2, 0.1])
    assert int(cs.steady_state(junction(table), throw=False).status) == int(cs.Status.NOT_FINITE)
    wide = cs.steady_state(junction(Tabulated([0.0, 1.0, 500.0], [0.0, 0.2, 100.0])))
    np.testing.assert_allclose(wide.heat.array, straight.heat.array, rtol=1e-2)


def test_conversion():
    assert isinstance(as_density(2.0), Flat)
    assert isinstance(as_density(jnp.sqrt), Given)
    assert as_density(DENSITIES["Drude"][0]) is DENSITIES["Drude"][0]
