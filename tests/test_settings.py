"""Parameters as texts on the command line: what is optimised over, and what shells complete."""

import json

import numpy as np
import pytest

from coldspot import cli


def run(capsys, *arguments):
    """Run a command line; returns exit code, stdout and stderr."""
    code = cli.run(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --------------------------------------------------------------------------- optimise


def test_an_optimum_is_that_of_a_fine_grid(capsys):
    bounds = ("--over", "level=-15 meV:15 meV", "--subject-to", "work_in=:0.2", "--starts", "2", "--unit", "meV")
    code, out, err = run(capsys, "optimise", "quantum-dot", "--maximise", "heat.right", *bounds, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    levels = np.linspace(-15, 15, 3001)
    f_left, f_right = (1 / (1 + np.exp((levels - mu) / t)) for mu, t in ((2.5, 10.0), (-2.5, 5.0)))
    heats = np.where(5 * (f_left - f_right) <= 0.2, -(levels + 2.5) * (f_left - f_right), -np.inf)
    best = np.argmax(heats)
    assert found["optimum"]["value"] == pytest.approx(heats[best], abs=2e-3)
    assert found["optimum"]["value"] >= heats[best] - 1e-9
    assert found["optimum"]["parameters"]["level"] == pytest.approx(levels[best], abs=0.011)
    assert found["optimum"]["binding"] == {"work_in": 0.2}
    assert found["parameters"]["level"] == found["optimum"]["parameters"]["level"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--over", "level=0:1"), ["`--maximise` or `--minimise`"]),
        (("--maximise", "power", "--minimise", "power", "--over", "level=0:1"), ["one of them"]),
        (("--maximise", "power"), ["--over"]),
        (("--maximise", "powr", "--over", "level=0:1"), ["`powr`", "`power`"]),
        (("--maximise", "power", "--over", "levl=0:1"), ["`levl`", "`level`"]),
        (("--maximise", "power", "--over", "level=1:0"), ["low < high"]),
        (("--maximise", "power", "--over", "level=0:1:3"), ["PATH=START:STOP", "level=0:1:3"]),
        (("--maximise", "power", "--over", "level=0:1", "--over", "level=0:2"), ["`level` again"]),
        (("--maximise", "power", "--over", "level=0:1", "--over", '"level"=0:2'), ["`level` again"]),
        (("--maximise", "power", "--over", "level=0:1", "--set", '"level"=2'), ["leave out one"]),
        (("--maximise", "power", "--over", "level=0:1", "--subject-to", "heat.right=1"), ["QUANTITY=LOW:HIGH"]),
        (("--maximise", "power", "--over", "level=0:1", "--subject-to", "heat.right=a:"), ["`a`"]),
        (("--maximise", "power", "--over", "level=0:1", "--subject-to", "heat.rigt=0:"), ["`rigt`", "`right`"]),
        (("--maximise", "power", "--over", "level=0:1", "--starts", "0"), ["`starts`"]),
    ],
)
def test_what_cannot_be_optimised_is_one_line(capsys, arguments, words):
    code, out, err = run(capsys, "optimise", "quantum-dot", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in err


# --------------------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("solve quan", ["quantum-dot"]),
        ("solve quantum-dot --set left", ["left.temperature=", "left.chemical_potential="]),
        ("sweep spin-pair --over p", ["period=", "phase="]),
        ("solve nothing --set left", []),
        ("reproduce qu", ["quantum-dot-anomalies"]),
        ("optimise quantum-dot --maximise he", ["heat.left", "heat.right"]),
        ("optimise otto-engine --maximise cop --subject-to w", ["work_in=", "work.piston="]),
        ("optimise nothing --maximise he", []),
    ],
)
def test_shells_complete_machines_and_paths(capsys, monkeypatch, line, found):
    monkeypatch.setenv("_COLDSPOT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"coldspot {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
    with pytest.raises(SystemExit):
        cli.run([])
    assert capsys.readouterr().out.split() == found
