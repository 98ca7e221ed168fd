"""The log-odds of one label over the others, from the log-probs of the first token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.completions import CompletionRequest
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.score import Scored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spex_api.completions import Capabilities, Completion, Message, TokenLogprob

__all__ = ["LabelLogOdds"]

_ABSENT = -9998.0
"""OpenAI lists a token whose log-prob it does not tell at −9999: a sentinel, not a number."""

_ROUNDING = 1e-7
"""What the listed probabilities may exceed 1 by, so the least that a bound can be."""

_MOST_CENSORED = 0.5
"""Where most values are bounds, what is explained is the list of tokens, not the model."""

_SPACE_MARKS = "Ġ▁"
"""How byte-level and SentencePiece vocabularies write a leading space."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class LabelLogOdds:
    """`log p(first label) − log Σ p(other labels)` at the answer's first token, in nats.

    Variants of a label that differ in case or in a leading space are one label: their probabilities
    add up. A label that the list of likeliest tokens does not hold is *censored*: its probability
    is at most that of the least likely token listed, and at most what the list leaves over; the
    value is taken at that bound, marked and counted. Where no label is listed there is no value.
    """

    labels: tuple[str, ...]
    max_censored: float

    def __init__(self, *labels: str, max_censored: float = _MOST_CENSORED) -> None:
        """Names the labels; the first is the one whose odds are taken.

        Args:
            labels: two or more words, each one token of the model.
            max_censored: the share of censored or missing values above which a run is an error;
                a report warns from 5 % on.

        Raises:
            UsageError: fewer than two labels, an empty one, one with a space, or two that are the
                same word.
        """
        words = [label.strip() for label in labels]
        if len(words) < 2:
            raise UsageError(
                f"Log-odds compare at least two labels, not {len(words)}.",
                advice='For instance LabelLogOdds("positive", "negative").',
            )
        for word in words:
            if not word or len(word.split()) > 1:
                raise UsageError(
                    f"The label {word!r} is not one word, so it is not one token: the first token "
                    "of an answer cannot show it.",
                    advice="Choose labels of one token, such as A and B, and say so in the prompt.",
                )
        if len({_normal(word) for word in words}) < len(words):
            raise UsageError(f"The labels {', '.join(words)} are not different words.")
        object.__setattr__(self, "labels", tuple(words))
        object.__setattr__(self, "max_censored", max_censored)

    def __repr__(self) -> str:
        limit = (
            "" if self.max_censored == _MOST_CENSORED else f", max_censored={self.max_censored!r}"
        )
        return f"LabelLogOdds({', '.join(map(repr, self.labels))}{limit})"

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        first, *others = map(repr, self.labels)
        return f"log-odds of {first} over {' and '.join(others)}, in nats"

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """One token, with as long a list of the likeliest as the endpoint gives.

        Raises:
            ScoreError: the endpoint gives no log-probs.
        """
        if capabilities.top_logprobs < 1:
            raise ScoreError(
                "This endpoint gives no log-probs, and log-odds are made of nothing else.",
                advice="Use an endpoint that gives them, or a sampled score.",
            )
        return (CompletionRequest(messages, top_logprobs=capabilities.top_logprobs),)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The log-odds in the answer; NaN where it lists no label."""
        tokens = completions[0].tokens
        if not tokens:
            return Scored(math.nan)
        listed = _listed(tokens[0])
        masses = [_log_mass(label, listed) for label in self.labels]
        if not any(map(math.isfinite, masses)):
            return Scored(math.nan)
        bound = _bound(listed)
        first, *others = (mass if math.isfinite(mass) else bound for mass in masses)
        return Scored(
            first - _log_sum(others), censored=not all(math.isfinite(mass) for mass in masses)
        )

    def found(self, completions: Sequence[Completion]) -> tuple[str, ...]:
        """The labels that the answer's list of likeliest tokens holds."""
        tokens = completions[0].tokens
        listed = _listed(tokens[0]) if tokens else []
        return tuple(label for label in self.labels if math.isfinite(_log_mass(label, listed)))

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks for log-probs, and for each label in at least one answer.

        Raises:
            ScoreError: there are no log-probs, or a label is in no list.
        """
        firsts = [answer[0].tokens[0] for answer in answers if answer[0].tokens]
        if not firsts:
            model = answers[0][0].model or "The endpoint"
            raise ScoreError(
                f"{model} answered without log-probs, and log-odds are made of nothing else.",
                advice="Use a model and a server that give log-probs (a reasoning model gives none "
                "while it reasons), or a sampled score.",
            )
        for label in self.labels:
            if not any(math.isfinite(_log_mass(label, _listed(token))) for token in firsts):
                raise self._missing(label, firsts)

    def _missing(self, label: str, firsts: Sequence[TokenLogprob]) -> ScoreError:
        """The error for a label that no list holds, with the piece of it that one does hold."""
        pieces = {
            token.strip(_SPACE_MARKS + " ")
            for first in firsts
            for token, _ in _listed(first)
            if len(_normal(token)) > 1 and _normal(label).startswith(_normal(token))
        }
        why = (
            f"its beginning {max(sorted(pieces), key=len)!r} is, so the label is several tokens"
            if pieces
            else "so it is either several tokens of this model or an answer that it never considers"
        )
        likeliest = ", ".join(repr(token) for token, _ in firsts[0].top[:5])
        return ScoreError(
            f"The label {label!r} is not among the likeliest first tokens of any of the first "
            f"{len(firsts)} answers; {why}.",
            advice="Choose labels of one token, such as A and B, and ask for them in the prompt "
            f"(the model leans to {likeliest}).",
        )


def _normal(token: str) -> str:
    return token.lstrip(_SPACE_MARKS).strip().casefold()


def _listed(token: TokenLogprob) -> list[tuple[str, float]]:
    """The listed tokens with real log-probs, the chosen one among them."""
    listed = dict(token.top)
    listed.setdefault(token.token, token.logprob)
    return [(text, logprob) for text, logprob in listed.items() if logprob > _ABSENT]


def _log_mass(label: str, listed: Iterable[tuple[str, float]]) -> float:
    """The log-probability of all variants of a label; −∞ where none is listed."""
    wanted = _normal(label)
    return _log_sum([logprob for token, logprob in listed if _normal(token) == wanted])


def _bound(listed: Sequence[tuple[str, float]]) -> float:
    """The most that a token which is not listed can have: `log min(p_last, 1 − Σ p)`."""
    left_over = 1.0 - math.fsum(math.exp(logprob) for _, logprob in listed)
    least = min(logprob for _, logprob in listed)
    return min(least, math.log(max(left_over, _ROUNDING)))


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs, default=-math.inf)
    if not math.isfinite(top):
        return -math.inf
    return top + math.log(math.fsum(math.exp(value - top) for value in logs))
