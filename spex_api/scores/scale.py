"""A scale from low to high, and the number that an answer in words gives on it.

What this module does not know: log-probs, and who answers.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from spex_api.errors import UsageError

__all__ = ["Scale", "number_text"]

_NUMBER: Final = re.compile(
    # Neither part of a word ("GPT4", "v2", "7th") nor of a longer number, nor behind a hyphen.
    r"(?<![A-Za-z\d.,])(?<!\w-)"
    r"[-+]?(?:\d{1,3}(?:,\d{3})++|\d++)(?:[.,]\d++)?+(?![A-Za-z\d½¼¾])"
)
_OUT_OF: Final = re.compile(r"\s*[/／]\s*(\d+)(?:\.0+)?(?!\d)")
"""As in 7/10: what stands behind the stroke is the scale's end, not a number on it."""

_NOT_ALONE: Final = re.compile(r"[.)]\s|\s*(?:[-–—~～]|to\b|or\b)\s*\d")
"""What makes a number at the beginning that of a list, or the end of a range."""

_MARKUP: Final = " \t\r\n*_`#>\"'“”«»„‚‘’([{:=~≈"
"""What may stand before a number that is the whole answer."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The numbers from low to high.

    Attributes:
        low: the least.
        high: the greatest.
        whole: whether it is one of whole numbers: both ends are written as such, 1 and not 1.0.
    """

    low: float
    high: float
    whole: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for bound in (self.low, self.high):
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                raise UsageError(f"A scale's end is a number, not {bound!r}.")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UsageError(
                f"A scale goes from a number up to a greater one, not from {self.low} to "
                f"{self.high}.",
                advice="For instance from 1 to 10.",
            )
        object.__setattr__(self, "whole", isinstance(self.low, int) and isinstance(self.high, int))

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"

    @property
    def step(self) -> float:
        """The distance of two neighbouring numbers; 0 where they are not whole."""
        return 1.0 if self.whole else 0.0

    @property
    def width(self) -> float:
        """From low to high."""
        return self.high - self.low

    def holds(self, number: float) -> bool:
        """Whether a number is on it; one between two whole numbers is."""
        return self.low <= number <= self.high

    def number_in(self, text: str) -> float | None:
        """The number that an answer gives; None where it gives none, or leaves open which.

        An answer that begins with a number gives it ("7", "**7**/10", "7, since …"). Elsewhere it
        is the one number on the scale that stands in it ("Grade: 7", "我给7分"); of two different
        ones it is not known which is meant ("between 6 and 8"), nor where the first is that of a
        list. What is off the scale is no answer: it is not moved to the scale's end. A comma is the
        point of "7,5", and parts thousands in "1,000"; the digits may be those of any script.
        """
        plain = text.replace("−", "-").strip(_MARKUP)
        found = list(_NUMBER.finditer(plain))
        strokes = (_OUT_OF.match(plain, number.end()) for number in found)
        ends = {each.start(1) for each in strokes if each and float(each[1]) == self.high}
        numbers = [number for number in found if number.start() not in ends]
        if not numbers:
            return None
        first = numbers[0]
        if first.start() == 0 and not _NOT_ALONE.match(plain, first.end()):
            number = _value(first[0])
            return number if self.holds(number) else None
        if first.start() == 0 and plain[first.end()] not in ".)":
            return None
        on_scale = {number for each in numbers if self.holds(number := _value(each[0]))}
        return on_scale.pop() if len(on_scale) == 1 else None


def number_text(text: str) -> str | None:
    """The ASCII digits of a text that is digits of any script alone; None of any other."""
    if not text or not all(unicodedata.category(each) == "Nd" for each in text):
        return None
    return "".join(str(unicodedata.decimal(each)) for each in text)


def _value(written: str) -> float:
    whole, comma, rest = written.rpartition(",")
    if not comma:
        return float(written)
    if "." in rest or (len(rest) == 3 and whole.lstrip("+-") != "0"):
        return float(written.replace(",", ""))
    return float(f"{whole}.{rest}")
