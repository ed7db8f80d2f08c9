"""Notebooks that are made from pages hold what the pages hold, in their order; the site's words are linked and set."""

import importlib.util
from itertools import pairwise
from types import SimpleNamespace

import pytest

from tests.test_readme import PAGES, ROOT, blocks


def script(name):
    """A file of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebooks, words = script("notebooks"), script("words")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_and_output_are_those_of_the_page(page):
    cells = notebooks.notebook(page.read_text())["cells"]
    shown = blocks(page)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert ["".join(cell["source"]) for cell in code] == [text.strip("\n") for kind, text in shown if kind == "python"]
    behind = {
        text.strip("\n"): after
        for (kind, text), (next_kind, after) in pairwise(shown)
        if (kind, next_kind) == ("python", "text")
    }
    for cell in code:
        for output in cell["outputs"]:
            assert "".join(output["text"]) == behind["".join(cell["source"])]
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_text_stays_and_links_lead_to_the_pages():
    text = "# A\n[b](b.md) ![c](images/c.png) [d](https://d)\n\n```python\nx = 1\n```\n```text\n1\n```\n"
    page = text + "end\n```text\nshape\n```\n"
    first, code, last = notebooks.notebook(page, "../docs/")["cells"]
    assert "".join(first["source"]) == "# A\n[b](../docs/b.md) ![c](../docs/images/c.png) [d](https://d)"
    assert code["outputs"][0]["text"] == ["1\n"]
    assert "".join(last["source"]) == "end\n```text\nshape\n```"


def test_equations_are_as_jupyter_sets_them():
    page = "a\n\n```math\nx^2\ny\n```\n\n| $`y_1`$ and `$` |\n\n```python\nx = 1\n```\n"
    first, _ = notebooks.notebook(page)["cells"]
    assert "".join(first["source"]) == "a\n\n$$x^2$$\n\n$$y$$\n\n| $y_1$ and `$` |"


def test_names_link_to_the_reference_and_symbols_get_their_subscripts():
    anchors = words.entries((ROOT / "docs" / "api.md").read_text())
    for name in ("Solution", "steady_state", "figures.sankey", "machines.QuantumDot", "KleinKramers"):
        assert anchors[name].endswith(name)
    assert not {"sankey", "ledger", "heat"} & set(anchors)  # words of any text

    page = (
        "<h2>k_B <code>Solution</code></h2><p>k_B T_left, dλ_dx, σ_1σ_2, e^{−x}, ∂_vP, work_in, a_{ij} <code>x_1</code>"
        "<code>cs.steady_state</code> <code>heat</code> <a href='#'><code>Solution</code></a></p><pre>Γ_L</pre>"
    )
    assert words.set_words(page, anchors, "../api/") == (
        "<h2>k_B <code>Solution</code></h2><p>k<sub>B</sub> T<sub>left</sub>, dλ<sub>dx</sub>, "
        "σ<sub>1</sub>σ<sub>2</sub>, e<sup>−x</sup>, ∂<sub>v</sub>P, work_in, a<sub>ij</sub> <code>x_1</code>"
        '<a href="../api/#coldspot.steady_state"><code>cs.steady_state</code></a> <code>heat</code> '
        "<a href='#'><code>Solution</code></a></p><pre>Γ_L</pre>"
    )


def test_equations_are_set_in_blocks_and_within_lines():
    pytest.importorskip("latex2mathml")
    page = SimpleNamespace(file=SimpleNamespace(src_uri="page.md"))
    equations = script("equations")
    made = equations.on_page_markdown("a\n\n```math\nx^2\n\\frac{a}{b}\n```\n\n| $`y_1`$ and `$` |\n", page)
    assert [made.count(f'display="{kind}"') for kind in ("block", "inline")] == [2, 1]
    assert "<msub><mi>y</mi><mn>1</mn></msub>" in made
    assert made.endswith("</math> and `$` |\n")
    assert "<msup>" not in equations.equation("V'", "page.md")
    with pytest.raises(ValueError, match=r"page\.md: `\\nothing` is not known"):
        equations.on_page_markdown("$`\\nothing x`$", page)
