"""Anthropic's Messages dialect: a request into a body, a reply into an answer.

It has no log-probs and no temperature: since version 2026-10-21 the API refuses `temperature`,
`top_p` and `top_k` on every model, so that each answer is a sample, and none of them is sent.
Results of tools stand in the user's turn, before what the user says, so that the turns behind a
call become one. What this module does not know: who is on the other side, or how to get there.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ValidationError

from spex_adapters._chat import Count, Failure, in_place_of_an_answer, no_answer
from spex_adapters._refusing import refuse_beyond
from spex_adapters._tools import anthropics_tools
from spex_api.completions import Capabilities, Completion, Image, Outcome, ToolCall, Usage
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.completions import CompletionRequest, JsonObject, Message

__all__ = ["messages_body", "read_messages"]

_DIALECT: Final = Capabilities(top_logprobs=0, temperature=False)
_SYSTEM: Final = frozenset({"system", "developer"})
_OUTCOMES: Final = {
    "max_tokens": Outcome.TRUNCATED,
    "model_context_window_exceeded": Outcome.TRUNCATED,
    "refusal": Outcome.REFUSED,
}
"""Why an answer ended early; "end_turn", "stop_sequence" and the others are an answer's end."""


class _Block(BaseModel):
    type: str
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Usage(BaseModel):
    """What is read from the cache or written to it is not among `input_tokens` here."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count = 0
    cache_creation_input_tokens: Count = 0


class _Reply(Failure):
    """A message, as far as we read it; fields that we do not know are let through."""

    type: Literal["message"] = "message"
    content: list[_Block]
    stop_reason: str | None = None
    model: str | None = None
    usage: _Usage | None = None


def messages_body(request: CompletionRequest, *, model: str) -> JsonObject:
    """The wire body of a request, whole. Turns of the system become `system`.

    Args:
        request: what is asked; its temperature and its log-probs are not part of the dialect.
        model: who is asked.

    Raises:
        UsageError: it asks for what the dialect has no words for.
    """
    refuse_beyond(request, _DIALECT, whom="Anthropic's dialect")
    body: JsonObject = {
        "model": model,
        "max_tokens": request.max_tokens,
        "messages": list(_turns([t for t in request.messages if t.role not in _SYSTEM])),
    }
    system = [turn for turn in request.messages if turn.role in _SYSTEM]
    if request.tools:
        body["tools"] = anthropics_tools(request)
    if system:
        body["system"] = _system(system)
    return body


def read_messages(raw: str) -> Completion:
    """The text of a message. There are no log-probs in it, so `tokens` is empty.

    Raises:
        MalformedReply: the body is an error, or no message.
    """
    reply = _parsed(raw)
    used = reply.usage or _Usage()
    return Completion(
        text="".join(block.text or "" for block in reply.content if block.type == "text"),
        finish_reason=reply.stop_reason or "",
        outcome=_OUTCOMES.get(reply.stop_reason or "", Outcome.ANSWERED),
        model=reply.model or "",
        usage=Usage(
            requests=1,
            input_tokens=used.input_tokens
            + used.cache_read_input_tokens
            + used.cache_creation_input_tokens,
            output_tokens=used.output_tokens,
            cache_read_tokens=used.cache_read_input_tokens,
            cache_write_tokens=used.cache_creation_input_tokens,
        ),
        raw=raw,
        tool_calls=tuple(
            ToolCall(block.id or "", block.name, json.dumps(block.input or {}, ensure_ascii=False))
            for block in reply.content
            if block.type == "tool_use" and block.name
        ),
    )


def _turns(turns: Sequence[Message]) -> Iterator[JsonObject]:
    """The turns; those of tools with the user's beside them are one, results first."""
    for users, beside in groupby(turns, key=lambda turn: _is_result(turn) or turn.role == "user"):
        together = list(beside)
        if not (users and any(map(_is_result, together))):
            yield from map(_turn, together)
            continue
        results = [_result(turn) for turn in together if _is_result(turn)]
        said = [_blocks(turn) for turn in together if not _is_result(turn)]
        yield {"role": "user", "content": results + [each for blocks in said for each in blocks]}


def _is_result(turn: Message) -> bool:
    return bool(turn.answers)


def _turn(turn: Message) -> JsonObject:
    if not (turn.blocks or turn.tool_calls):
        return {"role": turn.role, "content": turn.content}
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)}
        for call in turn.tool_calls
    ]
    return {"role": turn.role, "content": [*_blocks(turn), *calls] or ""}


def _result(turn: Message) -> JsonObject:
    content = _blocks(turn) if turn.blocks else turn.content
    return {"type": "tool_result", "tool_use_id": turn.answers, "content": content}


def _system(turns: Sequence[Message]) -> str | list[JsonObject]:
    """The system's turns as one text; as blocks where one is sent as such."""
    if not any(turn.blocks for turn in turns):
        return "\n\n".join(turn.content for turn in turns)
    blocks = [block for turn in turns for block in _blocks(turn)]
    if any(block["type"] != "text" for block in blocks):
        raise UsageError(
            "Anthropic's dialect has no words for images in the system's turn.",
            advice="Put them into the user's.",
        )
    return blocks


def _blocks(turn: Message) -> list[JsonObject]:
    """What a turn says, as blocks. The API refuses a block of no text, which says nothing."""
    return [_block(each) for each in turn.blocks or (turn.content,) if each != ""]


def _block(block: str | Image) -> JsonObject:
    if isinstance(block, str):
        return {"type": "text", "text": block}
    source = {"type": "base64", "media_type": block.media_type, "data": block.data}
    return {"type": "image", "source": {"type": "url", "url": block.url} if block.url else source}


def _input(call: ToolCall) -> JsonObject:
    try:
        found = json.loads(call.arguments)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(
            f"The call {call.id!r} of the tool {call.name!r} cannot be sent: Anthropic's dialect "
            "takes arguments as a JSON object, and these are none.",
            advice="Pin the arguments, or give them as an object.",
        )
    return found


def _parsed(raw: str) -> _Reply:
    try:
        reply = _Reply.model_validate_json(raw)
    except ValidationError as refused:
        flawed = no_answer(
            raw,
            refused,
            of="a message",
            advice="Check that the address is that of an API that speaks Anthropic's Messages.",
        )
    else:
        if not reply.error:
            return reply
        flawed = in_place_of_an_answer(reply.error)
    raise flawed
