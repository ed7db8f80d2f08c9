"""Notebooks from the pages: `python docs/notebooks.py FOLDER` writes one for each page that has examples.

Text becomes Markdown cells, with equations as Jupyter sets them; `python` blocks become code cells, and the `text`
block behind one is its output. What a page shows is what the tests have run, so that the notebooks need not be run to
be right.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FENCE = re.compile(r"^```(python|text)[^\n]*\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$`([^`\n]+)`\$")
LINK = re.compile(r"\]\((?!https?:|#|/)([^)]+)\)")


def notebook(page: str, root: str = "../docs/") -> dict[str, Any]:
    """A page as a notebook (format 4.5); `root` is where its relative links begin."""
    cells: list[dict[str, Any]] = []

    def add(kind: str, text: str, **more: Any) -> None:
        if text.strip():
            lines = text.strip("\n").splitlines(keepends=True)
            cells.append({"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}, "source": lines, **more})

    end, behind_code = 0, False
    for match in FENCE.finditer(page):
        between = page[end : match.start()]
        behind_code = behind_code and not between.strip()
        if match[1] == "text" and not behind_code:
            continue  # an illustration, which stays in the text
        add("markdown", text_of(between, root))
        if match[1] == "python":
            add("code", match[2], execution_count=None, outputs=[])
        else:
            output = {"output_type": "stream", "name": "stdout", "text": match[2].splitlines(keepends=True)}
            cells[-1]["outputs"].append(output)
        end, behind_code = match.end(), match[1] == "python"
    add("markdown", text_of(page[end:], root))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def text_of(markdown: str, root: str) -> str:
    """Markdown as Jupyter reads it: links from `root`, and an equation for each line of a block."""

    def set_apart(match: re.Match[str]) -> str:
        return "\n\n".join(f"$${line.strip()}$$" for line in match[1].splitlines() if line.strip())

    return LINK.sub(rf"]({root}\1)", INLINE.sub(r"$\1$", BLOCK.sub(set_apart, markdown)))


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python docs/notebooks.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for page in sorted(HERE.glob("*.md")):
        made = notebook(page.read_text(encoding="utf-8"))
        if any(cell["cell_type"] == "code" for cell in made["cells"]):
            text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
            (folder / f"{page.stem}.ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
