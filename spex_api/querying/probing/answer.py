"""One answer to a probe: why it was asked for, and what may be read in it.

What this module does not know: what an answer means for the endpoint.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from spex_api.completions import WITHHELD
from spex_api.querying.probing.sanity import Flaw, flaws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Completion, CompletionRequest
    from spex_api.scores import Scored

__all__ = ["Answer", "Asked", "noise_floor", "value_of"]


class Asked(StrEnum):
    """Why a question was asked."""

    FULL = "the whole prompt"
    REPEAT = "the whole prompt again"
    WARM = "the whole prompt at temperature 1"
    EMPTY = "the prompt with everything masked"
    RANDOM = "the prompt under a random mask"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question of a probe.

    Attributes:
        asked: why it was asked.
        question: what was asked.
        completions: what was answered, one a request; none where the endpoint refused for good.
        scored: the value, where the answers bear one to be read.
        second: what the score's second model said of them.
        seconds: how long each answer took that was sent for and came at the first attempt.
    """

    asked: Asked
    question: tuple[CompletionRequest, ...]
    completions: tuple[Completion, ...]
    scored: Scored | None = None
    seconds: tuple[float, ...] = ()
    second: tuple[Completion, ...] = ()

    @property
    def together(self) -> tuple[Completion, ...]:
        """All answers, as the score reads them."""
        return self.completions + self.second

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """What is wrong with its log-probs."""
        pairs = zip(self.completions, self.question, strict=False)
        return tuple(dict.fromkeys(flaw for pair in pairs for flaw in flaws(*pair)))

    @property
    def is_withheld(self) -> bool:
        """Whether the model declined to answer, or a filter took an answer away."""
        return any(each.outcome in WITHHELD for each in self.completions)

    @property
    def variance(self) -> float:
        """Of the value by its samples; 0 of a bound, whose variance says what is not known."""
        known = self.scored is not None and self.scored.known and not self.scored.censored
        return self.scored.variance if known and self.scored is not None else 0.0

    @property
    def value(self) -> float | None:
        """The value, where there is one."""
        return self.scored.value if self.scored is not None and self.scored.known else None


def value_of(answers: Sequence[Answer], asked: Asked) -> float | None:
    """The value of the first question of a kind, where there is one."""
    return next((each.value for each in answers if each.asked is asked), None)


def noise_floor(answers: Sequence[Answer]) -> float | None:
    """The standard deviation of the value among answers to the whole prompt.

    A score that samples says it itself; otherwise it is that of the repeats, with n − 1 in the
    denominator. None where fewer than two have a value.
    """
    same = [each for each in answers if each.asked in (Asked.FULL, Asked.REPEAT)]
    variances = [each.variance for each in same if each.value is not None]
    if any(variances):
        return math.sqrt(statistics.fmean(variances))
    values = [each.value for each in same if each.value is not None]
    return statistics.stdev(values) if len(values) > 1 else None
