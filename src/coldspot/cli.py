"""The command line: `list`, `solve`, `reproduce`.

A command returns an `Answer`, and `run` writes it: what cannot be answered leaves nothing on stdout.
Exit codes: 0 done; 1 a number outside its tolerance; 2 bad input; 3 no trustworthy solution.
"""

import contextlib
import dataclasses
import difflib
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import numpy as np
import typer
from typer.core import TyperGroup

from . import machines, paths
from ._checks import InputError, nearest, unknown_name
from ._version import __version__
from .dynamics import TOLERANCE, Machine, steady_state
from .interrupts import INTERRUPTED
from .solution import Solution, SolveError, plain
from .units import check_energy_unit, to_number

WIDTH = 80


class Answer(NamedTuple):
    """What a command has to say on stdout, and the exit code."""

    text: str
    code: int = 0


class _Commands(TyperGroup):
    """A group that answers an unknown command with the nearest one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            raise unknown_name("coldspot", "command", args[0], self.commands)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="coldspot",
    cls=_Commands,
    add_completion=False,
    help="Design and analysis of nanoscale heat pumps, refrigerators and engines.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON and nothing else to stdout.")]


def run(arguments: Sequence[str]) -> int:
    """Execute one command line and return its exit code; errors become one line on stderr."""
    # The base of all usage errors has no public name in Typer, but this child of it has.
    usage_error: Any = typer.BadParameter.__base__
    try:
        answer = typer.main.get_command(app).main(list(arguments), prog_name="coldspot", standalone_mode=False)
    except InputError as error:
        return complain(str(error), 2)
    except usage_error as error:
        return complain(_usage(error), 2)
    except SolveError as error:
        return complain(str(error), 3)
    if not isinstance(answer, Answer):
        # The exit code of --help, --version and Ctrl-C.
        if answer == INTERRUPTED:
            print("interrupted", file=sys.stderr)
        return int(answer or 0)
    print(answer.text, flush=True)
    return answer.code


def complain(message: str, code: int) -> int:
    """One line on stderr; returns the code."""
    with contextlib.suppress(OSError):  # nobody can be told
        print("error:", " ".join(message.split()), file=sys.stderr)
    return code


def _usage(error: Any) -> str:
    """One line from an error of Typer's own parser."""
    command = error.ctx.command_path if error.ctx else "coldspot"
    if hasattr(error, "possibilities"):
        options = [name for parameter in error.ctx.command.get_params(error.ctx) for name in parameter.opts]
        names = [name for name in options if name.startswith("-")]
        return str(unknown_name(command, "option", error.option_name, names))
    message = error.format_message().rstrip(".")
    return f"{command}: {message[:1].lower()}{message[1:]}; see `{command} --help`."


# --------------------------------------------------------------------------- commands


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"coldspot {__version__}")
        raise typer.Exit
    return wanted


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


@app.command("list")
def list_() -> Answer:
    """List the machines with their parameters, and the papers."""
    from .papers import PAPERS

    lines = ["machines"]
    for machine in machines.ALL:
        example = machine()
        dynamics = example.dynamics()
        lines += _entry(machine.name, machine.summary)
        lines += _wrapped(_assignments(example), "      ")
        baths, drives = (", ".join(names) or "none" for names in (dynamics.reservoirs(), dynamics.workers()))
        lines += _wrapped(f"baths: {baths}; drives: {drives}", "      ")
    lines.append("papers")
    for paper in PAPERS.values():
        lines += _entry(paper.name, paper.title)
    return Answer("\n".join(lines))


@app.command()
def solve(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="A machine's name, as in `coldspot list`.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Set a parameter, as `left.temperature=5`; with --unit also `left.temperature=4.2 K`. Repeatable.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="ENERGY", help="The energy unit of all plain numbers, such as meV (k_B = ħ = e = 1)."),
    ] = None,
    as_json: AsJson = False,
) -> Answer:
    """Find the steady (or periodic) state of one machine: heats, works, regime."""
    if machine not in machines.BY_NAME:
        raise unknown_name("coldspot solve", "machine", machine, machines.BY_NAME)
    if unit is not None:
        check_energy_unit(unit)
    made = configured(machines.BY_NAME[machine](), settings or [], unit)
    solution = steady_state(made)
    if as_json:
        return Answer(json.dumps(_record(made, solution, unit), indent=2, allow_nan=False))
    return Answer(
        "\n".join(
            [
                *_wrapped(f"{made.name}: {_assignments(made)}", "", "  "),
                f"in units of {unit or 'one energy E'} (k_B = ħ = e = 1)",
                "",
                str(solution),
            ]
        )
    )


