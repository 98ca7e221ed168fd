"""Log-probs as servers write them → ours: entries or lists side by side; −9999 and null are none.

What this module does not know: whether a list is of a prompt's tokens or of an answer's.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AliasChoices, BaseModel, Field, model_validator

from spex_api.completions import TokenLogprob

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Byte", "ListedTokens", "is_numbered", "nats", "ranked", "told_tokens"]

_NOTHING: Final = -9999.0
"""What servers write for a log-prob that they do not have; never a number to reckon with."""
_NUMBERED: Final = re.compile(r"token_id:(\d{1,12})", re.ASCII)


Byte = Annotated[int, Field(ge=0, le=255)]


class _Entry(BaseModel):
    """One place of a list of tokens."""

    token: str
    logprob: float | None = None
    token_id: Annotated[int | None, Field(validation_alias=AliasChoices("token_id", "id"))] = None
    bytes: list[Byte] | None = None
    top_logprobs: list[_Entry] | None = None


class ListedTokens(BaseModel):
    """The tokens of a text: one list of entries, or lists side by side."""

    content: list[_Entry] | None = None
    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    token_ids: list[int] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None

    @model_validator(mode="after")
    def _are_of_one_length(self) -> ListedTokens:
        beside = (self.token_logprobs, self.token_ids, self.top_logprobs)
        if any(each and len(each) != len(self.tokens) for each in beside):
            raise ValueError("the lists are not of one length")
        return self


def told_tokens(listed: ListedTokens) -> tuple[TokenLogprob, ...]:
    """Each token with what is told of its place, in the text's order."""
    if listed.content is not None:
        return tuple(_place(entry) for entry in listed.content)
    count = len(listed.tokens)
    logprobs: Sequence[float | None] = listed.token_logprobs or [None] * count
    ids: Sequence[int | None] = listed.token_ids or [None] * count
    tops: Sequence[dict[str, float] | None] = listed.top_logprobs or [None] * count
    return tuple(
        TokenLogprob(token, nats(logprob), ranked((top or {}).items()), token_id=token_id)
        for token, logprob, token_id, top in zip(listed.tokens, logprobs, ids, tops, strict=True)
    )


def nats(logprob: float | None) -> float:
    """A log-prob in nats; NaN where the server has none."""
    return logprob if logprob is not None and _NOTHING < logprob < math.inf else math.nan


def ranked(tops: Iterable[tuple[str, float | None]]) -> tuple[tuple[str, float], ...]:
    """The likeliest tokens, the likeliest first, without those that have no log-prob."""
    told = ((token, nats(logprob)) for token, logprob in tops)
    known = [(token, logprob) for token, logprob in told if not math.isnan(logprob)]
    return tuple(sorted(known, key=lambda each: -each[1]))


def is_numbered(token: object) -> bool:
    """Whether a token is told by its number in the vocabulary, as "token_id:504"."""
    return isinstance(token, str) and _NUMBERED.fullmatch(token) is not None


def _place(entry: _Entry) -> TokenLogprob:
    tops = entry.top_logprobs or []
    numbered = _NUMBERED.fullmatch(entry.token)
    if numbered is None:
        top = ranked((each.token, each.logprob) for each in tops)
        return TokenLogprob(entry.token, nats(entry.logprob), top, token_id=entry.token_id)
    listed = ((_NUMBERED.fullmatch(each.token), nats(each.logprob)) for each in tops)
    exact = [(found, value) for found, value in listed if found and not math.isnan(value)]
    return TokenLogprob(
        bytes(entry.bytes or b"").decode(errors="replace"),
        nats(entry.logprob),
        token_id=int(numbered[1]),
        exact=tuple((int(found[1]), value) for found, value in exact),
    )
