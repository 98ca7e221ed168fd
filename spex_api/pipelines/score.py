"""What is read in a pipeline's answer, and what can be said of it in a clause.

A pipeline gives texts and calls of tools, and no log-probs; each answer takes a run, so a hit is
told from one. What this module does not know: the pipeline, and what brings an outcome about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spex_api.completions import CompletionRequest, Outcome
from spex_api.errors import ScoreError, UsageError
from spex_api.pipelines.adapter import FAILED
from spex_api.scores import (
    Auto,
    Function,
    JsonField,
    Judge,
    LabelFrequency,
    LabelLogOdds,
    Matcher,
    Numeric,
    Opening,
    Pattern,
    Refusal,
    Says,
    Scored,
    Seconded,
    Similarity,
    TargetLogProb,
    ToolCalled,
    Words,
    as_score,
)
from spex_api.scores.draws import draws_of
from spex_api.scores.matching import judged

if TYPE_CHECKING:
    from spex_api.completions import Capabilities, Completion, Message
    from spex_api.scores import Score

__all__ = ["Hit", "OfRuns", "pipeline_score", "said"]

_MOST_WITHOUT: Final = 0.5


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """1 where the answer is a hit, else 0; none where it is neither.

    Attributes:
        matcher: tells hits.
        max_censored: the share of runs without a value above which the result is void.
    """

    matcher: Matcher
    max_censored: float = _MOST_WITHOUT

    def __repr__(self) -> str:
        return repr(self.matcher)

    @property
    def meaning(self) -> str:
        """What the value is."""
        return f"1 where {said(self.matcher)[0]}, else 0"

    def requests(
        self,
        messages: tuple[Message, ...],
        capabilities: Capabilities,  # noqa: ARG002 - as a score's
    ) -> tuple[CompletionRequest, ...]:
        """One run."""
        return (CompletionRequest(messages),)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """Whether it hits, as a number.

        Raises:
            ScoreError: the matcher failed.
        """
        hit = judged(self.matcher, draws_of(completions)[0])
        return Scored(math.nan if hit is None else float(hit))

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Lets the matcher look at the first answers; that none hits is an answer too.

        Raises:
            ScoreError: the matcher failed.
        """
        for completions in answers:
            self.value(completions)


