"""Log-probs that are there may still be none: what a list of them must satisfy, checked.

Servers have been seen to answer with fields left out, with nulls, with zeros, with the sentinel
−9999, with the list of another question, and with lists that the temperature has changed, each
under the status of a success. Every check here is a pure function of answers; every flaw is the
sentence that a person reads. What this module does not know: which questions to ask, and any
vendor's dialect, save that the name of a field with log-probs says so.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from spex_api.completions import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.completions import Completion, CompletionRequest, TokenLogprob

__all__ = ["Flaw", "echo_flaws", "flaws", "same_list", "stretch"]

_UNTOLD = -9998.0
"""At −9999 stands a token whose log-prob is not told: a sentinel, not a number."""
_ROUNDING = 1e-3
"""What probabilities may exceed 1 by, and what two tellings of one log-prob may differ by."""
_FEWEST_TO_BE_SAME = 3
_LEAST_GAP = 1.0
"""Nats between two listed tokens below which a stretch drowns in rounding and noise."""


class Flaw(StrEnum):
    """What is wrong with the log-probs of an answer; each member is the sentence for a person."""

    REFUSED = "It refuses every question that asks for log-probs, and answers the same without."
    ABSENT = "It answers without the log-probs that it was asked for: their field is left out."
    NULL = "It answers with a field for the log-probs that holds nothing (null, or an empty list)."
    LISTLESS = (
        "It gives the log-prob of the token that it wrote, but not the list of the likeliest "
        "tokens that it was asked for."
    )
    ZEROS = "Every log-prob that it gives is 0, so nothing was computed: all tokens look certain."
    SENTINELS = (
        "Every log-prob that it gives is 0 or −9999, and −9999 stands for 'not told': no token's "
        "probability is there."
    )
    UNTOLD = (
        "The token that it wrote has the log-prob −9999, which stands for 'not told': it is no "
        "number, and the likeliest token is the last that should lack one."
    )
    UNRELATED = (
        "The token that it wrote is not in the list of the likeliest tokens in its place: the list "
        "belongs to another place or another question."
    )
    UNEQUAL = (
        "The token that it wrote has one log-prob of its own and another in the list of the "
        "likeliest: one of the two is made up."
    )
    NO_LOGPROB = (
        "A log-prob is above 0 or not finite, and the logarithm of a probability is neither."
    )
    HEAVY = "The probabilities in a list add up to more than 1, so they are no probabilities."
    SCALED = (
        "Its log-probs change with the temperature: at 0 they are not the model's own, but what "
        "is left of them after sharpening."
    )
    CONSTANT = (
        "It gives the same list of log-probs to entirely different prompts, to the last digit: it "
        "does not read the prompt, cuts it off, or answers another question."
    )
    UNSORTED = "A list of the likeliest tokens does not begin with the likeliest."
    TOO_LONG = "It lists more tokens than it was asked for."
    EMPTY = "It ended an answer before the first word, so there is no token to read."
    ECHO_IGNORED = (
        "It was asked to repeat the prompt with its log-probs, and their number is not that of the "
        "prompt's tokens: it ignores that, and every forced answer would look equally likely."
    )
    ECHO_ZEROS = (
        "Every log-prob of the prompt that it repeats is 0: none was computed, and every forced "
        "answer would look certain."
    )
    ECHO_HEADED = (
        "The prompt's first token has a log-prob, though nothing goes before it: what is repeated "
        "is not the prompt."
    )
    ECHO_HOLES = "A token of the prompt that it repeats, not the first, has no log-prob."

    @property
    def is_fatal(self) -> bool:
        """Whether no number that is made of such answers can be trusted."""
        return self not in _BEARABLE

    @property
    def remedy(self) -> str:
        """What to do about it; "" where nothing needs to be done."""
        return "" if self in _BEARABLE else _REMEDIES.get(self, _ANOTHER)


_BEARABLE = frozenset({Flaw.UNSORTED, Flaw.TOO_LONG, Flaw.EMPTY})
_ANOTHER = "Use another server or another model, or a sampled score, which reads no log-probs."
_WITHOUT = (
    "Use a sampled score, which reads no log-probs, or an endpoint that gives them; a reasoning "
    "model gives none while it reasons, so switch reasoning off where that can be done."
)
_FORCED = "Read the log-probs of the answer's first token instead, as label log-odds do."
_REMEDIES = {
    Flaw.REFUSED: _WITHOUT,
    Flaw.ABSENT: _WITHOUT,
    Flaw.NULL: _WITHOUT,
    Flaw.SCALED: "Start the server so that it gives raw log-probs (vLLM: --logprobs-mode "
    "raw_logprobs), or use another one.",
    Flaw.CONSTANT: "Check that the prompt arrives whole (a server with a short context cuts it off "
    "without a word), and that nothing in between answers from a cache of its own.",
    Flaw.ECHO_IGNORED: _FORCED,
    Flaw.ECHO_ZEROS: _FORCED,
    Flaw.ECHO_HEADED: _FORCED,
    Flaw.ECHO_HOLES: _FORCED,
}


def flaws(completion: Completion, request: CompletionRequest) -> tuple[Flaw, ...]:
    """What is wrong with the log-probs of one answer; nothing where none were asked for.

    Args:
        completion: the answer.
        request: what it answers; whether the token must be the likeliest, and how long the list may
            be, depend on it.
    """
    if request.top_logprobs < 1:
        return ()
    if not completion.tokens:
        if completion.outcome in (Outcome.REFUSED, Outcome.FILTERED):
            return ()
        cut = completion.outcome is Outcome.TRUNCATED or completion.finish_reason == "length"
        if completion.text or cut:
            return (Flaw.NULL if _names_logprobs(completion.raw) else Flaw.ABSENT,)
        return (Flaw.EMPTY,)
    each = (flaw for token in completion.tokens for flaw in _of_token(token, request))
    return tuple(dict.fromkeys(each))


def same_list(completions: Sequence[Completion]) -> bool:
    """Whether the answers to different prompts all begin with one list, to the last digit.

    No model does that; three prompts are needed to tell.
    """
    firsts = [frozenset(each.tokens[0].top) for each in completions if each.tokens]
    enough = len(firsts) >= _FEWEST_TO_BE_SAME and len(firsts[0]) > 1
    return enough and len(set(firsts)) == 1


def stretch(cold: Completion, warm: Completion) -> float | None:
    """By what factor the gaps between listed log-probs change from one temperature to another.

    A softmax at temperature T has its gaps divided by T, whatever its sum is, so log-probs that
    the temperature leaves alone have the factor 1. The factor is that of a least-squares line
    through the origin, and so hangs on the large gaps, where noise matters least.

    Args:
        cold: the answer at temperature 0.
        warm: the answer to the same prompt at temperature 1.

    Returns:
        The factor, or None where the lists share too little to tell.
    """
    if not (cold.tokens and warm.tokens):
        return None
    before, after = (
        {text: value for text, value in each.tokens[0].top if value > _UNTOLD}
        for each in (cold, warm)
    )
    shared = sorted(before.keys() & after.keys(), key=lambda text: -before[text])
    gaps = [(before[shared[0]] - before[each], after[shared[0]] - after[each]) for each in shared]
    if max((max(abs(gap) for gap in pair) for pair in gaps), default=0.0) < _LEAST_GAP:
        return None
    weight = math.fsum(gap * gap for gap, _ in gaps)
    if weight == 0.0:  # all equal when cold, and apart when warm
        return math.inf
    return math.fsum(gap * other for gap, other in gaps) / weight


def echo_flaws(logprobs: Sequence[float | None], *, prompt_tokens: int) -> tuple[Flaw, ...]:
    """What is wrong with the log-probs of a prompt that was to be repeated with them.

    Args:
        logprobs: one a token of the prompt, and perhaps of one token that was written after it.
        prompt_tokens: how many tokens the endpoint counted in the prompt.
    """
    if len(logprobs) not in (prompt_tokens, prompt_tokens + 1) or not logprobs:
        return (Flaw.ECHO_IGNORED,)
    told = [value for value in logprobs[1:] if value is not None]
    if told and all(value == 0.0 for value in told):
        return (Flaw.ECHO_ZEROS,)
    found = []
    if logprobs[0] is not None:
        found.append(Flaw.ECHO_HEADED)
    if len(told) < len(logprobs) - 1 or any(value <= _UNTOLD for value in told):
        found.append(Flaw.ECHO_HOLES)
    if not all(map(_is_logprob, told)):
        found.append(Flaw.NO_LOGPROB)
    return tuple(found)


def _names_logprobs(raw: str) -> bool:
    """Whether a reply's body has a field for log-probs, with or without something in it."""
    try:
        return _has_field(json.loads(raw))
    except (ValueError, RecursionError):
        return False


