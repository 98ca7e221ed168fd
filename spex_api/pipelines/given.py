"""What a pipeline gave, as a text and the calls of tools in it.

A text is itself; a vendor's reply, or a framework's message, is told by its shape and gives the
text that it holds; anything else becomes JSON. What this module does not know: how the pipeline is
called.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from spex_api.errors import UsageError
from spex_api.pipelines.elements import as_json, jsonable
from spex_api.scores.tool_calls import calls_within

if TYPE_CHECKING:
    from spex_api.messages import ToolCall

__all__ = ["Given", "read_given"]


@dataclass(frozen=True, slots=True)
class Given:
    """A pipeline's answer.

    Attributes:
        text: what it says; "" where it only calls tools, or gives nothing.
        tool_calls: what tools it calls.
        refused: whether it is a model's reply that says that it was refused or filtered.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    refused: bool = False


def read_given(value: object) -> Given:
    """What a function returned, read.

    Args:
        value: anything but what is yet to be waited for or run through.

    Raises:
        UsageError: it is a generator, whose pieces only the function's user can join.
    """
    if inspect.isgenerator(value) or inspect.isasyncgen(value) or hasattr(value, "__anext__"):
        raise UsageError(
            f"The pipeline gave a {type(value).__name__}, piece by piece, and no answer.",
            advice='Give a function that joins the pieces, as "".join(answer(…)).',
        )
    if value is None:
        return Given("")
    if isinstance(value, str):
        return Given(value, _calls_in_json(value))
    if isinstance(value, bytes):
        return Given(value.decode(errors="replace"))
    plain = jsonable(value)
    text = _text_of(plain) if isinstance(plain, Mapping) else None
    if text is None:
        return Given(as_json(plain), calls_within(plain))
    return Given(text, calls_within(plain), _is_refused(plain))


def _calls_in_json(text: str) -> tuple[ToolCall, ...]:
    if not text.lstrip().startswith(("{", "[")):
        return ()
    try:
        return calls_within(json.loads(text))
    except (ValueError, RecursionError):
        return ()


def _text_of(reply: Mapping[str, Any]) -> str | None:
    """The text of a reply, or of an assistant's message; None of anything else."""
    choices, output, content = (reply.get(name) for name in ("choices", "output", "content"))
    if _is_list(choices) and choices and isinstance(choices[0], Mapping):
        message = choices[0].get("message")
        return _joined(message.get("content")) if isinstance(message, Mapping) else None
    if _is_list(output) and all(isinstance(each, Mapping) and "type" in each for each in output):
        return "".join(_joined(each.get("content")) for each in output)
    is_message = reply.get("role") == "assistant" or reply.get("type") in ("ai", "assistant")
    return _joined(content) if is_message and "content" in reply else None


def _is_refused(reply: Mapping[str, Any]) -> bool:
    """Whether a reply says that the model declined, or that a filter took the answer away."""
    choices, output = reply.get("choices"), reply.get("output")
    if _is_list(choices) and choices:
        message = choices[0].get("message") or {}
        return choices[0].get("finish_reason") == "content_filter" or bool(message.get("refusal"))
    if _is_list(output):
        parts = [part for each in output for part in each.get("content") or ()]
        return any(isinstance(part, Mapping) and part.get("type") == "refusal" for part in parts)
    return reply.get("stop_reason") == "refusal"


def _joined(content: object) -> str:
    """The texts of a content in blocks, or the content itself where it is one text."""
    if isinstance(content, str):
        return content
    if not _is_list(content):
        return ""
    texts = (each.get("text") if isinstance(each, Mapping) else each for each in content)
    return "".join(text for text in texts if isinstance(text, str))


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
