"""The number that an answer gives on a scale: expected, where log-probs tell, or averaged.

What this module does not know: what the number measures; the prompt asks for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.completions import CompletionRequest
from spex_api.errors import ScoreError
from spex_api.scores.draws import draws_of, given
from spex_api.scores.expectation import can_be_expected, expectation, longest_number
from spex_api.scores.frequency import SAMPLES
from spex_api.scores.matching import excerpt
from spex_api.scores.replies import ask_for_answers, mean_of
from spex_api.scores.scale import Scale
from spex_api.scores.settings import check_counts, check_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion, Message
    from spex_api.scores.score import Scored

__all__ = ["Numeric"]

_MAX_TOKENS: Final = 16
_MOST_CENSORED: Final = 0.5


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Numeric:
    """The number from low to high that the model answers with.

    Where the endpoint gives log-probs and the scale is one of whole numbers from 0 on, it is the
    expectation `Σ s p(s)/Σ p(s)` over the numbers that the first token may be (G-Eval, Liu et al.
    2023, arXiv:2303.16634), from one answer, without sampling noise; where the list leaves too much
    open it is marked as a bound (`expectation` says how wide). Elsewhere, or where `samples` is
    given, it is the mean of so many answers' numbers, with its variance. An answer without a number
    on the scale counts for nothing, and a mask with no other has no value: never 0.

    A scale whose ends are written 0.0 and 1.0 holds all numbers between, and is always averaged. On
    vocabularies that spell "10" as "1", "0", scales of one digit are read best: 1 to 5, or 0 to 9.

    Attributes:
        scale: the numbers from low to high.
        samples: how many answers are averaged; None for the expectation where it can be had, and
            for ten where it cannot. 1 takes the number of the likeliest answer.
        max_tokens: how long an answer may be, where its text is read.
        max_censored: the share of masks with a bound or without a value above which a run is an
            error.
    """

    scale: Scale
    samples: int | None
    max_tokens: int
    max_censored: float

    def __init__(
        self,
        low: float,
        high: float,
        *,
        samples: int | None = None,
        max_tokens: int = _MAX_TOKENS,
        max_censored: float = _MOST_CENSORED,
    ) -> None:
        """Names the scale.

        Raises:
            UsageError: the ends are no numbers, or not in order; a count is below 1, or a share
                is none.
        """
        check_counts(samples=1 if samples is None else samples, max_tokens=max_tokens)
        check_share(max_censored)
        object.__setattr__(self, "scale", Scale(low, high))
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "max_tokens", max_tokens)
        object.__setattr__(self, "max_censored", max_censored)

    def __repr__(self) -> str:
        said = [repr(self.scale.low), repr(self.scale.high)]
        if self.samples is not None:
            said.append(f"samples={self.samples!r}")
        if self.max_tokens != _MAX_TOKENS:
            said.append(f"max_tokens={self.max_tokens!r}")
        if self.max_censored != _MOST_CENSORED:
            said.append(f"max_censored={self.max_censored!r}")
        return f"Numeric({', '.join(said)})"

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        on = f"on the scale from {self.scale}"
        if self.samples is None:
            return f"expected number in the answer, {on}"
        if self.samples == 1:
            return f"number in the answer, {on}"
        return f"mean number in {self.samples} sampled answers, {on}"

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """One answer with as long a list as there is; or so many answers, to be read as texts."""
        if self._expects(capabilities):
            return (
                CompletionRequest(
                    messages,
                    longest_number(self.scale),
                    top_logprobs=capabilities.top_logprobs,
                ),
            )
        count = SAMPLES if self.samples is None else self.samples
        return ask_for_answers(messages, capabilities, samples=count, max_tokens=self.max_tokens)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The number; NaN where the answers give none."""
        if self._expected(completions):
            tokens = completions[0].tokens if given(completions) else ()
            return expectation(tokens, self.scale)
        return mean_of(self.numbers(completions), step=self.scale.step)

    def numbers(self, completions: Sequence[Completion]) -> list[float]:
        """The numbers in the answers' texts, without those that give none."""
        found = map(self.scale.number_in, given(completions))
        return [number for number in found if number is not None]

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks for numbers in the first answers.

        Raises:
            ScoreError: there are no log-probs where the expectation is read, or more than
                `max_censored` of the masks have no number.
        """
        silent = [each for each in answers if not math.isfinite(self.value(each).value)]
        if not silent or len(silent) <= min(self.max_censored * len(answers), len(answers) - 1):
            return
        first = silent[0][0]
        if self._expected(silent[0]) and not first.tokens:
            raise ScoreError(
                f"{first.model or 'The endpoint'} answered without log-probs, and the expected "
                "number is made of them.",
                advice=f"Read sampled answers: samples={SAMPLES}.",
            )
        raise ScoreError(
            f"Of the first {len(answers)} masks, {len(silent)} have no number from {self.scale} in "
            f"the answer; {self.max_censored:.0%} is allowed. One is {excerpt(first.text)}.",
            advice="Ask in the prompt for one number on this scale and nothing else, let answers "
            "be longer (max_tokens), or read sampled answers (samples). Where decimals are meant, "
            f"write the scale as {float(self.scale.low)} to {float(self.scale.high)}.",
        )

    def _expected(self, completions: Sequence[Completion]) -> bool:
        """Whether these are what was asked for the expectation: a single answer."""
        return self.samples is None and len(draws_of(completions)) == 1

    def _expects(self, capabilities: Capabilities) -> bool:
        return (
            self.samples is None and can_be_expected(self.scale) and capabilities.top_logprobs > 0
        )
