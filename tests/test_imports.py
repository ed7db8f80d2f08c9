"""Imports point down only, and importing the package stays light."""

import ast
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import coldspot
from coldspot.jump.gth import eliminate_rates
from tests import layers

ROOT = Path(coldspot.__file__).parent
SOURCES = layers.sources(ROOT)
LONGEST = 480
"""Lines of a file. A paper's file tells one story, however long."""


# --------------------------------------------------------------------------- arrows


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    assert layers.wrong(module, SOURCES[module], SOURCES) == []


def test_there_are_no_circles():
    assert layers.circle(SOURCES) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("baths", "from .ledger import Ledger\nfrom .sweep import sweep"),
        ("baths", "from coldspot.jump.network import JumpNetwork"),
        ("baths", "import coldspot.sweep"),
        ("baths", "import coldspot"),
        ("baths", "from . import __version__"),
        ("baths", "import importlib\nimportlib.import_module('coldspot.machines')"),
        ("jump.graph", "from ..machines import QuantumDot"),
        ("jump.graph", "from .. import sweep"),
        ("jump.graph", "def f():\n    from ..sweep import sweep"),
        ("jump.graph", "import importlib\nimportlib.import_module('..sweep', __package__)"),
        ("jump.graph", "from ..oscillators.network import OscillatorNetwork"),
        ("jump.graph", "from .gth import eliminate_rates"),
        ("jump.stationary", "from .network import JumpNetwork"),
        ("jump.stationary", "from . import network"),
        ("jump.stationary", "if TYPE_CHECKING:\n    from .network import JumpNetwork"),
        ("jump.stationary", "def f():\n    from coldspot.jump.network import JumpNetwork"),
        ("conductor.spectra", "from .junction import PairJunction"),
        ("phase_space.stationary", "from .barrier import Barrier"),
        ("solution", "def plot():\n    from .figures import draw_ledger"),
        ("dynamics", "class A:\n    def f(self):\n        import coldspot.papers"),
        ("sweep", "if TYPE_CHECKING:\n    from .cli import main"),
        ("machines.quantum_dot", "from ..papers import PAPERS"),
        ("new_room", ""),
        ("sweep", "from .new_room import x"),
    ],
)
def test_the_guard_sees_upward_imports(module, source):
    assert layers.wrong(module, source, SOURCES)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("jump.network", "from ..ledger import Ledger\nfrom .graph import Graph\nfrom .gth import x"),
        ("machines.quantum_dot", "from ..jump.kinetics import Tunnelling\nfrom . import spin_pair"),
        ("cli", "from . import machines, paths\nfrom ._version import __version__"),
        ("__main__", "def f():\n    from . import __version__, cli"),
    ],
)
def test_the_guard_lets_the_others_pass(module, source):
    assert layers.wrong(module, source, SOURCES) == []


@pytest.mark.parametrize(
    "texts",
    [
        {"a": "from . import b", "b": "from .c import x", "c": "def f():\n    import coldspot.a"},
        {"jump.a": "if TYPE_CHECKING:\n    from .b import B", "jump.b": "from .a import A"},
        {"jump.a": "from . import x", "jump.__init__": "from .a import A"},
    ],
)
def test_the_guard_sees_circles(texts):
    assert layers.circle(texts)
    last = list(texts)[-1]
    assert not layers.circle(texts | {last: ""})


def test_the_picture_of_the_layers_is_the_list():
    page = layers.PAGE.read_text(encoding="utf-8")
    assert layers.shown(page)[1] == layers.picture(), "`python -m tests.layers` writes it again"


# --------------------------------------------------------------------------- sizes


def too_long(texts):
    return [name for name, text in texts.items() if name.split(".")[0] != "papers" and text.count("\n") > LONGEST]


def test_no_file_is_too_long():
    tests = layers.sources(Path(__file__).parent)
    assert too_long(SOURCES | {f"tests.{name}": text for name, text in tests.items()}) == []


def test_the_guard_sees_a_long_file():
    assert too_long({"a": "\n" * LONGEST, "b": "\n" * (LONGEST + 1), "papers.c": "\n" * 2000}) == ["b"]


# --------------------------------------------------------------------------- importing


HEAVY = ("matplotlib", "dask", "distributed", "panel", "xarray", "pint", "typer", "rich", "netCDF4", "scipy", "pandas")


def test_importing_coldspot_is_light():
    code = f"import sys, coldspot; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    # JAX itself loads parts of SciPy.
    bare = subprocess.run(
        [sys.executable, "-c", f"import sys, jax, equinox; print([m for m in {HEAVY!r} if m in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert loaded <= set(ast.literal_eval(bare.stdout))


def test_importing_switches_to_64_bits():
    code = "import coldspot, jax.numpy as jnp; print(jnp.asarray(1.0).dtype)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "float64"


def test_public_names_exist():
    for name in coldspot.__all__:
        assert hasattr(coldspot, name), name
    assert len(set(coldspot.__all__)) == len(coldspot.__all__)


def test_annotated_shapes_are_enforced():
    """Under test, a shape that an annotation forbids is refused."""
    with pytest.raises(Exception, match="violates type hint"):
        eliminate_rates(np.zeros((2, 3, 1)))


def test_warnings_of_the_package_are_errors(pytestconfig):
    """The configuration turns warnings attributed to coldspot into errors; this one must not pass quietly."""
    with pytest.raises(UserWarning, match="noticed"):
        warnings.warn_explicit("noticed", UserWarning, str(ROOT / "baths.py"), 1, module="coldspot.baths")
