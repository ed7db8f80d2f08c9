"""The papers computed again: every number agrees, wrong ones are noticed, and the files and the report hold all."""

import html.parser
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import xarray as xr

from coldspot import style
from coldspot.papers import (
    PAPERS,
    exceptional_point,
    kramers_cooling,
    nonlinear_search,
    quantum_dot_anomalies,
    two_classical_pumps,
)
from coldspot.reproduction.paper import Number
from coldspot.reproduction.report import reproduce
from coldspot.sweep import solve_columns
from tests.optimised import optimise
from tests.tolerance import assert_close

KEYS = {"paper", "quantity", "published", "computed", "tolerance", "ok"}


LABELS = {
    "quantum-dot-anomalies": ["2", "3", "4", "5a", "5b", "6", "7a", "7b", "8", "9"],
    "two-classical-pumps": ["1", "2", "3", "4", "search"],
    "kramers-cooling": ["1", "2", "3", "4", "5", "B1", "B2", "B3"],
    "pair-baths": ["2", "3", "4", "5"],
    "exceptional-point": ["4"],
}


def many_steps(*arguments, **options):
    """The search has thousands of steps for each point: no more of them than there are, which few at a time makes."""
    with pytest.MonkeyPatch.context() as patch:
        optimise(patch)
        return solve_columns(*arguments, **options | {"sizes": (4,)})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All papers once: (folder, rows); the search among anharmonic oscillators with fewer points than usual."""
    out = tmp_path_factory.mktemp("papers") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonlinear_search, "POINTS", 16)
        patch.setattr(nonlinear_search, "solve_columns", many_steps)
        return out, reproduce(PAPERS.values(), out)


def figure_of(made, paper, label):
    """A figure of a paper, and its data as they were written."""
    figure = next(f for f in PAPERS[paper].figures if f.label == label)
    with xr.open_dataset(made[0] / f"{paper}-fig{label}.nc") as data:
        return figure, data.load()


def stems():
    return [f"{name}-fig{label}" for name, labels in LABELS.items() for label in labels]


# --------------------------------------------------------------------------- numbers


def test_every_number_agrees(made):
    _, rows = made
    assert [row["quantity"] for row in rows if not row["ok"]] == []


def test_rows_have_exactly_the_promised_keys_and_plain_values(made):
    _, rows = made
    for row in rows:
        assert set(row) == KEYS
        assert [type(row[k]) for k in ("paper", "quantity", "published", "computed", "tolerance", "ok")] == [
            str,
            str,
            float,
            float,
            float,
            bool,
        ]
        assert row["tolerance"] >= 0
    assert len({(row["paper"], row["quantity"]) for row in rows}) == len(rows)


def test_quoted_numbers_are_in_the_table(made):
    _, rows = made
    published = {
        (row["published"], round(row["tolerance"] / abs(row["published"]), 12)) for row in rows if row["published"]
    }
    for value in (1.41e-4, 3.674e-4, -1.025e-3, 1.75e-2):
        assert (value, 0.005) in published
    independent = {row["published"]: row["tolerance"] for row in rows if "independent" in row["quantity"]}
    for value, digit in (
        (1.41039e-4, 1e-9),
        (3.6732e-4, 1e-8),
        (-1.02434e-3, 1e-8),
        (1.75603e-2, 1e-7),
        (5.16937e-2, 1e-7),
    ):
        assert independent[value] <= digit / 2


def test_figures_are_those_of_the_papers_with_two_features_each(made):
    for name, paper in PAPERS.items():
        assert [figure.label for figure in paper.all_figures] == LABELS[name]
    text = (made[0] / "report.html").read_text(encoding="utf-8")
    for stem in stems():
        section = text.split(f'id="{stem}"')[1].split("</section>")[0]
        assert section.count('aria-label="yes"') >= 2, stem


@pytest.mark.parametrize(
    ("label", "wrong"),
    [
        ("4", {"bias": 5.01}),
        ("5a", {"level": -15.01}),
        ("5b", {"mean_temperature": 7.51}),
        ("6", {"gradient": 5.01}),
        ("7a", {"mean_temperature": 7.51}),
        ("8", {"bias": 5.01}),
        ("9", {"bias": 5.0}),
    ],
)
def test_a_wrong_parameter_is_noticed(made, label, wrong):
    figure, data = figure_of(made, "quantum-dot-anomalies", label)
    spoilt = quantum_dot_anomalies.curves(**{name: data[name].values for name in quantum_dot_anomalies.UNITS} | wrong)
    assert all(number.ok for number in figure.check(data))
    assert not all(number.ok for number in figure.check(spoilt))


def test_exchanged_baths_are_noticed(made):
    figure, data = figure_of(made, "two-classical-pumps", "2")
    exchanged = data.assign(q_L=data.q_R, q_R=data.q_L)
    assert all(number.ok for number in figure.check(data))
    assert not all(number.ok for number in figure.check(exchanged))


def test_another_barrier_is_noticed(made):
    """Data of another λ, friction or height do not pass for the figures' own."""
    for label, over, wrong in (("1", "population", 0.99), ("2", "population", 0.99), ("3", "friction", 0.11)):
        figure, data = figure_of(made, "kramers-cooling", label)
        lists = {name: data[name].values for name in ("friction", "population", "position")}
        spoilt = kramers_cooling.profiles(**(lists | {over: wrong}))
        assert not all(number.ok for number in figure.check(spoilt.assign_coords({over: data[over]}))), label


