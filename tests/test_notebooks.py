"""Notebooks that are made from pages hold what the pages hold, in their order."""

import importlib.util
from itertools import pairwise

import pytest

from tests.test_readme import PAGES, ROOT, blocks

spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
assert spec is not None
assert spec.loader is not None
notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebooks)


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
