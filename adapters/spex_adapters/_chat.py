"""The OpenAI chat dialect, which many servers speak: a request into a body, a reply into an answer.

What this module does not know: who is on the other side, or how to get there.
"""

from __future__ import annotations

import json
from itertools import takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat, ValidationError
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from spex_adapters._refusing import refuse_beyond
from spex_adapters._tools import openais_tools
from spex_adapters._wire import one_line
from spex_api.completions import (
    Capabilities,
    Completion,
    Draw,
    Image,
    Outcome,
    TokenLogprob,
    ToolCall,
    Usage,
)
from spex_api.errors import MalformedReply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import CompletionRequest, JsonObject, Message, Target

__all__ = [
    "Count",
    "Failure",
    "chat_body",
    "grammar_of",
    "in_place_of_an_answer",
    "no_answer",
    "read_chat",
    "vectors_body",
]

_BILLED: Final = "The answer may have been billed."
_OUTCOMES: Final = {
    "length": Outcome.TRUNCATED,
    "max_tokens": Outcome.TRUNCATED,
    "model_length": Outcome.TRUNCATED,
    "content_filter": Outcome.FILTERED,
    "safety": Outcome.FILTERED,
    "recitation": Outcome.FILTERED,
    "refusal": Outcome.REFUSED,
}
"""The words in which servers say why an answer ended early; any other word is an answer's end."""

_DIALECT: Final = Capabilities(samples_at_once=2**31)
"""What the dialect has words for; how many answers at once is an endpoint's matter."""
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _counted(value: object) -> int:
    """A count; an answer is not lost for an accounting that makes no sense."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _numbered(value: object) -> int | None:
    """A token's number; an answer is not lost where a server has another kind of name for it."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _as_text(value: object) -> str:
    """A tool's arguments as JSON text; some servers give them as what the text would say."""
    return value if isinstance(value, str) else json.dumps(value or {}, ensure_ascii=False)


Count = Annotated[int, BeforeValidator(_counted)]


class _Listed(TypedDict):
    """One of the likeliest tokens; as a dictionary, twenty of them are read twice as fast."""

    token: str
    logprob: FiniteFloat


_pair: Final = itemgetter("token", "logprob")


class _Token(BaseModel):
    token: str
    logprob: FiniteFloat
    top_logprobs: list[_Listed] | None = None
    id: Annotated[int | None, BeforeValidator(_numbered)] = None
    """llama.cpp's."""


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Function(BaseModel):
    name: str
    arguments: Annotated[str, BeforeValidator(_as_text)] = "{}"


class _Call(BaseModel):
    id: str | None = None
    function: _Function | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None
    error: Any = None


class _Details(BaseModel):
    cached_tokens: Count = 0
    cache_write_tokens: Count = 0


class _Usage(BaseModel):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    prompt_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: Count = 0
    """DeepSeek's word for `cached_tokens`."""


class Failure(BaseModel):
    """A body that may hold an error, whatever status it came with."""

    error: Any = None


