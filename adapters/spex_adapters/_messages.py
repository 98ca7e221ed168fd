"""Anthropic's Messages dialect: a request into a body, a reply into an answer.

It has no log-probs and no temperature: since version 2026-10-21 the API refuses `temperature`,
`top_p` and `top_k` on every model, so that each answer is a sample, and none of them is sent.
What this module does not know: who is on the other side, or how to get there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ValidationError

from spex_adapters._chat import Count, Failure, in_place_of_an_answer, no_answer
from spex_api.completions import Completion, Outcome, Usage

if TYPE_CHECKING:
    from spex_api.completions import CompletionRequest, JsonObject

__all__ = ["messages_body", "read_messages"]

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
    """
    body: JsonObject = {
        "model": model,
        "max_tokens": request.max_tokens,
        "messages": [
            {"role": turn.role, "content": turn.content}
            for turn in request.messages
            if turn.role not in _SYSTEM
        ],
    }
    system = [turn.content for turn in request.messages if turn.role in _SYSTEM]
    if request.tools:
        body["tools"] = [json.loads(tool) for tool in request.tools]
    if system:
        body["system"] = "\n\n".join(system)
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
    )


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
