"""A word is found where a reader would see it, in any script.

Text is compared without case, width and the ways that one letter can be coded; words end where
letters, digits and the marks on them end. Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan
write no spaces, so there a word may stand anywhere. What this module does not know: any dictionary,
and what a text means ("not good" holds the word "good").
"""

from __future__ import annotations

import unicodedata

__all__ = ["folded", "place_of"]

_UNSPACED = ("CJK ", "HIRAGANA ", "KATAKANA ", "THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN ")
_HYPHENS = frozenset("-\u2010\u2011")
_APOSTROPHES = frozenset("'\u2019")
_IN_NUMBERS = frozenset(".,")


def folded(text: str) -> str:
    """The text without case, width, ways of coding and runs of spaces: equal words are equal."""
    # Folding the case can undo the normal form, so it is taken again: "İ" is one such letter.
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def place_of(word: str, text: str) -> int:
    """Where the word first stands by itself in the text; −1 where it does not. Both are folded.

    A hyphen or an apostrophe between letters joins: "non-negative" does not hold "negative", and
    "can't" does not hold "can". A point or comma between digits joins: "1.5" does not hold "1".
    """
    if not word:
        return -1
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if not (_joins_before(text, start) or _joins_after(text, end)):
            return start
        start = text.find(word, start + 1)
    return -1


def _joins_before(text: str, start: int) -> bool:
    """Whether what stands before `start` belongs to the word that begins there."""
    if start == 0:
        return False
    before, first = text[start - 1], text[start]
    if _touch(before, first):
        return True
    if start == 1 or before in _APOSTROPHES:
        return False
    return _is_joint(text[start - 2], before, first)


def _joins_after(text: str, end: int) -> bool:
    """Whether what stands from `end` belongs to the word that ends there."""
    if end == len(text):
        return False
    last, after = text[end - 1], text[end]
    if _is_mark(after) or _touch(last, after):
        return True
    return end + 1 < len(text) and _is_joint(last, after, text[end + 1])


def _is_joint(left: str, between: str, right: str) -> bool:
    if between in _HYPHENS or between in _APOSTROPHES:
        return _touch(left, right) and not (left.isdigit() and right.isdigit())
    return between in _IN_NUMBERS and left.isdigit() and right.isdigit()


def _touch(left: str, right: str) -> bool:
    """Whether these two neighbours are within one word."""
    if not (_is_letter(left) and _is_letter(right)):
        return False
    return not (_is_unspaced(left) or _is_unspaced(right))


def _is_letter(character: str) -> bool:
    # Not the underscore: it is what emphasis is written with.
    return unicodedata.category(character)[0] in "LNM"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _is_unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_UNSPACED)
