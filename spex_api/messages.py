"""The turns of a conversation, in no vendor's dialect: texts, pictures, and calls of tools.

What this module does not know: which parts of a turn may be masked, and what is asked with it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Final

__all__ = ["Image", "Message", "ToolCall"]

_IMAGE_TOKENS: Final = 50_000
"""More than any endpoint counts for an image: gpt-4o-mini counts 48,169 for the largest."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message.

    Attributes:
        data: its bytes in base64, or "" where it is at an address.
        media_type: such as "image/png".
        url: where the endpoint finds it, in place of `data`.
    """

    data: str = field(default="", repr=False)
    media_type: str = "image/png"
    url: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the assistant asked a tool for: its name, and its arguments as JSON text."""

    id: str
    name: str
    arguments: str = "{}"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: "system", "user", "assistant" or "tool".
        content: its text.
        blocks: texts and pictures in their order, where it is sent as such; `content` is then the
            texts joined. Empty where it is plain text.
        tool_calls: of an assistant's turn.
        answers: the call that a tool's turn answers, by its id.
    """

    role: str
    content: str
    blocks: tuple[str | Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    answers: str = ""

    @classmethod
    def of_blocks(cls, role: str, blocks: tuple[str | Image, ...], *, answers: str = "") -> Message:
        """A turn of several blocks."""
        texts = "".join(block for block in blocks if isinstance(block, str))
        return cls(role, texts, blocks, answers=answers)

    @property
    def read(self) -> object:
        """All that a model reads of it: equal for turns that read the same. Its `repr` is whole."""
        if not (self.blocks or self.tool_calls or self.answers):
            return self.role, self.content
        return astuple(self)

    @property
    def bound(self) -> int:
        """More tokens than any endpoint counts for it."""
        # No tokenizer makes more tokens than there are bytes; a turn's frame takes a few more.
        calls = sum(
            len((call.id + call.name + call.arguments).encode()) + 16 for call in self.tool_calls
        )
        pictures = sum(isinstance(block, Image) for block in self.blocks)
        frames = 16 * (1 + len(self.blocks))
        return len(self.content.encode()) + frames + calls + pictures * _IMAGE_TOKENS
