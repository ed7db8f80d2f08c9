"""Damaged machine files and damaged command lines: each is understood, or refused in one line with exit code 2.

    python -m tests.campaign.bad_input --count 100000

`count` files and a tenth as many command lines, spread over `--processes` (all cores). What is tried does not depend
on how many there are. What is understood is stopped before it is solved.
"""

import argparse
import contextlib
import functools
import io
import math
import multiprocessing
import os
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np

import coldspot as cs
from coldspot import cli
from coldspot.dynamics import as_dynamics
from coldspot.explorer import server
from coldspot.machine_files.document import as_text
from coldspot.reproduction import report

UNDERSTOOD = 3
"""The exit code of what is stopped."""
BLOCK = 500
"""What one process tries at a time, with random numbers of its own."""
KINDS = ("files", "command lines")
PIECES = [
    *("nan", "inf", "-inf", "1e999", "-1", "0", "1e-320", "1_000", "0x1F", "true", '"4.2 K"', '"4.2 meV"', '"1 mV"'),
    *('"∞"', "[]", "[1.0, 2.0]", "[[1.0], [2.0, 3.0]]", "{}", "{a = 1}", "1979-05-27", '""', '"x"', "[nan]", "9" * 30),
    *("[parameters]", "[[baths]]", "[parameters.left]", "=", ".", "#", '"""', "'", "\\", "\n", "\x00", "\ufeff", "é"),
    *('unit = "meV"', 'unit = "K"', 'machine = "spin-pair"', 'network = "JumpNetwork"', 'type = "Cosine"', "level"),
    *("left", "temperature", "[0]", "[-1]", "[99]", 'function = "math:sin"', 'function = "a.b:c"', "- ", " " * 40),
]
WORDS = [
    *("list", "solve", "run", "sweep", "optimise", "explore", "reproduce", "--help", "--version", "--json", "--set"),
    *("--unit", "--over", "--out", "--maximise", "--minimise", "--subject-to", "--starts", "--port", "--static", "--"),
    *("quantum-dot", "spin-pair", "two-mode-junction", "kramers-cooler", "quantum-dott", "file.toml", "none.toml", "."),
    *(
        "level=-5",
        "level=4 K",
        "level=4 meV",
        "level=",
        "=",
        "left=1",
        "left.temperature=1e400",
        "level[0]=1",
        "a.b[=1",
    ),
    *("level=0:1:3", "level=1:0:3", "level=0:1", "level=0:1:3:log", "level=:", "level=1:2:3:4:5", "heat.right=0:"),
    *("heat.right=:", "heat.right=1:0", "power", "heat", "cop", "meV", "K", "parsec", "1", "-1", "0", "x.nc", "x.zarr"),
    *("x.csv", "x.html", "", " ", "é", "-", "---", "-5", "nan", "70000", "no/such/place.nc", "a\nb", "a\tb"),
]


def sources() -> list[str]:
    """Files of machines, and of the networks that they become where these can be written."""
    found = []
    for kind in cs.machines.ALL:
        machine = kind()
        found += [as_text(machine), as_text(machine, "meV")]
        with contextlib.suppress(cs.InputError):
            found.append(as_text(as_dynamics(machine)))
    return found


def damaged(text: str, rng: np.random.Generator) -> str:
    """A text with one to four changes: of characters, of pieces, of lines."""
    for _ in range(rng.integers(1, 5)):
        at, end = sorted(int(k) for k in rng.integers(0, len(text) + 1, 2))
        piece, lines = str(rng.choice(PIECES)), text.split("\n")
        row = int(rng.integers(0, len(lines)))
        match rng.integers(0, 9):
            case 0:
                text = text[:at] + text[at + int(rng.integers(1, 4)) :]
            case 1:
                text = text[:at] + piece + text[at:]
            case 2:
                text = text[:at] + chr(int(rng.integers(1, 0x2FF))) + text[at + 1 :]
            case 3 | 4:  # another value
                key, equals, _ = lines[row].partition("=")
                lines[row] = f"{key}= {piece}" if equals else piece
                text = "\n".join(lines)
            case 5:  # another key
                key, equals, value = lines[row].partition("=")
                lines[row] = f"{key.strip()[:-1]}{rng.choice(list('abz._ '))} {equals}{value}"
                text = "\n".join(lines)
            case 6:
                text = "\n".join([*lines[:row], lines[int(rng.integers(0, len(lines)))], *lines[row:]])
            case 7:
                text = "\n".join([*lines[:row], *lines[row + 1 :]])
            case _:
                text = text[: max(end, 1)]
    return text


