"""What asks the world outside a program: files, the environment, clocks, random numbers, modules by their names.

No analysis of a function's code can tell what these answer the next time, so that functions which ask are refused.
"""

import builtins
from pathlib import PurePath
from typing import Any

from ._mentions import Chain, installed

CHANGING = ("random", "secrets", "time", "uuid")
"""Modules whose functions answer differently each time."""
BLIND = ("eval", "exec", "globals", "open", "input", "__import__")
"""Built-in functions that read what no analysis of the code can name."""
READING = frozenset({
    "fromfile", "fromregex", "genfromtxt", "getenv", "import_module", "load", "load_dataarray", "load_dataset",
    "loadmat", "loadtxt", "memmap", "now", "open_dataarray", "open_dataset", "open_mfdataset", "open_zarr", "popen",
    "read_bytes", "read_csv", "read_excel", "read_feather", "read_fwf", "read_hdf", "read_json", "read_parquet",
    "read_pickle", "read_sql", "read_table", "read_text", "today", "urlopen", "utcnow",
})  # fmt: skip
"""Functions of whatever library that read files, clocks, the environment or modules."""
OF_MODULES = {"os": ("environ", "environb", "getcwd"), "sys": ("_getframe", "argv", "modules", "stdin")}
"""Attributes of single modules that change while a program runs."""
OPENING = ("io", "_io", "bz2", "codecs", "gzip", "lzma", "os", "pathlib")
"""Modules whose `open` opens files."""


def asked(module: str, chains: frozenset[Chain]) -> str:
    """What of a library's module, read by `chains` of attributes, asks the world outside; empty if nothing does.

    >>> asked("numpy", frozenset({("sqrt",), ("loadtxt",)})), asked("numpy", frozenset({("random", "normal")}))
    ('numpy.loadtxt', 'numpy.random.normal')
    """
    for chain in sorted(chains):
        drawn = module == "numpy" and chain[:1] == ("random",) and len(chain) > 1 and chain[1] != "default_rng"
        known = chain[:1] and (chain[0] in OF_MODULES.get(module, ()) or (chain[0] == "open" and module in OPENING))
        if module in CHANGING or known or (drawn and chain[1].islower()) or READING & set(chain):
            return ".".join((module, *chain))
    return ""


def asks(function: Any) -> bool:
    """Whether a function of a library, under whatever name, asks the world outside.

    >>> asks(open), asks(eval), asks(sum)
    (True, True, False)
    """
    name, module = getattr(function, "__name__", ""), getattr(function, "__module__", None)
    blind = any(function is getattr(builtins, known) for known in BLIND)
    return blind or name in READING or module in CHANGING or name in OF_MODULES.get(str(module), ())


def asked_of(value: Any, chains: frozenset[Chain]) -> str:
    """The method of a path, or of a library's class, that reads the world outside; empty if none is used."""
    methods = {chain[0] for chain in chains if chain}
    if isinstance(value, PurePath) or (isinstance(value, type) and issubclass(value, PurePath)):
        return min(methods & (READING | {"open"}), default="")
    return min(methods & READING, default="") if isinstance(value, type) and installed(value.__module__) else ""
