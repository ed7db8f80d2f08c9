"""Settings for all tests: shapes and types are enforced, compiled programs are kept, property tests are tuned."""

import os
from pathlib import Path

import hypothesis
import jax
import pytest
from jaxtyping import install_import_hook

# Before anything imports coldspot: the shapes that the solvers' annotations state become checks.
KERNELS = ("collocation", "currents", "division", "elimination", "graph", "periodic", "propagation", "stationary")
install_import_hook(
    [*(f"coldspot.jump.{name}" for name in KERNELS), "coldspot.numerics.quadrature"], "beartype.beartype"
)

# Helpers whose assertions explain themselves like those of tests.
pytest.register_assert_rewrite("tests.jump.laws", "tests.conductor.junctions", "tests.oscillators.sampled")

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "coldspot" / "jax-tests"
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

hypothesis.settings.register_profile("default", deadline=None, max_examples=60)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True, scope="module")
def compiled_programs_go():
    """Drop a module's compiled programs: thousands of them in one process exhaust the system's memory maps."""
    yield
    jax.clear_caches()
