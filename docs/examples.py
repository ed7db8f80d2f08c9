"""Examples of docstrings: each block that begins with `>>>` is set as code on the pages."""

import re
from typing import Any

import griffe

BLOCK = re.compile(r"^(?P<indent> *)>>> .*(?:\n(?! *$).*)*", re.MULTILINE)


def fenced(text: str) -> str:
    """The text with a fence around each block of prompts and what they print, up to the next empty line."""

    def made(match: re.Match[str]) -> str:
        indent = match["indent"]
        return f"{indent}```pycon\n{match[0]}\n{indent}```"

    return BLOCK.sub(made, text)


class Examples(griffe.Extension):
    """Read by mkdocstrings before it writes the pages."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
