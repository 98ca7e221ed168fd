"""What parts do together that they do not do alone, in a word or two.

An interaction is held against what its parts do on average by themselves, their Banzhaf values:
where it goes the same way, the parts do more together than apart, and where it goes the other way,
one makes the other partly superfluous. What this module does not know: how it is drawn.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.indices import Interactions
    from spex_api.transforms import Support

__all__ = ["Interplay", "interplay", "is_sure"]

_NEGLIGIBLE: Final = 0.1
"""A part that does less than this share of the interaction by itself takes no side."""


class Interplay(StrEnum):
    """How parts work together; the value is what a person reads."""

    SYNERGY = "synergy"
    REDUNDANCY = "redundancy"
    ONLY_TOGETHER = "only together"
    OPPOSED = "opposed"
    UNSURE = "unsure"

    @property
    def meaning(self) -> str:
        """The word explained, in the words of a legend."""
        return _MEANINGS[self]


_MEANINGS: Final = {
    Interplay.SYNERGY: "more together than each alone adds up to",
    Interplay.REDUNDANCY: "less together, since one does in part what the other does",
    Interplay.ONLY_TOGETHER: "hardly anything alone",
    Interplay.OPPOSED: "alone they pull different ways",
    Interplay.UNSURE: "the interval holds 0",
}


def interplay(found: Interactions, support: Support, effects: Sequence[float]) -> Interplay | None:
    """How the parts of an interaction work together.

    Args:
        found: the interactions.
        support: one of them.
        effects: shape (num_features,), what each part does on average, as `story.effects` has it.

    Returns:
        None for a single part.
    """
    if len(support) < 2:
        return None
    if not is_sure(found, support):
        return Interplay.UNSURE
    value = found[support]
    sides = {
        (effects[feature] > 0) == (value > 0)
        for feature in support
        if abs(effects[feature]) > _NEGLIGIBLE * abs(value)
    }
    if not sides:
        return Interplay.ONLY_TOGETHER
    if len(sides) == 2:
        return Interplay.OPPOSED
    return Interplay.SYNERGY if sides == {True} else Interplay.REDUNDANCY


def is_sure(found: Interactions, support: Support) -> bool:
    """Whether the sign is known: its interval, where it has one, does not hold 0."""
    interval = found.intervals.get(support)
    return interval is None or not interval.low <= 0.0 <= interval.high
