"""Results that carry the machine they belong to."""

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from .. import paths
from .._checks import InputError, short
from ..dynamics import Dynamics, Machine, as_dynamics
from ..files import unwritable, whole, whole_folder
from . import toml
from .decode import from_text
from .encode import document
from .kinds import function_of, import_path

if TYPE_CHECKING:
    import xarray

NETCDF, ZARR = ".nc", ".zarr"
ENDINGS = (NETCDF, ZARR)
MACHINE = "machine_file"
"""The attribute of a dataset with the text of its machine's file."""
MOST_NUMBERS = 100_000
"""Of a machine that a dataset's attributes hold."""
IDENTITY = "sweep"
"""The attribute by which a store that is being written tells sweeps apart."""
POINT = "point"
"""The dimension of a list of points."""
WITHOUT = "machine_file_missing"
"""The attribute that says why there is none."""
UNTOLD = "a solution does not know it; `coldspot.save(solution, path, machine=machine)` writes it beside."

BUILD = "# built by "
"""Begins the text of a function that builds machines; its import path follows."""


def place_of(owner: str, argument: str, path: Any) -> Path:
    """A path, of whatever kind that Python knows."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f'{owner}: `{argument}` must be a path, such as "result.nc", but is {short(path)}.')
    return Path(path)


def carried(machine: Any, unit: str | None, most: float = MOST_NUMBERS) -> dict[str, str]:
    """Attributes that carry the machine of a sweep, or say why they cannot; not of one with too many numbers."""
    count = sum(np.size(leaf) for leaf in jax.tree.leaves(machine))
    if count > most:
        return {WITHOUT: f"it has {count:,} numbers, which `coldspot.save` writes to a file of their own."}
    try:
        if isinstance(machine, Machine | Dynamics):
            return {MACHINE: toml.text(document(machine, unit))}
        return {MACHINE: BUILD + import_path(machine, f"the function `{getattr(machine, '__name__', machine)}`")}
    except InputError as error:
        return {WITHOUT: str(error)}


def beside(dataset: "xarray.Dataset", machine: Any, unit: str | None) -> "xarray.Dataset":
    """A dataset of a solution and its like, which do not know their machine, with it or with the words that say so."""
    if not isinstance(machine, Machine | Dynamics | None):
        raise InputError(f"save: `machine` must be a machine or a network, but is {short(machine)}.")
    if machine is None:
        return dataset.assign_attrs({WITHOUT: UNTOLD})
    dynamics = as_dynamics(machine)
    for axis, kind, names in (("bath", "baths", dynamics.reservoirs()), ("drive", "drives", dynamics.workers())):
        found = dataset[axis].values.tolist() if axis in dataset.dims else []
        asked = axis in dataset.dims or "regime" in dataset  # spectra and their like name no baths
        if asked and list(names) != found:
            own, other = (", ".join(some) or "(none)" for some in (names, found))
            raise InputError(
                f"save: `machine` has the {kind} {own}, but the results are of {other}; give the machine that "
                "was solved."
            )
    return dataset.assign_attrs(carried(machine, unit))


def is_dataset(thing: Any) -> bool:
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(thing, xarray.Dataset)


@functools.cache
def _loaded() -> Any:
    import xarray

    class Loaded(xarray.Dataset):
        """A Dataset from a file, with the machine that it belongs to."""

        __slots__ = ()

        @property
        def machine(self) -> Any:
            """The machine of the sweep, made again from the dataset's attributes.

            Of a sweep over a function that builds the machine, that function.
            """
            return machine_of(self)

        @property
        def machines(self) -> list[Any]:
            """The machines of a list of points, in its order."""
            return machines_of(self)

        def __reduce__(self) -> Any:
            # The class stands in a function, so that importing coldspot does not import xarray.
            return with_machine, (xarray.Dataset(self.data_vars, self.coords, self.attrs),)

    return Loaded


def with_machine(dataset: "xarray.Dataset") -> "xarray.Dataset":
    """A dataset of a sweep that makes its `machine` again, and its `machines` if it is a list of points.

    What a store keeps to tell sweeps apart is its own: NetCDF has no place for it.
    """
    attributes = {name: value for name, value in dataset.attrs.items() if name != IDENTITY}
    return _loaded()(dataset.data_vars, dataset.coords, attributes)


def opened(path: Path) -> "xarray.Dataset":
    """The dataset of a file, in memory (NetCDF), or read as it is needed (Zarr)."""
    import xarray

    if not path.exists():
        raise InputError(f"`{path}` cannot be read: there is no such file.")
    try:
        if path.suffix == ZARR:
            require_zarr()
            found = xarray.open_zarr(path, chunks=None, consolidated=False)
        else:
            found = xarray.load_dataset(path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"`{path}` cannot be read: {' '.join(str(error).split())}") from None
    return with_machine(found)


def machine_of(dataset: "xarray.Dataset") -> Any:
    """The machine of a dataset, from its attributes."""
    source = dataset.attrs.get(MACHINE)
    if source is None:
        reason = dataset.attrs.get(WITHOUT, "it was not made by a sweep, or by an older version of coldspot.")
        raise InputError(f"the results do not hold their machine: {reason}")
    if source.startswith(BUILD):
        return function_of(source.removeprefix(BUILD).strip(), None)
    return from_text(source, f"`{MACHINE}`").machine


def machines_of(dataset: "xarray.Dataset") -> list[Any]:
    """The machines of a list of points, from the dataset's attributes and coordinates."""
    if dataset.coords.keys() <= {POINT} or POINT not in dataset.dims:
        raise InputError(f"`machines` are those of a list of points, but the dataset has no dimension `{POINT}`.")
    names = [str(name) for name, c in dataset.coords.items() if c.dims == (POINT,) and name != POINT]
    columns = {name: np.asarray(dataset[name]) for name in names}
    points = [{name: float(column[k]) for name, column in columns.items()} for k in range(dataset.sizes[POINT])]
    base = machine_of(dataset)
    if not isinstance(base, Machine | Dynamics):
        return [base(**point) for point in points]
    return [functools.reduce(lambda m, item: paths.replace(m, *item), point.items(), base) for point in points]


