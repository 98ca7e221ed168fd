"""What a request's body says, for who looks at it: its turns, and the question that is asked last.

Nothing is refused, since it is only looked at: what cannot be read is shown as it stands. What this
module does not know: whether it can be asked again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from spex_api.calls.loosely import as_object, as_objects, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.completions import JsonObject

__all__ = ["question_of", "turns_of"]

_TEXTS: Final = ("text", "input_text", "output_text")
_PICTURES: Final = ("image", "image_url", "input_image")


def turns_of(body: JsonObject) -> Iterator[tuple[str, str]]:
    """The role and the text of each turn, in order, in whichever dialect.

    Args:
        body: of the request.

    Raises:
        Nothing.
    """
    for key in ("instructions", "system"):
        if said := body.get(key):
            yield "system", _text(said)
    asked = body.get("messages", body.get("input"))
    if isinstance(asked, str):
        yield "user", asked
    for turn in as_objects(asked):
        kind = as_text(turn.get("type"))
        if kind == "function_call":
            yield "assistant", _called(turn)
        elif kind == "function_call_output":
            yield "tool", _text(turn.get("output"))
        else:
            calls = map(_called, map(_function, as_objects(turn.get("tool_calls"))))
            said = " ".join(filter(None, (_text(turn.get("content")), *calls)))
            yield _role(turn) or kind or "?", said


def question_of(body: JsonObject) -> str:
    """What the user said last; where no user said anything, the last turn.

    Args:
        body: of the request.

    Raises:
        Nothing: where nothing is said it is empty.
    """
    turns = [(role, text) for role, text in turns_of(body) if text.strip()]
    spoken = [text for role, text in turns if role == "user"]
    return (spoken or [text for _, text in turns] or [""])[-1]


def _role(turn: JsonObject) -> str:
    """The turn's role; of one that holds nothing but tools' results, as Anthropic's do, "tool"."""
    blocks = as_objects(turn.get("content"))
    if blocks and all(block.get("type") == "tool_result" for block in blocks):
        return "tool"
    return as_text(turn.get("role"))


def _function(call: JsonObject) -> JsonObject:
    return as_object(call.get("function"))


def _text(content: object) -> str:
    """A content's text; its blocks one after the other."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else _as_json(content)
    return " ".join(filter(None, map(_block, content)))


def _block(block: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(block, str):
        return block
    said = as_object(block)
    kind = said.get("type")
    if kind in _TEXTS:
        return as_text(said.get("text"))
    if kind in _PICTURES:
        return "[picture]"
    if kind == "tool_use":
        return _called({**said, "arguments": said.get("input")})
    if kind == "tool_result":
        return _text(said.get("content"))
    return f"[{kind}]" if kind else _as_json(block)


def _called(said: JsonObject) -> str:
    arguments = said.get("arguments")
    told = arguments if isinstance(arguments, str) else _as_json(arguments or {})
    return f"{as_text(said.get('name'))}({told})"


def _as_json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)
