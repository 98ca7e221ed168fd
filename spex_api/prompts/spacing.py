"""What is left of a text when parts of it are left out reads as if it had been written so.

Where parts were left out between two that stay, one of the gaps that were there is written: the one
with the most line breaks, else the first that is not empty; and none at all before closing
punctuation or after an opening bracket that stood close. What is kept is never touched. What this
module does not know: what is left out, and why.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["spaced"]

_CLOSING = frozenset(",.;:!?%…‥、。，．；：！？،؛؟।॥")
_APOSTROPHE = "’"


def spaced(parts: Sequence[tuple[str | None, str]]) -> str:
    """The parts that are written, with what stands between and after them.

    Args:
        parts: what is written for each part, None or empty where nothing is, and the gap that
            followed it.

    Raises:
        Nothing: of nothing, nothing is left.
    """
    pieces: list[str] = []
    gaps: list[str] = []
    for text, gap in parts:
        if not text:
            gaps.append(gap)
            continue
        if pieces:
            pieces.append(_between(pieces[-1], gaps, text))
        pieces.append(text)
        gaps = [gap]
    if pieces:
        pieces.append(parts[-1][1])
    return "".join(pieces)


def _between(before: str, gaps: list[str], after: str) -> str:
    if len(gaps) == 1:
        return gaps[0]
    if not gaps[-1] and _closes(after[0]):
        return ""
    if not gaps[0] and unicodedata.category(before[-1]) in ("Ps", "Pi"):
        return ""
    return max(gaps, key=lambda gap: (gap.count("\n"), bool(gap)))


def _closes(char: str) -> bool:
    if char == _APOSTROPHE:
        return False
    return char in _CLOSING or unicodedata.category(char) in ("Pe", "Pf")
