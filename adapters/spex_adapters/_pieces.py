"""Tokens as a vocabulary spells them → tokens as they stand in a text.

Vocabularies cannot hold every byte as it is: those that go by bytes write each as a letter (a space
is "Ġ"), the others write a space as "▁" and a stray byte as "<0x0A>". What this module does not
know: whose vocabulary it is; the spelling tells the two apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["pieces_of"]

_STRAY = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def _letters() -> dict[str, int]:
    """The byte behind each letter: a printable byte is its own letter, the others follow 255."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {
        chr(256 + rank): byte for rank, byte in enumerate(others)
    }


_BYTES: Final = _letters()


def pieces_of(spelled: Sequence[str]) -> list[str]:
    """The text of each token; a token that is part of a character only has a mark in its place.

    Args:
        spelled: the tokens of one text, each as its vocabulary spells it.
    """
    by_bytes = all(letter in _BYTES for text in spelled for letter in text)
    if by_bytes:
        try:
            bytes(_BYTES[letter] for text in spelled for letter in text).decode()
        except UnicodeDecodeError:
            by_bytes = False
    return [_piece(each, by_bytes=by_bytes) for each in spelled]


def _piece(spelled: str, *, by_bytes: bool) -> str:
    if by_bytes:
        return bytes(_BYTES[letter] for letter in spelled).decode(errors="replace")
    stray = _STRAY.fullmatch(spelled)
    if stray:
        return bytes([int(stray[1], 16)]).decode(errors="replace")
    return spelled.replace("▁", " ")
