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

ROOT = Path(coldspot.__file__).parent

LAYERS = (
    ("_checks", "closures", "units"),
    ("paths", "progress"),
    ("baths", "drives"),
    ("regimes", "ledger"),
    ("dynamics",),
    ("trajectories",),
    ("jump", "oscillators", "phase_space", "conductor"),
    ("machines", "sweep"),
    ("figures",),
    ("papers",),
    ("cli", "explorer"),
    ("__init__", "__main__"),
)
"""From bottom to top. A module may import from lower layers, and from its own layer (`jump` within `jump`)."""

ALLOWED = {("ledger", "figures", "function")}
"""The one exception: `Solution.plot` imports the figures when it is called."""

FORMS = {"jump", "oscillators", "phase_space", "conductor"}
"""The forms of dynamics: none imports another."""


def rank(room: str) -> int | None:
    return next((k for k, rooms in enumerate(LAYERS) if room in rooms), None)


def room_of(path: Path) -> str:
    """`jump/network.py` → `jump`, `ledger.py` → `ledger`."""
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(source: str, package: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Rooms that a module of `package` imports from, and whether inside a function.

    Blocks under `if TYPE_CHECKING` do not count: they are not run.
    """
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for child in node.orelse:
                visit(child, inside)
            return
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
            found.extend(
                (parts[1] if len(parts) > 1 else "__init__", inside) for parts in targets if parts[0] == "coldspot"
            )
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            parts = base + (node.module.split(".") if node.module else [])
            if parts and parts[0] == "coldspot":
                # The version is a string that stands in `__init__`, no door to what it imports.
                listed = [alias.name for alias in node.names if alias.name != "__version__"]
                names = [parts[1]] if len(parts) > 1 else listed
                found.extend(
                    (name if rank(name) is not None or len(parts) > 1 else "__init__", inside) for name in names
                )
        for child in ast.iter_child_nodes(node):
            visit(child, inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    visit(ast.parse(source), False)
    return found


def upward(room: str, source: str, package: tuple[str, ...]) -> list[str]:
    """What is wrong with the imports of one module."""
    own = rank(room)
    if own is None:
        return [f"`{room}` has no layer; put it into LAYERS"]
    wrong = []
    for target, inside in imports(source, package):
        level = rank(target)
        if level is None:
            wrong.append(f"`{room}` imports `{target}`, which has no layer")
        elif level > own and not (inside and (room, target, "function") in ALLOWED):
            wrong.append(f"`{room}` imports `{target}`, which lies above it")
        elif target != room and {room, target} <= FORMS:
            wrong.append(f"the forms `{room}` and `{target}` must not know each other")
    return wrong


def modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if "__pycache__" not in p.parts)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    package = ("coldspot", *path.relative_to(ROOT).parts[:-1])
    assert upward(room_of(path), path.read_text(), package) == []


@pytest.mark.parametrize(
    ("room", "source", "package"),
    [
        ("baths", "from .ledger import Ledger", ("coldspot",)),
        ("baths", "from coldspot.jump.network import JumpNetwork", ("coldspot",)),
        ("baths", "import coldspot.sweep", ("coldspot",)),
        ("baths", "import coldspot", ("coldspot",)),
        ("jump", "from ..machines import QuantumDot", ("coldspot", "jump")),
        ("jump", "from .. import sweep", ("coldspot", "jump")),
        ("jump", "def f():\n    from ..figures import draw_ledger", ("coldspot", "jump")),
        ("ledger", "from .figures import draw_ledger", ("coldspot",)),
        ("ledger", "def f():\n    from .sweep import sweep", ("coldspot",)),
        ("dynamics", "class A:\n    def f(self):\n        import coldspot.papers", ("coldspot",)),
        ("new_room", "", ("coldspot",)),
        ("sweep", "from .new_room import x", ("coldspot",)),
    ],
)
def test_the_guard_sees_upward_imports(room, source, package):
    assert upward(room, source, package)


@pytest.mark.parametrize(
    ("room", "source", "package"),
    [
        ("ledger", "def plot():\n    from .figures import draw_ledger", ("coldspot",)),
        ("jump", "from ..ledger import Ledger\nfrom .graph import Graph\nimport numpy", ("coldspot", "jump")),
        ("sweep", "if TYPE_CHECKING:\n    from .cli import main", ("coldspot",)),
        ("machines", "from ..jump.kinetics import Tunnelling", ("coldspot", "machines")),
    ],
)
def test_the_guard_lets_the_others_pass(room, source, package):
    assert upward(room, source, package) == []


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
    with pytest.raises(Exception, match="Type-check error"):
        eliminate_rates(np.zeros((2, 3, 1)))


def test_warnings_of_the_package_are_errors(pytestconfig):
    """The configuration turns warnings attributed to coldspot into errors; this one must not pass quietly."""
    with pytest.raises(UserWarning, match="noticed"):
        warnings.warn_explicit("noticed", UserWarning, str(ROOT / "baths.py"), 1, module="coldspot.baths")
