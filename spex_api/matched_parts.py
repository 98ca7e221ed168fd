"""Which part of a text is which part of another version of it.

What this module does not know: what the parts do.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["How", "Pair", "matched"]

_ALIKE: Final = 0.6
"""The share of two texts that is common to them, from which on one is the other one edited."""
_MOST_COMPARED: Final = 40_000
"""Pairs of parts: of more, none is looked at for what is left of its text."""
_FEW_WORDS: Final = 8
"""Longer texts are compared word by word, shorter ones letter by letter."""


class How(StrEnum):
    """How a part was found again; the value is what a person reads."""

    SAME = "the same"
    MOVED = "moved"
    """The same text, at another place among the others."""
    EDITED = "edited"
    """Most of its text is left."""
    REPLACED = "replaced"
    """Another text stands in its place."""
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Pair:
    """A part before and now.

    Attributes:
        how: how it was found again.
        before: its number before; None where it is new.
        after: its number now; None where it is gone.
    """

    how: How
    before: int | None
    after: int | None


def matched(before: Sequence[str], after: Sequence[str]) -> tuple[Pair, ...]:
    """Which part is which: by equal text in order, then anywhere, then edited, then by place.

    Args:
        before: the texts of the parts, in their order.
        after: those of the other version.

    Returns:
        One pair a part, in the order of `after`; those that are gone come last.
    """
    left = _Left.of([text.strip() for text in before], [text.strip() for text in after])
    left.take(How.MOVED, left.equal())
    left.take(How.EDITED, left.alike())
    left.take(How.REPLACED, left.in_place())
    now = [left.found.get(number, Pair(How.NEW, None, number)) for number in range(len(after))]
    return (*now, *(Pair(How.GONE, number, None) for number in left.old))


@dataclass(slots=True)
class _Left:
    """What is not matched yet.

    Attributes:
        before: all texts.
        after: all texts.
        found: what is matched, by the number of the part now.
        old: numbers before that are not matched, ascending.
        new: numbers now that are not matched, ascending.
    """

    before: list[str]
    after: list[str]
    found: dict[int, Pair]
    old: list[int]
    new: list[int]

    @classmethod
    def of(cls, before: list[str], after: list[str]) -> _Left:
        """What equal texts in the same order leave."""
        left = cls(before, after, {}, list(range(len(before))), list(range(len(after))))
        blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
        left.take(
            How.SAME,
            [(block.a + step, block.b + step) for block in blocks for step in range(block.size)],
        )
        return left

    def take(self, how: How, pairs: Iterable[tuple[int, int]]) -> None:
        """Matches these, which are not matched yet."""
        for old, new in pairs:
            self.found[new] = Pair(how, old, new)
        taken = {pair.before for pair in self.found.values()}
        self.old = [number for number in self.old if number not in taken]
        self.new = [number for number in self.new if number not in self.found]

    def equal(self) -> list[tuple[int, int]]:
        """Equal texts, whatever their order."""
        places: dict[str, list[int]] = {}
        for number in self.new:
            places.setdefault(self.after[number], []).append(number)
        return [
            (number, places[text].pop(0))
            for number in self.old
            if places.get(text := self.before[number])
        ]

    def alike(self) -> list[tuple[int, int]]:
        """Texts of which most is common, the most alike first."""
        if len(self.old) * len(self.new) > _MOST_COMPARED:
            return []
        ranked = sorted(
            (-share, old, new)
            for old in self.old
            for new in self.new
            if (share := _share(self.before[old], self.after[new])) >= _ALIKE
        )
        chosen: dict[int, int] = {}
        for _, old, new in ranked:
            if old not in chosen and new not in chosen.values():
                chosen[old] = new
        return list(chosen.items())

    def in_place(self) -> list[tuple[int, int]]:
        """As many on either side between the same neighbours that stayed, one by one."""
        stayed = sorted(
            (pair.before, pair.after)
            for pair in self.found.values()
            if pair.how is How.SAME and pair.before is not None and pair.after is not None
        )
        olds = _by_gap(self.old, [old for old, _ in stayed])
        news = _by_gap(self.new, [new for _, new in stayed])
        return [
            pair
            for gap in olds
            if len(olds[gap]) == len(news.get(gap, ()))
            for pair in zip(olds[gap], news[gap], strict=True)
        ]


def _by_gap(numbers: Iterable[int], stayed: Sequence[int]) -> dict[int, list[int]]:
    """The numbers by how many of those that stayed stand before them."""
    gaps: dict[int, list[int]] = {}
    for number in numbers:
        gaps.setdefault(bisect_left(stayed, number), []).append(number)
    return gaps


def _share(old: str, new: str) -> float:
    """How much of two texts is common to them, from 0 to 1."""
    words = old.split(), new.split()
    by_word = min(map(len, words)) > _FEW_WORDS
    matcher: SequenceMatcher[str] = SequenceMatcher(None, *(words if by_word else (old, new)))
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
        return 0.0
    return matcher.ratio()