def words(rng: np.random.Generator) -> list[str]:
    """A command line: half of them begin like one that could be meant."""
    line = [str(word) for word in rng.choice(WORDS, rng.integers(0, 8))]
    if rng.random() < 0.7:
        line = [str(rng.choice(WORDS[:7])), str(rng.choice(["quantum-dot", "spin-pair", "file.toml"])), *line]
    if rng.random() < 0.2 and line:
        k = int(rng.integers(0, len(line)))
        line[k] = line[k][: int(rng.integers(0, len(line[k]) + 1))] + str(rng.choice(PIECES))
    return line


def stopped(machine: object = None, *_: object, **__: object) -> None:
    """In place of what takes long: the machine is made, and that is all."""
    if isinstance(machine, cs.Machine | cs.Dynamics):
        as_dynamics(machine)
    raise cs.SolveError("stopped", cs.Status.NOT_CONVERGED)


@contextlib.contextmanager
def quick():
    """Nothing is solved, served or reproduced."""
    with (
        mock.patch.object(cli, "steady_state", stopped),
        mock.patch.object(cli, "sweep", stopped),
        mock.patch.object(cli, "optimise", stopped),
        mock.patch.object(report, "reproduce", stopped),
        mock.patch.object(server, "serve", stopped),
        mock.patch("coldspot.explorer.static.data", stopped),
    ):
        yield


def complaint(arguments: list[str]) -> tuple[str, str]:
    """How a command line ended, and what is wrong with that; empty if nothing is."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.run(arguments)
    except BaseException:
        return "traceback", traceback.format_exc()
    if code not in (0, 2, UNDERSTOOD):
        return "code", f"exit code {code}"
    if code == 2 and (out.getvalue() or err.getvalue().count("\n") != 1):
        return "lines", f"stdout {out.getvalue()!r}, stderr {err.getvalue()!r}"
    return {0: "answered", 2: "refused", UNDERSTOOD: "understood"}[code], ""


@functools.cache
def texts() -> list[str]:
    return sources()


def tried(seed: int, kind: str, block: int, count: int) -> tuple[Counter, list[str]]:
    """How many of `count` files or command lines ended how, and what is wrong, in words."""
    rng, ended, wrong = np.random.default_rng([seed, KINDS.index(kind), block]), Counter(), []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), quick():
        file = Path("file.toml")
        for _ in range(count):
            source = str(rng.choice(texts()))
            if kind == "files":
                source = damaged(source, rng)
                line, shown = ["run", str(file)], source
            else:
                line = words(rng)
                shown = repr(line)
            file.write_bytes(source.encode("utf-8", "surrogatepass"))
            end, words_on_it = complaint(line)
            ended[end] += 1
            left = sorted(path.name for path in Path().iterdir() if path != file)
            if left and not words_on_it:
                words_on_it = f"left behind: {left}"
            if words_on_it:
                wrong.append(f"-- {end}\n{shown}\n{words_on_it}")
    return ended, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    faults = 0
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool:
        for kind, count in zip(KINDS, (options.count, options.count // 10), strict=True):
            begun, ended = time.perf_counter(), Counter()
            sizes = [min(BLOCK, count - k * BLOCK) for k in range(math.ceil(count / BLOCK))]
            jobs = [pool.submit(tried, options.seed, kind, block, size) for block, size in enumerate(sizes)]
            for job in jobs:
                counted, wrong = job.result()
                ended += counted
                faults += len(wrong)
                print(*wrong, sep="\n", end="\n" if wrong else "", flush=True)
            print(f"{count} {kind} in {time.perf_counter() - begun:.0f} s: {dict(ended)}", flush=True)
    if faults:
        raise SystemExit(f"{faults} ended otherwise than by an answer or one line")


if __name__ == "__main__":
    main()
