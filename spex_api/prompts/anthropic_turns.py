"""A conversation in Anthropic's Messages dialect, as turns.

A message of the user's that holds results of tools becomes a turn for each of them, and one for
what follows. What this module does not know: which parts of it are features, and how a request is
written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from spex_api.errors import PromptError
from spex_api.messages import Image
from spex_api.prompts.foreign import Strict, check, listed, plain, read, text_part, tool_turns
from spex_api.prompts.parts import Call, Part, Picture, Turn
from spex_api.prompts.segmenters import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["anthropic_turns"]


class _Text(Strict):
    type: Literal["text"]
    text: str
    citations: None = None
    cache_control: Any = None


class _Bytes(Strict):
    type: Literal["base64"]
    media_type: str
    data: str


class _Address(Strict):
    type: Literal["url"]
    url: str


class _Pictured(Strict):
    type: Literal["image"]
    source: Annotated[_Bytes | _Address, Field(discriminator="type")]
    cache_control: Any = None


class _Caller(Strict):
    type: Literal["direct"]


class _Called(Strict):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: _Caller | None = None
    toolset_name: None = None
    cache_control: Any = None


_Blocks = list[Annotated[_Text | _Pictured, Field(discriminator="type")]]


class _Result(Strict):
    type: Literal["tool_result"]
    tool_use_id: Annotated[str, Field(min_length=1)]
    content: str | _Blocks | None = None
    is_error: Literal[False] | None = None
    cache_control: Any = None


_Block = Annotated[_Text | _Pictured | _Called | _Result, Field(discriminator="type")]


class _Said(Strict):
    """A message; of the fields that only an answer has, none is sent back."""

    role: Literal["user", "assistant"]
    content: str | list[_Block]
    id: Any = None
    type: Any = None
    model: Any = None
    container: None = None
    diagnostics: Any = None
    stop_details: Any = None
    stop_reason: Any = None
    stop_sequence: Any = None
    usage: Any = None


_MESSAGE: TypeAdapter[_Said] = TypeAdapter(_Said)
_SYSTEM: TypeAdapter[str | list[_Text]] = TypeAdapter(str | list[_Text])


def anthropic_turns(
    system: object, messages: Iterable[object], tools: Iterable[object]
) -> tuple[Turn, ...]:
    """The turns of a conversation, all pinned; the tools' definitions are the first, if any.

    Args:
        system: text, a list of text blocks, or None.
        messages: dictionaries, or the SDK's own objects.
        tools: the definitions of tools, as they are sent.

    Raises:
        PromptError: it is no conversation, or holds something that cannot be told in our words.
    """
    turns: list[Turn] = []
    if system is not None:
        said = read(_SYSTEM, plain(system), where="The system's message")
        turns.append(_turn("system", said))
    spoken: list[Turn] = []
    for at, message in enumerate(listed(messages, what="messages")):
        read_message = read(_MESSAGE, plain(message), where=f"Message {at}")
        spoken.extend(_turns(read_message, at))
    check(spoken)
    return (*tool_turns(tools), *turns, *spoken)


def _turns(message: _Said, at: int) -> Iterator[Turn]:
    if isinstance(message.content, str):
        yield _turn(message.role, message.content)
        return
    wanted = _Called if message.role == "user" else _Result
    if any(isinstance(block, wanted) for block in message.content):
        raise PromptError(f"Message {at} is the {message.role}'s; such a block is the other's.")
    special = [isinstance(block, _Called | _Result) for block in message.content]
    if special != sorted(special, reverse=message.role == "user"):
        raise PromptError(
            f"Message {at} mixes tools with other blocks.",
            advice="Put results of tools before everything else, and calls of tools behind it.",
        )
    calls: list[Part] = []
    blocks: list[_Text | _Pictured] = []
    for block in message.content:
        if isinstance(block, _Called):
            arguments = json.dumps(block.input, ensure_ascii=False)
            calls.append(Call(block.id, block.name, arguments))
        elif isinstance(block, _Result):
            yield _turn("tool", block.content or "", answers=block.tool_use_id)
        else:
            blocks.append(block)
    if blocks or calls or not message.content:
        yield _turn(message.role, blocks, calls)


def _turn(
    role: str,
    content: str | Sequence[_Text | _Pictured],
    calls: Sequence[Part] = (),
    *,
    answers: str = "",
) -> Turn:
    if isinstance(content, str):
        return Turn(role, (*text_part(content), *calls), (), answers)
    parts = tuple(_part(block) for block in content)
    return Turn(role, (*parts, *calls), tuple(range(len(parts))), answers)


def _part(block: _Text | _Pictured) -> Part:
    if isinstance(block, _Text):
        return Segment(block.text, pinned=True)
    source = block.source
    if isinstance(source, _Address):
        return Picture(Image(url=source.url))
    return Picture(Image(source.data, source.media_type))
