"""The command line: `list`, `solve`, `run`, `sweep`, `optimise`, `explore`, `reproduce`.

A command returns an `Answer`, and `run` writes it: what cannot be answered leaves nothing on stdout.
Exit codes: 0 done; 1 a number outside its tolerance; 2 bad input; 3 no trustworthy solution.
"""

import contextlib
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from . import machines, paths
from ._checks import InputError, unknown_name
from ._version import __version__
from .command_text import assignments, described, entry, json_text, name_of, physical_text, record, tables, wrapped
from .dynamics import as_dynamics, steady_state
from .interrupts import INTERRUPTED
from .machine_files.decode import Content
from .machine_files.document import MACHINE as FILE
from .machine_files.document import read, save
from .machine_files.results import ENDINGS, ZARR, check_place
from .optimisation.optimum import optimise
from .reasons import UNTRUSTED
from .settings import MOST_POINTS, check_apart, condition, configured, grid_axis, interval, once
from .solution import Solution, SolveError, plain
from .sweep import sweep
from .units import check_energy_unit


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
    help="Design and analysis of nanoscale heat pumps, refrigerators and engines.",
)

# --------------------------------------------------------------------------- completion


def _machine_names(incomplete: str) -> list[str]:
    """Names of machines; files are completed by the shell."""
    return [name for name in machines.BY_NAME if name.startswith(incomplete)]


def _on_line(context: typer.Context) -> Any:
    """The machine that stands on the line, or None."""
    # Before an option that has no value yet the machine is not told from other words.
    words = (context.params.get("machine"), *context.args)
    with contextlib.suppress(InputError, StopIteration):
        name = next(word for word in words if word and (word in machines.BY_NAME or word.endswith(FILE)))
        return _machine("coldspot", name, None).machine
    return None


def _paths(context: typer.Context, incomplete: str) -> list[str]:
    """Paths of the machine that stands on the line, with the sign that follows them."""
    machine = _on_line(context)
    known = [] if machine is None else paths.numbers(machine)
    return [f"{path}=" for path in known if path.startswith(incomplete)]


def _quantities(context: typer.Context, incomplete: str) -> list[str]:
    """Quantities of the steady state of the machine that stands on the line."""
    machine = _on_line(context)
    if machine is None:
        return []
    dynamics = as_dynamics(machine)
    of_baths = [f"{name}.{bath}" for bath in dynamics.reservoirs() for name in ("heat", "particles", "entropy_flow")]
    names = (*TOTALS, *of_baths, *(f"work.{drive}" for drive in dynamics.workers()))
    return [name for name in names if name.startswith(incomplete)]


def _conditions(context: typer.Context, incomplete: str) -> list[str]:
    """Quantities with the sign that follows them."""
    return [f"{name}=" for name in _quantities(context, incomplete)]


def _papers(incomplete: str) -> list[str]:
    """Names of papers."""
    from .papers import PAPERS

    return [name for name in PAPERS if name.startswith(incomplete)]


# --------------------------------------------------------------------------- options

TOTALS = ("power", "cop", "efficiency", "work_in", "entropy_production")
"""Quantities of a solution that belong to no bath or drive, for completion."""
MACHINE_HELP = "A machine's name, as in `coldspot list`, or its file (TOML)."
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Set a parameter, as `left.temperature=5`; with --unit also `left.temperature=4.2 K`. Repeatable.",
        autocompletion=_paths,
    ),
]
Unit = Annotated[
    str | None,
    typer.Option(metavar="ENERGY", help="The energy unit of all plain numbers, such as meV (k_B = ħ = e = 1)."),
]
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
def list_(as_json: AsJson = False) -> Answer:
    """List the machines with their parameters, and the papers."""
    from .papers import PAPERS

    examples = [described(machine()) for machine in machines.ALL]
    if as_json:
        papers = [{"name": paper.name, "title": paper.title} for paper in PAPERS.values()]
        return Answer(json_text({"machines": examples, "papers": papers}))
    lines = ["machines"]
    for example in examples:
        lines += entry(example["name"], example["summary"])
        lines += wrapped(assignments(machines.BY_NAME[example["name"]]()), "      ")
        baths, drives = (", ".join(example[names]) or "none" for names in ("baths", "drives"))
        lines += wrapped(f"baths: {baths}; drives: {drives}", "      ")
    lines.append("papers")
    for paper in PAPERS.values():
        lines += entry(paper.name, paper.title)
    return Answer("\n".join(lines))


