"""Sentences as each language ends them.

What this module does not know: the rules, which are `sentencex`'s.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from spex_api.prompts.lines import stripped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["sentences"]

_WINDOW = 10_000
"""Characters: most texts are one window."""
_MARGIN = 500


def sentences(text: str, language: str) -> Iterator[tuple[int, int]]:
    """Where each sentence begins and ends, without the blanks around it.

    Args:
        text: the text.
        language: its code, such as "en"; one that is not known is taken for English.

    Raises:
        UnicodeEncodeError: the text holds half a character; `segment` refuses it before.
    """
    # Imported here: it is compiled code that a prompt of words does not need.
    from sentencex import get_sentence_boundaries  # noqa: PLC0415

    found = _starts(text, lambda window: get_sentence_boundaries(language, window))
    # Only the beginnings are taken over: so what a sentence is said not to cover, such as one of
    # several line breaks, is never lost, but goes to the one before.
    starts = sorted({0, *found})
    for start, stop in pairwise([*starts, len(text)]):
        piece = text[start:stop]
        if piece.strip():
            yield stripped(piece, start)


def _starts(text: str, split: Callable[[str], list[dict[str, Any]]]) -> Iterator[int]:
    """Where the sentences but the first begin, a window of the text after the other.

    The time that it takes to split a text grows with the square of its length.
    """
    at = 0
    while True:
        found = {sentence["start_index"] for sentence in split(text[at : at + _WINDOW])}
        if at + _WINDOW >= len(text):
            yield from (at + start for start in found if start)
            return
        # Near its end a window does not show enough to tell where a sentence begins.
        sure = [start for start in found if 0 < start <= _WINDOW - _MARGIN]
        yield from (at + start for start in sure)
        at += max(sure, default=_WINDOW - _MARGIN)
