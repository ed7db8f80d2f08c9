"""Figures of ledgers, their style, and drawing without Matplotlib."""

import sys
from pathlib import Path

import numpy as np
import pytest

import coldspot as cs
from coldspot import figures, style
from coldspot.reproduction.report import reproduce
from tests.tolerance import assert_close

# --------------------------------------------------------------------------- figures


def test_the_gallery_shows_every_figure():
    page = (Path(__file__).parents[1] / "docs" / "gallery.md").read_text(encoding="utf-8")
    for name in figures.__all__:
        assert f"cs.figures.{name}(" in page
        assert f"images/{name}.png" in page


def test_the_ledger_is_drawn():
    solution = cs.steady_state(cs.machines.QuantumDot())
    axes = figures.ledger(solution)
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [float(solution.heat["left"]), float(solution.heat["right"]), float(solution.work_in)]
    assert_close(sum(heights), 0.0, 1e-15, max(map(abs, heights)))
    assert [label.get_text().split("\n")[:2] for label in axes.get_xticklabels()][:2] == [
        ["heat from", "left"],
        ["heat from", "right"],
    ]
    assert axes.get_title().startswith("refrigerator, COP")
    assert figures.ledger(solution, axes) is axes


def test_a_batch_is_not_drawn():
    import jax

    batch = jax.vmap(lambda level: cs.steady_state(cs.machines.QuantumDot(level=level)))(np.array([-5.0, 5.0]))
    with pytest.raises(cs.InputError, match=r"`solution`.*\(2,\)"):
        figures.ledger(batch)


def test_the_style_is_gone_afterwards():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with style.house_style():
        assert matplotlib.rcParams["svg.hashsalt"] == "coldspot"
    assert dict(matplotlib.rcParams) == before


def test_drawing_without_matplotlib_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "coldspot\[figures\]"'):
        style.new_figure()
    with pytest.raises(ModuleNotFoundError, match="Matplotlib"):
        reproduce([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_has_no_baths_has_no_bars():
    with pytest.raises(cs.InputError, match="no baths"):
        cs.figures.ledger(cs.steady_state(cs.machines.TwoModeJunction()))


@pytest.mark.parametrize("draw", [cs.figures.ledger, cs.figures.sankey])
def test_a_machine_in_place_of_its_solution_is_refused_in_words(draw):
    with pytest.raises(cs.InputError, match=r"must be a Solution, but is a QuantumDot; write `coldspot.steady_state"):
        draw(cs.machines.QuantumDot())
