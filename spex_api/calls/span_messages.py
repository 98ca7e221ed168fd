"""The messages of a model call, as instrumentations wrote them over the years, in a chat's words.

- `gen_ai.input.messages` and `gen_ai.system_instructions`, on the span or its event: turns of
  parts, as JSON or as JSON text (semantic conventions from 1.37 on);
- one event a message, as `gen_ai.user.message` (1.28 to 1.36);
- `gen_ai.prompt`, a JSON text in an event (1.27), or `gen_ai.prompt.N.content` and its like, one
  attribute a field (OpenLLMetry).

What this module does not know: where attributes come from, and what else a span says.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spex_api.calls.loosely import as_object, as_objects, as_text
from spex_api.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import JsonObject

__all__ = ["Said", "answer_in", "messages_in", "tools_in"]

Event = tuple[str, "JsonObject"]

_DETAILS: Final = "gen_ai.client.inference.operation.details"
_EVENT = re.compile(r"gen_ai\.(?P<role>system|developer|user|assistant|tool)\.message")
_PROMPTS = re.compile(r"gen_ai\.prompt\.(?P<at>\d+)\.(?P<field>.+)")
_CALLS = re.compile(r"tool_calls\.(?P<at>\d+)\.(?:function\.)?(?P<field>id|name|arguments)")
_FUNCTIONS = re.compile(r"llm\.request\.functions\.(?P<at>\d+)\.(?P<field>\w+)")


@dataclass(frozen=True, slots=True)
class Said:
    """What was said before the answer.

    Attributes:
        messages: in OpenAI's chat dialect.
        notices: what of it could not be taken along, in sentences.
    """

    messages: list[JsonObject]
    notices: tuple[str, ...] = ()


def messages_in(told: JsonObject, events: Sequence[Event]) -> Said | None:
    """The messages that a span tells; None where it tells none.

    Args:
        told: the span's attributes.
        events: the names and attributes of its events.

    Raises:
        SpecError: one holds what a chat has no words for.
    """
    for each in (told, *(attributes for name, attributes in events if name == _DETAILS)):
        turns = _listed(each.get("gen_ai.input.messages"))
        if turns:
            return _from_parts(_listed(each.get("gen_ai.system_instructions")), turns)
    if single := [(match["role"], said) for name, said in events if (match := _EVENT.match(name))]:
        return Said([_from_event(role, said) for role, said in single])
    for each in (told, *(attributes for _, attributes in events)):
        if turns := as_objects(_listed(each.get("gen_ai.prompt"))):
            return Said([_plain(turn) for turn in turns])
    fields = _indexed(told, _PROMPTS)
    return Said([_from_fields(each) for each in fields]) if fields else None


def answer_in(told: JsonObject, events: Sequence[Event]) -> str:
    """The text of the answer, where a span tells it.

    Args:
        told: the span's attributes.
        events: the names and attributes of its events.

    Raises:
        Nothing: otherwise it is empty.
    """
    for each in (told, *(attributes for name, attributes in events if name == _DETAILS)):
        for turn in as_objects(_listed(each.get("gen_ai.output.messages"))):
            parts = [part for part in as_objects(turn.get("parts")) if part.get("type") == "text"]
            return "".join(as_text(part.get("content")) for part in parts)
    for name, said in events:
        if name == "gen_ai.choice":
            return as_text(as_object(said.get("message")).get("content"))
    return as_text(told.get("gen_ai.completion.0.content"))


def tools_in(told: JsonObject) -> list[JsonObject]:
    """The definitions of tools that a span tells, as a chat has them.

    Args:
        told: the span's attributes.

    Raises:
        Nothing: one that is no object is left out.
    """
    found = as_objects(_listed(told.get("gen_ai.tool.definitions")))
    found = found or _indexed(told, _FUNCTIONS) or as_objects(_listed(told.get("gen_ai.tools")))
    return [_tool(each) for each in found]


def _from_parts(instructions: list[Any], turns: list[Any]) -> Said:
    """Turns made of parts. Where calls have no ids, results answer them in their order."""
    messages: list[JsonObject] = []
    waiting: deque[str] = deque()
    thoughts = 0
    if instructions:
        texts = [_block(part, "The system's instructions") for part in instructions]
        messages.append({"role": "system", "content": _content(texts)})
    for at, turn in enumerate(as_objects(turns)):
        where = f"Message {at} of the span"
        if not isinstance(turn.get("parts"), list):
            messages.append(_plain(turn))
            continue
        blocks: list[JsonObject] = []
        calls: list[JsonObject] = []
        for part in as_objects(turn["parts"]):
            kind = part.get("type")
            if kind in ("reasoning", "thinking"):
                thoughts += 1
            elif kind == "tool_call":
                calls.append(_call(part, f"call-{at}-{len(calls)}"))
                waiting.append(calls[-1]["id"])
            elif kind == "tool_call_response":
                messages.append(_result(part, waiting))
            else:
                blocks.append(_block(part, where))
        if blocks or calls:
            said = {"role": turn.get("role"), "content": _content(blocks)}
            messages.append(said | ({"tool_calls": calls} if calls else {}))
    told = (
        (
            f"{thoughts} part{'s' if thoughts > 1 else ''} of the span "
            f"{'are' if thoughts > 1 else 'is'} the model's own reasoning, which no chat takes "
            "back: asked again, the model has not read it.",
        )
        if thoughts
        else ()
    )
    return Said(messages, told)


def _block(part: object, where: str) -> JsonObject:
    """A part that is text or a picture, as a chat's block."""
    said = {"type": "text", "content": part} if isinstance(part, str) else as_object(part)
    kind, modality = said.get("type"), said.get("modality")
    if kind == "text":
        return {"type": "text", "text": said.get("content", said.get("text"))}
    if modality == "image" and kind == "blob":
        media = as_text(said.get("mime_type")) or "image/png"
        url = f"data:{media};base64,{said.get('content')}"
        return {"type": "image_url", "image_url": {"url": url}}
    if modality == "image" and said.get("uri"):
        return {"type": "image_url", "image_url": {"url": said["uri"]}}
    raise SpecError(
        f"{where} holds a part {kind!r}{f' ({modality})' if modality else ''}, which a chat has no "
        "words for.",
        advice="Take it out of the file, if the answer without it is worth explaining.",
    )


