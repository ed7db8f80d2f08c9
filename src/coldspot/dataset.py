"""From a result over a grid of parameters to an `xarray.Dataset`: one way for every verb's result.

A result tells what it holds by `variables()`; nothing here knows which verb or which form of dynamics made it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ._checks import InputError

if TYPE_CHECKING:
    import xarray


class Variable(NamedTuple):
    """One named array of a result, batch axes first.

    - `values` (…, *axes); `axes`: the names of the axes behind the batch;
    - `units`, `meaning`: what xarray shows; `attributes`: further ones;
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

    def labels(self) -> dict[str, tuple[str, ...]]:
        """The names along each named axis: {"bath": ("left", "right")}."""

    def variables(self) -> dict[str, Variable]:
        """Everything that it holds, by name."""

    def record(self) -> dict[str, Any]:
        """The result of one point as plain Python values, for JSON: what is not finite is None."""


def flag_attributes(names: Sequence[str]) -> dict[str, Any]:
    """CF attributes of an integer variable whose values stand for names."""
    words = " ".join(name.replace(" ", "_") for name in names)
    return {"flag_values": np.arange(len(names), dtype=np.int8), "flag_meanings": words}


def to_dataset(
    result: Result,
    coordinates: Mapping[str, Any],
    shape: tuple[int, ...],
    attributes: Mapping[str, Any],
) -> "xarray.Dataset":
    """A result with one batch axis, in the order of the grid, over that grid.

    `coordinates`: whatever xarray takes for the grid's dimensions; the first names in it are the dimensions, as many
    as `shape` has entries. An entry of the result that has the name of one of them is called `…_result`.
    """
    import xarray as xr

    dims = tuple(coordinates)[: len(shape)]
    trusted = np.asarray(result.status).reshape(shape) == 0
    variables: dict[str, Any] = {}
    for name, variable in result.variables().items():
        array = np.asarray(variable.values)
        array = array.reshape(*shape, *array.shape[1:])
        if variable.masked:
            array = np.where(trusted.reshape(*shape, *(1,) * len(variable.axes)), array, np.nan)
        described = {"units": variable.units} if variable.units else {}
        described |= {"long_name": variable.meaning} if variable.meaning else {}
        name = f"{name}_result" if name in coordinates else name
        variables[name] = ((*dims, *variable.axes), array, {**described, **variable.attributes})
    labels = result.labels()
    for name in coordinates:
        if name in labels or any(name in dims_ for dims_, *_ in variables.values() if name not in dims):
            raise InputError(f"sweep: a parameter called `{name}` would hide the axis of that name; rename it.")
    named = {axis: list(names) for axis, names in labels.items()}
    return xr.Dataset(variables, coords={**coordinates, **named}, attrs=dict(attributes))