@app.command()
def solve(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help=MACHINE_HELP, autocompletion=_machine_names)],
    settings: Settings = None,
    unit: Unit = None,
    as_json: AsJson = False,
) -> Answer:
    """Find the steady (or periodic) state of one machine: heats, works, regime."""
    found = _machine("coldspot solve", machine, unit)
    return _solved(configured(found.machine, settings or [], found.unit), found.unit, as_json)


@app.command("run")
def run_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A machine's file, as `coldspot.save` writes it.")],
    as_json: AsJson = False,
) -> Answer:
    """Find the steady (or periodic) state of the machine in a file."""
    found = read(Path(file))
    return _solved(found.machine, found.unit, as_json)


@app.command("sweep")
def sweep_(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help=MACHINE_HELP, autocompletion=_machine_names)],
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="PATH=START:STOP:N[:log]",
            help="N values of a parameter from START (alone, if N is 1) to STOP, at equal steps or ratios; repeatable.",
            autocompletion=_paths,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the results go: `.nc` (NetCDF) or `.zarr` (Zarr).")],
    settings: Settings = None,
    unit: Unit = None,
) -> Answer:
    """Find the steady states over a grid of parameters, and write them to a file."""
    if out.suffix not in ENDINGS:
        raise InputError(
            f"`--out` must be a file that ends in {' or '.join(f'`{e}`' for e in ENDINGS)}, but is `{out}`."
        )
    found = _machine("coldspot sweep", machine, unit)
    made = configured(found.machine, settings or [], found.unit)
    grid = once("--over", (grid_axis(made, text, found.unit) for text in over))
    check_apart(made, grid, settings or [])
    points = math.prod(len(values) for values in grid.values())
    if out.suffix == ZARR:
        dataset = sweep(made, grid, unit=found.unit, to=out)
    else:
        if points > MOST_POINTS:
            raise InputError(
                f"`--over` asks for {points:,} points, of which no more than {MOST_POINTS:,} fit into memory; "
                f"write them to a store, `--out {out.with_suffix(ZARR)}`."
            )
        check_place(out)
        dataset = sweep(made, grid, unit=found.unit)
        save(dataset, out)
    good = int((dataset.status == 0).sum())
    why = [text for name, text in dataset.attrs.items() if str(name).startswith(UNTRUSTED)]
    return Answer("\n".join([f"{good:,} of {points:,} points trusted; {out}", *why]))


@app.command("optimise")
def optimise_(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help=MACHINE_HELP, autocompletion=_machine_names)],
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="PATH=START:STOP",
            help="A parameter that is free, and its bounds. Repeatable.",
            autocompletion=_paths,
        ),
    ],
    maximise: Annotated[
        str | None,
        typer.Option(
            metavar="QUANTITY",
            help="What is to be largest: power, cop, heat.right, …",
            autocompletion=_quantities,
        ),
    ] = None,
    minimise: Annotated[
        str | None, typer.Option(metavar="QUANTITY", help="What is to be smallest.", autocompletion=_quantities)
    ] = None,
    subject_to: Annotated[
        list[str] | None,
        typer.Option(
            "--subject-to",
            metavar="QUANTITY=LOW:HIGH",
            help="Bounds that must be kept, in the machine's units; one may be left out. Repeatable.",
            autocompletion=_conditions,
        ),
    ] = None,
    starts: Annotated[int, typer.Option(metavar="N", help="The number of searches.")] = 8,
    settings: Settings = None,
    unit: Unit = None,
    as_json: AsJson = False,
) -> Answer:
    """Find the parameters within bounds at which a quantity is largest or smallest."""
    if (maximise is None) == (minimise is None):
        raise InputError("coldspot optimise: give `--maximise` or `--minimise`, one of them.")
    found = _machine("coldspot optimise", machine, unit)
    made = configured(found.machine, settings or [], found.unit)
    free = once("--over", (interval(made, text, found.unit) for text in over))
    check_apart(made, free, settings or [])
    best = optimise(
        made,
        maximise=maximise,
        minimise=minimise,
        over=free,
        subject_to=once("--subject-to", map(condition, subject_to or [])) or None,
        starts=starts,
    )
    if as_json:
        return Answer(json_text(record(best.machine, best.solution, found.unit) | {"optimum": best.record()}))
    return Answer(f"{best}\n\n{_text(best.machine, best.solution, found.unit)}")


