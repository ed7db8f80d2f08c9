"""Units on the axes of pictures, typeset."""

import re
from typing import Any

LETTERS = {"hbar": r"\hbar", "k_B": r"k_\mathrm{B}", "E": "E", "e": "e"}
"""Constants and the unspecified energy E; every other name is a unit, which stands upright."""
_POWER = re.compile(r"\*\*(?:(-?[0-9]+(?:\.[0-9]+)?)|\((-?[0-9]+(?:[./][0-9]+)?)\))")
_NAME = re.compile(r"[^\W\d]\w*")


def typeset(unit: str) -> str:
    r"""A unit that programs read (`units` and `natural_units` of a Dataset) as one that people read.

    >>> typeset("E**2/hbar"), typeset("k_B*E/hbar"), typeset("E/k_B")
    ('$E^{2}/\\hbar$', '$k_\\mathrm{B}\\,E/\\hbar$', '$E/k_\\mathrm{B}$')
    >>> typeset("W"), typeset("meV**3/hbar"), typeset("1/s"), typeset("E**0.5")
    ('W', '$\\mathrm{meV}^{3}/\\hbar$', '1/s', '$E^{0.5}$')
    >>> typeset("E**(1/2)"), typeset("E**(-2)*hbar")
    ('$E^{1/2}$', '$E^{-2}\\,\\hbar$')
    """
    if not _POWER.search(unit) and not any(name in LETTERS for name in _NAME.findall(unit)):
        return unit
    written = _NAME.sub(lambda name: LETTERS.get(name[0], rf"\mathrm{{{name[0]}}}"), unit)
    return "$" + _POWER.sub(lambda power: f"^{{{power[1] or power[2]}}}", written).replace("*", r"\,") + "$"


def unit_of(values: Any) -> str:
    """The unit of a variable of a Dataset, typeset; empty if it has none."""
    unit = str(values.attrs.get("units") or values.attrs.get("natural_units") or "")
    return "" if unit == "1" else typeset(unit)


def labelled(values: Any, words: str) -> str:
    """The label of an axis: `words`, and the unit of a variable of a Dataset in brackets."""
    unit = unit_of(values)
    return f"{words} ({unit})" if unit else words
