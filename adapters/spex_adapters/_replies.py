"""A reply into an answer, in the dialects that go beyond OpenAI's.

Each kind of reply tells by its own fields what it is, so that a reply is read from its text alone.
What this module does not know: what was asked, and who was.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, FiniteFloat

from spex_adapters._chat import Count, read_chat
from spex_adapters._kinds import parsed
from spex_adapters._logprobs import Byte, ListedTokens, is_numbered, nats, told_tokens
from spex_adapters._pieces import pieces_of
from spex_adapters._sglang import as_told, read_generated, read_two_steps
from spex_api.completions import Completion, Draw, TokenLogprob, Usage
from spex_api.errors import MalformedReply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import JsonObject

__all__ = ["read_chat_or_vectors", "read_reply"]

_END: Final = r"(?:<\|?(?:eot_id|im_end|end_of_turn|end|eot|return)\|?>|<｜end▁of▁sentence｜>|</s>)"
_CLOSING: Final = re.compile(rf"{_END}(?:\s|(?!{_END})<[^<>\s]{{1,40}}>|assistant|model)*\Z")
"""What a template puts behind the last turn: its end, and the beginning of an answer."""


class _Told(BaseModel):
    logprobs: ListedTokens | None = None


class _Known(BaseModel):
    logprob: float
    decoded_token: str | None = None


class _Counts(BaseModel):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class _Extended(BaseModel):
    """A completion's further fields."""

    choices: Annotated[list[_Told], Field(min_length=1)]
    usage: _Counts | None = None
    prompt: list[_Told] | str | None = None
    prompt_logprobs: list[dict[int, _Known] | None] | None = None
    prompt_token_ids: list[int] | None = None


class _Piece(BaseModel):
    id: int
    piece: str | list[Byte] = ""


class _Tokens(BaseModel):
    tokens: list[_Piece] | list[int]
    token_strs: list[str] | None = None
    pieces: list[str] | None = None


class _Vector(BaseModel):
    index: int = 0
    embedding: list[FiniteFloat]


class _Vectors(BaseModel):
    data: Annotated[list[_Vector], Field(min_length=1)]
    model: str | None = None
    usage: _Counts | None = None


def read_reply(raw: str, *, echoes: bool = False) -> Completion:
    """The answer in a reply's text, whichever of the routes it came from.

    Args:
        raw: the reply.
        echoes: whether the server tells an echoed prompt in one list with the answer.

    Raises:
        MalformedReply: the text is an error, or none of the replies that are known.
    """
    body = parsed(raw)
    if isinstance(body, dict) and not body.get("error"):
        if "generate" in body:
            return read_two_steps(body, raw)
        if "meta_info" in body:
            return read_generated(raw)
        if "tokens" in body and "choices" not in body:
            return _cut(raw)
        if "data" in body and "choices" not in body:
            return _embedded(raw)
        if echoes or _tells_more(body):
            return _completed(body, raw, echoes=echoes)
    return read_chat(raw)


def read_chat_or_vectors(raw: str) -> Completion:
    """The answer of OpenAI's own routes, a chat completion as a rule, which is read but once.

    Raises:
        MalformedReply: the text is an error, or neither a chat completion nor embeddings.
    """
    vectors = '"embedding"' in raw and '"choices"' not in raw
    return read_reply(raw) if vectors else read_chat(raw)


def _tells_more(body: JsonObject) -> bool:
    """Whether a completion holds what the plain chat dialect has no place for."""
    if body.get("prompt_logprobs") or isinstance(body.get("prompt"), list):
        return True
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict):
        return False
    listed = first.get("logprobs")
    if not isinstance(listed, dict):
        return "message" not in first
    content = listed.get("content")
    place = content[0] if isinstance(content, list) and content else {}
    token = place.get("token") if isinstance(place, dict) else None
    return "message" not in first or "tokens" in listed or is_numbered(token)


def _completed(body: JsonObject, raw: str, *, echoes: bool) -> Completion:
    """A completion, of the chat route or the older one, with what it tells of its prompt."""
    told = as_told(_Extended, raw, "a completion with log-probs")
    choices = [_as_chat(choice) for choice in body["choices"]]
    first, *rest = (read_chat(json.dumps({**body, "choices": [choice]})) for choice in choices)
    listed = told.choices[0].logprobs
    places = told_tokens(listed) if listed else ()
    # Where a prompt is echoed in one list with the answer, the answer's tokens are the last.
    split = max(0, len(places) - told.usage.completion_tokens) if echoes and told.usage else 0
    read = _prompt(told) or places[:split]
    return replace(
        first,
        raw=raw,
        tokens=places[split:],
        prompt_tokens=_without_closing(read) if echoes or told.prompt else read,
        others=tuple(Draw(each.text, each.outcome, each.tool_calls) for each in rest),
    )


def _as_chat(choice: object) -> object:
    """A choice in the chat dialect, without its log-probs, which are read here."""
    if not isinstance(choice, dict):
        return choice
    message = choice.get("message", {"content": choice.get("text")})
    return {**choice, "message": message, "logprobs": None}


def _prompt(told: _Extended) -> tuple[TokenLogprob, ...]:
    """What was read, where it is told apart from the answer."""
    if isinstance(told.prompt, list):
        return tuple(
            place for part in told.prompt if part.logprobs for place in told_tokens(part.logprobs)
        )
    ids: Sequence[int | None] = told.prompt_token_ids or ()
    found = []
    for index, place in enumerate(told.prompt_logprobs or ()):
        number = ids[index] if index < len(ids) else next(iter(place or {}), None)
        known = (place or {}).get(-1 if number is None else number)
        logprob = nats(known.logprob) if known else math.nan
        found.append(TokenLogprob((known and known.decoded_token) or "", logprob, token_id=number))
    return tuple(found)


def _without_closing(read: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
    """A prompt's tokens up to the end of its last turn's text, where a template closed the turn."""
    closing = _CLOSING.search("".join(place.token for place in read[-32:]))
    if closing is None:
        return read
    behind, kept = len(closing[0]), len(read)
    while behind > 0:
        kept -= 1
        behind -= len(read[kept].token)
    return read[:kept]


def _cut(raw: str) -> Completion:
    told = as_told(_Tokens, raw, "a list of tokens")
    entries = [each if isinstance(each, _Piece) else _Piece(id=each) for each in told.tokens]
    texts = told.pieces or pieces_of(told.token_strs or ()) or [_text(each) for each in entries]
    if len(texts) != len(entries):
        raise MalformedReply("The reply has not as many texts as tokens.")
    return Completion(
        "",
        tuple(
            TokenLogprob(text, math.nan, token_id=each.id)
            for each, text in zip(entries, texts, strict=True)
        ),
        raw=raw,
    )


def _text(entry: _Piece) -> str:
    piece = entry.piece
    return piece if isinstance(piece, str) else bytes(piece).decode(errors="replace")


def _embedded(raw: str) -> Completion:
    told = as_told(_Vectors, raw, "a list of embeddings")
    in_order = sorted(told.data, key=lambda each: each.index)
    return Completion(
        "",
        model=told.model or "",
        usage=Usage(requests=1, input_tokens=told.usage.prompt_tokens if told.usage else 0),
        raw=raw,
        vectors=tuple(tuple(each.embedding) for each in in_order),
    )
