"""Quantities with units as plain numbers: against CODATA constants from SciPy, and what is refused."""

import math

import pytest
from scipy import constants

from coldspot import InputError
from coldspot.units import KINDS, check_energy_unit, to_number

MEV = 1e-3 * constants.e
"""One meV in joules."""
ROUNDING = 4e-16
"""A conversion is a handful of multiplications, each right to half a unit in the last place."""

CASES = [
    ("0.3 meV", "energy", 0.3),
    ("1 eV", "energy", 1e3),
    ("-2.5e2µeV", "energy", -0.25),
    ("1 J", "energy", 1 / MEV),
    ("0.3 meV", "potential", 0.3),
    ("0.25 mV", "potential", 0.25),
    ("-2 V", "voltage", -2e3),
    ("1 K", "temperature", constants.k / MEV),
    ("4.2 K", "temperature", 4.2 * constants.k / MEV),
    ("50 mK", "temperature", 0.05 * constants.k / MEV),
    ("20 degC", "temperature", 293.15 * constants.k / MEV),
    ("1/ps", "rate", 1e12 * constants.hbar / MEV),
    ("0.5 / ns", "rate", 0.5e9 * constants.hbar / MEV),
    ("2 THz", "rate", 2e12 * constants.hbar / MEV),
    ("3 rad/ps", "rate", 3e12 * constants.hbar / MEV),
    ("0.2 meV", "rate", 0.2),
    ("1 ps", "time", 1e-12 * MEV / constants.hbar),
    ("7 ns", "time", 7e-9 * MEV / constants.hbar),
    ("90 deg", "angle", math.pi / 2),
    ("90°", "angle", math.pi / 2),
    ("2.2 rad", "angle", 2.2),
    ("25 percent", "dimensionless", 0.25),
]


@pytest.mark.parametrize(("text", "dimension", "expected"), CASES)
def test_quantities(text, dimension, expected):
    assert to_number(text, dimension=dimension, unit="meV") == pytest.approx(expected, rel=4 * ROUNDING)


def test_published_constants():
    """k_B and ħ to the digits that tables print (cut off, not rounded)."""
    assert math.floor(to_number("1 K", dimension="temperature", unit="meV") * 1e11) == 8617333262
    assert math.floor(to_number("1/ps", dimension="rate", unit="meV") * 1e10) == 6582119569


def test_every_kind_has_a_case_and_a_valid_example():
    assert {dimension for _, dimension, _ in CASES} == set(KINDS)
    for dimension, kind in KINDS.items():
        to_number(kind.example, dimension=dimension, unit="meV")
        for unit in kind.units:
            to_number(f"1 {unit}" if not unit.startswith("1/") else unit, dimension=dimension, unit="meV")


@pytest.mark.parametrize("dimension", KINDS)
@pytest.mark.parametrize("text", ["-5", "+.5", "1.", "2e-3", " 7 "])
def test_plain_numbers_pass_unchanged(text, dimension):
    assert to_number(text, dimension=dimension) == float(text)
    assert to_number(text, dimension=dimension, unit="eV") == float(text)


@pytest.mark.parametrize(
    ("text", "dimension", "found"),
    [
        ("4.2 K", "energy", "a temperature"),
        ("0.3 meV", "temperature", "an energy"),
        ("1 ps", "rate", "a time"),
        ("1/ps", "time", "a rate"),
        ("1 meV", "time", "an energy"),
        ("90 deg", "dimensionless", "an angle"),
        ("50 percent", "angle", "a number without a unit"),
        ("3 m", "energy", "of another kind"),
        ("1 mV", "energy", "a voltage"),
        ("1 meV", "voltage", "an energy"),
        ("3 degC/s", "temperature", "of another kind"),
    ],
)
def test_wrong_kind(text, dimension, found):
    with pytest.raises(InputError) as caught:
        to_number(text, dimension=dimension, unit="meV", argument="left.x")
    message = str(caught.value)
    for part in ("`left.x`", f"`{text}` is {found}", KINDS[dimension].words, f"`{KINDS[dimension].example}`"):
        assert part in message


@pytest.mark.parametrize(
    ("text", "dimension", "hint"),
    [
        ("1 mev", "energy", "`meV`"),
        ("4.2 kelvn", "temperature", "`kelvin`"),
        ("1/pss", "rate", "`1/ps`"),
        ("1 degg", "angle", "`deg`"),
        ("1 meV*(", "energy", "`meV`"),
        ("1 meV^9999", "energy", "`meV`"),
    ],
)
def test_unknown_unit_names_the_nearest(text, dimension, hint):
    with pytest.raises(InputError, match="unknown unit") as caught:
        to_number(text, dimension=dimension, unit="meV", argument="x")
    assert f"Did you mean {hint}?" in str(caught.value)


@pytest.mark.parametrize("text", ["abc", "", "nan", "inf", "-inf", "1,5", "1_000", "--3", "1.2.3", "meV", "K 4"])
def test_not_a_number(text):
    with pytest.raises(InputError, match="`level` must be a finite number") as caught:
        to_number(text, dimension="energy", unit="meV", argument="level")
    assert f"`{text}`" in str(caught.value)


@pytest.mark.parametrize("text", ["1e999", "1e300 J"])
def test_overflow(text):
    with pytest.raises(InputError, match=f"`level` must be finite, but `{text}`"):
        to_number(text, dimension="energy", unit="meV", argument="level")


def test_a_unit_needs_the_energy_unit():
    with pytest.raises(InputError, match=r"`left.temperature` .*`4.2 K`.*`--unit meV`"):
        to_number("4.2 K", dimension="temperature", argument="left.temperature")


@pytest.mark.parametrize("unit", ["meV", "eV", "J", "hartree"])
def test_energy_units(unit):
    check_energy_unit(unit)


@pytest.mark.parametrize(
    ("unit", "part"),
    [
        ("mev", "Did you mean `meV`"),
        ("2 meV", "Did you mean `meV`"),
        ("K", "is a temperature"),
        ("1/ps", "is a rate"),
        ("kJ/mol", "of another kind"),
        ("", "is a number without a unit"),
    ],
)
def test_not_an_energy_unit(unit, part):
    for check in (check_energy_unit, lambda u: to_number("4.2 K", dimension="temperature", unit=u)):
        with pytest.raises(InputError, match="--unit") as caught:
            check(unit)
        assert part in str(caught.value)
        assert f"`{unit}`" in str(caught.value)
