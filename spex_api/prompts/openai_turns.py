"""A conversation in OpenAI's chat dialect, as turns.

What this module does not know: which parts of it are features, and how a request is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from spex_api.errors import PromptError
from spex_api.messages import Image
from spex_api.prompts.foreign import Strict, check, listed, plain, read, text_part, tool_turns
from spex_api.prompts.parts import Call, Part, Picture, Turn
from spex_api.prompts.segmenters import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["openai_turns"]

_DATA = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/=\s]*)\Z")


class _Text(Strict):
    type: Literal["text"]
    text: str
    cache_control: Any = None


class _Address(Strict):
    url: str
    detail: Literal["auto"] | None = None


class _Pictured(Strict):
    type: Literal["image_url"]
    image_url: _Address
    cache_control: Any = None


_Content = (
    str
    | Annotated[
        list[Annotated[_Text | _Pictured, Field(discriminator="type")]], Field(min_length=1)
    ]
)


class _Function(Strict):
    name: str
    arguments: str = "{}"


class _Called(Strict):
    id: str
    type: Literal["function"] = "function"
    function: _Function
    index: Any = None


class _Said(Strict):
    role: Literal["system", "developer", "user"]
    content: _Content
    name: None = None
    cache_control: Any = None


class _Answered(Strict):
    """What the assistant said; of the fields that only an answer has, none is sent back."""

    role: Literal["assistant"]
    content: _Content | None = None
    tool_calls: list[_Called] | None = None
    refusal: None = None
    annotations: Any = None
    audio: None = None
    function_call: None = None
    name: None = None
    cache_control: Any = None


class _Result(Strict):
    role: Literal["tool"]
    content: _Content
    tool_call_id: Annotated[str, Field(min_length=1)]
    name: Any = None
    cache_control: Any = None


_MESSAGE: TypeAdapter[_Said | _Answered | _Result] = TypeAdapter(
    Annotated[_Said | _Answered | _Result, Field(discriminator="role")]
)


def openai_turns(messages: Iterable[object], tools: Iterable[object]) -> tuple[Turn, ...]:
    """The turns of a conversation, all pinned; the tools' definitions are the first, if any.

    Args:
        messages: dictionaries, or the SDK's own objects.
        tools: the definitions of tools, as they are sent.

    Raises:
        PromptError: it is no conversation, or holds something that cannot be told in our words.
    """
    turns: list[Turn] = []
    called: dict[str, str] = {}
    for at, message in enumerate(listed(messages, what="messages")):
        told = read(_MESSAGE, plain(message), where=f"Message {at}")
        if isinstance(told, _Result) and told.name not in (None, called.get(told.tool_call_id)):
            raise PromptError(
                f"Message {at} has the name {told.name!r}, which is not that of the tool that was "
                "called, and is not sent on by us.",
                advice="Leave it out, if the answer without it is worth explaining.",
            )
        turns.append(_turn(told))
        called |= {call.id: call.name for call in turns[-1].calls}
    check(turns)
    return (*tool_turns(tools), *turns)


def _turn(message: _Said | _Answered | _Result) -> Turn:
    calls: tuple[Part, ...] = ()
    answers = ""
    if isinstance(message, _Answered):
        calls = tuple(
            Call(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
        )
    elif isinstance(message, _Result):
        answers = message.tool_call_id
    content = message.content
    if content is None or isinstance(content, str):
        return Turn(message.role, (*text_part(content or ""), *calls), (), answers)
    parts = tuple(_part(block) for block in content)
    return Turn(message.role, (*parts, *calls), tuple(range(len(parts))), answers)


def _part(block: _Text | _Pictured) -> Part:
    if isinstance(block, _Text):
        return Segment(block.text, pinned=True)
    held = _DATA.match(block.image_url.url)
    if held is None:
        return Picture(Image(url=block.image_url.url))
    return Picture(Image(held["data"], held["type"]))
