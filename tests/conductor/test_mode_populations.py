"""Populations of modes that are slow against the temperature, where E and A nearly are one number."""

import mpmath
import numpy as np
import pytest

import coldspot as cs
from coldspot.conductor import PairJunction

LEVELS, COUPLING = [[0.4, 0.3], [0.3, -0.4]], [[0.1, 0.3], [0.3, -0.2]]
WIDTHS, T = (0.3, 0.4), 0.3
DIGITS = 35


def golden_rule(omega, bias, warmer):
    """E and A, 1/2Ω left out, by quadrature with 35 digits; a lead's A = Γ g g† makes tr[M A M A′] = ΓΓ′ |g† M g′|²."""
    (h, link), (_, other) = LEVELS
    m, squares = COUPLING, [[one * two for two in map(mpmath.mpf, WIDTHS)] for one in map(mpmath.mpf, WIDTHS)]
    h, link, other = map(mpmath.mpf, (h, link, other))
    halves = [mpmath.mpc(0, mpmath.mpf(width) / 2) for width in WIDTHS]
    potentials, temperatures = (mpmath.mpf(bias), 0), (mpmath.mpf(T) + mpmath.mpf(warmer), mpmath.mpf(T))

    def columns(energy):
        """Those of the Green's function, one for each lead."""
        a, d = energy - h + halves[0], energy - other + halves[1]
        scale = 1 / (a * d - link**2)
        return (d * scale, link * scale), (link * scale, a * scale)

    def filled(energy):
        return [1 / (mpmath.exp((energy - mu) / t) + 1) for mu, t in zip(potentials, temperatures, strict=True)]

    def both(energy):
        lower = [(m[0][0] * x + m[0][1] * y, m[1][0] * x + m[1][1] * y) for x, y in columns(energy - omega)]
        above, below = filled(energy), filled(energy - omega)
        total = mpmath.mpc(0)
        for (x, y), f, own in zip(columns(energy), above, squares, strict=True):
            for (u, v), g, square in zip(lower, below, own, strict=True):
                product = mpmath.conj(x) * u + mpmath.conj(y) * v
                weight = square * (product.real**2 + product.imag**2)
                total += weight * mpmath.mpc(f * (1 - g), (1 - f) * g)
        return total

    found = mpmath.quad(both, mpmath.linspace(-24, 24, 25), maxdegree=6) / (2 * mpmath.pi)
    return found.real, found.imag


def junction(kind, omega, bias, warmer, right=T):
    baths = cs.ElectronBath(T + warmer, bias), cs.ElectronBath(right)
    if kind is cs.WideBandLead:
        leads = [kind(k, width, bath) for k, (width, bath) in enumerate(zip(WIDTHS, baths, strict=True))]
    else:
        leads = [
            kind(lambda energy, width=width: -0.5j * width, k, bath)
            for k, (width, bath) in enumerate(zip(WIDTHS, baths, strict=True))
        ]
    modes = cs.Modes([omega], [COUPLING], {"cavity": cs.BosonBath(1.0)})
    return cs.Conductor(LEVELS, dict(zip(("left", "right"), leads, strict=True)), modes=modes)


@pytest.mark.parametrize(
    ("omega", "bias", "warmer", "allowed"), [(2.0**-22, 1e-9, 0.0, 1e-12), (2.0**-33, 0.2, 0.1, 1e-4)]
)
def test_slow_modes_keep_digits_and_say_how_many(omega, bias, warmer, allowed):
    """At a bias E and A of each kind of pair differ by more than their sums do: all digits are not to be had."""
    with mpmath.workdps(DIGITS):
        # With the lead's own number for its temperature.
        emission, absorption = golden_rule(mpmath.mpf(omega), mpmath.mpf(bias), mpmath.mpf(T + warmer) - mpmath.mpf(T))
        ratio = mpmath.log(absorption / emission)
        wanted = {
            "populations": emission / (absorption - emission),
            "effective_temperatures": omega / ratio,
            "effective_chemical_potentials": omega - mpmath.mpf(T) * ratio,
        }
    for what in (cs.WideBandLead, cs.SelfEnergyLead, PairJunction):
        numbers, errors = known(what, omega, bias, warmer)
        for (name, value), number, error in zip(wanted.items(), numbers, errors, strict=True):
            if name != "effective_chemical_potentials":
                assert error <= allowed * abs(float(value))
            elif warmer:
                assert np.isnan(number)
                assert np.isnan(error)
                continue
            else:
                assert error <= 1e-20 * T
            assert abs(float(mpmath.mpf(number) - value)) <= error, (what, name)