@dataclass(frozen=True, slots=True, repr=False)
class OfRuns:
    """A score of answers of which some are exceptions: these have no value.

    Attributes:
        score: reads the others.
    """

    score: Score

    def __repr__(self) -> str:
        return repr(self.score)

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        return self.score.meaning

    @property
    def max_censored(self) -> float:
        """The largest share of runs that may have no value."""
        return self.score.max_censored

    @property
    def second_model(self) -> str:
        """The score's second model, where it has one."""
        return self.score.second_model if isinstance(self.score, Seconded) else ""

    def opening(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What the score must know first, where it must know anything.

        Raises:
            ScoreError: a pipeline cannot give what the score reads.
        """
        if not isinstance(self.score, Opening):
            return ()
        return self.score.opening(messages, capabilities)

    def opened(
        self, completions: Sequence[Completion | None], capabilities: Capabilities
    ) -> OfRuns:
        """The score that knows it.

        Raises:
            ScoreError: the answers do not hold what the score needs.
        """
        if not isinstance(self.score, Opening):
            return self
        return OfRuns(self.score.opened(completions, capabilities))

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """A run, or so many as the score wants.

        Raises:
            ScoreError: a pipeline cannot give what the score reads.
        """
        return self.score.requests(messages, capabilities)

    def second_requests(
        self, completions: Sequence[Completion], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What the score asks its second model about the runs that gave an answer."""
        if not isinstance(self.score, Seconded) or _failed(completions):
            return ()
        return self.score.second_requests(_read(completions), capabilities)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The number in the answers that were given; NaN where none was."""
        if _failed(completions):
            return Scored(math.nan)
        return self.score.value(_read(completions))

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks at the first runs before the rest is made.

        Raises:
            ScoreError: too many gave no answer, or the answers do not hold what the score reads.
        """
        failed = [each for each in answers if _failed(each)]
        if len(failed) > self.max_censored * len(answers):
            raise ScoreError(
                f"Of the first {len(answers)} masks, {len(failed)} let the pipeline end in an "
                f"exception and have no value; {self.max_censored:.0%} is allowed. The first is "
                f"{failed[0][0].text}.",
                advice="Let it answer also where parts of its input are missing, or vary others.",
            )
        self.score.check([_read(each) for each in answers if not _failed(each)])


def pipeline_score(wanted: Score | Matcher | str | Sequence[str]) -> OfRuns:
    """The score that is meant, as it reads a pipeline's answers.

    Args:
        wanted: a text that the answer says, a matcher, labels, "auto", or a score.

    Raises:
        UsageError: it is none of these, or reads what no pipeline gives.
    """
    return OfRuns(_score(wanted))


def said(matcher: Matcher) -> tuple[str, str]:
    """That an answer is a hit, and that it is none, each as a clause."""
    match matcher:
        case Says(text):
            yes, no = f"says {text!r}", f"does not say {text!r}"
        case Words(labels) if len(labels) > 1:
            others = " or ".join(map(repr, labels[1:]))
            yes, no = f"is {labels[0]!r} rather than {others}", f"is not {labels[0]!r}"
        case Words(labels):
            yes, no = f"says {labels[0]!r}", f"does not say {labels[0]!r}"
        case Pattern(regex):
            yes, no = f"matches /{regex}/", f"does not match /{regex}/"
        case ToolCalled():
            yes, no = f"has {matcher.label}", f"has no {matcher.label.removeprefix('a ')}"
        case JsonField():
            yes, no = f"has {matcher.label}", f"does not have {matcher.label}"
        case Refusal():
            yes, no = "is a refusal", "is no refusal"
        case _:
            what = matcher.label
            yes, no = f"is a hit ({what})", f"is no hit ({what})"
    return f"the answer {yes}", f"the answer {no}"


def _score(wanted: Score | Matcher | str | Sequence[str]) -> Score:
    matcher = _matcher(wanted)
    if matcher is not None:
        return Hit(matcher)
    if wanted == "auto" or isinstance(wanted, Auto):
        return Similarity()
    score = as_score(wanted)  # type: ignore[arg-type]  # it says what is wrong with anything else
    reads_logprobs = isinstance(score, LabelLogOdds | TargetLogProb) or (
        isinstance(score, Function) and score.needs_logprobs
    )
    if reads_logprobs:
        raise UsageError(
            f"{score!r} reads log-probs, and a pipeline's answer has none.",
            cost="Nothing was asked.",
            advice='Give what the answer says, as score="25 days", labels, or a score of texts.',
        )
    if isinstance(score, Judge | Similarity) and score.model == "":
        raise UsageError(
            f"{score!r} asks the model itself, and a pipeline is none.",
            cost="Nothing was asked.",
            advice="Name the model that is to be asked about the answers.",
        )
    if isinstance(score, Numeric) and score.samples is None:
        ends = score.scale
        return Numeric(ends.low, ends.high, samples=1, max_censored=score.max_censored)
    return score


def _matcher(wanted: object) -> Matcher | None:
    """What tells hits, where one answer is one or is none."""
    if isinstance(wanted, str):
        return None if wanted == "auto" else Says(wanted)
    if isinstance(wanted, Matcher):
        return wanted
    if isinstance(wanted, LabelFrequency):
        return wanted.match or Words(*wanted.labels)
    labels = wanted.labels if isinstance(wanted, Auto) else wanted
    if isinstance(labels, Sequence) and labels and all(isinstance(each, str) for each in labels):
        return Words(*labels)
    return None


def _failed(completions: Sequence[Completion]) -> bool:
    """Whether all of them are exceptions."""
    return all(each.finish_reason == FAILED for each in completions)


def _read(completions: Sequence[Completion]) -> tuple[Completion, ...]:
    """The answers, and for each exception one that was not given."""
    return tuple(
        replace(each, text="", outcome=Outcome.FILTERED) if each.finish_reason == FAILED else each
        for each in completions
    )
