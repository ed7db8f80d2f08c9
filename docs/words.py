"""Names and symbols in the words of all pages: links to the API page, and subscripts that are set as such."""

import re
from pathlib import Path
from typing import Any

ENTRY = re.compile(r"^::: (coldspot\.([\w.]+))$", re.MULTILINE)
WHOLE = r"<(?P<tag>pre|code|a|h[1-6]|math|script|style|svg|button)\b.*?</(?P=tag)>|<[^>]+>"
"""What a page has beside its words: elements that stay as they are, and all other tags."""
TOKEN = re.compile(WHOLE, re.DOTALL)
NAME = re.compile(r"<code>(?:coldspot\.|cs\.)?([\w.]+)(?:\(\))?</code>")
SYMBOL = r"(?:[^\W\d_a-zA-Z]|(?<![A-Za-z_])[dδ∂Δ]?[A-Za-z])"
"""A Greek letter, or a Latin one (or its differential) that ends no word."""
SUBSCRIPT = re.compile(rf"({SYMBOL}['′̇̈]?)_(?:\{{([^{{}}]+)\}}|(\d+|[^\W\d_]{{1,6}}(?![A-Za-z_])))|([∂∫])_([^\W\d_])")
POWER = re.compile(r"\^(?:\{([^{}]+)\}|([a-z0-9]))")


def entries(api: str) -> dict[str, str]:
    """Anchors of the API page by the names that words may use: class names alone, others with what they stand in."""
    found: dict[str, str] = {}
    for anchor, path in ENTRY.findall(api):
        parts = path.split(".")
        names = {".".join(parts[k:]) for k in range(len(parts)) if k < len(parts) - 1 or parts[-1][0].isupper()}
        for name in names | ({parts[-1]} if len(parts) == 1 and "_" in path else set()):
            found.setdefault(name, anchor)
    return found


def lettered(words: str) -> str:
    """The words with subscripts and powers: k_B, x_1, e^{−x}."""
    words = SUBSCRIPT.sub(lambda m: f"{m[1] or m[4]}<sub>{m[2] or m[3] or m[5]}</sub>", words)
    return POWER.sub(lambda m: f"<sup>{m[1] or m[2]}</sup>", words)


def set_words(html: str, anchors: dict[str, str], api: str) -> str:
    """A page with both; a name is linked where it stands as code."""
    made, last = [], 0
    for match in TOKEN.finditer(html):
        made.append(lettered(html[last : match.start()]))
        name = NAME.fullmatch(match[0])
        anchor = anchors.get(name[1]) if name else None
        made.append(f'<a href="{api}#{anchor}">{match[0]}</a>' if anchor else match[0])
        last = match.end()
    return "".join([*made, lettered(html[last:])])


def on_page_content(html: str, page: Any, config: Any, **_: Any) -> str:
    """Called by MkDocs for each page."""
    anchors = entries((Path(config["docs_dir"]) / "api.md").read_text())
    return set_words(html, anchors, "../" * page.url.count("/") + "api/")
