"""The log-prob of a text whose tokens and way are settled: what to ask, and the number in it.

What this module does not know: where the text came from, and why this way was chosen.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spex_api.completions import CompletionRequest, Message, Target, Way
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.next_token import CENSORED_VARIANCE
from spex_api.scores.score import Scored
from spex_api.scores.target_reading import (
    Reading,
    Unread,
    read_first,
    read_forced,
    read_prompt,
    read_steps,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion
    from spex_api.scores.token_spelling import SpeltText

__all__ = ["ForcedTarget"]

_FEW: Final = 2
"""Two listed tokens show a probe whether the temperature changes the log-probs; none is read."""
_SHOWN: Final = 80
_ADVICE: Final = (
    'Name another way of asking (way="steps" takes one question a token), give a target that is '
    "one token, or use a sampled score."
)


@dataclass(frozen=True, slots=True, repr=False)
class ForcedTarget:
    """`log p(text)` as an answer, in nats: the sum over its tokens, or their mean.

    Attributes:
        target: the text, and its tokens as far as they are known.
        way: how it is asked for; None reads the answer's first token alone.
        per_token: whether the sum is divided by the number of tokens.
        max_censored: the share of censored or missing values above which a run is an error.
        note: what else must be known of the value; "" for nothing.
    """

    target: SpeltText
    way: Way | None = None
    per_token: bool = False
    max_censored: float = 0.5
    note: str = ""

    def __post_init__(self) -> None:
        if self.way is not None:
            object.__setattr__(self, "way", Way(self.way))
        if self.way is Way.STEPS and self.target.spelling is None:
            raise UsageError(
                "A text is asked for token by token where its tokens are known; these are not."
            )

    def __repr__(self) -> str:
        way = None if self.way is None else str(self.way)
        return (
            f"ForcedTarget({self.target!r}, way={way!r}, per_token={self.per_token!r}, "
            f"max_censored={self.max_censored!r}, note={self.note!r})"
        )

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        shown = self.target.text
        shown = repr(shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…")
        spelling = self.target.spelling
        kind = "log-prob"
        if self.way is None:
            if spelling is None:
                what = f"the first token's beginning {shown}"
            else:
                what = f"{spelling.pieces[0]!r}"
                what += f", the first token of {shown}" if len(spelling) > 1 else ""
        else:
            kind = "mean log-prob a token" if self.per_token else kind
            what = shown
            if not self.target.whole:
                count = f"{len(spelling)} tokens" if spelling else "part"
                what = f"the first {count} of the answer, {shown}"
        return f"{kind} of {what}, in nats" + (f"; {self.note}" if self.note else "")

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """One question, or one a token where they are asked for step by step.

        Raises:
            ScoreError: the endpoint gives no log-probs.
        """
        spelling = self.target.spelling
        ids = spelling.ids if spelling else ()
        if self.way in (Way.PROMPT_LOGPROBS, Way.ECHO, Way.GRAMMAR):
            forced = Target(self.target.text, self.way, ids)
            if self.way is not Way.GRAMMAR:
                return (CompletionRequest(messages, target=forced),)
            # A grammar that is a text may be spelt in as many tokens as it has bytes.
            longest = len(ids) or len(self.target.text.encode()) + 1
            return (
                CompletionRequest(messages, max_tokens=longest, top_logprobs=_FEW, target=forced),
            )
        if capabilities.top_logprobs < 1 and not (capabilities.exact_tokens and ids):
            raise ScoreError(
                "This endpoint gives no log-probs, and the log-prob of a text is made of them.",
                advice="Use an endpoint that gives them, or a sampled score.",
            )
        begun = [messages]
        if self.way is Way.STEPS and spelling is not None:
            begun += [_begin(messages, spelling.before(end)) for end in range(1, len(spelling))]
        by_number = [(number,) for number in ids] if capabilities.exact_tokens and ids else []
        return tuple(
            CompletionRequest(
                turns,
                top_logprobs=capabilities.top_logprobs,
                exact_tokens=by_number[place] if by_number else (),
            )
            for place, turns in enumerate(begun)
        )

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The log-prob in the answers; NaN where they hold none."""
        reading = self.read(completions)
        if reading.unread is not None:
            return Scored(math.nan)
        count = reading.count if self.per_token else 1
        variance = CENSORED_VARIANCE * reading.bounds / count**2
        return Scored(reading.total / count, variance=variance, censored=reading.bounds > 0)

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks for the target's log-prob in at least one answer, and for numbers but zeros.

        Raises:
            ScoreError: no answer holds it.
        """
        readings = [self.read(each) for each in answers]
        reasons = Counter(reading.unread for reading in readings if reading.unread)
        model = next((each.model for answer in answers for each in answer if each.model), "")
        if reasons.total() < len(readings):
            # A single answer may well be certain; that of a masked prompt to some length is not.
            if len(readings) > 1 and not any(reading.total for reading in readings):
                raise self._unread(model, Unread.ZEROS, len(readings))
            return
        ((reason, count),) = reasons.most_common(1)
        raise self._unread(model, reason, count)

    def read(self, completions: Sequence[Completion]) -> Reading:
        """The log-prob in the answers, or why there is none."""
        spelling = self.target.spelling
        if self.way is Way.GRAMMAR:
            return read_forced(completions[0], self.target)
        if self.way is Way.STEPS and spelling is not None:
            return read_steps(completions, spelling)
        if self.way is None:
            return read_first(completions[0], self.target)
        return read_prompt(completions[0], self.target)

    def _unread(self, model: str, why: Unread, count: int) -> ScoreError:
        answers = "the first answer" if count == 1 else f"{count} of the first answers"
        return ScoreError(
            f"{model or 'The endpoint'} does not tell the log-prob of the target. Of {answers}: "
            f"{why}",
            advice=_ADVICE,
        )


def _begin(messages: tuple[Message, ...], said: str) -> tuple[Message, ...]:
    """The conversation with the assistant's turn begun, or taken further."""
    if not messages or messages[-1].role != "assistant":
        return (*messages, Message("assistant", said))
    *before, last = messages
    blocks = (*last.blocks, said) if last.blocks else ()
    return (*before, replace(last, content=last.content + said, blocks=blocks))
