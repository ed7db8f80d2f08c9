"""Settings for all tests: shapes and types are enforced, compiled programs are kept, property tests are tuned."""

import contextlib
import ctypes
import gc

# Before what is imported below makes objects by the hundred thousand. Next to none of them is found to be garbage.
gc.set_threshold(200_000, 10, 10)

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Bytecode is kept, also by processes that tests start: each of them would need seconds to compile sources.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

OWN = {
    "xla_cpu_use_fusion_emitters": "false",
    "xla_backend_optimization_level": "0",
    "xla_cpu_parallel_codegen_split_count": "1",  # a tenth less, and three quarters of the memory maps
    # A third of what compiling takes: they look for what loops compute again and again, once for each loop around it.
    "xla_disable_hlo_passes": "while-loop-invariant-code-motion,small-while-loop-hoisting",
}
"""How what tests compile is made: fast to compile, not fast. The options of coldspot's own programs are set below."""
FLAGS = os.environ.get("XLA_FLAGS", "")
if "fusion_emitters" not in FLAGS:
    # Asked for in a process of its own: an unknown flag would end this one. Processes that it starts have the answer.
    wanted = os.environ | {"XLA_FLAGS": " ".join([FLAGS, *(f"--{name}={value}" for name, value in OWN.items())])}
    if not subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"], env=wanted, capture_output=True
    ).returncode:
        os.environ["XLA_FLAGS"] = wanted["XLA_FLAGS"]

import hypothesis
import jax
import jaxtyping
import pytest

from tests import annotations

# Before anything imports coldspot: every annotation of the package, shapes of arrays included, becomes a check.
jaxtyping.jaxtyped = annotations.jaxtyped  # which the hook puts before every function
jaxtyping.install_import_hook("coldspot", None)

from coldspot import InputError, compiler, pytrees, tracing
from coldspot.oscillators import journey, passages, sampling, transients
from coldspot.phase_space import ensemble

tracing.LIBRARIES += (annotations.__file__,)  # whose frames are not the user's
# Users' programs are optimised, which takes longer than most programs of tests run. A test of what only those reach
# starts a process without these flags.
compiler.PREFERRED["xla_backend_optimization_level"] = 0
for module, name in (
    (journey, "stretched"), (transients, "stretched"), (passages, "_flown"), (sampling, "_stretch"),
    (ensemble, "stretched"),
):  # fmt: skip
    # Steps by the million: these take longer than it takes to optimise them.
    options = {"xla_backend_optimization_level": 3, "xla_disable_hlo_passes": ""} | (
        sampling.WIDEST if module is sampling else {}
    )
    setattr(module, name, pytrees.compiled(getattr(module, name).__wrapped__, **options))
# In one piece: parts that are compiled side by side take an eighth more processor time, and the other core is busy.
compiler.PREFERRED["xla_cpu_parallel_codegen_split_count"] = 1
_raises = pytest.raises


@contextlib.contextmanager
def _as_for_users(context):
    """Annotations are not checked: what a user gets wrong must be refused by coldspot itself, in words."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with context as info:
            yield info
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def raises(expected, *args, **kwargs):
    """`pytest.raises`; where it expects an InputError, annotations are not checked."""
    context = _raises(expected, *args, **kwargs)
    return _as_for_users(context) if expected is InputError else context


pytest.raises = raises

# Helpers whose assertions explain themselves like those of tests.
pytest.register_assert_rewrite("tests.jump.laws", "tests.conductor.junctions", "tests.oscillators.sampled")

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "coldspot" / "jax-tests"
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

# By the clock, a busy machine would draw numbers too slowly.
_by_no_clock = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("default", max_examples=60, **_by_no_clock)
hypothesis.settings.register_profile("ci", max_examples=40, derandomize=True, **_by_no_clock)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


_begun: list[pytest.Config] = []


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Any:
    """All of a run with room for its frames: the programs of tests themselves are traced there, too."""
    if _begun:
        return None
    _begun.append(config)
    return compiler.with_room(lambda: config.hook.pytest_cmdline_main(config=config))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of papers first: where the list is cut into one half for each process, both would solve all papers."""
    items.sort(key=lambda item: "tests/papers" not in item.nodeid)


# What importing has made stays: looking through it again and again for what can go takes its time.
gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Nor are thousands of programs looked through when all of them go with the process."""
    gc.freeze()


MAPS = Path("/proc/self/maps")
MOST_MAPS = 25_000
"""A system allows a process some 65,000 memory maps; every compiled program takes a few, and 3 MB of memory."""
NEW = 100
"""Compiled programs after which maps are counted anew: the system takes 20 ms to list as many as are allowed here."""
_programs = {"made": 0, "counted": 0}
_libc = ctypes.CDLL(None) if MAPS.exists() else None


def _note(event: str, seconds: float, **more) -> None:
    _programs["made"] += event.endswith("backend_compile_duration")


jax.monitoring.register_event_duration_secs_listener(_note)


@pytest.fixture(autouse=True)
def compiled_programs_go():
    """Drop compiled programs before thousands of them exhaust the system's memory maps."""
    yield
    if _programs["made"] < _programs["counted"] + NEW:
        return
    _programs["counted"] = _programs["made"]
    if not MAPS.exists() or MAPS.read_text().count("\n") > MOST_MAPS:
        jax.clear_caches()
        gc.collect()  # what no cache holds any more may hold itself
        if hasattr(_libc, "malloc_trim"):
            _libc.malloc_trim(0)  # without it two thirds of the memory that programs had stay with the process
