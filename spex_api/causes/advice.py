"""What to do where no cause was confirmed: one sentence, by what happened.

What this module does not know: the names of the parts, and how a report is laid out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from spex_api.claims import UNCHANGED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.causes.trials import Heard
    from spex_api.claims import Cause

__all__ = ["SearchEnd", "advice_on"]

_UNSTEADY = 0.25
"""Where the rarer answer to the unchanged comes this often, noise is the first thing to mend."""

_FEWEST = 4


class SearchEnd(StrEnum):
    """How a search for causes ended; the value is the advice, where none is confirmed."""

    TESTED = (
        "What was claimed did not stand the test. Ask more queries, so that the search can tell "
        "the parts apart, or read the trials: they show what removing them does."
    )
    """Of claims that come from elsewhere, too."""
    NO_PART = (
        "No part was found that matters: the outcome is the same whichever are removed. Look at "
        "what cannot be removed, as the question or the instructions, or split it into parts too."
    )
    UNDECIDED = (
        "The budget ended before the search could name the parts. Ask more queries, or remove "
        "larger parts, of which there are fewer."
    )
    LARGER_RULE = (
        "The answers seem to depend on more parts than the four that a cause may have. Remove "
        "larger parts, as whole sections, or read the interactions, which have no such limit."
    )
    NOTHING_ASKED = "There was no answer to look at. Raise the budget."


_VARIES = (
    "The outcome varies where nothing is removed: of {asked} answers {rarer} differ from the "
    "others. Ask at a lower temperature, take a score that reads the answer more steadily, or "
    "raise the budget."
)


def advice_on(causes: Sequence[Cause], heard: Heard, *, ended: SearchEnd) -> str:
    """A sentence for the reader; "" where a cause is confirmed.

    Args:
        causes: those that were tested.
        heard: all answers that came near the full prompt.
        ended: how the search ended.
    """
    if any(cause.confirmed for cause in causes):
        return ""
    unchanged = [holds for arrangement, holds in heard.told() if arrangement == UNCHANGED]
    rarer = min(sum(unchanged), len(unchanged) - sum(unchanged))
    if len(unchanged) >= _FEWEST and rarer >= _UNSTEADY * len(unchanged):
        return _VARIES.format(rarer=rarer, asked=len(unchanged))
    return ended.value
