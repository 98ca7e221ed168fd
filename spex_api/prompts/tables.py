"""A spec's `[prompt]` as a prompt.

What this module does not know: files; the table holds all that was in them.
"""

from __future__ import annotations

import base64
import binascii
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Final, Literal

from spex_api.errors import SpecError
from spex_api.prompts.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spex_api.prompt_table import PromptTable

__all__ = ["dialect_of", "prompt_of"]

Dialect = Literal["openai", "anthropic"]

_BLOCKS: Final[dict[object, Dialect]] = {
    "image_url": "openai",
    "document": "anthropic",
    "image": "anthropic",
    "thinking": "anthropic",
    "tool_result": "anthropic",
    "tool_use": "anthropic",
}
"""The blocks that one dialect has and the other has not."""


def prompt_of(table: PromptTable) -> Prompt:
    """The prompt that a table describes.

    Args:
        table: one whose files are read.

    Raises:
        SpecError: its conversation fits both dialects or neither, or its picture is no base64.
        PromptError: the prompt cannot be made of it.
        MissingExtra: a picture is cut into patches, and Pillow is not installed.
    """
    if table.messages is not None:
        return _conversation(table, table.messages)
    system = table.system if isinstance(table.system, str) else None
    if table.documents is not None:
        return Prompt.from_rag(
            table.question or "",
            table.documents,
            template=table.template,
            split=table.split,
            mask=table.mask,
            titles=table.titles,
            system=system,
            language=table.language,
        )
    if table.image_data is not None:
        try:
            data = base64.b64decode(table.image_data, validate=True)
        except (binascii.Error, ValueError):
            raise SpecError("'image_data' in [prompt] is no base64.") from None
        return Prompt.from_image(
            table.question or "",
            data,
            grid=_grid(table),
            mask="blur" if table.mask == "drop" else table.mask,
            system=system,
        )
    texts = table.texts if table.text is None else {**table.texts, "text": table.text}
    return Prompt.from_template(
        table.template or "",
        split=table.split,
        mask=table.mask,
        of=table.of if isinstance(table.of, str) else None,
        system=system,
        language=table.language,
        **texts,
    )


def dialect_of(
    messages: Iterable[object], *, system: object = None, tools: Iterable[object] = ()
) -> Dialect:
    """The dialect of a conversation, told by its shape.

    What reads the same in both is taken for OpenAI's.

    Args:
        messages: as they are sent.
        system: the system's message, where it stands beside them.
        tools: the definitions of tools.

    Raises:
        SpecError: it has marks of both.
    """
    marks = dict(
        reversed([*_beside(system, tools), *chain.from_iterable(map(_in, messages, count()))])
    )
    if len(marks) > 1:
        raise SpecError(
            f"The conversation has marks of two dialects: {marks['openai']} is OpenAI's, and "
            f"{marks['anthropic']} Anthropic's.",
            advice='Set messages_format in [prompt] to "openai" or "anthropic".',
        )
    return next(iter(marks), "openai")


def _beside(system: object, tools: Iterable[object]) -> Iterator[tuple[Dialect, str]]:
    """The marks of a dialect in what stands beside the messages."""
    if system is not None:
        yield "anthropic", "system beside the messages"
    for at, tool in enumerate(tools):
        if isinstance(tool, dict) and "input_schema" in tool:
            yield "anthropic", f"input_schema in tool {at}"
        elif isinstance(tool, dict) and "function" in tool:
            yield "openai", f"function in tool {at}"


def _in(message: object, at: int) -> Iterator[tuple[Dialect, str]]:
    """The marks of a dialect in a message."""
    if not isinstance(message, dict):
        return
    role, content = message.get("role"), message.get("content")
    if role in ("system", "developer", "tool"):
        yield "openai", f"the role {role!r} of message {at}"
    if message.get("tool_calls"):
        yield "openai", f"tool_calls in message {at}"
    for block in content if isinstance(content, list) else ():
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in _BLOCKS:
            yield _BLOCKS[kind], f"a block {kind!r} in message {at}"


def _grid(table: PromptTable) -> tuple[int, int]:
    if table.grid is None:
        return 4, 4
    rows, columns = table.grid
    return rows, columns


def _conversation(table: PromptTable, messages: list[Any]) -> Prompt:
    tools = table.tools or []
    dialect = table.messages_format
    if dialect is None:
        dialect = dialect_of(messages, system=table.system, tools=tools)
    settings: dict[str, Any] = {
        "split": table.split,
        "of": table.of,
        "tools": tools,
        "mask": table.mask,
        "language": table.language,
        "grid": _grid(table),
    }
    if dialect == "anthropic":
        return Prompt.from_anthropic(table.system, messages, **settings)
    if table.system is not None:
        raise SpecError(
            "[prompt] has system beside messages of OpenAI's dialect, which has none there.",
            advice="Put it into the messages, as the first one.",
        )
    return Prompt.from_openai(messages, **settings)
