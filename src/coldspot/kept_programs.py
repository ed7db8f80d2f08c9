"""Compiled programs are kept in the user's cache folder, so that a later start need not compile them again."""

import hashlib
import os
import platform
import sys
import warnings
from pathlib import Path

import jax

LONG = 0.1
"""Seconds of compilation from which on a library's user has the program kept."""


def keep(*, longer_than: float = LONG) -> None:
    """Keep compiled programs whose compilation takes longer than so many seconds.

    A folder that the user chose for JAX stays; without a usable folder nothing is kept.
    """
    mine = jax.config.jax_compilation_cache_dir in (None, _folder())  # type: ignore[attr-defined]
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or not mine:
        return
    folder = _folder()
    if folder is None:
        return
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", longer_than)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A damaged entry (a full disk, a killed process) is compiled again; the user can do nothing about it.
    warnings.filterwarnings("ignore", message=".*persistent compilation cache.*")


def _folder() -> str | None:
    """Where programs for this make of processor are kept, by the custom of the platform; None without a home."""
    try:
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / "Library" / "Caches"
        else:
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return str(Path(base) / "coldspot" / f"jax-{_processor()}")


def _processor() -> str:
    """A short name of what programs are compiled for: a home may be shared by machines of different kinds."""
    kind = [platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    kind += sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    return hashlib.sha256("\n".join(kind).encode()).hexdigest()[:8]
