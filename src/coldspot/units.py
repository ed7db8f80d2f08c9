"""Quantities with units become plain numbers here, at the boundary; inside, k_B = ħ = e = 1.

All plain numbers are in units of one energy E: energies in E, temperatures as k_B T/E, rates as ħ·rate/E,
times as E·time/ħ. Angles are in radians.
"""

import functools
import math
import re
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

from ._attributes import told as _told
from ._checks import InputError, nearest, short

if TYPE_CHECKING:
    import pint

__all__ = ["KINDS", "SI", "check_energy_unit", "physical", "spelled", "to_number"]


class Kind(NamedTuple):
    """A dimension that parameters declare: its name, an example, units to suggest, and the kinds that it accepts."""

    words: str
    example: str
    units: tuple[str, ...]
    accepts: tuple[str, ...]

    @property
    def expected(self) -> str:
        names = " or ".join(KINDS[name].words for name in self.accepts)
        return f"{names}, such as `{self.example}`"


_PLAIN = "a number without a unit"
KINDS = {
    "energy": Kind("an energy", "0.3 meV", ("meV", "eV", "µeV", "keV", "J", "hartree", "rydberg"), ("energy",)),
    "potential": Kind(
        "a chemical potential",
        "0.3 meV",
        ("meV", "eV", "µeV", "keV", "J", "hartree", "rydberg", "mV", "V", "µV"),
        ("energy", "voltage"),
    ),
    "voltage": Kind("a voltage", "0.25 mV", ("mV", "V", "µV"), ("voltage",)),
    "temperature": Kind("a temperature", "4.2 K", ("K", "mK", "µK", "degC", "kelvin"), ("temperature",)),
    "rate": Kind(
        "a rate",
        "0.5/ps",
        ("1/s", "1/µs", "1/ns", "1/ps", "1/fs", "Hz", "MHz", "GHz", "THz", "meV", "µeV", "eV"),
        ("rate", "energy"),
    ),
    "time": Kind("a time", "10 ps", ("s", "ms", "µs", "ns", "ps", "fs"), ("time",)),
    "angle": Kind("an angle", "90 deg", ("rad", "mrad", "deg"), ("angle",)),
    "dimensionless": Kind(_PLAIN, "0.5", ("percent",), ("dimensionless",)),
}
"""The dimensions that a field's `metadata["dimension"]` may name."""
UNDECLARED = Kind("a plain number", "0.5", (), ())
"""What depends on where it is used, such as the amplitude of a drive."""

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*((?:[^\W\d_]|[/°%]).*)?")
"""A decimal number, and a unit that starts with a letter, with `/` (as in `0.5/ps`), or with a sign (° %)."""


ON_THE_LINE = "give `--unit`, such as `--unit meV`"


def to_number(
    value: str, *, dimension: str, unit: str | None = None, argument: str = "value", advice: str = ON_THE_LINE
) -> float:
    """A quantity as a plain number in units of the energy `unit`; a plain number passes unchanged.

    **Arguments:** `value`, such as `"4.2 K"` or `"-5"`; `dimension`, one of `KINDS` (if it is none, plain numbers
    only); `unit`, the energy in whose units the result is (needed only if `value` has a unit); `argument`, the name
    that errors give to `value`; `advice`, how to give a unit.

    energy/E, k_B·temperature/E, ħ·rate/E (a width in energy units: width/E), E·time/ħ, e·voltage/E, angle/rad.

    **Raises** `InputError` if `value` is no finite number, has a unit that is unknown or of another kind, or has a
    unit while `unit` is missing or no energy.

    >>> f"{to_number('4.2 K', dimension='temperature', unit='meV'):.6f}"
    '0.361928'
    >>> to_number("-5", dimension="energy")
    -5.0
    """
    kind = KINDS.get(dimension, UNDECLARED)
    match = _QUANTITY.fullmatch(value.strip())
    if match is None or (match[2] is not None and kind is UNDECLARED):
        example = "" if not kind.accepts or kind.words == _PLAIN else f", or one with a unit such as `{kind.example}`"
        raise InputError(f"`{argument}` must be a finite number{example}, but is `{value}`.")
    number, symbol = float(match[1]), match[2]
    if symbol is not None:
        if unit is None:
            raise InputError(
                f"`{argument}` has a unit (`{value}`), so the energy unit of all plain numbers is needed: {advice}."
            )
        number = _convert(number, symbol, dimension, unit, argument, value)
    if not math.isfinite(number):
        raise InputError(f"`{argument}` must be finite, but `{value}` is too large for a floating-point number.")
    return number


def check_energy_unit(unit: str, named: str = "--unit") -> None:
    """Raise `InputError` unless `unit` is a unit of energy; `named` is what errors call it."""
    if not isinstance(unit, str):
        raise InputError(f'`{named}` must be the name of a unit of energy, such as `"meV"`, but is {short(unit)}.')
    _energy_unit(unit, named)


@functools.cache
def _registry() -> "pint.UnitRegistry":
    import pint

    return pint.UnitRegistry()


SI = {
    "E**2/hbar": "W", "E/hbar": "1/s", "e*E/hbar": "A", "E/k_B": "K", "hbar/E": "s",
    "k_B*E/hbar": "W/K", "e**2/hbar": "S", "k_B/e": "V/K", "E/e": "V",
}  # fmt: skip
"""Units in which a physicist wants what is counted in units of one energy E (k_B = ħ = e = 1)."""


