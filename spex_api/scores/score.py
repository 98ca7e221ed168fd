"""What every score is: two pure functions around the wire.

Since a score reads cached answers, changing it costs nothing. What this module does not know: any
score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion, CompletionRequest, Message

__all__ = ["Labelled", "Opening", "Score", "Scored", "Seconded"]


@dataclass(frozen=True, slots=True)
class Scored:
    """The number in the answers to one mask.

    Attributes:
        value: in the score's unit; NaN where the answers hold none.
        variance: of the value, where it was sampled.
        censored: whether the value is only a bound.
        draws: where the value is the log-odds of a share of samples: how many of them hit, and how
            many there were.
    """

    value: float
    variance: float = 0.0
    censored: bool = False
    draws: tuple[int, int] | None = None

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return math.isfinite(self.value)


class Score(Protocol):
    """What to ask for, and the number in the answers."""

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit, in words for a report."""
        ...

    @property
    def max_censored(self) -> float:
        """The largest share of values that may be bounds, or missing, before the result is void."""
        ...

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What to ask under one mask.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        ...

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The number in the answers to `requests`, in their order."""
        ...

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks at the first few masks' answers before the rest is paid for.

        Raises:
            ScoreError: the answers do not hold what the score reads.
        """
        ...


@runtime_checkable
class Labelled(Protocol):
    """A score that looks for labels in an answer, and can say which of them it found."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The words that it looks for."""
        ...

    def found(self, completions: Sequence[Completion]) -> tuple[str, ...]:
        """The labels whose probability the answers to `requests` tell, in their order."""
        ...


@runtime_checkable
class Opening(Protocol):
    """A score that must know the answer to the whole prompt, or the like, before it can be asked.

    What it opens with goes through the same policies as all else, so a replay finds it on disk.
    """

    def opening(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What to ask first, under the whole prompt; empty where nothing is.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        ...

    def opened(self, completions: Sequence[Completion | None], capabilities: Capabilities) -> Score:
        """The score that knows what was answered: it asks for nothing more, or opens again.

        Args:
            completions: the answers to `opening`, in its order; None for one that was refused.
            capabilities: of the endpoint.

        Raises:
            ScoreError: the answers do not hold what the score needs.
        """
        ...


@runtime_checkable
class Seconded(Protocol):
    """A score that asks a second model about the first one's answers.

    `value` and `check` are given the first one's completions with the second's behind them.
    """

    @property
    def second_model(self) -> str:
        """The second model's name, as `explain` takes it; "" for the first one again."""
        ...

    def second_requests(
        self, completions: Sequence[Completion], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What to ask the second model, given the first one's answers and its own capabilities."""
        ...
