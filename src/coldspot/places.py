"""Where a sweep solves: a grid, or a list of points."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._checks import InputError, check_bare, short
from .machine_files.results import POINT

if TYPE_CHECKING:
    import xarray


class Places(NamedTuple):
    """The points of a sweep: a grid of the values on each axis, or (`listed`) the points with the values at each."""

    axes: dict[str, np.ndarray]
    listed: bool

    @property
    def shape(self) -> dict[str, int]:
        """{dimension: length} of the dataset."""
        if self.listed:
            return {POINT: len(next(iter(self.axes.values())))}
        return {name: values.size for name, values in self.axes.items()}

    @property
    def coordinates(self) -> dict[str, Any]:
        if not self.listed:
            return dict(self.axes)
        return {POINT: np.arange(self.shape[POINT]), **{name: (POINT, v) for name, v in self.axes.items()}}

    def part(self, block: Mapping[str, slice]) -> "Places":
        """A part of the grid or of the list."""
        return Places({name: v[block[POINT if self.listed else name]] for name, v in self.axes.items()}, self.listed)

    def columns(self, size: int | None = None) -> dict[str, np.ndarray]:
        """The value of each parameter at all points; the last point again up to a `size`."""
        mesh = list(self.axes.values()) if self.listed else np.meshgrid(*self.axes.values(), indexing="ij")
        columns = [m.ravel() for m in mesh]
        if size is not None:
            columns = [np.pad(column, (0, size - column.size), mode="edge") for column in columns]
        return dict(zip(self.axes, columns, strict=True))

    def empty(self) -> "xarray.Dataset":
        """A dataset of the coordinates alone."""
        import xarray

        return xarray.Dataset(coords=self.coordinates)


def places_of(parameters: Any) -> Places:
    """The points that a user's `parameters` name."""
    if hasattr(parameters, "columns") and hasattr(parameters, "to_dict"):
        return _listed({str(name): _axis(str(name), parameters[name]) for name in parameters.columns})
    if isinstance(parameters, Mapping):
        grid = {name: _axis(name, values) for name, values in parameters.items()}
        if not grid:
            raise InputError("sweep: `parameters` is empty; name at least one parameter and its values.")
        return Places(grid, listed=False)
    points = list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, str) else []
    if not points or not all(isinstance(point, Mapping) for point in points):
        raise InputError(
            "sweep: `parameters` must be a mapping {name: values}, or a list of points such as "
            f'[{{"level": 1.0}}, {{"level": 2.0}}], but is {short(parameters)}.'
        )
    names = tuple(points[0])
    for k, point in enumerate(points):
        for name in sorted(set(names) ^ set(point)):
            have, lack = (k, 0) if name in point else (0, k)
            raise InputError(
                f"sweep: all points must name the same parameters; point {have} names `{name}`, point {lack} does not."
            )
    return _listed({name: _axis(name, [point[name] for point in points]) for name in names})


def _listed(columns: dict[str, np.ndarray]) -> Places:
    """A list of points: parameters are coordinates along one dimension."""
    if not columns:
        raise InputError("sweep: the points are empty; name at least one parameter.")
    if POINT in columns:
        raise InputError(f"sweep: a parameter called `{POINT}` would hide the dimension of that name; rename it.")
    return Places(columns, listed=True)


def _axis(name: str, values: Any) -> np.ndarray:
    check_bare(values, f"sweep: the values of `{name}`")
    try:
        array = np.atleast_1d(np.asarray(values))
        if array.dtype.kind not in "biuf":
            raise TypeError
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"sweep: the values of `{name}` must be real numbers, but are {short(values)}.") from None
    if array.ndim != 1 or array.size == 0:
        raise InputError(
            f"sweep: the values of `{name}` must be a list of at least one number, but have shape {array.shape}."
        )
    return array.astype(np.float64)
