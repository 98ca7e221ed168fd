"""What a part is called in a sentence: short, and no other part is called so.

A part of a pipeline's input has an address of its own, such as documents[3], which counts from 0 as
Python does. Any other part is called by its text where that is short, and else by its number, which
counts from 1 as people do. What this module does not know: what is said of the parts.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.report import story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.explanation import Explanation

__all__ = ["Names", "excerpt", "listed"]

_SHORT: Final = 30
"""A text of so many characters is a name."""
_EXCERPT: Final = 60
_ADDRESS: Final = re.compile(r"([^\W\d]\w*(?:\[[^\]\s]{1,40}\])+)(?::\s*(.*))?", re.DOTALL)
_PLACE: Final = re.compile(r"\[\d+\]$")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of an explanation's parts.

    Attributes:
        short: one a part, as it is called in passing.
        texts: one a part, what it says without its address; "" where that is not known.
        addressed: whether the short names are addresses.
    """

    short: tuple[str, ...]
    texts: tuple[str, ...]
    addressed: bool = False

    @classmethod
    def of(cls, explanation: Explanation) -> Names:
        """The names of an explanation's parts."""
        texts = explanation.interactions.names
        if not texts:
            numbers = range(explanation.transform.num_features)
            return cls(tuple(f"part {number + 1}" for number in numbers), ("",) * len(numbers))
        found = [_ADDRESS.fullmatch(text) for text in texts]
        addresses = [each.group(1) for each in found if each]
        if len(set(addresses)) == len(texts):
            said = (each.group(2) or "" for each in found if each)
            return cls(tuple(addresses), tuple(said), addressed=True)
        often = Counter(texts)
        return cls(
            tuple(
                f"part {feature + 1}"
                if _is_long(text)
                else f"“{text.strip()}”{_which(explanation, feature) if often[text] > 1 else ''}"
                for feature, text in enumerate(texts)
            ),
            texts,
        )

    def full(self, feature: int) -> str:
        """The name with the beginning of the part's text, where that is not the name."""
        name, text = self.short[feature], self.texts[feature]
        if not text.strip() or name.startswith("“"):
            return name
        return f"{name} (“{excerpt(text)}”)"

    def moved(self, feature: int, place: int) -> str:
        """From where a part is moved to where.

        Args:
            feature: which part.
            place: in the list that it belongs to, counted from 0.
        """
        name = self.short[feature]
        if self.addressed and _PLACE.search(name):
            return f"from {name} to {_PLACE.sub(f'[{place}]', name)}"
        return f"to place {place + 1}"

    @property
    def convention(self) -> str:
        """How what is numbered is counted, in a sentence; "" where nothing is numbered."""
        if self.addressed:
            return "Addresses count from 0, as Python does."
        if any(name.startswith("part ") for name in self.short):
            return "Parts are counted from 1."
        return ""


def excerpt(text: str, length: int = _EXCERPT) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def listed(words: Sequence[str], joint: str = "and") -> str:
    """Words as a sentence lists them."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"


def _is_long(text: str) -> bool:
    return not text.strip() or len(text) > _SHORT or "\n" in text.strip()


def _which(explanation: Explanation, feature: int) -> str:
    """Which of several parts with one text it is."""
    told = story.words(explanation, (feature,))
    return told.removeprefix(explanation.interactions.names[feature])
