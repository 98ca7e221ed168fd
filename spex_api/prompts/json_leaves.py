"""A JSON text stays JSON whichever of its values are left out or replaced.

A value is a string, a number, true, false, null, or an empty array or object; in an object it goes
with its key. Left out, it takes its key and a comma with it; arrays and objects stay, empty if need
be. Replaced, it keeps its key, and a string stands for it. What this module does not know: which
values are masked, and what the keys mean.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from spex_api.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["key_of", "leaves", "replaced", "written"]

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_BLANK = r"[ \t\n\r]*+"
_KEY = re.compile(f"{_STRING}{_BLANK}:{_BLANK}")
_TOKEN = re.compile(rf'{_STRING}|[][{{}},:]|[^][{{}},:" \t\n\r]++')
_STRUCTURE = re.compile(
    rf"(?P<close>{_BLANK}[]}}])"
    rf"|(?P<comma>{_BLANK},{_BLANK})"
    rf"|(?P<open>(?:{_STRING}{_BLANK}:{_BLANK})?[\[{{]{_BLANK})"
)
_CLOSING = {"{": "}", "[": "]"}


def leaves(text: str) -> Iterator[tuple[int, int]]:
    """Where each value, with its key, begins and ends.

    Raises:
        PromptError: the text is not JSON, or is a single value.
    """
    _check(text)
    key: int | None = None  # where the key of the value to come begins
    inside: list[str] = []
    last = ""  # the piece before, where it was punctuation
    opened = 0  # where the innermost container, with its key, begins
    for found in _TOKEN.finditer(text):
        piece, start = found.group(), found.start()
        if piece in _CLOSING:
            inside.append(piece)
            opened = start if key is None else key
            key = None
        elif piece in ("}", "]"):
            if last == inside.pop():
                yield opened, found.end()
        elif piece not in (",", ":"):
            if inside[-1] == "{" and last != ":":
                key = start
            else:
                yield (start if key is None else key), found.end()
                key = None
        last = piece if piece in "{}[],:" else ""


def _check(text: str) -> None:
    try:
        # Numbers are left as they are written: how many digits one has is no matter here.
        value = json.loads(text, parse_int=str, parse_float=str)
    except ValueError as error:
        raise PromptError(
            f"The text is not JSON: {error}.",
            advice='Give JSON alone, or split it into "lines".',
        ) from None
    except RecursionError:
        raise PromptError(
            "The JSON is nested too deeply to be read.", advice='Split it into "lines".'
        ) from None
    if not isinstance(value, dict | list) or not value:
        raise PromptError(
            "The JSON is a single value, so nothing in it can be left out.",
            advice='Give an array or an object that is not empty, or split it into "words".',
        )


def key_of(leaf: str) -> str:
    """The key before a value, with its colon and blanks; empty in an array.

    Raises:
        Nothing: the leaf is one of `leaves`.
    """
    found = _KEY.match(leaf)
    return found.group() if found else ""


def replaced(leaf: str, by: str) -> str:
    """The leaf with a string in place of its value.

    Raises:
        Nothing: any text can stand in a string.
    """
    return key_of(leaf) + json.dumps(by, ensure_ascii=False)


def written(parts: Sequence[tuple[str | None, str]]) -> str:
    """The JSON from its first leaf on, with a comma where two things stand beside each other.

    Args:
        parts: what is written for each leaf, None where it is left out, and the gap that followed
            it. All leaves of the text, in order.

    Raises:
        Nothing: leaves and gaps are those of a JSON text.
    """
    writer = _Writer()
    for text, gap in parts:
        if text is not None:
            writer.item(text)
        writer.structure(gap)
    return "".join(writer.pieces)


class _Writer:
    """What is written so far, and whether each open container has something in it."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        # The first leaf is the first thing in its container, and that one is in what is around it.
        self.filled = [False]
        self.comma = ""

    def item(self, text: str) -> None:
        self.pieces += [self.comma, text]
        self.comma = ""
        self.filled[-1] = True

    def structure(self, gap: str) -> None:
        at = 0
        while found := _STRUCTURE.match(gap, at):
            at = found.end()
            if found["comma"]:
                self.comma = found["comma"] if self.filled[-1] else ""
            elif found["open"]:
                self.item(found["open"])
                self.filled.append(False)
            else:
                self.pieces.append(found["close"])
                self.comma = ""
                self.filled.pop()
                self.filled = self.filled or [True]
        self.pieces.append(gap[at:])
