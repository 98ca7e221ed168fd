"""The user's own number of an answer.

What this module does not know: what the number is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from spex_api.completions import WITHHELD
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.draws import given
from spex_api.scores.matching import excerpt, qualified_name
from spex_api.scores.replies import ask_for_answers, mean_of
from spex_api.scores.settings import check_counts, check_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spex_api.completions import Capabilities, Completion, CompletionRequest, Message
    from spex_api.scores.score import Scored

__all__ = ["Function"]

_MAX_TOKENS: Final = 256
_MOST_CENSORED: Final = 0.5


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Function:
    """What a function says of the answer's text; of several samples the mean, with its variance.

    The function is called with the text, or with the whole `Completion` where it needs log-probs,
    and returns a float; None or NaN where the answer has no number. It must be pure: the same
    answer is read again whenever the explanation is made again, from disk. Answers that were
    withheld are not shown to it, and a mask with no number at all has no value.

    Attributes:
        function: from an answer to its number.
        samples: how many answers are averaged; 1 takes the likeliest.
        max_tokens: how long an answer may be.
        meaning: what the number is, and in which unit; by default the function's name.
        needs_logprobs: whether the function is shown the completion, with log-probs, in place of
            the text.
        max_censored: the share of masks without a value above which a run is an error.
    """

    function: Callable[[Any], float | None]
    samples: int
    max_tokens: int
    meaning: str
    needs_logprobs: bool
    max_censored: float

    def __init__(
        self,
        function: Callable[[Any], float | None],
        *,
        samples: int = 1,
        max_tokens: int = _MAX_TOKENS,
        meaning: str | None = None,
        needs_logprobs: bool = False,
        max_censored: float = _MOST_CENSORED,
    ) -> None:
        """Names the function.

        Raises:
            UsageError: it cannot be called, a count is below 1, or a share is none.
        """
        if not callable(function):
            raise UsageError(f"A score's function is one of an answer's text, not {function!r}.")
        check_counts(samples=samples, max_tokens=max_tokens)
        check_share(max_censored)
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "max_tokens", max_tokens)
        object.__setattr__(self, "meaning", meaning or _named(function, samples))
        object.__setattr__(self, "needs_logprobs", needs_logprobs)
        object.__setattr__(self, "max_censored", max_censored)

    def __repr__(self) -> str:
        said = [qualified_name(self.function)]
        if self.samples != 1:
            said.append(f"samples={self.samples!r}")
        if self.max_tokens != _MAX_TOKENS:
            said.append(f"max_tokens={self.max_tokens!r}")
        if self.meaning != _named(self.function, self.samples):
            said.append(f"meaning={self.meaning!r}")
        if self.needs_logprobs:
            said.append("needs_logprobs=True")
        if self.max_censored != _MOST_CENSORED:
            said.append(f"max_censored={self.max_censored!r}")
        return f"Function({', '.join(said)})"

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """The answer, or so many samples of it; with as long lists as there are, where needed.

        Raises:
            ScoreError: the function needs log-probs, and the endpoint gives none.
        """
        if self.needs_logprobs and capabilities.top_logprobs < 1:
            raise ScoreError(
                f"{qualified_name(self.function)} needs log-probs, and this endpoint gives none.",
                advice="Use an endpoint that gives them, or a function of the text alone.",
            )
        # Of several answers to one question, only the first comes with its log-probs.
        asked = ask_for_answers(
            messages,
            capabilities,
            samples=self.samples,
            max_tokens=self.max_tokens,
            apart=self.needs_logprobs,
        )
        if not self.needs_logprobs:
            return asked
        return tuple(replace(each, top_logprobs=capabilities.top_logprobs) for each in asked)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The mean of what the function says; NaN where it says nothing.

        Raises:
            ScoreError: the function failed, or returned what is no number.
        """
        said = (self._number(shown) for shown in self._shown(completions))
        return mean_of([number for number in said if number is not None])

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Calls the function on the first answers.

        Raises:
            ScoreError: it failed, or found no number in any of them.
        """
        if any(self.value(each).known for each in answers):
            return
        texts = [text for answer in answers for text in given(answer)]
        raise ScoreError(
            f"{qualified_name(self.function)} found no number in any of the first {len(answers)} "
            f"masks' answers. The first is {excerpt(texts[0]) if texts else 'withheld'}.",
            advice="Let answers be longer (max_tokens), or have a look at the function.",
        )

    def _shown(self, completions: Sequence[Completion]) -> Iterable[str | Completion]:
        if self.needs_logprobs:
            return [each for each in completions if each.outcome not in WITHHELD]
        return given(completions)

    def _number(self, shown: str | Completion) -> float | None:
        """What the function says of one answer; None for nothing.

        Raises:
            ScoreError: it failed, or returned what is no number.
        """
        text = shown if isinstance(shown, str) else shown.text
        try:
            number: object = self.function(shown)
        except Exception as error:
            raise ScoreError(
                f"{qualified_name(self.function)} failed on the answer {excerpt(text)}: "
                f"{type(error).__name__}: {error}."
            ) from error
        if number is None:
            return None
        if isinstance(number, bool) or not isinstance(number, int | float) or math.isinf(number):
            raise ScoreError(
                f"{qualified_name(self.function)} returned {number!r} for the answer "
                f"{excerpt(text)}, which is no finite float.",
                advice="Return a float, or None where an answer has no number.",
            )
        return None if math.isnan(number) else float(number)


def _named(function: object, samples: int) -> str:
    of = "the answer" if samples == 1 else f"{samples} sampled answers"
    return f"{qualified_name(function)} of {of}"
