"""Which masks of a plan got no answer before the budget ended: by their rows, as ranges.

An explanation that is partial carries them, since nothing else can tell: who was faster decides
where a budget ends, and later runs may have asked the rest. A replay leaves the same masks out.
What this module does not know: the plan, and why a mask was not asked.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALL_ASKED", "Ranges", "Unasked"]

Ranges = tuple[tuple[int, int], ...]
"""As they stand in a file."""


@dataclass(frozen=True, slots=True)
class Unasked:
    """Rows of a plan. Adds up; `Unasked()` is none.

    Attributes:
        ranges: each the first and the last row of a run of rows, in order and apart.

    Raises:
        UsageError: they are out of order, overlap, touch, or begin before the first row.
    """

    ranges: Ranges = ()

    def __post_init__(self) -> None:
        before = -2
        for first, last in self.ranges:
            if not before + 1 < first <= last or first < 0:
                raise UsageError(f"These are no ranges of rows, in order and apart: {self.ranges}.")
            before = last

    @classmethod
    def of(cls, rows: Iterable[int]) -> Unasked:
        """The ranges of these rows, which may come in any order."""
        return cls(_merged((row, row) for row in rows))

    def __contains__(self, row: int) -> bool:
        place = bisect_right(self.ranges, row, key=lambda each: each[0]) - 1
        return place >= 0 and row <= self.ranges[place][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __add__(self, other: Unasked) -> Unasked:
        return Unasked(_merged(self.ranges + other.ranges))


ALL_ASKED: Final = Unasked()


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same rows in ranges that are in order and apart."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
