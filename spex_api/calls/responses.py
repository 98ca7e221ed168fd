"""A body of OpenAI's Responses API, as one of its chat API that says the same.

Instructions become the system's message, items messages; calls of tools that follow one another, or
a text of the assistant's, are one turn with it. What only the API's own host can read, such as an
item that it keeps or a tool that it runs, is refused by name. What this module does not know: what
of the rest of a body changes an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spex_api.errors import SpecError

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["chat_of"]

_ASIDE: Final = frozenset({"id", "status", "phase"})
"""What an item has beside what a model reads."""
_TEXTS: Final = ("input_text", "output_text", "text")


def chat_of(body: JsonObject, *, where: str) -> tuple[JsonObject, tuple[str, ...]]:
    """The same question as a chat body, and what of it could not be taken along, in sentences.

    Args:
        body: as it was sent to the Responses API.
        where: it stands, for an error's text.

    Raises:
        SpecError: it has no input, or holds what no chat has words for.
    """
    rest = {key: value for key, value in body.items() if key not in ("input", "instructions")}
    asked = body.get("input")
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    if not isinstance(items, list) or not items:
        raise SpecError(
            f"{where} has no 'input', so nothing is asked in it.",
            advice="Give the body as it was sent, with its input.",
        )
    messages: list[JsonObject] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    thoughts = 0
    for at, item in enumerate(items):
        if isinstance(item, dict) and item.get("type") == "reasoning":
            thoughts += 1
            continue
        _append(messages, item, f"Item {at} of the input in {where}")
    if "tools" in rest:
        rest["tools"] = [_tool(tool, at, where) for at, tool in enumerate(rest["tools"] or ())]
    if "max_output_tokens" in rest:
        rest["max_completion_tokens"] = rest.pop("max_output_tokens")
    told = (
        (
            f"{thoughts} of its items {'are' if thoughts > 1 else 'is'} the model's own reasoning, "
            "which no chat takes back: asked again, the model has not read it.",
        )
        if thoughts
        else ()
    )
    return {**rest, "messages": messages}, told


def _append(messages: list[JsonObject], item: object, where: str) -> None:
    """Adds what an item says, to the turn before it where both are one turn of the assistant's."""
    if not isinstance(item, dict):
        raise _unsaid(f"{where} is no JSON object")
    said = {key: value for key, value in item.items() if key not in _ASIDE and value is not None}
    match said.pop("type", "message"):
        case "message":
            messages.append(_message(said, where))
        case "function_call":
            call = _call(said, where)
            last = messages[-1] if messages else {}
            if last.get("role") == "assistant":
                last.setdefault("tool_calls", []).append(call)
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        case "function_call_output":
            _nothing_else(said, {"call_id", "output"}, where)
            messages.append(
                {
                    "role": "tool",
                    "tool_call_id": said.get("call_id"),
                    "content": _content(said.get("output"), where),
                }
            )
        case other:
            raise _unsaid(f"{where} is of the type {other!r}, which a chat has no words for")


def _message(said: JsonObject, where: str) -> JsonObject:
    _nothing_else(said, {"role", "content"}, where)
    return {"role": said.get("role"), "content": _content(said.get("content"), where)}


def _call(said: JsonObject, where: str) -> JsonObject:
    _nothing_else(said, {"call_id", "name", "arguments"}, where)
    return {
        "id": said.get("call_id"),
        "type": "function",
        "function": {"name": said.get("name"), "arguments": said.get("arguments", "{}")},
    }


def _content(said: object, where: str) -> object:
    """Text as it is, blocks as a chat has them; one block of text is the text."""
    if not isinstance(said, list):
        return said
    blocks = [_block(each, where) for each in said]
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return blocks[0]["text"]
    return blocks


def _block(block: object, where: str) -> JsonObject:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or kind not in (*_TEXTS, "input_image"):
        raise _unsaid(f"{where} holds {kind or block!r}, which a chat has no words for")
    said = {key: value for key, value in block.items() if value is not None}
    if kind in _TEXTS:
        # What only an answer has is not sent back.
        _nothing_else(said, {"type", "text", "annotations", "logprobs"}, where)
        return {"type": "text", "text": said.get("text")}
    _nothing_else(said, {"type", "image_url", "detail"}, where)
    image = {"url": said.get("image_url")}
    return {"type": "image_url", "image_url": image | _pick(said, "detail")}


def _tool(tool: object, at: int, where: str) -> JsonObject:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or kind != "function":
        raise _unsaid(f"Tool {at} in {where} is of the type {kind!r}, which a chat does not have")
    return {"type": "function", "function": {key: tool[key] for key in tool if key != "type"}}


def _pick(said: JsonObject, key: str) -> dict[str, Any]:
    return {key: said[key]} if key in said else {}


def _nothing_else(said: JsonObject, known: set[str], where: str) -> None:
    if strange := sorted(said.keys() - known):
        raise _unsaid(f"{where} has {strange[0]!r}, which a chat has no words for")


def _unsaid(flaw: str) -> SpecError:
    return SpecError(
        f"{flaw}.",
        advice="Save the request as JSON, take that out, and give it with --request, if the answer "
        "without it is worth explaining.",
    )