def _content(blocks: list[JsonObject]) -> object:
    """A single text as it is, several blocks as a chat has them."""
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return blocks[0]["text"]
    return blocks or None


def _call(part: JsonObject, otherwise: str) -> JsonObject:
    function = as_object(part.get("function")) or part
    arguments = function.get("arguments")
    return {
        "id": part.get("id") or otherwise,
        "type": "function",
        "function": {"name": function.get("name"), "arguments": _as_json(arguments or {})},
    }


def _result(part: JsonObject, waiting: deque[str]) -> JsonObject:
    answers = as_text(part.get("id"))
    if answers in waiting:
        waiting.remove(answers)
    elif not answers and waiting:
        answers = waiting.popleft()
    said = part.get("response", part.get("result"))
    return {"role": "tool", "tool_call_id": answers, "content": _as_json(said)}


def _from_event(role: str, said: JsonObject) -> JsonObject:
    """A message that has an event of its own, whose name says the role where nothing else does."""
    message = _plain({"role": role, **said})
    if role == "tool" and not message.get("tool_call_id"):
        message["tool_call_id"] = said.get("id")
    return message


def _from_fields(fields: JsonObject) -> JsonObject:
    """A message of which each field is an attribute, those of its calls numbered."""
    calls = _indexed(fields, _CALLS)
    return _plain({**fields, "tool_calls": calls or _listed(fields.get("tool_calls"))})


def _plain(turn: JsonObject) -> JsonObject:
    """A message as a chat has it, of one that nearly is."""
    content = turn.get("content")
    if isinstance(content, str) and content.lstrip().startswith('[{"type"'):
        content = _listed(content) or content  # blocks, which an attribute holds as text
    said: JsonObject = {"role": turn.get("role"), "content": content}
    if calls := as_objects(_listed(turn.get("tool_calls"))):
        said["tool_calls"] = [_call(call, f"call-{at}") for at, call in enumerate(calls)]
        said["content"] = content or None
    if turn.get("tool_call_id"):
        said["tool_call_id"] = turn["tool_call_id"]
    return said


def _tool(said: JsonObject) -> JsonObject:
    if "function" in said or "input_schema" in said:
        return said
    function = {key: said[key] for key in ("name", "description") if said.get(key)}
    parameters = said.get("parameters")
    if isinstance(parameters, str):
        parameters = _loaded(parameters)
    return {"type": "function", "function": function | ({"parameters": parameters or {}})}


def _indexed(told: JsonObject, pattern: re.Pattern[str]) -> list[JsonObject]:
    """Objects whose fields are attributes with a number in their names, in the numbers' order."""
    found: dict[int, JsonObject] = {}
    for key, value in told.items():
        if match := pattern.fullmatch(key):
            found.setdefault(int(match["at"]), {})[match["field"]] = value
    return [found[at] for at in sorted(found)]


def _listed(said: object) -> list[Any]:
    """A list, which may be written as JSON text; empty where it is neither."""
    value = _loaded(said) if isinstance(said, str) else said
    if isinstance(value, list):
        return [
            _loaded(each) if isinstance(each, str) and each[:1] == "{" else each for each in value
        ]
    return []


def _loaded(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _as_json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
