"""Files and folders that are written whole or not at all; nothing is left behind by those who were stopped."""

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRIES, GONE, PAUSE = 30, 4, 0.05
"""How often to look for a folder, how often it must be gone, one after the other, and seconds between."""
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


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write into, renamed to it at the end; there must be none of that name yet."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    _unfinished.add(part)
    try:
        yield part
        part.rename(path)
    except BaseException:
        _remove_for_good(part)
        raise
    finally:
        _unfinished.discard(part)


def unwritable(path: Path, error: Exception) -> str:
    """Why a place cannot be written: in the words of the system, or by the folder that is missing."""
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not path.parent.is_dir():
        return f"there is no folder `{path.parent}`"
    return getattr(error, "strerror", None) or " ".join(str(error).split())


def remove_unfinished() -> None:
    """Remove what this process has begun to write; for those who leave at once."""
    for part in list(_unfinished):
        _remove(part)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _remove_for_good(part: Path) -> None:
    """Remove a folder into which threads of a writer that failed may still be about to put files."""
    gone = 0
    for _ in range(TRIES):
        gone = 0 if part.exists() else gone + 1
        if gone == GONE:
            return
        _remove(part)
        time.sleep(PAUSE)


def remove_abandoned(folder: Path) -> None:
    """Remove from a folder what processes that no longer run have begun to write."""
    for part in folder.glob(".*.part"):
        found = _PART.fullmatch(part.name)
        if found and not _runs(int(found[1])):
            _remove(part)


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
