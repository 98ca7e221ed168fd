"""A second model is asked about the answers of the first, where a score wants that.

Its answers stand behind the first one's, and are counted apart, since they have a price of their
own. What this module does not know: what a score asks, and how a model is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.completions import Completion
from spex_api.scores import Seconded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import CompletionRequest
    from spex_api.querying.adapter import Adapter
    from spex_api.scores import Score

__all__ = ["MaskAnswers", "num_requests", "second_questions"]


@dataclass(frozen=True, slots=True)
class MaskAnswers:
    """The answers under one mask.

    Attributes:
        first: of the model that is explained.
        second: of the second model, where a score asks one.
    """

    first: tuple[Completion, ...]
    second: tuple[Completion, ...] = ()

    @property
    def together(self) -> tuple[Completion, ...]:
        """As a score reads them."""
        return self.first + self.second


def second_questions(
    score: Score, second: Adapter | None, completions: Sequence[Completion]
) -> tuple[CompletionRequest, ...]:
    """What the second model is asked about these answers; nothing where there is none.

    Raises:
        ScoreError: the second model cannot give what the score reads.
    """
    if second is None or not isinstance(score, Seconded):
        return ()
    return score.second_requests(completions, second.capabilities)


def num_requests(
    score: Score, second: Adapter | None, question: Sequence[CompletionRequest]
) -> int:
    """How many requests one mask takes, those to the second model among them.

    Raises:
        ScoreError: the second model cannot give what the score reads.
    """
    # How many there are does not depend on what was answered, and an empty answer is one.
    answers = tuple(Completion("") for _ in question)
    return len(question) + len(second_questions(score, second, answers))