def known(what, omega, bias, warmer, right=T):
    """N, T_eff, μ_eff and their errors, of a conductor or of what its pairs alone do."""
    if what is PairJunction:
        s = cs.steady_state(PairJunction.of(junction(cs.WideBandLead, omega, bias, warmer, right)), throw=False)
        names = ("population", "effective temperature", "effective chemical potential")
        return [[float(of[name]) for name in names] for of in (s.observables, s.observable_errors)]
    found = cs.mode_populations(junction(what, omega, bias, warmer, right))
    numbers = found.populations, found.effective_temperatures, found.effective_chemical_potentials
    errors = found.population_errors, found.temperature_errors, found.potential_errors
    return [[float(one[0]) for one in of] for of in (numbers, errors)]


def test_levels_in_closed_form_keep_digits_too():
    """Ω/T = 2⁻³³ and a bias of 2⁻²⁰: E and A agree to ten digits, and the bosons' own bath is cold."""
    omega, bias, w = 2.0**-35, 2.0**-22, 0.5
    baths = {"left": cs.ElectronBath(0.25, bias), "right": cs.ElectronBath(0.25), "cavity": cs.BosonBath(1e-3)}
    levels = cs.conductor.Levels([0.25, -0.5], [2 * w, 2 * w], ["left", "right"])
    s = cs.steady_state(PairJunction(levels, {(0, 1): 0.5}, baths, omega), throw=False)
    with mpmath.workdps(DIGITS):
        t = mpmath.mpf(0.25)

        def both(energy):
            total = mpmath.mpc(0)
            for (upper, mu), (lower, nu) in [((0.25, bias), (-0.5, 0.0)), ((-0.5, 0.0), (0.25, bias))]:
                f, g = (1 / (mpmath.exp((e - m) / t) + 1) for e, m in ((energy, mu), (energy - omega, nu)))
                weight = 1 / (((energy - upper) ** 2 + w**2) * ((energy - omega - lower) ** 2 + w**2))
                total += weight * mpmath.mpc(f * (1 - g), (1 - f) * g)
            return total

        found = mpmath.quad(both, mpmath.linspace(-20, 20, 25), maxdegree=6)
        ratio = mpmath.log(found.imag / found.real)
        wanted = {
            "population": 1 / mpmath.expm1(ratio),
            "effective temperature": omega / ratio,
            "effective chemical potential": omega - t * ratio,
        }
    for name, value in wanted.items():
        error = float(s.observable_errors[name])
        assert abs(float(mpmath.mpf(float(s.observables[name])) - value)) <= error
        assert error <= (1e-10 * abs(float(value)) if name != "effective chemical potential" else 1e-10 * omega)


def test_a_mode_that_nothing_excites_has_no_bosons_and_knows_no_temperature():
    """Leads of T = 1e-4 beside Ω = .75: E underflows."""
    found = cs.mode_populations(junction(cs.WideBandLead, 0.75, 0.0, 1e-4 - T, 1e-4))
    assert float(found.emissions[0]) == float(found.populations[0]) == 0.0
    assert 0 <= float(found.population_errors[0]) < 1e-12
    assert np.isnan(found.temperature_errors[0])
    assert "–" in repr(found)


def test_equilibrium_is_exact():
    for what in (cs.WideBandLead, cs.SelfEnergyLead, PairJunction):
        (_, temperature, potential), (_, error, _) = known(what, 1e-12, 0.0, 0.0)
        assert potential == 0.0
        assert abs(temperature / T - 1) <= min(error / T, 1e-12)
