"""Calls of tools in whatever a program gives: replies of any vendor, messages of a framework, JSON.

They are told by their shape, so that no vendor's package is needed to read them. Written behind a
text, a line each, they can be read again. What this module does not know: which tools there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from spex_api.messages import ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["calls_in_text", "calls_within", "with_calls"]

_MARK: Final = "→ "
_DEEPEST: Final = 40
"""Deeper in one another than any reply is: what is deeper still holds itself."""
_NAMES: Final = ("name", "tool", "tool_name")
_ARGUMENTS: Final = ("arguments", "args", "input", "parameters", "tool_input")


def calls_within(value: object) -> tuple[ToolCall, ...]:
    """The calls in a value made of dictionaries, lists and texts, in their order.

    Known are the shapes of OpenAI's chat and Responses, of Anthropic's Messages, of LangChain, and
    any object with a tool's name and an object of arguments. A tool's definition is no call.
    """
    return tuple(_walk(value, 0))


def with_calls(text: str, calls: Iterable[ToolCall]) -> str:
    """The text, and a line for each call: "→ send_refund({"amount":20})"."""
    lines = [f"{_MARK}{call.name}({call.arguments})" for call in calls]
    return "\n".join([text, *lines] if text else lines)


def calls_in_text(text: str) -> tuple[ToolCall, ...]:
    """The calls that `with_calls` has written, or else those in a text that is JSON."""
    written: list[ToolCall] = []
    for line in text.splitlines():
        name, opening, rest = line.removeprefix(_MARK).partition("(")
        if line.startswith(_MARK) and opening and rest.endswith(")"):
            written.append(ToolCall("", name, rest[:-1]))
    if written:
        return tuple(written)
    try:
        return calls_within(json.loads(text))
    except (ValueError, RecursionError):
        return ()


def _walk(value: object, depth: int) -> Iterator[ToolCall]:
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        call = _call(value)
        if call is not None:
            yield call
            return
        for each in value.values():
            yield from _walk(each, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for each in value:
            yield from _walk(each, depth + 1)


def _call(value: Mapping[Any, Any]) -> ToolCall | None:
    function = value.get("function")
    called = function if isinstance(function, Mapping) else value
    name = next((called[key] for key in _NAMES if isinstance(called.get(key), str)), None)
    given = next((called[key] for key in _ARGUMENTS if key in called), None)
    if name is None or not _are_arguments(given) or _is_definition(called):
        return None
    named = next((value[key] for key in ("call_id", "id") if isinstance(value.get(key), str)), "")
    return ToolCall(named, name, given if isinstance(given, str) else _json(given))


def _are_arguments(given: object) -> bool:
    """Whether it is an object, or the JSON of one; of a call that was cut off, its beginning."""
    return isinstance(given, Mapping) or (
        isinstance(given, str) and (not given.strip() or given.lstrip().startswith("{"))
    )


def _is_definition(called: Mapping[Any, Any]) -> bool:
    """Whether it says which arguments a tool takes, by a JSON schema."""
    schema = called.get("parameters")
    return "input_schema" in called or (
        isinstance(schema, Mapping) and isinstance(schema.get("properties"), Mapping)
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
