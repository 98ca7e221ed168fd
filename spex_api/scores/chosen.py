"""A score that was chosen for its user, with the reason.

It reads and asks as the score within does. What this module does not know: who chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.scores.score import Labelled, Opening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion, CompletionRequest, Message
    from spex_api.scores.score import Score, Scored

__all__ = ["Chosen", "ChosenLabelled", "choose"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A score, and why it is that one.

    Attributes:
        score: what asks and reads.
        reason: why it was chosen, in one sentence.
    """

    score: Score
    reason: str

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        return self.score.meaning

    @property
    def max_censored(self) -> float:
        """The largest share of values that may be bounds, or missing."""
        return self.score.max_censored

    def opening(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What the score must know first, where it must know anything.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        if not isinstance(self.score, Opening):
            return ()
        return self.score.opening(messages, capabilities)

    def opened(
        self, completions: Sequence[Completion | None], capabilities: Capabilities
    ) -> Chosen:
        """The score that knows it, chosen for the same reason.

        Raises:
            ScoreError: the answers do not hold what the score needs.
        """
        if not isinstance(self.score, Opening):
            return self
        return choose(self.score.opened(completions, capabilities), self.reason)

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What to ask under one mask.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        return self.score.requests(messages, capabilities)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The number in the answers."""
        return self.score.value(completions)

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks at the first few masks' answers.

        Raises:
            ScoreError: the answers do not hold what the score reads.
        """
        self.score.check(answers)


@dataclass(frozen=True, slots=True)
class ChosenLabelled(Chosen):
    """The same of a score that looks for labels."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The words that it looks for."""
        return self.score.labels if isinstance(self.score, Labelled) else ()

    def found(self, completions: Sequence[Completion]) -> tuple[str, ...]:
        """The labels whose probability the answers tell."""
        return self.score.found(completions) if isinstance(self.score, Labelled) else ()


def choose(score: Score, reason: str) -> Chosen:
    """The score with the reason, still one of labels where it is."""
    return ChosenLabelled(score, reason) if isinstance(score, Labelled) else Chosen(score, reason)
