"""What became of each interaction between two explanations of one call.

An interaction is called changed only where its two intervals have no value in common: each is a
90 % interval, so of many interactions that did not change few are called so. A set that an
explanation does not list has the value 0 there. What this module does not know: which part is
which, and why something was changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from spex_api.indices import Interval
from spex_api.matched_parts import How
from spex_api.report.naming import Names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spex_api.explanation import Explanation
    from spex_api.indices import Interactions
    from spex_api.matched_parts import Pair
    from spex_api.transforms import Support

__all__ = ["Change", "Fate", "changes"]

_NOTHING = Interval(0.0, 0.0)


class Fate(StrEnum):
    """What became of an interaction; the value is what a person reads."""

    APPEARED = "appeared"
    """Its interval held 0, or it was not listed, and does not hold it now."""
    VANISHED = "vanished"
    """Its interval holds 0 now, or it is not listed, and it did not hold it."""
    CHANGED = "changed"
    """It stands, with a value that is another for sure."""
    WITHIN = "within its intervals"
    """The two intervals have values in common: no change is shown."""
    UNTOLD = "without intervals"
    """At least one value has no interval: whether it changed cannot be told."""


@dataclass(frozen=True, slots=True)
class Change:
    """An interaction before and now.

    Attributes:
        fate: what became of it.
        before: its features in the first explanation; None where one of them is not there.
        after: its features in the second; None likewise.
        names: what its parts are called now, or before where they are gone.
        values: before and now; None where its parts are not there.
        intervals: of these; None where there is none.
    """

    fate: Fate
    before: Support | None
    after: Support | None
    names: tuple[str, ...]
    values: tuple[float | None, float | None]
    intervals: tuple[Interval | None, Interval | None]


def changes(
    before: Explanation,
    after: Explanation,
    parts: Sequence[Pair],
    *,
    now: Interactions | None = None,
) -> tuple[Change, ...]:
    """What became of every set that either explanation lists, what changed the most first.

    Args:
        before: the first explanation.
        after: the second.
        parts: which part is which.
        now: the second's interactions, where they are not by its own index.
    """
    sides = _Sides(
        before.interactions,
        after.interactions if now is None else now,
        Names.of(before),
        Names.of(after),
        {pair.before: pair for pair in parts if pair.before is not None},
        {pair.after: pair for pair in parts if pair.after is not None},
    )
    found = [*sides.of_the_first(), *sides.of_the_second_alone()]
    return tuple(sorted(found, key=lambda change: -_distance(change)))


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both lists of interactions, and which part is which by its number before and now."""

    old: Interactions
    new: Interactions
    names_before: Names
    names_after: Names
    by_before: Mapping[int, Pair]
    by_after: Mapping[int, Pair]

    def of_the_first(self) -> Iterator[Change]:
        """What became of the sets that the first explanation lists."""
        for support in self.old:
            value, reach = self.old[support], self.old.intervals.get(support)
            now = _numbers([self.by_before[feature].after for feature in support])
            if now is None:
                names = tuple(self.names_before.full(feature) for feature in support)
                fate = _alone(reach, Fate.VANISHED)
                yield Change(fate, support, None, names, (value, None), (reach, None))
                continue
            intervals = (reach, _reach(self.new, now))
            values = (value, self.new.get(now, 0.0))
            names = tuple(self._called(feature) for feature in now)
            yield Change(_fate(*intervals), support, now, names, values, intervals)

    def of_the_second_alone(self) -> Iterator[Change]:
        """What became of the sets that only the second one lists."""
        for support in self.new:
            value, reach = self.new[support], self.new.intervals.get(support)
            names = tuple(self._called(feature) for feature in support)
            then = _numbers([self.by_after[feature].before for feature in support])
            if then is None:
                fate = _alone(reach, Fate.APPEARED)
                yield Change(fate, None, support, names, (None, value), (None, reach))
            elif then not in self.old:
                intervals = (_reach(self.old, then), reach)
                yield Change(_fate(*intervals), then, support, names, (0.0, value), intervals)

    def _called(self, feature: int) -> str:
        """A part as it is called now, and what stood in its place where that was another text."""
        pair, name = self.by_after[feature], self.names_after.full(feature)
        if pair.how is How.REPLACED and pair.before is not None:
            return f"{self.names_before.full(pair.before)} → {name}"
        return name


def _numbers(features: Sequence[int | None]) -> Support | None:
    """The same set among the other's parts; None where one of them is not there."""
    known = [feature for feature in features if feature is not None]
    return tuple(sorted(known)) if len(known) == len(features) else None


def _reach(found: Interactions, support: Support) -> Interval | None:
    """The interval of a set; of one that is not listed, 0, where listed ones have intervals."""
    if support in found:
        return found.intervals.get(support)
    return _NOTHING if found.intervals else None


def _alone(interval: Interval | None, fate: Fate) -> Fate:
    """What became of an interaction whose parts are only in one of the two."""
    if interval is None:
        return Fate.UNTOLD
    return Fate.WITHIN if interval.low <= 0 <= interval.high else fate


def _fate(before: Interval | None, after: Interval | None) -> Fate:
    if before is None or after is None:
        return Fate.UNTOLD
    if before.low <= after.high and after.low <= before.high:
        return Fate.WITHIN
    if before.low <= 0 <= before.high:
        return Fate.APPEARED
    return Fate.VANISHED if after.low <= 0 <= after.high else Fate.CHANGED


def _distance(change: Change) -> float:
    before, after = change.values
    return abs((after or 0.0) - (before or 0.0))
