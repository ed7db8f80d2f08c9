"""Every example of README.md and of the pages in docs/ runs, and prints what the page shows.

The fenced blocks of a page are taken in order. `python` blocks share one namespace per page; a `text` block that
follows one is what it prints. In `console` blocks, lines after `$ coldspot …` are what that command prints, and the
line after `$ echo $?` is its exit code; `make` targets must exist. Other commands (pip) are not run.
"""

import contextlib
import importlib.util
import io
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from coldspot import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks of a page."""
    return [(match[2], match[3]) for match in FENCE.finditer(page.read_text())]


def alike(one: str, other: str) -> bool:
    """Whether two printed numbers are the same up to one unit of the last printed digit.

    Residuals, printed as `3e-16`, differ between processors: they need only be small.
    """
    a, b = float(one), float(other)
    if a == b:
        return True
    if all(re.fullmatch(r"\de[-+]\d+", text) for text in (one, other)):
        return max(a, b) < 1e-8
    digits = max(len(re.sub(r"e.*|\D", "", text).lstrip("0")) for text in (one, other))
    unit = min(10.0 ** (_exponent(text) - len(_decimals(text))) for text in (one, other))
    return digits >= 4 and abs(a - b) <= 1.01 * unit


def _exponent(text: str) -> int:
    return int(text.partition("e")[2] or 0)


def _decimals(text: str) -> str:
    return text.partition("e")[0].partition(".")[2]


def same(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, whatever the spacing and the length of rules."""
    shown, printed = (re.sub(r"[\s─━]+", " ", text).strip() for text in (shown, printed))
    if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
        return False
    return all(alike(a, b) for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True))


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("T  0.141798", "T 0.141799", True),
        ("T  0.141798", "T 0.141801", False),
        ("cop 0.5", "cop 0.500001", True),
        ("cop 0.5", "cop 0.6", False),
        ("2 states", "3 states", False),
        ("first law 3e-16", "first law 0e+00", True),
        ("first law 3e-16", "first law 3e-06", False),
        ("engine 1", "heater 1", False),
    ],
)
def test_comparison_tells_outputs_apart(shown, printed, expected):
    assert same(shown, printed) == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    namespace: dict[str, object] = {"__name__": page.stem}
    printed: str | None = None
    for language, text in blocks(page):
        if language == "python":
            printed = run_python(text, namespace, page)
        elif language == "text" and printed is not None:
            assert same(text, printed), f"{page.name} shows\n{text}\nbut the example prints\n{printed}"
            printed = None
        elif language == "console":
            run_console(text, page)


def run_python(text: str, namespace: dict[str, object], page: Path) -> str | None:
    """What the block prints; None if it needs QuTiP, which is not installed."""
    if "import qutip" in text and importlib.util.find_spec("qutip") is None:
        return None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, f"{page.name}", "exec"), namespace)
    return out.getvalue()


def run_console(text: str, page: Path) -> None:
    code: int | None = None
    for command, shown in commands(text):
        words = shlex.split(command, comments=True)
        if words[0] == "coldspot":
            if words[1] == "reproduce":  # minutes; the papers have their own tests
                continue
            # In this process; `test_program` starts new ones.
            out, complaint = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaint):
                code = cli.run(words[1:])
            printed = out.getvalue() + complaint.getvalue()
            assert not shown.strip() or same(shown, printed), (
                f"{page.name} shows after `{command}`\n{shown}\nbut it prints\n{printed}"
            )
        elif command == "echo $?":
            assert shown.strip() == str(code)
        elif words[0] == "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert words[1] in targets, f"{page.name}: `{command}` is not in the Makefile"


def commands(text: str) -> list[tuple[str, str]]:
    """The commands after `$ ` in a console block, each with the lines that follow it."""
    starts = [*re.finditer(r"^\$ (.*)$", text, re.MULTILINE), None]
    return [
        (here[1], text[here.end() : following.start() if following else None])
        for here, following in pairwise(starts)
        if here is not None
    ]