def test_other_modes_are_noticed(made):
    figure, data = figure_of(made, "exceptional-point", "4")
    assert all(number.ok for number in figure.check(data))
    printed = {name: data.attrs[name] for name in ("detuning", "damping", "nonconservative", "dissipative")}
    for wrong in ({"detuning": 0.041}, {"nonconservative": 0.051}, {"damping": 0.0012}, {"dissipative": 0.021}):
        spoilt = exceptional_point.modes(data.bias.values, **(printed | wrong))
        assert not all(number.ok for number in figure.check(spoilt)), wrong


def test_a_number_that_is_not_a_number_does_not_agree():
    assert not Number("x", 0.0, float("nan"), 1.0).ok
    assert not Number("x", 1, 0, 0).ok
    assert Number("x", 1.0, 1.001, 0.0011).ok


# --------------------------------------------------------------------------- files


def test_all_files_are_there_and_nothing_else(made):
    out, _ = made
    expected = {"report.html", *(f"{stem}.{kind}" for stem in stems() for kind in ("png", "svg", "nc"))}
    assert {path.name for path in out.iterdir()} == expected


def test_data_reopen_with_names_and_units(made):
    out, _ = made
    curves = {
        "quantum-dot-anomalies": ("J_L", "Q_L", "Q_R", "s"),
        "two-classical-pumps": ("q_L", "q_R", "w"),
        "kramers-cooling": ("temperature_ratio", "exchange"),
        "pair-baths": ("J", "I_e"),
        "exceptional-point": ("mode_frequency", "mode_damping", "mode_overlap"),
    }
    special = {
        "two-classical-pumps-fig3": ("Q_L", "Q_R", "W"),
        "two-classical-pumps-figsearch": ("cooling", "work"),
        "kramers-cooling-fig4": ("potential", "absorbed"),
        "kramers-cooling-fig5": ("cop",),
        "kramers-cooling-figB1": ("cop", "closed_form"),
        "kramers-cooling-figB2": ("heat_cold",),
        "kramers-cooling-figB3": ("heat_per_particle",),
        "pair-baths-fig2": ("emission", "population", "effective_temperature", "effective_chemical_potential"),
    }
    for stem in stems():
        with xr.open_dataset(out / f"{stem}.nc") as data:
            names = special.get(stem) or curves[stem.rsplit("-fig")[0]]
            for name in (*names, *data[names[0]].dims):
                if name != "case":
                    assert data[name].attrs.get("units") or data[name].attrs["natural_units"], (stem, name)
                    assert data[name].attrs["long_name"], (stem, name)
            assert np.isfinite(data[names[0]]).all()
            assert data.attrs["title"].startswith(PAPERS[stem.rsplit("-fig")[0]].title)


