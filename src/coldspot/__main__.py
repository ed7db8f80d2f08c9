"""The program `coldspot`: settings of the process around the command line in `cli`."""

import _thread
import gc
import io
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from types import FrameType

import jax

from . import cli

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a Greek letter shows a question mark instead of failing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    keep_compiled()
    signal.signal(signal.SIGINT, interrupt)
    try:
        code = cli.run(sys.argv[1:])
    except BrokenPipeError:
        # The reader has left (as `head` does). Whatever is still buffered goes nowhere, so that the exit is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # XLA may still be compiling in threads of its own, and crashes when Python is taken down around them.
        os._exit(code)
    sys.exit(code)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt`, but not where it would be lost.

    Python drops what is raised in a callback of its garbage collector, and JAX has one; then try again a little later.
    """
    if frame is not None and frame.f_code in [getattr(callback, "__code__", None) for callback in gc.callbacks]:
        threading.Timer(0.01, _thread.interrupt_main).start()
    else:
        raise KeyboardInterrupt


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