@app.command()
def reproduce(
    papers: Annotated[
        list[str] | None, typer.Argument(metavar="[PAPER]...", help="Papers, as in `coldspot list`; by default all.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the results.")] = Path("reproduction"),
    as_json: AsJson = False,
) -> Answer:
    """Compute every figure and every published number of the papers, and write a report."""
    from .papers import chosen
    from .reproduction import report

    wanted = chosen(papers or [])
    try:
        rows = report.reproduce(wanted, out)
    except ModuleNotFoundError as error:
        raise InputError(f"coldspot reproduce: {error}") from None
    except OSError as error:
        raise InputError(f"`--out` must be a folder that can be written, but `{out}` is not: {error}.") from None
    code = 0 if all(row["ok"] for row in rows) else 1
    if as_json:
        listed = [
            {key: plain(value) if isinstance(value, float) else value for key, value in row.items()} for row in rows
        ]
        return Answer(json.dumps(listed, indent=2, allow_nan=False), code)
    good = sum(row["ok"] for row in rows)
    return Answer(
        f"{_tables(rows)}\n{good} of {len(rows)} numbers within their tolerances; report: {out / report.REPORT}", code
    )


# --------------------------------------------------------------------------- parameters


def configured(machine: Machine, settings: Sequence[str], unit: str | None) -> Machine:
    """The machine with parameters set from texts `PATH=VALUE`, checked by its constructors."""
    done = set()
    for setting in settings:
        path, equals, value = (part.strip() for part in setting.partition("="))
        known = paths.numbers(machine)
        if not equals or not path:
            (closest,) = difflib.get_close_matches(path, known, n=1, cutoff=0.0)
            raise InputError(f"`--set` must be PATH=VALUE, such as `{closest}={known[closest]:g}`, but is `{setting}`.")
        if not eqx.is_array(paths.get(machine, path)):
            below = [name for name in known if name.startswith((f"{path}.", f"{path}["))]
            hint = f" Set what it has: {', '.join(f'`{name}`' for name in below)}." if below else nearest(path, known)
            raise InputError(f"`--set`: `{path}` is not a number.{hint}")
        if path in done:
            raise InputError(f"`--set` must give each parameter once, but gives `{path}` again (`{value}`).")
        done.add(path)
        number = to_number(value, dimension=paths.dimension(machine, path), unit=unit, argument=path)
        machine = paths.replace(machine, path, number)
    return _made_again(machine)


def _made_again(node: Any, path: str = "") -> Any:
    """A machine, and the baths in it, from their constructors, whose checks then see every number."""
    if not isinstance(node, eqx.Module):
        return node
    fields = [f.name for f in dataclasses.fields(node) if f.init]
    children = {name: _made_again(getattr(node, name), f"{path}.{name}".lstrip(".")) for name in fields}
    try:
        return dataclasses.replace(node, **children)
    except InputError as error:
        raise InputError(f"`{path}`: {error}" if path else str(error)) from None


# --------------------------------------------------------------------------- output


def _record(machine: Machine, solution: Solution, unit: str | None) -> dict[str, Any]:
    """A solved machine as plain numbers, by the keys of the command line's contract, and where they come from."""
    return {
        "machine": machine.name,
        "parameters": {path: np.asarray(value).tolist() for path, value in paths.numbers(machine).items()},
        **solution.record(),
        "version": __version__,
        "tolerance": TOLERANCE,
        "unit": unit,
    }


def _assignments(machine: Machine) -> str:
    """All parameters as texts that `--set` takes, six digits each."""
    return " ".join(f"{path}={float(value):g}" for path, value in paths.numbers(machine).items())


def _entry(name: str, text: str) -> list[str]:
    return _wrapped(f"{name}  {text}", "  ", "      ")


def _wrapped(text: str, first: str, later: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if later is None else later,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _tables(rows: Sequence[dict[str, Any]]) -> str:
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
