"""A stream's events put together to the body that the endpoint would have sent without streaming.

What this module does not know: what an answer says, and how events travelled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spex_api.calls.loosely import as_object, as_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spex_api.completions import JsonObject

__all__ = ["Assembled", "assembled"]

_INPUT: Final = "partial_json"
"""Where Anthropic sends a tool's arguments piece by piece, as text."""
_ENDS: Final = ("response.completed", "response.incomplete", "response.failed")


@dataclass(frozen=True, slots=True)
class Assembled:
    """What a stream said.

    Attributes:
        body: the body; where the stream broke off, as much of it as came.
        whole: whether its last event came.
    """

    body: JsonObject = field(repr=False)
    whole: bool


def assembled(events: str, *, dialect: str) -> Assembled:
    """The body that a stream's events amount to.

    Args:
        events: the text of the stream.
        dialect: "openai.chat", "openai.responses" or "anthropic.messages"; of any other nothing is
            known, and the body is empty.
    """
    put_together = _DIALECTS.get(dialect)
    return put_together(_events(events)) if put_together else Assembled({}, whole=False)


def _events(text: str) -> Iterator[JsonObject | None]:
    """The data of each event; None for the mark that ends OpenAI's. What is broken is left out."""
    data: list[str] = []
    for line in (*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            said, data = "\n".join(data), []
            if said.strip() == "[DONE]":
                yield None
                continue
            try:
                event = json.loads(said)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def _chat(events: Iterator[JsonObject | None]) -> Assembled:
    """Chat completions: pieces of messages, by the number of the choice."""
    body: JsonObject = {}
    choices: dict[int, JsonObject] = {}
    done = False
    for event in events:
        if event is None:
            done = True
            continue
        body |= {key: value for key, value in event.items() if key != "choices" and value}
        for piece in as_objects(event.get("choices")):
            index = _index(piece, 0)
            choice = choices.setdefault(
                index, {"index": index, "message": {}, "finish_reason": None}
            )
            choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
            _extend(choice["message"], piece.get("delta"))
            if isinstance(piece.get("logprobs"), dict):
                _extend(choice.setdefault("logprobs", {}), piece["logprobs"])
    told = [choices[index] for index in sorted(choices)]
    for choice in told:
        for call in as_objects(choice["message"].get("tool_calls")):
            call.pop("index", None)
    ended = bool(told) and all(choice["finish_reason"] for choice in told)
    if told or body:
        body = {**body, "object": "chat.completion", "choices": told}
    return Assembled(body, whole=(done or ended) and "error" not in body)


def _extend(said: JsonObject, piece: object) -> None:
    """Adds a piece of a message: texts grow, and so do lists, by their entries' numbers."""
    for key, value in piece.items() if isinstance(piece, dict) else ():
        known = said.get(key)
        if isinstance(value, str) and isinstance(known, str) and key not in {"role", "id", "type"}:
            said[key] = known + value
        elif isinstance(value, dict):
            _extend(said.setdefault(key, {}) if isinstance(known, dict | None) else {}, value)
        elif isinstance(value, list):
            known = said[key] if isinstance(known, list) else said.setdefault(key, [])
            if isinstance(known, list):
                _lengthen(known, value)
        elif value is not None:
            said[key] = value
        else:
            said.setdefault(key, None)


def _lengthen(known: list[Any], entries: list[Any]) -> None:
    for entry in entries:
        place = as_object(entry).get("index")
        if not isinstance(place, int):
            known.append(entry)
            continue
        same = next((each for each in as_objects(known) if each.get("index") == place), None)
        if same is None:
            known.append({})
        _extend(known[-1] if same is None else same, entry)


def _responses(events: Iterator[JsonObject | None]) -> Assembled:
    """Responses: the last event holds all; before it, each item that is done does."""
    begun: JsonObject = {}
    items: dict[int, JsonObject] = {}
    texts: dict[int, str] = {}
    for event in filter(None, events):
        kind, response = event.get("type"), event.get("response")
        if isinstance(response, dict):
            if kind in _ENDS:
                return Assembled(response, whole=True)
            begun = response
        place, item = _index(event, len(items), "output_index"), event.get("item")
        if kind == "response.output_item.done" and isinstance(item, dict):
            items[place] = item
        elif kind == "response.output_text.delta":
            texts[place] = texts.get(place, "") + str(event.get("delta") or "")
        elif kind == "error":
            begun = {**begun, "error": event}
    for place, text in texts.items():
        content = [{"type": "output_text", "text": text}]
        items.setdefault(place, {"type": "message", "role": "assistant", "content": content})
    output = [items[place] for place in sorted(items)]
    return Assembled({**begun, "output": output} if begun or output else {}, whole=False)


def _messages(events: Iterator[JsonObject | None]) -> Assembled:
    """Anthropic's messages: a message without content, then its blocks piece by piece."""
    body: JsonObject = {}
    blocks: dict[int, JsonObject] = {}
    whole = False
    for event in filter(None, events):
        kind, place = event.get("type"), _index(event, len(blocks))
        if kind == "message_start":
            body = as_object(event.get("message"))
        elif kind == "content_block_start":
            blocks[place] = dict(as_object(event.get("content_block")))
        elif kind == "content_block_delta":
            block = blocks.setdefault(place, {"type": "text"})
            _extend(block, _grown(as_object(event.get("delta"))))
        elif kind == "message_delta":
            usage = as_object(body.get("usage")) | as_object(event.get("usage"))
            body = {**body, **as_object(event.get("delta")), "usage": usage}
        elif kind == "error":
            body = {**body, "error": event.get("error")}
        whole = whole or kind == "message_stop"
    for block in blocks.values():
        if _INPUT in block:
            block["input"] = _input(block.pop(_INPUT))
    if blocks:
        body = {**body, "content": [blocks[place] for place in sorted(blocks)]}
    return Assembled(body, whole=whole)


def _grown(delta: JsonObject) -> JsonObject:
    """What a piece adds to its block."""
    if "citation" in delta:
        return {"citations": [delta["citation"]]}
    return {key: value for key, value in delta.items() if key != "type"}


def _input(text: str) -> object:
    """A tool's arguments; where they broke off, the text as far as it came."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _index(event: JsonObject, otherwise: int, key: str = "index") -> int:
    value = event.get(key)
    return value if isinstance(value, int) else otherwise


_DIALECTS: Final[dict[str, Callable[[Iterator[JsonObject | None]], Assembled]]] = {
    "openai.chat": _chat,
    "openai.responses": _responses,
    "anthropic.messages": _messages,
}
