"""A reply's body, in one of the recorded dialects, into what it says.

An answer that is only shown must not be lost for a field that is not as documented, so what cannot
be read is left out. What this module does not know: what was asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spex_api.calls.loosely import as_count, as_object, as_objects, as_text
from spex_api.completions import Usage
from spex_api.messages import ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.completions import JsonObject

__all__ = ["Answer", "read_answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Attributes:
        text: what it wrote; where it refused in words of its own, these.
        tool_calls: what tools it asked for.
        finish_reason: why it stopped, in the endpoint's word.
        model: the model that served it.
        usage: what it took.
        error: what the endpoint said in place of an answer, or "".
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    error: str = ""


def read_answer(body: JsonObject, *, dialect: str) -> Answer:
    """What a reply says; the first of several answers.

    Args:
        body: of the reply, as without streaming.
        dialect: "openai.chat", "openai.responses" or "anthropic.messages"; of any other nothing is
            known, and the answer is empty.
    """
    if body.get("error"):
        error = body["error"]
        said = error.get("message") if isinstance(error, dict) else error
        return Answer(error=str(said or json.dumps(error)), model=as_text(body.get("model")))
    read = _DIALECTS.get(dialect)
    return read(body) if read else Answer()


def _chat(body: JsonObject) -> Answer:
    choice = next(iter(as_objects(body.get("choices"))), {})
    message, usage = as_object(choice.get("message")), as_object(body.get("usage"))
    return Answer(
        text=as_text(message.get("content")) or as_text(message.get("refusal")),
        tool_calls=tuple(
            ToolCall(
                as_text(call.get("id")), name, _as_json(asked.get("arguments", asked.get("input")))
            )
            for call in as_objects(message.get("tool_calls"))
            for asked in (as_object(call.get("function") or call.get("custom")),)
            if (name := as_text(asked.get("name")))
        ),
        finish_reason=as_text(choice.get("finish_reason")),
        model=as_text(body.get("model")),
        usage=Usage(
            requests=1,
            input_tokens=as_count(usage.get("prompt_tokens")),
            output_tokens=as_count(usage.get("completion_tokens")),
            cache_read_tokens=as_count(
                as_object(usage.get("prompt_tokens_details")).get("cached_tokens")
            ),
        ),
    )


def _responses(body: JsonObject) -> Answer:
    items = as_objects(body.get("output"))
    parts = [part for item in items for part in as_objects(item.get("content"))]
    said = "".join(as_text(p.get("text")) for p in parts if p.get("type") == "output_text")
    refused = "".join(as_text(p.get("refusal")) for p in parts if p.get("type") == "refusal")
    usage, cut = as_object(body.get("usage")), as_object(body.get("incomplete_details"))
    return Answer(
        text=said or refused,
        tool_calls=tuple(
            ToolCall(
                as_text(item.get("call_id")),
                name,
                _as_json(item.get("arguments", item.get("input"))),
            )
            for item in items
            if item.get("type") in {"function_call", "custom_tool_call"}
            and (name := as_text(item.get("name")))
        ),
        finish_reason=as_text(cut.get("reason")) or as_text(body.get("status")),
        model=as_text(body.get("model")),
        usage=Usage(
            requests=1,
            input_tokens=as_count(usage.get("input_tokens")),
            output_tokens=as_count(usage.get("output_tokens")),
            cache_read_tokens=as_count(
                as_object(usage.get("input_tokens_details")).get("cached_tokens")
            ),
        ),
    )


def _messages(body: JsonObject) -> Answer:
    blocks, usage = as_objects(body.get("content")), as_object(body.get("usage"))
    read, written = (
        as_count(usage.get(f"cache_{kind}_input_tokens")) for kind in ("read", "creation")
    )
    return Answer(
        text="".join(as_text(block.get("text")) for block in blocks if block.get("type") == "text"),
        tool_calls=tuple(
            ToolCall(as_text(block.get("id")), name, _as_json(block.get("input")))
            for block in blocks
            if block.get("type") == "tool_use" and (name := as_text(block.get("name")))
        ),
        finish_reason=as_text(body.get("stop_reason")),
        model=as_text(body.get("model")),
        usage=Usage(
            requests=1,
            input_tokens=as_count(usage.get("input_tokens")) + read + written,
            output_tokens=as_count(usage.get("output_tokens")),
            cache_read_tokens=read,
            cache_write_tokens=written,
        ),
    )


def _as_json(value: object) -> str:
    """A tool's arguments as JSON text, whether the dialect gives them as text or as an object."""
    return value if isinstance(value, str) else json.dumps(value or {}, ensure_ascii=False)


_DIALECTS: Final[dict[str, Callable[[JsonObject], Answer]]] = {
    "openai.chat": _chat,
    "openai.responses": _responses,
    "anthropic.messages": _messages,
}
