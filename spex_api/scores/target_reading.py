"""The log-prob of a target in the answers to each way of asking, or the sentence why there is none.

What this module does not know: what is asked, and what a value means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from spex_api.completions import WITHHELD
from spex_api.scores.next_token import exact_in, is_told, listed_in, log_sum, most_unlisted
from spex_api.scores.token_spelling import is_partial, joined, readable, without_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spex_api.completions import Completion, TokenLogprob
    from spex_api.scores.token_spelling import SpeltText, TokenSpelling

__all__ = ["Reading", "Unread", "read_first", "read_forced", "read_prompt", "read_steps", "written"]

_ROUNDING = 1e-3
"""What a log-prob may exceed 0 by."""


class Unread(StrEnum):
    """Why an answer holds no log-prob of the target; each is a sentence for a person."""

    WITHHELD = "the model declined to answer, or a filter took the answer away."
    ABSENT = "it is without log-probs."
    ELSEWHERE = "it says something else than the target, which it was to keep to."
    RESPELT = "it spells the target in other tokens than the model's own."
    UNTOLD = "the log-prob of a token of the target is not told (null, or −9999)."
    NO_LOGPROB = "a log-prob is above 0, and the logarithm of a probability never is."
    SILENT = (
        "it tells nothing of the tokens that were read, so the server ignores that it was asked to."
    )
    ZEROS = "every log-prob that it tells is 0, so none was computed."
    MERGED = (
        "what was read does not end with the target's tokens: a token spans the boundary before "
        "it, or something was put behind it."
    )
    UNBOUNDED = "a token of the target is not told, nor anything that bounds it."


@dataclass(frozen=True, slots=True)
class Reading:
    """What answers tell of a target.

    Attributes:
        total: the log-prob, in nats; NaN where there is none.
        count: of how many tokens.
        bounds: how many of these are at a bound.
        unread: why there is none.
    """

    total: float
    count: int = 1
    bounds: int = 0
    unread: Unread | None = None

    @classmethod
    def none(cls, why: Unread) -> Reading:
        """There is no log-prob."""
        return cls(math.nan, unread=why)


def written(answer: Completion, text: str) -> tuple[TokenLogprob, ...]:
    """The tokens of an answer that make up a text from its beginning; none where none do."""
    taken, length = 0, 0
    while taken < len(answer.tokens) and length < len(text):
        length += len(readable(answer.tokens[taken].token))
        taken += 1
    tokens = answer.tokens[:taken]
    if joined(tokens) == text:
        return tokens
    # Parts of characters do not join to any, but the whole answer is told as a text too.
    return tuple(without_end(answer.tokens, text)) if answer.text == text else ()


def read_forced(answer: Completion, target: SpeltText) -> Reading:
    """The sum over the tokens that were written under a grammar.

    What is behind the target is of no account: the end of a turn, or, where no grammar was kept but
    the model began with the target all the same, the rest of what it said.
    """
    if why := _nothing(answer, answer.tokens):
        return Reading.none(why)
    spelling = target.spelling
    if spelling is None:
        tokens = written(answer, target.text)
        return _sum(tokens) if tokens else Reading.none(Unread.ELSEWHERE)
    tokens = answer.tokens[: len(spelling)]
    if spelling.is_spelt_by(tokens):
        return _sum(tokens)
    return Reading.none(Unread.RESPELT if written(answer, target.text) else Unread.ELSEWHERE)


def read_prompt(answer: Completion, target: SpeltText) -> Reading:
    """The sum over the last tokens of what was read, where these are the target's."""
    read = answer.prompt_tokens
    if why := _nothing(answer, read):
        return Reading.none(Unread.SILENT if why is Unread.ABSENT else why)
    told = [token.logprob for token in read if is_told(token.logprob)]
    if len(told) > 1 and not any(told):
        return Reading.none(Unread.ZEROS)
    while read and not read[-1].token and not _is_last_of(target.spelling, read[-1]):
        read = read[:-1]
    tokens = _tail(read, target)
    return _sum(tokens) if tokens else Reading.none(Unread.MERGED)


