"""What the command line prints: machines and their numbers, results in their units, tables, JSON."""

import json
import textwrap
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np

from . import paths
from ._version import __version__
from .dynamics import TOLERANCE, as_dynamics
from .solution import Solution, plain
from .units import KINDS, physical

WIDTH = 80


def name_of(machine: Any) -> str:
    """The machine's name; that of its class for a network."""
    return getattr(machine, "name", type(machine).__name__)


def json_text(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False)


def record(machine: Any, solution: Solution, unit: str | None) -> dict[str, Any]:
    """A solved machine as plain numbers, by the keys of the command line's contract, and where they come from."""
    return {
        "machine": name_of(machine),
        "parameters": {path: _number(value) for path, value in paths.numbers(machine).items()},
        **solution.record(),
        "version": __version__,
        "tolerance": TOLERANCE,
        "unit": unit,
    }


def _number(value: Any) -> Any:
    """Numbers as JSON knows them: complex ones by their parts."""
    if np.iscomplexobj(value):
        return {"real": plain(np.real(value)), "imag": plain(np.imag(value))}
    return plain(value)


def described(machine: Any) -> dict[str, Any]:
    """A ready-made machine for programs: its parameters with their defaults and dimensions, baths and drives."""
    baths, drives = _parts(machine)
    numbers = paths.numbers(machine)
    return {
        "name": machine.name,
        "summary": machine.summary,
        "parameters": {path: _number(value) for path, value in numbers.items()},
        "dimensions": {path: paths.dimension(machine, path) for path in numbers},
        "units": {path: list(_units(paths.dimension(machine, path))) for path in numbers},
        "baths": baths,
        "drives": drives,
    }


def _parts(machine: Any) -> tuple[list[str], list[str]]:
    """Names of baths and drives. They need no numbers: a traced machine tells them without anything being compiled."""
    found = []

    def noted(traced: Any) -> None:
        dynamics = as_dynamics(traced)
        found.append((list(dynamics.reservoirs()), list(dynamics.workers())))

    eqx.filter_eval_shape(noted, machine)
    return found[0]


def _units(dimension: str) -> tuple[str, ...]:
    return KINDS[dimension].units if dimension in KINDS else ()


def assignments(machine: Any) -> str:
    """All parameters as texts that `--set` takes, six digits each; long lists by their shape."""
    return " ".join(f"{path}={_short(value)}" for path, value in paths.numbers(machine).items())


def _short(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():g}"
    if array.ndim == 1 and array.size <= 6:
        return "[" + ",".join(f"{x:g}" for x in array.tolist()) + "]"
    return f"<{'×'.join(map(str, array.shape))}>"


# --------------------------------------------------------------------------- results in SI units

PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def in_si(value: Any, natural: str, unit: str) -> str:
    """A number in the `natural` unit, if E is the energy `unit`, in an SI unit with a prefix.

    >>> in_si(1.0, "E**2/hbar", "meV"), in_si(-2.0, "e*E/hbar", "µeV"), in_si(0.0, "E/k_B", "meV")
    ('243.413 pW', '-486.827 pA', '0 K')
    """
    factor, name = physical(natural, unit)
    number = float(value) * factor
    if number == 0 or not np.isfinite(number):
        return f"{number:g} {name}"
    power = int(np.clip(3 * np.floor(np.log10(abs(number)) / 3), min(PREFIXES), max(PREFIXES)))
    prefix = PREFIXES[power]
    return f"{number / 10.0**power:.6g} {prefix}{name}"


def physical_text(s: Solution, unit: str) -> list[str]:
    """What flows, in SI units: lines of a table beside that of the solution."""
    rows = [("bath", "T", "heat", "current")]
    for k, name in enumerate(s.baths):
        current = in_si(s.current[name], "e*E/hbar", unit) if s.kinds[k] == "electron" else ""
        rows.append((name, in_si(s.temperatures[k], "E/k_B", unit), in_si(s.heat[name], "E**2/hbar", unit), current))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(c.rjust(w) if k else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in zip(*columns, strict=True)
    ]
    works = [f"{name} {in_si(s.work[name], 'E**2/hbar', unit)}" for name in s.drives]
    return [
        lines[0].rstrip(),
        "─" * max(map(len, lines)),
        *(line.rstrip() for line in lines[1:]),
        *([f"work by drive: {', '.join(works)}"] if works else []),
        f"work_in {in_si(s.work_in, 'E**2/hbar', unit)}, σ {in_si(s.entropy_production, 'k_B*E/hbar', unit)}",
    ]


# --------------------------------------------------------------------------- lines and tables


def entry(name: str, text: str) -> list[str]:
    return wrapped(f"{name}  {text}", "  ", "      ")


def wrapped(text: str, first: str, later: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if later is None else later,
        break_on_hyphens=False,
        break_long_words=False,
    )


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as one table per paper."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    with console.capture() as captured:
        for paper in dict.fromkeys(row["paper"] for row in rows):
            table = Table(title=Text(paper), title_justify="left", box=SIMPLE_HEAD)
            table.add_column("quantity")
            for name in ("published", "computed", "tolerance"):
                table.add_column(name, justify="right", no_wrap=True)
            table.add_column("ok")
            for row in rows:
                if row["paper"] == paper:
                    numbers = [f"{row[name]:.6g}" for name in ("published", "computed", "tolerance")]
                    table.add_row(Text(row["quantity"]), *numbers, "yes" if row["ok"] else "NO")
            console.print(table)
    return captured.get().rstrip("\n")
