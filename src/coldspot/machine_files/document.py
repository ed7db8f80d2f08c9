"""`save` and `load`: machines and networks as TOML, results with their machine as NetCDF or Zarr."""

import os
from pathlib import Path
from typing import Any

import equinox as eqx

from .._checks import InputError, worded
from ..files import unwritable, whole
from .decode import Content, from_text
from .encode import document
from .results import ENDINGS, beside, is_dataset, opened, place_of, write
from .toml import text

MACHINE = ".toml"


@worded
def save(thing: Any, path: str | Path, *, unit: str | None = None, machine: Any = None) -> None:
    """Write a machine or a network to a TOML file, results of any kind to NetCDF (`.nc`) or Zarr (`.zarr`).

    **Arguments:** `thing`; `path`, whose ending says the format; `unit`, the name of the energy in whose units the
    machine's numbers are (`"meV"`). Solutions, cumulants, responses, trajectories are written as their
    `to_dataset(unit)`; they do not know their `machine`, which stands beside them in the file if it is given, as that
    of a sweep does.

    A file names the machine and gives its numbers by their dotted paths, every float with all its digits, so that
    `load` returns an equal machine. Functions (energies of a driven network, potentials) are written as import paths,
    `{function = "package.module:name"}`; a lambda has none and is refused. The file is written whole or not at all.

    **Raises** `InputError` if a part of the machine has no form in a file, or the place cannot be written.

    >>> import coldspot as cs, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "dot.toml"
    ...     cs.save(cs.machines.QuantumDot(level=-3.0), path)
    ...     print(path.read_text().strip())
    ...     print(cs.load(path).level)
    machine = "quantum-dot"
    <BLANKLINE>
    [parameters]
    level = -3.0
    left.temperature = 10.0
    left.chemical_potential = 2.5
    right.temperature = 5.0
    right.chemical_potential = -2.5
    gamma_left = 2.0
    gamma_right = 2.0
    -3.0
    """
    if isinstance(thing, str | os.PathLike) and not isinstance(path, str | os.PathLike):
        raise InputError("save: the thing comes first, then the path: `save(thing, path)`.")
    place = place_of("save", "path", path)
    if isinstance(thing, eqx.Module) and hasattr(thing, "to_dataset"):
        _check_ending(place, ENDINGS, "results")
        thing = beside(thing.to_dataset(unit), machine, unit)
    elif machine is not None:
        raise InputError("save: `machine` stands beside a solution and its like; a sweep's Dataset carries its own.")
    if is_dataset(thing):
        write(thing, place)
        return
    written = as_text(thing, unit)
    _check_ending(place, (MACHINE,), "a machine")
    try:
        with whole(place) as part:
            part.write_text(written, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"save: `{path}` cannot be written: {unwritable(place, error)}.") from None


@worded
def load(path: str | Path) -> Any:
    """The machine or network of a TOML file; or the Dataset of a NetCDF file or Zarr store, with its `machine`.

    Numbers may have units (`"4.2 K"`) if the file says by `unit = "meV"` in which energy they are wanted. Modules that
    the file names are imported, those beside it included: load only files that you trust.

    **Raises** `InputError` that names the file, the line, the key and the nearest valid one.
    """
    place = place_of("load", "path", path)
    if place.suffix in ENDINGS:
        return opened(place)
    _check_ending(place, (MACHINE, *ENDINGS), "a machine or of results")
    return read(place).machine


def as_text(machine: Any, unit: str | None = None) -> str:
    """A machine as the text of a file."""
    return text(document(machine, unit))


def read(path: Path) -> Content:
    """The content of a machine file."""
    _check_ending(path, (MACHINE,), "a machine")
    try:
        source = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be text in UTF-8, but byte {error.start} is not.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"`{path}` cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return from_text(source, str(path), path.parent)


def _check_ending(path: Path, endings: tuple[str, ...], what: str) -> None:
    if path.suffix not in endings:
        wanted = " or ".join(f"`{ending}`" for ending in endings)
        raise InputError(f"the file of {what} must end in {wanted}, but is `{path}`.")