def read_steps(answers: Sequence[Completion], spelling: TokenSpelling) -> Reading:
    """The sum over each token's place in the list of what may come next."""
    total, bounds = [], 0
    for place, answer in enumerate(answers):
        if why := _nothing(answer, answer.tokens):
            return Reading.none(why)
        found, is_bound = _next(answer.tokens[0], spelling, place)
        if not math.isfinite(found):
            return Reading.none(Unread.UNBOUNDED)
        total.append(found)
        bounds += is_bound
    return Reading(math.fsum(total), len(total), bounds)


def read_first(answer: Completion, target: SpeltText) -> Reading:
    """The log-prob of the first token alone; of any that begins the target where it is not known.

    What is listed is all that can be looked at, so where the token is not known, several may begin
    the target ("P", "Paris"); their probabilities add up.
    """
    if why := _nothing(answer, answer.tokens):
        return Reading.none(why)
    spelling = target.spelling
    if spelling is not None and (spelling.pieces[0] or exact_in(answer.tokens[0])):
        return read_steps([answer], spelling)
    listed = listed_in(answer.tokens[0])
    if not listed:
        return Reading.none(Unread.UNBOUNDED)
    mass = log_sum(logprob for token, logprob in listed if _begins(token, target.text))
    if math.isfinite(mass):
        return Reading(mass)
    return Reading(most_unlisted(listed), bounds=1)


def _nothing(answer: Completion, tokens: Sequence[TokenLogprob]) -> Unread | None:
    if answer.outcome in WITHHELD:
        return Unread.WITHHELD
    return None if tokens else Unread.ABSENT


def _is_last_of(spelling: TokenSpelling | None, token: TokenLogprob) -> bool:
    """Whether a token without a text of its own is the target's last by its number."""
    return spelling is not None and spelling.ids[-1:] == (token.token_id,)


def _tail(read: Sequence[TokenLogprob], target: SpeltText) -> Sequence[TokenLogprob]:
    """The last tokens, where they are the target's own or make up its text; else none."""
    if target.spelling is not None:
        tail = read[-len(target.spelling) :]
        if target.spelling.is_spelt_by(tail):
            return tail
    # A server that cuts the text itself may spell it otherwise than it was written: that is still
    # the text's log-prob, as long as no token reaches over its beginning.
    taken, length = 0, 0
    while taken < len(read) and length < len(target.text):
        taken += 1
        length += len(readable(read[-taken].token))
    tail = read[-taken:]
    return tail if joined(tail) == target.text else ()


def _sum(tokens: Iterable[TokenLogprob]) -> Reading:
    logprobs = [token.logprob for token in tokens]
    if not all(map(is_told, logprobs)):
        return Reading.none(Unread.UNTOLD)
    if max(logprobs) > _ROUNDING:
        return Reading.none(Unread.NO_LOGPROB)
    return Reading(math.fsum(logprobs), len(logprobs))


def _next(token: TokenLogprob, spelling: TokenSpelling, place: int) -> tuple[float, bool]:
    """The log-prob of one token of the target, and whether it is a bound; NaN where neither is."""
    number = spelling.ids[place] if spelling.ids else None
    exact = exact_in(token)
    if number is not None and number in exact:
        return exact[number], False
    if exact:  # what was asked for by number takes the list's place, and bounds nothing
        return math.nan, False
    if number is not None and number == token.token_id and is_told(token.logprob):
        return token.logprob, False
    wanted = readable(spelling.pieces[place])
    if not wanted or is_partial(wanted):  # many tokens look like that
        return math.nan, False
    listed = listed_in(token)
    same = [logprob for text, logprob in listed if readable(text) == wanted]
    if same:
        return max(same), False
    return (most_unlisted(listed), True) if listed else (math.nan, False)


def _begins(piece: str, text: str) -> bool:
    """Whether a token begins a text; vocabularies write the first word with a space or without."""
    said = readable(piece)
    if not said.strip() or is_partial(said):
        return False
    return text.startswith((said, said.removeprefix(" ")))
