"""A section of Markdown is a heading with what stands under it, up to the next heading.

Sections of lower headings are sections of their own, in the order of the text; what stands before
the first heading is one too. What this module does not know: how Markdown is read, which is
markdown-it's: CommonMark, so that a "#" in a code block, a list or a quotation begins nothing.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from spex_api.prompts.lines import stripped

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["sections"]

_BREAK = re.compile(r"\r\n?|\n")


def sections(text: str) -> Iterator[tuple[int, int]]:
    """Where each section begins and ends, without the blanks around it.

    Raises:
        Nothing: a text without headings is one section.
    """
    # Imported here: a prompt of words does not need it.
    from markdown_it import MarkdownIt  # noqa: PLC0415

    # What stands within a line cannot make a heading of it, so it is not read.
    reader = MarkdownIt("commonmark").disable("inline")
    rows = [0, *(found.end() for found in _BREAK.finditer(text))]
    headings = {
        rows[token.map[0]]
        for token in reader.parse(text)
        if token.type == "heading_open" and token.level == 0 and token.map
    }
    for start, stop in pairwise([*sorted({0, *headings}), len(text)]):
        piece = text[start:stop]
        if piece.strip():
            yield stripped(piece, start)