class _Reply(Failure):
    """A chat completion, as far as we read it; fields that we do not know are let through."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None


def chat_body(
    request: CompletionRequest, *, model: str, length_field: str, longest_list: int
) -> JsonObject:
    """The wire body of a request, whole.

    Args:
        request: what is asked.
        model: who is asked.
        length_field: what the server calls the answer's greatest length.
        longest_list: the longest list of likeliest tokens that the server gives.

    Raises:
        UsageError: it asks for what the dialect has no words for: a server that has some of its
            own is asked by an adapter that adds them.
    """
    refuse_beyond(request, _DIALECT, whom="OpenAI's chat dialect")
    body: JsonObject = {
        "model": model,
        "messages": [_turn(turn) for turn in request.messages],
        length_field: request.max_tokens,
        "temperature": request.temperature,
    }
    if request.num_samples > 1:
        body["n"] = request.num_samples
    if request.tools:
        body["tools"] = openais_tools(request)
    if request.top_logprobs > 0:
        body["logprobs"] = True
        body["top_logprobs"] = min(request.top_logprobs, longest_list)
    return body


def vectors_body(request: CompletionRequest, *, model: str) -> JsonObject:
    """The wire body of a question for embeddings.

    Args:
        request: the text of each of its turns gets one.
        model: who is asked.
    """
    texts = [turn.content for turn in request.messages]
    return {"model": model, "input": texts, "encoding_format": "float"}


def read_chat(raw: str) -> Completion:
    """The first choice of a chat completion. Without log-probs in it, `tokens` is empty.

    Raises:
        MalformedReply: the body is an error, or no chat completion.
    """
    reply = _parsed(raw)
    choice = reply.choices[0]
    return Completion(
        text=choice.message.content or choice.message.refusal or "",
        tokens=tuple(
            TokenLogprob(
                entry.token,
                entry.logprob,
                tuple(map(_pair, entry.top_logprobs or ())),
                entry.id,
            )
            for entry in _told(reply)
        ),
        finish_reason=choice.finish_reason or "",
        outcome=_outcome(choice),
        model=reply.model or "",
        fingerprint=reply.system_fingerprint or "",
        usage=_usage(reply.usage or _Usage()),
        raw=raw,
        others=tuple(
            Draw(each.message.content or each.message.refusal or "", _outcome(each), _calls(each))
            for each in reply.choices[1:]
        ),
        tool_calls=_calls(choice),
    )


def _calls(choice: _Choice) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(call.id or "", call.function.name, call.function.arguments)
        for call in choice.message.tool_calls or ()
        if call.function
    )


def grammar_of(target: Target) -> str:
    """The grammar under which llama.cpp can write nothing but a target.

    By the numbers of its tokens where they are known; a text alone may be spelt in other tokens
    than the model's own.

    Args:
        target: the text, and its tokens where they are known.
    """
    if target.tokens:
        return "root ::= " + " ".join(f"<[{number}]>" for number in target.tokens)
    return 'root ::= "' + "".join(map(_in_a_grammar, target.text)) + '"'


def in_place_of_an_answer(failure: object) -> MalformedReply:
    """Our error for a body that holds an error, whatever status it came with."""
    said = failure.get("message", failure) if isinstance(failure, dict) else failure
    return MalformedReply(
        f"The endpoint answered with an error in place of a completion: {one_line(said)}.",
        cost=_BILLED,
    )


def no_answer(raw: str, refused: ValidationError, *, of: str, advice: str) -> MalformedReply:
    """Our error for a body that is no answer.

    Args:
        raw: the body.
        refused: what pydantic says of it.
        of: what it should be, with its article.
        advice: what to check.
    """
    try:
        failure = Failure.model_validate_json(raw).error
    except ValidationError:
        failure = None
    if failure:
        return in_place_of_an_answer(failure)
    first = refused.errors(include_url=False, include_input=False)[0]
    flaw = one_line(": ".join((".".join(map(str, first["loc"])) or "body", first["msg"])))
    return MalformedReply(
        f"The reply is not {of} ({flaw}); it begins {one_line(raw, longest=60)!r}.",
        cost=_BILLED,
        advice=advice,
    )


def _turn(turn: Message) -> JsonObject:
    """A turn as the dialect has it; a plain one holds nothing but role and text."""
    said: JsonObject = {"role": turn.role, "content": turn.content}
    if turn.blocks:
        said["content"] = [_block(block) for block in turn.blocks]
    if turn.answers:
        said["tool_call_id"] = turn.answers
    if turn.tool_calls:
        said["content"] = said["content"] or None
        said["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in turn.tool_calls
        ]
    return said


def _block(block: str | Image) -> JsonObject:
    if isinstance(block, str):
        return {"type": "text", "text": block}
    url = block.url or f"data:{block.media_type};base64,{block.data}"
    return {"type": "image_url", "image_url": {"url": url}}


def _in_a_grammar(character: str) -> str:
    """A character between a grammar's quotes, whose escapes are not all of JSON's."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def _told(reply: _Reply) -> Sequence[_Token]:
    """The first answer's tokens, as far as each has an entry of its own.

    llama.cpp has none for the tokens that begin a character, and gives the whole character to the
    one that ends it: so where fewer tokens are told than were written, it is not known of what
    else than ASCII whether it is one token.
    """
    listed = (reply.choices[0].logprobs and reply.choices[0].logprobs.content) or ()
    written = reply.usage.completion_tokens if reply.usage and len(reply.choices) == 1 else 0
    if len(listed) < written and any(entry.id is not None for entry in listed):
        return list(takewhile(lambda entry: entry.token.isascii(), listed))
    return listed


def _outcome(choice: _Choice) -> Outcome:
    ended = _OUTCOMES.get((choice.finish_reason or "").lower(), Outcome.ANSWERED)
    declined = bool(choice.message.refusal) and ended is not Outcome.FILTERED
    return Outcome.REFUSED if declined else ended


def _usage(used: _Usage) -> Usage:
    details = used.prompt_tokens_details or _Details()
    read = details.cached_tokens or used.prompt_cache_hit_tokens
    return Usage(
        requests=1,
        input_tokens=used.prompt_tokens,
        output_tokens=used.completion_tokens,
        cache_read_tokens=min(read, used.prompt_tokens),
        cache_write_tokens=min(details.cache_write_tokens, used.prompt_tokens),
    )


def _parsed(raw: str) -> _Reply:
    try:
        reply = _Reply.model_validate_json(raw)
    except ValidationError as refused:
        flawed = no_answer(
            raw,
            refused,
            of="a chat completion",
            advice="Check that the address is that of an OpenAI-compatible API.",
        )
    else:
        failure = reply.error or reply.choices[0].error
        if not failure and reply.choices[0].finish_reason != "error":
            return reply
        flawed = in_place_of_an_answer(failure or "it broke off while it wrote")
    raise flawed
