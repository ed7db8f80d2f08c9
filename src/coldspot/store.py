"""Stores of sweeps that are written block by block, and go on where they were stopped.

A store is a Zarr group with an array for each variable, whose chunks are the blocks. Of a block the status is written
last, and every chunk is written whole or not at all: a point whose status is not −1 has all its numbers.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import InputError
from .files import remove_abandoned, unwritable, whole_folder
from .machine_files.results import IDENTITY, ZARR, check_place, require_zarr, with_machine, with_plain_names
from .progress import track

if TYPE_CHECKING:
    import xarray

NOT_SOLVED = -1
"""The status of points that no block has reached yet."""
BLOCK = 4096
LARGEST_BLOCK = 65536
"""Points of a block: few, so that little is lost, but not so few that a store has more than some thousand blocks."""
BLOCKS = 4096
Block = dict[str, slice]


def plan(lengths: Mapping[str, int]) -> dict[str, int]:
    """The shape of blocks for a grid: the last dimensions whole, as many as fit, and a part of the one before.

    >>> plan({"a": 3, "b": 5000}), plan({"a": 100, "b": 7, "c": 10})
    ({'a': 1, 'b': 2500}, {'a': 50, 'b': 7, 'c': 10})
    """
    room = min(max(BLOCK, math.prod(lengths.values()) // BLOCKS), LARGEST_BLOCK)
    shape: dict[str, int] = {}
    for name, length in reversed(list(lengths.items())):
        pieces = -(-length // max(room, 1))
        shape[name] = -(-length // pieces)
        room //= shape[name] if pieces == 1 else room + 1
    return dict(reversed(list(shape.items())))


def blocks(lengths: Mapping[str, int], shape: Mapping[str, int]) -> Iterator[Block]:
    """The blocks of a grid, in order."""
    cuts = [
        [slice(start, min(start + shape[name], length)) for start in range(0, length, shape[name])]
        for name, length in lengths.items()
    ]
    for part in itertools.product(*cuts):
        yield dict(zip(lengths, part, strict=True))


def filled(
    path: Path,
    coordinates: "xarray.Dataset",
    lengths: Mapping[str, int],
    solve: Callable[[Sequence[Block], int], "Generator[xarray.Dataset]"],
    identity: Mapping[str, str],
    progress: bool | None,
    remarks: Callable[[Iterable[tuple[Block, np.ndarray]]], Mapping[str, str]],
) -> "xarray.Dataset":
    """The dataset of a store, after all blocks that it lacks have been solved and written.

    `solve(blocks, size)` yields the dataset of each block, computed as one of `size` points; `identity` says what may
    not differ from what the store was made for; `remarks` are attributes that follow from the status of each block.
    """
    if path.suffix != ZARR:
        raise InputError(f"sweep: `to` must be a path that ends in `{ZARR}`, but is `{path}`.")
    require_zarr()
    shape = plan(lengths)
    size = math.prod(shape.values())
    all_blocks = list(blocks(lengths, shape))
    try:
        if path.exists():
            root = _reopened(path, identity)
        else:
            check_place(path, "sweep: ")
            first = next(solve(all_blocks[:1], size))
            root = _created(path, coordinates, lengths, shape, first, identity)
        left = [block for block in all_blocks if not _is_done(root, block)]
        with contextlib.closing(solve(left, size)) as solved:
            pairs = zip(left, solved, strict=True)
            for block, dataset in track(pairs, total=len(left), label="sweep", show=progress):
                _write(root, block, dataset)
        found = remarks((block, np.asarray(root["status"][tuple(block.values())])) for block in all_blocks)
        if found:
            root.attrs.update(found)
    except OSError as error:
        stays = "; what is in it stays, to go on later" if path.exists() else ""
        raise InputError(f"sweep: `{path}` cannot be written: {unwritable(path, error)}{stays}.") from None
    import xarray

    return with_machine(xarray.open_zarr(path, chunks=None, consolidated=False))


def _created(
    path: Path,
    coordinates: "xarray.Dataset",
    lengths: Mapping[str, int],
    shape: Mapping[str, int],
    first: "xarray.Dataset",
    identity: Mapping[str, str],
) -> Any:
    """A new store with its first block, which appears under its name when it is complete."""
    import zarr

    remove_abandoned(path.parent)
    with whole_folder(path) as part:
        names = first.coords.to_dataset().drop_vars(list(coordinates.coords), errors="ignore")
        with_plain_names(coordinates.assign_coords(names.coords)).to_zarr(part, consolidated=False, zarr_format=3)
        root = zarr.open_group(part, mode="r+")
        root.attrs.update({**_plain(first.attrs), IDENTITY: dict(identity)})
        for name, variable in first.data_vars.items():
            own = variable.dims[len(lengths) :]
            sizes = [*lengths.values(), *(first.sizes[dim] for dim in own)]
            chunks = (*shape.values(), *(first.sizes[dim] for dim in own))
            root.create_array(
                str(name),
                shape=sizes,
                chunks=chunks,
                dtype=variable.dtype,
                fill_value=_unsolved(str(name), variable),
                dimension_names=[str(dim) for dim in variable.dims],
                attributes=_described(str(name), variable),
            )
        _write(root, next(blocks(lengths, shape)), first)
    return zarr.open_group(path, mode="r+")


def _reopened(path: Path, identity: Mapping[str, str]) -> Any:
    """A store that is there already, if it is one of this very sweep."""
    import zarr

    try:
        root = zarr.open_group(path, mode="r+")
        attributes: Any = root.attrs
        found = dict(attributes[IDENTITY])
    except (KeyError, TypeError, ValueError, FileNotFoundError, zarr.errors.BaseZarrError):
        raise InputError(f"sweep: `{path}` is there already, and is no store that a sweep was writing.") from None
    for name, wanted in identity.items():
        if found.get(name) != wanted:
            raise InputError(
                f"sweep: `{path}` belongs to another sweep, with other {name}; go on with the same one, or give "
                "`to` another name."
            )
    return root


def _is_done(root: Any, block: Block) -> bool:
    status = root["status"][tuple(part.start for part in block.values())]
    return bool(np.asarray(status) != NOT_SOLVED)


def _write(root: Any, block: Block, solved: "xarray.Dataset") -> None:
    """The numbers of a block; the status last."""
    place = tuple(block.values())
    for name in [*(name for name in solved.data_vars if name != "status"), "status"]:
        root[name][place] = solved[name].values


def _unsolved(name: str, variable: Any) -> Any:
    """What stands at points that are not solved: no number, no regime, the status −1."""
    if name == "status":
        return NOT_SOLVED
    if variable.dtype.kind == "f":
        return np.nan
    meanings = str(variable.attrs.get("flag_meanings", "")).split()
    return meanings.index("unknown") if "unknown" in meanings else variable.dtype.type(0)


def _described(name: str, variable: Any) -> dict[str, Any]:
    attributes = _plain(variable.attrs)
    if name == "status":
        attributes["flag_values"] = [NOT_SOLVED, *attributes["flag_values"]]
        attributes["flag_meanings"] = f"not_solved {attributes['flag_meanings']}"
    return attributes


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON takes them."""
    return {
        str(name): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
    }