def test_signs_of_the_dot_are_translated(made):
    with xr.open_dataset(made[0] / "quantum-dot-anomalies-fig8.nc") as data:
        assert (data.heat.sel(bath="left") == data.Q_L).all()
        assert (data.heat.sel(bath="right") == -data.Q_R).all()
        assert_close(data.J_L, -data.particles.sel(bath="right"), 2e-15)
        # Energy: what leaves the left bath beyond what enters the right one is the work of the bias, J·ΔV.
        assert_close(data.Q_R - data.Q_L, 5.0 * data.J_L, 1e-15, np.max(np.abs(data.Q_L)))


def test_images_are_images_without_dates(made):
    out, _ = made
    for stem in stems():
        assert (out / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
        svg = (out / f"{stem}.svg").read_text(encoding="utf-8")
        assert "<svg" in svg
        assert "<dc:date>" not in svg


def test_drawing_again_gives_the_same_bytes(made):
    figure = PAPERS["quantum-dot-anomalies"].figures[3]
    with xr.open_dataset(made[0] / "quantum-dot-anomalies-fig5a.nc") as data, style.house_style():
        drawn = figure.draw(data.load())
    assert style.image(drawn, "svg") == (made[0] / "quantum-dot-anomalies-fig5a.svg").read_bytes()
    assert style.image(drawn, "png") == (made[0] / "quantum-dot-anomalies-fig5a.png").read_bytes()


# --------------------------------------------------------------------------- the report


class Reader(html.parser.HTMLParser):
    """Collects tags, addresses and the order of things."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.images, self.open, self.ids = Counter(), [], [], [], set()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags[tag] += 1
        self.ids.add(found.get("id"))
        self.addresses += [found[k] for k in ("src", "href", "srcset", "data", "action", "poster") if k in found]
        if tag == "img":
            self.images.append(found)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_self_contained(made):
    text = (made[0] / "report.html").read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(reader.tags)
    for address in reader.addresses:
        assert address.startswith("data:image/svg+xml;base64,") or (address[0] == "#" and address[1:] in reader.ids)
    assert len(reader.images) == len(stems())
    assert all(len(image["alt"]) > 20 for image in reader.images)
    assert not re.search(r"@import|url\(", text)


def test_what_goes_beyond_the_paper_stands_apart(made):
    text = (made[0] / "report.html").read_text(encoding="utf-8")
    first, second = text.split('id="kramers-cooling-beyond"')
    assert 'id="kramers-cooling-fig5"' in first
    assert 'id="kramers-cooling-figB1"' in second


def test_the_report_starts_with_the_summary(made):
    out, rows = made
    text = (out / "report.html").read_text(encoding="utf-8")
    assert f"{len(rows)} of {len(rows)}" in text[: text.index("<table")].replace("</strong>", "")
    assert text.index('id="summary"') < text.index("3.6732 × 10<sup>−4</sup>") < text.index("<img")
    for paper in PAPERS.values():
        assert paper.authors in text


def test_papers_load_without_matplotlib_and_drawing_without_pyplot():
    code = (
        "import sys, coldspot.reproduction.report; assert 'matplotlib' not in sys.modules;"
        "from coldspot import style; style.image(style.new_figure(), 'png');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_phase_of_the_engine_is_a_point_of_the_figure():
    phases = np.linspace(0, 2 * np.pi, two_classical_pumps.PHASES)
    assert np.abs(phases - 0.7 * np.pi).min() < 4e-15 * np.pi
