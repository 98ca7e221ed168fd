"""The log-odds of one label over the others, from the log-probs of the first token.

What this module does not know: how an endpoint is asked, and what a bound is worth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.completions import Ask, CompletionRequest, Message
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.next_token import (
    CENSORED_VARIANCE,
    exact_in,
    listed_in,
    log_sum,
    most_unlisted,
)
from spex_api.scores.score import Scored
from spex_api.scores.settings import check_labels, check_share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spex_api.completions import Capabilities, Completion, TokenLogprob

__all__ = ["LabelLogOdds"]

_MOST_CENSORED = 0.5
"""Where most values are bounds, what is explained is the list of tokens, not the model."""

_SPACE_MARKS = "Ġ▁"
"""How byte-level and SentencePiece vocabularies write a leading space."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class LabelLogOdds:
    """`log p(first label) − log Σ p(other labels)` at the answer's first token, in nats.

    Variants of a label that differ in case or in a leading space are one label: their probabilities
    add up. An endpoint that takes tokens by number is asked for just these, and the value is exact;
    where it also tells how it cuts a text into tokens, the numbers are found before the first mask
    is asked. Elsewhere the value is read in the list of likeliest tokens. A label that the list
    does not hold is *censored*: its probability is at most that of the least likely token listed,
    and at most what the list leaves over; the value is taken at that bound, marked and counted, and
    given a variance of 2 nats² that says how little is known of it. Where no label is listed there
    is no value.
    """

    labels: tuple[str, ...]
    max_censored: float
    variants: tuple[tuple[int, ...], ...]
    """The numbers of each label's variants, in the labels' order; () where they are not known."""

    def __init__(
        self,
        *labels: str,
        max_censored: float = _MOST_CENSORED,
        token_ids: Mapping[str, Iterable[int]] | None = None,
    ) -> None:
        """Names the labels; the first is the one whose odds are taken.

        Args:
            labels: two or more words, each one token of the model.
            max_censored: the share of censored or missing values above which a run is an error;
                a report warns from 5 % on.
            token_ids: for each label the numbers of the tokens that are variants of it, where they
                are known; where a label has none, all are read in the list of likeliest tokens.

        Raises:
            UsageError: fewer than two labels, an empty one, one with a space, or two that are the
                same word; or numbers for other words, or one number for two labels.
        """
        check_labels(labels)
        check_share(max_censored)
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
        object.__setattr__(self, "variants", _by_label(words, token_ids))

    def __repr__(self) -> str:
        said = [repr(label) for label in self.labels]
        if self.max_censored != _MOST_CENSORED:
            said.append(f"max_censored={self.max_censored!r}")
        if self.variants:
            said.append(f"token_ids={self.token_ids!r}")
        return f"LabelLogOdds({', '.join(said)})"

    @property
    def token_ids(self) -> dict[str, tuple[int, ...]]:
        """For each label the numbers of its variants; empty where they are not known."""
        return dict(zip(self.labels, self.variants, strict=False))

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        first, *others = map(repr, self.labels)
        return f"log-odds of {first} over {' and '.join(others)}, in nats"

    def opening(
        self,
        messages: tuple[Message, ...],  # noqa: ARG002 - the labels' tokens depend on no prompt
        capabilities: Capabilities,
    ) -> tuple[CompletionRequest, ...]:
        """How each spelling of each label is cut into tokens, where the numbers are of any use."""
        if self.variants or not (capabilities.exact_tokens and capabilities.tokenizes):
            return ()
        return tuple(
            CompletionRequest((Message("user", spelling),), ask=Ask.TOKENS)
            for label in self.labels
            for spelling in _spellings(label)
        )

    def opened(
        self,
        completions: Sequence[Completion | None],
        capabilities: Capabilities,  # noqa: ARG002 - that they allow it is why it was asked
    ) -> LabelLogOdds:
        """The same score with the numbers of every spelling that is one token.

        Raises:
            ScoreError: no spelling of a label is one token.
        """
        given = iter(completions)
        found: dict[str, list[int]] = {}
        for label in self.labels:
            cuts = [next(given, None) for _ in _spellings(label)]
            found[label] = _single_tokens(label, cuts)
            if not found[label] and any(cut is not None and cut.tokens for cut in cuts):
                raise _several(label, cuts)
        return LabelLogOdds(*self.labels, max_censored=self.max_censored, token_ids=found)

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """One token, with the labels by number, or as long a list of the likeliest as there is.

        Raises:
            ScoreError: the endpoint gives no log-probs.
        """
        wanted = tuple(number for variants in self.variants for number in variants)
        exact = wanted if capabilities.exact_tokens and all(self.variants) else ()
        if capabilities.top_logprobs < 1 and not exact:
            raise ScoreError(
                "This endpoint gives no log-probs, and log-odds are made of nothing else.",
                advice="Use an endpoint that gives them, or a sampled score.",
            )
        return (
            CompletionRequest(messages, top_logprobs=capabilities.top_logprobs, exact_tokens=exact),
        )

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The log-odds in the answer; NaN where it lists no label."""
        tokens = completions[0].tokens
        masses = self._masses(tokens[0]) if tokens else ()
        missing = [not math.isfinite(mass) for mass in masses]
        if not masses or all(missing):
            return Scored(math.nan)
        if not any(missing):
            return Scored(masses[0] - log_sum(masses[1:]))
        listed = listed_in(tokens[0])
        if exact_in(tokens[0]) or not listed:
            # A list that was asked for by number is not one of the likeliest: it bounds nothing.
            return Scored(math.nan)
        bound = most_unlisted(listed)
        first, *others = (mass if math.isfinite(mass) else bound for mass in masses)
        rest = log_sum(others)
        # To first order: a label moves the sum of the others by its share of it.
        shares = [1.0, *(math.exp(mass - rest) for mass in others)]
        unknown = math.fsum(share**2 for share, gone in zip(shares, missing, strict=True) if gone)
        return Scored(first - rest, variance=CENSORED_VARIANCE * unknown, censored=True)

    def found(self, completions: Sequence[Completion]) -> tuple[str, ...]:
        """The labels whose probability the answer tells."""
        tokens = completions[0].tokens
        masses = self._masses(tokens[0]) if tokens else ()
        told = zip(self.labels, masses, strict=False)
        return tuple(label for label, mass in told if math.isfinite(mass))

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
        masses = [self._masses(token) for token in firsts]
        for place, label in enumerate(self.labels):
            if not any(math.isfinite(each[place]) for each in masses):
                raise self._missing(label, firsts)

    def _masses(self, token: TokenLogprob) -> tuple[float, ...]:
        """The log-probability of each label, in nats; −∞ of one that is not told."""
        exact = exact_in(token)
        if self.variants and exact:
            return tuple(
                log_sum(exact[number] for number in variants)
                if exact.keys() >= set(variants)
                else -math.inf
                for variants in self.variants
            )
        listed = listed_in(token)
        return tuple(_log_mass(label, listed) for label in self.labels)

    def _missing(self, label: str, firsts: Sequence[TokenLogprob]) -> ScoreError:
        """The error for a label that no list holds, with the piece of it that one does hold."""
        if all(exact_in(first) for first in firsts):
            return ScoreError(
                f"The endpoint was asked for the tokens {list(self.token_ids[label])} of the label "
                f"{label!r} by number, and tells the log-probs of others only.",
                advice="Check that the numbers are of this model's vocabulary.",
            )
        pieces = {
            token.strip(_SPACE_MARKS + " ")
            for first in firsts
            for token, _ in listed_in(first)
            if len(_normal(token)) > 1 and _normal(label).startswith(_normal(token))
        }
        why = (
            f"its beginning {max(sorted(pieces), key=len)!r} is, so the label is several tokens"
            if pieces
            else "so it is either several tokens of this model or an answer that it never considers"
        )
        likeliest = ", ".join(repr(token) for token, _ in firsts[0].top[:5])
        leaning = f" (the model leans to {likeliest})" if likeliest else ""
        return ScoreError(
            f"The label {label!r} is not among the likeliest first tokens of any of the first "
            f"{len(firsts)} answers; {why}.",
            advice="Choose labels of one token, such as A and B, and ask for them in the prompt"
            f"{leaning}.",
        )


def _by_label(
    words: Sequence[str], token_ids: Mapping[str, Iterable[int]] | None
) -> tuple[tuple[int, ...], ...]:
    """The numbers of each label's variants, in the labels' order.

    Raises:
        UsageError: a word is none of the labels, or a number stands twice or is none.
    """
    if token_ids is None:
        return ()
    try:
        given = {label.strip(): tuple(numbers) for label, numbers in token_ids.items()}
    except (AttributeError, TypeError):
        raise UsageError(
            f"Token ids are a list for each label, not {token_ids!r}.",
            advice='For instance token_ids={"yes": [9891, 9693], "no": [1161]}.',
        ) from None
    for stranger in given.keys() - set(words):
        raise UsageError(f"There are token ids for {stranger!r}, which is none of the labels.")
    variants = tuple(given.get(word, ()) for word in words)
    every: list[object] = [number for numbers in variants for number in numbers]
    for number in every:
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise UsageError(f"Token ids are whole numbers from 0 on, unlike {number!r}.")
    if len(set(every)) < len(every):
        raise UsageError(
            f"A token is a variant of one label, and named once; {every} names one twice."
        )
    return variants


def _spellings(label: str) -> tuple[str, ...]:
    """How a model may write a label: in each case, with a leading space and without."""
    cases = (label, label.lower(), label.capitalize(), label.upper())
    return tuple(dict.fromkeys(f"{space}{case}" for case in cases for space in ("", " ")))


def _single_tokens(label: str, cuts: Iterable[Completion | None]) -> list[int]:
    """The numbers of the spellings that are one token."""
    singles = [cut.tokens[0] for cut in cuts if cut is not None and len(cut.tokens) == 1]
    numbers = [
        token.token_id
        for token in singles
        # Servers that give no pieces are taken at their word.
        if token.token_id is not None and _normal(token.token) in ("", _normal(label))
    ]
    return list(dict.fromkeys(numbers))


def _several(label: str, cuts: Iterable[Completion | None]) -> ScoreError:
    pieces = next(
        ([token.token for token in cut.tokens] for cut in cuts if cut is not None and cut.tokens),
        [],
    )
    return ScoreError(
        f"No spelling of the label {label!r} is one token of this model: it is cut into "
        f"{', '.join(map(repr, pieces))}, and the first token of an answer cannot show it.",
        advice="Choose labels of one token, such as A and B, and ask for them in the prompt.",
    )


def _normal(token: str) -> str:
    return token.lstrip(_SPACE_MARKS).strip().casefold()


def _log_mass(label: str, listed: Iterable[tuple[str, float]]) -> float:
    """The log-probability of all variants of a label; −∞ where none is listed."""
    wanted = _normal(label)
    return log_sum(logprob for token, logprob in listed if _normal(token) == wanted)
