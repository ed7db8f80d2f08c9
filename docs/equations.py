"""Equations of the pages: blocks of `math`, a line of LaTeX each, become MathML, which browsers set by themselves.

So does LaTeX within a line or a table, $`x^2`$. No script and no font is loaded; GitHub sets the same, too.
"""

import re
from typing import Any, Literal

from latex2mathml.converter import convert

BLOCK = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$`([^`\n]+)`\$")
PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<mi>(&#x02032;)</mi></msup>")
"""A prime is a raised sign by itself: raised once more it would float."""
STYLE = "overflow-x: auto; overflow-y: hidden; padding: .5em 0; margin: .3em 0"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by MkDocs for each page."""

    def made(match: re.Match[str]) -> str:
        lines = [line for line in match[1].splitlines() if line.strip()]
        return "\n".join(f'<div style="{STYLE}">{equation(line, page.file.src_uri)}</div>' for line in lines)

    return INLINE.sub(lambda match: equation(match[1], page.file.src_uri, "inline"), BLOCK.sub(made, markdown))


def equation(line: str, place: str, display: Literal["block", "inline"] = "block") -> str:
    """One line of LaTeX as MathML; a command that is not known is an error, not a word on the page."""
    found = convert(line, display=display)
    unknown = re.search(r"\\\w+", found)
    if unknown:
        raise ValueError(f"{place}: `{unknown[0]}` is not known in `{line}`")
    return PRIME.sub(r'<mrow>\1<mo lspace="0" rspace="0">\2</mo></mrow>', found)