@functools.cache
def physical(natural: str, unit: str) -> tuple[float, str]:
    """A factor and a unit that Pint reads, for numbers in the `natural` unit, if E is the energy `unit`.

    What has no name in `SI` stays in powers of the energy.

    >>> factor, name = physical("E**2/hbar", "meV")
    >>> f"{factor:.4e} {name}"
    '2.4341e-10 W'
    >>> physical("E", "meV"), physical("1", "meV")
    ((1.0, 'meV'), (1.0, '1'))
    """
    if natural not in SI:
        return 1.0, spelled(natural, unit)
    return float(_registry().Quantity(1.0, spelled(natural, unit)).to(SI[natural]).magnitude), SI[natural]


def spelled(natural: str, unit: str) -> str:
    """A `natural` unit with the energy's name for E, as Pint reads it.

    >>> spelled("E/k_B", "meV"), spelled("E**2/hbar", "kJ/mol")
    ('meV/k_B', '(kJ/mol)**2/hbar')
    """
    name = unit if unit.isalpha() else f"({unit})"
    return re.sub(r"\bE\b", name, natural)


def _convert(number: float, symbol: str, dimension: str, unit: str, argument: str, value: str) -> float:
    """The quantity as a plain number, whatever its kind, provided that `dimension` accepts it."""
    energy = _energy_unit(unit)
    kind = KINDS[dimension]
    parsed = _parse(symbol)
    if parsed is None:
        raise InputError(f"`{argument}`: `{value}` has the unknown unit `{symbol}`.{nearest(symbol, kind.units)}")
    found = _kind(parsed)
    if found not in kind.accepts:
        raise InputError(f"`{argument}` must be {kind.expected}, but `{value}` is {_words(parsed)}.")
    registry = _registry()
    quantity = registry.Quantity(number, parsed)
    if found == "temperature":
        # To kelvin first: degrees Celsius have an offset, which a product would lose.
        quantity = (quantity.to("kelvin") * registry.Quantity(1.0, "boltzmann_constant")).to(energy)
    elif found == "rate":
        quantity = (quantity * registry.Quantity(1.0, "hbar")).to(energy)
    elif found == "time":
        quantity = (quantity / registry.Quantity(1.0, "hbar")).to(1 / energy)
    elif found == "voltage":
        quantity = (quantity * registry.Quantity(1.0, "elementary_charge")).to(energy)
    else:
        quantity = quantity.to({"energy": energy, "angle": "radian", "dimensionless": "dimensionless"}[found])
    return float(quantity.magnitude)


def _energy_unit(unit: str, named: str = "--unit") -> Any:
    parsed = _parse(unit)
    if parsed is None:
        raise InputError(f"`{named}`: `{unit}` is not a known unit.{nearest(unit, KINDS['energy'].units)}")
    if _kind(parsed) != "energy":
        raise InputError(f"`{named}` must be a unit of energy, such as `meV`, but `{unit}` is {_words(parsed)}.")
    return parsed


_POWER = re.compile(r"(?:\*\*|\^)\s*\(?\s*[+-]?([0-9]{1,2})(?:[./][0-9]+)?(?![\w.])(?!\s*\)?\s*(?:\*\*|\^))|[⁰¹²³⁴-⁹]+")
MOST_POWER = 100
"""All powers in the name of a unit, multiplied, are no larger."""


def _within_reason(symbol: str) -> bool:
    """Whether the powers in a unit are small numbers: Pint calculates them exactly, which of 9**9**9 takes for ever.

    >>> _within_reason("kg*m**2/s^2"), _within_reason("meV**(9**9**9)"), _within_reason("meV*9⁹⁹⁹⁹⁹⁹⁹⁹⁹")
    (True, False, False)
    """
    powers = [match[1] or str(unicodedata.normalize("NFKC", match[0])) for match in _POWER.finditer(symbol)]
    operators = len(re.findall(r"\*\*|\^", symbol)) + len(re.findall(r"[⁰¹²³⁴-⁹]+", symbol))
    return operators == len(powers) and math.prod(max(int(power), 1) for power in powers) <= MOST_POWER


def _parse(symbol: str) -> Any:
    """The unit, or None if there is no such unit."""
    if not _within_reason(symbol):
        return None
    try:
        parsed = _registry().parse_units(f"1{symbol}" if symbol.startswith("/") else symbol)
        _registry().get_root_units(parsed)
    except Exception:
        # Pint's parser raises its own errors, and those of Python's tokenizer and arithmetic; all mean the same here.
        return None
    return parsed


_REFERENCES = {"energy": "joule", "temperature": "kelvin", "rate": "hertz", "time": "second", "voltage": "volt"}


def _kind(unit: Any) -> str | None:
    """The key of `KINDS` to which a unit belongs."""
    registry = _registry()
    for name, reference in _REFERENCES.items():
        if unit.dimensionality == registry.Unit(reference).dimensionality:
            return name
    # Angles have no dimension for Pint either, but their root unit is the radian.
    root = str(registry.get_root_units(unit)[1])
    return {"radian": "angle", "dimensionless": "dimensionless"}.get(root)


def _words(unit: Any) -> str:
    kind = _kind(unit)
    return "of another kind" if kind is None else KINDS[kind].words


if not TYPE_CHECKING:  # a type checker goes on to refuse what is not here
    __getattr__ = _told("coldspot.units", __all__)
