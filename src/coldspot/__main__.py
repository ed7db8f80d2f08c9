"""The program `coldspot`: settings of the process around the command line in `cli`."""

import io
import logging
import os
import sys
import warnings
from pathlib import Path

import jax

from . import cli

UNREAD = 141
"""Exit code if the reader of stdout has left, as shells have it."""


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a Greek letter shows a question mark instead of failing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    be_quiet()
    keep_compiled()
    try:
        code = cli.run(sys.argv[1:])
    except BrokenPipeError:
        code = UNREAD
    except OSError as error:
        code = cli.complain(f"cannot write to stdout: {error.strerror or error}.", 2)
    if code == cli.INTERRUPTED:
        # XLA may still be compiling in threads of its own, and crashes when Python is taken down around them.
        os._exit(code)
    _flush()
    sys.exit(code)


def _flush() -> None:
    """What cannot be written now (the reader has left, as `head` does; the disk is full) goes nowhere, quietly."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except AttributeError:  # there is no stdout
        pass


def be_quiet() -> None:
    """Warnings and logs of other libraries (no home, no folder for a cache) are nothing that a user can act on."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())


def keep_compiled() -> None:
    """Keep compiled programs in the user's cache folder, so that a second start is quick.

    A folder that the user chose for JAX stays; without a usable folder nothing is kept.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A damaged entry (a full disk, a killed process) is compiled again; the user can do nothing about it.
    warnings.filterwarnings("ignore", message=".*persistent compilation cache.*")


def cache_folder() -> Path:
    """Where compiled programs are kept, by the custom of the platform."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "coldspot" / "jax"


if __name__ == "__main__":
    main()
