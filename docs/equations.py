"""Equations of the pages: blocks of `math`, a line of LaTeX each, become MathML, which browsers set by themselves.

No script and no font is loaded; GitHub sets the same blocks, too.
"""

import re
from typing import Any

from latex2mathml.converter import convert

BLOCK = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STYLE = "overflow-x: auto; overflow-y: hidden; padding: .5em 0; margin: .3em 0"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by MkDocs for each page."""

    def made(match: re.Match[str]) -> str:
        lines = [line for line in match[1].splitlines() if line.strip()]
        return "\n".join(f'<div style="{STYLE}">{equation(line, page.file.src_uri)}</div>' for line in lines)

    return BLOCK.sub(made, markdown)


def equation(line: str, place: str) -> str:
    """One line of LaTeX as MathML; a command that is not known is an error, not a word on the page."""
    found = convert(line, display="block")
    unknown = re.search(r"\\\w+", found)
    if unknown:
        raise ValueError(f"{place}: `{unknown[0]}` is not known in `{line}`")
    return found