def _has_field(value: object) -> bool:
    if isinstance(value, dict):
        return any("logprob" in str(key).lower() or _has_field(of) for key, of in value.items())
    return isinstance(value, list) and any(map(_has_field, value))


def _of_token(token: TokenLogprob, request: CompletionRequest) -> Iterator[Flaw]:
    values = [value for _, value in token.top]
    if not (values or token.exact):
        yield Flaw.LISTLESS
    # Each of these says that there are no numbers to look at any further.
    if not all(map(_is_logprob, [token.logprob, *values])):
        yield Flaw.NO_LOGPROB
    elif len(values) > 1 and not any([token.logprob, *values]):
        yield Flaw.ZEROS
    elif _is_all_sentinels(token):
        yield Flaw.SENTINELS
    elif values:
        yield from _of_list(token, request)


def _of_list(token: TokenLogprob, request: CompletionRequest) -> Iterator[Flaw]:
    told = [value for _, value in token.top if value > _UNTOLD]
    mass = math.fsum(map(math.exp, told))
    own = [value for text, value in token.top if text == token.token]
    if mass > 1.0 + _ROUNDING:
        yield Flaw.HEAVY
    if token.logprob <= _UNTOLD:
        yield Flaw.UNTOLD
    elif own and min(abs(value - token.logprob) for value in own) > _ROUNDING:
        yield Flaw.UNEQUAL
    # A token that was forced, or listed beside those asked for by number, need not be likely.
    free = request.target is None and not request.exact_tokens
    if free and not own and not _may_be_unlisted(token, request, told, mass):
        yield Flaw.UNRELATED
    if any(after > before + _ROUNDING for before, after in pairwise(told)):
        yield Flaw.UNSORTED
    # Some servers list the token that they wrote besides those that were asked for.
    if len(token.top) > request.top_logprobs + 1:
        yield Flaw.TOO_LONG


def _may_be_unlisted(
    token: TokenLogprob, request: CompletionRequest, told: Sequence[float], mass: float
) -> bool:
    """Whether a token that was drawn can be too unlikely for the list: never at temperature 0."""
    if request.temperature == 0.0 or not told:
        return False
    fits = math.exp(token.logprob) <= 1.0 - mass + _ROUNDING
    return fits and token.logprob <= min(told) + _ROUNDING


def _is_all_sentinels(token: TokenLogprob) -> bool:
    values = [token.logprob, *(value for _, value in token.top)]
    hollow = all(value == 0.0 or value <= _UNTOLD for value in values)
    return hollow and any(value <= _UNTOLD for value in values)


def _is_logprob(value: float) -> bool:
    return math.isfinite(value) and value <= _ROUNDING
