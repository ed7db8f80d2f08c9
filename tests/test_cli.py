"""The command line: its contract (names, JSON keys, exit codes), and one line for every kind of bad input.

The program runs in this process (`cli.run`); `test_program` starts new ones.
"""

import json
import math
import sys
from typing import ClassVar

import equinox as eqx
import pytest
import typer
from scipy import constants

import coldspot as cs
from coldspot import cli, paths, settings
from coldspot.ledger import Named
from coldspot.papers import PAPERS
from coldspot.reproduction import report
from coldspot.units import KINDS

LEDGER = ["energy", "heat", "particles", "chemical_work", "work", "work_in", "entropy_production", "first_law_residual"]
KEYS = ["machine", "parameters", "status", *LEDGER, "error", "regime", "flags", "efficiency", "cop", "modes"]
PROVENANCE = ["version", "tolerance", "unit"]
K_B = constants.k / (1e-3 * constants.e)
"""Boltzmann's constant in meV/K."""


@pytest.fixture
def run(capsys):
    """Run a command line; returns exit code, stdout and stderr."""

    def run(*arguments):
        code = cli.run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def solved(run, *arguments):
    code, out, err = run("solve", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


# --------------------------------------------------------------------------- files and sweeps

DOT = """\
machine = "quantum-dot"
unit = "meV"
[parameters]
level = "-4 meV"
left.temperature = "60 K"
"""


def test_a_file_is_solved_like_the_machine_with_the_same_settings(run, tmp_path):
    file = tmp_path / "dot.toml"
    file.write_text(DOT)
    code, out, err = run("run", str(file), "--json")
    assert (code, err) == (0, "")
    settings = ("--set", "level=-4", "--set", "left.temperature=60 K", "--unit", "meV")
    assert json.loads(out) == solved(run, "quantum-dot", *settings)
    assert solved(run, str(file), "--set", "level=1") == solved(run, "quantum-dot", *settings[2:], "--set", "level=1")


def test_results_stand_in_si_units_beside(run, tmp_path):
    file = tmp_path / "dot.toml"
    file.write_text(DOT)
    found = json.loads(run("run", str(file), "--json")[1])
    out = run("run", str(file))[1]
    mev, hbar = 1e-3 * constants.e, constants.hbar
    heat = found["heat"]["left"] * mev**2 / hbar * 1e12
    current = -found["particles"]["left"] * mev / hbar * constants.e * 1e9
    (line,) = [line for line in out.splitlines() if line.startswith("left") and line.endswith("nA")]
    assert line.split()[1:4:2] == ["60", f"{heat:.6g}"]
    assert line.split()[2:7:2] == ["K", "pW", "nA"]
    assert abs(float(line.split()[5])) == pytest.approx(abs(current), rel=1e-5)


def test_a_network_in_a_file_is_solved(run, tmp_path):
    dot = cs.machines.QuantumDot()
    cs.save(dot.dynamics(), tmp_path / "net.toml")
    found = json.loads(run("run", str(tmp_path / "net.toml"), "--json")[1])
    assert found["machine"] == "JumpNetwork"
    assert found["heat"] == solved(run, "quantum-dot")["heat"]
    assert found["parameters"]["energies"] == [0.0, -5.0]
    assert run("run", str(tmp_path / "net.toml"))[0] == 0


def test_a_sweep_goes_into_a_file(run, tmp_path):
    out = tmp_path / "r.nc"
    over = ("--over", "level=-6 meV:6 meV:4", "--over", "left.temperature=1:100:3:log")
    code, text, err = run("sweep", "quantum-dot", *over, "--set", "gamma_left=3", "--unit", "meV", "--out", str(out))
    assert (code, err) == (0, "")
    assert "12 of 12 points trusted" in text
    found = cs.load(out)
    assert found.level.values == pytest.approx([-6, -2, 2, 6])
    assert found["left.temperature"].values == pytest.approx([1, 10, 100])
    machine = cs.machines.QuantumDot(gamma_left=3)
    grid = {"level": found.level.values, "left.temperature": found["left.temperature"].values}
    assert (found.heat.values == cs.sweep(machine, grid, unit="meV").heat.values).all()
    assert float(found.machine.gamma_left) == 3


def test_the_list_for_programs_has_every_machine_with_its_parameters(run):
    found = json.loads(run("list", "--json")[1])
    assert [m["name"] for m in found["machines"]] == list(cs.machines.BY_NAME)
    for machine in found["machines"]:
        made = cs.machines.BY_NAME[machine["name"]]()
        assert machine["parameters"] == {path: float(value) for path, value in paths.numbers(made).items()}
        assert machine["dimensions"].keys() == machine["parameters"].keys()
        assert set(machine["dimensions"].values()) <= KINDS.keys()
    assert [p["name"] for p in found["papers"]] == list(PAPERS)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("levl=0:1:3", ["`levl`", "Did you mean `level`?"]),
        ("level=0:1", ["PATH=START:STOP:N", "level=0:1"]),
        ("level", ["PATH=START:STOP:N"]),
        ("level=0:x:3", ["--over level", "finite number", "`x`"]),
        ("level=0:1:0", ["N must be an integer", "`0`"]),
        ("level=1:1:3", ["START and STOP must differ", "both are 1"]),
        ("level=0:1:1e3", ["N must be an integer", "`1e3`"]),
        ("level=0:1:3:lin", ["only `log`", "`lin`"]),
        ("level=-1:1:3:log", ["one sign", "-1 and 1"]),
        ("left=0:1:3", ["`left` is not a number", "`left.temperature`"]),
        ("level=0 K:1:3", ["`--unit`"]),
        ("level=0:1:100000001", ["N must be an integer", "100,000,000"]),
    ],
)
def test_what_is_no_range_is_refused_in_one_line(run, tmp_path, over, words):
    code, out, err = run("sweep", "quantum-dot", "--over", over, "--out", str(tmp_path / "r.nc"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in err
    assert not list(tmp_path.iterdir())


def test_one_value_of_a_range_is_its_start():
    dot = cs.machines.QuantumDot()
    for text, value in (("level=-1:1:1", -1.0), ("level=2:2:1", 2.0), ("left.temperature=3:9:1:log", 3.0)):
        path, values = settings.grid_axis(dot, text, None)
        assert (path, values.tolist()) == (text.partition("=")[0], [value])


def test_places_and_files_that_do_not_fit_are_refused(run, tmp_path):
    good = ("--over", "level=0:1:3")
    file = tmp_path / "dot.toml"
    file.write_text(DOT)
    for arguments, words in (
        (("sweep", "quantum-dot", *good, "--out", "r.csv"), "`.nc` or `.zarr`"),
        (("sweep", "quantum-dot", *good, *good, "--out", "r.nc"), "once"),
        (("sweep", "quantum-dott", *good, "--out", "r.nc"), "`quantum-dot`?"),
        (
            ("sweep", "quantum-dot", *good, "--out", str(tmp_path / "no" / "r.nc")),
            "/no/r.nc` cannot be written: there is no folder",
        ),
        (
            ("sweep", "quantum-dot", *good, "--out", str(tmp_path / "no" / "r.zarr")),
            "cannot be written: there is no folder",
        ),
        (("solve", str(file), "--unit", "eV"), "in units of meV"),
        (("run", str(tmp_path / "none.toml")), "cannot be read"),
        (("run", "quantum-dot"), "must end in `.toml`"),
    ):
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), arguments
        assert words in err


# --------------------------------------------------------------------------- solve


MESHES = ("buttiker-landauer-ring", "kramers-cooler")
"""Machines whose finest meshes take seconds, and say no more of JSON than coarser ones."""


@pytest.mark.parametrize("name", cs.machines.BY_NAME)
def test_json_has_the_keys_of_the_contract_and_the_numbers_of_the_library(run, name, monkeypatch):
    machine, solutions = cs.machines.BY_NAME[name](), []

    def noted(asked):
        """The library is asked for the machine with its defaults, and nothing else."""
        assert eqx.tree_equal(asked, machine)
        solutions.append(cs.steady_state(asked, tolerance=1e-4 if name in MESHES else 1e-8))
        return solutions[-1]

    monkeypatch.setattr(cli, "steady_state", noted)
    found = solved(run, name)
    (s,) = solutions
    assert list(found) == KEYS + PROVENANCE
    assert [found[key] for key in PROVENANCE] == [cs.__version__, 1e-8, None]
    assert list(found["error"]) == LEDGER
    assert found["machine"] == name
    assert found["parameters"] == {path: float(value) for path, value in paths.numbers(machine).items()}
    assert found["status"] == "OK"
    assert (found["modes"] is None) == (s.modes is None)
    assert found["regime"] == s.regime
    assert found["flags"] == [flag for flag, raised in s.flags.items() if raised]
    for key in LEDGER:
        value = getattr(s, key)
        assert found[key] == ({n: float(value[n]) for n in value} if isinstance(value, Named) else float(value))
    for key in ("cop", "efficiency"):
        value = float(getattr(s, key))
        assert found[key] == (None if math.isnan(value) else value)
    # One of them where there is something to gain.
    assert (found["cop"] is not None) == (s.regime in ("refrigerator", "heat pump", "absorption refrigerator"))
    assert (found["efficiency"] is not None) == (s.regime in ("engine", "chemical engine"))
    check_errors(machine, found["error"])


def check_errors(machine, error):
    """No error estimate may be smaller than its parts: energy = heat + chemical work, work_in = Σ works, …"""
    for bath, heat in error["heat"].items():
        assert error["energy"][bath] == heat + error["chemical_work"][bath] > 0
    assert error["work_in"] == pytest.approx(sum(error["work"].values()) + sum(error["chemical_work"].values()))
    # What is stored during a simulation has an error, too.
    parts = sum(error["energy"].values()) + sum(error["work"].values())
    stored = machine.name == "nonlinear-oscillator-pair"
    assert error["first_law_residual"] >= parts if stored else error["first_law_residual"] == pytest.approx(parts)
    temperatures = [float(bath.temperature) for bath in machine.dynamics().reservoirs().values()]
    flows = sum(e / t for e, t in zip(error["heat"].values(), temperatures, strict=True))
    assert error["entropy_production"] == pytest.approx(flows)


def test_parameters_are_set_by_path(run):
    machine = cs.machines.QuantumDot(level=-15.0, right=cs.ElectronBath(4.0, -2.5), gamma_left=1.0)
    found = solved(run, "quantum-dot", "--set", "level=-15", "--set", "right.temperature=4", "--set", "gamma_left = 1")
    assert found["heat"]["left"] == float(cs.steady_state(machine).heat["left"])


def test_quantities_with_units(run):
    machine = cs.machines.QuantumDot(
        level=0.3, left=cs.ElectronBath(4.2 * K_B, 2.5), right=cs.ElectronBath(2.0 * K_B, -2.5)
    )
    settings = ("level=0.3 meV", "left.temperature=4.2 K", "right.temperature=2 K")
    found = solved(run, "quantum-dot", "--unit", "meV", *(part for s in settings for part in ("--set", s)))
    # The two temperatures may differ in the last bit; a rate e^{ε/T} with ε/T = 17 makes 17 times that of it.
    assert found["heat"]["left"] == pytest.approx(float(cs.steady_state(machine).heat["left"]), rel=2e-14)
    assert found["parameters"]["left.temperature"] == pytest.approx(0.36192799697, rel=1e-9)


def test_one_machine_in_two_units(run):
    """A heat rate is an energy times a rate: 1 eV²/ħ = 10⁶ meV²/ħ. Ratios do not change."""
    settings = ["level=-5 meV", "left.temperature=100 K", "right.temperature=50 K", "left.chemical_potential=2 meV"]
    settings += ["right.chemical_potential=-2 meV", "gamma_left=0.1 meV", "gamma_right=0.2/ps"]
    arguments = [part for setting in settings for part in ("--set", setting)]
    small, large = (solved(run, "quantum-dot", *arguments, "--unit", unit) for unit in ("meV", "eV"))
    for bath in ("left", "right"):
        assert small["heat"][bath] == pytest.approx(1e6 * large["heat"][bath], rel=1e-13)
        assert small["particles"][bath] == pytest.approx(1e3 * large["particles"][bath], rel=1e-13)
    assert small["regime"] == large["regime"]
    driven = ["--set", "period=150 ps", "--set", "phase=126.05071492871 deg", "--set", "coupling=1 meV"]
    parameters = solved(run, "spin-pair", *driven, "--unit", "meV")["parameters"]
    assert parameters["phase"] == pytest.approx(2.2, rel=1e-10)
    assert parameters["period"] == pytest.approx(150 * 1.519267447878626, rel=1e-12)


def test_a_chemical_potential_may_be_a_voltage(run):
    both = [
        solved(run, "quantum-dot", "--unit", "meV", "--set", f"left.chemical_potential={text}")["parameters"]
        for text in ("0.25 mV", "0.25 meV")
    ]
    assert both[0]["left.chemical_potential"] == pytest.approx(0.25, rel=1e-15)
    assert both[0] == pytest.approx(both[1], rel=1e-15)
    code, out, err = run("solve", "quantum-dot", "--unit", "meV", "--set", "level=0.25 mV")
    assert (code, out) == (2, "")
    assert "an energy" in err
    assert "a voltage" in err


def test_the_unit_stands_in_the_record(run):
    assert solved(run, "quantum-dot", "--unit", "meV")["unit"] == "meV"


def test_text_shows_name_parameters_unit_and_solution(run):
    code, out, err = run("solve", "spin-pair", "--unit", "meV", "--set", "period=200")
    assert (code, err) == (0, "")
    assert out.startswith("spin-pair: ")
    assert "period=200" in out
    assert "left.temperature=0.5" in out
    assert "in units of meV" in out
    assert out.endswith(f"{cs.steady_state(cs.machines.SpinPair(period=200.0))}\n")


class Divided(cs.Machine):
    """States 0–1 and 2–3 that nothing connects: the steady state is not unique."""

    name: ClassVar[str] = "divided"
    summary: ClassVar[str] = "two halves"
    bath: cs.HeatBath = cs.HeatBath(1.0)

    def dynamics(self):
        channels = [cs.Channel("bath", i, i + 1, cs.Glauber(1.0)) for i in (0, 2)]
        return cs.JumpNetwork(energies=[0.0, 1.0, 0.0, 1.0], baths={"bath": self.bath}, channels=channels)


@pytest.mark.parametrize("json_or_not", [(), ("--json",)])
def test_what_cannot_be_solved_exits_with_3(run, monkeypatch, json_or_not):
    monkeypatch.setitem(cs.machines.BY_NAME, "divided", Divided)
    code, out, err = run("solve", "divided", *json_or_not)
    assert (code, out) == (3, "")
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert "NOT_UNIQUE" in err
    assert "[0, 1], [2, 3]" in err


# --------------------------------------------------------------------------- machines and their parameters


@pytest.mark.parametrize("name", cs.machines.BY_NAME)
def test_every_parameter_has_a_dimension_and_is_checked_by_its_constructor(name):
    machine = cs.machines.BY_NAME[name]()
    for path in paths.numbers(machine):
        assert paths.dimension(machine, path) in KINDS
        if path.endswith("temperature"):
            with pytest.raises(cs.InputError, match=r"`temperature` must be positive.*but is -1"):
                settings.configured(machine, [f"{path}=-1"], None)


# --------------------------------------------------------------------------- list, help, version


def test_list(run):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    text = " ".join(out.split())
    for machine in cs.machines.ALL:
        assert f"  {machine.name}  {machine.summary.split()[0]}" in out
        for path, value in paths.numbers(machine()).items():
            assert f"{path}={float(value):g}" in text
    assert "baths: left, right; drives: none" in text
    assert "baths: left, right; drives: left, right" in text
    for name, paper in PAPERS.items():
        assert f"{name} {paper.title}" in text


def test_help_offers_what_works_and_nothing_else(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert run() == (code, out, err)
    commands = list(typer.main.get_command(cli.app).commands)
    assert commands == ["list", "solve", "run", "sweep", "optimise", "explore", "reproduce"]
    for word in [*commands, "--version"]:
        assert word in out
    assert "--install-completion" in out


def test_version(run):
    assert run("--version") == (0, f"coldspot {cs.__version__}\n", "")


# --------------------------------------------------------------------------- reproduce


def rows(*ok):
    numbers = {"published": 1.0, "computed": math.nan, "tolerance": 0.5}
    return [{"paper": "a-paper", "quantity": "flux [red]", **numbers, "ok": good} for good in ok]


@pytest.mark.parametrize(("ok", "code"), [((True, True), 0), ((True, False), 1)])
def test_reproduce_judges_the_numbers(run, monkeypatch, tmp_path, ok, code):
    asked = []
    monkeypatch.setattr(report, "reproduce", lambda papers, out: asked.append((papers, out)) or rows(*ok))
    found = run("reproduce", "two-classical-pumps", "--out", str(tmp_path), "--json")
    assert asked == [([PAPERS["two-classical-pumps"]], tmp_path)]
    assert found[0] == code
    assert found[2] == ""
    assert json.loads(found[1], parse_constant=pytest.fail) == [row | {"computed": None} for row in rows(*ok)]

    found = run("reproduce", "--out", str(tmp_path))
    assert found[0] == code
    assert asked[1] == (list(PAPERS.values()), tmp_path)
    for part in ("a-paper", "flux [red]", "nan", "0.5", f"{sum(ok)} of 2", str(tmp_path / report.REPORT)):
        assert part in found[1]
    assert ("NO" in found[1]) == (code == 1)


# --------------------------------------------------------------------------- bad input

SOLVE = ("solve", "quantum-dot")
BAD = [
    (("slove",), ["`slove`", "`solve`"]),
    (("--jsn",), ["`--jsn`", "--version"]),
    (("solve",), ["MACHINE", "coldspot solve --help"]),
    (("list", "machines"), ["machines", "unexpected"]),
    (("solve", "quantum-dt"), ["machine `quantum-dt`", "`quantum-dot`"]),
    ((*SOLVE, "spin-pair"), ["spin-pair", "unexpected"]),
    ((*SOLVE, "--jsn"), ["`--jsn`", "`--json`"]),
    ((*SOLVE, "--set"), ["--set", "requires an argument"]),
    ((*SOLVE, "--set", "levl"), ["`--set` must be PATH=VALUE", "`levl`", "`level=-5`"]),
    ((*SOLVE, "--set", "=3"), ["`--set` must be PATH=VALUE", "`=3`"]),
    ((*SOLVE, "--set", "level=abc"), ["`level`", "`abc`", "number"]),
    ((*SOLVE, "--set", "level="), ["`level`", "``", "number"]),
    ((*SOLVE, "--set", "level=nan"), ["`level`", "`nan`", "finite"]),
    ((*SOLVE, "--set", "level=-inf"), ["`level`", "`-inf`", "finite"]),
    ((*SOLVE, "--set", "level=1", "--set", "level=2"), ["`--set`", "`level` again", "`2`"]),
    ((*SOLVE, "--set", "leftt.temperature=1"), ["`leftt.temperature`", "`left`"]),
    ((*SOLVE, "--set", "left.temprature=1"), ["`left.temprature`", "`temperature`"]),
    ((*SOLVE, "--set", "left=3"), ["`left` is not a number", "`left.temperature`, `left.chemical_potential`."]),
    ((*SOLVE, "--set", "level[0]=3"), ["`level[0]`", "no entries"]),
    ((*SOLVE, "--set", "left..temperature=3"), ["`left..temperature`", "not a path"]),
    ((*SOLVE, "--set", "right.temperature=0"), ["`right`", "`temperature` must be positive", "is 0"]),
    ((*SOLVE, "--set", "gamma_left=-1"), ["`gamma_left` must be positive", "-1"]),
    (("solve", "spin-pair", "--set", "period=0"), ["`period` must be positive", "is 0"]),
    ((*SOLVE, "--set", "left.temperature=4.2 K"), ["`left.temperature`", "`4.2 K`", "`--unit"]),
    ((*SOLVE, "--unit", "meV", "--set", "left.temperature=0.3 meV"), ["`left.temperature`", "`0.3 meV`", "`4.2 K`"]),
    ((*SOLVE, "--unit", "meV", "--set", "level=4.2 K"), ["`level`", "`4.2 K`", "an energy", "`0.3 meV`"]),
    ((*SOLVE, "--unit", "meV", "--set", "level=1 mev"), ["`level`", "`1 mev`", "`meV`"]),
    ((*SOLVE, "--unit", "mev"), ["--unit", "`mev`", "`meV`"]),
    ((*SOLVE, "--unit", "K"), ["--unit", "`K`", "a temperature", "`meV`"]),
    (
        ("sweep", "quantum-dot", "--set", "level=3", "--over", "level=-6:6:4", "--out", "a.nc"),
        ["`--set` gives `level`", "`--over` moves it"],
    ),
    (
        ("optimise", "quantum-dot", "--maximise", "cop", "--set", "level=3", "--over", "level=-6:6"),
        ["`--set` gives `level`", "`--over` moves it"],
    ),
    (
        ("sweep", "quantum-dot", "--over", "level=-1e308:1e308:3", "--out", "a.nc"),
        ["`--over level`", "-1e+308 and 1e+308 are too far apart"],
    ),
    # Pint calculates powers exactly, and this one for ever.
    ((*SOLVE, "--unit", "meV", "--set", "level=1 meV**(9**9**9)"), ["unknown unit", "`meV**(9**9**9)`"]),
    (("solve", "q" * 1_000_000), ["there is no machine", "q…"]),
    (("reproduce", "quantum-dot-anomaly"), ["paper `quantum-dot-anomaly`", "`quantum-dot-anomalies`"]),
    (("reproduce", "two-classical-pumps", "quantum"), ["paper `quantum`"]),
    (("reproduce", "--out"), ["--out", "requires an argument"]),
    (("reproduce", "--out", "a-file"), ["--out", "`a-file`"]),
    (("reproduce", "--out", "a-file/below"), ["--out", "`a-file/below`"]),
]


@pytest.mark.parametrize(("arguments", "parts"), BAD)
def test_bad_input_is_one_line(run, monkeypatch, tmp_path, arguments, parts):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("kept")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert err.startswith("error: ")
    for part in parts:
        assert part in err
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]
    assert (tmp_path / "a-file").read_text() == "kept"


def test_missing_matplotlib(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = run("reproduce", "--out", str(tmp_path / "out"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "coldspot[figures]" in err
    assert not (tmp_path / "out").exists()


def test_interrupt_is_one_line(run, monkeypatch):
    def interrupted(machine):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "steady_state", interrupted)
    assert run("solve", "quantum-dot") == (130, "", "interrupted\n")
