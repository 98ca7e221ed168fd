"""Text → segments: the pieces that are masked as one, and what stays pinned between them.

The texts and gaps of the segments, joined, are the original, character for character. What this
module does not know: where words, sentences and the rest begin and end, which the modules beside it
tell; and how a masked piece is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from spex_api.errors import PromptError
from spex_api.prompts.characters import check_whole, grams
from spex_api.prompts.code_lines import code_lines
from spex_api.prompts.json_leaves import leaves
from spex_api.prompts.lines import lines, paragraphs
from spex_api.prompts.sections import sections
from spex_api.prompts.sentences import sentences
from spex_api.prompts.words import words

__all__ = ["SPLITS", "Segment", "Split", "segment"]

Split = str | Sequence[str] | Callable[[str], Sequence[str]]
"""How a text is split: by name, into the pieces of a list, or by a function of the text."""

_ANY_TEXT: dict[str, Callable[[str], Iterable[tuple[int, int]]]] = {
    "words": words,
    "lines": lines,
    "paragraphs": paragraphs,
    "sections": sections,
    "code": code_lines,
}
SPLITS = ("words", "sentences", "lines", "paragraphs", "characters", "sections", "code")
"""What any text can be split into by name. "json" is not among them: it asks for JSON text."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a prompt.

    Attributes:
        text: what is kept or masked as one.
        gap: what follows and belongs to no feature: white space, or the punctuation of JSON.
        pinned: whether it is kept under every mask, and so is no feature.
        syntax: "json" for a value in a JSON text, which stays JSON under every mask; the segments
            of one JSON text must then be rendered in one run.
    """

    text: str
    gap: str = ""
    pinned: bool = False
    syntax: Literal["text", "json"] = "text"

    @property
    def original(self) -> str:
        """The segment as it stands in the prompt."""
        return self.text + self.gap


def segment(text: str, split: Split, *, language: str = "en") -> tuple[Segment, ...]:
    """Splits a text into features, which joined are the text, character for character.

    Args:
        text: the text.
        split: one of

            - "words": what stands between blanks, with its punctuation. Scripts that write none
              between words (Chinese, Japanese, Thai, Khmer and their like) are cut into short
              grams instead; for their true words give a segmenter's function, as below;
            - "sentences": see `language`;
            - "lines" and "paragraphs": parted by a line break, or by blank lines;
            - "characters": as people see them, so that an accent stays with its letter and an emoji
              whole; "characters:3" takes three at a time;
            - "sections": of Markdown, each heading with what stands under it up to the next one;
            - "code": Python's statements line by line, of any other language the lines;
            - "json": each value in a JSON text, with its key where it has one;
            - a function from the text to its pieces, such as a tokeniser's. Blanks at the ends of
              the pieces belong to no feature;
            - the pieces themselves, in the order in which they stand in the text.

            What stands between the pieces of a list or a function is pinned.
        language: of the text, for "sentences", as a code such as "en" or "de". Languages that are
            not known are split as English is.

    Raises:
        PromptError: the text is empty or holds half a character, the split has no such name, a
            piece is not in the text after the one before it, or the text is not JSON where JSON is
            asked for.
    """
    check_whole(text)
    check_whole(language, what="The language")
    if not text.strip():
        raise PromptError(
            "The text to explain is empty, so there is nothing to mask.",
            advice="Give the text whose parts are to be explained.",
        )
    if split == "json":
        return tuple(_values(text, list(leaves(text))))
    return tuple(_cut(text, list(_spans(text, split, language))))


def _spans(text: str, split: Split, language: str) -> Iterable[tuple[int, int]]:
    if not isinstance(split, str):
        return _pieces(text, split)
    name, _, length = split.partition(":")
    if name == "characters":
        return grams(text, _length(split, length or "1"))
    if split == "sentences":
        return sentences(text, language)
    if split in _ANY_TEXT:
        return _ANY_TEXT[split](text)
    raise PromptError(
        f"A text cannot be split into {split!r}.",
        advice=f"Choose one of {', '.join((*SPLITS, 'json'))}, or give the pieces as a list.",
    )


def _length(split: str, length: str) -> int:
    if length.isdecimal() and int(length) > 0:
        return int(length)
    raise PromptError(
        f"{split!r} does not say how many characters are taken at a time.",
        advice='Write "characters:3" for three, or "characters" for one.',
    )


def _cut(text: str, spans: list[tuple[int, int]]) -> Iterable[Segment]:
    """Segments for features at these spans; what lies between is a gap if blank, else pinned."""
    if spans[0][0] > 0:
        yield Segment(text[: spans[0][0]], pinned=True)
    ends = [start for start, _ in spans[1:]] + [len(text)]
    for (start, stop), next_start in zip(spans, ends, strict=True):
        between = text[stop:next_start]
        rest = between.lstrip()
        yield Segment(text[start:stop], between[: len(between) - len(rest)])
        if rest:
            yield Segment(rest, pinned=True)


def _values(text: str, spans: list[tuple[int, int]]) -> Iterable[Segment]:
    """Segments of JSON: what lies between two values is the gap of the first, whatever it is."""
    yield Segment(text[: spans[0][0]], pinned=True)
    ends = [start for start, _ in spans[1:]] + [len(text)]
    for (start, stop), next_start in zip(spans, ends, strict=True):
        yield Segment(text[start:stop], text[stop:next_start], syntax="json")


def _pieces(
    text: str, split: Sequence[str] | Callable[[str], Sequence[str]]
) -> Iterable[tuple[int, int]]:
    given = split(text) if callable(split) else split
    if not isinstance(given, Iterable):
        raise PromptError(
            f"The text cannot be split into {given!r}.",
            advice=f"Name a split ({', '.join((*SPLITS, 'json'))}), give the pieces as a list, or "
            "a function that does.",
        )
    pieces = [*given]
    if not callable(split) and all(isinstance(piece, str) for piece in pieces):
        return _found(text, pieces)
    if any(not isinstance(piece, str) for piece in pieces):
        raise PromptError(
            "The text is split into something other than texts.",
            advice="Let it give the pieces of the text as text; decode a tokeniser's ids.",
        )
    return _found(text, [bare for piece in pieces if (bare := piece.strip())])


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
