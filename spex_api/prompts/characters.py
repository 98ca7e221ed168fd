"""A character is what people see as one: a letter and its accents, an emoji, a syllable block.

These are the extended grapheme clusters of Unicode's annex 29, told by the properties that Python
knows of each code point. Where Python does not know enough, fewer cuts are made than the annex
makes, never others. Half of a character, which Python lets stand in a text, is none. What this
module does not know: words.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from spex_api.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_whole", "clusters", "grams"]

_JOINER = "\u200d"
_EXTENDS = frozenset("\u200c\u200d\u0e33\u0eb3\uff9e\uff9f")
"""What goes on with the character before it though it is no mark: joiners, Thai and Lao AM, and the
halfwidth voicing marks."""
_PREFIXES = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e")
"""What goes on with the character after it, such as the Arabic signs that stand over a number."""
_LINKERS = frozenset("\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d\u1039\u17d2\u1a60\u1b44\ua9c0\uaaf6")
"""What binds the next consonant into the syllable."""


def check_whole(text: object, *, what: str = "The text") -> None:
    """Lets pass a text of whole characters.

    Args:
        text: the text.
        what: it is, for the sentence.

    Raises:
        PromptError: it is no text, or holds half a character, which no endpoint takes and no file
            holds.
    """
    if not isinstance(text, str):
        raise PromptError(
            f"{what} is a {type(text).__name__}, and no text.",
            advice="Give it as text, as the model is to read it.",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PromptError(
            f"{what} holds half a character (a lone surrogate), so it is not Unicode.",
            advice='Decode it anew from its bytes, with errors="replace" if need be.',
        ) from None


def grams(text: str, length: int) -> Iterator[tuple[int, int]]:
    """Where each stretch of so many characters begins and ends; blanks part stretches.

    Args:
        text: the text.
        length: how many characters, at least 1; before a blank there may be fewer.

    Raises:
        Nothing: a blank text has no characters.
    """
    first = last = count = 0
    for start, stop in clusters(text):
        blank = text[start:stop].isspace()
        if count and (blank or count == length):
            yield first, last
            count = 0
        if not blank:
            first = first if count else start
            last = stop
            count += 1
    if count:
        yield first, last


def clusters(text: str) -> Iterator[tuple[int, int]]:
    """Where each character begins and ends, blanks included; one after the other, they cover all.

    Raises:
        Nothing: an empty text has none.
    """
    start = 0
    flags = 0  # how many regional letters end what we have: two make a flag
    linked = False  # whether the last thing but marks was a linker
    before_is_plain = False
    for at in range(1, len(text)):
        before, after = text[at - 1], text[at]
        after_is_plain = _is_plain(after)
        # Nearly all characters are plain, and a text of a million is cut while somebody waits.
        if before_is_plain and after_is_plain:
            yield start, at
            start = at
            continue
        before_is_plain = after_is_plain
        flags = flags + 1 if "\U0001f1e6" <= before <= "\U0001f1ff" else 0
        linked = before in _LINKERS or (linked and _extends(before))
        if _breaks(before, after, flags=flags, linked=linked):
            yield start, at
            start = at
            flags = 0
            linked = False
    if text:
        yield start, len(text)


def _breaks(before: str, after: str, *, flags: int, linked: bool) -> bool:
    if before < "\u0300" and after < "\u0300":
        return (before, after) != ("\r", "\n")
    if _is_control(before) or _is_control(after):
        return True
    if _extends(after) or before in _PREFIXES or before == _JOINER:
        return False
    if "\U0001f1e6" <= after <= "\U0001f1ff" and flags % 2:
        return False
    if linked and unicodedata.category(after) == "Lo":
        return False
    return not _one_syllable(before, after)


@lru_cache(4096)
def _is_plain(each: str) -> bool:
    """Whether it stands alone beside any other such character."""
    return not (
        _is_control(each)
        or _extends(each)
        or _korean(each)
        or each in _PREFIXES
        or "\U0001f1e6" <= each <= "\U0001f1ff"
    )


@lru_cache(4096)
def _extends(after: str) -> bool:
    return (
        after in _EXTENDS
        or unicodedata.category(after).startswith("M")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # the tags of a region's flag
    )


@lru_cache(4096)
def _is_control(each: str) -> bool:
    if each in _EXTENDS or each in _PREFIXES or "\U000e0020" <= each <= "\U000e007f":
        return False
    return unicodedata.category(each) in ("Cc", "Zl", "Zp")


def _one_syllable(before: str, after: str) -> bool:
    """Whether two Korean letters stand in one syllable block."""
    first, second = _korean(before), _korean(after)
    return (
        (first == "L" and second in ("L", "V", "LV", "LVT"))
        or (first in ("LV", "V") and second in ("V", "T"))
        or (first in ("LVT", "T") and second == "T")
    )


@lru_cache(4096)
def _korean(each: str) -> str:
    if "\uac00" <= each <= "\ud7a3":
        return "LVT" if (ord(each) - 0xAC00) % 28 else "LV"
    if "\u1100" <= each <= "\u115f" or "\ua960" <= each <= "\ua97c":
        return "L"
    if "\u1160" <= each <= "\u11a7" or "\ud7b0" <= each <= "\ud7c6":
        return "V"
    if "\u11a8" <= each <= "\u11ff" or "\ud7cb" <= each <= "\ud7fb":
        return "T"
    return ""
