"""Words stand between blanks; where a script writes none, short grams stand for them.

Chinese and Japanese are cut into two characters at a time, Thai, Lao, Khmer, Burmese and their like
into four: about a word's length, though not at its borders, so that no sentence is one feature.
Punctuation goes with what it follows, an opening bracket with what it opens. What this module does
not know: any vocabulary.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from spex_api.prompts.characters import clusters

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["words"]

_WORD = re.compile(r"\S+")
_EAST = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
)
_EAST += "\U00020000-\U0003ffff"
_SOUTH = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf"
_SOUTH += "\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"
_SCRIPTS = (
    (re.compile(f"[{_EAST}]"), 2),
    (re.compile(f"[{_SOUTH}]"), 4),
)
"""The scripts without blanks, and how many characters are taken at a time."""
_UNSPACED = re.compile(f"[{_EAST}{_SOUTH}]")


def words(text: str) -> Iterator[tuple[int, int]]:
    """Where each word, or gram of a script without blanks, begins and ends.

    Raises:
        Nothing: a blank text has no words.
    """
    for found in _WORD.finditer(text):
        start, stop = found.span()
        if not _UNSPACED.search(text, start, stop):
            yield start, stop
            continue
        for first, last in _without_blanks(found.group()):
            yield start + first, start + last


def _without_blanks(word: str) -> Iterator[tuple[int, int]]:
    first = count = 0
    length = 0  # characters to a gram; 0 where the script writes blanks, None before any letter
    lettered = closed = False
    for start, _ in clusters(word):
        char = word[start]
        here = _length(char)
        letter = here > 0 or char.isalnum()
        full = length > 0 and (count == length or closed)
        within = here == length and not full
        cut = lettered if _opens(char) else letter and lettered and not within
        if cut:
            yield first, start
            first, count, lettered, closed = start, 0, False, False
        if letter:
            count, length, lettered = count + 1, here, True
        elif lettered:
            closed = True
    yield first, len(word)


@lru_cache(4096)
def _length(char: str) -> int:
    if unicodedata.category(char).startswith("P"):
        return 0
    return next((length for script, length in _SCRIPTS if script.match(char)), 0)


@lru_cache(4096)
def _opens(char: str) -> bool:
    return unicodedata.category(char) in ("Ps", "Pi")
