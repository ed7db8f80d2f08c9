"""The page in a headless Chromium: sliders are moved, and the numbers that it then shows are those of the library."""

import json
import threading
import time

import pytest

import coldspot as cs
from coldspot.explorer import looks, server, static
from coldspot.style import BLUE, ORANGE
from tests.explorer.browser import browser, program

pytestmark = pytest.mark.skipif(program() is None, reason="Chromium is not installed")
READY = "document.body?.dataset.state === 'ready'"
MOVE = """(() => {
  const range = document.querySelector('input[type=range][data-path="%s"]');
  range.value = %d;
  range.dispatchEvent(new Event('input'));
})()"""
CELLS = "[...document.querySelectorAll('#ledger td')].map(cell => cell.firstChild?.textContent ?? '')"


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def address():
    serving = server.serve(server.Explorer("quantum-dot"), 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_address[1]}/"
    serving.shutdown()
    serving.server_close()


def number(text):
    return float(text.replace("−", "-"))


def test_sliders_move_and_the_page_shows_the_numbers_of_the_library(chromium, address):
    chromium.show(1440, 900)
    chromium.open(address)
    chromium.wait(READY)
    assert chromium.run("document.getElementById('regime').textContent") == "refrigerator"
    for path, place in (("level", 125), ("right.temperature", 300)):
        chromium.run(MOVE % (path, place))
        chromium.wait("document.body.dataset.state === 'moving'")
    chromium.wait(READY)
    level, temperature = (
        number(chromium.run(f"document.getElementById('s-{path}').value")) for path in ("level", "right.temperature")
    )
    assert level == pytest.approx(-15)
    s = cs.steady_state(cs.machines.QuantumDot(level=level, right=cs.ElectronBath(temperature, -2.5)))
    cells = chromium.run(CELLS)
    for k, bath in enumerate(("left", "right")):
        row = cells[6 * k : 6 * k + 6]
        assert row[0] == bath
        assert [number(text) for text in row[3:]] == pytest.approx(
            [float(s.heat[bath]), float(s.particles[bath]), float(s.chemical_work[bath])], rel=1e-5
        )
    assert chromium.run("document.getElementById('regime').textContent") == s.regime
    assert chromium.run("document.getElementById('error').hidden")
    assert chromium.complaints == []


def test_a_map_that_comes_after_the_point_has_its_size(chromium, address):
    # The first look at a machine has no map; later ones of the same server begin with one.
    chromium.open(address)
    chromium.wait(READY)
    sizes = "['width', 'height'].map(name => Number($('map-frame').querySelector('rect').getAttribute(name)))"
    right = chromium.run(sizes)
    assert min(right) > 150
    chromium.run("window.kept = seen.map; seen.map = null; drawMap()")
    assert chromium.run("$('map').hidden")
    assert chromium.run(f"seen.map = window.kept; drawMap(); {sizes}") == right
    time.sleep(0.1)
    assert chromium.run("$('map').hidden") is False
    assert chromium.complaints == []


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("n_b = 1/(1+e^{ω_b/T_b})", "n<sub>b</sub> = 1/(1+e<sup>ω<sub>b</sub>/T<sub>b</sub></sup>)"),
        ("x = e^{−Γ_h t_h},", "x = e<sup>−Γ<sub>h</sub> t<sub>h</sub></sup>,"),
        ("Γ_LΓ_R, k_BT, σ_1σ_2", "Γ<sub>L</sub>Γ<sub>R</sub>, k<sub>B</sub>T, σ<sub>1</sub>σ<sub>2</sub>"),
        ("γ_νk ẍ_i σ_{k+1} x_i³", "γ<sub>νk</sub> ẍ<sub>i</sub> σ<sub>k+1</sub> x<sub>i</sub>³"),
        ("hot_share, <b>T_c</b>", "hot_share, &lt;b&gt;T<sub>c</sub>&lt;/b&gt;"),
    ],
)
def test_symbols_have_their_subscripts_and_powers(chromium, address, words, shown):
    chromium.open(address)
    chromium.wait("typeof lettered === 'function'")
    script = "(p => { p.append(...lettered(%s)); return p.innerHTML; })(document.createElement('p'))"
    assert chromium.run(script % json.dumps(words)) == shown


