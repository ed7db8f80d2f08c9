"""Files that are written whole or not at all, and nothing left behind by those who were stopped on the way."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PART = re.compile(r"\..+\.(\d+)\.part")
_unfinished: set[Path] = set()


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, renamed to it at the end: readers never see half a file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    _unfinished.add(part)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        _unfinished.discard(part)


def remove_unfinished() -> None:
    """Remove what this process has begun to write; for those who leave at once."""
    for part in list(_unfinished):
        part.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove from a folder what processes that no longer run have begun to write."""
    for part in folder.glob(".*.part"):
        found = _PART.fullmatch(part.name)
        if found and not _runs(int(found[1])):
            part.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    if sys.platform == "win32":
        return True  # where asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
