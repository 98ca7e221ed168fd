"""What holds of an answer to the whole prompt, so that causes of it can be told.

A value says it by the side of a threshold on which it lies. What this module does not know: who is
asked, and what brings the outcome about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError
from spex_api.scores import LabelFrequency, LabelLogOdds

if TYPE_CHECKING:
    from spex_api.scores import Score

__all__ = ["EVEN", "Outcome"]

EVEN: Final = 0.5
"""The share that parts those who mostly say it from those who mostly do not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which values are those of the outcome.

    Attributes:
        words: what holds of an answer, as a clause: "the answer is 'positive', not 'negative'".
        threshold: in the score's unit.
        above: whether the outcome holds above the threshold, or below it.
    """

    words: str
    threshold: float
    above: bool = True

    @classmethod
    def of(cls, score: Score, *, full: float, empty: float | None = None) -> Outcome:
        """The outcome of the whole prompt, as a score tells it.

        A log-odds has a natural threshold, 0, and a share ½. It is taken unless values with
        everything masked lie on the same side and so none may be expected to cross it; then, as for
        every other score, the threshold lies half way between the two.

        Args:
            score: what gives the values.
            full: the value of the whole prompt.
            empty: the value with everything masked, where there is one.

        Raises:
            UsageError: the whole prompt has no value, or there is nothing to tell it from.
        """
        if not math.isfinite(full):
            raise UsageError("The whole prompt has no value, so there is no outcome to explain.")
        natural = _natural(score)
        crossed = natural is not None and (empty is None or (full > natural) != (empty > natural))
        if natural is not None and natural != full and (crossed or empty == full):
            return cls(_said(score, above=full > natural), natural, full > natural)
        if empty is None or not math.isfinite(empty) or empty == full:
            raise UsageError(
                f"The whole prompt has the value {full:.3g}, and so has the empty one, or it has "
                "none: no threshold lies between them.",
                advice="Give a threshold.",
            )
        return cls.beyond(score, (full + empty) / 2, full=full)

    @classmethod
    def beyond(cls, score: Score, threshold: float, *, full: float) -> Outcome:
        """That a value lies on the side of a threshold on which the whole prompt's lies.

        Raises:
            UsageError: that value is none, or lies on the threshold.
        """
        if not math.isfinite(full) or full == threshold:
            raise UsageError(
                f"The whole prompt has the value {full:.3g}: it has no side of {threshold:.3g}."
            )
        above = full > threshold
        return cls(
            f"{score.meaning} is {'above' if above else 'below'} {threshold:.3g}", threshold, above
        )

    def holds(self, value: float) -> bool | None:
        """Whether it holds of an answer with this value; None where that cannot be told."""
        if not math.isfinite(value) or value == self.threshold:
            return None
        return (value > self.threshold) == self.above


def _natural(score: Score) -> float | None:
    if isinstance(score, LabelLogOdds):
        return 0.0
    if isinstance(score, LabelFrequency):
        return 0.0 if score.scale == "log_odds" else EVEN
    return None


def _said(score: Score, *, above: bool) -> str:
    """The outcome in words, where the threshold is the natural one."""
    labels = score.labels if isinstance(score, LabelLogOdds | LabelFrequency) else ()
    if len(labels) > 1:
        first, others = repr(labels[0]), " or ".join(map(repr, labels[1:]))
        said, not_said = (first, others) if above else (others, first)
        return f"the answer is {said} rather than {not_said}"
    hit = labels[0] if labels else ""
    if isinstance(score, LabelFrequency) and score.match is not None:
        hit = score.match.label
    return f"the answer {'holds' if above else 'does not hold'} {hit}"