def test_errors_stand_on_the_page_in_words(chromium, address):
    chromium.open(address)
    chromium.wait(READY)
    field = "document.getElementById('s-level')"
    chromium.run(f"{field}.value = '4 parsec'; {field}.onchange()")
    chromium.wait("!document.getElementById('error').hidden")
    assert "has a unit" in chromium.run("document.getElementById('error').textContent")
    chromium.run(f"{field}.value = '-5'; {field}.onchange()")
    chromium.wait("document.getElementById('error').hidden")
    field = "document.getElementById('s-gamma_left')"
    chromium.run(f"{field}.value = '-1'; {field}.onchange()")
    chromium.wait("document.getElementById('regime').textContent.includes('INVALID')")
    assert "must be positive" in chromium.run("document.getElementById('facts').textContent")


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_sticks_out(chromium, address, width):
    chromium.show(width, 844, dark=width == 390)
    chromium.open(address)
    chromium.wait(READY)
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run("document.getElementById('map').clientWidth") > 250
    table = "document.getElementById('ledger')"
    assert chromium.run(f"{table}.scrollWidth <= {table}.closest('.scroll').clientWidth")
    assert "heatE²/ħ" in chromium.run(f"{table}.textContent")
    # The hot lead is orange in all pictures of the page.
    strokes = "[...document.querySelectorAll('#curve path:not(.frame)')].map(path => path.getAttribute('stroke'))"
    assert chromium.run(strokes) == [ORANGE, BLUE]
    # Long numbers at an axis leave room for its label.
    chromium.run("window.axis = {low: 0, high: 1, values: [0, 1], label: 'x'}")
    chromium.run("drawLines($('curve'), $('curve-legend'), window.axis, {left: [0, -3e-4]}, 0, 'heat')")
    boxes = "[...document.querySelectorAll('#curve text')].map(text => text.getBoundingClientRect())"
    assert chromium.run(
        f"(([label, ...ticks]) => ticks.every(t => t.left >= label.right || t.top > label.bottom))({boxes}.reverse())"
    )
    # Small numbers stand by their power, with fewer digits where there is no room for six.
    chromium.run("for (const of of ['heat', 'particles', 'chemical_work']) seen.point.record[of].right = -1.234567e-7")
    chromium.run("drawPoint()")
    assert chromium.run(f"{CELLS}.slice(9, 12)") == [{390: "−1.235e−7", 1440: "−1.23457e−7"}[width]] * 3
    assert chromium.run(f"{table}.scrollWidth <= {table}.closest('.scroll').clientWidth")
    time.sleep(0.1)
    assert chromium.complaints == []


def test_a_page_for_sharing_needs_no_server(chromium, tmp_path, monkeypatch):
    monkeypatch.setattr(static, "FRAMES", 2)
    monkeypatch.setattr(looks, "GRIDS", (11, 21))  # of maps, at which nothing is looked at here
    place = tmp_path / "dot.html"
    with pytest.raises(
        cs.InputError, match=r"--static`: `.*nowhere/dot\.html` cannot be written: there is no folder `.*nowhere`\."
    ):
        static.write(None, tmp_path / "nowhere" / "dot.html")  # before anything is calculated
    static.write(server.ready("quantum-dot"), place)
    chromium.show(1440, 900)
    chromium.open(place.as_uri())
    chromium.wait(READY)
    chromium.run(MOVE % ("level", 40))
    assert chromium.run("document.getElementById('s-level').value") == "-20"  # the nearest frame
    s = cs.steady_state(cs.machines.QuantumDot(level=-20.0))
    assert number(chromium.run(CELLS)[3]) == pytest.approx(float(s.heat["left"]), rel=1e-5)
    assert chromium.run("document.getElementById('regime').textContent") == "engine"
    chromium.run("$('code-ask').onclick()")
    assert "level=-20.0" in chromium.run("$('python').textContent")
    chromium.run(MOVE % ("level", 960))
    assert "level=20.0" in chromium.run("$('python').textContent")
    assert chromium.complaints == []
    assert place.stat().st_size < 3_000_000
