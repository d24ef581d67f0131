"""Docstrings of the package are plain text with Google's sections; reStructuredText would read more into them.

An indented paragraph, such as a formula or a folder's listing, becomes a literal block. Stars, bars and trailing
underscores mean themselves.
"""

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
_QUOTED = re.compile(r"(`[^`]+`)")
_MARKUP = re.compile(r"[*|]|(?<=\w)_(?!\w)")


def literal_blocks(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it belongs to a literal block; the blocks are announced by `::`."""
    in_section = in_block = False
    for line, before in zip(lines, ["", *lines], strict=False):
        if line and not line[0].isspace():
            in_section, in_block = bool(_SECTION.match(line)), False
        elif line.startswith("    ") and not before.strip() and not in_section and not in_block:
            in_block = True
            yield from (("::", True), ("", True))
        yield line, in_block or line.startswith(">>>")


def escape(text: str) -> str:
    """The text with markup taken for what it looks like, except in backticks."""
    parts = _QUOTED.split(text)
    return "".join(part if place % 2 else _MARKUP.sub(r"\\\g<0>", part) for place, part in enumerate(parts))


def as_plain_text(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    blocks: list[tuple[list[str], bool]] = []
    for line, literal in literal_blocks(lines):
        if not blocks or blocks[-1][1] != literal:
            blocks.append(([], literal))
        blocks[-1][0].append(line)
    texts = ["\n".join(block) if literal else escape("\n".join(block)) for block, literal in blocks]
    lines[:] = "\n".join(texts).split("\n")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", as_plain_text, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
