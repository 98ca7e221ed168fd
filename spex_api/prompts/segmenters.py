"""Text → segments: the pieces that are masked as one, and what stays pinned between them.

The texts and gaps of the segments, joined, are the original, character for character. What this
module does not know: how a masked piece is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["SPLITS", "Segment", "segment"]

_PATTERNS = {
    "words": re.compile(r"\S+"),
    "lines": re.compile(r"\S(?:[^\n]*\S)?"),
    "paragraphs": re.compile(r"\S.*?(?=\s*\n\s*\n|\s*\Z)", re.DOTALL),
}
SPLITS = ("words", "sentences", "lines", "paragraphs")
"""What a text can be split into by name."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a prompt.

    Attributes:
        text: what is kept or masked as one.
        gap: the white space that follows; it belongs to no feature.
        pinned: whether it is kept under every mask, and so is no feature.
    """

    text: str
    gap: str = ""
    pinned: bool = False

    @property
    def original(self) -> str:
        """The segment as it stands in the prompt."""
        return self.text + self.gap


def segment(text: str, split: str | Sequence[str]) -> tuple[Segment, ...]:
    """Splits a text into features.

    Args:
        text: the text.
        split: "words", "sentences", "lines" or "paragraphs", or the pieces themselves, in the order
            in which they stand in the text; what stands between them is pinned.

    Raises:
        PromptError: the text is empty, the split has no such name, or a piece is not in the text
            after the one before it.
    """
    if not text.strip():
        raise PromptError(
            "The text to explain is empty, so there is nothing to mask.",
            advice="Give the text whose parts are to be explained.",
        )
    if not isinstance(split, str):
        return tuple(_cut(text, _found(text, split)))
    if split == "sentences":
        return tuple(_cut(text, _sentences(text)))
    if split in _PATTERNS:
        return tuple(_cut(text, (match.span() for match in _PATTERNS[split].finditer(text))))
    raise PromptError(
        f"A text cannot be split into {split!r}.",
        advice=f"Choose one of {', '.join(SPLITS)}, or give the pieces as a list.",
    )


def _cut(text: str, spans: Iterable[tuple[int, int]]) -> Iterable[Segment]:
    """Segments for features at these spans; what lies between is a gap if blank, else pinned."""
    ordered = list(spans)
    if ordered[0][0] > 0:
        yield Segment(text[: ordered[0][0]], pinned=True)
    ends = [start for start, _ in ordered[1:]] + [len(text)]
    for (start, stop), next_start in zip(ordered, ends, strict=True):
        between = text[stop:next_start]
        rest = between.lstrip()
        yield Segment(text[start:stop], between[: len(between) - len(rest)])
        if rest:
            yield Segment(rest, pinned=True)


def _sentences(text: str) -> Iterable[tuple[int, int]]:
    # Imported here: it is compiled code that a prompt of words does not need.
    from sentencex import segment as split_sentences  # noqa: PLC0415

    start = 0
    for piece in split_sentences("en", text):
        if piece.strip():
            blank = len(piece) - len(piece.lstrip())
            yield start + blank, start + len(piece.rstrip())
        start += len(piece)


def _found(text: str, pieces: Sequence[str]) -> Iterable[tuple[int, int]]:
    start = 0
    if not pieces:
        raise PromptError("The list of pieces is empty, so there is nothing to mask.")
    for number, piece in enumerate(pieces, start=1):
        place = text.find(piece, start) if piece.strip() else -1
        if place < 0:
            raise PromptError(
                f"Piece {number} of the split, {piece!r}, is not in the text after the piece "
                "before it.",
                advice="List the pieces as they stand in the text, in order, without overlap.",
            )
        start = place + len(piece)
        yield place, start
