"""Lines end at a line break, paragraphs at a line that is blank.

What this module does not know: what a line says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["lines", "paragraphs", "stripped"]


def lines(text: str) -> Iterator[tuple[int, int]]:
    """Where each line that is not blank begins and ends, without the blanks around it.

    Raises:
        Nothing: any text has lines.
    """
    start = 0
    for line in text.split("\n"):
        if line.strip():
            yield stripped(line, start)
        start += len(line) + 1


def paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Where each stretch of lines that are not blank begins and ends.

    Raises:
        Nothing: any text has paragraphs.
    """
    # Line by line: one pattern for all of it would look over a long blank again and again.
    first: int | None = None
    last = 0
    start = 0
    for line in text.split("\n"):
        if line.strip():
            begin, last = stripped(line, start)
            first = begin if first is None else first
        elif first is not None:
            yield first, last
            first = None
        start += len(line) + 1
    if first is not None:
        yield first, last


def stripped(piece: str, start: int) -> tuple[int, int]:
    """Where a piece that stands at `start` begins and ends without the blanks around it.

    Raises:
        Nothing: a blank piece is nowhere, at its end.
    """
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
