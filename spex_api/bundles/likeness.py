"""Whether two tellings of the same thing say the same: to the byte, to rounding, or not.

Other versions of what computes, and other kinds of processors, sum in another order: then the last
digits differ, and what is rounded for a sentence may end otherwise. What differs by more is another
result. What this module does not know: what is told.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["ROUNDING", "Difference", "differences", "largest"]

ROUNDING: Final = 1e-6
"""Of the larger number, or of 1 where both are smaller: what rounding comes to at the most."""
_NUMBER: Final = re.compile(r"[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
_BY: Final = ("features", "parts", "among", "kind", "id")
"""What names an entry of a list: of two that are almost as large, either may come first."""
_ABSENT: Final = object()
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two tellings differ.

    Attributes:
        where: the way to it, as "findings.3.value".
        before: what the first says there; "nothing" where it is not there.
        after: what the second says.
        size: of the difference, relative as in `ROUNDING`; infinite where it is none of numbers.
    """

    where: str
    before: str
    after: str
    size: float

    @property
    def is_rounding(self) -> bool:
        """Whether no more than the last digits differ."""
        return self.size <= ROUNDING


def differences(
    before: object, after: object, *, ignored: Collection[str] = ()
) -> list[Difference]:
    """Everything in which two JSON values differ.

    Args:
        before: the first.
        after: the second.
        ignored: keys of objects that are not looked at, wherever they stand.
    """
    return list(_walk(before, after, "", frozenset(ignored)))


def largest(found: Collection[Difference]) -> Difference | None:
    """The difference that matters most, or None where there is none."""
    return max(found, key=lambda each: each.size, default=None)


def _walk(before: Any, after: Any, where: str, ignored: frozenset[str]) -> Iterator[Difference]:  # noqa: ANN401 - JSON
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            if key not in ignored:
                old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
                yield from _walk(old, new, f"{where}.{key}", ignored)
    elif isinstance(before, list) and isinstance(after, list):
        old, new = _named(before), _named(after)
        if old is not None and new is not None:
            yield from _walk(old, new, where, ignored)
            return
        for at, (one, other) in enumerate(zip_longest(before, after, fillvalue=_ABSENT)):
            yield from _walk(one, other, f"{where}.{at}", ignored)
    else:
        size = _distance(before, after)
        if size:
            yield Difference(where.lstrip("."), _shown(before), _shown(after), size)


def _named(entries: list[Any]) -> dict[str, Any] | None:
    """The entries by what names them; None where they have no names, or two have the same."""
    if not all(isinstance(each, dict) and any(key in each for key in _BY) for each in entries):
        return None
    found = {str([each[key] for key in _BY if key in each]): each for each in entries}
    return found if len(found) == len(entries) else None


def _distance(before: object, after: object) -> float:
    """How far apart two leaves are; 0 where they are the same."""
    if before == after and type(before) is type(after):
        return 0.0
    if isinstance(before, str) and isinstance(after, str):
        return _distance_of_sentences(before, after)
    numbers = [x for x in (before, after) if isinstance(x, int | float) and not isinstance(x, bool)]
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return math.inf
    return abs(numbers[0] - numbers[1]) / max(1.0, *map(abs, numbers))


def _distance_of_sentences(before: str, after: str) -> float:
    """As of the numbers in them, less what their own rounding may do; infinite for other words."""
    if _NUMBER.sub("#", before) != _NUMBER.sub("#", after):
        return math.inf
    far = 0.0
    for old, new in zip(_NUMBER.findall(before), _NUMBER.findall(after), strict=True):
        if old != new:
            first, second = (float(x.replace(",", "").replace("−", "-")) for x in (old, new))
            if "." not in old or not _are_neighbours(old, new, abs(first - second)):
                far = math.inf
    return far or ROUNDING


def _are_neighbours(old: str, new: str, apart: float) -> bool:
    """Whether two written numbers differ by one in their last digit alone."""
    digits = [len(each.partition("e")[0].partition(".")[2]) for each in (old, new)]
    equal = all(one == other for one, other in pairwise(digits))
    return equal and "e" not in old + new and apart <= 1.001 * 10.0 ** -digits[0]


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
