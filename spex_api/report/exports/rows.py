"""The interactions row by row, as every table has them.

What this module does not know: who draws the table.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spex_api.explanation import Explanation
    from spex_api.transforms import Support

__all__ = ["Row", "rows"]


class Row(NamedTuple):
    """One interaction.

    Attributes:
        features: their numbers, counted from 0 as in a mask.
        texts: what each says; empty where the features have no names.
        order: how many they are.
        value: in the score's unit.
        low: where its 90 % interval begins; NaN where the decoder cannot tell.
        high: where it ends.
    """

    features: Support
    texts: tuple[str, ...]
    order: int
    value: float
    low: float
    high: float


def rows(explanation: Explanation) -> list[Row]:
    """All interactions, the strongest first."""
    found = explanation.interactions
    listed = []
    for support in found.strongest():
        texts = tuple(found.names[feature] for feature in support) if found.names else ()
        low, high = found.intervals.get(support, (math.nan, math.nan))
        listed.append(Row(support, texts, len(support), found[support], low, high))
    return listed
