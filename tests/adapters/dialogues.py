"""The same question in three dialects, answered whole and streamed, and the vendors' clients.

What this module does not know: what is tested.
"""

from __future__ import annotations

import anthropic
import openai
import pytest

from tests.adapters.conftest import KEY
from tests.adapters.played import in_events, in_json

TURNS = [{"role": "user", "content": "How many days of leave?"}]
CHAT = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "15"}, "finish_reason": "stop"}
    ],
}
RESPONSE = {
    "id": "r",
    "object": "response",
    "created_at": 1,
    "model": "m-1",
    "status": "completed",
    "output": [
        {
            "id": "msg",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "15", "annotations": []}],
        }
    ],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
}
MESSAGE = {
    "id": "msg",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": [{"type": "text", "text": "15"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 1},
}
WHOLE = {
    "openai.chat": in_json(CHAT),
    "openai.responses": in_json(RESPONSE),
    "anthropic.messages": in_json(MESSAGE),
}


def _piece(text, finish_reason=None):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return CHAT | {"object": "chat.completion.chunk", "choices": [choice]}


STREAMED = {
    "openai.chat": in_events(_piece("1"), _piece("5"), _piece("", "stop"), done=True),
    "openai.responses": in_events(
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": RESPONSE | {"status": "in_progress", "output": []},
        },
        {
            "type": "response.output_item.added",
            "sequence_number": 1,
            "output_index": 0,
            "item": RESPONSE["output"][0] | {"status": "in_progress", "content": []},
        },
        {
            "type": "response.content_part.added",
            "sequence_number": 2,
            "item_id": "msg",
            "output_index": 0,
            "content_index": 0,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        *(
            {
                "type": "response.output_text.delta",
                "sequence_number": 3 + place,
                "item_id": "msg",
                "output_index": 0,
                "content_index": 0,
                "delta": text,
                "logprobs": [],
            }
            for place, text in enumerate("15")
        ),
        {"type": "response.completed", "sequence_number": 5, "response": RESPONSE},
    ),
    "anthropic.messages": in_events(
        {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in "15"
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ),
}
DIALECTS = sorted(WHOLE)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
each_kind = pytest.mark.parametrize("kind", ["async", "plain"])


def client_of(dialect, url, *, kind="plain", **settings):
    """A client of the vendor's."""
    settings = {"api_key": KEY, "max_retries": 0} | settings
    if dialect == "anthropic.messages":
        made = anthropic.Anthropic if kind == "plain" else anthropic.AsyncAnthropic
        return made(base_url=url, **settings)
    made = openai.OpenAI if kind == "plain" else openai.AsyncOpenAI
    return made(base_url=f"{url}/v1", **settings)


def door(client, dialect):
    """Where questions are asked in this dialect, and the question."""
    if dialect == "openai.chat":
        return client.chat.completions, {"model": "m", "messages": TURNS}
    if dialect == "openai.responses":
        return client.responses, {"model": "m", "input": "How many days of leave?"}
    return client.messages, {"model": "m", "max_tokens": 9, "messages": TURNS}


async def done(value):
    """What comes of it, whether it is there or must be waited for."""
    return await value if hasattr(value, "__await__") else value


async def whole_list(stream):
    """All that a stream gives, of either kind."""
    if hasattr(stream, "__aiter__"):
        return [each async for each in stream]
    return list(stream)


class Opened:
    """`with` for either kind."""

    def __init__(self, manager):
        self.manager = manager

    async def __aenter__(self):
        if hasattr(self.manager, "__aenter__"):
            return await self.manager.__aenter__()
        return self.manager.__enter__()

    async def __aexit__(self, *error):
        if hasattr(self.manager, "__aexit__"):
            return await self.manager.__aexit__(*error)
        return self.manager.__exit__(*error)
