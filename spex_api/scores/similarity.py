"""How near an answer is to the answer to the whole prompt, or to a given text.

What this module does not know: what the texts mean; an embedding model may.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.completions import WITHHELD, Ask, CompletionRequest, Message
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.chrf import chrf
from spex_api.scores.draws import SAMPLED, given
from spex_api.scores.matching import excerpt
from spex_api.scores.replies import ask_for_answers, mean_of
from spex_api.scores.score import Scored
from spex_api.scores.settings import check_counts, check_share, check_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion

__all__ = ["Similarity"]

_MAX_TOKENS: Final = 256
_MOST_CENSORED: Final = 0.5
_SHOWN: Final = 80

_APART: Final = 1_000_000
"""Number of the sample that others are compared to: no mask's own, and no repeat's."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Similarity:
    """How near the answer is to the model's own answer to the whole prompt, or to a given text.

    Without a second model it is lexical: chrF2, from 0 to 1, by the runs of characters that both
    have (Popović 2015; `chrf` has the formula), in any script. With one, it is the cosine of the
    angle between the two texts' embeddings by that model (Salton, Wong and Yang 1975), from −1 to
    1; an empty answer is then near nothing, and has 0.

    Of several sampled answers it is the mean, with its variance. Answers that were withheld count
    for nothing, and a mask with no other has no value. The answer to the whole prompt is asked
    first; where an endpoint takes no temperature it is one sample of it, drawn for this alone.

    Attributes:
        to: the text that answers are compared to; None for the answer to the whole prompt.
        model: the embedding model's name, as `explain` takes it; "" for the endpoint itself, where
            it gives embeddings; None compares characters.
        samples: how many answers are averaged; 1 takes the likeliest.
        max_tokens: how long an answer may be, that to the whole prompt too.
        max_censored: the share of masks without a value above which a run is an error.
    """

    to: str | None
    model: str | None
    samples: int
    max_tokens: int
    max_censored: float

    def __init__(
        self,
        to: str | None = None,
        *,
        model: str | None = None,
        samples: int = 1,
        max_tokens: int = _MAX_TOKENS,
        max_censored: float = _MOST_CENSORED,
    ) -> None:
        """Names what answers are compared to, and how.

        Raises:
            UsageError: a text is none or empty, a count is below 1, or a share is none.
        """
        check_texts(to="" if to is None else to, model="" if model is None else model)
        if to is not None and not to.strip():
            raise UsageError(
                "Nothing is near an empty text.",
                advice="Leave it out, to compare to the answer to the whole prompt.",
            )
        check_counts(samples=samples, max_tokens=max_tokens)
        check_share(max_censored)
        object.__setattr__(self, "to", to)
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "max_tokens", max_tokens)
        object.__setattr__(self, "max_censored", max_censored)

    def __repr__(self) -> str:
        said = [] if self.to is None else [repr(self.to)]
        if self.model is not None:
            said.append(f"model={self.model!r}")
        if self.samples != 1:
            said.append(f"samples={self.samples!r}")
        if self.max_tokens != _MAX_TOKENS:
            said.append(f"max_tokens={self.max_tokens!r}")
        if self.max_censored != _MOST_CENSORED:
            said.append(f"max_censored={self.max_censored!r}")
        return f"Similarity({', '.join(said)})"

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        to = "the answer to the whole prompt" if self.to is None else excerpt(self.to, _SHOWN)
        of = "the answer" if self.samples == 1 else f"{self.samples} sampled answers"
        if self.model is None:
            return f"similarity of {of} to {to}, as chrF2 from 0 to 1"
        by = self.model or "the endpoint itself"
        return f"similarity of {of} to {to}, as the cosine of embeddings by {by}"

    @property
    def second_model(self) -> str:
        """The embedding model, where there is one."""
        return self.model or ""

    def opening(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """The whole prompt, for its answer, where no text is given."""
        if self.to is not None:
            return ()
        if capabilities.temperature:
            return (CompletionRequest(messages, self.max_tokens),)
        # Compared to itself, a sample would be nearer than any other of the same prompt.
        return (CompletionRequest(messages, self.max_tokens, SAMPLED, sample_index=_APART),)

    def opened(
        self,
        completions: Sequence[Completion | None],
        capabilities: Capabilities,  # noqa: ARG002 - any endpoint answers
    ) -> Similarity:
        """The score that knows the text.

        Raises:
            ScoreError: there is no answer to the whole prompt, or it is empty.
        """
        answer = completions[0]
        if answer is None or answer.outcome in WITHHELD:
            raise ScoreError(
                "The whole prompt got no answer: the model declined, or a filter took it away, so "
                "there is none that others could be near to.",
                advice="Give a text to compare to, or change what is asked.",
            )
        if not answer.text.strip():
            raise ScoreError(
                "The answer to the whole prompt is empty, and nothing is near an empty text.",
                advice="Give a text to compare to, or raise max_tokens: a reasoning model may have "
                "spent them all before it answers.",
            )
        return Similarity(
            answer.text,
            model=self.model,
            samples=self.samples,
            max_tokens=self.max_tokens,
            max_censored=self.max_censored,
        )

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """The answer, or so many samples of it."""
        return ask_for_answers(
            messages, capabilities, samples=self.samples, max_tokens=self.max_tokens
        )

    def second_requests(
        self, completions: Sequence[Completion], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """The embeddings of the text and of the answers, in one question; equal answers once.

        Raises:
            ScoreError: the second model gives no embeddings.
        """
        if self.model is None:
            return ()
        if not capabilities.embeds:
            raise ScoreError(
                f"{self.model or 'The endpoint'} gives no embeddings.",
                advice="Name an embedding model, or leave the model out to compare characters.",
            )
        texts = given(completions)
        if not texts or self.to is None:
            return ()
        asked = [Message("user", text) for text in (self.to, *_different(texts))]
        return (CompletionRequest(tuple(asked), ask=Ask.VECTORS),)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The similarity; NaN where every answer was withheld, or there is no embedding.

        Raises:
            ScoreError: the score was not opened.
        """
        if self.to is None:
            raise ScoreError(
                f"{self!r} was not opened: what it compares to is not known.",
                advice="Ask what `opening` asks, and use the score that `opened` returns.",
            )
        if self.model is None:
            return mean_of([chrf(text, self.to) for text in given(completions)])
        *answers, last = completions
        texts = given(answers)
        different = _different(texts)
        if not texts or len(last.vectors) != 1 + len(different):
            return Scored(math.nan)
        whole, *others = last.vectors
        near = dict(zip(different, (_cosine(whole, other) for other in others), strict=True))
        return mean_of([near.get(text, 0.0) for text in texts])

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks for a similarity in at least one answer.

        Raises:
            ScoreError: there is none.
        """
        if any(self.value(each).known for each in answers):
            return
        if self.model is not None and any(given(each[:-1]) for each in answers):
            raise ScoreError(
                f"{self.model or 'The endpoint'} gave no embeddings of the first {len(answers)} "
                "answers, or not one for each text.",
                advice="Name an embedding model, or leave the model out to compare characters.",
            )
        raise ScoreError(
            f"Each of the first {len(answers)} answers was declined by the model or taken away by "
            "a filter.",
            advice="Change what is asked, or ask another model.",
        )


def _different(texts: Sequence[str]) -> list[str]:
    """The texts that can be embedded, each once: endpoints refuse empty ones."""
    return [text for text in dict.fromkeys(texts) if text.strip()]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """NaN where a vector is zero, or they differ in length."""
    norm = math.hypot(*one) * math.hypot(*other)
    if len(one) != len(other) or not norm:
        return math.nan
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / norm
