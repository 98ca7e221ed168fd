"""The score that an endpoint and its answer to the whole prompt allow for, and why.

What this module does not know: how any of them reads a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from spex_api.completions import WITHHELD, CompletionRequest, Outcome
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.chosen import Chosen, choose
from spex_api.scores.frequency import LabelFrequency
from spex_api.scores.label import LabelLogOdds
from spex_api.scores.next_token import is_told
from spex_api.scores.settings import check_counts, check_share
from spex_api.scores.similarity import Similarity
from spex_api.scores.target import TargetLogProb
from spex_api.scores.token_spelling import without_end
from spex_api.scores.unopened import Unopened

if TYPE_CHECKING:
    from spex_api.completions import Capabilities, Completion, Message
    from spex_api.scores.score import Score

__all__ = ["Auto", "as_score"]

_MAX_TOKENS: Final = 32
_MOST_CENSORED: Final = 0.5

_FEW: Final = 3
"""In an answer of so few tokens the first one says most of it: "Positive", "."."""


@dataclass(frozen=True, slots=True)
class Auto(Unopened):
    """The best of the other scores, by what the endpoint gives and answers.

    With labels it is their log-odds where log-probs show them, and their frequency among sampled
    answers where they do not. Without labels it is the log-prob of the model's own answer, where
    that is short and its log-prob can be had, and the similarity to it elsewhere. What it chose and
    why is the `reason` of the score that `opened` returns, and stands in its `repr`.

    Log-probs count as given where the whole prompt's answer has them, not where they are promised:
    so the question is asked with them and without, and a refusal of the first is an answer too.

    Attributes:
        labels: the words that are looked for, the first against the others; () for none.
        max_tokens: how long an answer is short.
        max_censored: the share of bounds or missing values above which a run is an error.
    """

    missing: ClassVar[str] = "no score is chosen"

    labels: tuple[str, ...] = ()
    max_tokens: int = _MAX_TOKENS
    max_censored: float = _MOST_CENSORED

    def __post_init__(self) -> None:
        named: object = self.labels
        if isinstance(named, str) or not isinstance(named, Iterable):
            raise UsageError(f"Labels are a list of texts, not {named!r}.")
        object.__setattr__(self, "labels", tuple(self.labels))
        check_counts(max_tokens=self.max_tokens)
        check_share(self.max_censored)
        if self.labels:
            # What no score could look for is told at once.
            LabelFrequency(*self.labels)

    def __repr__(self) -> str:
        said = [repr(self.labels)] if self.labels else []
        if self.max_tokens != _MAX_TOKENS:
            said.append(f"max_tokens={self.max_tokens!r}")
        if self.max_censored != _MOST_CENSORED:
            said.append(f"max_censored={self.max_censored!r}")
        return f"Auto({', '.join(said)})"

    @property
    def meaning(self) -> str:
        """What the value is, as far as that is known."""
        if self.labels:
            return f"how likely the answer {self.labels[0]!r} is"
        return "how likely, or how near, the answer to the whole prompt is"

    @property
    def reason(self) -> str:
        """Nothing was chosen yet."""
        return "The endpoint was not asked yet, so no score is chosen."

    def opening(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """The whole prompt, with log-probs where they are promised, and without."""
        plain = CompletionRequest(messages)
        longest = capabilities.top_logprobs
        # What the score that is likely to be chosen asks itself: it is on disk then.
        if self.labels:
            return (
                (CompletionRequest(messages, top_logprobs=longest), plain) if longest else (plain,)
            )
        if not (longest or capabilities.ways):
            return (plain,)
        shown = min(1, longest)
        return (CompletionRequest(messages, self.max_tokens, top_logprobs=shown), plain)

    def opened(
        self, completions: Sequence[Completion | None], capabilities: Capabilities
    ) -> Chosen:
        """The score that was chosen; it may have more to ask.

        Raises:
            ScoreError: the whole prompt got no answer.
        """
        given = [each for each in completions if each is not None]
        if all(each.outcome in WITHHELD for each in given):
            raise ScoreError(
                "The whole prompt got no answer: the model declined, or a filter took it away, so "
                "there is nothing to choose a score by.",
                advice="Change what is asked, or count refusals: "
                "LabelFrequency(match=spex_api.scores.Refusal()).",
            )
        answer = completions[0]
        untold = _why_untold(answer, capabilities)
        if self.labels:
            return choose(*self._of_labels(answer, untold))
        if capabilities.ways and capabilities.top_logprobs < 1:
            untold = ""  # it tells those of a given text alone
        return choose(*self._of_answer(answer, untold, capabilities))

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What a mask may take, to plan with, if the endpoint keeps its promises.

        Raises:
            ScoreError: no score could ask this endpoint.
        """
        if self.labels:
            score, _ = self._of_labels(None, "" if capabilities.top_logprobs else "none")
        elif capabilities.top_logprobs or capabilities.ways:
            score = TargetLogProb(max_tokens=self.max_tokens)
        else:
            score = Similarity()
        return score.requests(messages, capabilities)

    def _of_labels(self, answer: Completion | None, untold: str) -> tuple[Score, str]:
        """The score of these labels, and why it is that one.

        Args:
            answer: to the whole prompt, with log-probs; None where there is none.
            untold: why there are none; "" where there are.
        """
        named = ", ".join(map(repr, self.labels))
        counted = LabelFrequency(*self.labels, max_censored=self.max_censored)
        share = f"How often sampled answers are {self.labels[0]!r} is counted"
        if untold:
            return counted, f"{share}, since {untold}."
        if len(self.labels) < 2:
            return counted, f"{share}, since log-odds compare two labels, and one is given."
        long = next((label for label in self.labels if len(label.split()) > 1), None)
        if long is not None:
            return counted, (
                f"{share}, since the label {long!r} is several words, which no first token shows."
            )
        read = LabelLogOdds(*self.labels, max_censored=self.max_censored)
        if answer is not None and not read.found([answer]):
            return counted, (
                f"{share}, since none of {named} is among the likeliest first tokens of the answer "
                "to the whole prompt."
            )
        return read, (
            "The log-odds of the labels are read in the first token's log-probs, since the "
            "endpoint gives them: one short question a mask, and no sampling noise."
        )

    def _of_answer(
        self, answer: Completion | None, untold: str, capabilities: Capabilities
    ) -> tuple[Score, str]:
        """The score of the model's own answer, and why it is that one.

        Raises:
            ScoreError: the answer is empty.
        """
        near = Similarity(max_censored=self.max_censored)
        compared = "Answers are compared to the answer to the whole prompt"
        if untold or answer is None:
            return near, f"{compared}, since {untold}."
        if answer.outcome is Outcome.TRUNCATED:
            return near, (
                f"{compared}, since that is longer than {self.max_tokens} tokens, and the log-prob "
                "of a long text hangs on its wording."
            )
        length = len(without_end(answer.tokens, answer.text))
        counted = f" ({length} token{'s' if length != 1 else ''})" if length else ""
        if not capabilities.ways and length > _FEW:
            return near, (
                f"{compared}, since that has {length} tokens, and this endpoint would tell the "
                "log-prob of the first alone."
            )
        target = TargetLogProb(max_tokens=self.max_tokens, max_censored=self.max_censored)
        # It would ask the same question of the whole prompt, so it is given the answer.
        return target.opened([answer], capabilities), (
            f"The log-prob of the answer to the whole prompt is read, since it is short{counted} "
            "and the endpoint gives log-probs."
        )


