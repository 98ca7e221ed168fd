"""What the endpoints ask of a conversation, as their documentation says; in our words."""

from __future__ import annotations

import base64
from itertools import pairwise

from spex_api.completions import Image, Message

__all__ = ["anthropic_flaws", "openai_flaws"]


def openai_flaws(messages: tuple[Message, ...]) -> list[str]:
    """What OpenAI's chat API would refuse: loose results and calls, empty parts, no message."""
    flaws = [] if messages else ["no message"]
    waiting: set[str] = set()
    for message in messages:
        if message.role == "tool":
            if message.answers not in waiting:
                flaws.append(f"a loose result {message.answers}")
            waiting.discard(message.answers)
        else:
            flaws.extend(f"a call without a result {call}" for call in waiting)
            waiting = {call.id for call in message.tool_calls}
        if message.role == "assistant" and not (message.content or message.tool_calls):
            flaws.append("an assistant who says nothing")
        flaws.extend(_empty_parts(message))
    return flaws + [f"a call without a result {call}" for call in waiting]


def anthropic_flaws(messages: tuple[Message, ...], *, begun: bool = False) -> list[str]:
    """What Anthropic's Messages API would refuse, or read as something else.

    Args:
        messages: the conversation.
        begun: whether the answer was begun in the original.
    """
    flaws = openai_flaws(messages)
    spoken = [message for message in messages if message.role not in ("system", "developer")]
    sides = ["user" if message.role == "tool" else message.role for message in spoken]
    if sides[:1] != ["user"]:
        flaws.append("the user does not begin")
    if not begun and sides[-1:] == ["assistant"]:
        flaws.append("an answer is begun")
    flaws.extend("the assistant twice" for a, b in pairwise(sides) if a == b == "assistant")
    flaws.extend("the user twice" for a, b in pairwise(spoken) if a.role == b.role == "user")
    for message in messages:
        pictures = any(isinstance(block, Image) for block in message.blocks)
        if not (message.content.strip() or pictures or message.tool_calls):
            flaws.append(f"{message.role} says nothing")
    return flaws


def _empty_parts(message: Message) -> list[str]:
    flaws = []
    for block in message.blocks:
        if isinstance(block, str):
            flaws.extend([] if block.strip() else ["an empty block"])
        elif block.data:
            base64.b64decode(block.data, validate=True)
        elif not block.url:
            flaws.append("a picture without pixels")
    texts = "".join(block for block in message.blocks if isinstance(block, str))
    if message.blocks and texts != message.content:
        flaws.append("blocks that are not the content")
    return flaws
