"""How often sampled answers hit, where an endpoint gives no log-probs.

What this module does not know: which answers hit, and how counts are weighed against each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from spex_api.errors import ScoreError, UsageError
from spex_api.scores.draws import SAMPLED, draws_of, given, sampled
from spex_api.scores.matching import Matcher, Refusal, Words, excerpt, judged
from spex_api.scores.score import Scored
from spex_api.scores.settings import check_counts, check_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion, CompletionRequest, Message

__all__ = ["SAMPLES", "LabelFrequency", "Scale"]

Scale = Literal["log_odds", "probability"]

SAMPLES = 10
"""How many answers are drawn, unless it is said."""
_MAX_TOKENS = 16
_MOST_CENSORED = 0.5


@dataclass(frozen=True, slots=True, init=False, repr=False)
class LabelFrequency:
    """The share of k sampled answers that are the first label, as log-odds or as it is.

    With s hits, the log-odds are smoothed, `log((s + ½)/(k − s + ½))`, with the variance
    `(k + 1)(k + 2)/(k (s + 1)(k − s + 1))` (Gart and Zweifel 1967, Biometrika 54: both nearly free
    of bias from some ten draws on). Of three draws they are drawn towards 0, by 0.7 nats at 0.9; so
    the counts go out as `draws` too, and decoders fit them by their binomial likelihood. The
    probability is s/k, free of bias, with the variance `p(1 − p)/k` at p = (s + ½)/(k + 1), since
    k equal answers do not show that all are.

    Whatever is not a hit is a miss: another label, or none of them. Answers that were withheld are
    neither, unless refusals are what is looked for (`match=Refusal()`); a mask with no other has no
    value.

    Attributes:
        labels: what is looked for, where it is words.
        samples: k, how many answers are drawn under each mask.
        scale: "log_odds", in nats, or "probability".
        max_tokens: how long an answer may be.
        temperature: at which they are drawn. At 0 there is one answer, and the value is 1 or 0.
        match: tells the hits, where words do not.
        max_censored: the share of masks without a value, and among the first answers the share of
            those that hold no label, above which a run is an error.
    """

    labels: tuple[str, ...]
    samples: int
    scale: Scale
    max_tokens: int
    temperature: float
    match: Matcher | None
    max_censored: float

    def __init__(
        self,
        *labels: str,
        samples: int = SAMPLES,
        scale: Scale = "log_odds",
        max_tokens: int = _MAX_TOKENS,
        temperature: float = SAMPLED,
        match: Matcher | None = None,
        max_censored: float = _MOST_CENSORED,
    ) -> None:
        """Names the labels, of which the first is the one that hits; or gives a matcher.

        Raises:
            UsageError: neither labels nor a matcher, or both; labels that are not different; an
                unknown scale; a count below 1; or several answers at a temperature at which all are
                equal.
        """
        if bool(labels) == (match is not None):
            raise UsageError(
                "A frequency is one of labels or one of what a matcher finds: give either.",
                advice='For instance LabelFrequency("positive", "negative"), or '
                'LabelFrequency(match=Pattern("(?i)refund")) with Pattern of spex_api.scores.',
            )
        if match is not None and not isinstance(match, Matcher):
            raise UsageError(
                f"{match!r} is no matcher: it has no label, or cannot match.",
                advice="Use one of spex_api.scores: Says, Words, Pattern, JsonField, ToolCalled, "
                "Refusal, or Predicate(your_function).",
            )
        if scale not in ("log_odds", "probability"):
            raise UsageError(f'The scale is "log_odds" or "probability", not {scale!r}.')
        check_counts(samples=samples, max_tokens=max_tokens)
        check_share(max_censored)
        if isinstance(temperature, bool) or not isinstance(temperature, int | float):
            raise UsageError(f"A temperature is a number, not {temperature!r}.")
        if not temperature >= 0:
            raise UsageError(f"A temperature is 0 or above, not {temperature:g}.")
        if temperature == 0 and (samples > 1 or scale != "probability"):
            raise UsageError(
                "At the temperature 0 all answers are the likeliest one: there is no frequency to "
                "be seen.",
                advice="Leave the temperature at 1, where answers come as often as they are "
                'likely; or ask for the one answer, with samples=1 and scale="probability".',
            )
        kept = Words(*labels).labels if labels else ()
        object.__setattr__(self, "labels", kept)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "max_tokens", max_tokens)
        object.__setattr__(self, "temperature", temperature)
        object.__setattr__(self, "match", match)
        object.__setattr__(self, "max_censored", max_censored)

    def __repr__(self) -> str:
        settings = {
            "samples": (self.samples, SAMPLES),
            "scale": (self.scale, "log_odds"),
            "max_tokens": (self.max_tokens, _MAX_TOKENS),
            "temperature": (self.temperature, SAMPLED),
            "match": (self.match, None),
            "max_censored": (self.max_censored, _MOST_CENSORED),
        }
        told = [f"{name}={now!r}" for name, (now, usual) in settings.items() if now != usual]
        return f"LabelFrequency({', '.join([*map(repr, self.labels), *told])})"

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        of = self._matcher.label
        if len(self.labels) > 1:
            of += f" over {' and '.join(map(repr, self.labels[1:]))}, or neither,"
        if not self.temperature:
            return f"1 where the likeliest answer holds {of}, else 0"
        unit = "log-odds" if self.scale == "log_odds" else "share"
        nats = ", in nats" if self.scale == "log_odds" else ""
        return f"{unit} of {of} among {self.samples} sampled answers{nats}"

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """K samples, as many at once as the endpoint draws.

        Raises:
            ScoreError: the endpoint takes no temperature, and another than 1 is wanted.
        """
        return sampled(
            messages,
            capabilities,
            samples=self.samples,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
        )

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The share of hits, with its variance; NaN where every answer was withheld.

        Raises:
            ScoreError: the matcher failed.
        """
        hits, trials = self.counts(completions)
        if not trials:
            return Scored(math.nan)
        if self.scale == "probability":
            p = (hits + 0.5) / (trials + 1)
            return Scored(hits / trials, p * (1 - p) / trials if self.temperature else 0.0)
        misses = trials - hits
        odds = math.log((hits + 0.5) / (misses + 0.5))
        variance = (trials + 1) * (trials + 2) / (trials * (hits + 1) * (misses + 1))
        return Scored(odds, variance, draws=(hits, trials))

    def counts(self, completions: Sequence[Completion]) -> tuple[int, int]:
        """How many of the answers hit, and how many there are.

        Raises:
            ScoreError: the matcher failed.
        """
        matcher = self._matcher
        told = [judged(matcher, draw) for draw in draws_of(completions)]
        return told.count(True), len(told) - told.count(None)

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks for the labels in the first answers, or for a first hit where there is no other.

        Raises:
            ScoreError: no answer hits and none is another label, more than `max_censored` of them
                hold no label at all, or the matcher failed.
        """
        texts = [text for answer in answers for text in given(answer)]
        if isinstance(self.match, Refusal) or not texts:
            return
        if len(self.labels) > 1:
            self._check_labels(texts)
        elif not any(self.counts(answer)[0] for answer in answers):
            raise ScoreError(
                f"None of the first {len(texts)} answers holds {self._matcher.label}, so there is "
                f"no share to explain. The first is {excerpt(texts[0])}.",
                advice="Ask in the prompt for the form that is looked for, let answers be longer "
                "(max_tokens), or draw more of them.",
            )

    def _check_labels(self, texts: Sequence[str]) -> None:
        words = Words(*self.labels)
        strays = [text for text in texts if words.found(text) is None]
        if len(strays) > self.max_censored * len(texts) or len(strays) == len(texts):
            raise ScoreError(
                f"Of the first {len(texts)} answers {len(strays)} hold none of the labels "
                f"{', '.join(map(repr, self.labels))}; {self.max_censored:.0%} is allowed. One is "
                f"{excerpt(strays[0])}.",
                advice="Ask in the prompt for exactly these labels and nothing else, let answers "
                "be longer (max_tokens), or raise max_censored.",
            )

    @property
    def _matcher(self) -> Matcher:
        return Words(*self.labels) if self.match is None else self.match