def check_place(path: Path, begins: str = "") -> None:
    """Refuse a place that takes no file, before anything long is solved for it; `begins` begins the words."""
    if os.path.isdir(path):  # where Path asks, what may not be looked into is an error
        raise InputError(f"{begins}`{path}` cannot be written: it is a folder.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            part.write_bytes(bytes(4096))  # a full disk takes empty files, and refuses what is to be in them
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{begins}`{path}` cannot be written: {unwritable(path, error)}.") from None


def write(dataset: "xarray.Dataset", path: Path) -> None:
    """A dataset as a NetCDF file or a Zarr store, whole or not at all."""
    if path.suffix not in ENDINGS:
        raise InputError(f"results must be saved to `.nc` (NetCDF) or `.zarr` (Zarr), but not to `{path}`.")
    try:
        if path.suffix == NETCDF:
            check_place(path)  # why it cannot be made; NetCDF has but one word for that
            with whole(path) as part:
                dataset.to_netcdf(part, engine="netcdf4")
            return
        require_zarr()
        if path.exists():
            raise InputError(f"`{path}` is there already; a store is not overwritten.")
        check_place(path)  # a store would make the folders that are missing
        with whole_folder(path) as part:
            with_plain_names(dataset).to_zarr(part, consolidated=False)
    except (OSError, RuntimeError) as error:
        words = getattr(error, "strerror", None) or " ".join(str(error).split())
        words = words.replace("NetCDF: HDF error", "the disk is full, or takes no file of that size")
        raise InputError(f"`{path}` cannot be written: {words}.") from None


def with_plain_names(dataset: "xarray.Dataset") -> "xarray.Dataset":
    """Names of variable length: Zarr has no settled form for others."""
    names = {n: c.astype(object) for n, c in dataset.coords.items() if c.dtype.kind == "U"}
    return dataset.assign_coords(names)


def require_zarr() -> None:
    """Raise an error that says how to install Zarr, if it is missing."""
    try:
        import zarr  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "zarr":
            raise
        raise InputError(
            'Stores (.zarr) need Zarr, which is not installed; install it with: pip install "coldspot[cluster]"'
        ) from None