@app.command()
def explore(
    machine: Annotated[
        str, typer.Argument(metavar="[MACHINE|FILE]", help=MACHINE_HELP, autocompletion=_machine_names)
    ] = machines.ALL[0].name,
    port: Annotated[int, typer.Option(metavar="N", help="Port of this computer; 0 takes any that is free.")] = 8765,
    static: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a page for sharing, with frames calculated beforehand, instead."),
    ] = None,
) -> Answer:
    """Move sliders and watch regimes, ledger and curves in the browser (for this computer alone)."""
    from .explorer import server
    from .explorer import static as pages

    explorer = server.explorer_of(machine, _machine("coldspot explore", machine, None))
    if static is not None:
        pages.write(explorer.subject(machine), static)
        return Answer(f"{static}")
    serving = server.serve(explorer, port)
    print(f"http://{server.HOST}:{serving.server_address[1]}/  (Ctrl-C stops)", flush=True)
    try:
        serving.serve_forever()
    finally:
        serving.server_close()
    return Answer("")


@app.command()
def reproduce(
    papers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PAPER]...", help="Papers, as in `coldspot list`; by default all.", autocompletion=_papers
        ),
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
        raise InputError(
            f"`--out` must be a folder that can be written, but `{out}` is not: {error.strerror or error}."
        ) from None
    code = 0 if all(row["ok"] for row in rows) else 1
    if as_json:
        listed = [
            {key: plain(value) if isinstance(value, float) else value for key, value in row.items()} for row in rows
        ]
        return Answer(json_text(listed), code)
    good = sum(row["ok"] for row in rows)
    return Answer(
        f"{tables(rows)}\n{good} of {len(rows)} numbers within their tolerances; report: {out / report.REPORT}", code
    )


# --------------------------------------------------------------------------- machines and their parameters


def _machine(owner: str, name: str, unit: str | None) -> Content:
    """A machine by its name or from its file, and the energy of its numbers."""
    if unit is not None:
        check_energy_unit(unit)
    if name in machines.BY_NAME:
        return Content(machines.BY_NAME[name](), unit)
    if not name.endswith(FILE):
        raise unknown_name(owner, "machine", name, machines.BY_NAME)
    found = read(Path(name))
    if unit is not None and found.unit not in (None, unit):
        raise InputError(f"`--unit` is {unit}, but the numbers in `{name}` are in units of {found.unit}.")
    return Content(found.machine, found.unit or unit)


def _solved(machine: Any, unit: str | None, as_json: bool) -> Answer:
    solution = steady_state(machine)
    if as_json:
        return Answer(json_text(record(machine, solution, unit)))
    return Answer(_text(machine, solution, unit))


def _text(machine: Any, solution: Solution, unit: str | None) -> str:
    lines = [
        *wrapped(f"{name_of(machine)}: {assignments(machine)}", "", "  "),
        f"in units of {unit or 'one energy E'} (k_B = ħ = e = 1)",
        "",
    ]
    if unit is not None and solution.baths:
        lines += [*physical_text(solution, unit), ""]
    lines.append(str(solution))
    return "\n".join(lines)
