"""From a result over a grid of parameters to an `xarray.Dataset`: one way for every verb's result.

A result tells what it holds by `variables()`; nothing here knows which verb or which form of dynamics made it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ._checks import InputError
from ._version import __version__
from .units import check_energy_unit, physical, spelled

if TYPE_CHECKING:
    import xarray

MOST_NUMBERS = 1000
"""Arrays with more numbers than this stand in a dataset's attributes by their shape and fingerprint."""


class Variable(NamedTuple):
    """One named array of a result, batch axes first.

    - `values` (…, *axes); `axes`: the names of the axes behind the batch;
    - `units`: in terms of the energy E in which the machine is given ("E**2/hbar"; k_B = ħ = e = 1); empty if unknown;
    - `meaning`: what xarray shows; `attributes`: further ones;
    - `masked`: whether points that cannot be trusted show NaN instead of the number.
    """

    values: Any
    axes: tuple[str, ...] = ()
    units: str = ""
    meaning: str = ""
    attributes: Mapping[str, Any] = {}
    masked: bool = True


@runtime_checkable
class Result(Protocol):
    """What sweeps, files and the command line ask of any verb's result."""

    @property
    def status(self) -> Any:
        """Integers (…), 0 where the point can be trusted; see `Status`."""

    def labels(self) -> dict[str, tuple[Any, ...]]:
        """The names (or numbers) along each axis behind the batch: {"bath": ("left", "right")}."""

    def variables(self) -> dict[str, Variable]:
        """Everything that it holds, by name."""

    def record(self) -> dict[str, Any]:
        """The result of one point as plain Python values, for JSON: what is not finite is None."""


def flag_attributes(names: Sequence[str]) -> dict[str, Any]:
    """CF attributes of an integer variable whose values stand for names."""
    words = " ".join(name.replace(" ", "_") for name in names)
    return {"flag_values": np.arange(len(names), dtype=np.int8), "flag_meanings": words}


def unit_attributes(natural: str, unit: str | None, *, typed: bool = False) -> tuple[float, dict[str, str]]:
    """A factor for numbers in a `natural` unit, and the attributes that tell their unit.

    With the name of the energy, `units` is a unit that Pint reads: SI (`W`, `A`, `1/s`, `K`), but powers of the
    energy for values that a user `typed`, which must stay as they are. Without it `units` cannot be known, and
    `natural_units` says what the numbers are in terms of an energy E.
    """
    if not natural:
        return 1.0, {}
    if not any(symbol in natural for symbol in ("E", "hbar", "k_B")):
        return 1.0, {"units": natural}
    if unit is None:
        return 1.0, {"natural_units": natural}
    factor, name = (1.0, spelled(natural, unit)) if typed else physical(natural, unit)
    return factor, {"units": name}


def to_dataset(
    result: Result,
    coordinates: Mapping[str, Any],
    shape: Mapping[str, int],
    attributes: Mapping[str, Any],
    unit: str | None = None,
    *,
    used_up: bool = False,
) -> "xarray.Dataset":
    """A result with one batch axis, in the order of the grid, over that grid.

    `coordinates`: whatever xarray takes for them; `shape`: {dimension: length} of the grid, none for one point;
    `unit`: the energy in whose units the machine's numbers are; `used_up`: whether nobody needs the result any more, so
    that its arrays may become those of the dataset, masked where they are: many points take half the memory. An entry
    of the result that has the name of a coordinate is called `…_result`.
    """
    import xarray as xr

    if unit is not None:
        check_energy_unit(unit, "unit")
    lengths = tuple(shape.values())
    trusted = np.asarray(result.status).reshape(lengths) == 0
    variables: dict[str, Any] = {}
    for name, variable in result.variables().items():
        array = np.asarray(variable.values)
        array = array.reshape((*lengths, *array.shape[array.ndim - len(variable.axes) :]))
        if variable.masked:
            array = _masked(array, trusted.reshape(lengths + (1,) * len(variable.axes)), used_up)
        factor, described = unit_attributes(variable.units, unit)
        array = array if factor == 1 else array * factor
        described |= {"long_name": variable.meaning} if variable.meaning else {}
        name = f"{name}_result" if name in coordinates else name
        variables[name] = ((*shape, *variable.axes), array, {**described, **variable.attributes})
    labels = result.labels()
    axes = {axis for dims, *_ in variables.values() for axis in dims[len(lengths) :]}
    for name in (*shape, *coordinates):
        if name in labels or name in axes:
            raise InputError(f"sweep: a parameter called `{name}` would hide the axis of that name; rename it.")
    named = {axis: list(names) for axis, names in labels.items()}
    return xr.Dataset(variables, coords={**coordinates, **named}, attrs=dict(attributes))


def _masked(array: np.ndarray, trusted: Any, in_place: bool) -> np.ndarray:
    """An array with NaN at points that are not trusted."""
    if not in_place or array.dtype != np.float64 or not array.flags.writeable:
        return np.where(trusted, array, np.nan)
    if not np.all(trusted):
        np.copyto(array, np.nan, where=np.logical_not(trusted))
    return array


# --------------------------------------------------------------------------- where it comes from


def provenance(
    machine: str = "", numbers: Mapping[str, Any] | None = None, tolerance: Any = None, unit: str | None = None
) -> dict[str, Any]:
    """What a dataset says of its origin, as attributes that NetCDF and Zarr take.

    The machine's name, its `numbers` by path (`parameter.left.temperature`), the version, the tolerance and the unit.
    """
    found: dict[str, Any] = {"machine": machine} if machine else {}
    found |= {f"parameter.{path}": _attribute(value) for path, value in (numbers or {}).items()}
    found |= {} if tolerance is None else {"tolerance": float(tolerance)}
    found["conventions"] = "rates are positive into the system; k_B = hbar = e = 1"
    if unit is None:
        found["conventions"] += "; E is the unit of energy"
    else:
        found["unit"] = unit
    return found | {"created_by": "coldspot", "version": __version__}


def _attribute(value: Any) -> Any:
    """Numbers as an attribute of a file: one, a list, or (of more dimensions, or complex) as text."""
    array = np.asarray(value)
    if array.size > MOST_NUMBERS:
        print_ = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        return f"array of shape {array.shape}, SHA-256 of its bytes {print_}"
    if np.iscomplexobj(array):
        return str(array.tolist())
    if array.ndim > 1:
        return json.dumps(array.tolist())
    return array.item() if array.ndim == 0 else array
