"""The explorer's answers in JSON, beside the library and closed forms; what a request may not do."""

import collections
import http.client
import json
import socket
import threading
import time
import tomllib
from contextlib import closing

import jax
import numpy as np
import pytest

import coldspot as cs
from coldspot import cli
from coldspot.dynamics import TOLERANCE
from coldspot.explorer import looks, server, static, subject, traces
from coldspot.explorer.batches import ROUGHLY, SLOW, Batches
from coldspot.explorer.looks import GRIDS
from coldspot.machine_files.decode import Content

X = {"path": "level", "low": -20, "high": 20, "log": False}
Y = {"path": "left.temperature", "low": 1, "high": 100, "log": True}
LOOK = {"machine": "quantum-dot", "x": X, "y": Y}


@pytest.fixture(scope="module")
def port():
    explorer = server.Explorer("quantum-dot")
    serving = server.serve(explorer, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving.server_address[1]
    serving.shutdown()
    serving.server_close()


def request(port, path, body, method="POST", **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def ask(port, name, question, code=200):
    status, text = request(port, f"/api/{name}", json.dumps(question))
    assert status == code, text
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def dot(level, t_left, t_right=5.0, mu_left=2.5, mu_right=-2.5, gamma=1.0):
    """Heats of the dot in closed form."""
    f_left, f_right = (1 / (1 + np.exp((level - mu) / t)) for mu, t in ((mu_left, t_left), (mu_right, t_right)))
    current = gamma * (f_left - f_right)
    return (level - mu_left) * current, -(level - mu_right) * current


def test_every_machine_is_listed_and_described(port):
    listed = ask(port, "machines", {})
    assert [m["name"] for m in listed["machines"]] == list(cs.machines.BY_NAME)
    assert listed["first"] == "quantum-dot"
    found = ask(port, "machine", {"machine": "quantum-dot"})
    assert [s["path"] for s in found["sliders"]] == [
        *("level", "left.temperature", "left.chemical_potential", "right.temperature"),
        *("right.chemical_potential", "gamma_left", "gamma_right"),
    ]
    assert all(s["low"] < s["value"] < s["high"] for s in found["sliders"])
    assert "γ(f_L−f_R)" in "".join(found["words"])
    assert "Zhang and Lü" in "".join(found["words"])
    assert ">>>" not in "".join(found["words"])


def test_sentences_of_the_words_stay_whole_and_equations_stand_alone():
    first, equation, rest = subject.words(cs.machines.OttoEngine())
    assert "of the period, then with the gap ω_c in contact" in first
    assert equation.startswith("work per cycle = ")
    assert rest.startswith("while it is below Carnot's")
    first, equation, _, _ = subject.words(cs.machines.OscillatorPair())
    assert first.endswith("with its own bath,")
    assert equation.startswith("m ẍ_i = ")
    for machine in cs.machines.BY_NAME.values():
        first, *_ = subject.words(machine())
        assert first[-1] in ".,:;"


@pytest.mark.parametrize("live", [True, False])
def test_the_point_and_the_curves_are_those_of_the_closed_form(port, live):
    ask(port, "look", LOOK)  # a slider that moves has no curves before
    found = ask(port, "look", {**LOOK, "values": {"level": "-7.5", "gamma_left": 3}, "live": live})
    gamma = 3 * 2 / (3 + 2)
    left, right = dot(-7.5, 10.0, gamma=gamma)
    point = found["point"]
    assert (point["status"], point["words"]) == ("OK", "")
    assert point["record"]["heat"] == pytest.approx({"left": left, "right": right}, rel=1e-12)
    assert sum(flow["rate"] for flow in point["flows"]) == pytest.approx(0, abs=1e-12)
    along_level, along_temperature = found["curves"]
    x = np.array(along_level["x"])
    assert (x[0], x[-1], len(x) in GRIDS) == (-20, 20, True)
    assert along_level["groups"]["heat"]["right"] == pytest.approx(dot(x, 10.0, gamma=gamma)[1], rel=1e-9, abs=1e-12)
    t = np.array(along_temperature["x"])
    assert along_temperature["groups"]["heat"]["left"] == pytest.approx(
        dot(-7.5, t, gamma=gamma)[0], rel=1e-9, abs=1e-12
    )


def test_a_machine_that_takes_long_to_compile_shows_its_point_first(port):
    phase, spring = ({"path": path, "low": low, "high": 3, "log": False} for path, low in (("phase", 0), ("spring", 1)))
    question = {"machine": "oscillator-pair", "values": {"phase": 1.0}, "x": phase, "y": spring, "live": True}
    first, second = ask(port, "look", question), ask(port, "look", question | {"live": False})
    s = cs.steady_state(cs.machines.OscillatorPair(phase=1.0))
    for found in (first, second):
        assert found["point"]["record"]["heat"] == pytest.approx({b: float(s.heat[b]) for b in s.baths}, rel=1e-12)
    assert (first["map"], first["curves"], first["pending"]) == (None, [], True)
    assert (first["digits"], second["digits"]) == (5, 6)
    assert second["map"]["points"] in GRIDS
    assert [curve["path"] for curve in second["curves"]] == ["phase", "spring"]
    assert "pending" not in second
    assert "pending" not in ask(port, "look", question)


def test_machines_that_remember_their_results_are_not_taken_for_quick_ones():
    """A point is timed where no result is known; while a slider moves it is solved to fewer digits."""
    subject = server.ready("quantum-dot")
    batches = Batches(subject)
    batches.together = False  # as one that is slow to solve
    solution = jax.tree.map(lambda leaf: np.asarray(leaf)[None], cs.steady_state(subject.machine))
    asked = collections.Counter()

    def slowly(columns, total, tolerance):
        point = tolerance, *(float(column[0]) for column in columns.values())
        if point not in asked:
            time.sleep(2 * SLOW)
        asked[point] += total
        return solution

    batches._singly = slowly
    numbers, axes = subject.numbers, subject.axes()
    moving = looks.look(batches, numbers, *axes, live=True)
    assert (moving["digits"], *asked) == (5, (ROUGHLY, *numbers.values()))
    resting = looks.look(batches, numbers, *axes)
    assert (resting["digits"], resting["map"], batches.together) == (6, None, False)
    assert asked[TOLERANCE, *numbers.values()] == 1  # of two looks at it
    assert resting["seconds"] >= (11 * 11 + 2 * 11) * 2 * SLOW
    points = np.stack(list(batches._nearby(300).values()))
    assert len(np.unique(points, axis=1).T) == 300
    np.testing.assert_allclose(points.T, [list(numbers.values())] * 300, rtol=1e-8)


def test_the_map_has_the_regimes_of_the_closed_form(port):
    found = ask(port, "look", LOOK)["map"]
    codes = np.repeat(found["runs"][::2], found["runs"][1::2]).reshape(found["size"], found["size"])
    shares = (np.arange(found["size"]) + 0.5) / found["size"]
    level, t_left = np.meshgrid(-20 + 40 * shares, 100**shares)
    left, right = dot(level, t_left)
    cold = np.where(t_left < 5, left, right)
    work = -(left + right)
    regime = np.select([work < 0, (left < 0) & (right < 0), cold > 0], [2, 3, 1], 4)
    names = {int(code): name for code, name in found["names"].items()}
    assert names == {1: "refrigerator", 2: "engine", 3: "heater", 4: "accelerator"}
    # Wrong at most where a region is narrower than the steps of the grid.
    assert np.mean(codes != regime) < 0.3 / found["points"]


def test_units_are_read_and_written(port):
    found = ask(port, "look", {**LOOK, "values": {"left.temperature": "100 K"}, "unit": "meV"})["point"]
    assert found["baths"][0]["temperature"] == pytest.approx(100 * 0.08617333262, rel=1e-9)
    assert found["si"]["temperature"]["left"] == "100 K"
    heat = found["record"]["heat"]["left"] * (1.602176634e-22**2 / 1.054571817e-34) * 1e12
    assert found["si"]["heat"]["left"] == f"{heat:.6g} pW"


def test_what_constructors_refuse_is_said_in_words_beside_the_map(port):
    found = ask(port, "look", {**LOOK, "values": {"gamma_left": -1}})
    assert found["point"]["status"] == "INVALID"
    assert "`gamma_left` must be positive" in found["point"]["words"]
    assert found["point"]["flows"] == []
    assert set(found["map"]["names"].values()) == {"unknown"}


def test_code_makes_what_is_seen(port):
    values = {"level": "-15.25", "right.temperature": 4.0}
    found = ask(port, "code", {**LOOK, "values": values})
    machine = cs.machines.QuantumDot(level=-15.25, right=cs.ElectronBath(4.0, -2.5))
    namespace = {}
    exec("\n".join(line for line in found["python"].splitlines() if line.startswith(("import", "machine"))), namespace)
    assert repr(namespace["machine"]) == repr(machine)
    assert tomllib.loads(found["toml"])["parameters"]["level"] == -15.25
    assert "np.geomspace(1.0, 100.0, 101)" in found["python"]


@pytest.mark.parametrize(
    ("name", "question", "words"),
    [
        ("look", {**LOOK, "values": {"levl": 1}}, "Did you mean `level`?"),
        ("look", {**LOOK, "values": {"level": "4 K"}}, "choose the unit of energy"),
        ("look", {**LOOK, "values": {"level": "4 K"}, "unit": "meV"}, "an energy"),
        ("look", {**LOOK, "values": {"level": "__import__('os')"}}, "finite number"),
        ("look", {**LOOK, "values": {"level": [1]}}, "finite number"),
        ("look", {**LOOK, "values": 3}, "`values`"),
        ("look", {**LOOK, "unit": "parsec"}, "energy"),
        ("look", {**LOOK, "x": {"path": "levl"}}, "`x` must be an axis"),
        ("look", {**LOOK, "x": {**X, "low": 30}}, "from low to high"),
        ("look", {**LOOK, "x": {**X, "log": True}}, "equal ratios"),
        ("look", {**LOOK, "x": {**X, "high": "a"}}, "must be numbers"),
        ("machine", {"machine": "quantum-dott"}, "Did you mean `quantum-dot`?"),
        ("machine", {"machine": "../dot.toml"}, "no machine"),
        ("trace", {"machine": "quantum-dot"}, "driven jump networks"),
        ("nothing", {}, "no question `nothing`"),
    ],
)
def test_bad_questions_are_answered_in_words(port, name, question, words):
    error = ask(port, name, question, code=400)["error"]
    assert words in error
    assert "\n" not in error


def test_what_another_site_may_ask_is_refused(port):
    body = json.dumps({"machine": "quantum-dot"})
    assert request(port, "/api/machine", body, Host=f"evil.example:{port}")[0] == 403
    assert request(port, "/", None, "GET", Host="evil.example")[0] == 403
    assert request(port, "/api/machine", body, **{"Content-Type": "text/plain"})[0] == 400
    assert request(port, "/api/machine", "[1]")[0] == 400
    assert request(port, "/api/machine", "{")[0] == 400
    assert request(port, "/../../pyproject.toml", None, "GET")[0] == 404


def test_the_page_holds_all_that_it_needs(port):
    status, text = request(port, "/", None, "GET")
    assert status == 200
    assert "/*" not in text.replace("/*data*/", "")
    for outside in ("src=", "@import", "url(", 'href="http'):
        assert outside not in text


def test_a_port_in_use_is_one_line(port, capsys):
    assert cli.run(["explore", "--port", str(port)]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert f"the port {port} cannot be used" in captured.err
    assert cli.run(["explore", "--port", "70000"]) == 2
    assert cli.run(["explore", "quantum-dott"]) == 2


def test_only_this_computer_is_answered(port):
    with socket.socket() as listener:
        listener.settimeout(1)
        assert listener.connect_ex(("127.0.0.2", port)) != 0  # bound to one address alone


def test_a_file_is_explored_with_its_unit():
    machine = cs.JumpNetwork(
        energies=lambda drives: [0.0, 1.0 + 0.5 * drives["gap"]],
        baths={"hot": cs.HeatBath(1.0)},
        channels=[cs.Channel("hot", 0, 1, cs.Glauber(1.0))],
        drives={"gap": cs.Cosine(1.0)},
        period=7.0,
    )
    explorer = server.explorer_of("m.toml", Content(machine, "meV"))
    described = explorer.machine({"machine": "m.toml"})
    assert (described["unit"], described["traceable"]) == ("meV", True)
    assert "drives.gap.amplitude" in [s["path"] for s in described["sliders"]]
    with pytest.raises(cs.InputError, match="in units of meV"):
        explorer.code({"machine": "m.toml", "unit": "eV"})
    found = explorer.trace({"machine": "m.toml"})
    # ṗ = 2f(E) − 2p, solved by its Fourier components.
    angle, omega = 2 * np.pi * np.arange(512) / 512, 2 * np.pi / 7.0
    energy, speed = 1.0 + 0.5 * np.cos(angle), -0.5 * omega * np.sin(angle)
    turning = 1j * omega * np.fft.fftfreq(512, 1 / 512)
    occupied = np.fft.fft(2 / (1 + np.exp(energy))) / (2 + turning)
    p_there, change = np.fft.ifft(occupied).real, np.fft.ifft(turning * occupied).real
    assert found["mean"]["heat"]["hot"] == pytest.approx(np.mean(energy * change), rel=1e-6)
    assert found["mean"]["work"]["gap"] == pytest.approx(np.mean(p_there * speed), rel=1e-6)
    p = np.array(found["groups"]["population"]["state 1"])
    assert p[-1] == pytest.approx(p_there[0], rel=1e-8)
    powers = np.array(found["groups"]["power of drives"]["gap"])
    assert np.mean(powers) == pytest.approx(np.mean(p_there * speed), rel=1e-9)  # equal steps of a smooth period


def test_traces_of_oscillators():
    """Forces: beside the steady state and the response of the mean. Driven springs: what comes in goes out."""
    pair = cs.machines.OscillatorPair()
    found, s = traces.trace(pair), cs.steady_state(pair)
    for bath in ("left", "right"):
        assert found["mean"]["heat"][bath] == pytest.approx(float(s.heat[bath]), rel=1e-8)
        assert found["mean"]["work"][bath] == pytest.approx(float(s.work[bath]), rel=1e-8)
    k, c, w = (float(value) for value in (pair.spring, pair.coupling, pair.frequency))
    stiff = np.array([[k + c, -c], [-c, k + c]]) + np.eye(2) * (1j * w * float(pair.friction) - float(pair.mass) * w**2)
    turned = np.linalg.solve(stiff, float(pair.amplitude) * np.array([1.0, np.exp(1j * float(pair.phase))]))
    expected = np.real(turned[1] * np.exp(2j * np.pi * np.array(found["time"])))
    shown = found["groups"]["mean position"]["coordinate 1"]
    assert np.max(np.abs(np.array(shown) - expected)) < 1e-8 * abs(turned[1])
    assert min(found["groups"]["spread of position"]["coordinate 0"]) > 0.1
    pump = traces.trace(cs.machines.ParametricPump())
    rates = [*pump["mean"]["heat"].values(), *pump["mean"]["work"].values()]
    assert abs(sum(rates)) < 1e-8 * max(map(abs, rates))
    assert not traces.is_traceable(cs.machines.NonlinearOscillatorPair().dynamics())


def test_frames_of_a_page_for_sharing_have_their_own_traces(monkeypatch):
    def trace(machine):
        if machine.mass > 5:
            raise cs.InputError("it takes too long")
        return {"mean": float(machine.mass) / 3}

    monkeypatch.setattr(static, "FRAMES", 2)
    monkeypatch.setattr(static.looks, "look", lambda *_, **__: {})  # maps are looked at elsewhere
    monkeypatch.setattr(static.traces, "trace", trace)
    found = static.data(server.ready("oscillator-pair"))
    frames = {frame["value"]: frame["trace"] for frame in found["frames"]["mass"]}
    assert frames == {0.1: {"mean": 0.0333333}, 1.0: found["trace"], 10.0: {"error": "it takes too long"}}
