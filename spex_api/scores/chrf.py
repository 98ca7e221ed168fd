"""How much two texts have in common, by their runs of characters.

What this module does not know: what a text means, and any language: it is told in none where a
word ends.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from spex_api.scores.wording import folded

__all__ = ["chrf"]

_LONGEST: Final = 6
_BETA: Final = 2.0


def chrf(text: str, reference: str) -> float:
    """chrF2 of Popović (2015, WMT, "chrF: character n-gram F-score"), from 0 to 1.

    With P the share of the text's runs of n characters that the reference has too, R the share of
    the reference's that the text has, both averaged over n = 1 … 6 as far as both texts have runs
    of n:

        chrF = (1 + β²) P R/(β² P + R),   β = 2,

    so what is missing of the reference weighs more than what is there besides. Spaces do not count,
    as in the paper; nor, other than in the paper, do case, width and the ways that one letter can
    be coded. Without words it is the same in scripts that write no spaces.

    Args:
        text: what is compared; an empty one has nothing in common with any.
        reference: what it is compared to.
    """
    one, other = (folded(each).replace(" ", "") for each in (text, reference))
    orders = range(1, min(_LONGEST, len(one), len(other)) + 1)
    if not orders:
        return 0.0
    precisions, recalls = [], []
    for size in orders:
        ours, theirs = _runs(one, size), _runs(other, size)
        both = (ours & theirs).total()
        precisions.append(both / ours.total())
        recalls.append(both / theirs.total())
    precision, recall = (math.fsum(each) / len(orders) for each in (precisions, recalls))
    weighed = _BETA**2 * precision + recall
    return (1 + _BETA**2) * precision * recall / weighed if weighed else 0.0


def _runs(text: str, size: int) -> Counter[str]:
    return Counter(text[at : at + size] for at in range(len(text) - size + 1))
