"""Docstrings as the API page needs them: examples as code, and fields without words of their own as one block."""

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


def fields(owner: griffe.Class) -> str:
    """What a class declares, as one block of code, if no constructor of its own says what it takes; else ""."""
    lines = []
    for name, member in owner.members.items() if "__init__" not in owner.members else ():
        if member.is_attribute and not (member.has_docstring or name.startswith("_") or "property" in member.labels):
            annotation, value = getattr(member, "annotation", None), getattr(member, "value", None)
            declared = "" if value is None or str(value).startswith("eqx.") else f" = {value}"
            lines.append(name + (f": {annotation}" if annotation else "") + declared)
    return "\n\n```python\n" + "\n".join(lines) + "\n```" if lines else ""


class Examples(griffe.Extension):
    """Read by mkdocstrings before it writes the pages."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value) + (fields(obj) if isinstance(obj, griffe.Class) else "")