def as_score(score: Score | str | Sequence[str]) -> Score:
    """The score that is meant: "auto", labels to choose one for, or a score itself.

    Raises:
        UsageError: it is none of these.
    """
    if isinstance(score, str):
        if score == "auto":
            return Auto()
        raise UsageError(
            f"No score is called {score!r}.",
            advice='Give a score, "auto", or a list of labels such as ["yes", "no"].',
        )
    if isinstance(score, Sequence):
        if not score or not all(isinstance(label, str) for label in score):
            raise UsageError(
                f"A score is chosen for labels, which are texts; {score!r} are none.",
                advice='For instance ["yes", "no"].',
            )
        return Auto(tuple(score))
    if isinstance(score, type) or not all(
        hasattr(score, name) for name in ("requests", "value", "check", "meaning", "max_censored")
    ):
        raise UsageError(
            f"{score!r} is no score.",
            advice='Give one such as LabelLogOdds("yes", "no"), "auto", or a list of labels.',
        )
    return score


def _why_untold(answer: Completion | None, capabilities: Capabilities) -> str:
    """Why the answer to the whole prompt tells no log-probs; "" where it does."""
    if capabilities.top_logprobs < 1:
        return "this endpoint gives no log-probs"
    if answer is None:
        return "the endpoint refuses to give log-probs"
    told = [token.logprob for token in answer.tokens if is_told(token.logprob)]
    if not told:
        return "the endpoint answered without log-probs"
    if len(told) > 1 and not any(told):
        return "the endpoint told 0 for every log-prob, which is none"
    return ""
