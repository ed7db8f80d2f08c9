"""The house: which module may import which. This is the one list; a test enforces it, and CONTRIBUTING.md shows it.

Arrows point down only: from a room to rooms of lower layers, inside a form from its model to its methods to its system.
`python -m tests.layers` writes the picture into CONTRIBUTING.md.
"""

import ast
import graphlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


class Layer(NamedTuple):
    """Rooms of one height: folders of `src/coldspot`, or single modules."""

    title: str
    rooms: tuple[str, ...]
    apart: bool = False
    """No room of the layer knows another one."""


LAYERS = (
    Layer(
        "mathematics",
        ("numerics", "_version", "_attributes", "show", "files", "interrupts", "kept_programs", "compiler"),
    ),
    Layer(
        "floor",
        (
            "_checks",
            "_mentions",
            "_outside",
            "_plans",
            "captured",
            "pytrees",
            "progress",
            "occupation",
            "spectral",
            "style",
            "tracing",
            "printed",
            "tiers",
        ),
    ),
    Layer("nouns", ("units", "paths", "baths", "drives", "views", "regimes", "ledger")),
    Layer("datasets", ("dataset",)),
    Layer("solutions", ("solution",)),
    Layer("counted", ("counted",)),
    Layer("dynamics", ("outcome", "dynamics")),
    Layer(
        "services",
        (
            "parallel",
            "cluster",
            "trajectories",
            "growth",
            "counts",
            "counting",
            "onsager",
            "response",
            "beside",
            "machine_files",
            "places",
            "store",
            "reasons",
        ),
    ),
    Layer("forms", ("jump", "oscillators", "phase_space", "conductor", "modes"), apart=True),
    Layer("sweeps", ("sweep", "optimisation", "figures")),
    Layer("machines", ("machines",)),
    Layer("reproduction", ("reproduction",)),
    Layer("papers", ("papers",)),
    Layer("programs", ("cli", "command_text", "settings", "explorer")),
    Layer("doors", ("__init__", "__main__")),
)
"""From bottom to top. A module imports from lower layers and, without a circle, from its own."""


class Form(NamedTuple):
    """The storeys of a form; every module that is not named here is a method."""

    system: tuple[str, ...]
    """Arrays of a point or a batch, and what they are made of: imports no method and no model."""
    models: tuple[str, ...]
    """What a user builds, which assembles the system and calls a method: no method imports it."""


FORMS = {
    "jump": Form(
        system=(
            "channels",
            "kinetics",
            "graph",
            "assembly",
            "species",
            "system",
            "half_edges",
            "fock",
            "eigenstates",
            "contacts",
            "interaction",
            "golden_rule",
            "coherences",
        ),
        models=("network", "spin_chain", "many_electrons", "dots"),
    ),
    "oscillators": Form(
        system=("model", "instant"), models=("network", "breathing", "shapes", "passages", "frequencies")
    ),
    "phase_space": Form(
        system=("potentials", "nodes", "terrain", "boundaries", "landscape", "velocity", "space", "operator"),
        models=("barrier", "klein_kramers", "escape"),
    ),
    "conductor": Form(
        system=(
            "spectral_functions",
            "levels",
            "device",
            "leads",
            "stacks",
            "kwant_systems",
            "sisl_systems",
            "green_functions",
            "long_devices",
            "vibrations",
        ),
        models=(
            "junction",
            "coherent",
            "transmission",
            "mode_populations",
            "mode_spectra",
            "forces",
            "langevin",
            "probes",
        ),
    ),
    "modes": Form(system=("eigenvalues", "dynamical_matrices"), models=("coupled",)),
}


# --------------------------------------------------------------------------- reading imports


def dotted(path: Path) -> str:
    """`jump/network.py` → `jump.network`, `machines/__init__.py` → `machines.__init__`."""
    return ".".join(path.with_suffix("").parts)


def imports(module: str, source: str, modules: Iterable[str]) -> list[str]:
    """Modules of coldspot that `module` imports: at its top, in functions, for types only, by `import_module`."""
    package = ("coldspot", *module.split(".")[:-1])
    known = set(modules)
    found: list[str] = []

    def add(base: tuple[str, ...], *name: str) -> None:
        """The module `name` of the package `base`, or `base` itself, which then defines that name."""
        if base[:1] != ("coldspot",):
            return
        for parts in ((*base, *name)[1:], base[1:]):
            for module in (".".join(parts), ".".join((*parts, "__init__"))):
                if module in known:
                    found.append(module)
                    return
        found.append(".".join(base[1:]) or "__init__")

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(tuple(alias.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                add(base, alias.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            for text in (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)):
                level = len(text) - len(text.lstrip("."))
                base = package[: len(package) - level + 1] if level else ()
                add((*base, *(part for part in text.split(".") if part)))
    return found


def sources(root: Path) -> dict[str, str]:
    """The text of every module under `root`."""
    return {dotted(path.relative_to(root)): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}


# --------------------------------------------------------------------------- judging them


def height(module: str) -> int | None:
    room = module.split(".")[0]
    return next((k for k, layer in enumerate(LAYERS) if room in layer.rooms), None)


def storey(module: str) -> int:
    """0: system, 1: method, 2: model, 3: the room's own door, `__init__`."""
    room, inner = module.split(".")[:2]
    if inner == "__init__":
        return 3
    return 0 if inner in FORMS[room].system else 2 if inner in FORMS[room].models else 1


def wrong(module: str, source: str, modules: Iterable[str]) -> list[str]:
    """What is wrong with the imports of one module."""
    own = height(module)
    if own is None:
        return [f"`{module}` has no layer; put its room into LAYERS"]
    complaints = []
    for target in imports(module, source, modules):
        room, other = module.split(".")[0], target.split(".")[0]
        level = height(target)
        if level is None:
            complaints.append(f"`{module}` imports `{target}`, which has no layer")
        elif level > own:
            complaints.append(f"`{module}` imports `{target}`, which lies above it")
        elif room != other and level == own and LAYERS[own].apart:
            complaints.append(f"`{module}` imports `{target}`: `{room}` and `{other}` must not know each other")
        elif room == other and room in FORMS and storey(target) > storey(module):
            complaints.append(f"`{module}` imports `{target}`, which lies above it in `{room}`")
    return complaints


def circle(texts: Mapping[str, str]) -> list[str]:
    """Modules that import each other in a circle; empty if there is none."""
    arrows = {module: set(imports(module, text, texts)) for module, text in texts.items()}
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


# --------------------------------------------------------------------------- the picture


def picture() -> str:
    """The layers, highest first, a line each."""

    def lines() -> Iterator[str]:
        for layer in reversed(LAYERS):
            yield f"{layer.title:<14}{(' | ' if layer.apart else ', ').join(layer.rooms)}"
        yield ""
        for name, form in FORMS.items():
            storeys = [*(", ".join(group) for group in (form.models, ("methods",), form.system) if group)]
            yield f"{name:<14}{' → '.join(storeys)}"

    return "```text\n" + "\n".join(lines()) + "\n```"


def shown(page: str) -> tuple[str, str, str]:
    """The page before, in and after its picture: the first fenced block."""
    before, fence, rest = page.partition("```text\n")
    inside, end, after = rest.partition("\n```")
    return before, fence + inside + end, after


if __name__ == "__main__":
    before, _, after = shown(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(before + picture() + after, encoding="utf-8")
